//! What belongs to a service's sandbox: its networks, names and DNS.

use super::context::{Context, cidr};
use super::read::{At, Fields, Keys};
use super::tree::Value;
use crate::domain::project::NetworkSpec;
use crate::domain::spec::{NetworkAttach, SandboxSpec};
use std::net::IpAddr;

const ATTACH: Keys = Keys {
    read: &["aliases", "ipv4_address", "ipv6_address", "mac_address", "priority"],
    refused: &[
        ("gw_priority", "it needs a newer engine API; `priority` orders the networks"),
        ("link_local_ips", "no address but the network's own is"),
        ("driver_opts", "options of a connection are not"),
        ("interface_name", "it needs a newer engine API"),
    ],
    passed: &[],
};

/// Reads the networks of a service and gives the keys of those it joins; none named is `default`.
pub(super) fn read(
    context: &Context<'_>,
    service: &Fields<'_>,
    replicas: u32,
    sandbox: &mut SandboxSpec,
) -> Vec<String> {
    let mut joined: Vec<(i64, String, NetworkAttach)> = Vec::new();
    match service.get("networks") {
        None => {
            let network = context.networks.get("default").map(|network| network.name.clone()).unwrap_or_default();
            joined.push((0, "default".to_owned(), NetworkAttach { network, ..NetworkAttach::default() }));
        }
        Some(at) => {
            let entries = match &at.node.value {
                Value::List(_) => at.items().into_iter().filter_map(|item| Some((item.word()?, item))).collect(),
                _ => at.entries(),
            };
            if entries.is_empty() {
                at.error("joins no network; leave the key out for the project's default network");
            }
            for (key, item) in entries {
                let Some(network) = context.network(&key, &item) else { continue };
                if ["host", "none"].contains(&network.name.as_str()) {
                    item.error("the sandbox needs a network of its own; `host` and `none` are not supported");
                    continue;
                }
                if joined.iter().any(|(_, known, _)| *known == key) {
                    item.error(format!("the network `{key}` is joined twice"));
                    continue;
                }
                let mut attach = NetworkAttach { network: network.name.clone(), ..NetworkAttach::default() };
                let mut priority = 0;
                let options = matches!(item.node.value, Value::Map(_)).then(|| item.fields(&ATTACH)).flatten();
                if let Some(fields) = &options {
                    priority = fields.get("priority").and_then(|at| at.int()).unwrap_or(0);
                    addresses(fields, network, replicas, &mut attach);
                } else if !matches!(item.node.value, Value::Null | Value::Text(_)) {
                    item.fields(&ATTACH);
                }
                joined.push((priority, key, attach));
            }
        }
    }
    // Highest first; equal ones stay in the file's order.
    joined.sort_by_key(|(priority, _, _)| std::cmp::Reverse(*priority));
    if let (Some(at), Some((_, _, first))) = (service.get("mac_address"), joined.first_mut()) {
        first.mac = mac(&at, replicas).or(first.mac.take());
    }
    let keys = joined.iter().map(|(_, key, _)| key.clone()).collect();
    sandbox.networks = joined.into_iter().map(|(_, _, attach)| attach).collect();
    keys
}

/// Reads hostname, DNS and extra hosts.
pub(super) fn names(service: &Fields<'_>, sandbox: &mut SandboxSpec) {
    sandbox.hostname = service.get("hostname").and_then(|at| at.parsed(host_name));
    sandbox.domainname = service.get("domainname").and_then(|at| at.parsed(host_name));
    let servers = service.get("dns").map(|at| at.items_or_one()).unwrap_or_default();
    sandbox.dns = servers.iter().filter_map(|at| at.parsed(address)).collect();
    sandbox.dns_search = service.texts("dns_search");
    sandbox.dns_options = service.texts("dns_opt");
    if let Some(at) = service.get("extra_hosts") {
        extra_hosts(&at, sandbox);
    }
}

/// `HOST:IP` and `HOST=IP` in a list, or a map of host to one or several addresses.
fn extra_hosts(at: &At<'_>, sandbox: &mut SandboxSpec) {
    let mut add = |host: &str, ip: &str, at: &At<'_>| match extra_address(ip) {
        Ok(ip) if !host.is_empty() => sandbox.extra_hosts.push(format!("{host}:{ip}")),
        Ok(_) => at.error(format!("`{ip}` has no host name; write HOST:IP")),
        Err(message) => at.error(message),
    };
    if matches!(at.node.value, Value::List(_)) {
        for item in at.items() {
            let Some(text) = item.word() else { continue };
            match text.split_once('=').or_else(|| text.split_once(':')) {
                Some((host, ip)) => add(host.trim(), ip.trim(), &item),
                None => item.error(format!("`{text}` has no address; write HOST:IP")),
            }
        }
        return;
    }
    for (host, entry) in at.entries() {
        for ip in entry.items_or_one() {
            if let Some(text) = ip.word() {
                add(&host, &text, &ip);
            }
        }
    }
}

fn extra_address(text: &str) -> Result<String, String> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    if bare == "host-gateway" { Ok(bare.to_owned()) } else { address(bare) }
}

fn address(text: &str) -> Result<String, String> {
    match text.parse::<IpAddr>() {
        Ok(ip) => Ok(ip.to_string()),
        Err(_) => Err(format!("`{text}` is not an IP address")),
    }
}

/// RFC 1123, as the kernel takes it: at most 63 characters, and no space or control character.
fn host_name(text: &str) -> Result<String, String> {
    let fits = (1..=63).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._".contains(&b))
        && !text.starts_with(['-', '.']);
    if fits {
        Ok(text.to_owned())
    } else {
        Err(format!("`{text}` is not a host name (letters, digits, `-`, `.`; at most 63)"))
    }
}

fn addresses(fields: &Fields<'_>, network: &NetworkSpec, replicas: u32, attach: &mut NetworkAttach) {
    attach.aliases = fields.texts("aliases");
    attach.ipv4 = fields.get("ipv4_address").and_then(|at| pinned(&at, network, replicas, true));
    attach.ipv6 = fields.get("ipv6_address").and_then(|at| pinned(&at, network, replicas, false));
    attach.mac = fields.get("mac_address").and_then(|at| mac(&at, replicas));
}

/// An address asked for: one instance only, and inside the network's own subnet where the file gives one.
fn pinned(at: &At<'_>, network: &NetworkSpec, replicas: u32, v4: bool) -> Option<String> {
    let ip: IpAddr = at.parsed(|text| match text.parse::<IpAddr>() {
        Ok(ip) if ip.is_ipv4() == v4 => Ok(ip),
        _ => Err(format!("`{text}` is not an IPv{} address", if v4 { 4 } else { 6 })),
    })?;
    if replicas > 1 {
        at.error(format!(
            "one address cannot serve {replicas} replicas; leave it out and every instance keeps its own"
        ));
        return None;
    }
    let pools: Vec<_> = network.ipam.iter().filter_map(|pool| cidr(&pool.subnet).ok()).collect();
    if !network.external && !pools.iter().any(|(base, _)| base.is_ipv4() == v4) {
        at.error(format!("needs a subnet: give the network `{}` one below `ipam: config:`", network.name));
        return None;
    }
    if !network.external && !pools.iter().any(|(base, bits)| inside(ip, *base, *bits)) {
        at.error(format!("{ip} is in no subnet of the network `{}`", network.name));
        return None;
    }
    Some(ip.to_string())
}

fn inside(ip: IpAddr, base: IpAddr, bits: u8) -> bool {
    let shift = |width: u8| u32::from(width.saturating_sub(bits));
    match (ip, base) {
        (IpAddr::V4(ip), IpAddr::V4(base)) => {
            (u32::from(ip) ^ u32::from(base)).checked_shr(shift(32)).unwrap_or(0) == 0
        }
        (IpAddr::V6(ip), IpAddr::V6(base)) => {
            (u128::from(ip) ^ u128::from(base)).checked_shr(shift(128)).unwrap_or(0) == 0
        }
        _ => false,
    }
}

fn mac(at: &At<'_>, replicas: u32) -> Option<String> {
    let mac = at.parsed(|text| {
        let parts: Vec<&str> = text.split([':', '-']).collect();
        let valid =
            parts.len() == 6 && parts.iter().all(|part| part.len() == 2 && part.bytes().all(|b| b.is_ascii_hexdigit()));
        if valid { Ok(parts.join(":").to_ascii_lowercase()) } else { Err(format!("`{text}` is not a MAC address")) }
    })?;
    if replicas > 1 {
        at.error(format!("one address cannot serve {replicas} replicas"));
        return None;
    }
    Some(mac)
}
