//! The command line against a real engine: verbs, options, streams, signals, exit codes.
//!
//! Targets are always written `project/app`: the engine is shared, and a short name might mean somebody else's app.

use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use crate::support::docker::{Engine, Project};
use crate::support::images;
use crate::support::pitstop::{Output, Pitstop};
use crate::support::term::Key;
use crate::support::wait::wait_until;

/// A project on the machine's engine, and the program to handle it with.
struct Shop {
    engine: Engine,
    project: Project,
    pitstop: Pitstop,
}

impl Shop {
    /// With an app `web` of so many instances, running.
    fn open(image: &str, replicas: usize) -> Self {
        let shop = Self::closed(image, replicas);
        shop.pitstop.run(&["create", "-q"]).expect_code(0);
        shop
    }

    /// With a file for it and nothing created yet.
    fn closed(image: &str, replicas: usize) -> Self {
        let engine = Engine::machine();
        let project = engine.project();
        let pitstop = Pitstop::on(&engine);
        let shop = Self { engine, project, pitstop };
        shop.file(image, replicas);
        shop
    }

    fn file(&self, image: &str, replicas: usize) {
        let text = format!(
            "name: {}\nservices:\n  web:\n    image: {image}\n    scale: {replicas}\n    volumes: [data:/data]\n    x-pitstop: {{probe: 'tcp:8080'}}\nvolumes: {{data: {{}}}}\n",
            self.project.name
        );
        self.pitstop.file("compose.yaml", &text);
    }

    fn web(&self) -> String {
        format!("{}/web", self.project.name)
    }

    /// Runs `pitstop VERB PROJECT/web ARGS…`.
    fn run(&self, verb: &str, args: &[&str]) -> Output {
        self.pitstop.run(&[&[verb, &self.web()], args].concat())
    }

    fn instances(&self) -> Vec<Value> {
        let out = self.run("ps", &["--json"]).expect_code(0);
        let fleet: Value = serde_json::from_str(&out.stdout).unwrap();
        fleet["apps"][0]["instances"].as_array().unwrap().clone()
    }
}

fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["event"].as_str().unwrap()).collect()
}

#[test]
fn the_day_of_an_app() {
    let engine = Engine::machine();
    let (v1, v2) = (images::app(&engine, "v1"), images::app(&engine, "v2"));
    let shop = Shop::closed(&v1, 2);

    let out = shop.pitstop.run(&["create"]).expect_code(0);
    assert!(out.stdout.contains("sandbox_create") && out.stdout.contains("created "), "{}", out.stdout);
    let again = shop.pitstop.run(&["create"]).expect_code(0);
    assert!(again.stdout.contains("nothing to do"), "{}", again.stdout);

    let before = shop.instances();
    let out = shop.run("deploy", &["--image", &v2, "--json", "--events", "events.jsonl"]).expect_code(0);
    let events = out.json_lines();
    assert_eq!(std::fs::read_to_string(shop.pitstop.home().join("events.jsonl")).unwrap(), out.stdout);
    assert_eq!((kinds(&events)[0], *kinds(&events).last().unwrap()), ("planned", "finished"));
    assert_eq!(events[0]["from"], v1.as_str());
    for (seq, event) in events.iter().enumerate() {
        assert_eq!((&event["v"], &event["seq"], &event["op"]), (&1.into(), &seq.into(), &events[0]["op"]));
    }
    let after = shop.instances();
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(before["addresses"], after["addresses"]);
        assert_eq!(before["sandbox_id"], after["sandbox_id"]);
        assert_ne!(before["container_id"], after["container_id"]);
        assert_eq!(
            (&after["image"], &after["revision"], &after["identity"]),
            (&v2.as_str().into(), &2.into(), &"kept".into())
        );
    }

    assert_eq!(shop.run("deploy", &["--image", &v2, "-q"]).expect_code(0).stdout.lines().count(), 1);
    shop.run("rollback", &[]).expect_code(0);
    assert_eq!(shop.instances()[0]["image"], v1.as_str());
    let unknown = shop.run("rollback", &["--to", "99"]).expect_code(2);
    assert!(unknown.stderr.contains("99"), "{}", unknown.stderr);

    let before = shop.instances();
    let all_down = shop.run("restart", &["--batch", "100%"]).expect_code(4);
    assert!(all_down.stderr.contains("the largest batch allowed is 1"), "{}", all_down.stderr);
    shop.run("restart", &[]).expect_code(0);
    for (before, after) in before.iter().zip(&shop.instances()) {
        assert_eq!(before["container_id"], after["container_id"]);
        assert_ne!(before["started_at"], after["started_at"]);
    }

    for replicas in [3, 1] {
        shop.pitstop.run(&["scale", &format!("{}={replicas}", shop.web())]).expect_code(0);
        assert_eq!(shop.instances().len(), replicas);
    }

    shop.run("rm", &[]).expect_code(0);
    let traces = shop.project.traces().unwrap();
    assert!(traces.iter().any(|trace| trace.starts_with("volume")), "{traces:?}");
    assert!(!traces.iter().any(|trace| trace.starts_with("container")), "{traces:?}");
    shop.run("ps", &[]).expect_code(2);
}

#[test]
fn a_plan_shown_touches_nothing_and_obeys_flag_variable_and_file() {
    let shop = Shop::open(&images::app(&Engine::machine(), "v1"), 4);
    let before = shop.instances();
    let config = shop.pitstop.home().join("config/pitstop");
    std::fs::create_dir_all(&config).unwrap();
    std::fs::write(config.join("config.toml"), "read_only = true\n[defaults]\nbatch = 2\n").unwrap();
    let batches = |pitstop: &Pitstop, args: &[&str]| {
        let web = shop.web();
        let args = [&["restart", &web, "--dry-run", "--json"], args].concat();
        let events = pitstop.run(&args).expect_code(0).json_lines();
        assert_eq!(kinds(&events), ["planned"]);
        events[0]["batches"].as_array().unwrap().len()
    };
    assert_eq!(batches(&shop.pitstop, &[]), 2);
    shop.run("restart", &[]).expect_code(4);
    let variable =
        Pitstop::on(&shop.engine).env("XDG_CONFIG_HOME", shop.pitstop.home().join("config")).env("PITSTOP_BATCH", "1");
    assert_eq!(batches(&variable, &[]), 4);
    assert_eq!(batches(&variable, &["--batch", "75%"]), 2, "three, then one");

    let text = shop.run("restart", &["--dry-run"]).expect_code(0).stdout;
    assert!(text.contains("batch 1 of 2") && text.contains("BECAUSE"), "{text}");
    assert_eq!(shop.instances(), before);

    std::fs::write(config.join("config.toml"), "[defaults]\nbatches = 2\n").unwrap();
    let wrong = shop.run("ps", &[]).expect_code(2);
    assert!(wrong.stderr.contains("config.toml:2:1"), "{}", wrong.stderr);
}

#[test]
fn failures_have_their_codes_and_say_what_runs() {
    let engine = Engine::machine();
    let v1 = images::app(&engine, "v1");
    let shop = Shop::open(&v1, 2);
    let mute = images::never_listens(&engine);
    let before = shop.instances();

    let missing = shop.run("deploy", &["--image", "127.0.0.1:1/no/such:image"]).expect_code(1);
    assert!(missing.stderr.contains("no/such:image"), "{}", missing.stderr);
    assert_eq!(shop.instances(), before, "a missing image touches nothing");

    let args = ["--image", &mute, "--ready-timeout", "300ms"];
    let failed = shop.run("deploy", &args).expect_code(1);
    let last: Vec<&str> = failed.stderr.lines().rev().take(3).collect();
    assert!(last[0].contains("next: ") && last[1].contains("web-2") && last[2].contains(&v1), "{}", failed.stderr);
    let back = shop.run("deploy", &[&args[..], &["--on-failure", "rollback", "--json"]].concat()).expect_code(5);
    assert_eq!(back.json_lines().last().unwrap()["outcome"], "rolled_back");
    for instance in shop.instances() {
        assert_eq!((&instance["image"], &instance["ready"]), (&v1.as_str().into(), &true.into()));
    }

    shop.pitstop.file("broken.yaml", "services:\n  web:\n    imagine: x\n");
    let broken = shop.pitstop.run(&["create", "-f", "broken.yaml"]).expect_code(2);
    assert!(broken.stderr.starts_with("error: broken.yaml:"), "{}", broken.stderr);
    let unknown = shop.pitstop.run(&["restart", &format!("{}/nope", shop.project.name)]).expect_code(2);
    assert!(unknown.stderr.contains("there is no app"), "{}", unknown.stderr);
}

#[test]
fn a_container_without_a_sandbox_restarts_but_does_not_deploy() {
    let engine = Engine::machine();
    let project = engine.project();
    let name = format!("{}-plain", project.name);
    let image = images::app(&engine, "v1");
    engine.docker(&["run", "-d", "--name", &name, &image]);
    let pitstop = Pitstop::on(&engine);
    let out = pitstop.run(&["restart", &name]).expect_code(0);
    assert!(out.stdout.contains("! unprotected"), "{}", out.stdout);
    let out = pitstop.run(&["deploy", &name, "--image", &image]).expect_code(4);
    assert!(out.stderr.starts_with("error: "), "{}", out.stderr);
    let logs = pitstop.run(&["logs", &name, "--tail", "1", "-t"]).expect_code(0);
    assert!(logs.stdout.starts_with("20") && logs.stdout.contains("Z "), "{}", logs.stdout);
}

#[test]
fn the_first_interrupt_finishes_what_is_in_flight() {
    let shop = Shop::open(&images::slow_boot(&Engine::machine(), "v1", 700), 3);
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143), (Signal::HUP, 143)] {
        let before = shop.instances();
        let running = shop.pitstop.start(&["restart", &shop.web(), "--json"]);
        running.wait_for_stdout(r#""action":"stop","lane":"main","result":"ok""#);
        running.signal(signal);
        let out = running.wait().expect_code(code);
        let events = out.json_lines();
        assert!(kinds(&events).contains(&"cancel_requested"));
        assert_eq!(events.last().unwrap()["outcome"], "interrupted");
        let after = shop.instances();
        assert_ne!(before[0]["started_at"], after[0]["started_at"], "the first one was finished");
        assert_eq!(before[1..], after[1..], "no other was begun");
        assert_eq!(after[0]["ready"], true);
    }
}

#[test]
fn the_second_interrupt_puts_back_and_the_third_leaves() {
    let engine = Engine::machine();
    let (v1, mute) = (images::app(&engine, "v1"), images::never_listens(&engine));
    let shop = Shop::open(&v1, 2);
    let running = shop.pitstop.start(&["deploy", &shop.web(), "--image", &mute]);
    running.wait_for_stdout(" start ");
    running.signal(Signal::INT);
    running.wait_for_stdout("Ctrl-C again aborts");
    running.signal(Signal::INT);
    let out = running.wait().expect_code(7);
    assert!(out.stdout.contains("(undo)"), "{}", out.stdout);
    assert!(shop.instances().iter().all(|one| one["image"] == v1.as_str() && one["ready"] == true));

    let running = shop.pitstop.start(&["deploy", &shop.web(), "--image", &mute]);
    running.wait_for_stdout(" start ");
    // SIGTERM is as urgent as Ctrl-C; that the terminal is gone is no news the second time.
    for (signal, said) in [(Signal::HUP, "Ctrl-C again aborts"), (Signal::TERM, "Ctrl-C again leaves")] {
        running.signal(signal);
        running.wait_for_stdout(said);
        running.signal(Signal::HUP);
    }
    // The abort may be over before the third request: then there is nothing left to leave.
    running.signal(Signal::TERM);
    let out = running.wait();
    assert!(matches!(out.code, Some(7 | 143)), "{out:?}");
    assert!(out.stderr.contains("next: "), "{}", out.stderr);
}

#[test]
fn a_reader_that_goes_away_does_not_stop_the_operation() {
    let shop = Shop::open(&images::app(&Engine::machine(), "v1"), 2);
    let before = shop.instances();
    let script =
        format!("{} restart {} | head -n 1; echo ${{PIPESTATUS[0]}}", env!("CARGO_BIN_EXE_pitstop"), shop.web());
    let out = Command::new("bash")
        .args(["-c", &script])
        .env("DOCKER_HOST", shop.engine.host())
        .env("XDG_STATE_HOME", shop.pitstop.home().join("state"))
        .output()
        .unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    assert_eq!(text.lines().collect::<Vec<_>>()[1..], ["0"], "{text}");
    assert!(out.stderr.is_empty(), "{}", String::from_utf8_lossy(&out.stderr));
    for (before, after) in before.iter().zip(&shop.instances()) {
        assert_ne!(before["started_at"], after["started_at"]);
    }
}

#[test]
fn gates_and_removals_ask_on_a_terminal() {
    let shop = Shop::open(&images::app(&Engine::machine(), "v1"), 3);
    let mut term = shop.pitstop.terminal(120, 40, &["restart", &shop.web(), "--gate", "every"]);
    term.wait_for("[Enter] go on");
    let before = shop.instances();
    term.press(Key::Enter);
    term.wait_for("batch 2 of 3 is done");
    assert_ne!(shop.instances()[1]["started_at"], before[1]["started_at"]);
    term.press(Key::Ctrl('c'));
    assert_eq!(term.exit(), Some(130));
    assert_eq!(shop.instances()[2], before[2], "the third was not begun");

    let mut term = shop.pitstop.terminal(120, 24, &["rm", &shop.web()]);
    term.wait_for("[y/N]");
    term.press(Key::Enter);
    assert_eq!(term.exit(), Some(7));
    assert_eq!(shop.instances().len(), 3);
    let mut term = shop.pitstop.terminal(120, 40, &["rm", &shop.web()]);
    term.wait_for("[y/N]");
    term.type_text("y");
    term.press(Key::Enter);
    assert_eq!(term.exit(), Some(0));
    shop.run("ps", &[]).expect_code(2);
}

#[test]
fn followed_logs_name_their_instances() {
    let shop = Shop::open(&images::app(&Engine::machine(), "v1"), 2);
    let running = shop.pitstop.start(&["logs", &shop.web(), "-f"]);
    running.wait_for_stdout("web-1 | ");
    running.wait_for_stdout("web-2 | ");
    drop(running);
    let one = shop.pitstop.run(&["logs", &format!("{}-1", shop.web())]).expect_code(0);
    assert!(!one.stdout.is_empty() && !one.stdout.contains('|'), "{}", one.stdout);
}

#[test]
fn the_doctor_and_the_log_file() {
    let engine = Engine::machine();
    let pitstop = Pitstop::on(&engine).env("PITSTOP_LOG", "debug");
    let out = pitstop.run(&["doctor"]);
    assert!(matches!(out.code, Some(0 | 1)), "{out:?}");
    for subject in ["engine", "live-restore", "sandbox image", "settings", "terminal"] {
        assert!(out.stdout.contains(subject), "{subject}: {}", out.stdout);
    }
    wait_until("the log file", Duration::from_secs(5), || pitstop.home().join("state/pitstop/pitstop.log").is_file());
    Pitstop::on(&engine).env("PITSTOP_LOG", "=,=").run(&["ps"]).expect_code(2);
}

#[test]
fn without_a_verb_the_console_opens_on_a_terminal() {
    let pitstop = Pitstop::on(&Engine::machine());
    let mut term = pitstop.terminal(100, 30, &[]);
    term.wait_for("live");
    assert!(term.modes().0, "the alternate screen is on");
    term.press(Key::Char('q'));
    assert_eq!(term.exit(), Some(0));
    assert_eq!(term.modes(), (false, true), "the terminal is given back");

    let mut term = pitstop.terminal(100, 30, &["--theme", "no-such-theme"]);
    term.wait_for("there is no theme");
    assert_eq!(term.exit(), Some(2));
    let mut term = pitstop.terminal(100, 30, &["--context", "no-such-context"]);
    term.wait_for("no-such-context");
    assert_eq!(term.exit(), Some(2));
}
