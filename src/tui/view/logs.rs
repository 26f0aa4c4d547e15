//! The log screen: whose lines, when, in their own colours; what was found turned round.

use super::super::engine::Engine;
use super::super::logs::{Entry, LogView};
use super::super::model::{Look, Model};
use super::super::text;
use super::super::theme::Role;
use super::pen::{Pen, Spans};
use crate::domain::painted::{Paint, Painted, Tint};
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use std::ops::Range;
use unicode_width::UnicodeWidthChar;

/// Names of instances take turns with these.
const NAMES: [Role; 6] = [Role::Fetch, Role::Start, Role::Drain, Role::Make, Role::Ready, Role::Undo];

/// Draws the log.
pub fn draw(pen: &mut Pen<'_>, model: &Model, area: Rect) {
    let Some(log) = &model.logs else { return };
    let inside = pen.frame(area, &title(pen, model, log), Role::Rule);
    if inside.height == 0 || inside.width < 4 {
        return;
    }
    let left = Left::of(model, log);
    let room = usize::from(inside.width).saturating_sub(2 + left.width).max(1);
    // From the last line upwards, until the page is full.
    let mut rows: Vec<(u64, &Entry, Range<usize>, bool)> = Vec::new();
    let height = usize::from(inside.height);
    for (number, entry) in log.upwards() {
        let pieces = if log.wrap { pieces(&entry.text, room) } else { vec![window(&entry.text, log.column, room)] };
        rows.extend(pieces.into_iter().enumerate().rev().map(|(i, piece)| (number, entry, piece, i == 0)));
        if rows.len() >= height {
            break;
        }
    }
    rows.truncate(height);
    for (y, (number, entry, piece, first)) in (inside.y..).zip(rows.iter().rev()) {
        if log.found == Some(*number) {
            pen.tint(Rect { x: inside.x, y, width: inside.width, height: 1 }, Role::Selected);
        }
        let x = if *first { left.draw(pen, model, log, entry, inside, y) } else { inside.x + 1 + cells(left.width) };
        line(pen, log, entry, piece, (x, y, inside.right()));
        if !log.wrap && piece.end < entry.text.len() {
            pen.put(inside.right() - 1, y, inside.right(), pen.glyphs().dots, Role::Dim);
        }
    }
    if log.lines.is_empty() {
        let said = if log.sources.is_empty() { "there is no container to read from" } else { "nothing written yet" };
        pen.put(inside.x + 1, inside.y, inside.right(), said, Role::Dim);
    } else if rows.is_empty() {
        pen.put(inside.x + 1, inside.y, inside.right(), "no line passes the filter", Role::Dim);
    }
}

fn title(pen: &Pen<'_>, model: &Model, log: &LogView) -> Spans {
    let sep = (format!(" {} ", pen.glyphs().sep), Role::Rule);
    let mut title = vec![(format!("log of {}", log.title), Role::Title), sep.clone()];
    let reads = log.sources.iter().filter(|source| !source.ended).count();
    let away = log.sources.iter().any(|source| model.engines.get(source.engine).is_some_and(Engine::is_stale));
    title.push(match log.held {
        None if reads == 0 && away => (format!("{} waits for the engine", pen.glyphs().part), Role::Warn),
        None if reads == 0 && !log.sources.is_empty() => (format!("{} ended", pen.glyphs().off), Role::Warn),
        None => (format!("{} following", pen.glyphs().ready), Role::Good),
        Some(_) => {
            let missed = if log.missed > 0 { format!(", {} not kept", log.missed) } else { String::new() };
            (format!("{} held, {} below{missed}", pen.glyphs().part, text::count(log.below(), "line")), Role::Warn)
        }
    });
    if log.is_mixed() {
        let mut names: Vec<&str> = log.sources.iter().map(|source| source.name.0.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        title.extend([sep.clone(), (text::count(names.len(), "instance"), Role::Dim)]);
    }
    if let Some((ago, _)) = log.since {
        let ago = crate::domain::duration::human(crate::domain::duration::millis(ago));
        title.extend([sep.clone(), (format!("since {ago}"), Role::Dim)]);
    }
    if log.wrap {
        title.extend([sep.clone(), ("wrapped".to_owned(), Role::Dim)]);
    }
    if let Some(filter) = &log.filter {
        title.extend([sep.clone(), (format!("only {}", filter.text), Role::Mark)]);
        title.push((format!(" {} of {}", log.passing(), log.lines.len()), Role::Dim));
    }
    if let Some(search) = &log.search {
        title.extend([sep, (format!("/{}", search.text), Role::Mark)]);
    }
    title
}

/// What stands left of the text: time, instance, which stream.
struct Left {
    width: usize,
    name: usize,
    times: bool,
}

impl Left {
    fn of(model: &Model, log: &LogView) -> Self {
        // A screen that is too narrow for all keeps the text.
        let times = log.times && model.size.0 >= 60;
        let longest = log.sources.iter().map(|source| text::width(source.name.short())).max().unwrap_or(0);
        let name = if log.is_mixed() { longest.min(usize::from(model.size.0) / 4) } else { 0 };
        let width = if times { 13 } else { 0 } + if name > 0 { name + 1 } else { 0 } + 2;
        Self { width, name, times }
    }

    fn draw(&self, pen: &mut Pen<'_>, model: &Model, log: &LogView, entry: &Entry, area: Rect, y: u16) -> u16 {
        let mut x = area.x + 1;
        let end = area.right();
        if self.times {
            let at = entry
                .at
                .map_or_else(String::new, |at| at.to_zoned(model.zone.clone()).strftime("%H:%M:%S%.3f").to_string());
            pen.put(x, y, end, &at, Role::Dim);
            x += 13;
        }
        let source = log.sources.get(entry.source);
        if self.name > 0 {
            let name = source.map_or("", |source| source.name.short());
            let place = log.sources.iter().position(|one| Some(&one.name) == source.map(|source| &source.name));
            let role = NAMES[place.unwrap_or(0) % NAMES.len()];
            pen.put(x, y, end, &text::head(name, self.name, pen.glyphs().dots), role);
            x += cells(self.name + 1);
        }
        // Which stream, for the eye; what goes to standard error is not always an error.
        let frame = pen.glyphs().frame[5];
        let (bar, role) = match entry {
            Entry { note: true, .. } => (pen.glyphs().line, Role::Key),
            Entry { stderr: true, .. } => (frame, Role::Warn),
            _ => (frame, Role::Rule),
        };
        pen.put(x, y, end, bar, role);
        x + 2
    }
}

fn line(pen: &mut Pen<'_>, log: &LogView, entry: &Entry, piece: &Range<usize>, (mut x, y, end): (u16, u16, u16)) {
    if entry.note {
        pen.put(x, y, end, &entry.text[piece.clone()], Role::Key);
        return;
    }
    let hits = log.search.as_ref().map_or_else(Vec::new, |search| search.places(&entry.text));
    for (from, to, paint) in Painted::runs(&entry.text, &entry.paints) {
        let style = style(pen.look, paint);
        let mut at = from.max(piece.start);
        let to = to.min(piece.end);
        while at < to {
            let inside = hits.iter().find(|hit| hit.start <= at && at < hit.end);
            let next = inside.map_or_else(
                || hits.iter().map(|hit| hit.start).find(|start| *start > at).unwrap_or(to),
                |hit| hit.end,
            );
            let stop = next.min(to);
            let style = if inside.is_some() { style.add_modifier(Modifier::REVERSED | Modifier::BOLD) } else { style };
            x = pen.styled(x, y, end, &entry.text[at..stop], style);
            at = stop;
        }
    }
}

/// A program's own colours, as far as this terminal shows any.
pub fn style(look: &Look, paint: Paint) -> Style {
    let mut style = look.style(Role::Text);
    let modifiers = [
        (paint.bold, Modifier::BOLD),
        (paint.dim, Modifier::DIM),
        (paint.italic, Modifier::ITALIC),
        (paint.underline, Modifier::UNDERLINED),
        (paint.reverse, Modifier::REVERSED),
    ];
    for (on, modifier) in modifiers {
        if on {
            style = style.add_modifier(modifier);
        }
    }
    if look.theme.colourful {
        if let Some(fg) = paint.fg {
            style.fg = Some(colour(look, fg));
        }
        if let Some(bg) = paint.bg {
            style.bg = Some(colour(look, bg));
        }
    }
    style
}

fn colour(look: &Look, tint: Tint) -> Color {
    match tint {
        Tint::Indexed(index) => look.theme.depth.indexed(index),
        Tint::Rgb(r, g, b) => look.theme.depth.rgb(r, g, b),
    }
}

/// The part of a line that is in view.
fn window(line: &str, column: usize, room: usize) -> Range<usize> {
    let (mut cell, mut start) = (0, None);
    for (at, c) in line.char_indices() {
        if start.is_none() && cell >= column {
            start = Some(at);
        }
        cell += c.width().unwrap_or(0);
        if cell > column + room {
            return start.unwrap_or(at)..at;
        }
    }
    start.unwrap_or(line.len())..line.len()
}

/// A line in pieces of so many cells; never none.
fn pieces(line: &str, room: usize) -> Vec<Range<usize>> {
    let (mut out, mut start, mut cell) = (Vec::new(), 0, 0);
    for (at, c) in line.char_indices() {
        let width = c.width().unwrap_or(0);
        if cell + width > room && at > start {
            out.push(start..at);
            (start, cell) = (at, 0);
        }
        cell += width;
    }
    out.push(start..line.len());
    out
}

fn cells(n: usize) -> u16 {
    u16::try_from(n).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_at_characters() {
        assert_eq!(pieces("abcdef", 4), [0..4, 4..6]);
        assert_eq!(pieces("日本語", 4), [0..6, 6..9]);
        assert_eq!((pieces("", 4).len(), pieces("日", 1).len()), (1, 1));
        assert_eq!([window("abcdef", 0, 4), window("abcdef", 4, 4), window("ab", 4, 4)], [0..4, 4..6, 2..2]);
    }
}
