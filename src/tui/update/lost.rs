//! The fleet as it comes, and what an engine that is gone leaves: the last fleet, since when, and when the next try is.

use super::super::engine::EngineId;
use super::super::message::Command;
use super::super::model::Model;
use super::super::text;
use super::super::theme::Role;
use super::say;
use crate::domain::fleet::FleetState;

/// Takes the news; the last fleet known and the beginning of the loss outlive each further failure.
pub fn take(model: &mut Model, id: EngineId, news: FleetState) {
    let (now, several) = (model.now, model.engines.are_several());
    let Some(engine) = model.engines.get_mut(id) else { return };
    let before = std::mem::take(&mut engine.state);
    let was_lost = match &before {
        FleetState::Stale { fleet: Some(_), since, .. } => Some(*since),
        _ => None,
    };
    engine.heard = now;
    engine.state = match (news, before) {
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
    if let (Some(since), true) = (was_lost, engine.is_live()) {
        let who = if several { engine.place().to_owned() } else { "the engine".to_owned() };
        let seconds = model.wall.as_second().saturating_sub(since.as_second());
        let after = text::seconds(u64::try_from(seconds).unwrap_or(0));
        say(model, format!("{who} is back after {after}; this is how things stand now"), Role::Good);
    }
}

/// Tries now instead of when it is due; lists anew where nothing is lost.
pub fn resync(model: &mut Model) -> Vec<Command> {
    for engine in model.engines.iter_mut() {
        if let FleetState::Stale { retry_in, .. } = &mut engine.state {
            *retry_in = std::time::Duration::ZERO;
        }
    }
    let who = if model.engines.are_several() { "all engines for their lists" } else { "the engine for its list" };
    say(model, format!("asking {who} again"), Role::Dim);
    vec![Command::Resync]
}
