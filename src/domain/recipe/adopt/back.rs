//! The way back: what was to take a container's place goes, and that runs again as it did.

use super::chosen::Chosen;
use crate::domain::fleet::{Container, Instance};
use crate::domain::hook::Hooks;
use crate::domain::labels::Role;
use crate::domain::plan::{Refusal, StepId, Task};
use crate::domain::recipe::draft::{Draft, Slot, known, object_name, stop};
use crate::domain::recipe::hooks;
use crate::domain::recipe::traffic::{self, Places};
use crate::domain::spec::RestartPolicy;
use std::collections::BTreeMap;

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
        } else {
            let (container, addresses) = (Some(known(self.old)), BTreeMap::new());
            let task = Task::Preflight { container, sandbox: None, watch: None, addresses };
            needs = vec![draft.main(at, task, &needs, "it serves, and its identity is read")];
        }
        let spec = self.half.and_then(|half| half.app.as_deref()?.own.as_ref()?.spec.as_ref());
        let restart = spec.map(|spec| spec.container.restart.clone());
        let mut places = Places::default();
        if let Some(half) = self.half {
            (places, needs) = self.retire(draft, at, half, &needs);
        }
        // What says in the sandbox that it was taken out goes with it: only when it is put back.
        if places.is_empty() {
            needs = self.clear(draft, at, needs)?;
        }
        if down {
            needs = vec![self.start_again(draft, at, restart, reserve, &needs)];
        } else if let Some(restart) = restart {
            // An engine that died has started it again by itself, parked or not.
            let task = Task::Unpark { container: known(self.old), restart };
            needs.push(draft.main(at, task, &needs.clone(), "it has its restart policy back"));
        }
        let sandbox = self.half.and_then(|half| half.sandbox.as_deref()).map(known);
        if !down {
            let task = Task::Verify { container: known(self.old), sandbox: None, rivals: Vec::new() };
            let verify = draft.main(at, task, &needs, "nothing of it was touched");
            let hooks = self.own_hooks();
            // It was told that its sessions end.
            needs = vec![if places.is_empty() {
                verify
            } else {
                hooks::post_ready(draft, at, &hooks, &known(self.old), verify)
            }];
        }
        if let Some(back) = places.attach(draft, at, sandbox.as_ref(), &needs) {
            needs = self.clear(draft, at, vec![back])?;
        }
        Ok(needs)
    }

    /// Takes down what there is of the instance; where that is out of its balancers now, and the last step.
    pub(super) fn retire(
        &self,
        draft: &mut Draft<'_>,
        at: &Slot,
        half: &Instance,
        after: &[StepId],
    ) -> (Places, Vec<StepId>) {
        let left = traffic::left(draft, &at.instance);
        if !half.app.as_deref().is_some_and(Container::is_alive) {
            return (left, bring_down(draft, at, half, after));
        }
        let places = traffic::places_of(draft, &self.app, half).and(left);
        let sandbox = half.sandbox.as_deref().map(known);
        let drain = places.drain(draft, at, sandbox.as_ref(), after);
        (places, bring_down(draft, at, half, &drain.map_or_else(|| after.to_vec(), |drain| vec![drain])))
    }

    /// What was to take its place goes, and it has its name back; the last steps.
    fn clear(&self, draft: &mut Draft<'_>, at: &Slot, after: Vec<StepId>) -> Result<Vec<StepId>, Refusal> {
        let mut needs = after;
        if let Some(half) = self.half {
            needs = take_away(draft, at, half, &needs);
        }
        let own = self.own_name();
        if *self.old.name != *own {
            let task = Task::Rename { container: known(self.old), to: object_name(&own)? };
            needs.push(draft.main(at, task, &needs.clone(), "it has its name back"));
        }
        Ok(needs)
    }

    /// Those that its file named when it was adopted.
    fn own_hooks(&self) -> Hooks {
        self.half.and_then(|half| half.app.as_deref()).map(hooks::of).unwrap_or_default()
    }

    /// It runs again as it did; the step that proves it.
    fn start_again(
        &self,
        draft: &mut Draft<'_>,
        at: &Slot,
        restart: Option<RestartPolicy>,
        reserve: Option<StepId>,
        needs: &[StepId],
    ) -> StepId {
        let task = Task::Start { container: known(self.old), restart };
        let start = draft.main(at, task, needs, "it serves again");
        let readiness = self.as_it_was(draft.options);
        let ready = draft.main(at, readiness.task(known(self.old), None, draft.options), &[start], readiness.cause());
        let ready = hooks::post_ready(draft, at, &self.own_hooks(), &known(self.old), ready);
        let verify = Task::Verify { container: known(self.old), sandbox: None, rivals: Vec::new() };
        let verify = draft.main(at, verify, &[ready], "its identity is read");
        if let Some(places) = reserve {
            draft.main(at, Task::Release { places }, &[verify], "nobody needs the places any more");
        }
        verify
    }
}

const LEFT: &str = "an earlier adoption was left here";

/// The containers of an instance, the sandbox last.
fn parts(half: &Instance) -> impl Iterator<Item = &Container> {
    let is_app = |one: &&Container| one.own.as_ref().is_some_and(|own| own.role == Role::App);
    half.but_sandbox().filter(is_app).chain(half.sandbox.as_deref())
}

/// Stops what runs of an instance; the last step.
fn bring_down(draft: &mut Draft<'_>, at: &Slot, half: &Instance, after: &[StepId]) -> Vec<StepId> {
    let stops = parts(half).filter(|container| container.is_alive());
    stops.fold(after.to_vec(), |needs, container| {
        vec![draft.main(at, stop(known(container), draft.options), &needs, LEFT)]
    })
}

/// Takes away what there is of an instance that does not run; the last step.
pub(super) fn take_away(draft: &mut Draft<'_>, at: &Slot, half: &Instance, after: &[StepId]) -> Vec<StepId> {
    parts(half).fold(after.to_vec(), |needs, container| {
        let task = Task::Remove { container: known(container), volumes: false };
        vec![draft.main(at, task, &needs, LEFT)]
    })
}
