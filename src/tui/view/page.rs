//! Pages of text: help from the keymap, pitstop's own log.

use super::super::keymap::{Action, Place};
use super::super::model::{Model, Screen};
use super::super::own_log;
use super::super::text;
use super::super::theme::Role;
use super::pen::{Pen, Spans, spans_width};
use super::table;
use ratatui::layout::Rect;
use ratatui::style::Modifier;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;
use tui_logger::{ExtLogRecord, LogFormatter, TuiLoggerWidget};

/// A framed page that scrolls.
fn page(pen: &mut Pen<'_>, area: Rect, title: &[(String, Role)], lines: &[Spans], scroll: usize) {
    let inside = pen.frame(area, title, Role::Rule);
    let height = usize::from(inside.height);
    let first = scroll.min(lines.len().saturating_sub(height));
    for (i, line) in lines.iter().skip(first).take(height).enumerate() {
        pen.spans(inside.x + 1, inside.y + u16::try_from(i).unwrap_or(0), inside.right().saturating_sub(1), line);
    }
    let bar = Rect { x: area.x, y: area.y, width: area.width, height: area.height.saturating_sub(1) };
    table::scrollbar(pen, bar, first, height, lines.len());
}

/// Lines a page has room for.
pub fn room(size: (u16, u16)) -> usize {
    usize::from(size.1.saturating_sub(4))
}

/// Something to read.
pub fn reading(pen: &mut Pen<'_>, model: &Model, area: Rect) {
    let Some((title, _)) = &model.reading else { return };
    page(pen, area, &[(title.clone(), Role::Title)], &reading_lines(model), model.scroll);
}

fn reading_lines(model: &Model) -> Vec<Spans> {
    let width = usize::from(model.size.0.saturating_sub(4));
    let lines = model.reading.iter().flat_map(|(_, lines)| lines);
    // Lines that are indented stand in columns: they are cut rather than wrapped.
    let fold = |line: &str| if line.starts_with(' ') { vec![line.to_owned()] } else { text::wrap(line, width) };
    lines.flat_map(|(line, role)| fold(line).into_iter().map(|line| vec![(line, *role)])).collect()
}

/// All keys of a place, from the keymap.
pub fn help(pen: &mut Pen<'_>, model: &Model, place: Place, area: Rect) {
    let lines = help_lines(model, place);
    page(pen, area, &[("Keys".to_owned(), Role::Title)], &lines, model.scroll);
}

/// The lines of help.
pub fn help_lines(model: &Model, place: Place) -> Vec<Spans> {
    let name = match place {
        Place::Fleet => "in the fleet",
        Place::Operation => "in an operation",
        Place::Page => "on a page",
        Place::Instance => "on an instance's page",
        Place::Logs => "in a log",
        Place::History => "in the history",
        Place::Notices => "among notices",
        Place::Replay => "in a record",
    };
    let mut lines = vec![vec![(name.to_owned(), Role::Dim)]];
    for action in Action::ALL {
        let keys: Vec<&str> = model.keys.keys(place, *action).collect();
        if keys.is_empty() {
            continue;
        }
        entry(&mut lines, vec![(keys.join("  "), Role::Key)], action.help(), model.size.0);
    }
    let glyphs = model.look.glyphs;
    lines.push(Vec::new());
    lines.push(vec![("what the words mean".to_owned(), Role::Dim)]);
    let words = [
        (
            glyphs.good,
            "held",
            Role::Good,
            "a sandbox holds the address, and it is pinned: it survives deploys and restarts",
        ),
        (glyphs.warn, "unpinned", Role::Warn, "a sandbox holds it, but it may move when the engine itself restarts"),
        (glyphs.warn, "loose", Role::Warn, "nothing holds it: Docker may give another one at the next restart"),
        (glyphs.bad, "CHANGED", Role::Loud, "it is another one than before: clients that remember it are lost"),
        (glyphs.bad, "orphaned", Role::Bad, "the app sits in a network that its sandbox has left: nobody can reach it"),
        (glyphs.bad, "lost", Role::Bad, "there is no address: the sandbox does not run"),
    ];
    for (symbol, word, role, meaning) in words {
        entry(&mut lines, vec![(format!("{symbol} {word}"), role)], meaning, model.size.0);
    }
    lines
}

/// A word and what it means, which goes on below itself.
fn entry(lines: &mut Vec<Spans>, word: Spans, meaning: &str, width: u16) {
    const WORD: usize = 18;
    let mut head = [vec![("  ".to_owned(), Role::Text)], word].concat();
    let room = usize::from(width).saturating_sub(WORD + 4);
    for part in text::wrap(meaning, room) {
        let gap = WORD.saturating_sub(spans_width(&head));
        head.extend([(" ".repeat(gap), Role::Text), (part, Role::Text)]);
        lines.push(std::mem::take(&mut head));
    }
}

/// Lines of the page that is open, for scrolling.
pub fn length(model: &Model) -> usize {
    match &model.screen {
        Screen::Help(place) => help_lines(model, *place).len(),
        Screen::Reading => reading_lines(model).len(),
        _ => 0,
    }
}

/// pitstop's own log, by tui-logger's widget.
pub fn own_log(pen: &mut Pen<'_>, model: &Model, area: Rect) {
    own_log::collect();
    let inside = pen.frame(area, &[("pitstop's own log".to_owned(), Role::Title)], Role::Rule);
    // Its widget (0.18.3) reckons with lines as they were wrapped when it was scrolled: in another width it goes below zero.
    if inside.width < 24 || inside.height == 0 || area.width != model.size.0 {
        return;
    }
    let style = |role| pen.look.style(role);
    let base = style(Role::Base).patch(style(Role::Text));
    TuiLoggerWidget::default()
        .style(base)
        .style_error(style(Role::Bad).add_modifier(Modifier::BOLD))
        .style_warn(style(Role::Warn))
        .style_info(style(Role::Text))
        .style_debug(style(Role::Dim))
        .style_trace(style(Role::Dim))
        .formatter(Box::new(Format { dim: style(Role::Dim), zone: model.zone.clone(), look: level_styles(pen) }))
        .state(&model.own_log.0)
        .render(inside, pen.buffer);
}

fn level_styles(pen: &Pen<'_>) -> [ratatui::style::Style; 3] {
    [pen.look.style(Role::Bad), pen.look.style(Role::Warn), pen.look.style(Role::Text)]
}

/// Time, level, message; the target last, where it is out of the way. Continued lines are indented.
struct Format {
    dim: ratatui::style::Style,
    zone: jiff::tz::TimeZone,
    look: [ratatui::style::Style; 3],
}

impl LogFormatter for Format {
    fn min_width(&self) -> u16 {
        24
    }

    fn format(&self, width: usize, record: &ExtLogRecord) -> Vec<Line<'_>> {
        let time = record.timestamp.with_time_zone(self.zone.clone()).strftime("%H:%M:%S").to_string();
        let (word, style) = match record.level {
            log::Level::Error => ("error", self.look[0]),
            log::Level::Warn => ("warn ", self.look[1]),
            log::Level::Info => ("info ", self.look[2]),
            log::Level::Debug => ("debug", self.dim),
            log::Level::Trace => ("trace", self.dim),
        };
        let indent = text::width(&time) + 9;
        let body = format!("{}  {}", record.msg(), record.target());
        text::wrap(&body, width.saturating_sub(indent))
            .into_iter()
            .enumerate()
            .map(|(i, part)| {
                let head = if i == 0 { format!(" {time} ") } else { String::new() };
                let level = if i == 0 { word } else { "" };
                Line::from(vec![
                    Span::styled(format!("{head:<10}"), self.dim),
                    Span::styled(format!("{level:<7}"), style),
                    Span::styled(part, style),
                ])
            })
            .collect()
    }
}
