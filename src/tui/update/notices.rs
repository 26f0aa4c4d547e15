//! Keys of the list of notices.

use super::super::keymap::Action;
use super::super::message::Command;
use super::super::model::{Model, Screen};
use super::super::notices;
use super::super::operation::OpView;
use super::{close, moved, open};
use crate::domain::ids::OpId;

/// Opens the list.
pub fn begin(model: &mut Model) {
    model.notice_row = 0;
    open(model, Screen::Notices);
}

/// Does what a key means here.
pub fn act(model: &mut Model, action: Action) -> Vec<Command> {
    let ids: Vec<OpId> = notices::all(model).iter().map(|op| op.id.clone()).collect();
    let here = ids.get(model.notice_row).cloned();
    match (action, here) {
        (Action::Back, _) => {
            // What went well has been read by now.
            model.operations.iter_mut().filter(|op| op.ended().is_some() && !op.can_retry()).for_each(saw);
            close(model);
        }
        (Action::Open, Some(op)) => open(model, Screen::Operation(op)),
        (Action::Acknowledge, Some(op)) => {
            see(model, &op);
            model.notice_row = moved(model.notice_row, ids.len(), 1, Action::Down);
        }
        (Action::AcknowledgeAll, _) => ids.iter().for_each(|op| see(model, op)),
        _ => {
            let page = usize::from(model.size.1.saturating_sub(5)).max(1);
            model.notice_row = moved(model.notice_row, ids.len(), page, action);
        }
    }
    Vec::new()
}

/// The end of that operation was seen, if it has ended.
pub fn see(model: &mut Model, id: &OpId) {
    model.operations.iter_mut().filter(|op| op.id == *id && op.ended().is_some()).for_each(saw);
}

fn saw(op: &mut OpView) {
    op.seen = true;
}
