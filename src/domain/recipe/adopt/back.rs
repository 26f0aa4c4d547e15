//! The way back: what was to take a container's place goes, and that runs again as it did.

use super::chosen::Chosen;
use crate::domain::fleet::{Container, Instance};
use crate::domain::labels::Role;
use crate::domain::plan::{Refusal, StepId, Task};
use crate::domain::recipe::draft::{Draft, Slot, known, object_name, stop};

impl Chosen<'_> {
    /// Back: what was to take its place goes, and it runs again as it did.
    pub(super) fn give_back(&self, draft: &mut Draft<'_>, at: &Slot, after: &[StepId]) -> Result<Vec<StepId>, Refusal> {
        let mut needs = after.to_vec();
        let mut reserve = None;
        let down = self.half.is_some() && !self.old.is_alive();
        if down {
            let wanted = self.half_s_addresses();
            reserve = (!wanted.is_empty()).then(|| self.reserve(draft, at, &wanted, &needs));
            needs.extend(reserve);
        }
        let spec = self.half.and_then(|half| half.app.as_ref()?.own.as_ref()?.spec.as_ref());
        let restart = spec.map(|spec| spec.container.restart.clone());
        if let Some(half) = self.half {
            needs = take_away(draft, at, half, &needs);
        }
        let own = self.own_name();
        if *self.old.name != *own {
            let task = Task::Rename { container: known(self.old), to: object_name(&own)? };
            needs.push(draft.main(at, task, &needs.clone(), "it has its name back"));
        }
        if !down {
            // An engine that died has started it again by itself, parked or not.
            if let Some(restart) = restart {
                let task = Task::Unpark { container: known(self.old), restart };
                needs.push(draft.main(at, task, &needs.clone(), "it has its restart policy back"));
            }
            return Ok(needs);
        }
        let task = Task::Start { container: known(self.old), restart };
        let start = draft.main(at, task, &needs, "it serves again");
        let readiness = self.as_it_was(draft.options);
        let ready = draft.main(at, readiness.task(known(self.old), None, draft.options), &[start], readiness.cause());
        let verify = Task::Verify { container: known(self.old), sandbox: None, rivals: Vec::new() };
        let verify = draft.main(at, verify, &[ready], "its identity is read");
        if let Some(places) = reserve {
            draft.main(at, Task::Release { places }, &[verify], "nobody needs the places any more");
        }
        Ok(vec![verify])
    }
}

/// Takes away what there is of an instance; the last step.
pub(super) fn take_away(draft: &mut Draft<'_>, at: &Slot, half: &Instance, after: &[StepId]) -> Vec<StepId> {
    let why = "an earlier adoption was left here";
    let mut needs = after.to_vec();
    let is_app = |one: &&Container| one.own.as_ref().is_some_and(|own| own.role == Role::App);
    let apps = half.but_sandbox().filter(is_app);
    for container in apps.chain(half.sandbox.as_deref()) {
        if container.is_alive() {
            needs = vec![draft.main(at, stop(known(container), draft.options), &needs, why)];
        }
        needs = vec![draft.main(at, Task::Remove { container: known(container), volumes: false }, &needs, why)];
    }
    needs
}
