//! Locks: a container with a name that only one can have, alive for as long as somebody holds its standard input.
//!
//! Requests only; who takes which lock when, and what losing one means, is for `engine/lock.rs`.

use super::client::{Changes, Docker, READ, within};
use super::error::{DockerError, Failure};
use super::{read, write};
use crate::domain::clean::Clean;
use crate::domain::fleet::State;
use crate::domain::ids::{ContainerId, ImageRef, ObjectName};
use bollard::container::{AttachContainerResults, LogOutput};
use bollard::errors::Error as ClientError;
use bollard::models::{ContainerCreateBody, HostConfig, HostConfigLogConfig};
use bollard::query_parameters::{AttachContainerOptionsBuilder, InspectContainerOptions};
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;
use std::time::Duration;
use tokio::io::{AsyncWrite, AsyncWriteExt};

/// A line not taken by then won't be.
const SAY: Duration = Duration::from_secs(2);

/// A lock that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockSeen {
    pub id: ContainerId,
    pub state: State,
    /// By the engine's clock.
    pub created: Option<Timestamp>,
    pub labels: BTreeMap<String, String>,
    pub image: Clean,
}

/// What holds a lock: dropping it lets go.
pub struct Grip {
    input: Pin<Box<dyn AsyncWrite + Send>>,
    output: BoxStream<'static, Result<LogOutput, ClientError>>,
}

impl Docker {
    /// Whoever has a lock's name.
    pub async fn lock(&self, name: &ObjectName) -> Result<Option<LockSeen>, DockerError> {
        let request = self.client().inspect_container(name.as_str(), None::<InspectContainerOptions>);
        let seen = match self.call("look at lock", name.as_str(), READ, request).await {
            Ok(seen) => seen,
            Err(error) if error.failure == Failure::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let labels = seen.config.as_ref().and_then(|config| config.labels.clone()).unwrap_or_default();
        Ok(read::inspection(seen).map(|seen| LockSeen {
            id: seen.id,
            state: seen.state,
            created: seen.created,
            labels: labels.into_iter().collect(),
            image: seen.image,
        }))
    }

    /// What time it is there: only an engine's own clock may be compared with what it says of its containers.
    pub async fn now(&self) -> Result<Option<Timestamp>, DockerError> {
        let info = self.call("ask", "the engine's clock", READ, self.client().info()).await?;
        Ok(info.system_time.and_then(|time| time.parse().ok()))
    }
}

impl Changes {
    /// Makes a lock, not started: whoever succeeds has it. [`Failure::Conflict`] when somebody else does.
    pub async fn create_lock(
        &self,
        name: &ObjectName,
        image: &ImageRef,
        labels: &BTreeMap<String, String>,
    ) -> Result<ContainerId, DockerError> {
        let body = ContainerCreateBody {
            image: Some(image.to_string()),
            cmd: Some(vec!["lock".to_owned()]),
            labels: Some(write::unsorted(labels)),
            open_stdin: Some(true),
            // Its first holder is its last.
            stdin_once: Some(true),
            attach_stdin: Some(true),
            attach_stdout: Some(true),
            network_disabled: Some(true),
            host_config: Some(HostConfig {
                auto_remove: Some(true),
                network_mode: Some("none".to_owned()),
                cap_drop: Some(vec!["ALL".to_owned()]),
                log_config: Some(HostConfigLogConfig { typ: Some("none".to_owned()), config: None }),
                ..HostConfig::default()
            }),
            ..ContainerCreateBody::default()
        };
        self.create("lock", name, body).await
    }

    /// Takes hold of a lock, before it is started.
    pub async fn grip(&self, lock: &ContainerId) -> Result<Grip, DockerError> {
        let options = AttachContainerOptionsBuilder::new().stream(true).stdin(true).stdout(true).build();
        let request = self.client().attach_container(lock.as_str(), Some(options));
        let AttachContainerResults { output, input } = within("hold", &self.name(lock), READ, request).await?;
        Ok(Grip { input, output })
    }
}

impl Grip {
    /// Says that it is still held.
    pub async fn keep(&mut self) -> io::Result<()> {
        tokio::time::timeout(SAY, async {
            self.input.write_all(b"keep\n").await?;
            self.input.flush().await
        })
        .await?
    }

    /// Ends when the lock is gone, or the connection to it.
    pub async fn lost(&mut self) {
        while let Some(Ok(_)) = self.output.next().await {}
    }
}
