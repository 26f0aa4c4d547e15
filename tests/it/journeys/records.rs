//! What is left of an operation: its record, and what can be done with it.

use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use super::events::{check, kinds, of};
use super::{SECRET, Site, get};
use crate::support::docker::Engine;
use crate::support::pitstop::Pitstop;
use crate::support::pty::{HangUp, Pty};
use crate::support::wait::wait_until;
use crate::support::{http, images};

/// The files of records, the one written last at the end.
fn files(pitstop: &Pitstop) -> Vec<PathBuf> {
    let directory = pitstop.home().join("state/pitstop");
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "jsonl"));
    // Ids of the same second are in no order.
    files.sort_by_key(|file| file.metadata().unwrap().modified().unwrap());
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

#[test]
fn what_a_killed_console_left_is_said_until_it_is_settled() {
    let engine = Engine::machine();
    let v1 = images::slow_boot(&engine, "v1", 300);
    let site = Site::open(&engine, &v1, 2);
    let unfinished = || {
        let out = site.run("ps", &["--json"]).expect_code(0);
        let fleet: Value = serde_json::from_str(&out.stdout).unwrap();
        fleet["unfinished"].as_array().unwrap().clone()
    };
    assert_eq!(unfinished(), Vec::<Value>::new());
    assert!(site.pitstop.run(&["doctor"]).stdout.contains("none was left half-done"));

    let before = site.all_outside(2);
    let running = site.pitstop.start(&["restart", &site.web(), "--json"]);
    running.wait_for_stdout(r#""action":"stop","lane":"main","result":"ok""#);
    let history = site.run("history", &[]).expect_code(0);
    assert!(history.stdout.contains("running") && history.stderr.is_empty(), "{history:?}");
    assert_eq!(unfinished(), Vec::<Value>::new(), "it is still running");
    running.signal(Signal::KILL);
    let told = running.wait().stdout;
    let op = serde_json::from_str::<Value>(told.lines().next().unwrap()).unwrap()["op"].as_str().unwrap().to_owned();

    let left = unfinished();
    assert_eq!((left.len(), &left[0]["op"], &left[0]["outcome"]), (1, &op.as_str().into(), &"broken_off".into()));
    for out in [site.run("ps", &[]), site.run("history", &[])] {
        let said = format!("restart of {} left half-done", site.web());
        assert!(out.stderr.contains(&said) && out.stderr.contains(&format!("pitstop resume {op}")), "{out:?}");
    }
    assert!(site.pitstop.run(&["doctor"]).stdout.contains("left half-done"));
    let shown = site.pitstop.run(&["show", &op]).expect_code(0).stdout;
    assert!(shown.contains("broken off") && shown.contains("not begun"), "{shown}");

    site.run("restart", &["-q"]).expect_code(0);
    assert_eq!(unfinished(), Vec::<Value>::new(), "a later operation came to its end");
    assert_eq!(site.all_outside(2), before);
}

/// The id of the operation whose record is the newest.
fn newest(pitstop: &Pitstop) -> String {
    files(pitstop).pop().unwrap().file_stem().unwrap().to_string_lossy().into_owned()
}

/// Kills `pitstop VERB PROJECT/web ARGS…` when it has said `moment`; gives the operation's id.
#[track_caller]
fn killed(site: &Site, verb: &str, args: &[&str], moment: &str) -> String {
    let running = site.pitstop.start(&[&[verb, &site.web(), "--json"], args].concat());
    running.wait_for_stdout(moment);
    running.signal(Signal::KILL);
    running.wait();
    newest(&site.pitstop)
}

const STOPPED: &str = r#""action":"stop","lane":"main","result":"ok""#;
const VERIFIED: &str = r#""event":"gap_measured","instance""#;

#[test]
fn a_deployment_whose_console_was_killed_is_gone_on_with() {
    let engine = Engine::machine();
    let site = Site::open(&engine, &images::app(&engine, "v1"), 3);
    let before = site.all_outside(3);
    let v2 = images::slow_boot(&engine, "v2", 300);
    for moment in [STOPPED, VERIFIED] {
        site.run("deploy", &["--image", &images::app(&engine, "v1"), "-q"]).expect_code(0);
        let op = killed(&site, "deploy", &["--image", &v2], moment);
        let dry = site.pitstop.run(&["resume", &op[op.len() - 6..], "--dry-run"]).expect_code(0);
        assert!(dry.stdout.contains(&format!("goes on with {op}")), "{}", dry.stdout);
        let out = site.pitstop.run(&["resume", "--json"]).expect_code(0);
        let events = out.json_lines();
        check(&events);
        assert_eq!((&events[0]["resumes"], events[0]["op"] == op.as_str()), (&op.as_str().into(), false));
        assert_eq!(site.all_outside(3), before);
        for outside in &before {
            assert_eq!(get(&outside.address(), "/"), "v2");
        }
        assert_eq!(site.containers().len(), 6, "nothing is left over: {:?}", site.containers());
        // Each says what became of the other, and nothing is left to do.
        let shown = site.pitstop.run(&["show", &op, "--json"]).expect_code(0).stdout;
        let shown: Value = serde_json::from_str(&shown).unwrap();
        assert_eq!((&shown["resumed_by"], &shown["unfinished"]), (&events[0]["op"], &false.into()));
        let untouched = site.containers();
        for again in [&["resume", &op][..], &["resume"], &["abort", &op], &["abort", "--all"]] {
            let out = site.pitstop.run(again).expect_code(0);
            assert!(format!("{}{}", out.stdout, out.stderr).contains("noth"), "{out:?}");
        }
        assert_eq!(site.containers(), untouched);
    }
}

#[test]
fn a_deployment_whose_console_was_killed_is_taken_back() {
    let engine = Engine::machine();
    let site = Site::open(&engine, &images::app(&engine, "v1"), 3);
    let before = site.all_outside(3);
    let v2 = images::slow_boot(&engine, "v2", 300);
    for moment in [STOPPED, VERIFIED] {
        let op = killed(&site, "deploy", &["--image", &v2], moment);
        site.pitstop.run(&["abort", &op]).expect_code(0);
        assert_eq!(site.all_outside(3), before);
        for outside in &before {
            assert_eq!(get(&outside.address(), "/"), "v1");
        }
        assert_eq!(site.containers().len(), 6, "nothing is left over: {:?}", site.containers());
        assert_eq!(site.pitstop.run(&["abort"]).expect_code(0).stderr, "nothing was left half-done here\n");
    }
}

#[test]
fn another_console_sees_what_was_left_and_settles_it_without_the_record() {
    let engine = Engine::machine();
    let site = Site::open(&engine, &images::app(&engine, "v1"), 3);
    let before = site.all_outside(3);
    let v2 = images::slow_boot(&engine, "v2", 300);
    // Another home: none of the records.
    let other = Pitstop::on(&engine);
    let web = site.web();
    for (verb, answers, moment) in [("abort", "v1", STOPPED), ("resume", "v2", VERIFIED)] {
        let op = killed(&site, "deploy", &["--image", &v2], moment);
        // As long as the lock of the dead is there, somebody is at work.
        let said = || other.run(&["ps", &web]).expect_code(0).stderr;
        let told = || said().contains(&op) && said().contains(&format!("pitstop resume {web}"));
        wait_until("what was left to be seen", Duration::from_secs(60), told);
        other.run(&[verb, if verb == "abort" { &web } else { &op }]).expect_code(0);
        assert_eq!(site.all_outside(3), before);
        for outside in &before {
            assert_eq!(get(&outside.address(), "/"), answers);
        }
        assert_eq!(site.containers().len(), 6, "nothing is left over: {:?}", site.containers());
        assert_eq!(other.run(&["ps", &web]).expect_code(0).stderr, "");
        let untouched = site.containers();
        other.run(&["resume", &web]).expect_code(0);
        assert_eq!(site.containers(), untouched, "a second time does nothing");
    }
}

#[test]
fn a_restart_goes_on_with_what_was_not_restarted_yet() {
    let engine = Engine::machine();
    let site = Site::open(&engine, &images::app(&engine, "v1"), 3);
    let before = site.all_outside(3);
    let started = |site: &Site| (1..=3).map(|n| site.told(n)["started_at"].clone()).collect::<Vec<_>>();
    let first = started(&site);
    let op = killed(&site, "restart", &[], VERIFIED);
    let then = started(&site);
    let out = site.pitstop.run(&["resume", &op, "--json"]).expect_code(0).json_lines();
    let named: Vec<_> = out[0]["batches"].as_array().unwrap().iter().flat_map(|b| b.as_array().unwrap()).collect();
    assert!(!named.iter().any(|name| name.as_str().unwrap().ends_with("-1")), "the first was done: {named:?}");
    let last = started(&site);
    assert_eq!((last[0] == then[0], last[1] != first[1], last[2] != first[2]), (true, true, true));
    assert_eq!(site.all_outside(3), before);
}

#[test]
fn a_creation_is_gone_on_with_from_its_file() {
    let engine = Engine::machine();
    let site = Site::new(&engine);
    site.file("compose.yaml", &images::slow_boot(&engine, "v1", 300), 2, "");
    let running = site.pitstop.start(&["create", "--json"]);
    running.wait_for_stdout(r#""action":"sandbox_start","lane":"main","result":"ok""#);
    running.signal(Signal::KILL);
    running.wait();
    let op = newest(&site.pitstop);
    assert_eq!(site.pitstop.run(&["abort", &op]).expect_code(4).stdout, "");
    site.pitstop.run(&["resume", &op]).expect_code(0);
    for outside in site.all_outside(2) {
        // What the dead console had started is there, and may still be booting.
        let answers = || http::get(&outside.address(), "/").is_ok_and(|answer| answer.body == "v1");
        wait_until("it to answer", Duration::from_secs(30), answers);
    }
}

#[test]
fn what_is_still_running_elsewhere_is_left_alone() {
    let engine = Engine::machine();
    let site = Site::open(&engine, &images::slow_boot(&engine, "v1", 1000), 1);
    let running = site.pitstop.start(&["restart", &site.web(), "--json"]);
    running.wait_for_stdout(STOPPED);
    let op = newest(&site.pitstop);
    let out = site.pitstop.run(&["resume", &op]).expect_code(4);
    let said = ["still running", "process ", &format!("`pitstop continue {op}`")].map(|said| out.stderr.contains(said));
    assert_eq!(said, [true; 3], "{}", out.stderr);
    running.wait().expect_code(0);
    assert!(site.pitstop.run(&["resume", &op]).expect_code(0).stdout.contains("come to its end (succeeded)"));
    site.pitstop.run(&["resume", "nobody"]).expect_code(2);
}

#[test]
fn who_leaves_hears_what_is_half_done_and_goes_on_later() {
    let engine = Engine::machine();
    let site = Site::open(&engine, &images::ignores_sigterm(&engine, "v1"), 2);
    let before = site.all_outside(2);
    let running = site.pitstop.start(&["restart", &site.web(), "--stop-grace", "8s"]);
    wait_until("the intent to stop", Duration::from_secs(60), || {
        files(&site.pitstop).len() == 2
            && files(&site.pitstop).iter().all(|file| std::fs::read_to_string(file).unwrap().contains(r#""intent""#))
    });
    for said in ["Ctrl-C again aborts", "Ctrl-C again leaves", "leaving as soon as"] {
        running.signal(Signal::INT);
        running.wait_for_stdout(said);
    }
    let out = running.wait().expect_code(130);
    let op = newest(&site.pitstop);
    assert!(out.stderr.contains(&format!("pitstop resume {op}")), "{}", out.stderr);
    // The stop under way was waited for, so it is known how it ended.
    let last = read(&files(&site.pitstop).pop().unwrap());
    let stopped = |step: &&&Value| step["action"] == "stop" && step["result"] == "ok";
    assert_eq!(of(&last, "step_finished").iter().filter(stopped).count(), 1, "{last:?}");
    assert_eq!(last.last().unwrap()["outcome"], "interrupted");
    assert_eq!(site.told(1)["state"], "exited");
    site.pitstop.run(&["abort", &op]).expect_code(0);
    assert_eq!(site.all_outside(2), before);
}

#[test]
fn a_console_whose_terminal_goes_ends_at_a_safe_point_or_finishes_as_wished() {
    let engine = Engine::machine();
    let mut site = Site::open(&engine, &images::slow_boot(&engine, "v1", 700), 3);
    let before = site.all_outside(3);
    for (how, outcome) in [("finish", "succeeded"), ("stop", "interrupted")] {
        site.pitstop = site.pitstop.env("PITSTOP_ON_HANGUP", how);
        let records = files(&site.pitstop).len();
        let mut pty = Pty::open();
        site.pitstop.pty(&mut pty, &[env!("CARGO_BIN_EXE_pitstop")], HangUp::Ignored);
        pty.wait_for("live");
        // The engine is shared: only this app is shown, and so meant.
        pty.send(format!("/{}\r", site.web()).as_bytes());
        pty.wait_for("web-3");
        pty.send(b"r");
        pty.wait_for("type 3 to run it");
        pty.send(b"3\r");
        let record = |site: &Site| {
            let all = files(&site.pitstop);
            all.into_iter().skip(records).map(|file| std::fs::read_to_string(file).unwrap()).collect::<String>()
        };
        wait_until("a stop", Duration::from_secs(60), || record(&site).contains(STOPPED));
        // It does not wait for anybody to read what it says.
        assert_eq!(pty.hang_up().0, Some(143));
        let last: Value = serde_json::from_str(record(&site).lines().last().unwrap()).unwrap();
        assert_eq!((&last["event"], &last["outcome"]), (&"finished".into(), &outcome.into()), "{how}");
        assert_eq!(site.all_outside(3), before);
    }
}

#[test]
fn the_console_s_list_shows_what_other_consoles_begin_and_how_it_ends() {
    let engine = Engine::machine();
    let site = Site::open(&engine, &images::app(&engine, "v1"), 1);
    let mut term = site.pitstop.terminal(120, 36, &[]);
    term.wait_for("live");
    term.keys("H");
    term.wait_for("1 operation");
    let gated = ["restart", &site.web(), "--stop-grace", "1s"];
    site.pitstop.run(&gated).expect_code(0);
    term.wait_for("2 operations");
    // One whose console is killed: nothing but its lock goes.
    let v2 = images::slow_boot(&engine, "v2", 60_000);
    let running = site.pitstop.start(&["deploy", &site.web(), "--image", &v2, "--json"]);
    term.wait_for("3 operations");
    term.wait_for("running");
    running.signal(Signal::KILL);
    running.wait();
    term.wait_for_absence("running");
    term.keys("q");
    assert_eq!(term.exit(), Some(0));
}
