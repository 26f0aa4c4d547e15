//! `keys`: what each key does, and whether a keymap is right.
//!
//! What a key does is the console's business: tables and checks come as functions.

use super::args::KeysArgs;
use super::error::CliError;
use super::{exit, plain_output, themes};
use crate::config::file::{self, Unreadable};
use crate::config::paths;

/// Lists keys, or checks files; returns the exit code. `table` makes a person's own keymap (its name and text) into tables, as
/// Markdown or for the eye; `wrong` says what is wrong with one, a sentence each.
pub fn keys(
    args: &KeysArgs,
    table: impl Fn(Option<(&str, &str)>, bool) -> Result<String, Vec<String>>,
    wrong: impl Fn(&str, &str) -> Option<Vec<String>>,
) -> u8 {
    let mut out = plain_output();
    let own = paths::config_dir().ok().map(|directory| directory.join("keymap.toml"));
    if args.what.is_some() {
        let there = own.filter(|path| path.exists());
        let files = if args.files.is_empty() { there.into_iter().collect() } else { args.files.clone() };
        if files.is_empty() {
            out.note("there is no keymap of your own to check");
        }
        return themes::check(&files, wrong);
    }
    let text = match own.as_deref().map(file::read) {
        None | Some(Err(Unreadable::Missing)) => None,
        Some(Ok(text)) => Some(text),
        Some(Err(error)) => {
            out.error(&CliError::usage(format!("keymap.toml: {error}")));
            return exit::USAGE;
        }
    };
    match table(text.as_deref().map(|text| ("keymap.toml", text)), args.markdown) {
        Ok(text) => {
            out.result(text.trim_end());
            exit::DONE
        }
        Err(wrong) => {
            out.error(&CliError::usage(wrong.join("\n")));
            exit::USAGE
        }
    }
}
