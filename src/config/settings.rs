//! `config.toml`: what a person always wants, so that flags say only what is special.
//!
//! Flag wins over variable wins over this file; the first two are the command line's work. Every key may be missing.

use super::file::{self, Unreadable};
use super::paths;
use crate::domain::budget::MinAvailable;
use crate::domain::clean::clean;
use crate::domain::duration;
use crate::domain::options::{BatchSize, Gate, OnDrainTimeout, OnFailure, Options, PullPolicy};
use crate::domain::probe::ProbeSpec;
use crate::domain::warm::Warm;
use serde::{Deserialize, Deserializer, de};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The whole file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// As `--host`: `unix://…`, `tcp://…`, `ssh://…`.
    pub host: Option<String>,
    /// As `--context`; not together with `host`.
    pub context: Option<String>,
    pub theme: Option<String>,
    /// As `--read-only`.
    pub read_only: Option<bool>,
    pub color: Option<Color>,
    /// As `--sandbox-image`.
    pub sandbox_image: Option<String>,
    /// As `--trust-commands`.
    pub trust_commands: Option<bool>,
    /// As `--on-hangup`.
    pub on_hangup: Option<OnHangup>,
    /// The table `[defaults]`.
    pub defaults: Choices,
    /// The table `[console]`.
    pub console: Console,
}

/// How the console behaves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Console {
    /// What tells of the end of an operation besides the screen.
    pub notify: Notify,
    /// Of one that took so long at least.
    #[serde(deserialize_with = "time")]
    pub notify_after: Option<Duration>,
    /// Contexts and hosts that are production; one may end in `*`.
    pub production: Vec<String>,
}

/// How a terminal tells that something has ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Notify {
    #[default]
    Off,
    Bell,
    /// A desktop notification, by terminals that know OSC 9.
    Osc9,
}

/// When output is coloured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Color {
    /// On a terminal, and where `NO_COLOR` is not set.
    #[default]
    Auto,
    Always,
    Never,
}

/// What becomes of a running operation when the terminal is gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnHangup {
    /// The instances in flight are finished; the rest waits for somebody.
    #[default]
    Stop,
    /// It goes on to its end.
    Finish,
}

/// What was chosen for operations, by flags or by the file; `None`: not said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Choices {
    #[serde(deserialize_with = "text")]
    pub batch: Option<BatchSize>,
    #[serde(deserialize_with = "text")]
    pub canary: Option<BatchSize>,
    #[serde(deserialize_with = "text")]
    pub min_available: Option<MinAvailable>,
    pub parallel: Option<u32>,
    pub gate: Option<Gate>,
    pub on_failure: Option<OnFailure>,
    #[serde(deserialize_with = "time")]
    pub drain_timeout: Option<Duration>,
    pub on_drain_timeout: Option<OnDrainTimeout>,
    #[serde(deserialize_with = "time")]
    pub stop_grace: Option<Duration>,
    #[serde(deserialize_with = "time")]
    pub ready_timeout: Option<Duration>,
    #[serde(deserialize_with = "time")]
    pub min_ready: Option<Duration>,
    #[serde(deserialize_with = "text")]
    pub probe: Option<ProbeSpec>,
    pub pull: Option<PullPolicy>,
    #[serde(deserialize_with = "time")]
    pub pull_timeout: Option<Duration>,
    #[serde(deserialize_with = "time")]
    pub wait_lock: Option<Duration>,
    #[serde(deserialize_with = "time")]
    pub engine_grace: Option<Duration>,
    pub warm: Option<Warm>,
}

impl Choices {
    /// These where they say something, `weaker` elsewhere.
    #[must_use]
    pub fn over(self, weaker: Self) -> Self {
        Self {
            batch: self.batch.or(weaker.batch),
            canary: self.canary.or(weaker.canary),
            min_available: self.min_available.or(weaker.min_available),
            parallel: self.parallel.or(weaker.parallel),
            gate: self.gate.or(weaker.gate),
            on_failure: self.on_failure.or(weaker.on_failure),
            drain_timeout: self.drain_timeout.or(weaker.drain_timeout),
            on_drain_timeout: self.on_drain_timeout.or(weaker.on_drain_timeout),
            stop_grace: self.stop_grace.or(weaker.stop_grace),
            ready_timeout: self.ready_timeout.or(weaker.ready_timeout),
            min_ready: self.min_ready.or(weaker.min_ready),
            probe: self.probe.or(weaker.probe),
            pull: self.pull.or(weaker.pull),
            pull_timeout: self.pull_timeout.or(weaker.pull_timeout),
            wait_lock: self.wait_lock.or(weaker.wait_lock),
            engine_grace: self.engine_grace.or(weaker.engine_grace),
            warm: self.warm.or(weaker.warm),
        }
    }

    /// The options of an operation; what was not said is the default or the app's own.
    pub fn options(self, allow_recreate: bool, surge: Option<bool>) -> Options {
        let default = Options::default();
        Options {
            batch: self.batch,
            canary: self.canary,
            min_available: self.min_available,
            parallel: self.parallel,
            gate: self.gate,
            on_failure: self.on_failure,
            probe: self.probe,
            drain_timeout: self.drain_timeout,
            on_drain_timeout: self.on_drain_timeout,
            stop_grace: self.stop_grace,
            ready_timeout: self.ready_timeout.unwrap_or(default.ready_timeout),
            min_ready: self.min_ready,
            pull: self.pull,
            pull_timeout: self.pull_timeout.unwrap_or(default.pull_timeout),
            wait_lock: self.wait_lock.unwrap_or(default.wait_lock),
            engine_grace: self.engine_grace.unwrap_or(default.engine_grace),
            warm: self.warm,
            allow_recreate,
            surge,
        }
    }
}

/// What is wrong with the file: `/home/ann/.config/pitstop/config.toml:3:1: unknown field …`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsError {
    pub file: PathBuf,
    /// Line and column from 1; `None`: the file as a whole.
    pub place: Option<(usize, usize)>,
    pub message: String,
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&clean(&self.file.to_string_lossy()))?;
        if let Some((line, column)) = self.place {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}", self.message)
    }
}

impl std::error::Error for SettingsError {}

/// Reads the file named by `--config`, which must be there, or else the one in the configuration directory, which need not.
pub fn load(named: Option<&Path>) -> Result<Settings, SettingsError> {
    let path = match (named, paths::config_dir()) {
        (Some(path), _) => path.to_owned(),
        (None, Ok(directory)) => directory.join("config.toml"),
        // Without a home there is no file, and nothing to complain about.
        (None, Err(_)) => return Ok(Settings::default()),
    };
    match file::read(&path) {
        Ok(text) => parse(&path, &text),
        Err(Unreadable::Missing) if named.is_none() => Ok(Settings::default()),
        Err(error) => Err(SettingsError { file: path, place: None, message: clean(&error.to_string()) }),
    }
}

fn parse(file: &Path, text: &str) -> Result<Settings, SettingsError> {
    let wrong = |place, message: &str| SettingsError { file: file.to_owned(), place, message: clean(message) };
    let settings: Settings = toml::from_str(text).map_err(|error| {
        let place = error.span().and_then(|span| text.get(..span.start)).map(|before| {
            let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
            (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
        });
        wrong(place, error.message())
    })?;
    if settings.host.is_some() && settings.context.is_some() {
        return Err(wrong(None, "`host` and `context` both choose the engine; keep one of them"));
    }
    if settings.defaults.parallel == Some(0) {
        return Err(wrong(None, "`parallel` must be at least 1"));
    }
    Ok(settings)
}

/// What is written as text, or as a bare number where that reads the same.
fn text<'de, D: Deserializer<'de>, T: std::str::FromStr<Err = String>>(from: D) -> Result<Option<T>, D::Error> {
    from.deserialize_any(TextOrNumber)?.parse().map(Some).map_err(de::Error::custom)
}

/// `30s`, `1m30s`, or seconds.
fn time<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    duration::parse(&from.deserialize_any(TextOrNumber)?).map(Some).map_err(de::Error::custom)
}

struct TextOrNumber;

impl de::Visitor<'_> for TextOrNumber {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text or a number")
    }
    fn visit_str<E>(self, text: &str) -> Result<String, E> {
        Ok(text.to_owned())
    }
    fn visit_i64<E>(self, number: i64) -> Result<String, E> {
        Ok(number.to_string())
    }
    fn visit_f64<E>(self, number: f64) -> Result<String, E> {
        Ok(number.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Settings, String> {
        parse(Path::new("config.toml"), text).map_err(|error| error.to_string())
    }

    #[test]
    fn every_key_is_read() {
        let settings = read(
            "host = 'unix:///run/x.sock'\ntheme = 'dusk'\nread_only = true\ncolor = 'never'\nsandbox_image = 's:1'\n\
             on_hangup = 'finish'\n\
             [defaults]\nbatch = '25%'\ncanary = 1\nmin_available = '50%'\nparallel = 3\ngate = 'first'\non_failure = 'rollback'\ndrain_timeout = '1m'\non_drain_timeout = 'abort'\n\
             stop_grace = 5\nready_timeout = 1.5\nmin_ready = '2s'\nprobe = 'tcp:80'\npull = 'never'\npull_timeout = '1h'\nwait_lock = 5\n\
             engine_grace = '2m'\nwarm = 'bind'\n[console]\nnotify = 'osc9'\nnotify_after = '1m'\nproduction = ['prod-*']\n",
        )
        .unwrap();
        let production = vec!["prod-*".to_owned()];
        let console = Console { notify: Notify::Osc9, notify_after: Some(Duration::from_secs(60)), production };
        assert_eq!(settings.console, console);
        assert_eq!((settings.color, settings.on_hangup), (Some(Color::Never), Some(OnHangup::Finish)));
        let seconds = |s| Some(Duration::from_secs(s));
        let want = Choices {
            batch: Some(BatchSize::Percent(25)),
            canary: Some(BatchSize::Count(1)),
            min_available: Some(MinAvailable::Percent(50)),
            parallel: Some(3),
            gate: Some(Gate::First),
            on_failure: Some(OnFailure::Rollback),
            drain_timeout: seconds(60),
            on_drain_timeout: Some(OnDrainTimeout::Abort),
            stop_grace: seconds(5),
            ready_timeout: Some(Duration::from_millis(1500)),
            min_ready: seconds(2),
            probe: Some(ProbeSpec::Tcp { port: 80 }),
            pull: Some(PullPolicy::Never),
            pull_timeout: seconds(3600),
            wait_lock: seconds(5),
            engine_grace: seconds(120),
            warm: Some(Warm::Bind),
        };
        assert_eq!(settings.defaults, want);
        // What is said wins, and what nobody says is the default.
        let flags = Choices { batch: Some(BatchSize::Count(2)), ..Choices::default() };
        let options = flags.over(settings.defaults).options(true, None);
        assert_eq!((options.batch, options.parallel), (Some(BatchSize::Count(2)), Some(3)));
        assert_eq!(Choices::default().options(false, None), Options::default());
        assert_eq!(read(""), Ok(Settings::default()));
        assert_eq!(read("defaults.batch = 2").unwrap().defaults.batch, Some(BatchSize::Count(2)));
    }

    #[test]
    fn faults_are_named_with_their_line() {
        for (text, want) in [
            ("theme = 'x'\ncolour = 'auto'\n", "config.toml:2:1: unknown field `colour`, expected one of `host`"),
            ("color = 'pink'", "config.toml:1:9: unknown variant `pink`"),
            ("[defaults]\nbatch = '0%'", "config.toml:2:9: batch `0%`: use a number"),
            ("[defaults]\n  min_ready = 'soon'", "config.toml:2:15: `soon` is not a duration"),
            (
                "[console]\nnotify = 'loud'",
                "config.toml:2:10: unknown variant `loud`, expected one of `off`, `bell`, `osc9`",
            ),
            ("[defaults]\ndrain = 1", "config.toml:2:1: unknown field `drain`"),
            ("defaults.parallel = 0", "config.toml: `parallel` must be at least 1"),
            ("host = 'a'\ncontext = 'b'", "config.toml: `host` and `context`"),
            ("theme = ", "config.toml:1:9: "),
            ("theme = 'é\u{1b}[31m' x", "config.toml:1:"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.starts_with(want), "{text}: {error}");
        }
    }

    #[test]
    fn a_named_file_must_be_there() {
        let scratch = tempfile::tempdir().unwrap();
        let file = scratch.path().join("no.toml");
        let error = load(Some(&file)).unwrap_err().to_string();
        assert_eq!(error, format!("{}: does not exist", file.display()));
        std::fs::write(&file, "theme = 'dusk'").unwrap();
        assert_eq!(load(Some(&file)).unwrap().theme.as_deref(), Some("dusk"));
    }
}
