//! Creating sandboxes and app containers. Nothing half-made is left behind.

use super::client::{CREATE, Changes, READ};
use super::containers::DEFAULT_GRACE;
use super::error::{DockerError, Failure};
use super::write::{self, Takes};
use crate::domain::fleet::MountSeen;
use crate::domain::ids::{ContainerId, ImageRef, ObjectName};
use crate::domain::spec::{ContainerSpec, SandboxSpec};
use bollard::models::{ContainerCreateBody, NetworkConnectRequest};
use bollard::query_parameters::CreateContainerOptions;
use serde_json::json;
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
    /// Without networks it comes on the engine's default bridge.
    pub spec: SandboxSpec,
    /// Pinned addresses by network; one the spec asks for itself goes before.
    pub addresses: BTreeMap<String, Ipv4Addr>,
    /// Settings of its network namespace, by path; the spec's own go before.
    pub sysctls: BTreeMap<String, String>,
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
    /// Volumes carried over by name, at targets for which the spec names no source of its own.
    pub carry: Vec<MountSeen>,
    /// It is going to be held back.
    pub gate: Option<Gate>,
}

/// What stands in front of a program that is held back: the guest, from a volume that everybody may read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gate {
    /// As [`Changes::ensure_guest_volume`] names it.
    pub volume: ObjectName,
    /// By which the sandbox knows it.
    pub token: String,
    /// The program and its arguments, whole.
    pub command: Vec<String>,
}

impl Changes {
    /// Creates a sandbox on all its networks, not started.
    pub async fn create_sandbox(&self, creation: &SandboxCreation) -> Result<ContainerId, DockerError> {
        let takes = self.takes();
        let id = self.create("create sandbox", &creation.name, write::sandbox(creation, takes)).await?;
        // The others join before anything runs.
        for attach in creation.spec.networks.iter().skip(takes.networks()) {
            let connected = match ObjectName::new(attach.network.clone()) {
                Ok(network) => {
                    let endpoint_config = Some(write::endpoint(creation, attach, takes));
                    let body = NetworkConnectRequest { container: id.to_string(), endpoint_config };
                    let request = self.client().connect_network(network.as_str(), body);
                    self.call("connect sandbox", creation.name.as_str(), READ, request).await
                }
                Err(error) => {
                    let words = error.to_string();
                    Err(DockerError::new("connect sandbox", creation.name.as_str(), Failure::Invalid, &words))
                }
            };
            if let Err(error) = connected {
                // The first error is the one that matters; what removal says is in pitstop's own log.
                if let Err(left) = self.remove(&id, true).await {
                    tracing::warn!("{left}");
                }
                return Err(error);
            }
        }
        Ok(id)
    }

    /// Creates an app container joined to its sandbox, not started.
    pub async fn create_app(&self, creation: &AppCreation) -> Result<ContainerId, DockerError> {
        self.create("create", &creation.name, write::app(creation)).await
    }

    pub(super) async fn create(
        &self,
        operation: &'static str,
        name: &ObjectName,
        mut body: ContainerCreateBody,
    ) -> Result<ContainerId, DockerError> {
        if self.info().podman {
            // Docker's default, which Podman takes for none at all: it would kill at once.
            body.stop_timeout.get_or_insert(i64::try_from(DEFAULT_GRACE.as_secs()).unwrap_or(i64::MAX));
        }
        let options = CreateContainerOptions { name: Some(name.to_string()), ..CreateContainerOptions::default() };
        let client = self.old_mac(&body).map_or_else(|| self.client().clone(), |json| self.sending(&json));
        let request = client.create_container(Some(options), body);
        let created = self.call(operation, name.as_str(), CREATE, request).await?;
        for warning in &created.warnings {
            tracing::warn!("{operation} {name}: {}", crate::domain::clean::clean(warning));
        }
        let id = ContainerId::new(created.id)
            .map_err(|error| DockerError::new(operation, name.as_str(), Failure::Broken, &error.to_string()))?;
        self.remember(&id, name.as_str());
        Ok(id)
    }

    /// Podman calls its API 1.41, and takes more.
    fn takes(&self) -> Takes {
        if self.inner.api >= (1, 44) || self.info().podman { Takes::AllNetworks } else { Takes::OneNetwork }
    }

    /// Before API 1.44 a MAC address belongs to the container, in a field that the library's model has lost.
    fn old_mac(&self, body: &ContainerCreateBody) -> Option<serde_json::Value> {
        if self.takes() == Takes::AllNetworks {
            return None;
        }
        let endpoints = body.networking_config.as_ref()?.endpoints_config.as_ref()?;
        let mac = endpoints.values().find_map(|end| end.mac_address.clone())?;
        let mut json = serde_json::to_value(body).ok()?;
        json["MacAddress"] = json!(mac);
        Some(json)
    }
}
