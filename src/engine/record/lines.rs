//! What was typed into the console's line, kept between runs beside the records: the newest 200, a line each.
//!
//! For convenience only: what can't be read is empty, and nobody waits for what is written.

use super::store::{RecordError, Records};
use crate::domain::clean::clean;
use rustix::fs::{Mode, OFlags, openat, renameat};
use std::fs::File;
use std::io::{Read, Write};

const NAME: &str = "lines";
/// How many are kept.
const MOST: usize = 200;
/// A longer one is not kept, and a file of many such is not ours.
const LONGEST: usize = 2_000;

impl Records {
    /// Those kept, the oldest first. Blocks on the disk.
    pub fn lines(&self) -> Vec<String> {
        self.open(false).ok().and_then(|directory| read(&directory)).unwrap_or_default()
    }

    /// Keeps one more, after those that other consoles have kept meanwhile. Blocks on the disk.
    pub fn keep_line(&self, line: &str) -> Result<(), RecordError> {
        let wrong = |error: std::io::Error| {
            RecordError::File(self.directory().join(NAME).display().to_string(), error.to_string())
        };
        let directory = self.open(true)?;
        let lines = with(read(&directory).unwrap_or_default(), line);
        let new = format!("{NAME}.{}", std::process::id());
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = openat(&directory, &new, flags, Mode::RUSR | Mode::WUSR).map_err(|error| wrong(error.into()))?;
        File::from(file).write_all((lines.join("\n") + "\n").as_bytes()).map_err(wrong)?;
        // At once: a console that reads meanwhile finds the old ones or the new ones.
        renameat(&directory, &new, &directory, NAME).map_err(|error| wrong(error.into()))
    }
}

/// One more: at the end, once, and no more than are kept.
pub fn with(mut lines: Vec<String>, line: &str) -> Vec<String> {
    let line = clean(line.trim());
    if !line.is_empty() && line.len() <= LONGEST {
        lines.retain(|other| *other != line);
        lines.push(line);
    }
    let most = lines.len().saturating_sub(MOST);
    lines.split_off(most)
}

fn read(directory: &impl std::os::fd::AsFd) -> Option<Vec<String>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = File::from(openat(directory, NAME, flags, Mode::empty()).ok()?);
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    file.take((MOST * LONGEST) as u64).read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    Some(text.lines().fold(Vec::new(), with))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_come_back_in_their_order_once_each_and_not_too_many() {
        let home = tempfile::tempdir().unwrap();
        let records = Records::at(home.path().join("pitstop"));
        assert!(records.lines().is_empty());
        for line in ["deploy web", "  ", "logs web", "deploy web", "a\u{1b}[31mb"] {
            records.keep_line(line).unwrap();
        }
        assert_eq!(records.lines()[..2], ["logs web", "deploy web"]);
        assert!(!records.lines()[2].contains('\u{1b}'));
        for n in 0..MOST {
            records.keep_line(&format!("scale web={n}")).unwrap();
        }
        let lines = records.lines();
        assert_eq!((lines.len(), lines[0].as_str()), (MOST, "scale web=0"));
        // Beside records, and none of them; for nobody else.
        assert_eq!(records.all().unwrap(), []);
        let mode = std::os::unix::fs::PermissionsExt::mode(
            &home.path().join("pitstop/lines").metadata().unwrap().permissions(),
        );
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(home.path().join("pitstop")).unwrap().count(), 1);
    }
}
