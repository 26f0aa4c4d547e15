//! What people and programs read, compared with what was approved (`snapshots/`).

mod fleet;
mod samples;

use super::error::CliError;
use super::human::Human;
use super::preview;
use super::style::{ASCII, UNICODE};
use super::summary::{Ending, Story};
use crate::domain::event::{EventKind, OpEvent, StepProgress, Urgency};
use crate::domain::identity::Verdict;
use insta::assert_snapshot;

/// As it looks where escapes are taken out.
fn plain(lines: &[String]) -> String {
    anstream::adapter::strip_str(&lines.join("\n")).to_string()
}

fn lines(events: &[OpEvent]) -> Vec<String> {
    let mut human = Human::new(UNICODE);
    events.iter().flat_map(|event| human.lines(event)).collect()
}

fn story(events: &[OpEvent]) -> Story {
    let mut story = Story::default();
    for event in events {
        story.take(event);
    }
    story
}

fn told(ending: Ending) -> String {
    let mut lines = vec![ending.sentence];
    lines.extend(ending.table);
    lines.extend(ending.error.map(|error| format!("error: {error}")));
    lines.extend(ending.state.into_iter().map(|line| format!("  {line}")));
    plain(&lines)
}

#[test]
fn a_deployment_in_lines() {
    assert_snapshot!(plain(&lines(&samples::deployment())));
}

#[test]
fn a_deployments_end() {
    let story = story(&samples::deployment());
    assert_snapshot!(told(story.ending(UNICODE)));
    assert_eq!(story.code(false), 6);
}

#[test]
fn a_failure_in_lines() {
    assert_snapshot!(plain(&lines(&samples::failure())));
}

#[test]
fn a_failures_end() {
    let story = story(&samples::failure());
    assert_snapshot!(told(story.ending(ASCII)));
    assert_eq!(story.code(false), 1);
}

#[test]
fn an_end_that_was_not_waited_for() {
    let events: Vec<_> = samples::deployment().into_iter().take(18).collect();
    let story = story(&events);
    assert_snapshot!(told(story.ending(UNICODE)));
    assert_eq!((story.code(false), story.code(true)), (130, 143));
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
    let mut human = Human::new(UNICODE);
    for event in &samples::deployment()[..3] {
        human.lines(event);
    }
    assert_eq!(human.passing(), "  … all pull 42.1/95.0 MB 3 layers");
    for event in &samples::deployment()[3..6] {
        human.lines(event);
    }
    assert_eq!(human.passing(), "  … web-1 verify · web-1 create");
    let sessions = StepProgress { step: 2, done: 3, total: 12, note: "sessions".into() };
    human.lines(&samples::event(9, 400, EventKind::StepProgress(sessions)));
    assert_eq!(human.passing(), "  … web-1 create 3/12 sessions · web-1 verify");
}

#[test]
fn requests_to_stop_say_what_the_next_one_does() {
    let said: Vec<String> = [Urgency::Finish, Urgency::Abort, Urgency::Leave]
        .into_iter()
        .map(|urgency| plain(&lines(&[samples::event(0, 1500, EventKind::CancelRequested { urgency })])))
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
