//! What is wrong with an app file: errors with file, line, column and key, collected so that one run shows them all.
//!
//! Text from the file is cleaned here, once, before it can reach a terminal.

use super::tree::Pos;
use crate::domain::clean::clean;
use std::cell::RefCell;
use std::fmt;

/// Most errors shown of one load; the rest is counted.
const MOST: usize = 20;

/// Most errors looked at; a file with more is no app file.
const MOST_KEPT: usize = 1000;

/// One thing wrong: `compose.yaml:12:5: services.web.restart: "sometimes" is not a restart policy; …`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComposeError {
    /// As the user named it; an option's name (`--scale web=x`) where no file is to blame.
    pub file: String,
    /// From 1; 0: the file as a whole.
    pub line: u64,
    /// From 1; 0: the file as a whole.
    pub column: u64,
    /// `services.web.ports[1]`; empty where the text is no YAML.
    pub path: String,
    /// What is wrong and what would be right.
    pub message: String,
}

impl fmt::Display for ComposeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        if !self.path.is_empty() {
            write!(f, ": {}", self.path)?;
        }
        write!(f, ": {}", self.message)
    }
}

/// All that is wrong with an app file, in the order of files and lines; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ComposeErrors {
    /// At most 20.
    pub errors: Vec<ComposeError>,
    /// How many more there are.
    pub more: usize,
}

impl fmt::Display for ComposeErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.errors.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{error}")?;
        }
        if self.more > 0 {
            write!(f, "\nand {} more", self.more)?;
        }
        Ok(())
    }
}

impl std::error::Error for ComposeErrors {}

/// Collects errors and warnings while the files are read.
#[derive(Debug, Default)]
pub(super) struct Report {
    files: RefCell<Vec<String>>,
    /// With the file's number, which orders them.
    errors: RefCell<Vec<(usize, ComposeError)>>,
    /// With their places, which order them; those without a place come last.
    warnings: RefCell<Vec<(Pos, String)>>,
}

impl Report {
    /// Makes a file known by the name the user gave it; the number goes into its positions.
    pub fn file(&self, name: &str) -> usize {
        let mut files = self.files.borrow_mut();
        files.push(clean(name));
        files.len() - 1
    }

    /// Notes an error at a position.
    pub fn error(&self, pos: Pos, path: &str, message: &str) {
        let error = ComposeError {
            file: self.name(pos.file),
            line: pos.line,
            column: pos.column,
            path: clean(path),
            message: clean(message),
        };
        let mut errors = self.errors.borrow_mut();
        if errors.len() < MOST_KEPT && !errors.iter().any(|(_, known)| *known == error) {
            errors.push((pos.file, error));
        }
    }

    /// Notes something that is passed over.
    pub fn warn(&self, pos: Pos, path: &str, message: &str) {
        let place = if pos.line > 0 { format!(":{}:{}", pos.line, pos.column) } else { String::new() };
        let warning = format!("{}{place}: {}: {}", self.name(pos.file), clean(path), clean(message));
        let mut warnings = self.warnings.borrow_mut();
        if !warnings.iter().any(|(_, known)| *known == warning) {
            warnings.push((pos, warning));
        }
    }

    /// Notes a warning that belongs to no place.
    pub fn warn_generally(&self, message: &str) {
        self.warnings.borrow_mut().push((Pos { file: usize::MAX, ..Pos::default() }, clean(message)));
    }

    /// Whether anything is wrong so far.
    pub fn failed(&self) -> bool {
        !self.errors.borrow().is_empty()
    }

    /// The warnings, or the errors if there are any.
    pub fn finish(self) -> Result<Vec<String>, ComposeErrors> {
        let mut errors = self.errors.into_inner();
        if errors.is_empty() {
            let mut warnings = self.warnings.into_inner();
            warnings.sort_by_key(|(pos, _)| (pos.file, pos.line, pos.column));
            return Ok(warnings.into_iter().map(|(_, warning)| warning).collect());
        }
        errors.sort_by_key(|(file, error)| (*file, error.line, error.column));
        let more = errors.len().saturating_sub(MOST);
        Err(ComposeErrors { errors: errors.into_iter().take(MOST).map(|(_, error)| error).collect(), more })
    }

    fn name(&self, file: usize) -> String {
        self.files.borrow().get(file).cloned().unwrap_or_default()
    }
}
