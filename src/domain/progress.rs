//! Where an operation is: the one fold over its events.
//!
//! The console, the plain output, the record's replay and the run itself all read this; nobody else counts, adds up
//! or judges. Events it does not know and steps the plan does not have change nothing. What it holds came through
//! `planned`, so a stream without that event shows only how it ended.

mod report;
mod serving;
#[cfg(test)]
mod tests;

use super::event::{
    Counts, EventKind, Finished, IdentityJudged, OpEvent, Planned, PlannedStep, StepFinished, StepResult, StepStarted,
    Urgency,
};
use super::identity::{Identity, Verdict};
use super::ids::{InstanceName, OpId};
use super::plan::{Action, Lane, StepId};
use jiff::Timestamp;
pub use serving::Serving;
use std::collections::BTreeMap;

/// An operation as far as its events tell.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    pub op: Option<OpId>,
    /// The wall clock at its first event.
    pub began: Option<Timestamp>,
    /// At its last event.
    pub elapsed_ms: u64,
    /// Kind, app, images, batches and notes; the steps are in `steps`.
    pub planned: Option<Planned>,
    pub steps: Vec<StepProgressed>,
    /// In the order of the batches.
    pub instances: Vec<InstanceProgress>,
    /// It waits for a person at a gate: the batch done, and why.
    pub gate: Option<(usize, String)>,
    /// It was paused, and why.
    pub paused: Option<String>,
    /// The engine is gone: since when (of `elapsed_ms`), and for how long it is waited for.
    pub engine_lost: Option<(u64, u64)>,
    /// The user wants out.
    pub cancelled: Option<Urgency>,
    /// What was worth knowing on the way.
    pub notes: Vec<String>,
    pub finished: Option<Finished>,
}

/// Where a step is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Status {
    #[default]
    Waiting,
    Running,
    Ended(StepResult),
}

/// One step.
#[derive(Clone, Debug, PartialEq)]
pub struct StepProgressed {
    pub plan: PlannedStep,
    pub status: Status,
    /// Since the operation began.
    pub started_ms: Option<u64>,
    pub took_ms: Option<u64>,
    /// From ready to started.
    pub waited_ms: u64,
    /// From 1; 0 before it starts.
    pub attempt: u32,
    /// Done, of how much (0: not known), and what.
    pub progress: Option<(u64, u64, String)>,
    pub error: Option<String>,
    pub detail: Option<String>,
    /// Requests that failed while its instance was out, where the balancers count them.
    pub failed_requests: Option<u64>,
}

/// One instance.
#[derive(Clone, Debug, PartialEq)]
pub struct InstanceProgress {
    pub name: InstanceName,
    /// From 1.
    pub batch: usize,
    pub steps: Vec<StepId>,
    pub before: Option<Identity>,
    pub after: Option<Identity>,
    pub verdict: Option<Verdict>,
    pub reasons: Vec<String>,
    /// Milliseconds without a good answer, and the probe that was watched.
    pub gap: Option<(f64, String)>,
    /// The new one that takes its place: it goes, so it has no verdict.
    pub successor: Option<InstanceName>,
}

/// What an instance is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Waiting,
    Doing(Action),
    /// Begun; its next step waits for others.
    Between(Action),
    Done,
    /// The old one is being brought back.
    PuttingBack(Action),
    PutBack,
    Failed(Action),
    /// It was never begun and will not be.
    Left,
}

impl Progress {
    /// Takes in one event.
    pub fn apply(&mut self, event: &OpEvent) {
        if matches!(event.kind, EventKind::Unknown) {
            return;
        }
        self.op.get_or_insert_with(|| event.op.clone());
        self.began.get_or_insert(event.at);
        self.elapsed_ms = self.elapsed_ms.max(event.elapsed_ms);
        match &event.kind {
            EventKind::Planned(planned) => self.plan(planned),
            EventKind::StepStarted(started) => self.start(started, event.elapsed_ms),
            EventKind::StepProgress(progress) => {
                if let Some(step) = self.steps.get_mut(progress.step) {
                    step.progress = Some((progress.done, progress.total, progress.note.clone()));
                }
            }
            EventKind::StepFinished(finished) => self.end(finished, event.elapsed_ms),
            EventKind::IdentityJudged(judged) => self.judge(judged),
            EventKind::GapMeasured(gap) => {
                if let Some(instance) = self.instance_mut(&gap.instance) {
                    instance.gap = Some((gap.gap_ms, gap.probe.clone()));
                }
            }
            EventKind::GateReached { batch, reason } => self.gate = Some((*batch, reason.clone())),
            EventKind::Paused { reason } => self.paused = Some(reason.clone()),
            EventKind::Resumed { .. } => (self.paused, self.gate) = (None, None),
            EventKind::CancelRequested { urgency, .. } => {
                (self.paused, self.gate) = (None, None);
                self.cancelled = self.cancelled.max(Some(*urgency));
            }
            EventKind::EngineLost { grace_ms } => self.engine_lost = Some((event.elapsed_ms, *grace_ms)),
            EventKind::EngineBack { .. } => self.engine_lost = None,
            EventKind::Finished(finished) => {
                (self.paused, self.gate) = (None, None);
                self.finished = Some(finished.clone());
            }
            EventKind::Noted { message } => self.notes.push(message.clone()),
            EventKind::Unknown => {}
        }
    }

    /// The fold of a whole stream.
    pub fn of<'a>(events: impl IntoIterator<Item = &'a OpEvent>) -> Self {
        let mut progress = Self::default();
        events.into_iter().for_each(|event| progress.apply(event));
        progress
    }

    fn plan(&mut self, planned: &Planned) {
        let mut planned = planned.clone();
        let steps = std::mem::take(&mut planned.steps);
        let mut own: BTreeMap<InstanceName, Vec<StepId>> = BTreeMap::new();
        for (id, step) in steps.iter().enumerate() {
            if let Some(name) = &step.instance {
                own.entry(name.clone()).or_default().push(id);
            }
        }
        self.instances = (1..)
            .zip(&planned.batches)
            .flat_map(|(batch, names)| names.iter().map(move |name| (batch, name)))
            .map(|(batch, name)| InstanceProgress {
                name: name.clone(),
                batch,
                steps: own.remove(name).unwrap_or_default(),
                before: None,
                after: None,
                verdict: None,
                reasons: Vec::new(),
                gap: None,
                successor: planned.replaces.iter().find(|(_, old)| *old == name).map(|(new, _)| new.clone()),
            })
            .collect();
        self.steps = steps.into_iter().map(StepProgressed::new).collect();
        self.planned = Some(planned);
    }

    fn start(&mut self, started: &StepStarted, elapsed_ms: u64) {
        if let Some(step) = self.steps.get_mut(started.step) {
            step.status = Status::Running;
            step.started_ms = Some(elapsed_ms);
            step.waited_ms = started.waited_ms;
            step.attempt = started.attempt;
        }
    }

    fn end(&mut self, finished: &StepFinished, elapsed_ms: u64) {
        let Some(step) = self.steps.get_mut(finished.step) else { return };
        step.status = Status::Ended(finished.result);
        step.waited_ms = finished.waited_ms;
        step.error.clone_from(&finished.error);
        step.detail.clone_from(&finished.detail);
        step.failed_requests = finished.failed_requests;
        let ran = step.started_ms.is_some() || matches!(finished.result, StepResult::Ok | StepResult::Failed);
        if ran {
            step.took_ms = Some(finished.took_ms);
            step.started_ms.get_or_insert(elapsed_ms.saturating_sub(finished.took_ms));
        }
    }

    fn judge(&mut self, judged: &IdentityJudged) {
        if let Some(instance) = self.instance_mut(&judged.instance) {
            instance.verdict = Some(judged.verdict);
            instance.before.clone_from(&judged.before);
            instance.after.clone_from(&judged.after);
            instance.reasons.clone_from(&judged.reasons);
        }
    }

    fn instance_mut(&mut self, name: &InstanceName) -> Option<&mut InstanceProgress> {
        self.instances.iter_mut().find(|instance| instance.name == *name)
    }

    /// The instance of that name.
    pub fn instance(&self, name: &InstanceName) -> Option<&InstanceProgress> {
        self.instances.iter().find(|instance| instance.name == *name)
    }

    fn steps_of<'a>(&'a self, instance: &'a InstanceProgress, lane: Lane) -> impl Iterator<Item = &'a StepProgressed> {
        instance.steps.iter().filter_map(|id| self.steps.get(*id)).filter(move |step| step.plan.lane == lane)
    }

    /// Nothing more will happen.
    pub fn is_over(&self) -> bool {
        self.finished.is_some()
    }

    /// What the instance is doing now.
    pub fn phase(&self, instance: &InstanceProgress) -> Phase {
        let running = |lane| self.steps_of(instance, lane).filter(|step| step.status == Status::Running).last();
        if let Some(step) = running(Lane::Undo) {
            return Phase::PuttingBack(step.plan.action);
        }
        let undone = self.steps_of(instance, Lane::Undo).filter(|step| step.started_ms.is_some()).last();
        let undo_waits = self.steps_of(instance, Lane::Undo).any(|step| step.status == Status::Waiting);
        let failed = |lane| self.steps_of(instance, lane).find(|step| step.failed());
        match (undone, undo_waits) {
            (Some(step), true) => return Phase::PuttingBack(step.plan.action),
            (Some(_), false) => {
                return failed(Lane::Undo).map_or(Phase::PutBack, |step| Phase::Failed(step.plan.action));
            }
            (None, _) => {}
        }
        if let Some(step) = running(Lane::Main) {
            return Phase::Doing(step.plan.action);
        }
        if let Some(step) = failed(Lane::Main) {
            return Phase::Failed(step.plan.action);
        }
        if self.is_complete(instance) {
            return Phase::Done;
        }
        let last = self.steps_of(instance, Lane::Main).filter(|step| step.started_ms.is_some()).last();
        match last {
            Some(step) if !self.is_over() => Phase::Between(step.plan.action),
            Some(step) => Phase::Failed(step.plan.action),
            None if self.is_over() => Phase::Left,
            None => Phase::Waiting,
        }
    }

    /// Done for good: its last verify is ok, or, where nothing is verified, every main step is; and nothing was taken back.
    pub fn is_complete(&self, instance: &InstanceProgress) -> bool {
        if self.steps_of(instance, Lane::Undo).any(|step| step.started_ms.is_some()) {
            return false;
        }
        let ok = |step: &StepProgressed| step.status == Status::Ended(StepResult::Ok);
        match self.steps_of(instance, Lane::Main).filter(|step| step.plan.action == Action::Verify).last() {
            Some(verify) => ok(verify),
            None => !instance.steps.is_empty() && self.steps_of(instance, Lane::Main).all(ok),
        }
    }

    /// Instances of which something that serves was touched and that are neither done nor put back.
    pub fn in_flight(&self) -> impl Iterator<Item = &InstanceProgress> {
        let over = self.is_over();
        self.instances.iter().filter(move |instance| {
            !over
                && self.steps_of(instance, Lane::Main).any(|step| step.started_ms.is_some() && step.begins())
                && match self.phase(instance) {
                    Phase::Doing(_) | Phase::Between(_) => !self.is_complete(instance),
                    Phase::PuttingBack(_) => true,
                    _ => false,
                }
        })
    }

    /// Instances but those that make room for a new one.
    pub fn stay(&self) -> impl Iterator<Item = &InstanceProgress> {
        self.instances.iter().filter(|instance| instance.successor.is_none())
    }

    /// It takes the place of another one, at an address of its own.
    pub fn is_new(&self, instance: &InstanceProgress) -> bool {
        self.instances.iter().any(|old| old.successor.as_ref() == Some(&instance.name))
    }

    /// Instances by verdict and failure, as `finished` tells them.
    pub fn counts(&self) -> Counts {
        let mut counts =
            Counts { instances: u32::try_from(self.stay().count()).unwrap_or(u32::MAX), ..Counts::default() };
        for instance in &self.instances {
            match instance.verdict {
                Some(Verdict::Kept) => counts.kept += 1,
                Some(Verdict::Changed) => counts.changed += 1,
                Some(Verdict::Lost | Verdict::Orphaned) => counts.lost += 1,
                Some(Verdict::Unprotected) => counts.unprotected += 1,
                None => {}
            }
            if instance.steps.iter().filter_map(|id| self.steps.get(*id)).any(StepProgressed::failed) {
                counts.failed += 1;
            }
        }
        counts
    }
}

impl StepProgressed {
    fn new(plan: PlannedStep) -> Self {
        Self {
            plan,
            status: Status::Waiting,
            started_ms: None,
            took_ms: None,
            waited_ms: 0,
            attempt: 0,
            progress: None,
            error: None,
            detail: None,
            failed_requests: None,
        }
    }

    /// It ran and failed.
    pub fn failed(&self) -> bool {
        self.status == Status::Ended(StepResult::Failed)
    }

    /// When it ended, since the operation began.
    pub fn ended_ms(&self) -> Option<u64> {
        Some(self.started_ms?.saturating_add(self.took_ms?))
    }

    /// It touches what serves; the others only prepare or tidy.
    fn begins(&self) -> bool {
        !matches!(self.plan.action, Action::Create | Action::Verify | Action::Pull | Action::Park)
    }
}

impl InstanceProgress {
    /// Its first IPv4 address before the operation.
    pub fn address_before(&self) -> Option<&str> {
        address(self.before.as_ref())
    }

    /// Its first IPv4 address after the operation.
    pub fn address_after(&self) -> Option<&str> {
        address(self.after.as_ref())
    }
}

fn address(identity: Option<&Identity>) -> Option<&str> {
    identity?.networks.values().find_map(|address| address.ipv4.as_deref())
}
