//! Adopt: a container that pitstop has not made gets a sandbox, at its own address where the engine allows it.
//!
//! One after the other, because each is down for a moment. The old container is stopped and kept until everything is
//! proven; the undo lane starts it again under its name with its restart policy. Planning again goes on from whatever is
//! there: the sandbox's labels say whose place it takes and at which addresses.

mod back;
mod chosen;
mod meant;
mod place;
mod steps;

pub use self::meant::{Becoming, becoming};

use self::chosen::Chosen;
use self::meant::meant;
use super::super::facts::Facts;
use super::super::ids::AppId;
use super::super::options::Options;
use super::super::plan::{Kind, Plan, Refusal, StepId, Task};
use super::super::project::ProjectSpec;
use super::super::spec::Rollout;
use super::draft::{Draft, Slot, known};
use super::traffic;
use std::collections::{BTreeMap, BTreeSet};

/// What was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// Apps, projects and containers by name; none: every container that runs a service of the file.
    pub targets: Vec<String>,
    /// Instead of Compose's own, or of the project for plain containers.
    pub project: Option<String>,
    /// What all of them become instances of, whatever they are called.
    pub app: Option<AppId>,
    /// How their apps are handled: probe, load balancers, hooks. What runs is not changed to what it says.
    pub file: Option<ProjectSpec>,
    /// What can't be kept may be lost.
    pub accept_changes: bool,
    /// The old containers stay, stopped.
    pub keep_old: bool,
}

/// The revision that an adopted app begins with.
const REVISION: u32 = 1;

/// Plans it.
pub fn adopt(wish: &Wish, facts: &Facts, options: &Options) -> Result<Plan, Refusal> {
    let meant = meant(wish, &facts.fleet)?;
    let chosen: Vec<_> = meant.containers.into_iter().map(|one| Chosen::of(one, wish, facts)).collect();
    let mut draft = Draft::new(Kind::Adopt, subject(wish, &chosen), &rollout(&chosen), facts, options);
    let mut stops: Vec<String> = Vec::new();
    for one in &chosen {
        one.in_file(wish)?;
        one.may_be(wish, facts, &mut stops);
    }
    if !stops.is_empty() {
        return Err(Refusal::Refused(stops.join("\n  ")));
    }
    for one in &chosen {
        traffic::reachable(&one.app, facts, options)?;
    }
    let mut after: Vec<StepId> = Vec::new();
    let mut done = Vec::new();
    for (index, one) in chosen.iter().enumerate() {
        let at = Slot { instance: one.app.instance(one.number), batch: index + 1 };
        draft.plan.batches.push(vec![at.instance.clone()]);
        draft.drain_as(&one.rollout());
        let (verify, park) = if one.old.is_alive() {
            one.take_place(&mut draft, &at, wish, &after)?
        } else {
            one.go_on(&mut draft, &at, wish, &after)?
        };
        after = vec![verify];
        done.push((at, park, one));
    }
    let parked: Vec<StepId> = done.iter().map(|(_, park, _)| *park).collect();
    for (at, _, one) in done {
        if wish.keep_old {
            let name = &one.old.name;
            draft.note(format!("{name} stays, stopped and without a restart policy; `docker rm {name}` removes it"));
        } else {
            let task = Task::Remove { container: known(one.old), volumes: false };
            draft.main(&at, task, &parked, "its place is taken, and that is proven");
        }
    }
    for app in meant.absent {
        draft.note(format!("no container runs {app}; `pitstop create{}` makes it", wish.files()));
    }
    for target in meant.ours {
        draft.note(format!("{target} is pitstop's already: its sandboxes hold its addresses, nothing to do"));
    }
    note_compose(&mut draft, &chosen, wish);
    Ok(draft.finish())
}

/// Plans to give their places back to the containers that were there before.
pub fn give_back(wish: &Wish, facts: &Facts, options: &Options) -> Result<Plan, Refusal> {
    let meant = meant(wish, &facts.fleet)?;
    let chosen: Vec<_> = meant.containers.into_iter().map(|one| Chosen::of(one, wish, facts)).collect();
    let mut draft = Draft::new(Kind::Adopt, subject(wish, &chosen), &Rollout::default(), facts, options);
    let mut after: Vec<StepId> = Vec::new();
    for one in chosen.iter().filter(|one| one.half.is_some() || one.own_name() != *one.old.name) {
        let at = Slot { instance: one.app.instance(one.number), batch: draft.plan.batches.len() + 1 };
        draft.plan.batches.push(vec![at.instance.clone()]);
        after = one.give_back(&mut draft, &at, &after)?;
    }
    if draft.plan.steps.is_empty() {
        draft.note("nothing of an adoption is left half-done: nothing to do");
    }
    Ok(draft.finish())
}

/// How an operation on a single app is handled, as its file says; one on several is handled as the options say.
fn rollout(chosen: &[Chosen<'_>]) -> Rollout {
    match chosen {
        [first, others @ ..] if others.iter().all(|one| one.app == first.app) => first.rollout(),
        _ => Rollout::default(),
    }
}

fn subject(wish: &Wish, chosen: &[Chosen<'_>]) -> String {
    let apps: BTreeSet<_> = chosen.iter().map(|one| &one.app).collect();
    let projects: BTreeSet<_> = apps.iter().map(|app| &app.project).collect();
    match (apps.first(), projects.first()) {
        (Some(app), _) if apps.len() == 1 => app.to_string(),
        (_, Some(project)) if projects.len() == 1 => (*project).clone(),
        (None, _) => wish.targets.join(", "),
        _ => format!("{} apps", apps.len()),
    }
}

impl Wish {
    /// Its file as a command takes it.
    fn files(&self) -> String {
        named(self.file.as_ref().map_or(&[], |file| &file.files))
    }
}

/// ` -f FILE` for each.
fn named(files: &[String]) -> String {
    if files.is_empty() { " -f FILE".into() } else { files.iter().map(shown).collect() }
}

/// ` -f FILE`, as a shell takes it.
fn shown(file: &String) -> String {
    let plain = file.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-+@".contains(&byte));
    if plain { format!(" -f {file}") } else { format!(" -f '{}'", file.replace('\'', "'\\''")) }
}

/// What Compose will see, and what to do instead.
fn note_compose(draft: &mut Draft<'_>, chosen: &[Chosen<'_>], wish: &Wish) {
    let of = |one: &&Chosen<'_>| Some((one.compose.clone()?, one.original?.files.clone()));
    let projects: BTreeMap<String, Vec<String>> = chosen.iter().filter_map(|one| of(&one)).collect();
    for (project, files) in projects {
        let of_wish = wish.file.as_ref().is_some_and(|file| file.name == project);
        let files = if of_wish { wish.files() } else { named(&files) };
        draft.note(format!(
            "docker compose does not know these containers any more: in project {project}, `docker compose up` would make them a second time beside yours and fail at their ports or names, and `down` would take away networks and volumes that nobody uses. From now on `pitstop create{files} -p {project}` and `pitstop deploy {project}/SERVICE{files}` read the same file"
        ));
    }
}
