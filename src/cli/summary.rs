//! The end of an operation, for people: a sentence, the addresses before and after, where the time went, what to do next.
//!
//! Words what [`Progress`] holds; counts and judges nothing itself.

use super::exit::{self, Judged};
use super::human::{label, millis};
use super::names::Names;
use super::style::{DIM, GOOD, Glyphs, HEAD, paint};
use super::table::{self, Cell};
use crate::domain::duration::human;
use crate::domain::event::Outcome;
use crate::domain::identity::{Address, Identity, Verdict};
use crate::domain::plan::Kind;
use crate::domain::progress::{InstanceProgress, Progress};

/// How many of the slowest steps are named.
const SLOWEST: usize = 3;

/// The exit code; an operation whose stream broke off was interrupted.
pub fn code(progress: &Progress, terminated: bool) -> u8 {
    let kind = progress.planned.as_ref().map_or(Kind::Deploy, |planned| planned.kind);
    let outcome = progress.finished.as_ref().map_or(Outcome::Interrupted, |finished| finished.outcome);
    let judged = |instance: &InstanceProgress| Judged { existed: instance.before.is_some(), verdict: instance.verdict };
    exit::code(kind, outcome, &progress.stay().map(judged).collect::<Vec<_>>(), terminated)
}

/// The closing sentence.
pub fn sentence(progress: &Progress) -> String {
    paint(HEAD, &progress.summary())
}

/// Instances, addresses, verdicts, gaps; then the slowest steps.
pub fn table(progress: &Progress, names: &Names, glyphs: Glyphs) -> Vec<String> {
    let none = || Cell(glyphs.none.to_owned(), DIM);
    let told = progress.instances.iter().filter(|instance| instance.verdict.is_some() || instance.gap.is_some());
    let rows: Vec<Vec<Cell>> = told
        .map(|instance| {
            vec![
                names.show(Some(&instance.name)).into(),
                addresses(instance, glyphs).into(),
                match instance.verdict {
                    // It took another's place and has kept nothing: its address is its own.
                    Some(Verdict::Kept) if progress.is_new(instance) => Cell(format!("{} new", glyphs.ok), GOOD),
                    verdict => verdict.map_or_else(none, |verdict| glyphs.verdict(verdict).into()),
                },
                instance.gap.as_ref().map_or_else(none, |(gap, _)| millis(*gap).into()),
            ]
        })
        .collect();
    let mut lines = Vec::new();
    if !rows.is_empty() {
        let table = table::render(&["INSTANCE", "ADDRESS", "VERDICT", "GAP"], &rows);
        lines.extend(table.into_iter().map(|line| format!("  {line}")));
    }
    lines.extend(slowest(progress, names));
    lines
}

/// Worth a line only where there was something to choose from.
fn slowest(progress: &Progress, names: &Names) -> Option<String> {
    if progress.slowest(SLOWEST + 1).len() <= SLOWEST {
        return None;
    }
    let steps = progress.slowest(SLOWEST).into_iter().map(|step| {
        let what = label(step.plan.action, step.plan.lane);
        format!("{} {what} {}", names.show(step.plan.instance.as_ref()), human(step.took_ms.unwrap_or(0)))
    });
    Some(paint(DIM, &format!("  slowest: {}", steps.collect::<Vec<_>>().join(", "))))
}

/// What runs where now, and what to do next: as the operation tells it, or what is half done where its end was not
/// waited for.
pub fn state(progress: &Progress, names: &Names) -> Vec<String> {
    if let Some(finished) = &progress.finished {
        return finished.state.clone();
    }
    let list = |instances: Vec<&InstanceProgress>, word: &str| {
        let list: Vec<&str> = instances.into_iter().map(|instance| names.show(Some(&instance.name))).collect();
        if list.is_empty() { None } else { Some(format!("{word}: {}", list.join(", "))) }
    };
    let done = list(progress.instances.iter().filter(|instance| progress.is_complete(instance)).collect(), "done");
    let half = list(progress.in_flight().collect(), "half done");
    let next = progress.op.as_ref().map_or_else(
        || "next: run the same command again; what is done already is left alone".to_owned(),
        |op| format!("next: `pitstop resume {op}` does what is left, `pitstop abort {op}` takes back what is done"),
    );
    done.into_iter().chain(half).chain([next]).collect()
}

/// `172.18.0.3`, or `172.18.0.3 → 172.18.0.9`.
fn addresses(instance: &InstanceProgress, glyphs: Glyphs) -> String {
    let show = |identity: Option<&Identity>| identity.map(ips).filter(|text| !text.is_empty());
    let (before, after) = (show(instance.before.as_ref()), show(instance.after.as_ref()));
    match (before, after) {
        (Some(before), Some(after)) if before == after => after,
        (None, Some(after)) => after,
        (None, None) => glyphs.none.to_owned(),
        (before, after) => {
            let word = |text: Option<String>| text.unwrap_or_else(|| "none".to_owned());
            format!("{} {} {}", word(before), glyphs.arrow, word(after))
        }
    }
}

/// All addresses, by network.
fn ips(identity: &Identity) -> String {
    let one = |address: &Address| address.ipv4.clone().or_else(|| address.ipv6.clone());
    identity.networks.values().filter_map(one).collect::<Vec<_>>().join(" ")
}
