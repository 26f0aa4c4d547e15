//! Addresses a user asks for by name: one instance can have each, and only if nobody else does.

use super::super::facts::Facts;
use super::super::ids::AppId;
use super::super::plan::Refusal;
use super::super::spec::SandboxSpec;
use super::draft::all;

/// Refuses an explicit address that several instances would share, or that somebody has; `new`: numbers of the
/// instances whose sandbox is to be made.
pub(super) fn one_each(
    facts: &Facts,
    app: &AppId,
    spec: &SandboxSpec,
    replicas: u32,
    new: &[u32],
) -> Result<(), Refusal> {
    for attach in &spec.networks {
        let asked = [("address", &attach.ipv4), ("address", &attach.ipv6), ("MAC address", &attach.mac)];
        for (what, value) in asked.into_iter().filter_map(|(what, value)| Some((what, value.as_ref()?))) {
            if replicas > 1 {
                return Err(Refusal::Refused(format!(
                    "{app} asks for the {what} {value} on {}, which only one of its {replicas} instances can have; leave it out, pitstop pins an address for each",
                    attach.network
                )));
            }
            if let Some(owner) = owner(facts, &attach.network, value).filter(|_| !new.is_empty()) {
                return Err(Refusal::Refused(format!(
                    "{app} asks for the {what} {value} on {}, which {owner} has",
                    attach.network
                )));
            }
        }
    }
    Ok(())
}

/// Who has that address on that network now.
fn owner(facts: &Facts, network: &str, address: &str) -> Option<String> {
    let has = |seen: &super::super::identity::Address| {
        [&seen.ipv4, &seen.ipv6, &seen.mac].into_iter().any(|one| one.as_deref() == Some(address))
    };
    let container = all(facts)
        .filter(|container| container.is_running())
        .find(|container| container.networks.get(network).is_some_and(has));
    container.map(|container| format!("container {}", container.name)).or_else(|| {
        let seen = facts.networks.iter().find(|seen| seen.name == network)?;
        let taken = seen.addresses.iter().any(|text| text.split('/').next() == Some(address));
        taken.then(|| "another container".to_owned())
    })
}
