//! Published ports: which one an instance gets, and whether the host has it free.

use super::super::facts::Facts;
use super::super::fleet::Container;
use super::super::ids::AppId;
use super::super::plan::Refusal;
use super::super::spec::{PublishedPort, SandboxSpec};
use super::draft::all;

/// The sandbox's part with the ports of instance `number`: the N-th of each host range.
pub(super) fn of_instance(app: &AppId, spec: &SandboxSpec, number: u32) -> Result<SandboxSpec, Refusal> {
    let mut spec = spec.clone();
    for port in &mut spec.ports {
        let Some((first, last)) = port.host else { continue };
        let host = u32::from(first) + number.saturating_sub(1);
        match u16::try_from(host) {
            Ok(host) if host <= last => port.host = Some((host, host)),
            _ => {
                let wide = u32::from(first) + number.max(2) - 1;
                return Err(Refusal::Refused(format!(
                    "{} publishes {} on {}, which leaves no host port for instance {number}; give a range like {first}-{wide}:{}, or only the container's port",
                    app,
                    port.container,
                    if first == last { format!("host port {first}") } else { format!("host ports {first}-{last}") },
                    port.container
                )));
            }
        }
    }
    Ok(spec)
}

/// Host ports promised to sandboxes of this plan.
#[derive(Default)]
pub(super) struct Taken(Vec<(String, PublishedPort)>);

impl Taken {
    /// Takes the host ports of a sandbox to be made; refuses one that somebody else has or gets.
    pub fn take(&mut self, facts: &Facts, owner: &str, spec: &SandboxSpec) -> Result<(), Refusal> {
        for port in spec.ports.iter().filter(|port| port.host.is_some()) {
            let shown = port.host.map_or(0, |(host, _)| host);
            let refuse = |by: &str| {
                Err(Refusal::Refused(format!("{owner} wants host port {shown}/{}, which {by}", port.protocol)))
            };
            if let Some((other, _)) = self.0.iter().find(|(_, taken)| clash(taken, port)) {
                return refuse(&format!("{other} gets in the same operation"));
            }
            if let Some(container) = all(facts).find(|container| container.is_alive() && holds(container, port)) {
                return refuse(&format!("container {} has; stop it or choose another port", container.name));
            }
            self.0.push((owner.to_owned(), port.clone()));
        }
        Ok(())
    }
}

fn any(ip: Option<&str>) -> bool {
    ip.is_none_or(|ip| matches!(ip, "" | "0.0.0.0" | "::"))
}

fn clash(a: &PublishedPort, b: &PublishedPort) -> bool {
    let (ip_a, ip_b) = (a.host_ip.as_deref(), b.host_ip.as_deref());
    a.protocol == b.protocol && a.host == b.host && (any(ip_a) || any(ip_b) || ip_a == ip_b)
}

fn holds(container: &Container, port: &PublishedPort) -> bool {
    container.ports.iter().any(|bound| {
        let Some((ip, host)) = &bound.host else { return false };
        let held = PublishedPort {
            host_ip: Some(ip.clone()),
            host: Some((*host, *host)),
            container: bound.container,
            protocol: bound.protocol.clone(),
        };
        clash(&held, port)
    })
}
