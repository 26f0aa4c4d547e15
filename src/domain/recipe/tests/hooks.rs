//! Where hooks stand in each operation's plan, and whose they are.

use super::super::{create, deploy, remove, restart, scale};
use super::tables::shape;
use super::world::{Seed, facts, file, spec, web};
use crate::domain::facts::Facts;
use crate::domain::hook::{Hook, Hooks};
use crate::domain::options::Options;
use crate::domain::plan::{Lane, Plan, Task};
use std::sync::Arc;

fn hooks(mark: &str) -> Hooks {
    let hook = |word: &str| {
        Some(Hook { command: vec![format!("/{word}-{mark}"), "an argument".to_owned()], timeout_ms: 5000 })
    };
    Hooks { pre_drain: hook("out"), pre_stop: hook("flush"), post_ready: hook("warm") }
}

/// One instance whose container was made with hooks marked `old`.
fn with_hooks() -> Facts {
    let mut world = web(&[Seed::well()]);
    for instance in &mut world.fleet.apps[0].instances {
        let app = Arc::make_mut(instance.app.as_mut().unwrap());
        let spec = app.own.as_mut().unwrap().spec.as_mut().unwrap();
        spec.rollout.hooks = hooks("old");
    }
    world
}

/// The programs of all hooks in order, those of the undo lane in brackets.
fn programs(plan: &Plan) -> Vec<String> {
    let program = |step: &crate::domain::plan::Step| match &step.task {
        Task::Hook { hook, .. } if step.lane == Lane::Undo => Some(format!("({})", hook.program())),
        Task::Hook { hook, .. } => Some(hook.program().to_owned()),
        _ => None,
    };
    plan.steps.iter().filter_map(program).collect()
}

#[test]
fn a_deployment_runs_the_old_ones_before_the_stop_and_the_new_one_when_it_is_ready() {
    let mut wanted = spec("web:v2");
    wanted.rollout.hooks = hooks("new");
    let plan = deploy("web", None, Some(&file(wanted, 1)), &with_hooks(), &Options::default()).unwrap();
    assert_eq!(plan.broken(), None);
    assert_eq!(
        shape(&plan),
        [
            "0 all pull <- ",
            "1 web-1 create <- 0",
            "2 web-1 verify <- 0",
            "3 web-1 park <- 2",
            "4 web-1 pre_drain <- 1,2",
            "5 web-1 pre_stop <- 4",
            "6 web-1 stop <- 5",
            "7 web-1 start <- 1,6",
            "8 web-1 ready <- 7",
            "9 web-1 post_ready <- 8",
            "10 web-1 verify <- 9",
            "11 web-1 park <- 3,10",
            "12 undo web-1 stop <-  undoes 7",
            "13 undo web-1 start <- 12 undoes 6,11",
            "14 undo web-1 ready <- 13 undoes 6",
            "15 undo web-1 post_ready <- 14 undoes 4,5,6",
            "16 undo web-1 verify <- 15 undoes 6",
            "17 undo web-1 remove <- 16 undoes 1",
            "18 web-1 remove <- 11",
        ]
    );
    assert_eq!(programs(&plan), ["/out-old", "/flush-old", "/warm-new", "(/warm-old)"]);
    assert_eq!(plan.steps[5].cause, "the app's own pre_stop hook: /flush-old before it is stopped");
}

#[test]
fn a_restart_runs_them_all_and_what_does_not_run_has_none_before() {
    let world = with_hooks();
    let again = |world: &Facts| restart(&["web".into()], world, &Options::default()).unwrap();
    assert_eq!(programs(&again(&world)), ["/out-old", "/flush-old", "/warm-old", "(/warm-old)"]);
    let mut down = world.clone();
    Arc::make_mut(down.fleet.apps[0].instances[0].app.as_mut().unwrap()).state = crate::domain::fleet::State::Exited;
    assert_eq!(programs(&again(&down)), ["/warm-old"]);
}

#[test]
fn an_instance_that_goes_is_told_so_an_app_that_goes_is_not() {
    let world = with_hooks();
    let plan = scale("web", 0, &world, &Options::default()).unwrap();
    assert_eq!(programs(&plan), ["/out-old", "/flush-old"]);
    assert_eq!(shape(&plan)[..3], ["0 web-1 pre_drain <- ", "1 web-1 pre_stop <- 0", "2 web-1 stop <- 1"]);
    let gone = remove(&["web".into()], false, &world, &Options::default()).unwrap();
    assert!(programs(&gone).is_empty());
}

#[test]
fn who_depends_on_a_healthy_app_waits_for_its_hook() {
    let mut base = spec("web:v1");
    base.rollout.hooks = Hooks { pre_drain: None, pre_stop: None, ..hooks("new") };
    base.sandbox.ports.clear();
    let mut project = file(base, 1);
    let mut db = project.apps["web"].clone();
    db.spec.container.mounts.clear();
    project.apps.insert("db".into(), db);
    project.apps["web"].depends_on = vec![crate::domain::project::Dependency {
        app: "db".into(),
        condition: crate::domain::project::DependencyCondition::ServiceHealthy,
        required: true,
    }];
    let plan = create(&project, &[], &[], &facts(Vec::new()), &Options::default()).unwrap();
    let find = |name: &str, action: &str| {
        let is = |line: &String| line.contains(&format!(" {name} {action} "));
        shape(&plan).iter().position(is).unwrap_or_else(|| panic!("{name} {action}: {:?}", shape(&plan)))
    };
    let needs = &plan.steps[find("web-1", "start")].needs;
    assert!(needs.contains(&find("db-1", "post_ready")), "{:?}", shape(&plan));
}
