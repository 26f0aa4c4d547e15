//! Watching an app's port from inside its sandbox.

use super::{Docker, DockerError};
use crate::domain::clean::Clean;
use crate::domain::ids::ContainerId;
use crate::domain::probe::ProbeSpec;

/// A running watch; ends when dropped.
pub struct Watch {
    _private: (),
}

/// What a watch reports. Times are microseconds of the engine's monotonic clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WatchLine {
    /// First: the inode of the network namespace it looks at.
    Hello { netns: u64 },
    /// It answers; `gap_us` after the last good answer, when there was one.
    Up { t_us: u64, gap_us: Option<u64>, detail: Clean },
    /// It does not answer any more; `last_ok_us` is 0 when it never did.
    Down { t_us: u64, last_ok_us: u64, detail: Clean },
    /// Nothing changed for about a second.
    Tick { t_us: u64, up: bool, detail: Clean },
}

impl Docker {
    /// Begins to watch `probe` (tcp or http) from inside a running sandbox.
    pub async fn watch(&self, sandbox: &ContainerId, probe: &ProbeSpec) -> Result<Watch, DockerError> {
        let _ = (sandbox, probe);
        todo!()
    }
}

impl Watch {
    /// The next line; `None` after the end, e.g. when the sandbox stopped.
    pub async fn next(&mut self) -> Option<Result<WatchLine, DockerError>> {
        todo!()
    }
}
