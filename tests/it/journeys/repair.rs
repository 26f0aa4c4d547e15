//! Whatever is done to an app's containers by hand: `pitstop repair` lets it serve again, at its address.

use super::{Outside, Site, get};
use crate::support::docker::Engine;
use crate::support::images;

/// Where it is reached: all of [`Outside`] that a new sandbox can keep.
fn place(seen: &Outside) -> (&std::collections::BTreeMap<String, (String, String)>, &str, &serde_json::Value) {
    (&seen.networks, &seen.hostname, &seen.ports)
}

#[test]
fn what_is_stopped_killed_or_frozen_by_hand_serves_again_in_its_sandbox() {
    let engine = Engine::machine();
    let site = Site::open(&engine, &images::app(&engine, "v1"), 2);
    let before = site.all_outside(2);
    let (sandbox, app) = (site.sandbox(1), site.app(1));
    for by_hand in [
        &["kill", &*sandbox][..],
        &["restart", "-t", "1", &sandbox],
        &["kill", &app],
        &["stop", "-t", "1", &app, &sandbox],
        &["pause", &app],
        &["pause", &sandbox],
    ] {
        engine.docker(by_hand);
        let out = site.run("repair", &[]).expect_code(0);
        assert!(out.stdout.contains("kept"), "{by_hand:?}: {}", out.stdout);
        let now = site.outside(1);
        assert_eq!((&now.sandbox, place(&now)), (&before[0].sandbox, place(&before[0])), "{by_hand:?}");
        assert_eq!(get(&now.address(), "/"), "v1", "{by_hand:?}");
        assert_eq!(site.outside(2), before[1], "{by_hand:?}: the other one was left alone");
    }
    let containers = site.containers();
    let out = site.run("repair", &[]).expect_code(0);
    assert!(out.stdout.contains("nothing to do"), "{}", out.stdout);
    assert_eq!(site.containers(), containers);
}

#[test]
fn a_sandbox_removed_by_hand_is_made_again_at_its_former_address() {
    let engine = Engine::machine();
    let site = Site::open(&engine, &images::app(&engine, "v1"), 2);
    let before = site.all_outside(2);
    let app = site.app(1);
    engine.docker(&["rm", "-f", &site.sandbox(1)]);

    let plan = site.run("repair", &["--dry-run"]).expect_code(0);
    let address = &before[0].networks.values().next().unwrap().0;
    assert!(plan.stdout.contains(&**address), "{}", plan.stdout);
    let out = site.run("repair", &[]).expect_code(0);
    assert!(out.stdout.contains("kept"), "{}", out.stdout);
    let now = site.outside(1);
    assert_ne!(now.sandbox, before[0].sandbox);
    assert_eq!(place(&now), place(&before[0]));
    assert_eq!(site.app(1), app, "the same revision");
    assert_eq!(get(&now.address(), "/"), "v1");
    assert_eq!(site.outside(2), before[1]);
    assert_eq!(site.containers().len(), 4, "{:?}", site.containers());
}

#[test]
fn an_app_container_removed_by_hand_is_made_as_its_siblings_are() {
    let engine = Engine::machine();
    let site = Site::open(&engine, &images::app(&engine, "v1"), 2);
    let before = site.all_outside(2);
    engine.docker(&["rm", "-f", &site.app(2)]);
    site.run("repair", &[]).expect_code(0);
    let now = site.all_outside(2);
    assert_eq!(now, before);
    assert_eq!(get(&now[1].address(), "/"), "v1");
}

#[test]
fn what_cannot_be_helped_is_said_and_the_rest_is_done() {
    let engine = Engine::machine();
    let image = images::app(&engine, "v1");
    let (whole, lost) = (Site::open(&engine, &image, 1), Site::open(&engine, &image, 1));
    engine.docker(&["kill", &whole.sandbox(1)]);
    engine.docker(&["rm", "-f", &lost.app(1)]);
    let out = whole.pitstop.run(&["repair", &whole.web(), &lost.web()]).expect_code(1);
    let said = format!("{}{}", out.stdout, out.stderr);
    assert!(said.contains(&format!("{}-1 has no app container", lost.web())), "{said}");
    assert_eq!(get(&whole.outside(1).address(), "/"), "v1");
}

#[test]
fn at_boot_it_says_nothing_when_there_is_nothing_to_do() {
    let engine = Engine::machine();
    let site = Site::open(&engine, &images::app(&engine, "v1"), 1);
    let containers = site.containers();
    let out = site.run("repair", &["--boot"]).expect_code(0);
    assert_eq!((&*out.stdout, &*out.stderr), ("", ""));
    engine.docker(&["stop", "-t", "1", &site.app(1), &site.sandbox(1)]);
    site.run("repair", &["--boot"]).expect_code(0);
    assert_eq!(site.containers(), containers);
    // Somebody else's container is none of its business.
    let name = format!("{}-foreign", site.project.name);
    engine.docker(&["run", "-d", "--name", &name, &images::app(&engine, "v1")]);
    engine.docker(&["stop", "-t", "1", &name]);
    let out = site.pitstop.run(&["repair", &name]).expect_code(4);
    assert!(out.stderr.contains("not created by pitstop"), "{}", out.stderr);
}
