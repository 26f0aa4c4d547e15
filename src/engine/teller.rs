//! Tells an operation's events: numbers and stamps them, writes them down, and hands them to whoever listens.
//!
//! The only place where that happens. Must not decide what is told.

use super::clock;
use super::record::{Pending, Recorder};
use crate::domain::event::{EventKind, OpEvent, VERSION};
use crate::domain::ids::OpId;
use crate::domain::record::Intent;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Of one operation.
pub(super) struct Teller {
    op: OpId,
    seq: u64,
    started: Instant,
    events: mpsc::UnboundedSender<OpEvent>,
    recorder: Option<Recorder>,
}

impl Teller {
    /// Of the operation `op`, which begins now.
    pub fn new(op: OpId, events: mpsc::UnboundedSender<OpEvent>, recorder: Option<Recorder>) -> Self {
        Self { op, seq: 0, started: clock::instant(), events, recorder }
    }

    /// Whether what it tells is written down, too.
    pub fn records(&self) -> bool {
        self.recorder.is_some()
    }

    /// Since the operation began.
    pub fn elapsed_ms(&self) -> u64 {
        clock::since(self.started)
    }

    fn stamp(&mut self, kind: EventKind) -> OpEvent {
        let event = OpEvent {
            v: VERSION,
            op: self.op.clone(),
            seq: self.seq,
            at: clock::wall(),
            elapsed_ms: self.elapsed_ms(),
            kind,
        };
        self.seq += 1;
        event
    }

    /// Tells it now.
    pub fn tell(&mut self, kind: EventKind) {
        let event = self.stamp(kind);
        if let Some(recorder) = &mut self.recorder {
            recorder.event(&event);
        }
        // Nobody has to listen for the operation to go on.
        let _ = self.events.send(event);
    }

    /// The last event is told when it is written down: the process may end right behind it.
    pub async fn tell_last(&mut self, kind: EventKind) {
        let event = self.stamp(kind);
        if let Some(pending) = self.recorder.as_mut().and_then(|recorder| recorder.synced(&event)) {
            let _ = pending.durable().await;
        }
        let _ = self.events.send(event);
    }

    /// Writes down what can't be taken back, and is to be waited for.
    pub fn intend(&self, intent: Intent) -> Option<Pending> {
        self.recorder.as_ref()?.intent(self.seq, clock::wall(), self.elapsed_ms(), intent)
    }

    /// Why the record is not complete, as soon as that is so.
    pub async fn record_lost(&mut self) -> String {
        match &mut self.recorder {
            Some(recorder) => recorder.lost().await,
            None => std::future::pending().await,
        }
    }
}
