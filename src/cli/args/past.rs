//! Arguments of the verbs that are about an operation: one of the past, or one that runs.
#![allow(clippy::doc_markdown)] // these comments are help texts, where backquotes would be shown

use super::{OperationArgs, speed};
use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub struct HistoryArgs {
    /// Only operations on this app, or on a project's apps
    #[arg(value_name = "APP")]
    pub app: Option<String>,
    /// One JSON array instead of a table
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct ShowArgs {
    /// The operation's id, or a part of it that begins or ends no other
    #[arg(value_name = "OP")]
    pub op: String,
    /// One JSON object, with all events
    #[arg(long)]
    pub json: bool,
    /// Write it into a new file: Markdown, JSON or an SVG picture, as the name ends; a format alone (md, json, svg): a
    /// file of a name that says what it is, in the current directory
    #[arg(long, value_name = "FILE|FORMAT", conflicts_with = "json")]
    pub export: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// An operation's id (or an unambiguous part of it), or a file of events
    #[arg(value_name = "FILE|OP")]
    pub what: String,
    /// So many times as fast; 0: without waiting [default: 1; 0 with --json]
    #[arg(long, value_name = "N", value_parser = speed)]
    pub speed: Option<f64>,
    /// One event a line on standard output, nothing else there
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct ResumeArgs {
    /// The operation's id, or an unambiguous part of it; without, the only one that was left half-done
    #[arg(value_name = "OP")]
    pub op: Option<String>,
    #[command(flatten)]
    pub operation: OperationArgs,
}

#[derive(Debug, Args)]
pub struct AbortArgs {
    /// The operation's id, an unambiguous part of it, or its app; without, the only one that was left half-done
    #[arg(value_name = "OP", conflicts_with = "all")]
    pub op: Option<String>,
    /// All that were left half-done on this engine, one after the other
    #[arg(long)]
    pub all: bool,
    /// Of an operation that runs: the instances that are done stay as they are (unless asked, the default)
    #[arg(long, requires = "op", conflicts_with = "undo_all")]
    pub leave: bool,
    /// Of an operation that runs: the instances that are done are put back as well
    #[arg(long, requires = "op")]
    pub undo_all: bool,
    #[command(flatten)]
    pub operation: OperationArgs,
}

#[derive(Debug, Args)]
pub struct RetryArgs {
    /// The operation's id, an unambiguous part of it, or its app: the newest operation on that
    #[arg(value_name = "OP|APP")]
    pub op: String,
    #[command(flatten)]
    pub operation: OperationArgs,
}

#[derive(Debug, Args)]
pub struct OrderArgs {
    /// The operation's id, an unambiguous part of it, or its app; without, the only one that runs
    #[arg(value_name = "OP|APP")]
    pub op: Option<String>,
}
