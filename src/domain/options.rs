//! What a person may choose for an operation, with the defaults of the design.
//!
//! Precedence (flag, variable, file, Compose `x-pitstop`, default) is settled before a value gets here.

use super::budget::MinAvailable;
use super::probe::ProbeSpec;
use super::warm::Warm;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// How many instances are handled together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum BatchSize {
    /// This many, at least one.
    Count(u32),
    /// This share of the instances, 1 to 100, rounded down but to at least one; the remainder goes to later batches.
    Percent(u32),
}

impl BatchSize {
    /// The number of instances per batch among `total`.
    pub fn of(self, total: usize) -> usize {
        match self {
            Self::Count(n) => n.max(1) as usize,
            Self::Percent(p) => (total * p as usize / 100).max(1),
        }
    }
}

impl FromStr for BatchSize {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("batch `{text}`: use a number from 1, or a percentage from 1% to 100%");
        let (digits, percent) = text.strip_suffix('%').map_or((text, false), |d| (d, true));
        match digits.trim().parse::<u32>() {
            Ok(p @ 1..=100) if percent => Ok(Self::Percent(p)),
            Ok(n @ 1..) if !percent => Ok(Self::Count(n)),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for BatchSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(n) => write!(f, "{n}"),
            Self::Percent(p) => write!(f, "{p}%"),
        }
    }
}

impl TryFrom<String> for BatchSize {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<BatchSize> for String {
    fn from(batch: BatchSize) -> Self {
        batch.to_string()
    }
}

/// Where a person is asked before going on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Gate {
    /// Nowhere.
    #[default]
    Auto,
    /// After the first batch.
    First,
    /// After every batch but the last.
    Every,
}

/// What happens to the instances already done when one fails. The failing one is always put back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnFailure {
    /// They stay; nothing new begins.
    #[default]
    Pause,
    /// They are put back too.
    Rollback,
}

/// What happens to sessions that have not ended when the time for them is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnDrainTimeout {
    /// They are cut, and it is said how many.
    #[default]
    Cut,
    /// They go on: the instance is attached again and not touched.
    Abort,
}

/// How long sessions may take to end, where nobody says.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);

/// Whether the registry is asked for an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PullPolicy {
    /// Only when the engine does not have the image (Compose's default).
    #[default]
    Missing,
    /// Always; when the registry can't be asked, that is an error.
    Always,
    /// Never; the image must be there.
    Never,
}

/// The choices of one operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Options {
    /// Instances per batch; `None`: the app's own `x-pitstop` or `update_config`, else one.
    pub batch: Option<BatchSize>,
    /// Instances of the first batch; `None`: the app's own, else as many as of any other.
    pub canary: Option<BatchSize>,
    /// Instances that have to stay available; `None`: the app's own, else a quarter where one at a time allows it.
    pub min_available: Option<MinAvailable>,
    /// Steps that may run side by side in creation; `None`: max(4, 2 × the engine's cores).
    pub parallel: Option<u32>,
    /// `None`: the app's own, else `auto`.
    pub gate: Option<Gate>,
    /// `None`: the app's own, else `pause`.
    pub on_failure: Option<OnFailure>,
    /// How to ask for readiness; `None`: the app's own, else what its spec suggests.
    pub probe: Option<ProbeSpec>,
    /// How long sessions may take to end; `None`: the app's own, else 30 s.
    pub drain_timeout: Option<Duration>,
    /// What becomes of those that do not; `None`: the app's own, else they are cut.
    pub on_drain_timeout: Option<OnDrainTimeout>,
    /// Between SIGTERM and SIGKILL; `None`: the container's own, else 10 s.
    pub stop_grace: Option<Duration>,
    /// From start to ready.
    pub ready_timeout: Duration,
    /// Ready for so long without interruption counts as available; `None`: the app's own, else 0.
    pub min_ready: Option<Duration>,
    /// `None`: the app's own `pull_policy`, else `missing`, but `always` for the tag `latest` (as Kubernetes does).
    pub pull: Option<PullPolicy>,
    /// For a whole pull.
    pub pull_timeout: Duration,
    /// How long somebody else's lock is waited for.
    pub wait_lock: Duration,
    /// How long an engine that goes away in the middle is waited for.
    pub engine_grace: Duration,
    /// Whether the new version is held back beside the old one; `None`: the app's own, else off.
    pub warm: Option<Warm>,
    /// Changes that need a new sandbox (another address may result) are allowed.
    pub allow_recreate: bool,
    /// New instances first, at addresses of their own, then the old ones go; `None`: the app's own, else not.
    pub surge: Option<bool>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            batch: None,
            canary: None,
            min_available: None,
            parallel: None,
            gate: None,
            on_failure: None,
            probe: None,
            drain_timeout: None,
            on_drain_timeout: None,
            stop_grace: None,
            ready_timeout: Duration::from_secs(60),
            min_ready: None,
            pull: None,
            pull_timeout: Duration::from_secs(600),
            wait_lock: Duration::ZERO,
            engine_grace: Duration::from_secs(60),
            warm: None,
            allow_recreate: false,
            surge: None,
        }
    }
}

impl Options {
    /// These, and what they leave open as `earlier` has it: going on with an operation keeps to its gates and batches.
    ///
    /// What concerns this console alone (how long a lock or the engine is waited for) is not taken over.
    pub fn over(self, earlier: Self) -> Self {
        let default = Self::default();
        let time = |own: Duration, default: Duration, earlier| if own == default { earlier } else { own };
        Self {
            batch: self.batch.or(earlier.batch),
            canary: self.canary.or(earlier.canary),
            min_available: self.min_available.or(earlier.min_available),
            parallel: self.parallel.or(earlier.parallel),
            gate: self.gate.or(earlier.gate),
            on_failure: self.on_failure.or(earlier.on_failure),
            probe: self.probe.or(earlier.probe),
            drain_timeout: self.drain_timeout.or(earlier.drain_timeout),
            on_drain_timeout: self.on_drain_timeout.or(earlier.on_drain_timeout),
            stop_grace: self.stop_grace.or(earlier.stop_grace),
            ready_timeout: time(self.ready_timeout, default.ready_timeout, earlier.ready_timeout),
            min_ready: self.min_ready.or(earlier.min_ready),
            pull: self.pull.or(earlier.pull),
            pull_timeout: time(self.pull_timeout, default.pull_timeout, earlier.pull_timeout),
            wait_lock: self.wait_lock,
            engine_grace: self.engine_grace,
            warm: self.warm.or(earlier.warm),
            allow_recreate: self.allow_recreate || earlier.allow_recreate,
            surge: self.surge.or(earlier.surge),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn going_on_keeps_to_what_was_chosen_unless_told_otherwise() {
        let minute = Duration::from_secs(60);
        let earlier = Options {
            gate: Some(Gate::Every),
            batch: Some(BatchSize::Count(2)),
            drain_timeout: Some(5 * minute),
            wait_lock: minute,
            allow_recreate: true,
            ..Options::default()
        };
        let written = serde_json::to_value(&earlier).unwrap();
        assert_eq!(serde_json::from_value::<Options>(written).unwrap(), earlier);
        let now = Options { batch: Some(BatchSize::Count(1)), drain_timeout: Some(minute), ..Options::default() };
        let kept = now.clone().over(earlier.clone());
        assert_eq!((kept.batch, kept.drain_timeout), (now.batch, Some(minute)));
        assert_eq!((kept.gate, kept.wait_lock, kept.allow_recreate), (Some(Gate::Every), Duration::ZERO, true));
        assert_eq!(Options::default().over(earlier).drain_timeout, Some(5 * minute));
    }

    #[test]
    fn batches_round_down_to_at_least_one() {
        for (text, total, want) in
            [("1", 8, 1), ("3", 8, 3), ("25%", 8, 2), ("25%", 3, 1), ("50%", 5, 2), ("100%", 5, 5)]
        {
            assert_eq!(text.parse::<BatchSize>().unwrap().of(total), want, "{text} of {total}");
        }
        for text in ["0", "0%", "101%", "-1", "x", "", "%"] {
            assert!(text.parse::<BatchSize>().is_err(), "{text}");
        }
    }
}
