//! One container as the engine tells of it, word for word: for people who want to see just that.

use super::client::{Docker, READ};
use super::error::{DockerError, Failure};
use crate::domain::ids::ContainerId;
use crate::domain::inspection::Inspection;
use futures_util::TryStreamExt;

impl Docker {
    /// The engine's own inspection, unconverted.
    pub async fn inspection(&self, id: &ContainerId) -> Result<Inspection, DockerError> {
        let name = self.name(id);
        let collect = self.raw(&format!("/containers/{id}/json")).try_fold(Vec::new(), |mut body, bytes| async move {
            body.extend_from_slice(&bytes);
            Ok(body)
        });
        let body = self.call("inspect", &name, READ, collect).await?;
        Inspection::read(&body).ok_or_else(|| DockerError::new("inspect", &name, Failure::Broken, "not an inspection"))
    }
}
