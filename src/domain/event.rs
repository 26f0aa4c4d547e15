//! The stream that an operation is: owned, serialisable, versioned.
//!
//! CLI, console, JSON lines, records and tests all read these same events; the contract fixes their names. Fields are
//! only ever added; readers ignore kinds and fields they do not know.

use super::clean::clean;
use super::identity::{Identity, Verdict};
use super::ids::{InstanceName, OpId};
use super::options::{Gate, OnFailure};
use super::plan::{Action, Kind, Lane, Plan, StepId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The version of the envelope.
pub const VERSION: u32 = 1;

/// One line of the stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OpEvent {
    pub v: u32,
    pub op: OpId,
    /// 0, 1, 2 …
    pub seq: u64,
    /// Wall clock, for people only.
    #[serde(with = "millisecond_utc")]
    pub at: Timestamp,
    /// Since the operation began, from the monotonic clock.
    pub elapsed_ms: u64,
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum EventKind {
    Planned(Planned),
    StepStarted(StepStarted),
    StepProgress(StepProgress),
    StepFinished(StepFinished),
    IdentityJudged(IdentityJudged),
    GapMeasured(GapMeasured),
    /// Waiting for a person to say go.
    GateReached {
        batch: usize,
        reason: String,
    },
    Paused {
        reason: String,
    },
    Resumed {
        reason: String,
    },
    CancelRequested {
        urgency: Urgency,
        /// Who asked from another terminal.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
    },
    /// Something a person should know, which changes nothing.
    Noted {
        message: String,
    },
    /// The engine does not answer; it is waited for until `grace_ms` have passed.
    EngineLost {
        grace_ms: u64,
    },
    /// It answers again, so long after.
    EngineBack {
        after_ms: u64,
    },
    Finished(Finished),
    /// A kind of a later version.
    #[serde(other)]
    Unknown,
}

/// The plan, as data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Planned {
    pub kind: Kind,
    pub app: String,
    pub from: Option<String>,
    pub to: Option<String>,
    pub batches: Vec<Vec<InstanceName>>,
    pub steps: Vec<PlannedStep>,
    /// Where a person is asked.
    #[serde(default)]
    pub gate: Gate,
    /// What becomes of those done when one fails.
    #[serde(default)]
    pub on_failure: OnFailure,
    #[serde(default)]
    pub notes: Vec<String>,
    /// New instances, each with the one whose place it takes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub replaces: BTreeMap<InstanceName, InstanceName>,
    /// The operation that this one goes on with or takes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resumes: Option<OpId>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlannedStep {
    pub step: StepId,
    pub instance: Option<InstanceName>,
    /// From 1.
    pub batch: Option<usize>,
    pub action: Action,
    pub needs: Vec<StepId>,
    pub lane: Lane,
    pub cause: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepStarted {
    pub step: StepId,
    pub instance: Option<InstanceName>,
    pub batch: Option<usize>,
    pub action: Action,
    /// From 1.
    pub attempt: u32,
    /// From ready (all needs met) to started.
    pub waited_ms: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepProgress {
    pub step: StepId,
    /// Bytes, sessions …; `total` 0 where it is not known.
    pub done: u64,
    pub total: u64,
    pub note: String,
}

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StepResult {
    Ok,
    Failed,
    /// Never started: not needed, or something before it failed.
    Skipped,
    /// Ended by the user's abort.
    Cancelled,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepFinished {
    pub step: StepId,
    pub instance: Option<InstanceName>,
    pub batch: Option<usize>,
    pub action: Action,
    pub lane: Lane,
    pub result: StepResult,
    pub took_ms: u64,
    pub waited_ms: u64,
    pub error: Option<String>,
    /// What there is to say about a success: `exit 0`, `already there`, `probe http 200` …
    #[serde(default)]
    pub detail: Option<String>,
    /// An `attach`: requests that failed at the instance's servers since its drain, where the balancers count them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_requests: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IdentityJudged {
    pub instance: InstanceName,
    pub verdict: Verdict,
    pub before: Option<Identity>,
    pub after: Option<Identity>,
    pub reasons: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GapMeasured {
    pub instance: InstanceName,
    /// Milliseconds without a good answer, one decimal.
    pub gap_ms: f64,
    /// The probe that was watched, e.g. `tcp:8080`.
    pub probe: String,
}

/// How an operation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Succeeded,
    Failed,
    /// Stopped half-way on a failure: some instances run the new revision, some the old.
    Paused,
    Aborted,
    RolledBack,
    Interrupted,
}

/// How urgently the user wants out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Urgency {
    /// Finish the instances in flight, begin no other.
    Finish,
    /// Abort what runs and put the instances in flight back.
    Abort,
    /// The same, and put back what is done as well.
    AbortAll,
    /// Leave at once.
    Leave,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finished {
    pub outcome: Outcome,
    pub took_ms: u64,
    /// Sum of all steps' `took_ms`: what one after the other would have taken.
    pub serial_ms: u64,
    pub counts: Counts,
    pub error: Option<String>,
    /// What runs where now, and what to do next; a line each.
    #[serde(default)]
    pub state: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// Instances of the plan.
    pub instances: u32,
    /// Of them judged `kept`.
    pub kept: u32,
    pub changed: u32,
    /// Judged `lost` or `orphaned`.
    pub lost: u32,
    /// Instances with a failed step.
    pub failed: u32,
    /// Judged `unprotected`: the same address, held by nothing.
    pub unprotected: u32,
}

impl Planned {
    /// The plan's public face.
    pub fn of(plan: &Plan) -> Self {
        let step = |(id, step): (StepId, &super::plan::Step)| PlannedStep {
            step: id,
            instance: step.instance.clone(),
            batch: step.batch,
            action: step.task.action(),
            needs: step.needs.clone(),
            lane: step.lane,
            cause: clean(&step.cause),
        };
        Self {
            kind: plan.kind,
            app: plan.app.clone(),
            from: plan.from.as_deref().map(clean),
            to: plan.to.as_deref().map(clean),
            batches: plan.batches.clone(),
            steps: plan.steps.iter().enumerate().map(step).collect(),
            gate: plan.gate,
            on_failure: plan.on_failure,
            notes: plan.notes.iter().map(|note| clean(note)).collect(),
            replaces: plan.replaces.clone(),
            resumes: plan.resumes.clone(),
        }
    }
}

/// RFC 3339 in UTC with exactly three decimals.
pub(super) mod millisecond_utc {
    use jiff::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{at:.3}"))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_reads_as_the_contract_says() {
        let event = OpEvent {
            v: VERSION,
            op: OpId::new("20261122-101010-ab12").unwrap(),
            seq: 3,
            at: "2026-11-22T10:10:10.5Z".parse().unwrap(),
            elapsed_ms: 12,
            kind: EventKind::GapMeasured(GapMeasured {
                instance: InstanceName("shop/web-1".into()),
                gap_ms: 118.4,
                probe: "tcp:8080".into(),
            }),
        };
        let line = serde_json::to_string(&event).unwrap();
        assert_eq!(
            line,
            r#"{"v":1,"op":"20261122-101010-ab12","seq":3,"at":"2026-11-22T10:10:10.500Z","elapsed_ms":12,"event":"gap_measured","instance":"shop/web-1","gap_ms":118.4,"probe":"tcp:8080"}"#
        );
        assert_eq!(serde_json::from_str::<OpEvent>(&line).unwrap(), event);
    }

    #[test]
    fn a_later_versions_kinds_and_fields_are_ignored() {
        let line =
            r#"{"v":1,"op":"abcd","seq":0,"at":"2026-11-22T10:10:10Z","elapsed_ms":0,"event":"moon_phase","x":1}"#;
        assert_eq!(serde_json::from_str::<OpEvent>(line).unwrap().kind, EventKind::Unknown);
        let line = r#"{"v":1,"op":"abcd","seq":0,"at":"2026-11-22T10:10:10Z","elapsed_ms":0,"event":"paused","reason":"r","x":1}"#;
        assert!(matches!(serde_json::from_str::<OpEvent>(line).unwrap().kind, EventKind::Paused { .. }));
    }
}
