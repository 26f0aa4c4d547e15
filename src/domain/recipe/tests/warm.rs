//! Warm swaps: what is planned, and what is refused.

use super::super::{deploy, restart, take_back};
use super::tables::shape;
use super::world::{Seed, web};
use crate::domain::facts::Facts;
use crate::domain::fleet::State;
use crate::domain::options::Options;
use crate::domain::plan::{Kind, Plan, Refusal, Target, Task};
use crate::domain::probe::ProbeSpec;
use crate::domain::warm::Warm;
use std::sync::Arc;

fn warm(warm: Warm) -> Options {
    Options { warm: Some(warm), probe: Some(ProbeSpec::Tcp { port: 80 }), ..Options::default() }
}

fn deployed(facts: &Facts, how: Warm) -> Result<Plan, Refusal> {
    deploy("web", Some("web:v2"), None, facts, &warm(how))
}

#[test]
fn the_new_one_stands_before_the_old_one_is_touched() {
    let plan = deployed(&web(&[Seed::well(), Seed::well()]), Warm::Bind).unwrap();
    assert_eq!(plan.broken(), None);
    assert_eq!(
        shape(&plan)[..16],
        [
            "0 all pull <- ",
            "1 web-1 create <- 0",
            "2 web-1 verify <- 0",
            "3 web-1 park <- 2",
            "4 web-1 start <- 1,2",
            "5 web-1 warm <- 4",
            "6 web-1 stop <- 1,2,5",
            "7 web-1 ready <- 6",
            "8 web-1 verify <- 7",
            "9 web-1 park <- 3,8",
            "10 undo web-1 stop <-  undoes 4",
            "11 undo web-1 start <- 10 undoes 6,9",
            "12 undo web-1 ready <- 11 undoes 6",
            "13 undo web-1 verify <- 12 undoes 6",
            "14 undo web-1 remove <- 13 undoes 1",
            "15 web-2 create <- 0",
        ]
    );
    // The next one boots while this one is swapped, one batch ahead.
    assert_eq!(
        shape(&plan)[16..20],
        ["16 web-2 verify <- 0,1,2,5", "17 web-2 start <- 15,16", "18 web-2 warm <- 17", "19 web-2 stop <- 8,15,16,18",]
    );
}

#[test]
fn what_can_not_be_held_is_refused_by_name_and_planned_plainly_when_left_open() {
    let mut facts = web(&[Seed::well(), Seed::well()]);
    let sandbox = Arc::make_mut(facts.fleet.apps[0].instances[1].sandbox.as_mut().unwrap());
    Arc::make_mut(sandbox.detail.as_mut().unwrap()).guest = 1;
    match deployed(&facts, Warm::Bind) {
        Err(Refusal::Refused(why)) => assert!(why.starts_with("shop/web-2: --warm bind is not possible"), "{why}"),
        other => panic!("{other:?}"),
    }
    let plan = deployed(&facts, Warm::Auto).unwrap();
    let boots: Vec<_> = shape(&plan).into_iter().filter(|line| line.contains(" warm ")).collect();
    assert_eq!(boots, ["5 web-1 warm <- 4"]);
    assert!(
        plan.notes.iter().any(|note| note.starts_with("not warm: its sandbox was made by an earlier")),
        "{:?}",
        plan.notes
    );
    // One that does not run has nothing to be swapped with.
    let down = web(&[Seed { app: Some(State::Exited), ..Seed::well() }]);
    assert!(!shape(&deployed(&down, Warm::Bind).unwrap()).iter().any(|line| line.contains(" warm ")));
}

#[test]
fn a_warm_restart_is_a_new_container_of_the_same() {
    let facts = web(&[Seed::well(), Seed::well()]);
    let plan = restart(&["shop/web-2".into()], &facts, &warm(Warm::Start)).unwrap();
    assert_eq!((plan.kind, plan.batches.len(), plan.batches[0][0].short()), (Kind::Restart, 1, "web-2"));
    assert_eq!((plan.from.as_deref(), plan.to.as_deref()), (Some("web:v1"), Some("web:v1")));
    assert_eq!(shape(&plan).iter().filter(|line| line.contains(" warm ")).count(), 1);
    // Whoever runs something else is not changed on the way.
    let mixed = web(&[Seed::well(), Seed { image: 1, revision: 2, ..Seed::well() }]);
    match restart(&["shop/web".into()], &mixed, &warm(Warm::Auto)) {
        Err(Refusal::Refused(why)) => assert!(why.contains("shop/web-1 does not run what"), "{why}"),
        other => panic!("{other:?}"),
    }
    // Without the word the same container is restarted.
    let plain = restart(&["shop/web".into()], &facts, &Options::default()).unwrap();
    assert!(!shape(&plain).iter().any(|line| line.contains(" warm ") || line.contains(" create ")));
}

#[test]
fn taking_back_what_is_held_does_not_touch_what_serves() {
    let facts = web(&[Seed { beside: Some((2, State::Running)), ..Seed::well() }]);
    let serving = facts.fleet.apps[0].instances[0].app.as_ref().unwrap();
    assert_eq!(serving.revision(), 1, "the older one serves");
    let plan = take_back("shop/web", &facts, &Options::default()).unwrap();
    assert_eq!(
        shape(&plan),
        ["0 web-1 stop <- ", "1 web-1 ready <- 0", "2 web-1 verify <- 1", "3 web-1 remove <- 2"],
        "{:?}",
        plan.notes
    );
    for step in &plan.steps {
        let old = |target: &Target| target.name().rsplit_once(".r").is_some_and(|(_, revision)| revision == "1");
        let touched =
            matches!(&step.task, Task::Stop { container, .. } | Task::Remove { container, .. } if old(container));
        assert!(!touched, "{step:?}");
    }
}
