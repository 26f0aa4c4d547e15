//! Waiting until an instance is ready: the probe, and an eye on the container meanwhile.
//!
//! Readiness is ours, asked from the moment of start at short intervals, because Docker's own health cycle begins
//! after a whole interval (30 s by default). A container that exits or restarts meanwhile ends the wait at once, with
//! its exit code and last words. Any restart or failed check begins `min_ready` anew.

use super::certain::Certain;
use super::clock;
use super::gap::{GapWatch, Seen};
use super::perform::Failed;
use crate::docker::LogOptions;
use crate::domain::clean::Clean;
use crate::domain::duration;
use crate::domain::fleet::{Container, State};
use crate::domain::ids::ContainerId;
use crate::domain::probe::ProbeSpec;
use futures_util::StreamExt;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// How often the container itself is looked at while its probe is waited for.
const LOOK: Duration = Duration::from_millis(50);
/// Longest single run of an `exec` or `docker` probe (design: probe timeout).
const PROBE_TIMEOUT: Duration = Duration::from_secs(5);
/// Lines of log shown with a failure.
const LAST_LINES: u32 = 5;

/// What is waited for.
pub(super) struct Wait<'a> {
    pub docker: &'a Certain,
    pub container: &'a ContainerId,
    pub name: &'a str,
    pub sandbox: Option<&'a ContainerId>,
    pub probe: &'a ProbeSpec,
    pub min_ready: Duration,
    pub timeout: Duration,
    /// The watch that runs already, and its transitions when the old container was about to stop.
    pub gap: Option<(watch::Receiver<Seen>, u64)>,
}

/// What the last probe said, and whether it was good.
#[derive(Clone, Debug, Default)]
struct Answer {
    good: bool,
    /// Good since; any bad answer takes it back.
    since: Option<Instant>,
    words: Clean,
}

/// The probe to ask: where nobody chose one, the container's own HEALTHCHECK goes before `probe`. Only now does the
/// container tell: before, its image may not have been pulled.
pub(super) async fn probe(
    docker: &Certain,
    container: &ContainerId,
    probe: &ProbeSpec,
    prefer_health: bool,
) -> Result<ProbeSpec, Failed> {
    if !prefer_health {
        return Ok(probe.clone());
    }
    let detail = docker.inspect(container).await?.and_then(|seen| seen.detail);
    let healthy = detail.is_some_and(|detail| health_command(&detail.healthcheck).is_some());
    Ok(if healthy { ProbeSpec::Docker } else { probe.clone() })
}

/// A HEALTHCHECK in Docker's form as a command to run; `None` when it is none.
fn health_command(test: &[String]) -> Option<Vec<String>> {
    let (kind, command) = test.split_first().filter(|(_, command)| !command.is_empty())?;
    match kind.as_str() {
        "CMD" => Some(command.to_vec()),
        "CMD-SHELL" => Some(vec!["/bin/sh".into(), "-c".into(), command.join(" ")]),
        _ => None,
    }
}

impl Wait<'_> {
    /// Ends when the probe has been good for `min_ready`; the text says what it answered.
    pub async fn until_ready(self) -> Result<String, Failed> {
        let started = clock::instant();
        let (tell, answers) = watch::channel(Answer::default());
        tokio::select! {
            good = self.until_good(answers.clone()) => Ok(self.success(&good, started)),
            crash = self.until_crash() => Err(self.with_last_lines(crash).await),
            broken = self.ask(tell) => Err(Failed::new(format!("{}: the probe {} can't be run: {broken}", self.name, self.probe))),
            () = self.docker.outage().passed(self.timeout + self.min_ready) => {
                let last = answers.borrow().clone();
                Err(self.too_late(&last).await)
            }
        }
    }

    async fn until_good(&self, mut answers: watch::Receiver<Answer>) -> Answer {
        loop {
            let answer = answers.borrow_and_update().clone();
            match answer.since {
                Some(since) if answer.good => {
                    tokio::select! {
                        () = tokio::time::sleep_until(since + self.min_ready) => return answer,
                        _ = answers.changed() => {}
                    }
                }
                _ => {
                    if answers.changed().await.is_err() {
                        std::future::pending::<()>().await;
                    }
                }
            }
        }
    }

    /// Asks for ever and tells each answer that differs; returns only when asking is impossible.
    async fn ask(&self, tell: watch::Sender<Answer>) -> String {
        match self.probe {
            ProbeSpec::Http { .. } | ProbeSpec::Tcp { .. } => self.ask_guest(tell).await,
            ProbeSpec::Exec { command } => {
                let command = ["/bin/sh", "-c", command].map(str::to_owned).to_vec();
                self.ask_by_exec(command, tell).await
            }
            ProbeSpec::Docker => self.ask_health(tell).await,
            ProbeSpec::Log { regex } => self.ask_log(regex, tell).await,
            ProbeSpec::None => {
                answer(&tell, true, "it runs");
                std::future::pending().await
            }
        }
    }

    /// Reads the guest's transitions; the watch that measures the gap serves here too.
    async fn ask_guest(&self, tell: watch::Sender<Answer>) -> String {
        let Some(sandbox) = self.sandbox else {
            return "the container has no sandbox to probe from".into();
        };
        let (mut own, mut count) = (None, self.docker.outage().count());
        let (mut seen, mut mark) = self.gap.clone().unwrap_or_else(|| (ended(), 0));
        loop {
            let now = seen.borrow_and_update().clone();
            if let Some(why) = now.ended {
                // An engine that is away takes its connections along; whoever waits here goes on when it is back.
                let back = self.docker.outage().over().await.is_ok() && self.docker.outage().count() != count;
                if own.is_some() && !back {
                    return why;
                }
                count = self.docker.outage().count();
                // None has begun, or it has ended (this console was stopped for longer than the guest waits). The old
                // container has stopped before, so whatever answers now is the new one.
                match GapWatch::start(self.docker, sandbox, self.probe).await {
                    Ok(watch) => (seen, mark) = (own.insert(watch).subscribe(), 0),
                    Err(error) => return error.to_string(),
                }
                continue;
            }
            // Up since before the old container stopped is the old one's answer, not the new one's.
            let good = now.up == Some(true) && (mark == 0 || now.transitions > mark);
            answer(&tell, good, &now.detail);
            if seen.changed().await.is_err() {
                return "the guest's watch ended".into();
            }
        }
    }

    async fn ask_by_exec(&self, command: Vec<String>, tell: watch::Sender<Answer>) -> String {
        let started = clock::instant();
        loop {
            match self.docker.exec(self.container, command.clone(), PROBE_TIMEOUT).await {
                Ok(result) if result.code == 0 => answer(&tell, true, "exit 0"),
                Ok(result) if matches!(result.code, 126 | 127) => {
                    return format!("exit {}: {}", result.code, result.output);
                }
                Ok(result) => answer(&tell, false, &format!("exit {}: {}", result.code, result.output)),
                Err(error) => answer(&tell, false, &error.to_string()),
            }
            tokio::time::sleep(interval(started.elapsed())).await;
        }
    }

    /// The container's own HEALTHCHECK command, run by us.
    async fn ask_health(&self, tell: watch::Sender<Answer>) -> String {
        let test = match self.docker.inspect(self.container).await {
            Ok(Some(Container { detail: Some(detail), .. })) => detail.healthcheck,
            Ok(_) => return "the container is gone".into(),
            Err(error) => return error.to_string(),
        };
        match health_command(&test) {
            Some(command) => self.ask_by_exec(command, tell).await,
            None => "the container has no HEALTHCHECK".into(),
        }
    }

    async fn ask_log(&self, pattern: &str, tell: watch::Sender<Answer>) -> String {
        let pattern = match regex_lite::Regex::new(pattern) {
            Ok(pattern) => pattern,
            Err(error) => return error.to_string(),
        };
        let started = self.docker.inspect(self.container).await.ok().flatten().and_then(|c| c.started_at());
        loop {
            let options = LogOptions { follow: true, since: started, ..LogOptions::default() };
            let mut lines = match self.docker.logs(self.container, options).await {
                Ok(lines) => lines,
                Err(error) if error.is_unreachable() || error.is_unknown_outcome() => {
                    answer(&tell, false, &error.to_string());
                    tokio::time::sleep(LOOK).await;
                    continue;
                }
                Err(error) => return error.to_string(),
            };
            while let Some(Ok(line)) = lines.next().await {
                if pattern.is_match(&line.text) {
                    answer(&tell, true, &line.text);
                    std::future::pending::<()>().await;
                }
                answer(&tell, false, &line.text);
            }
            // The container has ended, and the look at it says why; or the engine was away, and the lines are read anew.
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Ends when the container has exited or was restarted by the engine.
    async fn until_crash(&self) -> String {
        loop {
            match self.docker.inspect(self.container).await {
                Ok(None) => return format!("{} is gone: somebody removed it", self.name),
                Ok(Some(container)) => {
                    if let Some(crash) = self.crash(&container) {
                        return crash;
                    }
                }
                // An engine that does not answer now may answer before the deadline.
                Err(error) => tracing::warn!(container = self.name, %error, "can't look at the container"),
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    fn crash(&self, container: &Container) -> Option<String> {
        let detail = container.detail.as_ref()?;
        let out_of_memory = if detail.oom_killed { ", killed for lack of memory" } else { "" };
        match container.state {
            State::Exited | State::Dead => {
                Some(format!("{} exited with code {}{out_of_memory} before it was ready", self.name, detail.exit_code))
            }
            State::Restarting => {
                Some(format!("{} keeps exiting with code {}{out_of_memory}", self.name, detail.exit_code))
            }
            _ if detail.restart_count > 0 => {
                Some(format!("{} exited and was restarted by the engine before it was ready{out_of_memory}", self.name))
            }
            State::Paused => Some(format!("{} is paused; `docker unpause {}` lets it go on", self.name, self.name)),
            _ => None,
        }
    }

    fn success(&self, answer: &Answer, started: Instant) -> String {
        match self.probe {
            ProbeSpec::None => {
                format!("no probe: ran for {} without a restart", duration::human(clock::since(started)))
            }
            probe => format!("{probe} {}", answer.words),
        }
    }

    async fn too_late(&self, answer: &Answer) -> Failed {
        let said = if answer.words.is_empty() { "nothing yet".into() } else { format!("`{}`", answer.words) };
        let limit = duration::human(duration::millis(self.timeout));
        let why = if answer.good {
            format!(
                "{} was not ready for {} without interruption",
                self.name,
                duration::human(duration::millis(self.min_ready))
            )
        } else {
            format!("{} was not ready within {limit}: probe {} says {said}, the container runs", self.name, self.probe)
        };
        self.with_last_lines(why).await
    }

    async fn with_last_lines(&self, why: String) -> Failed {
        let options = LogOptions { tail: Some(LAST_LINES), ..LogOptions::default() };
        let read = async {
            let lines = self.docker.logs(self.container, options).await.ok()?;
            let lines: Vec<String> = lines.filter_map(async |line| Some(line.ok()?.text.to_string())).collect().await;
            Some(lines)
        };
        match tokio::time::timeout(Duration::from_secs(2), read).await {
            Ok(Some(lines)) if !lines.is_empty() => {
                Failed::new(format!("{why}; its last lines: {}", lines.join(" ⏎ ")))
            }
            _ => Failed::new(format!("{why}; it wrote no log")),
        }
    }
}

/// What a watch tells that never was.
fn ended() -> watch::Receiver<Seen> {
    watch::channel(Seen { ended: Some(String::new()), ..Seen::default() }).1
}

/// Tells an answer unless it is the one told before.
fn answer(tell: &watch::Sender<Answer>, good: bool, words: &str) {
    tell.send_if_modified(|last| {
        let changed = last.good != good || &*last.words != words;
        let since = if last.good && good { last.since } else { good.then(clock::instant) };
        *last = Answer { good, since, words: Clean::new(words) };
        changed
    });
}

/// The design's pace: 5 ms at first, 50 ms after a second, 500 ms after five.
fn interval(elapsed: Duration) -> Duration {
    Duration::from_millis(match elapsed.as_secs() {
        0 => 5,
        1..5 => 50,
        _ => 500,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_health_check_is_a_command_or_none() {
        for (test, want) in [
            (&["CMD", "ok", "-q"][..], Some(&["ok", "-q"][..])),
            (&["CMD-SHELL", "ok || exit 1"], Some(&["/bin/sh", "-c", "ok || exit 1"])),
            (&["CMD"], None),
            (&["NONE"], None),
            (&["NONE", "ok"], None),
            (&[], None),
        ] {
            let test: Vec<String> = test.iter().map(ToString::to_string).collect();
            let want = want.map(|want| want.iter().map(ToString::to_string).collect());
            assert_eq!(health_command(&test), want, "{test:?}");
        }
    }
}
