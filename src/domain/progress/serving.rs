//! Which version an instance serves, as far as an operation's events tell.

use super::{InstanceProgress, Progress, Status, StepProgressed};
use crate::domain::event::StepResult;
use crate::domain::plan::{Action, Kind, Lane};

/// Who answers at an instance's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Serving {
    /// What ran before the operation.
    Old,
    New,
    /// Nobody, for the moment or for good.
    Nobody,
}

impl Progress {
    /// Who serves; `None` for an operation that replaces nothing, and for one of a pair while the other serves.
    pub fn serving(&self, instance: &InstanceProgress) -> Option<Serving> {
        let paired = instance.successor.is_some() || self.is_new(instance);
        self.one_serving(instance).filter(|serving| !(paired && *serving == Serving::Nobody))
    }

    fn one_serving(&self, instance: &InstanceProgress) -> Option<Serving> {
        let kind = self.planned.as_ref()?.kind;
        if !matches!(kind, Kind::Deploy | Kind::Rollback) {
            return None;
        }
        let of = |lane, action| self.steps_of(instance, lane).filter(move |step| step.plan.action == action);
        let begun = |lane, action| of(lane, action).any(|step| step.started_ms.is_some());
        let ok = |lane, action| {
            let mut steps = of(lane, action).peekable();
            steps.peek().is_some() && steps.all(|step: &StepProgressed| step.status == Status::Ended(StepResult::Ok))
        };
        let stops = of(Lane::Main, Action::Stop).next().is_some();
        let starts = of(Lane::Main, Action::Start).next().is_some();
        // Held back beside the old one, a start touches nothing.
        let warm = of(Lane::Main, Action::Warm).next().is_some();
        let touched = begun(Lane::Main, Action::Stop) || (!warm && begun(Lane::Main, Action::Start));
        let undone = self.steps_of(instance, Lane::Undo).any(|step| step.started_ms.is_some());
        Some(if undone && touched {
            if stops && ok(Lane::Undo, Action::Ready) { Serving::Old } else { Serving::Nobody }
        } else if ok(Lane::Main, Action::Ready) {
            Serving::New
        } else if touched {
            Serving::Nobody
        } else if stops {
            Serving::Old
        } else if starts {
            // What does not run needs no stop.
            Serving::Nobody
        } else {
            Serving::New
        })
    }
}
