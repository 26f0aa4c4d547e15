//! Copying: which of the things under the cursor, then the terminal is asked.

use super::super::copy::{self, Item};
use super::super::message::Command;
use super::super::model::{Dialog, Model};
use super::super::text;
use super::super::theme::Role;
use super::say;
use crossterm::event::{KeyCode, KeyEvent};

/// Asks which, unless there is one thing only.
pub fn begin(model: &mut Model) -> Vec<Command> {
    let items = copy::items(model);
    match &items[..] {
        [] => say(model, "nothing to copy here", Role::Dim),
        [only] => return vec![take(model, only.clone())],
        _ => model.dialog = Some(Dialog::Copy(items)),
    }
    Vec::new()
}

/// Keys while it is asked which.
pub fn press(model: &mut Model, key: KeyEvent) -> Vec<Command> {
    let (Some(Dialog::Copy(items)), KeyCode::Char(c)) = (&model.dialog, key.code) else { return Vec::new() };
    let Some(item) = items.iter().find(|item| item.key == c).cloned() else { return Vec::new() };
    model.dialog = None;
    vec![take(model, item)]
}

fn take(model: &mut Model, Item { what, value, .. }: Item) -> Command {
    let dots = model.look.glyphs.dots;
    let room = usize::from(model.size.0).saturating_sub(text::width(what) + 14);
    say(model, format!("copied the {what}: {}", text::head(&value, room, dots)), Role::Good);
    Command::Copy(value)
}
