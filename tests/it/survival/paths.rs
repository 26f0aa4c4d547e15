//! Ways through an operation that only a failing engine or a dead console opens, one test each.

use std::time::Duration;

use pitstop::domain::event::EventKind;
use pitstop::domain::options::Options;
use pitstop::domain::probe::ProbeSpec;
use pitstop::engine::Request;
use pitstop::sim::{Asked, Control, Fault, When};

use super::life::{End, Life};
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

/// What a console leaves that dies when it has stopped its old version: long before it would have started its lock.
fn dead_in_the_middle() -> Life {
    let life = stage(Play::Deploy, 1, true);
    let control = life.control();
    control.on(When::request("POST", "/containers/*/stop"), Fault::Hold);
    let ran = life.ask(deploy("web:2"), met);
    assert!(matches!(ran.end, End::Died));
    control.clear();
    let locks: Vec<_> = control.world().values().filter(|seen| is(seen, "lock")).map(|seen| seen.status).collect();
    assert_eq!(locks, ["created"], "it died before it started its lock");
    life
}

#[test]
fn a_lock_that_was_made_and_never_started_is_waited_for_until_it_is_nobody_s() {
    let life = dead_in_the_middle();
    let asked = life.control().requests().len();
    let again = life.ask(deployment(Options { wait_lock: Duration::ZERO, ..Options::default() }), |_| false);
    assert!(succeeded(&again), "{:?}", again.events.last());
    let look = |one: &&Asked| one.method == "GET" && one.path.contains("/pitstop-lock-shop-web/");
    let looks = life.control().requests()[asked..].iter().filter(look).count();
    assert!(looks > 8, "looked at {looks} times, twice a second: it may still have been somebody's");
    life.pass(Duration::from_secs(1));
    settled(&life.control().world(), 1, "web:2").unwrap();
}

#[test]
fn where_there_is_nothing_to_do_a_dead_console_s_lock_is_removed_all_the_same() {
    let life = dead_in_the_middle();
    life.pass(Duration::from_secs(6));
    let idle = life.ask(deploy("web:1"), |_| false);
    assert!(succeeded(&idle), "{:?}", idle.events.last());
    assert!(!life.control().world().values().any(|seen| is(seen, "lock")), "{:?}", life.control().world().keys());
}

#[test]
fn what_another_operation_is_about_to_hold_addresses_with_is_no_dead_console_s_lock() {
    let life = stage(Play::Deploy, 1, true);
    let labels = ["role\":\"lock", "project\":\"crm", "app\":\"db", "instance\":\"0", "operation\":\"1"];
    let labels = labels.map(|label| format!("\"io.pitstop.{label}\"")).join(",");
    let place = "pitstop-place-1-1-1";
    life.plainly(
        &format!("POST /v1.41/containers/create?name={place}"),
        &format!("{{\"Image\":\"web:1\",\"Labels\":{{{labels}}}}}"),
    );
    life.pass(Duration::from_secs(6));
    let idle = life.ask(deploy("web:1"), |_| false);
    assert!(succeeded(&idle) && idle.steps == Some(0), "{:?}", idle.events.last());
    assert!(life.control().world().contains_key(place), "{:?}", life.control().world().keys());
}

#[test]
fn an_engine_that_can_t_run_locks_is_worked_on_without_and_that_is_said() {
    let life = stage(Play::Deploy, 1, true);
    let control = life.control();
    // An operation that goes on for a second starts its lock: the first start of this one.
    control.on(When::request("POST", "/containers/*/stop"), Fault::Delay(Duration::from_secs(3)));
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
