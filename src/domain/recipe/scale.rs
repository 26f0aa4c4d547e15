//! Scale: instances added at the lowest free numbers, or removed from the highest; half-made ones are finished,
//! or removed first.

use super::super::converge::Footing;
use super::super::facts::Facts;
use super::super::fleet::{App, Instance};
use super::super::options::Options;
use super::super::plan::{Kind, Plan, Refusal, StepId, Task};
use super::address;
use super::create::absent;
use super::draft::{Draft, Slot, known};
use super::managed;
use super::ports::Taken;
use super::remove::{Going, take_down};
use super::restart::{self, restartable};
use super::settle::{bounded, newest, readiness, spec_hash, spec_of};
use super::swap::{Before, Source, Wanted};
use super::traffic;
use std::collections::BTreeSet;

/// Plans it.
pub fn scale(app: &str, replicas: u32, facts: &Facts, options: &Options) -> Result<Plan, Refusal> {
    let app = managed(app, "scale", facts)?;
    bounded(replicas, &app.id)?;
    let there = app.instances.len();
    let spec = newest(app).and_then(spec_of);
    let rollout = spec.as_ref().map(|spec| spec.rollout.clone()).unwrap_or_default();
    let mut draft = Draft::new(Kind::Scale, app.id.to_string(), &rollout, facts, options);
    if (replicas as usize) != there {
        traffic::reachable(&app.id, facts, options)?;
    }
    if (replicas as usize) < there {
        down(&mut draft, app, replicas as usize);
    } else {
        up(&mut draft, app, replicas as usize)?;
    }
    if draft.plan.is_empty() {
        draft.note(format!("{} has {there} instances already: nothing to do", app.id));
    }
    Ok(draft.finish())
}

/// An instance whose creation was broken off: its container is not there, or never ran.
fn is_half_made(instance: &Instance) -> bool {
    matches!(Footing::of(instance), Footing::Empty | Footing::Fresh)
}

fn down(draft: &mut Draft<'_>, app: &App, replicas: usize) {
    // Half-made ones serve nobody, so they go first.
    let mut surplus: Vec<&Instance> = app.instances.iter().rev().collect();
    surplus.sort_by_key(|instance| !is_half_made(instance));
    surplus.truncate(app.instances.len() - replicas);
    draft.plan.batches = vec![surplus.iter().map(|instance| instance.name.clone()).collect()];
    let kept = keep_revisions(draft, app, &surplus);
    for instance in surplus {
        let at = Slot { instance: instance.name.clone(), batch: 1 };
        let cause = format!("{replicas} instances of {} are wanted", app.id);
        let going = Going { volumes: false, hooks: true, cause: &cause, after: kept.as_slice() };
        take_down(draft, &at, instance, &going);
    }
    draft.note("volumes stay");
    if replicas == 0 {
        draft.note(format!(
            "with its last instance goes what is known of {}; `pitstop create -f FILE` brings it back",
            app.id
        ));
    }
}

/// Earlier revisions stand in sandboxes, each in one of them: they move to one that stays.
fn keep_revisions(draft: &mut Draft<'_>, app: &App, surplus: &[&Instance]) -> Option<StepId> {
    let records = draft.facts.revisions.get(&app.id).filter(|records| !records.is_empty())?.clone();
    let stays = |instance: &&Instance| !surplus.iter().any(|gone| gone.name == instance.name);
    let sandbox = app.instances.iter().filter(stays).find_map(|instance| instance.sandbox.as_deref())?;
    let task = Task::Record { sandbox: known(sandbox), records };
    Some(draft.shared(task, &[], "earlier revisions are kept where an instance stays, for a rollback"))
}

fn up(draft: &mut Draft<'_>, app: &App, replicas: usize) -> Result<(), Refusal> {
    let used: BTreeSet<u32> = app.instances.iter().map(|instance| instance.number).collect();
    let missing: Vec<u32> = (1..).filter(|number| !used.contains(number)).take(replicas - used.len()).collect();
    let absent = missing.iter().map(|number| absent(&app.id, *number));
    let todo: Vec<Instance> =
        app.instances.iter().filter(|instance| is_half_made(instance)).cloned().chain(absent).collect();
    if todo.is_empty() {
        return Ok(());
    }
    let unknown = || {
        Refusal::Refused(format!(
            "the spec of {} can't be read from its containers; give its file: pitstop create -f FILE --scale {}={replicas}",
            app.id, app.id.app
        ))
    };
    let container = newest(app).ok_or_else(unknown)?;
    let spec = spec_of(container).ok_or_else(unknown)?;
    let count = u32::try_from(replicas).unwrap_or(u32::MAX);
    address::one_each(draft.facts, &app.id, &spec.sandbox, count, &missing)?;
    let healthcheck = container.detail.as_ref().map(|detail| detail.has_healthcheck);
    let readiness = readiness(draft.options, &spec, healthcheck);
    if let Some(note) = readiness.note(&app.id.to_string()) {
        draft.note(note);
    }
    draft.note(format!("the new ones run what revision {} runs: {}", container.revision(), spec.image));
    let wanted = Wanted {
        app: &app.id,
        spec: &spec,
        spec_hash: spec_hash(&spec, Some(app)),
        revision: container.revision().max(1),
        source: Source::Id(container.image_id.to_string()),
        readiness,
        at_once: 1,
        networks: Vec::new(),
        volumes: Vec::new(),
        replaces: None,
    };
    let mut taken = Taken::default();
    draft.plan.batches = vec![todo.iter().map(|instance| instance.name.clone()).collect()];
    for instance in &todo {
        let at = Slot { instance: instance.name.clone(), batch: 1 };
        match &instance.app {
            Some(container) => {
                restartable(app, instance)?;
                restart::one(draft, &at, instance, container, &Before::default());
            }
            None => {
                wanted.bring_up(draft, &mut taken, &at, instance, &[])?;
            }
        }
    }
    Ok(())
}
