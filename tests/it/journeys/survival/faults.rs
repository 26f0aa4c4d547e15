//! A connection that breaks, an answer that is lost, an engine that says it failed, at each change of an operation.
//!
//! Whatever happens: each instance serves at its address, nothing is left over, and the exit code tells the truth. A few cases are
//! taken normally, all of them with `PITSTOP_EXHAUSTIVE=1`.

use crate::journeys::{Site, get};
use crate::support::docker::Engine;
use crate::support::images;
use crate::support::pitstop::Pitstop;
use crate::support::proxy::{Fault, Proxy};
use crate::support::wait::wait_until;
use std::time::Duration;

const FAULTS: [Fault; 4] = [Fault::Unsent, Fault::Unanswered, Fault::Cut, Fault::Status(500)];

/// A stop whose answer was lost may be under way for so long: it is not sent again before.
const GRACE: &str = "--stop-grace=1s";

/// Cases of the normal run.
const FEW: usize = 5;

/// Which change, and what is done to it.
fn cases(changes: usize) -> Vec<(usize, Fault)> {
    let all = (0..changes).flat_map(|nth| FAULTS.map(|fault| (nth, fault)));
    if std::env::var("PITSTOP_EXHAUSTIVE").is_ok_and(|value| value == "1") {
        return all.collect();
    }
    // Another kind each time.
    let every = (changes * FAULTS.len() / FEW).max(1) | 1;
    all.step_by(every).collect()
}

/// The console's side of `site`, through a proxy.
fn through(proxy: &Proxy) -> Pitstop {
    Pitstop::on(&proxy.engine())
}

/// How many changes these words ask for when all is well.
fn changes(site: &Site, words: &[&str]) -> usize {
    let proxy = Proxy::before(&site.engine);
    through(&proxy).run(words).expect_code(0);
    proxy.history().iter().filter(|passed| passed.changes()).count()
}

/// Each instance serves one of `versions`, in its sandbox, which is as before.
#[track_caller]
fn serves(site: &Site, before: &[crate::journeys::Outside], versions: &[&str], case: &str) {
    assert_eq!(site.all_outside(before.len()), before, "{case}");
    for outside in before {
        let version = get(&outside.address(), "/");
        assert!(versions.contains(&version.as_str()), "{case}: {version}");
    }
}

/// Neither a container too many nor a lock.
#[track_caller]
fn nothing_left(site: &Site, case: &str) {
    assert_eq!(site.containers().len(), 4, "{case}: {:?}", site.containers());
    let locks = format!("pitstop-lock-{}-", site.project.name);
    wait_until("the lock to be gone", Duration::from_secs(60), || site.engine.containers(&locks).is_empty());
}

#[test]
fn at_each_change_of_a_deployment() {
    let engine = Engine::machine();
    let images = ["v1", "v2"].map(|version| images::app(&engine, version));
    let site = Site::open(&engine, &images[0], 2);
    let (web, before) = (site.web(), site.all_outside(2));
    let changes = changes(&site, &["deploy", &web, "--image", &images[1], "-q"]);
    assert!(changes > 12, "a deployment changes much: {changes}");
    for (round, (nth, fault)) in cases(changes).into_iter().enumerate() {
        let (new, version) = if round % 2 == 0 { (&images[0], "v1") } else { (&images[1], "v2") };
        let proxy = Proxy::before(&engine);
        proxy.on_change(nth, fault);
        let out = through(&proxy).run(&["deploy", &web, "--image", new, GRACE]);
        let met = proxy.history().into_iter().find(|passed| passed.fault.is_some());
        let case = format!("{fault:?} at change {nth} ({met:?}): {:?}\n{}\n{}", out.code, out.stdout, out.stderr);
        match out.code {
            Some(0) => {
                serves(&site, &before, &[version], &case);
                nothing_left(&site, &case);
            }
            Some(1 | 5) => serves(&site, &before, &["v1", "v2"], &case),
            _ => panic!("{case}"),
        }
        site.run("deploy", &["--image", new, "-q", "--wait-lock", "1m"]).expect_code(0);
        serves(&site, &before, &[version], &case);
        nothing_left(&site, &case);
    }
}

#[test]
fn at_each_change_of_a_restart() {
    let engine = Engine::machine();
    let site = Site::open(&engine, &images::app(&engine, "v1"), 2);
    let (web, before, containers) = (site.web(), site.all_outside(2), site.containers());
    let changes = changes(&site, &["restart", &web, "-q"]);
    for (nth, fault) in cases(changes) {
        let proxy = Proxy::before(&engine);
        proxy.on_change(nth, fault);
        let out = through(&proxy).run(&["restart", &web, GRACE]);
        let met = proxy.history().into_iter().find(|passed| passed.fault.is_some());
        let case = format!("{fault:?} at change {nth} ({met:?}): {:?}\n{}\n{}", out.code, out.stdout, out.stderr);
        assert!(matches!(out.code, Some(0 | 1 | 5)), "{case}");
        serves(&site, &before, &["v1"], &case);
        nothing_left(&site, &case);
        assert_eq!(site.containers(), containers, "{case}");
    }
}
