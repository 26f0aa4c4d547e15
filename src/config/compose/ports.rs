//! `ports` and `expose`: short and long forms, ranges, and whether every replica gets a host port.

use super::read::{At, Keys};
use crate::domain::project::ProjectSpec;
use crate::domain::spec::PublishedPort;
use std::collections::BTreeMap;
use std::net::IpAddr;

const LONG: Keys = Keys {
    read: &["target", "published", "host_ip", "protocol"],
    refused: &[],
    passed: &[
        ("mode", "without Swarm both modes are the same"),
        ("name", "it is for people"),
        ("app_protocol", "it is for people"),
    ],
};

/// More ports than any service publishes: each costs the engine a rule and a process.
const MOST: usize = 2000;

/// Reads `ports`, each once, and checks that `replicas` instances can have them.
pub(super) fn read(at: &At<'_>, replicas: u32) -> Vec<PublishedPort> {
    let mut ports: Vec<PublishedPort> = Vec::new();
    for item in at.items() {
        if ports.len() > MOST {
            at.error(format!("publishes more than {MOST} ports"));
            break;
        }
        let found = match item.fields_if_map(&LONG) {
            Some(fields) => long(&fields),
            None => item.text().and_then(|text| short(&text).map_err(|message| item.error(message)).ok()),
        };
        for port in found.unwrap_or_default() {
            enough_for(&item, &port, replicas);
            if !ports.contains(&port) {
                ports.push(port);
            }
        }
    }
    ports
}

/// Checks `expose`, which changes nothing: instances of a network reach each other on every port.
pub(super) fn check_expose(at: &At<'_>) {
    for item in at.items() {
        let Some(text) = item.text() else { continue };
        if let Err(message) = with_protocol(&text).and_then(|(ports, _)| range(ports)) {
            item.error(message);
        }
    }
}

/// Finds host ports that two services, or two ports of one, would both take; the engine would only notice at the start.
pub(super) fn check_clashes(project: &ProjectSpec, places: &BTreeMap<String, At<'_>>) {
    let mut taken: Vec<(&str, &PublishedPort, (u16, u16))> = Vec::new();
    for (name, entry) in &project.apps {
        for port in &entry.spec.sandbox.ports {
            let Some((first, last)) = port.host else { continue };
            // Instance N takes the N-th port of a range; what is left of it stays free.
            let most = u16::try_from(entry.replicas.saturating_sub(1)).unwrap_or(u16::MAX);
            let range = (first, last.min(first.saturating_add(most)));
            let clash = taken.iter().find(|(_, other, theirs)| {
                other.protocol == port.protocol
                    && (other.host_ip == port.host_ip || other.host_ip.is_none() || port.host_ip.is_none())
                    && range.0 <= theirs.1
                    && theirs.0 <= range.1
            });
            if let (Some((other, _, theirs)), Some(at)) = (clash, places.get(name)) {
                let both = range.0.max(theirs.0);
                let at = At { path: format!("{}.ports", at.path), ..at.clone() };
                let pos = at.node.get("ports").map_or(at.pos, |ports| ports.pos);
                let whose = if *other == name { "twice".to_owned() } else { format!("and so does `{other}`") };
                At { pos, ..at }.error(format!("publishes host port {both}/{} {whose}", port.protocol));
            }
            taken.push((name, port, range));
        }
    }
}

fn enough_for(at: &At<'_>, port: &PublishedPort, replicas: u32) {
    let Some((first, last)) = port.host else { return };
    let there = u32::from(last - first) + 1;
    if there >= replicas {
        return;
    }
    let wanted = u32::from(first) + replicas - 1;
    let advice = if wanted > u32::from(u16::MAX) {
        "publish a lower range".to_owned()
    } else {
        format!("publish a range: `{first}-{wanted}:{}`", port.container)
    };
    let what = if there == 1 { format!("host port {first}") } else { format!("{there} host ports") };
    at.error(format!("{what} cannot serve {replicas} replicas; {advice}"));
}

fn long(fields: &super::read::Fields<'_>) -> Option<Vec<PublishedPort>> {
    let target = fields.need("target")?.parsed(port)?;
    let host = match fields.get("published") {
        Some(at) => at.parsed(host_range)?,
        None => None,
    };
    let host_ip = match fields.get("host_ip") {
        Some(at) => Some(at.parsed(address)?),
        None => None,
    };
    let protocol = match fields.get("protocol") {
        Some(at) => at.parsed(protocol)?,
        None => "tcp".to_owned(),
    };
    Some(vec![PublishedPort { host_ip, host, container: target, protocol }])
}

/// `[[IP:][HOST]:]CONTAINER[/PROTOCOL]`; HOST and CONTAINER may be ranges.
fn short(text: &str) -> Result<Vec<PublishedPort>, String> {
    let (rest, protocol) = with_protocol(text)?;
    let (before, container) = rest.rsplit_once(':').map_or((None, rest), |(before, port)| (Some(before), port));
    let (first, last) = range(container)?;
    let (host_ip, host) = match before {
        None => (None, None),
        Some(before) => match before.rsplit_once(':') {
            // `[::1]:80` and `127.0.0.1:80`, but not the colons inside an address.
            Some((ip, _)) if ip.contains(':') && !ip.starts_with('[') => {
                return Err(format!("`{text}`: write an IPv6 address in brackets, like [::1]:8080:80"));
            }
            Some((ip, host)) if !host.ends_with(']') => (Some(address(ip)?), host_range(host)?),
            _ => (None, host_range(before)?),
        },
    };
    let ports = usize::from(last - first) + 1;
    let hosts = host.map(|(first, last)| usize::from(last - first) + 1);
    if ports > 1 && hosts.is_some_and(|hosts| hosts != ports) {
        return Err(format!("`{text}` maps {} host ports to {ports} container ports", hosts.unwrap_or_default()));
    }
    let one = |container: u16| PublishedPort {
        host_ip: host_ip.clone(),
        // One to one where both are ranges; a range for a single port leaves the choice.
        host: if ports == 1 { host } else { host.map(|(low, _)| low + (container - first)).map(|port| (port, port)) },
        container,
        protocol: protocol.clone(),
    };
    Ok((first..=last).map(one).collect())
}

fn with_protocol(text: &str) -> Result<(&str, String), String> {
    match text.split_once('/') {
        Some((rest, name)) => Ok((rest, protocol(name)?)),
        None => Ok((text, "tcp".to_owned())),
    }
}

fn protocol(text: &str) -> Result<String, String> {
    match text.to_ascii_lowercase().as_str() {
        known @ ("tcp" | "udp" | "sctp") => Ok(known.to_owned()),
        _ => Err(format!("`{text}` is not a protocol; use tcp, udp or sctp")),
    }
}

fn address(text: &str) -> Result<String, String> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    match bare.parse::<IpAddr>() {
        Ok(ip) => Ok(ip.to_string()),
        Err(_) => Err(format!("`{text}` is not an IP address to publish on")),
    }
}

fn port(text: &str) -> Result<u16, String> {
    match text.trim().parse::<u16>() {
        Ok(port) if port > 0 && !text.starts_with('+') => Ok(port),
        _ => Err(format!("`{text}` is not a port; use 1 to 65535")),
    }
}

/// Nothing and 0 leave the choice to the engine.
fn host_range(text: &str) -> Result<Option<(u16, u16)>, String> {
    if text.is_empty() || text == "0" { Ok(None) } else { range(text).map(Some) }
}

fn range(text: &str) -> Result<(u16, u16), String> {
    let (first, last) = match text.split_once('-') {
        Some((first, last)) => (port(first)?, port(last)?),
        None => (port(text)?, port(text)?),
    };
    if first > last {
        return Err(format!("the range `{text}` runs backwards"));
    }
    if last - first >= 1000 {
        return Err(format!("the range `{text}` has more than 1000 ports"));
    }
    Ok((first, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(ip: Option<&str>, host: Option<(u16, u16)>, container: u16, protocol: &str) -> PublishedPort {
        PublishedPort { host_ip: ip.map(str::to_owned), host, container, protocol: protocol.to_owned() }
    }

    #[test]
    fn short_forms() {
        for (text, want) in [
            ("80", vec![one(None, None, 80, "tcp")]),
            ("8080:80", vec![one(None, Some((8080, 8080)), 80, "tcp")]),
            ("8080:80/UDP", vec![one(None, Some((8080, 8080)), 80, "udp")]),
            ("127.0.0.1:8080:80", vec![one(Some("127.0.0.1"), Some((8080, 8080)), 80, "tcp")]),
            ("127.0.0.1::80", vec![one(Some("127.0.0.1"), None, 80, "tcp")]),
            ("[::1]:8080:80", vec![one(Some("::1"), Some((8080, 8080)), 80, "tcp")]),
            ("8080-8083:80", vec![one(None, Some((8080, 8083)), 80, "tcp")]),
            ("80-81", vec![one(None, None, 80, "tcp"), one(None, None, 81, "tcp")]),
            ("90-91:80-81", vec![one(None, Some((90, 90)), 80, "tcp"), one(None, Some((91, 91)), 81, "tcp")]),
        ] {
            assert_eq!(short(text), Ok(want), "{text}");
        }
    }

    #[test]
    fn wrong_short_forms() {
        for text in [
            "",
            ":",
            "a",
            "0",
            "70000",
            "80/icmp",
            "1.2.3:80:80",
            "9-8:1",
            "90-92:80-81",
            "::1:80:80",
            "+80",
            "1-5000",
            "x:80",
        ] {
            assert!(short(text).is_err(), "{text}: {:?}", short(text));
        }
    }
}
