//! Hooks: an app's own commands, run in an instance's app container at fixed moments of an operation.
//!
//! Only the description; running one is the work of `engine/hook.rs`, when it runs that of `domain/recipe/hooks.rs`.

use super::plan::Action;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// How long a hook may take when nobody says otherwise, in milliseconds.
pub const DEFAULT_TIMEOUT_MS: u64 = 30_000;
/// The longest that may be asked for, in milliseconds.
pub const LONGEST_TIMEOUT_MS: u64 = 3_600_000;

/// A command without a shell, and how long it may take.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hook {
    /// The program and its arguments; arguments may be secrets, so only the program is ever shown.
    pub command: Vec<String>,
    pub timeout_ms: u64,
}

/// When a hook runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// In the container that serves, before its sessions end.
    PreDrain,
    /// In the same, when no session is left, before it is stopped.
    PreStop,
    /// In the container that has become ready, before it is verified and attached.
    PostReady,
}

/// The hooks of one app.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Hooks {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pre_drain: Option<Hook>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pre_stop: Option<Hook>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub post_ready: Option<Hook>,
}

impl Hook {
    /// The program, for people.
    pub fn program(&self) -> &str {
        self.command.first().map_or("", String::as_str)
    }

    /// How long it may take.
    pub fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }
}

impl Hooks {
    /// None at all.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The one of that moment.
    pub fn at(&self, moment: Moment) -> Option<&Hook> {
        match moment {
            Moment::PreDrain => self.pre_drain.as_ref(),
            Moment::PreStop => self.pre_stop.as_ref(),
            Moment::PostReady => self.post_ready.as_ref(),
        }
    }

    /// Lays what `later` says over these.
    pub fn over(&mut self, later: Self) {
        self.pre_drain = later.pre_drain.or(self.pre_drain.take());
        self.pre_stop = later.pre_stop.or(self.pre_stop.take());
        self.post_ready = later.post_ready.or(self.post_ready.take());
    }
}

impl Moment {
    /// Its step's action.
    pub fn action(self) -> Action {
        match self {
            Self::PreDrain => Action::PreDrain,
            Self::PreStop => Action::PreStop,
            Self::PostReady => Action::PostReady,
        }
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.action().as_str())
    }
}
