//! Leave to change things: the only door from a connected engine to an operation.
//!
//! Read-only mode is that nobody makes an [`Operator`]: what a [`Session`] can do by itself only reads. The front ends
//! make one in a single place each, after they have asked whether they may (`tests/it/floors.rs` checks it).

use super::certain::Certain;
use super::guard::Guards;
use super::lock::{self, Locks};
use super::outage::Outage;
use super::perform::Context;
use super::pins::Pins;
use super::record::Recorder;
use super::{Error, Operation, Request, Session, clock, run, who};
use crate::docker::{Changes, Shell};
use crate::domain::event::EventKind;
use crate::domain::fleet::EngineInfo;
use crate::domain::ids::ContainerId;
use crate::domain::lock::{Holder, Subject};
use crate::domain::options::Options;
use crate::domain::plan::Plan;
use crate::domain::probe::ProbeSpec;
use crate::domain::record::{Engine, Header, Mask};
use tokio::sync::{OnceCell, mpsc};

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

    /// A shell in a container, in a terminal of so many columns and rows.
    pub async fn shell(&self, id: &ContainerId, size: (u16, u16)) -> Result<Shell, Error> {
        Ok(self.changes.shell(id, size).await?)
    }

    pub(super) fn changes(&self) -> &Changes {
        &self.changes
    }

    /// Locks what the plan touches and runs it on the runtime; the operation goes on whether or not its events are read.
    ///
    /// Where another operation was in the way first, `request` is planned anew under the lock. An error: nothing was touched.
    pub async fn begin(&self, request: &Request, plan: Plan) -> Result<Operation, Error> {
        let op = clock::operation_id();
        let mut sandbox_image = OnceCell::new();
        let (news, told) = mpsc::unbounded_channel();
        let (outage, signs) = Outage::new(&self.changes, request.options().engine_grace);
        let docker = Certain::new(self.changes.clone(), outage);
        let (mut locks, mut plan) = (Locks::none(), plan);
        if plan.is_empty() {
            if let Err(error) = lock::tidy(&docker).await {
                tracing::warn!("can't look for locks of dead consoles: {error}");
            }
        } else {
            let given = self.session.sandbox_image();
            let taken = match self.changes.ensure_sandbox_image(given).await {
                Ok(image) => {
                    let holder = Holder::of(&plan, &op, &who::am_i(), std::process::id(), clock::wall());
                    let subjects = Subject::of(&plan);
                    let taken =
                        Locks::take(&docker, &image, subjects, &holder, request.options().wait_lock, &news).await;
                    sandbox_image = OnceCell::new_with(Some(image));
                    taken
                }
                Err(error) => Err(error.into()),
            };
            match taken {
                Ok((taken, waited)) => {
                    locks = taken;
                    if waited {
                        match self.session.plan(request).await {
                            Ok(anew) => plan = anew,
                            Err(error) => {
                                locks.release().await;
                                return Err(error);
                            }
                        }
                    }
                }
                // Nothing that a lock is made of can run there: it is not what the person came for.
                Err(Error::Docker(error)) if !error.is_unreachable() && !error.is_unknown_outcome() => {
                    let message = format!("not locked against other consoles: {error}");
                    // Its receiver is right here.
                    let _ = news.send(EventKind::Noted { message });
                }
                Err(error) => return Err(error),
            }
        }
        let recorder = self.session.records().map(|records| {
            let header = header(self.session.info(), &plan);
            Recorder::start(records.clone(), op.clone(), header, Mask::of(&plan))
        });
        let context = Context {
            docker,
            op,
            given_sandbox_image: self.session.sandbox_image().cloned(),
            sandbox_image,
            guest_volume: OnceCell::new(),
            pins: Pins::default(),
            locks,
            guards: Guards::default(),
        };
        let records = self.session.records().cloned().filter(|_| !plan.is_empty());
        Ok(run::start(context, plan, told, signs, recorder, records, news))
    }
}

fn header(engine: &EngineInfo, plan: &Plan) -> Header {
    // What a probe runs may hold a secret, and masked it would be another command.
    let probe = plan.options.probe.clone().filter(|probe| !matches!(probe, ProbeSpec::Exec { .. }));
    let options = Options { probe, ..plan.options.clone() };
    Header {
        pitstop: env!("CARGO_PKG_VERSION").into(),
        engine: Engine::of(engine),
        by: who::am_i(),
        pid: std::process::id(),
        resumes: plan.resumes.clone(),
        goal: serde_json::to_value(&plan.goal).unwrap_or_default(),
        options: serde_json::to_value(options).unwrap_or_default(),
    }
}
