//! Volumes: seen, made, removed.

use super::client::{CREATE, Changes, Docker, LIST, REMOVE};
use super::containers::fine_when_gone;
use super::error::DockerError;
use super::networks::checked;
use super::{read, write};
use crate::domain::fleet::VolumeSeen;
use crate::domain::ids::ObjectName;
use crate::domain::labels;
use crate::domain::project::VolumeSpec;
use bollard::models::VolumeCreateRequest;
use bollard::query_parameters::{ListVolumesOptions, RemoveVolumeOptions};

impl Docker {
    /// All volumes.
    pub async fn volumes(&self) -> Result<Vec<VolumeSeen>, DockerError> {
        let request = self.client().list_volumes(None::<ListVolumesOptions>);
        let list = self.call("list", "volumes", LIST, request).await?;
        Ok(list.volumes.unwrap_or_default().into_iter().map(read::volume).collect())
    }
}

impl Changes {
    /// Makes a volume; fine when there is one of that name.
    pub async fn create_volume(&self, spec: &VolumeSpec, project: &str) -> Result<(), DockerError> {
        let name = checked("create volume", &spec.name)?;
        let mut labels = spec.labels.clone();
        labels.insert(labels::PROJECT.to_owned(), project.to_owned());
        let body = VolumeCreateRequest {
            name: Some(name.to_string()),
            driver: spec.driver.clone(),
            driver_opts: (!spec.driver_opts.is_empty()).then(|| write::unsorted(&spec.driver_opts)),
            labels: Some(write::unsorted(&labels)),
            cluster_volume_spec: None,
        };
        self.call("create volume", name.as_str(), CREATE, self.client().create_volume(body)).await.map(drop)
    }

    /// Removes it; fine when it is gone. One that a container still has is not removed.
    pub async fn remove_volume(&self, name: &ObjectName) -> Result<(), DockerError> {
        let request = self.client().remove_volume(name.as_str(), None::<RemoveVolumeOptions>);
        fine_when_gone(self.call("remove volume", name.as_str(), REMOVE, request).await)
    }
}
