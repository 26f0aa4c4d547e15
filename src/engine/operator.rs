//! Leave to change things: the only door from a connected engine to an operation.
//!
//! Read-only mode is that nobody makes an [`Operator`]: what a [`Session`] can do by itself only reads. The front ends
//! make one in a single place each, after they have asked whether they may (`tests/it/floors.rs` checks it).

use super::record::Recorder;
use super::{Operation, Session, clock, run, who};
use crate::docker::Changes;
use crate::domain::fleet::EngineInfo;
use crate::domain::plan::Plan;
use crate::domain::record::{Engine, Header, Mask};

/// A connected engine that may be changed. Cheap to clone.
#[derive(Clone)]
pub struct Operator {
    session: Session,
    changes: Changes,
}

impl Operator {
    /// Leave to change what `session` shows.
    pub fn of(session: &Session) -> Self {
        Self { session: session.clone(), changes: Changes::of(session.docker()) }
    }

    pub(super) fn changes(&self) -> &Changes {
        &self.changes
    }

    /// Runs a plan on the runtime; the operation goes on whether or not its events are read.
    pub fn run(&self, plan: Plan) -> Operation {
        let op = clock::operation_id();
        let recorder = self.session.records().map(|records| {
            let header = header(self.session.info(), &plan);
            Recorder::start(records.clone(), op.clone(), header, Mask::of(&plan))
        });
        run::start(
            self.changes.clone(),
            self.session.sandbox_image().cloned(),
            op,
            plan,
            recorder,
            std::time::Duration::from_secs(60),
        )
    }
}

fn header(engine: &EngineInfo, plan: &Plan) -> Header {
    Header {
        pitstop: env!("CARGO_PKG_VERSION").into(),
        engine: Engine { host: engine.host.clone(), name: engine.name.clone(), version: engine.version.clone() },
        by: who::am_i(),
        pid: std::process::id(),
        resumes: plan.resumes.clone(),
        goal: serde_json::to_value(&plan.goal).unwrap_or_default(),
    }
}
