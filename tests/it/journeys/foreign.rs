//! Containers that pitstop did not make: restarted with their addresses observed, never deployed.

use super::events::{check, of};
use super::{get, outside};
use crate::support::docker::Engine;
use crate::support::images;
use crate::support::pitstop::Pitstop;
use crate::support::wait::wait_until;
use std::time::Duration;

#[test]
fn ten_of_ten_plain_containers_keep_their_addresses() {
    let engine = Engine::machine();
    let (project, pitstop) = (engine.project(), Pitstop::on(&engine));
    let (network, image) = (format!("{}-net", project.name), images::app(&engine, "v1"));
    engine.docker(&["network", "create", &network]);
    let names: Vec<String> = (0..10).map(|number| format!("{}-p{number}", project.name)).collect();
    for name in &names {
        engine.docker(&["run", "-d", "--network", &network, "--name", name, &image]);
    }
    let look = || names.iter().map(|name| outside(&engine, name)).collect::<Vec<_>>();
    let before = look();

    let targets: Vec<&str> = names.iter().map(String::as_str).collect();
    let out = pitstop.run(&[&["restart", "--json"], &targets[..]].concat()).expect_code(0);
    let after = look();
    for (before, after) in before.iter().zip(&after) {
        // Engine 28 and newer draw another MAC address.
        assert_eq!(
            (&before.sandbox, before.addresses(), &before.hostname),
            (&after.sandbox, after.addresses(), &after.hostname)
        );
        assert_ne!(before.sandbox_started, after.sandbox_started);
        wait_until("an answer", Duration::from_secs(10), || crate::support::http::get(&after.address(), "/").is_ok());
        assert_eq!(get(&after.address(), "/"), "v1");
    }
    let events = out.json_lines();
    check(&events);
    let judged = of(&events, "identity_judged");
    assert_eq!(judged.len(), 10);
    assert!(judged.iter().all(|event| event["verdict"] == "unprotected"), "{judged:?}");
    let counts = &events.last().unwrap()["counts"];
    assert_eq!((&counts["instances"], &counts["unprotected"], &counts["kept"]), (&10.into(), &10.into(), &0.into()));
}

#[test]
fn a_compose_app_restarts_by_its_name_and_is_not_deployed() {
    let engine = Engine::machine();
    let (project, pitstop) = (engine.project(), Pitstop::on(&engine));
    let (network, image) = (format!("{}-net", project.name), images::app(&engine, "v1"));
    engine.docker(&["network", "create", &network]);
    let names: Vec<String> = (1..=3).map(|number| format!("{}-web-{number}", project.name)).collect();
    for (number, name) in (1..).zip(&names) {
        let labels = [
            format!("com.docker.compose.project={}", project.name),
            "com.docker.compose.service=web".to_owned(),
            format!("com.docker.compose.container-number={number}"),
        ];
        let labels: Vec<&str> = labels.iter().flat_map(|label| ["--label", label]).collect();
        engine.docker(&[&["run", "-d", "--network", &network, "--name", name], &labels[..], &[&image]].concat());
    }
    let look = || names.iter().map(|name| outside(&engine, name)).collect::<Vec<_>>();
    let before = look();
    let app = format!("{}/web", project.name);

    let out = pitstop.run(&["deploy", &app, "--image", &images::app(&engine, "v2")]).expect_code(4);
    assert!(out.stderr.contains(&app) && out.stderr.contains("sandbox"), "{}", out.stderr);
    assert_eq!(look(), before, "nothing was touched");
    assert_eq!(engine.containers(&project.name), names);

    let out = pitstop.run(&["restart", &app]).expect_code(0);
    for (before, after) in before.iter().zip(&look()) {
        assert_eq!((&before.sandbox, before.addresses()), (&after.sandbox, after.addresses()));
        assert_ne!(before.sandbox_started, after.sandbox_started);
    }
    assert_eq!(out.stdout.matches("! unprotected").count(), 3, "{}", out.stdout);
    assert!(out.stdout.contains("3 same address but unprotected"), "{}", out.stdout);
}
