//! A record on screen: the operation as it stood, and below it where in its time that is.

use super::super::model::Model;
use super::super::replay::{Replay, SPEEDS};
use super::super::text;
use super::super::theme::Role;
use super::pen::{Pen, Spans};
use super::{history, operation};
use crate::domain::duration::human;
use ratatui::layout::Rect;

/// Draws the record that is looked at.
pub fn draw(pen: &mut Pen<'_>, model: &Model, area: Rect) {
    let Some(replay) = &model.replay else { return };
    let bar = u16::from(area.height > 6);
    operation::draw(pen, model, Rect { height: area.height - bar, ..area });
    if bar > 0 {
        transport(pen, model, replay, Rect { y: area.bottom() - 1, height: 1, ..area });
    }
}

/// `▸ playing 2×  0.31 s / 1.21 s ━━━━━●──────  Nov 22 12:04 by anna@ops1`.
fn transport(pen: &mut Pen<'_>, model: &Model, replay: &Replay, area: Rect) {
    let g = pen.glyphs();
    let (symbol, word, role) = match () {
        () if replay.is_playing() => (g.cursor, "playing", Role::Busy),
        () if replay.follows() => (g.ready, "live", Role::Good),
        () if replay.at >= replay.length => (g.off, "the end", Role::Dim),
        () => (g.part, "held", Role::Warn),
    };
    let mut whose: Spans = Vec::new();
    if let Some(began) = replay.summary.began {
        whose.push((history::when(model, began), Role::Dim));
    }
    if !replay.summary.by.is_empty() {
        whose.push((format!(" by {}", replay.summary.by), Role::Dim));
    }
    if replay.record.damaged > 0 {
        whose.push((format!("  {} left out", text::count(replay.record.damaged, "line")), Role::Warn));
    }
    if replay.record.torn {
        whose.push(("  the last line was cut off".to_owned(), Role::Warn));
    }
    whose.push((" ".to_owned(), Role::Dim));
    let left = area.x + 1;
    // The record's own words give way to the bar.
    let end = pen.spans_right(left + area.width / 2, area.y, area.right(), &whose);
    let total = human(replay.length);
    let at = format!("{:>width$}", human(replay.at), width = text::width(&total));
    let head = [
        (format!("{symbol} {word:<7} "), role),
        (format!("{:<5} ", SPEEDS[replay.speed].0), Role::Key),
        (format!("{at} / {total} "), Role::Text),
    ];
    let x = pen.spans(left, area.y, end.saturating_sub(1), &head);
    let width = usize::from(end.saturating_sub(x + 1));
    if width < 5 {
        return;
    }
    let place = usize::try_from(replay.at.saturating_mul(width as u64 - 1) / replay.length.max(1)).unwrap_or(0);
    let unicode = !g.eighths[0].is_empty();
    let (on, off) = if unicode { ("━", "─") } else { ("=", "-") };
    let knob = (g.ready.to_owned(), Role::Title);
    let bar = [(on.repeat(place), Role::Gauge), knob, (off.repeat(width - 1 - place), Role::Rest)];
    pen.spans(x, area.y, end, &bar);
}
