//! The same on Podman, which answers in Docker's words: what works there, and what is said to be different.

use super::{Site, get};
use crate::support::http;
use crate::support::images;
use crate::support::podman::Podman;
use crate::support::wait::wait_until;
use std::time::Duration;

#[test]
fn an_app_lives_its_life_on_podman() {
    let podman = Podman::start();
    let engine = podman.engine();
    let (v1, v2) = (images::app(&engine, "v1"), images::app(&engine, "v2"));
    let site = Site::new(&engine);
    let name = &site.project.name;
    site.pitstop.file(
        "compose.yaml",
        &format!(
            "name: {name}\nservices:\n  web:\n    image: {v1}\n    scale: 2\n    networks: [front]\n    \
             x-pitstop: {{probe: 'http:8080/'}}\nnetworks: {{front: {{}}}}\n"
        ),
    );
    site.pitstop.run(&["create", "-q"]).expect_code(0);
    let before = site.all_outside(2);
    let answers = |version: &str| {
        let after = site.all_outside(2);
        assert_eq!(after, before, "address, namespace, host name and sandbox stay");
        for one in &after {
            assert_eq!(get(&one.address(), "/"), version);
        }
    };
    answers("v1");
    site.run("deploy", &["--image", &v2]).expect_code(0);
    answers("v2");
    site.run("restart", &[]).expect_code(0);
    answers("v2");
    site.run("rollback", &[]).expect_code(0);
    answers("v1");
    // Held back it can't be there, and a version that is no good is taken back as everywhere.
    let out = site.run("deploy", &["--image", &v2, "--warm", "bind"]).expect_code(4);
    assert!(out.stderr.contains("Podman"), "{}", out.stderr);
    let out = site.run("deploy", &["--image", &v2, "--warm", "auto"]).expect_code(0);
    assert!(out.stdout.contains("not warm: Podman"), "{}", out.stdout);
    answers("v2");
    let bad = images::serve(&engine, "bad", "bad", &["--never-listen"]);
    site.run("deploy", &["--image", &bad, "--ready-timeout", "2s"]).expect_code(1);
    answers("v2");
    let said = site.pitstop.run(&["doctor"]).stdout;
    assert!(said.contains("Podman "), "{said}");

    // One more and one less, one that somebody stopped, and new ones first.
    let app = format!("{name}/web");
    site.pitstop.run(&["scale", &format!("{app}=3")]).expect_code(0);
    site.pitstop.run(&["scale", &format!("{app}=2"), "--yes"]).expect_code(0);
    answers("v2");
    let serving = site.pitstop.run(&["ps", "--json"]).expect_code(0).json_lines()[0]["apps"][0]["instances"][0].clone();
    engine.docker(&["stop", "-t", "0", serving["container_id"].as_str().expect("an id")]);
    site.pitstop.run(&["repair", &app]).expect_code(0);
    answers("v2");
    let out = site.pitstop.run(&["logs", &app, "--tail", "1"]).expect_code(0);
    assert!(out.stdout.contains("serving v2"), "{}", out.stdout);
    site.run("deploy", &["--image", &v1, "--surge"]).expect_code(0);
    let fleet = site.pitstop.run(&["ps", "--json"]).expect_code(0).json_lines()[0]["apps"][0].clone();
    assert!(fleet["ready"] == 2 && fleet["image"].as_str().is_some_and(|image| image.ends_with(&v1)), "{fleet}");
    site.run("rm", &["--yes"]).expect_code(0);
    assert_eq!(engine.containers(name), [""; 0]);
}

#[test]
fn a_container_of_podman_s_is_adopted_at_its_address() {
    let podman = Podman::start();
    let engine = podman.engine();
    let (site, image) = (Site::new(&engine), images::app(&engine, "v1"));
    let (name, old) = (&site.project.name, format!("{}-old", site.project.name));
    let net = format!("{name}-net");
    engine.docker(&["network", "create", &net]);
    engine.docker(&[
        "run",
        "-d",
        "--network",
        &net,
        "--restart",
        "always",
        "--name",
        &old,
        "-e",
        "COLOUR=blue",
        &image,
    ]);
    let address = |container: &str| {
        let at = engine.inspect(container)["NetworkSettings"]["Networks"][&net]["IPAddress"].clone();
        format!("{}:8080", at.as_str().unwrap_or_default())
    };
    let before = address(&old);
    let failing = ["adopt", &old, "-p", name, "--probe", "tcp:9999", "--ready-timeout", "700ms"];
    site.pitstop.run(&failing).expect_code(1);
    // Podman gives it another MAC address at each start; who knew the former one notices after a while.
    wait_until("the old one serves on", Duration::from_secs(60), || {
        http::get(&before, "/").is_ok_and(|answer| answer.body == "v1")
    });
    let out = site.pitstop.run(&["adopt", &old, "-p", name, "--probe", "http:8080/"]).expect_code(0);
    assert!(!out.stdout.contains("was killed"), "it had its time to end: {}", out.stdout);
    let sandbox = format!("{name}-{old}-1");
    assert_eq!((address(&sandbox), get(&before, "/env/COLOUR").as_str()), (before.clone(), "blue"));
    let target = format!("{name}/{old}");
    let next = images::app(&engine, "v2");
    site.pitstop.run(&["deploy", &target, "--image", &next, "--probe", "http:8080/"]).expect_code(0);
    assert_eq!(get(&before, "/"), "v2");
}
