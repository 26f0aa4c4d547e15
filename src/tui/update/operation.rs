//! Keys and events of operations.

use super::super::keymap::Action;
use super::super::message::Command;
use super::super::model::{Dialog, Model, Screen};
use super::super::operation::{OpView, View};
use super::super::theme::Role;
use super::{close, moved, open, say};
use crate::domain::event::{OpEvent, Urgency};
use crate::domain::ids::OpId;

/// An operation was started here: it takes the screen.
pub fn began(model: &mut Model, id: OpId) -> Vec<Command> {
    model.beginning = model.beginning.saturating_sub(1);
    model.operations.push(OpView::new(id.clone(), model.now));
    model.dialog = None;
    model.list.marks.clear();
    open(model, Screen::Operation(id.clone()));
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
    if ended {
        if matches!(&model.dialog, Some(Dialog::Abort(asked)) if *asked == id) {
            model.dialog = None;
        }
        if model.screen != Screen::Operation(id) {
            let key = model.keys.key(model.place(), Action::Operations).unwrap_or("O").to_owned();
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
    }
    Vec::new()
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
        Action::Back => close(model),
        Action::Pause if running && !waits => return vec![Command::Pause(id)],
        Action::Go if running => return vec![Command::Go(id)],
        Action::Abort if running => model.dialog = Some(Dialog::Abort(id)),
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

fn with(model: &mut Model, id: &OpId, change: impl FnOnce(&mut OpView)) {
    if let Some(op) = model.operations.iter_mut().find(|op| op.id == *id) {
        change(op);
    }
}
