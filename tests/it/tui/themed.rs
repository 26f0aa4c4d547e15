//! The screens that matter most, in a dark, a light and no colour, and on a wide terminal.
//!
//! A file for each screen has its text, then for each theme which style each cell has (a letter) and what the letters mean:
//! what can't be told apart in one of them shows.

use super::{draw, text};
use pitstop::tui::glyphs;
use pitstop::tui::model::{Look, Model};
use pitstop::tui::theme::{BUILT_IN, Depth, Theme};
use ratatui::buffer::{Buffer, Cell};
use std::collections::BTreeMap;
use std::fmt::Write;

const THEMES: [&str; 3] = ["default", "daylight", "mono"];

/// Compares the screen with what is stored of it.
pub fn look(name: &str, make: impl Fn((u16, u16)) -> Model) {
    insta::assert_snapshot!(format!("{name}_200x50"), text(&make((200, 50))));
    let mut out = text(&make((120, 36)));
    for theme in THEMES {
        let mut model = make((120, 36));
        model.look = Look { theme: parsed(theme), glyphs: &glyphs::UNICODE };
        write!(out, "\n== {theme}\n{}", styles(&draw(&model))).unwrap();
    }
    insta::assert_snapshot!(format!("{name}_themes"), out);
}

fn parsed(name: &str) -> Theme {
    let text = BUILT_IN.iter().find(|(known, _)| *known == name).unwrap().1;
    Theme::parse(name, text, Depth::True).unwrap()
}

fn said(cell: &Cell) -> String {
    // Of a cell that shows nothing only the ground is seen.
    let fg = if cell.symbol() == " " { String::new() } else { format!("{:?} ", cell.fg) };
    format!("{fg}on {:?} {:?}", cell.bg, cell.modifier).replace("Modifier(0x0)", "").trim_end().to_owned()
}

fn styles(buffer: &Buffer) -> String {
    let blank = buffer.content.iter().filter(|cell| cell.symbol() == " ").map(said);
    let mut counts = BTreeMap::<String, usize>::new();
    blank.for_each(|style| *counts.entry(style).or_default() += 1);
    let ground = counts.into_iter().max_by_key(|(_, count)| *count).map(|(style, _)| style).unwrap();
    let mut known: Vec<String> = Vec::new();
    let mut rows = String::new();
    for y in 0..buffer.area.height {
        let mut row = String::new();
        for x in 0..buffer.area.width {
            let cell = &buffer[(x, y)];
            let style = said(cell);
            if cell.symbol() == " " && style == ground {
                row.push('.');
                continue;
            }
            let at = known.iter().position(|one| *one == style).unwrap_or_else(|| {
                known.push(style);
                known.len() - 1
            });
            row.push("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ".chars().nth(at).unwrap_or('?'));
        }
        rows.push_str(row.trim_end_matches('.'));
        rows.push('\n');
    }
    for (letter, style) in ('a'..='z').chain('A'..='Z').zip(&known) {
        writeln!(rows, "{letter} {style}").unwrap();
    }
    rows
}
