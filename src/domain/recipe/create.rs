//! Create: the services of a file, side by side where nothing depends on anything.
//!
//! What is there and equal stays as it is; what is there and different is refused (that is a deploy). Images are
//! pulled beside networks, volumes and sandboxes.

use super::super::converge::{Aim, Need};
use super::super::facts::Facts;
use super::super::fleet::{App, Container, Instance};
use super::super::ids::AppId;
use super::super::inplace::compare;
use super::super::options::{Options, PullPolicy};
use super::super::plan::{Kind, Plan, Refusal, StepId, Target, Task};
use super::super::project::{AppEntry, DependencyCondition, ProjectSpec};
use super::super::spec::{AppSpec, Rollout};
use super::draft::{Draft, Slot, bring_up, former, known, rivals, stop};
use super::order;
use super::ports::{self, Taken};
use super::resources::Resources;
use super::settle::{bounded, newest, next_revision, pull_policy, readiness, spec_hash, spec_of};
use super::swap::{Before, Source, Wanted, free_name, sandbox_start};
use super::{address, restart, traffic};
use std::collections::BTreeMap;

/// Plans it. `services` empty: all; `scale` overrides replicas by service.
pub fn create(
    project: &ProjectSpec,
    services: &[String],
    scale: &[(String, u32)],
    facts: &Facts,
    options: &Options,
) -> Result<Plan, Refusal> {
    let order = order::services(project, services, facts)?;
    if let Some((name, _)) = scale.iter().find(|(name, _)| !order.iter().any(|(service, _)| service == name)) {
        let name = super::super::clean::clean(name);
        return Err(Refusal::Usage(format!("--scale {name}: no service of that name is created")));
    }
    let subject = match order.as_slice() {
        [(one, _)] => AppId::new(&*project.name, *one).to_string(),
        _ => project.name.clone(),
    };
    let mut creation = Creation {
        draft: Draft::new(Kind::Create, subject, &Rollout::default(), facts, options),
        project,
        resources: Resources::default(),
        pulls: BTreeMap::new(),
        taken: Taken::default(),
        brought: BTreeMap::new(),
        instances: Vec::new(),
    };
    for (name, entry) in &order {
        let replicas = scale.iter().rev().find(|(service, _)| service == name).map_or(entry.replicas, |(_, n)| *n);
        bounded(replicas, &AppId::new(&project.name, *name))?;
        creation.app(name, entry, replicas)?;
    }
    let mut draft = creation.draft;
    if draft.plan.steps.is_empty() {
        draft.note(format!("everything of {} is there as wanted: nothing to do", project.name));
    } else {
        draft.plan.batches = vec![creation.instances];
    }
    Ok(draft.finish())
}

struct Creation<'a> {
    draft: Draft<'a>,
    project: &'a ProjectSpec,
    resources: Resources,
    /// By reference, and whether the registry is asked in any case.
    pulls: BTreeMap<(String, &'static str), StepId>,
    taken: Taken,
    /// By service: the start and ready steps of its instances.
    brought: BTreeMap<String, Vec<(StepId, StepId)>>,
    instances: Vec<super::super::ids::InstanceName>,
}

impl Creation<'_> {
    fn app(&mut self, name: &str, entry: &AppEntry, replicas: u32) -> Result<(), Refusal> {
        let facts = self.draft.facts;
        let id = AppId::new(&*self.project.name, name);
        let seen = order::seen(facts, &id, true);
        if let Some(strangers) = order::seen(facts, &id, false) {
            refuse_running(strangers)?;
            self.draft
                .note(format!("containers of {id} that pitstop did not create are there, too; they are left alone"));
        }
        if let Some(app) = seen {
            self.compare(app, &entry.spec)?;
            let more = app.instances.iter().filter(|instance| instance.number > replicas).count();
            if more > 0 {
                self.draft.note(format!(
                    "{id} has {more} instances beyond the {replicas} wanted; `pitstop scale {id}={replicas}` removes them"
                ));
            }
        }
        let there = |number| seen?.instances.iter().find(|instance| instance.number == number).cloned();
        let instances = (1..=replicas).map(|number| there(number).unwrap_or_else(|| absent(&id, number)));
        let draft = &self.draft;
        let lacking: Vec<(Instance, Need)> = instances
            .map(|instance| (traffic::seen(draft, &instance).need(Aim::Exist), instance))
            .filter(|(need, _)| *need != Need::Nothing)
            .map(|(need, instance)| (instance, need))
            .collect();
        if lacking.is_empty() {
            return Ok(());
        }
        address::one_each(facts, &id, &entry.spec.sandbox, replicas, &lacking_sandboxes(&lacking))?;
        let wanted = self.wanted(&id, seen, &entry.spec, &lacking)?;
        let mut after = self.dependencies(entry);
        after.extend(self.not_yet_healthy(name, entry));
        for (instance, need) in &lacking {
            let at = Slot { instance: instance.name.clone(), batch: 1 };
            self.instances.push(instance.name.clone());
            let before = Before { prepared: Vec::new(), verifies: after.clone() };
            let (start, ready) = match (need, &wanted, &instance.app) {
                (Need::Start, _, Some(container)) => {
                    let one = restart::one(&mut self.draft, &at, instance, container, &before);
                    (one.start, one.ready)
                }
                (Need::Replace, Some(wanted), _) => {
                    let wanted = Wanted { revision: seen.map_or(1, |app| next_revision(app, facts)), ..wanted.clone() };
                    let cause = format!("the container of {} can't start again in its sandbox", instance.name.short());
                    let swapped = wanted.swap(&mut self.draft, &at, instance, &before, &cause)?;
                    for target in swapped.replaced {
                        let task = Task::Remove { container: target, volumes: false };
                        self.draft.main(&at, task, &[swapped.done], "its replacement is verified");
                    }
                    (swapped.start, swapped.ready)
                }
                (_, Some(wanted), _) => wanted.bring_up(&mut self.draft, &mut self.taken, &at, instance, &after)?,
                (_, None, _) => continue,
            };
            self.brought.entry(name.to_owned()).or_default().push((start, ready));
        }
        Ok(())
    }

    /// What new containers of the app are made of; `None` when none is needed.
    fn wanted<'w>(
        &mut self,
        id: &'w AppId,
        seen: Option<&App>,
        spec: &'w AppSpec,
        lacking: &[(Instance, Need)],
    ) -> Result<Option<Wanted<'w>>, Refusal> {
        if lacking.iter().all(|(_, need)| *need == Need::Start) {
            return Ok(None);
        }
        let draft = &mut self.draft;
        let image = draft.facts.images.get(&spec.image);
        let policy = pull_policy(draft.options, spec, image);
        let key = (spec.image.clone(), word(policy));
        let source = match self.pulls.get(&key) {
            Some(step) => Source::Pulled(*step),
            None => Source::pull(draft, &spec.image, policy, format!("{id} runs {}", spec.image))?,
        };
        if let Source::Pulled(step) = source {
            self.pulls.insert(key, step);
        }
        let readiness = readiness(draft.options, spec, image.map(|image| image.has_healthcheck));
        if let Some(note) = readiness.note(&id.to_string()) {
            draft.note(note);
        }
        let networks = self.resources.networks(draft, self.project, id, spec)?;
        let volumes = self.resources.volumes(draft, self.project, id, spec)?;
        let revision = match seen {
            Some(app) => newest(app).map_or_else(|| next_revision(app, draft.facts), Container::revision),
            None => 1,
        };
        let spec_hash = spec_hash(spec, seen);
        Ok(Some(Wanted {
            app: id,
            spec,
            spec_hash,
            revision,
            source,
            readiness,
            at_once: 1,
            networks,
            volumes,
            replaces: None,
        }))
    }

    /// Refuses what is there and different.
    fn compare(&mut self, app: &App, wanted: &AppSpec) -> Result<(), Refusal> {
        let local = self.draft.facts.images.get(&wanted.image).map(|image| image.id.clone());
        let mut lines = Vec::new();
        for instance in &app.instances {
            let Some(container) = &instance.app else { continue };
            match spec_of(container) {
                None => lines.push(format!("{}: its spec can't be read", instance.name)),
                // The same reference is the same wish; what it means now is for a deploy.
                Some(old) => lines.extend(
                    compare(&old, wanted, &container.image_id, Some(&container.image_id))
                        .iter()
                        .map(|change| format!("{}: {change}", instance.name)),
                ),
            }
            if local.as_deref().is_some_and(|id| *id != *container.image_id) {
                self.draft.note(format!(
                    "{} is another image now than what {} runs; `pitstop deploy {}` takes it",
                    wanted.image, instance.name, app.id
                ));
            }
        }
        if lines.is_empty() {
            return Ok(());
        }
        Err(Refusal::Refused(format!(
            "{} is there already and differs from the file:\n  {}\nto change it: pitstop deploy {} -f FILE",
            app.id,
            lines.join("\n  "),
            app.id
        )))
    }

    /// Waits for instances of dependencies that are there already, but not healthy yet.
    fn not_yet_healthy(&mut self, name: &str, entry: &AppEntry) -> Vec<StepId> {
        let facts = self.draft.facts;
        let mut waits = Vec::new();
        for dependency in entry.depends_on.iter().filter(|one| one.condition == DependencyCondition::ServiceHealthy) {
            let id = AppId::new(&*self.project.name, &*dependency.app);
            let there = order::seen(facts, &id, true).map_or(&[][..], |app| &app.instances);
            // What lacks something is brought up by this plan, and waited for as such.
            for instance in there.iter().filter(|one| !one.is_ready()) {
                if traffic::seen(&self.draft, instance).need(Aim::Exist) != Need::Nothing {
                    continue;
                }
                let (Some(container), Some(sandbox)) = (&instance.app, &instance.sandbox) else { continue };
                let spec = spec_of(container).unwrap_or_default();
                let checked = container.detail.as_ref().map(|detail| detail.has_healthcheck);
                let readiness = readiness(self.draft.options, &spec, checked);
                let task = readiness.task(known(container), Some(known(sandbox)), self.draft.options);
                let cause = format!("{name} waits until {} is healthy", instance.name.short());
                waits.push(self.draft.shared(task, &[], cause));
            }
        }
        waits
    }

    /// The steps that the app's start waits for.
    fn dependencies(&self, entry: &AppEntry) -> Vec<StepId> {
        let steps = |dependency: &super::super::project::Dependency| {
            let healthy = dependency.condition == DependencyCondition::ServiceHealthy;
            let brought = self.brought.get(&dependency.app).cloned().unwrap_or_default();
            brought.into_iter().map(move |(start, ready)| if healthy { ready } else { start })
        };
        entry.depends_on.iter().flat_map(steps).collect()
    }
}

impl Wanted<'_> {
    /// An instance from nothing, or from its sandbox alone, with its way back; the steps that start it and prove it ready.
    pub fn bring_up(
        &self,
        draft: &mut Draft<'_>,
        taken: &mut Taken,
        at: &Slot,
        instance: &Instance,
        after: &[StepId],
    ) -> Result<(StepId, StepId), Refusal> {
        let why = format!("{} is wanted and not there", at.instance);
        let up = self.go_up(draft, taken, at, instance, &[], after, &why)?;
        traffic::join(draft, at, self, &up.sandbox, up.verify);
        up.take_away(draft, at);
        Ok((up.start, up.ready))
    }

    /// The same without its way back, and without a place in a balancer; nothing of it is made before `first`, it is not
    /// started before `after`.
    #[allow(clippy::too_many_arguments)]
    pub fn go_up(
        &self,
        draft: &mut Draft<'_>,
        taken: &mut Taken,
        at: &Slot,
        instance: &Instance,
        first: &[StepId],
        after: &[StepId],
        why: &str,
    ) -> Result<Up, Refusal> {
        let (sandbox, up) = if let Some(there) = &instance.sandbox {
            let up = (!there.is_running()).then(|| bring_up(draft, at, there, first));
            (known(there), up)
        } else {
            let name = self.app.sandbox_name(instance.number);
            free_name(draft.facts, &name)?;
            let spec = ports::of_instance(self.app, &self.spec.sandbox, instance.number)?;
            taken.take(draft.facts, &at.instance.0, &spec)?;
            let made = self.sandbox_create(draft, at, instance.number, former(instance), first, why)?;
            let target = Target::Made { step: made, name };
            let up = sandbox_start(draft, at, &target, made);
            (target, Some(up))
        };
        let create = self.create(draft, at, instance, (sandbox.clone(), None), first, why)?;
        let container = Target::Made { step: create, name: self.container_name(instance) };
        let needs: Vec<_> = after.iter().copied().chain(up).collect();
        let start = self.start(draft, at, &container, &needs);
        let (ready, verify) = self.prove(draft, at, &container, &sandbox, rivals(instance, None), start);
        Ok(Up { sandbox, sandbox_start: up, container, create, start, ready, verify })
    }
}

/// An instance that comes up, and the steps that bring it.
pub(super) struct Up {
    pub sandbox: Target,
    /// Starts the sandbox; `None`: it runs.
    sandbox_start: Option<StepId>,
    container: Target,
    create: StepId,
    pub start: StepId,
    pub ready: StepId,
    pub verify: StepId,
}

impl Up {
    /// Writes its way back.
    pub fn take_away(&self, draft: &mut Draft<'_>, at: &Slot) {
        let Self { sandbox, sandbox_start: up, container, create, start, .. } = self;
        let cause = "what was made for a failed instance is taken away again";
        draft.undo(at, stop(container.clone(), draft.options), &[*start], cause);
        draft.undo(at, Task::Remove { container: container.clone(), volumes: true }, &[*create], cause);
        if let (Target::Made { step, .. }, Some(up)) = (&sandbox, up) {
            draft.undo(at, stop(sandbox.clone(), draft.options), &[*up], cause);
            draft.undo(at, Task::Remove { container: sandbox.clone(), volumes: false }, &[*step], cause);
        }
    }
}

/// The app runs already, without sandboxes: a second one beside it is nobody's wish.
fn refuse_running(strangers: &App) -> Result<(), Refusal> {
    let running = strangers.instances.iter().filter_map(|one| one.app.as_deref()).filter(|app| app.is_alive());
    let names: Vec<&str> = running.map(|app| &*app.name).collect();
    if names.is_empty() {
        return Ok(());
    }
    let id = &strangers.id;
    Err(Refusal::Refused(format!(
        "{id} runs already in containers that pitstop has not made: {}. `pitstop adopt {id}` gives them sandboxes, at their own addresses where the engine allows it; `--dry-run` says before what is kept. To begin anew instead, take them away with the tool that made them",
        names.join(", ")
    )))
}

fn lacking_sandboxes(lacking: &[(Instance, Need)]) -> Vec<u32> {
    lacking.iter().filter(|(instance, _)| instance.sandbox.is_none()).map(|(instance, _)| instance.number).collect()
}

/// An instance that is not there yet.
pub(super) fn absent(app: &AppId, number: u32) -> Instance {
    Instance { name: app.instance(number), number, sandbox: None, app: None, others: Vec::new() }
}

fn word(policy: PullPolicy) -> &'static str {
    match policy {
        PullPolicy::Missing => "missing",
        PullPolicy::Always => "always",
        PullPolicy::Never => "never",
    }
}
