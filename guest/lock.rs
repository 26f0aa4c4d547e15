//! `lock`: PID 1 of a lock container. It runs for as long as somebody holds it, and not a moment longer.
//!
//! Whoever holds the lock holds this standard input and writes a line there every few seconds. The end of the input, or
//! ten seconds ([`LEASE_MS`]) without a line, ends it: a holder that was killed, or is asleep, or behind a network that
//! is cut, holds nothing any more. The engine then removes the container, and its name with it. Takes no commands.

use crate::args::{self, Args};
use crate::commands::LEASE_MS;
use crate::signals::{Asked, Signals};
use crate::sys::{self, Errno, POLLIN, PollFd};

/// Runs until nobody holds it, or until SIGTERM or SIGINT; exit code 0.
pub fn run(mut args: Args) -> ! {
    let signals = Signals::block();
    let mut lease_us = LEASE_MS * 1000;
    while let Some(option) = args.next() {
        match option {
            b"--lease-ms" => lease_us = args.number(option, 3_600_000) * 1000,
            other => args::usage(b"unknown option of lock", other),
        }
    }
    let mut until_us = sys::now_us() + lease_us;
    let mut fds = [PollFd::new(signals.fd(), POLLIN), PollFd::new(0, POLLIN)];
    loop {
        sys::poll(&mut fds, until_us);
        if matches!(signals.take(), Asked::Terminate | Asked::Interrupt) {
            sys::exit(0)
        }
        if fds[1].revents != 0 {
            let mut line = [0; 64];
            match sys::read(&sys::STDIN, &mut line) {
                Ok(0) => sys::exit(0),
                Ok(count) if line[..count].contains(&b'\n') => until_us = sys::now_us() + lease_us,
                Ok(_) | Err(Errno::EAGAIN | Errno::EINTR) => {}
                Err(_) => sys::exit(0),
            }
        }
        if sys::now_us() >= until_us {
            sys::exit(0)
        }
    }
}
