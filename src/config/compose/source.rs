//! The bytes of app files, environment files and standard input, with every way in which there are none.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// More than any app file written by people; a larger one is a mistaken name.
const MOST_BYTES: u64 = 1024 * 1024;

/// What Compose looks for where no file is named, in this order.
const NAMES: [&str; 4] = ["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"];

/// The text of a file, or of standard input for `-`. The error is a sentence without the file's name.
pub(super) fn read(path: &Path) -> Result<String, String> {
    if path == Path::new("-") {
        return text_of(io::stdin().lock());
    }
    let metadata = std::fs::metadata(path).map_err(|error| reason(&error))?;
    if metadata.is_dir() {
        return Err("is a directory; name the file in it".to_owned());
    }
    text_of(File::open(path).map_err(|error| reason(&error))?)
}

/// The files Compose would take from a directory: the first name that is there, and its override beside it.
pub(super) fn discover(directory: &Path) -> Vec<PathBuf> {
    let Some(found) = NAMES.iter().map(|name| directory.join(name)).find(|path| path.is_file()) else {
        return Vec::new();
    };
    let stem = found.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let beside = ["yml", "yaml"].map(|extension| directory.join(format!("{stem}.override.{extension}")));
    std::iter::once(found).chain(beside.into_iter().find(|path| path.is_file())).collect()
}

/// The names that [`discover`] tries, for messages.
pub(super) fn names() -> String {
    NAMES.join(", ")
}

fn text_of(reader: impl Read) -> Result<String, String> {
    let mut bytes = Vec::new();
    reader.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(|error| reason(&error))?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err("is larger than 1 MB, which no app file is".to_owned());
    }
    String::from_utf8(bytes).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = before.split(|byte| *byte == b'\n').count();
        format!("is not UTF-8 text (line {line}); convert it, e.g. with iconv")
    })
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "does not exist".to_owned(),
        io::ErrorKind::PermissionDenied => "cannot be read: permission denied".to_owned(),
        _ => format!("cannot be read: {error}"),
    }
}
