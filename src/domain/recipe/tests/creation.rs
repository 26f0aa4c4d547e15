//! What creation and removal plan and say, in cases one can read.

use super::super::{create, remove};
use super::tables::shape;
use super::world::{Seed, at, container, facts, file, spec, web};
use crate::domain::facts::Facts;
use crate::domain::fleet::{BoundPort, State};
use crate::domain::ids::AppId;
use crate::domain::options::Options;
use crate::domain::plan::{Plan, Refusal, Task};
use crate::domain::project::{AppEntry, Dependency, DependencyCondition, ProjectSpec};

#[test]
fn creation_pulls_beside_everything_else() {
    let plan = create(&file(spec("web:v1"), 1), &[], &[], &Facts::default(), &Options::default()).unwrap();
    assert_eq!(
        shape(&plan),
        [
            "0 all pull <- ",
            "1 all network <- ",
            "2 all volume <- ",
            "3 web-1 sandbox_create <- 1",
            "4 web-1 sandbox_start <- 3",
            "5 web-1 create <- 0,2,3",
            "6 web-1 start <- 4,5",
            "7 web-1 ready <- 6",
            "8 web-1 verify <- 7",
            "9 undo web-1 stop <-  undoes 6",
            "10 undo web-1 remove <- 9 undoes 5",
            "11 undo web-1 stop <- 10 undoes 4",
            "12 undo web-1 remove <- 11 undoes 3",
        ]
    );
}

fn plan(project: &ProjectSpec, facts: &Facts) -> Result<Plan, Refusal> {
    create(project, &[], &[], facts, &Options::default())
}

fn depends(on: &str, condition: DependencyCondition) -> Vec<Dependency> {
    vec![Dependency { app: on.into(), condition, required: true }]
}

/// web depends on db, healthy.
fn two() -> ProjectSpec {
    let mut project = file(spec("web:v1"), 2);
    let mut db = spec("db:1");
    db.sandbox.ports.clear();
    project.apps["web"].depends_on = depends("db", DependencyCondition::ServiceHealthy);
    project.apps.insert("db".into(), AppEntry { spec: db, replicas: 1, depends_on: Vec::new() });
    project
}

#[test]
fn dependencies_hold_back_only_the_start() {
    let plan = plan(&two(), &Facts::default()).unwrap();
    let find = |name: &str, action: &str| {
        plan.steps
            .iter()
            .position(|step| {
                step.instance.as_ref().is_some_and(|one| one.short() == name) && step.task.action().as_str() == action
            })
            .unwrap()
    };
    let ready = find("db-1", "ready");
    assert!(plan.steps[find("web-1", "start")].needs.contains(&ready));
    assert!(plan.steps[find("web-2", "start")].needs.contains(&ready));
    for action in ["sandbox_create", "sandbox_start", "create"] {
        assert!(!plan.steps[find("web-1", action)].needs.contains(&ready), "{action}");
    }
    assert_eq!(plan.batches.len(), 1);
    assert_eq!(plan.steps.iter().filter(|step| matches!(step.task, Task::Pull { .. })).count(), 2);
    assert_eq!(plan.steps.iter().filter(|step| matches!(step.task, Task::Network { .. })).count(), 1);
}

#[test]
fn a_dependency_that_is_there_and_not_healthy_yet_is_waited_for() {
    let (mut next, id) = (0, AppId::new("shop", "db"));
    let mut containers = Seed::well().containers(&id, 1, &mut next);
    containers[1].own.as_mut().unwrap().spec.as_mut().unwrap().sandbox.ports.clear();
    let start_needs = |containers: &[crate::domain::fleet::Container]| {
        let mut project = two();
        project.apps["db"].spec = *containers[1].own.as_ref().unwrap().spec.clone().unwrap();
        project.apps["db"].spec.container.environment.insert("TOKEN".into(), "hush".into());
        let plan = plan(&project, &facts(containers.to_vec())).unwrap();
        let start = plan.steps.iter().find(|step| {
            step.task.action().as_str() == "start" && step.instance.as_ref().is_some_and(|one| one.short() == "web-1")
        });
        let needs = start.unwrap().needs.clone();
        let ready = |need: &&usize| matches!(plan.steps[**need].task, Task::Ready { .. });
        needs.iter().find(ready).map(|need| plan.steps[*need].cause.clone())
    };
    assert_eq!(start_needs(&containers), None, "it is ready");
    containers[1].health = Some(crate::domain::fleet::Health::Starting);
    assert_eq!(start_needs(&containers).as_deref(), Some("web waits until db-1 is healthy"));
}

#[test]
fn only_what_was_asked_for_and_what_it_needs() {
    let subset = |services: &[&str], facts: &Facts| {
        let services: Vec<String> = services.iter().map(ToString::to_string).collect();
        create(&two(), &services, &[("web".into(), 1)], facts, &Options::default())
            .map(|plan| plan.batches.concat().iter().map(ToString::to_string).collect::<Vec<_>>())
    };
    assert_eq!(subset(&["web"], &Facts::default()).unwrap(), ["shop/db-1", "shop/web-1"]);
    let mut next = 0;
    let running = facts(Seed::well().containers(&AppId::new("shop", "db"), 1, &mut next));
    assert_eq!(subset(&["web"], &running).unwrap(), ["shop/web-1"], "a dependency that runs is left alone");
    assert!(matches!(subset(&["nope"], &running), Err(Refusal::Usage(text)) if text.contains("it has web, db")));
    assert!(matches!(subset(&["db"], &running), Err(Refusal::Usage(text)) if text.contains("--scale web")));
}

#[test]
fn what_is_there_and_equal_is_left_alone() {
    let world = web(&[Seed::well(), Seed::well()]);
    let same = plan(&file(spec("web:v1"), 2), &world).unwrap();
    assert!(same.is_empty() && same.notes.iter().any(|note| note.contains("nothing to do")), "{:?}", same.notes);
    let more = plan(&file(spec("web:v1"), 3), &world).unwrap();
    assert_eq!(more.batches.concat().len(), 1);
    let fewer = plan(&file(spec("web:v1"), 1), &world).unwrap();
    assert!(fewer.is_empty() && fewer.notes.iter().any(|note| note.contains("pitstop scale shop/web=1")));
    let stopped = plan(&file(spec("web:v1"), 1), &web(&[Seed { app: Some(State::Exited), ..Seed::well() }])).unwrap();
    let actions: Vec<_> = stopped.steps.iter().map(|step| step.task.action().as_str()).collect();
    assert_eq!(actions, ["verify", "start", "ready", "verify"], "only a start is missing");
    let half = plan(&file(spec("web:v1"), 1), &web(&[Seed { app: None, ..Seed::well() }])).unwrap();
    assert!(half.steps.iter().all(|step| !matches!(step.task, Task::SandboxCreate { .. })));
}

#[test]
fn creation_is_refused_with_a_reason() {
    let mut foreign = container(900, "shop-web-1", State::Running);
    foreign.networks = at("10.0.0.77");
    let mut publisher = container(901, "nginx", State::Running);
    publisher.ports = vec![BoundPort { container: 80, protocol: "tcp".into(), host: Some(("0.0.0.0".into(), 18080)) }];
    let mut narrow = spec("web:v1");
    narrow.sandbox.ports[0].host = Some((18080, 18080));
    let mut pinned = spec("web:v1");
    pinned.sandbox.networks[0].ipv4 = Some("10.0.0.77".into());
    let mut outside = file(spec("web:v1"), 1);
    outside.networks["shop_default"].external = true;
    let mut circle = two();
    circle.apps["db"].depends_on = depends("web", DependencyCondition::ServiceStarted);
    let mut waits = two();
    waits.apps["web"].depends_on = depends("db", DependencyCondition::ServiceCompletedSuccessfully);
    let mut missing = two();
    missing.apps["web"].depends_on = depends("cache", DependencyCondition::ServiceStarted);
    let one = |spec| file(spec, 1);
    let cases: Vec<(ProjectSpec, Facts, bool, &str)> = vec![
        (one(spec("web:v1")), facts(vec![foreign.clone()]), false, "the name shop-web-1 is taken"),
        (one(spec("web:v1")), facts(vec![publisher]), false, "container nginx has"),
        (file(narrow, 2), Facts::default(), false, "no host port for instance 2"),
        (
            one(pinned.clone()),
            facts(vec![{
                foreign.name = "other".into();
                foreign
            }]),
            false,
            "container other has",
        ),
        (file(pinned, 2), Facts::default(), false, "only one of its 2 instances"),
        (outside, Facts::default(), false, "docker network create shop_default"),
        (one(spec("web:v2")), web(&[Seed::well()]), false, "pitstop deploy shop/web -f FILE"),
        (circle, Facts::default(), true, "web → db → web"),
        (waits, Facts::default(), true, "service_completed_successfully"),
        (missing, Facts::default(), true, "cache"),
        (one(spec("a//b")), Facts::default(), true, "not an image reference"),
    ];
    for (project, facts, usage, word) in cases {
        match plan(&project, &facts) {
            Err(Refusal::Usage(text)) => assert!(usage && text.contains(word), "{word}: {text}"),
            Err(Refusal::Refused(text)) => assert!(!usage && text.contains(word), "{word}: {text}"),
            Ok(plan) => panic!("{word}: {:?}", shape(&plan)),
        }
    }
}

#[test]
fn removal_takes_what_is_nobody_elses() {
    let world = web(&[Seed::well()]);
    let actions = |plan: &Plan| {
        plan.steps
            .iter()
            .map(|step| format!("{:?}", step.task).split(' ').next().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let plan = remove(&["web".into()], false, &world, &Options::default()).unwrap();
    assert_eq!(actions(&plan), ["Stop", "Remove", "Stop", "Remove", "RemoveNetwork"]);
    assert!(plan.notes.iter().any(|note| note.contains("shop_data")), "{:?}", plan.notes);
    let plan = remove(&["web".into()], true, &world, &Options::default()).unwrap();
    assert_eq!(actions(&plan), ["Stop", "Remove", "Stop", "Remove", "RemoveNetwork", "RemoveVolume"]);
    assert_eq!(plan.steps[5].needs, [1, 3]);

    // Another app of the project uses both.
    let mut next = 0;
    let mut all = Seed::well().containers(&AppId::new("shop", "web"), 1, &mut next);
    all.extend(Seed::well().containers(&AppId::new("shop", "api"), 1, &mut next));
    let plan = remove(&["web".into()], true, &facts(all.clone()), &Options::default()).unwrap();
    assert_eq!(actions(&plan), ["Stop", "Remove", "Stop", "Remove"]);
    assert_eq!(plan.notes.len(), 2, "{:?}", plan.notes);
    let plan = remove(&["web".into(), "api".into(), "web".into()], true, &facts(all), &Options::default()).unwrap();
    assert_eq!((plan.app.as_str(), plan.batches[0].len()), ("shop", 2));
    assert!(remove(&[], true, &world, &Options::default()).is_err());
}
