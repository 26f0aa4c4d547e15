//! Files that somebody named, opened so that it can neither hang nor fill the memory: a regular file of a size that people
//! write. A pipe or a device that stands where a file is meant is named, not waited for.

use rustix::fs::{Mode, OFlags};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// More than any file written by people; a larger one is a mistaken name.
pub const MOST_BYTES: u64 = 4 << 20;

/// For reading; `InvalidInput` is what is no regular file.
pub fn open(path: &Path) -> io::Result<File> {
    // Without O_NONBLOCK, opening a pipe would wait for its writer.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file: File = rustix::fs::open(path, flags, Mode::empty())?.into();
    let kind = file.metadata()?.file_type();
    if kind.is_dir() {
        return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a directory"));
    }
    if !kind.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file, but a pipe or a device"));
    }
    Ok(file)
}

/// The whole file's bytes; `FileTooLarge` is one of more than [`MOST_BYTES`].
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    all(open(path)?)
}

/// All that `reader` has until its end, as of a file.
pub fn all(reader: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than 4 MB, which no such file is"));
    }
    Ok(bytes)
}
