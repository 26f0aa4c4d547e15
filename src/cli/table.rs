//! Aligned columns of styled text.
//!
//! Pure. Columns are as wide as their widest cell on a terminal; nothing is cut.

use super::style::{HEAD, PLAIN, pad, paint};
use clap::builder::styling::Style;
use unicode_width::UnicodeWidthStr;

/// A cell: its text and how it looks.
#[derive(Clone, Debug)]
pub struct Cell(pub String, pub Style);

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self(text, PLAIN)
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self(text.to_owned(), PLAIN)
    }
}

impl From<(String, Style)> for Cell {
    fn from((text, style): (String, Style)) -> Self {
        Self(text, style)
    }
}

/// Rows under a heading; without one when `heading` is empty.
pub fn render(heading: &[&str], rows: &[Vec<Cell>]) -> Vec<String> {
    let heading: Vec<Cell> = heading.iter().map(|text| Cell((*text).to_owned(), HEAD)).collect();
    let all = || std::iter::once(&heading).filter(|row| !row.is_empty()).chain(rows);
    let columns = all().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| all().filter_map(|row| row.get(column)).map(|cell| cell.0.width()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<Cell>| {
        let last = row.iter().rposition(|cell| !cell.0.is_empty()).unwrap_or(0);
        let mut line = String::new();
        for (column, Cell(text, style)) in row.iter().enumerate().take(last + 1) {
            if column > 0 {
                line.push_str("  ");
            }
            line.push_str(&paint(*style, text));
            if column < last {
                line.push_str(&pad("", widths[column].saturating_sub(text.width())));
            }
        }
        line
    };
    all().map(line).collect()
}
