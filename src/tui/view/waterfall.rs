//! Bars on a time axis: what ran side by side, and where the time went.
//!
//! Bars end at eighths of a cell where the terminal can show that. Without colour each kind of step has a shade, and
//! its name stands inside its bar wherever it fits.

use super::super::operation;
use super::super::text;
use super::super::theme::Role;
use super::pen::{Pen, Spans, spans_width};
use crate::domain::duration::human;
use crate::domain::export::Tone;
use crate::domain::plan::Action;
use crate::domain::progress::{Status, StepProgressed};
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};

/// Milliseconds onto cells.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Axis {
    /// Milliseconds at the right end.
    pub span: u64,
    pub cells: u16,
}

/// A bar: from, to (milliseconds), role, name, and whether it still grows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bar {
    pub from: u64,
    pub to: u64,
    pub role: Role,
    pub name: &'static str,
    pub growing: bool,
}

impl Axis {
    /// While it runs, the axis grows in strides so that bars grow and not shrink; at the end it fits.
    pub fn new(elapsed: u64, running: bool, cells: u16) -> Self {
        let span = if running { stride(elapsed) } else { elapsed.max(1) };
        Self { span, cells }
    }

    /// Eighths of cells from the left.
    fn eighths(self, ms: u64) -> u64 {
        (ms.min(self.span) * u64::from(self.cells) * 8 + self.span / 2) / self.span.max(1)
    }

    /// Distance of ticks: 1, 2 or 5 times a power of ten, at least ten cells apart.
    fn tick(self) -> u64 {
        let least = self.span * 10 / u64::from(self.cells.max(1));
        (0..15)
            .flat_map(|power| [1, 2, 5].map(|n| n * 10_u64.pow(power)))
            .find(|tick| *tick >= least.max(1))
            .unwrap_or(self.span)
    }

    /// Tick times and labels.
    pub fn ticks(self) -> Vec<(u64, String)> {
        let tick = self.tick();
        (0..=self.span / tick).map(|n| n * tick).map(|ms| (ms, label(ms, self.span))).collect()
    }

    /// The cell of a moment.
    pub fn cell(self, ms: u64) -> u16 {
        u16::try_from(self.eighths(ms) / 8).unwrap_or(self.cells)
    }
}

/// The next of 1, 1.5, 2, 3, 5, 7.5 times a power of ten that leaves a little room; half a second at least.
fn stride(elapsed: u64) -> u64 {
    let wanted = (elapsed + elapsed / 16).max(500);
    (2..15)
        .flat_map(|power| [10, 15, 20, 30, 50, 75].map(|n| n * 10_u64.pow(power) / 10))
        .find(|span| *span >= wanted)
        .unwrap_or(wanted)
}

fn label(ms: u64, span: u64) -> String {
    match span {
        0..2_000 => format!("{ms}"),
        2_000..120_000 if ms.is_multiple_of(1000) => format!("{}s", ms / 1000),
        2_000..120_000 => format!("{}.{}s", ms / 1000, ms % 1000 / 100),
        _ if ms.is_multiple_of(60_000) => format!("{}m", ms / 60_000),
        _ => format!("{}m{:02}", ms / 60_000, ms / 1000 % 60),
    }
}

/// What a step's bar looks like.
pub fn role(step: &StepProgressed) -> Role {
    tone(Tone::of(step))
}

/// A tone on screen.
pub fn tone(tone: Tone) -> Role {
    match tone {
        Tone::Fetch => Role::Fetch,
        Tone::Make => Role::Make,
        Tone::Drain => Role::Drain,
        Tone::Stop => Role::Stop,
        Tone::Start => Role::Start,
        Tone::Ready => Role::Ready,
        Tone::Check => Role::Check,
        Tone::Undo => Role::Undo,
        Tone::Failed => Role::Failed,
    }
}

/// A step's bar, if it has begun.
pub fn bar(step: &StepProgressed, elapsed: u64) -> Option<Bar> {
    let from = step.started_ms?;
    Some(Bar {
        from,
        to: operation::until(step, elapsed).max(from),
        role: role(step),
        name: name(step.plan.action),
        growing: step.status == Status::Running,
    })
}

/// Short enough for a bar.
pub fn name(action: Action) -> &'static str {
    match action {
        Action::SandboxCreate => "sandbox",
        Action::SandboxStart => "up",
        other => other.as_str(),
    }
}

/// Labels of the axis in one line.
pub fn axis(pen: &mut Pen<'_>, area: Rect, axis: Axis) {
    let unit = if axis.span < 2_000 { " ms" } else { "" };
    let ticks = axis.ticks();
    let last = ticks.len().saturating_sub(1);
    for (i, (ms, label)) in ticks.into_iter().enumerate() {
        let label = if i == last { format!("{label}{unit}") } else { label };
        let x = area.left() + axis.cell(ms);
        if x + u16::try_from(text::width(&label)).unwrap_or(0) <= area.right() {
            pen.put(x, area.y, area.right(), &label, Role::Dim);
        }
    }
}

/// One row of bars; later ones lie over earlier ones. Between first and last, a thin line says "nothing ran".
pub fn row(pen: &mut Pen<'_>, area: Rect, axis: Axis, bars: &[Bar]) {
    if area.width == 0 || area.height == 0 {
        return;
    }
    for (ms, _) in axis.ticks() {
        let x = area.left() + axis.cell(ms);
        if x < area.right() {
            let tick = pen.glyphs().tick;
            pen.put(x, area.y, area.right(), tick, Role::Rule);
        }
    }
    let (Some(first), Some(last)) = (bars.iter().map(|bar| bar.from).min(), bars.iter().map(|bar| bar.to).max()) else {
        return;
    };
    for cell in axis.cell(first)..axis.cell(last).min(area.width) {
        let wait = pen.glyphs().wait;
        pen.put(area.left() + cell, area.y, area.right(), wait, Role::Rule);
    }
    let eighths = owners(axis, bars);
    if pen.look.theme.colourful && !pen.glyphs().eighths[0].is_empty() {
        coloured(pen, area, &eighths, bars);
    } else {
        shaded(pen, area, &eighths, bars);
    }
    names(pen, area, &eighths, bars);
}

/// The time each bar took, below it, where there is room.
pub fn durations(pen: &mut Pen<'_>, area: Rect, axis: Axis, bars: &[Bar]) {
    let owners = owners(axis, bars);
    let mut free = 0;
    for (index, bar) in bars.iter().enumerate() {
        let mine = |cell: &u16| cell_of(&owners, *cell).contains(&Some(index));
        let Some(start) = (0..area.width).find(mine) else { continue };
        let cells = (start..area.width).take_while(mine).count();
        let label = human(bar.to.saturating_sub(bar.from));
        let figures = label.strip_suffix(" ms").unwrap_or(&label).to_owned();
        let inset = u16::from(cells > text::width(&label));
        let Some(label) = [label, figures].into_iter().find(|label| text::width(label) <= cells) else { continue };
        if start + inset >= free {
            let x = area.left() + start + inset;
            free = start + inset + u16::try_from(text::width(&label)).unwrap_or(0) + 1;
            pen.put(x, area.y, area.right(), &label, Role::Dim);
        }
    }
}

/// For each eighth of a cell, the bar that is there.
fn owners(axis: Axis, bars: &[Bar]) -> Vec<Option<usize>> {
    let mut owners = vec![None; usize::from(axis.cells) * 8];
    for (index, bar) in bars.iter().enumerate() {
        let from = usize::try_from(axis.eighths(bar.from)).unwrap_or(0).min(owners.len().saturating_sub(1));
        // Something that happened is seen, however short it was.
        let to = usize::try_from(axis.eighths(bar.to)).unwrap_or(0).clamp(from + 1, owners.len().max(from + 1));
        for owner in owners.iter_mut().take(to).skip(from) {
            *owner = Some(index);
        }
    }
    owners
}

fn cell_of(owners: &[Option<usize>], cell: u16) -> &[Option<usize>] {
    let start = usize::from(cell) * 8;
    owners.get(start..start + 8).unwrap_or_default()
}

/// Ground and partial blocks: a boundary inside a cell is drawn where it is.
fn coloured(pen: &mut Pen<'_>, area: Rect, owners: &[Option<usize>], bars: &[Bar]) {
    // The row may be the selected one: what lies under the bars is what is there already.
    let ground = pen.buffer.cell((area.left(), area.y)).map_or(Color::Reset, |cell| cell.bg);
    let colour = |owner: Option<usize>| {
        owner.and_then(|index| bars.get(index)).and_then(|bar| pen.look.style(bar.role).fg).unwrap_or(ground)
    };
    let mut cells = Vec::new();
    for cell in 0..area.width {
        let eighths = cell_of(owners, cell);
        let (Some(first), Some(last)) = (eighths.first(), eighths.last()) else { break };
        if eighths.iter().all(Option::is_none) {
            continue;
        }
        if eighths.iter().all(|owner| owner == first) {
            cells.push((cell, " ", Style::new().bg(colour(*first))));
            continue;
        }
        let mut split = eighths.iter().take_while(|owner| *owner == first).count();
        let (mut left, mut right) = (*first, *last);
        if first.is_none() && last.is_none() {
            // A sliver in the middle: draw it at the left, where it begins at most seven eighths early.
            left = eighths.iter().copied().flatten().next();
            right = None;
            split = eighths.iter().filter(|owner| owner.is_some()).count();
        }
        let glyph = pen.glyphs().eighths[split.clamp(1, 7) - 1];
        cells.push((cell, glyph, Style::new().fg(colour(left)).bg(colour(right))));
    }
    for (cell, glyph, style) in cells {
        pen.styled(area.left() + cell, area.y, area.right(), glyph, style);
    }
}

/// Without colour: one shade per kind, in whole cells.
fn shaded(pen: &mut Pen<'_>, area: Rect, owners: &[Option<usize>], bars: &[Bar]) {
    let unicode = !pen.glyphs().eighths[0].is_empty();
    for cell in 0..area.width {
        let owner = cell_of(owners, cell).iter().flatten().next();
        let Some(bar) = owner.and_then(|index| bars.get(*index)) else { continue };
        pen.put(area.left() + cell, area.y, area.right(), shade(bar.role, unicode), bar.role);
    }
}

fn shade(role: Role, unicode: bool) -> &'static str {
    match role {
        Role::Failed => "x",
        Role::Undo => "<",
        Role::Fetch | Role::Check if unicode => "░",
        Role::Make | Role::Drain if unicode => "▒",
        Role::Start | Role::Ready if unicode => "█",
        _ if unicode => "▓",
        Role::Fetch | Role::Check => ".",
        Role::Make | Role::Drain => ":",
        Role::Start | Role::Ready => "#",
        _ => "=",
    }
}

/// What the bars of these steps mean: a sample and a word for each kind that is there, as many as `room` has place for. Bars are
/// often too short for their names.
pub fn legend<'a>(pen: &Pen<'_>, steps: impl Iterator<Item = &'a StepProgressed>, room: usize) -> Spans {
    let steps: Vec<_> = steps.filter(|step| step.started_ms.is_some()).map(Tone::of).collect();
    let unicode = !pen.glyphs().eighths[0].is_empty();
    let sign = |role| if pen.look.theme.colourful && unicode { "■" } else { shade(role, unicode) };
    let entry = |kind: Tone| [(sign(tone(kind)).to_owned(), tone(kind)), (format!(" {} ", kind.word()), Role::Dim)];
    let mut there: Vec<_> = Tone::ALL.into_iter().filter(|kind| steps.contains(kind)).map(entry).collect();
    // The first ones are the long ones, which have their names inside.
    while !there.is_empty() && spans_width(&there.concat()) > room {
        there.remove(0);
    }
    there.concat()
}

/// A name inside each stretch of cells that belongs to one bar alone and is wide enough.
fn names(pen: &mut Pen<'_>, area: Rect, owners: &[Option<usize>], bars: &[Bar]) {
    for (index, bar) in bars.iter().enumerate() {
        let whole = |cell: &u16| cell_of(owners, *cell).iter().all(|owner| *owner == Some(index));
        let Some(start) = (0..area.width).find(whole) else { continue };
        let cells = (start..area.width).take_while(|cell| whole(cell)).count();
        let name_width = text::width(bar.name);
        if cells < name_width {
            continue;
        }
        let inset = u16::from(cells > name_width);
        let ink = pen.look.style(Role::InkOn);
        let style = if pen.look.theme.colourful {
            // The ink is the ground's colour; where the ground is the terminal's own, black stands on any bar.
            let fg = match ink.fg {
                Some(Color::Reset) | None => Color::Black,
                Some(fg) => fg,
            };
            Style::new().fg(fg).add_modifier(ink.add_modifier & Modifier::BOLD)
        } else {
            ink
        };
        pen.styled(area.left() + start + inset, area.y, area.right(), bar.name, style);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_axis_grows_in_strides_and_fits_at_the_end() {
        assert_eq!([0, 400, 480, 900, 950, 1_300].map(stride), [500, 500, 750, 1_000, 1_500, 1_500]);
        assert_eq!(Axis::new(1_234, false, 60).span, 1_234);
    }

    #[test]
    fn ticks_are_round_and_apart() {
        let labels = |span, cells| Axis { span, cells }.ticks().into_iter().map(|(_, l)| l).collect::<Vec<_>>();
        assert_eq!(labels(1_234, 60), ["0", "500", "1000"]);
        assert_eq!(labels(30_000, 60), ["0s", "5s", "10s", "15s", "20s", "25s", "30s"]);
        assert_eq!(labels(2_500, 40), ["0s", "1s", "2s"]);
        assert_eq!(labels(300_000, 40), ["0m", "1m40", "3m20", "5m"]);
    }

    #[test]
    fn every_bar_is_seen_and_lies_on_the_axis() {
        let axis = Axis { span: 1_000, cells: 10 };
        let bar = |from, to| Bar { from, to, role: Role::Stop, name: "stop", growing: false };
        let owners = owners(axis, &[bar(0, 500), bar(500, 500), bar(990, 5_000)]);
        assert_eq!(owners.iter().filter(|o| **o == Some(0)).count(), 40);
        assert_eq!(owners.iter().filter(|o| **o == Some(1)).count(), 1);
        assert_eq!(owners.last(), Some(&Some(2)));
    }
}
