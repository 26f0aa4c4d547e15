//! Ports on the machine that nobody else gets meanwhile.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering};

/// The first of `count` host ports in a row that are free now, and that no other test of this run is given.
pub fn free_ports(count: u16) -> u16 {
    static GIVEN: AtomicU16 = AtomicU16::new(0);
    // Below the range from which the kernel gives out ports by itself.
    let from = 20000 + u16::try_from(std::process::id() % 9000).unwrap();
    let free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
    let next = || from + GIVEN.fetch_add(count, Ordering::Relaxed);
    std::iter::repeat_with(next).find(|first| (*first..first + count).all(free)).unwrap()
}
