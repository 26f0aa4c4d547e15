//! The JSON that other programs read: every key that was promised is there, and none that the reference does not name.

use std::collections::{BTreeMap, BTreeSet};

use rustix::process::Signal;
use serde_json::Value;

use super::Site;
use super::events::of;
use crate::support::docker::Engine;
use crate::support::images;
use crate::support::registry::Registry;
use crate::support::term::Key;
use pitstop::docker::sandbox_image::AppImage;

const REFERENCE: &str = include_str!("../../../docs/reference.md");

const ENVELOPE: &str = "v op seq at elapsed_ms event";

/// What each event has had from the first version on. `paused` is missing: only the console can ask for it.
const PROMISED: [(&str, &str); 10] = [
    ("planned", "kind app from to batches steps"),
    ("step_started", "step instance batch action attempt waited_ms"),
    ("step_progress", "step done total note"),
    ("step_finished", "step instance batch action lane result took_ms waited_ms error"),
    ("identity_judged", "instance verdict before after reasons"),
    ("gap_measured", "instance gap_ms probe"),
    ("gate_reached", ""),
    ("resumed", ""),
    ("cancel_requested", ""),
    ("finished", "outcome took_ms serial_ms counts error"),
];

/// What `finished`, `planned` and `identity_judged` hold inside.
const INSIDE: [(&str, &str, &str); 5] = [
    ("planned", "/steps/0", "step instance batch action needs lane cause"),
    ("finished", "/counts", "instances kept changed lost failed"),
    ("identity_judged", "/before", "networks netns hostname ports volumes"),
    ("identity_judged", "/after", "networks netns hostname ports volumes"),
    ("identity_judged", "/after/networks/*", "ipv4 ipv6 mac"),
];

const PS: [(&str, &str); 4] = [
    ("", "engine apps"),
    ("/apps/0", "project app managed image revision instances"),
    (
        "/apps/0/instances/0",
        "name state ready addresses identity image image_id revision container_id sandbox_id started_at",
    ),
    ("/apps/0/instances/0/addresses/*", "ipv4 ipv6 mac"),
];

/// The object at `place`; a last `*` is whatever key there is.
fn at<'v>(value: &'v Value, place: &str) -> &'v Value {
    match place.strip_suffix("/*") {
        Some(above) => value.pointer(above).unwrap().as_object().unwrap().values().next().unwrap(),
        None => value.pointer(place).unwrap_or_else(|| panic!("no {place} in {value}")),
    }
}

fn keys(value: &Value) -> BTreeSet<&str> {
    value.as_object().unwrap_or_else(|| panic!("no object: {value}")).keys().map(String::as_str).collect()
}

#[track_caller]
fn assert_keys(what: &str, value: &Value, promised: &str, documented: &str) {
    let found = keys(value);
    for key in promised.split(' ').filter(|key| !key.is_empty()) {
        assert!(found.contains(key), "{what} lost `{key}`: {value}");
    }
    for key in found {
        assert!(documented.contains(&format!("`{key}`")), "{what}: docs/reference.md does not name `{key}`");
    }
}

#[test]
fn every_event_has_the_keys_of_the_contract() {
    let engine = Engine::machine();
    let v1 = images::app(&engine, "v1");
    let site = Site::open(&engine, &v1, 2);
    // An image of its own, which is really pulled.
    let registry = Registry::start();
    let cmd = ["serve", "8080", site.project.name.as_str()];
    let own = AppImage { cmd: &cmd, port: Some(8080), padding: 4 << 20, ..AppImage::default() };
    let own = images::load(&engine, "contract", "v2", &own);
    let pushed = registry.push(&engine, &own, "shop/web:2");
    engine.docker(&["rmi", &own]);

    let mut events = site.run("deploy", &["--image", &pushed, "--json"]).expect_code(0).json_lines();
    let mut term = site.pitstop.terminal(120, 40, &["restart", &site.web(), "--gate", "every", "--events", "gated"]);
    term.wait_for("[Enter] go on");
    term.press(Key::Enter);
    assert_eq!(term.exit(), Some(0));
    let gated = std::fs::read_to_string(site.pitstop.home().join("gated")).unwrap();
    events.extend(gated.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()));
    let running = site.pitstop.start(&["restart", &site.web(), "--json"]);
    running.wait_for_stdout(r#""action":"stop","lane":"main","result":"ok""#);
    running.signal(Signal::INT);
    events.extend(running.wait().expect_code(130).json_lines());

    let rows: BTreeMap<&str, &str> = REFERENCE
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once(" | "))
        .flat_map(|(names, fields)| names.split("`, `").map(move |name| (name.trim_end_matches('`'), fields)))
        .collect();
    let envelope = format!("`{}`", ENVELOPE.replace(' ', "` `"));
    for (kind, promised) in PROMISED {
        let found = of(&events, kind);
        let documented = format!("{envelope}{}", rows.get(kind).unwrap_or_else(|| panic!("{kind} is not documented")));
        assert!(!found.is_empty(), "no {kind} among the events");
        for event in found {
            assert_keys(kind, event, &format!("{ENVELOPE} {promised}"), &documented);
        }
    }
    for (kind, place, promised) in INSIDE {
        assert_keys(&format!("{kind}{place}"), at(of(&events, kind)[0], place), promised, rows[kind]);
    }
    let kinds: BTreeSet<&str> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(kinds, PROMISED.iter().map(|(kind, _)| *kind).collect(), "no other kinds");
    let actions = "pull network volume sandbox_create sandbox_start create drain stop start restart ready attach verify park remove rename";
    for step in events.iter().filter(|event| event["event"] == "step_finished") {
        assert!(actions.split(' ').any(|action| step["action"] == action), "{step}");
    }
    engine.docker(&["rmi", "-f", &pushed]);
}

#[test]
fn the_fleet_has_the_keys_of_the_contract() {
    let engine = Engine::machine();
    let site = Site::open(&engine, &images::app(&engine, "v1"), 1);
    let fleet: Value = serde_json::from_str(&site.run("ps", &["--json"]).expect_code(0).stdout).unwrap();
    let documented = REFERENCE.split("\n## ").find(|section| section.starts_with("The fleet")).expect("a section");
    for (place, promised) in PS {
        assert_keys(&format!("ps {place}"), at(&fleet, place), promised, documented);
    }
    let told = &fleet["apps"][0]["instances"][0];
    let (outside, app) = (site.outside(1), engine.inspect(&site.app(1)));
    assert_eq!((&told["sandbox_id"], &told["container_id"]), (&outside.sandbox.as_str().into(), &app["Id"]));
    assert_eq!((&told["image_id"], &told["state"]), (&app["Image"], &"running".into()));
    let (network, (ipv4, mac)) = outside.networks.iter().next().unwrap();
    let address = &told["addresses"][network];
    assert_eq!((&address["ipv4"], &address["mac"]), (&ipv4.as_str().into(), &mac.as_str().into()));
    let started = |text: &Value| text.as_str().unwrap()[..19].to_owned();
    assert_eq!(started(&told["started_at"]), started(&app["State"]["StartedAt"]));
}
