//! An app's whole life in one file's words: create, deploy, roll back, restart, scale, remove.

use super::events::{check, of};
use super::{SECRET, Site, get};
use crate::support::docker::Engine;
use crate::support::images;
use crate::support::ports::free_ports;

/// All that docker shows of this project's containers but their environment.
fn labels(site: &Site) -> String {
    let names = site.engine.containers(&site.project.name);
    names.iter().map(|name| site.engine.inspect(name)["Config"]["Labels"].to_string()).collect()
}

#[test]
fn shop() {
    let engine = Engine::machine();
    let (v1, v2) = (images::app(&engine, "v1"), images::app(&engine, "v2"));
    let site = Site::new(&engine);
    let first = free_ports(3);
    let ports = format!("    ports: ['127.0.0.1:{first}-{}:8080']\n", first + 2);
    site.file("compose.yaml", &v1, 2, &ports);
    let created = site.pitstop.run(&["create", "--json"]).expect_code(0);
    check(&created.json_lines());
    let before = site.all_outside(2);
    let host = |number: usize| format!("127.0.0.1:{}", usize::from(first) + number - 1);
    let volume = format!("{}_data", site.project.name);
    let kept = engine.inspect(&volume)["Mountpoint"].as_str().unwrap().to_owned() + "/kept";
    std::fs::write(&kept, "as it was").unwrap();
    let answers = |version: &str| {
        for (number, outside) in (1..).zip(&before) {
            for address in [outside.address(), host(number)] {
                assert_eq!(get(&address, "/"), version);
                assert_eq!(get(&address, "/hostname"), outside.hostname);
                assert_eq!(get(&address, "/env/TOKEN"), SECRET);
                assert_eq!(get(&address, "/file/kept"), "as it was");
            }
        }
    };
    answers("v1");

    let deployed = site.run("deploy", &["--image", &v2, "--batch", "1", "--json"]).expect_code(0);
    assert_eq!(site.all_outside(2), before);
    answers("v2");
    let events = deployed.json_lines();
    check(&events);
    let planned = &events[0];
    assert_eq!((&planned["kind"], &planned["app"]), (&"deploy".into(), &site.web().into()));
    assert_eq!((&planned["from"], &planned["to"]), (&v1.into(), &v2.as_str().into()));
    let names = [1, 2].map(|number| format!("{}-{number}", site.web()));
    assert_eq!(planned["batches"], serde_json::json!([[names[0]], [names[1]]]));
    for (kind, field) in [("identity_judged", "verdict"), ("gap_measured", "probe")] {
        let told: Vec<_> =
            of(&events, kind).iter().map(|event| (event["instance"].clone(), event[field].clone())).collect();
        let value = if field == "verdict" { "kept" } else { "tcp:8080" };
        assert_eq!(told, names.clone().map(|name| (name.into(), value.into())), "{kind}");
    }
    for judged in of(&events, "identity_judged") {
        assert_eq!(judged["before"], judged["after"]);
        let number = usize::from(judged["instance"] != names[0].as_str());
        let (network, (ipv4, mac)) = before[number].networks.iter().next().unwrap();
        let told = &judged["after"]["networks"][network];
        assert_eq!((&told["ipv4"], &told["mac"]), (&ipv4.as_str().into(), &mac.as_str().into()));
    }
    for gap in of(&events, "gap_measured") {
        assert!((1.0..20_000.0).contains(&gap["gap_ms"].as_f64().unwrap()), "{gap}");
    }
    let finished = events.last().unwrap();
    assert_eq!(finished["outcome"], "succeeded");
    assert_eq!((&finished["counts"]["instances"], &finished["counts"]["kept"]), (&2.into(), &2.into()));

    let rolled = site.run("rollback", &["--json"]).expect_code(0);
    check(&rolled.json_lines());
    assert_eq!(site.all_outside(2), before);
    answers("v1");
    assert_eq!((site.app(1), site.told(2)["revision"].clone()), (format!("{}.r3", site.sandbox(1)), 3.into()));

    let runs = |number: usize| {
        let seen = engine.inspect(&site.app(number));
        (seen["Id"].clone(), seen["State"]["StartedAt"].clone())
    };
    let old = [1, 2].map(runs);
    let restarted = site.run("restart", &["--json"]).expect_code(0);
    check(&restarted.json_lines());
    for (old, new) in old.iter().zip([1, 2].map(runs)) {
        assert!(old.0 == new.0 && old.1 != new.1, "the same container, started again: {old:?} {new:?}");
    }
    assert_eq!(site.all_outside(2), before);
    answers("v1");

    site.pitstop.run(&["scale", &format!("{}=3", site.web())]).expect_code(0);
    assert_eq!(get(&host(3), "/hostname"), site.outside(3).hostname);
    assert_eq!(get(&host(3), "/env/TOKEN"), SECRET);
    site.pitstop.run(&["scale", &format!("{}=1", site.web())]).expect_code(0);
    assert_eq!(site.containers().len(), 2, "{:?}", site.containers());
    assert_eq!(site.outside(1), before[0]);

    for said in [&created, &deployed, &rolled, &restarted] {
        assert!(!said.stdout.contains(SECRET) && !said.stderr.contains(SECRET));
    }
    assert!(labels(&site).contains("io.pitstop.spec") && !labels(&site).contains(SECRET));

    site.run("rm", &[]).expect_code(0);
    assert_eq!(site.project.traces().unwrap(), [format!("volume {volume}")]);
    assert_eq!(std::fs::read_to_string(&kept).unwrap(), "as it was");
    let again = site.run("rm", &[]).expect_code(2);
    assert!(again.stderr.contains("there is no app"), "{}", again.stderr);
}

#[test]
fn the_volume_goes_when_told_and_the_same_file_makes_the_app_again() {
    let engine = Engine::machine();
    let site = Site::open(&engine, &images::app(&engine, "v1"), 1);
    site.run("rm", &[]).expect_code(0);
    site.pitstop.run(&["create", "-q"]).expect_code(0);
    assert_eq!(get(&site.outside(1).address(), "/"), "v1");
    site.run("rm", &["--volumes"]).expect_code(0);
    assert_eq!(site.project.traces().unwrap(), Vec::<String>::new());
}
