//! The same for several apps: a plan for each, one confirmation, an operation for each.
//!
//! As with one: what runs is what was shown, or it is shown again.

use super::super::engine::EngineId;
use super::super::input::Line;
use super::super::message::{Command, Refusal};
use super::super::model::{Bulk, Dialog, Item, Model};
use super::dialog;
use crate::domain::plan::Plan;
use crate::engine::Request;
use crossterm::event::{KeyCode, KeyEvent};

/// Asks for a plan: of the one engine that is meant, called `what`, or of each of several, which are one question.
pub fn plan_each(
    model: &mut Model,
    verb: &'static str,
    what: String,
    requests: Vec<(EngineId, Request)>,
) -> Vec<Command> {
    match <[_; 1]>::try_from(requests) {
        Ok([(engine, request)]) => dialog::plan(model, engine, request, what),
        Err(several) => plan(model, verb, several),
    }
}

/// Asks for a plan of each.
pub fn plan(model: &mut Model, verb: &'static str, requests: Vec<(EngineId, Request)>) -> Vec<Command> {
    let mut commands = Vec::new();
    let mut items = Vec::new();
    for (engine, request) in requests {
        model.ticket += 1;
        let (ticket, request) = (model.ticket, Box::new(request));
        commands.push(Command::Plan { ticket, engine, request: request.clone() });
        items.push(Item { engine, request, ticket, answer: None, shown: None });
    }
    let typed = Line::default();
    model.dialog = Some(Dialog::Bulk(Bulk { verb, items, typed, scroll: 0, checking: false, changed: false }));
    commands
}

/// A plan has come, or a refusal; once all have been checked, they run.
pub fn planned(model: &mut Model, ticket: u64, answer: Result<Plan, Refusal>) -> Vec<Command> {
    let Some(Dialog::Bulk(bulk)) = &mut model.dialog else { return Vec::new() };
    let Some(item) = bulk.items.iter_mut().find(|item| item.ticket == ticket) else { return Vec::new() };
    item.answer = Some(answer);
    if !bulk.checking || bulk.items.iter().any(|item| item.answer.is_none()) {
        return Vec::new();
    }
    bulk.checking = false;
    let same = |item: &Item| match (&item.answer, &item.shown) {
        (Some(Ok(now)), Some(Ok(shown))) => now == shown,
        // What was refused and still is runs as little as before.
        (Some(Err(_)), Some(Err(_))) => true,
        _ => false,
    };
    if !bulk.items.iter().all(same) {
        bulk.changed = true;
        bulk.typed = Line::default();
        return Vec::new();
    }
    let Some(Dialog::Bulk(bulk)) = model.dialog.take() else { return Vec::new() };
    let mut commands = Vec::new();
    for item in bulk.items {
        if let Some(Ok(plan)) = item.answer.filter(|answer| answer.as_ref().is_ok_and(|plan| !plan.is_empty())) {
            model.beginning += 1;
            model.together += 1;
            commands.push(Command::Run { engine: item.engine, plan: Box::new(plan), request: item.request });
        }
    }
    commands
}

/// Keys while the plans are shown.
pub fn press(model: &mut Model, key: KeyEvent) -> Vec<Command> {
    let mut ticket = model.ticket;
    let Some(Dialog::Bulk(bulk)) = &mut model.dialog else { return Vec::new() };
    match key.code {
        _ if bulk.checking => {}
        KeyCode::Up => bulk.scroll = bulk.scroll.saturating_sub(1),
        KeyCode::Down => bulk.scroll = (bulk.scroll + 1).min(bulk.items.len() * 3),
        KeyCode::Enter if bulk.items.iter().any(|item| item.answer.is_none()) => {}
        KeyCode::Enter if bulk.instances() == 0 => model.dialog = None,
        KeyCode::Enter if bulk.typed.text().trim() == bulk.instances().to_string() => {
            bulk.checking = true;
            let mut commands = Vec::new();
            for item in &mut bulk.items {
                ticket += 1;
                item.ticket = ticket;
                item.shown = item.answer.take();
                commands.push(Command::Plan { ticket, engine: item.engine, request: item.request.clone() });
            }
            model.ticket = ticket;
            return commands;
        }
        KeyCode::Enter => {}
        _ => drop(bulk.typed.press(key)),
    }
    Vec::new()
}
