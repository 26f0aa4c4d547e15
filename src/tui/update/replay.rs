//! Keys of a record that is looked at.

use super::super::keymap::Action;
use super::super::message::Command;
use super::super::model::{Model, Screen};
use super::super::operation::View;
use super::super::replay::AGAIN;
use super::{close, history, moved, open};

/// Reads a record that is still being written again, after a while.
pub fn look_again(model: &mut Model) -> Option<Command> {
    let now = model.now;
    let replay = model.replay.as_mut().filter(|replay| replay.summary.running && now >= replay.read + AGAIN)?;
    replay.read = now;
    Some(Command::Record(replay.record.op.clone()))
}

/// Does what a key means here.
pub fn act(model: &mut Model, action: Action) -> Vec<Command> {
    let (now, page) = (model.now, usize::from(model.size.1 / 2).max(1));
    let Some(replay) = &mut model.replay else {
        close(model);
        return Vec::new();
    };
    match action {
        Action::Back => {
            model.replay = None;
            if model.history.is_some() {
                open(model, Screen::History);
            } else {
                close(model);
            }
        }
        Action::Play => replay.play(now),
        Action::Faster | Action::Slower => replay.change_speed(action == Action::Faster, now),
        Action::SeekOn | Action::SeekBack => replay.step(action == Action::SeekOn, now),
        Action::SeekStart => replay.seek(0, now),
        Action::SeekEnd => replay.seek(replay.length, now),
        Action::Resume | Action::TakeBack => return history::go_on(model, action == Action::Resume),
        Action::NextPane | Action::Open => {
            let shown = &mut replay.shown;
            shown.view = if shown.view == View::Instances { View::Steps } else { View::Instances };
            shown.selected = 0;
        }
        _ => {
            let shown = &mut replay.shown;
            shown.selected = moved(shown.selected, shown.rows(), page, action);
            shown.moved = true;
        }
    }
    Vec::new()
}
