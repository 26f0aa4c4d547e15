//! The gap: how long an instance did not answer, measured by the guest inside its own sandbox.
//!
//! The sandbox's first process (where it can't, a command in there), asked before the old container stops, tells every
//! transition with its own clock. Distance and
//! jitter between console and engine therefore change when a figure is *seen*, never the figure.

use super::certain::Certain;
use crate::docker::{DockerError, Watch, WatchLine};
use crate::domain::clean::Clean;
use crate::domain::ids::ContainerId;
use crate::domain::probe::ProbeSpec;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What the watch has seen so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// Transitions so far, the initial state included.
    pub transitions: u64,
    /// `None` before the first answer.
    pub up: Option<bool>,
    /// Microseconds without a good answer, all gaps together.
    pub gap_us: u64,
    pub gaps: u32,
    /// The last probe's own words: `connected`, `http 503`, `refused` …
    pub detail: Clean,
    /// Why there will be no more news.
    pub ended: Option<String>,
}

/// What a step is shown of its instance's watch.
#[derive(Clone, Debug)]
pub(super) struct Watched {
    pub sandbox: ContainerId,
    pub probe: ProbeSpec,
    pub seen: watch::Receiver<Seen>,
    /// Transitions when the old container was about to stop; 0 where none was.
    pub mark: u64,
}

/// A watch under way; ends when it is dropped.
#[derive(Debug)]
pub(super) struct GapWatch {
    sandbox: ContainerId,
    pub probe: ProbeSpec,
    seen: watch::Receiver<Seen>,
    reader: JoinHandle<()>,
}

impl GapWatch {
    /// Starts the guest in `sandbox` and waits for its first answer, so that nothing is missed afterwards.
    pub async fn start(docker: &Certain, sandbox: &ContainerId, probe: &ProbeSpec) -> Result<Self, DockerError> {
        Ok(Self::of(docker.watch(sandbox, probe).await?, sandbox, probe).await)
    }

    /// The same, looking twice as often.
    pub async fn closely(docker: &Certain, sandbox: &ContainerId, probe: &ProbeSpec) -> Result<Self, DockerError> {
        Ok(Self::of(docker.watch_closely(sandbox, probe).await?, sandbox, probe).await)
    }

    async fn of(watch: Watch, sandbox: &ContainerId, probe: &ProbeSpec) -> Self {
        let (tell, mut seen) = watch::channel(Seen::default());
        let reader = tokio::spawn(read(watch, tell));
        // A closed channel means that the reader has ended, which `seen` tells too.
        let _ = seen.wait_for(|seen| seen.up.is_some() || seen.ended.is_some()).await;
        Self { sandbox: sandbox.clone(), probe: probe.clone(), seen, reader }
    }

    /// A reader of its own for whoever waits for readiness.
    pub fn subscribe(&self) -> watch::Receiver<Seen> {
        self.seen.clone()
    }

    /// A look at it for a step; `mark`: its transitions when the old container was about to stop.
    pub fn watched(&self, mark: u64) -> Watched {
        Watched { sandbox: self.sandbox.clone(), probe: self.probe.clone(), seen: self.subscribe(), mark }
    }

    /// Whether it answers now.
    pub fn is_up(&self) -> bool {
        self.seen.borrow().up == Some(true)
    }

    /// Transitions seen until now: what comes later is news.
    pub fn mark(&self) -> u64 {
        self.seen.borrow().transitions
    }

    /// Milliseconds without a good answer, if the instance went away and came back.
    pub fn gap_ms(&self) -> Option<f64> {
        let seen = self.seen.borrow();
        (seen.gaps > 0).then(|| millis(seen.gap_us))
    }
}

/// Milliseconds with one decimal place.
#[expect(clippy::cast_precision_loss, reason = "gaps are far below 2^52 µs")]
pub(super) fn millis(us: u64) -> f64 {
    (us as f64 / 100.0).round() / 10.0
}

impl Drop for GapWatch {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

async fn read(mut watch: Watch, tell: watch::Sender<Seen>) {
    loop {
        let ended = match watch.next().await {
            Some(Ok(line)) => {
                tell.send_modify(|seen| seen.take(line));
                continue;
            }
            Some(Err(error)) => error.to_string(),
            None => "the guest's watch ended".to_owned(),
        };
        tell.send_modify(|seen| seen.ended = Some(ended));
        return;
    }
}

impl Seen {
    fn take(&mut self, line: WatchLine) {
        match line {
            WatchLine::Hello { .. } => {}
            WatchLine::Up { gap_us, detail, .. } => {
                self.transitions += 1;
                self.up = Some(true);
                if let Some(gap) = gap_us {
                    self.gaps += 1;
                    self.gap_us += gap;
                }
                self.detail = detail;
            }
            WatchLine::Down { detail, .. } => {
                self.transitions += 1;
                self.up = Some(false);
                self.detail = detail;
            }
            WatchLine::Tick { detail, .. } => self.detail = detail,
        }
    }
}
