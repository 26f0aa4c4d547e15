//! Restart in place: stop and start of the same app container, whether pitstop made it or not.
//!
//! A managed one keeps its address because its sandbox is not touched. An unmanaged one gets its address from the
//! engine again at start, so by default no two on the same network are down together (parallel restarts shuffle
//! addresses: measured), and what can happen is said before.

use super::super::converge::Footing;
use super::super::facts::Facts;
use super::super::fleet::{App, Container, Instance};
use super::super::hook::Moment;
use super::super::identity::Hold;
use super::super::options::Options;
use super::super::plan::{Kind, Plan, Refusal, StepId, Target, Task};
use super::super::probe::ProbeSpec;
use super::super::spec::{AppSpec, Rollout};
use super::super::unfinished::is_alike;
use super::super::warm::Warm;
use super::draft::{Draft, Slot, bring_up, former_if_down, known, rivals, stop};
use super::hooks;
use super::roll::{Image, Roll};
use super::settle::{NO_PROBE_MIN_READY, Readiness, batches, beside, readiness, spec_of, watch};
use super::swap::Before;
use super::traffic;
use super::unmanaged;
use super::{instances, subject};
use std::collections::BTreeSet;

/// Plans it for apps and single instances.
pub fn restart(targets: &[String], facts: &Facts, options: &Options) -> Result<Plan, Refusal> {
    let chosen = instances(targets, facts)?;
    if options.warm.is_some_and(|warm| warm != Warm::Off) {
        return by_new_containers(&chosen, facts, options);
    }
    let managed: Vec<_> = chosen.iter().copied().filter(|(app, _)| app.managed).collect();
    let unmanaged: Vec<_> = chosen.iter().copied().filter(|(app, _)| !app.managed).map(|(_, one)| one).collect();
    let rollout = managed.first().map(|(app, _)| rollout_of(app)).unwrap_or_default();
    let mut draft = Draft::new(Kind::Restart, subject(&chosen), &rollout, facts, options);

    if options.surge == Some(true) {
        draft.note("--surge is for deploy and rollback: a restart is in place");
    }
    let mut rounds: Vec<Vec<&Instance>> = Vec::new();
    let mut done = BTreeSet::new();
    for (app, _) in managed.iter().filter(|(app, _)| done.insert(&app.id)) {
        traffic::reachable(&app.id, facts, options)?;
        let of_app: Vec<_> = managed.iter().filter(|(one, _)| one.id == app.id).map(|(_, one)| *one).collect();
        of_app.iter().try_for_each(|instance| restartable(app, instance))?;
        rounds.extend(batches(&mut draft, app, &of_app, &beside(app, &of_app), &rollout_of(app), false)?);
    }
    unmanaged::check(&unmanaged, options)?;
    unmanaged::note_risks(&mut draft, &unmanaged);
    rounds.extend(unmanaged::batches(&mut draft, &unmanaged));

    draft.plan.batches = rounds.iter().map(|batch| batch.iter().map(|one| one.name.clone()).collect()).collect();
    let mut before = Before::default();
    for (index, batch) in rounds.iter().enumerate() {
        let mut now = Before::default();
        for instance in batch {
            let at = Slot { instance: instance.name.clone(), batch: index + 1 };
            let Some(container) = &instance.app else { continue };
            let one = one(&mut draft, &at, instance, container, &before);
            now.prepared.extend(one.prepared);
            now.verifies.push(one.verify);
        }
        before = now;
    }
    Ok(draft.finish())
}

/// A warm restart: new containers of the same spec and image boot beside the old ones, as in a deployment.
fn by_new_containers(chosen: &[(&App, &Instance)], facts: &Facts, options: &Options) -> Result<Plan, Refusal> {
    let Some((app, _)) = chosen.first() else { return Err(Refusal::Usage("nothing to restart".into())) };
    if chosen.iter().any(|(other, _)| other.id != app.id) {
        return Err(Refusal::Usage("a warm restart is of one app at a time".into()));
    }
    let newest = super::settle::newest(app).filter(|_| app.managed);
    let Some((newest, spec)) = newest.and_then(|newest| Some((newest, spec_of(newest)?))) else {
        return Err(Refusal::Refused(format!(
            "{} has no sandbox that could hold a new container back; without --warm the same container is restarted",
            app.id
        )));
    };
    let differs = |instance: &&Instance| !instance.app.as_deref().is_some_and(|own| is_alike(own, newest));
    let mut instances = chosen.iter().map(|(_, instance)| *instance);
    if let Some(other) = instances.find(differs) {
        return Err(Refusal::Refused(format!(
            "{} does not run what {} runs in revision {}; `pitstop deploy {}` comes first, or restart it without --warm",
            other.name,
            app.id,
            newest.revision(),
            app.id
        )));
    }
    let again = chosen.iter().map(|(_, instance)| instance.name.clone()).collect();
    let image = Image::Id(newest.image_id.to_string());
    let mut plan = Roll { kind: Kind::Restart, app, spec, image, again, project: None, facts, options }.plan()?;
    plan.notes.insert(
        0,
        "warm: new containers of the same spec and image take over from the old ones, as a new revision".into(),
    );
    Ok(plan)
}

/// The app's own wishes, from its newest container.
pub(super) fn rollout_of(app: &App) -> Rollout {
    super::settle::newest(app)
        .and_then(|container| container.own.as_ref()?.spec.as_ref())
        .map(|spec| spec.rollout.clone())
        .unwrap_or_default()
}

/// A restart helps only where there is a container whose sandbox can hold it.
pub(super) fn restartable(app: &App, instance: &Instance) -> Result<(), Refusal> {
    let deploy = format!("`pitstop deploy {}` puts a new container in its place", app.id);
    let refuse = |what: &str| Err(Refusal::Refused(format!("{} {what}; {deploy}", instance.name)));
    match Footing::of(instance) {
        Footing::Empty => refuse("has no app container to restart"),
        Footing::Homeless if instance.sandbox.is_none() => {
            refuse("has lost its sandbox, so its container can't start again")
        }
        Footing::Homeless => refuse("belongs to a sandbox that is gone, so its container can't start again"),
        _ => Ok(()),
    }
}

/// The steps others wait for.
pub(super) struct Restarted {
    pub prepared: Vec<StepId>,
    pub start: StepId,
    pub ready: StepId,
    pub verify: StepId,
}

/// The steps of one instance.
pub(super) fn one(
    draft: &mut Draft<'_>,
    at: &Slot,
    instance: &Instance,
    container: &Container,
    before: &Before,
) -> Restarted {
    let sandbox = instance.sandbox.as_deref().map(known);
    let spec = spec_of(container);
    let readiness = ready_when(draft.options, container, spec.as_ref(), sandbox.is_some());
    if let Some(note) = readiness.note(&at.instance.to_string()).filter(|_| sandbox.is_some()) {
        draft.note(note);
    }
    let why = why(instance, container);

    let mut needs = before.prepared.clone();
    if let Some(there) = instance.sandbox.as_deref().filter(|there| !there.is_running()) {
        needs = vec![bring_up(draft, at, there, &needs)];
        if instance.hold() != Some(Hold::Pinned) && !pinned(there) {
            draft.note(format!(
                "{}: its address is not pinned, so it may be another one once its sandbox runs",
                at.instance
            ));
        }
    }
    let watch = sandbox.is_some().then(|| watch(&readiness.probe, spec.as_ref(), Some(container))).flatten();
    let task = Task::Preflight {
        container: Some(known(container)),
        sandbox: sandbox.clone(),
        watch,
        addresses: former_if_down(instance),
    };
    let preflight =
        draft.main(at, task, &needs, "before anything is touched: all is as planned, and the identity is read");

    let mut prepared = before.verifies.clone();
    prepared.push(preflight);
    let mut hooks = hooks::Before::new(Some(container));
    let told = hooks.write(draft, at, Moment::PreDrain, prepared.clone());
    let places = traffic::places(draft, instance);
    let drain = places.drain(draft, at, sandbox.as_ref(), &told);
    let out = hooks.write(draft, at, Moment::PreStop, drain.map_or(told, |drain| vec![drain]));
    let stopped =
        container.is_alive().then(|| draft.main(at, stop(known(container), draft.options), &out, why.clone()));
    let needs = stopped.map_or(out, |stopped| vec![stopped]);
    let task = Task::Start { container: known(container), restart: None };
    let start = draft.main(at, task, &needs, if stopped.is_some() { "the same container again".into() } else { why });
    let ready =
        draft.main(at, readiness.task(known(container), sandbox.clone(), draft.options), &[start], readiness.cause());
    let ready = hooks::post_ready(draft, at, &hooks::of(container), &known(container), ready);
    let rivals = rivals(instance, Some(container));
    let task = Task::Verify { container: known(container), sandbox: sandbox.clone(), rivals };
    let verify = draft.main(at, task, &[ready], "the identity is read again and compared");
    let verify = places.attach(draft, at, sandbox.as_ref(), &[verify]).unwrap_or(verify);
    if let Some(stopped) = stopped {
        undo(draft, at, known(container), sandbox.clone(), &readiness, stopped);
        hooks.undo(draft, at, Some(stopped));
    }
    places.undo(draft, at, sandbox.as_ref(), Some(container), drain);
    Restarted { prepared, start, ready, verify }
}

fn undo(
    draft: &mut Draft<'_>,
    at: &Slot,
    container: Target,
    sandbox: Option<Target>,
    readiness: &Readiness,
    stopped: StepId,
) {
    let task = Task::Start { container: container.clone(), restart: None };
    draft.undo(at, task, &[stopped], "what was stopped runs again");
    let readiness = readiness.at_once();
    let task = readiness.task(container, sandbox, draft.options);
    draft.undo(at, task, &[stopped], readiness.cause());
}

/// Readiness of a container that is there. A stranger's runs as its owner meant it: its health check, else running.
pub(super) fn ready_when(options: &Options, container: &Container, spec: Option<&AppSpec>, managed: bool) -> Readiness {
    let healthcheck = container.detail.as_ref().is_some_and(|detail| detail.has_healthcheck);
    if managed {
        return readiness(options, spec.unwrap_or(&AppSpec::default()), Some(healthcheck));
    }
    let own = if healthcheck { ProbeSpec::Docker } else { ProbeSpec::None };
    let probe = options.probe.clone().unwrap_or(own);
    let asked = options.min_ready.unwrap_or_default();
    let min_ready = if probe == ProbeSpec::None { asked.max(NO_PROBE_MIN_READY) } else { asked };
    Readiness { probe, fallback: None, open: false, min_ready }
}

fn pinned(sandbox: &Container) -> bool {
    sandbox.detail.as_ref().is_some_and(|detail| !detail.pinned.is_empty())
}

fn why(instance: &Instance, container: &Container) -> String {
    let name = instance.name.short();
    match instance.hold() {
        Some(Hold::Orphaned) => format!("{name} is orphaned: it sits in a network namespace that its sandbox left"),
        _ if !container.is_alive() => format!("{name} does not run"),
        _ => format!("a restart of {name} is wanted"),
    }
}
