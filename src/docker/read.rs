//! The engine's models into `domain` values. Pure; everything foreign is cleaned on the way.

mod container;

pub(super) use container::{inspection, restart, summary};

use crate::domain::clean::Clean;
use crate::domain::facts::ImageSeen;
use crate::domain::fleet::{NetworkSeen, VolumeSeen};
use crate::domain::project::Subnet;
use bollard::models::{HealthConfig, ImageInspect, Ipam, Network, NetworkInspect, Volume};
use std::collections::{BTreeMap, HashMap};

pub(super) fn network(seen: Network) -> NetworkSeen {
    NetworkSeen {
        id: text(seen.id),
        name: text(seen.name),
        driver: text(seen.driver),
        internal: seen.internal.unwrap_or_default(),
        pools: pools(seen.ipam),
        labels: sorted(seen.labels.unwrap_or_default()),
        addresses: Vec::new(),
    }
}

pub(super) fn network_inspection(seen: NetworkInspect) -> NetworkSeen {
    let endpoints = seen.containers.unwrap_or_default();
    let mut addresses: Vec<_> = endpoints
        .into_values()
        .flat_map(|end| [end.ipv4_address, end.ipv6_address])
        .flatten()
        .map(|cidr| crate::domain::clean::clean(cidr.split('/').next().unwrap_or_default()))
        .filter(|ip| !ip.is_empty())
        .collect();
    addresses.sort();
    NetworkSeen {
        id: text(seen.id),
        name: text(seen.name),
        driver: text(seen.driver),
        internal: seen.internal.unwrap_or_default(),
        pools: pools(seen.ipam),
        labels: sorted(seen.labels.unwrap_or_default()),
        addresses,
    }
}

pub(super) fn volume(seen: Volume) -> VolumeSeen {
    let clean = crate::domain::clean::clean;
    VolumeSeen { name: clean(&seen.name), driver: clean(&seen.driver), labels: sorted(seen.labels) }
}

pub(super) fn image(seen: ImageInspect) -> ImageSeen {
    let config = seen.config.unwrap_or_default();
    ImageSeen {
        id: text(seen.id),
        arch: text(seen.architecture),
        exposed: exposed(config.exposed_ports),
        has_healthcheck: has_healthcheck(config.healthcheck.as_ref()),
        entrypoint: config.entrypoint.unwrap_or_default(),
        command: config.cmd.unwrap_or_default(),
        digests: seen.repo_digests.unwrap_or_default().iter().map(|d| crate::domain::clean::clean(d)).collect(),
    }
}

fn pools(ipam: Option<Ipam>) -> Vec<Subnet> {
    let pool = |config: bollard::models::IpamConfig| {
        Some(Subnet { subnet: some(config.subnet)?, ip_range: some(config.ip_range), gateway: some(config.gateway) })
    };
    ipam.and_then(|ipam| ipam.config).unwrap_or_default().into_iter().filter_map(pool).collect()
}

fn clean(text: Option<String>) -> Clean {
    Clean::new(&text.unwrap_or_default())
}

fn text(text: Option<String>) -> String {
    clean(text).into()
}

/// Label values stay as they are: ours are parsed, others are cleaned by who shows them.
fn sorted(map: HashMap<String, String>) -> BTreeMap<String, String> {
    map.into_iter().collect()
}

fn some(value: Option<String>) -> Option<String> {
    value.map(|value| crate::domain::clean::clean(&value)).filter(|value| !value.is_empty())
}

/// `8080/tcp`
fn port_and_protocol(text: &str) -> Option<(u16, String)> {
    let (port, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    Some((port.parse().ok()?, crate::domain::clean::clean(protocol)))
}

fn exposed(ports: Option<Vec<String>>) -> Vec<u16> {
    let ports = ports.unwrap_or_default();
    let mut tcp: Vec<_> = ports
        .iter()
        .filter_map(|port| port_and_protocol(port).filter(|(_, protocol)| protocol == "tcp"))
        .map(|(port, _)| port)
        .collect();
    tcp.sort_unstable();
    tcp
}

/// `["NONE"]` switches the image's check off.
fn has_healthcheck(check: Option<&HealthConfig>) -> bool {
    check.and_then(|check| check.test.as_deref()).is_some_and(|test| test.len() > 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn read<T: serde::de::DeserializeOwned>(json: Value) -> T {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn networks_and_images_are_read() {
        let seen = network_inspection(read(json!({
            "Name": "shop_net", "Id": "00", "Driver": "bridge", "Internal": true, "Labels": null,
            "IPAM": {"Config": [{"Subnet": "10.1.0.0/24", "IPRange": "10.1.0.128/25", "Gateway": ""}, {"Gateway": "x"}]},
            "Containers": {
                "a": {"IPv4Address": "10.1.0.9/24", "IPv6Address": ""}, "b": {"IPv4Address": "10.1.0.2/24"},
            },
        })));
        assert_eq!(seen.addresses, ["10.1.0.2", "10.1.0.9"]);
        let pool = Subnet { subnet: "10.1.0.0/24".into(), ip_range: Some("10.1.0.128/25".into()), gateway: None };
        assert_eq!((seen.pools, seen.internal), (vec![pool], true));
        let seen = image(read(json!({
            "Id": "sha256:00", "Architecture": "arm64", "RepoDigests": ["web@sha256:11"],
            "Config": {"ExposedPorts": {"80/tcp": {}}, "Healthcheck": {"Test": ["CMD", "true"]}},
        })));
        assert_eq!((seen.arch.as_str(), seen.exposed.as_slice(), seen.has_healthcheck), ("arm64", &[80][..], true));
    }
}
