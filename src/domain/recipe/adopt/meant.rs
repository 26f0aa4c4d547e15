//! Which containers are meant, and which instance each of them becomes: asked before anything else is known of them.

use super::Wish;
use crate::domain::adopt::{PROJECT, named};
use crate::domain::fleet::{App, Container, Fleet, Instance, State};
use crate::domain::ids::AppId;
use crate::domain::plan::Refusal;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A container to adopt, and what it becomes.
#[derive(Clone, Debug)]
pub struct Becoming<'f> {
    pub app: AppId,
    pub number: u32,
    pub old: &'f Container,
}

/// What the targets come to.
#[derive(Debug, Default)]
pub(super) struct Meant<'f> {
    /// In the order named.
    pub containers: Vec<Becoming<'f>>,
    /// What is pitstop's already.
    pub ours: Vec<String>,
    /// Services of the file that nothing runs.
    pub absent: Vec<String>,
}

impl Becoming<'_> {
    /// The instance that it becomes, as it stands: how a load balancer may know it.
    pub fn instance(&self) -> Instance {
        Instance {
            name: self.app.instance(self.number),
            number: self.number,
            sandbox: None,
            app: Some(Arc::new(self.old.clone())),
            others: Vec::new(),
        }
    }
}

/// The containers that are meant, as far as they can be told.
pub fn becoming<'f>(wish: &Wish, fleet: &'f Fleet) -> Vec<Becoming<'f>> {
    meant(wish, fleet).map(|meant| meant.containers).unwrap_or_default()
}

pub(super) fn meant<'f>(wish: &Wish, fleet: &'f Fleet) -> Result<Meant<'f>, Refusal> {
    let mut meant = Meant::default();
    for target in targets(wish)? {
        let mut found = false;
        let strangers = fleet.apps.iter().filter(|app| !app.managed);
        for (app, instance) in strangers.flat_map(|app| app.instances.iter().map(move |one| (app, one))) {
            let Some(old) = &instance.app else { continue };
            if !means(&target, &app.id, old) {
                continue;
            }
            found = true;
            if meant.containers.iter().all(|one| one.old.id != old.id) {
                let becomes = becomes(old, wish, fleet, &meant.containers)?;
                meant.containers.push(becomes);
            }
        }
        match fleet.find(&target) {
            _ if found => {}
            _ if is_ours(&target, wish, fleet) => meant.ours.push(target),
            Ok(_) => {}
            Err(_) if wish.targets.is_empty() => meant.absent.push(target),
            Err(error) => return Err(Refusal::Usage(error)),
        }
    }
    if meant.containers.is_empty() && meant.ours.is_empty() && !meant.absent.is_empty() {
        return Err(Refusal::Usage(format!(
            "no container runs a service of the file ({}); name the containers that do: `--as PROJECT/SERVICE CONTAINER…`",
            meant.absent.join(", ")
        )));
    }
    let mut seen = BTreeMap::new();
    for one in &meant.containers {
        if let Some(other) = seen.insert((one.app.clone(), one.number), &one.old.name) {
            return Err(Refusal::Usage(format!(
                "{} and {other} would both become {}; adopt one of them with another --project",
                one.old.name,
                one.app.instance(one.number)
            )));
        }
    }
    Ok(meant)
}

/// What was named; else all services of the file.
fn targets(wish: &Wish) -> Result<Vec<String>, Refusal> {
    match &wish.file {
        _ if !wish.targets.is_empty() => Ok(wish.targets.clone()),
        Some(_) if wish.app.is_some() => Err(Refusal::Usage("name the containers that are that service".into())),
        Some(file) => Ok(file.apps.keys().map(|service| format!("{}/{service}", file.name)).collect()),
        None => Err(Refusal::Usage("name at least one container, app or Compose project".into())),
    }
}

/// A container by its name, its service or its project.
fn means(target: &str, seen: &AppId, old: &Container) -> bool {
    let of_project = !seen.project.is_empty() && seen.project == target;
    of_project || seen.to_string() == target || seen.app == target || *old.name == *target
}

/// Somebody has adopted it already, or made it with pitstop.
fn is_ours(target: &str, wish: &Wish, fleet: &Fleet) -> bool {
    let ours = |app: &App| app.managed;
    fleet.apps.iter().any(|app| ours(app) && app.id.project == target)
        || fleet.find(target).is_ok_and(ours)
        || fleet.find_instance(target).is_some_and(|(app, _)| ours(app))
        || managed(wish.app.as_ref(), fleet).any(|instance| answers_to(instance, target))
}

/// Its sandbox has taken that name over, with the place of the container that had it.
fn answers_to(instance: &Instance, name: &str) -> bool {
    let spec = instance.sandbox.as_ref().and_then(|sandbox| sandbox.own.as_ref()?.spec.as_ref());
    spec.is_some_and(|spec| spec.sandbox.networks.iter().any(|on| on.aliases.iter().any(|alias| alias == name)))
}

/// The instances there are of an app of ours.
fn managed<'f>(app: Option<&AppId>, fleet: &'f Fleet) -> impl Iterator<Item = &'f Instance> {
    let apps = fleet.apps.iter().filter(move |seen| seen.managed && Some(&seen.id) == app);
    apps.flat_map(|app| &app.instances)
}

fn becomes<'f>(
    old: &'f Container,
    wish: &Wish,
    fleet: &'f Fleet,
    chosen: &[Becoming<'_>],
) -> Result<Becoming<'f>, Refusal> {
    if let Some(app) = &wish.app {
        let number = number(old, app, fleet, chosen);
        return Ok(Becoming { app: app.clone(), number, old });
    }
    let compose = old.compose.as_ref().map(|(project, service, number)| (&**project, &**service, *number));
    let plain = wish.file.as_ref().map_or(PROJECT, |file| file.name.as_str());
    let (app, number) = named(&old.name, compose, wish.project.as_deref(), plain).map_err(Refusal::Usage)?;
    Ok(Becoming { app, number, old })
}

/// The number that an earlier adoption has given it, else the lowest that nobody has.
fn number(old: &Container, app: &AppId, fleet: &Fleet, chosen: &[Becoming<'_>]) -> u32 {
    let there = || managed(Some(app), fleet).filter(|instance| !never_ran(instance));
    if let Some(half) = there().find(|instance| adopts(instance, old)) {
        return half.number;
    }
    let is_free = |number: &u32| {
        there().all(|instance| instance.number != *number) && chosen.iter().all(|one| one.number != *number)
    };
    (1..=u32::MAX).find(is_free).unwrap_or(u32::MAX)
}

/// What a creation left whose answer was lost: it holds nothing and has done nothing.
pub(super) fn never_ran(instance: &Instance) -> bool {
    let mut all = instance.app.iter().chain(&instance.others);
    instance.sandbox.is_none() && all.all(|one| one.state == State::Created)
}

/// Whether that instance was made to take this container's place.
pub(super) fn adopts(instance: &Instance, old: &Container) -> bool {
    let of =
        |sandbox: &Container| sandbox.detail.as_ref().is_some_and(|detail| detail.adopts.as_ref() == Some(&old.id));
    instance.sandbox.as_deref().is_some_and(of)
}
