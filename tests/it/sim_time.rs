//! Whole operations on a clock that stands still: how long each step takes is known to the millisecond.

use pitstop::docker::{Changes, Docker};
use pitstop::domain::event::{EventKind, OpEvent, Outcome, StepResult};
use pitstop::domain::fleet::{FleetState, State};
use pitstop::domain::ids::{InstanceName, ObjectName};
use pitstop::domain::options::{BatchSize, Gate, Options};
use pitstop::domain::plan::Action;
use pitstop::engine::{LogNews, LogOptions, Operator, Request, Session};
use pitstop::sim::{Fault, Scenario, When};
use std::time::Duration;
use tokio::time::Instant;

use crate::support::sim::paused;

const WORLD: &str = r#"
[latency]
create = 10
start_joined = 100
stop = 50

[[images]]
name = "web:1"
behaviour = { port = 8080, ready_ms = 300, stop_ms = 200 }
[[images]]
name = "web:2"
behaviour = { port = 8080, ready_ms = 300, stop_ms = 200 }

[[networks]]
name = "net"
subnet = "10.9.0.0/24"

[[apps]]
project = "shop"
app = "web"
image = "web:1"
instances = 3
network = "net"
address = "10.9.0.200"
probe = "tcp:8080"
revision = 1
up_s = 60
"#;

/// What happens when `shop/web` is deployed on the clock that stands still.
fn deployed(options: Options) -> Vec<OpEvent> {
    paused(Scenario::parse(WORLD).unwrap(), async |_, location| {
        let session = Session::connect(&location).await.unwrap();
        let (app, image) = ("shop/web".to_owned(), Some("web:2".to_owned()));
        let request = Request::Deploy { app, image, project: None, options };
        let plan = session.plan(&request).await.unwrap();
        let mut operation = Operator::of(&session).begin(&request, plan).await.unwrap();
        let mut events = Vec::new();
        while let Some(event) = operation.events.recv().await {
            events.push(event);
        }
        events
    })
}

/// When each step of a kind was over, how long it took and how long it had waited, in milliseconds.
fn times(events: &[OpEvent], action: Action) -> Vec<(u64, u64, u64)> {
    let time = |event: &OpEvent| match &event.kind {
        EventKind::StepFinished(step) if step.action == action && step.result == StepResult::Ok => {
            Some((event.elapsed_ms, step.took_ms, step.waited_ms))
        }
        _ => None,
    };
    events.iter().filter_map(time).collect()
}

fn finished(events: &[OpEvent]) -> (Outcome, u64) {
    match &events.last().unwrap().kind {
        EventKind::Finished(end) => (end.outcome, end.took_ms),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_deployment_takes_what_its_requests_take() {
    let events = deployed(Options::default());
    assert_eq!(times(&events, Action::Create), [(10, 10, 0); 3]);
    assert_eq!(times(&events, Action::Stop), [260, 910, 1560].map(|at| (at, 250, 0)));
    assert_eq!(times(&events, Action::Start), [360, 1010, 1660].map(|at| (at, 100, 0)));
    assert_eq!(times(&events, Action::Ready), [660, 1310, 1960].map(|at| (at, 300, 0)));
    assert_eq!(finished(&events), (Outcome::Succeeded, 1960));
    // From the old program's end to the new one's first answer: a start and a boot.
    let gaps = events.iter().filter_map(|event| match &event.kind {
        EventKind::GapMeasured(gap) => Some(gap.gap_ms),
        _ => None,
    });
    assert_eq!(gaps.collect::<Vec<_>>(), [400.0; 3]);
}

#[test]
fn a_batch_of_two_takes_what_one_takes() {
    let events = deployed(Options { batch: Some(BatchSize::Count(2)), ..Options::default() });
    assert_eq!(times(&events, Action::Stop), [260, 260, 910].map(|at| (at, 250, 0)));
    assert_eq!(times(&events, Action::Ready), [660, 660, 1310].map(|at| (at, 300, 0)));
    assert_eq!(finished(&events), (Outcome::Succeeded, 1310));
}

/// The same, paused for two hours as soon as the first stop is told, and asked to go on at a gate an hour after that.
fn deployed_with_patience() -> Vec<OpEvent> {
    paused(Scenario::parse(WORLD).unwrap(), async |_, location| {
        let session = Session::connect(&location).await.unwrap();
        let (app, image) = ("shop/web".to_owned(), Some("web:2".to_owned()));
        let options = Options { gate: Some(Gate::Every), ready_timeout: Duration::from_secs(1), ..Options::default() };
        let request = Request::Deploy { app, image, project: None, options };
        let plan = session.plan(&request).await.unwrap();
        let mut operation = Operator::of(&session).begin(&request, plan).await.unwrap();
        let mut events = Vec::new();
        let mut paused = false;
        while let Some(event) = operation.events.recv().await {
            match &event.kind {
                EventKind::StepStarted(step) if step.action == Action::Stop && !paused => {
                    paused = true;
                    operation.control.pause();
                }
                EventKind::GateReached { .. } => {
                    let control = operation.control.clone();
                    tokio::spawn(async move {
                        tokio::time::sleep(PATIENCE).await;
                        control.go();
                    });
                }
                _ => {}
            }
            events.push(event);
        }
        events
    })
}

/// Longer than any deadline of a step.
const PATIENCE: Duration = Duration::from_secs(150);

#[test]
fn waiting_for_a_person_counts_into_no_deadline() {
    let events = deployed_with_patience();
    let waited = u64::try_from(PATIENCE.as_millis()).unwrap();
    let (outcome, took) = finished(&events);
    assert_eq!(outcome, Outcome::Succeeded);
    assert!(took > 2 * waited, "{took}");
    // Each instance takes what it takes without a wait.
    assert_eq!(times(&events, Action::Stop).iter().map(|(_, took, _)| *took).collect::<Vec<_>>(), [250; 3]);
    assert_eq!(times(&events, Action::Ready).iter().map(|(_, took, _)| *took).collect::<Vec<_>>(), [300; 3]);
    let said: Vec<&str> = events
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::Paused { .. } => Some("paused"),
            EventKind::Resumed { .. } => Some("resumed"),
            EventKind::GateReached { .. } => Some("gate"),
            _ => None,
        })
        .collect();
    assert_eq!(said, ["paused", "gate", "resumed", "gate", "resumed"]);
}

#[test]
fn what_cannot_be_seen_after_an_outage_is_no_success() {
    let world = format!("live_restore = true\n{WORLD}");
    let (outcome, said) = paused(Scenario::parse(&world).unwrap(), async |sim, location| {
        let session = Session::connect(&location).await.unwrap();
        let request = Request::Restart { targets: vec!["web-1".to_owned()], options: Options::default() };
        let plan = session.plan(&request).await.unwrap();
        let stop = When::request("POST", "/containers/*/stop");
        sim.control().on(stop, Fault::DieAfter(Duration::from_millis(300)));
        let mut operation = Operator::of(&session).begin(&request, plan).await.unwrap();
        let mut events = Vec::new();
        while let Some(event) = operation.events.recv().await {
            if let EventKind::StepFinished(step) = &event.kind
                && step.action == Action::Ready
            {
                sim.control().on(When::request("GET", "/containers/json").every(), Fault::RefuseBefore(500));
            }
            events.push(event);
        }
        match events.pop().unwrap().kind {
            EventKind::Finished(end) => (end.outcome, end.error.unwrap_or_default()),
            other => panic!("{other:?}"),
        }
    });
    assert_eq!(outcome, Outcome::Failed);
    assert!(said.contains("went away") && said.contains("can't be told"), "{said}");
}

#[test]
fn an_old_container_that_somebody_removes_half_way_is_replaced_all_the_same() {
    let (finished, apps) = paused(Scenario::parse(WORLD).unwrap(), async |sim, location| {
        let session = Session::connect(&location).await.unwrap();
        let image = Some("web:2".to_owned());
        let request = Request::Deploy { app: "web".to_owned(), image, project: None, options: Options::default() };
        let plan = session.plan(&request).await.unwrap();
        sim.control().on(When::request("POST", "/containers/*/stop"), Fault::Hold);
        let mut operation = Operator::of(&session).begin(&request, plan).await.unwrap();
        let (mut events, mut removed) = (Vec::new(), false);
        while let Some(event) = operation.events.recv().await {
            if matches!(&event.kind, EventKind::StepStarted(step) if step.action == Action::Stop) && !removed {
                removed = true;
                let docker = Docker::connect(&location).await.unwrap();
                let old = docker.find(&ObjectName::new("shop-web-1.r1").unwrap()).await.unwrap().unwrap();
                Changes::of(&docker).remove(&old.id, false).await.unwrap();
                sim.control().release();
            }
            events.push(event);
        }
        let fleet = session.fleet().await.unwrap();
        let running = fleet.find("web").unwrap().instances.iter().filter_map(|one| one.app.clone());
        let apps: Vec<String> = running.filter(|app| app.is_running()).map(|app| app.name.to_string()).collect();
        (finished(&events).0, apps)
    });
    assert_eq!((finished, apps), (Outcome::Succeeded, [1, 2, 3].map(|n| format!("shop-web-{n}.r2")).to_vec()));
}

#[test]
fn one_thing_at_a_time_waits_for_the_others() {
    let events = deployed(Options { parallel: Some(1), ..Options::default() });
    assert_eq!(times(&events, Action::Create), [(10, 10, 0), (370, 10, 360), (380, 10, 370)]);
}

#[test]
fn an_event_is_looked_at_as_it_comes_and_those_that_follow_together() {
    let others = (1..=3).map(|n| format!("[[containers]]\nname = \"box-{n}\"\nimage = \"web:1\"\nnetwork = \"net\"\n"));
    let world = Scenario::parse(&format!("{WORLD}{}", others.collect::<String>())).unwrap();
    let (first, rest, lists) = paused(world, async |sim, location| {
        let docker = Docker::connect(&location).await.unwrap();
        let mut live = docker.live(jiff::Timestamp::now);
        // That its address is free again only a look shows.
        let ended = |state: &FleetState| boxes(state).iter().filter(|(.., addressed)| !addressed).count();
        live.wait_for(|state| state.fleet().is_some()).await.unwrap();
        tokio::time::sleep(Duration::from_secs(5)).await; // the second list is over
        let lists = || sim.control().requests().iter().filter(|one| one.path.starts_with("/containers/json")).count();
        let (began, before) = (Instant::now(), lists());
        sim.control().crash("box-1", 1);
        live.wait_for(|state| ended(state) == 1).await.unwrap();
        let (first, then) = (began.elapsed(), Instant::now());
        for name in ["box-2", "box-3"] {
            sim.control().crash(name, 1);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        live.wait_for(|state| ended(state) == 3).await.unwrap();
        (first, then.elapsed(), lists() - before)
    });
    assert!(first < Duration::from_millis(20), "{first:?}");
    assert!((40..80).contains(&rest.as_millis()), "{rest:?}");
    assert_eq!(lists, 2);
}

#[test]
fn an_end_is_shown_before_the_engine_answers_for_it() {
    let others = (1..=2).map(|n| format!("[[containers]]\nname = \"box-{n}\"\nimage = \"web:1\"\nnetwork = \"net\"\n"));
    let world = WORLD.replace("[latency]", "[latency]\ninspect = 500");
    let world = Scenario::parse(&format!("{world}{}", others.collect::<String>())).unwrap();
    let told = paused(world, async |sim, location| {
        let docker = Docker::connect(&location).await.unwrap();
        let mut live = docker.live(jiff::Timestamp::now);
        live.wait_for(|state| state.fleet().is_some()).await.unwrap();
        tokio::time::sleep(Duration::from_secs(5)).await; // the second list is over
        let began = Instant::now();
        let (control, mut told) = (sim.control(), Vec::new());
        control.crash("box-1", 3);
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(200)).await;
            control.crash("box-2", 4);
        });
        // The first is of the start.
        while told.len() < 4 {
            live.changed().await.unwrap();
            let shown = boxes(&live.borrow_and_update());
            told.push((began.elapsed().as_millis(), shown));
        }
        told.split_off(1)
    });
    let running = (State::Running, 0, true, true);
    let ended = |code, addressed| (State::Exited, code, false, addressed);
    let shown = [
        (0, vec![ended(3, true), running]),
        (200, vec![ended(3, true), ended(4, true)]),
        (500, vec![ended(3, false), ended(4, true)]),
    ];
    assert_eq!(told, shown);
}

#[test]
fn a_container_that_hangs_the_engine_takes_nothing_from_the_others() {
    let others = (1..=2).map(|n| format!("[[containers]]\nname = \"box-{n}\"\nimage = \"web:1\"\nnetwork = \"net\"\n"));
    let world = Scenario::parse(&format!("{WORLD}{}", others.collect::<String>())).unwrap();
    let (first, ended, whole) = paused(world, async |sim, location| {
        let docker = Docker::connect(&location).await.unwrap();
        let listed = docker.list().await.unwrap();
        let id = &listed.iter().find(|one| &*one.name == "box-1").unwrap().id;
        sim.control().on(When::request("GET", &format!("/containers/{id}/json")).every(), Fault::StallHead);
        let known = |state: &FleetState| {
            let instances = state.fleet().into_iter().flat_map(|fleet| &fleet.apps).flat_map(|app| &app.instances);
            let apps = instances.filter_map(|one| one.app.clone());
            apps.map(|one| (one.name.to_string(), one.state, one.detail.is_some())).collect::<Vec<_>>()
        };
        let mut live = docker.live(jiff::Timestamp::now);
        let first = known(&live.wait_for(|state| state.fleet().is_some()).await.unwrap());
        // It ends without anybody being able to look.
        sim.control().crash("box-1", 3);
        let ended = known(&live.wait_for(|state| known(state) != first).await.unwrap());
        sim.control().clear();
        let whole = known(&live.wait_for(|state| known(state).iter().all(|(.., detail)| *detail)).await.unwrap());
        (first, ended, whole)
    });
    let untold: Vec<_> = first.iter().filter(|(.., detail)| !detail).collect();
    assert_eq!(untold, [&("box-1".to_owned(), State::Running, false)]);
    assert!(ended.contains(&("box-1".to_owned(), State::Exited, false)), "{ended:?}");
    assert!(whole.contains(&("box-1".to_owned(), State::Exited, true)), "{whole:?}");
}

#[test]
fn a_followed_log_goes_on_after_a_restart_and_in_what_replaces_its_container() {
    let world = WORLD.replace("ready_ms = 300,", "ready_ms = 300, log_every_ms = 100,");
    let news = paused(Scenario::parse(&world).unwrap(), async |_, location| {
        let session = Session::connect(&location).await.unwrap();
        let options = LogOptions { follow: true, tail: Some(1), ..LogOptions::default() };
        let mut logs = session.logs("web-1", options).await.unwrap();
        assert_eq!(logs.instances.iter().map(InstanceName::short).collect::<Vec<_>>(), ["web-1"]);
        let image = Some("web:2".to_owned());
        let requests = [
            Request::Restart { targets: vec!["web-1".to_owned()], options: Options::default() },
            Request::Deploy { app: "web".to_owned(), image, project: None, options: Options::default() },
            Request::Remove { apps: vec!["web".to_owned()], volumes: false, options: Options::default() },
        ];
        for request in requests {
            let plan = session.plan(&request).await.unwrap();
            let mut operation = Operator::of(&session).begin(&request, plan).await.unwrap();
            while operation.events.recv().await.is_some() {}
            tokio::time::sleep(Duration::from_secs(2)).await; // it has something to say
        }
        let mut news = Vec::new();
        while let Some(one) = logs.news.recv().await {
            news.push(one.unwrap().news);
        }
        news
    });
    // One mark for many lines.
    let mut told: Vec<String> = news
        .iter()
        .map(|news| match news {
            LogNews::Line(line) => {
                assert_eq!(line.at, None, "nobody asked for times");
                "line".to_owned()
            }
            LogNews::Ended => "ended".to_owned(),
            LogNews::GoesOn { container, revision } => format!("{container} {revision:?}"),
        })
        .collect();
    told.dedup();
    let again = ["ended", "shop-web-1.r1 Some(1)", "line"];
    let replaced = ["ended", "shop-web-1.r2 Some(2)", "line"];
    assert_eq!(told, [&["line"][..], &again, &replaced, &["ended"]].concat());
    let texts: Vec<&str> = news
        .iter()
        .filter_map(|news| match news {
            LogNews::Line(line) => Some(line.text.as_str()),
            _ => None,
        })
        .collect();
    let count = |wanted: &str| texts.iter().filter(|text| text.starts_with(wanted)).count();
    assert_eq!(
        (count("starting"), count("ready")),
        (3, 2),
        "each run from its beginning, and no line twice: {texts:?}"
    );
}

/// Of the containers called `box-…`: state, exit code, and whether they have a process and an address.
fn boxes(state: &FleetState) -> Vec<(State, i64, bool, bool)> {
    let instances = state.fleet().into_iter().flat_map(|fleet| &fleet.apps).flat_map(|app| &app.instances);
    let boxes = instances.filter_map(|one| one.app.as_ref()).filter(|one| one.name.starts_with("box-"));
    let seen = boxes.filter_map(|one| {
        let detail = one.detail.as_deref()?;
        let addressed = one.networks.iter().any(|(_, address)| address.ipv4.is_some());
        Some((one.state, detail.exit_code, detail.pid > 0, addressed))
    });
    seen.collect()
}
