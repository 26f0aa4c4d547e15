//! What holds for every plan, whatever the engine looks like.

use super::super::{create, deploy, remove, restart, rollback, scale};
use super::world::{IMAGES, any_facts, any_project};
use crate::domain::converge::Footing;
use crate::domain::facts::Facts;
use crate::domain::options::{BatchSize, Options};
use crate::domain::plan::{Kind, Lane, Plan, Refusal, Step, StepId, Task};
use proptest::prelude::*;
use std::collections::BTreeSet;

/// Everything a step waits for, directly or not.
fn waits_for(plan: &Plan, step: StepId) -> BTreeSet<StepId> {
    let mut all = BTreeSet::new();
    let mut open = plan.steps[step].needs.clone();
    while let Some(need) = open.pop() {
        if all.insert(need) {
            open.extend(&plan.steps[need].needs);
        }
    }
    all
}

fn steps(plan: &Plan, lane: Lane) -> impl Iterator<Item = (StepId, &Step)> {
    plan.steps.iter().enumerate().filter(move |(_, step)| step.lane == lane)
}

/// The invariants of every plan.
fn check(plan: &Plan) {
    assert_eq!(plan.broken(), None);
    for (id, step) in plan.steps.iter().enumerate() {
        assert!(!step.deadline.is_zero() && !step.cause.is_empty());
        assert_eq!(step.instance.is_some(), step.batch.is_some(), "step {id}");
        if step.lane == Lane::Main {
            let waits = waits_for(plan, id);
            assert!(step.task.made_by().iter().all(|made| waits.contains(made)), "step {id} uses what is not made yet");
        }
    }
    let acting: BTreeSet<_> = plan.steps.iter().filter_map(|step| step.instance.clone()).collect();
    let batched: BTreeSet<_> = plan.batches.iter().flatten().cloned().collect();
    assert_eq!(acting, batched);
    // The undo lane of an instance is one chain.
    for name in &batched {
        let lane: Vec<_> = steps(plan, Lane::Undo).filter(|(_, step)| step.instance.as_ref() == Some(name)).collect();
        for pair in lane.windows(2) {
            assert!(pair[1].1.needs.contains(&pair[0].0));
        }
    }
    if !matches!(plan.kind, Kind::Remove | Kind::Scale) {
        nothing_stays_down(plan);
    }
    if matches!(plan.kind, Kind::Deploy | Kind::Rollback | Kind::Restart) {
        instances_are_independent(plan);
    }
}

/// What is stopped is started later, and can be started again when that fails; what is removed was replaced first.
fn nothing_stays_down(plan: &Plan) {
    for (id, step) in steps(plan, Lane::Main) {
        let mine = |(_, other): &(StepId, &Step)| other.instance == step.instance;
        match &step.task {
            Task::Stop { .. } => {
                let back = |(_, undo): (StepId, &Step)| {
                    undo.undoes.contains(&id) && matches!(undo.task, Task::Start { .. } | Task::SandboxStart { .. })
                };
                assert!(steps(plan, Lane::Undo).any(back), "stop {id} has no way back");
                let started = steps(plan, Lane::Main).filter(mine).any(|(later, other)| {
                    matches!(other.task, Task::Start { .. }) && waits_for(plan, later).contains(&id)
                });
                assert!(started, "stop {id} is followed by no start");
            }
            Task::Remove { .. } => {
                let waits = waits_for(plan, id);
                let own = steps(plan, Lane::Main)
                    .filter(mine)
                    .any(|(verify, other)| matches!(other.task, Task::Verify { .. }) && waits.contains(&verify));
                assert!(own, "step {id} removes before its instance is verified");
                if plan.kind != Kind::Create {
                    let all = steps(plan, Lane::Main)
                        .filter(|(_, other)| matches!(other.task, Task::Verify { .. } | Task::Park { .. }))
                        .all(|(verify, _)| waits.contains(&verify));
                    assert!(all, "step {id} removes before every instance is verified");
                }
            }
            _ => {}
        }
    }
}

/// Within a batch nobody waits for a neighbour, and a stop waits for everything of the batch before.
fn instances_are_independent(plan: &Plan) {
    for (id, step) in steps(plan, Lane::Main).filter(|(_, step)| !matches!(step.task, Task::Remove { .. })) {
        for need in waits_for(plan, id) {
            let other = &plan.steps[need];
            let neighbour = other.batch == step.batch && other.instance != step.instance && other.instance.is_some();
            assert!(!neighbour, "step {id} waits for {need} of a neighbour");
            assert!(other.batch <= step.batch, "step {id} waits for a later batch");
        }
        if let (Task::Stop { .. }, Some(batch)) = (&step.task, step.batch) {
            let waits = waits_for(plan, id);
            let former = steps(plan, Lane::Main)
                .filter(|(_, other)| other.batch == Some(batch - 1) && matches!(other.task, Task::Verify { .. }))
                .all(|(verify, _)| waits.contains(&verify));
            assert!(former, "stop {id} does not wait for the batch before");
        }
    }
}

/// Refusals say something; usage errors and refusals are the only ones.
fn checked(result: Result<Plan, Refusal>) -> Option<Plan> {
    match result {
        Ok(plan) => {
            check(&plan);
            Some(plan)
        }
        Err(refusal) => {
            assert!(!refusal.to_string().is_empty());
            None
        }
    }
}

fn batch() -> impl Strategy<Value = Option<BatchSize>> {
    proptest::option::of(prop_oneof![(1..7u32).prop_map(BatchSize::Count), (1..=100u32).prop_map(BatchSize::Percent)])
}

fn options() -> impl Strategy<Value = Options> {
    (batch(), any::<bool>()).prop_map(|(batch, allow_recreate)| Options { batch, allow_recreate, ..Options::default() })
}

/// No batch is larger than asked for, and none takes more than the app can spare.
fn keeps_available(plan: &Plan, facts: &Facts, options: &Options, app: &str) {
    let app = facts.fleet.find(app).unwrap();
    let total = app.instances.len();
    let size = options.batch.map_or(1, |batch| batch.of(total));
    let keep = if total < 2 { 0 } else { total.div_ceil(4) };
    let mut up = app.instances.iter().filter(|one| one.may_serve()).count();
    for (index, batch) in plan.batches.iter().enumerate() {
        // A batch that only proves what runs already touches nobody, so it may be of any size.
        let swaps = steps(plan, Lane::Main)
            .any(|(_, step)| step.batch == Some(index + 1) && matches!(step.task, Task::Create { .. }));
        assert!(!swaps || batch.len() <= size);
        let stopped: BTreeSet<_> = steps(plan, Lane::Main)
            .filter(|(_, step)| step.batch == Some(index + 1) && matches!(step.task, Task::Stop { .. }))
            .filter_map(|(_, step)| step.instance.as_ref())
            .filter(|name| app.instances.iter().any(|one| one.name == **name && one.may_serve()))
            .collect();
        assert!(batch.len() == 1 || stopped.is_empty() || up - stopped.len() >= keep, "batch {index} takes too many");
        up = up - stopped.len() + batch.len();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(384))]

    #[test]
    fn a_deploy_is_sound(
        facts in any_facts(),
        project in proptest::option::of(any_project()),
        image in proptest::option::of(0..IMAGES.len()),
        options in options(),
    ) {
        let image = image.map(|image| IMAGES[image]);
        if let Some(plan) = checked(deploy("shop/web", image, project.as_ref(), &facts, &options)) {
            keeps_available(&plan, &facts, &options, "shop/web");
        }
    }

    #[test]
    fn a_restart_is_sound(facts in any_facts(), picks in proptest::collection::vec(0..40usize, 1..8), options in options()) {
        let names: Vec<String> = facts
            .fleet
            .apps
            .iter()
            .flat_map(|app| std::iter::once(app.id.to_string()).chain(app.instances.iter().map(|one| one.name.to_string())))
            .collect();
        let targets: Vec<String> = picks.iter().filter_map(|pick| names.get(*pick).cloned()).collect();
        checked(restart(&targets, &facts, &options));
    }

    #[test]
    fn a_creation_is_sound(
        facts in any_facts(),
        project in any_project(),
        services in proptest::collection::vec(0..3usize, 0..3),
        scale in proptest::collection::vec((0..3usize, 0..6u32), 0..2),
        options in options(),
        empty in any::<bool>(),
    ) {
        let facts = if empty { Facts::default() } else { facts };
        let names = super::world::SERVICES;
        let known = |n: &usize| *n < project.apps.len();
        let services: Vec<String> = services.into_iter().filter(known).map(|n| names[n].to_owned()).collect();
        let scale: Vec<(String, u32)> = scale.into_iter().filter(|(n, _)| known(n)).map(|(n, count)| (names[n].to_owned(), count)).collect();
        if let Some(plan) = checked(create(&project, &services, &scale, &facts, &options)) {
            prop_assert!(plan.batches.len() <= 1);
        }
    }

    #[test]
    fn a_rollback_is_sound(facts in any_facts(), to in proptest::option::of(0..5u32), options in options()) {
        if let Some(plan) = checked(rollback("shop/web", to, &facts, &options)) {
            let pulls = plan.steps.iter().any(|step| matches!(step.task, Task::Pull { .. }));
            prop_assert!(!pulls, "an image that is there is not pulled");
            keeps_available(&plan, &facts, &options, "shop/web");
        }
    }

    #[test]
    fn a_scaling_is_sound(facts in any_facts(), replicas in 0..9u32, options in options()) {
        if let Some(plan) = checked(scale("shop/web", replicas, &facts, &options)) {
            let there = &facts.fleet.find("shop/web").unwrap().instances;
            let half_made = there
                .iter()
                .filter(|one| matches!(Footing::of(one), Footing::Empty | Footing::Fresh))
                .count();
            let more = (replicas as usize).checked_sub(there.len());
            let expected = more.map_or_else(|| there.len() - replicas as usize, |more| more + half_made);
            prop_assert_eq!(plan.batches.iter().flatten().count(), expected);
        }
    }

    #[test]
    fn a_removal_is_sound(facts in any_facts(), picks in proptest::collection::vec(0..4usize, 1..3), volumes in any::<bool>()) {
        let names: Vec<String> = facts.fleet.apps.iter().map(|app| app.id.to_string()).collect();
        let apps: Vec<String> = picks.iter().filter_map(|pick| names.get(*pick).cloned()).collect();
        if let Some(plan) = checked(remove(&apps, volumes, &facts, &Options::default())) {
            let with_data = plan.steps.iter().any(|step| {
                matches!(step.task, Task::RemoveVolume { .. } | Task::Remove { volumes: true, .. })
            });
            prop_assert!(volumes || !with_data);
        }
    }
}
