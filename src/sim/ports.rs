//! Published ports: read from a creation's request, bound at start, refused when somebody has them.

use super::answer::{Refusal, refuse};
use super::world::{Container, World};
use serde_json::Value;

/// Where the engine begins to look for a host port that nobody asked for by number.
const EPHEMERAL: u16 = 49153;

/// Inside, protocol, host address, host port.
pub type Bound = (u16, String, String, u16);

/// `8080/tcp`
pub fn inside(text: &str) -> Option<(u16, String)> {
    let (port, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    Some((port.parse().ok()?, protocol.to_owned()))
}

/// Host ports for what the container publishes.
pub fn bind(world: &World, container: &Container) -> Result<Vec<Bound>, Refusal> {
    let mut bound: Vec<Bound> = Vec::new();
    let Some(asked) = container.host["PortBindings"].as_object() else { return Ok(bound) };
    for (key, bindings) in asked {
        let Some((port, protocol)) = inside(key) else { continue };
        for binding in bindings.as_array().into_iter().flatten() {
            let host = binding["HostIp"].as_str().filter(|ip| !ip.is_empty()).unwrap_or("0.0.0.0");
            let (first, last) = range(&binding["HostPort"]);
            let mine = bound.clone();
            let taken = |number: u16| {
                let others = world.containers.values().filter(|other| other.id != container.id);
                others.flat_map(|other| &other.state.ports).chain(&mine).any(|(_, theirs, ip, other)| {
                    *other == number && *theirs == protocol && (ip == host || ip == "0.0.0.0" || host == "0.0.0.0")
                })
            };
            let Some(number) = (first..=last).find(|number| !taken(*number)) else {
                return refuse(
                    500,
                    format!(
                        "driver failed programming external connectivity on endpoint {} ({}): Bind for {host}:{first} failed: \
                         port is already allocated",
                        container.name, container.id
                    ),
                );
            };
            bound.push((port, protocol.clone(), host.to_owned(), number));
        }
    }
    Ok(bound)
}

fn range(text: &Value) -> (u16, u16) {
    let text = text.as_str().unwrap_or("");
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    match (first.parse(), last.parse()) {
        (Ok(first), Ok(last)) if first > 0 => (first, last),
        _ => (EPHEMERAL, u16::MAX),
    }
}
