//! A bare pseudo-terminal: its modes, the bytes a program wrote, and its sudden end, which no emulator shows.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, Command};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcgetattr, tcsetwinsize};

use super::wait::{try_wait_for, wait_for};

/// How long anything may take on a machine with much else to do.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the program finds the hang-up signal set to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HangUp {
    Default,
    /// As under `nohup`.
    Ignored,
}

/// A terminal, and the program in it.
pub struct Pty {
    master: File,
    slave: File,
    /// Everything written to it so far.
    pub seen: Vec<u8>,
    looked: usize,
    child: Option<Child>,
}

impl Pty {
    /// A terminal of 80 × 24 with nobody in it.
    pub fn open() -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).expect("a pty");
        grantpt(&master).and_then(|()| unlockpt(&master)).expect("a pty");
        let name = ptsname(&master, Vec::new()).expect("a pty has a name");
        let flags = rustix::fs::OFlags::RDWR | rustix::fs::OFlags::NOCTTY | rustix::fs::OFlags::CLOEXEC;
        let slave: OwnedFd = rustix::fs::open(&name, flags, rustix::fs::Mode::empty()).expect("its other side");
        tcsetwinsize(&slave, Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 }).expect("a size");
        Self { master: master.into(), slave: slave.into(), seen: Vec::new(), looked: 0, child: None }
    }

    /// Starts `command` as the leader of a session that has this terminal, with exactly the variables of `env`, its
    /// signals as a login shell would leave them.
    #[track_caller]
    pub fn start(&mut self, command: &[&str], env: &[(String, OsString)], directory: &Path, hang_up: HangUp) {
        let slave = || self.slave.try_clone().expect("a file descriptor");
        let mut begin = Command::new("setsid");
        begin.args(["--ctty", "env", "--default-signal=HUP,INT,TERM,TSTP,CONT,TTIN,TTOU"]);
        if hang_up == HangUp::Ignored {
            begin.arg("--ignore-signal=HUP");
        }
        begin.args(command).env_clear().envs(env.iter().map(|(name, value)| (name, value))).current_dir(directory);
        self.child = Some(begin.stdin(slave()).stdout(slave()).stderr(slave()).spawn().expect("setsid"));
    }

    /// The program's process.
    #[track_caller]
    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.as_ref().expect("started").id()).expect("a pid")
    }

    /// The terminal's modes, all of them.
    pub fn modes(&self) -> String {
        format!("{:?}", tcgetattr(&self.slave).expect("a terminal has modes"))
    }

    /// The private modes that were switched, and how they are now.
    pub fn switched(&self) -> BTreeMap<String, bool> {
        let text = String::from_utf8_lossy(&self.seen);
        let mut modes = BTreeMap::new();
        for sequence in text.split("\u{1b}[?").skip(1) {
            let number: String = sequence.chars().take_while(char::is_ascii_digit).collect();
            let end = sequence[number.len()..].chars().next();
            if matches!(end, Some('h' | 'l')) {
                modes.insert(number, end == Some('h'));
            }
        }
        modes
    }

    /// Types.
    #[track_caller]
    pub fn send(&mut self, bytes: &[u8]) {
        self.master.write_all(bytes).expect("a program that reads");
    }

    /// Waits until `text` is written, after all that was waited for before.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str) {
        let found = try_wait_for(PATIENCE, || {
            self.pump();
            self.seen[self.looked..].windows(text.len()).position(|window| window == text.as_bytes())
        });
        match found {
            Some(at) => self.looked += at + text.len(),
            None => panic!("no {text:?} in:\n{}", String::from_utf8_lossy(&self.seen[self.looked..])),
        }
    }

    /// Changes its size.
    pub fn resize(&self, columns: u16, rows: u16) {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&self.slave, size).expect("a size");
    }

    /// Waits for the next bytes, but no longer than that; how many came.
    pub fn next(&mut self, within: Duration) -> usize {
        let mut chunk = vec![0; 65536];
        let within = Timespec::try_from(within).expect("a short time");
        match poll(&mut [PollFd::new(&self.master, PollFlags::IN)], Some(&within)) {
            Ok(1..) => {
                let count = self.master.read(&mut chunk).unwrap_or_default();
                self.seen.extend_from_slice(&chunk[..count]);
                count
            }
            _ => 0,
        }
    }

    /// Takes in what has been written.
    fn pump(&mut self) {
        let mut chunk = [0; 4096];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        loop {
            let ready = poll(&mut [PollFd::new(&self.master, PollFlags::IN)], Some(&now));
            match ready.is_ok_and(|count| count > 0).then(|| self.master.read(&mut chunk)) {
                Some(Ok(count @ 1..)) => self.seen.extend_from_slice(&chunk[..count]),
                _ => return,
            }
        }
    }

    /// Waits for the program's end: its exit code, or `None` when a signal ended it.
    #[track_caller]
    pub fn exit(&mut self) -> Option<i32> {
        let mut child = self.child.take().expect("started");
        let status = wait_for("the program's end", PATIENCE, || {
            self.pump();
            child.try_wait().expect("our child")
        });
        self.pump();
        status.code()
    }

    /// Waits for the program's end, while nobody reads what it writes: its exit code.
    #[track_caller]
    pub fn exit_unread(&mut self) -> Option<i32> {
        let mut child = self.child.take().expect("started");
        wait_for("the program's end, unread", PATIENCE, || child.try_wait().expect("our child")).code()
    }

    /// Takes in all that was written and not read.
    pub fn read_all(&mut self) {
        self.pump();
    }

    /// The terminal goes away with all that holds it, as when a line is dropped. Waits for the program's end: its exit code,
    /// and how long it has used a processor in all.
    #[track_caller]
    pub fn hang_up(mut self) -> (Option<i32>, Duration) {
        let mut child = self.child.take().expect("started");
        drop(self);
        // The parent's view of a child that has ended and was not waited for yet.
        let stat = format!("/proc/{}/stat", child.id());
        let ticks = wait_for("the program's end without a terminal", PATIENCE, || {
            let stat = std::fs::read_to_string(&stat).expect("our child");
            let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
            let used = fields[11].parse::<u64>().ok()? + fields[12].parse::<u64>().ok()?;
            (fields[0] == "Z").then_some(used)
        });
        let per_second = rustix::param::clock_ticks_per_second();
        (child.wait().expect("our child").code(), Duration::from_millis(ticks * 1000 / per_second))
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
