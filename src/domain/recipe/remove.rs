//! Remove: apps with everything that is only theirs; volumes only when told.

use super::super::facts::Facts;
use super::super::fleet::{App, Container, Instance};
use super::super::hook::Moment;
use super::super::ids::AppId;
use super::super::labels::PROJECT;
use super::super::options::Options;
use super::super::plan::{Kind, Plan, Refusal, StepId, Task};
use super::super::spec::MountKind;
use super::draft::{Draft, Slot, known, object_name, stop};
use super::restart::rollout_of;
use super::traffic::{self, Places};
use super::{hooks, managed, subject};
use std::collections::BTreeSet;

/// Plans it; `volumes`: their named and anonymous volumes go, too.
pub fn remove(apps: &[String], volumes: bool, facts: &Facts, options: &Options) -> Result<Plan, Refusal> {
    let mut gone: Vec<&App> = Vec::new();
    for target in apps {
        let app = managed(target, "rm", facts)?;
        traffic::reachable(&app.id, facts, options)?;
        if !gone.iter().any(|one| one.id == app.id) {
            gone.push(app);
        }
    }
    let chosen: Vec<_> = gone.iter().flat_map(|app| app.instances.iter().map(move |one| (*app, one))).collect();
    if chosen.is_empty() {
        return Err(Refusal::Usage("name at least one app".into()));
    }
    let whole: Vec<_> = gone.iter().filter_map(|app| Some((*app, app.instances.first()?))).collect();
    let name = match gone.as_slice() {
        [app] => app.id.to_string(),
        _ => subject(&whole),
    };
    let rollout = gone.first().map(|app| rollout_of(app)).unwrap_or_default();
    let mut draft = Draft::new(Kind::Remove, name, &rollout, facts, options);
    draft.plan.batches = vec![chosen.iter().map(|(_, one)| one.name.clone()).collect()];
    let mut removed = Vec::new();
    for (app, instance) in &chosen {
        let at = Slot { instance: instance.name.clone(), batch: 1 };
        let cause = format!("{} is to be removed", app.id);
        removed.extend(take_down(
            &mut draft,
            &at,
            instance,
            &Going { volumes, hooks: false, cause: &cause, after: &[] },
        ));
    }
    let gone: BTreeSet<&AppId> = gone.iter().map(|app| &app.id).collect();
    let staying: Vec<(&App, &Container)> = facts
        .fleet
        .apps
        .iter()
        .filter(|app| !(app.managed && gone.contains(&app.id)))
        .flat_map(|app| app.instances.iter().flat_map(Instance::containers).map(move |container| (app, container)))
        .collect();
    let going: Vec<&Container> = chosen.iter().flat_map(|(_, instance)| instance.containers()).collect();
    let projects: BTreeSet<&str> = gone.iter().map(|id| id.project.as_str()).collect();
    networks(&mut draft, &projects, &staying, &removed)?;
    named_volumes(&mut draft, volumes, &projects, &going, &staying, &removed)?;
    Ok(draft.finish())
}

/// How an instance goes.
pub(super) struct Going<'a> {
    /// With its anonymous volumes.
    pub volumes: bool,
    /// The app's own hooks that come before its end are run.
    pub hooks: bool,
    pub cause: &'a str,
    /// Nothing of it is touched before these.
    pub after: &'a [StepId],
}

/// Drains an instance and removes every container of it, its sandbox last; the removals are returned.
pub(super) fn take_down(draft: &mut Draft<'_>, at: &Slot, instance: &Instance, going: &Going<'_>) -> Vec<StepId> {
    let Going { volumes, hooks, cause, after } = *going;
    let mut removed = Vec::new();
    let serves = instance.app.as_deref().is_some_and(Container::is_alive);
    let places = if serves { traffic::places(draft, instance) } else { Places::default() };
    let mut hooks = hooks::Before::new(instance.app.as_deref().filter(|_| hooks));
    let told = hooks.write(draft, at, Moment::PreDrain, after.to_vec());
    let drain = places.drain(draft, at, instance.sandbox.as_deref().map(known).as_ref(), &told);
    let out = hooks.write(draft, at, Moment::PreStop, drain.map_or(told, |drain| vec![drain]));
    for container in instance.app.iter().chain(&instance.others) {
        let stopped = container.is_alive().then(|| draft.main(at, stop(known(container), draft.options), &out, cause));
        let needs: Vec<_> = stopped.map_or_else(|| out.clone(), |stopped| vec![stopped]);
        removed.push(draft.main(at, Task::Remove { container: known(container), volumes }, &needs, cause));
    }
    if let Some(sandbox) = &instance.sandbox {
        let mut needs = if removed.is_empty() { out } else { removed.clone() };
        let stopped = sandbox.is_alive().then(|| draft.main(at, stop(known(sandbox), draft.options), &needs, cause));
        needs.extend(stopped);
        removed.push(draft.main(at, Task::Remove { container: known(sandbox), volumes }, &needs, cause));
    }
    places.undo_removal(draft, at, instance, drain);
    removed
}

/// The projects' own networks that nobody needs any more.
fn networks(
    draft: &mut Draft<'_>,
    projects: &BTreeSet<&str>,
    staying: &[(&App, &Container)],
    removed: &[StepId],
) -> Result<(), Refusal> {
    let facts = draft.facts;
    for seen in facts.networks.iter().filter(|seen| of_projects(seen.labels.get(PROJECT), projects)) {
        let user = staying.iter().find(|(_, container)| {
            let wanted = container.own.as_ref().and_then(|own| own.spec.as_ref());
            container.networks.contains_key(&seen.name)
                || wanted.is_some_and(|spec| spec.sandbox.networks.iter().any(|attach| attach.network == seen.name))
        });
        if let Some((_, container)) = user {
            draft.note(format!("network {} stays: {} uses it", seen.name, container.name));
        } else {
            let task = Task::RemoveNetwork { name: object_name(&seen.name)? };
            draft.shared(task, removed, format!("no app uses network {} any more", seen.name));
        }
    }
    Ok(())
}

/// The named volumes of the apps: only those pitstop made, that nobody else mounts, and only when told.
fn named_volumes(
    draft: &mut Draft<'_>,
    wanted: bool,
    projects: &BTreeSet<&str>,
    going: &[&Container],
    staying: &[(&App, &Container)],
    removed: &[StepId],
) -> Result<(), Refusal> {
    let facts = draft.facts;
    let mounts = |container: &Container, name: &str| {
        let spec = container.own.as_ref().and_then(|own| own.spec.as_ref());
        container.mounts.iter().any(|mount| mount.kind == MountKind::Volume && mount.source == name)
            || spec.is_some_and(|spec| {
                spec.container.mounts.iter().any(|mount| mount.kind == MountKind::Volume && mount.source == name)
            })
    };
    let mut kept = Vec::new();
    for seen in &facts.volumes {
        let name = seen.name.as_str();
        if !of_projects(seen.labels.get(PROJECT), projects) || !going.iter().any(|container| mounts(container, name)) {
            continue;
        }
        let user = staying.iter().find(|(_, container)| mounts(container, name));
        match user {
            _ if !wanted => kept.push(name),
            Some((_, container)) => draft.note(format!("volume {name} stays: {} uses it", container.name)),
            None => {
                let task = Task::RemoveVolume { name: object_name(name)? };
                draft.shared(task, removed, format!("--volumes: the data in volume {name} goes"));
            }
        }
    }
    if !kept.is_empty() {
        draft.note(format!("volumes stay: {} (--volumes removes them with their data)", kept.join(", ")));
    }
    Ok(())
}

fn of_projects(label: Option<&String>, projects: &BTreeSet<&str>) -> bool {
    label.is_some_and(|project| projects.contains(project.as_str()))
}
