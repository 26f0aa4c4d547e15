//! Which engine is meant, found as the docker CLI finds it: flags, environment, Docker contexts, the usual socket.
//!
//! Reads the environment and Docker's configuration; opens no connection.

use super::DockerError;

/// Where an engine is, and how it is spoken to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Location {
    /// `unix:///path`, `tcp://host:port`, `ssh://user@host`.
    pub host: String,
    /// The Docker context it came from, if any but `default`.
    pub context: Option<String>,
    /// Speak exactly this version (`DOCKER_API_VERSION`).
    pub api_version: Option<String>,
}

impl Location {
    /// The engine meant by the flags `--host` and `--context`, the environment and `~/.docker/config.json`, in the docker CLI's order.
    pub fn resolve(host: Option<&str>, context: Option<&str>) -> Result<Self, DockerError> {
        let _ = (host, context);
        todo!()
    }
}
