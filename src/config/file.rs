//! Files that people name: settings, themes, keymaps, app files and what those name in turn; and those written for them.
//!
//! Opened by [`files`]; here an error becomes a sentence.

use crate::files;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Why a file's text is not to be had; a sentence that goes on from the file's name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    #[error("does not exist")]
    Missing,
    #[error("{0}")]
    Because(String),
}

impl Unreadable {
    fn because(why: impl Into<String>) -> Self {
        Self::Because(why.into())
    }
}

impl From<io::Error> for Unreadable {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::Missing,
            io::ErrorKind::PermissionDenied => Self::because("cannot be read: permission denied"),
            io::ErrorKind::IsADirectory => Self::because("is a directory; name the file in it"),
            io::ErrorKind::InvalidInput => Self::because("is no regular file, but a pipe or a device"),
            io::ErrorKind::FileTooLarge => Self::because("is larger than 4 MB, which no such file is"),
            _ => Self::because(format!("cannot be read: {error}")),
        }
    }
}

/// The text of a regular file.
pub fn read(path: &Path) -> Result<String, Unreadable> {
    text(files::open(path)?)
}

/// Writes a new file for this user alone; one that is there already stays as it is. The error goes on from the file's name.
pub fn create(path: &Path, text: &str) -> Result<(), String> {
    let opened = File::options().write(true).create_new(true).mode(0o600).open(path);
    let mut file = opened.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => "is there already, and stays as it is: choose another name".to_owned(),
        io::ErrorKind::NotFound => "cannot be written: its directory does not exist".to_owned(),
        io::ErrorKind::PermissionDenied => "cannot be written: permission denied".to_owned(),
        _ => format!("cannot be written: {error}"),
    })?;
    let written = file.write_all(text.as_bytes());
    written.map_err(|error| {
        // Half a file helps nobody; that it can't be removed either changes nothing.
        let _ = std::fs::remove_file(path);
        format!("could not be written whole, so it was removed: {error}")
    })
}

/// The text that `reader` has until its end.
pub(super) fn text(reader: impl Read) -> Result<String, Unreadable> {
    let bytes = files::all(reader)?;
    String::from_utf8(bytes).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = before.split(|byte| *byte == b'\n').count();
        Unreadable::because(format!("is not UTF-8 text (line {line}); convert it, e.g. with iconv"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use files::MOST_BYTES;
    use rustix::fs::{CWD, FileType, Mode, mknodat};

    #[test]
    fn a_file_that_is_there_is_never_overwritten() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.md");
        assert_eq!(create(&path, "one"), Ok(()));
        assert!(create(&path, "two").unwrap_err().starts_with("is there already"));
        assert_eq!(read(&path).unwrap(), "one");
        assert!(create(&directory.path().join("no/a.md"), "").unwrap_err().ends_with("its directory does not exist"));
    }

    #[test]
    fn only_a_regular_file_of_a_sane_size_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        std::fs::write(at("good"), "text").unwrap();
        std::os::unix::fs::symlink(at("good"), at("link")).unwrap();
        for name in ["good", "link"] {
            assert_eq!(read(&at(name)).unwrap(), "text");
        }
        File::create(at("large")).unwrap().set_len(MOST_BYTES + 1).unwrap();
        std::fs::write(at("latin"), b"one\ntw\xf6").unwrap();
        mknodat(CWD, at("pipe"), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        std::os::unix::fs::symlink("loop", at("loop")).unwrap();
        for (path, why) in [
            (at("none"), "does not exist"),
            (at("large"), "is larger than 4 MB"),
            (at("latin"), "is not UTF-8 text (line 2)"),
            (at("pipe"), "is no regular file"),
            (at("loop"), "cannot be read"),
            (directory.path().to_owned(), "is a directory"),
            ("/dev/zero".into(), "is no regular file"),
            ("/dev/tty".into(), ""),
        ] {
            let said = read(&path).unwrap_err().to_string();
            assert!(said.starts_with(why), "{}: {said}", path.display());
        }
    }
}
