//! Hands on the sandboxes: killed, restarted, removed, robbed of their address. Told by `ps`, mended by a restart.

use super::{Site, get, outside};
use crate::support::docker::Engine;
use crate::support::images;

#[test]
fn a_sandbox_killed_or_restarted_by_hand_is_told_and_mended() {
    let engine = Engine::machine();
    let site = Site::open(&engine, &images::app(&engine, "v1"), 2);
    let before = site.all_outside(2);
    for (by_hand, verdict) in [("kill", "lost"), ("restart", "orphaned")] {
        engine.docker(&[by_hand, &site.sandbox(1)]);
        let told = site.told(1);
        assert_eq!((&told["identity"], &told["ready"]), (&verdict.into(), &false.into()), "{by_hand}: {told}");
        assert_eq!(site.told(2)["identity"], "kept");
        let table = site.run("ps", &[]).expect_code(0).stdout;
        assert_eq!(table.matches("not ready").count(), 1, "{table}");

        let out = site.run("restart", &[]).expect_code(0);
        assert!(out.stdout.contains("kept"), "{}", out.stdout);
        let now = site.outside(1);
        assert_eq!(
            (&now.sandbox, &now.networks, &now.ports),
            (&before[0].sandbox, &before[0].networks, &before[0].ports)
        );
        assert_eq!(get(&now.address(), "/"), "v1");
        assert_eq!(site.outside(2), before[1]);
        assert_eq!(site.told(1)["identity"], "kept");
    }
}

#[test]
fn a_sandbox_removed_by_hand_is_made_again_by_a_deployment() {
    let engine = Engine::machine();
    let (v1, v2) = (images::app(&engine, "v1"), images::app(&engine, "v2"));
    let site = Site::open(&engine, &v1, 2);
    let (first, second) = (site.outside(1), site.outside(2));
    engine.docker(&["rm", "-f", &site.sandbox(1)]);
    let told = site.told(1);
    assert_eq!((&told["sandbox_id"], &told["ready"]), (&serde_json::Value::Null, &false.into()), "{told}");

    let out = site.run("restart", &[]).expect_code(4);
    assert!(out.stderr.contains("web-1") && out.stderr.contains("pitstop deploy"), "{}", out.stderr);
    assert_eq!(site.outside(2), second);

    // Its app container remembers where it was.
    site.run("deploy", &["--image", &v2]).expect_code(0);
    assert_eq!(site.outside(1).networks, first.networks);
    assert_eq!(get(&site.outside(1).address(), "/"), "v2");
    assert_eq!(site.outside(2), second);
    assert_eq!(site.containers().len(), 4, "{:?}", site.containers());
}

#[test]
fn an_address_taken_meanwhile_is_asked_back_by_name() {
    let engine = Engine::machine();
    let (v1, v2) = (images::app(&engine, "v1"), images::app(&engine, "v2"));
    let site = Site::open(&engine, &v1, 2);
    let before = site.all_outside(2);
    engine.docker(&["stop", "-t", "1", &site.sandbox(1)]);
    let (network, thief) = (format!("{}_front", site.project.name), format!("{}-thief", site.project.name));
    let stolen = &before[0].networks[&network].0;
    engine.docker(&["run", "-d", "--network", &network, "--ip", stolen, "--name", &thief, &v2]);
    let containers = site.containers();

    for verb in [&["restart"][..], &["deploy", "--image", &v2]] {
        let out = site.run(verb[0], &verb[1..]).expect_code(1);
        for word in ["web-1", &thief, "docker stop", "next: "] {
            assert!(out.stderr.contains(word), "{verb:?}: no {word:?} in:\n{}", out.stderr);
        }
        assert_eq!(site.containers(), containers, "{verb:?}");
        assert_eq!(site.outside(2), before[1], "the other one was not begun");
        assert_eq!(get(&before[1].address(), "/"), "v1");
        assert_eq!(get(&before[0].address(), "/"), "v2", "the thief was left alone");
    }

    engine.docker(&["stop", "-t", "1", &thief]);
    site.run("restart", &[]).expect_code(0);
    let now = site.outside(1);
    assert_eq!((&now.sandbox, &now.networks), (&before[0].sandbox, &before[0].networks));
    assert_eq!(get(&now.address(), "/"), "v1");
    assert_eq!(outside(&engine, &site.sandbox(2)), before[1]);
}

#[test]
fn a_network_that_lets_nobody_choose_an_address_is_joined_without() {
    let engine = Engine::machine();
    let site = Site::new(&engine);
    // Its subnet is the engine's own choice, which the engine tells of only when somebody asks for an address there.
    let (project, image) = (&site.project.name, images::app(&engine, "v1"));
    let plain = format!("{project}-plain");
    engine.docker(&["network", "create", &plain]);
    let text = format!(
        "name: {project}\nservices:\n  web:\n    image: {image}\n    networks: [front, plain]\nnetworks:\n  front: {{}}\n  plain: {{external: true, name: {plain}}}\n"
    );
    site.pitstop.file("compose.yaml", &text);
    site.pitstop.run(&["create", "-q"]).expect_code(0);
    let seen = engine.inspect(&site.sandbox(1));
    let on = |network: &str| {
        let end = &seen["NetworkSettings"]["Networks"][network];
        (end["IPAMConfig"]["IPv4Address"] == end["IPAddress"], end["IPAddress"].as_str().unwrap().is_empty())
    };
    assert_eq!(on(&format!("{project}_front")), (true, false), "pinned: {seen}");
    assert_eq!(on(&plain), (false, false), "not pinned: {seen}");
    assert_eq!(site.containers().len(), 2, "{:?}", site.containers());
}
