//! The console is killed, or the engine dies, at each request of an operation; then somebody asks for the same again.

use std::time::Duration;

use pitstop::domain::event::EventKind;
use pitstop::sim::{Control, Fault, When};

use super::life::{End, Life};
use super::oracle::{Case, is, settled};
use super::scene::{PLAYS, Play};
use super::single::{converges, requests, stage, succeeded};

/// So long an engine is away.
const AWAY: Duration = Duration::from_millis(700);

/// Killed while the `nth` request is under way: before the engine did anything, or after it did all.
fn console_dies(play: Play, instances: u32, nth: u32, after: bool) -> Result<(), String> {
    let life = stage(play, instances, true);
    let control = life.control();
    let (before, begun) = (control.world(), control.requests().len());
    control.on(When::any(nth), if after { Fault::StallHead } else { Fault::Hold });
    let met = |control: &Control| control.requests()[begun..].iter().any(|one| one.fault.is_some());
    // It dies at its request, or it is over before.
    let ran = life.ask(play.request(instances), met);
    // What is held may be done by the engine all the same, once its console is gone.
    control.release();
    life.pass(Duration::from_secs(15));
    judged(&life, play, instances, &before, begun, &ran)
        .and_then(|()| converges(&life, play, instances))
        .map_err(|why| told(play, instances, nth, &control, begun, if after { "done" } else { "asked" }, &why))
}

/// The engine dies at the `nth` request, and comes back.
fn engine_dies(play: Play, instances: u32, nth: u32, fault: Fault, live_restore: bool) -> Result<(), String> {
    let life = stage(play, instances, live_restore);
    let control = life.control();
    let (before, begun) = (control.world(), control.requests().len());
    control.on(When::any(nth), fault);
    let ran = life.ask(play.request(instances), |_| false);
    control.clear();
    life.pass(Duration::from_secs(15));
    // Without live-restore all that ran has ended; what is down is named.
    let judged = if live_restore { judged(&life, play, instances, &before, begun, &ran) } else { Ok(()) };
    // One that dies while the lock is given back, when all is done, takes down what nobody looks at any more.
    let noticed = ran.events.iter().any(|event| matches!(event.kind, EventKind::EngineBack { .. }));
    let as_wanted = succeeded(&ran) && (live_restore || noticed);
    judged
        .and_then(|()| if as_wanted { settled(&control.world(), instances, play.wanted()) } else { Ok(()) })
        .and_then(|()| if as_wanted { Ok(()) } else { converges(&life, play, instances) })
        .map_err(|why| told(play, instances, nth, &control, begun, &format!("{fault:?}, {live_restore}"), &why))
}

pub(super) fn judged(
    life: &Life,
    play: Play,
    instances: u32,
    before: &super::oracle::World,
    begun: usize,
    ran: &super::life::Ran,
) -> Result<(), String> {
    let control = life.control();
    let (after, asked) = (control.world(), &control.requests()[begun..]);
    let anew = play == Play::Restart;
    Case { before, after: &after, asked, ran, instances, wanted: play.wanted(), anew }.judge()
}

fn told(play: Play, instances: u32, nth: u32, control: &Control, begun: usize, how: &str, why: &str) -> String {
    let asked = &control.requests()[begun..];
    let met = asked.iter().find(|one| one.fault.is_some()).map(|one| format!("{} {}", one.method, one.path));
    format!("{play:?} ×{instances}, killed at request {nth} ({how}: {met:?}): {why}")
}

/// Runs every case of these plays, or every `each`-th.
fn family(name: &str, each: usize, kinds: u32, case: impl Fn(Play, u32, u32, u32) -> Result<(), String>) {
    let (mut all, mut broken) = (Vec::new(), Vec::new());
    for play in PLAYS {
        for instances in [1, 3] {
            let most = requests(play, instances);
            all.extend((1..=most).flat_map(|nth| (0..kinds).map(move |kind| (play, instances, nth, kind))));
        }
    }
    let taken: Vec<_> = all.into_iter().step_by(if super::exhaustive() { 1 } else { each }).collect();
    for &(play, instances, nth, kind) in &taken {
        broken.extend(case(play, instances, nth, kind).err());
    }
    super::tell(&format!("{name}: {} cases, {} broken", taken.len(), broken.len()));
    assert!(broken.is_empty(), "{}", broken.join("\n\n"));
}

#[test]
fn a_console_that_dies_is_gone_on_from() {
    family("killed consoles", 17, 2, |play, instances, nth, kind| console_dies(play, instances, nth, kind == 1));
}

#[test]
fn an_engine_that_dies_is_waited_for() {
    family("killed engines", 31, 4, |play, instances, nth, kind| {
        let fault = if kind % 2 == 0 { Fault::DieBefore(AWAY) } else { Fault::DieAfter(AWAY) };
        engine_dies(play, instances, nth, fault, kind < 2)
    });
}

#[test]
fn a_lock_that_was_started_when_its_console_had_died_ends_by_itself() {
    for (path, fault) in
        [("attach", Fault::Hold), ("attach", Fault::StallHead), ("start", Fault::Hold), ("start", Fault::StallHead)]
    {
        let life = stage(Play::Rollback, 1, true);
        let control = life.control();
        // Its operation goes on for so long that it starts the lock, whose start is the first of all.
        control.on(When::request("POST", "/containers/*/stop"), Fault::Delay(Duration::from_secs(3)));
        let nth = if path == "attach" { 2 } else { 1 };
        control.on(When::request("POST", &format!("/containers/*/{path}")).nth(nth), fault);
        let died =
            |control: &Control| control.requests().iter().any(|one| one.fault.is_some() && one.path.ends_with(path));
        let ran = life.ask(Play::Rollback.request(1), died);
        assert!(matches!(ran.end, End::Died), "{path} {fault:?}: {:?}", ran.events.last());
        control.release();
        life.pass(Duration::from_secs(15));
        assert!(!control.world().values().any(|seen| is(seen, "lock") && seen.status == "running"), "{path} {fault:?}");
        converges(&life, Play::Rollback, 1).unwrap_or_else(|why| panic!("{path} {fault:?}: {why}"));
    }
}

#[test]
fn an_operation_that_was_done_with_an_instance_says_that_the_engine_came_back_without_it() {
    let broken: Vec<_> = (40..=requests(Play::Deploy, 3))
        .step_by(5)
        .filter_map(|nth| engine_dies(Play::Deploy, 3, nth, Fault::DieBefore(AWAY), false).err())
        .collect();
    assert!(broken.is_empty(), "{}", broken.join("\n\n"));
}
