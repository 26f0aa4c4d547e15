//! The lines a container wrote.

use super::{Docker, DockerError};
use crate::domain::clean::Clean;
use crate::domain::ids::ContainerId;
use futures_util::stream::BoxStream;
use jiff::Timestamp;

/// Which lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogOptions {
    /// Go on with what is written from now on, until the container ends.
    pub follow: bool,
    /// Only the last so many.
    pub tail: Option<u32>,
    pub since: Option<Timestamp>,
    /// Fill in [`LogLine::at`].
    pub timestamps: bool,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    pub stderr: bool,
    /// When the engine got it.
    pub at: Option<Timestamp>,
    pub text: Clean,
}

/// Lines as they come. Ends after an error.
pub type LogStream = BoxStream<'static, Result<LogLine, DockerError>>;

impl Docker {
    /// The container's log.
    pub async fn logs(&self, id: &ContainerId, options: LogOptions) -> Result<LogStream, DockerError> {
        let _ = (id, options);
        todo!()
    }
}
