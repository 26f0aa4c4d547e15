//! `lock`: PID 1 of a lock container. It runs for as long as somebody holds it.
//!
//! Whatever comes on standard input renews its lease and is said back on standard output, so that the holder knows how
//! long it holds the lock for. It ends at the end of input (the holder is gone), when the lease is over (the holder
//! sleeps, or nobody hears it) and when asked; the engine then removes the container. It never waits for a reader.

use crate::args::{self, Args};
use crate::signals::{Asked, Signals};
use crate::sys::{self, Errno, Open, POLLIN, PollFd};

/// How long it is held without a word, in ms, unless `--lease-ms` says otherwise.
const LEASE_MS: u64 = 10_000;

/// Runs until it is held no more; exit code 0.
pub fn run(mut args: Args) -> ! {
    let signals = Signals::block();
    let mut lease_ms = LEASE_MS;
    while let Some(option) = args.next() {
        match option {
            b"--lease-ms" => lease_ms = args.number(option, 3_600_000),
            other => args::usage(b"unknown option of lock", other),
        }
    }
    let mut until_us = sys::now_us() + lease_ms * 1000;
    let mut fds = [PollFd::new(signals.fd(), POLLIN), PollFd::new(0, POLLIN)];
    loop {
        sys::poll(&mut fds, until_us);
        if let Asked::Terminate | Asked::Interrupt = signals.take() {
            sys::exit(0)
        }
        if fds[1].revents != 0 {
            let mut heard = [0_u8; 64];
            match sys::read(&sys::STDIN, &mut heard) {
                Ok(0) => sys::exit(0),
                Ok(count) => {
                    until_us = sys::now_us() + lease_ms * 1000;
                    say(&heard[..count]);
                }
                Err(Errno::EAGAIN | Errno::EINTR) => {}
                Err(_) => sys::exit(0),
            }
        }
        if sys::now_us() >= until_us {
            sys::exit(0)
        }
    }
}

/// Through a descriptor of its own that never waits; what nobody takes at once is lost.
fn say(words: &[u8]) {
    if let Ok(stdout) = sys::open(b"/proc/self/fd/1\0", Open::Answer) {
        let _ = sys::write(stdout.raw(), words);
    }
}
