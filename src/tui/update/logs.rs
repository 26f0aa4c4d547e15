//! Keys of the log screen, and the lines that come.

use super::super::keymap::Action;
use super::super::logs::LogView;
use super::super::message::Command;
use super::super::model::{Model, Screen};
use super::super::pattern::Pattern;
use super::super::rows::RowId;
use super::super::theme::Role;
use super::super::typing::What;
use super::super::view;
use super::{close, export, open, say, typing};
use crate::domain::duration;

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
    let (now, engines) = (model.now, &model.engines);
    let Some(log) = &mut model.logs else { return Vec::new() };
    let ticket = log.ticket;
    log.settle(engines, now).into_iter().map(|wanted| Command::Log { ticket, wanted }).collect()
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
        Action::Search => type_into(model, What::Search),
        Action::Match => type_into(model, What::Match),
        Action::Since => type_into(model, What::Since),
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

fn type_into(model: &mut Model, what: What) {
    let log = model.logs.as_ref();
    // A search begins anew, as in a pager; a filter is changed.
    let before = match what {
        What::Match => log.and_then(|log| log.filter.as_ref()),
        _ => None,
    };
    let before = before.map(|pattern| pattern.text.clone()).unwrap_or_default();
    typing::begin(model, what, &before);
}

/// Looks for that; `None`: for nothing any more.
pub fn search(model: &mut Model, pattern: Option<Pattern>) -> Vec<Command> {
    let room = view::page_room(model.size).max(1);
    if let Some(log) = &mut model.logs {
        (log.search, log.found) = (pattern, None);
        if log.search.is_some() && !log.find(false, room) {
            say(model, "not found", Role::Warn);
        }
    }
    Vec::new()
}

/// Shows only lines that match; `None`: all.
pub fn only(model: &mut Model, pattern: Option<Pattern>) -> Vec<Command> {
    if let Some(log) = &mut model.logs {
        log.set_filter(pattern);
    }
    Vec::new()
}

/// Reads again from so long ago on. The error is a sentence.
pub fn since(model: &mut Model, text: &str) -> Result<Vec<Command>, String> {
    if text.trim().is_empty() {
        return Ok(reopen(model, None));
    }
    let ago = duration::parse(text)?;
    let since = model.wall.checked_sub(ago).map_err(|_| "that goes back too far".to_owned())?;
    Ok(reopen(model, Some((ago, since))))
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
