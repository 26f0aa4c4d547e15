//! `pause`: ends when asked, and leaves no zombies.

use std::fs;
use std::process::Command;

use rustix::process::Signal;

use super::{Guest, PATIENCE, PROGRAM, wait_until};

#[test]
fn ends_with_zero_on_sigterm_and_sigint() {
    for signal in [Signal::TERM, Signal::INT] {
        for args in [&["pause"][..], &[]] {
            let mut guest = Guest::start(args);
            // Asked before it has blocked the signal, a process that is not PID 1 ends by it: wait for the block.
            wait_until("pause to have blocked its signals", PATIENCE, || blocks(&guest, signal));
            guest.signal(signal);
            assert_eq!(guest.exit_code(), Some(0), "{signal:?} {args:?}");
        }
    }
}

#[test]
fn other_signals_it_may_get_do_not_wake_it_into_ending() {
    let mut guest = Guest::start(&["pause"]);
    wait_until("pause to have blocked its signals", PATIENCE, || blocks(&guest, Signal::TERM));
    guest.signal(Signal::CHILD);
    guest.signal(Signal::STOP);
    guest.signal(Signal::CONT);
    guest.signal(Signal::TERM);
    assert_eq!(guest.exit_code(), Some(0));
}

#[test]
fn collects_children_that_end() {
    // The shell's children become the guest's when the shell turns into the guest; one ends before, one after.
    let script = format!("true & sleep 0.2 & exec {PROGRAM} pause");
    let mut guest = Guest::spawn(Command::new("sh").args(["-c", &script]));
    wait_until("the shell to be the guest", PATIENCE, || blocks(&guest, Signal::TERM));
    // This lists zombies too.
    let pid = guest.child.id();
    let children = format!("/proc/{pid}/task/{pid}/children");
    wait_until("all children to be collected", PATIENCE, || fs::read_to_string(&children).unwrap().trim().is_empty());
    guest.signal(Signal::TERM);
    assert_eq!(guest.exit_code(), Some(0));
}

/// Whether the guest has blocked `signal`, from `/proc/PID/status`.
pub(super) fn blocks(guest: &Guest, signal: Signal) -> bool {
    let status = fs::read_to_string(format!("/proc/{}/status", guest.child.id())).unwrap();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigBlk:")).unwrap().trim();
    u64::from_str_radix(mask, 16).unwrap() & 1 << (signal.as_raw() - 1) != 0
}
