//! Commands to PID 1, a line each on its standard input, and the watchers they begin.
//!
//! ```text
//! watch ID SPEC [--every MS] [--timeout MS]   begin to watch; each line of `watch.rs`, `ID ` in front, on stdout
//! keep ID                                     a console still reads: the watch's lease begins anew
//! end ID                                      end the watch
//! hold|swap|beside|go ID TOKEN …              hold a new version back, let it go: see `arbiter.rs`
//! ```
//!
//! An ID is 1 to 32 of `[a-z0-9-]`, chosen by whoever asks: several consoles may be attached at once, and each reads
//! the lines of its own. A watcher is a child process, killed when its lease is over ([`LEASE_MS`] since the last
//! `watch` or `keep`), so a console that dies leaves nothing. What goes wrong is told as `ID error WHY`, or `error WHY`
//! where there is no ID. PID 1 itself never waits for a reader: an answer that nobody takes at once is lost.

use crate::answer::say;
use crate::arbiter::Arbiter;
use crate::args;
use crate::probe::{Leash, Spec};
use crate::signals;
use crate::sys::{self, Errno, Pid};
use crate::text::Line;
use crate::watch::{LONGEST_MS, Watch};

/// How long a watch lives without a word from its console, in ms, unless `--lease-ms` says otherwise.
pub const LEASE_MS: u64 = 10_000;

/// Watches at a time.
const WATCHES: usize = 16;
/// The longest command: a path of 1024 bytes and its company.
const COMMAND: usize = 1280;
const ID: usize = 32;

/// What has been read, and the watches under way.
pub struct Commands {
    lease_us: u64,
    line: [u8; COMMAND],
    len: usize,
    /// The line is longer than there is room for: the rest of it is dropped.
    too_long: bool,
    watches: [Option<Leased>; WATCHES],
}

/// A watcher, by its console's name for it.
struct Leased {
    id: Line<{ ID + 1 }>,
    pid: Pid,
    until_us: u64,
}

impl Commands {
    pub fn new(lease_ms: u64) -> Self {
        let watches = [const { None }; WATCHES];
        Self { lease_us: lease_ms * 1000, line: [0; COMMAND], len: 0, too_long: false, watches }
    }

    /// When a lease ends next, on [`sys::now_us`]'s clock.
    pub fn next_us(&self) -> u64 {
        self.watches.iter().flatten().map(|watch| watch.until_us).min().unwrap_or(u64::MAX)
    }

    /// Kills those whose lease is over.
    pub fn expire(&mut self) {
        for slot in &mut self.watches {
            if let Some(watch) = slot.take_if(|watch| watch.until_us <= sys::now_us()) {
                sys::kill(watch.pid);
                complain(watch.id.bytes(), b"nobody kept it");
            }
        }
    }

    /// A collected child is no watcher any more, and its number may become another process's.
    pub fn forget(&mut self, pid: Pid) {
        for slot in &mut self.watches {
            slot.take_if(|watch| watch.pid == pid);
        }
    }

    /// Reads what has arrived, once, and does what its whole lines say; false at the end of input.
    pub fn read(&mut self, arbiter: &mut Arbiter) -> bool {
        let from = self.len;
        let count = match sys::read(&sys::STDIN, &mut self.line[from..]) {
            Ok(0) => return false,
            Ok(count) => count,
            Err(Errno::EAGAIN | Errno::EINTR) => return true,
            Err(_) => return false,
        };
        self.len += count;
        while let Some(end) = self.line[..self.len].iter().position(|byte| *byte == b'\n') {
            let line = self.line;
            if core::mem::take(&mut self.too_long) {
                complain(b"", b"line too long");
            } else {
                self.take(&line[..end], arbiter);
            }
            self.line.copy_within(end + 1..self.len, 0);
            self.len -= end + 1;
        }
        if self.len == COMMAND {
            self.too_long = true;
            self.len = 0;
        }
        true
    }

    fn take(&mut self, line: &[u8], arbiter: &mut Arbiter) {
        let mut words = line.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
        let (command, id) = (words.next().unwrap_or(b""), words.next().unwrap_or(b""));
        let proper = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-';
        if !(1..=ID).contains(&id.len()) || !id.iter().all(proper) {
            return complain(b"", b"not COMMAND ID");
        }
        let said = match command {
            b"watch" => self.watch(id, words, arbiter),
            b"hold" | b"swap" | b"beside" | b"go" => arbiter.command(command, id, words),
            b"keep" if words.next().is_none() => self.keep(id),
            b"end" if words.next().is_none() => {
                self.end(id);
                Ok(())
            }
            _ => Err(&b"not watch, keep, end, hold, swap, beside or go ID"[..]),
        };
        if let Err(why) = said {
            complain(id, why);
        }
    }

    fn watch<'a>(
        &mut self,
        id: &[u8],
        mut words: impl Iterator<Item = &'a [u8]>,
        arbiter: &mut Arbiter,
    ) -> Result<(), &'static [u8]> {
        let spec = words.next().and_then(Spec::parse).ok_or(&b"not tcp:PORT or http:PORT/PATH"[..])?;
        let mut prefix = Line::<{ ID + 2 }>::new();
        prefix.push(id).push(b" ");
        let mut watch = Watch::new(prefix.bytes(), spec);
        while let Some(option) = words.next() {
            let value = words.next().and_then(args::number).filter(|ms| *ms <= LONGEST_MS);
            if !value.is_some_and(|ms| watch.set(option, ms)) {
                return Err(b"not --every MS or --timeout MS");
            }
        }
        if self.find(id).is_some() {
            return Err(b"taken");
        }
        let slot = self.watches.iter_mut().find(|slot| slot.is_none()).ok_or(&b"too many"[..])?;
        let Some(pid) = sys::fork().map_err(|_| &b"cannot fork"[..])? else {
            signals::block_pipe();
            *arbiter = Arbiter::none();
            // Its life is its lease, which the parent ends.
            watch.go_on(&Leash { stdin: false, life_us: u64::MAX })
        };
        let mut name = Line::new();
        name.push(id);
        *slot = Some(Leased { id: name, pid, until_us: sys::now_us() + self.lease_us });
        Ok(())
    }

    fn keep(&mut self, id: &[u8]) -> Result<(), &'static [u8]> {
        let until_us = sys::now_us() + self.lease_us;
        let watch = self.find(id).and_then(Option::as_mut).ok_or(&b"no such watch"[..])?;
        watch.until_us = until_us;
        Ok(())
    }

    /// One that is gone already is no error.
    fn end(&mut self, id: &[u8]) {
        if let Some(watch) = self.find(id).and_then(Option::take) {
            sys::kill(watch.pid);
        }
    }

    fn find(&mut self, id: &[u8]) -> Option<&mut Option<Leased>> {
        self.watches.iter_mut().find(|slot| slot.as_ref().is_some_and(|watch| watch.id.bytes() == id))
    }
}

fn complain(id: &[u8], why: &[u8]) {
    let mut line = Line::<96>::new();
    line.push(b"error ").push(why);
    say(id, line.bytes());
}
