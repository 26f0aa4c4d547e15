//! Arguments of the verbs that change something.
#![allow(clippy::doc_markdown)] // these comments are help texts, where backquotes would be shown

use super::OperationArgs;
use clap::Args;
use std::path::PathBuf;

/// Which Compose files, and how they are read.
#[derive(Clone, Debug, Default, Args)]
pub struct FileArgs {
    /// Compose file; several are merged in order [default: compose.yaml and its relatives in this directory] [env: COMPOSE_FILE]
    #[arg(short, long = "file", value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The project's name, instead of the file's or the directory's [env: COMPOSE_PROJECT_NAME]
    #[arg(short, long, value_name = "NAME")]
    pub project: Option<String>,
    /// Turn a profile of the file on, besides those of COMPOSE_PROFILES; several times for several
    #[arg(long = "profile", value_name = "NAME")]
    pub profiles: Vec<String>,
}

#[derive(Debug, Args)]
pub struct CreateArgs {
    #[command(flatten)]
    pub file: FileArgs,
    /// Services of the file; all without
    #[arg(value_name = "SERVICE")]
    pub services: Vec<String>,
    /// Instances of a service, instead of the file's number
    #[arg(long, value_name = "SERVICE=N", value_parser = scale)]
    pub scale: Vec<(String, u32)>,
    #[command(flatten)]
    pub operation: OperationArgs,
}

#[derive(Debug, Args)]
pub struct DeployArgs {
    /// project/app, or app where that is unambiguous
    #[arg(value_name = "APP")]
    pub app: String,
    /// The image to run
    #[arg(long, value_name = "REF")]
    pub image: Option<String>,
    /// Take the app from this Compose file; several are merged in order
    #[arg(short, long = "file", value_name = "FILE")]
    pub files: Vec<PathBuf>,
    #[command(flatten)]
    pub operation: OperationArgs,
}

#[derive(Debug, Args)]
pub struct RestartArgs {
    /// Apps (project/app), instances (project/app-N) and plain containers by name
    #[arg(value_name = "TARGET", required = true)]
    pub targets: Vec<String>,
    #[command(flatten)]
    pub operation: OperationArgs,
}

#[derive(Debug, Args)]
pub struct AdoptArgs {
    /// Containers by name, Compose services (project/service) or whole Compose projects; with -f, all of its services without
    #[arg(value_name = "APP|CONTAINER", required_unless_present = "files")]
    pub targets: Vec<String>,
    /// Handle them as this Compose file says, now and from then on: its load balancers, probe, hooks and times; what they run
    /// stays as it is. Several are merged in order
    #[arg(short, long = "file", value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The project that they are to belong to [default: Compose's own; the file's, else `adopted`, for plain containers]
    #[arg(short, long, value_name = "NAME")]
    pub project: Option<String>,
    /// The app that the containers named become instances of, in the order named
    #[arg(long = "as", value_name = "PROJECT/APP", conflicts_with = "project", requires = "targets")]
    pub app: Option<String>,
    /// Go on where not everything can be kept: an address on the default bridge, links … (--dry-run names it)
    #[arg(long)]
    pub accept_changes: bool,
    /// Leave the old containers there, stopped, instead of removing them once all is proven
    #[arg(long)]
    pub keep_old: bool,
    #[command(flatten)]
    pub operation: OperationArgs,
}

#[derive(Debug, Args)]
pub struct RollbackArgs {
    /// project/app, or app where that is unambiguous
    #[arg(value_name = "APP")]
    pub app: String,
    /// The revision to go back to; the one before without
    #[arg(long, value_name = "REV", value_parser = clap::value_parser!(u32).range(1..))]
    pub to: Option<u32>,
    #[command(flatten)]
    pub operation: OperationArgs,
}

#[derive(Debug, Args)]
pub struct ScaleArgs {
    /// The app and how many instances it shall have
    #[arg(value_name = "APP=N", value_parser = scale)]
    pub target: (String, u32),
    #[command(flatten)]
    pub operation: OperationArgs,
}

#[derive(Debug, Args)]
pub struct RemoveArgs {
    /// project/app, or app where that is unambiguous
    #[arg(value_name = "APP", required = true)]
    pub apps: Vec<String>,
    /// Their volumes too: the data is gone
    #[arg(long)]
    pub volumes: bool,
    /// Don't ask
    #[arg(short, long)]
    pub yes: bool,
    #[command(flatten)]
    pub operation: OperationArgs,
}

#[derive(Debug, Args)]
pub struct RepairArgs {
    /// Apps (project/app) and instances (project/app-N); all without
    #[arg(value_name = "APP")]
    pub targets: Vec<String>,
    /// Wait for the engine first, up to two minutes, and be quiet when there is nothing to do
    #[arg(long)]
    pub boot: bool,
    #[command(flatten)]
    pub operation: OperationArgs,
}

/// `NAME=N`. The error is a sentence for the user.
fn scale(text: &str) -> Result<(String, u32), String> {
    let wrong = || format!("`{text}`: write NAME=N, N a number from 0");
    let (name, count) = text.rsplit_once('=').filter(|(name, _)| !name.is_empty()).ok_or_else(wrong)?;
    Ok((name.to_owned(), count.parse().map_err(|_| wrong())?))
}
