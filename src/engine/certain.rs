//! Changes that are certain: sent, looked for where the answer was lost, and sent again only when they did not happen.
//!
//! Stands in front of [`Changes`] with the same methods, and waits for an engine that is away. What a look means is
//! decided by `domain/unknown.rs`. Must not decide anything about a plan.

use super::clock;
use super::outage::Outage;
use crate::docker::{
    AppCreation, Changes, DockerError, DrainNote, Exec, ExecEnd, Failure, Holding, LockSeen, PlaceCreation,
    PullProgress, SandboxCreation, Stopped, Watch,
};
use crate::domain::facts::ImageSeen;
use crate::domain::fleet::{Container, NetworkSeen, State};
use crate::domain::ids::{AppId, ContainerId, ImageRef, ObjectName};
use crate::domain::labels::OwnLabels;
use crate::domain::plan::RevisionRecord;
use crate::domain::probe::ProbeSpec;
use crate::domain::project::{NetworkSpec, VolumeSpec};
use crate::domain::spec::RestartPolicy;
use crate::domain::unknown::{self, Next, Reply, Seen};
use crate::domain::warm::HoldAt;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

/// Between two looks: first, and at most.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// How often something is read before an engine that answers otherwise is believed to be unable to.
const READS: u32 = 5;
/// Between attempts to pull from a registry that is busy: limits and restarts last seconds, or longer than anybody waits.
const REGISTRY: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(3), Duration::from_secs(9)];
/// A stop's own grace, where nobody says it and the container can't be asked.
const GRACE: Duration = Duration::from_secs(10);

/// Leave to change an engine, for an operation: every change is certain. Cheap to clone.
#[derive(Clone)]
pub(super) struct Certain {
    changes: Changes,
    outage: Arc<Outage>,
}

impl Deref for Certain {
    type Target = Changes;

    fn deref(&self) -> &Changes {
        &self.changes
    }
}

/// A change with all it needs.
enum Change<'a> {
    Sandbox(&'a SandboxCreation),
    App(&'a AppCreation),
    Place(&'a PlaceCreation),
    /// With when it was started last.
    Start(&'a ContainerId, Option<Timestamp>),
    Stop(&'a ContainerId, Option<Duration>),
    Remove(&'a ContainerId, bool),
    Rename(&'a ContainerId, &'a ObjectName),
    Restart(&'a ContainerId, &'a RestartPolicy),
    Network(&'a NetworkSpec, &'a str),
    Volume(&'a VolumeSpec, &'a str),
    RemoveNetwork(&'a ObjectName),
    RemoveVolume(&'a ObjectName),
    Revisions(&'a ContainerId, &'a [RevisionRecord]),
    DrainNote(&'a ContainerId, Option<&'a DrainNote>),
    SandboxImage(Option<&'a ImageRef>),
}

/// What a change gives.
enum Made {
    Nothing,
    Container(ContainerId),
    Stopped(Stopped),
    Image(ImageRef),
}

/// Reads that go on as soon as the engine is there.
macro_rules! reads {
    ($($(#[$doc:meta])* $name:ident($($arg:ident: $type:ty),*) -> $out:ty;)+) => {
        $($(#[$doc])*
        pub async fn $name(&self, $($arg: $type),*) -> Result<$out, DockerError> {
            let mut tries = 0;
            loop {
                match self.changes.$name($($arg),*).await {
                    Err(error) => self.after_read(error, &mut tries).await?,
                    seen => return seen,
                }
            }
        })+
    };
}

impl Certain {
    pub fn new(changes: Changes, outage: Arc<Outage>) -> Self {
        Self { changes, outage }
    }

    pub fn outage(&self) -> &Arc<Outage> {
        &self.outage
    }

    reads! {
        inspect(id: &ContainerId) -> Option<Container>;
        find(name: &ObjectName) -> Option<Container>;
        image(reference: &ImageRef) -> Option<ImageSeen>;
        network(name: &ObjectName) -> Option<NetworkSeen>;
        list() -> Vec<Container>;
        lock(name: &ObjectName) -> Option<LockSeen>;
        watch(sandbox: &ContainerId, probe: &ProbeSpec) -> Watch;
        watch_closely(sandbox: &ContainerId, probe: &ProbeSpec) -> Watch;
        hold(sandbox: &ContainerId, token: &str, hold: HoldAt) -> Holding;
        ensure_guest_volume(image: &ImageRef, app: &AppId) -> ObjectName;
        prepare_exec(id: &ContainerId, command: &[String]) -> Exec;
        look_at_exec(exec: &Exec) -> ExecEnd;
    }

    /// As [`Docker::detailed`](crate::docker::Docker::detailed).
    pub async fn detailed(&self, containers: Vec<Container>) -> Result<Vec<Container>, DockerError> {
        let mut tries = 0;
        loop {
            match self.changes.detailed(containers.clone()).await {
                Err(error) => self.after_read(error, &mut tries).await?,
                seen => return seen,
            }
        }
    }

    async fn after_read(&self, error: DockerError, tries: &mut u32) -> Result<(), DockerError> {
        let count = self.outage.count();
        if !error.is_lost() && error.failure != Failure::Server {
            return Err(error);
        }
        *tries += 1;
        if self.outage.over().await.is_err() || (*tries >= READS && self.outage.count() == count) {
            return Err(error);
        }
        tokio::time::sleep(PAUSE.0 * *tries).await;
        Ok(())
    }

    pub async fn create_sandbox(&self, creation: &SandboxCreation) -> Result<ContainerId, DockerError> {
        self.container(Change::Sandbox(creation), &creation.name).await
    }

    pub async fn create_app(&self, creation: &AppCreation) -> Result<ContainerId, DockerError> {
        self.container(Change::App(creation), &creation.name).await
    }

    pub async fn create_place(&self, creation: &PlaceCreation) -> Result<ContainerId, DockerError> {
        self.container(Change::Place(creation), &creation.name).await
    }

    pub async fn start(&self, id: &ContainerId) -> Result<(), DockerError> {
        // When it was started last, so that a start that was followed by an end is seen.
        let before = self.inspect(id).await?.and_then(|seen| seen.started_at());
        self.carry_out(Change::Start(id, before)).await.map(drop)
    }

    /// Starts one that this operation has made and never started, without a look before: nobody serves meanwhile.
    pub async fn start_new(&self, id: &ContainerId) -> Result<(), DockerError> {
        self.carry_out(Change::Start(id, None)).await.map(drop)
    }

    pub async fn stop(&self, id: &ContainerId, grace: Option<Duration>) -> Result<Stopped, DockerError> {
        if let Made::Stopped(stopped) = self.carry_out(Change::Stop(id, grace)).await? {
            return Ok(stopped);
        }
        let exit_code = self.inspect(id).await?.and_then(|seen| seen.detail).map_or(0, |detail| detail.exit_code);
        Ok(Stopped { exit_code, killed: exit_code == Stopped::KILLED, already: false })
    }

    pub async fn remove(&self, id: &ContainerId, volumes: bool) -> Result<(), DockerError> {
        self.carry_out(Change::Remove(id, volumes)).await.map(drop)
    }

    pub async fn rename(&self, id: &ContainerId, name: &ObjectName) -> Result<(), DockerError> {
        self.carry_out(Change::Rename(id, name)).await.map(drop)
    }

    /// Looks first each time, so that asking again after a lost answer does no harm.
    pub async fn unpause(&self, id: &ContainerId) -> Result<(), DockerError> {
        let mut tries = 0;
        loop {
            match self.changes.unpause(id).await {
                Err(error) => self.after_read(error, &mut tries).await?,
                done => return done,
            }
        }
    }

    pub async fn set_restart(&self, id: &ContainerId, policy: &RestartPolicy) -> Result<(), DockerError> {
        self.carry_out(Change::Restart(id, policy)).await.map(drop)
    }

    pub async fn create_network(&self, spec: &NetworkSpec, project: &str) -> Result<(), DockerError> {
        self.carry_out(Change::Network(spec, project)).await.map(drop)
    }

    pub async fn create_volume(&self, spec: &VolumeSpec, project: &str) -> Result<(), DockerError> {
        self.carry_out(Change::Volume(spec, project)).await.map(drop)
    }

    pub async fn remove_network(&self, name: &ObjectName) -> Result<(), DockerError> {
        self.carry_out(Change::RemoveNetwork(name)).await.map(drop)
    }

    pub async fn remove_volume(&self, name: &ObjectName) -> Result<(), DockerError> {
        self.carry_out(Change::RemoveVolume(name)).await.map(drop)
    }

    pub async fn write_revisions(&self, sandbox: &ContainerId, records: &[RevisionRecord]) -> Result<(), DockerError> {
        self.carry_out(Change::Revisions(sandbox, records)).await.map(drop)
    }

    pub async fn write_drain_note(&self, sandbox: &ContainerId, note: Option<&DrainNote>) -> Result<(), DockerError> {
        self.carry_out(Change::DrainNote(sandbox, note)).await.map(drop)
    }

    pub async fn ensure_sandbox_image(&self, given: Option<&ImageRef>) -> Result<ImageRef, DockerError> {
        match self.carry_out(Change::SandboxImage(given)).await? {
            Made::Image(image) => Ok(image),
            // What may be done twice is done until it answers.
            _ => self.changes.ensure_sandbox_image(given).await,
        }
    }

    /// Pulls; layers that are there already are not fetched again.
    pub async fn pull(
        &self,
        image: &ImageRef,
        mut on_progress: impl FnMut(PullProgress) + Send,
    ) -> Result<(), DockerError> {
        let (mut tries, mut pauses) = (0, REGISTRY.into_iter());
        loop {
            match self.changes.pull(image, &mut on_progress).await {
                Err(error) if error.failure == Failure::Busy => {
                    let Some(pause) = pauses.next() else { return Err(error) };
                    tracing::info!(%error, "the registry is asked again");
                    let note = format!("the registry is busy, asked again in {} s", pause.as_secs());
                    on_progress(PullProgress { note, ..PullProgress::default() });
                    tokio::time::sleep(pause).await;
                }
                // What a registry says comes as a fault of the engine's, and is an answer.
                Err(error) if error.is_lost() => self.after_read(error, &mut tries).await?,
                done => return done,
            }
        }
    }

    async fn container(&self, change: Change<'_>, name: &ObjectName) -> Result<ContainerId, DockerError> {
        if let Made::Container(id) = self.carry_out(change).await? {
            return Ok(id);
        }
        match self.find(name).await? {
            Some(made) => Ok(made.id),
            None => Err(DockerError::vanished("create", name.as_str())),
        }
    }

    /// Sends it until it is known to be done, or known to have failed. The deadline is the step's.
    async fn carry_out(&self, change: Change<'_>) -> Result<Made, DockerError> {
        let mut doubt = false;
        loop {
            let count = self.outage.count();
            let error = match self.send(&change).await {
                Ok(made) => return Ok(made),
                Err(error) => error,
            };
            let Some(reply) = reply(&change, &error, doubt) else { return Err(error) };
            tracing::debug!(%error, "the outcome is unknown: looking");
            match self.look_until_certain(&change, reply, &error, count).await? {
                Next::Done => return Ok(Made::Nothing),
                Next::Again => doubt = true,
                Next::Fail | Next::LookAgain => return Err(error),
            }
        }
    }

    async fn look_until_certain(
        &self,
        change: &Change<'_>,
        reply: Reply,
        error: &DockerError,
        count: u32,
    ) -> Result<Next, DockerError> {
        let (asked, kind) = (clock::instant(), self.kind(change).await);
        let mut pause = PAUSE.0;
        loop {
            if self.outage.over().await.is_err() {
                return Err(error.clone().unknown());
            }
            match self.look(change).await {
                Ok(seen) => {
                    let another = self.outage.count() != count;
                    match unknown::next(kind, unknown::finding(kind, seen), reply, asked.elapsed(), another) {
                        Next::LookAgain => {}
                        next => return Ok(next),
                    }
                }
                Err(error) if error.is_lost() || error.failure == Failure::Server => {
                    tracing::debug!(%error, "looking failed");
                }
                Err(error) => return Err(error),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE.1);
        }
    }

    async fn send(&self, change: &Change<'_>) -> Result<Made, DockerError> {
        let to = &self.changes;
        match *change {
            Change::Sandbox(creation) => return self.make_sandbox(creation).await.map(Made::Container),
            Change::App(creation) => return to.create_app(creation).await.map(Made::Container),
            Change::Place(creation) => return to.create_place(creation).await.map(Made::Container),
            Change::Stop(id, grace) => return to.stop(id, grace).await.map(Made::Stopped),
            Change::SandboxImage(given) => return to.ensure_sandbox_image(given).await.map(Made::Image),
            Change::Start(id, _) => to.start(id).await,
            Change::Remove(id, volumes) => to.remove(id, volumes).await,
            Change::Rename(id, name) => to.rename(id, name).await,
            Change::Restart(id, policy) => to.set_restart(id, policy).await,
            Change::Network(spec, project) => to.create_network(spec, project).await,
            Change::Volume(spec, project) => to.create_volume(spec, project).await,
            Change::RemoveNetwork(name) => to.remove_network(name).await,
            Change::RemoveVolume(name) => to.remove_volume(name).await,
            Change::Revisions(sandbox, records) => to.write_revisions(sandbox, records).await,
            Change::DrainNote(sandbox, note) => to.write_drain_note(sandbox, note).await,
        }
        .map(|()| Made::Nothing)
    }

    /// A sandbox is made in several requests (one a network): one that was left between them by this very operation is
    /// nobody's yet, and made anew.
    async fn make_sandbox(&self, creation: &SandboxCreation) -> Result<ContainerId, DockerError> {
        let made = self.changes.create_sandbox(creation).await;
        let half = match &made {
            Err(error) if error.is_lost() || matches!(error.failure, Failure::Conflict | Failure::Server) => {
                self.outage.over().await.map_err(|_| error.clone().unknown())?;
                self.find(&creation.name).await?
            }
            _ => return made,
        };
        let ours = half.filter(|half| half.state == State::Created && is_made_by(half, &creation.labels));
        let Some(half) = ours else { return made };
        Box::pin(self.remove(&half.id, true)).await?;
        match made {
            Err(error) if error.failure == Failure::Conflict => self.changes.create_sandbox(creation).await,
            made => made,
        }
    }

    async fn kind(&self, change: &Change<'_>) -> unknown::Change {
        match change {
            Change::Sandbox(_) | Change::App(_) | Change::Place(_) => unknown::Change::Create,
            Change::Start(..) => unknown::Change::Start,
            Change::Stop(_, Some(grace)) => unknown::Change::Stop { grace: *grace },
            Change::Stop(id, None) => {
                let seen = self.inspect(id).await.ok().flatten().and_then(|seen| seen.detail);
                let own = seen.and_then(|detail| detail.stop_grace_ms).map(Duration::from_millis);
                unknown::Change::Stop { grace: own.unwrap_or(GRACE) }
            }
            Change::Remove(..) => unknown::Change::Remove,
            Change::Rename(..) => unknown::Change::Rename,
            Change::Restart(..) => unknown::Change::Update,
            Change::Network(..) | Change::Volume(..) => unknown::Change::Provide,
            Change::RemoveNetwork(_) | Change::RemoveVolume(_) => unknown::Change::Withdraw,
            Change::Revisions(..) | Change::DrainNote(..) | Change::SandboxImage(_) => unknown::Change::Repeatable,
        }
    }

    async fn look(&self, change: &Change<'_>) -> Result<Seen, DockerError> {
        let at = &self.changes;
        let there = |there: bool| Seen { state: there.then_some(State::Created), ..Seen::default() };
        let of = |container: Option<Container>, judge: &dyn Fn(&Container, Seen) -> Seen| {
            container.map_or_else(Seen::default, |container| {
                judge(&container, Seen { state: Some(container.state), ..Seen::default() })
            })
        };
        Ok(match *change {
            // Half-made ones were removed: what is there was finished, or is somebody else's.
            Change::Sandbox(creation) => of(at.find(&creation.name).await?, &|container, seen| Seen {
                ours: is_made_by(container, &creation.labels),
                ..seen
            }),
            Change::App(creation) => of(at.find(&creation.name).await?, &|container, seen| Seen {
                ours: is_made_by(container, &creation.labels),
                ..seen
            }),
            Change::Place(creation) => of(at.find(&creation.name).await?, &|container, seen| Seen {
                ours: is_made_by(container, &creation.labels),
                ..seen
            }),
            Change::Start(id, before) => {
                of(at.inspect(id).await?, &|container, seen| Seen { started: before != container.started_at(), ..seen })
            }
            Change::Stop(id, _) | Change::Remove(id, _) => of(at.inspect(id).await?, &|_, seen| seen),
            Change::Rename(id, name) => of(at.inspect(id).await?, &|container, seen| Seen {
                as_wanted: &*container.name == name.as_str(),
                ..seen
            }),
            Change::Restart(id, policy) => of(at.inspect(id).await?, &|container, seen| Seen {
                as_wanted: container.detail.as_ref().is_some_and(|detail| detail.restart == *policy),
                ..seen
            }),
            Change::Network(spec, _) => match ObjectName::new(&*spec.name) {
                Ok(name) => there(at.network(&name).await?.is_some()),
                Err(_) => Seen::default(),
            },
            Change::RemoveNetwork(name) => there(at.network(name).await?.is_some()),
            Change::Volume(spec, _) => there(self.has_volume(&spec.name).await?),
            Change::RemoveVolume(name) => there(self.has_volume(name.as_str()).await?),
            Change::Revisions(..) | Change::DrainNote(..) | Change::SandboxImage(_) => Seen::default(),
        })
    }

    async fn has_volume(&self, name: &str) -> Result<bool, DockerError> {
        Ok(self.changes.volumes().await?.iter().any(|volume| volume.name == name))
    }
}

/// What an error says about a change's outcome; `None`: it is definite. `doubt`: an earlier try's answer was lost.
fn reply(change: &Change<'_>, error: &DockerError, doubt: bool) -> Option<Reply> {
    match error.failure {
        _ if error.is_lost() => Some(Reply::Lost),
        Failure::Server => Some(Reply::Failed),
        Failure::Conflict if doubt || matches!(change, Change::Remove(..)) => Some(Reply::Conflict),
        _ => None,
    }
}

/// Whether that container is what these labels were written for, by the same operation.
fn is_made_by(container: &Container, labels: &BTreeMap<String, String>) -> bool {
    let wanted = OwnLabels::read(labels);
    let own = container.own.as_ref();
    own.zip(wanted.as_ref()).is_some_and(|(own, wanted)| {
        own.operation == wanted.operation && own.role == wanted.role && own.spec_hash == wanted.spec_hash
    })
}
