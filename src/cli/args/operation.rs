//! The options common to all operations.
//!
//! Each is optional here, because the settings file and the app's own `x-pitstop` come after the command line. Must not
//! know what they do.
#![allow(clippy::doc_markdown)] // these comments are help texts, where backquotes would be shown

use crate::config::settings::OnHangup;
use crate::domain::budget::MinAvailable;
use crate::domain::duration;
use crate::domain::options::{BatchSize, Gate, OnDrainTimeout, OnFailure, PullPolicy};
use crate::domain::probe::ProbeSpec;
use crate::domain::warm::Warm;
use clap::builder::{BoolishValueParser, PossibleValue};
use clap::{Args, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

/// How an operation goes about it, and how it reports.
#[derive(Clone, Debug, Default, Args)]
pub struct OperationArgs {
    /// Instances handled together: a number or a share [default: the app's own, else 1]
    #[arg(long, value_name = "N|P%", env = "PITSTOP_BATCH", hide_env_values = true, help_heading = ROLLOUT)]
    pub batch: Option<BatchSize>,
    /// Instances of the first batch, where it is another number; --gate first asks after it
    #[arg(long, value_name = "N|P%", env = "PITSTOP_CANARY", hide_env_values = true, help_heading = ROLLOUT)]
    pub canary: Option<BatchSize>,
    /// Refuse what leaves fewer instances available than this [default: the app's own, else a quarter, where one at a time allows it]
    #[arg(long, value_name = "N|P%", env = "PITSTOP_MIN_AVAILABLE", hide_env_values = true, help_heading = ROLLOUT)]
    pub min_available: Option<MinAvailable>,
    /// Steps of creation that run side by side [default: twice the engine's CPUs, at least 4]
    #[arg(long, value_name = "N", env = "PITSTOP_PARALLEL", hide_env_values = true, help_heading = ROLLOUT,
        value_parser = clap::value_parser!(u32).range(1..))]
    pub parallel: Option<u32>,
    /// Ask before going on: nowhere, after the first batch, or after every batch [default: the app's own, else auto]
    #[arg(long, value_name = "WHEN", env = "PITSTOP_GATE", hide_env_values = true, help_heading = ROLLOUT)]
    pub gate: Option<GateArg>,
    /// When an instance fails it is put back; the ones done before stay, or are put back too [default: pause]
    #[arg(long, value_name = "WHAT", env = "PITSTOP_ON_FAILURE", hide_env_values = true, help_heading = ROLLOUT)]
    pub on_failure: Option<OnFailureArg>,
    /// Have the new container up before the old one stops: held before its start, before it binds its port, or as far as is safe
    /// [default: the app's own, else off]
    #[arg(long, value_name = "HOW", env = "PITSTOP_WARM", hide_env_values = true, help_heading = ROLLOUT)]
    pub warm: Option<WarmArg>,
    /// How long sessions may take to end [default: the app's own, else 30s]
    #[arg(long, value_name = "D", env = "PITSTOP_DRAIN_TIMEOUT", hide_env_values = true, help_heading = ROLLOUT,
        value_parser = duration::parse)]
    pub drain_timeout: Option<Duration>,
    /// Sessions that have not ended by then are cut, or the instance is left alone [default: the app's own, else cut]
    #[arg(long, value_name = "WHAT", env = "PITSTOP_ON_DRAIN_TIMEOUT", hide_env_values = true, help_heading = ROLLOUT)]
    pub on_drain_timeout: Option<OnDrainTimeoutArg>,
    /// Between the stop signal and the kill [default: the container's own, else 10s]
    #[arg(long, value_name = "D", env = "PITSTOP_STOP_GRACE", hide_env_values = true, help_heading = ROLLOUT,
        value_parser = duration::parse)]
    pub stop_grace: Option<Duration>,
    /// From start to ready [default: 60s]
    #[arg(long, value_name = "D", env = "PITSTOP_READY_TIMEOUT", hide_env_values = true, help_heading = ROLLOUT,
        value_parser = duration::parse)]
    pub ready_timeout: Option<Duration>,
    /// Ready for so long without a break counts as available [default: the app's own, else 0s]
    #[arg(long, value_name = "D", env = "PITSTOP_MIN_READY", hide_env_values = true, help_heading = ROLLOUT,
        value_parser = duration::parse)]
    pub min_ready: Option<Duration>,
    /// http:PORT/PATH, tcp:PORT, exec:CMD, docker, log:REGEX or none [default: the app's own, else by its ports]
    #[arg(long, value_name = "SPEC", env = "PITSTOP_PROBE", hide_env_values = true, help_heading = ROLLOUT)]
    pub probe: Option<ProbeSpec>,
    /// Ask the registry for the image [default: missing; always for the tag latest]
    #[arg(long, value_name = "WHEN", env = "PITSTOP_PULL", hide_env_values = true, help_heading = ROLLOUT)]
    pub pull: Option<PullArg>,
    /// For a whole pull [default: 10m]
    #[arg(long, value_name = "D", env = "PITSTOP_PULL_TIMEOUT", hide_env_values = true, help_heading = ROLLOUT,
        value_parser = duration::parse)]
    pub pull_timeout: Option<Duration>,
    /// Wait so long for another operation on the same app to end, then plan anew [default: 0s]
    #[arg(long, value_name = "D", env = "PITSTOP_WAIT_LOCK", hide_env_values = true, help_heading = ROLLOUT,
        value_parser = duration::parse)]
    pub wait_lock: Option<Duration>,
    /// Wait so long for an engine that goes away in the middle [default: 60s]
    #[arg(long, value_name = "D", env = "PITSTOP_ENGINE_GRACE", hide_env_values = true, help_heading = ROLLOUT,
        value_parser = duration::parse)]
    pub engine_grace: Option<Duration>,
    /// Allow what cannot be done in place: a new sandbox, which may get another address
    #[arg(long, value_name = "BOOL", env = "PITSTOP_ALLOW_RECREATE", hide_env_values = true, help_heading = ROLLOUT,
        num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_possible_values = true,
        value_parser = BoolishValueParser::new())]
    pub allow_recreate: Option<bool>,
    /// deploy, rollback: new instances first, at addresses of their own; then the old ones go [default: the app's own, else false]
    #[arg(long, value_name = "BOOL", env = "PITSTOP_SURGE", hide_env_values = true, help_heading = ROLLOUT,
        num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_possible_values = true,
        value_parser = BoolishValueParser::new())]
    pub surge: Option<bool>,
    /// Print the plan and touch nothing
    #[arg(long, help_heading = REPORT)]
    pub dry_run: bool,
    /// One event a line on standard output, nothing else there
    #[arg(long, env = "PITSTOP_JSON", hide_env_values = true, help_heading = REPORT)]
    pub json: bool,
    /// The same lines into a file
    #[arg(long, value_name = "FILE", env = "PITSTOP_EVENTS", hide_env_values = true, help_heading = REPORT)]
    pub events: Option<PathBuf>,
    /// Only the closing sentence, and what went wrong
    #[arg(short, long, env = "PITSTOP_QUIET", hide_env_values = true, help_heading = REPORT)]
    pub quiet: bool,
}

const ROLLOUT: &str = "How it is done";
const REPORT: &str = "What is reported";

/// Gives a domain type clap's list of words.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident($inner:ty) { $($variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name(pub $inner);

        impl ValueEnum for $name {
            fn value_variants<'a>() -> &'a [Self] {
                &[$(Self(<$inner>::$variant)),+]
            }

            fn to_possible_value(&self) -> Option<PossibleValue> {
                Some(PossibleValue::new(match self.0 {
                    $(<$inner>::$variant => $word,)+
                }))
            }
        }
    };
}

words!(
    /// The words of `--gate`.
    GateArg(Gate) { Auto = "auto", First = "first", Every = "every" }
);
words!(
    /// The words of `--on-failure`.
    OnFailureArg(OnFailure) { Pause = "pause", Rollback = "rollback" }
);
words!(
    /// The words of `--on-drain-timeout`.
    OnDrainTimeoutArg(OnDrainTimeout) { Cut = "cut", Abort = "abort" }
);
words!(
    /// The words of `--pull`.
    PullArg(PullPolicy) { Missing = "missing", Always = "always", Never = "never" }
);

words!(
    /// The words of `--on-hangup`.
    OnHangupArg(OnHangup) { Stop = "stop", Finish = "finish" }
);

words!(
    /// The words of `--warm`.
    WarmArg(Warm) { Off = "off", Start = "start", Bind = "bind", Exclusive = "exclusive", Auto = "auto" }
);
