//! Scale: instances added at the lowest free numbers, or removed from the highest.

use super::super::facts::Facts;
use super::super::fleet::{App, Instance};
use super::super::options::Options;
use super::super::plan::{Kind, Plan, Refusal};
use super::address;
use super::create::absent;
use super::draft::{Draft, Slot};
use super::managed;
use super::ports::Taken;
use super::remove::take_down;
use super::settle::{newest, readiness, spec_of};
use super::swap::{Source, Wanted, revision};
use std::collections::BTreeSet;

/// Plans it.
pub fn scale(app: &str, replicas: u32, facts: &Facts, options: &Options) -> Result<Plan, Refusal> {
    let app = managed(app, "scale", facts)?;
    let there = app.instances.len();
    let spec = newest(app).and_then(spec_of);
    let rollout = spec.as_ref().map(|spec| spec.rollout.clone()).unwrap_or_default();
    let mut draft = Draft::new(Kind::Scale, app.id.to_string(), &rollout, facts, options);
    match (replicas as usize).cmp(&there) {
        std::cmp::Ordering::Equal => draft.note(format!("{} has {there} instances already: nothing to do", app.id)),
        std::cmp::Ordering::Less => down(&mut draft, app, replicas as usize),
        std::cmp::Ordering::Greater => up(&mut draft, app, replicas as usize)?,
    }
    Ok(draft.finish())
}

fn down(draft: &mut Draft<'_>, app: &App, replicas: usize) {
    let surplus: Vec<&Instance> = app.instances.iter().rev().take(app.instances.len() - replicas).collect();
    draft.plan.batches = vec![surplus.iter().map(|instance| instance.name.clone()).collect()];
    for instance in surplus {
        let at = Slot { instance: instance.name.clone(), batch: 1 };
        take_down(draft, &at, instance, false, &format!("{replicas} instances of {} are wanted", app.id));
    }
    draft.note("volumes stay");
    if replicas == 0 {
        draft.note(format!(
            "with its last instance goes what is known of {}; `pitstop create -f FILE` brings it back",
            app.id
        ));
    }
}

fn up(draft: &mut Draft<'_>, app: &App, replicas: usize) -> Result<(), Refusal> {
    let unknown = || {
        Refusal::Refused(format!(
            "the spec of {} can't be read from its containers; give its file: pitstop create -f FILE --scale {}={replicas}",
            app.id, app.id.app
        ))
    };
    let container = newest(app).ok_or_else(unknown)?;
    let spec = spec_of(container).ok_or_else(unknown)?;
    let used: BTreeSet<u32> = app.instances.iter().map(|instance| instance.number).collect();
    let missing: Vec<u32> = (1..).filter(|number| !used.contains(number)).take(replicas - used.len()).collect();
    let count = u32::try_from(replicas).unwrap_or(u32::MAX);
    address::one_each(draft.facts, &app.id, &spec.sandbox, count, &missing)?;
    let readiness =
        readiness(draft.options, &spec, container.detail.as_ref().is_some_and(|detail| detail.has_healthcheck));
    if let Some(note) = readiness.note(&app.id.to_string()) {
        draft.note(note);
    }
    draft.note(format!("the new ones run what revision {} runs: {}", revision(container), spec.image));
    let wanted = Wanted {
        app: &app.id,
        spec: &spec,
        revision: revision(container).max(1),
        source: Source::Id(container.image_id.to_string()),
        readiness,
        networks: Vec::new(),
        volumes: Vec::new(),
    };
    let mut taken = Taken::default();
    let new: Vec<Instance> = missing.iter().map(|number| absent(&app.id, *number)).collect();
    draft.plan.batches = vec![new.iter().map(|instance| instance.name.clone()).collect()];
    for instance in &new {
        let at = Slot { instance: instance.name.clone(), batch: 1 };
        wanted.bring_up(draft, &mut taken, &at, instance, &[])?;
    }
    Ok(())
}
