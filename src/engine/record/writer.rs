//! The writer of one record: lines in the background, intents on disk before their step begins.
//!
//! Lines that come while the disk is busy are written together, so one sync may carry the intents of many steps. A
//! disk that fails or stands still must not hold an emergency restart: it is told once, waiting ends after
//! [`PATIENCE`], and the operation goes on without its record.

use super::super::door;
use super::retention;
use super::store::{RecordError, Records};
use crate::domain::event::{EventKind, OpEvent};
use crate::domain::ids::OpId;
use crate::domain::plan::StepId;
use crate::domain::record::{Extra, ExtraLine, Header, Intent, Mask, line};
use jiff::Timestamp;
use std::collections::HashMap;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// How long a step waits for its intent to be on disk.
const PATIENCE: Duration = Duration::from_secs(2);
/// Progress of a step is written at most so often, in milliseconds: a pull tells it a hundred times a second.
const PROGRESS_EVERY: u64 = 250;

/// One operation's record.
pub(in crate::engine) struct Recorder {
    op: OpId,
    mask: Mask,
    to: mpsc::UnboundedSender<Item>,
    /// When progress of a step was written last.
    progress: HashMap<StepId, u64>,
    lost: mpsc::UnboundedReceiver<String>,
}

/// A line, and who waits until it is on disk.
struct Item {
    line: Vec<u8>,
    durable: Option<oneshot::Sender<bool>>,
}

/// A line that is on its way to the disk.
#[derive(Debug)]
pub(in crate::engine) struct Pending(oneshot::Receiver<bool>);

impl Pending {
    /// Waits until it is there, or until it is clear that this takes too long; whether it is there. A writer that has
    /// failed has said so by itself.
    pub async fn durable(self) -> bool {
        matches!(tokio::time::timeout(PATIENCE, self.0).await, Ok(Ok(true)))
    }
}

impl Recorder {
    /// Begins a record in the background.
    pub fn start(records: Records, op: OpId, header: Header, mask: Mask) -> Self {
        let (to, items) = mpsc::unbounded_channel();
        let (tell, lost) = mpsc::unbounded_channel();
        tokio::spawn(write(records, op.clone(), header, items, tell));
        Self { op, mask, to, progress: HashMap::new(), lost }
    }

    /// Writes the event down, sooner or later.
    pub fn event(&mut self, event: &OpEvent) {
        if let EventKind::StepProgress(progress) = &event.kind {
            let last = self.progress.insert(progress.step, event.elapsed_ms);
            if let Some(last) = last.filter(|last| event.elapsed_ms < last + PROGRESS_EVERY) {
                self.progress.insert(progress.step, last);
                return;
            }
        }
        if let Some(line) = line(event, &self.mask) {
            let _ = self.to.send(Item { line, durable: None });
        }
    }

    /// Writes the event down; whoever waits for it knows it on disk.
    pub fn synced(&mut self, event: &OpEvent) -> Option<Pending> {
        line(event, &self.mask).map(|line| self.send(line))
    }

    /// Writes down what is about to be done, beside the event of that number.
    pub fn intent(&self, seq: u64, at: Timestamp, elapsed_ms: u64, intent: Intent) -> Option<Pending> {
        let line = ExtraLine::new(self.op.clone(), seq, at, elapsed_ms, Extra::Intent(intent)).line()?;
        Some(self.send(line))
    }

    /// Why nothing, or not all, is written: once, as soon as that is so.
    pub async fn lost(&mut self) -> String {
        match self.lost.recv().await {
            Some(why) => why,
            None => std::future::pending().await,
        }
    }

    fn send(&self, line: Vec<u8>) -> Pending {
        let (durable, pending) = oneshot::channel();
        let _ = self.to.send(Item { line, durable: Some(durable) });
        Pending(pending)
    }
}

/// The file, and how much of it is whole.
struct Book {
    file: File,
    path: PathBuf,
    good: u64,
    /// It was said that something is missing.
    failed: bool,
    /// A sync failed: what the disk says from then on is worth nothing.
    dead: bool,
}

async fn write(
    records: Records,
    op: OpId,
    header: Header,
    mut items: mpsc::UnboundedReceiver<Item>,
    tell: mpsc::UnboundedSender<String>,
) {
    let store = records.clone();
    let begun = tokio::task::spawn_blocking(move || {
        let book = Book::begin(&store, &op, &header)?;
        // Once this one can be gone on with, the one before it is settled.
        if let Some(Err(error)) = header.resumes.map(|before| store.resumed(&before, &op)) {
            tracing::warn!("the record of the operation before still looks unfinished: {error}");
        }
        Ok::<_, RecordError>(book)
    });
    let begun = begun.await;
    let mut book = match begun {
        Ok(Ok(book)) => book,
        Ok(Err(why)) => {
            let _ = tell.send(why.to_string());
            return;
        }
        Err(_) => return,
    };
    tokio::task::spawn_blocking(move || {
        door::sweep(&records);
        retention::apply(&records);
    });
    while let Some(first) = items.recv().await {
        let mut batch = vec![first];
        while let Ok(next) = items.try_recv() {
            batch.push(next);
        }
        let lines: Vec<u8> = batch.iter().flat_map(|item| &item.line).copied().collect();
        let sync = batch.iter().any(|item| item.durable.is_some());
        let done = tokio::task::spawn_blocking(move || {
            let result = book.append(&lines, sync);
            (book, result)
        });
        let Ok((back, result)) = done.await else { return };
        book = back;
        let there = result.is_ok() && !book.dead;
        if let Err(why) = result
            && !book.failed
        {
            book.failed = true;
            // An operation that has ended needs to know nothing.
            let _ = tell.send(format!("{}: {why}", book.path.display()));
        }
        for durable in batch.into_iter().filter_map(|item| item.durable) {
            let _ = durable.send(there);
        }
    }
}

impl Book {
    fn begin(records: &Records, op: &OpId, header: &Header) -> Result<Self, RecordError> {
        let (file, path) = records.begin(op, header.clone())?;
        let good = file.metadata().map_or(0, |seen| seen.len());
        Ok(Self { file, path, good, failed: false, dead: false })
    }

    /// Appends whole lines or nothing.
    fn append(&mut self, lines: &[u8], sync: bool) -> std::io::Result<()> {
        if self.dead {
            return Ok(());
        }
        if let Err(error) = self.file.write_all(lines) {
            // What was written of them would be taken for the beginning of the next line.
            self.file.set_len(self.good)?;
            return Err(error);
        }
        self.good += lines.len() as u64;
        if sync && let Err(error) = self.file.sync_data() {
            self.dead = true;
            return Err(error);
        }
        Ok(())
    }
}
