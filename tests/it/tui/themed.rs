//! Screens in a dark, a light and no colour: all of them as digests, those that matter most cell by cell.
//!
//! A file for each of these has its text, then for each theme which style each cell has (a letter) and what the letters mean:
//! what can't be told apart in one of them shows.

use super::{draw, text};
use pitstop::tui::glyphs;
use pitstop::tui::model::{Look, Model};
use pitstop::tui::theme::{BUILT_IN, Depth, Theme};
use ratatui::buffer::{Buffer, Cell};
use ratatui::style::Color;
use std::collections::BTreeMap;
use std::fmt::Write;

const THEMES: [&str; 3] = ["default", "daylight", "mono"];

/// Compares the screen with what is stored of it.
pub fn look(name: &str, make: impl Fn((u16, u16)) -> Model) {
    let mut out = text(&make((120, 36)));
    for theme in THEMES {
        let mut model = make((120, 36));
        model.look = Look { theme: parsed(theme), glyphs: &glyphs::UNICODE };
        write!(out, "\n== {theme}\n{}", styles(&draw(&model))).unwrap();
    }
    insta::assert_snapshot!(format!("{name}_themes"), out);
}

/// What a screen looks like in each theme, in a line: how many styles it has, and a number that changes when any cell's does. That it
/// says the same in each, and has no colours without, is looked at right here.
pub fn digests(model: &mut Model) -> String {
    let before = model.look.clone();
    let mut out = String::new();
    for theme in THEMES {
        model.look.theme = parsed(theme);
        let buffer = draw(model);
        let mut styles: Vec<String> = Vec::new();
        let mut digest: u64 = 0xcbf2_9ce4_8422_2325;
        for cell in &buffer.content {
            let style = said(cell);
            // FNV-1a: a hash that is the same everywhere and always.
            for byte in style.bytes() {
                digest = (digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
            if !styles.contains(&style) {
                styles.push(style);
            }
        }
        if theme == "mono" {
            let plain = |cell: &Cell| cell.fg == Color::Reset && cell.bg == Color::Reset;
            assert!(buffer.content.iter().all(plain), "a colour without colours:\n{}", text(model));
        }
        writeln!(out, "{theme:<9} {:>2} styles {digest:016x}", styles.len()).unwrap();
    }
    model.look = before;
    out
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
