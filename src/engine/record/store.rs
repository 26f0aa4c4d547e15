//! The directory of records, `$XDG_STATE_HOME/pitstop`: one file per operation, private, and nobody else's.
//!
//! Neither the directory nor a file in it may be a symbolic link or belong to another user: what is written there is
//! trusted when an operation is gone on with. Must not decide anything about operations.

use crate::domain::clean::clean;
use crate::domain::ids::OpId;
use crate::domain::record::{
    EXTENSION, Extra, ExtraLine, Header, MAX_FILE, Record, Summary, Unreadable, begun, is_settled, left_open, whole,
};
use crate::engine::clock;
use rustix::fs::{FileType, FlockOperation, Mode, OFlags, flock, fstat, openat};
use std::fmt::Display;
use std::fs::{DirBuilder, File};
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, FileExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often, and after which time, a record that somebody reads is tried again.
const READERS: u32 = 25;
const READING: Duration = Duration::from_millis(20);

/// Where records are kept. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Records {
    directory: PathBuf,
}

/// Why a record can't be read or written: what failed, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    #[error("{0}: {1}")]
    File(String, String),
    #[error("{0} {1}")]
    Unreadable(String, Unreadable),
    #[error("there is no record of an operation `{0}`")]
    Unknown(String),
    #[error("`{beginning}` could be {}; write more of it", .could_be.join(" or "))]
    Ambiguous { beginning: String, could_be: Vec<String> },
}

/// A record in a list: in a line, or why it can't be read.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    pub op: OpId,
    pub read: Result<Summary, RecordError>,
}

impl RecordError {
    fn file(path: &Path, why: impl Display) -> Self {
        Self::File(clean(&path.to_string_lossy()), format!("{why}"))
    }
}

impl Records {
    /// Those in `directory`, which is made when the first one is written.
    pub fn at(directory: PathBuf) -> Self {
        Self { directory }
    }

    /// Where they are.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Begins the record of an operation. Blocks on the disk.
    pub(super) fn begin(&self, op: &OpId, header: Header) -> Result<(File, PathBuf), RecordError> {
        let directory = self.open(true)?;
        let path = self.path(op);
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::APPEND;
        let file = openat(&directory, file_name(op), flags, Mode::RUSR | Mode::WUSR)
            .map_err(|error| RecordError::file(&path, error))?;
        // Whoever reads it sees by this that its console lives. Where there are no locks, it looks broken off meanwhile.
        let _ = alone(&file);
        let mut file = File::from(file);
        let line = ExtraLine::new(op.clone(), 0, clock::wall(), 0, Extra::Recorded(header)).line();
        file.write_all(&line.unwrap_or_default()).map_err(|error| RecordError::file(&path, error))?;
        // The file's content is synced with its first intent; this is for its name.
        let _ = rustix::fs::fsync(&directory);
        Ok((file, path))
    }

    /// All of them, the newest first. Blocks on the disk.
    pub fn all(&self) -> Result<Vec<Listed>, RecordError> {
        let read = |op: OpId| Listed { read: self.read(&op).map(|(record, running)| record.summary(running)), op };
        let mut all: Vec<Listed> = self.ids()?.into_iter().map(read).collect();
        // What tells no time of its own stands where its id belongs: that begins with the time.
        let began = |one: &Listed| one.read.as_ref().ok().and_then(|read| read.began).or_else(|| begun(&one.op));
        all.sort_by_cached_key(|one| std::cmp::Reverse((began(one), one.op.clone())));
        Ok(all)
    }

    /// Whether a list that was read shows what is there no more: a record has come or gone, or a console has come to its end.
    /// Reads names, and no record. Blocks on the disk. `known`: each with whether a console was writing it; `None`: it could not
    /// be read.
    pub fn has_changed(&self, known: &[(OpId, Option<bool>)]) -> bool {
        let Ok(ids) = self.ids() else { return true };
        let mut names: Vec<&OpId> = known.iter().map(|(op, _)| op).collect();
        names.sort();
        if !names.into_iter().eq(&ids) {
            return true;
        }
        let doubtful = known.iter().filter(|(_, running)| *running != Some(false));
        let written =
            |op: &OpId| self.open(false).and_then(|open| self.file(&open, op)).is_ok_and(|file| is_written(&file));
        // One that was just begun can't be read yet.
        doubtful.into_iter().any(|(op, running)| written(op) != running.unwrap_or(false))
    }

    /// All that can be read, the newest first. Blocks on the disk.
    pub fn list(&self) -> Result<Vec<Summary>, RecordError> {
        Ok(self.all()?.into_iter().filter_map(|listed| listed.read.ok()).collect())
    }

    /// Operations that were left half-done. Most records tell by their last line that theirs was not; the others are read,
    /// with all that came later and may have settled them. Blocks on the disk.
    pub fn left_open(&self) -> Result<Vec<Summary>, RecordError> {
        let ids = self.ids()?;
        let Some(first) = ids.iter().find(|op| !self.end(op).is_ok_and(|end| is_settled(&end))) else {
            return Ok(Vec::new());
        };
        // Ids of the same second are in no order.
        let second = first.as_str().rsplit_once('-').map_or(first.as_str(), |(second, _)| second);
        let later = ids.iter().filter(|op| op.as_str() >= second);
        let all: Vec<Summary> =
            later.filter_map(|op| self.read(op).ok()).map(|(record, running)| record.summary(running)).collect();
        Ok(left_open(&all).into_iter().cloned().collect())
    }

    /// The end of a record.
    fn end(&self, op: &OpId) -> Result<Vec<u8>, RecordError> {
        const ENOUGH: u64 = 16 << 10;
        let path = self.path(op);
        let file = self.file(&self.open(false)?, op)?;
        let wrong = |error: std::io::Error| RecordError::file(&path, error);
        let length = file.metadata().map_err(wrong)?.len();
        let from = length.saturating_sub(ENOUGH);
        let mut end = vec![0; usize::try_from(length - from).unwrap_or_default()];
        file.read_exact_at(&mut end, from).map_err(wrong)?;
        Ok(end)
    }

    /// The operations that have a record, by id. None where there is no directory yet.
    pub fn ids(&self) -> Result<Vec<OpId>, RecordError> {
        match self.directory.symlink_metadata() {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            _ => drop(self.open(false)?),
        }
        let entries = std::fs::read_dir(&self.directory).map_err(|error| RecordError::file(&self.directory, error))?;
        let name = |entry: std::fs::DirEntry| entry.file_name().into_string().ok();
        let op = |name: String| OpId::new(name.strip_suffix(EXTENSION)?.strip_suffix('.')?).ok();
        let mut ids: Vec<OpId> = entries.flatten().filter_map(name).filter_map(op).collect();
        ids.sort();
        Ok(ids)
    }

    /// The operation whose id begins like this.
    pub fn find(&self, beginning: &str) -> Result<OpId, RecordError> {
        let ids = self.ids()?;
        let mut found: Vec<&OpId> = ids.iter().filter(|op| op.as_str() == beginning).collect();
        if found.is_empty() {
            found = ids.iter().filter(|op| op.is_meant(beginning)).collect();
        }
        let beginning = clean(beginning);
        match found.as_slice() {
            [] => Err(RecordError::Unknown(beginning)),
            [op] => Ok((*op).clone()),
            many => {
                let could_be = many.iter().take(5).map(ToString::to_string).collect();
                Err(RecordError::Ambiguous { beginning, could_be })
            }
        }
    }

    /// A record, and whether a console is writing it at this moment. Blocks on the disk.
    pub fn read(&self, op: &OpId) -> Result<(Record, bool), RecordError> {
        let path = self.path(op);
        let file = self.file(&self.open(false)?, op)?;
        // Before the content: an operation that ends in between is running, not broken off.
        let running = is_written(&file);
        let record = parse(file, &path)?;
        if record.op != *op {
            return Err(RecordError::file(&path, format!("is the record of {}", record.op)));
        }
        Ok((record, running))
    }

    /// A record's file, ours and regular.
    fn file(&self, directory: &OwnedFd, op: &OpId) -> Result<File, RecordError> {
        let path = self.path(op);
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let file = openat(directory, file_name(op), flags, Mode::empty()).map_err(|error| {
            if error == rustix::io::Errno::NOENT {
                RecordError::Unknown(op.to_string())
            } else {
                RecordError::file(&path, error)
            }
        })?;
        let stat = fstat(&file).map_err(|error| RecordError::file(&path, error))?;
        if stat.st_uid != rustix::process::geteuid().as_raw() {
            return Err(RecordError::file(&path, "belongs to another user, so it is not read"));
        }
        regular(file, &path)
    }

    /// Writes into a record that `by` has gone on with it. A line that was torn when its console died is cut off first.
    pub fn resumed(&self, op: &OpId, by: &OpId) -> Result<(), RecordError> {
        let directory = self.open(false)?;
        let path = self.path(op);
        let wrong = |error: std::io::Error| RecordError::file(&path, error);
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let file = openat(&directory, file_name(op), flags, Mode::empty()).map_err(|error| wrong(error.into()))?;
        if !alone(&file) {
            return Err(RecordError::file(&path, "its operation is still running"));
        }
        let mut file = regular(file, &path)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(wrong)?;
        let end = whole(&bytes) as u64;
        let record = Record::read(&bytes).map_err(|why| RecordError::Unreadable(path.display().to_string(), why))?;
        let last = record.events.last();
        let (seq, elapsed) = last.map_or((0, 0), |event| (event.seq.saturating_add(1), event.elapsed_ms));
        let extra = Extra::ResumedBy { by: by.clone() };
        let Some(line) = ExtraLine::new(op.clone(), seq, clock::wall(), elapsed, extra).line() else { return Ok(()) };
        file.set_len(end).map_err(wrong)?;
        file.write_all_at(&line, end).map_err(wrong)?;
        file.sync_data().map_err(wrong)
    }

    pub(super) fn remove(&self, op: &OpId) -> Result<(), RecordError> {
        let directory = self.open(false)?;
        rustix::fs::unlinkat(&directory, file_name(op), rustix::fs::AtFlags::empty())
            .map_err(|error| RecordError::file(&self.path(op), error))
    }

    /// Where the record of that operation is.
    pub fn path(&self, op: &OpId) -> PathBuf {
        self.directory.join(file_name(op))
    }

    /// The directory itself, made if told so; private from then on.
    pub(in crate::engine) fn open(&self, make: bool) -> Result<OwnedFd, RecordError> {
        let wrong = |why: String| RecordError::file(&self.directory, why);
        if make {
            if let Some(parent) = self.directory.parent() {
                std::fs::create_dir_all(parent).map_err(|error| wrong(error.to_string()))?;
            }
            match DirBuilder::new().mode(0o700).create(&self.directory) {
                Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                    return Err(wrong(error.to_string()));
                }
                _ => {}
            }
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let directory = rustix::fs::open(&self.directory, flags, Mode::empty()).map_err(|error| {
            let link = self.directory.symlink_metadata().is_ok_and(|seen| seen.is_symlink());
            wrong(if link { "is a symbolic link, which is not followed".into() } else { error.to_string() })
        })?;
        let stat = fstat(&directory).map_err(|error| wrong(error.to_string()))?;
        if stat.st_uid != rustix::process::geteuid().as_raw() {
            return Err(wrong("belongs to another user".into()));
        }
        if make && stat.st_mode & 0o077 != 0 {
            rustix::fs::fchmod(&directory, Mode::RWXU).map_err(|error| wrong(error.to_string()))?;
        }
        Ok(directory)
    }
}

/// Whether a console is writing it at this moment.
fn is_written(file: impl AsFd) -> bool {
    let taken = flock(&file, FlockOperation::NonBlockingLockShared).is_err();
    let _ = flock(&file, FlockOperation::Unlock);
    taken
}

/// Takes it for this process alone; not, where another one writes it. Who reads it has it for a moment.
fn alone(file: impl AsFd) -> bool {
    for _ in 0..READERS {
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Err(rustix::io::Errno::WOULDBLOCK) => {}
            done => return done.is_ok(),
        }
        #[expect(clippy::disallowed_methods, reason = "on a thread that may block, which waits for no event")]
        std::thread::sleep(READING);
    }
    false
}

/// A record in a file that a person names, wherever it is. Blocks on the disk.
pub fn read_file(path: &Path) -> Result<Record, RecordError> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = rustix::fs::open(path, flags, Mode::empty()).map_err(|error| RecordError::file(path, error))?;
    parse(regular(file, path)?, path)
}

fn parse(file: File, path: &Path) -> Result<Record, RecordError> {
    let mut bytes = Vec::new();
    // One byte more than allowed tells that there is more.
    file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(|error| RecordError::file(path, error))?;
    Record::read(&bytes).map_err(|why| RecordError::Unreadable(clean(&path.to_string_lossy()), why))
}

fn regular(file: OwnedFd, path: &Path) -> Result<File, RecordError> {
    let stat = fstat(&file).map_err(|error| RecordError::file(path, error))?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(RecordError::file(path, "is not a regular file"));
    }
    if u64::try_from(stat.st_size).is_ok_and(|size| size > MAX_FILE) {
        return Err(RecordError::Unreadable(clean(&path.to_string_lossy()), Unreadable::TooLarge));
    }
    Ok(File::from(file))
}

fn file_name(op: &OpId) -> String {
    format!("{op}.{EXTENSION}")
}
