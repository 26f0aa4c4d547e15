//! Warm swap: a new container starts while the old one serves, stands where its sandbox holds it, and is let go when the old
//! one leaves the port.
//!
//! The moment itself is the guest's (`guest/arbiter.rs`): between the old version's last answer and the new one's first no word
//! of a console is needed. Whether and how to hold was decided before (`domain/warm.rs`).

use super::certain::Certain;
use super::clock;
use super::gap::GapWatch;
use super::perform::{Done, Failed, Outcome};
use super::ready;
use crate::docker::{DockerError, HoldLine, Holding};
use crate::domain::duration::{human, millis};
use crate::domain::ids::ContainerId;
use crate::domain::probe::ProbeSpec;
use crate::domain::warm::HoldAt;
use std::time::Duration;

/// An old version that has ended has left its port, unless connections of its own still have it: then the new one is let go, and
/// finds out itself.
const LEFT: Duration = Duration::from_secs(1);
/// From its `bind` beside the old version until it accepts connections; one that needs longer does so while the old one ends.
const SHARES: Duration = Duration::from_secs(10);
/// From `bind` to the first connection a server needs microseconds; one that needs longer than this is told by its probe.
const LISTENS: Duration = Duration::from_secs(2);

/// One new container and its hold.
pub(super) struct Held<'a> {
    pub docker: &'a Certain,
    pub container: &'a ContainerId,
    pub name: &'a str,
    pub sandbox: &'a ContainerId,
    pub token: String,
    pub hold: HoldAt,
}

impl Held<'_> {
    async fn ask(&self) -> Result<Holding, DockerError> {
        self.docker.hold(self.sandbox, &self.token, self.hold).await
    }

    /// Has the sandbox expect it, then starts it.
    pub async fn start(&self) -> Outcome {
        let mut holding = self.ask().await?;
        holding.next().await?;
        self.docker.start(self.container).await?;
        Ok(Done::saying(match self.hold {
            HoldAt::Start { .. } => "held before its start".to_owned(),
            HoldAt::Bind { port, .. } => format!("boots; held before it binds port {port}"),
        }))
    }

    /// Waits until it stands where it is held; the old version serves all the while.
    pub async fn until_held(&self, timeout: Duration) -> Outcome {
        let began = clock::instant();
        let mut other = None;
        let outage = self.docker.outage();
        let wait = async {
            let (mut holding, mut count) = (self.ask().await?, outage.count());
            loop {
                match holding.next().await {
                    Ok(HoldLine::Held(at)) => return Ok(at),
                    Ok(HoldLine::Other(port)) => other = Some(port),
                    Ok(HoldLine::Unfiltered(errno)) => {
                        tracing::warn!(container = self.name, errno, "its bind can't be held, so its start is");
                    }
                    // It was let go: by another console, or because the old version has gone.
                    Ok(HoldLine::Free | HoldLine::Served { .. }) => return Ok(None),
                    Ok(HoldLine::Waiting | HoldLine::Begun | HoldLine::Apart(_) | HoldLine::Gone) => {}
                    // An engine that is away takes its connections along; whoever waits here goes on when it is back.
                    Err(error) if outage.over().await.is_err() || outage.count() == count => return Err(error),
                    Err(_) => (holding, count) = (self.ask().await?, outage.count()),
                }
            }
        };
        let stood: Result<Option<u16>, DockerError> = tokio::select! {
            stood = wait => stood,
            why = self.ends() => return Err(self.with_last_lines(why).await),
            () = outage.passed(timeout) => return Err(self.with_last_lines(self.too_late(timeout, other)).await),
        };
        let took = human(clock::since(began));
        Ok(Done::saying(match (stood?, self.hold) {
            (None, HoldAt::Bind { .. }) => "its bind can't be held here, so it is held before its start".to_owned(),
            (None, HoldAt::Start { .. }) => "held before its start".to_owned(),
            (Some(0), _) => format!("booted in {took}, held before it binds a port"),
            (Some(port), _) => format!("booted in {took}, held before it binds port {port}"),
        }))
    }

    fn too_late(&self, timeout: Duration, other: Option<u16>) -> String {
        let (name, limit) = (self.name, human(millis(timeout)));
        match (self.hold, other) {
            (HoldAt::Bind { port, .. }, Some(other)) => {
                format!(
                    "{name} binds port {other} and not {port}, which is waited for, within {limit}; the old version was not touched"
                )
            }
            (HoldAt::Bind { port, .. }, None) => {
                format!("{name} did not come to bind port {port} within {limit}; the old version was not touched")
            }
            (HoldAt::Start { .. }, _) => {
                format!("{name} did not begin within {limit}; the old version was not touched")
            }
        }
    }

    /// Ends when no wait can help any more, with why.
    async fn ends(&self) -> String {
        const LOOK: Duration = Duration::from_millis(100);
        loop {
            tokio::time::sleep(LOOK).await;
            match self.docker.inspect(self.container).await {
                Ok(None) => return format!("{} is gone: somebody removed it", self.name),
                Ok(Some(seen)) if seen.is_alive() => {
                    if let Some(restarts) = seen.detail.as_ref().map(|detail| detail.restart_count).filter(|n| *n > 2) {
                        return format!(
                            "{} ends again and again, restarted {restarts} times; the old version was not touched",
                            self.name
                        );
                    }
                }
                Ok(Some(seen)) => {
                    let code = seen.detail.as_ref().map_or(0, |detail| detail.exit_code);
                    let memory =
                        if seen.detail.is_some_and(|detail| detail.oom_killed) { " for lack of memory" } else { "" };
                    return format!(
                        "{} ended{memory}, exit {code}, before it came to serve; the old version was not touched",
                        self.name
                    );
                }
                // An engine that does not answer now may answer before the deadline.
                Err(error) => tracing::warn!(container = self.name, %error, "can't look at the container"),
            }
        }
    }

    async fn with_last_lines(&self, why: String) -> Failed {
        ready::with_last_lines(self.docker, self.container, why).await
    }

    /// Has this one let go beside `old`, and stops that when this one serves and is `ready`; or stops it, and has this one let go
    /// the moment its port is free.
    pub async fn swap(
        &self,
        old: &ContainerId,
        grace: Option<Duration>,
        watch: Option<&ProbeSpec>,
        ready: impl Future<Output = Result<(), Failed>>,
    ) -> Result<Swapped, Failed> {
        let mut holding = self.ask().await?;
        // It may have died while sessions were drained.
        let mut stands = false;
        match holding.next().await? {
            HoldLine::Held(_) => stands = true,
            HoldLine::Free | HoldLine::Served { .. } => {}
            _ => {
                let why = format!("{} does not stand ready any more; the old version was not touched", self.name);
                return Err(self.with_last_lines(why).await);
            }
        }
        // Begun just now, it has not slowed down yet.
        let gap = match watch {
            Some(probe) => Some(GapWatch::closely(self.docker, self.sandbox, probe).await?),
            None => None,
        };
        let by_port = !matches!(self.hold, HoldAt::Start { port: None });
        let company = match self.hold {
            HoldAt::Bind { port, beside: true } if stands => self.share(&mut holding, port).await?,
            _ => Company::No(None),
        };
        if matches!(company, Company::Yes { .. })
            && let Err(Failed(why)) = ready.await
        {
            return Err(Failed(format!("{why}; the old version was not stopped, and both answered until now")));
        }
        if by_port && matches!(company, Company::No(_)) {
            holding.swap();
        }
        let stopped = self.docker.stop(old, grace).await.map_err(|error| match company {
            Company::No(_) => Failed::from(error),
            Company::Yes { .. } => {
                Failed(format!("{}; both versions answer until one of them stops", Failed::from(error).0))
            }
        })?;
        if !by_port {
            holding.go();
        }
        let served = matches!(company, Company::Yes { served: true });
        let (mut free, mut gap_us) = (matches!(company, Company::Yes { .. }), served.then_some(0));
        // What is not told is not known; the probe has the last word.
        let told = async {
            if served {
                return;
            }
            loop {
                match holding.next().await {
                    Ok(HoldLine::Free) => free = true,
                    Ok(HoldLine::Served { gap_us: gap }) => {
                        (free, gap_us) = (true, Some(gap));
                        return;
                    }
                    Ok(_) => {}
                    Err(_) => return,
                }
                if free && !matches!(self.hold, HoldAt::Bind { .. }) {
                    return;
                }
            }
        };
        let patience = if matches!(self.hold, HoldAt::Bind { .. }) { LISTENS } else { LEFT };
        let _ = tokio::time::timeout(patience, told).await;
        if !free {
            holding.go();
            let _ = tokio::time::timeout(LEFT, holding.next()).await;
        }
        let words = match company {
            Company::No(why) => why,
            Company::Yes { served: true } => Some("the new version took connections before that".to_owned()),
            Company::Yes { served: false } => Some("the new version had the port before that".to_owned()),
        };
        Ok(Swapped { stopped, gap, takeover: Takeover { gap_us }, words })
    }

    /// Lets it have the port while the old version still answers there, and waits until it accepts connections.
    async fn share(&self, holding: &mut Holding, port: u16) -> Result<Company, Failed> {
        holding.beside();
        let mut shared = false;
        let told = async {
            loop {
                match holding.next().await {
                    Ok(HoldLine::Free) => shared = true,
                    Ok(line @ (HoldLine::Served { .. } | HoldLine::Apart(_) | HoldLine::Gone)) => return Some(line),
                    Ok(_) => {}
                    // What is not told is not known: the old version's end settles it.
                    Err(_) => return None,
                }
            }
        };
        Ok(match tokio::time::timeout(SHARES, told).await.ok().flatten() {
            Some(HoldLine::Apart(errno)) => Company::No(Some(apart(errno))),
            Some(HoldLine::Gone) => {
                let why = format!("{} ended as it took port {port}; the old version was not touched", self.name);
                return Err(self.with_last_lines(why).await);
            }
            Some(_) => Company::Yes { served: true },
            None if shared => Company::Yes { served: false },
            None => Company::No(None),
        })
    }
}

/// Whether both versions have the port.
enum Company {
    /// Not both, and why not, where that was wanted.
    No(Option<String>),
    /// Both, and the new one takes connections there already, or does not yet.
    Yes { served: bool },
}

/// Why a port is not shared, for its kernel's error number.
fn apart(errno: u32) -> String {
    let why = match errno {
        // ENOENT, EBADF and EINVAL, ENOSYS and EPERM, EADDRINUSE
        2 => "the old version did not come by pitstop's gate; the next one will have",
        9 | 22 => "another process than the program's first one binds it",
        1 | 38 => "this kernel or engine does not let the sandbox reach its socket",
        98 => "the old version has it for another user or address, or it has connections without SO_REUSEADDR",
        _ => return format!("the port was waited for: it can't be shared (error {errno})"),
    };
    format!("the port was waited for: {why}")
}

/// The new version took over in one moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Takeover {
    /// Between the last look that found the port taken and the first connection to the new version, in µs, where the sandbox has
    /// seen it.
    pub gap_us: Option<u64>,
}

/// What came of a swap.
pub(super) struct Swapped {
    pub stopped: crate::docker::Stopped,
    pub gap: Option<GapWatch>,
    pub takeover: Takeover,
    /// How it took over, where there is something to say.
    pub words: Option<String>,
}
