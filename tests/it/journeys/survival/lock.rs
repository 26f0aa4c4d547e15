//! Several consoles want the same app: one has it, the others are told who, and a dead one holds nobody up.

use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use crate::journeys::Site;
use crate::journeys::events::of;
use crate::support::docker::Engine;
use crate::support::images;
use crate::support::pitstop::Running;
use crate::support::wait::wait_until;

const PATIENCE: Duration = Duration::from_secs(60);

/// Nobody answers there: an operation with this probe goes on until it is ended.
const ENDLESS: [&str; 4] = ["--probe", "tcp:9090", "--ready-timeout", "1h"];

/// How often the race is run; `PITSTOP_ROUNDS` says otherwise.
fn rounds() -> usize {
    std::env::var("PITSTOP_ROUNDS").map_or(3, |rounds| rounds.parse().expect("PITSTOP_ROUNDS is a number"))
}

/// Until an operation waits for an instance that will not be ready.
#[track_caller]
fn wait_for_ready_step(console: &Running) {
    let waits = |line: &str| line.contains("\"step_started\"") && line.contains("\"ready\"");
    wait_until("a step that waits", PATIENCE, || console.stdout().lines().any(waits));
}

#[test]
fn of_three_consoles_one_works_and_the_others_are_told_who() {
    let engine = Engine::machine();
    let site = Site::open(&engine, &images::app(&engine, "v1"), 1);
    let web = site.web();
    let before = (site.outside(1), site.containers());
    for round in 0..rounds() {
        let args = [&["restart", &web, "--json"][..], &ENDLESS].concat();
        let mut consoles: Vec<Running> = (0..3).map(|_| site.pitstop.start(&args)).collect();
        wait_until("two to be refused", PATIENCE, || {
            consoles.iter_mut().map(Running::ended).filter(|ended| *ended).count() == 2
        });
        let (refused, mut running): (Vec<_>, Vec<_>) =
            consoles.into_iter().map(|mut console| (console.ended(), console)).partition(|(ended, _)| *ended);
        let (_, winner) = running.pop().unwrap();
        wait_for_ready_step(&winner);
        let planned: Value = serde_json::from_str(winner.stdout().lines().next().unwrap()).unwrap();
        let op = planned["op"].as_str().unwrap();
        for (_, refused) in refused {
            let said = refused.wait().expect_code(4);
            assert!(said.stdout.is_empty(), "nothing was begun: {}", said.stdout);
            for word in ["is locked by", "since 20", "restart", op, "nothing was touched", "--wait-lock"] {
                assert!(said.stderr.contains(word), "round {round}: no {word:?} in {}", said.stderr);
            }
        }
        // The engine frees what the dead one held.
        drop(winner);
        site.run("restart", &["-q", "--wait-lock", "60s"]).expect_code(0);
    }
    assert_eq!((site.outside(1), site.containers()), before);
    assert_eq!(engine.containers(&format!("pitstop-lock-{}", site.project.name)), [""; 0]);
}

#[test]
fn who_waits_for_the_lock_plans_anew_under_it() {
    let engine = Engine::machine();
    let site = Site::open(&engine, &images::app(&engine, "v1"), 2);
    let (web, v2) = (site.web(), images::app(&engine, "v2"));
    let before = site.all_outside(2);
    let first = site.pitstop.start(&[&["deploy", &web, "--image", &v2, "--json"][..], &ENDLESS].concat());
    wait_for_ready_step(&first);
    let second = site.pitstop.start(&["deploy", &web, "--image", &v2, "--json", "--wait-lock", "60s"]);
    let refused = site.run("restart", &["--wait-lock", "1s"]).expect_code(4);
    assert!(refused.stderr.contains("(waited "), "{}", refused.stderr);
    assert!(second.stdout().is_empty(), "it has to wait: {}", second.stdout());

    drop(first);
    let told = second.wait().expect_code(0).json_lines();
    assert_eq!(of(&told, "finished")[0]["outcome"], "succeeded");
    assert_eq!(site.all_outside(2), before);
    assert_eq!(site.containers().len(), 4, "nothing is left over: {:?}", site.containers());
    for number in 1..=2 {
        assert_eq!(super::super::get(&site.outside(number).address(), "/"), "v2");
    }
}

#[test]
fn a_console_that_slept_and_lost_its_lock_touches_nothing() {
    let engine = Engine::machine();
    let site = Site::open(&engine, &images::app(&engine, "v1"), 2);
    let (web, v2, v3) = (site.web(), images::app(&engine, "v2"), images::app(&engine, "v3"));
    let before = site.all_outside(2);
    let sleeper = site.pitstop.start(&[&["deploy", &web, "--image", &v2, "--json"][..], &ENDLESS].concat());
    wait_for_ready_step(&sleeper);
    sleeper.signal(Signal::STOP);
    site.run("deploy", &["--image", &v3, "-q", "--wait-lock", "60s"]).expect_code(0);
    let left = (site.all_outside(2), site.containers());
    assert_eq!(left.0, before);

    sleeper.signal(Signal::CONT);
    let told = sleeper.wait().expect_code(1).json_lines();
    let finished = of(&told, "finished")[0];
    assert_ne!(finished["outcome"], "succeeded", "{finished}");
    assert!(told.iter().any(|event| event.to_string().contains("the lock of")), "it says why: {told:?}");
    assert_eq!((site.all_outside(2), site.containers()), left);
}

#[test]
fn a_container_that_pitstop_has_not_made_is_locked_by_its_name_and_no_lock_is_an_app() {
    let engine = Engine::machine();
    let site = Site::new(&engine);
    let name = format!("{}-plain", site.project.name);
    engine.docker(&["run", "-d", "--name", &name, &images::ignores_sigterm(&engine, "v1")]);
    let first = site.pitstop.start(&["restart", &name, "--json", "--stop-grace", "1h"]);
    let stops = |line: &str| line.contains("\"step_started\"") && line.contains("\"stop\"");
    wait_until("the stop", PATIENCE, || first.stdout().lines().any(stops));
    let lock = format!("pitstop-lock-{name}");
    assert_eq!(engine.inspect(&lock)["Config"]["Labels"]["io.pitstop.role"], "lock");
    let refused = site.pitstop.run(&["restart", &name]).expect_code(4);
    assert!(refused.stderr.contains(&format!("{name} is locked by")), "{}", refused.stderr);
    let fleet = site.pitstop.run(&["ps", "--json"]).expect_code(0).stdout;
    assert!(fleet.contains(&name) && !fleet.contains(&lock), "{fleet}");
    drop(first);
    wait_until("the lock to be gone", PATIENCE, || engine.try_inspect(&lock).is_none());
}
