//! Addresses: what becomes of each, where one can be asked for, and how a place is held for the moment in between.

use super::Wish;
use super::chosen::Chosen;
use crate::domain::address::{HOLES, holes_below, is_configured, is_configured_for_ipv6, next_dynamic, used};
use crate::domain::adopt::Original;
use crate::domain::facts::Facts;
use crate::domain::fleet::{Container, NetworkSeen};
use crate::domain::hook::{Hook, Moment};
use crate::domain::plan::{StepId, Target, Task};
use crate::domain::recipe::draft::{Draft, Slot};
use crate::domain::spec::SandboxSpec;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

/// How long what is reserved is held beyond the time that the old container may take to stop and the new one to get ready.
const LEASE: Duration = Duration::from_secs(60);
/// The guest's own bound.
const LONGEST: Duration = Duration::from_secs(3600);

/// What becomes of an address, and whether it is lost.
pub(super) struct Way {
    pub(super) ip: String,
    pub(super) sentence: String,
    pub(super) lost: Option<String>,
}

impl Way {
    fn kept(ip: &str, sentence: String) -> Self {
        Self { ip: ip.to_owned(), sentence, lost: None }
    }

    fn lost(ip: &str, sentence: String) -> Self {
        Self { ip: ip.to_owned(), lost: Some(sentence.clone()), sentence }
    }
}

impl Chosen<'_> {
    /// What becomes of each of its addresses.
    pub(super) fn addresses(&self, facts: &Facts) -> Vec<Way> {
        let Some(original) = self.original else { return Vec::new() };
        let mut ways = Vec::new();
        for attach in &original.sandbox.networks {
            let network = &attach.network;
            let Some(now) = self.old.networks.get(network) else { continue };
            let Some(seen) = facts.networks.iter().find(|seen| seen.name == *network) else { continue };
            ways.extend(now.ipv4.as_ref().map(|ip| ipv4(ip, seen, attach.ipv4.is_some())));
            ways.extend(now.ipv6.as_ref().filter(|_| attach.ipv6.is_none()).map(|ip| ipv6(ip, seen)));
        }
        ways
    }

    /// The network side for its sandbox: as it is, and every IPv6 address asked for where that can be.
    pub(super) fn network_side(&self, original: &Original, facts: &Facts) -> SandboxSpec {
        let mut spec = original.sandbox.clone();
        for attach in spec.networks.iter_mut().filter(|attach| attach.ipv6.is_none()) {
            let seen = facts.networks.iter().find(|seen| seen.name == attach.network);
            if seen.is_some_and(is_configured_for_ipv6) {
                attach.ipv6 = self.old.networks.get(&attach.network).and_then(|now| now.ipv6.clone());
            }
        }
        spec
    }

    /// The addresses that are to be had again and that nobody asked for before.
    pub(super) fn chosen_by_engine(&self) -> BTreeMap<String, String> {
        let chosen = self.original.map(|original| original.chosen.clone()).unwrap_or_default();
        chosen.into_iter().filter(|(network, _)| network != "bridge").collect()
    }

    /// Every address it has, and is to have again.
    pub(super) fn wanted(&self) -> BTreeMap<String, String> {
        let now = self.old.networks.iter().filter_map(|(network, now)| Some((network.clone(), now.ipv4.clone()?)));
        now.collect()
    }

    /// The addresses that the sandbox in its place was made for.
    pub(super) fn half_s_addresses(&self) -> BTreeMap<String, String> {
        let sandbox = self.half.and_then(|half| half.sandbox.as_deref());
        sandbox.and_then(|sandbox| sandbox.detail.as_ref()).map(|detail| detail.former.clone()).unwrap_or_default()
    }

    /// Those of them that it can't ask for by itself.
    pub(super) fn unpinned(&self, sandbox: &Container) -> BTreeMap<String, String> {
        let pinned = sandbox.detail.as_ref().map(|detail| &detail.pinned);
        let is_free =
            |network: &String| pinned.is_none_or(|pinned| pinned.get(network).is_none_or(|pin| pin.ipv4.is_none()));
        let mut wanted = self.half_s_addresses();
        wanted.retain(|network, _| network != "bridge" && is_free(network));
        wanted
    }

    pub(super) fn reserve(
        &self,
        draft: &mut Draft<'_>,
        at: &Slot,
        addresses: &BTreeMap<String, String>,
        needs: &[StepId],
    ) -> StepId {
        let own = self.old.detail.as_ref().and_then(|detail| detail.stop_grace_ms).map(Duration::from_millis);
        let grace = draft.options.stop_grace.or(own).unwrap_or(Duration::from_secs(10));
        let hooks = self.rollout().hooks;
        let own = [Moment::PreDrain, Moment::PreStop, Moment::PostReady].iter().filter_map(|moment| hooks.at(*moment));
        let file_s = own.map(Hook::timeout).fold(draft.drain.0, Duration::saturating_add);
        let file_s = if self.service.is_some() { file_s } else { Duration::ZERO };
        let lease = (file_s + grace + draft.options.ready_timeout * 2 + LEASE).min(LONGEST);
        let task = Task::Reserve { app: self.app.clone(), addresses: addresses.clone(), lease };
        draft.main(at, task, needs, "an address is the engine's choice, and its next one is to be the same")
    }

    pub(super) fn take_over(
        &self,
        draft: &mut Draft<'_>,
        at: &Slot,
        sandbox: Target,
        wish: &Wish,
        needs: &[StepId],
    ) -> StepId {
        let addresses = if self.old.is_alive() { self.wanted() } else { self.half_s_addresses() };
        let task = Task::TakeOver { sandbox, addresses, strict: !wish.accept_changes };
        draft.main(at, task, needs, "the sandbox gets the address and the ports that have just become free")
    }
}

fn ipv4(ip: &str, seen: &NetworkSeen, asked: bool) -> Way {
    let network = &seen.name;
    let holes = ip.parse::<Ipv4Addr>().map_or(0, |ip| holes_below(seen, ip));
    let below = if holes == 0 { String::new() } else { format!(", and {holes} free below it taken meanwhile") };
    if asked {
        Way::kept(ip, format!("{ip} on {network} is kept: it was asked for when it was made, and is again"))
    } else if network == "bridge" {
        Way::lost(ip, format!("on the default bridge no address can be asked for, so {ip} {}", by_luck(seen, ip)))
    } else if is_configured(seen) {
        Way::kept(ip, format!("{ip} on {network} is kept: asked for from now on{below}"))
    } else if holes <= HOLES {
        Way::kept(
            ip,
            format!(
                "{ip} on {network} is kept: asked for from now on, if a trial before anything stops shows that the engine allows it there; else made the next one that it hands out{below}, and unprotected: it may move when the engine restarts"
            ),
        )
    } else {
        Way::lost(
            ip,
            format!(
                "{ip} on {network} may change: {holes} or more addresses below it are free, and the engine may not let one be asked for there"
            ),
        )
    }
}

fn ipv6(ip: &str, seen: &NetworkSeen) -> Way {
    let network = &seen.name;
    if is_configured_for_ipv6(seen) {
        Way::kept(ip, format!("{ip} on {network} is kept: asked for from now on"))
    } else {
        Way::lost(
            ip,
            format!("{ip} on {network} may change: nobody configured that subnet, so it can't be asked for there"),
        )
    }
}

fn by_luck(seen: &NetworkSeen, ip: &str) -> String {
    let mut used = used(seen);
    let own = ip.parse::<Ipv4Addr>().ok();
    if let Some(own) = own {
        used.remove(&own);
    }
    match seen.pools.iter().find_map(|pool| next_dynamic(pool, &used)) {
        next if next == own => "is kept only by luck, and may move when the engine restarts".into(),
        Some(next) => format!("becomes {next}, the lowest free one"),
        None => "changes".into(),
    }
}
