//! Choosing columns: what is chosen is seen at once, and kept.

use super::super::columns::{self, COLUMNS, Columns};
use super::super::message::Command;
use super::super::model::{Dialog, Model};
use super::{fleet, moved};
use crate::tui::keymap::Action;
use crossterm::event::{KeyCode, KeyEvent};

/// Opens the list.
pub fn open(model: &mut Model) {
    let before = model.list.shown.hidden.clone();
    model.dialog = Some(Dialog::Columns(Columns { cursor: 0, before }));
}

/// What is chosen now is kept for the next time.
pub fn keep(model: &Model) -> Vec<Command> {
    vec![Command::Keep(columns::kept(&model.list.shown))]
}

/// Space chooses, Enter keeps, what closes the list takes it back.
pub fn press(model: &mut Model, key: KeyEvent) -> Vec<Command> {
    let Some(Dialog::Columns(open)) = &mut model.dialog else { return Vec::new() };
    let step = |action| moved(open.cursor, COLUMNS.len(), 1, action);
    match key.code {
        KeyCode::Up | KeyCode::Char('k') => open.cursor = step(Action::Up),
        KeyCode::Down | KeyCode::Char('j') => open.cursor = step(Action::Down),
        KeyCode::Char(' ') => {
            columns::toggle(&mut model.list.shown, COLUMNS[open.cursor].0);
            open.cursor = moved(open.cursor, COLUMNS.len(), 1, Action::Down);
            fleet::settle(model);
        }
        KeyCode::Char('*') => model.list.shown.hidden.clear(),
        KeyCode::Enter => {
            model.dialog = None;
            return keep(model);
        }
        _ => {}
    }
    Vec::new()
}

/// Closed without a choice.
pub fn close(model: &mut Model) {
    if let Some(Dialog::Columns(open)) = &model.dialog {
        model.list.shown.hidden.clone_from(&open.before);
    }
}
