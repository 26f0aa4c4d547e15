//! The fleet as it changes: one list, then events as hints and a relist as truth.
//!
//! Only an end is taken from its event ([`hints`]): it is what people wait for, and the engine shows it late.

use super::client::Docker;
use super::error::DockerError;
use super::hints::{self, Ending, Hints};
use super::sentence;
use crate::domain::clean::Clean;
use crate::domain::fleet::{Container, Detail, Fleet, FleetState, State};
use crate::domain::ids::ContainerId;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Sleep, sleep};

/// An event is looked at as it comes; those that come so soon after a look are looked at together.
const TOGETHER: Duration = Duration::from_millis(50);
/// How long an event may have been lost before the list shows it.
const RELIST: Duration = Duration::from_secs(30);
/// The first relist: what happened between the first list and the first event.
const SETTLE: Duration = Duration::from_secs(1);
/// Pauses between attempts to reach the engine again.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(10));

impl Docker {
    /// The fleet, kept up to date until the receiver is dropped; `now` is the clock for "stale since". Needs a tokio
    /// runtime.
    pub fn live(&self, now: fn() -> Timestamp) -> watch::Receiver<FleetState> {
        let (tell, seen) = watch::channel(FleetState::Loading);
        let (known, shown) = (Containers::new(), Arc::default());
        let quiet = Box::pin(sleep(Duration::ZERO));
        let keeper = Keeper { docker: self.clone(), tell, now, known, shown, quiet, stale_since: None };
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
    /// For so long after that.
    quiet: Pin<Box<Sleep>>,
    stale_since: Option<Timestamp>,
}

/// What is to be looked at next.
enum Look {
    AtAll,
    AtSome,
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
        let mut reader = Leash(tokio::spawn(hints::read(self.docker.clone(), hints.clone())));
        let (mut relist, mut rest) = (Box::pin(sleep(Duration::ZERO)), Box::pin(sleep(Duration::ZERO)));
        let mut interval = SETTLE;
        loop {
            let due = async {
                tokio::select! {
                    ended = &mut reader.0 => Err(ended.unwrap_or_else(|error| hints::broken(&error.to_string()))),
                    () = &mut relist => Ok(Look::AtAll),
                    () = hints.some.notified() => {
                        if !hints.is_enough() {
                            (&mut rest).await;
                        }
                        Ok(Look::AtSome)
                    }
                }
            };
            let seen = match self.meanwhile(&hints, due).await {
                Ok(Look::AtAll) => {
                    relist.set(sleep(std::mem::replace(&mut interval, RELIST)));
                    self.look_at_all(&hints).await
                }
                Ok(Look::AtSome) => {
                    let seen = self.look_at_some(&hints).await;
                    rest.set(sleep(TOGETHER));
                    seen
                }
                Err(error) => Err(error),
            };
            if let Err(error) = seen {
                return error;
            }
            self.end(&hints);
            self.publish();
        }
    }

    /// Waits for something; who ends meanwhile is shown at once, though not more often than looks are made.
    async fn meanwhile<T>(&mut self, hints: &Hints, something: impl Future<Output = T>) -> T {
        // Who ended while another wait came to its end.
        let (mut something, mut owed) = (pin!(something), true);
        loop {
            tokio::select! {
                biased;
                () = hints.ended.notified(), if !owed => owed = true,
                () = &mut self.quiet, if owed => {
                    owed = false;
                    if self.end(hints) {
                        self.publish();
                    }
                }
                something = &mut something => return something,
            }
        }
    }

    /// What is known to have ended since the last look; `false` when that is nothing new.
    fn end(&mut self, hints: &Hints) -> bool {
        let mut news = false;
        for ending in hints.endings() {
            if let Some(known) = self.known.get_mut(&ending.id)
                && matches!(known.state, State::Running | State::Paused)
            {
                *known = Arc::new(ended(known, &ending));
                news = true;
            }
        }
        news
    }

    /// The whole list; only what looks changed is inspected again.
    async fn look_at_all(&mut self, hints: &Hints) -> Result<(), DockerError> {
        let docker = self.docker.clone();
        let listed = self.meanwhile(hints, docker.list()).await?;
        let (mut fresh, mut before) = (Vec::new(), std::mem::take(&mut self.known));
        for listed in listed {
            let id = listed.id.clone();
            match before.remove(&id) {
                Some(known) if is_same(&known, &listed) => {
                    self.known.insert(id, renewed(known, listed));
                }
                known => {
                    // As it was, until it has been inspected.
                    self.known.extend(known.map(|known| (id, known)));
                    fresh.push(listed);
                }
            }
        }
        let ids: Vec<_> = fresh.iter().map(|listed| listed.id.clone()).collect();
        let seen = self.meanwhile(hints, docker.shown(fresh)).await?;
        self.know(&ids, seen);
        Ok(())
    }

    async fn look_at_some(&mut self, hints: &Hints) -> Result<(), DockerError> {
        // Who is taken is no longer known to have ended.
        if self.end(hints) {
            self.publish();
        }
        let (docker, ids) = (self.docker.clone(), hints.take());
        if !ids.is_empty() {
            let seen = self.meanwhile(hints, docker.shown_some(ids.clone())).await?;
            self.know(&ids, seen);
        }
        Ok(())
    }

    /// Of `ids`, those that were not seen are there no more.
    fn know(&mut self, ids: &[ContainerId], seen: Vec<Container>) {
        for id in ids {
            self.known.remove(id);
        }
        self.known.extend(seen.into_iter().map(|seen| (seen.id.clone(), Arc::new(seen))));
    }

    fn publish(&mut self) {
        (self.quiet, self.stale_since) = (Box::pin(sleep(TOGETHER)), None);
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

/// Whether nothing has happened to it but time, and all of it is known.
fn is_same(known: &Container, listed: &Container) -> bool {
    known.detail.is_some() && known.state == listed.state && sentence::is_older(&known.status, &listed.status)
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

/// As its event tells it; an inspection says the rest.
fn ended(known: &Container, ending: &Ending) -> Container {
    let detail = known.detail.as_deref().map(|detail| Detail {
        exit_code: ending.exit_code,
        finished_at: ending.at.or(detail.finished_at),
        pid: 0,
        ..detail.clone()
    });
    Container {
        state: State::Exited,
        status: Clean::new(&sentence::ended(ending.exit_code)),
        health: None,
        detail: detail.map(Arc::new),
        ..known.clone()
    }
}
