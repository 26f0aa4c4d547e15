//! Intents on their way to the disk, by step.
//!
//! A step that can't be taken back waits for its own. The intent of one that follows directly on another is written together
//! with that one's, so that nobody waits for the disk between a stop and the start behind it.

use super::writer::Pending;
use crate::domain::ids::ContainerId;
use crate::domain::plan::{Plan, StepId, Target, Task};
use crate::domain::record::Intent;
use std::collections::HashMap;

/// Those written so far, with who has not waited yet.
#[derive(Debug, Default)]
pub(in crate::engine) struct Intents(HashMap<StepId, Option<Pending>>);

impl Intents {
    /// What has to be written before `step` begins: its own intent, and those of the steps right behind it; none of them
    /// twice.
    pub fn due(&self, plan: &Plan, step: StepId, id: impl Fn(&Target) -> Option<ContainerId>) -> Vec<(StepId, Intent)> {
        if of(plan, step, &id).is_none() {
            return Vec::new();
        }
        let next = (step + 1..plan.steps.len()).filter(|next| {
            let (this, next) = (&plan.steps[step], &plan.steps[*next]);
            next.needs.contains(&step) && next.lane == this.lane && next.instance == this.instance
        });
        std::iter::once(step)
            .chain(next)
            .filter(|step| !self.0.contains_key(step))
            .filter_map(|step| Some((step, of(plan, step, &id)?)))
            .collect()
    }

    /// It is on its way.
    pub fn put(&mut self, step: StepId, pending: Option<Pending>) {
        self.0.insert(step, pending);
    }

    /// To be waited for before the step begins.
    pub fn take(&mut self, step: StepId) -> Option<Pending> {
        self.0.get_mut(&step).and_then(Option::take)
    }
}

/// The intent of a step that can't be taken back; `None` for the others.
fn of(plan: &Plan, id: StepId, container: impl Fn(&Target) -> Option<ContainerId>) -> Option<Intent> {
    let step = plan.steps.get(id)?;
    let (name, target) = match &step.task {
        Task::Hook { container, .. }
        | Task::Stop { container, .. }
        | Task::Swap { container, .. }
        | Task::Start { container, .. }
        | Task::Park { container }
        | Task::Unpark { container, .. }
        | Task::Unpause { container }
        | Task::Remove { container, .. }
        | Task::Rename { container, .. } => (container.name().to_owned(), Some(container)),
        Task::RemoveNetwork { name } | Task::RemoveVolume { name } => (name.to_string(), None),
        _ => return None,
    };
    Some(Intent {
        step: id,
        instance: step.instance.clone(),
        action: step.task.action(),
        target: name,
        container: target.and_then(container).map(String::from),
    })
}
