//! What one instance needs: one pure decision from what is observed, for every operation that plans per instance.
//!
//! Total over every state that sandbox, app containers and balancer can be in, so planning again after any half-done
//! operation goes on from there. How it is carried out is for recipes. Must not know why things are as they are.

use super::fleet::{Container, Instance, State};
use super::inplace::Change;
use std::sync::Arc;

/// How an instance stands: its app container in its sandbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Footing {
    /// There is no app container.
    Empty,
    /// Its sandbox is gone, or another one: the container can never start again.
    Homeless,
    /// The engine is removing a part of it.
    Leaving,
    /// One that was made and never started.
    Fresh,
    /// Sandbox or app is down, or the app sits in a namespace that its sandbox has left.
    Down,
    /// The engine starts a part of it again and again.
    Unsteady,
    /// Sandbox or app is paused.
    Frozen,
    /// It runs in its sandbox's namespace.
    Serves,
}

/// What is there beside what serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Beside {
    Nothing,
    /// Containers that do not run: put aside, or made and never started.
    Asleep,
    /// A newer one that its sandbox holds back, because what serves has not left its port.
    Held,
    /// One that has processes: two programs share one sandbox, and nobody can tell which one answers.
    Alive,
}

/// How what it runs differs from what is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Difference {
    Nothing,
    /// Of the app container alone.
    App,
    /// Of the sandbox, too.
    Sandbox,
}

/// What an operation wants of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aim {
    /// That it runs this and nothing else: deploy, rollback, resume, abort.
    Run(Difference),
    /// That it is there and started, whatever it runs: create.
    Exist,
    /// That it serves as it was, and nothing is left beside it: repair.
    Serve,
}

/// What is to be done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// All is as wanted.
    Nothing,
    /// It runs what is wanted although what began that broke off: it is proven and put back in its balancers, then what is
    /// left beside it goes.
    Proof,
    /// It goes on where it was.
    Unpause,
    /// The same container is started in its sandbox, which comes first; stopped before where it has processes.
    Start,
    /// A new container takes its place, in the sandbox as it is or in a new one where that is gone.
    Replace,
    /// A new container in a new sandbox, which the old one makes room for.
    Recreate,
    /// Its first container.
    Make,
    /// Nothing that a start would help, or that a new container could be put beside.
    Leave,
}

/// What of an instance decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    pub footing: Footing,
    pub beside: Beside,
    /// The sandbox is there, in whatever state.
    pub has_sandbox: bool,
    /// An operation took it out of a balancer and nobody has put it back since.
    pub left_out: bool,
}

impl Difference {
    /// What these changes come to.
    pub fn of(changes: &[Change]) -> Self {
        match changes {
            [] => Self::Nothing,
            changes if changes.iter().all(|change| change.in_place) => Self::App,
            _ => Self::Sandbox,
        }
    }
}

impl Seen {
    /// Of an instance; whether it was left drained is for who has read the balancers.
    pub fn of(instance: &Instance, left_out: bool) -> Self {
        Self {
            footing: Footing::of(instance),
            beside: Beside::of(instance),
            has_sandbox: instance.sandbox.is_some(),
            left_out,
        }
    }

    /// The decision.
    pub fn need(self, aim: Aim) -> Need {
        match aim {
            Aim::Run(difference) => self.to_run(difference),
            Aim::Exist => self.to_exist(),
            Aim::Serve => self.to_serve(),
        }
    }

    fn to_run(self, difference: Difference) -> Need {
        let as_wanted = self.footing == Footing::Serves && difference == Difference::Nothing;
        match (self.beside, difference) {
            (Beside::Nothing, _) if as_wanted && !self.left_out => Need::Nothing,
            (Beside::Nothing | Beside::Asleep | Beside::Held, _) if as_wanted => Need::Proof,
            (_, Difference::Sandbox) if self.has_sandbox => Need::Recreate,
            _ if self.footing == Footing::Empty => Need::Make,
            _ => Need::Replace,
        }
    }

    fn to_exist(self) -> Need {
        match self.footing {
            Footing::Empty => Need::Make,
            Footing::Homeless => Need::Replace,
            Footing::Serves => Need::Nothing,
            Footing::Leaving | Footing::Fresh | Footing::Down | Footing::Unsteady | Footing::Frozen => Need::Start,
        }
    }

    fn to_serve(self) -> Need {
        match self.footing {
            Footing::Empty => Need::Make,
            Footing::Homeless => Need::Replace,
            Footing::Leaving | Footing::Unsteady => Need::Leave,
            Footing::Fresh | Footing::Down => Need::Start,
            Footing::Frozen => Need::Unpause,
            Footing::Serves if self.left_out || self.beside != Beside::Nothing => Need::Proof,
            Footing::Serves => Need::Nothing,
        }
    }
}

impl Footing {
    /// Of an instance.
    pub fn of(instance: &Instance) -> Self {
        let Some(app) = &instance.app else { return Self::Empty };
        let Some(sandbox) = &instance.sandbox else { return Self::Homeless };
        if app.state == State::Removing || sandbox.state == State::Removing {
            return Self::Leaving;
        }
        if app.joined().is_some_and(|id| id != sandbox.id.as_str()) {
            return Self::Homeless;
        }
        match (sandbox.state, app.state) {
            (_, State::Created) => Self::Fresh,
            // The namespace of a sandbox that does not run is dead, whoever still sits in it.
            (State::Created | State::Exited | State::Dead, _) | (_, State::Exited | State::Dead) => Self::Down,
            _ if is_older(app, sandbox) => Self::Down,
            (State::Restarting | State::Unknown, _) | (_, State::Restarting | State::Unknown) => Self::Unsteady,
            (State::Paused, _) | (_, State::Paused) => Self::Frozen,
            (_, State::Running) => Self::Serves,
            (_, State::Removing) => Self::Leaving,
        }
    }
}

impl Beside {
    /// Of an instance.
    pub fn of(instance: &Instance) -> Self {
        match instance.others.as_slice() {
            [] => Self::Nothing,
            others => {
                let revision = instance.app.as_deref().filter(|app| app.is_running()).map(Container::revision);
                let held = |one: &&Arc<Container>| {
                    one.own.as_ref().is_some_and(|own| own.held && revision.is_some_and(|serves| serves < own.revision))
                };
                let (held, alive): (Vec<_>, Vec<_>) = others.iter().filter(|one| one.is_alive()).partition(held);
                match (held.as_slice(), alive.as_slice()) {
                    ([], []) => Self::Asleep,
                    (_, []) => Self::Held,
                    _ => Self::Alive,
                }
            }
        }
    }
}

/// It began before its sandbox's last start, so it sits in a namespace that is gone.
fn is_older(app: &Container, sandbox: &Container) -> bool {
    app.started_at().zip(sandbox.started_at()).is_some_and(|(app, sandbox)| app < sandbox)
}
