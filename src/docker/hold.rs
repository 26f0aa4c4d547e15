//! A new version held back by its sandbox's first process, and let go: what `guest/arbiter.rs` understands and says.
//!
//! Nothing depends on this connection: who is held stays held without it, and takes over when the old version is gone.

use super::attach::{Attached, Speech, Spoken};
use super::client::Changes;
use super::error::{DockerError, Failure};
use crate::domain::ids::ContainerId;
use crate::domain::warm::HoldAt;
use std::fmt;
use std::time::Duration;

const HOLD: &str = "hold back in";

/// How long the sandbox's first process may take to say something: it repeats what is when it is asked again, every 3 s.
const SILENT: Duration = Duration::from_secs(10);

/// A hold, as this console sees it. Dropping it changes nothing.
pub struct Holding {
    sandbox: String,
    token: String,
    attached: Attached,
    spoken: Spoken,
}

/// What the sandbox says of it. Times are microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldLine {
    /// Nobody has come with that token yet.
    Waiting,
    /// Its program has begun.
    Begun,
    /// It stands before its start (`None`), or before its `bind` of this port; 0: of one that nobody can tell.
    Held(Option<u16>),
    /// It has bound another port.
    Other(u16),
    /// Its `bind` can't be held, so its start is; the kernel's error number.
    Unfiltered(u32),
    /// It was let go.
    Free,
    /// It can't have its port beside the old version, and is held as before; the kernel's error number.
    Apart(u32),
    /// Its port takes connections again, so long after it was last seen taken by the old version; 0: that one still answers.
    Served { gap_us: u64 },
    /// It has ended before it was let go.
    Gone,
}

impl Changes {
    /// Has the sandbox hold back whoever comes with `token`; asked again, it tells what is.
    pub async fn hold(&self, sandbox: &ContainerId, token: &str, hold: HoldAt) -> Result<Holding, DockerError> {
        let rest = match hold {
            HoldAt::Start { port: None } => format!("{token} start"),
            HoldAt::Start { port: Some(port) } => format!("{token} start {port}"),
            HoldAt::Bind { port, .. } => format!("{token} bind {port}"),
        };
        let speech = Speech { first: ("hold", rest), keep: None, end: None };
        let attached = self.ask(HOLD, sandbox, speech).await?;
        Ok(Holding { sandbox: self.name(sandbox), token: token.to_owned(), attached, spoken: Spoken::new() })
    }
}

impl Holding {
    /// Lets it go as soon as the old version has left its port.
    pub fn swap(&self) {
        self.attached.say("swap", &self.token);
    }

    /// Lets it have its port now, beside the old version.
    pub fn beside(&self) {
        self.attached.say("beside", &self.token);
    }

    /// Lets it go now.
    pub fn go(&self) {
        self.attached.say("go", &self.token);
    }

    /// What is said next.
    pub async fn next(&mut self) -> Result<HoldLine, DockerError> {
        let Ok(line) = tokio::time::timeout(SILENT, self.line()).await else {
            let words = format!("its guest has said nothing for {} s", SILENT.as_secs());
            return Err(DockerError::new(HOLD, &self.sandbox, Failure::Timeout, &words)
                .advise("is the sandbox paused? `docker ps` tells"));
        };
        let line = line?;
        parse(&line).ok_or_else(|| {
            let words = match line.strip_prefix("error ") {
                Some(why) => format!("its guest can't: {why}"),
                None => format!("its guest said something unexpected: {line}"),
            };
            DockerError::new(HOLD, &self.sandbox, Failure::Broken, &words)
                .advise("--warm off deploys without; was the sandbox made by another version of pitstop?")
        })
    }

    async fn line(&mut self) -> Result<String, DockerError> {
        while let Some(said) = self.spoken.next(&mut self.attached.output).await {
            let (_, line) = said.map_err(|error| DockerError::of_client(HOLD, &self.sandbox, &error))?;
            if let Some(line) = line.strip_prefix(self.attached.prefix.as_bytes()) {
                return Ok(String::from_utf8_lossy(line).into_owned());
            }
        }
        Err(DockerError::new(HOLD, &self.sandbox, Failure::Broken, "the connection to its guest has ended"))
    }
}

impl fmt::Debug for Holding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Holding").field("sandbox", &self.sandbox).field("token", &self.token).finish_non_exhaustive()
    }
}

fn parse(line: &str) -> Option<HoldLine> {
    let words: Vec<&str> = line.split(' ').collect();
    Some(match words.as_slice() {
        ["waiting"] => HoldLine::Waiting,
        ["begun", _] => HoldLine::Begun,
        ["held", _, "start"] => HoldLine::Held(None),
        ["held", _, port] => HoldLine::Held(Some(port.parse().ok()?)),
        ["other", _, port] => HoldLine::Other(port.parse().ok()?),
        ["unfiltered", errno] => HoldLine::Unfiltered(errno.parse().ok()?),
        ["free", _, _] => HoldLine::Free,
        ["apart", _, errno] => HoldLine::Apart(errno.parse().ok()?),
        ["served", _, gap_us] => HoldLine::Served { gap_us: gap_us.parse().ok()? },
        ["gone", _] => HoldLine::Gone,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_guest_is_read() {
        for (line, want) in [
            ("waiting", HoldLine::Waiting),
            ("begun 12", HoldLine::Begun),
            ("held 12 start", HoldLine::Held(None)),
            ("held 12 8080", HoldLine::Held(Some(8080))),
            ("held 12 0", HoldLine::Held(Some(0))),
            ("other 12 9090", HoldLine::Other(9090)),
            ("unfiltered 1", HoldLine::Unfiltered(1)),
            ("free 12 300", HoldLine::Free),
            ("apart 12 98", HoldLine::Apart(98)),
            ("served 12 812", HoldLine::Served { gap_us: 812 }),
            ("gone 12", HoldLine::Gone),
        ] {
            assert_eq!(parse(line), Some(want), "{line}");
        }
        for line in ["", "held", "held x", "served 1", "error not watch, keep, end, hold, swap, beside or go ID"] {
            assert_eq!(parse(line), None, "{line}");
        }
    }
}
