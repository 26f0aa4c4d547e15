//! An operation's events, checked as a stream: nothing unfinished, nothing out of order, nothing unplanned.

use std::collections::BTreeMap;

use serde_json::Value;

/// The kind of each event.
pub fn kinds(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["event"].as_str().unwrap()).collect()
}

/// The events of one kind.
pub fn of<'e>(events: &'e [Value], kind: &str) -> Vec<&'e Value> {
    events.iter().filter(|event| event["event"] == kind).collect()
}

/// Checks what holds for every operation that ran to its end.
#[track_caller]
pub fn check(events: &[Value]) {
    let kinds = kinds(events);
    assert_eq!((kinds.first(), kinds.last()), (Some(&"planned"), Some(&"finished")));
    assert_eq!(kinds.iter().filter(|kind| matches!(**kind, "planned" | "finished")).count(), 2);
    let mut elapsed = 0;
    for (seq, event) in events.iter().enumerate() {
        assert_eq!((&event["v"], &event["seq"], &event["op"]), (&1.into(), &seq.into(), &events[0]["op"]));
        let at = event["at"].as_str().unwrap();
        assert!(at.len() == "2026-11-22T10:10:10.500Z".len() && at.ends_with('Z'), "{at}");
        assert!(event["elapsed_ms"].as_u64().unwrap() >= elapsed, "{event}");
        elapsed = event["elapsed_ms"].as_u64().unwrap();
    }

    let steps = events[0]["steps"].as_array().unwrap();
    for (id, step) in steps.iter().enumerate() {
        assert_eq!(step["step"], id);
        assert!(step["needs"].as_array().unwrap().iter().all(|need| need.as_u64().unwrap() < id as u64), "{step}");
        assert!(!step["cause"].as_str().unwrap().is_empty(), "{step}");
    }
    // 0: planned, 1: under way, 2: over.
    let mut stage: BTreeMap<u64, u8> = (0..steps.len() as u64).map(|id| (id, 0)).collect();
    let mut serial = 0;
    for event in events.iter().filter(|event| event["event"].as_str().unwrap().starts_with("step_")) {
        let id = event["step"].as_u64().unwrap();
        let step = &steps[usize::try_from(id).unwrap()];
        let now = stage.get_mut(&id).unwrap();
        match (event["event"].as_str().unwrap(), *now, event["result"].as_str()) {
            ("step_started", 0, _) => *now = 1,
            ("step_progress", 1, _) => continue,
            ("step_finished", 1, Some("ok" | "failed" | "cancelled")) | ("step_finished", 0, Some("skipped")) => {
                *now = 2;
                serial += event["took_ms"].as_u64().unwrap();
                assert_eq!(event["lane"], step["lane"]);
                assert_eq!(
                    event["error"].is_string(),
                    matches!(event["result"].as_str(), Some("failed" | "cancelled"))
                );
            }
            other => panic!("step {id}: {other:?}: {event}"),
        }
        for field in ["instance", "batch", "action"] {
            assert_eq!(event[field], step[field], "{field}: {event}");
        }
        let main = step["lane"] == "main" && *now == 1;
        for need in step["needs"].as_array().unwrap().iter().filter(|_| main) {
            assert_eq!(stage[&need.as_u64().unwrap()], 2, "{event} began before step {need} was over");
        }
    }
    assert!(stage.values().all(|stage| *stage == 2), "not over: {stage:?}");
    assert_eq!(events.last().unwrap()["serial_ms"], serial);
}
