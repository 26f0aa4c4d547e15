//! What is left of an operation: its record, and what can be done with it.

use std::os::unix::fs::symlink;
use std::path::PathBuf;

use rustix::process::Signal;
use serde_json::Value;

use super::events::{kinds, of};
use super::{SECRET, Site};
use crate::support::docker::Engine;
use crate::support::images;
use crate::support::pitstop::Pitstop;

/// The files of records, oldest first.
fn files(pitstop: &Pitstop) -> Vec<PathBuf> {
    let directory = pitstop.home().join("state/pitstop");
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "jsonl"));
    files.sort();
    files
}

fn read(file: &PathBuf) -> Vec<Value> {
    std::fs::read_to_string(file).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn an_operation_is_recorded_listed_shown_and_played_again() {
    let engine = Engine::machine();
    let site = Site::open(&engine, &images::app(&engine, "v1"), 2);
    let v2 = images::app(&engine, "v2");
    let told = site.run("deploy", &["--image", &v2, "--json"]).expect_code(0).json_lines();
    assert_eq!(files(&site.pitstop).len(), 2, "one file per operation");
    let file = files(&site.pitstop).pop().unwrap();
    let lines = read(&file);

    // The record is the stream, with what only records have.
    assert_eq!(lines[0]["event"], "recorded");
    assert!(lines[0]["engine"]["host"].as_str().unwrap().starts_with("unix://"), "{}", lines[0]);
    let extra = ["recorded", "intent"];
    let stream: Vec<_> = lines.iter().filter(|line| !extra.contains(&line["event"].as_str().unwrap())).collect();
    let without_progress = told.iter().filter(|event| event["event"] != "step_progress").count();
    assert_eq!(stream.iter().filter(|event| event["event"] != "step_progress").count(), without_progress);
    // What can't be taken back was written down before its end was.
    let ended = |intent: &Value| {
        let same = |line: &&Value| line["event"] == "step_finished" && line["step"] == intent["step"];
        (lines.iter().position(|line| line == intent), lines.iter().position(|line| same(&line)))
    };
    let intents = of(&lines, "intent");
    let irreversible = |step: &&&Value| matches!(step["action"].as_str().unwrap(), "stop" | "start" | "remove");
    let done = of(&lines, "step_finished").iter().filter(irreversible).filter(|step| step["result"] == "ok").count();
    assert!(done >= 6 && intents.len() >= done, "{done} of {}", intents.len());
    for intent in intents {
        let (said, end) = ended(intent);
        assert!(said < end, "{intent}");
        assert_eq!(intent["container"].as_str().unwrap().len(), 64, "{intent}");
    }

    let history = site.run("history", &["--json"]).expect_code(0);
    let history: Value = serde_json::from_str(&history.stdout).unwrap();
    let listed: Vec<_> = history.as_array().unwrap().iter().map(|one| one["kind"].as_str().unwrap()).collect();
    assert_eq!(listed, ["deploy", "create"], "the newest first");
    assert_eq!((&history[0]["outcome"], &history[0]["op"]), (&"succeeded".into(), &lines[0]["op"]));
    let op = lines[0]["op"].as_str().unwrap();
    let table = site.pitstop.run(&["history"]).expect_code(0).stdout;
    assert!(table.contains(&op[op.len() - 6..]) && table.contains("2 kept"), "{table}");

    let shown = site.pitstop.run(&["show", &op[..op.len() - 2]]).expect_code(0).stdout;
    for word in ["web-1", "WAITED", "kept", op, "deployed "] {
        assert!(shown.contains(word), "{word}:\n{shown}");
    }
    let shown = site.pitstop.run(&["show", op, "--json"]).expect_code(0).stdout;
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["events"].as_array().unwrap().len(), stream.len());

    let played = site.pitstop.run(&["replay", op, "--json"]).expect_code(0).json_lines();
    assert_eq!(kinds(&played), stream.iter().map(|line| line["event"].as_str().unwrap()).collect::<Vec<_>>());
    let played = site.pitstop.run(&["replay", file.to_str().unwrap(), "--speed", "1000"]).expect_code(0).stdout;
    assert!(played.contains("web-2  verify") && played.contains("deployed "), "{played}");
}

#[test]
fn no_secret_is_in_a_record() {
    let engine = Engine::machine();
    let site = Site::open(&engine, &images::app(&engine, "v1"), 1);
    // There is no shell in the image, so the probe fails, and says what it ran.
    let v2 = images::app(&engine, "v2");
    let probe = ["--probe", "exec:check --password hush-hush", "--ready-timeout", "1s"];
    let out = site.run("deploy", &[&["--image", &v2, "--json"], &probe[..]].concat()).expect_code(1);
    assert!(out.stdout.contains("hush-hush"), "{}", out.stdout);
    for file in files(&site.pitstop) {
        let text = std::fs::read_to_string(&file).unwrap();
        for secret in [SECRET, "hush-hush"] {
            assert!(!text.contains(secret), "{secret} is in {}", file.display());
        }
        assert_eq!(text.contains("•••"), text.contains("v2"), "{text}");
    }
}

#[test]
fn a_record_that_cannot_be_written_holds_nothing_up() {
    let engine = Engine::machine();
    let site = Site::open(&engine, &images::app(&engine, "v1"), 1);
    let before = site.all_outside(1);
    // Somebody else's directory, put in the way.
    let (state, elsewhere) = (site.pitstop.home().join("state"), site.pitstop.home().join("elsewhere"));
    std::fs::remove_dir_all(&state).unwrap();
    std::fs::create_dir_all(&elsewhere).unwrap();
    std::fs::create_dir(&state).unwrap();
    symlink(&elsewhere, state.join("pitstop")).unwrap();
    let out = site.run("restart", &[]).expect_code(0);
    assert_eq!(out.stdout.matches("no complete record is kept").count(), 1, "{}", out.stdout);
    assert!(out.stdout.contains("symbolic link"), "{}", out.stdout);
    assert_eq!(std::fs::read_dir(&elsewhere).unwrap().count(), 0);
    assert_eq!(site.all_outside(1), before);
    assert_ne!(site.pitstop.run(&["history"]).code, Some(0));
}

#[test]
fn records_of_released_versions_are_played() {
    let pitstop = Pitstop::without_engine();
    let golden = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/it/records");
    for file in std::fs::read_dir(golden).unwrap() {
        let file = file.unwrap().path();
        let name = file.file_stem().unwrap().to_string_lossy().replace(['.', '-'], "_");
        let file = file.to_str().unwrap();
        let played = pitstop.run(&["replay", file, "--speed", "0"]).expect_code(0);
        insta::assert_snapshot!(format!("replay_{name}"), played.stdout);
        assert_eq!(pitstop.run(&["replay", file, "--json"]).json_lines().last().unwrap()["event"], "finished");
    }
    for (what, said) in
        [("20261122", "no record of an operation"), ("/etc/passwd", "no line of it is an event"), ("/dev", "")]
    {
        let out = pitstop.run(&["replay", what]).expect_code(2);
        assert!(out.stderr.contains(said), "{}", out.stderr);
    }
    assert!(pitstop.run(&["show", "20261122"]).expect_code(2).stderr.contains("pitstop history"));
}

#[test]
fn a_terminal_that_goes_stops_the_operation_or_does_not_as_wished() {
    let engine = Engine::machine();
    let site = Site::open(&engine, &images::slow_boot(&engine, "v1", 500), 3);
    let before = site.all_outside(3);
    let begun = r#""action":"stop","lane":"main","result":"ok""#;
    for (how, code, outcome) in [("finish", 0, "succeeded"), ("stop", 143, "interrupted")] {
        let running = site.pitstop.start(&["restart", &site.web(), "--json", "--on-hangup", how]);
        running.wait_for_stdout(begun);
        running.signal(Signal::HUP);
        running.signal(Signal::HUP);
        running.wait().expect_code(code);
        let last = read(&files(&site.pitstop).pop().unwrap()).pop().unwrap();
        assert_eq!((&last["event"], &last["outcome"]), (&"finished".into(), &outcome.into()), "{how}");
        assert_eq!(site.all_outside(3), before);
    }
}
