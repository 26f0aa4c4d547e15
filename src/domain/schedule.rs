//! Which steps of a plan may run now: the pure half of the executor.
//!
//! Fed with what happened (a step ended, the user wants out, a gate was opened), it says what to start, what will
//! never run, and in the end how it all went. It knows the rules of an operation: stop the line at the first failure,
//! let instances in flight finish, put a failed one back by its undo lane, never begin two batches at once. It must
//! not know time or the engine.

use super::event::{Outcome, StepResult, Urgency};
use super::ids::InstanceName;
use super::options::{Gate, OnFailure};
use super::plan::{Action, Lane, Plan, StepId, Task};
use std::collections::{BTreeMap, BTreeSet};

/// The state of a plan's steps while it runs.
#[derive(Clone, Debug)]
pub struct Schedule {
    steps: Vec<Slot>,
    instances: Vec<Part>,
    batches: usize,
    parallel: usize,
    gate: Gate,
    rollback: bool,
    /// Batches up to this one may begin.
    open_batches: usize,
    gate_told: bool,
    paused: bool,
    failed: bool,
    untidy: bool,
    cancelled: Option<Urgency>,
}

/// What the executor has to do next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Advance {
    /// Steps whose needs are met now; the clock of `waited_ms` starts.
    pub ready: Vec<StepId>,
    /// Steps to start now.
    pub start: Vec<StepId>,
    /// Steps that will never run.
    pub skipped: Vec<StepId>,
    /// A gate was reached after this batch: wait for [`Schedule::go`].
    pub gate: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Waiting,
    Ready,
    Running,
    Ended(StepResult),
}

#[derive(Clone, Debug)]
struct Slot {
    state: State,
    started: bool,
    needs: Vec<StepId>,
    undoes: Vec<StepId>,
    lane: Lane,
    part: Option<usize>,
    batch: Option<usize>,
    action: Action,
    /// Touches what serves; from then on the instance is in flight.
    begins: bool,
    /// May run ahead of a gate.
    prepares: bool,
    /// The step that completes its instance.
    completes: bool,
}

/// One instance's share of the plan.
#[derive(Clone, Debug)]
struct Part {
    batch: usize,
    failed: bool,
}

impl Slot {
    fn ended(&self) -> bool {
        matches!(self.state, State::Ended(_))
    }

    fn is_ok(&self) -> bool {
        self.state == State::Ended(StepResult::Ok)
    }
}

impl Schedule {
    /// Nothing has run yet.
    pub fn new(plan: &Plan) -> Self {
        let mut parts: BTreeMap<InstanceName, usize> = BTreeMap::new();
        let mut instances: Vec<Part> = Vec::new();
        let taken_over: BTreeMap<_, _> = plan.replaces.iter().map(|(new, old)| (old.clone(), new.clone())).collect();
        let mut part_of = |name: &InstanceName, batch: Option<usize>| {
            // One that takes another's place and that other one are one part: they succeed or fail together.
            let name = taken_over.get(name).unwrap_or(name);
            let part = *parts.entry(name.clone()).or_insert_with(|| {
                instances.push(Part { batch: 0, failed: false });
                instances.len() - 1
            });
            instances[part].batch = instances[part].batch.max(batch.unwrap_or(0));
            part
        };
        let is_old = |name: &InstanceName| plan.replaces.values().any(|old| old == name);
        let steps = plan.steps.iter().map(|step| Slot {
            state: State::Waiting,
            started: false,
            needs: step.needs.clone(),
            undoes: step.undoes.clone(),
            lane: step.lane,
            part: step.instance.as_ref().map(|name| part_of(name, step.batch)),
            batch: step.batch,
            action: step.task.action(),
            begins: step.lane == Lane::Main
                && !matches!(
                    step.task,
                    Task::Pull { .. }
                        | Task::Create { .. }
                        | Task::Record { .. }
                        | Task::Preflight { .. }
                        | Task::StartHeld { .. }
                        | Task::Warm { .. }
                        | Task::Verify { .. }
                ),
            prepares: matches!(step.task, Task::Create { .. } | Task::Record { .. }),
            completes: step.lane == Lane::Main
                && match step.task {
                    Task::Verify { .. } | Task::Attach { .. } | Task::Join { .. } => true,
                    // The one that is replaced is out of the way.
                    Task::Park { .. } => step.instance.as_ref().is_some_and(is_old),
                    _ => false,
                },
        });
        let steps = steps.collect();
        Self {
            steps,
            instances,
            batches: plan.batches.len(),
            parallel: plan.parallel.max(1),
            gate: plan.gate,
            rollback: plan.on_failure == OnFailure::Rollback,
            open_batches: if plan.gate == Gate::Auto { usize::MAX } else { 1 },
            gate_told: false,
            paused: false,
            failed: false,
            untidy: false,
            cancelled: None,
        }
    }

    /// Moves on as far as it can without hearing of a result; to be called after every change.
    pub fn advance(&mut self) -> Advance {
        let mut advance = Advance::default();
        loop {
            let before = advance.skipped.len();
            self.skip_the_impossible(&mut advance.skipped);
            if advance.skipped.len() == before {
                break;
            }
        }
        for id in 0..self.steps.len() {
            if self.steps[id].state == State::Waiting && self.needs_met(id) && self.lane_open(id) {
                self.steps[id].state = State::Ready;
                advance.ready.push(id);
            }
        }
        for id in 0..self.steps.len() {
            if self.steps[id].state == State::Ready && self.may_start(id) {
                self.steps[id].state = State::Running;
                self.steps[id].started = true;
                advance.start.push(id);
            }
        }
        advance.gate = self.reach_gate();
        advance
    }

    /// A started step has ended.
    pub fn finish(&mut self, id: StepId, result: StepResult) {
        self.steps[id].state = State::Ended(result);
        if self.steps[id].lane == Lane::Undo || result == StepResult::Ok {
            return;
        }
        match self.steps[id].part {
            // What fails after an instance is complete is tidying: it is told, but takes nothing back.
            Some(part) if self.own(part).any(|slot| slot.completes) && self.complete(part) => self.untidy = true,
            Some(part) => {
                self.instances[part].failed = true;
                self.failed |= result == StepResult::Failed;
            }
            None => self.failed |= result == StepResult::Failed,
        }
    }

    /// The user wants out; only a more urgent request changes an earlier one. False: what is done can't be put back any more,
    /// because what it replaced is going; nothing is changed by asking.
    pub fn cancel(&mut self, urgency: Urgency) -> bool {
        let going =
            || self.steps.iter().any(|slot| slot.lane == Lane::Main && slot.action == Action::Remove && slot.started);
        if urgency == Urgency::AbortAll && going() {
            return false;
        }
        self.cancelled = self.cancelled.max(Some(urgency));
        true
    }

    /// Opens the gate that was reached, and ends a pause.
    pub fn go(&mut self) {
        self.paused = false;
        if self.gate_told {
            self.open_batches = if self.gate == Gate::Every { self.open_batches + 1 } else { usize::MAX };
            self.gate_told = false;
        }
    }

    /// Begins no further instance until [`Schedule::go`]. False: none would begin anyway.
    pub fn pause(&mut self) -> bool {
        let begins = (0..self.instances.len()).any(|part| !self.begun(part) && !self.complete(part));
        self.paused |= begins && !self.halted();
        self.paused
    }

    /// It was told to pause.
    pub fn is_paused(&self) -> bool {
        self.paused
    }

    /// Whether a person has to say go before anything can happen.
    pub fn is_waiting_for_go(&self) -> bool {
        !self.halted() && (self.paused || self.gate_told) && !self.is_over()
    }

    /// Running steps to be cut short: waits of the main lane, when the user aborts. Changes under way are never cut:
    /// their outcome would be unknown.
    pub fn to_abort(&self) -> Vec<StepId> {
        if self.cancelled < Some(Urgency::Abort) {
            return Vec::new();
        }
        let waits = |slot: &Slot| slot.lane == Lane::Main && slot.action.is_wait();
        (0..self.steps.len()).filter(|id| self.steps[*id].state == State::Running && waits(&self.steps[*id])).collect()
    }

    /// Everything has ended.
    pub fn is_over(&self) -> bool {
        self.steps.iter().all(Slot::ended)
    }

    /// How it went, once it is over.
    pub fn outcome(&self) -> Outcome {
        let undo_failed =
            self.steps.iter().any(|s| s.lane == Lane::Undo && s.state == State::Ended(StepResult::Failed));
        let all_complete = (0..self.instances.len()).all(|part| self.complete(part));
        let some_complete = (0..self.instances.len()).any(|part| self.complete(part) && !self.undone(part));
        if self.failed {
            return match (self.rollback, undo_failed, some_complete) {
                (true, false, false) if self.instances.iter().enumerate().any(|(part, _)| self.undone(part)) => {
                    Outcome::RolledBack
                }
                (false, _, true) if self.instances.len() > 1 => Outcome::Paused,
                _ => Outcome::Failed,
            };
        }
        match self.cancelled {
            Some(_) if undo_failed => Outcome::Failed,
            Some(Urgency::AbortAll) if (0..self.instances.len()).any(|part| self.undone(part)) => Outcome::Aborted,
            Some(Urgency::Abort | Urgency::AbortAll) if !all_complete => Outcome::Aborted,
            Some(_) if !all_complete => Outcome::Interrupted,
            _ if self.untidy => Outcome::Failed,
            _ => Outcome::Succeeded,
        }
    }

    /// Instances with a failed step.
    pub fn failed_instances(&self) -> usize {
        self.instances.iter().filter(|part| part.failed).count()
    }

    fn halted(&self) -> bool {
        self.failed || self.cancelled.is_some()
    }

    fn own(&self, part: usize) -> impl Iterator<Item = &Slot> {
        self.steps.iter().filter(move |slot| slot.part == Some(part))
    }

    /// Something that serves has been touched.
    fn begun(&self, part: usize) -> bool {
        self.own(part).any(|slot| slot.begins && slot.started)
    }

    /// Done for good: verified, or, where nothing is verified, every main step is ok.
    fn complete(&self, part: usize) -> bool {
        let mut main = self.own(part).filter(|slot| slot.lane == Lane::Main).peekable();
        if self.own(part).any(|slot| slot.completes) {
            return self.own(part).filter(|slot| slot.completes).all(Slot::is_ok);
        }
        main.peek().is_some() && main.all(Slot::is_ok)
    }

    /// Its undo lane has put it back.
    fn undone(&self, part: usize) -> bool {
        self.own(part).any(|slot| slot.lane == Lane::Undo && slot.started)
    }

    /// Whether an instance's undo lane is to run, now or later.
    fn wants_undo(&self, part: usize) -> bool {
        if self.instances[part].failed {
            return true;
        }
        if !self.halted() {
            return false;
        }
        let complete = self.complete(part);
        if (self.failed && self.rollback) || self.cancelled >= Some(Urgency::AbortAll) {
            return true;
        }
        !complete && (!self.begun(part) || self.cancelled >= Some(Urgency::Abort) || self.stuck(part))
    }

    /// Begun, not complete, and nothing of its main lane can run any more.
    fn stuck(&self, part: usize) -> bool {
        self.own(part).filter(|slot| slot.lane == Lane::Main).all(Slot::ended)
    }

    /// Undo waits until nothing of the instance's main lane runs, and goes from the last batch back to the first.
    fn undo_open(&self, part: usize) -> bool {
        if !self.wants_undo(part) || self.own(part).any(|slot| slot.lane == Lane::Main && !slot.ended()) {
            return false;
        }
        if self.instances[part].failed || !self.complete(part) {
            return true;
        }
        let batch = self.instances[part].batch;
        let main_runs = self.steps.iter().any(|slot| slot.lane == Lane::Main && slot.state == State::Running);
        let later = (0..self.instances.len()).filter(|other| *other != part && self.instances[*other].batch > batch);
        let mut later =
            later.chain((0..self.instances.len()).filter(|other| self.instances[*other].failed && *other != part));
        !main_runs
            && !later.any(|other| {
                self.wants_undo(other) && self.own(other).any(|slot| slot.lane == Lane::Undo && !slot.ended())
            })
    }

    /// Main steps that can't run any more, and undo steps with nothing to take back.
    fn skip_the_impossible(&mut self, skipped: &mut Vec<StepId>) {
        // As long as anything goes on, all can still be asked to be put back.
        let settled = self.main_is_over() && !self.is_putting_back();
        for id in 0..self.steps.len() {
            if self.steps[id].ended() || self.steps[id].state == State::Running {
                continue;
            }
            let impossible = match self.steps[id].lane {
                Lane::Main => self.main_is_impossible(id),
                Lane::Undo => self.undo_is_needless(id, settled),
            };
            if impossible {
                self.steps[id].state = State::Ended(StepResult::Skipped);
                skipped.push(id);
            }
        }
    }

    fn main_is_impossible(&self, id: StepId) -> bool {
        let slot = &self.steps[id];
        let broken_need = slot.needs.iter().any(|need| self.steps[*need].ended() && !self.steps[*need].is_ok());
        let Some(part) = slot.part else {
            return broken_need || self.halted();
        };
        let aborted = self.cancelled >= Some(Urgency::Abort);
        let turned_back = self.failed && self.rollback && !self.begun(part);
        broken_need || self.instances[part].failed || aborted || turned_back || (self.halted() && !self.begun(part))
    }

    fn undo_is_needless(&self, id: StepId, settled: bool) -> bool {
        let slot = &self.steps[id];
        let part_is_fine = slot.part.is_none_or(|part| !self.wants_undo(part));
        self.takes_back_nothing(slot) || (part_is_fine && settled)
    }

    fn takes_back_nothing(&self, slot: &Slot) -> bool {
        slot.undoes.iter().all(|main| self.steps[*main].ended() && !self.steps[*main].started)
    }

    fn is_putting_back(&self) -> bool {
        let open = |slot: &&Slot| slot.lane == Lane::Undo && !slot.ended() && !self.takes_back_nothing(slot);
        self.steps.iter().filter(open).any(|slot| slot.part.is_some_and(|part| self.wants_undo(part)))
    }

    fn main_is_over(&self) -> bool {
        self.steps.iter().filter(|slot| slot.lane == Lane::Main).all(Slot::ended)
    }

    fn needs_met(&self, id: StepId) -> bool {
        let slot = &self.steps[id];
        slot.needs.iter().all(|need| match slot.lane {
            Lane::Main => self.steps[*need].is_ok(),
            Lane::Undo => self.steps[*need].ended(),
        })
    }

    fn lane_open(&self, id: StepId) -> bool {
        match (self.steps[id].lane, self.steps[id].part) {
            (Lane::Main, _) => true,
            (Lane::Undo, Some(part)) => self.undo_open(part),
            (Lane::Undo, None) => false,
        }
    }

    /// Gates, pauses and the limit hold back only the main lane: putting back never waits.
    fn may_start(&self, id: StepId) -> bool {
        let slot = &self.steps[id];
        if slot.lane == Lane::Undo {
            return true;
        }
        if slot.batch.is_some_and(|batch| batch > self.open_batches) && !slot.prepares {
            return false;
        }
        if self.paused && slot.part.is_none_or(|part| !self.begun(part)) {
            return false;
        }
        // Waiting, also for a command of the user's, costs the engine nothing, so it does not count.
        let counts = |slot: &Slot| !slot.action.is_wait() && !slot.action.is_hook();
        let running = self.steps.iter().filter(|slot| slot.state == State::Running && counts(slot)).count();
        !counts(slot) || running < self.parallel
    }

    fn reach_gate(&mut self) -> Option<usize> {
        if self.gate_told || self.halted() || self.open_batches >= self.batches {
            return None;
        }
        let open: BTreeSet<usize> =
            (0..self.instances.len()).filter(|part| self.instances[*part].batch <= self.open_batches).collect();
        if open.is_empty() || !open.iter().all(|part| self.complete(*part)) {
            return None;
        }
        self.gate_told = true;
        Some(self.open_batches)
    }
}

#[cfg(test)]
mod tests;
