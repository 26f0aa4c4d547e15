//! The only place where time is read.
//!
//! Durations come from the monotonic clock (tokio's, so tests can pause it); the wall clock is for people and never
//! decides anything. Operation ids are made of both.

use crate::domain::ids::OpId;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::time::Instant;

/// `localtime(5)`.
const LOCAL_TIME: &str = "/etc/localtime";

/// Now, for durations.
pub fn instant() -> Instant {
    Instant::now()
}

/// Now, for people.
pub fn wall() -> Timestamp {
    Timestamp::now()
}

/// The zone in which people here read times: that of `TZ`, else the machine's.
///
/// The machine's is read from its own file: by its name it would be looked up in a directory of six hundred, and nobody asks
/// for the name.
pub fn zone() -> TimeZone {
    let own = || TimeZone::tzif("local", &std::fs::read(LOCAL_TIME).ok()?).ok();
    let own = if std::env::var_os("TZ").is_some() { None } else { own() };
    own.unwrap_or_else(TimeZone::system)
}

/// Milliseconds since `start`.
pub fn since(start: Instant) -> u64 {
    crate::domain::duration::millis(start.elapsed())
}

/// A new operation's id: UTC time, then what tells two consoles in the same second apart, e.g. `20261122-101502-3f2a01`.
pub fn operation_id() -> OpId {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let now = wall();
    let salt = (u64::from(std::process::id()) << 20) ^ u64::from(now.subsec_nanosecond().unsigned_abs());
    let salt = (salt ^ (salt >> 24)) & 0xffff;
    let count = COUNT.fetch_add(1, Ordering::Relaxed) & 0xff;
    let text = format!("{}-{salt:04x}{count:02x}", now.to_zoned(TimeZone::UTC).strftime("%Y%m%d-%H%M%S"));
    // The format above is always valid; the fallback keeps this total.
    OpId::new(text).unwrap_or_else(|_| unreachable_id())
}

#[expect(clippy::panic, reason = "the id's format is fixed and tested")]
fn unreachable_id() -> OpId {
    panic!("an operation id is letters, digits and dashes")
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use jiff::tz::TimeZone;

    #[test]
    fn the_zone_is_the_machines() {
        for second in [0, 1_700_000_000, 1_720_000_000] {
            let at = Timestamp::from_second(second).unwrap();
            assert_eq!(at.to_zoned(super::zone()).datetime(), at.to_zoned(TimeZone::system()).datetime());
        }
    }

    #[test]
    fn ids_sort_by_time_and_differ() {
        let (a, b) = (super::operation_id(), super::operation_id());
        assert_ne!(a, b);
        assert_eq!(a.as_str().len(), "20261122-101502-3f2a01".len());
    }
}
