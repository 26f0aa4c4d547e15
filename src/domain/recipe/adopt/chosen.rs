//! Which containers are meant, what each of them becomes, and what stands in its way.

use super::Wish;
use crate::domain::adopt::{Original, named};
use crate::domain::facts::Facts;
use crate::domain::fleet::{App, Container, Instance, State};
use crate::domain::ids::AppId;
use crate::domain::plan::Refusal;
use crate::domain::recipe::draft;
use std::collections::BTreeMap;

/// A container to adopt.
pub(super) struct Chosen<'f> {
    pub(super) app: AppId,
    pub(super) number: u32,
    pub(super) old: &'f Container,
    pub(super) original: Option<&'f Original>,
    pub(super) compose: Option<String>,
    /// What there is of the instance that takes its place.
    pub(super) half: Option<&'f Instance>,
    /// An instance of that name is there that has nothing to do with it.
    pub(super) taken: bool,
}

/// The containers that are meant, in the order named; and the names of what is pitstop's already.
pub(super) fn chosen<'f>(wish: &'f Wish, facts: &'f Facts) -> Result<(Vec<Chosen<'f>>, Vec<&'f str>), Refusal> {
    let mut chosen: Vec<Chosen<'f>> = Vec::new();
    let mut ours = Vec::new();
    for target in &wish.targets {
        let mut found = false;
        let strangers = facts.fleet.apps.iter().filter(|app| !app.managed);
        for (app, instance) in strangers.flat_map(|app| app.instances.iter().map(move |one| (app, one))) {
            let Some(old) = &instance.app else { continue };
            if !means(target, &app.id, old) {
                continue;
            }
            found = true;
            if chosen.iter().all(|one| one.old.id != old.id) {
                chosen.push(Chosen::of(old, wish, facts)?);
            }
        }
        match facts.fleet.find(target) {
            _ if found => {}
            _ if is_ours(target, facts) => ours.push(&**target),
            Ok(_) => {}
            Err(error) => return Err(Refusal::Usage(error)),
        }
    }
    if wish.targets.is_empty() {
        return Err(Refusal::Usage("name at least one container, app or Compose project".into()));
    }
    let mut seen = BTreeMap::new();
    for one in &chosen {
        if let Some(other) = seen.insert((one.app.clone(), one.number), &one.old.name) {
            return Err(Refusal::Usage(format!(
                "{} and {other} would both become {}; adopt one of them with another --project",
                one.old.name,
                one.app.instance(one.number)
            )));
        }
    }
    Ok((chosen, ours))
}

/// A container by its name, its service or its project.
fn means(target: &str, seen: &AppId, old: &Container) -> bool {
    let of_project = !seen.project.is_empty() && seen.project == target;
    of_project || seen.to_string() == target || seen.app == target || *old.name == *target
}

/// Somebody has adopted it already, or made it with pitstop.
fn is_ours(target: &str, facts: &Facts) -> bool {
    let (fleet, ours) = (&facts.fleet, |app: &App| app.managed);
    fleet.apps.iter().any(|app| ours(app) && app.id.project == target)
        || fleet.find(target).is_ok_and(ours)
        || fleet.find_instance(target).is_some_and(|(app, _)| ours(app))
}

impl<'f> Chosen<'f> {
    fn of(old: &'f Container, wish: &Wish, facts: &'f Facts) -> Result<Self, Refusal> {
        let compose = old.compose.as_ref().map(|(project, service, number)| (&**project, &**service, *number));
        let (app, number) = named(&old.name, compose, wish.project.as_deref()).map_err(Refusal::Usage)?;
        let mine =
            |instance: &&Instance| instance.number == number && (instance.sandbox.is_some() || instance.app.is_some());
        let managed = facts.fleet.apps.iter().find(|seen| seen.managed && seen.id == app);
        let there = managed.and_then(|managed| managed.instances.iter().find(mine));
        let half = there.filter(|there| adopts(there, old) || never_ran(there));
        Ok(Self {
            original: facts.originals.get(&old.id),
            compose: old.compose.as_ref().map(|(project, ..)| project.to_string()),
            taken: there.is_some() && half.is_none(),
            app,
            number,
            old,
            half,
        })
    }
}

impl Chosen<'_> {
    /// Why it can't be adopted, or not without consent.
    pub(super) fn may_be(&self, wish: &Wish, facts: &Facts, stops: &mut Vec<String>) {
        let (name, id) = (&self.old.name, &self.old.id);
        let mut stop = |why: String| stops.push(format!("{name} can't be adopted: {why}"));
        let Some(original) = self.original else { return stop("its configuration can't be read".into()) };
        if self.taken {
            return stop(format!(
                "{} is there already, and it has not been made from this container; adopt it with another --project",
                self.app.instance(self.number)
            ));
        }
        original.obstacles.iter().for_each(|why| stop(why.clone()));
        match self.old.state {
            State::Running => {}
            State::Paused => stop(format!("it is paused; `docker unpause {name}` first")),
            _ if self.old.is_alive() => {
                stop("the engine is restarting it again and again; let it run well first".into());
            }
            _ if self.half.is_none() => {
                stop(format!("it does not run, so it has no address to keep; `docker start {name}` first"));
            }
            _ => return,
        }
        let joined: Vec<&str> = draft::all(facts)
            .filter(|other| other.is_alive() && other.joined() == Some(id.as_str()))
            .map(|other| &*other.name)
            .collect();
        if !joined.is_empty() {
            stop(format!("{} shares its network and would be cut off for good", joined.join(", ")));
        }
        let losses: Vec<String> = original
            .losses
            .iter()
            .cloned()
            .chain(self.addresses(facts).into_iter().filter_map(|way| way.lost))
            .collect();
        if !wish.accept_changes && !losses.is_empty() {
            stop(format!("not everything can be kept: {}; --accept-changes does it all the same", losses.join("; ")));
        }
    }

    /// Its name before it was put aside: that of the sandbox in its place.
    pub(super) fn own_name(&self) -> String {
        let sandbox = self.app.sandbox_name(self.number);
        let is_aside = self.old.name.strip_prefix(&sandbox).is_some_and(|rest| rest.starts_with(".old"));
        if is_aside { sandbox } else { self.old.name.to_string() }
    }
}

/// What a creation left whose answer was lost: it holds nothing and has done nothing.
fn never_ran(instance: &Instance) -> bool {
    let mut all = instance.app.iter().chain(&instance.others);
    instance.sandbox.is_none() && all.all(|one| one.state == State::Created)
}

/// Whether that instance was made to take this container's place.
fn adopts(instance: &Instance, old: &Container) -> bool {
    let of =
        |sandbox: &Container| sandbox.detail.as_ref().is_some_and(|detail| detail.adopts.as_ref() == Some(&old.id));
    instance.sandbox.as_deref().is_some_and(of)
}
