//! A new version that does not work, in each of the ways there are: paused or rolled back as told, the old version serving
//! at the old addresses, and nobody else touched. And going back when the engine has forgotten what ran before.

use serde_json::Value;

use super::events::{check, of};
use super::{Outside, Site, get};
use crate::support::docker::Engine;
use crate::support::images;
use crate::support::pitstop::Pitstop;
use crate::support::registry::Registry;

/// The app containers as they run: ids, and since when.
fn running(site: &Site, replicas: usize) -> Vec<(String, String)> {
    let one = |number| {
        let seen = site.engine.inspect(&site.app(number));
        (seen["Id"].as_str().unwrap().to_owned(), seen["State"]["StartedAt"].as_str().unwrap().to_owned())
    };
    (1..=replicas).map(one).collect()
}

/// Instances of which something that serves was stopped or started.
fn touched(site: &Site, events: &[Value]) -> Vec<usize> {
    let number = |n: &usize| {
        let name = format!("{}-{n}", site.web());
        of(events, "step_started").iter().any(|event| {
            event["instance"] == name.as_str() && (event["action"] == "stop" || event["action"] == "start")
        })
    };
    (1..=4).filter(number).collect()
}

/// Deploys `image` to four instances of v1, which does not work, with both ways to take that.
#[track_caller]
fn does_not_work(image: impl Fn(&Engine) -> String, more: &[&str], said: &[&str]) {
    let engine = Engine::machine();
    let site = Site::new(&engine);
    site.file("compose.yaml", &images::app(&engine, "v1"), 4, "    restart: always\n    mem_limit: 24m\n");
    site.pitstop.run(&["create", "-q"]).expect_code(0);
    let (before, containers): (Vec<Outside>, _) = (site.all_outside(4), site.containers());
    let ran = running(&site, 4);
    let image = image(&engine);
    for (on_failure, code, outcome) in [("pause", 1, "failed"), ("rollback", 5, "rolled_back")] {
        let args = [&["--image", &image, "--json", "--on-failure", on_failure, "--ready-timeout", "2s"], more].concat();
        let out = site.run("deploy", &args).expect_code(code);
        for word in said.iter().chain(&["web-1", "next: "]) {
            assert!(out.stderr.contains(word), "no {word:?} in:\n{}", out.stderr);
        }
        let events = out.json_lines();
        check(&events);
        assert_eq!(events.last().unwrap()["outcome"], outcome);
        assert_eq!(touched(&site, &events), [1], "{on_failure}");
        assert_eq!(site.all_outside(4), before);
        assert_eq!(site.containers(), containers);
        assert_eq!(running(&site, 4)[1..], ran[1..], "three were never touched");
        for outside in &before {
            assert_eq!(get(&outside.address(), "/"), "v1");
        }
    }
}

#[test]
fn what_is_never_ready_is_put_back() {
    does_not_work(images::never_listens, &[], &["not ready within 2.00 s"]);
}

#[test]
fn what_crashes_again_and_again_is_put_back() {
    does_not_work(images::exits_at_once, &[], &["code 3"]);
}

#[test]
fn what_is_ready_and_dies_soon_after_is_put_back() {
    let dies = |engine: &Engine| images::serve(engine, "dies", "dies", &["--exit-after-ms", "700", "--exit-code", "9"]);
    does_not_work(dies, &["--min-ready", "3s"], &["exit"]);
}

#[test]
fn what_is_killed_for_lack_of_memory_is_put_back() {
    let hungry = |engine: &Engine| images::serve(engine, "hungry", "hungry", &["--take-mb", "200"]);
    // An engine under load may say why only after it has said that it ended.
    does_not_work(hungry, &["--min-ready", "1s"], &["kill"]);
}

#[test]
fn a_rollback_that_fails_is_not_rolled_back() {
    let engine = Engine::machine();
    let site = Site::open(&engine, &images::app(&engine, "v1"), 2);
    site.run("deploy", &["--image", &images::app(&engine, "v2")]).expect_code(0);
    let before = site.all_outside(2);
    // What ran before does not become ready any more: a probe that nothing answers stands for that.
    let args = ["--on-failure", "rollback", "--probe", "tcp:9", "--ready-timeout", "1s", "--json"];
    let out = site.run("rollback", &args).expect_code(1);
    let events = out.json_lines();
    check(&events);
    assert_eq!(events.last().unwrap()["outcome"], "failed");
    assert!(out.stderr.contains("is not rolled back") || events[0]["notes"].to_string().contains("is not rolled back"));
    assert_eq!(touched(&site, &events), [1]);
    assert_eq!(site.all_outside(2), before);
    for outside in &before {
        assert_eq!(get(&outside.address(), "/"), "v2");
    }
}

#[test]
fn a_revision_whose_image_is_gone_comes_back_by_its_digest_on_any_console() {
    let engine = Engine::machine();
    let registry = Registry::start();
    // Of this test alone: it is removed from the engine.
    let v1 = images::app(&engine, "once");
    let pushed = registry.push(&engine, &v1, "shop/web:1");
    engine.docker(&["pull", "-q", &pushed]);
    let site = Site::open(&engine, &pushed, 2);
    let before = site.all_outside(2);
    site.run("deploy", &["--image", &images::app(&engine, "v2")]).expect_code(0);
    // The tag means another image by now, and the engine has forgotten what it was.
    registry.push(&engine, &images::app(&engine, "v3"), "shop/web:1");
    let id = engine.docker(&["image", "inspect", "--format", "{{.Id}}", &v1]);
    let _ = engine.try_docker(&["image", "rm", "-f", &id]);
    assert!(engine.try_docker(&["image", "inspect", &id]).is_err());

    let other = Pitstop::on(&engine);
    let plan = other.run(&["rollback", &site.web(), "--to", "1", "--dry-run"]).expect_code(0);
    assert!(plan.stdout.contains("@sha256:"), "{}", plan.stdout);
    other.run(&["rollback", &site.web(), "--to", "1"]).expect_code(0);
    assert_eq!(site.all_outside(2), before);
    for outside in &before {
        assert_eq!(get(&outside.address(), "/"), "once");
    }
}
