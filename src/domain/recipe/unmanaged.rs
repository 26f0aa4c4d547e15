//! Restarting containers that no sandbox protects: in which order, and what may happen to their addresses.
//!
//! The engine gives a container the lowest free address of its network at every start and remembers nothing. One at a
//! time per network it usually gets back the one it just freed.

use super::super::address::next_dynamic;
use super::super::fleet::{Container, Instance, NetworkSeen};
use super::super::options::Options;
use super::super::plan::Refusal;
use super::draft::Draft;
use std::collections::BTreeSet;
use std::net::Ipv4Addr;

/// What can't work is refused before anything is stopped: a container that its stop would remove, and a TCP or HTTP
/// probe, which is asked from inside a sandbox; these have none.
pub(super) fn check(chosen: &[&Instance], options: &Options) -> Result<(), Refusal> {
    let vanishes = |one: &&&Instance| {
        let stopped = one.app.as_deref().filter(|app| app.is_alive());
        stopped.and_then(|app| app.detail.as_ref()).is_some_and(|detail| detail.auto_remove)
    };
    if let Some(one) = chosen.iter().find(vanishes) {
        return Err(Refusal::Refused(format!(
            "{} was run with --rm: the engine removes it as soon as it stops, so nothing would be left to start; leave it out, or run it again without --rm first",
            one.name
        )));
    }
    match (&options.probe, chosen.first()) {
        (Some(probe), Some(one)) if probe.watchable() => Err(Refusal::Usage(format!(
            "probe {probe} is asked from inside a sandbox, and {} has none; use docker, exec:CMD, log:REGEX or none",
            one.name
        ))),
        _ => Ok(()),
    }
}

/// Batches in the order named: those that join another's network after its owner, and, unless the user set a batch
/// size, no two on one network together.
pub(super) fn batches<'a>(draft: &mut Draft<'_>, chosen: &[&'a Instance]) -> Vec<Vec<&'a Instance>> {
    let Some(wish) = draft.options.batch else { return one_per_network(chosen, usize::MAX, true) };
    let size = wish.of(chosen.len());
    let rounds = one_per_network(chosen, size, false);
    let shared = rounds.iter().any(|batch| {
        let mut seen = BTreeSet::new();
        batch.iter().flat_map(|one| networks(one, chosen)).any(|network| !seen.insert(network))
    });
    if shared {
        draft.note(format!(
            "batch {wish}: containers on the same network restart together, so they may swap addresses; without --batch they go one at a time"
        ));
    }
    rounds
}

fn one_per_network<'a>(chosen: &[&'a Instance], size: usize, exclusive: bool) -> Vec<Vec<&'a Instance>> {
    let mut rounds: Vec<Vec<&Instance>> = Vec::new();
    // Owners of a joined network first; the order named otherwise.
    let (joined, owners): (Vec<_>, Vec<_>) = chosen.iter().partition(|one| owner(one, chosen).is_some());
    for one in owners.into_iter().chain(in_order(joined, chosen)) {
        let mine = networks(one, chosen);
        let after = owner(one, chosen)
            .and_then(|owner| rounds.iter().position(|batch| batch.iter().any(|other| other.name == owner.name)))
            .map_or(0, |batch| batch + 1);
        let fits = |batch: &Vec<&Instance>| {
            batch.len() < size
                && !(exclusive && batch.iter().any(|other| networks(other, chosen).iter().any(|n| mine.contains(n))))
        };
        match (after..rounds.len()).find(|index| fits(&rounds[*index])) {
            Some(index) => rounds[index].push(one),
            None => rounds.push(vec![one]),
        }
    }
    rounds
}

/// Of those that joined another: the ones whose owner is placed come before those that joined them.
fn in_order<'a>(joined: Vec<&'a Instance>, chosen: &[&'a Instance]) -> Vec<&'a Instance> {
    let depth = |one: &&Instance| {
        let mut depth = 0;
        let mut at = *one;
        // A chain longer than the list would be a circle; the engine makes none.
        while let Some(next) = owner(at, chosen).filter(|_| depth <= chosen.len()) {
            (at, depth) = (next, depth + 1);
        }
        depth
    };
    let mut joined = joined;
    joined.sort_by_key(depth);
    joined
}

/// The chosen instance whose network namespace this one joined.
fn owner<'a>(one: &Instance, chosen: &[&'a Instance]) -> Option<&'a Instance> {
    let joined = one.app.as_deref()?.joined()?;
    chosen.iter().copied().find(|other| {
        other.name != one.name
            && other.app.as_ref().is_some_and(|app| app.id.as_str() == joined || &*app.name == joined)
    })
}

/// The networks on which it takes an address; its owner's where it joined one.
fn networks<'a>(one: &'a Instance, chosen: &[&'a Instance]) -> BTreeSet<&'a str> {
    let from = owner(one, chosen).unwrap_or(one);
    from.app.iter().flat_map(|app| app.networks.keys()).map(String::as_str).filter(|name| !is_shared(name)).collect()
}

/// The modes without an address of one's own.
fn is_shared(network: &str) -> bool {
    matches!(network, "host" | "none")
}

/// Says for each container whether its address may move.
pub(super) fn note_risks(draft: &mut Draft<'_>, chosen: &[&Instance]) {
    for one in chosen {
        let Some(container) = &one.app else { continue };
        for (network, address) in &container.networks {
            let Some(ip) = address.ipv4.as_deref().filter(|_| container.is_running() && !is_shared(network)) else {
                continue;
            };
            let seen = draft.facts.networks.iter().find(|seen| seen.name == *network);
            if let Some(why) = may_move(container, network, ip, seen) {
                draft.note(format!("{} may lose its address {ip} on {network}: {why}", one.name));
            }
        }
        let strangers = joined_by(draft, container, chosen);
        if !strangers.is_empty() {
            draft.note(format!(
                "{} shares its network with {}, which will be cut off until it is restarted, too",
                one.name,
                strangers.join(", ")
            ));
        }
    }
}

/// Running containers that joined this one and are not restarted with it.
fn joined_by(draft: &Draft<'_>, container: &Container, chosen: &[&Instance]) -> Vec<String> {
    super::draft::all(draft.facts)
        .filter(|other| other.is_running() && other.joined() == Some(container.id.as_str()))
        .filter(|other| !chosen.iter().any(|one| one.app.as_deref().is_some_and(|app| app.id == other.id)))
        .map(|other| other.name.to_string())
        .collect()
}

fn may_move(container: &Container, network: &str, ip: &str, seen: Option<&NetworkSeen>) -> Option<String> {
    let pinned = container.detail.as_ref().and_then(|detail| detail.pinned.get(network));
    if pinned.is_some_and(|pinned| pinned.ipv4.is_some()) {
        return None;
    }
    if network == "bridge" {
        return Some("on the default bridge nothing holds it".into());
    }
    let now: Ipv4Addr = ip.parse().ok()?;
    let seen = seen?;
    let used: BTreeSet<Ipv4Addr> = seen
        .addresses
        .iter()
        .filter_map(|text| text.split('/').next().unwrap_or(text).parse().ok())
        .filter(|used| *used != now)
        .collect();
    let lower = seen.pools.iter().filter_map(|pool| next_dynamic(pool, &used)).find(|free| *free < now)?;
    Some(format!("{lower} is free, and the engine hands out the lowest free one"))
}
