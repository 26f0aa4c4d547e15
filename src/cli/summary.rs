//! The end of an operation, for people: a sentence, the addresses before and after, where the time went, what to do next.
//!
//! Keeps the events it needs and words them. The figures are the events' own; the only thing it computes is the exit
//! code's input.

use super::exit::{self, Judged};
use super::human::{label, millis};
use super::names::Names;
use super::preview::count;
use super::style::{DIM, Glyphs, HEAD, paint};
use super::table::{self, Cell};
use crate::domain::duration::human;
use crate::domain::event::{Counts, EventKind, Finished, IdentityJudged, OpEvent, Outcome, Planned, StepFinished};
use crate::domain::identity::Identity;
use crate::domain::ids::InstanceName;
use crate::domain::plan::Kind;
use indexmap::{IndexMap, IndexSet};

/// How many of the slowest steps are named.
const SLOWEST: usize = 3;

/// What the end is told from.
#[derive(Debug, Default)]
pub struct Story {
    planned: Option<Planned>,
    steps: Vec<StepFinished>,
    judged: IndexMap<InstanceName, IdentityJudged>,
    gaps: IndexMap<InstanceName, f64>,
    finished: Option<Finished>,
}

/// The end in words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ending {
    /// The closing sentence.
    pub sentence: String,
    /// Instances, addresses, verdicts, gaps; the slowest steps.
    pub table: Vec<String>,
    /// What went wrong.
    pub error: Option<String>,
    /// What runs where now, and what to do next.
    pub state: Vec<String>,
}

impl Story {
    /// Keeps what the end needs.
    pub fn take(&mut self, event: &OpEvent) {
        match &event.kind {
            EventKind::Planned(planned) => self.planned = Some(planned.clone()),
            EventKind::StepFinished(step) => self.steps.push(step.clone()),
            EventKind::IdentityJudged(judged) => {
                self.judged.insert(judged.instance.clone(), judged.clone());
            }
            EventKind::GapMeasured(gap) => {
                self.gaps.insert(gap.instance.clone(), gap.gap_ms);
            }
            EventKind::Finished(finished) => self.finished = Some(finished.clone()),
            _ => {}
        }
    }

    /// The exit code; an operation whose stream broke off was interrupted.
    pub fn code(&self, terminated: bool) -> u8 {
        let kind = self.planned.as_ref().map_or(Kind::Deploy, |planned| planned.kind);
        let outcome = self.finished.as_ref().map_or(Outcome::Interrupted, |finished| finished.outcome);
        let instances: Vec<Judged> = self
            .instances()
            .into_iter()
            .map(|name| {
                let judged = self.judged.get(name);
                Judged {
                    existed: judged.is_some_and(|judged| judged.before.is_some()),
                    verdict: judged.map(|judged| judged.verdict),
                }
            })
            .collect();
        exit::code(kind, outcome, &instances, terminated)
    }

    /// The end in words.
    pub fn ending(&self, glyphs: Glyphs) -> Ending {
        let Some(planned) = &self.planned else { return Ending::default() };
        let Some(finished) = &self.finished else {
            return Ending {
                sentence: format!("left {} {} before its end", planned.kind, planned.app),
                table: self.table(planned, glyphs),
                error: None,
                state: self.half_done(planned),
            };
        };
        Ending {
            sentence: paint(HEAD, &sentence(planned, finished)),
            table: self.table(planned, glyphs),
            error: finished.error.clone(),
            state: finished.state.clone(),
        }
    }

    /// The plan's instances, and whatever else was judged.
    fn instances(&self) -> IndexSet<&InstanceName> {
        let planned = self.planned.iter().flat_map(|planned| planned.batches.iter().flatten());
        planned.chain(self.judged.keys()).collect()
    }

    fn table(&self, planned: &Planned, glyphs: Glyphs) -> Vec<String> {
        let names = Names::of(planned);
        let none = || Cell(glyphs.none.to_owned(), DIM);
        let rows: Vec<Vec<Cell>> = self
            .instances()
            .into_iter()
            .filter(|name| self.judged.contains_key(*name) || self.gaps.contains_key(*name))
            .map(|name| {
                let judged = self.judged.get(name);
                vec![
                    names.show(Some(name)).into(),
                    judged.map_or_else(none, |judged| addresses(judged, glyphs).into()),
                    judged.map_or_else(none, |judged| glyphs.verdict(judged.verdict).into()),
                    self.gaps.get(name).map_or_else(none, |gap| millis(*gap).into()),
                ]
            })
            .collect();
        let mut lines = Vec::new();
        if !rows.is_empty() {
            let table = table::render(&["INSTANCE", "ADDRESS", "VERDICT", "GAP"], &rows);
            lines.extend(table.into_iter().map(|line| format!("  {line}")));
        }
        lines.extend(self.slowest(&names));
        lines
    }

    /// Worth a line only where there was something to choose from.
    fn slowest(&self, names: &Names) -> Option<String> {
        let mut steps: Vec<&StepFinished> = self.steps.iter().filter(|step| step.took_ms > 0).collect();
        if steps.len() <= SLOWEST {
            return None;
        }
        steps.sort_by_key(|step| std::cmp::Reverse(step.took_ms));
        let one = |step: &&StepFinished| {
            let what = label(step.action, step.lane);
            format!("{} {what} {}", names.show(step.instance.as_ref()), human(step.took_ms))
        };
        let slowest: Vec<String> = steps.iter().take(SLOWEST).map(one).collect();
        Some(paint(DIM, &format!("  slowest: {}", slowest.join(", "))))
    }

    /// Which instances had a step but no verdict when the stream ended.
    fn half_done(&self, planned: &Planned) -> Vec<String> {
        let names = Names::of(planned);
        let touched: IndexSet<&InstanceName> = self.steps.iter().filter_map(|step| step.instance.as_ref()).collect();
        let (done, half): (Vec<_>, Vec<_>) =
            touched.into_iter().partition::<Vec<_>, _>(|name| self.judged.contains_key(*name));
        let list = |of: &[&InstanceName]| of.iter().map(|name| names.show(Some(name))).collect::<Vec<_>>().join(", ");
        [("done", done), ("half done", half)]
            .into_iter()
            .filter(|(_, of)| !of.is_empty())
            .map(|(word, of)| format!("{word}: {}", list(&of)))
            .chain(["next: run the same command again; what is done already is left alone".to_owned()])
            .collect()
    }
}

fn sentence(planned: &Planned, finished: &Finished) -> String {
    let (kind, app) = (planned.kind, &planned.app);
    let took = human(finished.took_ms);
    let counts = finished.counts;
    let failed = || {
        let all = count(counts.instances as usize, "instance");
        if counts.failed == 0 { String::new() } else { format!(": {} of {all} failed", counts.failed) }
    };
    match finished.outcome {
        Outcome::Succeeded if planned.steps.is_empty() => format!("{kind} {app}: nothing to do"),
        Outcome::Succeeded => {
            let instances = match counts.instances {
                0 => String::new(),
                number => format!(": {}", count(number as usize, "instance")),
            };
            let serial = match finished.serial_ms {
                serial if serial > finished.took_ms => format!(" (its steps one by one: {})", human(serial)),
                _ => String::new(),
            };
            let kept = kept(kind, counts).map_or(String::new(), |kept| format!("; {kept}"));
            format!("{} {app}{instances} in {took}{serial}{kept}", past(kind))
        }
        Outcome::Failed => format!("{kind} {app} failed after {took}{}", failed()),
        Outcome::Paused => format!("{kind} {app} stopped half-way after {took}{}", failed()),
        Outcome::RolledBack => format!("{kind} {app} failed after {took} and was put back{}", failed()),
        Outcome::Aborted => format!("{kind} {app} was aborted after {took}"),
        Outcome::Interrupted => format!("{kind} {app} was interrupted after {took}"),
    }
}

fn past(kind: Kind) -> &'static str {
    match kind {
        Kind::Create => "created",
        Kind::Deploy => "deployed",
        Kind::Restart => "restarted",
        Kind::Rollback => "rolled back",
        Kind::Scale => "scaled",
        Kind::Remove => "removed",
        Kind::Adopt => "adopted",
        Kind::Repair => "repaired",
    }
}

/// What became of the addresses, in words.
fn kept(kind: Kind, counts: Counts) -> Option<String> {
    let judged = counts.kept + counts.changed + counts.lost + counts.unprotected;
    if kind == Kind::Remove || judged == 0 {
        return None;
    }
    let mut parts = Vec::new();
    for (number, word) in [(counts.changed, "changed"), (counts.lost, "lost")] {
        if number > 0 {
            parts.push(format!("{number} of {judged} addresses {word}"));
        }
    }
    if parts.is_empty() && counts.unprotected > 0 {
        parts.push(format!("every address kept, {} of {judged} by luck: no sandbox holds them", counts.unprotected));
    }
    if parts.is_empty() {
        parts.push(match kind {
            Kind::Create => "every address held".to_owned(),
            _ => "every address kept".to_owned(),
        });
    }
    Some(parts.join(", "))
}

/// `172.18.0.3`, or `172.18.0.3 → 172.18.0.9`.
fn addresses(judged: &IdentityJudged, glyphs: Glyphs) -> String {
    let show = |identity: Option<&Identity>| identity.map(ips).filter(|text| !text.is_empty());
    let (before, after) = (show(judged.before.as_ref()), show(judged.after.as_ref()));
    match (before, after) {
        (Some(before), Some(after)) if before == after => after,
        (None, Some(after)) => after,
        (before, after) => {
            let word = |text: Option<String>| text.unwrap_or_else(|| "none".to_owned());
            format!("{} {} {}", word(before), glyphs.arrow, word(after))
        }
    }
}

/// All addresses, by network.
fn ips(identity: &Identity) -> String {
    let one = |address: &crate::domain::identity::Address| address.ipv4.clone().or_else(|| address.ipv6.clone());
    identity.networks.values().filter_map(one).collect::<Vec<_>>().join(" ")
}
