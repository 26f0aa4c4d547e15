//! The history screen: operations in rows, and below them what is known of the one under the cursor.

use super::super::history::{Entry, History, outcome};
use super::super::keymap::Action;
use super::super::model::Model;
use super::super::text;
use super::super::theme::Role;
use super::pen::{Pen, Spans};
use super::table::{self, Cells, Column, Style};
use crate::domain::duration::human;
use crate::domain::event::Outcome;
use crate::domain::record::{Standing, Summary};
use jiff::Timestamp;
use ratatui::layout::Rect;

const COLUMNS: [Column; 9] = [
    Column::new("  WHEN", 14, 14, 0),
    Column::new("APP", 8, 28, 0),
    Column::new("OPERATION", 8, 12, 0),
    Column::new("OUTCOME", 13, 16, 0),
    Column::figures("TOOK", 7, 1),
    Column::new("IDENTITIES", 10, 32, 4),
    Column::new("BY", 6, 24, 2),
    Column::new("CHANGE", 16, 60, 3),
    Column::new("ID", 6, 6, 5),
];

/// Lines about the operation under the cursor, with their divider.
const DETAIL: u16 = 5;

/// Draws the history.
pub fn draw(pen: &mut Pen<'_>, model: &Model, area: Rect) {
    let Some(history) = &model.history else { return };
    let rows = history.rows(&model.operations);
    let inside = pen.frame(area, &title(pen, model, history, &rows), Role::Focus);
    if inside.height == 0 {
        return;
    }
    if rows.is_empty() {
        return nothing(pen, model, history, inside);
    }
    let detail = if inside.height > DETAIL + 6 { DETAIL } else { 0 };
    let list = Rect { height: inside.height - detail, ..inside };
    let make = |pen: &Pen<'_>, row: usize| cells(pen, model, &rows[row], row == history.place);
    let style = Style { selected: Some(history.place), focused: true, ..Style::default() };
    table::draw(pen, list, &COLUMNS, rows.len(), &make, style);
    if let (Some(entry), true) = (rows.get(history.place), detail > 0) {
        let title = [(entry.op.to_string(), Role::Title)];
        pen.divider(area, list.bottom(), &title, Role::Rule);
        let width = usize::from(inside.width.saturating_sub(2));
        for (i, line) in about(pen, model, entry, width).into_iter().take(usize::from(detail - 1)).enumerate() {
            pen.spans(inside.x + 1, list.bottom() + 1 + u16::try_from(i).unwrap_or(0), inside.right(), &line);
        }
    }
}

fn title(pen: &Pen<'_>, model: &Model, history: &History, rows: &[Entry<'_>]) -> Spans {
    let sep = || (format!(" {} ", pen.glyphs().sep), Role::Rule);
    let all = history.all(&model.operations);
    let mut title = vec![("History".to_owned(), Role::Title), sep()];
    title.push((text::count(all.len(), "operation"), Role::Text));
    if !history.filter.is_empty() {
        title.extend([sep(), (format!("{} fit {}", rows.len(), history.filter), Role::Mark)]);
    }
    let open = all.iter().filter(|entry| entry.open).count();
    if open > 0 {
        title.extend([sep(), (format!("{open} left half-done"), Role::Warn)]);
    }
    let unread = all.iter().filter(|entry| entry.read.is_err()).count();
    if unread > 0 {
        title.extend([sep(), (format!("{} unreadable", text::count(unread, "record")), Role::Bad)]);
    }
    if let Some(why) = &history.failed {
        title.extend([sep(), (why.clone(), Role::Bad)]);
    }
    title
}

/// Why there is no row.
fn nothing(pen: &mut Pen<'_>, model: &Model, history: &History, area: Rect) {
    let (said, role) = match &history.failed {
        Some(why) => (format!("The records can't be read: {why}"), Role::Bad),
        None if history.listed.is_none() => (format!("reading the records{}", pen.glyphs().dots), Role::Dim),
        None if !history.filter.is_empty() => (format!("Nothing fits {}", history.filter), Role::Dim),
        None => ("No operation has a record here yet".to_owned(), Role::Dim),
    };
    let mut lines = vec![vec![(said, role)]];
    if let Some(key) = model.keys.key(model.place(), Action::Back) {
        let what = if history.filter.is_empty() { "back to the fleet" } else { "shows all of them again" };
        lines.push(vec![(key.to_owned(), Role::Key), (format!("  {what}"), Role::Text)]);
    }
    super::message::centred(pen, area, &lines);
}

fn cells(pen: &Pen<'_>, model: &Model, entry: &Entry<'_>, here: bool) -> Cells {
    let text = |content: String, role| vec![(content, role)];
    let when = entry.began().map_or_else(String::new, |at| when(model, at));
    let when = vec![(format!("{} ", if here { pen.glyphs().cursor } else { " " }), Role::Key), (when, Role::Dim)];
    let id = text(entry.op.as_str().rsplit('-').next().unwrap_or_default().to_owned(), Role::Dim);
    let none = || text(pen.glyphs().none.to_owned(), Role::Dim);
    let Ok(one) = &entry.read else {
        let bad = text(format!("{} unreadable", pen.glyphs().bad), Role::Bad);
        return vec![when, none(), none(), bad, none(), none(), none(), none(), id];
    };
    let by = if one.by.is_empty() && entry.own { "here".to_owned() } else { one.by.clone() };
    vec![
        when,
        text(one.app.clone(), Role::Text),
        text(one.kind.map_or_else(String::new, |kind| kind.to_string()), Role::Text),
        vec![standing(pen, entry, one)],
        text(human(took(model, entry, one)), Role::Text),
        identities(one),
        text(by, Role::Dim),
        change(pen, one).map_or_else(Vec::new, |change| text(change, Role::Dim)),
        id,
    ]
}

/// Of one that runs here, up to now.
fn took(model: &Model, entry: &Entry<'_>, one: &Summary) -> u64 {
    let live = model.operations.iter().find(|own| entry.own && own.id == *entry.op);
    live.map_or(one.took_ms, |own| own.elapsed(model.now))
}

fn standing(pen: &Pen<'_>, entry: &Entry<'_>, one: &Summary) -> (String, Role) {
    let g = pen.glyphs();
    let (symbol, role) = match one.standing() {
        Standing::Running => (g.cursor, Role::Busy),
        Standing::Ended(Outcome::Succeeded) => (g.good, Role::Good),
        Standing::Ended(Outcome::Failed) => (g.bad, Role::Bad),
        Standing::BrokenOff if entry.open => (g.bad, Role::Bad),
        Standing::Ended(_) | Standing::BrokenOff => (g.warn, Role::Warn),
    };
    (format!("{symbol} {}", outcome(one)), role)
}

fn identities(one: &Summary) -> Spans {
    let counts = one.counts;
    let figures = [
        (counts.lost, "lost", Role::Bad),
        (counts.changed, "changed", Role::Loud),
        (counts.unprotected, "unprotected", Role::Warn),
        (counts.failed, "failed", Role::Bad),
        (counts.kept, "kept", Role::Good),
    ];
    let mut spans = Spans::new();
    for (count, what, role) in figures.into_iter().filter(|(count, ..)| *count > 0) {
        if !spans.is_empty() {
            spans.push((" ".to_owned(), Role::Text));
        }
        spans.push((format!("{count} {what}"), role));
    }
    spans
}

/// `web:v1 → web:v2`.
fn change(pen: &Pen<'_>, one: &Summary) -> Option<String> {
    let image = |image: &str| text::image(image, 28, pen.glyphs().dots);
    match (&one.from, &one.to) {
        (Some(from), Some(to)) if from != to => Some(format!("{} {} {}", image(from), pen.glyphs().arrow, image(to))),
        (_, Some(to)) => Some(image(to)),
        (Some(from), None) => Some(image(from)),
        (None, None) => None,
    }
}

/// What is known of one, what matters most first.
fn about(pen: &Pen<'_>, model: &Model, entry: &Entry<'_>, width: usize) -> Vec<Spans> {
    let mut lines = Vec::new();
    let mut say = |content: &str, role: Role| {
        lines.extend(text::wrap(content, width).into_iter().map(|line| vec![(line, role)]));
    };
    let key = |action| model.keys.key(model.place(), action).unwrap_or("?").to_owned();
    let one = match &entry.read {
        Ok(one) => one,
        Err(why) => {
            say(&format!("its record can't be read: {why}"), Role::Bad);
            return lines;
        }
    };
    let mut sentence = vec![one.title()];
    sentence.extend(change(pen, one));
    if !one.engine.host.is_empty() {
        let name = if one.engine.name.is_empty() { &one.engine.host } else { &one.engine.name };
        sentence.push(format!("on {name}"));
    }
    sentence.extend(one.resumes.as_ref().map(|op| format!("goes on with {op}")));
    sentence.extend(one.resumed_by.as_ref().map(|op| format!("gone on with by {op}")));
    say(&sentence.join(&format!(" {} ", pen.glyphs().sep)), Role::Text);
    if let Some(error) = &one.error {
        say(error, Role::Bad);
    }
    if entry.open {
        let (on, back) = (key(Action::Resume), key(Action::TakeBack));
        say(&format!("it was left half-done: {on} goes on with it, {back} takes it back"), Role::Warn);
    }
    lines
}

/// When, for people.
pub fn when(model: &Model, at: Timestamp) -> String {
    super::super::history::when(at, model.wall, &model.zone)
}
