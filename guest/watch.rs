//! `watch`: probes one port every few milliseconds and prints, a line each, when it begins and ceases to answer.
//!
//! ```text
//! pitstop-watch 1 netns=4026532281       first line: protocol version, inode of the network namespace
//! up T DETAIL                            first answer
//! down T LAST_OK DETAIL                  no answer any more; LAST_OK is 0 where there never was one
//! up T DETAIL gap=G                      answers again, G after the last good answer before
//! tick T up|down DETAIL                  about once a second while nothing changes
//! ```
//!
//! `T`, `LAST_OK` and `G` are microseconds, the first two of this kernel's `CLOCK_MONOTONIC`; `DETAIL` may hold
//! spaces (`connected`, `http 200`, `refused`, `timeout`, `closed`, `reset`, `not http`, `error 101`). Each line is
//! one write; PID 1's watchers put their id and a space in front of it. A watcher ends when stdout breaks, when its life (`--for`, an hour by default) is over and, with
//! `--until-stdin-closes`, when stdin is readable or closed: it is never left behind. Nothing is written to it.
//! PID 1's watchers live as long as their lease, which is PID 1's to end.

use crate::PROTOCOL;
use crate::args::{self, Args};
use crate::port;
use crate::probe::{Answer, Leash, Spec, probe};
use crate::signals;
use crate::sys;
use crate::text::Line;

const MS: u64 = 1000;
const SECOND: u64 = 1_000_000;
const HOUR_MS: u64 = 3_600_000;
/// Between two connections to a TCP port that takes them it is looked at from the outside: each connection has to be accepted,
/// and a server that is slow at that moment has room for few.
const CONNECTS: u64 = 20 * MS;
/// The longest line, with room for a prefix.
const LINE: usize = 192;

/// What is watched, how, and on whose behalf.
pub struct Watch<'a> {
    /// In front of each line: empty, or an id and a space.
    pub prefix: &'a [u8],
    pub spec: Spec<'a>,
    every_us: u64,
    timeout_us: u64,
}

impl<'a> Watch<'a> {
    pub fn new(prefix: &'a [u8], spec: Spec<'a>) -> Self {
        Self { prefix, spec, every_us: 2 * MS, timeout_us: SECOND }
    }

    /// Takes an option that says how to watch; false where `name` is none of those.
    pub fn set(&mut self, name: &[u8], ms: u64) -> bool {
        match name {
            b"--every" => self.every_us = ms.max(1) * MS,
            b"--timeout" => self.timeout_us = ms.max(1) * MS,
            _ => return false,
        }
        true
    }
}

/// The longest `--every` and `--timeout`.
pub const LONGEST_MS: u64 = HOUR_MS;

/// Watches until the reader is gone or the life is over; exit code 0.
pub fn run(mut args: Args) -> ! {
    let what = args.next().unwrap_or_else(|| args::usage(b"needs what to watch", b"watch"));
    let spec = Spec::parse(what).unwrap_or_else(|| args::usage(b"not tcp:PORT or http:PORT/PATH", what));
    let (mut watch, mut life, mut stdin) = (Watch::new(b"", spec), HOUR_MS, false);
    while let Some(option) = args.next() {
        match option {
            b"--every" | b"--timeout" => {
                watch.set(option, args.number(option, LONGEST_MS));
            }
            b"--for" => life = args.number(option, 24 * HOUR_MS),
            b"--until-stdin-closes" => stdin = true,
            other => args::usage(b"unknown option of watch", other),
        }
    }
    signals::block_pipe();
    // The backstop behind the leash: a write nobody reads blocks, and nothing but a signal ends that.
    sys::alarm_ms(life + 1000);
    watch.go_on(&Leash { stdin, life_us: sys::now_us() + life * MS })
}

impl Watch<'_> {
    /// Greets, then watches until `leash` ends it.
    pub fn go_on(&self, leash: &Leash) -> ! {
        self.greet();
        let mut up = None;
        let (mut last_ok, mut changed, mut said) = (0, sys::now_us(), 0);
        let mut connected = 0;
        loop {
            let looks = up == Some(true) && sys::now_us() < connected + CONNECTS;
            let seen = if looks { self.look() } else { None };
            let (answer, at) = seen.unwrap_or_else(|| probe(&self.spec, leash, self.timeout_us));
            if seen.is_none() {
                if up == Some(true) && !answer.is_up() {
                    // Whoever had the port since then did not take connections.
                    last_ok = last_ok.min(connected);
                }
                connected = at;
            }
            let mut line = self.line();
            let begun = line.bytes().len();
            if up != Some(answer.is_up()) {
                up = Some(answer.is_up());
                changed = at;
                if answer.is_up() {
                    line.push(b"up ").number(at).push(b" ");
                    answer.describe(&mut line);
                    if last_ok > 0 {
                        line.push(b" gap=").number(at - last_ok);
                    }
                } else {
                    line.push(b"down ").number(at).push(b" ").number(last_ok).push(b" ");
                    answer.describe(&mut line);
                }
            } else if at >= said + SECOND {
                line.push(b"tick ").number(at).push(if answer.is_up() { b" up " } else { b" down " });
                answer.describe(&mut line);
            }
            if line.bytes().len() > begun {
                said = at;
                say(line);
            }
            if answer.is_up() {
                last_ok = at;
            }
            leash.sleep(sys::now_us() + self.every_us.max(pace(answer.is_up(), at - changed)));
        }
    }

    /// Whether somebody still has the port, and when that was seen; `None` where only a connection tells.
    fn look(&self) -> Option<(Answer, u64)> {
        let Spec::Tcp { port } = self.spec else { return None };
        let answer = if port::is_free(port) { Answer::Refused } else { Answer::Connected };
        Some((answer, sys::now_us()))
    }

    /// The first line: what this is, and which network namespace it looks at.
    fn greet(&self) {
        let mut link = [0_u8; 64];
        // "net:[4026532281]"
        let target = sys::read_link(b"/proc/self/ns/net\0", &mut link).unwrap_or(b"net:[0]");
        let inode = target.strip_prefix(b"net:[").and_then(|rest| rest.strip_suffix(b"]")).unwrap_or(b"0");
        let mut line = self.line();
        line.push(b"pitstop-watch ").number(PROTOCOL).push(b" netns=").push(inode);
        say(line);
    }

    fn line(&self) -> Line<LINE> {
        let mut line = Line::new();
        line.push(self.prefix);
        line
    }
}

/// The least pause between two probes, in µs: quick around a change, where precision counts; then ever gentler to
/// the app and its access log. A port that is down costs little to ask and may come back any moment.
fn pace(up: bool, unchanged_us: u64) -> u64 {
    match (up, unchanged_us / SECOND) {
        (_, 0) => 0,
        (true, 1..5) => 5 * MS,
        (true, _) => 50 * MS,
        (false, 1..5) => 20 * MS,
        (false, _) => 100 * MS,
    }
}

/// Writes the line at once and whole, or ends: nobody reads any more.
fn say(mut line: Line<LINE>) {
    line.push(b"\n");
    if sys::write(1, line.bytes()) != Ok(line.bytes().len()) {
        sys::exit(0)
    }
}
