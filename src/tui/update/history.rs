//! Keys of the history screen, and what is read for it.

use super::super::engine::Engine;
use super::super::history::{AGAIN, History};
use super::super::keymap::Action;
use super::super::message::Command;
use super::super::model::{Dialog, Model, Screen};
use super::super::replay::Replay;
use super::super::theme::Role;
use super::super::typing::What;
use super::{close, dialog, moved, open, say, typing};
use crate::domain::event::Outcome;
use crate::domain::ids::OpId;
use crate::domain::record::{Record, Standing};
use crate::engine::{Listed, Request};

/// Opens the list, as it was left, and reads it anew.
pub fn begin(model: &mut Model) -> Vec<Command> {
    if model.history.is_none() {
        model.history = Some(History::default());
    }
    open(model, Screen::History);
    settle(model);
    vec![Command::History]
}

/// Looks, after a while, whether other consoles have begun or ended something; only while the list is looked at.
pub fn look_again(model: &mut Model) -> Option<Command> {
    let (now, shown) = (model.now, model.screen == Screen::History);
    let history = model.history.as_mut().filter(|history| shown && now >= history.looked + AGAIN)?;
    let known = history.listed.as_ref()?.iter();
    let known = known.map(|one| (one.op.clone(), one.read.as_ref().ok().map(|summary| summary.running)));
    history.looked = now;
    Some(Command::HistoryIfChanged(known.collect()))
}

/// The list was read.
pub fn listed(model: &mut Model, listed: Result<Vec<Listed>, String>) {
    let Some(history) = &mut model.history else { return };
    history.looked = model.now;
    (history.listed, history.failed) = match listed {
        Ok(listed) => (Some(listed), None),
        Err(why) => (history.listed.take(), Some(why)),
    };
    settle(model);
}

/// Something has changed that may move rows.
pub fn settle(model: &mut Model) {
    if let Some(history) = &mut model.history {
        history.settle(&model.operations);
    }
}

/// Does what a key means here.
pub fn act(model: &mut Model, action: Action) -> Vec<Command> {
    let Some(history) = &mut model.history else {
        close(model);
        return Vec::new();
    };
    match action {
        Action::Back if !history.filter.is_empty() => {
            history.filter.clear();
            settle(model);
        }
        Action::Back => {
            model.history = None;
            close(model);
        }
        Action::Filter => {
            let before = history.filter.clone();
            typing::begin(model, What::Past, &before);
        }
        Action::Open => {
            if let Some(op) = history.cursor.clone() {
                return look_at(model, op, None);
            }
        }
        Action::Resume | Action::TakeBack => return go_on(model, action == Action::Resume),
        _ => {
            let page = usize::from(model.size.1.saturating_sub(10)).max(1);
            let len = history.rows(&model.operations).len();
            let place = moved(history.place, len, page, action);
            history.go_to(&model.operations, place);
        }
    }
    Vec::new()
}

/// Opens an operation: as it is when it runs here, else from its record. `play`: it is played at once, at so many hundredths
/// of its speed.
pub fn look_at(model: &mut Model, op: OpId, play: Option<u64>) -> Vec<Command> {
    if model.operations.iter().any(|own| own.id == op && own.is_running()) {
        open(model, Screen::Operation(op));
        return Vec::new();
    }
    let list = if model.history.is_none() { vec![Command::History] } else { Vec::new() };
    model.history.get_or_insert_default().opening = Some((op.clone(), play));
    std::iter::once(Command::Record(op)).chain(list).collect()
}

/// A record was read.
pub fn record(model: &mut Model, op: &OpId, record: Result<Box<(Record, bool)>, String>) {
    // One that is looked at already was read again; where that failed, what is known of it stays.
    if let Some(replay) = model.replay.as_mut().filter(|replay| replay.record.op == *op) {
        if let Ok(read) = record {
            replay.renew(read.0, read.1, model.now);
        }
        return;
    }
    let Some(history) = &mut model.history else { return };
    let Some((_, play)) = history.opening.take_if(|(meant, _)| meant == op) else { return };
    match record {
        Ok(read) => {
            let mut replay = Replay::new(read.0, read.1);
            if let Some(speed) = play {
                replay.set_speed(speed);
                replay.play(model.now);
            }
            model.replay = Some(replay);
            super::notices::see(model, op);
            open(model, Screen::Replay);
        }
        // One of this console's has more to say than that nothing is kept of it.
        Err(_) if model.operations.iter().any(|own| own.id == *op) => open(model, Screen::Operation(op.clone())),
        Err(message) => {
            model.dialog = Some(Dialog::Refused {
                title: "This record can't be read".to_owned(),
                message,
                hint: Some("no instance depends on it; what runs is shown in the fleet".to_owned()),
            });
        }
    }
}

/// Goes on with what was left half-done, or tries again what failed; or takes back what was left.
pub fn go_on(model: &mut Model, forward: bool) -> Vec<Command> {
    let Some(history) = &model.history else { return Vec::new() };
    let rows = history.rows(&model.operations);
    let Some(entry) = rows.iter().find(|entry| Some(entry.op) == history.cursor.as_ref()) else { return Vec::new() };
    let (op, options, open) = (entry.op.clone(), model.options.clone(), entry.open);
    // An engine that is not on screen says itself that it was not there.
    let own = model.operations.iter().find(|own| own.id == op).and_then(|own| own.engine);
    let read = entry.read.as_ref().ok();
    let was = |engine: &&Engine| {
        engine.fleet().zip(read).is_some_and(|(fleet, read)| read.is_on(&fleet.engine)) || own == Some(engine.id)
    };
    let engine = model.engines.iter().find(was).unwrap_or(model.here()).id;
    let Ok(one) = &entry.read else {
        say(model, "its record can't be read, so nobody knows what it was", Role::Warn);
        return Vec::new();
    };
    let (title, standing) = (one.title(), one.standing());
    if model.read_only {
        say(model, "this console is read-only", Role::Warn);
        return Vec::new();
    }
    let (request, what) = match (standing, forward) {
        (Standing::Running, _) => {
            say(model, "it still runs", Role::Dim);
            return Vec::new();
        }
        (_, true) if open => (Request::Resume { op, options }, format!("go on with the {title}")),
        (_, false) if open => (Request::Abort { op, options }, format!("take back the {title}")),
        (Standing::Ended(Outcome::Succeeded), _) | (_, false) => {
            say(model, "it has come to its end: there is nothing to go on with, and nothing half-done", Role::Dim);
            return Vec::new();
        }
        (_, true) => (Request::Retry { op, options }, format!("try the {title} again")),
    };
    dialog::plan(model, engine, request, what)
}

/// Only what fits those words is shown.
pub fn filter(model: &mut Model, words: String) {
    if let Some(history) = &mut model.history {
        history.filter = words;
    }
    settle(model);
}
