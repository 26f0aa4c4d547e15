//! Containers as they are, and the changes that are one request each.

use super::{Docker, DockerError};
use crate::domain::fleet::{Container, Fleet};
use crate::domain::ids::{ContainerId, ObjectName};
use crate::domain::spec::RestartPolicy;
use std::time::Duration;

/// How a container ended when it was asked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped {
    pub exit_code: i64,
    /// It did not end within the grace period and was killed.
    pub killed: bool,
    /// It did not run in the first place.
    pub already: bool,
}

impl Docker {
    /// All containers, running or not, without detail.
    pub async fn list(&self) -> Result<Vec<Container>, DockerError> {
        todo!()
    }

    /// One container with its detail; `None` when there is none with that id.
    pub async fn inspect(&self, id: &ContainerId) -> Result<Option<Container>, DockerError> {
        let _ = id;
        todo!()
    }

    /// One container with its detail by its exact name.
    pub async fn find(&self, name: &ObjectName) -> Result<Option<Container>, DockerError> {
        let _ = name;
        todo!()
    }

    /// Fills in the detail of those given, side by side; those that vanished meanwhile are dropped.
    pub async fn detailed(&self, containers: Vec<Container>) -> Result<Vec<Container>, DockerError> {
        let _ = containers;
        todo!()
    }

    /// The fleet now, every container with its detail.
    pub async fn fleet(&self) -> Result<Fleet, DockerError> {
        todo!()
    }

    /// Starts it; fine when it runs already.
    pub async fn start(&self, id: &ContainerId) -> Result<(), DockerError> {
        let _ = id;
        todo!()
    }

    /// Asks it to end and kills it after `grace` (`None`: the container's own, else 10 s).
    ///
    /// Dropping the future does not take the request back: engines may answer a vanished client with SIGKILL.
    pub async fn stop(&self, id: &ContainerId, grace: Option<Duration>) -> Result<Stopped, DockerError> {
        let _ = (id, grace);
        todo!()
    }

    /// Removes it, with its anonymous volumes when told; fine when it is gone. A running one is not removed.
    pub async fn remove(&self, id: &ContainerId, volumes: bool) -> Result<(), DockerError> {
        let _ = (id, volumes);
        todo!()
    }

    /// Gives it another name; fails with [`super::Failure::Conflict`] when that is taken.
    pub async fn rename(&self, id: &ContainerId, name: &ObjectName) -> Result<(), DockerError> {
        let _ = (id, name);
        todo!()
    }

    /// Sets when the engine starts it again by itself.
    pub async fn set_restart(&self, id: &ContainerId, policy: &RestartPolicy) -> Result<(), DockerError> {
        let _ = (id, policy);
        todo!()
    }
}
