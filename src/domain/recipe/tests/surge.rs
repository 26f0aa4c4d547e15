//! New instances first: what is planned, what is refused, and that planning again goes on from wherever it broke off.

use super::super::{deploy, finish, repair, rollback, take_back};
use super::engine::Engine;
use super::tables::shape;
use super::world::{Seed, Told, behind, file, spec, web};
use crate::domain::balancer::{Admin, BalancerSpec, Nginx, SETTLE_MS, Server, Traffic};
use crate::domain::converge::Footing;
use crate::domain::event::{Outcome, StepResult, Urgency};
use crate::domain::facts::Facts;
use crate::domain::fleet::Container;
use crate::domain::fleet::State::{Created, Exited, Paused, Running};
use crate::domain::ids::ServerName;
use crate::domain::options::{BatchSize, Gate, OnFailure, Options, PullPolicy};
use crate::domain::plan::{Plan, Refusal, Step, Task};
use crate::domain::project::ProjectSpec;
use crate::domain::schedule::Schedule;
use crate::domain::spec::AppSpec;
use std::sync::Arc;

type Ask = fn(&Facts) -> Result<Plan, Refusal>;

fn haproxy() -> BalancerSpec {
    BalancerSpec::Haproxy { socket: "/run/haproxy/admin.sock".into(), backend: ServerName::new("web").unwrap() }
}

fn options() -> Options {
    Options { surge: Some(true), pull: Some(PullPolicy::Missing), ..Options::default() }
}

fn balanced(image: &str) -> AppSpec {
    let mut spec = spec(image);
    spec.rollout.balancers = vec![haproxy()];
    spec
}

fn project(image: &str) -> ProjectSpec {
    file(balanced(image), 2)
}

fn to(image: &str, facts: &Facts) -> Result<Plan, Refusal> {
    deploy("shop/web", None, Some(&project(image)), facts, &options())
}

/// Behind a balancer with servers to spare.
fn world(seeds: &[Seed], told: Told) -> Facts {
    let mut facts = behind(web(seeds), told);
    let address = Some("0.0.0.0:8080".parse().unwrap());
    let spare = |number: usize| Server {
        name: ServerName::new(format!("web-{number}")).unwrap(),
        address,
        admin: Some(Admin::Maint),
        up: true,
        traffic: Some(Traffic::default()),
        words: "MAINT".into(),
    };
    for servers in facts.balancers.values_mut().flatten().filter_map(|seen| seen.servers.as_mut().ok()) {
        for server in servers.iter_mut() {
            server.address = address;
        }
        servers.extend((seeds.len() + 1..=8).map(spare));
    }
    for own in facts.fleet.apps.iter_mut().flat_map(|app| &mut app.instances).flat_map(|one| {
        one.app.iter_mut().chain(&mut one.others).filter_map(|app| Arc::make_mut(app).own.as_mut()?.spec.as_mut())
    }) {
        own.rollout.balancers = vec![haproxy()];
    }
    facts
}

#[test]
fn a_new_one_serves_before_the_old_one_is_touched() {
    let facts = world(&[Seed::well(), Seed::well()], Told::Sends);
    let plan = to("web:v2", &facts).unwrap();
    assert_eq!(plan.broken(), None);
    assert_eq!(
        shape(&plan),
        [
            "0 all pull <- ",
            "1 web-3 sandbox_create <- ",
            "2 web-3 sandbox_start <- 1",
            "3 web-3 create <- 0,1",
            "4 web-3 start <- 2,3",
            "5 web-3 ready <- 4",
            "6 web-3 verify <- 5",
            "7 web-3 attach <- 6",
            "8 web-3 park <- 7",
            "9 web-1 drain <- 7",
            "10 web-1 stop <- 9",
            "11 web-1 park <- 8,10",
            "12 undo web-1 start <-  undoes 10,11",
            "13 undo web-1 ready <- 12 undoes 10",
            "14 undo web-1 verify <- 13 undoes 10",
            "15 undo web-1 attach <- 14 undoes 9",
            "16 undo web-3 drain <- 15 undoes 7",
            "17 undo web-3 stop <- 16 undoes 4",
            "18 undo web-3 remove <- 17 undoes 3",
            "19 undo web-3 stop <- 18 undoes 2",
            "20 undo web-3 remove <- 19 undoes 1",
            "21 web-4 sandbox_create <- 11",
            "22 web-4 sandbox_start <- 21",
            "23 web-4 create <- 0,11,21",
            "24 web-4 start <- 22,23",
            "25 web-4 ready <- 24",
            "26 web-4 verify <- 25",
            "27 web-4 attach <- 26",
            "28 web-4 park <- 27",
            "29 web-2 drain <- 27",
            "30 web-2 stop <- 29",
            "31 web-2 park <- 28,30",
            "32 undo web-2 start <-  undoes 30,31",
            "33 undo web-2 ready <- 32 undoes 30",
            "34 undo web-2 verify <- 33 undoes 30",
            "35 undo web-2 attach <- 34 undoes 29",
            "36 undo web-4 drain <- 35 undoes 27",
            "37 undo web-4 stop <- 36 undoes 24",
            "38 undo web-4 remove <- 37 undoes 23",
            "39 undo web-4 stop <- 38 undoes 22",
            "40 undo web-4 remove <- 39 undoes 21",
            "41 web-1 remove <- 11,31",
            "42 web-1 stop <- 11,31,41",
            "43 web-1 remove <- 11,31,41,42",
            "44 web-2 remove <- 11,31",
            "45 web-2 stop <- 11,31,44",
            "46 web-2 remove <- 11,31,44,45",
        ]
    );
    let names = |names: &[crate::domain::ids::InstanceName]| {
        names.iter().map(|name| name.short().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(
        plan.batches.iter().map(|batch| names(batch)).collect::<Vec<_>>(),
        [["web-3", "web-1"], ["web-4", "web-2"]]
    );
    let said = plan.notes.join("\n");
    for part in [
        "web-1 → web-3, web-2 → web-4",
        "shop_data; old and new use them at once",
        "not kept: address",
        "HAProxy forgets",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!said.contains("stay available") && !said.contains("only one serving"), "{said}");

    // All at once, where that is asked for: nothing is taken out that serves.
    let all = Options { batch: Some(BatchSize::Percent(100)), ..options() };
    assert_eq!(deploy("shop/web", None, Some(&project("web:v2")), &facts, &all).unwrap().batches.len(), 1);
}

#[test]
fn what_only_one_can_have_and_a_balancer_that_learns_of_nobody_stop_all() {
    let facts = world(&[Seed::well(), Seed::well()], Told::Sends);
    let refused = |change: fn(&mut AppSpec), facts: &Facts| {
        let mut wanted = balanced("web:v2");
        change(&mut wanted);
        let Err(Refusal::Refused(why)) = deploy("shop/web", None, Some(&file(wanted, 2)), facts, &options()) else {
            panic!("not refused")
        };
        why
    };
    for (change, word) in [
        ((|spec| spec.sandbox.networks[0].ipv4 = Some("10.0.0.9".into())) as fn(&mut AppSpec), "address 10.0.0.9"),
        (|spec| spec.sandbox.networks[0].ipv6 = Some("fd00::9".into()), "address fd00::9"),
        (|spec| spec.sandbox.networks[0].mac = Some("02:00:00:00:00:09".into()), "MAC address 02:00"),
        (|spec| spec.sandbox.ports[0].host = Some((18080, 18081)), "no host port for instance 3"),
    ] {
        let why = refused(change, &facts);
        assert!(why.contains(word), "{word}: {why}");
    }
    let mut none = facts.clone();
    for servers in none.balancers.values_mut().flatten().filter_map(|seen| seen.servers.as_mut().ok()) {
        servers.truncate(2);
    }
    let why = refused(|_| {}, &none);
    assert!(why.contains("has no server web-3") && why.contains("nothing was touched"), "{why}");

    let nginx = || {
        BalancerSpec::Nginx(Nginx {
            file: "/etc/up.conf".into(),
            upstream: None,
            test: None,
            reload: None,
            settle_ms: SETTLE_MS,
        })
    };
    let mut behind_nginx = facts.clone();
    behind_nginx.balancers.values_mut().flatten().for_each(|seen| seen.spec = nginx());
    let mut wanted = spec("web:v2");
    wanted.rollout.balancers = vec![nginx()];
    let Err(why) = deploy("shop/web", None, Some(&file(wanted, 2)), &behind_nginx, &options()) else { panic!() };
    assert!(why.to_string().contains("nginx in /etc/up.conf learns of a new server only from"), "{why}");
}

#[test]
fn one_that_a_person_took_out_is_followed_by_one_that_stays_out() {
    let facts = world(&[Seed::well()], Told::TakenOut);
    let plan = to("web:v2", &facts).unwrap();
    let joins = plan.steps.iter().any(|step| matches!(step.task, Task::Join { .. }));
    assert!(
        !joins && plan.notes.iter().any(|note| note.contains("web-2 is not put in there either")),
        "{:?}",
        plan.notes
    );
}

#[test]
fn where_the_old_one_gets_requests_the_new_one_does_even_if_its_spec_knows_of_no_balancer() {
    let facts = world(&[Seed::well()], Told::Sends);
    let plan = deploy("shop/web", None, Some(&file(spec("web:v2"), 1)), &facts, &options()).unwrap();
    let seats = |step: &Step| match &step.task {
        Task::Join { seats, .. } => seats.len(),
        _ => 0,
    };
    assert_eq!(plan.steps.iter().map(seats).sum::<usize>(), 1);
}

#[test]
fn an_app_may_wish_it_and_the_person_is_asked_first() {
    let facts = web(&[Seed::well()]);
    let surges = |wish: Option<bool>, said: Option<bool>| {
        let mut wanted = spec("web:v2");
        wanted.rollout.surge = wish;
        let options = Options { surge: said, ..Options::default() };
        !deploy("web", None, Some(&file(wanted, 1)), &facts, &options).unwrap().replaces.is_empty()
    };
    assert_eq!(
        [(None, None), (Some(true), None), (Some(true), Some(false)), (None, Some(true))].map(|(a, b)| surges(a, b)),
        [false, true, false, true]
    );
}

/// Who goes on with a surge that broke off.
const THEN: [(&str, Ask, &str); 7] = [
    ("the same again", |facts| to("web:v2", facts), "web:v2"),
    (
        "the same without --surge",
        |facts| deploy("shop/web", None, Some(&project("web:v2")), facts, &Options { surge: None, ..options() }),
        "web:v2",
    ),
    ("a third version", |facts| to("reg/web:latest", facts), "reg/web:latest"),
    ("back to the first", |facts| to("web:v1", facts), "web:v1"),
    // As an abort by the record asks for it, also before anything was written down.
    ("back to revision 1", |facts| rollback("shop/web", Some(1), facts, &options()), "web:v1"),
    ("what labels say, forward", |facts| finish("shop/web", facts, &options()), ""),
    ("what labels say, back", |facts| take_back("shop/web", facts, &options()), ""),
];

/// Wherever it breaks off, whoever plans again brings it to its end, with as many instances as there were, and then there is
/// nothing to do; at no time do fewer serve than before.
#[test]
fn it_is_gone_on_from_wherever_it_broke_off() {
    let well = Seed::well;
    let half = |sandbox, app| Seed { sandbox, app, ..Seed::well() };
    let worlds = [
        vec![well(), well()],
        vec![well()],
        vec![half(Some(Running), Some(Exited)), well()],
        vec![half(Some(Running), Some(Paused)), well()],
        vec![half(Some(Running), None), well()],
        vec![half(Some(Exited), Some(Exited)), well()],
        vec![half(Some(Running), Some(Created)), well()],
        vec![half(None, Some(Running)), well()],
        vec![Seed { beside: Some((2, Exited)), ..Seed::well() }, well()],
        vec![Seed { orphaned: true, ..Seed::well() }],
        vec![Seed { hostname: Some("host".into()), ..Seed::well() }, well()],
    ];
    let mut walked = 0;
    for seeds in worlds {
        for told in [Told::Sends, Told::LeftOut].into_iter().take(if seeds[0].sandbox.is_some() { 2 } else { 1 }) {
            let facts = world(&seeds, told);
            let first = to("web:v2", &facts).unwrap();
            let moments = Engine::moments(&facts, &first).unwrap();
            for died in moments {
                for (name, then, image) in THEN {
                    // There one revision means two specs, and which one is meant nobody can tell.
                    if name == "back to revision 1" && seeds.iter().any(|seed| seed.hostname.is_some()) {
                        continue;
                    }
                    walked += 1;
                    let when = format!("{seeds:?} {told:?}, died after {died}, {name}");
                    comes_to_its_end(&facts, &first, died, then, image).unwrap_or_else(|why| panic!("{when}: {why}"));
                }
            }
        }
    }
    assert!(walked > 500, "{walked}");
}

fn serving(engine: &Engine) -> usize {
    let servers: Vec<_> =
        engine.facts.balancers.values().flatten().flat_map(|seen| seen.servers.iter().flatten()).collect();
    let sent =
        |name: &str| servers.iter().any(|server| server.name.as_str() == name && server.admin == Some(Admin::Ready));
    let all = engine.facts.fleet.apps.iter().flat_map(|app| &app.instances);
    all.filter(|one| Footing::of(one) == Footing::Serves && sent(one.name.short())).count()
}

fn comes_to_its_end(facts: &Facts, first: &Plan, died: usize, then: Ask, image: &str) -> Result<(), String> {
    let instances = facts.fleet.find("shop/web").unwrap().instances.len();
    let mut engine = Engine::new(facts);
    let least = serving(&engine);
    engine.run(first, died)?;
    if serving(&engine) < least {
        return Err(format!("only {} of {least} serve", serving(&engine)));
    }
    let second = match then(&engine.facts) {
        Ok(plan) => plan,
        Err(Refusal::Refused(why))
            if ["-f FILE", "nothing to take back", "can't change in place"].iter().any(|words| why.contains(words)) =>
        {
            return Ok(());
        }
        Err(why) => return Err(why.to_string()),
    };
    second.broken().map_or(Ok(()), Err)?;
    engine.run(&second, usize::MAX)?;
    let third = then(&engine.facts);
    // What labels tell says nothing any more once all are alike.
    let third = match third {
        Err(Refusal::Refused(why)) if why.contains("nothing to take back") => Plan::empty(second.kind, "shop/web"),
        other => other.map_err(|why| why.to_string())?,
    };
    if !third.is_empty() {
        return Err(format!("there is still {:?}", shape(&third)));
    }
    let app = engine.facts.fleet.find("shop/web").unwrap();
    if app.instances.len() != instances {
        let names: Vec<_> = app.instances.iter().map(|one| one.name.short()).collect();
        return Err(format!("{names:?} are there, {instances} were; {:?}", shape(&second)));
    }
    for one in &app.instances {
        let runs = one.app.as_deref().map(Container::image_name);
        if Footing::of(one) != Footing::Serves || (!image.is_empty() && runs != Some(image)) {
            return Err(format!("{} runs {runs:?}, {:?}", one.name, Footing::of(one)));
        }
    }
    if serving(&engine) == instances { Ok(()) } else { Err(format!("{} are sent requests", serving(&engine))) }
}

#[test]
fn a_repair_in_the_middle_does_no_harm() {
    let facts = world(&[Seed::well(), Seed::well()], Told::Sends);
    let first = to("web:v2", &facts).unwrap();
    for died in Engine::moments(&facts, &first).unwrap() {
        let mut engine = Engine::new(&facts);
        engine.run(&first, died).unwrap();
        let mended = repair(&[], &engine.facts, &options()).unwrap();
        engine.run(&mended, usize::MAX).unwrap();
        let again = to("web:v2", &engine.facts).unwrap();
        engine
            .run(&again, usize::MAX)
            .unwrap_or_else(|why| panic!("died after {died}: {why}: {:#?} {:#?}", shape(&mended), shape(&again)));
        assert!(to("web:v2", &engine.facts).unwrap().is_empty(), "died after {died}");
        assert_eq!(engine.facts.fleet.find("shop/web").unwrap().instances.len(), 2, "died after {died}");
    }
}

#[test]
fn a_number_that_is_used_again_is_not_taken_for_the_one_that_was_replaced() {
    let facts = world(&[Seed::well()], Told::Sends);
    let mut engine = Engine::new(&facts);
    engine.run(&to("web:v2", &facts).unwrap(), usize::MAX).unwrap();
    let scaled = super::super::scale("web", 2, &engine.facts, &options()).unwrap();
    engine.run(&scaled, usize::MAX).unwrap();
    let names = |engine: &Engine| -> Vec<String> {
        engine.facts.fleet.find("shop/web").unwrap().instances.iter().map(|one| one.name.short().to_owned()).collect()
    };
    assert_eq!(names(&engine), ["web-1", "web-2"], "web-2 came for the first web-1");
    let third = to("reg/web:latest", &engine.facts).unwrap();
    assert_eq!(third.replaces.len(), 2, "{:?}", shape(&third));
}

/// What ran of the plan, in order, where `fails` decides what goes wrong and `cancel` when somebody wants out.
fn played(plan: &Plan, fails: &str, cancel: Option<(&str, Urgency)>) -> (Vec<String>, Outcome) {
    let lines = shape(plan);
    let name = |id: usize| {
        let line = lines[id].split_once(' ').unwrap().1;
        line.split_once(" <-").unwrap().0.to_owned()
    };
    let (mut schedule, mut running, mut log) = (Schedule::new(plan), Vec::new(), Vec::new());
    loop {
        let advance = schedule.advance();
        running.extend(advance.start);
        if let Some(batch) = advance.gate {
            log.push(format!("gate {batch}"));
            schedule.go();
            continue;
        }
        if running.is_empty() {
            break;
        }
        let id = running.remove(0);
        if let Some((at, urgency)) = cancel.filter(|(at, _)| *at == name(id)) {
            log.push(format!("cancelled at {at}"));
            schedule.cancel(urgency);
        }
        let failed = name(id) == fails;
        schedule.finish(id, if failed { StepResult::Failed } else { StepResult::Ok });
        log.push(name(id));
    }
    assert!(schedule.is_over());
    (log, schedule.outcome())
}

#[test]
fn a_pair_succeeds_or_fails_together() {
    let facts = world(&[Seed::well(), Seed::well()], Told::Sends);
    let with = |gate, on_failure| {
        let options = Options { gate: Some(gate), on_failure: Some(on_failure), ..options() };
        deploy("shop/web", None, Some(&project("web:v2")), &facts, &options).unwrap()
    };
    let place = |log: &[String], what: &str| {
        log.iter().position(|one| one == what).unwrap_or_else(|| panic!("{what}: {log:?}"))
    };
    let has = |log: &[String], what: &str| log.iter().any(|one| one == what);

    let (log, outcome) = played(&with(Gate::First, OnFailure::Pause), "", None);
    assert_eq!(outcome, Outcome::Succeeded);
    assert!(
        place(&log, "web-1 park") < place(&log, "gate 1")
            && place(&log, "gate 1") < place(&log, "web-4 sandbox_create")
    );
    assert!(place(&log, "web-2 park") < place(&log, "web-1 remove"), "the way back stays until all is done");

    // A new one that does not get ready goes again; the old one was never touched, the rest waits.
    let (log, outcome) = played(&with(Gate::Auto, OnFailure::Pause), "web-4 ready", None);
    assert_eq!(outcome, Outcome::Paused);
    assert!(has(&log, "undo web-4 remove") && !has(&log, "web-2 drain") && !has(&log, "web-1 remove"), "{log:?}");
    assert!(!log.iter().any(|step| step.starts_with("undo web-3") || step.starts_with("undo web-1")), "{log:?}");
    assert_eq!(played(&with(Gate::Auto, OnFailure::Pause), "web-3 ready", None).1, Outcome::Failed);

    // Taken back: the old ones serve before the new ones go.
    let (log, outcome) = played(&with(Gate::Auto, OnFailure::Rollback), "web-4 ready", None);
    assert_eq!(outcome, Outcome::RolledBack);
    assert!(place(&log, "undo web-1 attach") < place(&log, "undo web-3 drain"), "{log:?}");
    assert!(place(&log, "undo web-3 drain") < place(&log, "undo web-3 stop"), "{log:?}");
    let aborted = |urgency| played(&with(Gate::Auto, OnFailure::Pause), "", Some(("web-1 stop", urgency)));
    let (log, outcome) = aborted(Urgency::Abort);
    assert_eq!(outcome, Outcome::Aborted);
    assert!(place(&log, "undo web-1 attach") < place(&log, "undo web-3 stop"), "{log:?}");

    // Who only wants no further one lets the pair come to its end.
    let (log, outcome) = aborted(Urgency::Finish);
    assert_eq!(outcome, Outcome::Interrupted);
    assert!(
        has(&log, "web-1 park") && !log.iter().any(|step| step.contains("undo") || step.contains("web-4")),
        "{log:?}"
    );
}

#[test]
fn warm_swap_is_said_to_play_no_part() {
    let facts = web(&[Seed::well()]);
    let warm = Options { warm: Some(crate::domain::warm::Warm::Auto), ..options() };
    let plan = deploy("web", Some("web:v2"), None, &facts, &warm).unwrap();
    assert!(plan.notes.iter().any(|note| note.contains("warm swap plays no part")), "{:?}", plan.notes);
    assert!(!plan.steps.iter().any(|step| matches!(step.task, Task::Warm { .. })));
}
