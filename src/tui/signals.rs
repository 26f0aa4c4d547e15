//! Signals, as numbers.

use std::io;
use std::task::Poll;
use tokio::signal::unix::{Signal, SignalKind, signal};

pub const SIGHUP: i32 = 1;
pub const SIGINT: i32 = 2;
pub const SIGTERM: i32 = 15;
pub const SIGCONT: i32 = 18;
pub const SIGTSTP: i32 = 20;
pub const SIGWINCH: i32 = 28;

/// Signals as numbers.
pub struct Signals(Vec<(i32, Signal)>);

impl Signals {
    /// Listens to those that ask for the end.
    pub fn of_the_end() -> io::Result<Self> {
        Self::of(&[SignalKind::terminate(), SignalKind::hangup(), SignalKind::interrupt()])
    }

    /// Listens to those that mean something here.
    pub fn new() -> io::Result<Self> {
        Self::of(&[
            SignalKind::terminate(),
            SignalKind::hangup(),
            SignalKind::interrupt(),
            SignalKind::window_change(),
            SignalKind::from_raw(SIGTSTP),
            SignalKind::from_raw(SIGCONT),
        ])
    }

    fn of(kinds: &[SignalKind]) -> io::Result<Self> {
        let take = |kind: &SignalKind| signal(*kind).map(|signal| (kind.as_raw_value(), signal));
        kinds.iter().map(take).collect::<io::Result<_>>().map(Self)
    }

    /// The next one that asks for the end.
    pub async fn end(&mut self) -> i32 {
        loop {
            if let number @ (SIGTERM | SIGHUP | SIGINT) = self.next().await {
                return number;
            }
        }
    }

    /// The next one.
    pub async fn next(&mut self) -> i32 {
        std::future::poll_fn(|context| {
            for (number, signal) in &mut self.0 {
                if signal.poll_recv(context).is_ready() {
                    return Poll::Ready(*number);
                }
            }
            Poll::Pending
        })
        .await
    }
}
