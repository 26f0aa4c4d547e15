//! The line behind `:`: what is typed at the bottom, and above it what may come next, or what is wrong.

use super::super::model::Model;
use super::super::prompt::{Offer, Prompt};
use super::super::text;
use super::super::theme::Role;
use super::pen::Pen;
use super::table;
use ratatui::layout::{Position, Rect};

/// Words shown at once.
const MOST: usize = 10;
/// Cells of the widest panel.
const WIDEST: u16 = 110;

/// Draws it over the bottom of the screen; where the cursor stands.
pub fn draw(pen: &mut Pen<'_>, model: &Model, prompt: &Prompt, area: Rect) -> Position {
    let bottom = Rect { y: area.bottom() - 1, height: 1, ..area };
    pen.blank(bottom, Role::Base);
    let offer = prompt.offer(model);
    panel(pen, prompt, &offer, Rect { height: area.height - 1, ..area });
    let help = match () {
        () if prompt.wrong.is_some() => "",
        () if prompt.line.text().is_empty() => "  tab completes, up recalls, esc closes",
        () => "  enter runs it",
    };
    super::typed(pen, &prompt.line, ":", (help.to_owned(), Role::Dim), bottom)
}

fn panel(pen: &mut Pen<'_>, prompt: &Prompt, offer: &Offer, above: Rect) {
    let width = above.width.min(WIDEST);
    let inner = usize::from(width.saturating_sub(4));
    let wrong: Vec<String> =
        prompt.wrong.iter().flat_map(|wrong| wrong.lines()).flat_map(|line| text::wrap(line, inner)).collect();
    let room = usize::from(above.height.saturating_sub(3)).saturating_sub(wrong.len());
    let shown = offer.words.len().min(MOST).min(room);
    let lines = shown + wrong.len();
    if lines == 0 && offer.title.is_empty() || inner < 10 {
        return;
    }
    let height = u16::try_from(lines + 2).unwrap_or(u16::MAX).min(above.height);
    let frame = Rect { x: above.x, y: above.bottom() - height, width, height };
    pen.blank(frame, Role::Surface);
    let role = if prompt.wrong.is_some() { Role::Bad } else { Role::Focus };
    let mut title = vec![(offer.title.clone(), Role::Dim)];
    if offer.words.len() > shown {
        title.insert(0, (format!("{} of {}  ", shown, offer.words.len()), Role::Dim));
    }
    let inside = pen.frame(frame, &title, role);
    let mut y = inside.y;
    let selected = prompt.cycling.as_ref().map(|(_, at)| *at);
    let first = table::window(selected.unwrap_or(0), offer.words.len(), shown);
    let name_width = offer.words.iter().map(|word| text::width(&word.text)).max().unwrap_or(0).min(inner * 2 / 3);
    for (i, word) in offer.words.iter().enumerate().skip(first).take(shown) {
        if selected == Some(i) {
            pen.tint(Rect { y, height: 1, ..inside }, Role::Selected);
        }
        let end = inside.right().saturating_sub(1);
        let cursor = if selected == Some(i) { pen.glyphs().cursor } else { " " };
        let x = pen.put(inside.x, y, end, cursor, Role::Key);
        let cut = text::head(&word.text, name_width, pen.glyphs().dots);
        pen.put(x, y, end, &cut, Role::Key);
        let x = x + u16::try_from(name_width + 2).unwrap_or(u16::MAX);
        pen.spans(x, y, end, &[(word.about.clone(), Role::Dim)]);
        y += 1;
    }
    for line in wrong {
        pen.put(inside.x + 1, y, inside.right(), &line, Role::Bad);
        y += 1;
    }
}
