//! The services of a Compose file, to choose from before anything is planned.

use super::super::creating::{Service, Services};
use super::super::model::Model;
use super::super::text;
use super::super::theme::Role;
use super::dialog::{framed, key, width};
use super::pen::{Pen, Spans};
use super::table;
use ratatui::layout::Rect;

/// Draws them.
pub fn draw(pen: &mut Pen<'_>, model: &Model, services: &Services, area: Rect) {
    let width = width(area);
    let mut tail: Vec<Spans> = Vec::new();
    for warning in services.project.warnings.iter().take(2) {
        tail.extend(text::wrap(warning, width).into_iter().take(2).map(|line| vec![(line, Role::Dim)]));
    }
    if let Some(wrong) = &services.wrong {
        tail.push(vec![(wrong.clone(), Role::Bad)]);
    }
    if !tail.is_empty() {
        tail.insert(0, Vec::new());
    }
    let room = usize::from(area.height.saturating_sub(5)).saturating_sub(tail.len()).max(1);
    let first = table::window(services.cursor, services.rows.len(), room);
    let columns = Columns::of(services, width);
    let mut lines = vec![columns.heading()];
    let shown = services.rows.iter().enumerate().skip(first).take(room);
    lines.extend(shown.map(|(i, row)| columns.row(pen, row, i == services.cursor)));
    lines.extend(tail);
    let marked = services.rows.iter().filter(|row| row.marked).count();
    let (name, on) = (&services.project.name, model.on(services.engine));
    let title = format!("Create {name}{on}  {marked} of {}", text::count(services.rows.len(), "service"));
    let keys =
        [key("enter", "plan"), key("space", "mark"), key("+ -", "instances"), key("*", "all"), key("esc", "cancel")];
    framed(pen, area, &title, Role::Focus, &lines, &keys);
}

/// Cells of name, image and what it waits for.
struct Columns {
    name: usize,
    image: usize,
    after: usize,
}

impl Columns {
    fn of(services: &Services, width: usize) -> Self {
        let widest = |of: &dyn Fn(&Service) -> usize| services.rows.iter().map(of).max().unwrap_or(0);
        let name = widest(&|row| text::width(&row.name)).clamp(7, 24);
        // Marks, numbers, and the gaps between.
        let rest = width.saturating_sub(name + 32);
        let image = widest(&|row| text::width(&row.image)).clamp(5, rest.max(5)).min(40);
        let after = rest.saturating_sub(image + 2);
        Self { name, image, after }
    }

    fn heading(&self) -> Spans {
        let (name, image) = (self.name, self.image);
        let head = format!("      {:<name$}  {:<image$}  {:>9}  {:<9}", "SERVICE", "IMAGE", "INSTANCES", "THERE");
        vec![(head, Role::Dim)]
    }

    fn row(&self, pen: &Pen<'_>, row: &Service, here: bool) -> Spans {
        let g = pen.glyphs();
        let (name, image) = (self.name, self.image);
        let cursor = if here { g.cursor } else { " " };
        let mark = if row.marked { format!("[{}]", g.good) } else { "[ ]".to_owned() };
        let role = |role| if row.marked { role } else { Role::Dim };
        let pad =
            |text: String, cells: usize| format!("{text}{}", " ".repeat(cells.saturating_sub(text::width(&text))));
        let there = if row.there == 0 { "new".to_owned() } else { format!("{} there", row.there) };
        let changed = if row.wanted == row.replicas { Role::Text } else { Role::Mark };
        let mut spans = vec![
            (format!("{cursor} "), Role::Mark),
            (format!("{mark} "), role(Role::Key)),
            (pad(text::head(&row.name, name, g.dots), name) + "  ", role(if here { Role::Title } else { Role::Text })),
            (pad(text::image(&row.image, image, g.dots), image) + "  ", Role::Dim),
            (format!("{:>9}  ", row.wanted), role(changed)),
            (pad(there, 9), role(if row.there == 0 { Role::Good } else { Role::Dim })),
        ];
        if !row.after.is_empty() && self.after > 8 {
            let after = format!("  after {}", row.after.join(", "));
            spans.push((text::head(&after, self.after, g.dots), Role::Dim));
        }
        spans
    }
}
