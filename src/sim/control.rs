//! A test's hand on the engine: faults, death, a full disk; and its eye on it: what was asked, what is there.

use super::engine::Engine;
use super::fault::{Fault, Faults, When, mutates};
use super::world::Container;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// A request that reached the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    pub at: Instant,
    pub method: String,
    /// Without the version.
    pub path: String,
    /// It would change something.
    pub mutating: bool,
    pub fault: Option<Fault>,
    /// What it was answered with; `None` while it is not, or never.
    pub status: Option<u16>,
}

/// A container as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub id: String,
    pub name: String,
    pub image: String,
    /// `running`, `exited` …
    pub status: &'static str,
    pub exit_code: i64,
    pub labels: BTreeMap<String, String>,
    /// By network name, while it runs.
    pub addresses: BTreeMap<String, Ipv4Addr>,
    /// The inode of the network namespace its processes are in.
    pub netns: u64,
    /// Whose namespace it joins, as told at its creation.
    pub joins: Option<String>,
    /// How often it was started.
    pub runs: u64,
    /// Its sandbox holds it back: it runs, and does not serve.
    pub held: bool,
    /// Its restart policy, in the engine's word.
    pub restart: String,
}

/// What tests do to the engine and see of it. Cheap to clone.
#[derive(Clone)]
pub struct Control(pub(super) Arc<Engine>);

/// Behind [`Control`].
#[derive(Default)]
pub struct Ledger {
    faults: Mutex<Faults>,
    asked: Mutex<Vec<Asked>>,
    pub(super) released: Notify,
}

impl Ledger {
    /// Writes a request down; gives its number and what goes wrong with it.
    pub(super) fn note(&self, at: Instant, method: &str, path: &[String]) -> (usize, Option<Fault>) {
        let fault = self.faults.lock().unwrap_or_else(PoisonError::into_inner).take(method, path);
        let mut all = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let (method, shown) = (method.to_owned(), format!("/{}", path.join("/")));
        let mutating = mutates(&method, path);
        all.push(Asked { at, method, path: shown, mutating, fault, status: None });
        (all.len() - 1, fault)
    }

    /// Writes down how it was answered.
    pub(super) fn answered(&self, number: usize, status: u16) {
        let mut all = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(asked) = all.get_mut(number) {
            asked.status = Some(status);
        }
    }
}

impl Control {
    /// Lets a request go wrong.
    pub fn on(&self, when: When, fault: Fault) {
        self.0.ledger.faults.lock().unwrap_or_else(PoisonError::into_inner).add(when, fault);
    }

    /// Takes back all faults that have not happened.
    pub fn clear(&self) {
        self.0.ledger.faults.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Lets all requests go on that are held.
    pub fn release(&self) {
        self.0.ledger.released.notify_waiters();
    }

    /// From now on nothing can be created or started for want of room, or again.
    pub fn disk_full(&self, full: bool) {
        self.0.change(|world| world.disk_full = full);
    }

    /// Kills the engine; it is back after so long.
    pub fn die(&self, down: Duration) {
        self.0.die(down);
    }

    /// How often it has come back from death.
    pub fn returns(&self) -> u64 {
        self.0.look(|world| world.returns)
    }

    /// Ends a container's process with this exit code, as a crash would.
    pub fn crash(&self, name: &str, code: i64) {
        let found = self.0.look(|world| world.find(name).map(|seen| (seen.id.clone(), seen.state.run)));
        if let Ok((id, run)) = found {
            self.0.end(&id, run, code);
        }
    }

    /// All requests so far, in the order of their arrival.
    pub fn requests(&self) -> Vec<Asked> {
        self.0.ledger.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many requests there were so far.
    pub fn count(&self) -> usize {
        self.0.ledger.asked.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Differs from an earlier one when there was a request or its answer, or something changed, in between.
    pub fn activity(&self) -> (usize, usize, u64) {
        let asked = self.0.ledger.asked.lock().unwrap_or_else(PoisonError::into_inner);
        (
            asked.len(),
            asked.iter().rev().take(16).filter(|one| one.status.is_some()).count(),
            *self.0.changes().borrow(),
        )
    }

    /// All containers as they are, by name.
    pub fn world(&self) -> BTreeMap<String, Seen> {
        self.0.look(|world| {
            let address = |container: &Container| {
                let named = |(network, end): (&String, &super::world::Endpoint)| {
                    Some((world.network(network).ok()?.name.clone(), end.ip?))
                };
                container.ends.iter().filter_map(named).collect()
            };
            let seen = |container: &Container| Seen {
                id: container.id.clone(),
                name: container.name.clone(),
                image: container.image.clone(),
                status: container.state.word(),
                exit_code: container.state.exit_code,
                labels: container.labels.clone(),
                addresses: address(container),
                netns: container.state.netns,
                joins: container.joins.clone(),
                runs: container.state.run,
                held: container.state.held.is_some(),
                restart: container.host["RestartPolicy"]["Name"].as_str().unwrap_or_default().to_owned(),
            };
            world.containers.values().map(|container| (container.name.clone(), seen(container))).collect()
        })
    }
}
