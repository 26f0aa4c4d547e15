//! The console without a terminal: canned fleets and operations through `update` and `draw`.
//!
//! `PITSTOP_PICTURES=DIR` makes the screen tests also write each screen as an SVG picture into DIR.

mod any_size;
mod ending;
mod engines;
mod frozen;
mod history;
pub mod journeys;
mod keys;
mod logs;
mod notices;
mod picture;
mod pictures;
mod prompt;
mod safety;
mod sample;
mod screens;
mod terminal;
mod themed;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use pitstop::domain::event::EventKind;
use pitstop::domain::fleet::FleetState;
use pitstop::tui::engine::EngineId;
use pitstop::tui::glyphs;
use pitstop::tui::keymap::Keymap;
use pitstop::tui::message::{Command, Msg, News};
use pitstop::tui::model::{Look, Model};
use pitstop::tui::theme::{Depth, Theme};
use pitstop::tui::update::update;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use std::time::Duration;

/// A console of that size that has heard the time and nothing else.
fn console(size: (u16, u16)) -> Model {
    let look = Look { theme: Theme::standard(Depth::True), glyphs: &glyphs::UNICODE };
    let mut model = Model::new(look, Keymap::default(), size);
    clock(&mut model, 0);
    model
}

/// What the (first) engine has to say.
fn heard(model: &mut Model, news: News) -> Vec<Command> {
    update(model, Msg::Engine(EngineId::default(), news))
}

/// A console that shows that fleet.
fn showing(size: (u16, u16), state: FleetState) -> Model {
    let mut model = console(size);
    heard(&mut model, News::Fleet(state));
    model
}

/// So many milliseconds after the console began.
fn clock(model: &mut Model, ms: u64) {
    update(model, Msg::Clock { wall: sample::now(), now: Duration::from_millis(ms) });
}

/// A console in which a deployment of the sample's plan was begun and went that way.
fn running(size: (u16, u16), course: sample::Course) -> Model {
    let mut model = showing(size, FleetState::live(sample::fleet()));
    let events = sample::events(&sample::deploy_plan(), course);
    update(&mut model, Msg::Began(EngineId::default(), events[0].op.clone()));
    for event in events {
        clock(&mut model, event.elapsed_ms);
        update(&mut model, Msg::Op(event));
    }
    model
}

/// A console in which that deployment has reached the gate after its first batch.
fn at_a_gate(size: (u16, u16)) -> Model {
    let events = sample::events(&sample::deploy_plan(), sample::Course::default());
    let last = events.iter().position(|event| matches!(&event.kind, EventKind::GapMeasured(_))).unwrap();
    let mut model = showing(size, FleetState::live(sample::fleet()));
    update(&mut model, Msg::Began(EngineId::default(), events[0].op.clone()));
    let ms = events[last].elapsed_ms;
    for event in events.into_iter().take(last + 1) {
        clock(&mut model, event.elapsed_ms);
        update(&mut model, Msg::Op(event));
    }
    let reason = "batch 1 of 4 is done; waiting for go".to_owned();
    tell(&mut model, ms, EventKind::GateReached { batch: 1, reason });
    model
}

/// An event of the sample's operation that comes so late.
fn tell(model: &mut Model, ms: u64, kind: EventKind) -> Vec<Command> {
    let mut event = sample::events(&sample::deploy_plan(), sample::Course::default()).remove(0);
    (event.seq, event.elapsed_ms, event.kind) = (900 + ms, ms, kind);
    clock(model, ms);
    update(model, Msg::Op(event))
}

/// Presses keys, as `type!` writes them: single characters, or names like `<enter>`.
fn press(model: &mut Model, keys: &str) -> Vec<Command> {
    let mut commands = Vec::new();
    let mut rest = keys;
    while let Some(c) = rest.chars().next() {
        let (code, length) = match rest.strip_prefix('<').and_then(|inner| inner.split_once('>')) {
            Some((name, _)) => (named(name), name.len() + 2),
            None => (KeyCode::Char(c), c.len_utf8()),
        };
        rest = &rest[length..];
        let modifiers = if matches!(code, KeyCode::Char(c) if c.is_ascii_uppercase()) {
            KeyModifiers::SHIFT
        } else {
            KeyModifiers::NONE
        };
        commands.extend(update(model, Msg::Key(KeyEvent::new(code, modifiers))));
    }
    commands
}

fn named(name: &str) -> KeyCode {
    match name {
        "enter" => KeyCode::Enter,
        "esc" => KeyCode::Esc,
        "tab" => KeyCode::Tab,
        "up" => KeyCode::Up,
        "down" => KeyCode::Down,
        "left" => KeyCode::Left,
        "right" => KeyCode::Right,
        "space" => KeyCode::Char(' '),
        "pagedown" => KeyCode::PageDown,
        "pageup" => KeyCode::PageUp,
        "home" => KeyCode::Home,
        "end" => KeyCode::End,
        "backspace" => KeyCode::Backspace,
        other => panic!("no key {other}"),
    }
}

/// Draws into a fresh terminal of the model's size.
fn draw(model: &Model) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(model.size.0, model.size.1)).unwrap();
    terminal.draw(|frame| pitstop::tui::view::draw(model, frame)).unwrap();
    terminal.backend().buffer().clone()
}

/// The screen as text, a line per row.
fn text(model: &Model) -> String {
    let buffer = draw(model);
    let mut out = String::new();
    for y in 0..buffer.area.height {
        let row: String = (0..buffer.area.width).map(|x| buffer[(x, y)].symbol()).collect();
        out.push_str(row.trim_end());
        out.push('\n');
    }
    out
}
