//! Watching an app's port from inside its sandbox, where it answers without a route from here.
//!
//! Reads what `guest/watch.rs` writes. The guest ends when its standard input does, so dropping a [`Watch`] leaves
//! nothing behind.

use super::client::Docker;
use super::error::{DockerError, Failure};
use super::exec::Running;
use super::lines::{Framing, Lines};
use super::sandbox_image::GUEST_PATH;
use crate::domain::clean::Clean;
use crate::domain::ids::ContainerId;
use crate::domain::probe::ProbeSpec;
use bollard::container::LogOutput;
use futures_util::StreamExt;
use std::fmt;

const WATCH: &str = "watch";

/// First words of a watch, with the version of what follows.
const GREETING: &str = "pitstop-watch 1 netns=";

/// A running watch; ends when dropped.
pub struct Watch {
    sandbox: String,
    running: Running,
    lines: Lines,
    greeted: bool,
    ended: bool,
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

impl Docker {
    /// Begins to watch `probe` (tcp or http) from inside a running sandbox.
    pub async fn watch(&self, sandbox: &ContainerId, probe: &ProbeSpec) -> Result<Watch, DockerError> {
        let name = self.name(sandbox);
        if !probe.watchable() {
            let words = format!("only tcp and http probes can be watched from the sandbox, not {probe}");
            return Err(DockerError::new(WATCH, &name, Failure::Invalid, &words));
        }
        let command = [GUEST_PATH, "watch", &probe.to_string(), "--until-stdin-closes"].map(str::to_owned);
        let running = self.begin(WATCH, sandbox, command.into(), true).await?;
        Ok(Watch { sandbox: name, running, lines: Lines::new(Framing::Plain), greeted: false, ended: false })
    }
}

impl Watch {
    /// The next line; `None` after the end, e.g. when the sandbox stopped.
    pub async fn next(&mut self) -> Option<Result<WatchLine, DockerError>> {
        loop {
            if let Some((stderr, line)) = self.lines.pop() {
                return Some(self.read(stderr, &String::from_utf8_lossy(&line)));
            }
            if self.ended {
                return None;
            }
            match self.running.output.next().await {
                Some(Ok(chunk)) => self.lines.text(matches!(chunk, LogOutput::StdErr { .. }), chunk.as_ref()),
                Some(Err(error)) => {
                    self.ended = true;
                    return Some(Err(DockerError::of_client(WATCH, &self.sandbox, &error)));
                }
                None => {
                    self.ended = true;
                    self.lines.end();
                }
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
                self.ended = true;
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
