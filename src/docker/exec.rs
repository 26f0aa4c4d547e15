//! Commands inside containers, run to their end.

use super::{Docker, DockerError};
use crate::domain::clean::Clean;
use crate::domain::ids::ContainerId;
use std::time::Duration;

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecResult {
    pub code: i64,
    /// What it wrote, both streams; the first few kilobytes.
    pub output: Clean,
}

impl Docker {
    /// Runs `command` in a running container and waits for its end, at most `timeout`.
    pub async fn exec(
        &self,
        id: &ContainerId,
        command: Vec<String>,
        timeout: Duration,
    ) -> Result<ExecResult, DockerError> {
        let _ = (id, command, timeout);
        todo!()
    }
}
