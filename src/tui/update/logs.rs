//! Keys of the log screen, and the lines that come.

use super::super::input::Line;
use super::super::keymap::Action;
use super::super::logs::{LogView, Typing};
use super::super::message::Command;
use super::super::model::{Model, Screen};
use super::super::pattern::Pattern;
use super::super::rows::RowId;
use super::super::theme::Role;
use super::super::view;
use super::{close, export, open, say};
use crate::domain::duration;
use crossterm::event::{KeyCode, KeyEvent};

/// Cells that one step to the side goes.
const STEP: usize = 20;

/// Opens the log of these rows.
pub fn begin(model: &mut Model, title: String, targets: Vec<RowId>) -> Vec<Command> {
    model.ticket += 1;
    let old = model.logs.take().unwrap_or_default();
    let mut log = LogView::new(title, targets, model.ticket);
    (log.wrap, log.times) = (old.wrap, old.times);
    model.logs = Some(log);
    open(model, Screen::Logs);
    let mut commands = vec![Command::EndLogs];
    commands.extend(settle(model));
    commands
}

/// Reads what is to be read and is not: what has replaced a container, what was started again.
pub fn settle(model: &mut Model) -> Vec<Command> {
    let (now, fleet) = (model.now, model.state.fleet());
    let (Some(log), Some(fleet)) = (&mut model.logs, fleet) else { return Vec::new() };
    let ticket = log.ticket;
    log.settle(fleet, now).into_iter().map(|wanted| Command::Log { ticket, wanted }).collect()
}

/// Does what a key means here.
pub fn act(model: &mut Model, action: Action) -> Vec<Command> {
    let room = view::page_room(model.size).max(1);
    let page = isize::try_from(room).unwrap_or(1);
    let Some(log) = &mut model.logs else {
        close(model);
        return Vec::new();
    };
    match action {
        Action::Back if log.search.is_some() => (log.search, log.found) = (None, None),
        Action::Back if log.filter.is_some() => log.set_filter(None),
        Action::Back => {
            model.logs = None;
            close(model);
            return vec![Command::EndLogs];
        }
        Action::Up => log.scroll(-1, room),
        Action::Down => log.scroll(1, room),
        Action::PageUp => log.scroll(-page, room),
        Action::PageDown => log.scroll(page, room),
        Action::First => log.to_first(room),
        Action::Last => log.follow(),
        Action::Follow if log.held.is_some() => log.follow(),
        Action::Follow => log.hold(),
        Action::Wrap => (log.wrap, log.column) = (!log.wrap, 0),
        Action::Times => log.times = !log.times,
        Action::ScrollLeft => log.column = log.column.saturating_sub(STEP),
        Action::ScrollRight if !log.wrap => log.column = (log.column + STEP).min(4000),
        Action::Search => type_into(log, Typing::Search),
        Action::Match => type_into(log, Typing::Filter),
        Action::Since => type_into(log, Typing::Since),
        Action::NextHit | Action::PreviousHit => {
            if log.search.is_none() {
                say(model, "nothing is searched for yet: / searches", Role::Dim);
            } else if !log.find(action == Action::NextHit, room) {
                let way = if action == Action::NextHit { "below" } else { "above" };
                say(model, format!("not found {way}"), Role::Warn);
            }
        }
        Action::Save => {
            let (name, text) = (format!("pitstop-log-{}", log.title.replace(['/', ' ', ','], "-")), log.text());
            return vec![Command::Save { path: export::stamped(model, &name, "log"), text }];
        }
        _ => {}
    }
    Vec::new()
}

fn type_into(log: &mut LogView, what: Typing) {
    let before = match what {
        Typing::Search => log.search.as_ref().map(|pattern| pattern.text.clone()),
        Typing::Filter => log.filter.as_ref().map(|pattern| pattern.text.clone()),
        Typing::Since => None,
    };
    log.typing = Some((what, Line::new(&before.unwrap_or_default()), None));
}

/// Keys while a line is typed: Enter takes it, Esc forgets it.
pub fn type_key(model: &mut Model, key: KeyEvent) -> Vec<Command> {
    let room = view::page_room(model.size).max(1);
    let wall = model.wall;
    let Some(log) = &mut model.logs else { return Vec::new() };
    let Some((what, line, wrong)) = &mut log.typing else { return Vec::new() };
    match key.code {
        KeyCode::Esc => log.typing = None,
        KeyCode::Enter => {
            let (what, text) = (*what, line.text().to_owned());
            let read = match what {
                Typing::Search | Typing::Filter => Pattern::read(&text).map(|pattern| {
                    if what == Typing::Filter {
                        log.set_filter(pattern);
                    } else {
                        (log.search, log.found) = (pattern, None);
                    }
                    None
                }),
                Typing::Since if text.trim().is_empty() => Ok(Some(None)),
                Typing::Since => duration::parse(&text).and_then(|ago| {
                    let since = wall.checked_sub(ago).map_err(|_| "that goes back too far".to_owned())?;
                    Ok(Some(Some((ago, since))))
                }),
            };
            match read {
                Err(what) => {
                    if let Some((_, _, wrong)) = &mut log.typing {
                        *wrong = Some(what);
                    }
                }
                Ok(again) => {
                    log.typing = None;
                    if let Some(since) = again {
                        return reopen(model, since);
                    }
                    if what == Typing::Search && log.search.is_some() && !log.find(false, room) {
                        say(model, "not found", Role::Warn);
                    }
                }
            }
        }
        _ => {
            *wrong = None;
            line.press(key);
        }
    }
    Vec::new()
}

/// Reads it anew from another time on.
pub fn reopen(model: &mut Model, since: Option<(std::time::Duration, jiff::Timestamp)>) -> Vec<Command> {
    let Some(old) = model.logs.take() else { return Vec::new() };
    model.ticket += 1;
    let mut log = LogView::new(old.title, old.targets, model.ticket);
    (log.wrap, log.times, log.filter, log.search, log.since) = (old.wrap, old.times, old.filter, old.search, since);
    model.logs = Some(log);
    let mut commands = vec![Command::EndLogs];
    commands.extend(settle(model));
    commands
}
