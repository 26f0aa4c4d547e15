//! Is all well, and what does it mean for what pitstop promises?

use super::balancers::{self, Trust};
use super::{clock, unrecorded};
use crate::docker::{Docker, sandbox_image};
use crate::domain::balancer::{BalancerSpec, BalancersSeen, Server, Wanted};
use crate::domain::fleet::{App, Fleet, Instance};
use crate::domain::identity::Verdict;
use crate::domain::ids::ImageRef;
use crate::domain::record::Summary;
use crate::domain::unfinished::Unfinished;
use jiff::Timestamp;

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
    let mut checks = vec![engine(docker), live_restore(docker), sandbox(docker, given)];
    match docker.fleet().await {
        Ok(fleet) => {
            checks.push(instances(&fleet));
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

fn engine(docker: &Docker) -> Check {
    let info = docker.info();
    let finding = format!(
        "{} {} at {}, API {}, {}/{}, {} CPUs",
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
