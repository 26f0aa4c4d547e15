//! Operations that have ended while nobody looked: a badge in the title, and a list.
//!
//! What went well is worth a moment; what did not stays until somebody has seen it. Pure: a notice is an operation of this
//! console, and whether its end was seen.

use super::model::Model;
use super::operation::OpView;
use std::time::Duration;

/// So long the title tells of what went well.
const BRIEF: Duration = Duration::from_secs(10);

/// Those that have ended, the last one first.
pub fn all(model: &Model) -> Vec<&OpView> {
    let mut all: Vec<&OpView> = model.operations.iter().filter(|op| op.ended().is_some()).collect();
    all.sort_by_key(|op| std::cmp::Reverse(op.ended()));
    all
}

/// Those the title tells of: what went wrong and was not seen, else what went well a moment ago.
pub fn told(model: &Model) -> Vec<&OpView> {
    let unseen = || all(model).into_iter().filter(|op| !op.seen);
    let bad: Vec<&OpView> = unseen().filter(|op| op.can_retry()).collect();
    if !bad.is_empty() {
        return bad;
    }
    let fresh = |op: &&OpView| op.ended().is_some_and(|ended| model.now.saturating_sub(ended) < BRIEF);
    unseen().filter(fresh).collect()
}
