//! A program that came by its gate: its `bind`s that wait, and the answers to them.
//!
//! Who may go on is `arbiter.rs`'s to decide.

use crate::bind::Call;
use crate::gate::TOKEN;
use crate::notify;
use crate::sys::Fd;
use crate::text::Line;

/// Calls of one program that wait at once: threads and processes that bind the same port.
pub const CALLS: usize = 16;

/// A program that came by its gate, and lives.
pub struct Program {
    pub token: Line<{ TOKEN + 1 }>,
    pub processes: Option<Fd>,
    pub own: Option<Fd>,
    /// Where its `bind`s are asked for, if they are.
    pub listener: Option<Fd>,
    pub waiting: [Call; CALLS],
    pub count: usize,
    /// Ports it has got lately, where it is now itself who has them: servers bind each port for both families.
    pub passed: [u16; CALLS],
    pub next: usize,
}

impl Program {
    /// An answer to who is asked for no more.
    pub fn let_go(&self, id: u64) {
        if let Some(listener) = &self.listener {
            notify::let_pass(listener, id);
        }
    }

    pub fn pass(&mut self, id: u64, port: u16) {
        self.let_go(id);
        self.has(port);
    }

    pub fn has(&mut self, port: u16) {
        self.passed[self.next % CALLS] = port;
        self.next += 1;
    }

    /// The first that waits has got what it wants. An asker that was interrupted meanwhile asks anew.
    pub fn is_done(&mut self, call: Call) {
        if let Some(listener) = &self.listener {
            let _ = notify::is_done(listener, call.id);
        }
        self.waiting.copy_within(1..self.count, 0);
        self.count -= 1;
        self.has(call.port);
    }

    /// Lets those go on whose port `may`, at most so many; how many did.
    pub fn let_pass(&mut self, may: impl Fn(u16) -> bool, most: usize) -> usize {
        let (mut kept, mut passed) = (0, 0);
        for at in 0..self.count {
            let call = self.waiting[at];
            if passed < most && may(call.port) {
                self.pass(call.id, call.port);
                passed += 1;
            } else {
                self.waiting[kept] = call;
                kept += 1;
            }
        }
        self.count = kept;
        passed
    }
}
