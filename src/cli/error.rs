//! Why a run of the command line ended before anything was done: message, causes, hint, exit code.
//!
//! Words of strangers (file names, the engine's, arguments) are cleaned here once more, whoever brought them. Only the value
//! and its wording; [`super::output`] prints it.

use super::exit;
use crate::domain::clean::{clean, clean_lines};
use crate::engine::{Error, ErrorKind};

/// An error as the user sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CliError {
    pub code: u8,
    /// Lower case, names operation and subject.
    pub message: String,
    pub causes: Vec<String>,
    /// What to do next.
    pub hint: Option<String>,
}

impl CliError {
    /// The request makes no sense: exit code 2.
    pub fn usage(message: impl Into<String>) -> Self {
        Self { code: exit::USAGE, message: clean_lines(&message.into()), causes: Vec::new(), hint: None }
    }

    /// Not like this: exit code 4.
    pub fn refused(message: impl Into<String>) -> Self {
        Self { code: exit::REFUSED, ..Self::usage(message) }
    }

    /// It was tried and did not work: exit code 1.
    pub fn failed(message: impl Into<String>) -> Self {
        Self { code: exit::FAILED, ..Self::usage(message) }
    }

    /// With what to do next.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(clean_lines(&hint.into()));
        self
    }

    /// With the error below it, and the ones below that.
    pub fn because(mut self, error: &dyn std::error::Error) -> Self {
        let mut next = Some(error);
        while let Some(error) = next {
            self.causes.push(clean(&error.to_string()));
            next = error.source();
        }
        self
    }
}

impl From<Error> for CliError {
    fn from(error: Error) -> Self {
        let code = match error.kind() {
            ErrorKind::Usage => exit::USAGE,
            ErrorKind::Refused => exit::REFUSED,
            ErrorKind::Unreachable => exit::UNREACHABLE,
            ErrorKind::Failed => exit::FAILED,
        };
        let hint = error.hint().map(|hint| clean_lines(&hint));
        Self { code, hint, ..Self::usage(error.to_string()) }
    }
}
