//! The bytes of app files, environment files and standard input, with every way in which there are none.

use super::super::file;
use std::io;
use std::path::{Path, PathBuf};

/// What Compose looks for where no file is named, in this order.
const NAMES: [&str; 4] = ["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"];

/// The text of a file, or of standard input for `-`. The error is a sentence without the file's name.
pub(super) fn read(path: &Path) -> Result<String, String> {
    if path == Path::new("-") {
        return file::text(io::stdin().lock()).map_err(|error| error.to_string());
    }
    file::read(path).map_err(|error| error.to_string())
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
