//! Plain containers, images taken away again, and finding both by a label: for the demo and the benchmark, which no operation
//! makes.

use super::client::{CREATE, Changes, Docker, LIST, REMOVE, START};
use super::error::{DockerError, Failure};
use super::write;
use crate::domain::fleet::Container;
use crate::domain::ids::{ContainerId, ImageRef, ObjectName};
use bollard::models::{ContainerCreateBody, HostConfig};
use bollard::query_parameters::{
    CreateContainerOptions, ListImagesOptions, RemoveImageOptions, RestartContainerOptions,
};
use std::collections::{BTreeMap, HashMap};

/// The engine's filter for what has a label: `key`, or `key=value`.
pub(super) fn with_label(label: &str) -> HashMap<String, Vec<String>> {
    HashMap::from([("label".to_owned(), vec![label.to_owned()])])
}

impl Docker {
    /// Containers with that label (`key` or `key=value`), without detail.
    pub async fn labelled(&self, label: &str) -> Result<Vec<Container>, DockerError> {
        self.list_where(with_label(label)).await
    }

    /// The names of images with that label, whatever its value.
    pub async fn images_labelled(&self, label: &str) -> Result<Vec<ImageRef>, DockerError> {
        let options = ListImagesOptions { filters: Some(with_label(label)), ..ListImagesOptions::default() };
        let list = self.call("list", "images", LIST, self.client().list_images(Some(options))).await?;
        Ok(list.into_iter().flat_map(|image| image.repo_tags).filter_map(|tag| ImageRef::new(tag).ok()).collect())
    }
}

impl Changes {
    /// Creates a container as `docker create` does, without a sandbox, on the default bridge or a network; not started.
    pub async fn create_plain(
        &self,
        name: &ObjectName,
        image: &ImageRef,
        labels: &BTreeMap<String, String>,
        network: Option<&str>,
    ) -> Result<ContainerId, DockerError> {
        let body = ContainerCreateBody {
            image: Some(image.to_string()),
            labels: Some(write::unsorted(labels)),
            host_config: network
                .map(|network| HostConfig { network_mode: Some(network.to_owned()), ..HostConfig::default() }),
            ..ContainerCreateBody::default()
        };
        let options = CreateContainerOptions { name: Some(name.to_string()), ..CreateContainerOptions::default() };
        let request = self.client().create_container(Some(options), body);
        let created = self.call("create", name.as_str(), CREATE, request).await?;
        ContainerId::new(created.id)
            .map_err(|error| DockerError::new("create", name.as_str(), Failure::Broken, &error.to_string()))
    }

    /// Restarts it as `docker restart` does: one request.
    pub async fn restart_plain(&self, id: &ContainerId) -> Result<(), DockerError> {
        let request = self.client().restart_container(id.as_str(), None::<RestartContainerOptions>);
        self.call("restart", &self.name(id), START, request).await
    }

    /// Removes an image's name, and the image with its last one; fine when it is gone, refused while it is used.
    pub async fn remove_image(&self, image: &ImageRef) -> Result<(), DockerError> {
        let request = self.client().remove_image(image.as_str(), None::<RemoveImageOptions>, None);
        match self.call("remove image", image.as_str(), REMOVE, request).await {
            Err(error) if error.failure != Failure::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}
