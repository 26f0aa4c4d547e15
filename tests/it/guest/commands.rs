//! Commands to PID 1: watches begun, kept and ended by line, and that nothing on either side of it can hold PID 1 up.

use std::fs;
use std::io::Write;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::super::support::docker::netns_inode;
use super::pause::blocks;
use super::{Guest, PATIENCE, PROGRAM, free_port, wait_until};

/// The guest as PID 1 would be, and a console at its input.
pub(super) struct Commanded {
    pub(super) guest: Guest,
    stdin: ChildStdin,
}

impl Commanded {
    pub(super) fn start(options: &[&str]) -> Self {
        let mut guest = Guest::start(&[&["pause"], options].concat());
        let stdin = guest.stdin();
        Self { guest, stdin }
    }

    pub(super) fn say(&mut self, command: &str) {
        self.stdin.write_all(format!("{command}\n").as_bytes()).expect("PID 1 reads");
    }

    /// The next line but ticks.
    #[track_caller]
    fn line(&self) -> String {
        loop {
            let line = self.guest.line();
            if line.split(' ').nth(1) != Some("tick") {
                return line;
            }
        }
    }

    /// The next line of `id`, without it; others' are skipped.
    #[track_caller]
    pub(super) fn line_of(&self, id: &str) -> String {
        loop {
            if let Some(rest) = self.line().strip_prefix(&format!("{id} ")) {
                return rest.to_owned();
            }
        }
    }

    fn children(&self) -> Vec<i32> {
        children(&self.guest.child)
    }
}

/// Zombies too.
fn children(guest: &Child) -> Vec<i32> {
    let pid = guest.id();
    let list = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    list.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
}

#[test]
fn two_consoles_watch_at_once_and_each_ends_its_own() {
    let mut commanded = Commanded::start(&[]);
    let port = free_port();
    commanded.say(&format!("watch a-1 tcp:{port}"));
    let hello = format!("pitstop-watch 1 netns={}", netns_inode(std::process::id()));
    assert_eq!(commanded.line_of("a-1"), hello);
    assert!(commanded.line_of("a-1").ends_with(" 0 refused"));
    commanded.say(&format!("watch b http:{port}/health --every 5 --timeout 500"));
    assert_eq!(commanded.line_of("b"), hello);
    assert!(commanded.line_of("b").ends_with(" 0 refused"));

    let server = Guest::serving(port, &["v1"]);
    let mut ups = [commanded.line(), commanded.line()];
    ups.sort();
    assert!(ups[0].starts_with("a-1 up ") && ups[0].ends_with(" connected"), "{ups:?}");
    assert!(ups[1].starts_with("b up ") && ups[1].ends_with(" http 200"), "{ups:?}");
    commanded.say("end a-1");
    commanded.say("end a-1");
    wait_until("one watcher to be collected", PATIENCE, || commanded.children().len() == 1);
    drop(server);
    assert!(commanded.line().starts_with("b down "), "and nothing about an end that was asked for");
    let _again = Guest::serving(port, &["v2"]);
    assert!(commanded.line().contains(" http 200 gap="));
    // The name is free again.
    commanded.say(&format!("watch a-1 tcp:{port}"));
    assert_eq!(commanded.line_of("a-1"), hello);
}

#[test]
fn a_watch_that_nobody_keeps_ends() {
    let mut commanded = Commanded::start(&["--lease-ms", "1500"]);
    let port = free_port();
    commanded.say(&format!("watch dead tcp:{port}"));
    commanded.say(&format!("watch kept tcp:{port}"));
    loop {
        commanded.say("keep kept");
        match commanded.guest.lines.recv_timeout(Duration::from_millis(20)) {
            Ok(line) if line == "dead error nobody kept it" => break,
            Ok(line) => assert!(!line.contains("error"), "{line}"),
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            Err(error) => panic!("{error}"),
        }
    }
    wait_until("the dead console's watcher to be collected", PATIENCE, || commanded.children().len() == 1);
    commanded.say("keep dead");
    assert_eq!(commanded.line_of("dead"), "error no such watch");
    assert_eq!(commanded.line_of("kept"), "error nobody kept it");
    wait_until("the other to follow", PATIENCE, || commanded.children().is_empty());
}

#[test]
fn what_is_no_command_is_told_and_changes_nothing() {
    let mut commanded = Commanded::start(&[]);
    let no_command = "error not watch, keep, end, hold, swap, beside or go ID";
    for (said, answer) in [
        ("", "error not COMMAND ID".to_owned()),
        ("watch", "error not COMMAND ID".to_owned()),
        ("watch A tcp:80", "error not COMMAND ID".to_owned()),
        (&format!("keep {}", "x".repeat(33)), "error not COMMAND ID".to_owned()),
        ("stop a", format!("a {no_command}")),
        ("end a now", format!("a {no_command}")),
        ("keep a", "a error no such watch".to_owned()),
        ("watch a", "a error not tcp:PORT or http:PORT/PATH".to_owned()),
        ("watch a udp:53", "a error not tcp:PORT or http:PORT/PATH".to_owned()),
        ("watch a tcp:80 --every", "a error not --every MS or --timeout MS".to_owned()),
        ("watch a tcp:80 --every x", "a error not --every MS or --timeout MS".to_owned()),
        ("watch a tcp:80 --for 10", "a error not --every MS or --timeout MS".to_owned()),
        (&format!("watch a http:80/{}", "x".repeat(5000)), "error line too long".to_owned()),
        ("keep \u{0}\u{1}ÿ", "error not COMMAND ID".to_owned()),
    ] {
        commanded.say(said);
        assert_eq!(commanded.guest.line(), answer, "{said}");
    }
    assert!(commanded.children().is_empty());
    // In pieces, and several in one.
    let (id, path) = ("x".repeat(32), "y".repeat(1000));
    let port = free_port();
    commanded.stdin.write_all(b"wat").unwrap();
    commanded.stdin.write_all(format!("ch {id} http:{port}/{path}\nwatch {id} tcp:1\nkeep").as_bytes()).unwrap();
    commanded.say(" none");
    let mut lines: Vec<_> = std::iter::repeat_with(|| commanded.line()).take(4).collect();
    lines.sort();
    assert_eq!(lines[0], "none error no such watch");
    assert!(lines[1].starts_with(&format!("{id} down ")), "{lines:?}");
    assert_eq!(lines[2], format!("{id} error taken"));
    assert!(lines[3].starts_with(&format!("{id} pitstop-watch 1 ")), "{lines:?}");
}

#[test]
fn there_is_room_for_sixteen() {
    let mut commanded = Commanded::start(&[]);
    let port = free_port();
    for n in 0..17 {
        commanded.say(&format!("watch w{n} tcp:{port}"));
    }
    assert_eq!(commanded.line_of("w16"), "error too many");
    assert_eq!(commanded.children().len(), 16);
    commanded.say("end w3");
    commanded.say(&format!("watch w16 tcp:{port}"));
    assert!(commanded.line_of("w16").starts_with("pitstop-watch 1 "));
}

#[test]
fn watchers_can_be_ended_by_signals_and_are_then_forgotten() {
    let mut commanded = Commanded::start(&[]);
    commanded.say(&format!("watch a tcp:{}", free_port()));
    commanded.line_of("a");
    commanded.line_of("a");
    let [watcher] = commanded.children()[..] else { panic!("one watcher") };
    let status = fs::read_to_string(format!("/proc/{watcher}/status")).unwrap();
    assert!(status.contains("SigBlk:\t0000000000001000"), "only PIPE: {status}");
    kill_process(Pid::from_raw(watcher).unwrap(), Signal::TERM).unwrap();
    wait_until("it to be collected", PATIENCE, || commanded.children().is_empty());
    commanded.say("keep a");
    assert_eq!(commanded.line_of("a"), "error no such watch");

    commanded.say(&format!("watch a tcp:{}", free_port()));
    commanded.line_of("a");
    commanded.guest.signal(Signal::TERM);
    assert_eq!(commanded.guest.exit_code(), Some(0));
}

/// Nanoseconds of CPU that the guest has used.
fn cpu(guest: &Guest) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{}/schedstat", guest.child.id())).unwrap();
    stat.split(' ').next().unwrap().parse().unwrap()
}

#[test]
fn the_end_of_input_changes_nothing_and_costs_nothing() {
    let mut ended = Guest::start(&["pause"]);
    drop(ended.stdin());
    let null = Guest::spawn_with(Command::new(PROGRAM).arg("pause"), Stdio::null());
    let mut commanded = Commanded::start(&[]);
    commanded.say(&format!("watch a tcp:{}", free_port()));
    commanded.line_of("a");
    drop(commanded.stdin);
    let before = [&ended, &null, &commanded.guest].map(cpu);
    // Another guest's life is the time in which they could spin.
    assert_eq!(Guest::start(&["watch", "tcp:1", "--for", "500"]).exit_code(), Some(0));
    for (mut guest, before) in [ended, null, commanded.guest].into_iter().zip(before) {
        let used = cpu(&guest) - before;
        assert!(used < 20_000_000, "{used} ns of CPU in half a second");
        assert!(guest.child.try_wait().unwrap().is_none());
        guest.signal(Signal::TERM);
        assert_eq!(guest.exit_code(), Some(0));
    }
}

#[test]
fn nobody_who_reads_is_nothing_to_wait_for() {
    let (reader, mut full) = std::io::pipe().unwrap();
    rustix::io::ioctl_fionbio(&full, true).unwrap();
    while full.write(&[b'x'; 4096]).is_ok() {}
    while full.write(b"x").is_ok() {}
    rustix::io::ioctl_fionbio(&full, false).unwrap();
    let (gone, closed) = std::io::pipe().unwrap();
    drop(gone);
    for (stdout, stuck) in [(full, true), (closed, false)] {
        let mut child = Command::new(PROGRAM)
            .args(["pause", "--lease-ms", "700"])
            .stdin(Stdio::piped())
            .stdout(stdout)
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let mut guest = Guest { child, lines: mpsc::channel().1 };
        stdin.write_all("garbage\n".repeat(1000).as_bytes()).unwrap();
        stdin.write_all(format!("watch a tcp:{}\n", free_port()).as_bytes()).unwrap();
        wait_until("it to have blocked its signals", PATIENCE, || blocks(&guest, Signal::TERM));
        if stuck {
            wait_until("a watcher, stuck", PATIENCE, || children(&guest.child).len() == 1);
        }
        // Its lease, or its own failure to write, ends it.
        wait_until("no watcher", PATIENCE, || children(&guest.child).is_empty());
        stdin.write_all("garbage\n".repeat(1000).as_bytes()).unwrap();
        guest.signal(Signal::TERM);
        assert_eq!(guest.exit_code(), Some(0));
    }
    drop(reader);
}
