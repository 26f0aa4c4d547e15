//! What one instance needs to serve again: one pure decision from what is observed.
//!
//! Total over every state that sandbox and app container can be in, so planning again after any half-done repair goes on
//! from there. Which steps carry it out is `recipe/repair.rs`. Must not know why things are as they are.

use super::fleet::{Container, Instance, State};

/// What is to be done about an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mend {
    /// It runs in its sandbox's namespace.
    Nothing,
    /// The engine starts it again and again, or is removing it: nothing that a start would help.
    Leave,
    /// Sandbox or app is frozen, and goes on where it was.
    Unpause,
    /// The same container is started, in its sandbox; stopped first where it sits in a dead namespace.
    Restart,
    /// Its container can never start again, for its sandbox is gone or another one: a new one of the same making takes
    /// its place.
    Replace,
    /// There is no app container.
    Make,
}

/// The decision.
pub fn mend(instance: &Instance) -> Mend {
    let Some(app) = &instance.app else { return Mend::Make };
    let Some(sandbox) = &instance.sandbox else { return Mend::Replace };
    if app.state == State::Removing || sandbox.state == State::Removing {
        return Mend::Leave;
    }
    if app.joined().is_some_and(|id| id != sandbox.id.as_str()) {
        return Mend::Replace;
    }
    match (sandbox.state, app.state) {
        // The namespace of a sandbox that does not run is dead, whoever still sits in it.
        (State::Created | State::Exited | State::Dead, _) | (_, State::Created | State::Exited | State::Dead) => {
            Mend::Restart
        }
        _ if is_older(app, sandbox) => Mend::Restart,
        (State::Restarting | State::Unknown, _) | (_, State::Restarting | State::Unknown) => Mend::Leave,
        (State::Paused, _) | (_, State::Paused) => Mend::Unpause,
        (_, State::Running) => Mend::Nothing,
        (_, State::Removing) => Mend::Leave,
    }
}

/// It began before its sandbox's last start, so it sits in a namespace that is gone.
fn is_older(app: &Container, sandbox: &Container) -> bool {
    app.started_at().zip(sandbox.started_at()).is_some_and(|(app, sandbox)| app < sandbox)
}
