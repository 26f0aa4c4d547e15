//! An engine full of what strangers could write: no word of it acts on a terminal, in no front end.

use crate::fuzz::misleads;
use crate::support::docker::Engine;
use crate::support::images;
use crate::support::pitstop::{Output, Pitstop};
use crate::support::poison::{POISON, Poisoned};
use crate::support::pty::{HangUp, Pty};
use serde_json::Value;

/// Nothing of it is in what a run has said.
#[track_caller]
fn harmless(what: &str, text: &str) {
    let bad = text.chars().find(|c| misleads(*c) && *c != '\n');
    assert!(bad.is_none() && !text.contains("owned"), "{what}: {bad:?} in\n{}", text.escape_debug());
}

#[track_caller]
fn both(what: &str, output: &Output) {
    harmless(what, &output.stdout);
    harmless(what, &output.stderr);
}

/// Every text in it, keys too.
fn texts(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::String(text) => into.push(text.clone()),
        Value::Array(values) => values.iter().for_each(|value| texts(value, into)),
        Value::Object(map) => map.iter().for_each(|(key, value)| {
            into.push(key.clone());
            texts(value, into);
        }),
        _ => {}
    }
}

#[test]
fn what_strangers_write_acts_on_no_terminal() {
    let engine = Engine::machine();
    let image = images::app(&engine, "v1");
    let project = engine.project();
    let (name, web) = (&project.name, format!("{}/web", project.name));
    let pitstop = Pitstop::on(&engine);
    let text = format!(
        "name: {name}\nservices:\n  web:\n    image: {image}\n    environment: {{TOKEN: hunter2}}\n    labels: {{'note': 'by us'}}\n    volumes: ['data:/data']\n    x-pitstop: {{probe: 'tcp:8080'}}\nvolumes: {{data: {{}}}}\n"
    );
    pitstop.file("compose.yaml", &text);
    pitstop.run(&["create", "-q"]).expect_code(0);
    // A stranger's container, as hostile as the engine lets it be, whose log is too.
    let stranger = format!("{name}-stranger");
    let (label, variable) =
        (format!("--label=no{POISON}te=x{POISON}").replace('\0', ""), format!("--env=A={POISON}").replace('\0', ""));
    engine.docker(&[
        "run",
        "-d",
        "--name",
        &stranger,
        &label,
        &variable,
        &image,
        "serve",
        "8080",
        &POISON.replace('\0', ""),
        "--no-such-option\u{1b}]0;owned\u{7}",
    ]);

    let poisoned = Poisoned::before(&engine);
    let raw = poisoned.engine().docker(&["ps", "-a", "--filter", &format!("name={name}"), "--format", "{{.Image}}"]);
    assert!(raw.contains("\u{1b}]0;owned\u{7}"), "docker itself shows it: {raw:?}");
    // What is recorded and what is known of the sandbox is the same: another home, the same engine.
    let pitstop = Pitstop::on(&poisoned.engine());
    pitstop.file("compose.yaml", &text);
    let table = pitstop.run(&["ps"]).expect_code(0);
    both("ps", &table);
    assert!(table.stdout.contains(&web) && table.stdout.contains(&stranger), "{}", table.stdout);
    let json = pitstop.run(&["ps", "--json"]).expect_code(0);
    both("ps --json", &json);
    let mut all = Vec::new();
    texts(&serde_json::from_str(&json.stdout).unwrap(), &mut all);
    for text in &all {
        harmless("a text of ps --json", text);
    }
    for args in [
        &["doctor"][..],
        &["logs", &stranger],
        &["logs", &web],
        &["deploy", &web, "--image", "no-such/image:v9", "--dry-run"],
        &["deploy", &web, "--image", "no-such/image:v9", "--dry-run", "--json"],
        &["deploy", &web, "-f", "compose.yaml", "--dry-run", "--json"],
        &["restart", &stranger, "--dry-run"],
        &["restart", &format!("{name}-nobody")],
        &["rollback", &web],
        &["deploy", &stranger, "--image", "x"],
    ] {
        let output = pitstop.run(args);
        both(&args.join(" "), &output);
        assert!(!output.stdout.contains("hunter2") && !output.stderr.contains("hunter2"), "{args:?} tells a secret");
    }

    // Esc right before another key would be Alt and that key.
    std::fs::create_dir_all(pitstop.home().join("config/pitstop")).unwrap();
    pitstop.file("config/pitstop/keymap.toml", "[global]\nback = 'backspace'\n");
    let mut pty = Pty::open();
    pitstop.pty(&mut pty, &[env!("CARGO_BIN_EXE_pitstop")], HangUp::Default);
    pty.wait_for("live");
    // The fleet, the instance's page, its log, pitstop's own log; each drawn whole, so that words come in one piece.
    for (keys, seen) in
        [(&*format!("/{name}\r"), "unmanaged"), ("i", "TOKEN"), ("\x7fl", "log of"), ("\x7fL", "connected")]
    {
        pty.send(keys.as_bytes());
        pty.send(b"\x0c");
        pty.wait_for(seen);
    }
    pty.send(b"\x7fq");
    assert_eq!(pty.exit(), Some(0));
    // Our own sequences are there; theirs are not.
    let seen = String::from_utf8_lossy(&pty.seen).into_owned();
    let bad = seen.chars().find(|c| misleads(*c) && !matches!(c, '\u{1b}' | '\r' | '\n'));
    assert!(
        bad.is_none() && !seen.contains("owned") && !seen.contains("\u{1b}]"),
        "{bad:?} in\n{}",
        seen.escape_debug()
    );
    assert!(!seen.contains("hunter2"), "the screen tells a secret");
}
