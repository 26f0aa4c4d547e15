//! Bytes to the terminal, which may take none for a while: stopped by ctrl-S further out, or at the end of a link that hangs.
//!
//! A write that waits inside the kernel can't be asked to end, so the terminal is opened once more for this alone, never to
//! wait there (the description that a shell shares stays as it is); waiting is done here. Past the standard library's buffer
//! and its lock: whoever panicked may hold it. Must not know what is written.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags, open};
use rustix::io::Errno;
use rustix::termios::{QueueSelector, tcflush};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

/// Between looks whether the end is wanted.
const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
/// Looks in vain, once the end is wanted or the terminal is being given back: a second.
const PATIENCE: u32 = 10;

/// Somebody has asked this process to end.
static ENDING: AtomicBool = AtomicBool::new(false);

/// From now on nothing waits for the terminal longer than a second.
pub fn hurry() {
    ENDING.store(true, Ordering::SeqCst);
}

/// Whether it does not.
pub fn is_hurried() -> bool {
    ENDING.load(Ordering::SeqCst)
}

/// Writes all of it, however long the terminal takes; `TIMEDOUT` when the end is wanted meanwhile.
pub fn write(bytes: &[u8]) -> Result<(), Errno> {
    write_while(bytes, || !is_hurried())
}

/// Writes what must be the last thing that the terminal hears: where it takes nothing for a second, in place of all that it
/// has not taken yet.
pub fn write_last(bytes: &[u8]) -> Result<(), Errno> {
    match write_while(bytes, || false) {
        Err(Errno::TIMEDOUT) => {
            tcflush(terminal(), QueueSelector::OFlush)?;
            write_while(bytes, || false)
        }
        done => done,
    }
}

/// `waits`: it is waited for as long as it takes.
fn write_while(mut bytes: &[u8], waits: impl Fn() -> bool) -> Result<(), Errno> {
    let mut looks = 0;
    while !bytes.is_empty() {
        match rustix::io::write(terminal(), bytes) {
            Ok(written) => (bytes, looks) = (&bytes[written..], 0),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                if waits() {
                    looks = 0;
                } else if looks == PATIENCE {
                    return Err(Errno::TIMEDOUT);
                }
                looks += 1;
                // Whatever comes of it, the next write tells.
                let _ = poll(&mut [PollFd::from_borrowed_fd(terminal(), PollFlags::OUT)], Some(&LOOK));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The terminal, opened never to wait; where that is not allowed, as it is.
fn terminal() -> std::os::fd::BorrowedFd<'static> {
    static OWN: OnceLock<Option<OwnedFd>> = OnceLock::new();
    static SHARED: OnceLock<io::Stdout> = OnceLock::new();
    let flags = OFlags::WRONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    match OWN.get_or_init(|| open("/proc/self/fd/1", flags, Mode::empty()).ok()) {
        Some(own) => own.as_fd(),
        None => SHARED.get_or_init(io::stdout).as_fd(),
    }
}
