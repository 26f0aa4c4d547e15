//! Below the waterfall: all about the row under the cursor, and about the whole once it has ended.

use super::super::keymap::Action;
use super::super::model::Model;
use super::super::operation::{Lanes, OpView, View, is_shown, took};
use super::super::text;
use super::super::theme::Role;
use super::super::words;
use super::operation::label;
use super::pen::{Pen, Spans};
use super::{strip, waterfall};
use crate::domain::duration::human;
use crate::domain::plan;
use crate::domain::progress::{Status, StepProgressed};

/// Title and lines about the row under the cursor, and about the whole when it has ended.
pub fn lines(pen: &Pen<'_>, op: &OpView, model: &Model, width: usize) -> (Spans, Vec<Spans>) {
    let mut lines = Vec::new();
    let elapsed = op.elapsed(model.now);
    let lanes = op.lanes();
    let (title, steps): (String, Vec<&StepProgressed>) = match op.view {
        View::Instances => match lanes.get(op.selected) {
            Some(lane) => (label(*lane).to_owned(), op.steps_of(*lane).filter(|step| is_shown(step)).collect()),
            None => (String::new(), Vec::new()),
        },
        View::Steps => match op.shown_steps().nth(op.selected) {
            Some(step) => {
                let who = step.plan.instance.as_ref().map_or("all", |name| name.short());
                (format!("{who} {} {}", pen.glyphs().cursor, waterfall::name(step.plan.action)), vec![step])
            }
            None => (String::new(), Vec::new()),
        },
    };
    // Trouble first, whole.
    for step in steps.iter().filter(|step| step.error.is_some()) {
        let name = waterfall::name(step.plan.action);
        push(&mut lines, name, step.error.as_deref().unwrap_or_default(), Role::Bad, width);
    }
    if op.progress.is_over() {
        conclusion(pen, op, model, width, &mut lines);
    }
    if op.view == View::Instances {
        identity(pen, lanes.get(op.selected).copied().flatten(), width, &mut lines);
    }
    for step in steps.iter().filter(|step| step.status == Status::Running) {
        let name = waterfall::name(step.plan.action);
        let mut figures = human(took(step, elapsed));
        if let Some((done, total, note)) = &step.progress {
            let so_far = match step.plan.action {
                plan::Action::Drain if *total > 0 => sessions(pen, *done, *total),
                _ => progress(*done, *total, note),
            };
            figures = format!("{figures}  {so_far}");
        }
        push(&mut lines, name, &figures, Role::Busy, width);
    }
    if let Some(cause) = steps.iter().map(|step| step.plan.cause.as_str()).find(|cause| !cause.is_empty()) {
        push(&mut lines, "because", cause, Role::Text, width);
    }
    if op.view == View::Instances {
        let figures: Vec<String> = steps
            .iter()
            .filter(|step| step.took_ms.is_some())
            .map(|step| {
                let detail = step.detail.as_ref().map_or_else(String::new, |detail| format!(" ({detail})"));
                format!("{} {}{detail}", waterfall::name(step.plan.action), human(took(step, elapsed)))
            })
            .collect();
        if !figures.is_empty() {
            push(&mut lines, "steps", &figures.join(&format!(" {} ", pen.glyphs().sep)), Role::Dim, width);
        }
    } else if let Some(detail) = steps.first().and_then(|step| step.detail.as_ref()) {
        push(&mut lines, "detail", detail, Role::Text, width);
    }
    (vec![(title, Role::Title)], lines)
}

/// What became of an instance's address, where that was judged.
fn identity(pen: &Pen<'_>, lane: Lanes<'_>, width: usize, lines: &mut Vec<Spans>) {
    let Some((lane, verdict)) = lane.and_then(|lane| Some((lane, lane.verdict?))) else { return };
    let role = words::verdict(verdict).role;
    if let (Some(before), Some(after)) = (lane.address_before(), lane.address_after()) {
        let arrow = pen.glyphs().arrow;
        let same = if before == after { before.to_owned() } else { format!("{before} {arrow} {after}") };
        push(lines, "address", &same, role, width);
    }
    for reason in &lane.reasons {
        push(lines, "identity", reason, role, width);
    }
}

/// `1.4 s: pull 312 ms, stop 406 ms in 4, start 490 ms in 4`: the longest chain, each kind of step once; what takes less than a
/// twentieth of it would make nothing faster.
fn critical(op: &OpView) -> Option<String> {
    let path = op.progress.critical_path();
    let mut kinds: Vec<(&str, u64, usize)> = Vec::new();
    for step in path.iter().map(|id| &op.progress.steps[*id]) {
        let (name, ms) = (waterfall::name(step.plan.action), step.took_ms.unwrap_or(0));
        match kinds.iter_mut().find(|(kind, ..)| *kind == name) {
            Some((_, sum, count)) => (*sum, *count) = (sum.saturating_add(ms), *count + 1),
            None => kinds.push((name, ms, 1)),
        }
    }
    let said = |(name, ms, count): &(&str, u64, usize)| match count {
        1 => format!("{name} {}", human(*ms)),
        _ => format!("{name} {} in {count}", human(*ms)),
    };
    let all = op.progress.critical_ms();
    let parts: Vec<String> = kinds.iter().filter(|(_, ms, _)| ms.saturating_mul(20) >= all).map(said).collect();
    (path.len() > 1).then(|| format!("{}: {}", human(all), parts.join(", ")))
}

/// `sessions 12 → 3`.
fn sessions(pen: &Pen<'_>, ended: u64, most: u64) -> String {
    format!("sessions {most} {} {}", pen.glyphs().arrow, most.saturating_sub(ended))
}

fn progress(done: u64, total: u64, note: &str) -> String {
    if total == 0 {
        return note.to_owned();
    }
    format!("{} of {} ({} %)  {note}", text::bytes(done), text::bytes(total), done * 100 / total)
}

/// The end in words: what happened, what runs where, the slowest steps, what to press.
fn conclusion(pen: &Pen<'_>, op: &OpView, model: &Model, width: usize, lines: &mut Vec<Spans>) {
    let Some(finished) = &op.progress.finished else { return };
    let role = strip::outcome(pen, op).1;
    let told =
        |error: &String| op.progress.steps.iter().any(|step| step.error.as_ref().is_some_and(|e| error.ends_with(e)));
    // What a failed step says stands with the step.
    if let Some(error) = finished.error.as_ref().filter(|error| !told(error) || op.view == View::Steps) {
        push(lines, "error", error, Role::Bad, width);
    }
    push(lines, "in all", &op.progress.summary(), role, width);
    for sentence in &finished.state {
        match sentence.strip_prefix("next: ") {
            Some(advice) => push(lines, "next", advice, Role::Text, width),
            None => push(lines, if op.at.is_some() { "then" } else { "now" }, sentence, role, width),
        }
    }
    let slowest: Vec<String> = op
        .progress
        .slowest(3)
        .into_iter()
        .map(|step| {
            let who = step.plan.instance.as_ref().map_or("all", |name| name.short());
            format!("{who} {} {}", waterfall::name(step.plan.action), human(took(step, 0)))
        })
        .collect();
    if !slowest.is_empty() {
        push(lines, "slowest", &slowest.join(&format!(" {} ", pen.glyphs().sep)), Role::Dim, width);
    }
    if let Some(critical) = critical(op) {
        push(lines, "critical *", &critical, Role::Dim, width);
    }
    let key = |action| model.keys.key(model.place(), action).unwrap_or("?").to_owned();
    let to = if model.history.is_some() { "history" } else { "fleet" };
    let mut next = format!("{} back to the {to}, {} every step by itself", key(Action::Back), key(Action::NextPane));
    if op.can_retry() && !model.read_only {
        let again = if op.at.is_some() { Action::Resume } else { Action::Retry };
        next = format!("{} tries again what failed or was not begun, {next}", key(again));
    }
    push(lines, "next", &next, Role::Dim, width);
}

/// A labelled sentence, wrapped below itself.
fn push(lines: &mut Vec<Spans>, label: &str, sentence: &str, role: Role, width: usize) {
    const LABEL: usize = 11;
    for (i, part) in text::wrap(sentence, width.saturating_sub(LABEL)).into_iter().enumerate() {
        let label = if i == 0 { label } else { "" };
        lines.push(vec![(format!("{label:<LABEL$}"), Role::Dim), (part, role)]);
    }
}
