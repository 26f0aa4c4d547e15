//! The word and the symbol for each state: the only place that decides what a state is called and how bad it is.
//!
//! Pure. A symbol never stands without a word somewhere near it.

use super::glyphs::Glyphs;
use super::theme::Role;
use crate::domain::balancer::Standing;
use crate::domain::fleet::{App, Health, Instance, State};
use crate::domain::identity::{Hold, Verdict};

/// A state for the eye: symbol, word, role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word {
    pub symbol: Symbol,
    pub word: &'static str,
    pub role: Role,
}

/// Which symbol of the set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Symbol {
    Ready,
    Part,
    Off,
    Good,
    Warn,
    Bad,
    None,
}

impl Symbol {
    /// In that set.
    pub fn of(self, glyphs: &Glyphs) -> &'static str {
        match self {
            Self::Ready => glyphs.ready,
            Self::Part => glyphs.part,
            Self::Off => glyphs.off,
            Self::Good => glyphs.good,
            Self::Warn => glyphs.warn,
            Self::Bad => glyphs.bad,
            Self::None => glyphs.none,
        }
    }
}

const fn word(symbol: Symbol, word: &'static str, role: Role) -> Word {
    Word { symbol, word, role }
}

/// What an instance is doing.
pub fn state(instance: &Instance) -> Word {
    let Some(app) = &instance.app else { return word(Symbol::Bad, "no app", Role::Bad) };
    match app.state {
        State::Running if instance.hold() == Some(Hold::Orphaned) => word(Symbol::Bad, "orphaned", Role::Bad),
        State::Running if instance.hold().is_none() => word(Symbol::Bad, "no sandbox", Role::Bad),
        State::Running => match app.health {
            None | Some(Health::Healthy) => word(Symbol::Ready, "ready", Role::Good),
            Some(Health::Starting) => word(Symbol::Part, "starting", Role::Busy),
            Some(Health::Unhealthy) => word(Symbol::Bad, "unhealthy", Role::Bad),
        },
        State::Restarting => word(Symbol::Part, "restarting", Role::Warn),
        State::Removing => word(Symbol::Part, "removing", Role::Warn),
        State::Paused => word(Symbol::Part, "paused", Role::Warn),
        State::Created => word(Symbol::Off, "created", Role::Dim),
        State::Dead => word(Symbol::Bad, "dead", Role::Bad),
        State::Unknown => word(Symbol::Warn, "unknown", Role::Warn),
        State::Exited if exit_code(instance).is_some_and(|code| code != 0) => word(Symbol::Bad, "failed", Role::Bad),
        State::Exited => word(Symbol::Off, "stopped", Role::Dim),
    }
}

/// The exit code of an app that does not run, from the inspection or Docker's sentence `Exited (137) 2 hours ago`.
pub fn exit_code(instance: &Instance) -> Option<i64> {
    let app = instance.app.as_deref().filter(|app| matches!(app.state, State::Exited | State::Dead))?;
    match &app.detail {
        Some(detail) => Some(detail.exit_code),
        None => app.status.split_once('(')?.1.split_once(')')?.0.parse().ok(),
    }
}

/// How an instance's address is held.
pub fn held(instance: &Instance) -> Word {
    // Nothing is claimed of what was listed and not yet inspected.
    if instance.owner().is_some_and(|owner| owner.detail.is_none()) {
        return word(Symbol::None, "", Role::Dim);
    }
    match (instance.standing(), instance.hold()) {
        (Verdict::Changed, _) => word(Symbol::Bad, "CHANGED", Role::Loud),
        (Verdict::Orphaned, _) => word(Symbol::Bad, "orphaned", Role::Bad),
        (Verdict::Lost, _) if instance.sandbox.is_none() => word(Symbol::None, "", Role::Dim),
        (Verdict::Lost, _) => word(Symbol::Bad, "lost", Role::Bad),
        (Verdict::Kept, _) => word(Symbol::Good, "held", Role::Good),
        (Verdict::Unprotected, Some(Hold::Unpinned)) => word(Symbol::Warn, "unpinned", Role::Warn),
        (Verdict::Unprotected, _) => word(Symbol::Warn, "loose", Role::Warn),
    }
}

/// How an app's addresses are held: the worst of its instances that have one.
pub fn held_app(app: &App) -> Word {
    let rank = |word: &Word| match word.word {
        "CHANGED" => 0,
        "orphaned" => 1,
        "lost" => 2,
        "loose" => 3,
        "unpinned" => 4,
        "held" => 5,
        _ => 6,
    };
    app.instances.iter().map(held).min_by_key(rank).unwrap_or(word(Symbol::None, "", Role::Dim))
}

/// Whether requests reach an instance.
pub fn traffic(standing: Standing) -> Word {
    match standing {
        Standing::Serving => word(Symbol::Ready, "serving", Role::Good),
        Standing::Partly => word(Symbol::Part, "partly", Role::Warn),
        Standing::Draining => word(Symbol::Part, "draining", Role::Busy),
        Standing::Drained => word(Symbol::Off, "drained", Role::Warn),
        Standing::Down => word(Symbol::Bad, "down", Role::Bad),
    }
}

/// How much of an app is ready.
pub fn readiness(app: &App) -> Word {
    let (ready, all) = (app.ready(), app.instances.len());
    let worst = app.instances.iter().map(state).find(|word| word.role == Role::Bad);
    match worst {
        _ if all == 0 => word(Symbol::Off, "empty", Role::Dim),
        _ if ready == all => word(Symbol::Ready, "ready", Role::Good),
        Some(bad) if ready == 0 => bad,
        None if ready == 0 => state(&app.instances[0]),
        _ => word(Symbol::Part, "partly", Role::Warn),
    }
}

/// 0 for the worst, growing.
pub fn rank(role: Role) -> u8 {
    match role {
        Role::Loud | Role::Bad => 0,
        Role::Warn => 2,
        Role::Busy => 3,
        Role::Dim => 4,
        _ => 5,
    }
}

/// 0 for the worst, growing; apps sort by it.
pub fn trouble(app: &App) -> u8 {
    let own = rank(readiness(app).role);
    // An address that only may move is no trouble yet; one that moved is.
    let held = if matches!(held_app(app).role, Role::Loud | Role::Bad) { 0 } else { 5 };
    own.min(held)
}

/// A verdict after an operation.
pub fn verdict(verdict: Verdict) -> Word {
    match verdict {
        Verdict::Kept => word(Symbol::Good, "kept", Role::Good),
        Verdict::Unprotected => word(Symbol::Warn, "kept, loose", Role::Warn),
        Verdict::Changed => word(Symbol::Bad, "CHANGED", Role::Loud),
        Verdict::Orphaned => word(Symbol::Bad, "ORPHANED", Role::Loud),
        Verdict::Lost => word(Symbol::Bad, "LOST", Role::Loud),
    }
}
