//! The console, or the engine, is killed at any moment of a deployment: going on ends it, and nothing is lost or left over.
//!
//! `PITSTOP_ROUNDS` and `PITSTOP_SEED` for more and other moments: `PITSTOP_ROUNDS=50 cargo test --test it killed -- --nocapture
//! --include-ignored`.

use crate::journeys::{Outside, Site};
use crate::support::daemon::{Options, PrivateDockerd};
use crate::support::docker::Engine;
use crate::support::random::Random;
use crate::support::wait::{try_wait_for, wait_until};
use crate::support::{http, images};
use rustix::process::{Pid, Signal, kill_process};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(120);
/// A deployment of two takes about this long here, in milliseconds: the moments are spread over it.
const SPAN: u32 = 1600;

fn rounds() -> usize {
    std::env::var("PITSTOP_ROUNDS").map_or(2, |rounds| rounds.parse().expect("PITSTOP_ROUNDS is a number"))
}

/// Lets so much of the operation happen.
fn let_pass(random: &mut Random) -> u64 {
    let ms = u64::from(random.below(SPAN));
    try_wait_for::<()>(Duration::from_millis(ms), || None);
    ms
}

/// Tells how long it took to come to the end, for whoever measures.
#[allow(clippy::print_stderr)]
fn tell(what: &str, mut took: Vec<Duration>) {
    took.sort();
    let (median, longest) = (took[took.len() / 2], took[took.len() - 1]);
    eprintln!("{what}: {} of {} came to the end; median {median:.1?}, longest {longest:.1?}", took.len(), took.len());
}

#[track_caller]
fn all_is_there(site: &Site, before: &[Outside], answers: &str, round: &str, daemon: Option<&PrivateDockerd>) {
    assert_eq!(site.all_outside(before.len()), before, "{round}");
    for outside in before {
        // One that the engine has just brought back may still be booting.
        let answer = || http::get(&outside.address(), "/").ok().map(|answer| answer.body);
        let inside = || daemon.map_or_else(answer, |daemon| daemon.inside(answer));
        wait_until(&format!("{round}: {answers} at {}", outside.address()), PATIENCE, || {
            inside().as_deref() == Some(answers)
        });
    }
    assert_eq!(site.containers().len(), 2 * before.len(), "{round}: {:?}", site.containers());
    wait_until("the lock to be gone", PATIENCE, || {
        site.engine.containers(&format!("pitstop-lock-{}", site.project.name)).is_empty()
    });
}

#[test]
fn a_console_killed_at_any_moment_loses_nothing() {
    let engine = Engine::machine();
    let site = Site::open(&engine, &images::slow_boot(&engine, "v1", 100), 2);
    let before = site.all_outside(2);
    let versions = [images::slow_boot(&engine, "v2", 100), images::slow_boot(&engine, "v1", 100)];
    let (mut random, mut took) = (Random::seeded(1), Vec::new());
    for round in 0..rounds() {
        let image = &versions[round % 2];
        let running = site.pitstop.start(&["deploy", &site.web(), "--image", image, "-q"]);
        let ms = let_pass(&mut random);
        running.signal(Signal::KILL);
        running.wait();
        let what = format!("round {round}, killed after {ms} ms");
        let began = Instant::now();
        site.pitstop.run(&["resume", "-q", "--wait-lock", "1m"]).expect_code(0);
        // Killed before its record, or after its end, nothing was left to go on with: the same command does what is left.
        site.run("deploy", &["--image", image, "-q", "--wait-lock", "1m"]).expect_code(0);
        took.push(began.elapsed());
        all_is_there(&site, &before, ["v2", "v1"][round % 2], &what, None);
        let untouched = site.containers();
        site.pitstop.run(&["resume", "-q"]).expect_code(0);
        assert_eq!(site.containers(), untouched, "{what}: a second time does nothing");
    }
    tell("console killed", took);
}

/// Ends what the engine has forgotten, which nothing but a hand on its machine can, and tells how much that was.
///
/// Killed between a start and its own note of it, Engine 20.10 comes back without that process. It goes on in the sandbox's namespace,
/// where it keeps the port from everybody after it. One that was made and not started yet (`runc init`) waits there for ever; without
/// live-restore it keeps the dead sandbox's namespace alive, which answers on the bridge with the address of the new one.
fn end_what_it_forgot(daemon: &PrivateDockerd, engine: &Engine) -> usize {
    let unknown = || {
        let known = engine.docker(&["ps", "-q", "--no-trunc"]);
        let mut shims = daemon.shims();
        shims.retain(|(id, _)| !known.contains(id.as_str()));
        shims
    };
    let first = unknown();
    if first.is_empty() {
        return 0;
    }
    // One that is just being started by its restart policy is known in a moment.
    try_wait_for::<()>(Duration::from_millis(500), || None);
    let mut forgotten: Vec<u32> =
        unknown().into_iter().filter(|shim| first.contains(shim)).flat_map(|(_, below)| below).collect();
    forgotten.retain(|pid| {
        kill_process(Pid::from_raw(i32::try_from(*pid).expect("a pid")).expect("a pid"), Signal::KILL).is_ok()
    });
    wait_until("their end", PATIENCE, || {
        forgotten.iter().all(|pid| !std::path::Path::new(&format!("/proc/{pid}")).exists())
    });
    forgotten.len()
}

/// Kills the engine, and asks again, for so many rounds.
fn engine_killed(live_restore: bool) {
    let mut daemon = PrivateDockerd::start(&Options { live_restore, ..Options::default() });
    let engine = daemon.engine();
    let site = Site::new(&engine);
    // Without live-restore the containers die with the engine; their policy brings them back.
    site.file("compose.yaml", &images::slow_boot(&engine, "v1", 100), 2, "    restart: always\n");
    site.pitstop.run(&["create", "-q"]).expect_code(0);
    let before = site.all_outside(2);
    let versions = [images::slow_boot(&engine, "v2", 100), images::slow_boot(&engine, "v1", 100)];
    let (mut random, mut took, mut forgot) = (Random::seeded(2), Vec::new(), 0);
    for round in 0..rounds() {
        let image = &versions[round % 2];
        let running = site.pitstop.start(&["deploy", &site.web(), "--image", image, "-q", "--engine-grace", "2m"]);
        let ms = let_pass(&mut random);
        daemon.kill9();
        daemon.start_again();
        let what = format!("round {round}, live-restore {live_restore}, killed after {ms} ms");
        let began = Instant::now();
        let ended = running.wait();
        // 3: it had not begun yet.
        assert!([Some(0), Some(1), Some(3), Some(6)].contains(&ended.code), "{what}: {ended:?}");
        forgot += end_what_it_forgot(&daemon, &engine);
        let repaired = site.pitstop.run(&["repair", "-q", "--wait-lock", "1m"]);
        assert!([Some(0), Some(6)].contains(&repaired.code), "{what}: {repaired:?}");
        let again = site.run("deploy", &["--image", image, "-q", "--wait-lock", "1m"]);
        assert!([Some(0), Some(6)].contains(&again.code), "{what}: {again:?}");
        took.push(began.elapsed());
        let addresses = |all: &[Outside]| all.iter().map(|one| one.networks.clone()).collect::<Vec<_>>();
        let now = site.all_outside(2);
        assert_eq!(addresses(&now), addresses(&before), "{what}");
        all_is_there(&site, &now, ["v2", "v1"][round % 2], &what, Some(&daemon));
    }
    tell(&format!("engine killed, live-restore {live_restore}, {forgot} processes forgotten by it"), took);
}

#[test]
#[ignore = "minutes; a few fixed moments are in survival::engine"]
fn an_engine_killed_at_any_moment_loses_nothing() {
    engine_killed(true);
}

#[test]
#[ignore = "minutes; a few fixed moments are in survival::engine"]
fn an_engine_killed_with_all_its_containers_loses_nothing() {
    engine_killed(false);
}
