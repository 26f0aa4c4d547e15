//! Rows in columns: widths from the contents, the least important column dropped first, the selected row in view.
//!
//! Knows nothing of fleets or operations. A wider terminal gets more columns, never more air.

use super::super::text;
use super::super::theme::Role;
use super::pen::{Pen, Spans, spans_width};
use ratatui::layout::Rect;

/// What a column is.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    pub title: &'static str,
    /// Cells it may shrink to before another column is dropped.
    pub least: usize,
    /// Cells it takes at most.
    pub most: usize,
    /// Figures stand right.
    pub right: bool,
    /// 0 is never dropped; higher goes first.
    pub drop: u8,
    /// Holds image references, which are cut their own way.
    pub image: bool,
}

impl Column {
    /// A column of words.
    pub const fn new(title: &'static str, least: usize, most: usize, drop: u8) -> Self {
        Self { title, least, most, right: false, drop, image: false }
    }

    /// A column of figures.
    pub const fn figures(title: &'static str, least: usize, drop: u8) -> Self {
        Self { title, least, most: 16, right: true, drop, image: false }
    }

    /// A column of image references.
    pub const fn images(title: &'static str, least: usize, drop: u8) -> Self {
        Self { title, least, most: 44, right: false, drop, image: true }
    }
}

/// A row's cells, one per column.
pub type Cells = Vec<Spans>;

/// How rows are drawn.
#[derive(Clone, Copy, Debug, Default)]
pub struct Style<'a> {
    pub selected: Option<usize>,
    /// The pane has the focus.
    pub focused: bool,
    /// Titles of the column that decides the order, and whether it is turned round.
    pub sorted: &'static [&'static str],
    pub reversed: bool,
    /// Titles of columns that are not wanted.
    pub hidden: &'a [&'static str],
}

const GAP: usize = 2;

/// Rows up to this many decide together how wide columns are; of more, those that are in view.
const ALL: usize = 200;

/// Draws a heading and as many of `len` rows as fit, the selected one among them; `make` gives a row's cells.
pub fn draw(
    pen: &mut Pen<'_>,
    area: Rect,
    columns: &[Column],
    len: usize,
    make: &dyn Fn(&Pen<'_>, usize) -> Cells,
    style: Style<'_>,
) {
    if area.height == 0 || area.width < 4 {
        return;
    }
    // One cell on the left for the cursor, which each row's first column leaves free.
    let height = usize::from(area.height - 1);
    let first = window(style.selected.unwrap_or(0), len, height);
    let (from, to) = if len <= ALL { (0, len) } else { (first, (first + height).min(len)) };
    let rows: Vec<Cells> = (from..to).map(|row| make(pen, row)).collect();
    let arrow = |index: usize| style.sorted.contains(&columns[index].title) && (style.reversed || index > 0);
    let places = place(columns, &rows, usize::from(area.width).saturating_sub(2), &arrow, style.hidden);
    let left = area.left() + 1;
    for place in &places {
        let column = &columns[place.0];
        let mut title = vec![(column.title.to_owned(), Role::Dim)];
        // Upside down, or a column that is not sorted up by nature: an arrow says which one decides.
        if arrow(place.0) {
            let arrow = if style.reversed { pen.glyphs().up } else { pen.glyphs().open };
            title = vec![
                (text::head(column.title, place.2.saturating_sub(1), ""), Role::Key),
                (arrow.to_owned(), Role::Key),
            ];
        }
        cell(pen, left, area.top(), *place, columns, &title);
    }
    for (line, row) in (from..).zip(&rows).skip(first - from).take(height) {
        let y = area.top() + 1 + u16::try_from(line - first).unwrap_or(0);
        // The ground first, so that what is loud keeps its own.
        if style.selected == Some(line) {
            let role = if style.focused { Role::Selected } else { Role::Idle };
            pen.tint(Rect::new(area.left(), y, area.width, 1), role);
        }
        if is_heading(row) {
            let (width, heading) = (usize::from(area.width).saturating_sub(2), columns[0]);
            cell(pen, left, y, (0, 0, width), &[Column { image: false, right: false, ..heading }], &row[0]);
            continue;
        }
        for place in &places {
            cell(pen, left, y, *place, columns, &row[place.0]);
        }
    }
    scrollbar(pen, area, first, height, len);
}

/// A row that has its first cell only: that may be as wide as the row, and decides about no column.
fn is_heading(row: &Cells) -> bool {
    row.iter().skip(1).all(|cell| spans_width(cell) == 0)
}

/// Where the window over `len` lines begins so that `selected` is inside, in its middle where possible.
pub fn window(selected: usize, len: usize, height: usize) -> usize {
    selected.saturating_sub(height / 2).min(len.saturating_sub(height))
}

/// A thin bar on the right edge when not all lines fit; its first line belongs to the heading.
pub fn scrollbar(pen: &mut Pen<'_>, area: Rect, first: usize, height: usize, len: usize) {
    if len <= height || height == 0 || area.width == 0 {
        return;
    }
    let size = (height * height / len).max(1);
    let start = first * (height - size) / (len - height).max(1);
    let x = area.right() - 1;
    for line in start..start + size {
        let y = area.top() + 1 + u16::try_from(line).unwrap_or(0);
        if y < area.bottom() {
            let bar = pen.glyphs().frame[5];
            pen.put(x, y, x + 1, bar, Role::Dim);
        }
    }
}

/// Columns shown: (index, offset, width).
fn place(
    columns: &[Column],
    rows: &[Cells],
    room: usize,
    arrow: &dyn Fn(usize) -> bool,
    hidden: &[&str],
) -> Vec<(usize, usize, usize)> {
    let mut kept: Vec<(usize, usize)> = columns
        .iter()
        .enumerate()
        .map(|(index, column)| {
            let cells = rows.iter().filter(|row| !is_heading(row)).map(|row| &row[index]);
            let content = cells.map(|cell| spans_width(cell)).max().unwrap_or(0);
            (index, content.max(text::width(column.title) + usize::from(arrow(index))).min(column.most))
        })
        .filter(|(index, _)| !hidden.contains(&columns[*index].title))
        // A column nobody has anything to say in is not shown.
        .filter(|(index, _)| columns[*index].drop == 0 || rows.iter().any(|row| spans_width(&row[*index]) > 0))
        .collect();
    let total = |kept: &[(usize, usize)]| {
        kept.iter().map(|(_, width)| width).sum::<usize>() + GAP * kept.len().saturating_sub(1)
    };
    let least = |kept: &[(usize, usize)]| {
        kept.iter().map(|(index, width)| columns[*index].least.min(*width)).sum::<usize>()
            + GAP * kept.len().saturating_sub(1)
    };
    // Names are not cut for what only adds to the rest.
    let named = |kept: &[(usize, usize)]| {
        let cut = kept.first().map_or(0, |(index, width)| width.saturating_sub(columns[*index].least));
        least(kept) + cut
    };
    while named(&kept) > room {
        let Some(at) = (0..kept.len()).max_by_key(|at| columns[kept[*at].0].drop) else { break };
        if columns[kept[at].0].drop < 2 {
            break;
        }
        kept.remove(at);
    }
    while least(&kept) > room {
        let Some(at) = (0..kept.len()).max_by_key(|at| columns[kept[*at].0].drop) else { break };
        if columns[kept[at].0].drop == 0 {
            break;
        }
        kept.remove(at);
    }
    let mut excess = total(&kept).saturating_sub(room);
    for (index, width) in kept.iter_mut().rev() {
        let give = (width.saturating_sub(columns[*index].least)).min(excess);
        *width -= give;
        excess -= give;
    }
    let mut offset = 0;
    kept.into_iter()
        .map(|(index, width)| {
            let at = offset;
            offset += width + GAP;
            (index, at, width)
        })
        .collect()
}

fn cell(
    pen: &mut Pen<'_>,
    left: u16,
    y: u16,
    (index, offset, width): (usize, usize, usize),
    columns: &[Column],
    spans: &[(String, Role)],
) {
    let column = columns[index];
    let to = |n: usize| left.saturating_add(u16::try_from(n).unwrap_or(u16::MAX));
    let content = spans_width(spans);
    let mut x = if column.right { to(offset + width.saturating_sub(content)) } else { to(offset) };
    let end = to(offset + width);
    let dots = pen.glyphs().dots;
    for (content, role) in spans {
        let room = usize::from(end.saturating_sub(x));
        if room == 0 {
            break;
        }
        let cut = if column.image { text::image(content, room, dots) } else { text::head(content, room, dots) };
        x = pen.put(x, y, end, &cut, *role);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_selected_line_is_in_view() {
        for (selected, len, height, first) in
            [(0, 3, 5, 0), (0, 10, 4, 0), (5, 10, 4, 3), (9, 10, 4, 6), (9, 10, 0, 9), (0, 0, 4, 0)]
        {
            assert_eq!(window(selected, len, height), first, "{selected} {len} {height}");
        }
    }

    #[test]
    fn the_least_important_column_goes_first() {
        let columns = [Column::new("A", 4, 10, 0), Column::new("B", 4, 10, 2), Column::new("C", 4, 10, 1)];
        let row = vec![vec![("aaaaaaaa".to_owned(), Role::Text)]; 3];
        let shown = |room| {
            place(&columns, std::slice::from_ref(&row), room, &|_| false, &["D"])
                .iter()
                .map(|p| (p.0, p.2))
                .collect::<Vec<_>>()
        };
        assert_eq!(shown(28), [(0, 8), (1, 8), (2, 8)]);
        assert_eq!(shown(20), [(0, 8), (1, 4), (2, 4)]);
        assert_eq!(shown(15), [(0, 8), (2, 5)]);
        assert_eq!(shown(6), [(0, 6)]);
        let hidden = place(&columns, std::slice::from_ref(&row), 28, &|_| false, &["B"]);
        assert_eq!(hidden.iter().map(|p| p.0).collect::<Vec<_>>(), [0, 2]);
    }
}
