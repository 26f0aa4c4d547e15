//! Plans for several apps, before they run.

use super::super::model::{Bulk, Item, Model};
use super::super::text;
use super::super::theme::Role;
use super::dialog::{framed, key, width};
use super::pen::{Pen, Spans};
use ratatui::layout::{Position, Rect};

/// Draws them; where the cursor stands.
pub fn draw(pen: &mut Pen<'_>, model: &Model, bulk: &Bulk, area: Rect) -> Option<Position> {
    let width = width(area);
    let waiting = bulk.items.iter().any(|item| item.answer.is_none());
    let mut lines: Vec<Spans> = Vec::new();
    if bulk.changed {
        lines.push(vec![("The fleet has changed since: these are the new plans. Look again.".to_owned(), Role::Warn)]);
    }
    for item in &bulk.items {
        lines.extend(about(pen, model, item, width));
    }
    let instances = bulk.instances();
    let ask = format!("type {instances} to run {}: ", if instances == 1 { "it" } else { "all" });
    let typed = !waiting && instances > 0;
    let tail: Vec<Spans> = match () {
        () if typed => vec![Vec::new(), vec![(ask.clone(), Role::Warn), (" ".repeat(12), Role::Input)]],
        () if waiting => vec![Vec::new(), vec![(format!("reading the engine{}", pen.glyphs().dots), Role::Dim)]],
        () => vec![Vec::new(), vec![("Nothing to do.".to_owned(), Role::Good)]],
    };
    let room = usize::from(area.height.saturating_sub(4)).saturating_sub(tail.len());
    let first = bulk.scroll.min(lines.len().saturating_sub(room));
    let mut shown: Vec<Spans> = lines.into_iter().skip(first).take(room).collect();
    shown.extend(tail);
    let last = shown.len().saturating_sub(1);
    let production = bulk.items.iter().any(|item| model.is_production(item.engine));
    let (place, role) = if production { (", in PRODUCTION", Role::Bad) } else { ("", Role::Focus) };
    let title = format!("{} {} apps{place}", bulk.verb, bulk.items.len());
    let keys =
        if typed { vec![key("esc", "cancel"), key("enter", "run, once typed")] } else { vec![key("esc", "cancel")] };
    let body = framed(pen, area, &title, role, &shown, &keys);
    if !typed || bulk.checking {
        return None;
    }
    let (x, y) = (body.x + cells(text::width(&ask)), body.y + cells(last));
    let (visible, cursor) = bulk.typed.window(10);
    pen.put(x + 1, y, body.right(), &visible, Role::Input);
    Some(Position::new(x + 1 + cells(cursor), y))
}

/// What is planned for one app: what changes, in which batches, or why not.
fn about(pen: &Pen<'_>, model: &Model, item: &Item, width: usize) -> Vec<Spans> {
    let g = pen.glyphs();
    let (name, dim) = (format!("{}{}", item.request.subject(), model.on(item.engine)), Role::Dim);
    let head = |symbol: &str, role| vec![(format!("{symbol} "), role), (format!("{name}  "), Role::Title)];
    match item.answer.as_ref().or(item.shown.as_ref()) {
        None => vec![[head(g.part, dim), vec![("planning".to_owned(), dim)]].concat()],
        Some(Err(refusal)) => {
            let room = width.saturating_sub(4);
            let mut lines = vec![[head(g.bad, Role::Bad), vec![("cannot".to_owned(), Role::Bad)]].concat()];
            let sentences = text::wrap(&refusal.message.replace('\n', " "), room);
            lines.extend(sentences.into_iter().take(3).map(|line| vec![(format!("    {line}"), Role::Text)]));
            lines
        }
        Some(Ok(plan)) if plan.is_empty() => {
            vec![[head(g.off, dim), vec![("nothing to do".to_owned(), dim)]].concat()]
        }
        Some(Ok(plan)) => {
            let change = match (&plan.from, &plan.to) {
                (Some(from), Some(to)) if from != to => {
                    let short = |image: &str| text::image(image, 28, g.dots);
                    format!("{} {} {}", short(from), g.arrow, short(to))
                }
                _ => String::new(),
            };
            let instances: usize = plan.batches.iter().map(Vec::len).sum();
            let batches = plan.batches.len();
            let how = if batches > 1 { format!(" in {batches} batches") } else { String::new() };
            let what = format!("{}{how}  ", text::count(instances, "instance"));
            let mut lines = vec![[head(g.cursor, Role::Key), vec![(what, Role::Text), (change, dim)]].concat()];
            let risks = plan.notes.iter().filter(|note| !note.starts_with("in place") && !note.starts_with("at least"));
            let room = width.saturating_sub(4);
            lines.extend(
                risks.flat_map(|note| text::wrap(note, room)).map(|line| vec![(format!("    {line}"), Role::Warn)]),
            );
            lines
        }
    }
}

fn cells(n: usize) -> u16 {
    u16::try_from(n).unwrap_or(u16::MAX)
}
