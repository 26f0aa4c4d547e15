//! Resuming is planning again: whatever was done before the console died, the same request finishes the work, and
//! once it is finished there is nothing left to do.

use super::super::{create, deploy, repair, rollback, scale};
use super::engine::Engine;
use super::world::{IMAGES, any_facts, any_project, facts, image_id, spec};
use crate::domain::converge::Footing;
use crate::domain::facts::Facts;
use crate::domain::ids::AppId;
use crate::domain::options::{Options, PullPolicy};
use crate::domain::plan::{Kind, Plan, Refusal, RevisionRecord};
use proptest::prelude::*;

/// Runs some of the plan, plans again, runs all of it; then nothing is left to do.
fn resumes(
    facts: &Facts,
    died_after: usize,
    plan: impl Fn(&Facts) -> Result<Plan, Refusal>,
) -> Result<(), TestCaseError> {
    let Ok(first) = plan(facts) else { return Ok(()) };
    let mut engine = Engine::new(facts);
    engine.run(&first, died_after).map_err(TestCaseError::fail)?;
    let second = plan(&engine.facts);
    prop_assert!(second.is_ok(), "after {} steps: {:?}", died_after, second);
    engine.run(&second.unwrap(), usize::MAX).map_err(TestCaseError::fail)?;
    let third = plan(&engine.facts).unwrap();
    let left: Vec<_> = third.steps.iter().map(|step| (step.task.action(), &step.cause)).collect();
    prop_assert!(third.is_empty(), "after {} steps there is still {:?}", died_after, left);
    prop_assert!(
        matches!(first.kind, Kind::Create | Kind::Repair) || all_made(&engine.facts),
        "half-made after {} steps",
        died_after
    );
    Ok(())
}

/// Every instance of the app has a container, and each has run.
fn all_made(facts: &Facts) -> bool {
    let web = facts.fleet.find("shop/web").unwrap();
    web.instances.iter().all(|one| !matches!(Footing::of(one), Footing::Empty | Footing::Fresh))
}

fn options() -> Options {
    Options { allow_recreate: true, pull: Some(PullPolicy::Missing), ..Options::default() }
}

/// Mostly somewhere in the middle, sometimes at the end.
fn died_after() -> impl Strategy<Value = usize> {
    prop_oneof![4 => 0..30usize, 1 => Just(usize::MAX)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(384))]

    #[test]
    fn a_deploy_is_finished_by_asking_again(
        facts in any_facts(),
        project in proptest::option::of(any_project()),
        image in 0..IMAGES.len(),
        died in died_after(),
    ) {
        resumes(&facts, died, |facts| deploy("shop/web", Some(IMAGES[image]), project.as_ref(), facts, &options()))?;
    }

    #[test]
    fn a_repair_is_finished_by_asking_again(facts in any_facts(), died in died_after()) {
        resumes(&facts, died, |facts| repair(&[], facts, &options()))?;
    }

    #[test]
    fn a_creation_is_finished_by_asking_again(project in any_project(), died in died_after(), some in any_facts(), fresh in any::<bool>()) {
        let facts = if fresh { facts(Vec::new()) } else { some };
        resumes(&facts, died, |facts| create(&project, &[], &[], facts, &options()))?;
    }

    #[test]
    fn a_rollback_is_finished_by_asking_again(mut facts in any_facts(), died in died_after()) {
        let record = RevisionRecord { revision: 77, image_id: image_id(IMAGES[1]), digests: Vec::new(), spec: spec(IMAGES[1]) };
        facts.revisions.insert(AppId::new("shop", "web"), vec![record]);
        resumes(&facts, died, |facts| rollback("shop/web", Some(77), facts, &options()))?;
    }

    #[test]
    fn scaling_up_is_finished_by_asking_again(facts in any_facts(), more in 0..4usize, died in died_after()) {
        if let Ok(app) = facts.fleet.find("shop/web") {
            let replicas = u32::try_from(app.instances.len() + more).unwrap();
            resumes(&facts, died, |facts| scale("shop/web", replicas, facts, &options()))?;
        }
    }

    #[test]
    fn scaling_down_is_finished_by_asking_again(facts in any_facts(), fewer in 1..4usize, died in died_after()) {
        let there = facts.fleet.find("shop/web").map_or(0, |app| app.instances.len());
        if there > fewer {
            let plan = |facts: &Facts| scale("shop/web", u32::try_from(there - fewer).unwrap(), facts, &options());
            let mut engine = Engine::new(&facts);
            engine.run(&plan(&engine.facts).unwrap(), died).map_err(TestCaseError::fail)?;
            if let Ok(second) = plan(&engine.facts) {
                engine.run(&second, usize::MAX).map_err(TestCaseError::fail)?;
            }
            prop_assert_eq!(engine.facts.fleet.find("shop/web").unwrap().instances.len(), there - fewer);
        }
    }
}
