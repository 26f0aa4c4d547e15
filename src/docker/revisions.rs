//! Earlier revisions, kept as files in the sandbox's own filesystem.

use super::{Docker, DockerError};
use crate::domain::ids::ContainerId;
use crate::domain::plan::RevisionRecord;

impl Docker {
    /// Keeps a revision in a sandbox, running or not.
    pub async fn write_revision(&self, sandbox: &ContainerId, record: &RevisionRecord) -> Result<(), DockerError> {
        let _ = (sandbox, record);
        todo!()
    }

    /// The revisions kept there, newest first, at most ten.
    pub async fn read_revisions(&self, sandbox: &ContainerId) -> Result<Vec<RevisionRecord>, DockerError> {
        let _ = sandbox;
        todo!()
    }
}
