//! The command line as clap reads it: verbs, their arguments, and the options all of them share.
//!
//! Only shapes and help texts. Where a value comes from when it is not given (variable, file, default) is settled in
//! [`super::settled`]; nothing here opens a file or talks to an engine.
#![allow(clippy::doc_markdown)] // these comments are help texts, where backquotes would be shown

mod operation;

pub use operation::{OnHangupArg, OperationArgs};

use crate::domain::duration;
use crate::domain::probe::ProbeSpec;
use clap::builder::BoolishValueParser;
use clap::{Args, ColorChoice, Parser, Subcommand};
use std::path::PathBuf;
use std::time::Duration;

const EXAMPLES: &str = "\
Examples:
  pitstop                                   open the console
  pitstop create -f compose.yaml            create the file's services, in parallel
  pitstop deploy shop/web --image web:v2    another image, in place, one instance after the other
  pitstop deploy shop/web --image web:v2 --dry-run
  pitstop restart shop/web-1 redis          instances, apps and plain containers
  pitstop adopt shop redis                  a Compose project and a plain container get sandboxes
  pitstop adopt -f compose.yaml             the same, drained at the load balancers that the file names
  pitstop rollback shop/web                 back to the revision before
  pitstop go shop/web                       past the gate of an operation that runs in another terminal
  pitstop ps --json | jq '.apps[].instances[].addresses'

Exit codes:
    0  done, every address kept (or nothing to do)
    1  failed, or paused on a failure: the last lines say what runs where and what to do next
    2  usage, an unknown target or an invalid file; nothing was touched
    3  the engine cannot be reached, or permission is denied; nothing was touched
    4  refused: read-only, needs a recreate, not allowed like this; nothing was touched
    5  failed and rolled back: the old revision runs
    6  done, but an address changed or could not be compared
    7  aborted by the user
   70  a fault of pitstop itself
  130  interrupted by Ctrl-C (143: by SIGTERM or SIGHUP); pitstop resume goes on with it

Every option can be set by its variable or in $XDG_CONFIG_HOME/pitstop/config.toml;
an option on the command line wins over its variable, and the variable over the file.";

/// What `--version` says: the version, how it was built, and the sandbox image it brings.
const FACTS: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    "\nbuilt for ",
    env!("PITSTOP_BUILD"),
    "\nsandbox image ",
    env!("PITSTOP_SANDBOX_TAG")
);

/// A terminal operations console for Docker: create in parallel, deploy and restart in place, every address proven.
///
/// Without a verb it opens the console.
#[derive(Debug, Parser)]
#[command(name = "pitstop", version, long_version = FACTS, max_term_width = 100, after_long_help = EXAMPLES)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub verb: Option<Verb>,
}

/// Options of every verb and of the console.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// The engine: unix:///path, tcp://host:port or ssh://user@host (else DOCKER_HOST, or the Docker context)
    #[arg(short = 'H', long, value_name = "URL", global = true, env = "PITSTOP_HOST", hide_env_values = true)]
    pub host: Option<String>,
    /// A Docker context; the console shows several side by side where it is given more than once
    #[arg(long, value_name = "NAME", global = true, env = "PITSTOP_CONTEXT", hide_env_values = true)]
    pub context: Vec<String>,
    /// The settings file
    #[arg(long, value_name = "FILE", global = true, env = "PITSTOP_CONFIG", hide_env_values = true)]
    pub config: Option<PathBuf>,
    /// The console's theme
    #[arg(long, value_name = "NAME", global = true, env = "PITSTOP_THEME", hide_env_values = true)]
    pub theme: Option<String>,
    /// Refuse everything that changes the engine (exit code 4)
    #[arg(long, global = true, env = "PITSTOP_READ_ONLY", hide_env_values = true, value_name = "BOOL",
        num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_possible_values = true,
        value_parser = BoolishValueParser::new())]
    pub read_only: Option<bool>,
    /// Colours; auto follows the terminal and NO_COLOR
    #[arg(long, value_name = "WHEN", global = true, env = "PITSTOP_COLOR", hide_env_values = true)]
    pub color: Option<ColorChoice>,
    /// The sandbox image to use instead of the built-in one (an engine of another CPU architecture needs it)
    #[arg(long, value_name = "REF", global = true, env = "PITSTOP_SANDBOX_IMAGE", hide_env_values = true)]
    pub sandbox_image: Option<String>,
    /// Run commands on this machine that containers' labels name for a load balancer; others may have written them
    #[arg(long, global = true, env = "PITSTOP_TRUST_COMMANDS", hide_env_values = true, value_name = "BOOL",
        num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_possible_values = true,
        value_parser = BoolishValueParser::new())]
    pub trust_commands: Option<bool>,
    /// When the terminal is gone: finish the instances in flight and stop there, or finish the operation [default: stop]
    #[arg(long, value_name = "WHAT", global = true, env = "PITSTOP_ON_HANGUP", hide_env_values = true)]
    pub on_hangup: Option<OnHangupArg>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Apps and instances as the engine has them now
    Ps(PsArgs),
    /// Create the services of a Compose file, in parallel
    ///
    /// What is there already and equal is left alone.
    Create(CreateArgs),
    /// Deploy in place: another image, or the app as its file has it now
    ///
    /// Replaces the app containers batch by batch; sandboxes, and with them addresses, ports, hostname and storage, stay.
    Deploy(DeployArgs),
    /// Restart apps and single instances in place, managed or not
    Restart(RestartArgs),
    /// Give containers that pitstop has not made a sandbox, at their own addresses
    ///
    /// For plain containers and Compose projects. Each is down for a moment, once; from then on it is deployed and restarted
    /// in place. Says before what is kept and what is not; --dry-run only says it.
    Adopt(AdoptArgs),
    /// Deploy an earlier revision again, in place
    Rollback(RollbackArgs),
    /// Add or remove instances of an app
    Scale(ScaleArgs),
    /// Remove apps; their volumes only when told
    Rm(RemoveArgs),
    /// Logs of an app or an instance
    Logs(LogsArgs),
    /// Operations of the past: when, who, what, how it ended
    History(HistoryArgs),
    /// One operation from its record: plan, steps with their times, verdicts, gaps, what to do next
    Show(ShowArgs),
    /// Play an operation again from its record, as it was told then
    Replay(ReplayArgs),
    /// Go on with an operation whose console died, or that was interrupted or paused
    ///
    /// Looks what there is and does what is left; doing it twice does nothing the second time.
    Resume(ResumeArgs),
    /// Stop an operation that runs and put back what is in flight; or take back one that was left half-done
    ///
    /// Of one that runs, the instances that are done stay (--leave) or are put back, too (--undo-all); a person is asked.
    /// Of one whose console died, or that was interrupted or paused, instances that were changed already get back what they
    /// ran before, in place.
    Abort(AbortArgs),
    /// Ask again for what a failed, paused or aborted operation was asked for
    ///
    /// What it has done is left alone; what failed, or was not begun, is tried again.
    Retry(RetryArgs),
    /// Let an operation that waits at a gate go on, from any terminal of yours on its machine
    Go(OrderArgs),
    /// Let a running operation begin no further instance; those in flight are finished
    Pause(OrderArgs),
    /// Let a paused operation go on
    Continue(OrderArgs),
    /// Let apps serve again, whatever was done to their containers
    ///
    /// Starts, unpauses and makes again what should run: sandboxes first, at their former addresses. Touches nothing that
    /// serves, and no container of others. `--boot` is for a systemd unit after docker.service.
    Repair(RepairArgs),
    /// Check the engine, this terminal and the settings, and say what to do
    Doctor,
    /// Measure on this engine: the same done plainly and in place, in turn
    ///
    /// Recreates, restarts and creates, with the engine's calls and with pitstop, round by round, while clients ask. All that
    /// it makes is in the project pitstop-bench and taken away at the end, also after Ctrl-C. For the engine's own machine.
    Bench(BenchArgs),
    /// The console's themes: list them, or check files of your own
    Themes(ThemesArgs),
    /// The console's keys: list them, or check a keymap of your own
    Keys(KeysArgs),
    /// A sample fleet to try everything on: simulated, no Docker needed
    Demo(DemoArgs),
    /// Print a completion script for a shell
    Completions {
        /// bash, elvish, fish, powershell or zsh
        #[arg(value_name = "SHELL")]
        shell: clap_complete::Shell,
    },
    /// Print the manual page, or write one page per verb
    Man {
        /// Write the pages into this directory instead
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
}

#[derive(Debug, Args)]
pub struct PsArgs {
    /// Apps to show; all without
    #[arg(value_name = "APP")]
    pub apps: Vec<String>,
    /// One JSON object instead of a table
    #[arg(long)]
    pub json: bool,
}

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
    /// Handle them as this Compose file says: drained at its load balancers, asked by its probe, with its hooks. What runs
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

#[derive(Debug, Args)]
pub struct ThemesArgs {
    /// Say what is wrong with themes, instead of listing them
    #[arg(value_name = "check", value_parser = ["check"], hide_possible_values = true)]
    pub what: Option<String>,
    /// Files to check; without, all in $XDG_CONFIG_HOME/pitstop/themes
    #[arg(value_name = "FILE", requires = "what")]
    pub files: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub struct KeysArgs {
    /// Say what is wrong with a keymap, instead of listing keys
    #[arg(value_name = "check", value_parser = ["check"], hide_possible_values = true)]
    pub what: Option<String>,
    /// Files to check; without, $XDG_CONFIG_HOME/pitstop/keymap.toml
    #[arg(value_name = "FILE", requires = "what")]
    pub files: Vec<PathBuf>,
    /// As tables in Markdown
    #[arg(long, conflicts_with = "what")]
    pub markdown: bool,
}

#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Set the fleet up on the Docker Engine, from images made here: no registry needed
    #[arg(long)]
    pub docker: bool,
    /// Take away from the engine what --docker has made, and nothing else
    #[arg(long, conflicts_with = "docker")]
    pub down: bool,
    /// Serve the simulated engine on a socket for any Docker client, without a console
    #[arg(long, conflicts_with_all = ["docker", "down"])]
    pub serve: bool,
    /// Play a tour by itself
    #[arg(long, conflicts_with_all = ["docker", "down", "serve"])]
    pub script: bool,
    /// So many times as fast
    #[arg(long, value_name = "N", requires = "script", value_parser = speed)]
    pub speed: Option<f64>,
}

#[derive(Debug, Args)]
pub struct BenchArgs {
    /// Each round does each way once
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub rounds: u32,
    /// Instances that are replaced, restarted, created
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=32))]
    pub instances: u32,
    /// Measure these, too, where they are there; several with commas
    #[arg(long, value_name = "TOOL", value_enum, value_delimiter = ',')]
    pub with: Vec<OtherTool>,
    /// Measure this image instead of a small web server that is made here
    #[arg(long, value_name = "REF", requires = "probe")]
    pub image: Option<String>,
    /// How the image is asked: http:PORT/PATH or tcp:PORT
    #[arg(long, value_name = "PROBE", requires = "image")]
    pub probe: Option<ProbeSpec>,
    /// One JSON object instead of tables
    #[arg(long)]
    pub json: bool,
    /// Draw bars into this file, too
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
    /// Only take away what a benchmark left that was killed
    #[arg(long, exclusive = true)]
    pub down: bool,
}

/// What others have for the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum OtherTool {
    /// Docker Compose: each service brought up again, one after the other
    Compose,
    /// A Swarm service's update, where this engine is a manager
    Swarm,
}

#[derive(Debug, Args)]
pub struct LogsArgs {
    /// An app (all its instances), an instance, or a plain container by name
    #[arg(value_name = "TARGET")]
    pub target: String,
    /// Go on with what is written from now on
    #[arg(short, long)]
    pub follow: bool,
    /// Begin with the last N lines
    #[arg(long, value_name = "N")]
    pub tail: Option<u32>,
    /// Begin so long ago
    #[arg(long, value_name = "D", value_parser = duration::parse)]
    pub since: Option<Duration>,
    /// When each line was written
    #[arg(short, long)]
    pub timestamps: bool,
}

impl Verb {
    /// The options of an operation; `None` for a verb that changes nothing.
    pub fn operation(&self) -> Option<&OperationArgs> {
        match self {
            Self::Create(args) => Some(&args.operation),
            Self::Deploy(args) => Some(&args.operation),
            Self::Restart(args) => Some(&args.operation),
            Self::Adopt(args) => Some(&args.operation),
            Self::Rollback(args) => Some(&args.operation),
            Self::Scale(args) => Some(&args.operation),
            Self::Rm(args) => Some(&args.operation),
            Self::Resume(args) => Some(&args.operation),
            Self::Abort(args) => Some(&args.operation),
            Self::Retry(args) => Some(&args.operation),
            Self::Repair(args) => Some(&args.operation),
            Self::Ps(_)
            | Self::Logs(_)
            | Self::History(_)
            | Self::Show(_)
            | Self::Replay(_)
            | Self::Go(_)
            | Self::Pause(_)
            | Self::Continue(_)
            | Self::Doctor
            | Self::Themes(_)
            | Self::Keys(_)
            | Self::Demo(_)
            | Self::Bench(_)
            | Self::Completions { .. }
            | Self::Man { .. } => None,
        }
    }
}

/// A factor from 0. The error is a sentence for the user.
fn speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(speed) if speed.is_finite() && speed >= 0.0 => Ok(speed),
        _ => Err(format!("`{text}`: write a number from 0, like 10 or 0.5")),
    }
}

/// `NAME=N`. The error is a sentence for the user.
fn scale(text: &str) -> Result<(String, u32), String> {
    let wrong = || format!("`{text}`: write NAME=N, N a number from 0");
    let (name, count) = text.rsplit_once('=').filter(|(name, _)| !name.is_empty()).ok_or_else(wrong)?;
    Ok((name.to_owned(), count.parse().map_err(|_| wrong())?))
}

#[cfg(test)]
mod tests;
