//! Short lists to choose from: themes, columns, what to copy.

use super::super::columns::{COLUMNS, Columns};
use super::super::copy::Item;
use super::super::model::{Model, Themes};
use super::super::text;
use super::super::theme::Role;
use super::dialog::{framed, key, width};
use super::pen::{Pen, Spans};
use ratatui::layout::Rect;

/// The columns, and which of them are wanted.
pub fn columns(pen: &mut Pen<'_>, model: &Model, open: &Columns, area: Rect) {
    let g = pen.glyphs();
    let line = |(i, (title, what)): (usize, &(&str, &str))| {
        let here = i == open.cursor;
        let mark = if model.list.shown.hidden.contains(title) { "[ ]".to_owned() } else { format!("[{}]", g.good) };
        vec![
            (format!("{} ", if here { g.cursor } else { " " }), Role::Mark),
            (format!("{mark} {title:<10}"), if here { Role::Key } else { Role::Text }),
            ((*what).to_owned(), Role::Dim),
        ]
    };
    let lines: Vec<Spans> = COLUMNS.iter().enumerate().map(line).collect();
    let keys = [key("space", "show or hide"), key("enter", "keep"), key("esc", "as before")];
    framed(pen, area, "Columns", Role::Focus, &lines, &keys);
}

/// What can be copied, each with its key.
pub fn copy(pen: &mut Pen<'_>, items: &[Item], area: Rect) {
    let wide = items.iter().map(|item| text::width(item.what)).max().unwrap_or(0);
    let room = width(area).saturating_sub(wide + 5);
    let dots = pen.glyphs().dots;
    let line = |item: &Item| {
        let what = format!("  {:<wide$}  ", item.what);
        vec![(item.key.to_string(), Role::Key), (what, Role::Dim), (text::head(&item.value, room, dots), Role::Text)]
    };
    let lines: Vec<Spans> = items.iter().map(line).collect();
    framed(pen, area, "Copy", Role::Focus, &lines, &[key("esc", "nothing")]);
}

/// The list, and the roles as the theme under the cursor has them.
pub fn themes(pen: &mut Pen<'_>, model: &Model, themes: &Themes, area: Rect) {
    let g = pen.glyphs();
    let sample: [(&str, &str, Role); 8] = [
        (g.ready, "ready", Role::Good),
        (g.part, "starting", Role::Busy),
        (g.warn, "loose", Role::Warn),
        (g.bad, "failed", Role::Bad),
        (g.bad, "CHANGED", Role::Loud),
        (g.cursor, "key", Role::Key),
        (g.off, "stale", Role::Stale),
        (g.sep, "quiet", Role::Dim),
    ];
    let all = model.all_themes();
    let wide = all.iter().map(|(name, _)| text::width(name)).max().unwrap_or(0);
    let mut lines: Vec<Spans> = Vec::new();
    for i in 0..all.len().max(sample.len()) {
        let (sign, name) = match all.get(i) {
            Some((name, _)) => (if i == themes.chosen { g.cursor } else { " " }, *name),
            None => (" ", ""),
        };
        let role = if i == themes.chosen { Role::Key } else { Role::Text };
        let mut line = vec![(format!("{sign} {name:<wide$}      "), role)];
        if let Some((symbol, word, role)) = sample.get(i) {
            line.push((format!("{symbol} {word}"), *role));
        }
        lines.push(line);
    }
    if let Some(wrong) = &themes.wrong {
        lines.extend(text::wrap(wrong, width(area)).into_iter().map(|line| vec![(line, Role::Bad)]));
    }
    framed(pen, area, "Theme", Role::Focus, &lines, &[key("enter", "wear it"), key("esc", "as before")]);
}
