//! Records as files may hold them: whole, torn, damaged, of later versions. Anything at all is in `tests/it/record_robust.rs`.

use super::*;
use crate::domain::event::{Counts, Finished, Outcome, Planned, PlannedStep, StepFinished, StepResult};
use crate::domain::plan::{Kind, Lane};
use std::collections::BTreeMap;

const OP: &str = "20261122-101502-3f2a01";

fn op(id: &str) -> OpId {
    OpId::new(id).unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_795_000_000 + second).unwrap()
}

fn event(seq: u64, kind: EventKind) -> OpEvent {
    OpEvent { v: VERSION, op: op(OP), seq, at: at(0), elapsed_ms: seq * 10, kind }
}

fn planned() -> EventKind {
    let step = PlannedStep {
        step: 0,
        instance: Some(InstanceName("shop/web-1".into())),
        batch: Some(1),
        action: Action::Stop,
        needs: Vec::new(),
        lane: Lane::Main,
        cause: "it makes room".into(),
    };
    EventKind::Planned(Planned {
        replaces: BTreeMap::new(),
        kind: Kind::Restart,
        app: "shop/web".into(),
        from: None,
        to: Some("web:v1".into()),
        batches: vec![vec![InstanceName("shop/web-1".into())]],
        steps: vec![step],
        notes: vec!["a note".into()],
        gate: crate::domain::options::Gate::Auto,
        on_failure: crate::domain::options::OnFailure::Pause,
        resumes: None,
    })
}

fn stopped(error: Option<&str>) -> EventKind {
    EventKind::StepFinished(StepFinished {
        failed_requests: None,
        step: 0,
        instance: Some(InstanceName("shop/web-1".into())),
        batch: Some(1),
        action: Action::Stop,
        lane: Lane::Main,
        result: if error.is_some() { StepResult::Failed } else { StepResult::Ok },
        took_ms: 7,
        waited_ms: 0,
        error: error.map(str::to_owned),
        detail: Some("exit 0".into()),
    })
}

fn finished(outcome: Outcome) -> EventKind {
    EventKind::Finished(Finished {
        outcome,
        took_ms: 20,
        serial_ms: 7,
        counts: Counts { instances: 1, kept: 1, ..Counts::default() },
        error: None,
        state: Vec::new(),
    })
}

fn extra(extra: Extra) -> Vec<u8> {
    ExtraLine::new(op(OP), 1, at(0), 5, extra).line().unwrap()
}

fn intent() -> Intent {
    Intent {
        step: 0,
        instance: Some(InstanceName("shop/web-1".into())),
        action: Action::Stop,
        target: "shop-web-1.r1".into(),
        container: Some("f".repeat(64)),
    }
}

/// A whole record, a line each.
fn lines() -> Vec<Vec<u8>> {
    let header = Header { pitstop: "0.1.0".into(), by: "anna@ops1".into(), pid: 7, ..Header::default() };
    let mask = Mask::default();
    vec![
        extra(Extra::Recorded(header)),
        line(&event(0, planned()), &mask).unwrap(),
        extra(Extra::Intent(intent())),
        line(&event(1, stopped(None)), &mask).unwrap(),
        line(&event(2, finished(Outcome::Succeeded)), &mask).unwrap(),
    ]
}

#[test]
fn what_is_written_is_read() {
    let record = Record::read(&lines().concat()).unwrap();
    assert_eq!((record.op.as_str(), record.torn, record.damaged), (OP, false, 0));
    assert_eq!(record.events, [event(0, planned()), event(1, stopped(None)), event(2, finished(Outcome::Succeeded))]);
    assert_eq!(record.intents, [intent()]);
    let summary = record.summary(false);
    assert_eq!(
        (summary.by.as_str(), summary.app.as_str(), summary.kind),
        ("anna@ops1", "shop/web", Some(Kind::Restart))
    );
    assert_eq!((summary.standing(), summary.counts.kept), (Standing::Ended(Outcome::Succeeded), 1));
}

#[test]
fn every_line_is_in_the_envelope_of_events() {
    for line in lines() {
        let event: OpEvent = serde_json::from_slice(&line).unwrap();
        assert_eq!(event.op.as_str(), OP);
        assert_eq!(line.iter().position(|byte| *byte == b'\n'), Some(line.len() - 1));
    }
}

#[test]
fn a_line_that_was_being_written_is_left_out_and_cut_off() {
    let (whole_lines, last) = (lines()[..4].concat(), lines()[4].clone());
    for cut in 1..last.len() {
        let torn = [whole_lines.as_slice(), &last[..cut]].concat();
        let record = Record::read(&torn).unwrap();
        assert!(record.torn && record.damaged == 0 && record.events.len() == 2, "{cut}");
        assert_eq!(whole(&torn), whole_lines.len());
        assert_eq!(record.summary(false).standing(), Standing::BrokenOff);
        assert_eq!(record.summary(true).standing(), Standing::Running);
    }
}

#[test]
fn a_later_versions_kinds_and_fields_are_passed_over() {
    let mut text = lines().concat();
    let later = format!(
        r#"{{"v":2,"op":"{OP}","seq":3,"at":"2026-11-22T10:15:02Z","elapsed_ms":9,"event":"moon_phase","phase":"full"}}"#
    );
    let more = format!(
        r#"{{"v":2,"op":"{OP}","seq":4,"at":"2026-11-22T10:15:02Z","elapsed_ms":9,"event":"paused","reason":"r","by":"x"}}"#
    );
    text.extend_from_slice(format!("{later}\n{more}\n").as_bytes());
    let record = Record::read(&text).unwrap();
    assert_eq!((record.damaged, record.events.len()), (0, 4));
}

#[test]
fn what_makes_no_sense_is_counted_and_what_is_foreign_too() {
    let other = String::from_utf8(lines()[3].clone()).unwrap().replace("3f2a01", "ffffff");
    let text = [lines()[0].as_slice(), b"{\"v\":1}\n\xff\xfe\nnull\n\n", other.as_bytes(), &lines()[3]].concat();
    let record = Record::read(&text).unwrap();
    assert_eq!((record.damaged, record.events.len(), record.torn), (4, 1, false));
    assert_eq!(Record::read(b""), Err(Unreadable::NoRecord));
    assert_eq!(Record::read(b"root:x:0:0\n"), Err(Unreadable::NoRecord));
}

#[test]
fn what_is_too_large_is_refused() {
    let mut long = lines().concat();
    long.extend(std::iter::repeat_n(b' ', MAX_LINE + 1));
    long.push(b'\n');
    assert_eq!(Record::read(&long), Err(Unreadable::LongLine { line: 6 }));
    let file = vec![b'\n'; usize::try_from(MAX_FILE).unwrap() + 1];
    assert_eq!(Record::read(&file), Err(Unreadable::TooLarge));
}

#[test]
fn a_plan_too_large_for_a_line_is_written_without_its_steps() {
    let EventKind::Planned(mut plan) = planned() else { panic!() };
    plan.steps[0].cause = "because".repeat(20);
    plan.steps = (0..8000).map(|step| PlannedStep { step, ..plan.steps[0].clone() }).collect();
    let written = line(&event(0, EventKind::Planned(plan)), &Mask::default()).unwrap();
    let record = Record::read(&written).unwrap();
    let EventKind::Planned(plan) = &record.events[0].kind else { panic!() };
    assert_eq!((plan.steps.len(), plan.batches.len()), (0, 1));
    assert!(plan.notes[0].contains("8000 steps"), "{:?}", plan.notes);
}

#[test]
fn secrets_are_not_written() {
    let mask = Mask::new(["hunter2-swordfish".into(), "curl -H 'Token: abc'".into(), "8080".into(), "hunter2".into()]);
    let said = "start: the app said `hunter2-swordfish`, then curl -H 'Token: abc' at 8080 and hunter2-";
    let written = String::from_utf8(line(&event(1, stopped(Some(said))), &mask).unwrap()).unwrap();
    assert!(written.contains("the app said `•••`, then ••• at 8080 and •••-"), "{written}");
    // Names stay: readers need them.
    let mask = Mask::new(["shop/web-1".into()]);
    assert!(String::from_utf8(line(&event(1, stopped(None)), &mask).unwrap()).unwrap().contains("shop/web-1"));
}

#[test]
fn texts_from_a_file_are_fit_for_a_terminal() {
    let evil = String::from_utf8(lines().concat()).unwrap().replace("a note", "a\\u001b]0;x\\u0007\\u202enote");
    let record = Record::read(evil.as_bytes()).unwrap();
    let EventKind::Planned(plan) = &record.events[0].kind else { panic!() };
    assert_eq!(plan.notes, ["anote"]);
}

fn summary(id: &str, second: i64, app: &str, outcome: Option<Outcome>) -> Summary {
    let mut summary = Record::read(&lines().concat()).unwrap().summary(false);
    summary.op = op(id);
    summary.began = Some(at(second));
    (summary.app, summary.outcome) = (app.into(), outcome);
    summary
}

#[test]
fn open_is_what_nobody_has_gone_on_with() {
    use Outcome::{Aborted, Failed, Interrupted, Paused, RolledBack, Succeeded};
    let one = |id: &str, second, outcome| summary(id, second, "shop/web", outcome);
    let cases: Vec<(Vec<Summary>, Vec<&str>)> = vec![
        (vec![one("op-1", 1, None)], vec!["op-1"]),
        (vec![Summary { running: true, ..one("op-1", 1, None) }], vec![]),
        (vec![one("op-1", 1, Some(Interrupted)), one("op-2", 2, Some(Paused))], vec!["op-1", "op-2"]),
        (vec![one("op-1", 1, None), one("op-2", 2, Some(Succeeded))], vec![]),
        (vec![one("op-1", 1, None), one("op-2", 2, Some(RolledBack))], vec![]),
        (vec![one("op-1", 1, None), one("op-2", 2, Some(Failed))], vec!["op-1"]),
        (vec![one("op-2", 2, None), one("op-1", 1, Some(Succeeded))], vec!["op-2"]),
        (vec![one("op-1", 1, None), summary("op-2", 2, "shop/api", Some(Succeeded))], vec!["op-1"]),
        (vec![Summary { resumed_by: Some(op("op-2")), ..one("op-1", 1, None) }], vec![]),
        (vec![one("op-1", 1, Some(Aborted)), one("op-2", 1, Some(Succeeded))], vec![]),
    ];
    let elsewhere =
        |one: Summary| Summary { engine: Engine { host: "ssh://other".into(), ..Engine::default() }, ..one };
    let cases = cases.into_iter().chain([
        // An app of that name may be on another engine, too.
        (vec![one("op-1", 1, None), elsewhere(one("op-2", 2, Some(Succeeded)))], vec!["op-1"]),
    ]);
    for (all, want) in cases {
        let open: Vec<&str> = left_open(&all).into_iter().map(|one| one.op.as_str()).collect();
        assert_eq!(open, want, "{all:?}");
    }
}

#[test]
fn the_newest_stay_and_what_is_unfinished_never_goes() {
    let mut all: Vec<Summary> =
        (0..250).map(|n| summary(&format!("op-{n:03}"), n, "shop/web", Some(Outcome::Succeeded))).collect();
    all[3].outcome = None;
    all[3].app = "shop/api".into();
    all[4].running = true;
    all[4].outcome = None;
    let gone = expired(&all, at(300));
    assert_eq!(gone.len(), 48, "50 too many, one open, one running");
    assert!(!gone.contains(&op("op-003")) && !gone.contains(&op("op-004")) && gone.contains(&op("op-049")));
    assert!(!gone.contains(&op("op-050")));
    let later = at(250 + 90 * 24 * 3600);
    assert_eq!(expired(&all, later).len(), 248, "all but those two are older than 90 days");
    assert!(expired(&all[200..], at(300)).is_empty());
}

#[test]
fn what_was_left_is_told_in_a_sentence() {
    let mut one = summary("op-1", 0, "shop/web", None);
    for (seconds, ago) in
        [(-5, "just now"), (59, "just now"), (12 * 60, "12 min ago"), (7200, "2 h ago"), (200_000, "2 days ago")]
    {
        let want = format!("restart of shop/web left half-done {ago} by anna@ops1");
        assert_eq!(one.sentence(at(seconds)), want);
    }
    let engine = |host: &str, name: &str| EngineInfo { host: host.into(), name: name.into(), ..EngineInfo::default() };
    one.engine = Engine { host: "unix:///run/docker.sock".into(), name: "ops1".into(), ..Engine::default() };
    assert!(one.is_on(&engine("ssh://ops1", "ops1")) && !one.is_on(&engine("unix:///run/docker.sock", "ops2")));
    // Two engines of one machine.
    one.engine.id = "A".into();
    let with_id = |id: &str| EngineInfo { id: id.into(), ..engine("ssh://ops1", "ops1") };
    assert!(one.is_on(&with_id("A")) && one.is_on(&with_id("")) && !one.is_on(&with_id("B")));
    one.engine.name = String::new();
    assert!(one.is_on(&engine("unix:///run/docker.sock", "ops2")) && !one.is_on(&engine("ssh://ops1", "ops1")));
}

#[test]
fn the_last_line_tells_whether_a_second_look_is_needed() {
    use Outcome::{Aborted, Failed, Interrupted, Paused, RolledBack, Succeeded};
    let before = lines()[..4].concat();
    let with = |last: Vec<u8>| [before.as_slice(), &last].concat();
    for (outcome, settled) in
        [(Succeeded, true), (Failed, true), (RolledBack, true), (Aborted, true), (Interrupted, false), (Paused, false)]
    {
        let text = with(line(&event(2, finished(outcome)), &Mask::default()).unwrap());
        assert_eq!(is_settled(&text), settled, "{outcome:?}");
        assert_eq!(is_settled(&text[text.len() - 400..]), settled, "from its middle");
        assert!(!is_settled(&text[..text.len() - 1]), "torn");
    }
    assert!(is_settled(&with(extra(Extra::ResumedBy { by: op("op-2") }))));
    assert!(!is_settled(&before) && !is_settled(&lines()[0]) && !is_settled(b"") && !is_settled(b"\n\n"));
}
