//! Asking a sandbox's first process to watch, or to hold a new version back: it is the guest, runs already, and takes commands on its standard input.
//!
//! One request and no new process in the engine, where an exec costs a hundred milliseconds of its CPU. What can be
//! said is in `guest/commands.rs`. Others may be attached at the same time: each reads the lines that carry its own id.

use super::client::{Changes, READ, within};
use super::error::DockerError;
use super::lines::{Framing, Line, Lines};
use crate::domain::ids::ContainerId;
use bollard::container::{AttachContainerResults, LogOutput};
use bollard::errors::Error as ClientError;
use bollard::query_parameters::AttachContainerOptionsBuilder;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::io;
use std::pin::Pin;
use std::time::Duration;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;

/// Well below the guest's lease of 10 s: two of these may get lost.
const KEEP: Duration = Duration::from_secs(3);
/// A command of some dozen bytes not taken by then won't be.
const SAY: Duration = Duration::from_secs(2);

type Input = Pin<Box<dyn AsyncWrite + Send>>;

/// A request under way. Dropping it says `end`.
pub(super) struct Attached {
    pub(super) output: BoxStream<'static, Result<LogOutput, ClientError>>,
    /// In front of each line that belongs to this request.
    pub(super) prefix: String,
    /// What is to be said; its end is the keeper's sign.
    more: mpsc::UnboundedSender<String>,
}

/// What is said, without the id that each command carries after its first word.
pub(super) struct Speech {
    /// At first: the command and what follows the id.
    pub(super) first: (&'static str, String),
    /// Now and then; `None`: the first again.
    pub(super) keep: Option<&'static str>,
    /// At the end.
    pub(super) end: Option<&'static str>,
}

/// What a process says, line by line.
pub(super) struct Spoken {
    lines: Lines,
    /// Nothing more is read.
    pub(super) ended: bool,
}

impl Spoken {
    pub(super) fn new() -> Self {
        Self { lines: Lines::new(Framing::Plain), ended: false }
    }

    /// The next line of `output`; `None` after its end.
    pub(super) async fn next(
        &mut self,
        output: &mut BoxStream<'static, Result<LogOutput, ClientError>>,
    ) -> Option<Result<Line, ClientError>> {
        loop {
            if let Some(line) = self.lines.pop() {
                return Some(Ok(line));
            }
            if self.ended {
                return None;
            }
            match output.next().await {
                Some(Ok(chunk)) => self.lines.text(matches!(chunk, LogOutput::StdErr { .. }), chunk.as_ref()),
                Some(Err(error)) => {
                    self.ended = true;
                    return Some(Err(error));
                }
                None => {
                    self.ended = true;
                    self.lines.end();
                }
            }
        }
    }
}

impl Attached {
    /// Says something else; what nobody hears shows in the output, or does not.
    pub(super) fn say(&self, command: &str, rest: &str) {
        let _ = self.more.send(format!("{command} {}{rest}\n", self.prefix));
    }
}

impl Changes {
    /// Attaches to the sandbox and speaks; whether anybody there understands shows in the output.
    pub(super) async fn ask(
        &self,
        operation: &'static str,
        sandbox: &ContainerId,
        speech: Speech,
    ) -> Result<Attached, DockerError> {
        let options = AttachContainerOptionsBuilder::new().stream(true).stdin(true).stdout(true).build();
        // No slot: it lasts as long as what was asked for.
        let request = self.client().attach_container(sandbox.as_str(), Some(options));
        let AttachContainerResults { output, input } = within(operation, &self.name(sandbox), READ, request).await?;
        let id = format!("{:016x}", RandomState::new().build_hasher().finish());
        let (more, said) = mpsc::unbounded_channel();
        let prefix = format!("{id} ");
        tokio::spawn(keep(input, id, speech, said));
        Ok(Attached { output, prefix, more })
    }
}

/// Says what there is to say, keeps the lease while somebody holds it, and ends it.
///
/// Errors end it early: the output tells the reader, and the lease ends what was asked for.
async fn keep(mut input: Input, id: String, speech: Speech, mut said: mpsc::UnboundedReceiver<String>) {
    let (command, rest) = &speech.first;
    let first = format!("{command} {id} {rest}\n");
    let keep = speech.keep.map_or_else(|| first.clone(), |keep| format!("{keep} {id}\n"));
    let mut command = first;
    loop {
        if say(&mut input, &command).await.is_err() {
            return;
        }
        command = match tokio::time::timeout(KEEP, said.recv()).await {
            Ok(Some(more)) => more,
            Ok(None) => break,
            Err(_) => keep.clone(),
        };
    }
    if let Some(end) = speech.end
        && let Err(error) = say(&mut input, &format!("{end} {id}\n")).await
    {
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
