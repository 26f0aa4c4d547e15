//! An operation that runs, told what to do from another terminal: go, pause, continue, abort, retry.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use super::events::{check, of};
use super::{Site, get};
use crate::support::docker::Engine;
use crate::support::images;
use crate::support::pitstop::Running;
use crate::support::wait::wait_until;

/// The operations' sockets of this home.
fn sockets(site: &Site) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(site.pitstop.home().join("state/pitstop")) else { return Vec::new() };
    entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "sock"))
        .collect()
}

/// What each instance serves.
fn serving(site: &Site, replicas: usize) -> Vec<String> {
    (1..=replicas).map(|number| get(&site.outside(number).address(), "/")).collect()
}

/// Waits until standard output has `text` for the `count`-th time.
#[track_caller]
fn wait_for(running: &Running, text: &str, count: usize) {
    wait_until(text, Duration::from_secs(90), || running.stdout().matches(text).count() >= count);
}

const GATE: &str = r#""event":"gate_reached""#;

#[test]
fn a_gate_without_a_terminal_waits_for_a_word_from_another_one() {
    let engine = Engine::machine();
    let site = Site::open(&engine, &images::app(&engine, "v1"), 3);
    let v2 = images::app(&engine, "v2");
    let running = site.pitstop.start(&["deploy", &site.web(), "--image", &v2, "--gate", "every", "--json"]);
    wait_for(&running, GATE, 1);
    assert_eq!(serving(&site, 3), ["v2", "v1", "v1"]);
    wait_until("how to go on", Duration::from_secs(10), || running.stderr().contains("`pitstop go "));

    let socket = sockets(&site).pop().expect("a socket beside the record");
    assert_eq!(socket.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let refused = site.pitstop.run(&["--read-only", "go"]).expect_code(4);
    assert!(refused.stderr.contains("read-only"), "{refused:?}");
    let out = site.run("go", &[]).expect_code(0);
    assert!(out.stdout.contains("it goes on"), "{out:?}");
    wait_for(&running, GATE, 2);
    // By the end of its id, as the tables show it.
    let op = socket.file_stem().unwrap().to_str().unwrap().to_owned();
    site.pitstop.run(&["go", op.rsplit('-').next().unwrap()]).expect_code(0);
    let out = running.wait().expect_code(0);
    let events = out.json_lines();
    check(&events);
    assert_eq!(serving(&site, 3), ["v2", "v2", "v2"]);
    let by = of(&events, "resumed").into_iter().map(|event| event["reason"].as_str().unwrap().to_owned());
    assert!(
        by.clone().count() == 2 && by.clone().all(|by| by.starts_with("go, said ")),
        "{:?}",
        by.collect::<Vec<_>>()
    );

    assert_eq!(sockets(&site), Vec::<PathBuf>::new());
    let show = site.pitstop.run(&["show", &op, "--json"]).expect_code(0);
    assert_eq!(show.stdout.matches("go, said ").count(), 2);
    let late = site.run("go", &[]).expect_code(2);
    assert!(late.stderr.contains("runs on this machine"), "{late:?}");
}

#[test]
fn a_pause_lets_the_instance_in_flight_finish_and_no_other_begin() {
    let engine = Engine::machine();
    let site = Site::open(&engine, &images::app(&engine, "v1"), 2);
    let v2 = images::slow_boot(&engine, "v2", 1500);
    let running = site.pitstop.start(&["deploy", &site.web(), "--image", &v2, "--json"]);
    wait_for(&running, r#""action":"start","lane":"main","result":"ok""#, 1);
    let busy = site.run("go", &[]).expect_code(4);
    assert!(busy.stderr.contains("waits for nobody"), "{busy:?}");
    site.run("pause", &[]).expect_code(0);
    let again = site.run("pause", &[]).expect_code(4);
    assert!(again.stderr.contains("paused already"), "{again:?}");
    let done = format!(r#""event":"gap_measured","instance":"{}-1""#, site.web());
    wait_for(&running, &done, 1);
    assert_eq!(serving(&site, 2), ["v2", "v1"]);
    site.pitstop.run(&["continue"]).expect_code(0);
    let events = running.wait().expect_code(0).json_lines();
    check(&events);
    let at = |kind: &str| events.iter().position(|event| event["event"] == kind).unwrap();
    let between = &events[at("paused")..at("resumed")];
    let second = format!("{}-2", site.web());
    let begun: Vec<&Value> = between
        .iter()
        .filter(|event| event["event"] == "step_started" && event["instance"] == second.as_str())
        .collect();
    assert!(begun.is_empty(), "{begun:?}");
    assert_eq!(serving(&site, 2), ["v2", "v2"]);
}

#[test]
fn an_abort_leaves_what_is_done_or_puts_all_back_as_told() {
    let engine = Engine::machine();
    let site = Site::open(&engine, &images::app(&engine, "v1"), 3);
    let before = site.all_outside(3);
    let v2 = images::app(&engine, "v2");
    for (flag, after) in [("--undo-all", ["v1", "v1", "v1"]), ("--leave", ["v2", "v1", "v1"])] {
        let running = site.pitstop.start(&["deploy", &site.web(), "--image", &v2, "--gate", "first", "--json"]);
        wait_for(&running, GATE, 1);
        site.run("abort", &[flag]).expect_code(0);
        let events = running.wait().expect_code(7).json_lines();
        check(&events);
        assert_eq!(events.last().unwrap()["outcome"], "aborted");
        assert_eq!(serving(&site, 3), after, "{flag}");
        assert_eq!(site.all_outside(3), before);
        let containers = site.containers().len();
        assert_eq!(containers, if flag == "--leave" { 7 } else { 6 }, "{:?}", site.containers());
    }
    // What was left is taken up again, and the rest with it.
    site.run("retry", &["--gate", "auto"]).expect_code(0);
    assert_eq!(serving(&site, 3), ["v2", "v2", "v2"]);
    assert_eq!(site.containers().len(), 6);
    let ended = site.run("abort", &["--leave"]).expect_code(2);
    assert!(ended.stderr.contains("does not run"), "{ended:?}");
}

#[test]
fn what_failed_is_tried_again() {
    let engine = Engine::machine();
    let site = Site::open(&engine, &images::app(&engine, "v1"), 3);
    let v2 = images::slow_boot(&engine, "v2", 1500);
    let running = site.pitstop.start(&["deploy", &site.web(), "--image", &v2, "--json"]);
    let second = format!("{}.r2", site.sandbox(2));
    let up = || engine.try_inspect(&second).is_some_and(|seen| seen["State"]["Running"] == true);
    wait_until("the second one's new container", Duration::from_secs(60), up);
    engine.docker(&["kill", &second]);
    let events = running.wait().expect_code(1).json_lines();
    assert_eq!(events.last().unwrap()["outcome"], "paused");
    assert_eq!(serving(&site, 3), ["v2", "v1", "v1"]);
    let first = site.app(1);
    let again = site.run("retry", &["--json"]).expect_code(0).json_lines();
    check(&again);
    assert_eq!(again[0]["resumes"], events[0]["op"]);
    assert_eq!(serving(&site, 3), ["v2", "v2", "v2"]);
    assert_eq!(site.app(1), first, "what was done is left alone");
    let nothing = site.run("retry", &[]).expect_code(0);
    assert!(nothing.stdout.contains("nothing to do"), "{nothing:?}");
}

#[test]
fn nobody_answers_for_a_console_that_was_killed() {
    let engine = Engine::machine();
    let site = Site::open(&engine, &images::app(&engine, "v1"), 2);
    let v2 = images::app(&engine, "v2");
    let running = site.pitstop.start(&["deploy", &site.web(), "--image", &v2, "--gate", "first", "--json"]);
    wait_for(&running, GATE, 1);
    running.signal(Signal::KILL);
    assert_eq!(running.wait().code, None);
    let out = site.run("go", &[]).expect_code(2);
    assert!(out.stderr.contains("it has ended") || out.stderr.contains("no operation"), "{out:?}");
    // It goes on with the gate it was begun with, unless told otherwise.
    site.run("resume", &["--gate", "auto"]).expect_code(0);
    assert_eq!(serving(&site, 2), ["v2", "v2"]);
    assert_eq!(sockets(&site), Vec::<PathBuf>::new(), "what a dead one left is swept up");
}

#[test]
fn a_question_on_a_terminal_may_be_answered_in_another() {
    let engine = Engine::machine();
    let site = Site::open(&engine, &images::app(&engine, "v1"), 3);
    let v2 = images::app(&engine, "v2");
    let mut term =
        site.pitstop.terminal(120, 40, &["deploy", &site.web(), "--image", &v2, "--gate", "every", "--events", "told"]);
    term.wait_for("[Enter] go on");
    site.pitstop.run(&["go"]).expect_code(0);
    term.wait_for("batch 2 of 3 is done");
    // One Enter is enough, although a line is read since the first gate.
    term.type_text("\r");
    assert_eq!(term.exit(), Some(0), "{}", term.text());
    assert_eq!(serving(&site, 3), ["v2", "v2", "v2"]);
    let told = std::fs::read_to_string(site.pitstop.home().join("told")).unwrap();
    assert_eq!(told.matches(r#""event":"resumed""#).count(), 2);

    let v1 = images::app(&engine, "v1");
    let running = site.pitstop.start(&["deploy", &site.web(), "--image", &v1, "--gate", "first", "--json"]);
    wait_for(&running, GATE, 1);
    for (answer, code) in [("\r", 7), ("a\r", 0)] {
        let mut term = site.pitstop.terminal(120, 40, &["abort", &site.web()]);
        term.wait_for("[N]o abort:");
        term.type_text(answer);
        assert_eq!(term.exit(), Some(code), "{}", term.text());
    }
    running.wait().expect_code(7);
    assert_eq!(serving(&site, 3), ["v2", "v2", "v2"]);
}

#[test]
fn what_is_out_goes_first_and_enough_stays() {
    let engine = Engine::machine();
    let site = Site::open(&engine, &images::app(&engine, "v1"), 4);
    let v2 = images::app(&engine, "v2");
    let deploy = |more: &[&str]| site.run("deploy", &[&["--image", &v2, "--dry-run"], more].concat());
    let refused = deploy(&["--min-available", "100%"]).expect_code(4);
    assert!(refused.stderr.contains("4 of the 4 instances") && refused.stderr.contains("would leave 3"), "{refused:?}");
    let refused = deploy(&["--batch", "3", "--min-available", "50%"]).expect_code(4);
    assert!(refused.stderr.contains("--batch 2"), "{refused:?}");
    let canary = deploy(&["--batch", "2", "--canary", "1", "--gate", "first"]).expect_code(0);
    for said in ["batch 1 of 3: web-1", "the canary: 1 of 4", "at least 2 of 4", "go after the first batch"] {
        assert!(canary.stdout.contains(said), "no {said:?} in {}", canary.stdout);
    }

    engine.docker(&["kill", &site.app(3)]);
    let out = site.run("deploy", &["--image", &v2, "--min-available", "3", "--json"]).expect_code(0);
    let events = out.json_lines();
    check(&events);
    let third = format!("{}-3", site.web());
    assert_eq!(events[0]["batches"][0][0], third.as_str());
    assert!(events[0]["notes"].to_string().contains("not available now, so first and at no cost: web-3"));
    assert_eq!(serving(&site, 4), ["v2"; 4]);
}
