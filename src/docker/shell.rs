//! A shell in a container, for a person: a terminal there, its bytes here.

use super::client::{Changes, READ, within};
use super::error::{DockerError, Failure};
use crate::domain::ids::ContainerId;
use bollard::exec::{StartExecOptions, StartExecResults};
use bollard::models::ExecConfig;
use bollard::query_parameters::ResizeExecOptionsBuilder;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use std::pin::Pin;
use tokio::io::AsyncWrite;

/// bash where there is one, else sh.
const COMMAND: [&str; 3] = ["/bin/sh", "-c", "command -v bash >/dev/null 2>&1 && exec bash || exec sh"];

/// A shell under way. Dropping it closes its terminal, which ends it.
pub struct Shell {
    /// What it writes.
    pub output: BoxStream<'static, Result<Bytes, DockerError>>,
    /// What is typed.
    pub input: Pin<Box<dyn AsyncWrite + Send>>,
    pub size: Resizer,
}

/// Tells its terminal how large it is, and asks how it ended. Cheap to clone.
#[derive(Clone)]
pub struct Resizer {
    changes: Changes,
    exec: String,
    name: String,
}

impl Changes {
    /// Starts a shell in a running container, in a terminal of so many columns and rows.
    pub async fn shell(&self, id: &ContainerId, size: (u16, u16)) -> Result<Shell, DockerError> {
        const WHAT: &str = "open a shell in";
        let name = self.name(id);
        let config = ExecConfig {
            attach_stdin: Some(true),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            tty: Some(true),
            cmd: Some(COMMAND.map(str::to_owned).to_vec()),
            env: Some(vec!["TERM=xterm-256color".to_owned()]),
            ..ExecConfig::default()
        };
        let exec = self.call(WHAT, &name, READ, self.client().create_exec(id.as_str(), config)).await?.id;
        if exec.is_empty() || !exec.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err(DockerError::new(WHAT, &name, Failure::Broken, "the engine's answer has no proper id"));
        }
        let options = StartExecOptions { detach: false, tty: true, output_capacity: None };
        let started = within(WHAT, &name, READ, self.client().start_exec(&exec, Some(options))).await?;
        let StartExecResults::Attached { output, input } = started else {
            return Err(DockerError::new(WHAT, &name, Failure::Broken, "the engine did not attach the shell"));
        };
        let resizer = Resizer { changes: self.clone(), exec, name: name.clone() };
        resizer.resize(size).await;
        let output = output.map(move |chunk| {
            chunk
                .map(bollard::container::LogOutput::into_bytes)
                .map_err(|error| DockerError::of_client(WHAT, &name, &error))
        });
        Ok(Shell { output: output.boxed(), input, size: resizer })
    }
}

impl Resizer {
    /// Tells the size. One that is not taken does no harm: the next one will be.
    pub async fn resize(&self, (columns, rows): (u16, u16)) {
        let options = ResizeExecOptionsBuilder::new().h(rows.into()).w(columns.into()).build();
        let request = self.changes.client().resize_exec(&self.exec, options);
        if let Err(error) = within("resize the shell in", &self.name, READ, request).await {
            tracing::debug!(%error, "the shell keeps its size");
        }
    }

    /// The exit code, once it has ended.
    pub async fn code(&self) -> Option<i64> {
        let request = self.changes.client().inspect_exec(&self.exec);
        within("look at the shell in", &self.name, READ, request).await.ok()?.exit_code
    }
}
