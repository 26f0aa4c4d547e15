//! What must not be written down: values of the environment, commands of probes, arguments of hooks.
//!
//! A plan's own words never hold them, but an engine's message, an app's last words or the name of a probe may.

use crate::domain::event::{EventKind, OpEvent};
use crate::domain::plan::{Plan, Task};
use crate::domain::probe::ProbeSpec;
use std::collections::BTreeSet;

/// What stands in their place.
pub const MASKED: &str = "•••";

/// Shorter values are everywhere (`1`, `true`, `8080`): hiding them would hide half of every sentence, and no secret.
const SHORTEST: usize = 6;

/// The secrets of one operation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mask {
    /// The longest first, so that one inside another leaves nothing over.
    secrets: Vec<String>,
}

impl Mask {
    /// All that the plan's containers were and are given, and what its probes run.
    pub fn of(plan: &Plan) -> Self {
        let mut secrets: BTreeSet<String> = plan.secrets.iter().flat_map(|given| given.values().cloned()).collect();
        for step in &plan.steps {
            let specs: Vec<_> = match &step.task {
                Task::Create { draft } => vec![&draft.spec],
                Task::Record { records, .. } => records.iter().map(|record| &record.spec).collect(),
                _ => Vec::new(),
            };
            secrets.extend(specs.into_iter().flat_map(|spec| spec.container.environment.values().cloned()));
            match &step.task {
                Task::Ready { probe: ProbeSpec::Exec { command }, .. } => {
                    secrets.insert(command.clone());
                }
                // The program's name is shown, what it is told is not.
                Task::Hook { hook, .. } => secrets.extend(hook.command.iter().skip(1).cloned()),
                _ => {}
            }
        }
        Self::new(secrets)
    }

    /// These.
    pub fn new(secrets: impl IntoIterator<Item = String>) -> Self {
        let mut secrets: Vec<String> = secrets.into_iter().filter(|text| text.chars().count() >= SHORTEST).collect();
        secrets.sort_by_key(|text| std::cmp::Reverse(text.len()));
        Self { secrets }
    }

    /// `text` without them.
    pub fn hide(&self, text: &str) -> String {
        self.secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret, MASKED))
    }

    /// The event's line, its end included, without them.
    pub(super) fn line(&self, event: &OpEvent) -> Option<Vec<u8>> {
        let masked = if self.secrets.is_empty() { None } else { self.event(event) };
        let mut line = serde_json::to_vec(masked.as_ref().unwrap_or(event)).ok()?;
        line.push(b'\n');
        Some(line)
    }

    /// Free texts only: names are needed as they are.
    fn event(&self, event: &OpEvent) -> Option<OpEvent> {
        let mut event = event.clone();
        let each = |texts: &mut Vec<String>| texts.iter_mut().for_each(|text| *text = self.hide(text));
        let one = |text: &mut Option<String>| *text = text.take().map(|text| self.hide(&text));
        match &mut event.kind {
            EventKind::Planned(planned) => {
                each(&mut planned.notes);
                planned.steps.iter_mut().for_each(|step| step.cause = self.hide(&step.cause));
            }
            EventKind::StepFinished(step) => {
                one(&mut step.error);
                one(&mut step.detail);
            }
            EventKind::GapMeasured(gap) => gap.probe = self.hide(&gap.probe),
            EventKind::IdentityJudged(judged) => each(&mut judged.reasons),
            EventKind::StepProgress(progress) => progress.note = self.hide(&progress.note),
            EventKind::Finished(finished) => {
                one(&mut finished.error);
                each(&mut finished.state);
            }
            EventKind::GateReached { reason, .. } | EventKind::Paused { reason } | EventKind::Resumed { reason } => {
                *reason = self.hide(reason);
            }
            EventKind::Noted { message } => *message = self.hide(message),
            EventKind::StepStarted(_)
            | EventKind::CancelRequested { .. }
            | EventKind::EngineLost { .. }
            | EventKind::EngineBack { .. }
            | EventKind::Unknown => return None,
        }
        Some(event)
    }
}
