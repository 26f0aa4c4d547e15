//! Repair: whatever was done to an instance by hand, by a crash or by a console that died, it serves again.
//!
//! What each instance needs is decided by `domain/converge.rs`; here it becomes steps. Containers of strangers are never
//! touched. What can't be helped is said, and the rest is done all the same.

use super::super::converge::{Aim, Need};
use super::super::facts::Facts;
use super::super::fleet::{App, Container, Instance, State};
use super::super::labels::Role;
use super::super::options::Options;
use super::super::plan::{Kind, Plan, Refusal, StepId, Task};
use super::super::spec::{AppSpec, Rollout};
use super::draft::{Draft, Slot, all, aside, bring_up, former_if_down, known, object_name, rivals};
use super::settle::{newest, readiness, spec_hash, spec_of};
use super::swap::{Before, Source, Wanted};
use super::{instances, restart, subject, traffic};

/// Plans it for apps and single instances; none named: all that pitstop made.
pub fn repair(targets: &[String], facts: &Facts, options: &Options) -> Result<Plan, Refusal> {
    let chosen = if targets.is_empty() {
        let managed = facts.fleet.apps.iter().filter(|app| app.managed);
        managed.flat_map(|app| app.instances.iter().map(move |instance| (app, instance))).collect()
    } else {
        instances(targets, facts)?
    };
    if let Some((app, _)) = chosen.iter().find(|(app, _)| !app.managed) {
        return Err(Refusal::Refused(format!(
            "{} was not created by pitstop, so what it should be is not known here; `pitstop restart {}` restarts it",
            app.id, app.id
        )));
    }
    if chosen.is_empty() {
        return Ok(Plan::nothing(Kind::Repair, "all apps", "no app here was created by pitstop"));
    }
    let name = if targets.is_empty() { "all apps".to_owned() } else { subject(&chosen) };
    let mut draft = Draft::new(Kind::Repair, name, &Rollout::default(), facts, options);
    // None of these serves, so none is spared for another's sake: all at once.
    let mut touched = Vec::new();
    for (app, instance) in chosen {
        let before = draft.plan.steps.len();
        one(&mut draft, app, instance)?;
        if draft.plan.steps.len() > before {
            touched.push(instance.name.clone());
        }
    }
    if !touched.is_empty() {
        draft.plan.batches = vec![touched];
    } else if draft.plan.hopeless.is_empty() {
        draft.note("every instance serves in its place: nothing to do");
    }
    Ok(draft.finish())
}

/// The steps of one instance.
fn one(draft: &mut Draft<'_>, app: &App, instance: &Instance) -> Result<(), Refusal> {
    let at = Slot { instance: instance.name.clone(), batch: 1 };
    if let Some(old) = draft.facts.fleet.in_place_of(instance) {
        let why =
            format!("was to take the place of {0}, which still serves: `pitstop adopt {0}` goes on with it", old.name);
        hopeless(draft, instance, &why);
        return Ok(());
    }
    let need = traffic::seen(draft, instance).need(Aim::Serve);
    if need == Need::Leave {
        hopeless(
            draft,
            instance,
            "is being removed, or started again and again by the engine; `pitstop logs` tells why",
        );
        return Ok(());
    }
    let named = name_again(draft, app, instance, &at)?;
    let done = match (need, &instance.app) {
        (Need::Start, Some(container)) => Some(start(draft, instance, container, &at, named)),
        (Need::Unpause, Some(container)) => Some(unpause(draft, instance, container, &at, named)),
        (Need::Replace, Some(container)) => return replace(draft, app, instance, container, &at, named),
        (Need::Make, _) => return make(draft, app, instance, &at, named),
        (Need::Proof, Some(container)) => prove(draft, instance, container, &at, named),
        _ => None,
    };
    clear(draft, instance, &at, done);
    Ok(())
}

fn hopeless(draft: &mut Draft<'_>, instance: &Instance, why: &str) {
    let sentence = format!("{} {why}", instance.name);
    draft.note(sentence.clone());
    draft.plan.hopeless.push(sentence);
}

/// A sandbox that was put aside, and whose successor was never made, has its name again.
fn name_again(draft: &mut Draft<'_>, app: &App, instance: &Instance, at: &Slot) -> Result<Option<StepId>, Refusal> {
    let name = app.id.sandbox_name(instance.number);
    let Some(sandbox) = instance.sandbox.as_deref().filter(|sandbox| *sandbox.name != *name) else { return Ok(None) };
    if all(draft.facts).any(|seen| *seen.name == *name) {
        return Ok(None);
    }
    let task = Task::Rename { container: known(sandbox), to: object_name(&name)? };
    Ok(Some(draft.main(at, task, &[], format!("{name} was put aside, and nothing took its place"))))
}

/// The same container again, sandbox first; with the restart policy that it was made with.
fn start(
    draft: &mut Draft<'_>,
    instance: &Instance,
    container: &Container,
    at: &Slot,
    named: Option<StepId>,
) -> StepId {
    let before = Before { prepared: named.into_iter().collect(), verifies: Vec::new() };
    let verified = restart::one(draft, at, instance, container, &before).verify;
    let now = container.detail.as_ref().map(|detail| &detail.restart);
    let meant = container.own.as_ref().and_then(|own| own.spec.as_ref()).map(|spec| &spec.container.restart);
    match meant.filter(|meant| now.is_some_and(|now| now != *meant)) {
        Some(restart) => {
            let task = Task::Unpark { container: known(container), restart: restart.clone() };
            draft.main(at, task, &[verified], "it was put aside by an operation that ended")
        }
        None => verified,
    }
}

/// What is frozen goes on.
fn unpause(
    draft: &mut Draft<'_>,
    instance: &Instance,
    container: &Container,
    at: &Slot,
    named: Option<StepId>,
) -> StepId {
    let mut needs: Vec<StepId> = named.into_iter().collect();
    if let Some(frozen) = instance.sandbox.as_deref().filter(|sandbox| sandbox.state == State::Paused) {
        needs = vec![bring_up(draft, at, frozen, &needs)];
    }
    let sandbox = instance.sandbox.as_deref().map(known);
    let task = Task::Preflight {
        container: Some(known(container)),
        sandbox: sandbox.clone(),
        watch: None,
        addresses: former_if_down(instance),
    };
    needs = vec![draft.main(at, task, &needs, "before its app is touched: the identity is read")];
    if container.state == State::Paused {
        let task = Task::Unpause { container: known(container) };
        needs = vec![draft.main(at, task, &needs, format!("somebody paused {}", container.name))];
    }
    proof(draft, instance, container, at, &needs)
}

/// It serves, and nobody has said so since it was started or taken out; proven only where that lets something go on.
fn prove(
    draft: &mut Draft<'_>,
    instance: &Instance,
    container: &Container,
    at: &Slot,
    named: Option<StepId>,
) -> Option<StepId> {
    let waits = instance.others.iter().any(|other| litter(other, container).is_some());
    let left_out = traffic::seen(draft, instance).left_out;
    (waits || left_out).then(|| proof(draft, instance, container, at, &named.into_iter().collect::<Vec<_>>()))
}

/// Ready, verified, and back where a former operation took it out.
fn proof(draft: &mut Draft<'_>, instance: &Instance, container: &Container, at: &Slot, needs: &[StepId]) -> StepId {
    let sandbox = instance.sandbox.as_deref().map(known);
    let readiness = readiness(
        draft.options,
        &spec_of(container).unwrap_or_default(),
        Some(container.detail.as_ref().is_some_and(|detail| detail.has_healthcheck)),
    );
    let task = readiness.task(known(container), sandbox.clone(), draft.options);
    let ready = draft.main(at, task, needs, readiness.cause());
    let rivals = rivals(instance, Some(container));
    let task = Task::Verify { container: known(container), sandbox: sandbox.clone(), rivals };
    let verify = draft.main(at, task, &[ready], "the identity is read again and compared");
    traffic::left(draft, &instance.name).attach(draft, at, sandbox.as_ref(), &[verify]).unwrap_or(verify)
}

/// A new container of the same revision, from the old one's own spec and environment, in a sandbox at the former address.
fn replace(
    draft: &mut Draft<'_>,
    app: &App,
    instance: &Instance,
    old: &Container,
    at: &Slot,
    named: Option<StepId>,
) -> Result<(), Refusal> {
    let Some(spec) = spec_of(old) else {
        hopeless(draft, instance, &format!("{SANDBOX_LOST}, and its spec can't be read; {}", again(app)));
        return Ok(());
    };
    if !has_image(draft.facts, old) {
        let why = format!("{SANDBOX_LOST}, and its image {} is no longer on this engine; {}", old.image_id, again(app));
        hopeless(draft, instance, &why);
        return Ok(());
    }
    let name = app.id.container_name(instance.number, old.revision());
    if let Some(why) = held(draft.facts, instance, &name) {
        hopeless(draft, instance, &why);
        return Ok(());
    }
    // It, or what an earlier repair that did not come to its end has made.
    let mut renamed: Vec<(&Container, StepId)> = Vec::new();
    let mut needs: Vec<StepId> = named.into_iter().collect();
    for there in instance.containers().filter(|there| *there.name == *name) {
        let task = Task::Rename { container: known(there), to: object_name(&aside(draft, there))? };
        let cause = format!("{SANDBOX_LOST}: a new one of the same revision takes its name");
        let step = draft.main(at, task, &needs, cause);
        renamed.push((there, step));
        needs = vec![step];
    }
    let wanted = wanted(draft, app, &spec, old, needs);
    let swapped = wanted.swap(draft, at, instance, &Before::default(), SANDBOX_LOST)?;
    for target in swapped.replaced {
        let task = Task::Remove { container: target, volumes: false };
        draft.main(at, task, &[swapped.done], "its replacement is verified");
    }
    for (there, step) in renamed {
        let back = Task::Rename { container: known(there), to: object_name(&there.name)? };
        draft.undo(at, back, &[step], "the old container has its name back");
    }
    Ok(())
}

const SANDBOX_LOST: &str = "can't start again, for its sandbox is gone";

/// An app container where there is none, as its siblings are.
fn make(
    draft: &mut Draft<'_>,
    app: &App,
    instance: &Instance,
    at: &Slot,
    named: Option<StepId>,
) -> Result<(), Refusal> {
    let sibling = newest(app).filter(|sibling| has_image(draft.facts, sibling));
    let Some((sibling, spec)) = sibling.and_then(|sibling| Some((sibling, spec_of(sibling)?))) else {
        let why = format!("has no app container, and no other instance tells what it should run; {}", again(app));
        hopeless(draft, instance, &why);
        return Ok(());
    };
    if let Some(why) = held(draft.facts, instance, &app.id.container_name(instance.number, sibling.revision())) {
        hopeless(draft, instance, &why);
        return Ok(());
    }
    let wanted = wanted(draft, app, &spec, sibling, named.into_iter().collect());
    let cause = format!("{} has no app container, its siblings have", instance.name.short());
    let swapped = wanted.swap(draft, at, instance, &Before::default(), &cause)?;
    for target in swapped.replaced {
        let task = Task::Remove { container: target, volumes: false };
        draft.main(at, task, &[swapped.done], "its replacement is verified");
    }
    Ok(())
}

/// The same as that container.
fn wanted<'w>(draft: &Draft<'_>, app: &'w App, spec: &'w AppSpec, like: &Container, first: Vec<StepId>) -> Wanted<'w> {
    let healthcheck = like.detail.as_ref().is_some_and(|detail| detail.has_healthcheck);
    Wanted {
        app: &app.id,
        spec,
        spec_hash: spec_hash(spec, Some(app)),
        revision: like.revision(),
        source: Source::Id(like.image_id.to_string()),
        readiness: readiness(draft.options, spec, Some(healthcheck)),
        at_once: 1,
        networks: first.clone(),
        volumes: first,
        replaces: None,
    }
}

/// Why the name can't be had: somebody else's container has it.
fn held(facts: &Facts, instance: &Instance, name: &str) -> Option<String> {
    let mut others = all(facts).filter(|seen| *seen.name == *name);
    let holder = others.find(|seen| instance.containers().all(|part| part.id != seen.id))?;
    let other = holder.id.short();
    Some(format!(
        "can't be made again: the name {name} is taken by container {other}; `docker rename {name} OTHER` frees it"
    ))
}

fn has_image(facts: &Facts, of: &Container) -> bool {
    facts.images.values().any(|image| *image.id == *of.image_id)
}

fn again(app: &App) -> String {
    format!("`pitstop deploy {} -f FILE` makes it again", app.id)
}

/// Takes away what an operation that ended has left beside a container that serves, once `proven`.
fn clear(draft: &mut Draft<'_>, instance: &Instance, at: &Slot, proven: Option<StepId>) {
    let Some(app) = &instance.app else { return };
    for other in &instance.others {
        let Some(cause) = litter(other, app) else {
            draft.note(format!(
                "{} keeps {} ({}) beside what serves; it is left alone",
                at.instance, other.name, other.status
            ));
            continue;
        };
        let needs: Vec<_> = proven.into_iter().collect();
        draft.main(at, Task::Remove { container: known(other), volumes: false }, &needs, cause);
    }
}

/// Why this container beside what serves can go, if it can.
fn litter(other: &Container, serving: &Container) -> Option<String> {
    let revision = serving.revision();
    match (other.own.as_ref().map(|own| own.role), other.state) {
        (Some(Role::App), State::Created) => Some("it was never started, and its operation ended".to_owned()),
        (Some(Role::App), State::Exited | State::Dead)
            if other.joined() != serving.joined() || other.revision() < revision =>
        {
            Some(format!("it was put aside, and revision {revision} serves"))
        }
        (Some(Role::Sandbox), State::Created | State::Exited | State::Dead) => {
            Some("it was put aside, and another one holds the address".to_owned())
        }
        _ => None,
    }
}
