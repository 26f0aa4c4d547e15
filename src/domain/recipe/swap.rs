//! The in-place swap of one instance: a new app container takes the old one's place in the same sandbox.
//!
//! Deploy, rollback and create share it. Everything that can fail is before the stop, and each step has its way back
//! in the undo lane. Replacing the sandbox as well is `recreate`'s business.

use super::super::facts::Facts;
use super::super::fleet::{Container, Instance, MountSeen};
use super::super::hook::Moment;
use super::super::ids::{AppId, ContainerId};
use super::super::options::PullPolicy;
use super::super::plan::{AppDraft, Refusal, RevisionRecord, SandboxDraft, StepId, Target, Task};
use super::super::spec::{AppSpec, MountKind};
use super::super::warm::HoldAt;
use super::draft::{Draft, Slot, all, bring_up, former, former_if_down, image_ref, known, rivals, stop};
use super::hooks;
use super::ports;
use super::settle::{Readiness, as_before, spec_of, watch};
use super::traffic;
use super::warm;
use std::collections::{BTreeMap, BTreeSet};

/// Where a new container's image comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// What that pull step resolves.
    Pulled(StepId),
    /// Exactly this image, which the engine has.
    Id(String),
}

impl Source {
    /// A pull of the spec's image.
    pub fn pull(draft: &mut Draft<'_>, image: &str, policy: PullPolicy, cause: String) -> Result<Self, Refusal> {
        let task = Task::Pull { image: image_ref(image)?, policy };
        Ok(Self::Pulled(draft.shared(task, &[], cause)))
    }
}

/// What an instance shall run.
#[derive(Clone)]
pub(super) struct Wanted<'a> {
    pub app: &'a AppId,
    pub spec: &'a AppSpec,
    pub spec_hash: String,
    pub revision: u32,
    pub source: Source,
    pub readiness: Readiness,
    /// Instances handled together: so many new containers run beside old ones at a time.
    pub at_once: usize,
    /// Networks to be made first.
    pub networks: Vec<StepId>,
    /// Volumes to be made first.
    pub volumes: Vec<StepId>,
    /// A container of the instance whose place what is made takes.
    pub replaces: Option<ContainerId>,
}

/// The batch before: what the next one waits for.
#[derive(Clone, Debug, Default)]
pub(super) struct Before {
    /// Once these are done its swaps begin, and the next batch prepares itself meanwhile.
    pub prepared: Vec<StepId>,
    /// Once these are done the next batch's swaps may begin.
    pub verifies: Vec<StepId>,
}

/// What an instance needs to serve as before.
pub(super) struct WayBack<'i> {
    pub sandbox: Target,
    /// What was stopped, and by which steps.
    pub stopped: Vec<(&'i Container, StepId)>,
    pub park: Option<StepId>,
    pub hooks: hooks::Before,
}

/// The steps others wait for.
pub(super) struct Swapped {
    /// What the swap waited for.
    pub prepared: Vec<StepId>,
    pub sandbox: Target,
    pub start: StepId,
    pub ready: StepId,
    pub verify: StepId,
    /// The last step of the instance: what it replaced can go once every instance is here.
    pub done: StepId,
    /// What it replaced.
    pub replaced: Vec<Target>,
}

impl Wanted<'_> {
    /// Writes the steps of one instance, without the removal of what it replaces.
    pub fn swap(
        &self,
        draft: &mut Draft<'_>,
        at: &Slot,
        instance: &Instance,
        before: &Before,
        cause: &str,
    ) -> Result<Swapped, Refusal> {
        let old = instance.app.as_deref();
        let hold = warm::choose(draft, instance, self.spec, &self.readiness, self.at_once)?;
        let (sandbox, up) = self.sandbox(draft, at, instance, before)?;
        let create = self.create(draft, at, instance, (sandbox.clone(), hold), &[], cause)?;
        let container = Target::Made { step: create, name: self.container_name(instance) };

        let mut needs = before.prepared.clone();
        needs.extend(up);
        if let Source::Pulled(step) = self.source {
            needs.push(step);
        }
        let preflight = self.preflight(draft, at, instance, &sandbox, &needs);
        // Once is enough: revisions are the app's, and a rollback reads every sandbox. Nobody waits for it but the end:
        // until then the old container itself is the way back.
        let new = old.filter(|old| old.revision() != self.revision && !draft.records(old.revision()));
        let record = new.and_then(|old| record(draft, at, old, &sandbox, &[preflight]));
        let mut prepared = before.verifies.clone();
        prepared.extend([create, preflight]);
        let held = hold.map(|hold| (&container, &sandbox, hold));
        let warm = held.map(|held| warm::warm_up(draft, at, held, &[create, preflight]));
        prepared.extend(warm.map(|(_, warm)| warm));
        let mut hooks = hooks::Before::new(old);
        let told = hooks.write(draft, at, Moment::PreDrain, prepared.clone());
        let places = traffic::places(draft, instance);
        let drain = places.drain(draft, at, Some(&sandbox), &told);
        let out = hooks.write(draft, at, Moment::PreStop, drain.map_or(told, |drain| vec![drain]));
        let (stopped, start, begun) = if let (Some((held, old)), Some((begun, _))) = (held.zip(old), warm) {
            let watch = watch(&self.readiness.probe, Some(self.spec), Some(old));
            let task = warm::swap(draft, old, held, watch, &self.readiness);
            let cause = format!("revision {} goes, and revision {} takes over", old.revision(), self.revision);
            let swap = draft.main(at, task, &out, cause);
            (vec![(old, swap)], swap, begun)
        } else {
            let stopped = self.stop_running(draft, at, instance, &out);
            let mut needs: Vec<_> = stopped.iter().map(|(_, step)| *step).collect();
            if needs.is_empty() {
                needs = out;
            }
            let start = self.start(draft, at, &container, &needs);
            (stopped, start, start)
        };
        let (ready, verify) = self.prove(draft, at, &container, &sandbox, rivals(instance, None), start);
        let attached = places.attach(draft, at, Some(&sandbox), &[verify]);
        let verify = attached.unwrap_or(verify);
        let parked: Vec<_> = std::iter::once(verify).chain(record).collect();
        let park = old.map(|old| park(draft, at, old, &parked));

        let cause = format!("revision {} did not work out", self.revision);
        places.undo_attachment(draft, at, &sandbox, attached);
        draft.undo(at, stop(container.clone(), draft.options), &[begun], &*cause);
        let way_back = WayBack { sandbox: sandbox.clone(), stopped, park, hooks };
        self.serve_again(draft, at, instance, &way_back);
        places.undo(draft, at, Some(&sandbox), old, drain);
        draft.undo(at, Task::Remove { container, volumes: false }, &[create], cause);
        let replaced = instance.but_sandbox().map(known).collect();
        Ok(Swapped { prepared, sandbox, start, ready, verify, done: park.unwrap_or(verify), replaced })
    }

    /// The sandbox as it is, started again, or made anew; and the step that brings it up.
    fn sandbox(
        &self,
        draft: &mut Draft<'_>,
        at: &Slot,
        instance: &Instance,
        before: &Before,
    ) -> Result<(Target, Option<StepId>), Refusal> {
        if let Some(there) = &instance.sandbox {
            let up = (!there.is_running()).then(|| bring_up(draft, at, there, &before.prepared));
            return Ok((known(there), up));
        }
        let addresses = former(instance);
        let list: Vec<_> = addresses.values().map(String::as_str).collect();
        let promise = if list.is_empty() {
            "its former address is not known".to_owned()
        } else {
            format!("at its former address {}, where that is free", list.join(", "))
        };
        draft.note(format!("{}: its sandbox is gone; a new one is made, {promise}", at.instance));
        let cause = format!("the sandbox of {} is gone", at.instance);
        let made = self.sandbox_create(draft, at, instance.number, addresses, &[], &cause)?;
        let target = Target::Made { step: made, name: self.app.sandbox_name(instance.number) };
        let up = sandbox_start(draft, at, &target, made);
        Ok((target, Some(up)))
    }

    /// Creates a sandbox with this instance's own ports, after the networks it needs.
    pub fn sandbox_create(
        &self,
        draft: &mut Draft<'_>,
        at: &Slot,
        number: u32,
        addresses: BTreeMap<String, String>,
        needs: &[StepId],
        cause: &str,
    ) -> Result<StepId, Refusal> {
        let spec = ports::of_instance(self.app, &self.spec.sandbox, number)?;
        let sandbox = SandboxDraft {
            app: self.app.clone(),
            number,
            spec,
            spec_hash: self.spec_hash.clone(),
            addresses,
            adoption: None,
            unpinned: BTreeSet::new(),
            replaces: self.replaces.clone(),
        };
        let needs: Vec<_> = needs.iter().chain(&self.networks).copied().collect();
        Ok(draft.main(at, Task::SandboxCreate { draft: Box::new(sandbox) }, &needs, cause))
    }

    /// The app container's name in the engine.
    pub fn container_name(&self, instance: &Instance) -> String {
        self.app.container_name(instance.number, self.revision)
    }

    /// Creates the app container in `sandbox`, after image and volumes; it is not started.
    pub fn create(
        &self,
        draft: &mut Draft<'_>,
        at: &Slot,
        instance: &Instance,
        (sandbox, hold): (Target, Option<HoldAt>),
        needs: &[StepId],
        cause: &str,
    ) -> Result<StepId, Refusal> {
        let name = self.container_name(instance);
        // One that this plan gives another name first is not in the way.
        let renamed = |task: &Task| matches!(task, Task::Rename { container, .. } if container.name() == name);
        if let Err(taken) = free_name(draft.facts, &name)
            && !draft.plan.steps.iter().any(|step| renamed(&step.task))
        {
            return Err(taken);
        }
        let image = match &self.source {
            Source::Pulled(step) => Some(*step),
            Source::Id(_) => None,
        };
        let image_id = match &self.source {
            Source::Id(id) => Some(id.clone()),
            Source::Pulled(_) => None,
        };
        let made = match &sandbox {
            Target::Made { step, .. } => Some(*step),
            Target::Known { .. } => None,
        };
        let needs: Vec<_> = needs.iter().chain(&self.volumes).chain(&image).chain(&made).copied().collect();
        let app = AppDraft {
            app: self.app.clone(),
            number: instance.number,
            revision: self.revision,
            spec: self.spec.clone(),
            spec_hash: self.spec_hash.clone(),
            image,
            image_id,
            sandbox,
            carry: instance.app.as_deref().map(|old| carried(old, self.spec)).unwrap_or_default(),
            replaces: self.replaces.clone(),
            hold,
        };
        Ok(draft.main(at, Task::Create { draft: Box::new(app) }, &needs, cause))
    }

    /// Reads the identity and begins to watch the gap.
    pub fn preflight(
        &self,
        draft: &mut Draft<'_>,
        at: &Slot,
        instance: &Instance,
        sandbox: &Target,
        needs: &[StepId],
    ) -> StepId {
        let old = instance.app.as_deref();
        let task = Task::Preflight {
            container: old.map(known),
            sandbox: Some(sandbox.clone()),
            watch: watch(&self.readiness.probe, Some(self.spec), old),
            addresses: former_if_down(instance),
        };
        draft.main(at, task, needs, "before anything is touched: all is as planned, and the identity is read")
    }

    /// Stops what runs in the instance: the old container, and leftovers that somebody started.
    pub fn stop_running<'i>(
        &self,
        draft: &mut Draft<'_>,
        at: &Slot,
        instance: &'i Instance,
        needs: &[StepId],
    ) -> Vec<(&'i Container, StepId)> {
        let running = instance.but_sandbox().filter(|container| container.is_alive());
        running
            .map(|old| {
                let cause = format!("revision {} makes room for revision {}", old.revision(), self.revision);
                (old, draft.main(at, stop(known(old), draft.options), needs, cause))
            })
            .collect()
    }

    /// Starts the new container.
    pub fn start(&self, draft: &mut Draft<'_>, at: &Slot, container: &Target, needs: &[StepId]) -> StepId {
        let mut needs = needs.to_vec();
        if let Target::Made { step, .. } = container {
            needs.push(*step);
        }
        let task = Task::Start { container: container.clone(), restart: None };
        draft.main(at, task, &needs, format!("revision {} begins to serve", self.revision))
    }

    /// Ready, then verified.
    pub fn prove(
        &self,
        draft: &mut Draft<'_>,
        at: &Slot,
        container: &Target,
        sandbox: &Target,
        rivals: Vec<Target>,
        start: StepId,
    ) -> (StepId, StepId) {
        let ready = self.readiness.task(container.clone(), Some(sandbox.clone()), draft.options);
        let ready = draft.main(at, ready, &[start], self.readiness.cause());
        let ready = hooks::post_ready(draft, at, &self.spec.rollout.hooks, container, ready);
        let verify = Task::Verify { container: container.clone(), sandbox: Some(sandbox.clone()), rivals };
        (ready, draft.main(at, verify, &[ready], "the identity is read again and compared"))
    }

    /// Undo: what was stopped runs again, with its own restart policy; what served is proven.
    pub fn serve_again(&self, draft: &mut Draft<'_>, at: &Slot, instance: &Instance, way_back: &WayBack<'_>) {
        let WayBack { sandbox, stopped, park, hooks } = way_back;
        for (old, stop) in stopped {
            let served = instance.app.as_deref().is_some_and(|app| app.id == old.id);
            let undoes: Vec<_> = [*stop].into_iter().chain(park.filter(|_| served)).collect();
            let restart = old.detail.as_ref().map(|detail| detail.restart.clone());
            let cause = format!("revision {} serves again", old.revision());
            draft.undo(at, Task::Start { container: known(old), restart }, &undoes, &*cause);
            if served {
                let before = as_before(draft.options, old);
                let ready = before.as_ref().unwrap_or(&self.readiness);
                let ready = ready.task(known(old), Some(sandbox.clone()), draft.options);
                draft.undo(at, ready, &[*stop], cause);
                hooks.undo(draft, at, Some(*stop));
                let rivals = rivals(instance, Some(old));
                let verify = Task::Verify { container: known(old), sandbox: Some(sandbox.clone()), rivals };
                draft.undo(at, verify, &[*stop], "the identity is read again and compared");
            }
        }
        // One that did not run was parked all the same, and gets its policy back without being started.
        let asleep = instance.app.as_deref().filter(|app| stopped.iter().all(|(old, _)| old.id != app.id));
        if let (Some(old), Some(park)) = (asleep, park) {
            let restart = old.detail.as_ref().map(|detail| detail.restart.clone()).unwrap_or_default();
            let cause = format!("revision {} is no longer put aside", old.revision());
            draft.undo(at, Task::Unpark { container: known(old), restart }, &[*park], cause);
        }
    }
}

/// Starts the sandbox that was made.
pub(super) fn sandbox_start(draft: &mut Draft<'_>, at: &Slot, sandbox: &Target, made: StepId) -> StepId {
    let cause = format!("{} gets its address and ports before its app begins", at.instance);
    draft.main(at, Task::SandboxStart { sandbox: sandbox.clone() }, &[made], cause)
}

/// Writes the old revision down, for a later rollback; one whose spec can't be read can't be gone back to.
pub(super) fn record(
    draft: &mut Draft<'_>,
    at: &Slot,
    old: &Container,
    sandbox: &Target,
    needs: &[StepId],
) -> Option<StepId> {
    let task = Task::Record { sandbox: sandbox.clone(), records: vec![as_record(draft.facts, old)?] };
    Some(draft.main(at, task, needs, format!("revision {} is written down for a rollback", old.revision())))
}

/// Writes down all that is known of earlier revisions in a new sandbox, for the old ones go with what stands in them.
pub(super) fn move_records(
    draft: &mut Draft<'_>,
    at: &Slot,
    app: &AppId,
    old: Option<&Container>,
    sandbox: &Target,
    needs: &[StepId],
) -> Option<StepId> {
    let mut records = draft.facts.revisions.get(app).cloned().unwrap_or_default();
    let old = old.and_then(|old| as_record(draft.facts, old));
    records.extend(old.filter(|old| records.iter().all(|record| record.revision != old.revision)));
    if records.is_empty() {
        return None;
    }
    let task = Task::Record { sandbox: sandbox.clone(), records };
    Some(draft.main(at, task, needs, "earlier revisions are written down for a rollback"))
}

/// What a container runs, for a later rollback.
pub(super) fn as_record(facts: &Facts, old: &Container) -> Option<RevisionRecord> {
    let image = facts.images.get(&*old.image_id);
    Some(RevisionRecord {
        revision: old.revision(),
        image_id: old.image_id.to_string(),
        digests: image.map(|image| image.digests.clone()).unwrap_or_default(),
        spec: spec_of(old)?,
    })
}

/// Keeps the old container as the way back.
pub(super) fn park(draft: &mut Draft<'_>, at: &Slot, old: &Container, needs: &[StepId]) -> StepId {
    let cause = format!("revision {} is the way back until all is done", old.revision());
    draft.main(at, Task::Park { container: known(old) }, needs, cause)
}

/// The old container's anonymous volumes, the image's and the spec's alike: they are carried over by name, but where the
/// new spec puts something that has a name.
pub(super) fn carried(old: &Container, spec: &AppSpec) -> Vec<MountSeen> {
    let anonymous = |mount: &&MountSeen| {
        mount.kind == MountKind::Volume
            && mount.source.len() == 64
            && mount.source.bytes().all(|b| b.is_ascii_hexdigit())
            && !spec.container.mounts.iter().any(|new| new.target == mount.target && !new.source.is_empty())
    };
    old.mounts.iter().filter(anonymous).cloned().collect()
}

/// Refuses a name that another container has; container names are the engine's only lock.
pub(super) fn free_name(facts: &Facts, name: &str) -> Result<(), Refusal> {
    match all(facts).find(|seen| &*seen.name == name) {
        None => Ok(()),
        Some(seen) => Err(Refusal::Refused(format!(
            "the name {name} is taken by container {} (image {}, {}); remove or rename it: docker rename {name} OTHER",
            seen.id.short(),
            seen.image,
            seen.status
        ))),
    }
}
