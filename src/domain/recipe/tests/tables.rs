//! What each recipe plans and says, in cases one can read: the operations on what is there.

use super::super::{deploy, restart, rollback, scale};
use super::world::{Seed, at, container, facts, file, image_id, spec, web};
use crate::domain::fleet::State;
use crate::domain::ids::{AppId, InstanceName};
use crate::domain::options::{BatchSize, Options, PullPolicy};
use crate::domain::plan::{Lane, Plan, Refusal, RevisionRecord, Step, Target, Task};
use crate::domain::probe::ProbeSpec;
use crate::domain::spec::Mount;
use std::collections::BTreeMap;

/// One line per step: `id lane instance action <- needs`.
pub fn shape(plan: &Plan) -> Vec<String> {
    let line = |(id, step): (usize, &Step)| {
        let name = step.instance.as_ref().map_or("all", |name| name.short());
        let lane = if step.lane == Lane::Undo { "undo " } else { "" };
        let list = |ids: &[usize]| ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        let back = if step.undoes.is_empty() { String::new() } else { format!(" undoes {}", list(&step.undoes)) };
        format!("{id} {lane}{name} {} <- {}{back}", step.task.action(), list(&step.needs))
    };
    plan.steps.iter().enumerate().map(line).collect()
}

#[test]
fn a_deploy_of_two() {
    let facts = web(&[Seed::well(), Seed::well()]);
    let plan = deploy("web", Some("web:v2"), None, &facts, &Options::default()).unwrap();
    assert_eq!(
        shape(&plan),
        [
            "0 all pull <- ",
            "1 web-1 create <- 0",
            "2 web-1 verify <- 0",
            "3 web-1 park <- 2",
            "4 web-1 stop <- 1,2",
            "5 web-1 start <- 1,4",
            "6 web-1 ready <- 5",
            "7 web-1 verify <- 6",
            "8 web-1 park <- 3,7",
            "9 undo web-1 stop <-  undoes 5",
            "10 undo web-1 start <- 9 undoes 4,8",
            "11 undo web-1 ready <- 10 undoes 4",
            "12 undo web-1 verify <- 11 undoes 4",
            "13 undo web-1 remove <- 12 undoes 1",
            "14 web-2 create <- 0",
            "15 web-2 verify <- 0,1,2",
            "16 web-2 stop <- 7,14,15",
            "17 web-2 start <- 14,16",
            "18 web-2 ready <- 17",
            "19 web-2 verify <- 18",
            "20 web-2 park <- 19",
            "21 undo web-2 stop <-  undoes 17",
            "22 undo web-2 start <- 21 undoes 16,20",
            "23 undo web-2 ready <- 22 undoes 16",
            "24 undo web-2 verify <- 23 undoes 16",
            "25 undo web-2 remove <- 24 undoes 14",
            "26 web-1 remove <- 8,20",
            "27 web-2 remove <- 8,20",
        ]
    );
    assert_eq!(plan.steps[1].cause, "web-1 runs revision 1, revision 2 is wanted: image: web:v1 → web:v2");
    let Task::Create { draft } = &plan.steps[1].task else { panic!("{:?}", plan.steps[1].task) };
    assert_eq!(draft.spec.container.environment["TOKEN"], "hush");
    assert_eq!(draft.carry.len(), 1, "the anonymous volume is carried over, the named one is in the spec");
}

#[test]
fn anonymous_volumes_are_carried_over_unless_a_named_one_takes_their_place() {
    let facts = web(&[Seed::well()]);
    let old = facts.fleet.apps[0].instances[0].app.clone().unwrap();
    for (source, carried) in [("", 1), ("shop_cache", 0)] {
        let mut spec = spec("web:v2");
        let mount = Mount { source: source.into(), target: "/cache".into(), ..Mount::default() };
        spec.container.mounts.push(mount);
        assert_eq!(super::super::swap::carried(&old, &spec).len(), carried, "{source:?}");
    }
}

pub fn down(state: State) -> Seed {
    Seed { app: Some(state), ..Seed::well() }
}

/// The refusal, and whether it is a usage error.
pub fn refused(result: Result<Plan, Refusal>) -> (bool, String) {
    match result.unwrap_err() {
        Refusal::Usage(text) => (true, text),
        Refusal::Refused(text) => (false, text),
    }
}

pub fn batch(text: &str) -> Options {
    Options { batch: Some(text.parse().unwrap()), ..Options::default() }
}

pub fn names(plan: &Plan) -> Vec<Vec<&str>> {
    plan.batches.iter().map(|batch| batch.iter().map(InstanceName::short).collect()).collect()
}

#[test]
fn what_runs_already_is_left_alone() {
    let world = web(&[Seed::well(), Seed { image: 1, revision: 2, ..Seed::well() }]);
    let plan = deploy("web", Some("web:v2"), None, &world, &Options::default()).unwrap();
    assert_eq!(names(&plan), [["web-1"]]);
    let world = web(&[Seed { image: 1, revision: 2, ..Seed::well() }]);
    let plan = deploy("web", Some("web:v2"), None, &world, &Options::default()).unwrap();
    assert!(plan.is_empty() && plan.batches.is_empty());
    assert!(plan.notes.iter().any(|note| note.contains("nothing to do")), "{:?}", plan.notes);
    // Asked to ask the registry, nobody knows before.
    let always = Options { pull: Some(PullPolicy::Always), ..Options::default() };
    assert!(!deploy("web", Some("web:v2"), None, &world, &always).unwrap().is_empty());
}

#[test]
fn what_broke_off_is_proven_before_anything_else_stops() {
    let begun = Seed { image: 1, parked: true, revision: 2, ..Seed::well() };
    let plan = deploy("web", Some("web:v2"), None, &web(std::slice::from_ref(&begun)), &Options::default()).unwrap();
    assert_eq!(names(&plan), [["web-1"]]);
    assert_eq!(shape(&plan), ["0 web-1 ready <- ", "1 web-1 verify <- 0", "2 web-1 remove <- 1"]);
    let plan = deploy("web", Some("web:v2"), None, &web(&[Seed::well(), begun]), &Options::default()).unwrap();
    assert_eq!(names(&plan), [["web-2"], ["web-1"]]);
    let stop = plan.steps.iter().find(|step| matches!(step.task, Task::Stop { .. })).unwrap();
    assert!(stop.needs.contains(&1), "the other one stops once this one is verified");
    let last = plan.steps.iter().rfind(|step| step.lane == Lane::Main).unwrap();
    assert!(matches!(last.task, Task::Remove { .. }) && last.needs.contains(&1));
}

#[test]
fn who_can_not_be_deployed_to_hears_why() {
    let mut other = container(900, "redis", State::Running);
    other.networks = at("10.0.0.77");
    let unreadable = Seed { readable: false, ..Seed::well() };
    let mut next = 0;
    let mut all = unreadable.containers(&AppId::new("shop", "web"), 1, &mut next);
    all.extend(Seed::well().containers(&AppId::new("blog", "web"), 1, &mut next));
    all.push(other);
    let world = facts(all);
    let say = |app: &str, image: &str| refused(deploy(app, Some(image), None, &world, &Options::default()));
    for (app, image, usage, word) in [
        ("redis", "redis:8", false, "no sandbox holds its address"),
        ("nope", "x:1", true, "there is no app `nope`"),
        ("web", "x:1", true, "write project/app"),
        ("shop/web", "x:1", false, "-f FILE"),
        ("blog/web", "../x", true, "not an image reference"),
    ] {
        let (is_usage, text) = say(app, image);
        assert!(is_usage == usage && text.contains(word), "{app}: {text}");
    }
    let (usage, text) = refused(deploy("blog/web", None, Some(&file(spec("web:v2"), 1)), &world, &Options::default()));
    assert!(usage && text.contains("--project blog"), "{text}");
}

#[test]
fn a_quarter_stays_up() {
    let up = |count| web(&vec![Seed::well(); count]);
    for (count, size, largest) in [
        (1, "100%", None),
        (2, "2", Some(1)),
        (4, "100%", Some(3)),
        (4, "3", None),
        (8, "7", Some(6)),
        (5, "50%", None),
    ] {
        let result = deploy("web", Some("web:v2"), None, &up(count), &batch(size));
        match largest {
            None => assert!(result.is_ok(), "{count} by {size}: {result:?}"),
            Some(largest) => {
                let (usage, text) = refused(result);
                assert!(!usage && text.contains(&format!("--batch {largest}")), "{text}");
            }
        }
    }
    // Those that are down cost nothing and come first.
    let world = web(&[Seed::well(), down(State::Exited), Seed::well(), down(State::Exited)]);
    let plan = deploy("web", Some("web:v2"), None, &world, &batch("2")).unwrap();
    assert_eq!(names(&plan), [["web-2", "web-4"], ["web-1", "web-3"]]);
    let stops = plan.steps.iter().filter(|step| step.lane == Lane::Main && matches!(step.task, Task::Stop { .. }));
    assert_eq!(stops.filter_map(|step| step.batch).collect::<Vec<_>>(), [2, 2]);
}

#[test]
fn what_the_sandbox_owns_needs_a_word() {
    let world = web(&[Seed::well()]);
    let mut wanted = spec("web:v1");
    wanted.sandbox.hostname = Some("shop".into());
    let (usage, text) = refused(deploy("web", None, Some(&file(wanted.clone(), 1)), &world, &Options::default()));
    assert!(!usage && text.contains("hostname: default → shop") && text.contains("--allow-recreate"), "{text}");
    let options = Options { allow_recreate: true, ..Options::default() };
    let plan = deploy("web", None, Some(&file(wanted, 1)), &world, &options).unwrap();
    assert_eq!(
        shape(&plan),
        [
            "0 all pull <- ",
            "1 web-1 verify <- 0",
            "2 web-1 stop <- 1",
            "3 web-1 stop <- 1,2",
            "4 web-1 rename <- 1,2,3",
            "5 web-1 sandbox_create <- 4",
            "6 web-1 sandbox_start <- 5",
            "7 web-1 create <- 0,5",
            "8 web-1 start <- 6,7",
            "9 web-1 ready <- 8",
            "10 web-1 verify <- 9",
            "11 web-1 park <- 10",
            "12 web-1 park <- 11",
            "13 undo web-1 stop <-  undoes 8",
            "14 undo web-1 remove <- 13 undoes 7",
            "15 undo web-1 stop <- 14 undoes 6",
            "16 undo web-1 remove <- 15 undoes 5",
            "17 undo web-1 rename <- 16 undoes 4",
            "18 undo web-1 sandbox_start <- 17 undoes 3",
            "19 undo web-1 start <- 18 undoes 2,12",
            "20 undo web-1 ready <- 19 undoes 2",
            "21 undo web-1 verify <- 20 undoes 2",
            "22 web-1 remove <- 12",
            "23 web-1 remove <- 12",
        ]
    );
    let Task::SandboxCreate { draft } = &plan.steps[5].task else { panic!("{:?}", plan.steps[5].task) };
    assert_eq!(draft.addresses, BTreeMap::from([("shop_default".to_owned(), "10.0.0.3".to_owned())]));
    assert_eq!(draft.spec.ports[0].host, Some((18080, 18080)), "the instance's own port of the range");
}

#[test]
fn a_broken_instance_is_put_right_by_a_deploy() {
    let actions = |seed: Seed| {
        let plan = deploy("web", Some("web:v2"), None, &web(&[seed]), &Options::default()).unwrap();
        let main = plan.steps.iter().filter(|step| step.lane == Lane::Main).map(|step| step.task.action().as_str());
        main.collect::<Vec<_>>().join(" ")
    };
    let well = Seed::well();
    assert_eq!(
        actions(Seed { sandbox: Some(State::Exited), ..well.clone() }),
        "pull sandbox_start create verify park stop start ready verify park remove"
    );
    assert_eq!(
        actions(Seed { sandbox: None, ..well.clone() }),
        "pull sandbox_create sandbox_start create verify park stop start ready verify park remove"
    );
    assert_eq!(
        actions(Seed { app: Some(State::Exited), ..well.clone() }),
        "pull create verify park start ready verify park remove"
    );
    assert_eq!(actions(Seed { orphaned: true, ..well }), "pull create verify park stop start ready verify park remove");
}

#[test]
fn the_image_decides_whether_the_registry_is_asked() {
    let mut world = web(&[Seed::well()]);
    let policy = |world: &_, image: &str, options: &Options| {
        let plan = deploy("web", Some(image), None, world, options).unwrap();
        match &plan.steps[0].task {
            Task::Pull { policy, .. } => *policy,
            other => panic!("{other:?}"),
        }
    };
    let none = Options::default();
    for (image, want) in [
        ("web:v2", PullPolicy::Missing),
        ("reg/web:latest", PullPolicy::Always),
        ("reg.io:5000/web", PullPolicy::Always),
        ("reg.io:5000/web:v3", PullPolicy::Missing),
        ("web@sha256:00ff", PullPolicy::Missing),
    ] {
        assert_eq!(policy(&world, image, &none), want, "{image}");
    }
    let never = Options { pull: Some(PullPolicy::Never), ..Options::default() };
    assert_eq!(policy(&world, "reg/web:latest", &never), PullPolicy::Never);
    world.images.get_mut("reg/web:latest").unwrap().digests.clear();
    assert_eq!(policy(&world, "reg/web:latest", &none), PullPolicy::Missing, "built here, never pulled");
}

#[test]
fn readiness_is_asked_for_where_it_shows() {
    let ready = |plan: &Plan| match plan.steps.iter().find(|step| matches!(step.task, Task::Ready { .. })) {
        Some(step) => match &step.task {
            Task::Ready { probe, prefer_health, min_ready, .. } => {
                (format!("{}{probe}", if *prefer_health { "health or " } else { "" }), min_ready.as_millis())
            }
            _ => unreachable!(),
        },
        None => panic!("no ready step"),
    };
    let mut world = web(&[Seed::well()]);
    let plan = |world: &_, spec, options: &Options| deploy("web", Some("web:v2"), Some(&file(spec, 1)), world, options);
    let none = Options::default();
    assert_eq!(ready(&plan(&world, spec("x"), &none).unwrap()), ("health or tcp:8080".into(), 0));
    let asked = Options { probe: Some(ProbeSpec::Exec { command: "true".into() }), ..Options::default() };
    assert_eq!(ready(&plan(&world, spec("x"), &asked).unwrap()), ("exec:true".into(), 0));
    let mut own = spec("x");
    own.rollout.probe = Some(ProbeSpec::Http { port: 80, path: "/up".into() });
    own.rollout.min_ready_ms = Some(2000);
    assert_eq!(ready(&plan(&world, own, &none).unwrap()), ("http:80/up".into(), 2000));
    world.images.get_mut("web:v2").unwrap().has_healthcheck = true;
    assert_eq!(ready(&plan(&world, spec("x"), &none).unwrap()), ("health or tcp:8080".into(), 0));
    let mut bare = spec("x");
    bare.container.healthcheck =
        Some(crate::domain::spec::Healthcheck { test: vec!["NONE".into()], ..Default::default() });
    assert_eq!(ready(&plan(&world, bare.clone(), &none).unwrap()), ("health or tcp:8080".into(), 0));
    bare.sandbox.ports.clear();
    let recreate = Options { allow_recreate: true, ..Options::default() };
    let plan = plan(&world, bare, &recreate).unwrap();
    assert_eq!(ready(&plan), ("health or none".into(), 1000));
    assert!(plan.notes.iter().any(|note| note.contains("no probe")), "{:?}", plan.notes);
}

#[test]
fn what_is_put_back_is_asked_as_before_and_only_once() {
    let world = web(&[Seed::well()]);
    let mut wanted = spec("web:v2");
    wanted.rollout.probe = Some(ProbeSpec::Http { port: 80, path: "/new".into() });
    wanted.rollout.min_ready_ms = Some(30_000);
    let back = |plan: Plan| {
        let undo = plan.steps.into_iter().find_map(|step| match step.task {
            Task::Ready { probe, min_ready, .. } if step.lane == Lane::Undo => {
                Some((probe.to_string(), min_ready.as_secs()))
            }
            _ => None,
        });
        undo.expect("a ready step in the undo lane")
    };
    let none = Options::default();
    let plan = deploy("web", None, Some(&file(wanted, 1)), &world, &none).unwrap();
    assert_eq!(back(plan), ("tcp:8080".into(), 0), "the old version may not know the new one's probe");
    let slow = Options { min_ready: Some(std::time::Duration::from_secs(30)), ..none };
    assert_eq!(back(restart(&["web".into()], &world, &slow).unwrap()), ("tcp:8080".into(), 0));
}

#[test]
fn the_plan_says_what_ready_means_as_far_as_it_knows() {
    let mut world = web(&[Seed { revision: 3, image: 1, ..Seed::well() }]);
    let cause = |plan: Plan| {
        let step = plan.steps.into_iter().find(|step| matches!(step.task, Task::Ready { .. }));
        step.expect("no ready step").cause
    };
    let none = Options::default();
    let of = |world: &_, image| cause(deploy("web", Some(image), None, world, &none).unwrap());
    assert_eq!(of(&world, "web:v1"), "ready means: tcp:8080 answers");
    let unknown = "ready means: the HEALTHCHECK of its image, if it has one, else tcp:8080 answers";
    assert_eq!(of(&world, "gone:v9"), unknown, "not pulled yet");
    world.images.get_mut("web:v1").unwrap().has_healthcheck = true;
    assert_eq!(of(&world, "web:v1"), "ready means: docker answers");
    // The tag has moved on to an image with a check; what a rollback runs has none.
    let record =
        RevisionRecord { revision: 2, image_id: image_id("old:v1"), digests: Vec::new(), spec: spec("web:v1") };
    let seen = crate::domain::facts::ImageSeen { id: image_id("old:v1"), ..Default::default() };
    world.images.insert(image_id("old:v1"), seen);
    world.revisions.insert(AppId::new("shop", "web"), vec![record]);
    assert_eq!(cause(rollback("web", None, &world, &none).unwrap()), "ready means: tcp:8080 answers");
}

#[test]
fn scaling_fills_gaps_and_takes_from_the_top() {
    let mut next = 0;
    let id = AppId::new("shop", "web");
    let mut all = Seed::well().containers(&id, 1, &mut next);
    all.extend(Seed { revision: 2, parked: true, ..Seed::well() }.containers(&id, 3, &mut next));
    let world = facts(all);
    let plan = scale("web", 4, &world, &Options::default()).unwrap();
    assert_eq!(names(&plan), [["web-2", "web-4"]]);
    let drafts: Vec<_> = plan
        .steps
        .iter()
        .filter_map(|step| match &step.task {
            Task::Create { draft } => Some((draft.number, draft.revision, draft.image_id.is_some())),
            _ => None,
        })
        .collect();
    assert_eq!(drafts, [(2, 2, true), (4, 2, true)]);
    // They are of the revision that is there, whichever version named it.
    let hashes = plan.steps.iter().filter_map(|step| match &step.task {
        Task::Create { draft } => Some(draft.spec_hash.as_str()),
        Task::SandboxCreate { draft } => Some(draft.spec_hash.as_str()),
        _ => None,
    });
    assert_eq!(hashes.collect::<Vec<_>>(), ["x"; 4]);
    let plan = deploy("web", Some("web:v2"), None, &world, &Options::default()).unwrap();
    let other = |task: &Task| matches!(task, Task::Create { draft } if draft.spec_hash != "x");
    assert_eq!(plan.steps.iter().filter(|step| other(&step.task)).count(), 2);
    let plan = scale("web", 1, &world, &Options::default()).unwrap();
    assert_eq!(
        shape(&plan),
        [
            "0 web-3 stop <- ",
            "1 web-3 remove <- 0",
            "2 web-3 remove <- ",
            "3 web-3 stop <- 1,2",
            "4 web-3 remove <- 1,2,3",
        ]
    );
    assert!(scale("web", 2, &world, &Options::default()).unwrap().is_empty());
    let plan = scale("web", 0, &world, &Options::default()).unwrap();
    assert!(plan.notes.iter().any(|note| note.contains("create -f")), "{:?}", plan.notes);
}

#[test]
fn deadlines_follow_the_grace() {
    let options = Options {
        stop_grace: Some(std::time::Duration::from_secs(40)),
        batch: Some(BatchSize::Count(1)),
        ..Options::default()
    };
    let plan = deploy("web", Some("web:v2"), None, &web(&[Seed::well()]), &options).unwrap();
    let seconds = |action: &str| {
        plan.steps.iter().find(|step| step.task.action().as_str() == action).map(|step| step.deadline.as_secs())
    };
    assert_eq!(
        ["pull", "create", "stop", "start", "ready", "park"].map(seconds),
        [Some(600), Some(60), Some(55), Some(120), Some(65), Some(30)]
    );
    let stopped = plan.steps.iter().find_map(|step| match &step.task {
        Task::Stop { container: Target::Known { name, .. }, grace } => {
            Some((name.as_str(), grace.map(|g| g.as_secs())))
        }
        _ => None,
    });
    assert_eq!(stopped, Some(("shop-web-1.r1", Some(40))));
}

#[test]
fn earlier_revisions_move_to_a_sandbox_that_stays() {
    let mut facts = web(&[Seed::well(), Seed::well(), Seed::well()]);
    let record = |revision| RevisionRecord { revision, ..RevisionRecord::default() };
    facts.revisions.insert(AppId::new("shop", "web"), vec![record(4), record(3)]);
    let kept = |plan: &Plan| -> Vec<(String, Vec<u32>)> {
        let written = |step: &Step| match &step.task {
            Task::Record { sandbox, records } => {
                Some((sandbox.name().to_owned(), records.iter().map(|record| record.revision).collect()))
            }
            _ => None,
        };
        plan.steps.iter().filter_map(written).collect()
    };
    let plan = scale("web", 1, &facts, &Options::default()).unwrap();
    assert_eq!(kept(&plan), [("shop-web-1".to_owned(), vec![4, 3])]);
    let first = plan.steps.iter().position(|step| matches!(step.task, Task::Record { .. })).unwrap();
    let stops = plan.steps.iter().filter(|step| matches!(step.task, Task::Stop { .. }) && step.needs.is_empty());
    assert_eq!(stops.count(), 0, "nothing goes before they are kept: {first}");
    assert_eq!(kept(&scale("web", 0, &facts, &Options::default()).unwrap()), []);

    // A sandbox that is replaced hands on what it knew.
    let mut wanted = spec("web:v2");
    wanted.sandbox.hostname = Some("other".into());
    let options = Options { allow_recreate: true, ..Options::default() };
    let plan = deploy("web", None, Some(&file(wanted, 3)), &facts, &options).unwrap();
    let all: Vec<_> = kept(&plan).into_iter().map(|(_, revisions)| revisions).collect();
    assert_eq!(all, [[4, 3, 1], [4, 3, 1], [4, 3, 1]]);
}
