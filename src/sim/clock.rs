//! The simulated engine's own clocks: tokio's time, so that a test can pause it, and a wall clock that runs along with it.

use jiff::{SignedDuration, Timestamp};
use std::time::Duration;
use tokio::time::Instant;

/// When the engine's machine "booted", in microseconds of its monotonic clock: never 0, as on a real one.
const UPTIME_US: u64 = 3_600_000_000;

/// Both clocks, begun together.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    begun: Instant,
    wall: Timestamp,
}

impl Clock {
    /// Starts now; `wall` is what the wall clock shows then, the real time unless told.
    pub fn start(wall: Option<Timestamp>) -> Self {
        Self { begun: Instant::now(), wall: wall.unwrap_or_else(Timestamp::now) }
    }

    /// Now, for durations.
    pub fn instant() -> Instant {
        Instant::now()
    }

    /// What the wall clock shows.
    pub fn wall(self) -> Timestamp {
        self.wall_at(Instant::now())
    }

    /// What the wall clock shows at a moment.
    pub fn wall_at(self, at: Instant) -> Timestamp {
        let passed = SignedDuration::try_from(at.saturating_duration_since(self.begun)).unwrap_or_default();
        self.wall.saturating_add(passed).unwrap_or(self.wall)
    }

    /// Microseconds of the machine's monotonic clock at a moment.
    pub fn micros(self, at: Instant) -> u64 {
        let passed = at.saturating_duration_since(self.begun);
        UPTIME_US.saturating_add(u64::try_from(passed.as_micros()).unwrap_or(u64::MAX))
    }

    /// A moment so long ago, and what the wall clock showed then; as far back as this machine's clock goes.
    pub fn ago(self, age: Duration) -> (Instant, Timestamp) {
        let now = Instant::now();
        let age_shown = SignedDuration::try_from(age).unwrap_or_default();
        let wall = self.wall_at(now);
        (now.checked_sub(age).unwrap_or(now), wall.saturating_sub(age_shown).unwrap_or(wall))
    }
}
