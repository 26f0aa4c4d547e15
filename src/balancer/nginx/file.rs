//! The file that an nginx's configuration includes: read whole, replaced as a whole and at once.
//!
//! Disks can stand still, and everything else that pitstop does runs on one thread: so this is done on others, and waited
//! for until a deadline.

use crate::files;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// For a disk: writing waits until it is really there.
const DEADLINE: Duration = Duration::from_secs(20);

/// The file itself, where its name is a link to it.
pub(super) async fn find(name: &str) -> io::Result<PathBuf> {
    let name = name.to_owned();
    aside(move || std::fs::canonicalize(name)).await
}

pub(super) async fn read(path: &Path) -> io::Result<String> {
    let path = path.to_owned();
    aside(move || String::from_utf8(files::read(&path)?).map_err(io::Error::other)).await
}

/// Its new content; never half of it is there.
pub(super) async fn replace(path: &Path, text: String) -> io::Result<()> {
    let path = path.to_owned();
    aside(move || replaced(&path, &text)).await
}

/// A directory, to be locked.
pub(super) async fn open_folder(path: &Path) -> io::Result<File> {
    let path = path.to_owned();
    aside(move || File::open(path)).await
}

fn replaced(path: &Path, text: &str) -> io::Result<()> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return Ok(()) };
    // No `include folder/*` reads a name that begins with a dot.
    let beside = folder.join(format!(".{}.pitstop", name.to_string_lossy()));
    let about = std::fs::metadata(path)?;
    match std::fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    file.write_all(text.as_bytes())?;
    // Who is not root may not give it away, and need not: then it is his own directory.
    let _ = std::os::unix::fs::fchown(&file, Some(about.uid()), Some(about.gid()));
    file.set_permissions(std::fs::Permissions::from_mode(about.mode() & 0o7777))?;
    file.sync_all()?;
    std::fs::rename(&beside, path)?;
    File::open(folder)?.sync_all()
}

async fn aside<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    match tokio::time::timeout(DEADLINE, tokio::task::spawn_blocking(work)).await {
        Ok(done) => done.unwrap_or_else(|error| Err(io::Error::other(error))),
        Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, format!("the disk gave no answer within {DEADLINE:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_is_replaced_with_its_rights_and_a_pipe_is_not_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("upstream.conf");
        std::fs::write(&path, "before").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        replace(&path, "after".to_owned()).await.unwrap();
        assert_eq!(read(&path).await.unwrap(), "after");
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o7777, 0o640);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);

        let pipe = directory.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        assert!(read(&pipe).await.unwrap_err().to_string().contains("regular file"));
    }
}
