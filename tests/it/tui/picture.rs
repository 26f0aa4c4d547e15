//! A screen as an SVG picture, to be looked at: every glyph at its cell, whatever font a reader has.

use crate::support::term::{Color as TermColor, Term};
use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier};
use std::fmt::Write;

const CELL: (u16, u16) = (9, 20);
const INK: &str = "#c8d0de";
const GROUND: &str = "#11151c";

/// A cell: what is in it, its colours, and whether it is bold or faint.
#[derive(Clone, PartialEq, Eq)]
struct Cell {
    symbol: String,
    ink: String,
    ground: String,
    bold: bool,
    dim: bool,
}

/// A screen that was drawn without a terminal.
pub fn svg(buffer: &Buffer) -> String {
    paint((buffer.area.width, buffer.area.height), |x, y| {
        let cell = &buffer[(x, y)];
        let (mut ink, mut ground) = (hex(cell.fg, INK), hex(cell.bg, GROUND));
        if cell.modifier.contains(Modifier::REVERSED) {
            std::mem::swap(&mut ink, &mut ground);
        }
        let (bold, dim) = (cell.modifier.contains(Modifier::BOLD), cell.modifier.contains(Modifier::DIM));
        Cell { symbol: cell.symbol().to_owned(), ink, ground, bold, dim }
    })
}

/// What a terminal shows.
pub fn of_terminal(term: &Term) -> String {
    paint(term.size(), |x, y| {
        let (symbol, style) = term.cell(x, y);
        let colour = |colour, default: &str| match colour {
            TermColor::Rgb(r, g, b) => format!("#{r:02x}{g:02x}{b:02x}"),
            _ => default.to_owned(),
        };
        let (mut ink, mut ground) = (colour(style.fg, INK), colour(style.bg, GROUND));
        if style.reverse {
            std::mem::swap(&mut ink, &mut ground);
        }
        Cell { symbol, ink, ground, bold: style.bold, dim: style.dim }
    })
}

/// Grounds first, then glyphs; neighbours that look the same go together.
fn paint((columns, rows): (u16, u16), at: impl Fn(u16, u16) -> Cell) -> String {
    let (w, h) = (columns * CELL.0, rows * CELL.1);
    let ground = at(0, rows - 1).ground;
    let mut out = format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" width="{w}" height="{h}" viewBox="0 0 {w} {h}"><rect width="{w}" height="{h}" fill="{ground}"/><g font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="15" xml:space="preserve">"#
    );
    for y in 0..rows {
        let row: Vec<Cell> = (0..columns).map(|x| at(x, y)).collect();
        let top = y * CELL.1;
        for (x, cells) in runs(&row, |a, b| a.ground == b.ground).filter(|(_, cells)| cells[0].ground != ground) {
            let (x, width, fill) = (x * CELL.0, cells.len() * usize::from(CELL.0), &cells[0].ground);
            write!(out, r#"<rect x="{x}" y="{top}" width="{width}" height="{}" fill="{fill}"/>"#, CELL.1).unwrap();
        }
        let alike = |a: &Cell, b: &Cell| (&a.ink, a.bold, a.dim) == (&b.ink, b.bold, b.dim);
        for (start, cells) in runs(&row, alike) {
            let fill = &cells[0].ink;
            let (mut places, mut text) = (String::new(), String::new());
            for (x, cell) in (start..).zip(cells) {
                let left = x * CELL.0;
                if let Some(eighths) = "▏▎▍▌▋▊▉█".chars().position(|c| cell.symbol.starts_with(c)) {
                    let width = usize::from(CELL.0) * (eighths + 1) / 8;
                    write!(out, r#"<rect x="{left}" y="{top}" width="{width}" height="{}" fill="{fill}"/>"#, CELL.1)
                        .unwrap();
                } else if !cell.symbol.trim().is_empty() {
                    write!(places, "{}{left}", if places.is_empty() { "" } else { " " }).unwrap();
                    text.push_str(&cell.symbol.replace('&', "&amp;").replace('<', "&lt;"));
                }
            }
            if !text.is_empty() {
                let weight = if cells[0].bold { r#" font-weight="bold""# } else { "" };
                let dim = if cells[0].dim { r#" opacity="0.6""# } else { "" };
                write!(out, r#"<text x="{places}" y="{}" fill="{fill}"{weight}{dim}>{text}</text>"#, top + 15).unwrap();
            }
        }
    }
    out + "</g></svg>\n"
}

/// Neighbours that belong together, with the place of the first.
fn runs<'a>(row: &'a [Cell], alike: impl Fn(&Cell, &Cell) -> bool + 'a) -> impl Iterator<Item = (u16, &'a [Cell])> {
    row.chunk_by(move |a, b| alike(a, b)).scan(0_u16, |next, cells| {
        let start = *next;
        *next += u16::try_from(cells.len()).unwrap();
        Some((start, cells))
    })
}

fn hex(color: Color, reset: &str) -> String {
    match color {
        Color::Rgb(r, g, b) => format!("#{r:02x}{g:02x}{b:02x}"),
        Color::Red | Color::LightRed => "#f07f78".to_owned(),
        Color::Green | Color::LightGreen => "#85c79a".to_owned(),
        Color::Yellow | Color::LightYellow => "#e3b871".to_owned(),
        Color::Blue | Color::LightBlue => "#86b1f2".to_owned(),
        Color::Magenta | Color::LightMagenta => "#d486b0".to_owned(),
        Color::Cyan | Color::LightCyan => "#63c0c4".to_owned(),
        Color::Gray | Color::White => "#eef2f8".to_owned(),
        Color::DarkGray | Color::Black => "#74809a".to_owned(),
        _ => reset.to_owned(),
    }
}
