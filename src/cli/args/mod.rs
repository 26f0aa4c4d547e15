//! The command line as clap reads it: verbs, their arguments, and the options all of them share.
//!
//! Only shapes and help texts. Where a value comes from when it is not given (variable, file, default) is settled in
//! [`super::settled`]; nothing here opens a file or talks to an engine.
#![allow(clippy::doc_markdown)] // these comments are help texts, where backquotes would be shown

mod aside;
mod change;
mod operation;
mod past;

pub use aside::{BenchArgs, DemoArgs, KeysArgs, LogsArgs, OtherTool, PsArgs, ThemesArgs};
pub use change::{
    AdoptArgs, CreateArgs, DeployArgs, FileArgs, RemoveArgs, RepairArgs, RestartArgs, RollbackArgs, ScaleArgs,
};
pub use operation::{OnHangupArg, OperationArgs};
pub use past::{AbortArgs, HistoryArgs, OrderArgs, ReplayArgs, ResumeArgs, RetryArgs, ShowArgs};

use clap::builder::BoolishValueParser;
use clap::{Args, ColorChoice, Parser, Subcommand};
use std::path::PathBuf;

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

/// A command line without a verb: what asks for a console, read without building all the verbs.
#[derive(Debug, Parser)]
#[command(name = "pitstop", disable_help_flag = true, disable_version_flag = true)]
pub struct Bare {
    #[command(flatten)]
    pub global: Global,
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

#[cfg(test)]
mod tests;
