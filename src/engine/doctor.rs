//! Is all well, and what does it mean for what pitstop promises?

use super::balancers::{self, Trust};
use super::{clock, unrecorded};
use crate::docker::{Docker, sandbox_image};
use crate::domain::address;
use crate::domain::balancer::{BalancerSpec, BalancersSeen, Server, Wanted};
use crate::domain::duration;
use crate::domain::fleet::{App, EngineInfo, Fleet, Instance, NetworkSeen};
use crate::domain::identity::Verdict;
use crate::domain::ids::ImageRef;
use crate::domain::record::Summary;
use crate::domain::unfinished::Unfinished;
use jiff::Timestamp;
use std::collections::BTreeMap;

/// Clocks that are closer than this are the same, in milliseconds.
const CLOCKS_DIFFER_MS: i128 = 2000;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Ok,
    Warn,
    Fail,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    pub level: Level,
    /// What was looked at, in a word or two.
    pub subject: &'static str,
    /// What was found.
    pub finding: String,
    /// What it means, or what to do.
    pub advice: Option<String>,
}

/// Reads the engine; changes nothing.
pub(super) async fn examine(docker: &Docker, given: Option<&ImageRef>, left: &[Summary], trust: &Trust) -> Vec<Check> {
    let range = docker.api_range().await.ok().flatten();
    let mut checks =
        vec![engine(docker.info(), range), clock_of(docker).await, live_restore(docker), sandbox(docker, given)];
    match docker.fleet().await {
        Ok(fleet) => {
            checks.push(instances(&fleet));
            match docker.networks().await {
                Ok(seen) => checks.extend(networks(&fleet, &seen)),
                Err(error) => checks.push(check(Level::Fail, "networks", error.to_string(), error.hint())),
            }
            checks.extend(judge_balancers(&fleet, &balancers::of_fleet(&fleet, trust).await));
            checks.push(unfinished(left, &unrecorded(&fleet, left), clock::wall()));
        }
        Err(error) => {
            checks.push(check(Level::Fail, "containers", error.to_string(), error.hint()));
            checks.push(unfinished(left, &[], clock::wall()));
        }
    }
    checks
}

/// What was left half-done.
fn unfinished(left: &[Summary], unrecorded: &[Unfinished], now: Timestamp) -> Check {
    if left.is_empty() && unrecorded.is_empty() {
        return check(Level::Ok, "operations", "none was left half-done", None);
    }
    let sentences: Vec<String> =
        left.iter().map(|one| one.sentence(now)).chain(unrecorded.iter().map(Unfinished::sentence)).collect();
    let names = left.iter().map(|one| one.op.to_string()).chain(unrecorded.iter().map(|one| one.app.to_string()));
    let advice =
        names.map(|name| format!("`pitstop resume {name}` goes on with it, `pitstop abort {name}` takes it back"));
    let advice = advice.collect::<Vec<_>>().join("\n");
    check(Level::Warn, "operations", sentences.join("; "), Some(advice))
}

fn check(level: Level, subject: &'static str, finding: impl Into<String>, advice: Option<String>) -> Check {
    Check { level, subject, finding: finding.into(), advice }
}

fn engine(info: &EngineInfo, range: Option<(String, String)>) -> Check {
    let speaks = range.map(|(oldest, newest)| format!(" (it speaks {oldest} to {newest})")).unwrap_or_default();
    let finding = format!(
        "{} {} at {}, API {}{speaks}, {}/{}, {} CPUs",
        info.product(),
        info.version,
        info.host,
        info.api_version,
        info.os,
        info.arch,
        info.cpus
    );
    check(Level::Ok, "engine", finding, None)
}

/// The engine's clock beside this machine's, which the way there and back makes a little uncertain.
async fn clock_of(docker: &Docker) -> Check {
    let asked = clock::wall();
    match docker.time().await {
        Ok(Some(theirs)) => judge_clock(theirs, asked, clock::wall()),
        Ok(None) => check(Level::Ok, "clock", "the engine does not say what time it has", None),
        Err(error) => check(Level::Fail, "clock", error.to_string(), error.hint()),
    }
}

fn judge_clock(theirs: Timestamp, asked: Timestamp, answered: Timestamp) -> Check {
    let (early, late) = (asked.duration_since(theirs), theirs.duration_since(answered));
    let off = early.max(late).as_millis();
    if off <= CLOCKS_DIFFER_MS {
        return check(Level::Ok, "clock", "the engine has the same time as this machine", None);
    }
    let off = duration::human(u64::try_from(off).unwrap_or(u64::MAX));
    let words = if early > late { "behind" } else { "ahead of" };
    let advice = "ages, `--since` and the times of logs are the engine's, records and locks name this machine's: \
                  compare them with care, or set the clocks (`timedatectl set-ntp true`)";
    check(Level::Warn, "clock", format!("the engine is {off} {words} this machine"), Some(advice.into()))
}

/// The networks of managed instances: whose subnet it is, and how many addresses are pinned there.
fn networks(fleet: &Fleet, seen: &[NetworkSeen]) -> Vec<Check> {
    let sandboxes = fleet.apps.iter().flat_map(|app| &app.instances).filter_map(|one| one.sandbox.as_deref());
    let mut of: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for sandbox in sandboxes {
        let pinned = sandbox.detail.as_ref().map(|detail| &detail.pinned);
        for network in sandbox.networks.keys() {
            let (all, held) = of.entry(network).or_default();
            *all += 1;
            *held +=
                usize::from(pinned.is_some_and(|pinned| pinned.get(network).is_some_and(|pin| pin.ipv4.is_some())));
        }
    }
    let known = of.into_iter().filter_map(|(name, counts)| Some((seen.iter().find(|one| one.name == name)?, counts)));
    known.map(|(network, (all, held))| judge_network(network, all, held)).collect()
}

fn judge_network(network: &NetworkSeen, all: usize, held: usize) -> Check {
    let subnets: Vec<&str> = network.pools.iter().map(|pool| pool.subnet.as_str()).collect();
    let finding = format!("{} {}: {held} of {all} addresses pinned", network.name, subnets.join(", "));
    if held == all {
        return check(Level::Ok, "network", finding, None);
    }
    let advice = if address::is_configured(network) {
        "addresses can be pinned there: a sandbox that is made anew is (`pitstop deploy --allow-recreate`)"
    } else {
        "the engine has chosen its subnet, or may have: engines before 29.1 pin no address there, and one that is not pinned may move \
         when the engine is started again; a network that pitstop makes, or one made with `--subnet`, has no such gap"
    };
    check(Level::Warn, "network", finding, Some(advice.into()))
}

fn live_restore(docker: &Docker) -> Check {
    if docker.info().live_restore {
        return check(Level::Ok, "live-restore", "on: a restart of the daemon touches no container", None);
    }
    let advice = "pinned addresses come back after a restart of the daemon, unpinned ones may move; \
                  `\"live-restore\": true` in /etc/docker/daemon.json avoids the restart of containers altogether";
    check(Level::Warn, "live-restore", "off: a restart of the daemon restarts every container", Some(advice.into()))
}

fn sandbox(docker: &Docker, given: Option<&ImageRef>) -> Check {
    let arch = &docker.info().arch;
    match given {
        Some(image) => check(Level::Ok, "sandbox image", format!("{image}, as configured"), None),
        None if sandbox_image::ARCH == arch => {
            check(Level::Ok, "sandbox image", format!("{} for {arch}", sandbox_image::TAG), None)
        }
        None => {
            let advice = "use a pitstop built for that architecture, or name an image with --sandbox-image";
            let finding = format!("this pitstop carries a sandbox for {}, the engine is {arch}", sandbox_image::ARCH);
            check(Level::Fail, "sandbox image", finding, Some(advice.into()))
        }
    }
}

/// Each balancer of each app: does it answer, and does it know the instances?
fn judge_balancers(fleet: &Fleet, seen: &BalancersSeen) -> Vec<Check> {
    let of_app = |app: &App| seen.get(&app.id).into_iter().flatten();
    let each = fleet.apps.iter().flat_map(|app| of_app(app).map(move |balancer| (app, balancer)));
    let judged = each.map(|(app, balancer)| match &balancer.servers {
        Ok(servers) => known(app, &balancer.spec, servers),
        Err(error) => {
            let advice = format!("deploying and restarting {} is refused until it answers", app.id);
            check(Level::Fail, "balancer", error.clone(), Some(advice))
        }
    });
    judged.collect()
}

fn known(app: &App, spec: &BalancerSpec, servers: &[Server]) -> Check {
    let of = |instance: &Instance| Wanted::of(instance).among(servers).into_iter().cloned().collect::<Vec<_>>();
    let unknown: Vec<&str> =
        app.instances.iter().filter(|one| of(one).is_empty()).map(|one| one.name.short()).collect();
    if !unknown.is_empty() {
        let finding = format!("{spec} has no server for {}", unknown.join(", "));
        let advice = "a server is recognised by the instance's address or published port, else by its name; \
                      what it does not know is not drained there";
        return check(Level::Warn, "balancer", finding, Some(advice.into()));
    }
    let out: Vec<String> = app
        .instances
        .iter()
        .flat_map(of)
        .filter(|server| server.admin.is_some() && !server.serves())
        .map(|server| format!("{} ({})", server.name, server.words))
        .collect();
    if out.is_empty() {
        return check(Level::Ok, "balancer", format!("{spec} serves all instances of {}", app.id), None);
    }
    let advice =
        "one that a person took out stays out; `pitstop repair` puts back what an operation that died left drained";
    check(Level::Warn, "balancer", format!("{spec}: no requests for {}", out.join(", ")), Some(advice.into()))
}

fn instances(fleet: &Fleet) -> Check {
    let all = || fleet.apps.iter().flat_map(|app| &app.instances);
    let with = |verdict: Verdict| -> Vec<&str> {
        all().filter(|i| i.sandbox.is_some() && i.standing() == verdict).map(|i| i.name.0.as_str()).collect()
    };
    let managed = all().filter(|instance| instance.sandbox.is_some()).count();
    let orphaned = with(Verdict::Orphaned);
    if !orphaned.is_empty() {
        let advice = format!("`pitstop restart {}` puts them back into their sandbox's network", orphaned.join(" "));
        return check(
            Level::Fail,
            "instances",
            format!("orphaned, so unreachable: {}", orphaned.join(", ")),
            Some(advice),
        );
    }
    let changed = with(Verdict::Changed);
    if !changed.is_empty() {
        return check(Level::Warn, "instances", format!("not at their pinned address: {}", changed.join(", ")), None);
    }
    let loose = with(Verdict::Unprotected);
    if !loose.is_empty() {
        let advice = "their network has no subnet of its own, so the engine may move them when it restarts".to_owned();
        return check(Level::Warn, "instances", format!("address not pinned: {}", loose.join(", ")), Some(advice));
    }
    check(Level::Ok, "instances", format!("{managed} managed, all of them where they belong"), None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::project::Subnet;

    #[test]
    fn clocks_are_compared_with_the_way_there_and_back_in_mind() {
        let at = |ms: i64| Timestamp::from_millisecond(1_800_000_000_000 + ms).unwrap();
        for (theirs, level, words) in [
            (0, Level::Ok, "same time"),
            (600, Level::Ok, "same time"),
            (-1900, Level::Ok, "same time"),
            (-60_000, Level::Warn, "the engine is 1 m 00 s behind this machine"),
            (63_000, Level::Warn, "the engine is 1 m 02 s ahead of this machine"),
        ] {
            let judged = judge_clock(at(theirs), at(0), at(1000));
            assert_eq!((judged.level, judged.finding.contains(words)), (level, true), "{theirs}: {}", judged.finding);
        }
    }

    #[test]
    fn a_network_whose_addresses_may_move_is_warned_of_with_the_reason() {
        let pool = |ip_range: Option<&str>| Subnet {
            subnet: "172.20.0.0/16".into(),
            ip_range: ip_range.map(str::to_owned),
            gateway: Some("172.20.0.1".into()),
        };
        let network = |pool| NetworkSeen { name: "shop_default".into(), pools: vec![pool], ..NetworkSeen::default() };
        let ours = network(pool(Some("172.20.128.0/17")));
        let all = judge_network(&ours, 2, 2);
        assert_eq!(
            (all.level, all.finding.as_str()),
            (Level::Ok, "shop_default 172.20.0.0/16: 2 of 2 addresses pinned")
        );
        for (network, why) in [(ours, "made anew"), (network(pool(None)), "the engine has chosen")] {
            let some = judge_network(&network, 2, 1);
            assert_eq!(some.level, Level::Warn);
            assert!(some.advice.as_ref().is_some_and(|advice| advice.contains(why)), "{some:?}");
        }
    }
}
