//! The last operation in a few lines, on the home screen.

use super::super::model::Model;
use super::super::operation::OpView;
use super::super::text;
use super::super::theme::Role;
use super::super::words;
use super::pen::{Pen, Spans};
use super::waterfall::{self, Axis};
use crate::domain::duration::human;
use crate::domain::event::Outcome;
use ratatui::layout::Rect;

/// The one that runs, else the last.
fn shown(model: &Model) -> Option<&OpView> {
    model.operations.iter().rev().find(|op| op.is_running()).or(model.operations.last())
}

/// Lines wanted: title and one per instance, a few at most.
pub fn height(model: &Model) -> u16 {
    shown(model).map_or(0, |op| 1 + u16::try_from(op.lanes().len().clamp(1, 6)).unwrap_or(6))
}

/// `Last operation · deploy web:v1 → web:v2 · 1.9 s · 4 kept · gap 0.21 s`.
pub fn title(pen: &Pen<'_>, model: &Model) -> Spans {
    let Some(op) = shown(model) else { return Vec::new() };
    let mut spans = vec![(if op.is_running() { "Now" } else { "Last operation" }.to_owned(), Role::Title)];
    for (part, role) in summary(pen, op, model.now) {
        spans.push((format!(" {} ", pen.glyphs().sep), Role::Rule));
        spans.push((part, role));
    }
    spans
}

/// In one line, for narrow screens.
pub fn line(pen: &mut Pen<'_>, model: &Model, area: Rect) {
    let spans = title(pen, model);
    let x = pen.put(area.x, area.y, area.right(), " ", Role::Text);
    pen.spans(x, area.y, area.right(), &spans);
}

/// What it was, how it went, how long it took, what became of the addresses.
pub fn summary(pen: &Pen<'_>, op: &OpView, now: std::time::Duration) -> Spans {
    let mut parts = vec![(op.title(), Role::Text)];
    if let Some(change) = change(pen, op) {
        parts.push((change, Role::Dim));
    }
    parts.push(outcome(pen, op));
    parts.push((human(op.elapsed(now)), Role::Text));
    parts.extend(verdicts(op));
    if let Some(gap) = op.progress.longest_gap() {
        parts.push((format!("gap {}", gap_text(gap)), Role::Dim));
    }
    parts
}

/// `web:v1 → web:v2`.
pub fn change(pen: &Pen<'_>, op: &OpView) -> Option<String> {
    let planned = op.progress.planned.as_ref()?;
    let dots = pen.glyphs().dots;
    match (&planned.from, &planned.to) {
        (Some(from), Some(to)) if from != to => {
            Some(format!("{} {} {}", text::image(from, 24, dots), pen.glyphs().arrow, text::image(to, 24, dots)))
        }
        (_, Some(to)) => Some(text::image(to, 24, dots)),
        _ => None,
    }
}

/// How it stands.
pub fn outcome(pen: &Pen<'_>, op: &OpView) -> (String, Role) {
    let g = pen.glyphs();
    let (symbol, word, role) = match &op.progress.finished {
        None if op.broken_off => (g.bad, "broken off", Role::Bad),
        None if op.waiting().is_some() => (g.warn, "waiting for you", Role::Warn),
        None if op.progress.cancelled.is_some() => (g.part, "stopping", Role::Warn),
        None => (g.cursor, "running", Role::Busy),
        Some(finished) => match finished.outcome {
            Outcome::Succeeded => (g.good, "succeeded", Role::Good),
            Outcome::Failed => (g.bad, "failed", Role::Bad),
            Outcome::Paused => (g.warn, "paused on failure", Role::Warn),
            Outcome::Aborted => (g.bad, "aborted", Role::Warn),
            Outcome::RolledBack => (g.warn, "failed, rolled back", Role::Warn),
            Outcome::Interrupted => (g.bad, "interrupted", Role::Bad),
        },
    };
    (format!("{symbol} {word}"), role)
}

/// `4 kept`, and what was not, loudest first.
pub fn verdicts(op: &OpView) -> Spans {
    use crate::domain::identity::Verdict;
    let mut counts: Vec<(words::Word, usize)> = Vec::new();
    for verdict in [Verdict::Lost, Verdict::Orphaned, Verdict::Changed, Verdict::Unprotected, Verdict::Kept] {
        for instance in op.progress.instances.iter().filter(|instance| instance.verdict == Some(verdict)) {
            let word = op.verdict(instance, verdict);
            match counts.iter_mut().find(|(counted, _)| counted.word == word.word) {
                Some((_, n)) => *n += 1,
                None => counts.push((word, 1)),
            }
        }
    }
    counts.into_iter().map(|(word, n)| (format!("{n} {}", word.word), word.role)).collect()
}

/// Gaps are small: a decimal below ten milliseconds.
pub fn gap_text(ms: f64) -> String {
    if ms < 10.0 { format!("{ms:.1} ms") } else { human(whole(ms)) }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a measured gap is positive and small")]
fn whole(ms: f64) -> u64 {
    ms.round().max(0.0) as u64
}

/// One line per instance: name, bars, time, verdict.
pub fn bars(pen: &mut Pen<'_>, model: &Model, area: Rect) {
    let Some(op) = shown(model) else { return };
    let elapsed = op.elapsed(model.now);
    let rows = op.lanes();
    let names = rows.iter().map(|name| text::width(name.map_or("all", |lane| lane.name.short()))).max().unwrap_or(3);
    let names = u16::try_from(names.clamp(3, 18)).unwrap_or(18);
    let figures = 9 + 2 + 2;
    if area.width < names + figures + 14 {
        return;
    }
    let lane = Rect { x: area.x + 2 + names + 1, width: area.width - names - 3 - figures, height: 1, ..area };
    let axis = Axis::new(elapsed, op.is_running(), lane.width);
    // Those that run or ran last are worth the room.
    let height = usize::from(area.height);
    let first = rows.len().saturating_sub(height);
    let active = rows.iter().rposition(|name| op.steps_of(*name).any(|step| step.started_ms.is_some())).unwrap_or(0);
    let first = first.min((active + 1).saturating_sub(height));
    for (i, name) in rows.iter().enumerate().skip(first).take(height) {
        let y = area.y + u16::try_from(i - first).unwrap_or(0);
        let label = name.map_or("all", |lane| lane.name.short());
        pen.spans(area.x + 2, y, area.x + 2 + names, &[(label.to_owned(), Role::Text)]);
        let bars: Vec<_> = op.steps_of(*name).filter_map(|step| waterfall::bar(step, elapsed)).collect();
        waterfall::row(pen, Rect { y, ..lane }, axis, &bars);
        let total: Spans =
            op.busy(*name, elapsed).map(|ms| vec![(format!("{:>9}", human(ms)), Role::Dim)]).unwrap_or_default();
        let x = pen.spans(lane.right() + 1, y, area.right(), &total);
        if let Some(verdict) = name.and_then(|lane| lane.verdict) {
            let word = words::verdict(verdict);
            pen.put(x + 1, y, area.right(), word.symbol.of(pen.look.glyphs), word.role);
        }
    }
}
