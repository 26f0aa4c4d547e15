//! One operation as the console shows it: what its events said so far, and where the person looks.

use crate::domain::event::{
    EventKind, Finished, GapMeasured, IdentityJudged, OpEvent, Planned, PlannedStep, StepResult, Urgency,
};
use crate::domain::ids::{InstanceName, OpId};
use crate::domain::plan::StepId;
use std::time::Duration;

/// An operation on screen.
#[derive(Clone, Debug)]
pub struct OpView {
    pub id: OpId,
    pub planned: Option<Planned>,
    pub steps: Vec<StepSeen>,
    pub judged: Vec<IdentityJudged>,
    pub gaps: Vec<GapMeasured>,
    /// Why it waits for a person, if it does.
    pub waiting: Option<String>,
    pub urgency: Option<Urgency>,
    pub finished: Option<Finished>,
    /// `elapsed_ms` of the last event, and the console's time when it came.
    heard: (u64, Duration),
    pub view: View,
    /// The row of the view that the cursor is on.
    pub selected: usize,
}

/// Rows per instance, or per step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum View {
    #[default]
    Instances,
    Steps,
}

/// A step and what happened to it. Times in milliseconds since the operation began.
#[derive(Clone, Debug, PartialEq)]
pub struct StepSeen {
    pub planned: PlannedStep,
    pub began: Option<u64>,
    pub ended: Option<u64>,
    pub waited_ms: u64,
    pub result: Option<StepResult>,
    pub error: Option<String>,
    pub detail: Option<String>,
    /// (done, total, note).
    pub progress: Option<(u64, u64, String)>,
}

impl OpView {
    pub fn new(id: OpId, now: Duration) -> Self {
        Self {
            id,
            planned: None,
            steps: Vec::new(),
            judged: Vec::new(),
            gaps: Vec::new(),
            waiting: None,
            urgency: None,
            finished: None,
            heard: (0, now),
            view: View::Instances,
            selected: 0,
        }
    }

    /// Takes in an event that came at the console's time `now`.
    pub fn apply(&mut self, event: OpEvent, now: Duration) {
        self.heard = (event.elapsed_ms, now);
        let at = event.elapsed_ms;
        match event.kind {
            EventKind::Planned(planned) => {
                self.steps = planned.steps.iter().map(StepSeen::new).collect();
                self.planned = Some(planned);
            }
            EventKind::StepStarted(started) => {
                if let Some(step) = self.step_mut(started.step) {
                    step.began = Some(at);
                    step.waited_ms = started.waited_ms;
                }
            }
            EventKind::StepProgress(progress) => {
                if let Some(step) = self.step_mut(progress.step) {
                    step.progress = Some((progress.done, progress.total, progress.note));
                }
            }
            EventKind::StepFinished(finished) => {
                if let Some(step) = self.step_mut(finished.step) {
                    if finished.result != StepResult::Skipped {
                        step.ended = Some(at);
                        step.began.get_or_insert(at.saturating_sub(finished.took_ms));
                    }
                    step.waited_ms = finished.waited_ms;
                    step.result = Some(finished.result);
                    step.error = finished.error;
                    step.detail = finished.detail;
                }
            }
            EventKind::IdentityJudged(judged) => self.judged.push(judged),
            EventKind::GapMeasured(gap) => self.gaps.push(gap),
            EventKind::GateReached { reason, .. } | EventKind::Paused { reason } => self.waiting = Some(reason),
            EventKind::Resumed { .. } => self.waiting = None,
            EventKind::CancelRequested { urgency } => {
                self.urgency = Some(urgency);
                self.waiting = None;
            }
            EventKind::Finished(finished) => {
                self.waiting = None;
                self.finished = Some(finished);
            }
            EventKind::Unknown => {}
        }
    }

    fn step_mut(&mut self, id: StepId) -> Option<&mut StepSeen> {
        self.steps.iter_mut().find(|step| step.planned.step == id)
    }

    pub fn is_running(&self) -> bool {
        self.finished.is_none()
    }

    /// It waits for a person to say go.
    pub fn waits(&self) -> bool {
        self.waiting.is_some()
    }

    /// Milliseconds since it began: measured while it runs, told by its last event after.
    pub fn elapsed(&self, now: Duration) -> u64 {
        match &self.finished {
            Some(finished) => finished.took_ms,
            None => self.heard.0 + crate::domain::duration::millis(now.saturating_sub(self.heard.1)),
        }
    }

    /// `deploy shop/web`.
    pub fn title(&self) -> String {
        self.planned.as_ref().map_or_else(|| self.id.to_string(), |planned| format!("{} {}", planned.kind, planned.app))
    }

    /// Instances, batch by batch; then those that only steps name.
    pub fn instances(&self) -> Vec<&InstanceName> {
        let mut names: Vec<&InstanceName> =
            self.planned.iter().flat_map(|planned| planned.batches.iter().flatten()).collect();
        for name in self.steps.iter().filter_map(|step| step.planned.instance.as_ref()) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// Steps of one instance, or those of none.
    pub fn steps_of<'a>(&'a self, instance: Option<&'a InstanceName>) -> impl Iterator<Item = &'a StepSeen> {
        self.steps.iter().filter(move |step| step.planned.instance.as_ref() == instance)
    }

    /// Whether any step belongs to no instance.
    pub fn has_shared(&self) -> bool {
        self.steps.iter().any(|step| step.planned.instance.is_none())
    }

    pub fn judgement(&self, instance: &InstanceName) -> Option<&IdentityJudged> {
        self.judged.iter().rev().find(|judged| judged.instance == *instance)
    }

    pub fn gap(&self, instance: &InstanceName) -> Option<&GapMeasured> {
        self.gaps.iter().rev().find(|gap| gap.instance == *instance)
    }

    /// Steps that count towards the end: done and all, without the undo lane unless it ran.
    pub fn done(&self) -> (usize, usize) {
        let counts = |step: &&StepSeen| step.planned.lane == crate::domain::plan::Lane::Main || step.began.is_some();
        let all = self.steps.iter().filter(counts);
        (all.clone().filter(|step| step.result.is_some()).count(), all.count())
    }

    /// The batch that is handled now, from 1, and their number.
    pub fn batch(&self) -> (usize, usize) {
        let all = self.planned.as_ref().map_or(0, |planned| planned.batches.len());
        let now = self.steps.iter().filter(|step| step.began.is_some()).filter_map(|step| step.planned.batch).max();
        (now.unwrap_or(0), all)
    }

    /// Rows by instance: `None` first for the steps of all, where there are such.
    pub fn lanes(&self) -> Vec<Option<&InstanceName>> {
        let shared = self.has_shared().then_some(None);
        shared.into_iter().chain(self.instances().into_iter().map(Some)).collect()
    }

    /// From the first begin to the last end of an instance's steps, waiting between batches left out.
    pub fn span_of(&self, instance: Option<&InstanceName>, elapsed: u64) -> Option<u64> {
        let begun: Vec<_> = self.steps_of(instance).filter(|step| step.began.is_some()).collect();
        let first = begun.iter().filter_map(|step| step.began).min()?;
        let last = begun.iter().map(|step| step.ended.unwrap_or(elapsed)).max()?;
        Some(last.saturating_sub(first))
    }

    /// Rows when shown by instance.
    pub fn rows_by_instance(&self) -> usize {
        self.instances().len() + usize::from(self.has_shared())
    }

    /// Rows of the view.
    pub fn rows(&self) -> usize {
        match self.view {
            View::Instances => self.rows_by_instance(),
            View::Steps => self.shown_steps().count(),
        }
    }

    /// Steps worth a row: all of the main lane, and what of the undo lane was needed.
    pub fn shown_steps(&self) -> impl Iterator<Item = &StepSeen> {
        self.steps.iter().filter(|step| step.planned.lane == crate::domain::plan::Lane::Main || step.began.is_some())
    }

    /// What it did, in lines for the normal screen after the console has gone.
    pub fn epitaph(&self) -> Vec<String> {
        let Some(finished) = &self.finished else {
            return vec![format!("{} ({}): interrupted", self.title(), self.id)];
        };
        let counts = finished.counts;
        let took = crate::domain::duration::human(finished.took_ms);
        let outcome = format!("{:?}", finished.outcome).to_lowercase();
        let head = format!(
            "{} ({}): {outcome} in {took}, {} of {} kept",
            self.title(),
            self.id,
            counts.kept,
            counts.instances
        );
        std::iter::once(head).chain(finished.error.clone()).collect()
    }

    /// The steps that took longest, longest first.
    pub fn slowest(&self, n: usize) -> Vec<&StepSeen> {
        let mut steps: Vec<_> = self.steps.iter().filter(|step| step.ended.is_some()).collect();
        steps.sort_by_key(|step| std::cmp::Reverse(step.took(0)));
        steps.truncate(n);
        steps
    }
}

impl StepSeen {
    fn new(planned: &PlannedStep) -> Self {
        Self {
            planned: planned.clone(),
            began: None,
            ended: None,
            waited_ms: 0,
            result: None,
            error: None,
            detail: None,
            progress: None,
        }
    }

    /// Milliseconds so far, at `elapsed`.
    pub fn took(&self, elapsed: u64) -> u64 {
        self.began.map_or(0, |began| self.ended.unwrap_or(elapsed).saturating_sub(began))
    }

    pub fn is_running(&self) -> bool {
        self.began.is_some() && self.ended.is_none() && self.result.is_none()
    }
}
