//! `lock`: runs while somebody holds it, and says back what it hears.

use std::io::Write;

use rustix::process::Signal;

use super::pause::blocks;
use super::{Guest, PATIENCE, wait_until};

#[test]
fn it_ends_when_its_holder_is_gone() {
    let mut guest = Guest::start(&["lock"]);
    let mut stdin = guest.stdin();
    stdin.write_all(b"1\n").unwrap();
    assert_eq!(guest.line(), "1");
    assert!(guest.child.try_wait().unwrap().is_none(), "it waits while stdin is open");
    drop(stdin);
    assert_eq!(guest.exit_code(), Some(0));
}

#[test]
fn it_ends_when_its_holder_says_nothing_any_more() {
    let mut guest = Guest::start(&["lock", "--lease-ms", "200"]);
    let _held = guest.stdin();
    assert_eq!(guest.exit_code(), Some(0));
}

#[test]
fn it_ends_when_it_is_asked_to() {
    let mut guest = Guest::start(&["lock"]);
    let _held = guest.stdin();
    wait_until("lock to have blocked its signals", PATIENCE, || blocks(&guest, Signal::TERM));
    guest.signal(Signal::TERM);
    assert_eq!(guest.exit_code(), Some(0));
}
