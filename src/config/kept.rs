//! What the console keeps of a person's choices from one time to the next: in the state directory, because nobody writes it by
//! hand. A file that is missing, damaged or of a later version says nothing, and nothing is lost with it.

use super::file;
use serde::{Deserialize, Serialize};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

/// The choices.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Kept {
    /// Titles of columns that are not wanted.
    pub hidden: Vec<String>,
    /// One wide list instead of two panes.
    pub wide: bool,
    /// A heading for each project.
    pub by_project: bool,
}

impl Kept {
    /// What was kept there, or nothing.
    pub fn read(path: &Path) -> Self {
        file::read(path).ok().and_then(|text| toml::from_str(&text).ok()).unwrap_or_default()
    }

    /// Keeps it there, all at once: whoever reads meanwhile sees the old or the new. The error goes on from the file's name.
    pub fn write(&self, path: &Path) -> Result<(), String> {
        let text = toml::to_string(self).map_err(|error| format!("can't be written: {error}"))?;
        let said = |error: std::io::Error| format!("can't be written: {error}");
        if let Some(directory) = path.parent() {
            // As private as the records, which are there, too.
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(said)?;
        }
        let beside = path.with_extension(format!("{}.new", std::process::id()));
        file::create(&beside, &text)?;
        std::fs::rename(&beside, path).map_err(said)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_is_there_again_and_damage_is_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pitstop/console.toml");
        assert_eq!(Kept::read(&path), Kept::default());
        let kept = Kept { hidden: vec!["PORTS".into()], wide: true, by_project: false };
        for _ in 0..2 {
            kept.write(&path).unwrap();
            assert_eq!(Kept::read(&path), kept);
        }
        std::fs::write(&path, "wide = true\nof_later = 3\n").unwrap();
        assert_eq!(Kept::read(&path), Kept { wide: true, ..Kept::default() });
        std::fs::write(&path, "wide = [").unwrap();
        assert_eq!(Kept::read(&path), Kept::default());
        assert!(kept.write(Path::new("/proc/nowhere/console.toml")).is_err());
    }
}
