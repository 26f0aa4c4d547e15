//! Writing what is on screen into a file: its name's end says in which format.

use super::super::message::Command;
use super::super::model::{Ask, Dialog, Model, Question};
use super::super::theme::Role;
use super::super::{input::Line, palette, view};
use super::say;
use crate::domain::export::{self, Format};

const TEXT: &str = "txt";

/// Asks for the file's name; of an operation, other formats are offered.
pub fn ask(model: &mut Model) {
    let choices: Vec<String> = match model.operation() {
        Some(op) => {
            let name = export::name(&op.progress);
            let formats = Format::ALL.map(Format::extension).into_iter().chain([TEXT]);
            formats.map(|extension| format!("{name}.{extension}")).collect()
        }
        None => vec![stamped(model, &format!("pitstop-{}", model.screen.word()), TEXT)],
    };
    let line = Line::new(choices.first().map_or("", String::as_str));
    let choices = if choices.len() > 1 { choices } else { Vec::new() };
    model.dialog = Some(Dialog::Ask(Ask { question: Question::Export, line, wrong: None, choices, chosen: 0 }));
}

/// A name that tells when.
pub fn stamped(model: &Model, name: &str, extension: &str) -> String {
    let stamp = model.wall.to_zoned(model.zone.clone()).strftime("%Y%m%d-%H%M%S");
    format!("{name}-{stamp}.{extension}")
}

/// The name was entered: the file's text, or what is wrong with the name.
pub fn answer(model: &Model, path: &str) -> Result<Command, String> {
    let text = match model.operation() {
        _ if path.is_empty() => return Err("which file?".to_owned()),
        _ if path.ends_with(&format!(".{TEXT}")) => view::as_text(model),
        None => return Err(format!("what is on this screen is text: `{path}` should end in .{TEXT}")),
        Some(op) => {
            let format = Format::of(path).map_err(|error| format!("{error}, or in .{TEXT}"))?;
            let theme = &model.look.theme.name;
            let own = model.themes.iter().find(|(name, _)| name == theme).map(|(_, text)| text.as_str());
            let palette = palette::named(Some(theme), own).map_err(|wrong| wrong.join("; "))?;
            export::file(format, &op.progress, &palette)
        }
    };
    Ok(Command::Save { path: path.to_owned(), text })
}

/// The file is there, or why not: then another name may be entered.
pub fn saved(model: &mut Model, answer: Result<String, String>) {
    let asked = match &mut model.dialog {
        Some(Dialog::Ask(ask)) if ask.question == Question::Export => Some(ask),
        _ => None,
    };
    match (answer, asked) {
        (Ok(file), asked) => {
            if asked.is_some() {
                model.dialog = None;
            }
            say(model, format!("saved to {file}"), Role::Good);
        }
        (Err(why), Some(ask)) => ask.wrong = Some(why),
        (Err(why), None) => say(model, format!("not saved: {why}"), Role::Bad),
    }
}
