//! `show --export`: an operation as a file, for people elsewhere.
//!
//! What a theme's colours are is the console's business: they come as a function.

use super::error::CliError;
use super::output::Output;
use super::{exit, history, themes};
use crate::config::file;
use crate::config::settings::Settings;
use crate::domain::clean::clean;
use crate::domain::export::{self, Format, Palette};
use crate::domain::progress::Progress;
use std::path::{Path, PathBuf};

/// The colours of the theme of that name, or of the default; its text, if it is the user's own. The errors are sentences.
pub type Palettes = fn(Option<&str>, Option<&str>) -> Result<Palette, Vec<String>>;

/// Writes the operation into `target`, a file's name or a format alone.
pub fn export(
    out: &mut Output,
    settings: &Settings,
    palette: Palettes,
    op: &str,
    target: &Path,
) -> Result<u8, CliError> {
    let records = history::store()?;
    let (record, _) = records.read(&records.find(op)?)?;
    let progress = Progress::of(&record.events);
    let named = target.to_string_lossy();
    let format = Format::of(&named).map_err(CliError::usage)?;
    let alone = named == format.extension();
    let path = if alone { PathBuf::from(format!("{}.{named}", export::name(&progress))) } else { target.to_owned() };
    let theme = settings.theme.as_deref();
    let own = themes::own().unwrap_or_default().into_iter().find(|(name, _)| Some(name.as_str()) == theme);
    let palette = palette(theme, own.as_ref().map(|(_, text)| text.as_str()));
    let palette = palette.map_err(|wrong| CliError::usage(wrong.join("\n")))?;
    let shown = clean(&path.to_string_lossy());
    file::create(&path, &export::file(format, &progress, &palette))
        .map_err(|why| CliError::usage(format!("{shown} {why}")))?;
    out.result(&shown);
    Ok(exit::DONE)
}
