//! Containers as they are, and the changes that are one request each.

use super::client::{Changes, Docker, LIST, READ, REMOVE, START, STOP_EXTRA, within};
use super::error::{DockerError, Failure};
use super::{list, read, write};
use crate::domain::fleet::{Container, Fleet, State};
use crate::domain::ids::{ContainerId, ObjectName};
use crate::domain::spec::RestartPolicy;
use bollard::errors::Error as ClientError;
use bollard::models::ContainerUpdateBody;
use bollard::query_parameters::{
    InspectContainerOptions, RemoveContainerOptions, RenameContainerOptions, StartContainerOptions,
    StopContainerOptions, WaitContainerOptions,
};
use futures_util::{StreamExt, TryStreamExt, stream};
use std::collections::HashMap;
use std::pin::pin;
use std::time::Duration;
use tokio::time::timeout;

/// How often, and how far apart, an answer is asked for again that tells of a container not cleaned up yet.
const CLEANED_UP: (u32, Duration) = (30, Duration::from_millis(100));
/// The exit code comes with the end of the stop, or it is looked for.
const CODE_FOLLOWS: Duration = Duration::from_millis(50);
/// Inspections side by side. Each holds a connection's buffers and a whole answer, 70 kB together, and an allocator keeps what the
/// most of them took; more are no faster (100 containers on two cores), and sshd turns away more than ten that come at once.
const INSPECTIONS: usize = 8;
/// Longer than an inspection waits for what the engine is about with the container: past it, it is shown without.
const GLIMPSE: Duration = Duration::from_secs(3);
/// What the engine waits between signal and kill when neither we nor the container say.
pub(super) const DEFAULT_GRACE: Duration = Duration::from_secs(10);

/// How a container ended when it was asked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped {
    pub exit_code: i64,
    /// It did not end within the grace period and was killed.
    pub killed: bool,
    /// It did not run in the first place.
    pub already: bool,
}

impl Stopped {
    /// The exit code of a process that SIGKILL ended.
    pub const KILLED: i64 = 137;
}

impl Docker {
    /// All containers, running or not, without detail.
    pub async fn list(&self) -> Result<Vec<Container>, DockerError> {
        self.list_where(HashMap::new()).await
    }

    pub(super) async fn list_where(
        &self,
        filters: HashMap<String, Vec<String>>,
    ) -> Result<Vec<Container>, DockerError> {
        let (path, mut tries) = (list::path(&filters), 0);
        loop {
            let mut containers = Vec::new();
            let entries = list::read(self.raw(&path), |container| {
                self.remember(&container.id, &container.name);
                containers.push(container);
            });
            match self.call("list", "containers", LIST, entries).await {
                // Podman has a word for a container that has ended and is not cleaned up yet, which Docker's model does not know.
                Err(error) if self.info().podman && error.failure == Failure::Broken && tries < CLEANED_UP.0 => {
                    tries += 1;
                    tokio::time::sleep(CLEANED_UP.1).await;
                }
                done => return done.map(|()| containers),
            }
        }
    }

    /// One container with its detail; `None` when there is none with that id.
    pub async fn inspect(&self, id: &ContainerId) -> Result<Option<Container>, DockerError> {
        self.look("inspect", id.as_str(), &self.name(id)).await
    }

    /// One container with its detail by its exact name.
    pub async fn find(&self, name: &ObjectName) -> Result<Option<Container>, DockerError> {
        // The engine takes a prefix of an id for a name too.
        let found = self.look("find", name.as_str(), name.as_str()).await?;
        Ok(found.filter(|container| &*container.name == name.as_str()))
    }

    async fn look(&self, operation: &'static str, key: &str, shown: &str) -> Result<Option<Container>, DockerError> {
        let request = self.client().inspect_container(key, None::<InspectContainerOptions>);
        match self.call(operation, shown, READ, request).await {
            Ok(seen) => {
                let seen = read::inspection(seen);
                if let Some(container) = &seen {
                    self.remember(&container.id, &container.name);
                }
                Ok(seen)
            }
            Err(error) if error.failure == Failure::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Fills in the detail of those given, side by side; those that vanished meanwhile are dropped.
    ///
    /// What an inspection shows goes before what the list showed, but for the engine's sentence.
    pub async fn detailed(&self, listed: Vec<Container>) -> Result<Vec<Container>, DockerError> {
        let ids: Vec<_> = listed.iter().map(|container| container.id.clone()).collect();
        let looks = ids.into_iter().map(async |id| {
            let seen = self.inspect(&id).await?;
            Ok((id, seen.map_or(Seen::Gone, |seen| Seen::Whole(seen.into()))))
        });
        Ok(together(listed, side_by_side(looks).await?))
    }

    /// As [`Docker::detailed`], for showing: one that the engine can't be made to tell of is there as it is listed.
    ///
    /// A daemon may hang over a single container for good, while it lists all and has the others inspected.
    pub(super) async fn shown(&self, listed: Vec<Container>) -> Result<Vec<Container>, DockerError> {
        let ids = listed.iter().map(|container| container.id.clone()).collect();
        Ok(together(listed, self.glimpses(ids).await?))
    }

    /// Those of `ids` that are there, as [`Docker::shown`], for one who has just heard an event of them.
    ///
    /// An inspection waits for what the engine is about with a container, while a list tells of it as it was before:
    /// so the list comes last. `ids` are some, for to ask for nobody is to ask for all.
    pub(super) async fn shown_some(&self, ids: Vec<ContainerId>) -> Result<Vec<Container>, DockerError> {
        let some = HashMap::from([("id".to_owned(), ids.iter().map(ToString::to_string).collect())]);
        let seen = self.glimpses(ids).await?;
        Ok(together(self.list_where(some).await?, seen))
    }

    async fn glimpses(&self, ids: Vec<ContainerId>) -> Result<HashMap<ContainerId, Seen>, DockerError> {
        let looks = ids.into_iter().map(async |id| match timeout(GLIMPSE, self.inspect(&id)).await {
            Ok(Ok(seen)) => Ok((id, seen.map_or(Seen::Gone, |seen| Seen::Whole(seen.into())))),
            Ok(Err(error)) if !matches!(error.failure, Failure::Timeout | Failure::Server) => Err(error),
            Ok(Err(_)) | Err(_) => {
                tracing::warn!("{} is shown as it is listed: the engine can't be made to tell more", self.name(&id));
                Ok((id, Seen::Not))
            }
        });
        side_by_side(looks).await
    }

    /// The fleet now, for showing: every container with its detail, where the engine tells it.
    pub async fn fleet(&self) -> Result<Fleet, DockerError> {
        let containers = self.shown(self.list().await?).await?;
        Ok(Fleet::assemble(self.info().clone(), containers))
    }
}

/// What asking for one container came to.
enum Seen {
    Whole(Box<Container>),
    Gone,
    /// The engine did not tell.
    Not,
}

/// So many at a time.
async fn side_by_side<F: Future<Output = Result<(ContainerId, Seen), DockerError>>>(
    looks: impl Iterator<Item = F>,
) -> Result<HashMap<ContainerId, Seen>, DockerError> {
    stream::iter(looks).buffer_unordered(INSPECTIONS).try_collect().await
}

/// What was seen, with the engine's sentence about it; else what is listed.
fn together(listed: Vec<Container>, mut seen: HashMap<ContainerId, Seen>) -> Vec<Container> {
    let one = |listed: Container| match seen.remove(&listed.id)? {
        Seen::Whole(seen) => Some(Container { status: listed.status, ..*seen }),
        Seen::Gone => None,
        Seen::Not => Some(listed),
    };
    listed.into_iter().filter_map(one).collect()
}

impl Changes {
    /// Starts it; fine when it runs already.
    pub async fn start(&self, id: &ContainerId) -> Result<(), DockerError> {
        let request = self.client().start_container(id.as_str(), None::<StartContainerOptions>);
        self.call("start", &self.name(id), START, request).await
    }

    /// Asks it to end and kills it after `grace` (`None`: the container's own, else 10 s).
    ///
    /// Dropping the future does not take the request back: engines may answer a vanished client with SIGKILL.
    pub async fn stop(&self, id: &ContainerId, grace: Option<Duration>) -> Result<Stopped, DockerError> {
        let name = self.name(id);
        let Some(before) = self.inspect(id).await? else {
            return Err(DockerError::new("stop", &name, Failure::NotFound, "this container is gone"));
        };
        let code = |container: &Container| container.detail.as_ref().map_or(0, |detail| detail.exit_code);
        if matches!(before.state, State::Created | State::Exited | State::Dead) {
            return Ok(Stopped { exit_code: code(&before), killed: false, already: true });
        }
        let own = before.detail.as_ref().and_then(|detail| detail.stop_grace_ms).map(Duration::from_millis);
        // Podman shows none where nobody said one, and would kill at once.
        let unsaid = self.info().podman && own.is_none_or(|own| own.is_zero());
        let grace = grace.or(unsaid.then_some(DEFAULT_GRACE));
        let deadline = grace.or(own).unwrap_or(DEFAULT_GRACE) + STOP_EXTRA;
        let (docker, stopped, shown) = (self.client().clone(), id.clone(), name.clone());
        // Detached, and without a slot: sixteen slow stops must not keep anybody from looking.
        let mut request = tokio::spawn(async move {
            let t = grace.map(|grace| i32::try_from(grace.as_millis().div_ceil(1000)).unwrap_or(i32::MAX));
            let options = StopContainerOptions { t, ..StopContainerOptions::default() };
            within("stop", &shown, deadline, docker.stop_container(stopped.as_str(), Some(options))).await
        });
        // Asked for beforehand: the way there and back afterwards would be time in which nobody serves.
        let (mut ended, mut exit_code) = (pin!(self.exit_code(id)), None);
        let done = loop {
            tokio::select! {
                done = &mut request => break done,
                code = &mut ended, if exit_code.is_none() => exit_code = Some(code),
            }
        };
        match done {
            Ok(done) => done?,
            Err(error) => return Err(DockerError::new("stop", &name, Failure::Broken, &error.to_string())),
        }
        if exit_code.is_none() {
            exit_code = timeout(CODE_FOLLOWS, ended).await.ok();
        }
        let exit_code = match exit_code.flatten() {
            Some(exit_code) => exit_code,
            // Started with `--rm` it is gone with its exit code.
            None => self.inspect(id).await?.as_ref().map_or(0, code),
        };
        Ok(Stopped { exit_code, killed: exit_code == Stopped::KILLED, already: false })
    }

    /// Its exit code as soon as it runs no more; `None` where the engine does not say.
    async fn exit_code(&self, id: &ContainerId) -> Option<i64> {
        match pin!(self.client().wait_container(id.as_str(), None::<WaitContainerOptions>)).next().await? {
            Ok(ended) => Some(ended.status_code),
            Err(ClientError::DockerContainerWaitError { code, .. }) => Some(code),
            Err(_) => None,
        }
    }

    /// Removes it, with its anonymous volumes when told; fine when it is gone. A running one is killed.
    pub async fn remove(&self, id: &ContainerId, volumes: bool) -> Result<(), DockerError> {
        let options = RemoveContainerOptions { v: volumes, force: true, ..RemoveContainerOptions::default() };
        let request = self.client().remove_container(id.as_str(), Some(options));
        fine_when_gone(self.call("remove", &self.name(id), REMOVE, request).await)
    }

    /// Lets it go on; fine when it is not paused.
    pub async fn unpause(&self, id: &ContainerId) -> Result<(), DockerError> {
        if self.inspect(id).await?.is_some_and(|seen| seen.state != State::Paused) {
            return Ok(());
        }
        self.call("unpause", &self.name(id), START, self.client().unpause_container(id.as_str())).await
    }

    /// Gives it another name; fails with [`Failure::Conflict`] when that is taken.
    pub async fn rename(&self, id: &ContainerId, name: &ObjectName) -> Result<(), DockerError> {
        let options = RenameContainerOptions { name: name.to_string() };
        self.call("rename", &self.name(id), READ, self.client().rename_container(id.as_str(), options)).await
    }

    /// Sets when the engine starts it again by itself.
    pub async fn set_restart(&self, id: &ContainerId, policy: &RestartPolicy) -> Result<(), DockerError> {
        let body =
            ContainerUpdateBody { restart_policy: Some(write::restart(policy)), ..ContainerUpdateBody::default() };
        let request = self.client().update_container(id.as_str(), body);
        match self.call("set restart policy of", &self.name(id), READ, request).await {
            // Podman before 5.1 has no such request; it restarts nothing by itself but what has ended.
            Err(error) if self.info().podman && error.failure == Failure::NotFound => {
                tracing::warn!(%error, "this Podman can't change a restart policy; the one it was made with stays");
                Ok(())
            }
            done => done,
        }
    }
}

/// Removing what is not there is no failure.
pub(super) fn fine_when_gone(done: Result<(), DockerError>) -> Result<(), DockerError> {
    match done {
        Err(error) if error.failure == Failure::NotFound => Ok(()),
        other => other,
    }
}
