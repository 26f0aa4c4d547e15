//! Keys: read from the terminal by a thread that reads only while there is something to read.
//!
//! The library's own reader spins for ever on a terminal that is gone, so it is asked only after `poll` said that there is
//! input and no hang-up; a second thread waits for nothing but the hang-up, because a read of half a sequence may block.

use crossterm::event::{self, Event};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, mpsc};

/// Events held for a console that is busy.
const INBOX: usize = 1024;
/// For input that is no whole event yet.
const PATIENCE: Duration = Duration::from_millis(50);

/// What is typed, pasted or resized.
pub struct Keys {
    inbox: mpsc::Receiver<Event>,
    hung_up: Arc<Notify>,
    gate: Arc<Gate>,
}

/// Shut while somebody else reads the terminal.
#[derive(Default)]
struct Gate {
    shut: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    fn set(&self, shut: bool) {
        *self.shut.lock().unwrap_or_else(PoisonError::into_inner) = shut;
        self.opened.notify_all();
    }

    fn is_shut(&self) -> bool {
        *self.shut.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until it is open.
    fn pass(&self) {
        let shut = self.shut.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.opened.wait_while(shut, |shut| *shut).unwrap_or_else(PoisonError::into_inner));
    }
}

impl Keys {
    /// Begins to listen; once in a process.
    pub fn listen() -> Self {
        let (tell, inbox) = mpsc::channel(INBOX);
        let hung_up = Arc::<Notify>::default();
        let gone = hung_up.clone();
        let gate = Arc::<Gate>::default();
        let its = gate.clone();
        std::thread::spawn(move || read(&tell, &its));
        std::thread::spawn(move || {
            while wait(PollFlags::empty()) {}
            gone.notify_one();
        });
        Self { inbox, hung_up, gate }
    }

    /// The next event; `None`: the terminal is gone.
    pub async fn next(&mut self) -> Option<Event> {
        tokio::select! {
            biased;
            () = self.hung_up.notified() => None,
            event = self.inbox.recv() => event,
        }
    }

    /// Reads no keys from now on, until [`Keys::take`].
    pub fn lend(&self) {
        self.gate.set(true);
    }

    /// Reads keys again.
    pub fn take(&self) {
        self.gate.set(false);
    }

    /// What has been typed already, without waiting.
    pub fn at_once(&mut self) -> Option<Event> {
        self.inbox.try_recv().ok()
    }
}

/// Waits for `what` on the terminal, and for a hang-up; false when the terminal is gone.
fn wait(what: PollFlags) -> bool {
    let (stdin, stdout) = (io::stdin(), io::stdout());
    let mut fds = [PollFd::new(&stdin, what), PollFd::new(&stdout, PollFlags::empty())];
    match poll(&mut fds, None) {
        Ok(_) => {
            let gone = PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL;
            !fds.iter().any(|fd| fd.revents().intersects(gone))
        }
        Err(error) => error == Errno::INTR,
    }
}

fn read(tell: &mpsc::Sender<Event>, gate: &Gate) {
    while wait(PollFlags::IN) {
        if gate.is_shut() {
            gate.pass();
            continue;
        }
        // More than one event may come of one read; half of one is waited for, but not in a hurry.
        while let Ok(true) = event::poll(PATIENCE) {
            let Ok(event) = event::read() else { return };
            if tell.blocking_send(event).is_err() {
                return;
            }
        }
    }
}
