//! Volumes.

use super::{Docker, DockerError};
use crate::domain::fleet::VolumeSeen;
use crate::domain::ids::ObjectName;
use crate::domain::project::VolumeSpec;

impl Docker {
    /// All volumes.
    pub async fn volumes(&self) -> Result<Vec<VolumeSeen>, DockerError> {
        todo!()
    }

    /// Makes a volume; fine when there is one of that name.
    pub async fn create_volume(&self, spec: &VolumeSpec, project: &str) -> Result<(), DockerError> {
        let _ = (spec, project);
        todo!()
    }

    /// Removes it; fine when it is gone.
    pub async fn remove_volume(&self, name: &ObjectName) -> Result<(), DockerError> {
        let _ = name;
        todo!()
    }
}
