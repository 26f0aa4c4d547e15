//! A plan being written: steps are appended, so needs can only point backwards.
//!
//! Knows the shape of plans (lanes, the undo chain of an instance, deadlines by design) and nothing about what any
//! operation wants.

use super::super::facts::Facts;
use super::super::fleet::{Container, Instance, State};
use super::super::ids::{ImageRef, InstanceName, ObjectName};
use super::super::labels::Role;
use super::super::options::{DRAIN_TIMEOUT, OnDrainTimeout, OnFailure, Options};
use super::super::plan::{Kind, Lane, Plan, Refusal, RevisionRecord, Step, StepId, Target, Task};
use super::super::spec::Rollout;
use std::collections::BTreeMap;
use std::time::Duration;

/// What the engine waits between stop signal and kill when nobody says otherwise (Docker's default).
const STOP_GRACE: Duration = Duration::from_secs(10);
/// For the engine's own work around a stop, after the grace.
const STOP_SLACK: Duration = Duration::from_secs(15);
/// For the last probe's answer, after the time allowed for readiness.
const READY_SLACK: Duration = Duration::from_secs(5);

/// For asking what became of a hook whose answer was lost.
const HOOK_SLACK: Duration = Duration::from_secs(10);
/// For a balancer that is just being restarted, and for its last answers.
const BALANCER_SLACK: Duration = Duration::from_secs(30);

/// A plan under construction.
pub(super) struct Draft<'a> {
    pub facts: &'a Facts,
    pub options: &'a Options,
    pub plan: Plan,
    /// How long sessions may take to end, and what becomes of those that do not.
    pub drain: (Duration, OnDrainTimeout),
    /// The last undo step of each instance: the next one follows it.
    undo: BTreeMap<InstanceName, StepId>,
}

/// Whose step it is: the instance and its batch (from 1).
#[derive(Clone, Debug)]
pub(super) struct Slot {
    pub instance: InstanceName,
    pub batch: usize,
}

impl<'a> Draft<'a> {
    /// Whether that earlier revision is written down by a step already.
    pub fn records(&self, revision: u32) -> bool {
        let of = |record: &RevisionRecord| record.revision == revision;
        let same = |task: &Task| matches!(task, Task::Record { records, .. } if records.iter().any(of));
        self.plan.steps.iter().any(|step| same(&step.task))
    }

    /// An empty plan; `rollout` is the app's own wishes, for what the options leave open.
    pub fn new(kind: Kind, app: String, rollout: &Rollout, facts: &'a Facts, options: &'a Options) -> Self {
        let cores = facts.fleet.engine.cpus as usize;
        let on_failure = options.on_failure.or(rollout.on_failure).unwrap_or_default();
        let mut plan = Plan {
            options: options.clone(),
            gate: options.gate.or(rollout.gate).unwrap_or_default(),
            // A rollback is never rolled back: both versions would be out.
            on_failure: if kind == Kind::Rollback { OnFailure::Pause } else { on_failure },
            parallel: options.parallel.map_or((2 * cores).max(4), |n| (n as usize).max(1)),
            secrets: facts.environments(),
            ..Plan::empty(kind, app)
        };
        if kind == Kind::Rollback && options.on_failure == Some(OnFailure::Rollback) {
            plan.notes.push(
                "a rollback is not rolled back: when an instance fails, that one is put back and the rest waits".into(),
            );
        }
        let mut draft = Self { facts, options, plan, drain: Default::default(), undo: BTreeMap::new() };
        draft.drain_as(rollout);
        draft
    }

    /// From now on sessions get the time that this app wishes, unless the options say otherwise.
    pub fn drain_as(&mut self, rollout: &Rollout) {
        let own = rollout.drain_timeout_ms.map(Duration::from_millis);
        self.drain = (
            self.options.drain_timeout.or(own).unwrap_or(DRAIN_TIMEOUT),
            self.options.on_drain_timeout.or(rollout.on_drain_timeout).unwrap_or_default(),
        );
    }

    /// Adds a sentence the user should read, once.
    pub fn note(&mut self, sentence: impl Into<String>) {
        let sentence = sentence.into();
        if !self.plan.notes.contains(&sentence) {
            self.plan.notes.push(sentence);
        }
    }

    /// A step of no instance.
    pub fn shared(&mut self, task: Task, needs: &[StepId], cause: impl Into<String>) -> StepId {
        self.push(None, Lane::Main, task, needs.to_vec(), Vec::new(), cause.into())
    }

    /// A step forward.
    pub fn main(&mut self, at: &Slot, task: Task, needs: &[StepId], cause: impl Into<String>) -> StepId {
        self.push(Some(at), Lane::Main, task, needs.to_vec(), Vec::new(), cause.into())
    }

    /// A step back, after the instance's former ones. Nothing to take back, no step.
    pub fn undo(&mut self, at: &Slot, task: Task, undoes: &[StepId], cause: impl Into<String>) {
        if undoes.is_empty() {
            return;
        }
        let needs = self.undo.get(&at.instance).copied().into_iter().collect();
        let id = self.push(Some(at), Lane::Undo, task, needs, undoes.to_vec(), cause.into());
        self.undo.insert(at.instance.clone(), id);
    }

    /// The way back of one instance begins when that of another has ended.
    pub fn undo_follows(&mut self, later: &Slot, earlier: &Slot) {
        if let Some(last) = self.undo.get(&earlier.instance).copied() {
            self.undo.insert(later.instance.clone(), last);
        }
    }

    fn push(
        &mut self,
        at: Option<&Slot>,
        lane: Lane,
        task: Task,
        mut needs: Vec<StepId>,
        undoes: Vec<StepId>,
        cause: String,
    ) -> StepId {
        needs.sort_unstable();
        needs.dedup();
        let deadline = self.deadline(&task);
        self.plan.steps.push(Step {
            instance: at.map(|at| at.instance.clone()),
            batch: at.map(|at| at.batch),
            needs,
            lane,
            undoes,
            cause,
            deadline,
            task,
        });
        self.plan.steps.len() - 1
    }

    /// How long a step may take before it counts as failed; the defaults of the design.
    fn deadline(&self, task: &Task) -> Duration {
        match task {
            Task::Pull { .. } => self.options.pull_timeout,
            // The cut and the balancer's last answer come after the time for sessions to end.
            Task::Drain { places, timeout, .. } => {
                let settle = places.iter().map(|place| place.balancer.settle()).max().unwrap_or_default();
                (*timeout).max(settle) + BALANCER_SLACK
            }
            Task::Attach { timeout, .. } | Task::Join { timeout, .. } => *timeout + BALANCER_SLACK,
            Task::Hook { hook, .. } => hook.timeout() + HOOK_SLACK,
            Task::Stop { container, grace } => {
                grace.or_else(|| self.own_grace(container)).unwrap_or(STOP_GRACE) + STOP_SLACK
            }
            Task::Swap { container, grace, timeout, .. } => {
                grace.or_else(|| self.own_grace(container)).unwrap_or(STOP_GRACE) + STOP_SLACK + *timeout + READY_SLACK
            }
            Task::Ready { min_ready, timeout, .. } => *timeout + *min_ready + READY_SLACK,
            Task::Warm { timeout, .. } => *timeout + READY_SLACK,
            Task::Start { .. }
            | Task::StartHeld { .. }
            | Task::SandboxStart { .. }
            | Task::TakeOver { .. }
            | Task::Reserve { .. }
            | Task::Unpause { .. } => Duration::from_secs(120),
            Task::Network { .. }
            | Task::Volume { .. }
            | Task::SandboxCreate { .. }
            | Task::Create { .. }
            | Task::Remove { .. }
            | Task::Release { .. }
            | Task::RemoveNetwork { .. }
            | Task::RemoveVolume { .. } => Duration::from_secs(60),
            Task::Preflight { .. }
            | Task::Verify { .. }
            | Task::Record { .. }
            | Task::Park { .. }
            | Task::Unpark { .. }
            | Task::Rename { .. } => Duration::from_secs(30),
        }
    }

    /// The grace a container brings along: one that is there tells, one to be made has its spec.
    fn own_grace(&self, container: &Target) -> Option<Duration> {
        let ms = match container {
            Target::Known { id, .. } => all(self.facts).find(|seen| seen.id == *id)?.detail.as_ref()?.stop_grace_ms,
            Target::Made { step, .. } => match &self.plan.steps.get(*step)?.task {
                Task::Create { draft } => draft.spec.container.stop_grace_ms,
                _ => None,
            },
        };
        ms.map(Duration::from_millis)
    }

    /// The finished plan.
    pub fn finish(self) -> Plan {
        self.plan
    }
}

/// Every container of the fleet.
pub(super) fn all(facts: &Facts) -> impl Iterator<Item = &Container> {
    facts.fleet.apps.iter().flat_map(|app| &app.instances).flat_map(Instance::containers)
}

/// Starts a sandbox that is down, or lets it go on.
pub(super) fn bring_up(draft: &mut Draft<'_>, at: &Slot, sandbox: &Container, needs: &[StepId]) -> StepId {
    if sandbox.state == State::Paused {
        let task = Task::Unpause { container: known(sandbox) };
        return draft.main(at, task, needs, format!("somebody paused sandbox {}", sandbox.name));
    }
    let task = Task::SandboxStart { sandbox: known(sandbox) };
    draft.main(at, task, needs, format!("sandbox {} does not run", sandbox.name))
}

/// The addresses an instance had, by network: what its sandbox is pinned to, else what its app containers remember.
pub(super) fn former(instance: &Instance) -> BTreeMap<String, String> {
    let pinned = instance.sandbox.as_deref().and_then(|sandbox| sandbox.detail.as_ref()).map(|detail| &detail.pinned);
    let asked: BTreeMap<_, _> =
        pinned.into_iter().flatten().filter_map(|(network, pin)| Some((network.clone(), pin.ipv4.clone()?))).collect();
    if !asked.is_empty() || instance.sandbox.is_some() {
        return asked;
    }
    let remembered = instance.but_sandbox().filter_map(|app| app.detail.as_ref());
    remembered.map(|detail| detail.former.clone()).find(|former| !former.is_empty()).unwrap_or_default()
}

/// The same, where no reading of the running sandbox tells.
pub(super) fn former_if_down(instance: &Instance) -> BTreeMap<String, String> {
    match &instance.sandbox {
        Some(sandbox) if sandbox.is_running() => BTreeMap::new(),
        _ => former(instance),
    }
}

/// The instance's other app containers, which must not run while `serving` is proven.
pub(super) fn rivals(instance: &Instance, serving: Option<&Container>) -> Vec<Target> {
    let is_app = |one: &&Container| one.own.as_ref().is_none_or(|own| own.role == Role::App);
    let mut rivals: Vec<_> = instance.but_sandbox().filter(is_app).collect();
    rivals.retain(|one| serving.is_none_or(|serving| serving.id != one.id));
    rivals.into_iter().map(known).collect()
}

/// A free name for a container that is put aside while another takes its place.
pub(super) fn aside(draft: &Draft<'_>, old: &Container) -> String {
    let taken = |name: &str| all(draft.facts).any(|seen| &*seen.name == name);
    let first = format!("{}.old", old.name);
    let later = (2..).map(|n| format!("{first}{n}"));
    std::iter::once(first.clone()).chain(later).find(|name| !taken(name)).unwrap_or(first)
}

/// The container as a step's target.
pub(super) fn known(container: &Container) -> Target {
    Target::Known { id: container.id.clone(), name: container.name.to_string() }
}

/// A stop with the grace asked for, else the container's own.
pub(super) fn stop(container: Target, options: &Options) -> Task {
    Task::Stop { container, grace: options.stop_grace }
}

/// A validated image reference, or a refusal that names it.
pub(super) fn image_ref(text: &str) -> Result<ImageRef, Refusal> {
    ImageRef::new(text).map_err(|bad| Refusal::Usage(bad.to_string()))
}

/// A validated object name, or a refusal that names it.
pub(super) fn object_name(text: &str) -> Result<ObjectName, Refusal> {
    ObjectName::new(text).map_err(|bad| Refusal::Usage(bad.to_string()))
}
