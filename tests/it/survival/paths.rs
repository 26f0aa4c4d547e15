//! Ways through an operation that only a failing engine or a dead console opens, one test each.

use std::time::Duration;

use pitstop::domain::event::EventKind;
use pitstop::domain::options::Options;
use pitstop::domain::probe::ProbeSpec;
use pitstop::engine::Request;
use pitstop::sim::{Control, Fault, When};

use super::life::End;
use super::oracle::{is, settled};
use super::scene::{Play, deploy, patient};
use super::single::{stage, succeeded};

/// Has a request met its fault?
fn met(control: &Control) -> bool {
    control.requests().iter().any(|one| one.fault.is_some())
}

fn deployment(options: Options) -> Request {
    Request::Deploy { app: "shop/web".into(), image: Some("web:2".into()), project: None, options }
}

#[test]
fn a_log_that_broke_off_with_the_engine_is_read_anew() {
    for fault in [Fault::DieBefore(Duration::from_secs(2)), Fault::DieAfter(Duration::from_secs(2))] {
        let life = stage(Play::Deploy, 1, true);
        let control = life.control();
        control.on(When::request("GET", "/containers/*/logs"), fault);
        let probe = ProbeSpec::Log { regex: "listening on port \\d+".into() };
        let ran = life.ask(deployment(Options { probe: Some(probe), ..patient() }), |_| false);
        assert!(succeeded(&ran), "{fault:?}: {:?}", ran.events.last());
        assert!(met(&control), "{fault:?}: no log was read");
        assert!(ran.events.iter().any(|event| matches!(event.kind, EventKind::EngineBack { .. })), "{fault:?}");
        let reads = control.requests().iter().filter(|one| one.path.ends_with("/logs")).count();
        assert!(reads >= 2, "{fault:?}: read once");
        settled(&control.world(), 1, "web:2").unwrap();
    }
}

#[test]
fn a_lock_that_was_made_and_never_started_is_nobody_s_after_a_while() {
    let life = stage(Play::Deploy, 1, true);
    let control = life.control();
    // The console dies between making its lock and holding it.
    control.on(When::request("POST", "/containers/*/attach"), Fault::Hold);
    let ran = life.ask(deploy("web:2"), |control| {
        met(control) && control.world().values().any(|seen| is(seen, "lock") && seen.status == "created")
    });
    assert!(matches!(ran.end, End::Died));
    let at_once = life.ask(deployment(Options { wait_lock: Duration::ZERO, ..Options::default() }), |_| false);
    let End::Refused(why) = at_once.end else { panic!("it may still be somebody's") };
    assert!(why.contains("shop/web is locked by"), "{why}");

    let later = life.ask(deploy("web:2"), |_| false);
    assert!(succeeded(&later), "{:?}", later.events.last());
    life.pass(Duration::from_secs(1));
    settled(&control.world(), 1, "web:2").unwrap();
}

#[test]
fn an_engine_that_can_t_run_locks_is_worked_on_without_and_that_is_said() {
    let life = stage(Play::Deploy, 1, true);
    let control = life.control();
    // The first start of an operation is its lock's.
    control.on(When::request("POST", "/containers/*/start"), Fault::RefuseBefore(400));
    let ran = life.ask(deploy("web:2"), |_| false);
    assert!(succeeded(&ran), "{:?}", ran.events.last());
    let said = |event: &EventKind| match event {
        EventKind::Noted { message } => message.contains("shop/web is not locked against other consoles"),
        _ => false,
    };
    assert!(ran.events.iter().any(|event| said(&event.kind)), "{:?}", ran.events);
    settled(&control.world(), 1, "web:2").unwrap();
}
