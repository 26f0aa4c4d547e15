//! As JSON: what the screen says, for a program. The events themselves are in the record (`pitstop show OP --json`).

use super::super::progress::{InstanceProgress, Progress, StepProgressed};
use super::{elapsed, outcome, told, verdict};
use serde_json::{Value, json};

pub fn write(progress: &Progress) -> String {
    let planned = progress.planned.as_ref();
    let finished = progress.finished.as_ref();
    let instance = |one: &InstanceProgress| {
        json!({
            "instance": one.name, "batch": one.batch, "verdict": verdict(progress, one), "reasons": one.reasons,
            "before": one.before, "after": one.after, "replaced_by": one.successor,
            "gap_ms": one.gap.as_ref().map(|(ms, _)| ms), "probe": one.gap.as_ref().map(|(_, probe)| probe),
        })
    };
    let whole = json!({
        "v": 1,
        "op": progress.op,
        "kind": planned.map(|planned| planned.kind),
        "app": planned.map(|planned| &planned.app),
        "from": planned.and_then(|planned| planned.from.as_ref()),
        "to": planned.and_then(|planned| planned.to.as_ref()),
        "began": progress.began.map(|at| format!("{at:.3}")),
        "outcome": outcome(progress),
        "summary": progress.summary(),
        "took_ms": elapsed(progress),
        "serial_ms": progress.serial_ms(),
        "critical_ms": progress.critical_ms(),
        "counts": progress.counts(),
        "notes": planned.map(|planned| &planned.notes),
        "instances": progress.instances.iter().map(instance).collect::<Vec<_>>(),
        "steps": told(progress).map(|step| object(step, &progress.critical_path())).collect::<Vec<_>>(),
        "error": finished.and_then(|finished| finished.error.as_ref()),
        "state": finished.map(|finished| &finished.state),
    });
    // A tree of plain values always has a text.
    serde_json::to_string_pretty(&whole).unwrap_or_default() + "\n"
}

fn object(step: &StepProgressed, critical: &[usize]) -> Value {
    json!({
        "step": step.plan.step, "instance": step.plan.instance, "batch": step.plan.batch, "action": step.plan.action,
        "lane": step.plan.lane, "cause": step.plan.cause, "result": step.word(), "started_ms": step.started_ms,
        "waited_ms": step.waited_ms, "took_ms": step.took_ms, "critical": critical.contains(&step.plan.step),
        "detail": step.detail, "error": step.error,
    })
}
