//! A fault of pitstop itself, in words and as an exit code.
//!
//! A panic's text may quote strangers, so it is cleaned; where it is told may be gone, so nothing here panics itself.

use super::error::CliError;
use super::exit;
use crate::domain::clean::clean;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};

/// Runs `program`; a panic that reaches its end is the exit code [`exit::FAULT`]. Any panic, of a step too, is told on
/// standard error, until the console has a place of its own for it.
pub fn guarded(program: impl FnOnce() -> u8) -> u8 {
    set_hook(Box::new(|info| {
        let place = info.location().map_or_else(String::new, |at| format!("at {}:{}: ", at.file(), at.line()));
        let said = clean(&format!("{place}{}", info.payload_as_str().unwrap_or("no words")));
        let _ = writeln!(std::io::stderr(), "error: a fault in pitstop itself {said}");
    }));
    catch_unwind(AssertUnwindSafe(program)).unwrap_or(exit::FAULT)
}

/// The fault that ended the console.
pub(super) fn error(said: &str) -> CliError {
    CliError { code: exit::FAULT, ..CliError::failed(format!("a fault in pitstop itself {said}")) }
        .hint("what ran was brought to a safe point; `pitstop ps` shows how things are. Please report the line above")
}
