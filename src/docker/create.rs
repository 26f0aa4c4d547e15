//! Creating sandboxes and app containers.

use super::{Docker, DockerError};
use crate::domain::fleet::MountSeen;
use crate::domain::ids::{ContainerId, ImageRef, ObjectName};
use crate::domain::spec::{ContainerSpec, SandboxSpec};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// A sandbox to create.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SandboxCreation {
    pub name: ObjectName,
    pub image: ImageRef,
    /// Pitstop's own.
    pub labels: BTreeMap<String, String>,
    /// Used where the spec names none.
    pub hostname: String,
    /// On every network, besides those the spec asks for there.
    pub aliases: Vec<String>,
    pub spec: SandboxSpec,
    /// Pinned addresses by network; one the spec asks for itself goes before.
    pub addresses: BTreeMap<String, Ipv4Addr>,
}

/// An app container to create.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppCreation {
    pub name: ObjectName,
    /// A reference or an image id.
    pub image: ImageRef,
    /// Pitstop's own; they go before the spec's where both have a key.
    pub labels: BTreeMap<String, String>,
    pub spec: ContainerSpec,
    /// Whose network namespace it joins.
    pub sandbox: ContainerId,
    /// Volumes carried over by name, at targets for which the spec names no mount of its own.
    pub carry: Vec<MountSeen>,
}

impl Docker {
    /// Creates a sandbox on all its networks, not started.
    pub async fn create_sandbox(&self, creation: &SandboxCreation) -> Result<ContainerId, DockerError> {
        let _ = creation;
        todo!()
    }

    /// Creates an app container joined to its sandbox, not started.
    pub async fn create_app(&self, creation: &AppCreation) -> Result<ContainerId, DockerError> {
        let _ = creation;
        todo!()
    }
}
