//! Addresses: what becomes of each, where one can be asked for, and how a place is held for the moment in between.

use super::Wish;
use super::chosen::Chosen;
use crate::domain::address::{HOLES, holes_below, is_configured, next_dynamic, used};
use crate::domain::facts::Facts;
use crate::domain::fleet::{Container, NetworkSeen};
use crate::domain::plan::{StepId, Target, Task};
use crate::domain::recipe::draft::{Draft, Slot};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

/// How long what is reserved is held beyond the time that the old container may take to stop and the new one to get ready.
const LEASE: Duration = Duration::from_secs(60);
/// The guest's own bound.
const LONGEST: Duration = Duration::from_secs(3600);

/// What becomes of an address, and whether it is lost.
pub(super) struct Way {
    pub(super) sentence: String,
    pub(super) lost: Option<String>,
}

impl Chosen<'_> {
    /// What becomes of each of its addresses.
    pub(super) fn addresses(&self, facts: &Facts) -> Vec<Way> {
        let Some(original) = self.original else { return Vec::new() };
        original.sandbox.networks.iter().filter_map(|attach| {
            let network = &attach.network;
            let ip = self.old.networks.get(network)?.ipv4.clone()?;
            let seen = facts.networks.iter().find(|seen| seen.name == *network)?;
            let holes = ip.parse::<Ipv4Addr>().map_or(0, |ip| holes_below(seen, ip));
            let below = if holes == 0 { String::new() } else { format!(", and {holes} free below it taken meanwhile") };
            let (sentence, lost) = if attach.ipv4.is_some() {
                (format!("{ip} on {network} is kept: it was asked for when it was made, and is again"), None)
            } else if network == "bridge" {
                let lost = format!("on the default bridge no address can be asked for, so {ip} {}", by_luck(seen, &ip));
                (lost.clone(), Some(lost))
            } else if is_configured(seen) {
                (format!("{ip} on {network} is kept: asked for from now on{below}"), None)
            } else if holes <= HOLES {
                (format!(
                    "{ip} on {network} is kept: asked for from now on, if a trial before anything stops shows that the engine allows it there; else made the next one that it hands out{below}, and unprotected: it may move when the engine restarts"
                ), None)
            } else {
                let lost = format!("{ip} on {network} may change: {holes} or more addresses below it are free, and the engine may not let one be asked for there");
                (lost.clone(), Some(lost))
            };
            Some(Way { sentence, lost })
        }).collect()
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
        let sandbox = self.half.and_then(|half| half.sandbox.as_ref());
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
        let lease = (grace + draft.options.ready_timeout * 2 + LEASE).min(LONGEST);
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
