//! What people and programs read, compared with what was approved (`snapshots/`).

mod fleet;
mod samples;

use super::error::CliError;
use super::human;
use super::names::Names;
use super::preview;
use super::style::{ASCII, Glyphs, UNICODE};
use super::summary;
use crate::domain::event::{EventKind, OpEvent, StepProgress, Urgency};
use crate::domain::identity::Verdict;
use crate::domain::progress::Progress;
use insta::assert_snapshot;

/// As it looks where escapes are taken out.
fn plain(lines: &[String]) -> String {
    anstream::adapter::strip_str(&lines.join("\n")).to_string()
}

fn lines(events: &[OpEvent]) -> Vec<String> {
    let names = Names::of(&samples::planned());
    events.iter().flat_map(|event| human::lines(event, &names, UNICODE)).collect()
}

fn passing(events: &[OpEvent]) -> String {
    human::passing(&Progress::of(events), &Names::of(&samples::planned()), UNICODE)
}

/// The end as it is printed.
fn told(progress: &Progress, glyphs: Glyphs) -> String {
    let names = Names::of(&samples::planned());
    let mut lines = vec![summary::sentence(progress)];
    lines.extend(summary::table(progress, &names, glyphs));
    lines.extend(summary::state(progress, &names).into_iter().map(|line| format!("  {line}")));
    plain(&lines)
}

#[test]
fn a_deployment_in_lines() {
    assert_snapshot!(plain(&lines(&samples::deployment())));
}

#[test]
fn a_deployments_end() {
    let progress = Progress::of(&samples::deployment());
    assert_snapshot!(told(&progress, UNICODE));
    assert_eq!(summary::code(&progress, false), 6);
}

#[test]
fn a_failure_in_lines() {
    assert_snapshot!(plain(&lines(&samples::failure())));
}

#[test]
fn a_failures_end() {
    let progress = Progress::of(&samples::failure());
    assert_snapshot!(told(&progress, ASCII));
    assert_eq!(summary::code(&progress, false), 1);
}

#[test]
fn an_end_that_was_not_waited_for() {
    let progress = Progress::of(&samples::deployment()[..18]);
    assert_snapshot!(told(&progress, UNICODE));
    assert_eq!((summary::code(&progress, false), summary::code(&progress, true)), (130, 143));
}

#[test]
fn a_plan_in_lines() {
    assert_snapshot!(plain(&preview::lines(&samples::planned(), UNICODE)));
    let mut empty = samples::planned();
    (empty.steps, empty.batches, empty.notes) = (Vec::new(), Vec::new(), Vec::new());
    assert_eq!(
        plain(&preview::lines(&empty, ASCII)),
        "deploy shop/web  web:v1 -> web:v2\nnothing to do: everything is as wanted"
    );
}

#[test]
fn events_are_the_contracts_lines() {
    let lines: Vec<String> = samples::deployment().iter().map(|event| serde_json::to_string(event).unwrap()).collect();
    assert_snapshot!(lines.join("\n"));
}

#[test]
fn what_runs_now_is_one_passing_line() {
    let mut events = samples::deployment();
    assert_eq!(passing(&events[..3]), "  … all pull 42.1/95.0 MB 3 layers");
    assert_eq!(passing(&events[..6]), "  … web-1 verify · web-1 create");
    let sessions = StepProgress { step: 2, done: 3, total: 12, note: "sessions".into() };
    events.truncate(6);
    events.push(samples::event(9, 400, EventKind::StepProgress(sessions)));
    assert_eq!(passing(&events), "  … web-1 create 3/12 sessions · web-1 verify");
}

#[test]
fn requests_to_stop_say_what_the_next_one_does() {
    let said: Vec<String> = [Urgency::Finish, Urgency::Abort, Urgency::Leave]
        .into_iter()
        .map(|urgency| plain(&lines(&[samples::event(0, 1500, EventKind::CancelRequested { urgency, by: None })])))
        .collect();
    assert_snapshot!(said.join("\n"));
}

#[test]
fn colours_stand_beside_words_never_alone() {
    for line in lines(&samples::failure()) {
        let bare = anstream::adapter::strip_str(&line).to_string();
        for (colour, word) in [("\u{1b}[1m\u{1b}[31m", "failed"), ("\u{1b}[32m", "ok")] {
            assert!(!line.contains(colour) || bare.contains(word), "{line:?}");
        }
    }
    let mut events = samples::deployment();
    let verdicts = [Verdict::Lost, Verdict::Orphaned];
    events.extend(verdicts.map(|v| samples::event(99, 3000, samples::judged(1, v, Some("10.0.0.2"), None, "why"))));
    assert!(plain(&lines(&events)).contains("✗ orphaned"), "bad news has a line of its own");
}

#[test]
fn errors_carry_all_their_causes() {
    let inner = std::io::Error::other("the disk is full");
    let error = CliError::failed("cannot write").because(&inner).hint("make room");
    assert_eq!((error.code, error.causes), (1, vec!["the disk is full".to_owned()]));
}
