//! When a new version counts as ready, how soon that is noticed, and what is said of one that never will be.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use pitstop::docker::sandbox_image::{AppImage, GUEST_PATH, Healthcheck};
use serde_json::Value;

use super::Site;
use super::events::{check, of};
use crate::support::docker::Engine;
use crate::support::images;
use crate::support::pitstop::Output;

/// What the ready step of the main lane that ended with `result` says.
#[track_caller]
fn ready_step(events: &[Value], result: &str) -> Value {
    let is = |event: &&Value| event["action"] == "ready" && event["lane"] == "main" && event["result"] == result;
    of(events, "step_finished").into_iter().find(is).unwrap_or_else(|| panic!("{events:?}")).clone()
}

/// Deploys a version that never becomes ready with far more time than it takes to see that; gives what is said of it.
#[track_caller]
fn fails_early(site: &Site, args: &[&str]) -> (String, Output) {
    let before = site.all_outside(1);
    let began = Instant::now();
    let out = site.run("deploy", &[args, &["--ready-timeout", "100s", "--json"]].concat()).expect_code(1);
    assert!(began.elapsed() < Duration::from_secs(60), "waited for the timeout");
    let events = out.json_lines();
    check(&events);
    assert_eq!(site.all_outside(1), before);
    assert_eq!(super::get(&before[0].address(), "/"), "v1", "the old version serves");
    assert!(out.stderr.contains("next: "), "{}", out.stderr);
    (ready_step(&events, "failed")["error"].as_str().unwrap().to_owned(), out)
}

#[test]
fn a_health_check_with_a_long_interval_does_not_slow_a_deployment() {
    let engine = Engine::machine();
    let command = [GUEST_PATH, "probe", "tcp:8080"];
    let check = Healthcheck { command: &command, interval_ms: 30_000, timeout_ms: 30_000, retries: 3 };
    let image = |version: &str, boot: &str| {
        let cmd = ["serve", "8080", version, "--boot-ms", boot];
        let image = AppImage { cmd: &cmd, port: Some(8080), healthcheck: Some(check), ..AppImage::default() };
        images::load(&engine, "checked", version, &image)
    };
    let site = Site::new(&engine);
    site.file_with("compose.yaml", &image("v1", "0"), 1, "");
    site.pitstop.run(&["create", "-q"]).expect_code(0);

    // In each stage of the ever slower pace; a loaded machine may be late once, not thrice.
    for (version, boot) in [("v2", "700"), ("v3", "3000"), ("v4", "6500")] {
        let late = (0..3).map(|_| late(&site, &image(version, boot), &image("v1", "0"))).min().unwrap();
        println!("HEALTHCHECK every 30 s, boot {boot} ms: seen as ready {late} ms after it first could pass");
        assert!(late <= 200, "{version}: {late} ms late");
    }
}

/// Deploys `image` over `before`; how long after the app's first moment of health the step was over, in milliseconds.
#[track_caller]
fn late(site: &Site, image: &str, before: &str) -> i64 {
    site.run("deploy", &["--image", before, "-q"]).expect_code(0);
    let events = site.run("deploy", &["--image", image, "--json"]).expect_code(0).json_lines();
    let step = ready_step(&events, "ok");
    assert!(step["detail"].as_str().unwrap().starts_with("docker exit 0"), "{step}");
    let seen: Timestamp = step["at"].as_str().unwrap().parse().unwrap();
    let log = site.engine.docker(&["logs", "--timestamps", &site.app(1)]);
    let listens: Timestamp = log.split(' ').next().unwrap().parse().unwrap();
    seen.duration_since(listens).as_millis().try_into().unwrap()
}

#[test]
fn one_that_is_killed_for_lack_of_memory_is_said_to_be() {
    let engine = Engine::machine();
    let site = Site::open(&engine, &images::app(&engine, "v1"), 1);
    let hungry = images::serve(&engine, "hungry", "v2", &["--take-mb", "200"]);
    site.file("hungry.yaml", &hungry, 1, "    mem_limit: 24m\n");
    let (said, out) = fails_early(&site, &["-f", "hungry.yaml"]);
    println!("{said}\n{}", out.stderr);
    assert!(said.contains("24 MiB") && said.contains("kill"), "{said}");
}

#[test]
fn a_crash_loop_is_told_from_a_slow_start() {
    let engine = Engine::machine();
    let site = Site::open(&engine, &images::app(&engine, "v1"), 1);
    site.file("loop.yaml", &images::exits_at_once(&engine), 1, "    restart: always\n");
    let (said, out) = fails_early(&site, &["-f", "loop.yaml"]);
    println!("{said}\n{}", out.stderr);
    for words in ["crash-looping", "by its policy", "before it was ready"] {
        assert!(said.contains(words), "{said}");
    }

    // Twice is a program that needs something else first: the third try serves.
    site.file("flaky.yaml", &images::exits_at_once(&engine), 1, "    restart: 'on-failure:2'\n");
    let (said, out) = fails_early(&site, &["-f", "flaky.yaml"]);
    println!("{said}\n{}", out.stderr);
    assert!(said.contains("was restarted twice by its policy, then exited with code 3"), "{said}");
}

#[test]
fn one_that_dies_within_min_ready_was_never_available() {
    let engine = Engine::machine();
    let site = Site::open(&engine, &images::app(&engine, "v1"), 1);
    let dies = images::serve(&engine, "dies", "v2", &["--exit-after-ms", "1200", "--exit-code", "7"]);
    let (said, out) = fails_early(&site, &["--image", &dies, "--min-ready", "30s"]);
    println!("{said}\n{}", out.stderr);
    for words in ["exited with code 7", "after it was ready, before it was so for 30.0 s", "serving v2 on 8080"] {
        assert!(said.contains(words), "no {words}: {said}");
    }

    // Its policy brings it back each time: the time starts anew, until that is a loop.
    site.file("comes-back.yaml", &dies, 1, "    restart: unless-stopped\n");
    let (said, out) = fails_early(&site, &["-f", "comes-back.yaml", "--min-ready", "30s"]);
    println!("{said}\n{}", out.stderr);
    assert!(said.contains("crash-looping: restarted 3 times") && said.contains("after it was ready"), "{said}");
}

#[test]
fn a_failed_check_begins_min_ready_anew() {
    let engine = Engine::machine();
    let site = Site::open(&engine, &images::app(&engine, "v1"), 1);
    let sick = images::serve(&engine, "sick", "v2", &["--sick-from-ms", "600", "--sick-until-ms", "1500"]);
    let args = ["--image", &sick, "--probe", "http:8080/health", "--min-ready", "1500ms", "--json"];
    let events = site.run("deploy", &args).expect_code(0).json_lines();
    let step = ready_step(&events, "ok");
    println!("{step}");
    assert!(step["took_ms"].as_u64().unwrap() >= 2900, "1500 ms after the last failure at 1500 ms: {step}");
    assert!(step["detail"].as_str().unwrap().contains("passed and failed again once"), "{step}");
    let notes: Vec<_> = of(&events, "step_progress").iter().map(|event| event["note"].to_string()).collect();
    println!("{notes:?}");
    assert!(notes.iter().any(|note| note.contains("http 500")), "the last answer is told meanwhile: {notes:?}");
    assert!(notes.iter().any(|note| note.contains("http 200, must last 1.50 s")), "{notes:?}");
}

#[test]
fn a_line_of_log_or_running_alone_can_be_what_ready_means() {
    let engine = Engine::machine();
    let site = Site::open(&engine, &images::app(&engine, "v1"), 1);
    let v2 = images::slow_boot(&engine, "v2", 600);
    let events = site.run("deploy", &["--image", &v2, "--probe", "log:^serving v[0-9] on", "--json"]).expect_code(0);
    let step = ready_step(&events.json_lines(), "ok");
    assert!(step["detail"].as_str().unwrap().contains("serving v2 on 8080"), "{step}");
    assert!(step["took_ms"].as_u64().unwrap() >= 400, "{step}");

    let args = ["--image", &images::app(&engine, "v1"), "--probe", "none", "--min-ready", "1500ms", "--json"];
    let events = site.run("deploy", &args).expect_code(0).json_lines();
    let step = ready_step(&events, "ok");
    assert!(step["took_ms"].as_u64().unwrap() >= 1500, "{step}");
    assert!(step["detail"].as_str().unwrap().contains("no probe: ran for 1.5"), "{step}");
}

#[test]
fn a_probe_that_cannot_be_run_is_not_waited_for() {
    let engine = Engine::machine();
    let site = Site::open(&engine, &images::app(&engine, "v1"), 1);
    // These images have no shell.
    let (said, out) = fails_early(&site, &["--image", &images::app(&engine, "v2"), "--probe", "exec:true"]);
    println!("{said}\n{}", out.stderr);
    assert!(said.contains("can't be run") && said.contains("/bin/sh"), "{said}");
    let out = site.run("deploy", &["--image", "x", "--probe", "log:("]).expect_code(2);
    assert!(out.stderr.contains("not a regular expression"), "{}", out.stderr);
}
