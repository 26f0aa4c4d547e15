//! Where an app's hooks stand among an instance's steps.
//!
//! A container runs the hooks it was made with: those before its end are the old revision's, the one after its begin the
//! new one's. A hook that fails before the stop ends the line with the old container as it was.

use super::super::fleet::Container;
use super::super::hook::{Hooks, Moment};
use super::super::plan::{StepId, Target, Task};
use super::draft::{Draft, Slot, known};

/// The hooks of the container that serves now, and those of its steps that were written.
#[derive(Default)]
pub(super) struct Before {
    own: Option<(Hooks, Target)>,
    written: Vec<StepId>,
}

/// The hooks a container was made with.
pub(super) fn of(container: &Container) -> Hooks {
    let spec = container.own.as_ref().and_then(|own| own.spec.as_ref());
    spec.map(|spec| spec.rollout.hooks.clone()).unwrap_or_default()
}

/// Writes the hook that runs in `container` when it is ready; gives the step others wait for from now on.
pub(super) fn post_ready(draft: &mut Draft<'_>, at: &Slot, hooks: &Hooks, container: &Target, ready: StepId) -> StepId {
    task(hooks, Moment::PostReady, container).map_or(ready, |task| {
        let cause = cause(&task);
        draft.main(at, task, &[ready], cause)
    })
}

impl Before {
    /// Of the container that is about to be stopped; one that does not run has none.
    pub fn new(serving: Option<&Container>) -> Self {
        let running = serving.filter(|container| container.is_running());
        Self { own: running.map(|container| (of(container), known(container))), written: Vec::new() }
    }

    /// Of a container that runs and was made without any: those its app's file names.
    pub fn named(hooks: Hooks, container: &Container) -> Self {
        Self { own: Some((hooks, known(container))), written: Vec::new() }
    }

    /// Writes the hook of that moment, which waits for `needs`; gives what others wait for from now on.
    pub fn write(&mut self, draft: &mut Draft<'_>, at: &Slot, moment: Moment, needs: Vec<StepId>) -> Vec<StepId> {
        let Some((hooks, container)) = &self.own else { return needs };
        let Some(task) = task(hooks, moment, container) else { return needs };
        let cause = cause(&task);
        let step = draft.main(at, task, &needs, cause);
        self.written.push(step);
        vec![step]
    }

    /// Undo: what serves again is told so, if it was told to go, or was stopped.
    pub fn undo(&self, draft: &mut Draft<'_>, at: &Slot, stopped: Option<StepId>) {
        let Some((hooks, container)) = &self.own else { return };
        let Some(task) = task(hooks, Moment::PostReady, container) else { return };
        let undoes: Vec<_> = self.written.iter().copied().chain(stopped).collect();
        let cause = cause(&task);
        draft.undo(at, task, &undoes, cause);
    }
}

fn task(hooks: &Hooks, moment: Moment, container: &Target) -> Option<Task> {
    let hook = hooks.at(moment)?.clone();
    Some(Task::Hook { container: container.clone(), moment, hook })
}

fn cause(task: &Task) -> String {
    let Task::Hook { moment, hook, .. } = task else { return String::new() };
    let when = match moment {
        Moment::PreDrain => "before its sessions end",
        Moment::PreStop => "before it is stopped",
        Moment::PostReady => "once it is ready",
    };
    format!("the app's own {moment} hook: {} {when}", super::super::clean::clean(hook.program()))
}
