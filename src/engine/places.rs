//! Addresses for what takes a container's place: can one be asked for, and where not, is it the next one handed out?
//!
//! The engine forgets an address when its container stops and hands out the lowest free one at a start. So containers that
//! only wait take the free ones below it, before anything is stopped; they end by themselves when nobody ends them.

use super::certain::Certain;
use super::make::refuses_pins;
use super::perform::{Context, Done, Failed, Job, Outcome, Product};
use crate::docker::{PlaceCreation, is_predefined};
use crate::domain::address::{self, HOLES};
use crate::domain::fleet::{Container, NetworkSeen};
use crate::domain::ids::{AppId, ContainerId, ObjectName};
use crate::domain::labels::{OwnLabels, Role};
use crate::domain::lock::PLACE;
use crate::domain::plan::{SandboxDraft, StepId};
use futures_util::future::join_all;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::time::Duration;

/// What a reservation found out, and holds.
#[derive(Clone, Debug, Default)]
pub(super) struct Places {
    /// Networks on which the engine lets an address be asked for.
    pinned: BTreeSet<String>,
    fillers: Vec<ContainerId>,
}

/// How often the addresses below are looked at anew while others take and leave some.
const ROUNDS: u32 = 3;

/// The draft, with what a reservation has found out.
pub(super) fn settled(job: &Job, draft: &SandboxDraft) -> SandboxDraft {
    let mut draft = draft.clone();
    let places = draft.adoption.as_ref().and_then(|adoption| job.made.get(&adoption.places?));
    if let Some(Product::Places(places)) = places {
        draft.unpinned = draft.addresses.keys().filter(|network| !places.pinned.contains(*network)).cloned().collect();
        draft.addresses.retain(|network, _| places.pinned.contains(network));
    }
    draft
}

/// Finds out and takes what is below.
pub(super) async fn reserve(
    context: &Context,
    job: &Job,
    app: &AppId,
    addresses: &BTreeMap<String, String>,
    lease: Duration,
) -> Outcome {
    let docker = &context.docker;
    let image =
        context.sandbox_image.get_or_try_init(|| docker.ensure_sandbox_image(context.given_sandbox_image.as_ref()));
    let own = OwnLabels {
        app: app.clone(),
        number: 0,
        role: Role::Lock,
        revision: 0,
        operation: context.op.to_string(),
        spec: None,
        spec_hash: String::new(),
        held: false,
        replaces: None,
    };
    let mut maker = Maker {
        docker,
        image: image.await?.clone(),
        labels: own.write(),
        op: context.op.to_string(),
        step: job.step,
        lease,
        made: 0,
    };
    sweep(docker, app, context.op.as_str()).await;
    let mut places = Places::default();
    let mut said = Vec::new();
    let mut failed = None;
    for (network, ip) in addresses {
        match on_network(&mut maker, network, ip, &mut places).await {
            Ok(sentence) => said.push(sentence),
            Err(error) => {
                failed = Some(error);
                break;
            }
        }
    }
    match failed {
        None => Ok(Done::made(Product::Places(places), Some(said.join("; ")))),
        Some(error) => {
            give_back(docker, &places.fillers).await;
            Err(error)
        }
    }
}

async fn on_network(maker: &mut Maker<'_>, network: &str, ip: &str, places: &mut Places) -> Result<String, Failed> {
    let docker = maker.docker;
    let wanted: Ipv4Addr = ip.parse().map_err(|_| Failed::new(format!("{ip} on {network} is no IPv4 address")))?;
    let name = ObjectName::new(network).map_err(|error| Failed::new(error.to_string()))?;
    let read = async || docker.network(&name).await?.ok_or_else(|| Failed::new(format!("network {network} is gone")));
    let seen = read().await?;
    let pinned = !is_predefined(network) && maker.lets_pin(&seen).await?;
    if pinned {
        places.pinned.insert(network.to_owned());
    }
    let mut taken = 0;
    for _ in 0..ROUNDS {
        let holes = address::holes_below(&read().await?, wanted);
        if holes == 0 {
            break;
        }
        if holes > HOLES {
            if pinned {
                break;
            }
            return Err(Failed::new(format!(
                "{holes} addresses below {ip} on {network} are free, too many to take for a while; nothing was touched"
            )));
        }
        let fillers = maker.fill(network, holes).await?;
        taken += fillers.len();
        places.fillers.extend(fillers);
    }
    let ways = if pinned { "can be asked for" } else { "is the next one handed out" };
    Ok(match taken {
        0 => format!("{ip} on {network} {ways}"),
        n => format!("{ip} on {network} {ways}, {n} below it taken meanwhile"),
    })
}

/// Makes containers that hold an address.
struct Maker<'a> {
    docker: &'a Certain,
    image: crate::domain::ids::ImageRef,
    labels: BTreeMap<String, String>,
    op: String,
    step: StepId,
    lease: Duration,
    made: usize,
}

impl Maker<'_> {
    /// Whether an address can be asked for there; where nothing tells, one is asked for that nobody needs.
    async fn lets_pin(&mut self, seen: &NetworkSeen) -> Result<bool, Failed> {
        if address::is_configured(seen) {
            return Ok(true);
        }
        let used = address::used(seen);
        let Some(spare) = seen.pools.iter().find_map(|pool| address::pick(pool, &used)) else { return Ok(false) };
        let tried = match self.docker.create_place(&self.place(&seen.name, Some(spare))?).await {
            Ok(id) => {
                let started = self.docker.start(&id).await;
                self.docker.remove(&id, false).await?;
                started
            }
            // Engine 25 and newer say so at once.
            Err(error) => Err(error),
        };
        match tried {
            Ok(()) => Ok(true),
            Err(error) if refuses_pins(&error) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    async fn fill(&mut self, network: &str, count: usize) -> Result<Vec<ContainerId>, Failed> {
        let mut fillers = Vec::new();
        let mut failed = None;
        for _ in 0..count {
            match self.docker.create_place(&self.place(network, None)?).await {
                Ok(filler) => fillers.push(filler),
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        if failed.is_none() {
            let started = join_all(fillers.iter().map(|id| self.docker.start(id))).await;
            failed = started.into_iter().find_map(Result::err);
        }
        match failed {
            None => Ok(fillers),
            Some(error) => {
                give_back(self.docker, &fillers).await;
                Err(error.into())
            }
        }
    }

    /// The next one to create.
    fn place(&mut self, network: &str, ip: Option<Ipv4Addr>) -> Result<PlaceCreation, Failed> {
        self.made += 1;
        let name = format!("{PLACE}{}-{}-{}", self.op, self.step, self.made);
        Ok(PlaceCreation {
            name: ObjectName::new(name).map_err(|error| Failed::new(error.to_string()))?,
            image: self.image.clone(),
            labels: self.labels.clone(),
            network: network.to_owned(),
            ip,
            lease: self.lease,
        })
    }
}

/// Removes what an operation that died has reserved here: those that run would end by themselves, those that it did not get to
/// start never. Nobody else is at this app, whose lock is ours.
async fn sweep(docker: &Certain, app: &AppId, op: &str) {
    let all = match docker.list().await {
        Ok(all) => all,
        Err(error) => return tracing::warn!(%error, "can't look what an earlier operation left"),
    };
    let is_left = |one: &Container| {
        let own = one.own.as_ref().is_some_and(|own| own.app == *app && own.operation != op);
        own && one.name.starts_with(PLACE)
    };
    let left: Vec<ContainerId> = all.into_iter().filter(is_left).map(|one| one.id).collect();
    give_back(docker, &left).await;
}

/// Gives back what was reserved; what is gone already is fine.
pub(super) async fn release(docker: &Certain, job: &Job, places: StepId) -> Outcome {
    let Some(Product::Places(places)) = job.made.get(&places) else { return Ok(Done::saying("nothing was reserved")) };
    give_back(docker, &places.fillers).await;
    Ok(Done::saying("the places below it"))
}

/// What can't be removed ends by itself when its lease does.
async fn give_back(docker: &Certain, fillers: &[ContainerId]) {
    for left in join_all(fillers.iter().map(|id| docker.remove(id, false))).await.into_iter().filter_map(Result::err) {
        tracing::warn!(%left, "can't give an address back; it comes back by itself");
    }
}

/// Whether a sandbox got the addresses it was to have.
pub(super) async fn arrived(
    docker: &Certain,
    id: &ContainerId,
    name: &str,
    addresses: &BTreeMap<String, String>,
    strict: bool,
) -> Outcome {
    let sandbox = docker.inspect(id).await?.ok_or_else(|| Failed::new(format!("sandbox {name} is gone")))?;
    let now = |network: &String| sandbox.networks.get(network).and_then(|now| now.ipv4.clone());
    let moved = addresses.iter().find(|(network, ip)| now(network).as_ref() != Some(ip));
    match moved {
        Some((network, ip)) if strict => Err(Failed::new(format!(
            "it got {} on {network} instead of {ip}: somebody else has taken that in this very moment; it is put back",
            now(network).unwrap_or_else(|| "no address".into())
        ))),
        Some((network, ip)) => Ok(Done::saying(format!(
            "{} on {network} instead of {ip}",
            now(network).unwrap_or_else(|| "no address".into())
        ))),
        None => Ok(Done::saying(addresses.values().cloned().collect::<Vec<_>>().join(", "))),
    }
}
