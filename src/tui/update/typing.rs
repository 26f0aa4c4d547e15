//! Keys of the line that is typed at the bottom of a screen: Enter takes it, Esc brings back what was there before.

use super::super::input::Line;
use super::super::jump;
use super::super::keymap::Action;
use super::super::message::Command;
use super::super::model::Model;
use super::super::pattern::Pattern;
use super::super::rows::RowId;
use super::super::typing::{Typing, What};
use super::{fleet, history, instance, logs};
use crossterm::event::{KeyCode, KeyEvent};

/// Begins to type, with what is there already.
pub fn begin(model: &mut Model, what: What, before: &str) {
    model.typing = Some(Typing { what, line: Line::new(before), wrong: None, before: before.to_owned() });
}

/// Takes a key.
pub fn press(model: &mut Model, key: KeyEvent) -> Vec<Command> {
    let Some(typing) = &mut model.typing else { return Vec::new() };
    match (key.code, &mut typing.what) {
        (KeyCode::Enter, _) => return enter(model),
        (KeyCode::Esc, _) => leave(model),
        (KeyCode::Up, What::Jump { at, .. }) => {
            *at = at.saturating_sub(1);
            jump_to(model);
        }
        (KeyCode::Down, What::Jump { at, .. }) => {
            *at += 1;
            jump_to(model);
        }
        // What is shown is chosen from at once.
        (KeyCode::Up | KeyCode::Down, What::Filter | What::Past) => {
            let past = typing.what == What::Past;
            let action = if key.code == KeyCode::Up { Action::Up } else { Action::Down };
            model.typing = None;
            return if past { history::act(model, action) } else { fleet::act(model, action) };
        }
        _ => {
            typing.line.press(key);
            changed(model);
        }
    }
    Vec::new()
}

/// Takes pasted text.
pub fn paste(model: &mut Model, text: &str) {
    if let Some(typing) = &mut model.typing {
        typing.line.paste(text);
        changed(model);
    }
}

/// What is typed has changed: what follows it at once does.
fn changed(model: &mut Model) {
    let Some(typing) = &mut model.typing else { return };
    typing.wrong = None;
    let text = typing.line.text().to_owned();
    match &mut typing.what {
        What::Filter => {
            model.list.shown.filter = text;
            fleet::settle(model);
        }
        What::Past => history::filter(model, text),
        What::Jump { at, .. } => {
            *at = 0;
            jump_to(model);
        }
        What::Search | What::Match | What::Since | What::Find => {}
    }
}

/// The cursor goes to the row that fits best, or to another one that fits; where none does, back to where it was.
fn jump_to(model: &mut Model) {
    let Some(Typing { what: What::Jump { from, at }, line, .. }) = &model.typing else { return };
    let mut fitting = jump::fitting(model, line.text());
    let place = (*at).min(fitting.len().saturating_sub(1));
    let to = if line.text().is_empty() || fitting.is_empty() { from.clone() } else { Some(fitting.swap_remove(place)) };
    if let Some(Typing { what: What::Jump { at, .. }, .. }) = &mut model.typing {
        *at = place;
    }
    if let Some(RowId::Instance(key, _)) = &to {
        model.list.shown.folded.remove(&RowId::App(key.clone()));
    }
    if let Some(key) = to.as_ref().and_then(RowId::app) {
        let app = model.engines.app(key).map(|(_, app)| app);
        let group = app.and_then(|app| super::super::rows::group(app, &model.list.shown));
        let group = group.map(|name| RowId::Group(key.engine, name.to_owned()));
        let engine = RowId::Engine(key.engine);
        model.list.shown.folded.retain(|id| Some(id) != group.as_ref() && *id != engine);
    }
    model.list.cursor = to;
    fleet::settle(model);
}

fn leave(model: &mut Model) {
    let Some(Typing { what, before, .. }) = model.typing.take() else { return };
    match what {
        What::Filter => {
            model.list.shown.filter = before;
            fleet::settle(model);
        }
        What::Past => history::filter(model, before),
        What::Jump { from, .. } => {
            model.list.cursor = from;
            fleet::settle(model);
        }
        What::Search | What::Match | What::Since | What::Find => {}
    }
}

fn enter(model: &mut Model) -> Vec<Command> {
    let Some(typing) = &model.typing else { return Vec::new() };
    let (what, text) = (typing.what.clone(), typing.line.text().to_owned());
    let done = match what {
        What::Filter | What::Past | What::Jump { .. } => Ok(Vec::new()),
        What::Search => Pattern::read(&text).map(|pattern| logs::search(model, pattern)),
        What::Match => Pattern::read(&text).map(|pattern| logs::only(model, pattern)),
        What::Since => logs::since(model, &text),
        What::Find => Pattern::read(&text).map(|pattern| instance::search(model, pattern)),
    };
    match (done, &mut model.typing) {
        (Ok(commands), _) => {
            model.typing = None;
            commands
        }
        (Err(wrong), Some(typing)) => {
            typing.wrong = Some(wrong);
            Vec::new()
        }
        (Err(_), None) => Vec::new(),
    }
}
