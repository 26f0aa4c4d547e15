//! Docker's own configuration files, read so that nothing can hang: a regular file of a size that `docker` writes.
//!
//! The same care as `config::file`, which this floor does not know.

use rustix::fs::{Mode, OFlags};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// The whole file's bytes.
pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    const MOST_BYTES: u64 = 4 << 20;
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file: File = rustix::fs::open(path, flags, Mode::empty())?.into();
    let metadata = file.metadata()?;
    if !metadata.is_file() || metadata.len() > MOST_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "no regular file of less than 4 MB"));
    }
    let mut bytes = Vec::new();
    file.take(MOST_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}
