//! The fleet as it comes, and what an engine that is gone leaves: the last fleet, since when, and when the next try is.

use super::super::message::Command;
use super::super::model::Model;
use super::super::text;
use super::super::theme::Role;
use super::say;
use crate::domain::fleet::FleetState;

/// Takes the news; the last fleet known and the beginning of the loss outlive each further failure.
pub fn take(model: &mut Model, news: FleetState) {
    let before = std::mem::take(&mut model.state);
    let was_lost = match &before {
        FleetState::Stale { fleet: Some(_), since, .. } => Some(*since),
        _ => None,
    };
    model.heard = model.now;
    model.state = match (news, before) {
        (FleetState::Stale { fleet, since, error, retry_in }, before) => {
            let since = match &before {
                FleetState::Stale { since: earlier, .. } => since.min(*earlier),
                _ => since,
            };
            let fleet = fleet.or_else(|| before.into_fleet());
            FleetState::Stale { fleet, since, error, retry_in }
        }
        (news, _) => news,
    };
    if let (Some(since), FleetState::Live(_)) = (was_lost, &model.state) {
        let seconds = model.wall.as_second().saturating_sub(since.as_second());
        let after = text::seconds(u64::try_from(seconds).unwrap_or(0));
        say(model, format!("the engine is back after {after}; this is how things stand now"), Role::Good);
    }
}

/// Tries now instead of when it is due; lists anew where nothing is lost.
pub fn resync(model: &mut Model) -> Vec<Command> {
    if let FleetState::Stale { retry_in, .. } = &mut model.state {
        *retry_in = std::time::Duration::ZERO;
    }
    say(model, "asking the engine for its list again", Role::Dim);
    vec![Command::Resync]
}
