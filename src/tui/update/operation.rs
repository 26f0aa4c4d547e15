//! Keys and events of operations.

use super::super::engine::EngineId;
use super::super::keymap::Action;
use super::super::message::Command;
use super::super::model::{Dialog, Model, Screen};
use super::super::operation::{OpView, View};
use super::super::theme::Role;
use super::{close, dialog, moved, open, say};
use crate::domain::event::{EventKind, OpEvent, Outcome, Urgency};
use crate::domain::ids::OpId;
use crate::domain::options::Options;
use crate::engine::Request;

/// An operation was started here: it takes the screen.
pub fn began(model: &mut Model, engine: EngineId, id: OpId) -> Vec<Command> {
    model.beginning = model.beginning.saturating_sub(1);
    let on = model.on(engine);
    let mut op = OpView::new(id.clone(), Some(engine), model.now);
    op.on = on;
    model.operations.push(op);
    super::history::settle(model);
    if model.together > 0 {
        model.together -= 1;
        say(model, format!("{} under way", super::super::text::count(model.running(), "operation")), Role::Busy);
    } else {
        model.dialog = None;
        open(model, Screen::Operation(id.clone()));
    }
    // The person wanted to leave before it had begun.
    if model.leaving { vec![Command::Cancel(id, Urgency::Finish)] } else { Vec::new() }
}

/// Takes in an event; leaves the console when it was waiting for this end.
pub fn event(model: &mut Model, event: &OpEvent) -> Vec<Command> {
    let now = model.now;
    let Some(op) = model.operations.iter_mut().find(|op| op.id == event.op) else { return Vec::new() };
    let ran = op.is_running();
    op.apply(event, now);
    let ended = ran && !op.is_running();
    let (id, title) = (op.id.clone(), op.title());
    let asked = matches!(&model.dialog, Some(Dialog::Gate(asked)) if *asked == id);
    match &event.kind {
        EventKind::GateReached { .. } if model.dialog.is_none() && model.screen == Screen::Operation(id.clone()) => {
            model.dialog = Some(Dialog::Gate(id.clone()));
        }
        // Somebody has said it, here or elsewhere.
        EventKind::Resumed { .. } | EventKind::CancelRequested { .. } | EventKind::Finished(_) if asked => {
            model.dialog = None;
        }
        _ => {}
    }
    if ended {
        super::marks::ended(model, event);
        super::history::settle(model);
        if matches!(&model.dialog, Some(Dialog::Abort(asked)) if *asked == id) {
            model.dialog = None;
        }
        let mut commands = ring(model, &id);
        if model.screen == Screen::Operation(id.clone()) {
            super::notices::see(model, &id);
        } else {
            let key = model.keys.key(model.place(), Action::Notices).unwrap_or("n").to_owned();
            say(model, format!("{title} has ended; {key} shows it"), Role::Key);
        }
        if model.running() == 0 {
            if matches!(model.dialog, Some(Dialog::Quit)) {
                model.dialog = None;
            }
            if model.leaving {
                return vec![Command::Quit];
            }
        }
        // What its record says now.
        commands.extend(model.history.is_some().then_some(Command::History));
        return commands;
    }
    Vec::new()
}

/// Tells of its end beyond the screen, if it took long enough for somebody to have gone elsewhere.
fn ring(model: &Model, id: &OpId) -> Vec<Command> {
    let Some(op) = model.operations.iter().find(|op| op.id == *id) else { return Vec::new() };
    let long = model.ring_after.is_some_and(|long| u128::from(op.elapsed(model.now)) >= long.as_millis());
    if long { vec![Command::Ring(format!("pitstop: {}", op.progress.summary()))] } else { Vec::new() }
}

/// Does what a key means here.
pub fn act(model: &mut Model, action: Action) -> Vec<Command> {
    let Some((id, running, waits)) =
        model.operation().map(|op| (op.id.clone(), op.is_running(), op.waiting().is_some()))
    else {
        close(model);
        return Vec::new();
    };
    match action {
        Action::Back if model.history.is_some() => return super::history::begin(model),
        Action::Back => close(model),
        Action::Pause if running && model.operation().is_some_and(|op| op.progress.gate.is_some()) => {
            model.dialog = Some(Dialog::Gate(id));
        }
        Action::Pause if running && !waits => return vec![Command::Pause(id)],
        Action::Go if running => return vec![Command::Go(id)],
        Action::Abort if running => model.dialog = Some(Dialog::Abort(id)),
        Action::Retry => return retry(model, id),
        Action::Pause | Action::Go | Action::Abort if !running => say(model, "it has ended", Role::Dim),
        Action::NextPane | Action::Open => {
            with(model, &id, |op| {
                op.view = if op.view == View::Instances { View::Steps } else { View::Instances };
                op.selected = 0;
            });
        }
        _ => {
            let page = usize::from(model.size.1 / 2).max(1);
            with(model, &id, |op| {
                op.selected = moved(op.selected, op.rows(), page, action);
                op.moved = true;
            });
        }
    }
    Vec::new()
}

/// Plans what an operation that has not succeeded was asked for once more.
fn retry(model: &mut Model, op: OpId) -> Vec<Command> {
    let Some(shown) = model.operation() else { return Vec::new() };
    let outcome = shown.progress.finished.as_ref().map(|finished| finished.outcome);
    let title = shown.title();
    match outcome {
        None => say(model, "it still runs", Role::Dim),
        Some(Outcome::Succeeded) => say(model, "it has succeeded: there is nothing to try again", Role::Dim),
        Some(_) if model.read_only => say(model, "this console is read-only", Role::Warn),
        Some(_) => {
            let request = Request::Retry { op, options: Options::default() };
            let engine = model.here().id;
            return dialog::plan(model, engine, request, format!("try the {title} again"));
        }
    }
    Vec::new()
}

fn with(model: &mut Model, id: &OpId, change: impl FnOnce(&mut OpView)) {
    if let Some(op) = model.operations.iter_mut().find(|op| op.id == *id) {
        change(op);
    }
}
