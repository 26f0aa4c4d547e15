//! An app's own commands around an operation, on a real engine.

use std::time::{Duration, Instant};

use pitstop::docker::sandbox_image::GUEST_PATH;
use serde_json::Value;

use super::events::{check, of};
use super::{Site, get};
use crate::support::docker::Engine;
use crate::support::images;

/// Writes a file whose service has these hooks, each a line of `x-pitstop: hooks`.
fn file(site: &Site, name: &str, image: &str, hooks: &[String]) {
    let lines = hooks.join("\n        ");
    let more = format!("    x-pitstop:\n      probe: tcp:8080\n      hooks:\n        {lines}\n");
    site.file_with(name, image, 1, &more);
}

/// A hook that runs the guest, the one program of these images.
fn hook(moment: &str, arguments: &str) -> String {
    format!("{moment}: [{GUEST_PATH}, {arguments}]")
}

/// The finished hook steps: moment, lane, result, and what was said.
fn hooks(events: &[Value]) -> Vec<(String, String, String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let is = |event: &&Value| text(&event["action"]).contains('_') && event["result"] != "skipped";
    let one = |event: &Value| {
        let said = if event["error"].is_null() { &event["detail"] } else { &event["error"] };
        (text(&event["action"]), text(&event["lane"]), text(&event["result"]), text(said))
    };
    let finished = of(events, "step_finished");
    let hooks = finished.into_iter().filter(is).filter(|event| !text(&event["action"]).starts_with("sandbox"));
    hooks.map(one).collect()
}

fn done(moment: &str, said: &str) -> (String, String, String, String) {
    (moment.to_owned(), "main".to_owned(), "ok".to_owned(), said.to_owned())
}

/// The instance's app container, and when it was started.
fn started(site: &Site) -> (String, Value) {
    let app = site.app(1);
    let seen = site.engine.inspect(&app)["State"]["StartedAt"].clone();
    (app, seen)
}

#[test]
fn they_run_at_their_moments_and_what_they_say_is_kept() {
    let engine = Engine::machine();
    let site = Site::new(&engine);
    let all = |probe: &str| {
        vec![hook("pre_drain", "probe, 'tcp:8080'"), hook("pre_stop", "version"), hook("post_ready", probe)]
    };
    file(&site, "compose.yaml", &images::app(&engine, "v1"), &all("probe, 'http:8080/health'"));
    let events = site.pitstop.run(&["create", "--json"]).expect_code(0).json_lines();
    assert_eq!(hooks(&events), [done("post_ready", "exit 0: http 200")]);

    file(&site, "compose.yaml", &images::app(&engine, "v2"), &all("probe, 'tcp:8080'"));
    let events = site.run("deploy", &["-f", "compose.yaml", "--json"]).expect_code(0).json_lines();
    check(&events);
    let version = format!("exit 0: pitstop-guest 1 {}", std::env::consts::ARCH);
    let told =
        [done("pre_drain", "exit 0: connected"), done("pre_stop", &version), done("post_ready", "exit 0: connected")];
    assert_eq!(hooks(&events), told, "the old one's before, the new one's after");
    let order: Vec<_> = of(&events, "step_finished")
        .iter()
        .filter(|event| event["result"] == "ok" && event["instance"].is_string())
        .map(|event| event["action"].as_str().unwrap().to_owned())
        .collect();
    let place =
        |action: &str| order.iter().position(|one| one == action).unwrap_or_else(|| panic!("{action}: {order:?}"));
    for pair in ["pre_drain", "pre_stop", "stop", "start", "ready", "post_ready"].windows(2) {
        assert!(place(pair[0]) < place(pair[1]), "{pair:?}: {order:?}");
    }

    let out = site.run("restart", &[]).expect_code(0);
    println!("{}", out.stdout);
    for moment in ["pre_drain", "pre_stop", "post_ready"] {
        assert!(out.stdout.contains(moment), "{}", out.stdout);
    }
    let plan = site.run("restart", &["--dry-run"]).expect_code(0).stdout;
    assert!(plan.contains(&format!("the app's own pre_stop hook: {GUEST_PATH} before it is stopped")), "{plan}");
}

#[test]
fn one_that_fails_before_the_stop_leaves_all_as_it_was() {
    let engine = Engine::machine();
    let site = Site::new(&engine);
    let v2 = images::app(&engine, "v2");
    let ways = [
        (hook("pre_stop", "probe, 'tcp:9'"), "exit 1: refused"),
        (hook("pre_drain", "probe, 'tcp:9'"), "exit 1: refused"),
        ("pre_stop: [/no/such/program]".to_owned(), "/no/such/program"),
        (
            format!("pre_stop: {{command: [{GUEST_PATH}, serve, '9', x, --never-listen], timeout: 700ms}}"),
            "did not end within 700 ms; it may still run in the container",
        ),
    ];
    for (hook, said) in ways {
        file(&site, "compose.yaml", &images::app(&engine, "v1"), &[hook]);
        site.pitstop.run(&["create", "-q"]).expect_code(0);
        let before = (site.containers(), site.all_outside(1), started(&site));
        let began = Instant::now();
        for verb in [&["deploy", "--image", &v2, "--json"][..], &["restart", "--json"]] {
            let out = site.run(verb[0], &verb[1..]).expect_code(1);
            println!("{}", out.stderr);
            check(&out.json_lines());
            assert!(out.stderr.contains(said) && out.stderr.contains("next: "), "{}", out.stderr);
            assert_eq!((site.containers(), site.all_outside(1), started(&site)), before, "{said}");
        }
        assert!(began.elapsed() < Duration::from_secs(30));
        assert_eq!(get(&before.1[0].address(), "/"), "v1");
        site.run("rm", &["-q"]).expect_code(0);
    }
}

#[test]
fn one_that_fails_when_ready_makes_the_instance_a_failed_one() {
    let engine = Engine::machine();
    let site = Site::new(&engine);
    file(&site, "compose.yaml", &images::app(&engine, "v1"), &[hook("post_ready", "probe, 'tcp:8080'")]);
    site.pitstop.run(&["create", "-q"]).expect_code(0);
    let before = (site.containers(), site.all_outside(1));
    file(&site, "bad.yaml", &images::app(&engine, "v2"), &[hook("post_ready", "probe, 'tcp:9'")]);
    let out = site.run("deploy", &["-f", "bad.yaml", "--json"]).expect_code(1);
    println!("{}", out.stderr);
    let events = out.json_lines();
    check(&events);
    let told = hooks(&events);
    assert_eq!((told[0].0.as_str(), told[0].2.as_str()), ("post_ready", "failed"), "{told:?}");
    assert!(told[0].3.contains("exit 1: refused"), "{told:?}");
    let back = ("post_ready".to_owned(), "undo".to_owned(), "ok".to_owned(), "exit 0: connected".to_owned());
    assert_eq!(told[1], back, "what serves again is told so: {told:?}");
    assert_eq!((site.containers(), site.all_outside(1)), before);
    assert_eq!(get(&before.1[0].address(), "/"), "v1");
}
