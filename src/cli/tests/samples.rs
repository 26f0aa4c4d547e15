//! An operation's events, written by hand: a deployment of two instances, as the engine floor would report it.

use crate::domain::event::*;
use crate::domain::identity::{Address, Identity, Verdict};
use crate::domain::ids::{InstanceName, OpId};
use crate::domain::plan::{Action, Kind, Lane};
use std::collections::BTreeMap;

pub fn event(seq: u64, elapsed_ms: u64, kind: EventKind) -> OpEvent {
    let at = "2026-11-22T10:15:02Z".parse::<jiff::Timestamp>().unwrap();
    let at = at + std::time::Duration::from_millis(elapsed_ms);
    OpEvent { v: VERSION, op: OpId::new("20261122-101502-3f2a01").unwrap(), seq, at, elapsed_ms, kind }
}

pub fn web(number: u32) -> InstanceName {
    InstanceName(format!("shop/web-{number}"))
}

/// (step, instance, batch, action, needs, lane, cause)
type Row = (usize, u32, usize, Action, &'static [usize], Lane, &'static str);

const STEPS: [Row; 12] = [
    (0, 0, 0, Action::Pull, &[], Lane::Main, "web:v2 is not on this engine"),
    (1, 1, 1, Action::Verify, &[0], Lane::Main, "the identity before"),
    (2, 1, 1, Action::Create, &[0], Lane::Main, "revision 2 is wanted, revision 1 runs: the image differs"),
    (3, 1, 1, Action::Stop, &[1, 2], Lane::Main, "the old container makes room"),
    (4, 1, 1, Action::Start, &[3], Lane::Main, "the new container takes its place"),
    (5, 1, 1, Action::Ready, &[4], Lane::Main, "tcp:8080 must answer"),
    (6, 1, 1, Action::Verify, &[5], Lane::Main, "the identity after"),
    (7, 1, 1, Action::Start, &[3], Lane::Undo, "the old container serves again"),
    (8, 2, 2, Action::Stop, &[6], Lane::Main, "the old container makes room"),
    (9, 2, 2, Action::Start, &[8], Lane::Main, "the new container takes its place"),
    (10, 2, 2, Action::Verify, &[9], Lane::Main, "the identity after"),
    (11, 2, 2, Action::Start, &[8], Lane::Undo, "the old container serves again"),
];

pub fn planned() -> Planned {
    let step = |(step, number, batch, action, needs, lane, cause): Row| PlannedStep {
        step,
        instance: (number > 0).then(|| web(number)),
        batch: (batch > 0).then_some(batch),
        action,
        needs: needs.to_vec(),
        lane,
        cause: cause.to_owned(),
    };
    Planned {
        replaces: BTreeMap::new(),
        kind: Kind::Deploy,
        app: "shop/web".into(),
        from: Some("web:v1".into()),
        to: Some("web:v2".into()),
        batches: vec![vec![web(1)], vec![web(2)]],
        steps: STEPS.into_iter().map(step).collect(),
        notes: vec!["in place: only the image changes".into()],
        gate: crate::domain::options::Gate::Auto,
        on_failure: crate::domain::options::OnFailure::Pause,
        resumes: None,
    }
}

pub fn started(step: usize) -> EventKind {
    let planned = planned().steps.swap_remove(step);
    EventKind::StepStarted(StepStarted {
        step,
        instance: planned.instance,
        batch: planned.batch,
        action: planned.action,
        attempt: 1,
        waited_ms: 0,
    })
}

pub fn finished(step: usize, result: StepResult, took_ms: u64, waited_ms: u64, said: &str) -> EventKind {
    let planned = planned().steps.swap_remove(step);
    let said = Some(said.to_owned()).filter(|said| !said.is_empty());
    let failed = matches!(result, StepResult::Failed | StepResult::Cancelled);
    let (error, detail) = if failed { (said, None) } else { (None, said) };
    EventKind::StepFinished(StepFinished {
        failed_requests: None,
        step,
        instance: planned.instance,
        batch: planned.batch,
        action: planned.action,
        lane: planned.lane,
        result,
        took_ms,
        waited_ms,
        error,
        detail,
    })
}

pub fn identity(ipv4: &str) -> Identity {
    let address = Address { ipv4: Some(ipv4.into()), ipv6: None, mac: Some("02:42:ac:12:00:03".into()) };
    Identity {
        networks: BTreeMap::from([("shop_default".into(), address)]),
        netns: Some("/var/run/docker/netns/3f2a01".into()),
        hostname: Some("shop-web-1".into()),
        ports: BTreeMap::from([("8080/tcp".into(), "0.0.0.0:18080".into())]),
        volumes: BTreeMap::from([("/data".into(), "shop_data".into())]),
    }
}

pub fn judged(number: u32, verdict: Verdict, before: Option<&str>, after: Option<&str>, reason: &str) -> EventKind {
    EventKind::IdentityJudged(IdentityJudged {
        instance: web(number),
        verdict,
        before: before.map(identity),
        after: after.map(identity),
        reasons: vec![reason.into()],
    })
}

fn gap(number: u32, gap_ms: f64) -> EventKind {
    EventKind::GapMeasured(GapMeasured { instance: web(number), gap_ms, probe: "tcp:8080".into() })
}

fn numbered(kinds: Vec<(u64, EventKind)>) -> Vec<OpEvent> {
    kinds.into_iter().zip(0..).map(|((elapsed_ms, kind), seq)| event(seq, elapsed_ms, kind)).collect()
}

/// All is well; the second address has moved.
pub fn deployment() -> Vec<OpEvent> {
    use StepResult::{Ok, Skipped};
    let progress = StepProgress { step: 0, done: 42_100_000, total: 95_000_000, note: "3 layers".into() };
    numbered(vec![
        (0, EventKind::Planned(planned())),
        (1, started(0)),
        (120, EventKind::StepProgress(progress)),
        (312, finished(0, Ok, 311, 0, "95.0 MB")),
        (313, started(1)),
        (314, started(2)),
        (318, finished(1, Ok, 5, 0, "")),
        (352, finished(2, Ok, 38, 0, "")),
        (448, finished(3, Ok, 96, 0, "exit 0")),
        (551, finished(4, Ok, 103, 0, "")),
        (563, finished(5, Ok, 12, 0, "tcp:8080 answers")),
        (568, finished(6, Ok, 4, 0, "")),
        (568, judged(1, Verdict::Kept, Some("172.18.0.3"), Some("172.18.0.3"), "all the same")),
        (569, gap(1, 207.4)),
        (569, EventKind::GateReached { batch: 1, reason: "batch 1 of 2 is done; waiting for go".into() }),
        (2570, EventKind::Resumed { reason: "go".into() }),
        (2670, finished(8, Ok, 99, 2001, "exit 0")),
        (2780, finished(9, Ok, 110, 0, "")),
        (2790, finished(10, Ok, 6, 0, "")),
        (
            2790,
            judged(
                2,
                Verdict::Changed,
                Some("172.18.0.4"),
                Some("172.18.0.9"),
                "IPv4 on shop_default changed from 172.18.0.4 to 172.18.0.9",
            ),
        ),
        (2791, finished(7, Skipped, 0, 0, "not needed")),
        (2791, finished(11, Skipped, 0, 0, "")),
        (
            2792,
            EventKind::Finished(Finished {
                outcome: Outcome::Succeeded,
                took_ms: 2792,
                serial_ms: 3784,
                counts: Counts { instances: 2, kept: 1, changed: 1, ..Counts::default() },
                error: None,
                state: Vec::new(),
            }),
        ),
    ])
}

/// The first instance's new container does not start; the old one serves again.
pub fn failure() -> Vec<OpEvent> {
    use StepResult::{Failed, Ok, Skipped};
    let error = "the engine says: exec: \"serve\": executable file not found in $PATH";
    numbered(vec![
        (0, EventKind::Planned(planned())),
        (312, finished(0, Ok, 311, 0, "95.0 MB")),
        (448, finished(3, Ok, 96, 0, "exit 0")),
        (551, finished(4, Failed, 103, 0, error)),
        (552, finished(5, Skipped, 0, 0, "")),
        (640, finished(7, Ok, 88, 0, "")),
        (641, judged(1, Verdict::Kept, Some("172.18.0.3"), Some("172.18.0.3"), "all the same")),
        (642, finished(8, Skipped, 0, 0, "")),
        (
            650,
            EventKind::Finished(Finished {
                outcome: Outcome::Failed,
                took_ms: 650,
                serial_ms: 598,
                counts: Counts { instances: 2, kept: 1, failed: 1, ..Counts::default() },
                error: Some(format!("shop/web-1: start: {error}")),
                state: vec![
                    "shop/web-1: web:v1 (revision 1), Up Less than a second, 172.18.0.3".into(),
                    "shop/web-2: web:v1 (revision 1), Up 3 hours, 172.18.0.4".into(),
                    "next: correct the cause and deploy again".into(),
                ],
            }),
        ),
    ])
}
