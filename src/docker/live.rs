//! The fleet as it changes: one list, then events as hints and a relist as truth.
//!
//! A reader that is slow on `/events` slows the whole engine, so a task of its own only notes whom an event was about;
//! looking is done by another.

use super::client::Docker;
use super::error::{DockerError, Failure};
use super::sentence;
use crate::domain::fleet::{Container, Fleet, FleetState};
use crate::domain::ids::ContainerId;
use bollard::models::EventMessage;
use bollard::query_parameters::EventsOptions;
use futures_util::{StreamExt, TryStreamExt};
use indexmap::IndexSet;
use jiff::Timestamp;
use std::collections::{BTreeMap, HashMap};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::time::sleep;

/// An event is looked at as it comes; those that come so soon after a look are looked at together.
const TOGETHER: Duration = Duration::from_millis(50);
/// How long an event may have been lost before the list shows it.
const RELIST: Duration = Duration::from_secs(30);
/// The first relist: what happened between the first list and the first event.
const SETTLE: Duration = Duration::from_secs(1);
/// Pauses between attempts to reach the engine again.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(10));
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

impl Docker {
    /// The fleet, kept up to date until the receiver is dropped; `now` is the clock for "stale since". Needs a tokio
    /// runtime.
    pub fn live(&self, now: fn() -> Timestamp) -> watch::Receiver<FleetState> {
        let (tell, seen) = watch::channel(FleetState::Loading);
        let (known, shown) = (Containers::new(), Arc::default());
        let keeper = Keeper { docker: self.clone(), tell, now, known, shown, stale_since: None };
        tokio::spawn(keeper.run());
        seen
    }
}

type Containers = BTreeMap<ContainerId, Arc<Container>>;

struct Keeper {
    docker: Docker,
    tell: watch::Sender<FleetState>,
    now: fn() -> Timestamp,
    /// As last seen, with detail; shared with the fleets made of them.
    known: Containers,
    /// As last told.
    shown: Arc<Fleet>,
    stale_since: Option<Timestamp>,
}

/// Whom events were about since somebody looked last.
#[derive(Default)]
struct Hints {
    about: Mutex<IndexSet<ContainerId>>,
    some: Notify,
}

impl Hints {
    fn note(&self, event: EventMessage) {
        let actor = event.actor.unwrap_or_default();
        // A network's event names its container among the attributes.
        let member = actor.attributes.and_then(|mut attributes| attributes.remove("container"));
        if let Some(id) = member.or(actor.id).and_then(|id| ContainerId::new(id).ok()) {
            self.about.lock().unwrap_or_else(PoisonError::into_inner).insert(id);
            self.some.notify_one();
        }
    }

    /// For one look.
    fn is_enough(&self) -> bool {
        self.about.lock().unwrap_or_else(PoisonError::into_inner).len() >= MOST
    }

    /// The first of them; none where those of the last event were taken with the ones before.
    fn take(&self) -> Vec<ContainerId> {
        let mut about = self.about.lock().unwrap_or_else(PoisonError::into_inner);
        let count = about.len().min(MOST);
        let first = about.drain(..count).collect();
        if !about.is_empty() {
            self.some.notify_one();
        }
        first
    }
}

/// Ends a task when it is not waited for any more.
struct Leash(tokio::task::JoinHandle<DockerError>);

impl Drop for Leash {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Keeper {
    async fn run(mut self) {
        let tell = self.tell.clone();
        let keep = async {
            let mut pause = BACKOFF.0;
            loop {
                let error = self.follow().await;
                // It was there in between: nobody has been waiting for long.
                if self.stale_since.is_none() {
                    pause = BACKOFF.0;
                }
                self.stale(&error, pause);
                sleep(pause).await;
                pause = (pause * 2).min(BACKOFF.1);
            }
        };
        tokio::select! {
            () = tell.closed() => {}
            () = keep => {}
        }
    }

    /// Keeps the fleet up to date until something fails.
    async fn follow(&mut self) -> DockerError {
        let hints = Arc::new(Hints::default());
        let mut reader = Leash(tokio::spawn(read_events(self.docker.clone(), hints.clone())));
        let (mut relist, mut rest) = (Box::pin(sleep(Duration::ZERO)), Box::pin(sleep(Duration::ZERO)));
        let mut interval = SETTLE;
        loop {
            let seen = tokio::select! {
                ended = &mut reader.0 => return ended.unwrap_or_else(|error| broken(&error.to_string())),
                () = &mut relist => {
                    relist.set(sleep(std::mem::replace(&mut interval, RELIST)));
                    self.look_at_all().await
                }
                () = hints.some.notified() => {
                    if !hints.is_enough() {
                        (&mut rest).await;
                    }
                    let seen = self.look_at(hints.take()).await;
                    rest.set(sleep(TOGETHER));
                    seen
                }
            };
            match seen {
                Ok(()) => self.publish(),
                Err(error) => return error,
            }
        }
    }

    /// The whole list; only what looks changed is inspected again.
    async fn look_at_all(&mut self) -> Result<(), DockerError> {
        let (mut fresh, mut kept) = (Vec::new(), Containers::new());
        for listed in self.docker.list().await? {
            match self.known.remove(&listed.id) {
                Some(known) if known.state == listed.state && sentence::is_older(&known.status, &listed.status) => {
                    kept.insert(listed.id.clone(), renewed(known, listed));
                }
                _ => fresh.push(listed),
            }
        }
        self.known = kept;
        self.look_closely(fresh).await
    }

    async fn look_at(&mut self, ids: Vec<ContainerId>) -> Result<(), DockerError> {
        // To ask for nobody is to ask for all.
        if ids.is_empty() {
            return Ok(());
        }
        let listed = self.docker.list_some(&ids).await?;
        for id in &ids {
            self.known.remove(id);
        }
        self.look_closely(listed).await
    }

    /// Those that have gone since they were listed are known no more.
    async fn look_closely(&mut self, listed: Vec<Container>) -> Result<(), DockerError> {
        let mut seen = pin!(self.docker.detailed_each(listed));
        while let Some(seen) = seen.try_next().await? {
            self.known.insert(seen.id.clone(), Arc::new(seen));
        }
        Ok(())
    }

    fn publish(&mut self) {
        self.stale_since = None;
        let fleet = Fleet::assemble(self.docker.info().clone(), self.known.values().cloned());
        if *self.shown != fleet {
            self.shown = Arc::new(fleet);
        }
        let shown = &self.shown;
        self.tell.send_if_modified(|state| {
            let same = matches!(state, FleetState::Live(seen) if Arc::ptr_eq(seen, shown));
            if !same {
                *state = FleetState::Live(shown.clone());
            }
            !same
        });
    }

    fn stale(&mut self, error: &DockerError, retry_in: Duration) {
        // Half a list must not be taken for known.
        (self.known, self.shown) = (Containers::new(), Arc::default());
        let since = *self.stale_since.get_or_insert_with(self.now);
        self.tell.send_modify(|state| {
            let fleet = match std::mem::take(state) {
                FleetState::Loading => None,
                FleetState::Live(fleet) => Some(fleet),
                FleetState::Stale { fleet, .. } => fleet,
            };
            *state = FleetState::Stale { fleet, since, error: error.to_string(), retry_in };
        });
    }
}

/// What a list shows of a container to which nothing has happened but time, beside what is known of it.
fn renewed(known: Arc<Container>, listed: Container) -> Arc<Container> {
    let Container { name, status, own, networks, .. } = listed;
    if known.name == name && known.status == status && known.own == own && known.networks == networks {
        return known;
    }
    // Cheap where it is nobody else's; else what is large in it is shared.
    Arc::new(Container { name, status, own, networks, ..Arc::unwrap_or_clone(known) })
}

/// Notes whom events are about until the stream ends, which it should not.
async fn read_events(docker: Docker, hints: Arc<Hints>) -> DockerError {
    let words = |list: &[&str]| list.iter().map(|word| (*word).to_owned()).collect();
    let filters =
        HashMap::from([("type".to_owned(), words(&["container", "network"])), ("event".to_owned(), words(&EVENTS))]);
    let options = EventsOptions { filters: Some(filters), ..EventsOptions::default() };
    let mut events = std::pin::pin!(docker.client().events(Some(options)));
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => hints.note(event),
            Err(error) => return DockerError::of_client("follow", "events", &error),
        }
    }
    broken("the engine closed the connection")
}

fn broken(words: &str) -> DockerError {
    DockerError::new("follow", "events", Failure::Broken, words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bollard::models::EventActor;

    #[tokio::test]
    async fn a_storm_is_taken_in_bounded_batches_in_the_order_it_came() {
        let hints = Hints::default();
        let id = |n: usize| format!("{:064x}", 1000 - n);
        for n in (0..MOST + 3).chain([0, 1]) {
            let actor = Some(EventActor { id: Some(id(n)), ..EventActor::default() });
            hints.note(EventMessage { actor, ..EventMessage::default() });
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
}
