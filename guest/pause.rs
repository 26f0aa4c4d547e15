//! `pause`: PID 1 of a sandbox. It holds the namespaces by being there, collects orphans, and ends at once when asked.
//!
//! With `--until-stdin-closes` it also ends when whoever holds its stdin is gone: that makes a lock container.

use crate::args::{self, Args};
use crate::signals::{Asked, Signals};
use crate::sys::{self, POLLIN, PollFd};

/// Runs until SIGTERM or SIGINT; exit code 0.
pub fn run(mut args: Args) -> ! {
    let signals = Signals::block();
    let mut fds = [PollFd::new(signals.fd(), POLLIN), PollFd::UNUSED];
    while let Some(option) = args.next() {
        match option {
            b"--until-stdin-closes" => fds[1] = PollFd::new(0, POLLIN),
            other => args::usage(b"unknown option of pause", other),
        }
    }
    // Children may have been handed over before the signals were blocked.
    while sys::reap_one() {}
    loop {
        sys::poll(&mut fds, u64::MAX);
        if signals.take() != Asked::Nothing || fds[1].revents != 0 {
            sys::exit(0)
        }
    }
}
