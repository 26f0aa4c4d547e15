//! Each key of the help, pressed in the real program in a real terminal, on a simulated engine: what is seen of it.
//!
//! A table has a script for each action of each section of the keymap; the scripts of one scene are played one after the other in
//! one console, each for every key of its action. A key without a script fails a test. Nothing here waits for a time.

use crate::support::pitstop::Pitstop;
use crate::support::sim::Served;
use crate::support::term::Term;
use pitstop::sim::Scenario;
use pitstop::tui::keymap::{Keymap, SECTIONS};

/// Keys (`KEY` is the one that is tried), and what is on the screen then; what begins with `!` is not.
type Step = (&'static str, &'static [&'static str]);

/// An action of a section, and how it is seen.
type Journey = (&'static str, &'static str, &'static [Step]);

const FLEET: &[Journey] = &[
    ("move", "down", &[("KEY", &["▸   ghost-1"]), ("g", &["▸ blog/ghost"])]),
    ("move", "up", &[("j", &["▸   ghost-1"]), ("KEY", &["▸ blog/ghost"])]),
    ("move", "last", &[("KEY", &["▸ crm/db"]), ("g", &["▸ blog/ghost"])]),
    ("move", "first", &[("G", &["▸ crm/db"]), ("KEY", &["▸ blog/ghost"])]),
    ("move", "page_down", &[("KEY", &["▸ crm/db"]), ("g", &["▸ blog/ghost"])]),
    ("move", "page_up", &[("G", &["▸ crm/db"]), ("KEY", &["▸ blog/ghost"])]),
    ("move", "next_pane", &[("KEY", &["▸   ghost-1"]), ("KEY", &["▸ blog/ghost"])]),
    ("move", "open", &[("KEY", &["▸   ghost-1"]), ("g", &["▸ blog/ghost"])]),
    ("fleet", "into", &[("KEY", &["▸   ghost-1"]), ("g", &["▸ blog/ghost"])]),
    ("fleet", "out_of", &[("j", &["▸   ghost-1"]), ("KEY", &["▸ blog/ghost"])]),
    ("fleet", "deploy", &[("KEY", &["image to deploy in place"]), ("<esc>", &["!image to deploy"])]),
    ("fleet", "restart", &[("KEY", &["type 2 to run it"]), ("<esc>", &["!type 2"])]),
    ("fleet", "create", &[("KEY", &["Compose file", "compose.yaml"]), ("<esc>", &["!Compose file"])]),
    ("fleet", "scale", &[("KEY", &["number of instances (now 2)"]), ("<esc>", &["!number of instances"])]),
    ("fleet", "remove", &[("KEY", &["with its volumes too?"]), ("<esc>", &["!volumes too"])]),
    (
        "fleet",
        "inspect",
        &[
            ("j", &["▸   ghost-1"]),
            ("KEY", &["hostname", "blog-ghost-1"]),
            ("<esc>", &["APP / INSTANCE"]),
            ("g", &["▸ blog/ghost"]),
        ],
    ),
    ("fleet", "logs", &[("KEY", &["log of blog/ghost"]), ("<esc>", &["APP / INSTANCE"])]),
    (
        "fleet",
        "shell",
        &[
            ("KEY", &["a shell in blog/ghost-1", "!APP / INSTANCE"]),
            ("<ctrl-]>", &["back from blog/ghost-1"]),
            ("g", &["!back from"]),
        ],
    ),
    ("fleet", "mark", &[("KEY", &["1 marked", "▸   ghost-1"]), ("-g", &["!marked", "▸ blog/ghost"])]),
    ("fleet", "mark_all", &[("KEY", &["17 marked"]), ("KEY", &["!marked"])]),
    (
        "fleet",
        "mark_range",
        &[("j<space>j", &["1 marked", "▸ shop/api"]), ("jKEY", &["3 marked"]), ("-g", &["!marked", "▸ blog/ghost"])],
    ),
    ("fleet", "unmark", &[("<space>", &["1 marked"]), ("KEYg", &["!marked", "▸ blog/ghost"])]),
    (
        "fleet",
        "filter",
        &[
            ("KEY", &["state:failed"]),
            ("tools", &["!blog/ghost"]),
            ("<esc>", &["blog/ghost"]),
            ("g", &["▸ blog/ghost"]),
        ],
    ),
    (
        "fleet",
        "jump",
        &[
            ("KEY", &["letters of its name"]),
            ("sw2", &["▸   web-2"]),
            ("<enter>g", &["!letters of its name", "▸ blog/ghost"]),
        ],
    ),
    ("fleet", "trouble", &[("KEY", &["sorted by trouble"]), ("KEY", &["sorted by name"]), ("g", &["▸ blog/ghost"])]),
    ("fleet", "fold", &[("KEY", &["!ghost-1"]), ("KEY", &["ghost-1"])]),
    ("fleet", "fold_all", &[("KEY", &["!web-1"]), ("KEY", &["web-1"])]),
    ("fleet", "group", &[("KEY", &["▾ shop"]), ("KEY", &["!▾ shop"]), ("g", &["▸ blog/ghost"])]),
    (
        "fleet",
        "wide",
        &[("KEY", &["one list, what runs"]), ("KEY", &["addresses and what holds"]), ("g", &["!what holds"])],
    ),
    ("fleet", "columns", &[("KEY", &["what holds the address"]), ("<esc>", &["!what holds"])]),
    (
        "fleet",
        "sort_name",
        &[("KEY", &["sorted by name, the other"]), ("KEY", &["!the other way"]), ("g", &["▸ blog"])],
    ),
    ("fleet", "sort_cpu", &[("KEY", &["sorted by CPU"]), ("Ng", &["!sorted", "▸ blog/ghost"])]),
    ("fleet", "sort_memory", &[("KEY", &["sorted by memory"]), ("Ng", &["!sorted", "▸ blog/ghost"])]),
    ("fleet", "sort_state", &[("KEY", &["sorted by state"]), ("Ng", &["!sorted", "▸ blog/ghost"])]),
    ("fleet", "sort_image", &[("KEY", &["sorted by image"]), ("Ng", &["!sorted", "▸ blog/ghost"])]),
    ("fleet", "sort_up", &[("KEY", &["sorted by time since start"]), ("Ng", &["!sorted", "▸ blog/ghost"])]),
    ("fleet", "sort_next", &[("KEY", &["sorted by state"]), ("Ng", &["!sorted", "▸ blog/ghost"])]),
    ("fleet", "sort_previous", &[("KEY", &["sorted by time since start"]), ("Ng", &["!sorted", "▸ blog/ghost"])]),
    ("global", "help", &[("KEY", &["in the fleet"]), ("KEY", &["!in the fleet"])]),
    ("global", "back", &[("/web<enter>", &["!blog/ghost"]), ("KEY", &["blog/ghost"]), ("g", &["▸ blog/ghost"])]),
    ("global", "log", &[("KEY", &["pitstop's own log"]), ("<esc>", &["APP / INSTANCE"])]),
    ("global", "operations", &[("KEY", &["History"]), ("<esc>", &["APP / INSTANCE"])]),
    ("global", "history", &[("KEY", &["History"]), ("<esc>", &["APP / INSTANCE"])]),
    ("global", "notices", &[("KEY", &["Notices"]), ("<esc>", &["APP / INSTANCE"])]),
    ("global", "command", &[("KEY", &["tab completes"]), ("<esc>", &["!tab completes"])]),
    ("global", "themes", &[("KEY", &["daylight"]), ("<esc>", &["!daylight"])]),
    ("global", "resync", &[("KEY", &["asking the engine for its list"]), ("g", &["!asking the engine"])]),
    ("global", "suspend", &[("KEY", &["no shell with job control"]), ("g", &["!job control"])]),
    ("global", "copy", &[("KEY", &["Copy", "nothing"]), ("<esc>", &["!nothing"])]),
    ("global", "export", &[("KEY", &["Save", "as text"]), ("<esc>", &["!as text"])]),
];

/// On the page of an instance with two variables, at its top.
const INSTANCE: &[Journey] = &[
    ("instance", "json", &[("KEY", &["as the engine says"]), ("KEY", &["hostname", "!as the engine"])]),
    ("instance", "reveal", &[("G", &[]), ("KEY", &["s3cret"]), ("KEY", &["!s3cret"])]),
    ("instance", "reveal_all", &[("KEY", &["alpha", "s3cret"]), ("KEY", &["!alpha", "!s3cret"])]),
    (
        "instance",
        "search",
        &[("KEY", &["a regular expression"]), ("[<enter>", &["not a regular expression"]), ("<esc>", &["!regular"])],
    ),
    // On the last line found, the value can be shown; on the one before it another one.
    (
        "instance",
        "next_hit",
        &[
            ("g/PLAIN|TOKEN<enter>", &["/PLAIN|TOKEN"]),
            ("KEYx", &["s3cret", "!alpha"]),
            ("x<esc>", &["!s3cret", "!/PLAIN"]),
        ],
    ),
    (
        "instance",
        "previous_hit",
        &[
            ("G/PLAIN|TOKEN<enter>", &["/PLAIN|TOKEN"]),
            ("KEYx", &["alpha", "!s3cret"]),
            ("x<esc>", &["!alpha", "!/PLAIN"]),
        ],
    ),
];

/// Out of the page of an instance and back.
const AWAY: &[Journey] = &[
    ("instance", "logs", &[("KEY", &["log of plain/app-1"]), ("<esc>", &["APP / INSTANCE"]), ("i", &["hostname"])]),
    (
        "instance",
        "shell",
        &[("KEY", &["a shell in plain/app-1"]), ("<ctrl-]>", &["back from plain/app-1", "hostname"])],
    ),
];

/// In a log that is followed.
const LOGS: &[Journey] = &[
    ("logs", "follow", &[("KEY", &["held"]), ("KEY", &["following"])]),
    ("logs", "search", &[("KEY", &["n and N go on"]), ("GET<enter>", &["/GET"]), ("<esc>", &["!/GET"])]),
    ("logs", "match", &[("KEY", &["what does not match"]), ("zzz<enter>", &["only zzz"]), ("<esc>", &["!only zzz"])]),
    (
        "logs",
        "since",
        &[
            ("KEY", &["the last lines"]),
            ("2h<enter>", &["since"]),
            ("KEY", &["the last lines"]),
            ("<enter>", &["!the last lines"]),
        ],
    ),
    ("logs", "next_hit", &[("KEY", &["nothing is searched for yet"]), ("w", &["!nothing is searched"]), ("w", &[])]),
    (
        "logs",
        "previous_hit",
        &[("KEY", &["nothing is searched for yet"]), ("w", &["!nothing is searched"]), ("w", &[])],
    ),
    ("logs", "wrap", &[("KEY", &["wrapped"]), ("KEY", &["!wrapped"])]),
    ("logs", "times", &[("KEY", &["!│ web-"]), ("KEY", &["│ web-"])]),
    ("logs", "save", &[("KEY", &[".log"]), ("w", &["!.log"]), ("w", &[])]),
    ("logs", "scroll_right", &[("KEY", &["!GET"]), ("<left>", &["GET"])]),
    ("logs", "scroll_left", &[("<right>", &["!GET"]), ("KEY", &["GET"])]),
];

/// Sections and actions that a test of their own presses.
const ALONE: &[(&str, &str)] = &[
    ("global", "quit"),
    ("global", "redraw"),
    ("fleet", "rollback"),
    ("fleet", "resume"),
    ("fleet", "take_back"),
    ("operation", "pause"),
    ("operation", "go"),
    ("operation", "abort"),
    ("operation", "retry"),
    ("operation", "first"),
    ("operation", "last"),
    ("history", "filter"),
    ("history", "resume"),
    ("history", "take_back"),
    ("replay", "play"),
    ("replay", "faster"),
    ("replay", "slower"),
    ("replay", "seek_back"),
    ("replay", "seek_on"),
    ("replay", "seek_start"),
    ("replay", "seek_end"),
    ("replay", "resume"),
    ("replay", "take_back"),
    ("notices", "acknowledge"),
    ("notices", "acknowledge_all"),
];

/// The demo's fleet, and the program on it.
fn scene() -> (Served, Pitstop) {
    let served = Served::with(Scenario::demo().unwrap());
    let pitstop = served.pitstop();
    pitstop.file("compose.yaml", "services: {}\n");
    (served, pitstop)
}

/// A console in which all rows of the fleet are seen.
fn console(pitstop: &Pitstop) -> Term {
    let mut term = pitstop.terminal(100, 40, &[]);
    term.wait_for("▸ blog/ghost");
    term.wait_for("live");
    term
}

/// All keys of that action, as the keymap has them.
fn keys(section: &str, action: &str) -> Vec<String> {
    let map = Keymap::default();
    let found = map.section(section).into_iter().find(|(_, known)| known.name() == action);
    let (keys, _) = found.unwrap_or_else(|| panic!("[{section}] has no {action}"));
    keys.into_iter().map(str::to_owned).collect()
}

fn play(term: &mut Term, journeys: &[Journey]) {
    for (section, action, steps) in journeys {
        for key in keys(section, action) {
            for (typed, wanted) in *steps {
                let mut parts = typed.split("KEY");
                term.keys(parts.next().unwrap_or_default());
                for part in parts {
                    term.press_named(&key);
                    term.keys(part);
                }
                sees(term, &format!("[{section}] {action} = {key}, {typed}"), wanted);
            }
        }
    }
}

/// Waits until all of that is on the screen, and what begins with `!` is not.
fn sees(term: &mut Term, what: &str, wanted: &[&str]) {
    term.wait_until(&format!("{what}: {wanted:?}"), |screen| {
        wanted
            .iter()
            .all(|want| want.strip_prefix('!').map_or_else(|| screen.contains(want), |not| !screen.contains(not)))
    });
}

#[test]
fn every_key_of_the_help_has_a_journey() {
    let map = Keymap::default();
    let tables = [FLEET, INSTANCE, AWAY, LOGS].concat();
    let tried: Vec<(&str, &str)> =
        tables.iter().map(|(section, action, _)| (*section, *action)).chain(ALONE.iter().copied()).collect();
    let untried: Vec<String> = SECTIONS
        .iter()
        .flat_map(|section| map.section(section).into_iter().map(move |(_, action)| (*section, action.name())))
        .filter(|one| !tried.contains(one))
        .map(|(section, action)| format!("[{section}] {action}"))
        .collect();
    assert!(untried.is_empty(), "no journey presses {}", untried.join(", "));
}

#[test]
fn in_the_fleet() {
    let (_served, pitstop) = scene();
    let mut term = console(&pitstop);
    play(&mut term, FLEET);
    let before = term.repaints();
    term.press_named(&keys("global", "redraw")[0]);
    term.wait_for_repaint(before);
    for key in keys("global", "quit") {
        let mut term = console(&pitstop);
        term.press_named(&key);
        assert_eq!(term.exit(), Some(0), "{key}");
    }
}

#[test]
fn on_an_instance() {
    let (_served, pitstop) = scene();
    let image = "registry.paddock.lan/shop/web:1.8";
    let text = format!(
        "name: plain\nservices:\n  app:\n    image: {image}\n    environment: {{PLAIN: alpha, TOKEN: s3cret}}\n"
    );
    pitstop.file("app.yaml", &text);
    pitstop.run(&["create", "-f", "app.yaml"]).expect_code(0);
    let mut term = console(&pitstop);
    term.keys("fplain/app<enter>");
    sees(&mut term, "jumped", &["▸ plain/app"]);
    term.keys("i");
    sees(&mut term, "the page", &["hostname", "TOKEN=", "no health check"]);
    play(&mut term, INSTANCE);
    play(&mut term, AWAY);
}

#[test]
fn in_a_log() {
    let (_served, pitstop) = scene();
    let mut term = console(&pitstop);
    term.keys("fshop/web<enter>");
    sees(&mut term, "jumped", &["▸ shop/web"]);
    term.keys("l");
    sees(&mut term, "the log", &["log of shop/web", "following", "web-1"]);
    play(&mut term, LOGS);
}

/// Deploys that tag of the demo's app of four.
pub fn deploy_web(term: &mut Term, tag: &str) {
    term.keys("fshop/web<enter>");
    sees(term, "jumped", &["▸ shop/web"]);
    term.keys("D");
    term.wait_for("image to deploy in place");
    // What stands there: the image it runs, whose tag has three characters.
    term.keys(&format!("<backspace><backspace><backspace>{tag}<enter>"));
    term.wait_for("type 4 to run it");
    term.keys("4<enter>");
}

/// A line is completed, asks for what it says, and is there to be typed again.
#[test]
fn by_a_line() {
    let (_served, pitstop) = scene();
    let mut term = console(&pitstop);
    term.keys(":");
    sees(&mut term, "what there is", &["Apps and instances as the engine has them now"]);
    term.keys("restart shop/we<tab>");
    sees(&mut term, "completed", &[":restart shop/web"]);
    term.keys("<enter>");
    sees(&mut term, "asked", &["type 4 to run it"]);
    term.keys("4<enter>");
    sees(&mut term, "done", &["succeeded"]);
    term.keys("<esc>");
    sees(&mut term, "the fleet", &["Last operation"]);
    term.keys(":");
    sees(&mut term, "another line", &["tab completes"]);
    term.keys("<up>");
    sees(&mut term, "the line before", &[":restart shop/web"]);
    term.keys("<esc>");
    sees(&mut term, "no line", &["!:restart shop/web"]);
}

/// An operation from its question to its end, and afterwards: every key that works there.
#[test]
fn in_an_operation_and_after() {
    let (_served, pitstop) = scene();
    let mut term = console(&pitstop);
    deploy_web(&mut term, "1.9");
    sees(&mut term, "it runs", &["deploy shop/web", "▸ running"]);
    for key in keys("operation", "pause") {
        term.press_named(&key);
        sees(&mut term, "pause", &["waiting for you"]);
    }
    for key in keys("operation", "last") {
        term.press_named(&key);
        sees(&mut term, "last", &["─ web-4 ─"]);
    }
    for key in keys("operation", "first") {
        term.press_named(&key);
        sees(&mut term, "first", &["─ all ─"]);
    }
    for key in keys("operation", "abort") {
        term.press_named(&key);
        sees(&mut term, "abort", &["in flight  none"]);
        term.keys("<esc>");
        sees(&mut term, "no abort", &["!in flight", "g go"]);
    }
    for key in keys("operation", "go") {
        term.press_named(&key);
        sees(&mut term, "go", &["succeeded", "identity kept 4/4"]);
    }
    term.keys("<esc>");
    sees(&mut term, "the fleet", &["Last operation"]);
    for key in keys("fleet", "rollback") {
        term.press_named(&key);
        sees(&mut term, "rollback", &["rollback shop/web", "type 4 to run it"]);
        term.keys("<esc>");
        sees(&mut term, "no rollback", &["!type 4"]);
    }
    deploy_web(&mut term, "1.10-rc1");
    sees(&mut term, "it fails", &["DATABASE_URL is not set", "R retry"]);
    for key in keys("operation", "retry") {
        term.press_named(&key);
        sees(&mut term, "retry", &["type 4 to run it"]);
        term.keys("<esc>");
        sees(&mut term, "no retry", &["!type 4"]);
    }
    // It was looked at, so nothing is new; one that ends behind another screen is.
    term.keys("<esc>");
    sees(&mut term, "the fleet", &["APP / INSTANCE"]);
    for (section, action) in [("notices", "acknowledge"), ("notices", "acknowledge_all")] {
        for key in keys(section, action) {
            deploy_web(&mut term, "1.10-rc1");
            sees(&mut term, "it runs", &["▸ running"]);
            term.keys("<esc>");
            sees(&mut term, "the badge", &["deploy shop/web failed"]);
            term.keys("n");
            sees(&mut term, "notices", &["1 not seen yet"]);
            term.press_named(&key);
            sees(&mut term, action, &["0 not seen yet"]);
            term.keys("<esc>");
            sees(&mut term, "the fleet", &["APP / INSTANCE", "!deploy shop/web failed (n)"]);
        }
    }
}

/// An operation whose console was killed in the middle, as the next console finds it.
#[test]
fn what_a_dead_console_left() {
    let (_served, pitstop) = scene();
    let image = "registry.paddock.lan/shop/web:1.9";
    let dies = pitstop.start(&["deploy", "shop/web", "--image", image]);
    dies.wait_for_stdout("web-1  stop");
    dies.signal(rustix::process::Signal::KILL);
    drop(dies);
    let mut term = console(&pitstop);
    sees(&mut term, "it is said", &["left half-done", "R resume", "A abort"]);
    let asks = |term: &mut Term, section: &str| {
        for (action, asked) in [("resume", "deploy shop/web"), ("take_back", "takes back")] {
            for key in keys(section, action) {
                term.press_named(&key);
                sees(term, action, &[asked, "to run it"]);
                term.keys("<esc>");
                sees(term, action, &["!to run it"]);
            }
        }
    };
    asks(&mut term, "fleet");
    term.keys("H");
    sees(&mut term, "history", &["1 left half-done"]);
    asks(&mut term, "history");
    for key in keys("history", "filter") {
        term.press_named(&key);
        sees(&mut term, "filter", &["outcome:failed"]);
        term.keys("nothing");
        sees(&mut term, "filtered", &["0 fit nothing"]);
        term.keys("<esc>");
        sees(&mut term, "all", &["broken off"]);
    }
    term.keys("<enter>");
    sees(&mut term, "the record", &["the end", "broken off"]);
    asks(&mut term, "replay");
    let transport = [
        ("seek_start", "0 ms / "),
        ("seek_on", "held"),
        ("seek_back", "0 ms / "),
        ("faster", " 2× "),
        ("slower", " 1× "),
        ("seek_end", "the end"),
        ("play", "playing"),
    ];
    for (action, wanted) in transport {
        for key in keys("replay", action) {
            term.press_named(&key);
            sees(&mut term, action, &[wanted]);
        }
    }
}

/// A record that another process is writing is followed to its end.
#[test]
fn what_runs_elsewhere_is_followed_live() {
    let (_served, pitstop) = scene();
    let image = "registry.paddock.lan/shop/web:1.9";
    let other = pitstop.start(&["deploy", "shop/web", "--image", image, "--gate", "first"]);
    other.wait_for_stdout("waiting for go");
    let mut term = console(&pitstop);
    term.keys("H");
    sees(&mut term, "history", &["running"]);
    term.keys("<enter>");
    sees(&mut term, "at its end so far", &["live", "waiting for you", "1/4 instances"]);
    pitstop.run(&["go", "shop/web"]).expect_code(0);
    sees(&mut term, "to its end", &["succeeded", "4/4 instances", "the end"]);
    other.wait().expect_code(0);
}
