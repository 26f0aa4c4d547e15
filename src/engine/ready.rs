//! Waiting until an instance is ready: the probe, and an eye on the container meanwhile.
//!
//! Readiness is ours, asked from the moment of start at short intervals, because Docker's own health cycle begins
//! after a whole interval (30 s by default). What the answers mean is `domain/availability.rs`'s to say, what the
//! container's state means `domain/crash.rs`'s; each kind of probe is asked in `ask.rs`.

mod ask;

use super::certain::Certain;
use super::clock;
use super::gap::Seen;
use super::perform::Failed;
use crate::docker::{LogOptions, PullProgress};
use crate::domain::availability::{Availability, times};
use crate::domain::crash::{Life, life};
use crate::domain::duration::{human, millis};
use crate::domain::fleet::{Container, Detail};
use crate::domain::ids::ContainerId;
use crate::domain::probe::ProbeSpec;
use futures_util::StreamExt;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;

/// How often the container itself is looked at while its probe is waited for: at first, and after [`LONG`].
const LOOK: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(200));
/// A wait longer than this is no longer a matter of milliseconds.
const LONG: Duration = Duration::from_secs(5);
/// No wait shorter than this is worth a report; and the pause between two reports.
const REPORT: Duration = Duration::from_millis(250);
/// Lines of log shown with a failure.
const LAST_LINES: u32 = 5;
/// After so long the engine itself begins anew with its pauses between restarts (moby, `restartmanager`).
const SETTLED: jiff::SignedDuration = jiff::SignedDuration::from_secs(10);
/// For reading them.
const LAST_LINES_TIME: Duration = Duration::from_secs(2);

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
    let healthy = detail.is_some_and(|detail| health_command(&detail).is_some());
    Ok(if healthy { ProbeSpec::Docker } else { probe.clone() })
}

/// A container's HEALTHCHECK as a command to run; `None` when it has none.
fn health_command(detail: &Detail) -> Option<Vec<String>> {
    let (kind, command) = detail.healthcheck.split_first().filter(|(_, command)| !command.is_empty())?;
    match kind.as_str() {
        "CMD" => Some(command.to_vec()),
        "CMD-SHELL" if detail.shell.is_empty() => Some(vec!["/bin/sh".into(), "-c".into(), command.join(" ")]),
        "CMD-SHELL" => Some(detail.shell.iter().cloned().chain([command.join(" ")]).collect()),
        _ => None,
    }
}

/// What the waiting parts share: what the probe and the container have told so far.
#[derive(Clone)]
struct Told {
    began: Instant,
    seen: watch::Sender<Availability>,
}

impl Told {
    /// The probe's answer; whoever waits is woken when it is news.
    fn answer(&self, good: bool, words: &str) {
        let now = clock::instant().duration_since(self.began);
        self.seen.send_if_modified(|seen| seen.hear(now, good, words));
    }

    fn restarted(&self) {
        self.seen.send_modify(Availability::restarted);
    }

    fn now(&self) -> Availability {
        self.seen.borrow().clone()
    }
}

impl Wait<'_> {
    /// Ends when the probe has been good for `min_ready`; the text says what it answered. `report` is given what there is
    /// to say while that takes its time.
    pub async fn until_ready(self, report: impl Fn(PullProgress)) -> Result<String, Failed> {
        let told = Told { began: clock::instant(), seen: watch::Sender::default() };
        tokio::select! {
            ready = self.until_available(&told) => Ok(self.success(&ready, told.began)),
            over = self.until_over(&told) => Err(self.with_last_lines(self.and_probe(over, &told.now())).await),
            broken = self.ask(&told) => {
                let why = format!("{}: the probe {} can't be run, so waiting does not help: {broken}", self.name, self.probe);
                Err(Failed::new(why))
            }
            () = self.docker.outage().passed(self.timeout + self.min_ready) => {
                Err(self.with_last_lines(self.too_late(&told.now())).await)
            }
            () = self.tell(&told, report) => unreachable!("it tells for ever"),
        }
    }

    async fn until_available(&self, told: &Told) -> Availability {
        let mut news = told.seen.subscribe();
        // In which of its runs it was when it began to be good.
        let (mut run, mut restarts) = (None, 0);
        loop {
            let seen = news.borrow_and_update().clone();
            let Some(due) = seen.due(self.min_ready) else {
                run = None;
                // The sender is `told`'s own, so it never closes.
                let _ = news.changed().await;
                continue;
            };
            if self.min_ready.is_zero() {
                return seen;
            }
            if run.is_none() || restarts != seen.restarts {
                (run, restarts) = (self.started().await, seen.restarts);
            }
            tokio::select! {
                () = tokio::time::sleep_until(told.began + due) => {}
                _ = news.changed() => continue,
            }
            // Between two looks it may have ended, or ended and begun again: who looks will tell in a moment.
            let now = self.started().await;
            if now.is_some() && now == run {
                return seen;
            }
            tokio::time::sleep(LOOK.0).await;
        }
    }

    /// When the container was started last; `None` where it does not run.
    async fn started(&self) -> Option<jiff::Timestamp> {
        let seen = self.docker.inspect(self.container).await.ok().flatten()?;
        seen.is_running().then(|| seen.started_at())?
    }

    /// Ends when no wait can help any more, with why.
    async fn until_over(&self, told: &Told) -> String {
        let (mut run, mut before) = (None, None);
        loop {
            match self.docker.inspect(self.container).await {
                Ok(None) => return format!("{} is gone: somebody removed it", self.name),
                Ok(Some(container)) => {
                    let before = *before.get_or_insert_with(|| restarts_of_old(&container));
                    if let Life::Over(why) = life(&container, &told.now(), self.min_ready, before) {
                        return why;
                    }
                    let now = container.started_at();
                    if run.is_some() && run != Some(now) {
                        told.restarted();
                    }
                    run = Some(now);
                }
                // An engine that does not answer now may answer before the deadline.
                Err(error) => tracing::warn!(container = self.name, %error, "can't look at the container"),
            }
            let pace = if clock::instant() < told.began + LONG { LOOK.0 } else { LOOK.1 };
            tokio::time::sleep(pace).await;
        }
    }

    /// Reports what is new, now and then.
    async fn tell(&self, told: &Told, report: impl Fn(PullProgress)) {
        let mut news = told.seen.subscribe();
        let mut last = String::new();
        loop {
            tokio::time::sleep(REPORT).await;
            let note = news.borrow_and_update().so_far(self.min_ready);
            if note == last {
                let _ = news.changed().await;
                continue;
            }
            report(PullProgress { done: 0, total: 0, note: note.clone() });
            last = note;
        }
    }

    fn success(&self, seen: &Availability, began: Instant) -> String {
        let troubles = seen.troubles().map(|troubles| format!("; {troubles} on the way")).unwrap_or_default();
        match self.probe {
            ProbeSpec::None => {
                format!("no probe: ran for {} without a restart{troubles}", human(clock::since(began)))
            }
            probe if self.min_ready.is_zero() => format!("{probe} {}{troubles}", seen.words),
            probe => format!("{probe} {} for {}{troubles}", seen.words, human(millis(self.min_ready))),
        }
    }

    fn too_late(&self, seen: &Availability) -> String {
        let (name, limit) = (self.name, human(millis(self.timeout)));
        let lasting = human(millis(self.min_ready));
        let says = if seen.words.is_empty() { "nothing yet".to_owned() } else { format!("`{}`", seen.words) };
        let restarts = match seen.restarts {
            0 => String::new(),
            count => format!(", it was restarted {}", times(count)),
        };
        if seen.good || seen.lapses > 0 {
            return format!(
                "{name} was not ready for {lasting} without interruption within {limit}: probe {} passed and failed again {}, last it said {says}{restarts}",
                self.probe,
                times(seen.lapses)
            );
        }
        format!("{name} was not ready within {limit}: probe {} says {says}, the container runs{restarts}", self.probe)
    }

    /// Adds what the probe said last.
    fn and_probe(&self, why: String, seen: &Availability) -> String {
        match self.probe {
            ProbeSpec::None => why,
            _ if seen.words.is_empty() => why,
            probe => format!("{why}; probe {probe} said `{}`", seen.words),
        }
    }

    async fn with_last_lines(&self, why: String) -> Failed {
        with_last_lines(self.docker, self.container, why).await
    }
}

/// Restarts by its policy that say nothing of how it is now: of a container that has run for a while since.
fn restarts_of_old(container: &Container) -> u32 {
    let lived = container.started_at().map(|started| clock::wall().duration_since(started));
    let is_well = container.is_running() && lived.is_some_and(|lived| lived > SETTLED);
    container.detail.as_ref().filter(|_| is_well).map_or(0, |detail| detail.restart_count)
}

/// What failed, and what the container wrote last.
pub(super) async fn with_last_lines(docker: &Certain, container: &ContainerId, why: String) -> Failed {
    let options = LogOptions { tail: Some(LAST_LINES), ..LogOptions::default() };
    let read = async {
        let lines = docker.logs(container, options).await.ok()?;
        let lines: Vec<_> = lines.collect().await;
        Some(lines.into_iter().flatten().map(|line| line.text.to_string()).collect::<Vec<_>>())
    };
    match tokio::time::timeout(LAST_LINES_TIME, read).await {
        Ok(Some(lines)) if lines.is_empty() => Failed::new(format!("{why}; it wrote no log")),
        Ok(Some(lines)) => Failed::new(format!("{why}; its last lines: {}", lines.join(" ⏎ "))),
        _ => Failed::new(format!("{why}; its log can't be read")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_health_check_is_a_command_or_none() {
        for (test, shell, want) in [
            (&["CMD", "ok", "-q"][..], &[][..], Some(&["ok", "-q"][..])),
            (&["CMD-SHELL", "ok || exit 1"], &[], Some(&["/bin/sh", "-c", "ok || exit 1"])),
            (&["CMD-SHELL", "ok"], &["/bin/bash", "-eu", "-c"], Some(&["/bin/bash", "-eu", "-c", "ok"])),
            (&["CMD"], &[], None),
            (&["NONE"], &[], None),
            (&["NONE", "ok"], &[], None),
            (&[], &[], None),
        ] {
            let owned = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
            let detail = Detail { healthcheck: owned(test), shell: owned(shell), ..Detail::default() };
            assert_eq!(health_command(&detail), want.map(owned), "{test:?}");
        }
    }
}
