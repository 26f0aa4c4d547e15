//! The terminal's bytes as they are, while a shell in a container has it.
//!
//! Modes are put back however it ends: by the guard's drop, or by whoever ends the console.

use super::outlet;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::mpsc;

/// What programs may have switched on, off again: mouse, cursor keys, focus, wrapped lines.
const OFF: &[u8] = b"\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1004l\x1b[?1l\x1b>\x1b[?7h\x1b[m\r\n";
/// Between looks whether it is over.
const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

/// The terminal, raw, and what is typed there.
pub struct Raw {
    before: Termios,
    over: Arc<AtomicBool>,
    pub typed: mpsc::Receiver<Vec<u8>>,
}

impl Raw {
    /// Makes it raw and begins to read.
    pub fn begin() -> io::Result<Self> {
        let stdin = io::stdin();
        let before = tcgetattr(&stdin)?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(&stdin, OptionalActions::Now, &raw)?;
        let (tell, typed) = mpsc::channel(64);
        let over = Arc::<AtomicBool>::default();
        let ends = over.clone();
        std::thread::spawn(move || read(&tell, &ends));
        Ok(Self { before, over, typed })
    }

    /// Shows what the shell wrote.
    pub fn show(bytes: &[u8]) -> io::Result<()> {
        Ok(outlet::write(bytes)?)
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        // A terminal that is gone can't be put back.
        let _ = outlet::write_last(OFF);
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.before);
    }
}

fn read(tell: &mpsc::Sender<Vec<u8>>, over: &AtomicBool) {
    let stdin = io::stdin();
    while !over.load(Ordering::SeqCst) {
        let mut fds = [PollFd::new(&stdin, PollFlags::IN)];
        match poll(&mut fds, Some(&LOOK)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => continue,
            Err(_) => return,
            // What is typed after its end is the console's.
            Ok(_) if over.load(Ordering::SeqCst) => return,
            Ok(_) => {}
        }
        let mut bytes = vec![0; 4096];
        match rustix::io::read(&stdin, &mut bytes) {
            Ok(0) | Err(_) => return,
            Ok(n) => {
                bytes.truncate(n);
                if tell.blocking_send(bytes).is_err() {
                    return;
                }
            }
        }
    }
}
