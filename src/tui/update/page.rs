//! Keys of pages: help, pitstop's own log.

use super::super::keymap::Action;
use super::super::message::Command;
use super::super::model::{Model, Screen};
use super::super::view;
use super::{close, moved};
use tui_logger::TuiWidgetEvent;

/// Does what a key means here.
pub fn act(model: &mut Model, action: Action) -> Vec<Command> {
    if action == Action::Back {
        close(model);
        return Vec::new();
    }
    if model.screen == Screen::OwnLog {
        let event = match action {
            Action::Up | Action::PageUp => TuiWidgetEvent::PrevPageKey,
            Action::Down | Action::PageDown => TuiWidgetEvent::NextPageKey,
            Action::Last => TuiWidgetEvent::EscapeKey,
            _ => return Vec::new(),
        };
        model.own_log.0.transition(event);
        return Vec::new();
    }
    let room = view::page_room(model.size);
    let positions = view::page_length(model).saturating_sub(room) + 1;
    model.scroll = moved(model.scroll, positions, room, action);
    Vec::new()
}
