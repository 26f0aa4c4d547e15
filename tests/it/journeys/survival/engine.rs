//! The engine is killed in the middle of a deployment: it is waited for, and then gone on with what is there.

use crate::journeys::events::of;
use crate::journeys::{Site, get, outside};
use crate::support::daemon::{Options, PrivateDockerd};
use crate::support::images;
use crate::support::wait::wait_for;
use std::time::Duration;

const STARTED: &str = r#""action":"start","lane":"main","result":"ok""#;

#[test]
fn an_engine_that_comes_back_is_waited_for() {
    let mut daemon = PrivateDockerd::start(&Options { live_restore: true, ..Options::default() });
    let engine = daemon.engine();
    let site = Site::open(&engine, &images::app(&engine, "v1"), 2);
    let before = site.all_outside(2);
    let v2 = images::slow_boot(&engine, "v2", 2000);
    let running = site.pitstop.start(&["deploy", &site.web(), "--image", &v2, "--json", "--engine-grace", "10m"]);
    running.wait_for_stdout(STARTED);
    daemon.kill9();
    running.wait_for_stdout("engine_lost");
    daemon.start_again();

    let told = running.wait().expect_code(0).json_lines();
    assert_eq!(of(&told, "engine_lost").len(), 1);
    assert_eq!(of(&told, "engine_back").len(), 1);
    assert_eq!(of(&told, "identity_judged").iter().filter(|judged| judged["verdict"] == "kept").count(), 2);
    assert_eq!(site.all_outside(2), before);
    for outside in &before {
        assert_eq!(daemon.inside(|| get(&outside.address(), "/")), "v2");
    }
    assert_eq!(site.containers().len(), 4, "{:?}", site.containers());
    assert_eq!(engine.containers("pitstop-lock-"), [""; 0]);
}

#[test]
fn an_engine_that_stays_away_is_given_up_and_the_rest_is_done_by_asking_again() {
    let mut daemon = PrivateDockerd::start(&Options { live_restore: true, ..Options::default() });
    let engine = daemon.engine();
    let site = Site::open(&engine, &images::app(&engine, "v1"), 2);
    let before = site.all_outside(2);
    let v2 = images::slow_boot(&engine, "v2", 2000);
    let running = site.pitstop.start(&["deploy", &site.web(), "--image", &v2, "--json", "--engine-grace", "2s"]);
    running.wait_for_stdout(STARTED);
    daemon.kill9();
    let out = running.wait().expect_code(1);
    let told = out.json_lines();
    let last = told.last().unwrap();
    assert_eq!((&last["event"], &last["outcome"]), (&"finished".into(), &"failed".into()));
    assert_eq!(of(&told, "engine_lost")[0]["grace_ms"], 2000);
    assert!(out.stderr.contains("web-1") && out.stderr.contains("next: "), "{}", out.stderr);
    site.run("ps", &[]).expect_code(3);

    daemon.start_again();
    site.run("deploy", &["--image", &v2, "--wait-lock", "1m"]).expect_code(0);
    assert_eq!(site.all_outside(2), before);
    for outside in &before {
        assert_eq!(daemon.inside(|| get(&outside.address(), "/")), "v2");
    }
    assert_eq!(site.containers().len(), 4, "{:?}", site.containers());
}

#[test]
fn where_the_containers_die_with_the_engine_the_addresses_come_back() {
    let mut daemon = PrivateDockerd::start(&Options::default());
    let engine = daemon.engine();
    let site = Site::new(&engine);
    site.file("compose.yaml", &images::app(&engine, "v1"), 2, "    restart: unless-stopped\n");
    site.pitstop.run(&["create", "-q"]).expect_code(0);
    let before = site.all_outside(2);
    let v2 = images::slow_boot(&engine, "v2", 2000);
    let running = site.pitstop.start(&["deploy", &site.web(), "--image", &v2, "--json", "--engine-grace", "10m"]);
    running.wait_for_stdout(STARTED);
    daemon.kill9();
    running.wait_for_stdout("engine_lost");
    daemon.start_again();

    // Its sandboxes have died too: whether this very deployment can go on is the engine's luck. Its code tells the truth, and
    // asking again ends it.
    let code = running.wait().code;
    assert!(matches!(code, Some(0 | 1 | 5 | 6)), "{code:?}");
    wait_for("the deployment asked for again", Duration::from_secs(120), || {
        let out = site.run("deploy", &["--image", &v2, "-q", "--wait-lock", "1m"]);
        (out.code == Some(0)).then_some(())
    });
    for number in 1..=2 {
        let (before, after) = (&before[number - 1], outside(&engine, &site.sandbox(number)));
        assert_eq!((&before.sandbox, &before.networks), (&after.sandbox, &after.networks));
        assert_eq!(daemon.inside(|| get(&after.address(), "/")), "v2");
    }
    assert_eq!(site.containers().len(), 4, "{:?}", site.containers());
}
