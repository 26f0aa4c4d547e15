//! A screen as an SVG picture, to be looked at.

use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier};
use std::fmt::Write;

const CELL: (u16, u16) = (9, 20);

/// Draws every cell: ground, then glyph.
pub fn svg(buffer: &Buffer) -> String {
    let (w, h) = (buffer.area.width * CELL.0, buffer.area.height * CELL.1);
    let mut out = format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" width="{w}" height="{h}"><rect width="{w}" height="{h}" fill="#11151c"/><g font-family="DejaVu Sans Mono, monospace" font-size="15" xml:space="preserve">"##
    );
    let ground = hex(buffer[(0, buffer.area.height - 1)].bg, "#11151c");
    write!(out, r#"<rect width="{w}" height="{h}" fill="{ground}"/>"#).unwrap();
    for y in 0..buffer.area.height {
        for x in 0..buffer.area.width {
            let cell = &buffer[(x, y)];
            let (mut fg, mut bg) = (hex(cell.fg, "#c8d0de"), hex(cell.bg, "#11151c"));
            if cell.modifier.contains(Modifier::REVERSED) {
                std::mem::swap(&mut fg, &mut bg);
            }
            let (px, py) = (x * CELL.0, y * CELL.1);
            if bg != ground {
                let (cw, ch) = CELL;
                write!(out, r#"<rect x="{px}" y="{py}" width="{cw}" height="{ch}" fill="{bg}"/>"#).unwrap();
            }
            let symbol = cell.symbol();
            if let Some(eighths) = "▏▎▍▌▋▊▉█".chars().position(|c| symbol.starts_with(c)) {
                let width = usize::from(CELL.0) * (eighths + 1) / 8;
                write!(out, r#"<rect x="{px}" y="{py}" width="{width}" height="{}" fill="{fg}"/>"#, CELL.1).unwrap();
            } else if symbol != " " && !symbol.is_empty() {
                let weight = if cell.modifier.contains(Modifier::BOLD) { r#" font-weight="bold""# } else { "" };
                let dim = if cell.modifier.contains(Modifier::DIM) { r#" opacity="0.6""# } else { "" };
                let symbol = symbol.replace('&', "&amp;").replace('<', "&lt;");
                write!(out, r#"<text x="{px}" y="{}" fill="{fg}"{weight}{dim}>{symbol}</text>"#, py + 15).unwrap();
            }
        }
    }
    out + "</g></svg>"
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
