//! `themes`: which there are, and whether files are right.
//!
//! What a theme is, is the console's business: how it is read comes as a function.

use super::args::ThemesArgs;
use super::error::CliError;
use super::{exit, plain_output};
use crate::config::{file, paths};
use crate::domain::clean::clean;
use std::path::PathBuf;

/// The user's own themes, by name and text, in the order of their names; what can't be read is left out.
pub fn own() -> Option<Vec<(String, String)>> {
    let mut all: Vec<(String, String)> = files()?
        .into_iter()
        .filter_map(|path| Some((path.file_stem()?.to_str()?.to_owned(), file::read(&path).ok()?)))
        .map(|(name, text)| (clean(&name), text))
        .collect();
    all.sort();
    Some(all)
}

fn files() -> Option<Vec<PathBuf>> {
    let entries = std::fs::read_dir(paths::config_dir().ok()?.join("themes")).ok()?;
    let is_theme = |path: &PathBuf| path.extension().is_some_and(|end| end == "toml");
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(is_theme).collect();
    files.sort();
    Some(files)
}

/// Lists the themes, or checks files; returns the exit code. `wrong` says what is wrong with a theme, a sentence each.
pub fn themes(args: &ThemesArgs, built_in: &[&str], wrong: impl Fn(&str, &str) -> Option<Vec<String>>) -> u8 {
    let mut out = plain_output();
    if args.what.is_none() {
        for name in built_in {
            out.result(name);
        }
        for (name, _) in own().unwrap_or_default() {
            out.result(&format!("{name} (your own)"));
        }
        return exit::DONE;
    }
    let named = if args.files.is_empty() { files().unwrap_or_default() } else { args.files.clone() };
    if named.is_empty() {
        out.note("there are no themes of your own to check");
    }
    check(&named, wrong)
}

/// Says of each file whether it is right, and what is wrong with it; returns the exit code.
pub(super) fn check(files: &[PathBuf], wrong: impl Fn(&str, &str) -> Option<Vec<String>>) -> u8 {
    let mut out = plain_output();
    let mut code = exit::DONE;
    for path in files {
        let shown = clean(&path.to_string_lossy());
        let wrong = match file::read(path) {
            Ok(text) => wrong(&shown, &text).unwrap_or_default(),
            Err(error) => vec![format!("{shown}: {error}")],
        };
        if wrong.is_empty() {
            out.result(&format!("{shown}: good"));
        } else {
            code = exit::USAGE;
            out.error(&CliError::usage(wrong.join("\n")));
        }
    }
    code
}
