//! What recipes plan behind a load balancer, in cases one can read.

use super::super::{create, deploy, remove, restart, scale};
use super::tables::shape;
use super::world::{Seed, Told, behind, file, spec, web};
use crate::domain::balancer::BalancerSpec;
use crate::domain::facts::Facts;
use crate::domain::ids::ServerName;
use crate::domain::options::{OnDrainTimeout, Options};
use crate::domain::plan::{Lane, Plan, Refusal, Step, Task};
use std::sync::Arc;
use std::time::Duration;

type Ask = fn(&Facts, &Options) -> Result<Plan, Refusal>;

fn two(told: Told) -> Facts {
    behind(web(&[Seed::well(), Seed::well()]), told)
}

fn haproxy() -> BalancerSpec {
    BalancerSpec::Haproxy { socket: "/run/haproxy/admin.sock".into(), backend: ServerName::new("web").unwrap() }
}

#[test]
fn what_goes_is_drained_and_gets_requests_again_where_it_stays() {
    let plan = scale("web", 1, &two(Told::Sends), &Options::default()).unwrap();
    assert_eq!(
        shape(&plan),
        [
            "0 web-2 drain <- ",
            "1 web-2 stop <- 0",
            "2 web-2 remove <- 1",
            "3 web-2 stop <- 2",
            "4 web-2 remove <- 2,3",
            "5 undo web-2 attach <-  undoes 0",
        ]
    );
    let Task::Attach { only_with: Some(app), .. } = &plan.steps[5].task else { panic!("{:?}", plan.steps[5].task) };
    assert_eq!(app.name(), "shop-web-2.r1", "one that is gone is attached nowhere");

    let plan = remove(&["web".into()], false, &two(Told::TakenOut), &Options::default()).unwrap();
    let drained: Vec<_> = shape(&plan).into_iter().filter(|line| line.contains("drain")).collect();
    assert_eq!(drained.len(), 1, "what a person took out is out already: {drained:?}");
    assert!(plan.notes.iter().any(|note| note.contains("taken out by somebody")), "{:?}", plan.notes);
}

#[test]
fn what_was_attached_is_drained_before_it_is_put_back_and_only_what_serves_again_is_attached() {
    let plan = deploy("web", Some("web:v2"), None, &two(Told::Sends), &Options::default()).unwrap();
    let mine = |step: &&Step| step.instance.as_ref().is_some_and(|name| name.short() == "web-1");
    let place =
        |wanted: &dyn Fn(&Step) -> bool| plan.steps.iter().position(|step| mine(&step) && wanted(step)).unwrap();
    let attached = place(&|step| step.lane == Lane::Main && matches!(step.task, Task::Attach { .. }));
    let drained = place(&|step| step.lane == Lane::Undo && matches!(step.task, Task::Drain { .. }));
    let stopped = place(&|step| step.lane == Lane::Undo && matches!(step.task, Task::Stop { .. }));
    assert!(drained < stopped && plan.steps[stopped].needs.contains(&drained), "{:?}", shape(&plan));
    assert_eq!(plan.steps[drained].undoes, [attached], "one that never got there has no sessions");
    let back = place(&|step| step.lane == Lane::Undo && matches!(step.task, Task::Attach { .. }));
    let Task::Attach { only_with: Some(app), .. } = &plan.steps[back].task else {
        panic!("{:?}", plan.steps[back].task)
    };
    assert_eq!(app.name(), "shop-web-1.r1");
}

#[test]
fn a_new_instance_takes_its_place_in_the_balancer() {
    let mut project = file(spec("web:v1"), 1);
    project.apps["web"].spec.rollout.balancers = vec![haproxy(), BalancerSpec::None];
    let plan = create(&project, &[], &[], &super::world::facts(Vec::new()), &Options::default()).unwrap();
    let joins: Vec<_> = plan
        .steps
        .iter()
        .filter_map(|step| match &step.task {
            Task::Join { balancers, .. } => Some((balancers.clone(), step.needs.clone())),
            _ => None,
        })
        .collect();
    let [(balancers, needs)] = &*joins else { panic!("{joins:?}") };
    assert_eq!(*balancers, [haproxy()]);
    assert!(needs.iter().all(|need| matches!(plan.steps[*need].task, Task::Verify { .. })));
}

#[test]
fn a_balancer_that_can_not_be_asked_stops_all_but_what_waits_for_no_session() {
    let mut facts = two(Told::Sends);
    for seen in facts.balancers.values_mut().flatten() {
        seen.servers = Err("haproxy web at /run/haproxy/admin.sock: Connection refused".into());
    }
    let asks: [Ask; 4] = [
        |facts, options| deploy("web", Some("web:v2"), None, facts, options),
        |facts, options| restart(&["web".into()], facts, options),
        |facts, options| scale("web", 1, facts, options),
        |facts, options| remove(&["web".into()], false, facts, options),
    ];
    for ask in asks {
        let Err(Refusal::Refused(why)) = ask(&facts, &Options::default()) else { panic!("not refused") };
        assert!(why.contains("Connection refused") && why.contains("`--drain-timeout 0s` goes on"), "{why}");
        let at_once = Options { drain_timeout: Some(Duration::ZERO), ..Options::default() };
        let plan = ask(&facts, &at_once).unwrap();
        assert!(!shape(&plan).iter().any(|line| line.contains("drain")));
        assert!(plan.notes.iter().any(|note| note.contains("nothing is drained")), "{:?}", plan.notes);
    }
}

#[test]
fn how_long_sessions_get_is_the_persons_word_before_the_apps() {
    let mut facts = two(Told::Sends);
    let apps = facts.fleet.apps.iter_mut().flat_map(|app| &mut app.instances).filter_map(|one| one.app.as_mut());
    for spec in apps.filter_map(|app| Arc::make_mut(app).own.as_mut()?.spec.as_mut()) {
        spec.rollout.drain_timeout_ms = Some(5_000);
        spec.rollout.on_drain_timeout = Some(OnDrainTimeout::Abort);
    }
    let given = |options: &Options| {
        let plan = restart(&["web".into()], &facts, options).unwrap();
        plan.steps.iter().find_map(|step| match step.task {
            Task::Drain { timeout, on_timeout, .. } => Some((timeout.as_secs(), on_timeout)),
            _ => None,
        })
    };
    assert_eq!(given(&Options::default()), Some((5, OnDrainTimeout::Abort)));
    let told = Options {
        drain_timeout: Some(Duration::from_secs(60)),
        on_drain_timeout: Some(OnDrainTimeout::Cut),
        ..Options::default()
    };
    assert_eq!(given(&told), Some((60, OnDrainTimeout::Cut)));
}
