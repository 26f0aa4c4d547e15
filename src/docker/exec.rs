//! Commands inside containers.

use super::client::{Changes, READ, within};
use super::error::{DockerError, Failure};
use crate::domain::clean::Clean;
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

/// Bytes of output kept.
const OUTPUT: usize = 16 * 1024;

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecResult {
    pub code: i64,
    /// What it wrote, both streams as they came; the first few kilobytes.
    pub output: Clean,
}

/// A command under way. Dropping it closes its standard input and output.
pub(super) struct Running {
    pub(super) id: String,
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
            let mut running = self.begin("exec in", id, command, false).await?;
            let mut output = Vec::new();
            while let Some(chunk) = running.output.next().await {
                let chunk = chunk.map_err(|error| DockerError::of_client("exec in", &name, &error))?.into_bytes();
                output.extend_from_slice(&chunk[..chunk.len().min(OUTPUT - output.len())]);
            }
            let seen = self.call("exec in", &name, READ, self.client().inspect_exec(&running.id)).await?;
            let Some(code) = seen.exit_code else {
                return Err(DockerError::new(
                    "exec in",
                    &name,
                    Failure::Broken,
                    "the command's output ended before it did",
                ));
            };
            Ok(ExecResult { code, output: Clean::new(&String::from_utf8_lossy(&output)) })
        };
        tokio::time::timeout(timeout, work).await.unwrap_or_else(|_| {
            let words = format!("the command did not end within {} ms", timeout.as_millis());
            Err(DockerError::new("exec in", &name, Failure::Timeout, &words))
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
        // No slot: it lasts as long as the command.
        let request = self.client().start_exec(&exec, None::<StartExecOptions>);
        match within(operation, &name, READ, request).await? {
            StartExecResults::Attached { output, input } => Ok(Running { id: exec, output, _input: input }),
            StartExecResults::Detached => {
                Err(DockerError::new(operation, &name, Failure::Broken, "the engine did not attach the command"))
            }
        }
    }
}
