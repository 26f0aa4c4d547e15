//! The simulated engine: its world behind one lock, its clock, its speed. Whoever waits for something in the world is woken
//! by every change.

use super::clock::Clock;
use super::control::Ledger;
use super::scenario::Scenario;
use super::world::World;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Events kept for those who ask for the past.
const EVENTS: usize = 256;

/// Shared by all connections and all processes.
pub struct Engine {
    world: Mutex<World>,
    changed: watch::Sender<u64>,
    pub(super) clock: Clock,
    pub(super) scenario: Scenario,
    pub(super) ledger: Ledger,
    /// Whoever crashes a container may be no task.
    pub(super) runtime: Handle,
    /// Ends with the engine; how long it is dead then.
    pub(super) life: Mutex<(CancellationToken, Duration)>,
}

impl Engine {
    pub(super) fn new(scenario: Scenario) -> Arc<Self> {
        let clock = Clock::start(scenario.begins);
        let (changed, _) = watch::channel(0);
        let (ledger, life) = (Ledger::default(), Mutex::default());
        Arc::new(Self { world: Mutex::default(), changed, clock, scenario, ledger, life, runtime: Handle::current() })
    }

    /// Reads the world.
    pub(super) fn look<T>(&self, at: impl FnOnce(&World) -> T) -> T {
        at(&self.world.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes the world, and wakes all who wait.
    pub(super) fn change<T>(&self, how: impl FnOnce(&mut World) -> T) -> T {
        let done = how(&mut self.world.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.send_modify(|count| *count = count.wrapping_add(1));
        done
    }

    /// Waits until `seen` gives something.
    pub(super) async fn until<T>(&self, mut seen: impl FnMut(&World) -> Option<T>) -> T {
        let mut changed = self.changed.subscribe();
        loop {
            changed.mark_unchanged();
            if let Some(found) = self.look(&mut seen) {
                return found;
            }
            if changed.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Tells each change.
    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// An answer as this engine gives it, with the rest where it says all.
    pub(super) fn whole(&self, mut said: Value, what: &str) -> Value {
        if self.scenario.whole {
            super::rest::lay_under(&mut said, what);
        }
        said
    }

    /// Takes the time that this kind of work takes here.
    pub(super) async fn work(&self, kind: &str) {
        let ms = self.scenario.latency.get(kind).copied().unwrap_or_default();
        if ms > 0 {
            tokio::time::sleep(Duration::from_millis(ms)).await;
        }
    }

    /// Notes an event; `attributes` are the actor's.
    pub(super) fn event(&self, world: &mut World, kind: &str, action: &str, id: &str, attributes: &Value) {
        let now = self.clock.wall();
        let mut event = json!({
            "Type": kind, "Action": action, "scope": "local",
            "Actor": {"ID": id, "Attributes": attributes},
            "time": now.as_second(), "timeNano": i64::try_from(now.as_nanosecond()).unwrap_or(i64::MAX),
        });
        if kind == "container" {
            event["status"] = json!(action);
            event["id"] = json!(id);
            event["from"] = attributes["image"].clone();
        }
        if world.events.len() == EVENTS {
            world.events.pop_front();
            world.forgotten += 1;
        }
        world.events.push_back(event);
    }

    /// An event about a container, with its labels and what else there is to say.
    pub(super) fn tell(&self, world: &mut World, id: &str, action: &str, more: &[(&str, String)]) {
        let Some(container) = world.containers.get(id) else { return };
        let mut attributes: serde_json::Map<String, Value> =
            container.labels.iter().map(|(key, value)| (key.clone(), json!(value))).collect();
        attributes.insert("image".into(), json!(container.image));
        attributes.insert("name".into(), json!(container.name));
        attributes.extend(more.iter().map(|(key, value)| ((*key).to_owned(), json!(value))));
        self.event(world, "container", action, id, &Value::Object(attributes));
    }

    /// An event about a container's place on a network.
    pub(super) fn tell_network(&self, world: &mut World, network: &str, action: &str, container: &str) {
        let Some(seen) = world.networks.get(network) else { return };
        let attributes = json!({"container": container, "name": seen.name, "type": seen.driver});
        self.event(world, "network", action, network, &attributes);
    }
}
