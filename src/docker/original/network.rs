//! The network side of a stranger's container: as it was asked for, and the ports and the address it got.

use super::{Losses, some, sysctls};
use crate::domain::address::mac_of;
use crate::domain::clean::clean;
use crate::domain::labels::COMPOSE_SERVICE;
use crate::domain::spec::{NetworkAttach, PublishedPort, SandboxSpec};
use bollard::models::{ContainerConfig, EndpointSettings, HostConfig, PortMap};
use std::collections::HashMap;

/// The network side as it was asked for.
pub(super) fn sandbox(
    config: &ContainerConfig,
    host: &HostConfig,
    endpoints: &HashMap<String, EndpointSettings>,
    [name, id]: [&str; 2],
    losses: &mut Losses,
) -> SandboxSpec {
    if host.links.as_ref().is_some_and(|links| !links.is_empty()) {
        losses.say("its links (--link) are not kept: other containers are found by their names on a shared network");
    }
    if host.uts_mode.as_deref() == Some("host") {
        losses.say("--uts host is not kept: its hostname becomes its own");
    }
    let first = match host.network_mode.as_deref() {
        None | Some("" | "default") => "bridge",
        Some(mode) => mode,
    };
    let mut names: Vec<&String> = endpoints.keys().collect();
    names.sort_by_key(|name| (name.as_str() != first, name.as_str()));
    let short = id.get(..12).unwrap_or(id);
    let networks = names.into_iter().map(|network| {
        let end = &endpoints[network];
        if end.driver_opts.as_ref().is_some_and(|options| !options.is_empty()) {
            losses.say(format!("the driver options of its connection to {network} are not kept"));
        }
        if end.gw_priority.is_some_and(|priority| priority != 0) {
            losses.say(format!("the gateway priority of {network} is not kept: the first network is the way out"));
        }
        if end.links.as_ref().is_some_and(|links| !links.is_empty()) {
            losses.say(format!("its links on {network} are not kept: other containers are found by their own names"));
        }
        let asked = end.ipam_config.clone().unwrap_or_default();
        let mut aliases: Vec<String> = Vec::new();
        // A service's own name is its sandbox's anyway, and Compose v2 names each container as an alias of its own: no wish of the file's.
        let service = config.labels.as_ref().and_then(|labels| labels.get(COMPOSE_SERVICE));
        let is_wish = |alias: &&String| *alias != short && *alias != name && Some(*alias) != service;
        for alias in end.aliases.iter().flatten().filter(is_wish) {
            if !aliases.contains(alias) {
                aliases.push(clean(alias));
            }
        }
        NetworkAttach {
            network: clean(network),
            aliases,
            ipv4: some(asked.ipv4_address.as_ref()),
            ipv6: some(asked.ipv6_address.as_ref()),
            mac: None,
        }
    });
    SandboxSpec {
        networks: networks.collect(),
        ports: wished(host),
        hostname: some(config.hostname.as_ref()).filter(|hostname| hostname != short),
        domainname: some(config.domainname.as_ref()),
        dns: host.dns.clone().unwrap_or_default(),
        dns_search: host.dns_search.clone().unwrap_or_default(),
        dns_options: host.dns_options.clone().unwrap_or_default(),
        extra_hosts: host.extra_hosts.clone().unwrap_or_default(),
        sysctls: sysctls(host).0,
    }
}

/// The one that goes with the address comes with it; any other is asked for again.
pub(super) fn own_mac(end: &EndpointSettings) -> Option<String> {
    let mac = some(end.mac_address.as_ref())?;
    let derived = some(end.ip_address.as_ref()).and_then(|ip| ip.parse().ok()).map(mac_of);
    (derived.as_deref() != Some(&mac)).then_some(mac)
}

/// Ports as they were asked for.
pub(super) fn wished(host: &HostConfig) -> Vec<PublishedPort> {
    published(host.port_bindings.as_ref(), |text| {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        Some((first.parse().ok()?, last.parse().ok()?))
    })
}

/// Ports as they are; the same number on all addresses is said once. An engine that picks them may pick another for each family.
pub(super) fn bound(ports: &PortMap) -> Vec<PublishedPort> {
    let seen = published(Some(ports), |text| text.parse().ok().map(|port| (port, port)));
    let everywhere = |port: &PublishedPort| {
        let other_family = match port.host_ip.as_deref() {
            Some("0.0.0.0") => "::",
            Some("::") => "0.0.0.0",
            _ => return false,
        };
        let mut others = seen
            .iter()
            .filter(|one| (one.container, &one.protocol) == (port.container, &port.protocol))
            .filter(|one| one.host_ip.as_deref() == Some(other_family))
            .peekable();
        others.peek().is_none() || others.any(|one| one.host == port.host)
    };
    let ports = seen.iter().filter(|port| port.host.is_some());
    let mut ports: Vec<_> = ports
        .map(|port| PublishedPort { host_ip: port.host_ip.clone().filter(|_| !everywhere(port)), ..port.clone() })
        .collect();
    ports.sort();
    ports.dedup();
    ports
}

fn published(map: Option<&PortMap>, host: impl Fn(&str) -> Option<(u16, u16)>) -> Vec<PublishedPort> {
    let mut ports = Vec::new();
    for (inside, bindings) in map.into_iter().flatten() {
        let (port, protocol) = inside.split_once('/').unwrap_or((inside, "tcp"));
        let Ok(container) = port.parse() else { continue };
        for binding in bindings.iter().flatten() {
            ports.push(PublishedPort {
                host_ip: some(binding.host_ip.as_ref()),
                host: binding.host_port.as_deref().filter(|text| !text.is_empty() && *text != "0").and_then(&host),
                container,
                protocol: clean(protocol),
            });
        }
    }
    ports.sort();
    ports
}
