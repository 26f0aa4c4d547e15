//! Commands inside containers.

use super::client::{Changes, READ, within};
use super::error::{DockerError, Failure};
use crate::domain::clean::{Clean, MAX_CHARS};
use crate::domain::ids::ContainerId;
use bollard::container::LogOutput;
use bollard::errors::Error as ClientError;
use bollard::exec::StartExecOptions;
use bollard::exec::StartExecResults;
use bollard::models::ExecConfig;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use std::pin::Pin;
use std::time::Duration;
use tokio::io::AsyncWrite;

/// Bytes of output kept: no more than a cleaned text has.
const OUTPUT: usize = MAX_CHARS;

/// Between two looks at a command that writes nothing any more.
const AFTER_OUTPUT: Duration = Duration::from_millis(20);

/// The end of what is written.
#[derive(Default)]
struct Tail(Vec<u8>);

impl Tail {
    fn take(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
        // Not with each piece: moving costs as much as what stays.
        if self.0.len() >= 2 * OUTPUT {
            self.0.drain(..self.0.len() - OUTPUT);
        }
    }

    fn text(&self) -> Clean {
        let from = self.0.len().saturating_sub(OUTPUT);
        // Not in the middle of a character.
        let from = from + self.0[from..].iter().take(3).take_while(|byte| **byte & 0xc0 == 0x80).count();
        Clean::new(&String::from_utf8_lossy(&self.0[from..]))
    }
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecResult {
    pub code: i64,
    /// What it wrote, both streams as they came; the last few kilobytes, where what went wrong stands.
    pub output: Clean,
}

/// A command that is prepared: it runs when it is told to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exec {
    id: String,
    /// For errors.
    name: String,
}

/// What became of a prepared command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExecEnd {
    NotStarted,
    Running,
    /// It has ended, with this code.
    Code(i64),
    /// The engine knows nothing of it: it was started anew since, or the container is gone.
    Forgotten,
}

/// A command under way. Dropping it closes its standard input and output.
pub(super) struct Running {
    pub(super) output: BoxStream<'static, Result<LogOutput, ClientError>>,
    /// Held: its end is the command's end of input.
    pub(super) _input: Pin<Box<dyn AsyncWrite + Send>>,
}

impl Changes {
    /// Runs `command` in a running container and waits for its end, at most `timeout`.
    ///
    /// The engine has no way to end a command: one that is not waited for any more runs on.
    pub async fn exec(
        &self,
        id: &ContainerId,
        command: Vec<String>,
        timeout: Duration,
    ) -> Result<ExecResult, DockerError> {
        let name = self.name(id);
        let work = async {
            let exec = self.prepare("exec in", id, command, false).await?;
            self.run_exec(&exec).await
        };
        tokio::time::timeout(timeout, work).await.unwrap_or_else(|_| {
            let words = format!("the command did not end within {} ms", timeout.as_millis());
            Err(DockerError::new("exec in", &name, Failure::Timeout, &words))
        })
    }

    /// Prepares `command` in a running container; nothing runs yet, so asking twice does no harm.
    pub async fn prepare_exec(&self, id: &ContainerId, command: &[String]) -> Result<Exec, DockerError> {
        self.prepare("exec in", id, command.to_vec(), false).await
    }

    /// Runs a prepared command to its end. Where the answer is lost, [`Changes::look_at_exec`] tells what became of it.
    pub async fn run_exec(&self, exec: &Exec) -> Result<ExecResult, DockerError> {
        let mut running = self.start_exec("exec in", exec).await?;
        let mut output = Tail::default();
        while let Some(chunk) = running.output.next().await {
            let chunk = chunk.map_err(|error| DockerError::of_client("exec in", &exec.name, &error))?.into_bytes();
            output.take(&chunk);
        }
        loop {
            match self.look_at_exec(exec).await? {
                ExecEnd::Code(code) => {
                    return Ok(ExecResult { code, output: output.text() });
                }
                // It has closed its output and goes on.
                ExecEnd::Running => tokio::time::sleep(AFTER_OUTPUT).await,
                ExecEnd::NotStarted | ExecEnd::Forgotten => {
                    let words = "what became of the command is not known";
                    return Err(DockerError::new("exec in", &exec.name, Failure::Broken, words));
                }
            }
        }
    }

    /// What became of a prepared command.
    pub async fn look_at_exec(&self, exec: &Exec) -> Result<ExecEnd, DockerError> {
        let seen = match self.call("exec in", &exec.name, READ, self.client().inspect_exec(&exec.id)).await {
            Err(error) if error.failure == Failure::NotFound => return Ok(ExecEnd::Forgotten),
            seen => seen?,
        };
        Ok(match (seen.running, seen.exit_code) {
            (Some(true), _) => ExecEnd::Running,
            (_, Some(code)) => ExecEnd::Code(code),
            (_, None) => ExecEnd::NotStarted,
        })
    }

    /// Starts a command with its output, and its input when asked, attached.
    pub(super) async fn begin(
        &self,
        operation: &'static str,
        id: &ContainerId,
        command: Vec<String>,
        stdin: bool,
    ) -> Result<Running, DockerError> {
        let exec = self.prepare(operation, id, command, stdin).await?;
        self.start_exec(operation, &exec).await
    }

    async fn prepare(
        &self,
        operation: &'static str,
        id: &ContainerId,
        command: Vec<String>,
        stdin: bool,
    ) -> Result<Exec, DockerError> {
        let name = self.name(id);
        let config = ExecConfig {
            attach_stdin: Some(stdin),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            cmd: Some(command),
            ..ExecConfig::default()
        };
        let created = self.call(operation, &name, READ, self.client().create_exec(id.as_str(), config)).await?;
        let exec = created.id;
        if exec.is_empty() || !exec.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err(DockerError::new(operation, &name, Failure::Broken, "the engine's answer has no proper id"));
        }
        Ok(Exec { id: exec, name })
    }

    async fn start_exec(&self, operation: &'static str, exec: &Exec) -> Result<Running, DockerError> {
        // No slot: it lasts as long as the command.
        let request = self.client().start_exec(&exec.id, None::<StartExecOptions>);
        match within(operation, &exec.name, READ, request).await? {
            StartExecResults::Attached { output, input } => Ok(Running { output, _input: input }),
            StartExecResults::Detached => {
                Err(DockerError::new(operation, &exec.name, Failure::Broken, "the engine did not attach the command"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_output_the_end_is_kept() {
        let mut tail = Tail::default();
        for n in 0..9_000 {
            tail.take(format!("ü{n} ").as_bytes());
        }
        let text = tail.text();
        assert!(text.ends_with("ü8998 ü8999") && text.len() > OUTPUT - 8, "{} {text}", text.len());
        assert!(!text.contains(char::REPLACEMENT_CHARACTER));
        tail.take(&[b'x'; 3 * OUTPUT]);
        assert_eq!(tail.text().as_str(), "x".repeat(OUTPUT));
    }
}
