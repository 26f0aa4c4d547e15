//! However the console ends or stops, the terminal is as it was before: in its modes, and in what was switched on.

use crate::support::docker::Engine;
use crate::support::pitstop::Pitstop;
use crate::support::pty::{HangUp, Pty};
use crate::support::wait::wait_until;
use rustix::process::{Pid, Signal, kill_process};
use std::time::{Duration, Instant};

/// A console that shows the fleet, and the modes of its terminal before.
fn open(pitstop: &Pitstop, hang_up: HangUp) -> (Pty, String) {
    let mut pty = Pty::open();
    let before = pty.modes();
    pitstop.pty(&mut pty, &[env!("CARGO_BIN_EXE_pitstop")], hang_up);
    pty.wait_for("live");
    assert_ne!(pty.modes(), before, "the console has the terminal");
    assert_eq!((pty.switched()["1049"], pty.switched()["25"]), (true, false));
    (pty, before)
}

/// The terminal is as it was before.
#[track_caller]
fn given_back(pty: &Pty, before: &str) {
    assert_eq!(pty.modes(), before);
    let on: Vec<_> = pty.switched().into_iter().filter(|(_, on)| *on).map(|(mode, _)| mode).collect();
    assert_eq!(on, ["25"], "nothing is on but the cursor");
}

fn signal(pid: i32, signal: Signal) {
    kill_process(Pid::from_raw(pid).unwrap(), signal).unwrap();
}

#[test]
fn a_key_and_every_signal_give_the_terminal_back() {
    let pitstop = Pitstop::on(&Engine::machine());
    for (how, code) in [(None, 0), (Some(Signal::TERM), 143), (Some(Signal::HUP), 143), (Some(Signal::INT), 130)] {
        let (mut pty, before) = open(&pitstop, HangUp::Default);
        match how {
            None => pty.send(b"q"),
            Some(how) => signal(pty.pid(), how),
        }
        assert_eq!(pty.exit(), Some(code), "{how:?}");
        given_back(&pty, &before);
    }
}

#[test]
fn a_fault_in_any_task_gives_the_terminal_back_and_is_told_cleanly() {
    for place in ["console", "task"] {
        let pitstop = Pitstop::on(&Engine::machine()).env("PITSTOP_REHEARSE_FAULT", place);
        let mut pty = Pty::open();
        let before = pty.modes();
        pitstop.pty(&mut pty, &[env!("CARGO_BIN_EXE_pitstop")], HangUp::Default);
        assert_eq!(pty.exit(), Some(70), "{place}");
        given_back(&pty, &before);
        let text = String::from_utf8_lossy(&pty.seen).into_owned();
        let (_, after) = text.rsplit_once("\u{1b}[?25h").unwrap();
        assert!(after.contains("a fault in pitstop itself at src/tui/fault.rs:"), "{after}");
        assert!(after.contains("a rehearsal of a fault") && after.contains("pitstop ps"), "{after}");
        assert!(!after.contains(['\u{202e}', '\u{9b}', '\u{7}']) && !after.contains("owned"), "{after:?}");
    }
}

#[test]
fn a_terminal_that_goes_away_ends_the_console() {
    let pitstop = Pitstop::on(&Engine::machine());
    for hang_up in [HangUp::Default, HangUp::Ignored] {
        let (pty, _) = open(&pitstop, hang_up);
        let (code, used) = pty.hang_up();
        assert_eq!(code, Some(143), "{hang_up:?}");
        assert!(used < Duration::from_secs(5), "{hang_up:?}: it used a processor for {used:?}");
    }
}

#[test]
fn stopped_by_key_or_signal_it_gives_the_terminal_back_and_comes_back_whole() {
    let pitstop = Pitstop::on(&Engine::machine());
    let script = format!(
        "set -m; {}; echo \"left $?.\"; jobs -p >job; echo \"job $(cat job).\"; read line; \
         fg >/dev/null; echo \"left $?.\"; read line; \
         fg >/dev/null; echo \"left $?.\"",
        env!("CARGO_BIN_EXE_pitstop")
    );
    let mut pty = Pty::open();
    let before = pty.modes();
    pitstop.pty(&mut pty, &["sh", "-c", &script], HangUp::Default);
    pty.wait_for("live");
    let raw = pty.modes();
    pty.send(b"\x1a");
    pty.wait_for("left 147.");
    given_back(&pty, &before);
    pty.wait_for("job ");
    pty.wait_for(".\r\n");
    let job = String::from_utf8_lossy(&pty.seen).rsplit_once("job ").unwrap().1.split('.').next().unwrap().to_owned();

    pty.send(b"\n");
    pty.wait_for("live");
    assert_eq!(pty.modes(), raw);
    signal(job.parse().unwrap(), Signal::TSTP);
    pty.wait_for("left 147.");
    given_back(&pty, &before);

    pty.send(b"\n");
    pty.wait_for("live");
    pty.send(b"q");
    pty.wait_for("left 0.");
    assert_eq!(pty.exit(), Some(0));
    given_back(&pty, &before);
    let asked = String::from_utf8_lossy(&pty.seen).contains("\u{1b}[6n");
    assert!(!asked, "a terminal is never asked anything: its answer may come as a key, or not at all");
}

#[test]
fn where_nobody_could_bring_it_back_it_does_not_stop() {
    let (mut pty, before) = open(&Pitstop::on(&Engine::machine()), HangUp::Default);
    pty.send(b"\x1a");
    pty.wait_for("nobody could bring it back");
    pty.send(b"q");
    assert_eq!(pty.exit(), Some(0));
    given_back(&pty, &before);
}

/// As the first process of a container, whose session and group are outside: the kernel calls both 0 there.
#[test]
fn in_a_pid_namespace_without_its_session_it_lives_and_ends_as_anywhere() {
    let mut pty = Pty::open();
    let before = pty.modes();
    let command = ["unshare", "--pid", "--fork", "--mount-proc", env!("CARGO_BIN_EXE_pitstop")];
    Pitstop::on(&Engine::machine()).pty(&mut pty, &command, HangUp::Default);
    pty.wait_for("live");
    pty.send(b"\x1a");
    pty.wait_for("nobody could bring it back");
    pty.send(b"q");
    assert_eq!(pty.exit(), Some(0));
    given_back(&pty, &before);
}

/// Makes the console draw until the terminal holds all that it can, and the next frame waits.
fn freeze(pty: &mut Pty) {
    let mut keys = 0;
    wait_until("the console waits for the terminal", Duration::from_secs(60), || {
        keys += 1;
        pty.send(if keys % 2 == 0 { b"?" } else { b"\x1b[24~?" });
        pty.send(b"\x0c");
        waits_for_the_terminal(pty.pid())
    });
}

/// Its first thread has been in `poll` with nobody reading its frames.
fn waits_for_the_terminal(pid: i32) -> bool {
    let poll = std::fs::read_to_string(format!("/proc/{pid}/syscall")).unwrap_or_default();
    // poll(2) and ppoll(2), by their numbers on x86-64 and aarch64; its other waits are epoll and futex.
    ["7 ", "271 ", "73 "].iter().any(|number| poll.starts_with(number))
}

#[test]
fn a_terminal_that_takes_nothing_holds_up_no_end_and_hears_of_it_later() {
    let pitstop = Pitstop::on(&Engine::machine());
    for how in [Signal::TERM, Signal::HUP] {
        let (mut pty, before) = open(&pitstop, HangUp::Default);
        freeze(&mut pty);
        let since = Instant::now();
        signal(pty.pid(), how);
        assert_eq!(pty.exit_unread(), Some(143), "{how:?}");
        assert!(since.elapsed() < Duration::from_secs(5), "{how:?}: {:?}", since.elapsed());
        assert_eq!(pty.modes(), before);
        pty.read_all();
        given_back(&pty, &before);
    }
}
