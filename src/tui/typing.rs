//! The line that is typed at the bottom of a screen: what it is for, and what is wrong with it.
//!
//! There is one at a time. What comes of it is [`update::typing`](super::update)'s; the line behind `:` and those of dialogs are
//! their own.

use super::input::Line;
use super::rows::RowId;

/// A line being typed.
#[derive(Clone, Debug)]
pub struct Typing {
    pub what: What,
    pub line: Line,
    /// What is wrong with what was entered.
    pub wrong: Option<String>,
    /// What stood there before: Esc brings it back.
    pub before: String,
}

/// What it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// Which rows the fleet shows.
    Filter,
    /// To which row the cursor goes: where it was, and which of those that fit it is on.
    Jump { from: Option<RowId>, at: usize },
    /// Which operations the history shows.
    Past,
    /// What to look for in a log.
    Search,
    /// Which lines a log shows.
    Match,
    /// From when on a log is read.
    Since,
    /// What to look for on an instance's page.
    Find,
}

impl What {
    /// What stands before it.
    pub fn prompt(&self) -> &'static str {
        match self {
            Self::Filter | Self::Past | Self::Search | Self::Find => "/",
            Self::Jump { .. } => "to ",
            Self::Match => "only ",
            Self::Since => "since ",
        }
    }

    /// What may be typed.
    pub fn help(&self) -> &'static str {
        match self {
            Self::Filter => "!text  state:failed  label:k=v  image:text",
            Self::Jump { .. } => "letters of its name; up and down: the others that fit",
            Self::Past => "outcome:failed  by:anna  !text",
            Self::Search | Self::Find => "a regular expression; n and N go on",
            Self::Match => "a regular expression; !text: what does not match",
            Self::Since => "10m, 2h, 1h30m; empty: the last lines",
        }
    }
}
