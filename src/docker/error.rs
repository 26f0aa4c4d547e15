//! What went wrong between us and the engine, in words for the person who has to act.
//!
//! Names the operation and its subject, keeps the engine's own words, and says what kind of failure it is; never the
//! client library's text alone. Must not decide what follows from it.

use crate::domain::clean::Clean;
use std::fmt;

/// A failed request to the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DockerError {
    /// What was asked: `start`, `create sandbox`, `pull` …
    pub operation: &'static str,
    /// Of whom: a name, an image reference, an engine's address.
    pub subject: Clean,
    pub failure: Failure,
    /// The engine's own words, or what happened on the way.
    pub message: Clean,
    /// HTTP status, where the engine answered.
    pub status: Option<u16>,
    /// What to do about it, where that is known.
    pub(super) hint: Option<String>,
}

/// Kinds of failure that need different reactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Failure {
    /// There is no socket at that path, or no such host.
    NoSocket,
    /// The socket, or a directory above it, is not ours to open.
    Permission,
    /// A socket is there, but nobody listens.
    Refused,
    /// Somebody answers, but not like a Docker Engine.
    NotAnEngine,
    /// No API version in common.
    UnsupportedApi,
    NotFound,
    Conflict,
    BadRequest,
    /// 403: the engine or a proxy before it does not allow this.
    Denied,
    /// 5xx.
    Server,
    /// Our own deadline passed. What a change did is unknown: look again.
    Timeout,
    /// The connection broke or the answer could not be read. What a change did is unknown: look again.
    Broken,
    /// Never sent: what was asked for makes no sense to this build or this engine.
    Invalid,
}

impl DockerError {
    /// The engine can't be reached or talked to at all: exit code 3.
    pub fn is_unreachable(&self) -> bool {
        matches!(
            self.failure,
            Failure::NoSocket | Failure::Permission | Failure::Refused | Failure::NotAnEngine | Failure::UnsupportedApi
        )
    }

    /// A change whose outcome is not known from the answer: look again before doing anything else.
    pub fn is_unknown_outcome(&self) -> bool {
        matches!(self.failure, Failure::Server | Failure::Timeout | Failure::Broken)
    }

    /// What to do about it, as a sentence or several lines.
    pub fn hint(&self) -> Option<String> {
        self.hint.clone()
    }
}

impl fmt::Display for DockerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.operation, self.subject, self.message)
    }
}

impl std::error::Error for DockerError {}
