//! The questions while an operation runs: at a gate, what was seen so far and shall it go on; and how to abort.
//!
//! The safe answer is the one that Enter or Esc gives: it waits, or goes on.

use super::super::operation::OpView;
use super::super::text;
use super::super::theme::Role;
use super::dialog::{framed, key, width};
use super::pen::{Pen, Spans};
use super::strip;
use crate::domain::plan::Action;
use crate::domain::progress::{InstanceProgress, Serving, Status};
use ratatui::layout::Rect;

/// What was seen of the batches that are done, who serves what, and what comes next.
pub fn ask(pen: &mut Pen<'_>, op: &OpView, area: Rect) {
    let Some((batch, _)) = &op.progress.gate else { return };
    let total = op.progress.planned.as_ref().map_or(0, |planned| planned.batches.len());
    let mut lines = vec![vec![(format!("batch {batch} of {total} is done. Go on?"), Role::Title)], Vec::new()];
    let done: Vec<&InstanceProgress> = op.progress.instances.iter().filter(|one| one.batch <= *batch).collect();
    // The latest are the news.
    let room = usize::from(area.height).saturating_sub(12).max(1);
    let earlier = done.len().saturating_sub(room);
    if earlier > 0 {
        lines.push(vec![(format!("{} before", text::count(earlier, "instance")), Role::Dim)]);
    }
    let names = done.iter().map(|one| text::width(one.name.short())).max().unwrap_or(0);
    lines.extend(done.iter().skip(earlier).map(|one| seen(pen, op, one, names, width(area))));
    lines.push(Vec::new());
    lines.push(serving(op));
    let next = op.progress.instances.iter().filter(|one| one.batch == batch + 1).map(|one| one.name.short());
    let next = next.collect::<Vec<_>>().join(", ");
    lines.extend(text::wrap(&format!("next: {next}"), width(area)).into_iter().map(|line| vec![(line, Role::Text)]));
    framed(pen, area, &op.title(), Role::Warn, &lines, &[key("g", "go on"), key("esc", "wait"), key("a", "abort")]);
}

/// `web-1  172.18.0.3 ✓ kept  gap 207 ms  tcp:8080 accepts`.
fn seen(pen: &Pen<'_>, op: &OpView, one: &InstanceProgress, names: usize, width: usize) -> Spans {
    let name = one.name.short();
    let mut spans = vec![(format!("{name}{}  ", " ".repeat(names.saturating_sub(text::width(name)))), Role::Text)];
    if let Some(address) = one.address_after() {
        spans.push((format!("{address} "), Role::Text));
    }
    if let Some(verdict) = one.verdict {
        let word = op.verdict(one, verdict);
        spans.push((format!("{} {}", word.symbol.of(pen.glyphs()), word.word), word.role));
    }
    if let Some((gap, _)) = &one.gap {
        spans.push((format!("  gap {}", strip::gap_text(*gap)), Role::Text));
    }
    let said =
        |action| op.steps_of(Some(one)).filter(|step| step.plan.action == action).find_map(|step| step.detail.clone());
    let answers = [Action::Drain, Action::Ready].into_iter().filter_map(said).collect::<Vec<_>>().join("; ");
    let room = width.saturating_sub(super::pen::spans_width(&spans) + 2);
    if let Some(first) = text::wrap(&answers, room.max(8)).into_iter().next() {
        spans.push((format!("  {}", first.trim_end_matches(';')), Role::Dim));
    }
    spans
}

/// `serving: 1 new, 3 old`.
fn serving(op: &OpView) -> Spans {
    let count = |wanted| op.progress.instances.iter().filter(|one| op.progress.serving(one) == Some(wanted)).count();
    let mut spans = vec![("serving: ".to_owned(), Role::Dim)];
    let (new, old, nobody) = (count(Serving::New), count(Serving::Old), count(Serving::Nobody));
    spans.push((format!("{new} new, {old} old"), Role::Text));
    if nobody > 0 {
        spans.push((format!(", {nobody} nobody"), Role::Warn));
    }
    if let Some(failed) = op.progress.failed_requests() {
        let role = if failed == 0 { Role::Good } else { Role::Bad };
        let failed = usize::try_from(failed).unwrap_or(usize::MAX);
        spans.push((format!("; {} failed", text::count(failed, "request")), role));
    }
    spans
}

/// What would become of whom.
pub fn abort(pen: &mut Pen<'_>, op: &OpView, area: Rect) {
    let list = |names: Vec<&str>| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    let flight = list(op.progress.in_flight().map(|one| one.name.short()).collect());
    let done: Vec<&str> =
        op.progress.instances.iter().filter(|one| op.progress.is_complete(one)).map(|one| one.name.short()).collect();
    let any_done = !done.is_empty();
    let removing =
        op.progress.steps.iter().any(|step| step.plan.action == Action::Remove && step.status != Status::Waiting);
    let mut lines = vec![vec![(format!("Abort {}?", op.title()), Role::Title)], Vec::new()];
    for (label, names) in [("in flight", flight), ("done", list(done))] {
        for (i, part) in text::wrap(&names, width(area).saturating_sub(11)).into_iter().enumerate() {
            lines.push(vec![(format!("{:<11}", if i == 0 { label } else { "" }), Role::Dim), (part, Role::Text)]);
        }
    }
    lines.push(vec![("Instances not begun stay as they are either way.".to_owned(), Role::Text)]);
    lines.push(Vec::new());
    let mut answers = vec![("f", "finish those in flight, leave what is done")];
    answers.push(("a", "put those in flight back, leave what is done"));
    if any_done && !removing {
        answers.push(("A", "put all back, those done as well"));
    }
    for (answer, what) in answers {
        lines.push(vec![(format!("{answer}  "), Role::Key), (what.to_owned(), Role::Text)]);
    }
    framed(pen, area, "Abort", Role::Warn, &lines, &[key("esc", "go on")]);
}
