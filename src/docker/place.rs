//! Containers that hold an address for a while and do nothing else: the lock's guest, whose lease nobody renews.

use super::client::Changes;
use super::error::DockerError;
use crate::domain::ids::{ContainerId, ImageRef, ObjectName};
use bollard::models::{
    ContainerCreateBody, EndpointIpamConfig, EndpointSettings, HostConfig, HostConfigLogConfig, NetworkingConfig,
};
use std::collections::{BTreeMap, HashMap};
use std::net::Ipv4Addr;
use std::time::Duration;

/// A container that holds an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlaceCreation {
    pub name: ObjectName,
    pub image: ImageRef,
    pub labels: BTreeMap<String, String>,
    pub network: String,
    /// `None`: the one that the engine hands out.
    pub ip: Option<Ipv4Addr>,
    /// It ends, and is removed by the engine, after so long.
    pub lease: Duration,
}

impl Changes {
    /// Creates it, not started.
    pub async fn create_place(&self, creation: &PlaceCreation) -> Result<ContainerId, DockerError> {
        self.create("create", &creation.name, body(creation)).await
    }
}

fn body(creation: &PlaceCreation) -> ContainerCreateBody {
    let asked = creation.ip.map(|ip| EndpointIpamConfig {
        ipv4_address: Some(ip.to_string()),
        ipv6_address: None,
        link_local_ips: None,
    });
    let end = EndpointSettings { ipam_config: asked, ..EndpointSettings::default() };
    ContainerCreateBody {
        image: Some(creation.image.to_string()),
        cmd: Some(vec!["lock".into(), "--lease-ms".into(), creation.lease.as_millis().to_string()]),
        labels: Some(creation.labels.clone().into_iter().collect()),
        // It ends at the end of its input; open and with nobody there, that never comes.
        open_stdin: Some(true),
        stdin_once: Some(false),
        networking_config: Some(NetworkingConfig {
            endpoints_config: Some(HashMap::from([(creation.network.clone(), end)])),
        }),
        host_config: Some(HostConfig {
            auto_remove: Some(true),
            network_mode: Some(creation.network.clone()),
            cap_drop: Some(vec!["ALL".into()]),
            log_config: Some(HostConfigLogConfig { typ: Some("none".into()), config: None }),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    }
}
