//! Lock containers: made, held by their standard input, looked at.
//!
//! Whoever creates the name first has it. The guest in it runs while its input is open and somebody writes there, and says
//! back what it reads; when it ends, the engine removes the container by itself. When to write, and what follows from an
//! answer that does not come, is `engine/lock.rs`'s to decide.

use super::client::{CREATE, Changes, Docker, READ, REMOVE, START, within};
use super::containers::fine_when_gone;
use super::error::{DockerError, Failure};
use crate::domain::fleet::State;
use crate::domain::ids::{ContainerId, ImageRef, ObjectName};
use crate::domain::lock::Holder;
use bollard::container::LogOutput;
use bollard::errors::Error as ClientError;
use bollard::models::{ContainerCreateBody, HostConfig, HostConfigLogConfig};
use bollard::query_parameters::{
    AttachContainerOptionsBuilder, CreateContainerOptions, InspectContainerOptions, RemoveContainerOptions,
    StartContainerOptions,
};
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::pin::Pin;
use tokio::io::{AsyncWrite, AsyncWriteExt};

/// A lock as the engine has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockSeen {
    pub id: ContainerId,
    pub state: State,
    pub created: Option<Timestamp>,
    /// `None`: a stranger's container of that name.
    pub holder: Option<Holder>,
}

/// A holder's line to its lock. Dropping it lets the lock go.
pub struct LockLine {
    input: Pin<Box<dyn AsyncWrite + Send>>,
    output: BoxStream<'static, Result<LogOutput, ClientError>>,
    /// Of an answer, what has come so far.
    part: Vec<u8>,
}

impl Docker {
    /// The container that has the lock's name.
    pub async fn lock(&self, name: &ObjectName) -> Result<Option<LockSeen>, DockerError> {
        let request = self.client().inspect_container(name.as_str(), None::<InspectContainerOptions>);
        let seen = match self.call("look at lock", name.as_str(), READ, request).await {
            Ok(seen) => seen,
            Err(error) if error.failure == Failure::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let labels: BTreeMap<_, _> =
            seen.config.as_ref().and_then(|config| config.labels.clone()).into_iter().flatten().collect();
        Ok(super::read::inspection(seen).map(|seen| LockSeen {
            id: seen.id,
            state: seen.state,
            created: seen.created,
            holder: Holder::read(&labels),
        }))
    }
}

impl Changes {
    /// Takes the name; [`Failure::Conflict`]: somebody has it. It locks nothing for good until it was started.
    pub async fn create_lock(
        &self,
        name: &ObjectName,
        image: &ImageRef,
        labels: &BTreeMap<String, String>,
    ) -> Result<ContainerId, DockerError> {
        let body = ContainerCreateBody {
            image: Some(image.to_string()),
            cmd: Some(vec!["lock".into()]),
            labels: Some(labels.clone().into_iter().collect()),
            open_stdin: Some(true),
            // It hears the end of input when its one holder is gone.
            stdin_once: Some(true),
            attach_stdin: Some(true),
            attach_stdout: Some(true),
            host_config: Some(HostConfig {
                auto_remove: Some(true),
                network_mode: Some("none".into()),
                cap_drop: Some(vec!["ALL".into()]),
                log_config: Some(HostConfigLogConfig { typ: Some("none".into()), config: None }),
                ..HostConfig::default()
            }),
            ..ContainerCreateBody::default()
        };
        let options = CreateContainerOptions { name: Some(name.to_string()), ..CreateContainerOptions::default() };
        let request = self.client().create_container(Some(options), body);
        let created = self.call("create lock", name.as_str(), CREATE, request).await?;
        let id = ContainerId::new(created.id)
            .map_err(|error| DockerError::new("create lock", name.as_str(), Failure::Broken, &error.to_string()))?;
        self.remember(&id, name.as_str());
        Ok(id)
    }

    /// Removes a container that does not run, and fails for one that does; fine when it is gone.
    pub async fn remove_stopped(&self, id: &ContainerId) -> Result<(), DockerError> {
        let request = self.client().remove_container(id.as_str(), None::<RemoveContainerOptions>);
        fine_when_gone(self.call("remove", &self.name(id), REMOVE, request).await)
    }

    /// Attaches to the lock and starts it: from then on it holds for as long as the line does.
    pub async fn hold_lock(&self, id: &ContainerId) -> Result<LockLine, DockerError> {
        let name = self.name(id);
        let options = AttachContainerOptionsBuilder::new().stream(true).stdin(true).stdout(true).build();
        // No slot: it lasts as long as the operation.
        let attach = self.client().attach_container(id.as_str(), Some(options));
        let attached = within("attach to lock", &name, READ, attach).await?;
        let start = self.client().start_container(id.as_str(), None::<StartContainerOptions>);
        self.call("start lock", &name, START, start).await?;
        Ok(LockLine { input: attached.input, output: attached.output, part: Vec::new() })
    }
}

impl LockLine {
    /// Says that the holder is there, with a number to know the answer by.
    pub async fn renew(&mut self, number: u64) -> std::io::Result<()> {
        self.input.write_all(format!("{number}\n").as_bytes()).await?;
        self.input.flush().await
    }

    /// The next number that the lock says back; `None` when it is held no more. May be dropped and asked again.
    pub async fn heard(&mut self) -> Option<u64> {
        loop {
            if let Some(end) = self.part.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.part.drain(..=end).collect();
                if let Some(number) = std::str::from_utf8(&line[..end]).ok().and_then(|text| text.parse().ok()) {
                    return Some(number);
                }
                continue;
            }
            // A lock has little to say: more than this is no lock's.
            if self.part.len() > 4096 {
                return None;
            }
            self.part.extend_from_slice(&self.output.next().await?.ok()?.into_bytes());
        }
    }

    /// Lets go and waits for the end of what the lock says.
    pub async fn let_go(mut self) {
        // Where that fails the connection is gone already, and with it the hold.
        let _ = self.input.shutdown().await;
        while self.heard().await.is_some() {}
    }
}
