//! Keys of pages: help, an instance, logs, pitstop's own log.

use super::super::keymap::Action;
use super::super::message::Command;
use super::super::model::{Model, Screen};
use super::super::view;
use super::{close, moved};
use tui_logger::TuiWidgetEvent;

/// Does what a key means here.
pub fn act(model: &mut Model, action: Action) -> Vec<Command> {
    if action == Action::Back {
        let commands = if model.screen == Screen::Logs { vec![Command::EndLogs] } else { Vec::new() };
        close(model);
        return commands;
    }
    match model.screen {
        Screen::OwnLog => {
            let event = match action {
                Action::Up | Action::PageUp => TuiWidgetEvent::PrevPageKey,
                Action::Down | Action::PageDown => TuiWidgetEvent::NextPageKey,
                Action::Last => TuiWidgetEvent::EscapeKey,
                _ => return Vec::new(),
            };
            model.own_log.0.transition(event);
        }
        Screen::Logs => log(model, action),
        _ => {
            let room = view::page_room(model.size);
            let positions = view::page_length(model).saturating_sub(room) + 1;
            model.scroll = moved(model.scroll, positions, room, action);
        }
    }
    Vec::new()
}

fn log(model: &mut Model, action: Action) {
    let page = view::page_room(model.size).max(1);
    let Some(log) = &mut model.logs else { return };
    let furthest = log.lines.len().saturating_sub(1);
    match action {
        Action::Up => log.back += 1,
        Action::PageUp => log.back += page,
        Action::First => log.back = furthest,
        Action::Down => log.back = log.back.saturating_sub(1),
        Action::PageDown => log.back = log.back.saturating_sub(page),
        Action::Last => log.back = 0,
        Action::Follow => {
            log.follow = !log.follow;
            if log.follow {
                log.back = 0;
            }
            return;
        }
        Action::Wrap => {
            log.wrap = !log.wrap;
            return;
        }
        _ => return,
    }
    log.back = log.back.min(furthest);
    // Looking back holds the page still; at the end it follows again.
    log.follow = log.back == 0;
}
