//! Rolling an app to a spec and an image, batch by batch: what deploy and rollback have in common.

use super::super::balancer;
use super::super::budget::Standing;
use super::super::converge::{Aim, Difference, Need};
use super::super::facts::Facts;
use super::super::fleet::{App, Instance};
use super::super::identity::Hold;
use super::super::ids::InstanceName;
use super::super::inplace::{Change, blockers, compare};
use super::super::options::{Options, PullPolicy};
use super::super::plan::{Kind, Plan, Refusal, StepId, Task};
use super::super::project::ProjectSpec;
use super::super::spec::AppSpec;
use super::draft::{Draft, Slot, known, rivals, stop};
use super::hooks;
use super::ports::Taken;
use super::resources::Resources;
use super::settle::{Readiness, batches, newest, next_revision, readiness, spec_hash, spec_of};
use super::surge::{self, Replaced, Successor};
use super::swap::{Before, Source, Swapped, Wanted};
use super::traffic;

/// What an app shall run.
pub(super) struct Roll<'a> {
    pub kind: Kind,
    pub app: &'a App,
    pub spec: AppSpec,
    pub image: Image,
    /// Only these, and although they run just that: a restart by new containers. Empty: whoever runs something else.
    pub again: Vec<InstanceName>,
    /// The file the spec comes from, for its networks and volumes.
    pub project: Option<&'a ProjectSpec>,
    pub facts: &'a Facts,
    pub options: &'a Options,
}

/// An instance that gets a new container.
struct Todo<'a> {
    instance: &'a Instance,
    need: Need,
    /// What it runs otherwise than wanted, as far as that can be told.
    changes: Vec<Change>,
    /// Who takes its place, where it is not to be replaced in place.
    successor: Option<Successor>,
}

/// Which image exactly.
pub(super) enum Image {
    /// What the spec's reference names, asked for by this policy.
    Reference(PullPolicy),
    /// This id, which the engine has.
    Id(String),
}

impl Roll<'_> {
    /// The plan; empty with a note when every instance runs just that.
    pub fn plan(self) -> Result<Plan, Refusal> {
        let mut draft = Draft::new(self.kind, self.app.id.to_string(), &self.spec.rollout, self.facts, self.options);
        draft.plan.from = newest(self.app).map(|container| container.image_name().to_owned());
        draft.plan.to = Some(self.spec.image.clone());
        let (mut todo, mut unproven, mut beside) = (Vec::new(), Vec::new(), Standing::default());
        let pairs = surge::pairs(self.app);
        let mut surplus = pairs.clone();
        // One that takes another's place is handled with it.
        for instance in self.app.instances.iter().filter(|one| pairs.iter().all(|(new, _)| new.name != one.name)) {
            let changes = self.changes(instance);
            let chosen = self.again.contains(&instance.name);
            if !chosen && !self.again.is_empty() {
                beside.others += usize::from(instance.may_serve());
                continue;
            }
            match traffic::seen(&draft, instance).need(Aim::Run(self.difference(instance))) {
                // Whatever an earlier one that broke off has left beside it: a restart always restarts.
                Need::Nothing | Need::Proof if chosen => {
                    todo.push(Todo { instance, need: Need::Replace, changes: Vec::new(), successor: None });
                }
                Need::Nothing | Need::Leave | Need::Unpause | Need::Start => {
                    beside.others += usize::from(instance.may_serve());
                    beside.broken += usize::from(instance.is_unhealthy());
                }
                Need::Proof => {
                    unproven.push(instance);
                    // It is proven before anything else is touched.
                    beside.others += 1;
                }
                need @ (Need::Replace | Need::Recreate | Need::Make) => {
                    let new = pairs.iter().find(|(_, old)| old.name == instance.name).map(|(new, _)| *new);
                    surplus.retain(|(_, old)| old.name != instance.name);
                    let successor = new.map(|new| Successor::there(&draft, new, self.difference(new)));
                    todo.push(Todo { instance, need, changes: changes.unwrap_or_default(), successor });
                }
            }
        }
        if todo.is_empty() && unproven.is_empty() && surplus.is_empty() {
            draft.note(format!("every instance of {} runs {} as wanted: nothing to do", self.app.id, self.spec.image));
            let known = balancer::of_app(self.app);
            if balancer::distinct(&self.spec.rollout.balancers).iter().any(|spec| !known.contains(spec)) {
                draft.note(
                    "its load balancers are another matter: the containers learn of them with the next deployment that \
                     changes something, and until then an operation without -f does not drain there",
                );
            }
            return Ok(draft.finish());
        }
        traffic::reachable(&self.app.id, self.facts, self.options)?;
        let mut swapped = self.prove_again(&mut draft, &unproven);
        let mut replaced = Vec::new();
        if !todo.is_empty() {
            if self.surges() {
                let bare = todo.iter_mut().filter(|one| one.successor.is_none());
                let bare: Vec<_> = bare.collect();
                let made = Successor::made(self.app, bare.len());
                bare.into_iter().zip(made).for_each(|(one, made)| one.successor = Some(made));
            }
            self.check(&mut draft, &todo)?;
            let chosen: Vec<_> = todo.iter().map(|one| one.instance).collect();
            let batches = batches(&mut draft, self.app, &chosen, &beside, &self.spec.rollout, self.surges())?;
            replaced = self.write(&mut draft, &batches, &todo, &mut swapped)?;
        }
        let all: Vec<StepId> = swapped.iter().map(|(_, swapped)| swapped.done).collect();
        remove_replaced(&mut draft, &swapped, &all);
        surge::clear(&mut draft, &replaced, &all);
        surge::take_back(&mut draft, &surplus, &all);
        Ok(draft.finish())
    }

    /// New instances first.
    fn surges(&self) -> bool {
        self.options.surge.or(self.spec.rollout.surge).unwrap_or(false)
    }

    /// How an instance differs from what is wanted.
    fn difference(&self, instance: &Instance) -> Difference {
        self.changes(instance).as_deref().map_or(Difference::App, Difference::of)
    }

    fn check(&self, draft: &mut Draft<'_>, todo: &[Todo<'_>]) -> Result<(), Refusal> {
        let pairs: Vec<_> = todo.iter().filter_map(|one| Some((one.instance, one.successor.as_ref()?))).collect();
        if !pairs.is_empty() {
            surge::check(draft, &self.app.id, &self.spec, &pairs)?;
        }
        if pairs.len() < todo.len() { self.check_in_place(draft, todo) } else { Ok(()) }
    }

    /// A batch of their own for instances that run what is wanted although the operation that began it broke off: they
    /// may still be booting, and what they replaced is still there. Proven before any other instance is stopped.
    fn prove_again(&self, draft: &mut Draft<'_>, unproven: &[&Instance]) -> Vec<(Slot, Swapped)> {
        let readiness = self.readiness();
        let prove = |instance: &&Instance| {
            let (container, sandbox) = (known(instance.app.as_deref()?), known(instance.sandbox.as_deref()?));
            let at = Slot { instance: instance.name.clone(), batch: 1 };
            // Never let go: the one that serves is not touched by their end.
            let held: Vec<_> = instance
                .others
                .iter()
                .filter(|other| other.is_alive())
                .map(|other| {
                    let cause = format!("{} is held back, and is not wanted any more", other.name);
                    draft.main(&at, stop(known(other), draft.options), &[], cause)
                })
                .collect();
            let cause = format!("{} runs what is wanted, but what began it broke off", instance.name.short());
            let task = readiness.task(container.clone(), Some(sandbox.clone()), draft.options);
            let ready = draft.main(&at, task, &held, cause);
            let hooks = instance.app.as_deref().map(hooks::of).unwrap_or_default();
            let ready = hooks::post_ready(draft, &at, &hooks, &container, ready);
            let rivals = rivals(instance, instance.app.as_deref());
            let task = Task::Verify { container, sandbox: Some(sandbox.clone()), rivals };
            let verify = draft.main(&at, task, &[ready], "nobody has judged its identity yet");
            let left = traffic::left(draft, &instance.name);
            let verify =
                left.attach(draft, &at, instance.sandbox.as_deref().map(known).as_ref(), &[verify]).unwrap_or(verify);
            let replaced = instance.others.iter().map(|one| known(one)).collect();
            let prepared = Vec::new();
            Some((at, Swapped { prepared, sandbox, start: ready, ready, verify, done: verify, replaced }))
        };
        let proven: Vec<_> = unproven.iter().filter_map(prove).collect();
        if !proven.is_empty() {
            draft.plan.batches.push(proven.iter().map(|(at, _)| at.instance.clone()).collect());
        }
        proven
    }

    fn readiness(&self) -> Readiness {
        let key = match &self.image {
            Image::Id(id) => id,
            Image::Reference(_) => &self.spec.image,
        };
        readiness(self.options, &self.spec, self.facts.images.get(key).map(|image| image.has_healthcheck))
    }

    /// The image id an instance should have, where that is known.
    fn wanted_id(&self) -> Option<&str> {
        match &self.image {
            Image::Id(id) => Some(id),
            Image::Reference(PullPolicy::Always) => None,
            Image::Reference(_) => self.facts.images.get(&self.spec.image).map(|image| image.id.as_str()),
        }
    }

    /// What an instance runs otherwise than wanted; `None` where nobody can tell.
    fn changes(&self, instance: &Instance) -> Option<Vec<Change>> {
        let app = instance.app.as_deref()?;
        Some(compare(&spec_of(app)?, &self.spec, &app.image_id, self.wanted_id()))
    }

    fn check_in_place(&self, draft: &mut Draft<'_>, todo: &[Todo<'_>]) -> Result<(), Refusal> {
        let recreated = todo.iter().filter(|one| one.need == Need::Recreate && one.successor.is_none());
        let mut lines: Vec<String> = recreated.flat_map(|one| blockers(&one.changes)).collect();
        lines.sort();
        lines.dedup();
        if lines.is_empty() {
            draft.note("in place: each sandbox keeps running, so address, ports, hostname and volumes stay");
            return Ok(());
        }
        if !self.options.allow_recreate {
            return Err(Refusal::Refused(format!(
                "{} can't change in place:\n  {}\nwith --allow-recreate its sandboxes are replaced, one batch at a time, and addresses may change",
                self.app.id,
                lines.join("\n  ")
            )));
        }
        draft.note(format!("not in place, sandboxes are replaced and addresses may change: {}", lines.join("; ")));
        Ok(())
    }

    /// Writes the steps of all batches; gives the instances that go once all is done.
    fn write<'i>(
        &self,
        draft: &mut Draft<'_>,
        batches: &[Vec<&Instance>],
        todo: &[Todo<'i>],
        swapped: &mut Vec<(Slot, Swapped)>,
    ) -> Result<Vec<Replaced<'i>>, Refusal> {
        let source = match &self.image {
            Image::Id(id) => Source::Id(id.clone()),
            Image::Reference(policy) => {
                let cause = format!("{} is wanted; a bad image touches no instance", self.spec.image);
                Source::pull(draft, &self.spec.image, *policy, cause)?
            }
        };
        let (mut networks, mut volumes) = (Vec::new(), Vec::new());
        if let Some(project) = self.project {
            let mut resources = Resources::default();
            networks = resources.networks(draft, project, &self.app.id, &self.spec)?;
            volumes = resources.volumes(draft, project, &self.app.id, &self.spec)?;
        }
        let readiness = self.readiness();
        if let Some(note) = readiness.note(&self.app.id.to_string()) {
            draft.note(note);
        }
        let wanted = Wanted {
            app: &self.app.id,
            spec: &self.spec,
            spec_hash: spec_hash(&self.spec, Some(self.app)),
            revision: next_revision(self.app, self.facts),
            source,
            readiness,
            at_once: batches.iter().map(Vec::len).max().unwrap_or(1),
            networks,
            volumes,
            replaces: None,
        };
        let (mut taken, mut gone) = (Taken::default(), Vec::new());
        let mut before =
            Before { verifies: swapped.iter().map(|(_, proven)| proven.verify).collect(), ..Before::default() };
        for batch in batches {
            let mine = || todo.iter().filter(|one| batch.iter().any(|instance| instance.name == one.instance.name));
            let names = mine().flat_map(|one| {
                one.successor.iter().map(|successor| &successor.new.name).chain([&one.instance.name]).cloned()
            });
            draft.plan.batches.push(names.collect());
            let number = draft.plan.batches.len();
            let mut now = Before::default();
            for one in mine() {
                let Todo { instance, need, changes, successor } = one;
                let at = Slot { instance: instance.name.clone(), batch: number };
                let cause = cause(instance, changes, wanted.revision);
                if let Some(successor) = successor {
                    let pair = (*instance, successor);
                    let (done, replaced) = wanted.surge(draft, &mut taken, number, pair, &before, &cause)?;
                    now.verifies.push(done.done);
                    gone.push(replaced);
                    swapped.push((Slot { instance: successor.new.name.clone(), batch: number }, done));
                    continue;
                }
                let done = match instance.sandbox.as_deref().filter(|_| *need == Need::Recreate) {
                    Some(sandbox) => wanted.recreate(draft, &at, instance, sandbox, &before, &cause)?,
                    None => wanted.swap(draft, &at, instance, &before, &cause)?,
                };
                now.prepared.extend(&done.prepared);
                now.verifies.push(done.verify);
                swapped.push((at, done));
            }
            before = now;
        }
        Ok(gone)
    }
}

/// Once every instance is verified and its old container parked, what was replaced goes.
fn remove_replaced(draft: &mut Draft<'_>, swapped: &[(Slot, Swapped)], all: &[StepId]) {
    for (at, swapped) in swapped {
        for target in &swapped.replaced {
            let task = Task::Remove { container: target.clone(), volumes: false };
            draft.main(at, task, all, "every instance is verified, so the old way back is no longer needed");
        }
    }
}

/// Why this instance is handled, as a sentence.
fn cause(instance: &Instance, changes: &[Change], wanted: u32) -> String {
    let name = instance.name.short();
    let runs = match &instance.app {
        None => format!("{name} has no app container"),
        Some(app) if !app.is_running() => format!("{name} does not run (revision {})", app.revision()),
        Some(app) if instance.hold() == Some(Hold::Orphaned) => {
            format!("{name} runs revision {} in a network namespace that is gone", app.revision())
        }
        Some(app) => match instance.others.iter().find(|other| other.is_alive()) {
            Some(rival) => format!("{name} runs revision {} and, started by somebody, {}", app.revision(), rival.name),
            None => format!("{name} runs revision {}", app.revision()),
        },
    };
    let mut what: Vec<String> = changes.iter().take(4).map(ToString::to_string).collect();
    if changes.len() > 4 {
        what.push(format!("and {} more", changes.len() - 4));
    }
    let what = if what.is_empty() { String::new() } else { format!(": {}", what.join("; ")) };
    format!("{runs}, revision {wanted} is wanted{what}")
}
