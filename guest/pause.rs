//! `pause`: PID 1 of a sandbox. It holds the namespaces by being there, collects orphans, takes commands on its
//! standard input while that is open (`commands.rs`), says who of two versions may serve (`arbiter.rs`), and ends at once
//! when asked.
//!
//! Its standard input may end, or be nothing from the start: that changes nothing else.

use crate::arbiter::{self, Arbiter};
use crate::args::{self, Args};
use crate::commands::{Commands, LEASE_MS};
use crate::gate;
use crate::signals::{Asked, Signals};
use crate::sys::{self, POLLIN, PollFd};

/// Runs until SIGTERM or SIGINT; exit code 0.
pub fn run(mut args: Args) -> ! {
    sys::take_short_turns();
    let signals = Signals::block();
    let (mut lease_ms, mut name) = (LEASE_MS, gate::NAME);
    while let Some(option) = args.next() {
        match option {
            b"--lease-ms" => lease_ms = args.number(option, 3_600_000),
            b"--gate" => name = args.value(option),
            other => args::usage(b"unknown option of pause", other),
        }
    }
    let mut commands = Commands::new(lease_ms);
    // Three words of a console may get lost, as with a watch.
    let mut arbiter = Arbiter::new(name, 3 * lease_ms);
    let mut fds = [PollFd::UNUSED; 2 + arbiter::FDS];
    (fds[0], fds[1]) = (PollFd::new(signals.fd(), POLLIN), PollFd::new(0, POLLIN));
    // Children may have been handed over before the signals were blocked.
    while sys::reap_one().is_some() {}
    loop {
        arbiter.watch(&mut fds[2..]);
        sys::poll(&mut fds, commands.next_us().min(arbiter.next_us()));
        match signals.take() {
            Asked::Nothing => {}
            Asked::Collect => {
                while let Some(pid) = sys::reap_one() {
                    commands.forget(pid);
                }
            }
            Asked::Terminate | Asked::Interrupt => sys::exit(0),
        }
        arbiter.advance(&fds[2..]);
        if fds[1].revents != 0 && !commands.read(&mut arbiter) {
            fds[1] = PollFd::UNUSED;
        }
        commands.expire();
    }
}
