//! Signals as something to wait for, beside other descriptors.
//!
//! PID 1 gets no signal with a default action, except a blocked one: so they are blocked and read, with no
//! handler and no restorer.

use crate::sys::{self, Fd};
use crate::text::Line;

const INT: u32 = 2;
const PIPE: u32 = 13;
const TERM: u32 = 15;
const CHLD: u32 = 17;

const fn bit(signal: u32) -> u64 {
    1 << (signal - 1)
}

/// Makes writing to a closed pipe or connection an error, not the process's end; every other signal gets through.
pub fn block_pipe() {
    let _ = sys::block_signals(bit(PIPE));
}

/// The signals a PID 1 answers to: TERM, INT, CHLD.
pub struct Signals {
    fd: Fd,
    /// What was blocked before.
    before: u64,
}

/// What [`Signals::take`] found.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    Nothing,
    /// To collect children, one or more, with [`sys::reap_one`].
    Collect,
    Terminate,
    Interrupt,
}

impl Signals {
    pub fn block() -> Self {
        let mask = bit(TERM) | bit(INT) | bit(CHLD);
        let before = sys::block_signals(mask | bit(PIPE));
        match sys::signal_fd(mask) {
            Ok(fd) => Self { fd, before },
            Err(error) => {
                let mut line = Line::<96>::new();
                line.push(b"pitstop-guest: no signalfd: error ").number(error.0 as u64).push(b"\n");
                let _ = sys::write(2, line.bytes());
                sys::exit(1)
            }
        }
    }

    /// Blocks what was blocked before, for a program that takes this one's place.
    pub fn give_back(self) {
        let _ = sys::block_signals(self.before);
    }

    /// The descriptor to poll for input.
    pub fn fd(&self) -> i32 {
        self.fd.raw()
    }

    /// Reads one waiting signal, if any.
    pub fn take(&self) -> Asked {
        // struct signalfd_siginfo is 128 bytes; the signal's number comes first.
        let mut info = [0_u8; 128];
        if sys::read(&self.fd, &mut info) != Ok(info.len()) {
            return Asked::Nothing;
        }
        match u32::from_ne_bytes([info[0], info[1], info[2], info[3]]) {
            TERM => Asked::Terminate,
            INT => Asked::Interrupt,
            _ => Asked::Collect,
        }
    }
}
