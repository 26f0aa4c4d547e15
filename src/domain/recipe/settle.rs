//! What options, spec and image leave open, settled: probe, watch, pull policy, batches, the newest revision.
//!
//! Precedence is always the same: what was asked for this operation, then the app's own wish, then the default.

use super::super::budget::{Budget, MinAvailable, Split, Standing, TooFew};
use super::super::duration::{human, millis};
use super::super::facts::{Facts, ImageSeen};
use super::super::fleet::{App, Container, Instance};
use super::super::ids::AppId;
use super::super::options::{BatchSize, Options, PullPolicy};
use super::super::plan::{Refusal, Target, Task};
use super::super::probe::ProbeSpec;
use super::super::spec::{AppSpec, Rollout};
use super::draft::Draft;
use std::time::Duration;

/// Without a probe a container has to run this long before it counts as ready.
pub(super) const NO_PROBE_MIN_READY: Duration = Duration::from_secs(1);

/// How readiness is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Readiness {
    /// As far as the plan can tell.
    pub probe: ProbeSpec,
    /// Where nobody chose a probe: what asks a container without a HEALTHCHECK.
    pub fallback: Option<ProbeSpec>,
    /// Only the image, which is not here yet, tells whether there is a HEALTHCHECK.
    pub open: bool,
    pub min_ready: Duration,
}

/// Readiness of a container made from `spec`; `healthcheck`: whether its image (or it itself) has one, if that is known.
pub(super) fn readiness(options: &Options, spec: &AppSpec, healthcheck: Option<bool>) -> Readiness {
    let checked = match spec.container.healthcheck.as_ref().map(|check| check.test.first().map(String::as_str)) {
        Some(Some("NONE")) => Some(false),
        Some(Some(_)) => Some(true),
        Some(None) | None => healthcheck,
    };
    let chosen = options.probe.as_ref().or(spec.rollout.probe.as_ref());
    let fallback = spec.sandbox.first_tcp_port().map_or(ProbeSpec::None, |port| ProbeSpec::Tcp { port });
    let (probe, fallback) = match chosen {
        Some(probe) => (probe.clone(), None),
        None if checked == Some(true) => (ProbeSpec::Docker, Some(fallback)),
        None => (fallback.clone(), Some(fallback)),
    };
    let open = fallback.is_some() && checked.is_none();
    let asked = options.min_ready.or(spec.rollout.min_ready_ms.map(Duration::from_millis)).unwrap_or_default();
    let min_ready = if probe == ProbeSpec::None { asked.max(NO_PROBE_MIN_READY) } else { asked };
    Readiness { probe, fallback, open, min_ready }
}

/// Readiness of an old container that is to serve again: its own probe, for it may not answer the new one's; and answering
/// is enough, for it has served before.
pub(super) fn as_before(options: &Options, old: &Container) -> Option<Readiness> {
    let spec = old.own.as_ref()?.spec.as_ref()?;
    let own = Options { probe: None, min_ready: Some(Duration::ZERO), ..options.clone() };
    Some(readiness(&own, spec, old.detail.as_ref().map(|detail| detail.has_healthcheck)))
}

impl Readiness {
    /// The same of one that has served before: to answer again is enough.
    pub fn at_once(&self) -> Self {
        let min_ready = if self.probe == ProbeSpec::None { NO_PROBE_MIN_READY } else { Duration::ZERO };
        Self { min_ready, ..self.clone() }
    }

    /// What is asked, and whether a HEALTHCHECK goes before it.
    pub fn asked(&self) -> (ProbeSpec, bool) {
        (self.fallback.as_ref().unwrap_or(&self.probe).clone(), self.fallback.is_some())
    }

    /// The step that waits for it.
    pub fn task(&self, container: Target, sandbox: Option<Target>, options: &Options) -> Task {
        let (probe, prefer_health) = self.asked();
        Task::Ready {
            container,
            sandbox,
            probe,
            prefer_health,
            min_ready: self.min_ready,
            timeout: options.ready_timeout,
        }
    }

    /// Why the step waits.
    pub fn cause(&self) -> String {
        let lasting = match self.min_ready {
            Duration::ZERO => String::new(),
            time => format!(" for {}", human(millis(time))),
        };
        let first = if self.open { "the HEALTHCHECK of its image, if it has one, else " } else { "" };
        match &self.probe {
            ProbeSpec::None => format!("ready means: {first}it runs{lasting}"),
            probe => format!("ready means: {first}{probe} answers{lasting}"),
        }
    }

    /// What the user should know about it.
    pub fn note(&self, subject: &str) -> Option<String> {
        (self.probe == ProbeSpec::None).then(|| {
            let unless = if self.open { "unless its image has a HEALTHCHECK, " } else { "" };
            format!(
                "{unless}{subject} has no probe, health check or published port: it counts as ready after running for {}; give --probe or x-pitstop probe for more",
                human(millis(self.min_ready))
            )
        })
    }
}

/// What the guest can watch while an instance is handled: the probe, else a port that is known to be served.
pub(super) fn watch(probe: &ProbeSpec, spec: Option<&AppSpec>, serving: Option<&Container>) -> Option<ProbeSpec> {
    if probe.watchable() {
        return Some(probe.clone());
    }
    let exposed = || serving?.detail.as_ref()?.exposed.first().copied();
    let port = spec.and_then(|spec| spec.sandbox.first_tcp_port()).or_else(exposed)?;
    Some(ProbeSpec::Tcp { port })
}

/// Whether the registry is asked for `spec.image`.
///
/// Without a wish it is `missing`, but `always` for a moving `latest`, unless the image was plainly built here: an
/// image without any digest was never pulled, so the registry can't know a newer one.
pub(super) fn pull_policy(options: &Options, spec: &AppSpec, local: Option<&ImageSeen>) -> PullPolicy {
    options.pull.or(spec.rollout.pull).unwrap_or_else(|| match local {
        Some(image) if image.digests.is_empty() => PullPolicy::Missing,
        _ if is_moving(&spec.image) => PullPolicy::Always,
        _ => PullPolicy::Missing,
    })
}

/// The reference means whatever `latest` is now.
fn is_moving(reference: &str) -> bool {
    let name = reference.rsplit('/').next().unwrap_or(reference);
    !reference.contains('@') && name.split_once(':').is_none_or(|(_, tag)| tag == "latest")
}

/// More instances than any engine holds on one network: a bridge of Linux has 1024 ports (`BR_PORT_BITS`).
const MOST: u32 = 1024;

/// Refuses a number of instances that can only be a slip of the hand.
pub(super) fn bounded(replicas: u32, app: &AppId) -> Result<(), Refusal> {
    if replicas > MOST {
        let why = format!("{replicas} instances of {app}: an engine's network holds fewer than {MOST}");
        return Err(Refusal::Usage(why));
    }
    Ok(())
}

/// Splits the chosen instances of an app into batches, within the budget that the options and the app allow, and says what
/// stays available; `beside`: the instances that are not chosen.
pub(super) fn batches<'a>(
    draft: &mut Draft<'_>,
    app: &App,
    chosen: &[&'a Instance],
    beside: &Standing,
    rollout: &Rollout,
    surges: bool,
) -> Result<Vec<Vec<&'a Instance>>, Refusal> {
    let total = app.instances.len();
    let (options, now) = (draft.options, |instance: &&Instance| instance.may_serve());
    let wish = options.batch.or(rollout.batch).unwrap_or(BatchSize::Count(1));
    let canary = options.canary.or(rollout.canary).map(|canary| canary.of(total));
    let asked = options.min_available.or(rollout.min_available);
    let keep = asked.map_or_else(|| MinAvailable::default_of(total), |asked| asked.of(total));
    // Where new ones come first, nothing is taken out that serves.
    let (keep, strict) = if surges { (0, false) } else { (keep, asked.is_some()) };
    let budget = Budget { size: wish.of(total), canary, keep, strict };
    let standing = Standing { handled: chosen.iter().map(now).collect(), ..beside.clone() };
    let split = budget.split(&standing).map_err(|few| Refusal::Refused(too_few(app, few, budget, wish, chosen)))?;
    if !surges {
        for note in budget_notes(&split, budget, total, chosen) {
            draft.note(note);
        }
    }
    Ok(split.batches.iter().map(|batch| batch.iter().map(|place| chosen[*place]).collect()).collect())
}

/// The instances of an app that are not chosen, where none of them is expected to become anything else.
pub(super) fn beside(app: &App, chosen: &[&Instance]) -> Standing {
    let others = app.instances.iter().filter(|one| !chosen.iter().any(|other| other.name == one.name));
    Standing { others: others.filter(|one| one.may_serve()).count(), ..Standing::default() }
}

/// Why the budget does not allow it, and what it would.
fn too_few(app: &App, few: TooFew, budget: Budget, wish: BatchSize, chosen: &[&Instance]) -> String {
    let (total, keep, id) = (app.instances.len(), budget.keep, &app.id);
    match few {
        TooFew::Stay { largest: Some(largest) } => format!(
            "batch {wish}{} would leave fewer than {keep} of the {total} instances of {id} up; the largest batch allowed is {largest}: --batch {largest}{}",
            budget.canary.map(|canary| format!(" after a canary of {canary}")).unwrap_or_default(),
            budget
                .canary
                .filter(|canary| *canary > largest)
                .map(|_| format!(" --canary {largest}"))
                .unwrap_or_default()
        ),
        TooFew::Stay { largest: None } => {
            let ready = app.instances.iter().filter(|one| one.may_serve()).count();
            format!(
                "{keep} of the {total} instances of {id} are to stay available, {ready} are now, and handling one of them would leave {}; a smaller --min-available allows it",
                ready.saturating_sub(1)
            )
        }
        TooFew::Broken => {
            let broken: Vec<&str> = app
                .instances
                .iter()
                .filter(|one| !one.is_ready() && !chosen.iter().any(|other| other.name == one.name))
                .map(|one| one.name.short())
                .collect();
            format!(
                "{} of {id} run what is wanted already and are not well, so it goes no further; correct it and deploy that, which begins with them, or `pitstop restart` them",
                broken.join(", ")
            )
        }
    }
}

/// What the budget means here.
fn budget_notes(split: &Split, budget: Budget, total: usize, chosen: &[&Instance]) -> Vec<String> {
    let mut notes = Vec::new();
    if total < 2 {
        return notes;
    }
    let out: Vec<&str> = chosen.iter().filter(|one| !one.may_serve()).map(|one| one.name.short()).collect();
    if !out.is_empty() && out.len() < chosen.len() {
        notes.push(format!("not available now, so first and at no cost: {}", out.join(", ")));
    }
    if let (Some(_), Some(first), true) = (budget.canary, split.batches.first(), split.batches.len() > 1) {
        notes.push(format!("batch 1 is the canary: {} of {}", first.len(), chosen.len()));
    }
    match split.least {
        Some(least) if least < budget.keep => notes.push(format!(
            "only {least} of {total} instances stay available meanwhile; --min-available 1 would refuse that"
        )),
        Some(least) => {
            notes.push(format!("at least {least} of {total} instances stay available; needed: {}", budget.keep));
        }
        None => {}
    }
    notes
}

/// The container of the highest revision that serves in any instance.
pub(super) fn newest(app: &App) -> Option<&Container> {
    app.instances.iter().filter_map(|instance| instance.app.as_deref()).max_by_key(|container| container.revision())
}

/// The revision number that no container of the app has had.
pub(super) fn next_revision(app: &App, facts: &Facts) -> u32 {
    let seen = app
        .instances
        .iter()
        .flat_map(Instance::containers)
        .filter_map(|container| container.own.as_ref().map(|own| own.revision));
    let kept = facts.revisions.get(&app.id).into_iter().flatten().map(|record| record.revision);
    seen.chain(kept).max().unwrap_or(0).saturating_add(1)
}

/// What tells `spec` from others of the app. One that the app runs already keeps the hash it has there: another version of
/// pitstop, which knows of more or less to say in a spec, may have made it.
pub(super) fn spec_hash(spec: &AppSpec, app: Option<&App>) -> String {
    let hash = spec.hash();
    let same = app.and_then(newest).filter(|container| spec_of(container).is_some_and(|seen| seen.hash() == hash));
    match same.and_then(|container| container.own.as_ref()) {
        Some(own) if !own.spec_hash.is_empty() => own.spec_hash.clone(),
        _ => hash,
    }
}

/// The spec a managed container was made from, with its environment's values; `None` when its label can't be read.
pub(super) fn spec_of(container: &Container) -> Option<AppSpec> {
    let spec = container.own.as_ref()?.spec.clone()?;
    let environment = container.detail.as_ref().map(|detail| &detail.environment);
    match environment {
        Some(environment) => Some(spec.with_environment(environment)),
        None if spec.container.environment.is_empty() => Some(*spec),
        None => None,
    }
}
