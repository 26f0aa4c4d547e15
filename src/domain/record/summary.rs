//! A record in a line: what it was, how it ended, what is open, what may go.

use super::{Engine, Record};
use crate::domain::event::{Counts, Outcome};
use crate::domain::fleet::EngineInfo;
use crate::domain::ids::OpId;
use crate::domain::plan::Kind;
use crate::domain::progress::Progress;
use jiff::{SignedDuration, Timestamp};

/// How many records are kept.
const KEEP: usize = 200;
/// How long.
const KEEP_FOR: SignedDuration = SignedDuration::from_hours(90 * 24);

/// A record in a line.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    pub op: OpId,
    pub began: Option<Timestamp>,
    /// `anna@ops1`; empty where it is not known.
    pub by: String,
    /// Where it ran, as far as that is known.
    pub engine: Engine,
    pub kind: Option<Kind>,
    pub app: String,
    pub from: Option<String>,
    pub to: Option<String>,
    /// `None`: its end is not in the record.
    pub outcome: Option<Outcome>,
    pub took_ms: u64,
    pub counts: Counts,
    pub error: Option<String>,
    pub resumes: Option<OpId>,
    pub resumed_by: Option<OpId>,
    /// A console is writing it at this moment.
    pub running: bool,
}

/// Where an operation stands, as far as its record tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Ended(Outcome),
    Running,
    /// Its console died.
    BrokenOff,
}

impl Record {
    /// Itself in a line; `running`: a console is writing it.
    pub fn summary(&self, running: bool) -> Summary {
        let header = self.header.as_ref();
        Summary {
            by: header.map(|header| header.by.clone()).unwrap_or_default(),
            engine: header.map(|header| header.engine.clone()).unwrap_or_default(),
            resumes: header.and_then(|header| header.resumes.clone()),
            resumed_by: self.resumed_by.clone(),
            running,
            ..Summary::of(&self.op, &Progress::of(&self.events))
        }
    }
}

impl Summary {
    /// What an operation's events tell so far; who does it, and where, is not in them.
    pub fn of(op: &OpId, progress: &Progress) -> Self {
        let planned = progress.planned.as_ref();
        let finished = progress.finished.as_ref();
        Self {
            op: op.clone(),
            began: progress.began,
            by: String::new(),
            engine: Engine::default(),
            kind: planned.map(|planned| planned.kind),
            app: planned.map(|planned| planned.app.clone()).unwrap_or_default(),
            from: planned.and_then(|planned| planned.from.clone()),
            to: planned.and_then(|planned| planned.to.clone()),
            outcome: finished.map(|finished| finished.outcome),
            took_ms: finished.map_or(progress.elapsed_ms, |finished| finished.took_ms),
            counts: finished.map_or_else(|| progress.counts(), |finished| finished.counts),
            error: finished.and_then(|finished| finished.error.clone()),
            resumes: None,
            resumed_by: None,
            running: finished.is_none(),
        }
    }

    /// Where it stands.
    pub fn standing(&self) -> Standing {
        match self.outcome {
            Some(outcome) => Standing::Ended(outcome),
            None if self.running => Standing::Running,
            None => Standing::BrokenOff,
        }
    }

    /// Something of it was left to do: broken off, interrupted, or paused on a failure.
    pub fn is_open(&self) -> bool {
        use Outcome::{Interrupted, Paused};
        matches!(self.standing(), Standing::BrokenOff | Standing::Ended(Interrupted | Paused))
    }

    /// It ran on that engine.
    pub fn is_on(&self, engine: &EngineInfo) -> bool {
        self.engine.is(&Engine::of(engine))
    }

    /// `deploy of shop/web left half-done 12 min ago by anna@ops1`.
    pub fn sentence(&self, now: Timestamp) -> String {
        let ago = self.began.map_or_else(String::new, |began| format!(" {}", ago(began, now)));
        let by = if self.by.is_empty() { String::new() } else { format!(" by {}", self.by) };
        format!("{} left half-done{ago}{by}", self.title())
    }

    /// It was asked for that app: `shop/web`, or `web` alone.
    pub fn is_about(&self, app: &str) -> bool {
        self.app == app || self.app.rsplit('/').next() == Some(app)
    }

    /// `deploy of shop/web`.
    pub fn title(&self) -> String {
        match self.kind {
            Some(kind) => format!("{kind} of {}", self.app),
            None => format!("operation {}", self.op),
        }
    }
}

impl Standing {
    /// As a word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ended(Outcome::Succeeded) => "succeeded",
            Self::Ended(Outcome::Failed) => "failed",
            Self::Ended(Outcome::Paused) => "paused",
            Self::Ended(Outcome::Aborted) => "aborted",
            Self::Ended(Outcome::RolledBack) => "rolled_back",
            Self::Ended(Outcome::Interrupted) => "interrupted",
            Self::Running => "running",
            Self::BrokenOff => "broken_off",
        }
    }
}

/// When the operation with that id was begun, as far as the id tells: it begins with the time.
pub fn begun(op: &OpId) -> Option<Timestamp> {
    let time = jiff::civil::DateTime::strptime("%Y%m%d-%H%M%S", op.as_str().get(..15)?).ok()?;
    Some(time.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
}

/// Those that are meant by a name: by their app (`shop/web`, `web`), else by a part of their id.
pub fn meant<'a>(all: &'a [Summary], named: &str) -> Vec<&'a Summary> {
    let by_app: Vec<&Summary> = all.iter().filter(|one| one.is_about(named)).collect();
    if !by_app.is_empty() || named.is_empty() {
        return by_app;
    }
    all.iter().filter(|one| one.op.is_meant(named)).collect()
}

/// The first few of several, to choose from: `20261122-101502-3f2a01 (deploy of shop/web), …`.
pub fn named<'a>(several: impl IntoIterator<Item = &'a Summary>) -> String {
    let mut names = several.into_iter().map(|one| format!("{} ({})", one.op, one.title()));
    let mut first: Vec<String> = names.by_ref().take(4).collect();
    first.extend(names.next().map(|_| "…".to_owned()));
    first.join(", ")
}

/// `12 min ago`.
fn ago(at: Timestamp, now: Timestamp) -> String {
    match u64::try_from(now.duration_since(at).as_secs()).unwrap_or(0) {
        0..60 => "just now".to_owned(),
        s @ 60..3600 => format!("{} min ago", s / 60),
        s @ 3600..86400 => format!("{} h ago", s / 3600),
        s => format!("{} days ago", s / 86400),
    }
}

/// Operations that were left half-done and that nobody has gone on with, the oldest first: neither by resuming them nor by
/// a later operation on the same app that came to its end.
pub fn left_open(all: &[Summary]) -> Vec<&Summary> {
    let settled = |one: &Summary| {
        one.resumed_by.is_some()
            || all.iter().any(|later| {
                let done = matches!(later.outcome, Some(Outcome::Succeeded | Outcome::RolledBack));
                done && later.app == one.app && later.engine.is(&one.engine) && after(later, one)
            })
    };
    let mut open: Vec<&Summary> = all.iter().filter(|one| one.is_open() && !settled(one)).collect();
    open.sort_by(|a, b| (a.began, &a.op).cmp(&(b.began, &b.op)));
    open
}

fn after(later: &Summary, earlier: &Summary) -> bool {
    (later.began, &later.op) > (earlier.began, &earlier.op)
}

/// Records that need not be kept: beyond the newest 200, or older than 90 days; never one that is being written, and
/// never that of an operation left open.
pub fn expired(all: &[Summary], now: Timestamp) -> Vec<OpId> {
    let open: Vec<&OpId> = left_open(all).into_iter().map(|one| &one.op).collect();
    let mut newest: Vec<&Summary> = all.iter().collect();
    newest.sort_by(|a, b| (b.began, &b.op).cmp(&(a.began, &a.op)));
    let old = |one: &Summary| one.began.is_some_and(|began| now.duration_since(began) > KEEP_FOR);
    newest
        .into_iter()
        .enumerate()
        .filter(|(place, one)| (*place >= KEEP || old(one)) && !one.running && !open.contains(&&one.op))
        .map(|(_, one)| one.op.clone())
        .collect()
}
