//! Keys of an instance's page, and what the engine says of its containers while it is open.

use super::super::instance::{AGAIN, InstancePage, Seen};
use super::super::keymap::Action;
use super::super::message::Command;
use super::super::model::{Model, Screen};
use super::super::pattern::Pattern;
use super::super::rows::{AppKey, RowId};
use super::super::theme::Role;
use super::super::typing::What;
use super::super::view;
use super::{close, fleet, moved, open, say, typing};
use crate::domain::fleet::Container;
use crate::domain::ids::InstanceName;
use std::sync::Arc;

/// Opens the page and asks the engine.
pub fn begin(model: &mut Model, key: AppKey, name: InstanceName) -> Vec<Command> {
    open(model, Screen::Instance(key, name));
    model.ticket += 1;
    model.page = Some(InstancePage::new(model.ticket));
    look(model)
}

/// Asks the engine of the containers as they are now.
pub fn look(model: &mut Model) -> Vec<Command> {
    let here = model.here();
    if !here.is_live() {
        return Vec::new();
    }
    let engine = here.id;
    let Some((_, instance)) = view::instance_shown(model) else { return Vec::new() };
    let id = |container: &Option<Arc<Container>>| container.as_ref().map(|one| one.id.clone());
    let (app, sandbox, now) = (id(&instance.app), id(&instance.sandbox), model.now);
    let Some(page) = &mut model.page else { return Vec::new() };
    page.asked = now;
    vec![Command::Inspect { ticket: page.ticket, engine, app, sandbox }]
}

/// Asks again after a while: a probe is no event.
pub fn look_again(model: &mut Model) -> Vec<Command> {
    let due = model.page.as_ref().is_some_and(|page| model.now >= page.asked + AGAIN);
    if due { look(model) } else { Vec::new() }
}

/// The engine has answered.
pub fn inspected(model: &mut Model, ticket: u64, seen: Seen) {
    if let Some(page) = model.page.as_mut().filter(|page| page.ticket == ticket) {
        page.seen = seen;
        settle(model);
    }
}

/// The cursor stays within the page.
fn settle(model: &mut Model) {
    let last = view::instance_rows(model).len().saturating_sub(1);
    if let Some(page) = &mut model.page {
        page.cursor = page.cursor.min(last);
    }
}

/// Does what a key means here.
pub fn act(model: &mut Model, action: Action) -> Vec<Command> {
    let rows = view::instance_rows(model);
    let room = view::page_room(model.size).max(1);
    let Some(page) = &mut model.page else {
        close(model);
        return Vec::new();
    };
    match action {
        Action::Back if page.search.is_some() => page.search = None,
        Action::Back if page.json => (page.json, page.cursor) = (false, 0),
        Action::Back => close(model),
        Action::Json => (page.json, page.cursor) = (!page.json, 0),
        Action::RevealAll => page.reveal_all(),
        Action::Reveal => match rows.get(page.cursor).and_then(|row| row.variable.as_deref()) {
            Some(variable) => page.reveal(variable),
            None => say(model, "no variable here: move to one, or show all", Role::Dim),
        },
        Action::Search => {
            let before = page.search.as_ref().map(|search| search.text.clone()).unwrap_or_default();
            typing::begin(model, What::Find, &before);
        }
        Action::NextHit | Action::PreviousHit => return find(model, action == Action::NextHit),
        Action::Logs => {
            let Screen::Instance(key, name) = model.screen.clone() else { return Vec::new() };
            return super::logs::begin(model, name.0.clone(), vec![RowId::Instance(key, name)]);
        }
        Action::Shell => return fleet::act(model, action),
        _ => {
            page.cursor = moved(page.cursor, rows.len(), room, action);
            return Vec::new();
        }
    }
    settle(model);
    Vec::new()
}

/// To the next line found, or the one before; past the end it begins anew.
fn find(model: &mut Model, forward: bool) -> Vec<Command> {
    let rows = view::instance_rows(model);
    let Some(page) = &mut model.page else { return Vec::new() };
    let Some(search) = &page.search else {
        say(model, "nothing is searched for yet: / searches", Role::Dim);
        return Vec::new();
    };
    let len = rows.len();
    let at = |step: usize| (page.cursor + if forward { step } else { len * 2 - step }) % len;
    match (1..=len).map(at).find(|at| search.wants(&rows[*at].text())) {
        Some(found) => page.cursor = found,
        None => say(model, "not found", Role::Warn),
    }
    Vec::new()
}

/// Looks for that; `None`: for nothing any more.
pub fn search(model: &mut Model, pattern: Option<Pattern>) -> Vec<Command> {
    let rows = view::instance_rows(model);
    let Some(page) = &mut model.page else { return Vec::new() };
    let here = rows.get(page.cursor).map(view::InstanceRow::text);
    let found = |search: &Pattern| here.as_ref().is_some_and(|text| search.wants(text));
    page.search = pattern;
    if page.search.as_ref().is_some_and(|search| !found(search)) {
        return find(model, true);
    }
    Vec::new()
}
