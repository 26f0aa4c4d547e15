//! Writing into the screen's cells: cut at edges, styled by role.
//!
//! The only file that touches a `Buffer`; the rest of the view says what stands where. Never panics, whatever the size.

use super::super::glyphs::Glyphs;
use super::super::model::Look;
use super::super::text;
use super::super::theme::Role;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// A buffer with the look of this terminal.
pub struct Pen<'a> {
    pub buffer: &'a mut Buffer,
    pub look: &'a Look,
}

/// Pieces of one line, each in its role.
pub type Spans = Vec<(String, Role)>;

impl Pen<'_> {
    pub fn glyphs(&self) -> &'static Glyphs {
        self.look.glyphs
    }

    /// Writes `content` from `x` on, cut before column `end`; the column after it.
    pub fn styled(&mut self, x: u16, y: u16, end: u16, content: &str, style: Style) -> u16 {
        let area = self.buffer.area;
        let end = end.min(area.right());
        if x < area.left() || x >= end || y < area.top() || y >= area.bottom() {
            return x;
        }
        let content = self.glyphs().spelled(content);
        self.buffer.set_stringn(x, y, content, usize::from(end - x), style).0
    }

    /// As [`Pen::styled`], in a role.
    pub fn put(&mut self, x: u16, y: u16, end: u16, content: &str, role: Role) -> u16 {
        self.styled(x, y, end, content, self.look.style(role))
    }

    /// Writes pieces one after the other; where the last one would be cut it ends in dots.
    pub fn spans(&mut self, mut x: u16, y: u16, end: u16, spans: &[(String, Role)]) -> u16 {
        for (content, role) in spans {
            let room = usize::from(end.saturating_sub(x));
            if room == 0 {
                break;
            }
            x = self.put(x, y, end, &text::head(content, room, self.glyphs().dots), *role);
        }
        x
    }

    /// Writes pieces so that they end before column `end`, if there is room from `start` on; the column where they begin.
    pub fn spans_right(&mut self, start: u16, y: u16, end: u16, spans: &[(String, Role)]) -> u16 {
        let wanted = u16::try_from(spans_width(spans)).unwrap_or(u16::MAX);
        if end.saturating_sub(start) < wanted {
            return end;
        }
        self.spans(end - wanted, y, end, spans);
        end - wanted
    }

    /// Lays a role over what is there: background and modifiers, colours where the role has them.
    pub fn tint(&mut self, area: Rect, role: Role) {
        let style = self.look.style(role);
        self.buffer.set_style(area.intersection(self.buffer.area), style);
    }

    /// Empties an area and gives it a role's ground.
    pub fn blank(&mut self, area: Rect, role: Role) {
        let area = area.intersection(self.buffer.area);
        let style = self.look.style(Role::Base).patch(self.look.style(role));
        for y in area.top()..area.bottom() {
            for x in area.left()..area.right() {
                if let Some(cell) = self.buffer.cell_mut((x, y)) {
                    cell.reset();
                    cell.set_style(style);
                }
            }
        }
    }

    /// A frame around `area` with a title in its upper edge; the area inside.
    pub fn frame(&mut self, area: Rect, title: &[(String, Role)], role: Role) -> Rect {
        if area.width < 2 || area.height < 2 {
            return Rect::new(area.x, area.y, 0, 0);
        }
        let [tl, tr, br, bl, h, v, ..] = self.glyphs().frame;
        let (left, right, top, bottom) = (area.left(), area.right() - 1, area.top(), area.bottom() - 1);
        for x in left + 1..right {
            self.put(x, top, right, h, role);
            self.put(x, bottom, right, h, role);
        }
        for y in top + 1..bottom {
            self.put(left, y, left + 1, v, role);
            self.put(right, y, right + 1, v, role);
        }
        for (x, y, corner) in [(left, top, tl), (right, top, tr), (right, bottom, br), (left, bottom, bl)] {
            self.put(x, y, x + 1, corner, role);
        }
        self.title(left, top, right, title);
        Rect::new(left + 1, top + 1, area.width - 2, area.height - 2)
    }

    /// A rule across a frame's inside, joined to its sides.
    pub fn divider(&mut self, area: Rect, y: u16, title: &[(String, Role)], role: Role) {
        if area.width < 2 || y <= area.top() || y + 1 >= area.bottom() {
            return;
        }
        let [.., h, _, tee_right, tee_left] = self.glyphs().frame;
        let (left, right) = (area.left(), area.right() - 1);
        for x in left + 1..right {
            self.put(x, y, right, h, role);
        }
        self.put(left, y, left + 1, tee_right, role);
        self.put(right, y, right + 1, tee_left, role);
        self.title(left, y, right, title);
    }

    fn title(&mut self, left: u16, y: u16, right: u16, title: &[(String, Role)]) {
        if title.is_empty() || right.saturating_sub(left) < 6 {
            return;
        }
        let end = right - 1;
        let x = self.put(left + 2, y, end, " ", Role::Rule);
        let x = self.spans(x, y, end, title);
        self.put(x, y, end, " ", Role::Rule);
    }
}

/// Cells that pieces take together.
pub fn spans_width(spans: &[(String, Role)]) -> usize {
    spans.iter().map(|(content, _)| text::width(content)).sum()
}
