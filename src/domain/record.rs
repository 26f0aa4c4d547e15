//! The record of an operation: one JSON line for each event, and what only a record has to say besides.
//!
//! The lines are those of `--json`; on top come a first line (`recorded`: who, where, with which pitstop, to what end),
//! one `intent` before each step that cannot be taken back, and `resumed_by` when another operation has gone on with
//! it. Reading takes what is there: unknown kinds and fields of later versions are passed over, a line that was being written
//! when the console died is left out. A record may come from anywhere, so its texts are cleaned here. Must not open files.

mod goal;
mod mask;
mod summary;
#[cfg(test)]
mod tests;

pub use goal::{Goal, revision_before};
pub use mask::Mask;
pub use summary::{Standing, Summary, begun, expired, left_open, meant, named};

use super::clean::clean;
use super::event::{EventKind, OpEvent, Planned, VERSION, millisecond_utc};
use super::fleet::EngineInfo;
use super::ids::{InstanceName, OpId};
use super::plan::{Action, StepId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A larger file is not read.
pub const MAX_FILE: u64 = 64 << 20;
/// A longer line is neither written nor read.
pub const MAX_LINE: usize = 1 << 20;
/// How the files' names end, after the operation's id.
pub const EXTENSION: &str = "jsonl";

/// What stands at the top of a record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Header {
    /// The version of pitstop that wrote it.
    pub pitstop: String,
    /// The engine's address, name and version.
    pub engine: Engine,
    /// `anna@ops1`.
    pub by: String,
    pub pid: u32,
    /// The operation that this one goes on with or takes back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resumes: Option<OpId>,
    /// What was asked for: a [`Goal`], or that of a later version.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub goal: Value,
    /// How it was to be done: the [`Options`](super::options::Options), or those of a later version.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub options: Value,
}

/// Which engine it was.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Engine {
    pub host: String,
    pub name: String,
    /// As [`EngineInfo`] has it; empty in old records.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub id: String,
    pub version: String,
}

impl Engine {
    /// Who that is.
    pub fn of(info: &EngineInfo) -> Self {
        let EngineInfo { host, name, id, version, .. } = info.clone();
        Self { host, name, id, version }
    }

    /// The same one, whatever way it was reached: two that have ids of their own are two; else the machine's name tells, else
    /// the address.
    pub fn is(&self, other: &Self) -> bool {
        let same = |a: &str, b: &str| (!a.is_empty() && !b.is_empty()).then_some(a == b);
        same(&self.id, &other.id) != Some(false)
            && same(&self.name, &other.name).unwrap_or_else(|| self.host == other.host)
    }
}

/// A step that cannot be taken back is about to begin. On disk before it does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    pub step: StepId,
    pub instance: Option<InstanceName>,
    pub action: Action,
    /// The object's name.
    pub target: String,
    /// The container's id, where it is known by then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
}

/// Lines that only records have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Extra {
    Recorded(Header),
    Intent(Intent),
    ResumedBy {
        by: OpId,
    },
    /// Of a later version.
    #[serde(other)]
    Unknown,
}

/// A line that only records have, in the envelope of events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExtraLine {
    pub v: u32,
    pub op: OpId,
    /// Of the event that follows.
    pub seq: u64,
    #[serde(with = "millisecond_utc")]
    pub at: Timestamp,
    pub elapsed_ms: u64,
    #[serde(flatten)]
    pub extra: Extra,
}

/// A record as read.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    pub op: OpId,
    pub header: Option<Header>,
    pub events: Vec<OpEvent>,
    pub intents: Vec<Intent>,
    /// The operation that has gone on with this one.
    pub resumed_by: Option<OpId>,
    /// The last line was being written when the console died; it is left out.
    pub torn: bool,
    /// Whole lines that make no sense, left out.
    pub damaged: usize,
}

/// Why a text is no record. Sentences.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    #[error("is larger than {} MB, which no record of an operation is", MAX_FILE >> 20)]
    TooLarge,
    #[error("line {line} is longer than {} MB, which no line of a record is", MAX_LINE >> 20)]
    LongLine { line: usize },
    #[error("is no record of an operation: no line of it is an event")]
    NoRecord,
}

impl Record {
    /// Reads what is whole of it.
    pub fn read(bytes: &[u8]) -> Result<Self, Unreadable> {
        if bytes.len() as u64 > MAX_FILE {
            return Err(Unreadable::TooLarge);
        }
        let whole = whole(bytes);
        let mut record: Option<Self> = None;
        let mut damaged = 0;
        for (number, line) in (1..).zip(bytes[..whole].split(|byte| *byte == b'\n')) {
            if line.len() > MAX_LINE {
                return Err(Unreadable::LongLine { line: number });
            }
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            let Some(line) = Line::read(line) else {
                damaged += 1;
                continue;
            };
            let op = line.op().clone();
            let record = record.get_or_insert_with(|| Self::empty(op));
            // Another operation's line has no business here.
            if record.op == *line.op() { record.take(line) } else { damaged += 1 }
        }
        let mut record = record.ok_or(Unreadable::NoRecord)?;
        (record.damaged, record.torn) = (damaged, whole < bytes.len());
        Ok(record)
    }

    fn empty(op: OpId) -> Self {
        Self { op, header: None, events: Vec::new(), intents: Vec::new(), resumed_by: None, torn: false, damaged: 0 }
    }

    fn take(&mut self, line: Line) {
        match line {
            Line::Event(event) => self.events.push(*event),
            Line::Extra(line) => match line.extra {
                Extra::Recorded(header) => self.header = Some(header),
                Extra::Intent(intent) => self.intents.push(intent),
                Extra::ResumedBy { by } => self.resumed_by = Some(by),
                Extra::Unknown => {}
            },
        }
    }
}

/// How much of a record is whole lines; a file is cut there before anything is appended to it.
pub fn whole(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1)
}

/// Whether a record that ends like this needs no second look: it came to an end that leaves nothing to do, or somebody has
/// gone on with it. `end` is the end of a file, from anywhere in it.
pub fn is_settled(end: &[u8]) -> bool {
    use super::event::Outcome::{Interrupted, Paused};
    let Some(lines) = end.strip_suffix(b"\n") else { return false };
    let Some(before) = lines.iter().rposition(|byte| *byte == b'\n') else { return false };
    match Line::read(&lines[before + 1..]) {
        Some(Line::Event(event)) => {
            matches!(event.kind, EventKind::Finished(finished) if !matches!(finished.outcome, Interrupted | Paused))
        }
        Some(Line::Extra(line)) => matches!(line.extra, Extra::ResumedBy { .. }),
        None => false,
    }
}

enum Line {
    Event(Box<OpEvent>),
    Extra(Box<ExtraLine>),
}

impl Line {
    fn read(line: &[u8]) -> Option<Self> {
        let mut value: Value = serde_json::from_slice(line).ok()?;
        scrub(&mut value);
        if let Ok(event) = serde_json::from_value::<OpEvent>(value.clone())
            && event.kind != EventKind::Unknown
        {
            return Some(Self::Event(Box::new(event)));
        }
        serde_json::from_value(value).ok().map(|line| Self::Extra(Box::new(line)))
    }

    fn op(&self) -> &OpId {
        match self {
            Self::Event(event) => &event.op,
            Self::Extra(line) => &line.op,
        }
    }
}

/// Cleans every text, names of fields included.
fn scrub(value: &mut Value) {
    match value {
        Value::String(text) => *text = clean(text),
        Value::Array(values) => values.iter_mut().for_each(scrub),
        Value::Object(fields) => {
            if fields.keys().any(|key| clean(key) != *key) {
                *fields = std::mem::take(fields).into_iter().map(|(key, value)| (clean(&key), value)).collect();
            }
            fields.values_mut().for_each(scrub);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The line for an event, its end included. A plan too large for a line is written without its steps.
pub fn line(event: &OpEvent, mask: &Mask) -> Option<Vec<u8>> {
    let line = mask.line(event)?;
    if line.len() <= MAX_LINE {
        return Some(line);
    }
    let EventKind::Planned(planned) = &event.kind else { return None };
    let note = format!("the plan of {} steps is too large for a record and was left out of it", planned.steps.len());
    let planned = Planned { steps: Vec::new(), notes: vec![note], ..planned.clone() };
    let line = mask.line(&OpEvent { kind: EventKind::Planned(planned), ..event.clone() })?;
    (line.len() <= MAX_LINE).then_some(line)
}

impl ExtraLine {
    /// A line beside the event with that number.
    pub fn new(op: OpId, seq: u64, at: Timestamp, elapsed_ms: u64, extra: Extra) -> Self {
        Self { v: VERSION, op, seq, at, elapsed_ms, extra }
    }

    /// As it is written, its end included.
    pub fn line(&self) -> Option<Vec<u8>> {
        let mut line = serde_json::to_vec(self).ok()?;
        line.push(b'\n');
        (line.len() <= MAX_LINE).then_some(line)
    }
}
