//! Old records go: the newest 200 stay, for 90 days, and those of unfinished operations for as long as they are unfinished.

use super::store::Records;
use crate::domain::record::expired;
use crate::engine::clock;
use jiff::SignedDuration;
use jiff::tz::TimeZone;

/// Fewer records, none of them old, are not even opened.
const FEW: usize = 200;

/// Removes what need not be kept. Blocks on the disk; nobody waits for it.
pub(super) fn apply(records: &Records) {
    let Ok(ids) = records.ids() else { return };
    let now = clock::wall();
    // An id begins with its day.
    let day = now.checked_sub(SignedDuration::from_hours(90 * 24)).unwrap_or(now);
    let day = day.to_zoned(TimeZone::UTC).strftime("%Y%m%d").to_string();
    if ids.len() <= FEW && ids.first().is_none_or(|oldest| oldest.as_str() >= day.as_str()) {
        return;
    }
    let Ok(all) = records.list() else { return };
    for op in expired(&all, now) {
        if let Err(error) = records.remove(&op) {
            tracing::warn!("an old record stays: {error}");
        }
    }
}
