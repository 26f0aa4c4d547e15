//! Addresses for new sandboxes: picked by `domain::address`, reserved here so that two steps never pick the same.
//!
//! One book per operation. It knows what running containers use and what stopped sandboxes are pinned to.

use super::certain::Certain;
use crate::docker::{DockerError, is_predefined};
use crate::domain::address;
use crate::domain::fleet::{Container, NetworkSeen};
use crate::domain::ids::ObjectName;
use crate::domain::labels::{self, Role};
use crate::domain::plan::SandboxDraft;
use crate::domain::spec::NetworkAttach;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use tokio::sync::Mutex;

/// The addresses of an operation's networks.
#[derive(Debug, Default)]
pub(super) struct Pins(Mutex<BTreeMap<String, Book>>);

#[derive(Debug)]
struct Book {
    network: NetworkSeen,
    used: BTreeSet<Ipv4Addr>,
}

/// Addresses for one sandbox.
#[derive(Debug, Default)]
pub(super) struct Picked {
    pub addresses: BTreeMap<String, Ipv4Addr>,
    /// Networks of which only a start tells whether they let us pin (a subnet the engine chose looks the same as one a
    /// person chose).
    pub doubtful: BTreeSet<String>,
}

impl Pins {
    /// Picks and reserves an address on each of the draft's networks where that is possible.
    pub async fn pick(&self, docker: &Certain, draft: &SandboxDraft) -> Result<Picked, DockerError> {
        let mut books = self.0.lock().await;
        let mut picked = Picked::default();
        for attach in draft.spec.networks.iter().filter(|attach| !is_predefined(&attach.network)) {
            if !books.contains_key(&attach.network) {
                let Some(book) = open(docker, &attach.network).await? else { continue };
                books.insert(attach.network.clone(), book);
            }
            let Some(book) = books.get_mut(&attach.network) else { continue };
            let wanted = wish(attach, draft);
            let Some(ip) = wanted.or_else(|| book.pick()) else { continue };
            book.used.insert(ip);
            picked.addresses.insert(attach.network.clone(), ip);
            if wanted.is_none() && book.is_doubtful() {
                picked.doubtful.insert(attach.network.clone());
            }
        }
        Ok(picked)
    }
}

/// What the user or the sandbox before it asked for.
fn wish(attach: &NetworkAttach, draft: &SandboxDraft) -> Option<Ipv4Addr> {
    let text = attach.ipv4.as_ref().or_else(|| draft.addresses.get(&attach.network))?;
    text.parse().ok()
}

/// Reads one network; `None` when it is not there (the creation will say so) or is none with addresses.
async fn open(docker: &Certain, name: &str) -> Result<Option<Book>, DockerError> {
    let Ok(valid) = ObjectName::new(name) else { return Ok(None) };
    let Some(network) = docker.network(&valid).await? else { return Ok(None) };
    let mut used: BTreeSet<Ipv4Addr> =
        network.addresses.iter().filter_map(|ip| ip.split('/').next()?.parse().ok()).collect();
    let sandbox = |c: &Container| !c.is_running() && c.own.as_ref().is_some_and(|own| own.role == Role::Sandbox);
    let asleep = docker.list().await?.into_iter().filter(sandbox).collect();
    for container in docker.detailed(asleep).await? {
        let pinned = container.detail.and_then(|mut detail| detail.pinned.remove(name));
        used.extend(pinned.and_then(|address| address.ipv4).and_then(|ip| ip.parse::<Ipv4Addr>().ok()));
    }
    Ok(Some(Book { network, used }))
}

impl Book {
    fn pick(&self) -> Option<Ipv4Addr> {
        self.network.pools.iter().find_map(|pool| address::pick(pool, &self.used))
    }

    /// Ours, or with an ip-range, or without a gateway: a person configured the subnet, so pinning works. Anything
    /// else may have been the engine's own choice, on which a pinned start fails before Engine 29.1.
    fn is_doubtful(&self) -> bool {
        !self.network.labels.contains_key(labels::PROJECT)
            && self.network.pools.iter().all(|pool| pool.ip_range.is_none() && pool.gateway.is_some())
    }
}
