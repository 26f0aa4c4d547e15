//! Images: asked for, pulled, loaded.

use super::{Docker, DockerError};
use crate::domain::facts::ImageSeen;
use crate::domain::ids::ImageRef;
use bytes::Bytes;

/// How far a pull is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PullProgress {
    /// Compressed bytes of the layers seen so far.
    pub done: u64,
    /// Grows while layers are discovered.
    pub total: u64,
    /// E.g. `3 of 5 layers`.
    pub note: String,
}

impl Docker {
    /// The image, if the engine has it.
    pub async fn image(&self, image: &ImageRef) -> Result<Option<ImageSeen>, DockerError> {
        let _ = image;
        todo!()
    }

    /// Pulls an image. Gives up when the registry says nothing for 120 s; a deadline for the whole is the caller's.
    pub async fn pull(
        &self,
        image: &ImageRef,
        on_progress: impl FnMut(PullProgress) + Send,
    ) -> Result<(), DockerError> {
        let _ = (image, on_progress);
        todo!()
    }

    /// Loads a Docker archive.
    pub async fn load_image(&self, archive: Bytes) -> Result<(), DockerError> {
        let _ = archive;
        todo!()
    }

    /// Makes the sandbox image available, once per engine, and names it. `given`: use this one instead of pitstop's own.
    pub async fn ensure_sandbox_image(&self, given: Option<&ImageRef>) -> Result<ImageRef, DockerError> {
        let _ = given;
        todo!()
    }
}
