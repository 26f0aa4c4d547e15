//! What the engine's events hint at: whom to look at, and who has ended.
//!
//! A reader that is slow on `/events` slows the whole engine, so the one here only notes; it never looks itself.

use super::client::Docker;
use super::error::{DockerError, Failure};
use crate::domain::ids::ContainerId;
use bollard::models::{EventMessage, EventMessageTypeEnum};
use bollard::query_parameters::EventsOptions;
use futures_util::StreamExt;
use indexmap::IndexMap;
use jiff::Timestamp;
use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// So many containers are looked at together; more wait for the next time, in the order of their events. The whole list
/// instead would be slower than the events that come meanwhile, and never catch up.
const MOST: usize = 64;

/// Health checks and other commands run inside containers are events too: they are not asked for.
const EVENTS: [&str; 12] = [
    "create",
    "start",
    "die",
    "destroy",
    "rename",
    "update",
    "pause",
    "unpause",
    "health_status",
    "oom",
    "connect",
    "disconnect",
];

/// The end of a container as its event tells it, before anything else of the engine does: 20.10 answers an inspection, and
/// changes its list, 70 to 110 ms after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ending {
    pub id: ContainerId,
    pub exit_code: i64,
    pub at: Option<Timestamp>,
}

/// Whom events were about since somebody looked last.
#[derive(Default)]
pub(super) struct Hints {
    /// With the end, where that was the last that happened.
    about: Mutex<IndexMap<ContainerId, Option<Ending>>>,
    /// There is somebody to look at.
    pub some: Notify,
    /// An end has been noted.
    pub ended: Notify,
}

impl Hints {
    fn note(&self, event: EventMessage) {
        let actor = event.actor.unwrap_or_default();
        let mut attributes = actor.attributes.unwrap_or_default();
        // A network's event names its container among the attributes; a container's has its own labels there.
        let of_network = event.typ == Some(EventMessageTypeEnum::NETWORK);
        let id = if of_network { attributes.remove("container") } else { actor.id };
        let Some(id) = id.and_then(|id| ContainerId::new(id).ok()) else { return };
        let mut about = self.about();
        match event.action.as_deref() {
            Some("die") => {
                let exit_code = attributes.get("exitCode").and_then(|code| code.parse().ok());
                let at = event.time_nano.and_then(|ns| Timestamp::from_nanosecond(ns.into()).ok());
                let ending = exit_code.map(|exit_code| Ending { id: id.clone(), exit_code, at });
                about.insert(id, ending);
                self.ended.notify_one();
            }
            Some("start") => {
                about.insert(id, None);
            }
            _ => {
                about.entry(id).or_default();
            }
        }
        self.some.notify_one();
    }

    /// For one look.
    pub fn is_enough(&self) -> bool {
        self.about().len() >= MOST
    }

    /// The first of them, to be looked at now; none where those of the last event were taken with the ones before.
    pub fn take(&self) -> Vec<ContainerId> {
        let mut about = self.about();
        let count = about.len().min(MOST);
        let first = about.drain(..count).map(|(id, _)| id).collect();
        if !about.is_empty() {
            self.some.notify_one();
        }
        first
    }

    /// Who has ended and was not taken since.
    pub fn endings(&self) -> Vec<Ending> {
        self.about().values().flatten().cloned().collect()
    }

    fn about(&self) -> MutexGuard<'_, IndexMap<ContainerId, Option<Ending>>> {
        self.about.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Notes until the stream ends, which it should not.
pub(super) async fn read(docker: Docker, hints: Arc<Hints>) -> DockerError {
    let words = |list: &[&str]| list.iter().map(|word| (*word).to_owned()).collect();
    let filters =
        HashMap::from([("type".to_owned(), words(&["container", "network"])), ("event".to_owned(), words(&EVENTS))]);
    let options = EventsOptions { filters: Some(filters), ..EventsOptions::default() };
    let mut events = pin!(docker.client().events(Some(options)));
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => hints.note(event),
            Err(error) => return DockerError::of_client("follow", "events", &error),
        }
    }
    broken("the engine closed the connection")
}

/// The stream is no more.
pub(super) fn broken(words: &str) -> DockerError {
    DockerError::new("follow", "events", Failure::Broken, words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bollard::models::EventActor;

    fn id(n: usize) -> String {
        format!("{:064x}", 1000 - n)
    }

    fn event(action: &str, n: usize, attributes: &[(&str, &str)]) -> EventMessage {
        let attributes = attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let actor = Some(EventActor { id: Some(id(n)), attributes: Some(attributes) });
        let typ =
            Some(if action == "disconnect" { EventMessageTypeEnum::NETWORK } else { EventMessageTypeEnum::CONTAINER });
        EventMessage { typ, actor, action: Some(action.to_owned()), ..EventMessage::default() }
    }

    #[tokio::test]
    async fn a_storm_is_taken_in_bounded_batches_in_the_order_it_came() {
        let hints = Hints::default();
        for n in (0..MOST + 3).chain([0, 1]) {
            hints.note(event("update", n, &[]));
        }
        let mut seen = Vec::new();
        for count in [MOST, 3] {
            hints.some.notified().await;
            let batch = hints.take();
            assert_eq!(batch.len(), count);
            seen.extend(batch.iter().map(ToString::to_string));
        }
        assert_eq!(seen, (0..MOST + 3).map(id).collect::<Vec<_>>());
        assert!(hints.take().is_empty());
    }

    #[test]
    fn an_end_counts_until_it_starts_again_or_is_looked_at() {
        let hints = Hints::default();
        let ended =
            || hints.endings().iter().map(|ending| (ending.id.to_string(), ending.exit_code)).collect::<Vec<_>>();
        hints.note(event("die", 1, &[("exitCode", "137")]));
        hints.note(event("die", 2, &[("exitCode", "0")]));
        hints.note(event("die", 3, &[("exitCode", "of honour")]));
        hints.note(event("update", 1, &[]));
        hints.note(event("disconnect", 9, &[("container", &id(2))]));
        // Labels are attributes, too.
        hints.note(event("die", 4, &[("exitCode", "1"), ("container", &id(5))]));
        hints.note(event("start", 4, &[("container", "oci")]));
        assert_eq!(ended(), [(id(1), 137), (id(2), 0)]);
        hints.note(event("start", 1, &[]));
        assert_eq!(ended(), [(id(2), 0)]);
        assert_eq!(hints.take().len(), 4);
        assert_eq!(ended(), []);
    }
}
