//! Arguments of the verbs that look, and of those beside all operations.
#![allow(clippy::doc_markdown)] // these comments are help texts, where backquotes would be shown

use super::speed;
use crate::domain::duration;
use crate::domain::probe::ProbeSpec;
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, Args)]
pub struct PsArgs {
    /// Apps to show; all without
    #[arg(value_name = "APP")]
    pub apps: Vec<String>,
    /// One JSON object instead of a table
    #[arg(long)]
    pub json: bool,
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
