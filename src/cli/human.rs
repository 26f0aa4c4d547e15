//! An operation's events as lines for people: one per finished step, and what else happens on the way.
//!
//! From events to text and nothing else: no printing, no clock. The beginning is [`super::preview`]'s and the end
//! [`super::summary`]'s; here is what comes between.
#![warn(clippy::wildcard_enum_match_arm)]

use super::names::Names;
use super::style::{BAD, CARE, DIM, GOOD, Glyphs, HEAD, PLAIN, pad, paint};
use crate::domain::duration::human;
use crate::domain::event::{EventKind, GapMeasured, IdentityJudged, OpEvent, StepFinished, StepResult, Urgency};
use crate::domain::identity::Verdict;
use crate::domain::plan::{Action, Lane};
use crate::domain::progress::{Progress, Status};
use clap::builder::styling::Style;

/// A wait worth mentioning, in milliseconds: below it, it is the machine's own breath.
const WAIT_SHOWN_MS: u64 = 50;

/// The lines for one event; most have none.
pub fn lines(event: &OpEvent, names: &Names, glyphs: Glyphs) -> Vec<String> {
    let at = event.elapsed_ms;
    match &event.kind {
        EventKind::Planned(planned) => {
            let notes = planned.notes.iter().map(|note| paint(DIM, &format!("  {note}")));
            std::iter::once(super::preview::headline(planned, glyphs)).chain(notes).collect()
        }
        EventKind::StepFinished(step) => finished(at, step, names, glyphs).into_iter().collect(),
        EventKind::IdentityJudged(judgement) => judged(at, judgement, names, glyphs).into_iter().collect(),
        EventKind::GapMeasured(measured) => vec![gap(at, measured, names)],
        EventKind::GateReached { reason, .. } => vec![said(at, CARE, reason)],
        EventKind::Paused { reason } => vec![said(at, CARE, &format!("paused: {reason}"))],
        EventKind::Resumed { reason } => vec![said(at, GOOD, &format!("going on: {reason}"))],
        EventKind::CancelRequested { urgency, by } => {
            let by = by.as_ref().map_or(String::new(), |by| format!("{by}: "));
            vec![said(at, CARE, &format!("{by}{}", cancelled(*urgency)))]
        }
        EventKind::Noted { message } => vec![said(at, CARE, message)],
        EventKind::EngineLost { grace_ms } => {
            let text =
                format!("the engine does not answer: waiting for it, at most {}; nothing is lost", human(*grace_ms));
            vec![said(at, CARE, &text)]
        }
        EventKind::EngineBack { after_ms } => {
            vec![said(at, GOOD, &format!("the engine is back after {}: going on", human(*after_ms)))]
        }
        EventKind::StepStarted(_) | EventKind::StepProgress(_) | EventKind::Finished(_) | EventKind::Unknown => {
            Vec::new()
        }
    }
}

/// What runs at this moment, in one line; empty when nothing does.
pub fn passing(progress: &Progress, names: &Names, glyphs: Glyphs) -> String {
    let running = progress.steps.iter().filter(|step| step.status == Status::Running);
    // What has figures to show is what a person waits for.
    let (with, without): (Vec<_>, Vec<_>) = running.partition(|step| step.progress.is_some());
    let parts: Vec<String> = with
        .into_iter()
        .chain(without)
        .map(|step| {
            let what = format!("{} {}", names.show(step.plan.instance.as_ref()), step.plan.action);
            let so_far = step.progress.as_ref().map(|(done, total, note)| amount(*done, *total, note));
            [Some(what), so_far].into_iter().flatten().collect::<Vec<_>>().join(" ")
        })
        .collect();
    if parts.is_empty() { String::new() } else { format!("  {} {}", glyphs.ellipsis, parts.join(" · ")) }
}

fn finished(at: u64, step: &StepFinished, names: &Names, glyphs: Glyphs) -> Option<String> {
    let said = step.error.as_ref().or(step.detail.as_ref());
    // A way back that was not needed, or a step that a failure left out, says nothing new.
    if step.result == StepResult::Skipped && (said.is_none() || step.lane == Lane::Undo) {
        return None;
    }
    let result = glyphs.result(step.result);
    let took = if step.result == StepResult::Skipped { String::new() } else { human(step.took_ms) };
    let waited = (step.waited_ms > WAIT_SHOWN_MS).then(|| paint(DIM, &format!("waited {}", human(step.waited_ms))));
    let said = said.map(|said| if step.result == StepResult::Failed { paint(BAD, said) } else { said.clone() });
    let more: Vec<String> = waited.into_iter().chain(said).collect();
    Some(row(at, names.show(step.instance.as_ref()), names, &label(step.action, step.lane), result, &took, &more))
}

/// Only a verdict that is bad news has a line of its own; all are in the summary.
fn judged(at: u64, judged: &IdentityJudged, names: &Names, glyphs: Glyphs) -> Option<String> {
    if matches!(judged.verdict, Verdict::Kept | Verdict::Unprotected) {
        return None;
    }
    let name = names.show(Some(&judged.instance));
    Some(row(at, name, names, "identity", glyphs.verdict(judged.verdict), "", &[judged.reasons.join("; ")]))
}

fn gap(at: u64, gap: &GapMeasured, names: &Names) -> String {
    let why = paint(DIM, &format!("without an answer at {}", gap.probe));
    row(at, names.show(Some(&gap.instance)), names, "gap", (String::new(), PLAIN), &millis(gap.gap_ms), &[why])
}

/// The columns of all lines: moment, instance, action, result, time taken, and what there is to say.
fn row(
    at: u64,
    name: &str,
    names: &Names,
    action: &str,
    (result, style): (String, Style),
    took: &str,
    more: &[String],
) -> String {
    let (name, action, result) = (pad(name, names.width), pad(action, 14), paint(style, &pad(&result, 11)));
    let line = format!("{}  {name}  {action}  {result}  {took:>8}  {}", stamp(at), more.join("  "));
    line.trim_end().to_owned()
}

/// What a request to stop means, and what the next one would.
fn cancelled(urgency: Urgency) -> &'static str {
    match urgency {
        Urgency::Finish => "finishing the instances in flight; Ctrl-C again aborts and puts them back",
        Urgency::Abort => "aborting: the instances in flight are put back; Ctrl-C again leaves them as they are",
        Urgency::AbortAll => "aborting: all instances are put back, those done as well",
        Urgency::Leave => "leaving as soon as no change is under way; Ctrl-C again does not wait for that",
    }
}

fn said(at: u64, style: Style, text: &str) -> String {
    format!("{}  {}", stamp(at), paint(style, text))
}

/// An action as shown; the way back is said to be one.
pub fn label(action: Action, lane: Lane) -> String {
    match lane {
        Lane::Main => action.to_string(),
        Lane::Undo => format!("{action} (undo)"),
    }
}

/// A gap: `0.8 ms`, `118 ms`, `1.21 s`.
pub fn millis(ms: f64) -> String {
    if ms < 10.0 {
        return format!("{ms:.1} ms");
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "ten or more, and casts saturate")]
    let whole = ms.round() as u64;
    human(whole)
}

/// Seconds since the operation began.
fn stamp(ms: u64) -> String {
    paint(HEAD, &format!("{:>7}.{:03} s", ms / 1000, ms % 1000))
}

/// Progress of a step: bytes where the figures are that large, else plain counts.
fn amount(done: u64, total: u64, note: &str) -> String {
    const MEGABYTE: u64 = 1_000_000;
    let unit = |n: u64| format!("{}.{}", n / MEGABYTE, n % MEGABYTE / 100_000);
    let figures = match (done, total) {
        (0, 0) => String::new(),
        (done, 0) if done >= 100_000 => format!("{} MB", unit(done)),
        (done, 0) => done.to_string(),
        (done, total) if total >= 100_000 => format!("{}/{} MB", unit(done), unit(total)),
        (done, total) => format!("{done}/{total}"),
    };
    [figures.as_str(), note].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}
