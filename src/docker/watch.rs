//! Watching an app's port from inside its sandbox, where it answers without a route from here.
//!
//! Reads what `guest/watch.rs` writes. The sandbox's first process is asked to watch (`attach.rs`); where it does not
//! answer, another guest is run there by an exec, which takes the engine much longer. Dropping a [`Watch`] leaves nothing
//! behind: it ends the one watch, and the other ends with its standard input. A console that dies leaves nothing either.

use super::attach::{Attached, Speech, Spoken};
use super::client::Changes;
use super::error::{DockerError, Failure};
use super::exec::Running;
use super::sandbox_image::GUEST_PATH;
use crate::domain::clean::Clean;
use crate::domain::ids::ContainerId;
use crate::domain::probe::ProbeSpec;
use bollard::container::LogOutput;
use bollard::errors::Error as ClientError;
use futures_util::stream::BoxStream;
use std::fmt;
use std::time::Duration;

const WATCH: &str = "watch";

/// First words of a watch, with the version of what follows.
const GREETING: &str = "pitstop-watch 1 netns=";

/// How long the sandbox's first process may take to greet: it does in 5 ms, or in some dozen on a busy machine. It never
/// does when the sandbox was made without an open stdin.
const GREETS: Duration = Duration::from_millis(300);

/// On top of that where the engine is on another machine: a connection, perhaps, the request and its answer, on a slow way. An
/// exec instead would be asked for over the same way, and cost the engine more.
const FAR: Duration = Duration::from_secs(3);

/// A watch says something every second or two; silent for this long, it is broken or its sandbox frozen.
const SILENT: Duration = Duration::from_secs(10);

/// A running watch; ends when dropped.
pub struct Watch {
    sandbox: String,
    source: Source,
    spoken: Spoken,
    /// Read already, not given yet.
    first: Option<WatchLine>,
    greeted: bool,
}

/// Who watches.
enum Source {
    /// The sandbox's first process.
    First(Attached),
    /// A guest of our own.
    Exec(Running),
}

impl Source {
    fn output(&mut self) -> &mut BoxStream<'static, Result<LogOutput, ClientError>> {
        match self {
            Self::First(attached) => &mut attached.output,
            Self::Exec(running) => &mut running.output,
        }
    }
}

/// What a watch reports. Times are microseconds of the engine's monotonic clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WatchLine {
    /// First: the inode of the network namespace it looks at.
    Hello { netns: u64 },
    /// It answers; `gap_us` after the last good answer, when there was one.
    Up { t_us: u64, gap_us: Option<u64>, detail: Clean },
    /// It does not answer (any more); `last_ok_us` is 0 when it never did.
    Down { t_us: u64, last_ok_us: u64, detail: Clean },
    /// Nothing changed for about a second.
    Tick { t_us: u64, up: bool, detail: Clean },
}

impl Changes {
    /// Begins to watch `probe` (tcp or http) from inside a running sandbox.
    pub async fn watch(&self, sandbox: &ContainerId, probe: &ProbeSpec) -> Result<Watch, DockerError> {
        self.watch_every(sandbox, probe, "").await
    }

    /// As [`Changes::watch`], twice as often: for gaps that are to be short.
    pub async fn watch_closely(&self, sandbox: &ContainerId, probe: &ProbeSpec) -> Result<Watch, DockerError> {
        self.watch_every(sandbox, probe, " --every 1").await
    }

    async fn watch_every(&self, sandbox: &ContainerId, probe: &ProbeSpec, every: &str) -> Result<Watch, DockerError> {
        let name = self.name(sandbox);
        if !probe.watchable() {
            let words = format!("only tcp and http probes can be watched from the sandbox, not {probe}");
            return Err(DockerError::new(WATCH, &name, Failure::Invalid, &words));
        }
        let speech = Speech { first: ("watch", format!("{probe}{every}")), keep: Some("keep"), end: Some("end") };
        let asked = async {
            let mut watch = Watch::new(&name, Source::First(self.ask(WATCH, sandbox, speech).await?));
            watch.first = watch.next().await.transpose()?;
            Ok::<_, DockerError>(watch)
        };
        let patience = if self.location().is_far() { GREETS + FAR } else { GREETS };
        match tokio::time::timeout(patience, asked).await {
            Ok(Ok(watch)) if watch.first.is_some() => return Ok(watch),
            Ok(Err(error)) => tracing::debug!(%error, "the sandbox's first process can't watch: by exec instead"),
            Ok(Ok(_)) | Err(_) => {
                tracing::debug!(sandbox = name, "the sandbox's first process says nothing: watching by exec instead");
            }
        }
        self.watch_by_exec(sandbox, probe).await
    }

    /// As [`Changes::watch`], by a guest of its own that the engine has to start: for sandboxes without an open stdin.
    pub async fn watch_by_exec(&self, sandbox: &ContainerId, probe: &ProbeSpec) -> Result<Watch, DockerError> {
        let command = [GUEST_PATH, "watch", &probe.to_string(), "--until-stdin-closes"].map(str::to_owned);
        let running = self.begin(WATCH, sandbox, command.into(), true).await?;
        Ok(Watch::new(&self.name(sandbox), Source::Exec(running)))
    }
}

impl Watch {
    fn new(sandbox: &str, source: Source) -> Self {
        Self { sandbox: sandbox.to_owned(), source, spoken: Spoken::new(), first: None, greeted: false }
    }

    /// The next line; `None` after the end, e.g. when the sandbox stopped.
    pub async fn next(&mut self) -> Option<Result<WatchLine, DockerError>> {
        if let Some(line) = self.first.take() {
            return Some(Ok(line));
        }
        let Ok(line) = tokio::time::timeout(SILENT, self.next_line()).await else {
            self.spoken.ended = true;
            let words = format!("the sandbox's guest has said nothing for {} s", SILENT.as_secs());
            let error = DockerError::new(WATCH, &self.sandbox, Failure::Timeout, &words);
            return Some(Err(error.advise("is the sandbox paused? `docker ps` tells")));
        };
        line
    }

    async fn next_line(&mut self) -> Option<Result<WatchLine, DockerError>> {
        loop {
            let (stderr, line) = match self.spoken.next(self.source.output()).await? {
                Ok(line) => line,
                Err(error) => return Some(Err(DockerError::of_client(WATCH, &self.sandbox, &error))),
            };
            let line = match &self.source {
                Source::First(attached) => line.strip_prefix(attached.prefix.as_bytes()),
                Source::Exec(_) => Some(line.as_slice()),
            };
            if let Some(line) = line {
                return Some(self.read(stderr, &String::from_utf8_lossy(line)));
            }
        }
    }

    fn read(&mut self, stderr: bool, line: &str) -> Result<WatchLine, DockerError> {
        let read = if stderr { None } else { parse(line) };
        let hello = matches!(read, Some(WatchLine::Hello { .. }));
        match read {
            Some(read) if hello != self.greeted => {
                self.greeted = true;
                Ok(read)
            }
            _ => {
                self.spoken.ended = true;
                if let (Source::First(_), Some(why)) = (&self.source, line.strip_prefix("error ")) {
                    let words = format!("the sandbox's guest does not watch: {why}");
                    return Err(DockerError::new(WATCH, &self.sandbox, Failure::Broken, &words)
                        .advise("was this console stopped for a while? a watch ends when nobody keeps it"));
                }
                let words = format!("the sandbox's guest said something unexpected: {line}");
                Err(DockerError::new(WATCH, &self.sandbox, Failure::Broken, &words)
                    .advise("was the sandbox made from another image? `pitstop doctor` names it"))
            }
        }
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("sandbox", &self.sandbox).finish_non_exhaustive()
    }
}

fn parse(line: &str) -> Option<WatchLine> {
    if let Some(netns) = line.strip_prefix(GREETING) {
        return Some(WatchLine::Hello { netns: netns.parse().ok()? });
    }
    let (kind, rest) = line.split_once(' ')?;
    let (time, rest) = rest.split_once(' ')?;
    let t_us = time.parse().ok()?;
    match kind {
        "up" => {
            let (detail, gap) = rest.rsplit_once(" gap=").map_or((rest, None), |(detail, gap)| (detail, Some(gap)));
            let gap_us = gap.map(str::parse).transpose().ok()?;
            Some(WatchLine::Up { t_us, gap_us, detail: Clean::new(detail) })
        }
        "down" => {
            let (last_ok, detail) = rest.split_once(' ')?;
            Some(WatchLine::Down { t_us, last_ok_us: last_ok.parse().ok()?, detail: Clean::new(detail) })
        }
        "tick" => {
            let (up, detail) = rest.split_once(' ').unwrap_or((rest, ""));
            Some(WatchLine::Tick { t_us, up: up == "up", detail: Clean::new(detail) })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_guest_is_read() {
        let detail = Clean::new;
        for (line, want) in [
            ("pitstop-watch 1 netns=4026532281", WatchLine::Hello { netns: 4_026_532_281 }),
            ("up 12 connected", WatchLine::Up { t_us: 12, gap_us: None, detail: detail("connected") }),
            ("up 12 http 200 gap=345", WatchLine::Up { t_us: 12, gap_us: Some(345), detail: detail("http 200") }),
            ("down 9 0 refused", WatchLine::Down { t_us: 9, last_ok_us: 0, detail: detail("refused") }),
            ("down 9 7 error 101", WatchLine::Down { t_us: 9, last_ok_us: 7, detail: detail("error 101") }),
            ("tick 5 up http 200", WatchLine::Tick { t_us: 5, up: true, detail: detail("http 200") }),
            ("tick 5 down closed", WatchLine::Tick { t_us: 5, up: false, detail: detail("closed") }),
        ] {
            assert_eq!(parse(line), Some(want), "{line}");
        }
        for line in ["", "up", "up x y", "pitstop-watch 2 netns=1", "OCI runtime exec failed: exec failed"] {
            assert_eq!(parse(line), None, "{line}");
        }
    }
}
