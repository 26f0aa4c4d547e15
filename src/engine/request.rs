//! What a front end may ask for, and what it gets back.

use crate::domain::control::{Order, Reply};
use crate::domain::event::{OpEvent, Urgency};
use crate::domain::ids::{AppId, OpId};
use crate::domain::options::Options;
use crate::domain::project::ProjectSpec;
use crate::domain::recipe::Wish;
use crate::domain::spec::AppSpec;
use tokio::sync::{mpsc, oneshot};

/// One operation asked for. Apps and instances are named as the user typed them.
#[derive(Clone, Debug)]
pub enum Request {
    /// Services of a file; empty `services`: all. `scale` overrides replicas by service.
    Create {
        project: ProjectSpec,
        services: Vec<String>,
        scale: Vec<(String, u32)>,
        options: Options,
    },
    /// Another image, or the app as a file has it now, or both.
    Deploy {
        app: String,
        image: Option<String>,
        project: Option<ProjectSpec>,
        options: Options,
    },
    /// Apps and single instances, managed or not.
    Restart {
        targets: Vec<String>,
        options: Options,
    },
    /// `to`: a revision; `None`: the one before.
    Rollback {
        app: String,
        to: Option<u32>,
        options: Options,
    },
    Scale {
        app: String,
        replicas: u32,
        options: Options,
    },
    Remove {
        apps: Vec<String>,
        volumes: bool,
        options: Options,
    },
    /// Give unmanaged containers a sandbox at their own addresses.
    Adopt {
        wish: Wish,
        options: Options,
    },
    /// Give their places back to containers whose adoption was left half-done.
    GiveBack {
        wish: Wish,
        options: Options,
    },
    /// Let instances serve again, whatever happened to them; no `targets`: all that pitstop made.
    Repair {
        targets: Vec<String>,
        options: Options,
    },
    /// Go on with an operation that was left half-done.
    Resume {
        op: OpId,
        options: Options,
    },
    /// Take back an operation that was left half-done.
    Abort {
        op: OpId,
        options: Options,
    },
    /// Ask again for what an operation that did not succeed was asked for: what it has done is left alone.
    Retry {
        op: OpId,
        options: Options,
    },
    /// The newest revision that was made, for every instance: going on without a record.
    Finish {
        app: String,
        options: Options,
    },
    /// The newest revision before that, for every instance: taking back without a record.
    TakeBack {
        app: String,
        options: Options,
    },
}

/// The options of a request, borrowed as the request is.
macro_rules! options_of {
    ($request:expr) => {
        match $request {
            Self::Create { options, .. }
            | Self::Deploy { options, .. }
            | Self::Restart { options, .. }
            | Self::Rollback { options, .. }
            | Self::Scale { options, .. }
            | Self::Remove { options, .. }
            | Self::Repair { options, .. }
            | Self::Adopt { options, .. }
            | Self::GiveBack { options, .. }
            | Self::Finish { options, .. }
            | Self::TakeBack { options, .. }
            | Self::Resume { options, .. }
            | Self::Retry { options, .. }
            | Self::Abort { options, .. } => options,
        }
    };
}

impl Request {
    /// The operation that it goes on with or takes back.
    pub(super) fn resumes(&self) -> Option<&OpId> {
        match self {
            Self::Resume { op, .. } | Self::Abort { op, .. } | Self::Retry { op, .. } => Some(op),
            _ => None,
        }
    }

    /// What it is about, as the user typed it.
    pub fn subject(&self) -> String {
        match self {
            Self::Create { project, .. } => project.name.clone(),
            Self::Deploy { app, .. }
            | Self::Rollback { app, .. }
            | Self::Scale { app, .. }
            | Self::Finish { app, .. }
            | Self::TakeBack { app, .. } => app.clone(),
            Self::Restart { targets, .. } | Self::Repair { targets, .. } => targets.join(", "),
            Self::Remove { apps, .. } => apps.join(", "),
            Self::Adopt { wish, .. } | Self::GiveBack { wish, .. } => match &wish.file {
                Some(file) if wish.targets.is_empty() => file.name.clone(),
                _ => wish.targets.join(", "),
            },
            Self::Resume { op, .. } | Self::Abort { op, .. } | Self::Retry { op, .. } => op.to_string(),
        }
    }

    /// How it is to be done, to be chosen anew.
    pub fn options_mut(&mut self) -> &mut Options {
        options_of!(self)
    }

    /// How it is to be done.
    pub fn options(&self) -> &Options {
        options_of!(self)
    }

    /// The app as the request's file has it, if it brings one.
    pub(super) fn spec_in_file(&self, app: &AppId) -> Option<&AppSpec> {
        let project = match self {
            Self::Create { project, .. } => Some(project),
            Self::Deploy { project, .. } => project.as_ref(),
            Self::Adopt { wish, .. } | Self::GiveBack { wish, .. } => wish.file.as_ref(),
            _ => None,
        };
        let entry = project.filter(|project| project.name == app.project)?.apps.get(&app.app)?;
        Some(&entry.spec)
    }
}

/// An operation under way. Dropping it does not stop the operation; it runs to its end on the runtime.
#[derive(Debug)]
pub struct Operation {
    pub id: OpId,
    /// Ends after `finished`.
    pub events: mpsc::UnboundedReceiver<OpEvent>,
    pub control: Control,
}

/// The only way to influence a running operation.
#[derive(Clone, Debug)]
pub struct Control(pub(super) mpsc::UnboundedSender<Command>);

/// What the executor is told.
#[derive(Debug)]
pub(super) struct Command {
    pub order: Order,
    /// Who said it from another process.
    pub by: Option<String>,
    /// Who waits to hear what came of it.
    pub reply: Option<oneshot::Sender<Reply>>,
}

impl Control {
    /// Asks to stop; a later, more urgent request supersedes an earlier one.
    pub fn cancel(&self, urgency: Urgency) {
        self.send(Order::Cancel { urgency });
    }

    /// Passes the gate that was reached, or resumes after [`Control::pause`].
    pub fn go(&self) {
        self.send(Order::Go);
    }

    /// Begins no new instance until [`Control::go`].
    pub fn pause(&self) {
        self.send(Order::Pause);
    }

    fn send(&self, order: Order) {
        // An operation that has ended needs no command any more.
        let _ = self.0.send(Command { order, by: None, reply: None });
    }
}
