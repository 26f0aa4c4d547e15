//! The engines on screen: one, or several side by side, each with a connection and a state of its own.
//!
//! Values only: connections are the [`Link`](super::link)s'. An engine is known by its [`EngineId`] from the moment it is
//! asked for, so that what one says late, or an answer for a question that was asked before the engines changed, is never
//! taken for another one's.

use super::rows::{AppKey, Loads};
use super::text;
use crate::domain::balancer::TrafficSeen;
use crate::domain::duration::millis;
use crate::domain::fleet::{App, Fleet, FleetState};
use crate::domain::record::Summary;
use crate::engine::Location;
use std::time::Duration;

/// One of the engines that were asked for; given once, and never to another one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct EngineId(pub u32);

/// An engine, as far as it is known.
#[derive(Clone, Debug, Default)]
pub struct Engine {
    pub id: EngineId,
    /// What a person calls it before it has said anything: its context, or its address.
    pub name: String,
    pub state: FleetState,
    /// The console's time when that came.
    pub heard: Duration,
    /// What the load balancers show of its instances.
    pub traffic: TrafficSeen,
    /// What containers on screen take of the machine.
    pub loads: Loads,
    /// Operations on it that were left half-done; the oldest first.
    pub left_open: Vec<Summary>,
}

/// All that are shown, in the order they were asked for. There is always one.
#[derive(Clone, Debug, Default)]
pub struct Engines {
    first: Engine,
    others: Vec<Engine>,
}

impl Engine {
    /// One of which nothing is known yet.
    pub fn new(id: EngineId, name: String) -> Self {
        Self { id, name, ..Self::default() }
    }

    /// The last fleet known, live or stale.
    pub fn fleet(&self) -> Option<&Fleet> {
        self.state.fleet()
    }

    pub fn is_live(&self) -> bool {
        matches!(self.state, FleetState::Live(_))
    }

    pub fn is_stale(&self) -> bool {
        matches!(self.state, FleetState::Stale { .. })
    }

    /// Where it is, in a word: its context, `local`, or its address.
    pub fn place(&self) -> &str {
        let Some(fleet) = self.fleet() else { return &self.name };
        let engine = &fleet.engine;
        match &engine.context {
            Some(context) if context != "default" => context,
            _ if engine.host.starts_with("unix:") || engine.host.is_empty() => "local",
            _ => &engine.host,
        }
    }

    /// People depend on what runs there: one of these names is its context's or its host's; one may end in `*`.
    pub fn is_named(&self, names: &[String]) -> bool {
        let Some(fleet) = self.fleet() else { return false };
        let fits = |pattern: &str, name: &str| match pattern.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => name == pattern,
        };
        let own = [Some(fleet.engine.host.as_str()), fleet.engine.context.as_deref()];
        names.iter().any(|pattern| own.into_iter().flatten().any(|name| fits(pattern, name)))
    }

    /// It is lost: when it is tried again, in words.
    pub fn next_try(&self, now: Duration) -> Option<String> {
        let FleetState::Stale { retry_in, .. } = &self.state else { return None };
        let left = retry_in.saturating_sub(now.saturating_sub(self.heard));
        let seconds = millis(left).div_ceil(1000);
        Some(if seconds == 0 { "trying now".to_owned() } else { format!("next try in {}", text::seconds(seconds)) })
    }

    /// Its app with that key.
    pub fn app(&self, key: &AppKey) -> Option<&App> {
        self.fleet()?.apps.iter().find(|app| key.names(app))
    }
}

impl Engines {
    /// These; `None`: there is none among them.
    pub fn of(engines: impl IntoIterator<Item = Engine>) -> Option<Self> {
        let mut engines = engines.into_iter();
        Some(Self { first: engines.next()?, others: engines.collect() })
    }

    pub fn first(&self) -> &Engine {
        &self.first
    }

    /// Several are shown: each has a heading, and what is said names which one it is about.
    pub fn are_several(&self) -> bool {
        !self.others.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = &Engine> {
        std::iter::once(&self.first).chain(&self.others)
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Engine> {
        std::iter::once(&mut self.first).chain(&mut self.others)
    }

    /// That one, if it is (still) shown.
    pub fn get(&self, id: EngineId) -> Option<&Engine> {
        self.iter().find(|engine| engine.id == id)
    }

    pub fn get_mut(&mut self, id: EngineId) -> Option<&mut Engine> {
        self.iter_mut().find(|engine| engine.id == id)
    }

    /// The app with that key, on its engine.
    pub fn app(&self, key: &AppKey) -> Option<(&Engine, &App)> {
        let engine = self.get(key.engine)?;
        Some((engine, engine.app(key)?))
    }
}

/// What a person calls the engine at that place.
pub fn called(location: &Location) -> String {
    location.context.clone().unwrap_or_else(|| location.host.clone())
}
