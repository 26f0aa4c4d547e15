//! What each recipe says, in cases one can read.
#![allow(unused_imports)]

use super::super::{create, deploy, restart};
use super::world::{Seed, file, spec, web};
use crate::domain::facts::Facts;
use crate::domain::options::{BatchSize, Options};
use crate::domain::plan::{Lane, Plan, Task};

/// One line per step: `id lane instance action <- needs`.
pub fn shape(plan: &Plan) -> Vec<String> {
    let line = |(id, step): (usize, &crate::domain::plan::Step)| {
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
            "2 web-1 park <- 0",
            "3 web-1 verify <- 0",
            "4 web-1 stop <- 1,2,3",
            "5 web-1 start <- 1,4",
            "6 web-1 ready <- 5",
            "7 web-1 verify <- 6",
            "8 web-1 park <- 7",
            "9 undo web-1 stop <-  undoes 5",
            "10 undo web-1 start <- 9 undoes 4,8",
            "11 undo web-1 ready <- 10 undoes 4",
            "12 undo web-1 verify <- 11 undoes 4",
            "13 undo web-1 remove <- 12 undoes 1",
            "14 web-2 create <- 0",
            "15 web-2 park <- 0,1,2,3",
            "16 web-2 verify <- 0,1,2,3",
            "17 web-2 stop <- 7,14,15,16",
            "18 web-2 start <- 14,17",
            "19 web-2 ready <- 18",
            "20 web-2 verify <- 19",
            "21 web-2 park <- 20",
            "22 undo web-2 stop <-  undoes 18",
            "23 undo web-2 start <- 22 undoes 17,21",
            "24 undo web-2 ready <- 23 undoes 17",
            "25 undo web-2 verify <- 24 undoes 17",
            "26 undo web-2 remove <- 25 undoes 14",
            "27 web-1 remove <- 8,21",
            "28 web-2 remove <- 8,21",
        ]
    );
    assert_eq!(plan.steps[1].cause, "web-1 runs revision 1, revision 2 is wanted: image: web:v1 → web:v2");
    let Task::Create { draft } = &plan.steps[1].task else { panic!("{:?}", plan.steps[1].task) };
    assert_eq!(draft.spec.container.environment["TOKEN"], "hush");
    assert_eq!(draft.carry.len(), 1, "the anonymous volume is carried over, the named one is in the spec");
}

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

#[test]
fn a_restart_touches_one_container() {
    let facts = web(&[Seed::well()]);
    let plan = restart(&["web-1".into()], &facts, &Options::default()).unwrap();
    assert_eq!(
        shape(&plan),
        [
            "0 web-1 verify <- ",
            "1 web-1 stop <- 0",
            "2 web-1 start <- 1",
            "3 web-1 ready <- 2",
            "4 web-1 verify <- 3",
            "5 undo web-1 start <-  undoes 1",
            "6 undo web-1 ready <- 5 undoes 1",
        ]
    );
}
