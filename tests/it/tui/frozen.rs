//! A terminal that nobody reads holds up nothing but its own screen; and no size of it is too much.

use crate::support::pitstop::Pitstop;
use crate::support::pty::{HangUp, Pty};
use crate::support::random::Random;
use crate::support::sim::Served;
use crate::support::wait::{wait_for, wait_until};
use pitstop::sim::{Fault, When};
use serde_json::Value;
use std::path::Path;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);
/// A frame that there is has come by then; there may be none.
const FRAME: Duration = Duration::from_millis(100);

const SHOP: &str = r#"
networks = [{ name = "shop", subnet = "10.60.0.0/24" }]
[[images]]
name = "web:v1"
behaviour = { port = 8080 }
[[apps]]
project = "shop"
app = "web"
image = "web:v1"
instances = 2
network = "shop"
probe = "tcp:8080"
revision = 1
up_s = 1000
"#;

fn console(pitstop: &Pitstop, arguments: &[&str]) -> Pty {
    let mut pty = Pty::open();
    pty.resize(120, 40);
    pitstop.pty(&mut pty, &[&[env!("CARGO_BIN_EXE_pitstop")], arguments].concat(), HangUp::Default);
    pty.wait_for("live");
    pty
}

/// The console waits until somebody reads what it has written: its first thread is in `ppoll` for that and for nothing else.
fn is_stuck(pty: &Pty) -> bool {
    const PPOLL: &str = if cfg!(target_arch = "aarch64") { "73 " } else { "271 " };
    let call = std::fs::read_to_string(format!("/proc/{}/syscall", pty.pid())).expect("it runs");
    call.starts_with(PPOLL)
}

/// What its record tells, without times, once it has ended.
fn recorded(directory: &Path) -> Option<Vec<String>> {
    let files = std::fs::read_dir(directory).ok()?.flatten().map(|entry| entry.path());
    let record = files.into_iter().find(|path| path.extension().is_some_and(|kind| kind == "jsonl"))?;
    let text = std::fs::read_to_string(record).ok()?;
    let told = |line: &str| {
        let line: Value = serde_json::from_str(line).ok()?;
        let words = ["event", "step", "instance", "action", "result", "verdict", "outcome"];
        Some(words.map(|word| line[word].to_string()).join(" "))
    };
    let mut all: Vec<String> = text.lines().filter_map(told).collect();
    let ended = all.iter().any(|line| line.starts_with("\"finished\""));
    all.sort();
    ended.then_some(all)
}

/// A restart of two instances begun from the console, as its record tells it.
fn restart(frozen: bool) -> Vec<String> {
    let served = Served::new(SHOP);
    let (pitstop, control) = (served.pitstop(), served.control());
    let mut pty = console(&pitstop, &[]);
    pty.wait_for("web-2");
    pty.send(b"r");
    pty.wait_for("type 2 to run it");
    control.on(When::request("POST", "/containers/*/stop"), Fault::Hold);
    pty.send(b"2\r");
    let is_held = || control.requests().iter().any(|one| one.path.ends_with("/stop") && one.status.is_none());
    wait_until("the first stop", PATIENCE, is_held);
    if frozen {
        wait_until("a terminal that takes no more", PATIENCE, || {
            pty.send(b"?");
            is_stuck(&pty)
        });
    }
    control.release();
    let records = pitstop.home().join("state/pitstop");
    let told = wait_for("the operation's end", PATIENCE, || {
        if !frozen {
            pty.next(Duration::ZERO);
        }
        recorded(&records)
    });
    assert!(control.world().values().all(|one| one.joins.is_none() || one.runs == 2), "both were restarted");
    if frozen {
        wait_until("a console that still waits: nobody has read a byte of it", PATIENCE, || is_stuck(&pty));
    }
    told
}

#[test]
fn an_operation_does_not_wait_for_a_terminal_that_nobody_reads() {
    assert_eq!(restart(true), restart(false));
}

#[test]
fn hundreds_of_sizes_one_after_the_other_do_no_harm() {
    let pitstop = Pitstop::without_engine();
    let mut pty = console(&pitstop, &["demo"]);
    let mut random = Random::seeded(7);
    let mut below = |end| u16::try_from(random.below(end)).expect("a small number");
    for _ in 0..300 {
        pty.resize(1 + below(220), 1 + below(70));
        pty.send(&[b"jk?HLtOw \x1b"[usize::from(below(10))]]);
        pty.next(FRAME);
    }
    pty.resize(120, 40);
    // Out of whatever was opened; then the frame is drawn whole.
    for key in [b"\x1b", b"\x1b", b"\x1b", b"\x0c"] {
        while pty.next(FRAME) > 0 {}
        pty.send(key);
    }
    pty.wait_for("live");
    pty.send(b"q");
    let code = pty.exit();
    let last = &pty.seen[pty.seen.len().saturating_sub(2000)..];
    assert_eq!(code, Some(0), "{}", String::from_utf8_lossy(last));
}
