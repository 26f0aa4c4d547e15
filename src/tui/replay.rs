//! A record that is looked at: its operation as it stood at any moment of its time, played at any speed. One that is still being
//! written is followed at its end, as the console that writes it shows it.
//!
//! Pure: the console's clock comes from outside. What is shown is the same fold over the same events as of a live
//! operation; to go back it is done anew from the beginning.

use super::operation::{OpView, View};
use crate::domain::duration::millis;
use crate::domain::event::EventKind;
use crate::domain::record::{Record, Summary};
use jiff::Timestamp;
use std::time::Duration;

/// So many times as fast as it was: words, and hundredths.
pub const SPEEDS: [(&str, u64); 9] = [
    ("0.1×", 10),
    ("0.25×", 25),
    ("0.5×", 50),
    ("1×", 100),
    ("2×", 200),
    ("5×", 500),
    ("10×", 1_000),
    ("50×", 5_000),
    ("200×", 20_000),
];
/// As fast as it was.
const NORMAL: usize = 3;
/// So many steps to the side go from one end to the other.
const STEPS: u64 = 20;

/// Between looks at a record that is being written.
pub const AGAIN: Duration = Duration::from_millis(400);

/// A record on screen.
#[derive(Clone, Debug)]
pub struct Replay {
    pub record: Record,
    pub summary: Summary,
    /// As it stood at that moment.
    pub shown: OpView,
    /// Milliseconds since its beginning.
    pub at: u64,
    /// Of its last event.
    pub length: u64,
    /// Among [`SPEEDS`].
    pub speed: usize,
    /// While it plays: the console's time, and the moment it showed then.
    playing: Option<(Duration, u64)>,
    /// Events taken in.
    taken: usize,
    /// The console's time when the record was read last.
    pub read: Duration,
}

impl Replay {
    /// At its end. `running`: a console is writing it.
    pub fn new(mut record: Record, running: bool) -> Self {
        let length = ordered(&mut record);
        let summary = record.summary(running);
        let shown = OpView::new(record.op.clone(), None, Duration::ZERO);
        let mut replay = Self {
            record,
            summary,
            shown,
            at: 0,
            length,
            speed: NORMAL,
            playing: None,
            taken: 0,
            read: Duration::ZERO,
        };
        replay.show(length);
        replay
    }

    /// It was read again: who looks at its end goes on looking at its end.
    pub fn renew(&mut self, mut record: Record, running: bool, now: Duration) {
        let follows = self.follows();
        self.length = ordered(&mut record);
        self.summary = record.summary(running);
        self.record = record;
        self.read = now;
        if follows {
            self.show(self.length);
        } else {
            self.shown.broken_off = self.is_broken_off();
        }
    }

    /// It is being written, and its end is what is shown.
    pub fn follows(&self) -> bool {
        self.summary.running && self.playing.is_none() && self.at >= self.length
    }

    /// It plays.
    pub fn is_playing(&self) -> bool {
        self.playing.is_some()
    }

    /// Plays on, from the beginning when it is at its end; or holds.
    pub fn play(&mut self, now: Duration) {
        if self.playing.take().is_none() {
            let from = if self.at >= self.length { 0 } else { self.at };
            self.show(from);
            self.playing = Some((now, from));
        }
    }

    /// The next speed, or the one before.
    pub fn change_speed(&mut self, faster: bool, now: Duration) {
        let last = SPEEDS.len() - 1;
        self.speed = if faster { (self.speed + 1).min(last) } else { self.speed.saturating_sub(1) };
        self.playing = self.playing.map(|_| (now, self.at));
    }

    /// The speed nearest to so many times as fast.
    pub fn set_speed(&mut self, hundredths: u64) {
        self.speed = (0..SPEEDS.len()).min_by_key(|i| SPEEDS[*i].1.abs_diff(hundredths)).unwrap_or(NORMAL);
    }

    /// A step on, or back; it goes on playing from there.
    pub fn step(&mut self, on: bool, now: Duration) {
        let step = (self.length / STEPS).max(1);
        self.seek(if on { self.at.saturating_add(step) } else { self.at.saturating_sub(step) }, now);
    }

    /// To a moment.
    pub fn seek(&mut self, at: u64, now: Duration) {
        self.show(at.min(self.length));
        self.playing = self.playing.filter(|_| self.at < self.length).map(|_| (now, self.at));
    }

    /// Goes on with the console's clock. `wall`: what time it is for who writes the record.
    pub fn tick(&mut self, now: Duration, wall: Timestamp) {
        let Some((since, from)) = self.playing else {
            // Bars of what runs grow between two events.
            if let Some(last) = self.record.events.last().filter(|_| self.follows()) {
                let passed = wall.as_millisecond().saturating_sub(last.at.as_millisecond());
                self.shown.at = Some(last.elapsed_ms.saturating_add(u64::try_from(passed).unwrap_or(0)));
            }
            return;
        };
        let passed = millis(now.saturating_sub(since)).saturating_mul(SPEEDS[self.speed].1) / 100;
        self.show(from.saturating_add(passed).min(self.length));
        if self.at == self.length {
            self.playing = None;
        }
    }

    /// Nothing more comes of it, and its end is not in the record.
    pub fn is_broken_off(&self) -> bool {
        self.at >= self.length && self.summary.outcome.is_none() && !self.summary.running
    }

    fn show(&mut self, at: u64) {
        if at < self.at || self.taken == 0 {
            let old = &self.shown;
            let (view, selected, moved): (View, _, _) = (old.view, old.selected, old.moved);
            self.shown = OpView::new(self.record.op.clone(), None, Duration::ZERO);
            (self.shown.view, self.shown.selected, self.shown.moved) = (view, selected, moved);
            self.taken = 0;
        }
        // The operation's own end comes with its last moment, however late its event was told.
        while let Some(event) = self.record.events.get(self.taken).filter(|event| event.elapsed_ms <= at) {
            self.shown.apply(event, Duration::ZERO);
            self.taken += 1;
        }
        self.at = at;
        self.shown.at = Some(at);
        self.shown.broken_off = self.is_broken_off();
    }
}

/// Puts events into the order of their time, because a record may be from anywhere; how long it is, in milliseconds.
fn ordered(record: &mut Record) -> u64 {
    record.events.sort_by_key(|event| event.elapsed_ms);
    let ends = record.events.iter().map(|event| match &event.kind {
        EventKind::Finished(finished) => finished.took_ms.max(event.elapsed_ms),
        _ => event.elapsed_ms,
    });
    ends.max().unwrap_or(0)
}
