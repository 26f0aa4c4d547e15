//! Addresses for new sandboxes: picked by `domain::address`, reserved here so that two steps never pick the same.
//!
//! One book per operation. It knows what running containers use, what stopped sandboxes are pinned to, and which address an
//! instance had whose sandbox is gone.

use super::certain::Certain;
use crate::docker::{DockerError, is_predefined};
use crate::domain::address;
use crate::domain::fleet::{Container, NetworkSeen};
use crate::domain::ids::{AppId, ObjectName};
use crate::domain::labels::{OwnLabels, Role};
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
    /// Which instance holds, or held, an address.
    claims: Vec<(Ipv4Addr, AppId, u32)>,
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
        let pinnable =
            |attach: &&NetworkAttach| !is_predefined(&attach.network) && !draft.unpinned.contains(&attach.network);
        for attach in draft.spec.networks.iter().filter(pinnable) {
            if !books.contains_key(&attach.network) {
                let Some(book) = open(docker, &attach.network).await? else { continue };
                books.insert(attach.network.clone(), book);
            }
            let Some(book) = books.get_mut(&attach.network) else { continue };
            let wanted = asked(attach).or_else(|| book.former(attach, draft));
            let Some(ip) = wanted.or_else(|| book.pick()) else { continue };
            book.used.insert(ip);
            picked.addresses.insert(attach.network.clone(), ip);
            if wanted.is_none() && !address::is_configured(&book.network) {
                picked.doubtful.insert(attach.network.clone());
            }
        }
        Ok(picked)
    }
}

/// What the user asks for.
fn asked(attach: &NetworkAttach) -> Option<Ipv4Addr> {
    attach.ipv4.as_ref()?.parse().ok()
}

/// Reads one network; `None` when it is not there (the creation will say so) or is none with addresses.
async fn open(docker: &Certain, name: &str) -> Result<Option<Book>, DockerError> {
    let Ok(valid) = ObjectName::new(name) else { return Ok(None) };
    let Some(network) = docker.network(&valid).await? else { return Ok(None) };
    let mut used: BTreeSet<Ipv4Addr> =
        network.addresses.iter().filter_map(|ip| ip.split('/').next()?.parse().ok()).collect();
    let all = docker.list().await?;
    let sandboxes: BTreeSet<(AppId, u32)> =
        of_role(&all, Role::Sandbox).map(|own| (own.app.clone(), own.number)).collect();
    let mut claims = Vec::new();
    let mut quiet = Vec::new();
    for container in all {
        let Some(own) = &container.own else { continue };
        let owner = (own.app.clone(), own.number);
        match own.role {
            Role::Sandbox if container.is_running() => {
                let now = container.networks.get(name).and_then(|now| now.ipv4.as_ref()?.parse().ok());
                claims.extend(now.map(|ip| (ip, owner.0, owner.1)));
            }
            Role::Sandbox => quiet.push(container),
            Role::App if !sandboxes.contains(&owner) => quiet.push(container),
            _ => {}
        }
    }
    for container in docker.detailed(quiet).await? {
        let (Some(own), Some(detail)) = (container.own, container.detail) else { continue };
        let pinned = detail.pinned.get(name).and_then(|address| address.ipv4.as_ref());
        let ip = pinned.or_else(|| detail.former.get(name)).and_then(|ip| ip.parse().ok());
        claims.extend(ip.map(|ip: Ipv4Addr| (ip, own.app, own.number)));
    }
    used.extend(claims.iter().map(|(ip, ..)| *ip));
    Ok(Some(Book { network, used, claims }))
}

fn of_role(all: &[Container], role: Role) -> impl Iterator<Item = &OwnLabels> {
    all.iter().filter_map(|container| container.own.as_ref()).filter(move |own| own.role == role)
}

impl Book {
    /// The address that the sandbox before it had, unless another instance has a claim on it: of two pinned to one address only
    /// one would ever start.
    fn former(&self, attach: &NetworkAttach, draft: &SandboxDraft) -> Option<Ipv4Addr> {
        let former: Ipv4Addr = draft.addresses.get(&attach.network)?.parse().ok()?;
        let other =
            |(ip, app, number): &&(Ipv4Addr, AppId, u32)| *ip == former && (app, *number) != (&draft.app, draft.number);
        self.claims.iter().find(other).is_none().then_some(former)
    }

    fn pick(&self) -> Option<Ipv4Addr> {
        self.network.pools.iter().find_map(|pool| address::pick(pool, &self.used))
    }
}
