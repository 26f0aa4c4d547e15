//! The pictures of the README: the real program in a terminal, on the simulated engine.
//!
//! The way to them is walked with every run of the tests; `PITSTOP_DOCS=DIR` (`scripts/pictures` sets it) also writes them.

use super::picture;
use crate::support::sim::Served;
use crate::support::term::Term;
use pitstop::sim::Scenario;

fn keep(term: &Term, name: &str) {
    let picture = picture::of_terminal(term);
    assert!(picture.contains(">shop/web") || picture.contains("shop/web<"), "{name}: {picture}");
    if let Some(directory) = std::env::var_os("PITSTOP_DOCS") {
        std::fs::write(std::path::Path::new(&directory).join(format!("{name}.svg")), picture).unwrap();
    }
}

#[test]
fn the_screens_that_say_most() {
    let served = Served::with(Scenario::demo().unwrap());
    let pitstop = served.pitstop().env("COLORTERM", "truecolor");
    let mut term = pitstop.terminal(120, 36, &[]);
    term.wait_for("live");
    term.keys("fweb<enter>");
    term.wait_for("▸ shop/web");
    // What containers take comes a moment later than the list.
    term.wait_until("loads", |screen| screen.matches('%').count() >= 4);
    keep(&term, "fleet");
    term.keys("D");
    term.wait_for("image to deploy in place");
    term.keys("<backspace>9<enter>");
    term.wait_for("type 4 to run it");
    keep(&term, "plan");
    term.keys("4<enter>");
    term.wait_for("2/4 instances");
    keep(&term, "operation");
    term.wait_for("identity kept 4/4");
    term.wait_for("succeeded");
    keep(&term, "operation_done");
    term.keys("<esc>");
    term.wait_for("Last operation");
    term.keys("l");
    term.wait_until("lines", |screen| screen.matches("GET /").count() > 12);
    keep(&term, "logs");
}

/// The tour that is shown on the web: it is there, whole, and in the form that players take.
#[test]
fn the_recorded_tour_can_be_played_to_its_end() {
    let cast = std::fs::read_to_string(super::super::floors::root().join("docs/tour.cast")).unwrap();
    let mut lines = cast.lines();
    let head: serde_json::Value = serde_json::from_str(lines.next().unwrap()).unwrap();
    assert_eq!((&head["version"], &head["width"], &head["height"]), (&2.into(), &100.into(), &30.into()));
    let (mut last, mut written) = (0.0, String::new());
    for line in lines {
        let (at, kind, text): (f64, String, String) = serde_json::from_str(line).unwrap();
        assert!(at >= last && kind == "o", "{line}");
        last = at;
        written.push_str(&text);
    }
    assert!((10.0..180.0).contains(&last), "{last} s");
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("written"), written).unwrap();
    let mut term = Term::start("/bin/cat", &["written"], &[], home.path(), (100, 30));
    assert_eq!((term.exit(), term.modes()), (Some(0), (false, true)));
    for done in ["deployed shop/web", "rolled back shop/web", "restarted tools/report"] {
        assert!(term.text().contains(done), "{done}:\n{}", term.text());
    }
}
