//! One operation as the console shows it: what its events said, when the last one came, and where the person looks.
//!
//! Counts and judges nothing: that is [`Progress`]'s. Adds only the time that has passed since the last event.

use super::engine::EngineId;
use super::words::{self, Word};
use crate::domain::duration::{human, millis};
use crate::domain::event::{OpEvent, Outcome};
use crate::domain::identity::Verdict;
use crate::domain::ids::OpId;
use crate::domain::plan::Lane;
use crate::domain::progress::{InstanceProgress, Phase, Progress, Status, StepProgressed};
use std::time::Duration;

/// An operation on screen.
#[derive(Clone, Debug)]
pub struct OpView {
    pub id: OpId,
    /// Where it was begun from here; `None` for one that is only read of.
    pub engine: Option<EngineId>,
    /// ` on ops1`, where another engine could be meant.
    pub on: String,
    pub progress: Progress,
    /// The console's time when its last event came.
    heard: Duration,
    pub view: View,
    /// The row of the view that the cursor is on.
    pub selected: usize,
    /// The person has moved the cursor.
    pub moved: bool,
    /// Its end was seen by a person.
    pub seen: bool,
    /// The moment of its own time that is shown, when it is played from a record.
    pub at: Option<u64>,
    /// Its record ends without an end.
    pub broken_off: bool,
}

/// Rows per instance, or per step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum View {
    #[default]
    Instances,
    Steps,
}

/// A row by instance: `None` is what belongs to no instance.
pub type Lanes<'a> = Option<&'a InstanceProgress>;

impl OpView {
    /// The word for an instance's verdict; one that took another's place has kept nothing, its address is its own.
    pub fn verdict(&self, instance: &InstanceProgress, verdict: Verdict) -> Word {
        let word = words::verdict(verdict);
        if verdict == Verdict::Kept && self.progress.is_new(instance) { Word { word: "new", ..word } } else { word }
    }

    pub fn new(id: OpId, engine: Option<EngineId>, now: Duration) -> Self {
        Self {
            id,
            engine,
            on: String::new(),
            progress: Progress::default(),
            heard: now,
            view: View::Instances,
            selected: 0,
            moved: false,
            seen: false,
            at: None,
            broken_off: false,
        }
    }

    /// Takes in an event that came at the console's time `now`. At the end the cursor goes to the first trouble, unless
    /// the person has put it somewhere.
    pub fn apply(&mut self, event: &OpEvent, now: Duration) {
        self.progress.apply(event);
        self.heard = now;
        if self.progress.is_over() && !self.moved && self.view == View::Instances {
            let trouble = |lane: &Lanes<'_>| {
                let moved = [Verdict::Changed, Verdict::Lost, Verdict::Orphaned].map(Some);
                lane.is_some_and(|lane| moved.contains(&lane.verdict))
                    || self.steps_of(*lane).any(StepProgressed::failed)
            };
            self.selected = self.lanes().iter().position(trouble).unwrap_or(self.selected);
        }
    }

    /// The console's time when it ended, if it has.
    pub fn ended(&self) -> Option<Duration> {
        self.progress.is_over().then_some(self.heard)
    }

    /// It has ended, and not well.
    pub fn can_retry(&self) -> bool {
        self.progress.finished.as_ref().is_some_and(|finished| finished.outcome != Outcome::Succeeded)
    }

    pub fn is_running(&self) -> bool {
        !self.progress.is_over() && !self.broken_off
    }

    /// Why it waits for a person to say go, if it does.
    pub fn waiting(&self) -> Option<&str> {
        let progress = &self.progress;
        progress.gate.as_ref().map(|(_, reason)| reason.as_str()).or(progress.paused.as_deref())
    }

    /// The engine is gone and waited for: so many milliseconds more, in whole seconds.
    pub fn engine_lost(&self, now: Duration) -> Option<u64> {
        let (since, grace) = self.progress.engine_lost.filter(|_| self.is_running())?;
        Some((since + grace).saturating_sub(self.elapsed(now)).div_ceil(1000) * 1000)
    }

    /// Milliseconds since it began: measured while it runs, told by its last event after, or as its record is played.
    pub fn elapsed(&self, now: Duration) -> u64 {
        match (&self.progress.finished, self.at) {
            (Some(finished), _) => finished.took_ms,
            (None, Some(at)) => at,
            (None, None) => self.progress.elapsed_ms + millis(now.saturating_sub(self.heard)),
        }
    }

    /// `deploy shop/web`, and where.
    pub fn title(&self) -> String {
        let planned = self.progress.planned.as_ref();
        planned.map_or_else(|| self.id.to_string(), |planned| format!("{} {}{}", planned.kind, planned.app, self.on))
    }

    /// Rows by instance: first the steps of none, where there are such.
    pub fn lanes(&self) -> Vec<Lanes<'_>> {
        let shared = self.progress.steps.iter().any(|step| step.plan.instance.is_none()).then_some(None);
        shared.into_iter().chain(self.progress.instances.iter().map(Some)).collect()
    }

    /// The instance of the row that the cursor is on.
    pub fn lane(&self) -> Option<&InstanceProgress> {
        match self.view {
            View::Instances => self.lanes().get(self.selected).copied().flatten(),
            View::Steps => {
                let name = self.shown_steps().nth(self.selected)?.plan.instance.as_ref()?;
                self.progress.instance(name)
            }
        }
    }

    /// Steps of one row.
    pub fn steps_of<'a>(&'a self, lane: Lanes<'a>) -> impl Iterator<Item = &'a StepProgressed> {
        self.progress.steps.iter().filter(move |step| step.plan.instance.as_ref() == lane.map(|lane| &lane.name))
    }

    /// How long anything of a row ran; waiting in between is not counted, what ran side by side counts once.
    pub fn busy(&self, lane: Lanes<'_>, elapsed: u64) -> Option<u64> {
        let mut spans: Vec<(u64, u64)> =
            self.steps_of(lane).filter_map(|step| Some((step.started_ms?, until(step, elapsed)))).collect();
        spans.sort_unstable();
        let (mut sum, mut end) = (0, spans.first()?.0);
        for (from, to) in spans {
            sum += to.saturating_sub(from.max(end));
            end = end.max(to);
        }
        Some(sum)
    }

    /// Rows of the view.
    pub fn rows(&self) -> usize {
        match self.view {
            View::Instances => self.lanes().len(),
            View::Steps => self.shown_steps().count(),
        }
    }

    /// Steps worth a row: all of the main lane, and what of the undo lane was needed.
    pub fn shown_steps(&self) -> impl Iterator<Item = &StepProgressed> {
        self.progress.steps.iter().filter(|step| is_shown(step))
    }

    /// Where an instance is.
    pub fn phase(&self, instance: &InstanceProgress) -> Phase {
        self.progress.phase(instance)
    }

    /// What it did, in lines for the normal screen after the console has gone.
    pub fn epitaph(&self) -> Vec<String> {
        let id = &self.id;
        let summary = self.progress.summary();
        match &self.progress.finished {
            Some(finished) => {
                let lines = finished.error.iter().chain(&finished.state).map(|line| format!("  {line}"));
                std::iter::once(format!("{summary} ({id})")).chain(lines).collect()
            }
            None => vec![format!("{summary}: left while it ran ({id}, after {})", human(self.progress.elapsed_ms))],
        }
    }
}

/// A step of the main lane, or one of the undo lane that was needed.
pub fn is_shown(step: &StepProgressed) -> bool {
    step.plan.lane == Lane::Main || step.started_ms.is_some()
}

/// Milliseconds since the operation's begin at which a step ended, or `elapsed` while it runs.
pub fn until(step: &StepProgressed, elapsed: u64) -> u64 {
    match (step.ended_ms(), step.status) {
        (Some(ended), _) => ended,
        (None, Status::Running) => elapsed,
        (None, _) => step.started_ms.unwrap_or(0),
    }
}

/// Milliseconds a step took, or has taken so far.
pub fn took(step: &StepProgressed, elapsed: u64) -> u64 {
    step.started_ms.map_or(0, |began| until(step, elapsed).saturating_sub(began))
}
