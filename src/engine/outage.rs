//! The engine goes away and comes back: who waits for it, for how long, and how deadlines stand still meanwhile.
//!
//! One per operation, shared by all its steps. Whether an engine that did not answer is gone is found out by asking it
//! again, and told once, however many steps notice. Must not know what anybody was doing.

use super::clock;
use crate::docker::Docker;
use crate::domain::duration::millis;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, mpsc, watch};
use tokio::time::Instant;

/// Between two attempts to reach it: first, and at most.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));

/// What an operation should tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    /// It does not answer; it is waited for.
    Lost { grace_ms: u64 },
    /// It answers again.
    Back { after_ms: u64 },
}

/// The engine did not come back within the grace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gone;

/// An eye on one engine.
pub(super) struct Outage {
    docker: Docker,
    grace: Duration,
    state: watch::Sender<State>,
    /// Held by whoever asks: once is enough.
    asking: Mutex<()>,
    signs: mpsc::UnboundedSender<Sign>,
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    /// Gone since.
    since: Option<Instant>,
    /// All ended outages together.
    away: Duration,
    count: u32,
    /// Waited for in vain: whoever notices from now on asks once and does not wait.
    given_up: bool,
}

impl Outage {
    /// All is well so far. The receiver hears of what changes.
    pub fn new(docker: &Docker, grace: Duration) -> (Arc<Self>, mpsc::UnboundedReceiver<Sign>) {
        let (signs, heard) = mpsc::unbounded_channel();
        let state = watch::Sender::new(State::default());
        (Arc::new(Self { docker: docker.clone(), grace, state, asking: Mutex::new(()), signs }), heard)
    }

    /// How often the engine has come back so far: another number than before means that whatever it was doing is over.
    pub fn count(&self) -> u32 {
        self.state.borrow().count
    }

    /// Waits until the engine answers; at once where it does.
    pub async fn over(&self) -> Result<(), Gone> {
        let before = self.count();
        let _one = self.asking.lock().await;
        if self.count() != before || self.docker.answers().await {
            if self.state.borrow().since.is_some() {
                self.back();
            }
            return Ok(());
        }
        if self.state.borrow().given_up {
            return Err(Gone);
        }
        let since = clock::instant();
        self.state.send_modify(|state| state.since = Some(since));
        self.tell(Sign::Lost { grace_ms: millis(self.grace) });
        let mut pause = PAUSE.0;
        while since.elapsed() < self.grace {
            tokio::time::sleep(pause.min(self.grace.saturating_sub(since.elapsed()))).await;
            if self.docker.answers().await {
                self.back();
                return Ok(());
            }
            pause = (pause * 2).min(PAUSE.1);
        }
        self.state.send_modify(|state| state.given_up = true);
        Err(Gone)
    }

    fn back(&self) {
        let mut after = Duration::ZERO;
        self.state.send_modify(|state| {
            after = state.since.take().map_or(Duration::ZERO, |since| since.elapsed());
            state.away += after;
            state.count += 1;
            state.given_up = false;
        });
        self.tell(Sign::Back { after_ms: millis(after) });
    }

    fn tell(&self, sign: Sign) {
        // Nobody has to listen.
        let _ = self.signs.send(sign);
    }

    /// Waits for `work`, at most `limit`, not counting the time while the engine was away.
    pub async fn within<T>(&self, limit: Duration, work: impl Future<Output = T>) -> Option<T> {
        let mut work = std::pin::pin!(work);
        tokio::select! {
            biased;
            done = &mut work => Some(done),
            () = self.passed(limit) => None,
        }
    }

    /// Ends when `limit` has passed, not counting the time while the engine was away.
    pub async fn passed(&self, limit: Duration) {
        let (began, mut seen) = (clock::instant(), self.state.subscribe());
        let before = seen.borrow().away;
        loop {
            let now = *seen.borrow_and_update();
            if now.since.is_some() && !now.given_up {
                // The sender lives in `self`.
                let _ = seen.changed().await;
                continue;
            }
            tokio::select! {
                () = tokio::time::sleep_until(began + limit + now.away.saturating_sub(before)) => return,
                _ = seen.changed() => {}
            }
        }
    }
}
