//! What has ended while nobody looked: in the title, in the list, and beyond the screen.

use super::sample::{self, Course};
use super::screens::look;
use super::{clock, press, showing, text};
use pitstop::domain::fleet::FleetState;
use pitstop::domain::ids::OpId;
use pitstop::tui::engine::EngineId;
use pitstop::tui::message::{Command, Msg};
use pitstop::tui::model::{Model, Screen};
use pitstop::tui::update::update;
use std::time::Duration;

const ID: &str = "20261122-120431-3f2a0";

/// An operation that was left alone and then ended like this; what was asked for at its end.
fn ended(model: &mut Model, number: u8, course: Course) -> Vec<Command> {
    let op = OpId::new(format!("{ID}{number}")).unwrap();
    update(model, Msg::Began(EngineId::default(), op.clone()));
    press(model, "<esc>");
    let mut commands = Vec::new();
    for event in sample::events(&sample::deploy_plan(), course) {
        commands.extend(update(model, Msg::Op(pitstop::domain::event::OpEvent { op: op.clone(), ..event })));
    }
    commands
}

fn console(size: (u16, u16)) -> Model {
    showing(size, FleetState::live(sample::fleet()))
}

const FAILS: Course = Course { fails: Some("web-2"), moves: None, until: None };
const RUNS: Course = Course { fails: None, moves: None, until: Some(700) };

fn title(model: &Model) -> String {
    text(model).lines().next().unwrap().to_owned()
}

#[test]
fn what_they_look_like() {
    look("notices", |size| {
        let mut model = console(size);
        ended(&mut model, 1, Course::default());
        clock(&mut model, 200_000);
        ended(&mut model, 2, FAILS);
        ended(&mut model, 3, RUNS);
        press(&mut model, "n");
        model
    });
    look("notices_badge", |size| {
        let mut model = console(size);
        ended(&mut model, 2, FAILS);
        ended(&mut model, 3, RUNS);
        press(&mut model, "j");
        model
    });
    look("notices_none", |size| {
        let mut model = console(size);
        press(&mut model, "n");
        model
    });
}

#[test]
fn what_went_well_is_told_for_a_moment() {
    let mut model = console((80, 24));
    ended(&mut model, 1, Course::default());
    assert!(title(&model).contains("deploy shop/web succeeded (n)"), "{}", title(&model));
    clock(&mut model, 11_000);
    assert!(!title(&model).contains("succeeded"));
    press(&mut model, "n");
    assert!(text(&model).contains("1 not seen yet"), "the list still has it");
    press(&mut model, "<esc>n");
    assert!(text(&model).contains("0 not seen yet"));
}

#[test]
fn what_went_wrong_stays_until_it_was_seen() {
    let mut model = console((80, 24));
    ended(&mut model, 1, FAILS);
    clock(&mut model, 3_600_000);
    assert!(title(&model).contains("deploy shop/web paused on failure (n)"), "{}", title(&model));
    press(&mut model, "n<esc>");
    assert!(title(&model).contains("paused"), "to have opened the list is not to have seen it");
    ended(&mut model, 2, FAILS);
    assert!(title(&model).contains("2 operations ended badly"), "{}", title(&model));
    press(&mut model, "n<space>");
    assert!(title(&model).contains("paused on failure"));
    // The cursor has gone on to the other one.
    press(&mut model, "<enter>");
    assert!(matches!(&model.screen, Screen::Operation(id) if id.as_str().ends_with('1')));
    assert!(!title(&model).contains("(n)"), "{}", title(&model));
    let mut model = console((80, 24));
    ended(&mut model, 1, FAILS);
    press(&mut model, "n*");
    assert!(!title(&model).contains("(n)"));
}

#[test]
fn what_is_looked_at_is_no_notice() {
    let mut model = super::running((120, 36), FAILS);
    assert!(!title(&model).contains("(n)"));
    press(&mut model, "n");
    assert!(text(&model).contains("0 not seen yet"));
}

#[test]
fn what_runs_is_counted_in_the_title_at_any_size() {
    let mut model = console((80, 24));
    ended(&mut model, 1, RUNS);
    ended(&mut model, 2, RUNS);
    assert!(title(&model).contains("2 operations"), "{}", title(&model));
}

#[test]
fn a_long_one_rings_where_that_was_asked_for() {
    let rings = |after: Option<u64>| {
        let mut model = console((120, 36));
        model.ring_after = after.map(Duration::from_millis);
        let commands = ended(&mut model, 1, Course::default());
        commands.into_iter().find_map(|command| match command {
            Command::Ring(text) => Some(text),
            _ => None,
        })
    };
    assert_eq!((rings(None), rings(Some(60_000))), (None, None));
    assert!(rings(Some(1_000)).is_some_and(|text| text.starts_with("pitstop: deployed shop/web")));
}
