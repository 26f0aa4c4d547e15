//! Asking: each kind of probe in its own way, from the moment of start.
//!
//! What an answer means is for others. Each way asks for ever and comes back only where asking is impossible.

use super::super::clock;
use super::super::gap::{GapWatch, Seen};
use super::{Told, Wait, health_command};
use crate::docker::LogOptions;
use crate::domain::fleet::Container;
use crate::domain::probe::ProbeSpec;
use futures_util::StreamExt;
use std::time::Duration;
use tokio::sync::watch;

/// Longest single run of an `exec` probe (design: probe timeout).
const EXEC_TIME: Duration = Duration::from_secs(5);
/// Longest single run of a HEALTHCHECK that says nothing itself (Docker's default).
const HEALTH_TIME: Duration = Duration::from_secs(30);
/// Before a log that broke off is read again.
const LOG_PAUSE: Duration = Duration::from_millis(50);
/// A command that can't even be started is given so many tries: a container that is just ending fails the same way.
const TRIES: u32 = 3;
/// The exit codes of "can't be run" and "not found", of shells and of the engine alike.
const NOT_RUN: [i64; 2] = [126, 127];

impl Wait<'_> {
    /// Returns why asking is impossible, if it is.
    pub(super) async fn ask(&self, told: &Told) -> String {
        match self.probe {
            ProbeSpec::Http { .. } | ProbeSpec::Tcp { .. } => self.ask_guest(told).await,
            ProbeSpec::Exec { command } => {
                let command = ["/bin/sh", "-c", command].map(str::to_owned).to_vec();
                self.ask_by_exec(command, EXEC_TIME, told).await
            }
            ProbeSpec::Docker => self.ask_health(told).await,
            ProbeSpec::Log { regex } => self.ask_log(regex, told).await,
            ProbeSpec::None => {
                let mut news = told.seen.subscribe();
                loop {
                    // After a restart it runs, too; the time has begun anew.
                    told.answer(true, "it runs");
                    let _ = news.changed().await;
                }
            }
        }
    }

    /// Reads the guest's transitions; the watch that measures the gap serves here too.
    async fn ask_guest(&self, told: &Told) -> String {
        let Some(sandbox) = self.sandbox else {
            return "the container has no sandbox to probe from".into();
        };
        let (mut own, mut count) = (None, self.docker.outage().count());
        let (mut seen, mut mark) = self.gap.clone().unwrap_or_else(|| (ended(), 0));
        let (mut news, mut restarts, mut last) = (told.seen.subscribe(), 0, mark);
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
                    Ok(watch) => (seen, mark, last) = (own.insert(watch).subscribe(), 0, 0),
                    Err(error) => return error.to_string(),
                }
                continue;
            }
            // Up since before the old container stopped is the old one's answer, not the new one's.
            let good = now.up == Some(true) && (mark == 0 || now.transitions > mark);
            if good && told.now().good && now.transitions > last {
                // Down and up again between two looks at the watch.
                told.answer(false, "no answer in between");
            }
            last = now.transitions;
            told.answer(good, &now.detail);
            // A restart takes the answer back, and is told here too; what the probe says now is said again.
            tokio::select! {
                changed = seen.changed() => if changed.is_err() {
                    return "the guest's watch ended".into();
                },
                () = restarted(&mut news, &mut restarts) => {}
            }
        }
    }

    async fn ask_by_exec(&self, command: Vec<String>, longest: Duration, told: &Told) -> String {
        let (started, mut not_run) = (clock::instant(), 0);
        loop {
            match self.docker.exec(self.container, command.clone(), longest).await {
                Ok(result) if result.code == 0 => told.answer(true, "exit 0"),
                Ok(result) => {
                    let words = format!("exit {}: {}", result.code, result.output);
                    not_run = if NOT_RUN.contains(&result.code) { not_run + 1 } else { 0 };
                    if not_run >= TRIES {
                        return words;
                    }
                    told.answer(false, words.trim_end_matches([' ', ':']));
                }
                Err(error) => told.answer(false, &error.to_string()),
            }
            tokio::time::sleep(interval(started.elapsed(), told.now().good)).await;
        }
    }

    /// The container's own HEALTHCHECK command, run by us.
    async fn ask_health(&self, told: &Told) -> String {
        let detail = match self.docker.inspect(self.container).await {
            Ok(Some(Container { detail: Some(detail), .. })) => detail,
            Ok(_) => return "the container is gone".into(),
            Err(error) => return error.to_string(),
        };
        let longest = detail.health_timeout_ms.map_or(HEALTH_TIME, Duration::from_millis);
        match health_command(&detail) {
            Some(command) => self.ask_by_exec(command, longest, told).await,
            None => "the container has no HEALTHCHECK".into(),
        }
    }

    /// A line of the present run, not of one before a restart.
    async fn ask_log(&self, pattern: &str, told: &Told) -> String {
        let pattern = match regex_lite::Regex::new(pattern) {
            Ok(pattern) => pattern,
            Err(error) => return error.to_string(),
        };
        let (mut news, mut restarts) = (told.seen.subscribe(), 0);
        loop {
            let since = self.docker.inspect(self.container).await.ok().flatten().and_then(|seen| seen.started_at());
            let options = LogOptions { follow: true, since, ..LogOptions::default() };
            let mut lines = match self.docker.logs(self.container, options).await {
                Ok(lines) => lines,
                Err(error) if error.is_unreachable() || error.is_unknown_outcome() => {
                    told.answer(false, &error.to_string());
                    tokio::time::sleep(LOG_PAUSE).await;
                    continue;
                }
                Err(error) => return error.to_string(),
            };
            let matched = async {
                while let Some(line) = lines.next().await {
                    let Ok(line) = line else { return };
                    let good = pattern.is_match(&line.text);
                    told.answer(good, &line.text);
                    if good {
                        std::future::pending::<()>().await;
                    }
                }
            };
            tokio::select! {
                // The container has ended, and the look at it says why; or the engine was away, and the lines are read anew.
                () = matched => tokio::time::sleep(LOG_PAUSE).await,
                () = restarted(&mut news, &mut restarts) => {}
            }
        }
    }
}

/// Ends when the container was started again since the `known` time.
async fn restarted(news: &mut watch::Receiver<crate::domain::availability::Availability>, known: &mut u32) {
    // The sender outlives everybody who waits here.
    let count = news.wait_for(|seen| seen.restarts != *known).await.map_or(*known, |seen| seen.restarts);
    *known = count;
}

/// What a watch tells that never was.
fn ended() -> watch::Receiver<Seen> {
    watch::channel(Seen { ended: Some(String::new()), ..Seen::default() }).1
}

/// From the end of one command to the next: 5 ms at first, 50 ms after a second, 100 ms after five, so that readiness is
/// seen within 200 ms; 250 ms while what is good has to last.
fn interval(elapsed: Duration, good: bool) -> Duration {
    Duration::from_millis(match elapsed.as_secs() {
        _ if good => 250,
        0 => 5,
        1..5 => 50,
        _ => 100,
    })
}
