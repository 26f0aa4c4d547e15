//! A Swarm service as the benchmark needs one: made, updated task by task, taken away. Nothing else here knows of Swarm.

use super::client::{CREATE, Changes, Docker, LIST, READ, REMOVE};
use super::error::DockerError;
use super::plain::with_label;
use super::write;
use crate::domain::ids::ImageRef;
use bollard::models::{
    LocalNodeState, ServiceSpec, ServiceSpecMode, ServiceSpecModeReplicated, ServiceSpecUpdateConfig,
    ServiceSpecUpdateConfigOrderEnum, ServiceUpdateStatusStateEnum, TaskSpec, TaskSpecContainerSpec,
};
use bollard::query_parameters::{InspectServiceOptions, ListServicesOptions, UpdateServiceOptions};
use std::collections::BTreeMap;

/// How long a task that runs is looked at before the next one's turn, in nanoseconds: as short as can be said (0 means 5 s).
const MONITOR: i64 = 1;

impl Docker {
    /// Whether services can be made here.
    pub async fn is_swarm_manager(&self) -> Result<bool, DockerError> {
        let info = self.call("ask", "engine", READ, self.client().info()).await?;
        let swarm = info.swarm.unwrap_or_default();
        Ok(swarm.local_node_state == Some(LocalNodeState::ACTIVE) && swarm.control_available == Some(true))
    }

    /// Whether its last update is complete.
    pub async fn service_is_updated(&self, name: &str) -> Result<bool, DockerError> {
        let request = self.client().inspect_service(name, None::<InspectServiceOptions>);
        let status = self.call("inspect service", name, READ, request).await?.update_status;
        Ok(status.and_then(|status| status.state) == Some(ServiceUpdateStatusStateEnum::COMPLETED))
    }
}

impl Changes {
    /// A service of so many tasks, which are stopped before they are replaced, one at a time. The labels are the tasks', too.
    pub async fn create_service(
        &self,
        name: &str,
        image: &ImageRef,
        labels: &BTreeMap<String, String>,
        environment: &BTreeMap<String, String>,
        tasks: u32,
    ) -> Result<(), DockerError> {
        let labels = write::unsorted(labels);
        let container = TaskSpecContainerSpec {
            image: Some(image.to_string()),
            env: Some(lines(environment)),
            labels: Some(labels.clone()),
            ..TaskSpecContainerSpec::default()
        };
        let spec = ServiceSpec {
            name: Some(name.to_owned()),
            labels: Some(labels),
            task_template: Some(TaskSpec { container_spec: Some(container), ..TaskSpec::default() }),
            mode: Some(ServiceSpecMode {
                replicated: Some(ServiceSpecModeReplicated { replicas: Some(i64::from(tasks)) }),
                ..ServiceSpecMode::default()
            }),
            update_config: Some(ServiceSpecUpdateConfig {
                parallelism: Some(1),
                monitor: Some(MONITOR),
                order: Some(ServiceSpecUpdateConfigOrderEnum::STOP_FIRST),
                ..ServiceSpecUpdateConfig::default()
            }),
            ..ServiceSpec::default()
        };
        self.call("create service", name, CREATE, self.client().create_service(spec, None)).await.map(drop)
    }

    /// Gives its tasks another environment, which begins an update.
    pub async fn update_service(&self, name: &str, environment: &BTreeMap<String, String>) -> Result<(), DockerError> {
        let request = self.client().inspect_service(name, None::<InspectServiceOptions>);
        let seen = self.call("inspect service", name, READ, request).await?;
        let version = seen.version.and_then(|version| version.index).and_then(|index| i32::try_from(index).ok());
        let mut spec = seen.spec.unwrap_or_default();
        if let Some(container) = spec.task_template.as_mut().and_then(|task| task.container_spec.as_mut()) {
            container.env = Some(lines(environment));
        }
        let options = UpdateServiceOptions { version: version.unwrap_or_default(), ..UpdateServiceOptions::default() };
        let request = self.client().update_service(name, spec, options, None);
        self.call("update service", name, CREATE, request).await.map(drop)
    }

    /// Removes the services with that label; an engine without a Swarm has none.
    pub async fn remove_services(&self, label: &str) -> Result<(), DockerError> {
        if !self.is_swarm_manager().await? {
            return Ok(());
        }
        let options = ListServicesOptions { filters: Some(with_label(label)), ..ListServicesOptions::default() };
        for service in self.call("list", "services", LIST, self.client().list_services(Some(options))).await? {
            let Some(id) = service.id else { continue };
            self.call("remove service", &id, REMOVE, self.client().delete_service(&id)).await?;
        }
        Ok(())
    }
}

fn lines(environment: &BTreeMap<String, String>) -> Vec<String> {
    environment.iter().map(|(key, value)| format!("{key}={value}")).collect()
}
