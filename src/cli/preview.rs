//! A plan as lines for people: what `--dry-run` prints, and the headline every operation begins with.
//!
//! Reads the public face of the plan, the same that `--json` shows. Decides nothing.

use super::human::label;
use super::names::Names;
use super::style::{CARE, DIM, Glyphs, HEAD, paint};
use super::table::{self, Cell};
use crate::domain::event::{Planned, PlannedStep};
use crate::domain::options::{Gate, OnFailure};
use crate::domain::plan::Lane;

/// `deploy shop/web  web:v1 → web:v2  3 instances in 3 batches`.
pub fn headline(planned: &Planned, glyphs: Glyphs) -> String {
    let mut parts = vec![paint(HEAD, &format!("{} {}", planned.kind, planned.app))];
    match (&planned.from, &planned.to) {
        (Some(from), Some(to)) if from != to => parts.push(format!("{from} {} {to}", glyphs.arrow)),
        (_, Some(image)) | (Some(image), None) => parts.push(image.clone()),
        (None, None) => {}
    }
    let instances = count(planned.batches.iter().map(Vec::len).sum::<usize>() - planned.replaces.len(), "instance");
    match planned.batches.len() {
        0 => {}
        1 => parts.push(instances),
        batches => parts.push(format!("{instances} in {batches} batches")),
    }
    parts.join("  ")
}

/// The whole plan, with each step's needs and cause.
pub fn lines(planned: &Planned, glyphs: Glyphs) -> Vec<String> {
    let names = Names::of(planned);
    let mut lines = vec![headline(planned, glyphs)];
    lines.extend(planned.notes.iter().map(|note| format!("  {} {note}", paint(CARE, glyphs.care))));
    lines.extend(control(planned).map(|line| format!("  {} {line}", paint(CARE, glyphs.care))));
    let rows: Vec<Vec<Cell>> = planned.steps.iter().map(|step| row(step, &names)).collect();
    // One table, so that the columns of all parts stand below each other.
    let mut table = table::render(&["STEP", "INSTANCE", "ACTION", "AFTER", "BECAUSE"], &rows).into_iter();
    if !rows.is_empty() {
        lines.extend(table.next().map(|heading| format!("  {heading}")));
    }
    let mut part = None;
    for (step, row) in planned.steps.iter().zip(table) {
        let this = (step.lane, step.batch.filter(|_| step.lane == Lane::Main));
        if part != Some(this) {
            part = Some(this);
            lines.push(paint(HEAD, &title(step, planned, &names)));
        }
        lines.push(format!("  {row}"));
    }
    if rows.is_empty() {
        lines.push("nothing to do: everything is as wanted".to_owned());
    }
    lines
}

/// Where a person is asked, and what a failure does, where there is more than one instance.
fn control(planned: &Planned) -> impl Iterator<Item = &'static str> {
    let gate = match planned.gate {
        Gate::Auto => None,
        Gate::First => Some("it waits for a go after the first batch"),
        Gate::Every => Some("it waits for a go after every batch but the last"),
    };
    let failure = match planned.on_failure {
        OnFailure::Pause => None,
        OnFailure::Rollback => Some("when an instance fails, all are put back"),
    };
    let gate = gate.filter(|_| planned.batches.len() > 1);
    gate.into_iter().chain(failure.filter(|_| !planned.batches.is_empty()))
}

fn title(step: &PlannedStep, planned: &Planned, names: &Names) -> String {
    match (step.lane, step.batch) {
        (Lane::Undo, _) => "the way back, only if it fails or is aborted".to_owned(),
        (Lane::Main, None) => "for all".to_owned(),
        (Lane::Main, Some(batch)) => {
            let members = planned.batches.get(batch.wrapping_sub(1)).map_or(&[][..], Vec::as_slice);
            let members: Vec<&str> = members.iter().map(|name| names.show(Some(name))).collect();
            format!("batch {batch} of {}: {}", planned.batches.len(), members.join(", "))
        }
    }
}

fn row(step: &PlannedStep, names: &Names) -> Vec<Cell> {
    let needs: Vec<String> = step.needs.iter().map(ToString::to_string).collect();
    vec![
        format!("{:>4}", step.step).into(),
        names.show(step.instance.as_ref()).into(),
        label(step.action, step.lane).into(),
        Cell(needs.join(" "), DIM),
        step.cause.clone().into(),
    ]
}

/// `1 instance`, `3 instances`.
pub fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}
