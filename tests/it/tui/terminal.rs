//! The console in a real terminal, on a real engine.

use crate::support::docker::Engine;
use crate::support::images;
use crate::support::pitstop::Pitstop;
use crate::support::term::{Key, Signal, Term};

fn open(pitstop: &Pitstop, size: (u16, u16)) -> Term {
    let mut term = pitstop.terminal(size.0, size.1, &[]);
    term.wait_for("live");
    term
}

#[test]
fn every_end_gives_the_terminal_back() {
    let pitstop = Pitstop::on(&Engine::machine());
    let mut term = open(&pitstop, (80, 24));
    assert_eq!(term.modes(), (true, false));
    term.press(Key::Char('q'));
    assert_eq!((term.exit(), term.modes()), (Some(0), (false, true)));
    for (signal, code) in [(Signal::Term, 143), (Signal::Hup, 143), (Signal::Int, 130)] {
        let mut term = open(&pitstop, (80, 24));
        term.signal(signal);
        assert_eq!((term.exit(), term.modes()), (Some(code), (false, true)), "{signal:?}");
    }
}

#[test]
fn without_an_engine_one_screen_says_what_to_do() {
    let pitstop = Pitstop::without_engine().env("DOCKER_HOST", "unix:///nowhere/docker.sock");
    let mut term = pitstop.terminal(80, 24, &[]);
    term.wait_for("No Docker Engine answers");
    for said in ["unix:///nowhere/docker.sock", "is it running?", "pitstop doctor", "next try"] {
        assert!(term.text().contains(said), "{said}:\n{}", term.text());
    }
    term.press(Key::Char('q'));
    assert_eq!((term.exit(), term.modes()), (Some(0), (false, true)));
}

#[test]
fn without_colour_weight_and_reverse_stay() {
    let pitstop = Pitstop::on(&Engine::machine()).env("NO_COLOR", "1");
    let term = open(&pitstop, (100, 30));
    let brand = term.look("pitstop");
    assert!(brand.reverse && brand.bold, "{brand:?}");
}

#[test]
fn without_utf8_all_is_ascii() {
    let pitstop = Pitstop::on(&Engine::machine()).env("LANG", "C");
    let mut term = open(&pitstop, (100, 30));
    assert!(term.text().is_ascii(), "{}", term.text());
    term.press(Key::Char('?'));
    term.wait_for("in the fleet");
    assert!(term.text().is_ascii(), "{}", term.text());
}

#[test]
fn a_new_size_is_used_at_once() {
    let pitstop = Pitstop::on(&Engine::machine());
    let mut term = open(&pitstop, (120, 30));
    term.press(Key::Char('L'));
    term.wait_for("pitstop's own log");
    // With the fields of the event, after its message.
    term.wait_for("connected host=unix://");
    term.resize(60, 15);
    term.wait_until("the smaller frame", |screen| {
        screen.lines().nth(1).is_some_and(|line| line.trim_end().chars().count() == 60)
    });
    term.press(Key::Esc);
    term.wait_for_absence("pitstop's own log");
    term.resize(120, 30);
    term.wait_until("the hints", |screen| screen.lines().last().is_some_and(|line| line.contains("quit")));
}

/// Waits until the operation on screen has.
fn succeeds(term: &mut Term, kind: &str) {
    term.wait_until(kind, |screen| {
        screen.lines().nth(1).is_some_and(|line| line.trim_start().starts_with(kind) && line.contains("succeeded"))
    });
}

#[test]
fn an_app_lives_its_life_from_the_console() {
    let engine = Engine::machine();
    let (v1, v2) = (images::app(&engine, "v1"), images::app(&engine, "v2"));
    let project = engine.project();
    let pitstop = Pitstop::on(&engine);
    let text = format!(
        "name: {}\nservices:\n  web:\n    image: {v1}\n    scale: 2\n    x-pitstop: {{probe: 'tcp:8080'}}\n",
        project.name
    );
    pitstop.file("compose.yaml", &text);
    let web = format!("{}/web", project.name);

    let mut term = open(&pitstop, (140, 40));
    term.press(Key::Char('C'));
    term.wait_for("compose.yaml");
    term.press(Key::Enter);
    term.wait_for("1 of 1 service");
    term.press(Key::Enter);
    term.wait_for("run it");
    term.press(Key::Enter);
    succeeds(&mut term, "create");
    term.press(Key::Esc);
    // A key right behind Esc would reach the program as Alt and that key.
    term.wait_for("Last operation");

    // The engine is shared: only what belongs to this project is shown.
    term.press(Key::Char('/'));
    term.type_text(&web);
    term.press(Key::Enter);
    term.wait_until("both instances", |screen| screen.contains("web-2") && screen.contains("2/2"));

    term.press(Key::Char('D'));
    term.wait_for("image to deploy in place");
    for _ in 0..v1.len() {
        term.press(Key::Backspace);
    }
    term.type_text(&v2);
    term.press(Key::Enter);
    term.wait_for("type 2 to run it");
    term.type_text("2");
    term.press(Key::Enter);
    succeeds(&mut term, "deploy");
    assert!(term.text().contains("identity kept 2/2"), "{}", term.text());
    term.press(Key::Esc);
    term.wait_for("Last operation");
    term.wait_for("revision 2");

    term.press(Key::Char('X'));
    term.wait_for("with its volumes too?");
    term.press(Key::Enter);
    term.wait_for("type 2 to run it");
    term.type_text("2");
    term.press(Key::Enter);
    succeeds(&mut term, "remove");
    term.press(Key::Char('q'));
    assert_eq!((term.exit(), term.modes()), (Some(0), (false, true)));
    assert!(term.text().contains(&format!("removed {web}")), "the end is told on the normal screen:\n{}", term.text());
}
