//! Notices: the badge in the title, and the list of operations that have ended.

use super::super::keymap::Action;
use super::super::model::Model;
use super::super::notices;
use super::super::operation::OpView;
use super::super::text;
use super::super::theme::Role;
use super::pen::Pen;
use super::table::{self, Cells, Column, Style};
use super::{message, strip};
use crate::domain::duration::human;
use ratatui::layout::Rect;

const COLUMNS: [Column; 6] = [
    Column::new("  ENDED", 10, 10, 0),
    Column::new("OPERATION", 12, 40, 0),
    Column::new("OUTCOME", 13, 22, 0),
    Column::figures("TOOK", 7, 1),
    Column::new("", 4, 6, 2),
    Column::new("SAID", 12, 120, 3),
];

/// What the title tells, if anything: `✗ deploy shop/web failed (n)`.
pub fn badge(pen: &Pen<'_>, model: &Model) -> Option<(String, Role)> {
    let told = notices::told(model);
    let (text, role) = match told.as_slice() {
        [] => return None,
        [one] => {
            let (outcome, role) = strip::outcome(pen, one);
            let (symbol, word) = outcome.split_once(' ').unwrap_or(("", &outcome));
            (format!("{symbol} {} {word}", one.title()), role)
        }
        many if many.iter().any(|op| op.can_retry()) => {
            (format!("{} {} ended badly", pen.glyphs().bad, text::count(many.len(), "operation")), Role::Bad)
        }
        many => (format!("{} {} succeeded", pen.glyphs().good, text::count(many.len(), "operation")), Role::Good),
    };
    let key = model.keys.key(super::super::keymap::Place::Fleet, Action::Notices);
    Some((key.map_or(text.clone(), |key| format!("{text} ({key})")), role))
}

/// Draws the list.
pub fn draw(pen: &mut Pen<'_>, model: &Model, area: Rect) {
    let all = notices::all(model);
    let unseen = all.iter().filter(|op| !op.seen).count();
    let mut title = vec![("Notices".to_owned(), Role::Title)];
    title.push((format!(" {} {unseen} not seen yet", pen.glyphs().sep), Role::Dim));
    let inside = pen.frame(area, &title, Role::Focus);
    if all.is_empty() {
        let said = "No operation of this console has ended yet".to_owned();
        return message::centred(pen, inside, &[vec![(said, Role::Dim)]]);
    }
    let row = model.notice_row.min(all.len() - 1);
    let make = |pen: &Pen<'_>, at: usize| cells(pen, model, all[at], at == row);
    let style = Style { selected: Some(row), focused: true, ..Style::default() };
    table::draw(pen, inside, &COLUMNS, all.len(), &make, style);
}

fn cells(pen: &Pen<'_>, model: &Model, op: &OpView, here: bool) -> Cells {
    let ago = op.ended().map_or(0, |ended| model.now.saturating_sub(ended).as_secs());
    let ago = if ago < 60 { "just now".to_owned() } else { format!("{} min", ago / 60) };
    let cursor = if here { pen.glyphs().cursor } else { " " };
    let finished = op.progress.finished.as_ref();
    let said = finished.and_then(|finished| finished.error.clone().or_else(|| finished.state.first().cloned()));
    let unseen = if op.seen { Vec::new() } else { vec![("new".to_owned(), Role::Mark)] };
    vec![
        vec![(format!("{cursor} "), Role::Key), (ago, Role::Dim)],
        vec![(op.title(), Role::Text)],
        vec![strip::outcome(pen, op)],
        vec![(human(op.elapsed(model.now)), Role::Text)],
        unseen,
        vec![(said.unwrap_or_default(), Role::Dim)],
    ]
}
