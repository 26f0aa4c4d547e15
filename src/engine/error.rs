//! Why a request did not become an operation, in the four ways that exit codes know.

use crate::docker::DockerError;
use crate::domain::plan::Refusal;

/// What kind of "no" it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The request makes no sense: exit code 2.
    Usage,
    /// Not like this: exit code 4.
    Refused,
    /// The engine can't be reached or denies access: exit code 3.
    Unreachable,
    /// Anything else: exit code 1.
    Failed,
}

/// A request that was not carried out; nothing was touched.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Refusal(#[from] Refusal),
    #[error(transparent)]
    Docker(#[from] DockerError),
    /// Another operation works on the same app.
    #[error("{message}")]
    Locked { message: String, hint: String },
}

impl Error {
    /// The exit code's reason.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Refusal(Refusal::Usage(_)) => ErrorKind::Usage,
            Self::Refusal(Refusal::Refused(_)) | Self::Locked { .. } => ErrorKind::Refused,
            Self::Docker(error) if error.is_unreachable() => ErrorKind::Unreachable,
            Self::Docker(_) => ErrorKind::Failed,
        }
    }

    /// What to do about it, if there is something.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Refusal(_) => None,
            Self::Docker(error) => error.hint(),
            Self::Locked { hint, .. } => Some(hint.clone()),
        }
    }
}
