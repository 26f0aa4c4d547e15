//! An operation's events as lines for people: one per finished step, and what else happens on the way.
//!
//! From events to text and nothing else: no printing, no clock. The beginning is [`super::preview`]'s and the end
//! [`super::summary`]'s; here is what comes between.
#![warn(clippy::wildcard_enum_match_arm)]

use super::names::Names;
use super::style::{BAD, CARE, DIM, GOOD, Glyphs, HEAD, pad, paint};
use crate::domain::duration::human;
use crate::domain::event::{
    EventKind, GapMeasured, IdentityJudged, OpEvent, Planned, StepFinished, StepResult, Urgency,
};
use crate::domain::identity::Verdict;
use crate::domain::plan::{Action, Lane, StepId};
use clap::builder::styling::Style;
use std::collections::BTreeMap;

/// A wait worth mentioning, in milliseconds: below it, it is the machine's own breath.
const WAIT_SHOWN_MS: u64 = 50;

/// Turns events into lines; keeps only what the next line needs.
#[derive(Debug)]
pub struct Human {
    glyphs: Glyphs,
    names: Names,
    /// What runs now, with its latest progress: for the passing line.
    running: BTreeMap<StepId, (String, String)>,
}

impl Human {
    pub fn new(glyphs: Glyphs) -> Self {
        Self { glyphs, names: Names::default(), running: BTreeMap::new() }
    }

    /// The lines for one event; most have none.
    pub fn lines(&mut self, event: &OpEvent) -> Vec<String> {
        match &event.kind {
            EventKind::Planned(planned) => self.planned(planned),
            EventKind::StepStarted(started) => {
                let what = format!("{} {}", self.names.show(started.instance.as_ref()), started.action);
                self.running.insert(started.step, (what, String::new()));
                Vec::new()
            }
            EventKind::StepProgress(progress) => {
                if let Some((_, so_far)) = self.running.get_mut(&progress.step) {
                    *so_far = amount(progress.done, progress.total, &progress.note);
                }
                Vec::new()
            }
            EventKind::StepFinished(finished) => {
                self.running.remove(&finished.step);
                self.finished(event.elapsed_ms, finished).into_iter().collect()
            }
            EventKind::IdentityJudged(judged) => self.judged(event.elapsed_ms, judged).into_iter().collect(),
            EventKind::GapMeasured(gap) => vec![self.gap(event.elapsed_ms, gap)],
            EventKind::GateReached { reason, .. } => vec![said(event, CARE, reason)],
            EventKind::Paused { reason } => vec![said(event, CARE, &format!("paused: {reason}"))],
            EventKind::Resumed { reason } => vec![said(event, GOOD, &format!("going on: {reason}"))],
            EventKind::CancelRequested { urgency } => vec![said(event, CARE, cancelled(*urgency))],
            EventKind::Finished(_) => {
                self.running.clear();
                Vec::new()
            }
            EventKind::Unknown => Vec::new(),
        }
    }

    /// What runs at this moment, in one line; empty when nothing does.
    pub fn passing(&self) -> String {
        let one = |(what, so_far): &(String, String)| {
            if so_far.is_empty() { what.clone() } else { format!("{what} {so_far}") }
        };
        // What has figures to show is what a person waits for.
        let (with, without): (Vec<_>, Vec<_>) = self.running.values().partition(|(_, so_far)| !so_far.is_empty());
        let parts: Vec<String> = with.into_iter().chain(without).map(one).collect();
        if parts.is_empty() { String::new() } else { format!("  {} {}", self.glyphs.ellipsis, parts.join(" · ")) }
    }

    fn planned(&mut self, planned: &Planned) -> Vec<String> {
        self.names = Names::of(planned);
        let mut lines = vec![super::preview::headline(planned, self.glyphs)];
        lines.extend(planned.notes.iter().map(|note| paint(DIM, &format!("  {note}"))));
        lines
    }

    fn finished(&self, at: u64, step: &StepFinished) -> Option<String> {
        let said = step.error.as_ref().or(step.detail.as_ref());
        // A way back that was not needed, or a step that a failure left out, says nothing new.
        if step.result == StepResult::Skipped && (said.is_none() || step.lane == Lane::Undo) {
            return None;
        }
        let (result, style) = self.glyphs.result(step.result);
        let what = label(step.action, step.lane);
        let took = if step.result == StepResult::Skipped { String::new() } else { human(step.took_ms) };
        let mut line = format!(
            "{}  {}  {}  {}  {took:>8}",
            stamp(at),
            pad(self.names.show(step.instance.as_ref()), self.names.width),
            pad(&what, 14),
            paint(style, &pad(&result, 11)),
        );
        let mut more = Vec::new();
        if step.waited_ms > WAIT_SHOWN_MS {
            more.push(paint(DIM, &format!("waited {}", human(step.waited_ms))));
        }
        if let Some(said) = said {
            more.push(if step.result == StepResult::Failed { paint(BAD, said) } else { said.clone() });
        }
        if !more.is_empty() {
            line.push_str("  ");
            line.push_str(&more.join("  "));
        }
        Some(line.trim_end().to_owned())
    }

    /// Only a verdict that is bad news has a line of its own; all are in the summary.
    fn judged(&self, at: u64, judged: &IdentityJudged) -> Option<String> {
        if matches!(judged.verdict, Verdict::Kept | Verdict::Unprotected) {
            return None;
        }
        let (verdict, style) = self.glyphs.verdict(judged.verdict);
        let why = judged.reasons.join("; ");
        Some(format!(
            "{}  {}  {}  {}            {why}",
            stamp(at),
            pad(self.names.show(Some(&judged.instance)), self.names.width),
            pad("identity", 14),
            paint(style, &pad(&verdict, 11)),
        ))
    }

    fn gap(&self, at: u64, gap: &GapMeasured) -> String {
        format!(
            "{}  {}  {}  {}  {:>8}  {}",
            stamp(at),
            pad(self.names.show(Some(&gap.instance)), self.names.width),
            pad("gap", 14),
            pad("", 11),
            millis(gap.gap_ms),
            paint(DIM, &format!("without an answer at {}", gap.probe)),
        )
    }
}

/// What a request to stop means, and what the next one would.
fn cancelled(urgency: Urgency) -> &'static str {
    match urgency {
        Urgency::Finish => "finishing the instances in flight; Ctrl-C again aborts and puts them back",
        Urgency::Abort => "aborting: the instances in flight are put back; Ctrl-C again leaves at once",
        Urgency::Leave => "leaving at once",
    }
}

fn said(event: &OpEvent, style: Style, text: &str) -> String {
    format!("{}  {}", stamp(event.elapsed_ms), paint(style, text))
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
