//! Asking a sandbox's first process to watch: it is the guest, runs already, and takes commands on its standard input.
//!
//! One request and no new process in the engine, where an exec costs a hundred milliseconds of its CPU. What can be
//! said is in `guest/commands.rs`. Others may be attached at the same time: each reads the lines that carry its own id.

use super::client::{Changes, READ, within};
use super::error::DockerError;
use crate::domain::ids::ContainerId;
use crate::domain::probe::ProbeSpec;
use bollard::container::{AttachContainerResults, LogOutput};
use bollard::errors::Error as ClientError;
use bollard::query_parameters::AttachContainerOptionsBuilder;
use futures_util::stream::BoxStream;
use std::collections::hash_map::RandomState;
use std::convert::Infallible;
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::pin::Pin;
use std::time::Duration;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::oneshot;

/// Well below the guest's lease of 10 s: two of these may get lost.
const KEEP: Duration = Duration::from_secs(3);
/// A command of some dozen bytes not taken by then won't be.
const SAY: Duration = Duration::from_secs(2);

type Input = Pin<Box<dyn AsyncWrite + Send>>;

/// A watch asked for. Dropping it ends the watch.
pub(super) struct Attached {
    pub(super) output: BoxStream<'static, Result<LogOutput, ClientError>>,
    /// In front of each line that belongs to this watch.
    pub(super) prefix: String,
    /// Its end is the keeper's sign.
    _held: oneshot::Sender<Infallible>,
}

impl Changes {
    /// Attaches to the sandbox and asks for a watch of `probe`; whether anybody there understands shows in the output.
    pub(super) async fn ask(
        &self,
        operation: &'static str,
        sandbox: &ContainerId,
        probe: &ProbeSpec,
    ) -> Result<Attached, DockerError> {
        let options = AttachContainerOptionsBuilder::new().stream(true).stdin(true).stdout(true).build();
        // No slot: it lasts as long as the watch.
        let request = self.client().attach_container(sandbox.as_str(), Some(options));
        let AttachContainerResults { output, input } = within(operation, &self.name(sandbox), READ, request).await?;
        let id = format!("{:016x}", RandomState::new().build_hasher().finish());
        let (held, dropped) = oneshot::channel();
        let prefix = format!("{id} ");
        tokio::spawn(keep(input, id, probe.to_string(), dropped));
        Ok(Attached { output, prefix, _held: held })
    }
}

/// Begins the watch, keeps its lease while somebody holds it, and ends it.
///
/// Errors end it early: the output tells the reader, and the lease ends the watch.
async fn keep(mut input: Input, id: String, probe: String, mut dropped: oneshot::Receiver<Infallible>) {
    let mut command = format!("watch {id} {probe}\n");
    loop {
        if say(&mut input, &command).await.is_err() {
            return;
        }
        if tokio::time::timeout(KEEP, &mut dropped).await.is_ok() {
            break;
        }
        command = format!("keep {id}\n");
    }
    if let Err(error) = say(&mut input, &format!("end {id}\n")).await {
        tracing::debug!(%error, "could not end a watch: its lease will");
    }
}

/// In one piece, so that no other console's command gets into the middle.
async fn say(input: &mut Input, command: &str) -> io::Result<()> {
    tokio::time::timeout(SAY, async {
        input.write_all(command.as_bytes()).await?;
        input.flush().await
    })
    .await?
}
