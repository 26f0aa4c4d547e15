//! The guest, run as the program it is: on this machine, and in the sandbox image on a real engine.

mod commands;
mod gate;
mod image;
mod lock;
mod pause;
mod serve;
mod watch;

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::support::http;
use super::support::wait::{wait_for, wait_until};

/// The executable where `build.rs` has put it: one written by a test could not be run while another test forks.
const PROGRAM: &str = concat!(env!("OUT_DIR"), "/pitstop-guest");

/// Far above what anything here takes, for a loaded machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running guest with its output read line by line; killed when dropped.
struct Guest {
    child: Child,
    lines: Receiver<String>,
}

impl Guest {
    /// Starts the guest with stdin and stdout as pipes.
    fn start(args: &[&str]) -> Self {
        Self::spawn(Command::new(PROGRAM).args(args))
    }

    fn spawn(command: &mut Command) -> Self {
        Self::spawn_with(command, Stdio::piped())
    }

    fn spawn_with(command: &mut Command, stdin: Stdio) -> Self {
        let mut child = command.stdin(stdin).stdout(Stdio::piped()).spawn().expect("the guest starts");
        let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let (send, lines) = mpsc::channel();
        std::thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| send.send(line)));
        Self { child, lines }
    }

    /// A server that answers at `port`.
    fn serving(port: u16, args: &[&str]) -> Self {
        let port = port.to_string();
        let guest = Self::start(&[&["serve", &port], args].concat());
        assert!(guest.line().starts_with("serving "));
        guest
    }

    /// The next line of output.
    #[track_caller]
    fn line(&self) -> String {
        self.lines.recv_timeout(PATIENCE).expect("a line of output")
    }

    /// The next line that begins with `word`, which all before it must not contradict: only ticks are skipped.
    #[track_caller]
    fn line_of(&self, word: &str) -> Vec<String> {
        let mut line = self.line();
        while line.starts_with("tick ") && word != "tick" {
            line = self.line();
        }
        let words: Vec<_> = line.split(' ').map(str::to_owned).collect();
        assert_eq!(words[0], word, "{line}");
        words
    }

    fn stdin(&mut self) -> ChildStdin {
        self.child.stdin.take().expect("stdin is taken once")
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("the guest runs");
    }

    #[track_caller]
    fn end(&mut self) -> ExitStatus {
        wait_for("the guest's end", PATIENCE, || self.child.try_wait().expect("our child"))
    }

    #[track_caller]
    fn exit_code(&mut self) -> Option<i32> {
        self.end().code()
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port nobody listens on, and which no connection is given as its own end: below the kernel's range for those.
fn free_port() -> u16 {
    static TRIED: AtomicU16 = AtomicU16::new(0);
    let first = u16::try_from(std::process::id() % 300 * 64).unwrap();
    let next = || 10_000 + (first + TRIED.fetch_add(1, Ordering::Relaxed)) % 20_000;
    let free =
        |port: &u16| TcpListener::bind(("0.0.0.0", *port)).is_ok() && TcpListener::bind(("127.0.0.1", *port)).is_ok();
    std::iter::repeat_with(next).take(20_000).find(free).expect("a free port")
}

fn get(port: u16, path: &str) -> std::io::Result<http::Answer> {
    http::get(&format!("127.0.0.1:{port}"), path)
}

#[test]
fn says_its_version_and_refuses_what_it_does_not_know() {
    let mut version = Guest::start(&["version"]);
    assert_eq!(version.line(), format!("pitstop-guest 1 {}", std::env::consts::ARCH));
    assert_eq!(version.exit_code(), Some(0));
    let refused: [(&[&str], &str); 11] = [
        (&["nonsense"], "nonsense"),
        (&["pause", "--now"], "--now"),
        (&["pause", "--lease-ms", "long"], "long"),
        (&["lock", "--forever"], "--forever"),
        (&["watch"], "watch"),
        (&["watch", "udp:53"], "udp:53"),
        (&["watch", "tcp:0"], "tcp:0"),
        (&["watch", "http:80 /"], "http:80 /"),
        (&["watch", "tcp:80", "--every", "often"], "often"),
        (&["serve", "70000", "v1"], "70000"),
        (&["serve", "8080"], "TEXT"),
    ];
    for (args, named) in refused {
        let done = Command::new(PROGRAM).args(args).output().unwrap();
        let said = String::from_utf8(done.stderr).unwrap();
        assert_eq!(done.status.code(), Some(2), "{args:?}: {said}");
        assert!(said.contains(named), "{args:?}: {said}");
        assert!(done.stdout.is_empty(), "{args:?}");
    }
}

#[test]
fn a_name_longer_than_any_line_is_cut_and_not_a_defect() {
    let long = "x".repeat(2000);
    let done = Command::new(PROGRAM).arg(&long).output().unwrap();
    assert_eq!(done.status.code(), Some(2));
    assert!(done.stderr.ends_with(b"x\n"), "{}", String::from_utf8_lossy(&done.stderr));
}
