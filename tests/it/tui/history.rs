//! The history and records that are played: what they look like, and what keys do there.

use super::sample::{self, Course};
use super::screens::look;
use super::{clock, press, running, showing, text};
use pitstop::domain::event::OpEvent;
use pitstop::domain::fleet::FleetState;
use pitstop::domain::ids::OpId;
use pitstop::domain::record::{Extra, ExtraLine, Header, Record};
use pitstop::engine::{Listed, RecordError, Request};
use pitstop::tui::message::{Command, Msg};
use pitstop::tui::model::{Dialog, Model, Screen};
use pitstop::tui::update::update;

/// The record of a deployment that went that way and began so many seconds ago.
fn record(id: &str, course: Course, ago: i64) -> Record {
    let at = jiff::Timestamp::from_second(sample::now().as_second() - ago).unwrap();
    let op = OpId::new(id).unwrap();
    let header = Header { by: "anna@ops1".into(), ..Header::default() };
    let mut text = ExtraLine::new(op.clone(), 0, at, 0, Extra::Recorded(header)).line().unwrap();
    for event in sample::events(&sample::deploy_plan(), course) {
        text.extend(serde_json::to_vec(&OpEvent { op: op.clone(), at, ..event }).unwrap());
        text.push(b'\n');
    }
    Record::read(&text).unwrap()
}

fn listed() -> Vec<Listed> {
    let read = |record: Record| Listed { op: record.op.clone(), read: Ok(record.summary(false)) };
    let unread = Listed {
        op: OpId::new("20261120-081500-0badc0").unwrap(),
        read: Err(RecordError::File(
            "/home/anna/.local/state/pitstop/20261120-081500-0badc0.jsonl".into(),
            "belongs to another user, so it is not read".into(),
        )),
    };
    let failed = Course { fails: Some("web-2"), ..Course::default() };
    let moved = Course { moves: Some("web-3"), ..Course::default() };
    let broken = Course { until: Some(700), ..Course::default() };
    // Of another app, so that it settles nothing of what others left.
    let mut newest = read(record("20261122-120200-3f2a04", Course::default(), 151));
    newest.read.as_mut().unwrap().app = "shop/api".into();
    vec![
        newest,
        read(record("20261122-115200-3f2a03", broken, 751)),
        read(record("20261121-200000-3f2a02", failed, 57_871)),
        unread,
        read(record("20251224-170000-3f2a01", moved, 28_753_471)),
    ]
}

fn history(size: (u16, u16)) -> Model {
    let mut model = showing(size, FleetState::live(sample::fleet()));
    let commands = press(&mut model, "H");
    assert!(matches!(commands[..], [Command::History]));
    update(&mut model, Msg::History(Ok(listed())));
    model
}

/// A console in which that record was opened.
fn opened(size: (u16, u16), course: Course) -> Model {
    let mut model = history(size);
    let commands = press(&mut model, "<enter>");
    let [Command::Record(op)] = &commands[..] else { panic!("{commands:?}") };
    let record = record(op.as_str(), course, 151);
    update(&mut model, Msg::Record { op: op.clone(), record: Ok(Box::new((record, false))) });
    model
}

#[test]
fn the_list() {
    look("history", |size| {
        let mut model = history(size);
        press(&mut model, "j");
        model
    });
    look("history_unreadable", |size| {
        let mut model = history(size);
        press(&mut model, "/!shop");
        model
    });
}

#[test]
fn a_record() {
    look("replay", |size| {
        let mut model = opened(size, Course::default());
        press(&mut model, "<space>+");
        clock(&mut model, 400);
        press(&mut model, "<space>");
        model
    });
    look("replay_end", |size| opened(size, Course { fails: Some("web-2"), ..Course::default() }));
    look("replay_broken_off", |size| opened(size, Course { until: Some(700), ..Course::default() }));
}

#[test]
fn nothing_is_left_out_silently() {
    let mut model = history((120, 36));
    let shown = text(&model);
    assert!(shown.contains("5 operations") && shown.contains("1 record unreadable"), "{shown}");
    press(&mut model, "jjj");
    assert!(text(&model).contains("belongs to another user"), "{}", text(&model));
    // Its record is asked for all the same: it may be readable by now.
    let commands = press(&mut model, "<enter>");
    let [Command::Record(op)] = &commands[..] else { panic!("{commands:?}") };
    update(&mut model, Msg::Record { op: op.clone(), record: Err("belongs to another user".into()) });
    assert!(matches!(&model.dialog, Some(Dialog::Refused { message, .. }) if message.contains("another user")));
    // A list that can't be read at all says why, and keeps what it had.
    press(&mut model, "<esc>");
    update(&mut model, Msg::History(Err("/state: permission denied".into())));
    assert!(text(&model).contains("permission denied") && text(&model).contains("5 operations"));
}

#[test]
fn a_filter_narrows_and_escape_goes_back_one_thing_at_a_time() {
    let mut model = history((120, 36));
    let rows = |model: &Model| model.history.as_ref().unwrap().rows(&model.operations).len();
    for (typed, left) in [("paused", 1), ("!paused", 4), ("unfinished", 2), ("by:anna", 4), ("by:web", 0), ("2a04", 1)]
    {
        press(&mut model, &format!("/{typed}<enter>"));
        assert_eq!(rows(&model), left, "{typed}");
        assert_eq!(model.screen, Screen::History);
        press(&mut model, "<esc>");
    }
    assert_eq!(rows(&model), 5);
    press(&mut model, "/x<esc>");
    assert_eq!(rows(&model), 5);
    press(&mut model, "<esc>");
    assert_eq!(model.screen, Screen::Fleet);
}

#[test]
fn the_cursor_stays_on_its_operation() {
    let mut model = history((120, 36));
    press(&mut model, "jj");
    let on = |model: &Model| model.history.as_ref().unwrap().cursor.as_ref().unwrap().to_string();
    assert_eq!(on(&model), "20261121-200000-3f2a02");
    let mut more = listed();
    let newer = record("20261122-120430-3f2a05", Course::default(), 1);
    more.insert(0, Listed { op: newer.op.clone(), read: Ok(newer.summary(false)) });
    update(&mut model, Msg::History(Ok(more)));
    assert_eq!(on(&model), "20261121-200000-3f2a02");
}

#[test]
fn it_plays_as_fast_as_told_and_stops_at_its_end() {
    let mut model = opened((120, 36), Course::default());
    let at = |model: &Model| model.replay.as_ref().unwrap().at;
    let end = at(&model);
    assert!(end > 1000 && !model.replay.as_ref().unwrap().is_playing());
    clock(&mut model, 1_000);
    press(&mut model, "<space>");
    assert_eq!(at(&model), 0);
    clock(&mut model, 1_200);
    assert_eq!(at(&model), 200);
    press(&mut model, "+");
    clock(&mut model, 1_300);
    assert_eq!(at(&model), 400, "twice as fast");
    press(&mut model, "---");
    clock(&mut model, 1_500);
    assert_eq!(at(&model), 450, "a quarter as fast");
    press(&mut model, "<space>");
    clock(&mut model, 9_000);
    assert_eq!(at(&model), 450, "held");
    // What it shows is what its events had told by then.
    let waiting = text(&model);
    press(&mut model, "<right>");
    assert_eq!(at(&model), 450 + end / 20);
    press(&mut model, "<left>");
    assert_eq!(at(&model), 450);
    assert_eq!(text(&model), waiting, "the same moment again");
    press(&mut model, "<home>");
    assert_eq!(at(&model), 0);
    press(&mut model, "<end>");
    assert_eq!(at(&model), end);
    assert!(text(&model).contains("succeeded"));
    press(&mut model, "<space>++++++++");
    clock(&mut model, 10_000);
    assert_eq!(at(&model), end);
    assert!(!model.replay.as_ref().unwrap().is_playing());
    press(&mut model, "<esc>");
    assert_eq!(model.screen, Screen::History);
}

#[test]
fn what_was_left_is_gone_on_with_from_here() {
    let asked = |keys: &str| {
        let mut model = history((120, 36));
        press(&mut model, keys).into_iter().find_map(|command| match command {
            Command::Plan { request, .. } => Some(*request),
            _ => None,
        })
    };
    assert!(matches!(asked("jR"), Some(Request::Resume { op, .. }) if op.as_str().ends_with("03")));
    assert!(matches!(asked("jA"), Some(Request::Abort { op, .. }) if op.as_str().ends_with("03")));
    assert!(matches!(asked("jjR"), Some(Request::Resume { op, .. }) if op.as_str().ends_with("02")));
    assert!(asked("R").is_none() && asked("A").is_none(), "what has succeeded is done");
    assert!(asked("jjjR").is_none(), "nobody knows what it was");
    let mut model = history((120, 36));
    model.read_only = true;
    assert!(press(&mut model, "jR").is_empty());
}

#[test]
fn one_that_runs_here_is_shown_live_and_its_way_back_is_the_list() {
    let mut model = running((120, 36), Course { until: Some(700), ..Course::default() });
    press(&mut model, "<esc>H");
    update(&mut model, Msg::History(Ok(listed())));
    assert!(text(&model).contains("6 operations"));
    press(&mut model, "<enter>");
    assert!(matches!(model.screen, Screen::Operation(_)));
    let commands = press(&mut model, "<esc>");
    assert!(matches!(commands[..], [Command::History]));
    assert_eq!(model.screen, Screen::History);
}

#[test]
fn a_record_that_is_being_written_is_followed_until_somebody_looks_elsewhere() {
    let mut model = history((120, 36));
    let commands = press(&mut model, "<enter>");
    let [Command::Record(op)] = &commands[..] else { panic!("{commands:?}") };
    let op = op.clone();
    let so_far = |until| record(op.as_str(), Course { until, ..Course::default() }, 0);
    let read = |model: &mut Model, until, running| {
        update(model, Msg::Record { op: op.clone(), record: Ok(Box::new((so_far(until), running))) });
    };
    let at = |model: &Model| model.replay.as_ref().unwrap().at;
    read(&mut model, Some(400), true);
    assert!(text(&model).contains("live"), "{}", text(&model));
    let before = at(&model);
    // It is read again after a while, not at every tick.
    let again = |model: &mut Model, ms| {
        let now = std::time::Duration::from_millis(ms);
        let commands = update(model, Msg::Clock { wall: sample::now(), now });
        commands.iter().any(|command| matches!(command, Command::Record(_)))
    };
    assert!(again(&mut model, 1_000) && !again(&mut model, 1_100) && again(&mut model, 1_500));
    read(&mut model, Some(700), true);
    assert!(at(&model) > before);
    press(&mut model, "<left>");
    let held = at(&model);
    read(&mut model, Some(900), true);
    assert_eq!(at(&model), held, "whoever looks back is left there");
    press(&mut model, "<end>");
    read(&mut model, None, false);
    assert!(text(&model).contains("succeeded") && text(&model).contains("the end"), "{}", text(&model));
    assert!(!again(&mut model, 9_000));
}

#[test]
fn the_list_is_looked_at_again_after_a_while_and_only_while_it_is_shown() {
    let mut model = history((120, 36));
    let again = |model: &mut Model, ms| {
        let now = std::time::Duration::from_millis(ms);
        let commands = update(model, Msg::Clock { wall: sample::now(), now });
        commands.into_iter().find_map(|command| match command {
            Command::HistoryIfChanged(known) => Some(known),
            _ => None,
        })
    };
    let known = again(&mut model, 1_100).expect("a second has passed");
    assert_eq!(known.len(), listed().len());
    assert!(known.iter().any(|(_, running)| running.is_none()), "one could not be read");
    assert!(again(&mut model, 1_500).is_none(), "not at every tick");
    assert!(again(&mut model, 2_200).is_some());
    press(&mut model, "<esc>");
    assert!(again(&mut model, 9_000).is_none(), "nobody looks");
}
