//! What a fold says as a whole: figures, the critical path, the summary.

use super::{Progress, Status, StepProgressed};
use crate::domain::duration::human;
use crate::domain::event::{Outcome, StepResult};
use crate::domain::identity::Verdict;
use crate::domain::plan::{Action, Kind, Lane, StepId};

impl Progress {
    /// The batch being handled, from 1 (0: none yet), and how many there are.
    pub fn batch(&self) -> (usize, usize) {
        let total = self.planned.as_ref().map_or(0, |planned| planned.batches.len());
        let begun = |step: &&StepProgressed| step.plan.lane == Lane::Main && step.started_ms.is_some() && step.begins();
        let now = self.steps.iter().filter(begun).filter_map(|step| step.plan.batch).max().unwrap_or(0);
        (now, total)
    }

    /// Instances done, of all.
    pub fn done(&self) -> (usize, usize) {
        (self.stay().filter(|instance| self.is_complete(instance)).count(), self.stay().count())
    }

    /// Main steps ended, of all: how far the bar is.
    pub fn steps_done(&self) -> (usize, usize) {
        let main = || self.steps.iter().filter(|step| step.plan.lane == Lane::Main);
        (main().filter(|step| matches!(step.status, Status::Ended(_))).count(), main().count())
    }

    /// Bytes pulled, of how many known so far, over all pulls; `None` when nothing was pulled.
    pub fn pull(&self) -> Option<(u64, u64)> {
        let pulls = self.steps.iter().filter(|step| step.plan.action == Action::Pull);
        pulls
            .filter_map(|step| step.progress.as_ref())
            .map(|(done, total, _)| (*done, *total))
            .reduce(|a, b| (a.0.saturating_add(b.0), a.1.saturating_add(b.1)))
    }

    /// What the steps would have taken one after the other.
    pub fn serial_ms(&self) -> u64 {
        self.steps.iter().filter_map(|step| step.took_ms).fold(0, u64::saturating_add)
    }

    /// The longest chain of main steps by what they took: what would have to be faster for the whole to be faster.
    pub fn critical_path(&self) -> Vec<StepId> {
        // Longest chain that ends in each step, and the step before it; needs point backwards.
        let mut best: Vec<(u64, Option<StepId>)> = Vec::with_capacity(self.steps.len());
        for (id, step) in self.steps.iter().enumerate() {
            let main = step.plan.lane == Lane::Main;
            let before = step
                .plan
                .needs
                .iter()
                .copied()
                .filter(|need| main && *need < id && self.steps[*need].took_ms.is_some())
                .max_by_key(|need| best[*need].0);
            let chain = before.map_or(0, |before| best[before].0);
            let own = step.took_ms.filter(|_| main).unwrap_or(0);
            best.push((chain.saturating_add(own), before));
        }
        let ran = |id: &StepId| self.steps[*id].took_ms.is_some() && self.steps[*id].plan.lane == Lane::Main;
        let mut path = Vec::new();
        let mut at = (0..self.steps.len()).filter(ran).max_by_key(|id| best[*id].0);
        while let Some(id) = at {
            path.push(id);
            at = best[id].1;
        }
        path.reverse();
        path
    }

    /// What the critical path took.
    pub fn critical_ms(&self) -> u64 {
        self.critical_path().iter().filter_map(|id| self.steps[*id].took_ms).fold(0, u64::saturating_add)
    }

    /// The steps that took longest, the slowest first.
    pub fn slowest(&self, count: usize) -> Vec<&StepProgressed> {
        let mut ran: Vec<_> = self.steps.iter().filter(|step| step.took_ms.is_some()).collect();
        ran.sort_by_key(|step| std::cmp::Reverse(step.took_ms));
        ran.truncate(count);
        ran
    }

    /// The longest gap of any instance, in milliseconds.
    pub fn longest_gap(&self) -> Option<f64> {
        self.instances.iter().filter_map(|instance| instance.gap.as_ref()).map(|(gap, _)| *gap).reduce(f64::max)
    }

    /// Requests that failed while instances were out, over all whose balancers count them; `None`: none does.
    pub fn failed_requests(&self) -> Option<u64> {
        self.steps.iter().filter_map(|step| step.failed_requests).reduce(u64::saturating_add)
    }

    /// One sentence: what it is, how far or how it ended, what became of the instances.
    pub fn summary(&self) -> String {
        let Some(planned) = &self.planned else { return "nothing is known of this operation yet".into() };
        let mut title = format!("{} {}", planned.kind, planned.app);
        let mut parts = Vec::new();
        match &self.finished {
            Some(_) if self.steps.is_empty() => return format!("{title}: nothing to do"),
            Some(finished) if finished.outcome == Outcome::Succeeded => {
                let (count, took) = (finished.counts.instances, human(finished.took_ms));
                title = format!("{} {}", past(planned.kind), planned.app);
                parts.push(format!("{count} instance{} in {took}", if count == 1 { "" } else { "s" }));
            }
            Some(finished) => {
                parts.push(format!("{} after {}", outcome(finished.outcome), human(finished.took_ms)));
            }
            None => {
                let (now, total) = self.batch();
                parts.push(match (&self.gate, &self.paused, total) {
                    (Some((batch, _)), ..) => format!("waiting for a go after batch {batch} of {total}"),
                    (_, Some(reason), _) => format!("paused: {reason}"),
                    (.., 0) => "running".to_owned(),
                    _ => format!("batch {} of {total}", now.max(1)),
                });
                let (done, all) = self.done();
                parts.push(format!("{done} of {all} instances done, {}", human(self.elapsed_ms)));
            }
        }
        let counts = self.counts();
        // Those that took another's place have kept nothing, even if what they have is held.
        let came = self.instances.iter().filter(|one| self.is_new(one));
        let judged: Vec<_> = came.filter(|new| self.is_complete(new)).filter_map(|new| new.verdict).collect();
        let new = u32::try_from(judged.len()).unwrap_or(u32::MAX);
        let held =
            u32::try_from(judged.iter().filter(|verdict| **verdict == Verdict::Kept).count()).unwrap_or(u32::MAX);
        let figures = [
            (new, "replaced by new ones at other addresses"),
            (counts.kept.saturating_sub(held), "kept"),
            (counts.unprotected, "same address but unprotected"),
            (counts.changed, "changed"),
            (counts.lost, "lost"),
            (counts.failed, "failed"),
        ];
        let said: Vec<_> =
            figures.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
        if !said.is_empty() {
            parts.push(said.join(", "));
        }
        if let Some(gap) = self.longest_gap() {
            parts.push(format!("longest gap {gap:.0} ms"));
        }
        match self.failed_requests() {
            Some(0) => parts.push("no request failed at the load balancer".into()),
            Some(1) => parts.push("1 request failed at the load balancer".into()),
            Some(failed) => parts.push(format!("{failed} requests failed at the load balancer")),
            None => {}
        }
        let serial = self.serial_ms();
        if self.finished.as_ref().is_some_and(|finished| serial > finished.took_ms.saturating_mul(11) / 10) {
            parts.push(format!("one after the other {}", human(serial)));
        }
        format!("{title}: {}", parts.join("; "))
    }
}

impl StepProgressed {
    /// Its result as a word.
    pub fn word(&self) -> &'static str {
        match self.status {
            Status::Waiting => "waiting",
            Status::Running => "running",
            Status::Ended(StepResult::Ok) => "ok",
            Status::Ended(StepResult::Failed) => "failed",
            Status::Ended(StepResult::Skipped) => "skipped",
            Status::Ended(StepResult::Cancelled) => "cancelled",
        }
    }
}

/// What has been done, as a word.
fn past(kind: Kind) -> &'static str {
    match kind {
        Kind::Create => "created",
        Kind::Deploy => "deployed",
        Kind::Restart => "restarted",
        Kind::Rollback => "rolled back",
        Kind::Scale => "scaled",
        Kind::Remove => "removed",
        Kind::Adopt => "adopted",
        Kind::Repair => "repaired",
    }
}

fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Succeeded => "succeeded",
        Outcome::Failed => "failed",
        Outcome::Paused => "paused on failure",
        Outcome::Aborted => "aborted",
        Outcome::RolledBack => "rolled back",
        Outcome::Interrupted => "interrupted",
    }
}
