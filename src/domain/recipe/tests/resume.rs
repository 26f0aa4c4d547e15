//! Resuming is planning again: whatever was done before the console died, the same request finishes the work, and
//! once it is finished there is nothing left to do.

use super::super::{create, deploy, repair, rollback, scale};
use super::world::{IMAGES, Seed, any_facts, any_project, container, facts, image_id, spec, web};
use crate::domain::converge::{Mend, mend};
use crate::domain::facts::{Facts, ImageSeen};
use crate::domain::fleet::{Container, Detail, NetworkSeen, State, VolumeSeen};
use crate::domain::identity::Address;
use crate::domain::ids::{AppId, ContainerId};
use crate::domain::labels::{OwnLabels, Role};
use crate::domain::options::{Options, PullPolicy};
use crate::domain::plan::{Kind, Lane, Plan, Refusal, RevisionRecord, StepId, Target, Task};
use jiff::Timestamp;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// An engine that does what it is told, instantly.
struct Engine {
    facts: Facts,
    containers: Vec<Container>,
    made: BTreeMap<StepId, ContainerId>,
    next: u32,
    now: i64,
}

impl Engine {
    fn new(facts: &Facts) -> Self {
        let containers = super::super::draft::all(facts).cloned().collect();
        Self { facts: facts.clone(), containers, made: BTreeMap::new(), next: 100_000, now: 1000 }
    }

    /// Does the first `count` steps of the main lane.
    fn run(&mut self, plan: &Plan, count: usize) {
        self.made.clear();
        let main = plan.steps.iter().enumerate().filter(|(_, step)| step.lane == Lane::Main);
        for (id, step) in main.take(count) {
            self.perform(id, &step.task);
        }
        self.facts.fleet =
            crate::domain::fleet::Fleet::assemble(self.facts.fleet.engine.clone(), self.containers.clone());
    }

    fn id(&self, target: &Target) -> ContainerId {
        match target {
            Target::Known { id, .. } => id.clone(),
            Target::Made { step, .. } => self.made[step].clone(),
        }
    }

    fn of(&mut self, target: &Target) -> &mut Container {
        let id = self.id(target);
        self.containers.iter_mut().find(|one| one.id == id).expect("the container is there")
    }

    fn add(&mut self, step: StepId, name: &str, own: &OwnLabels, change: impl FnOnce(&mut Container)) {
        assert!(self.containers.iter().all(|one| &*one.name != name), "the name {name} is taken");
        self.next += 1;
        let mut new = container(self.next, name, State::Created);
        new.own = OwnLabels::read(&own.write());
        change(&mut new);
        self.made.insert(step, new.id.clone());
        self.containers.push(new);
    }

    fn start(&mut self, target: &Target) {
        self.now += 1;
        let now = Timestamp::from_second(self.now).unwrap();
        let container = self.of(target);
        container.state = State::Running;
        container.detail.get_or_insert_default().started_at = Some(now);
    }

    fn perform(&mut self, step: StepId, task: &Task) {
        let own = |app: &AppId, number, role, revision, spec| OwnLabels {
            app: app.clone(),
            number,
            role,
            revision,
            operation: "op-2".into(),
            spec,
            spec_hash: "y".into(),
        };
        match task {
            Task::Pull { image, .. } => {
                let digests = vec!["x@sha256:0".to_owned()];
                let seen = ImageSeen { id: image_id(image.as_str()), digests, ..ImageSeen::default() };
                self.facts.images.insert(image.as_str().to_owned(), seen);
            }
            Task::Network { spec, .. } => {
                self.facts.networks.push(NetworkSeen { name: spec.name.clone(), ..NetworkSeen::default() });
            }
            Task::Volume { spec, .. } => {
                self.facts.volumes.push(VolumeSeen { name: spec.name.clone(), ..VolumeSeen::default() });
            }
            Task::SandboxCreate { draft } => {
                let labels = own(&draft.app, draft.number, Role::Sandbox, 0, None);
                self.add(step, &draft.app.sandbox_name(draft.number), &labels, |new| {
                    let attached = draft.spec.networks.iter().map(|on| (on.network.clone(), Address::default()));
                    new.networks = attached.collect();
                });
            }
            Task::Create { draft } => {
                let labels = own(&draft.app, draft.number, Role::App, draft.revision, Some(draft.spec.clone()));
                let sandbox = self.id(&draft.sandbox);
                self.add(step, &draft.app.container_name(draft.number, draft.revision), &labels, |new| {
                    new.image = draft.spec.image.as_str().into();
                    let id = draft.image_id.clone().unwrap_or_else(|| image_id(&draft.spec.image));
                    new.image_id = id.as_str().into();
                    new.network_mode = format!("container:{sandbox}").as_str().into();
                    let environment = draft.spec.container.environment.clone();
                    new.detail = Some(Detail { environment, ..Detail::default() });
                });
            }
            Task::SandboxStart { sandbox: target } => self.start(target),
            Task::Start { container, .. } => {
                let joined = self.of(container).joined().map(str::to_owned);
                let sandbox = self.containers.iter().find(|one| Some(one.id.as_str()) == joined.as_deref());
                assert!(sandbox.is_none_or(Container::is_running), "the sandbox of {} does not run", container.name());
                self.start(container);
            }
            Task::Unpause { container } => self.of(container).state = State::Running,
            Task::Stop { container, .. } => self.of(container).state = State::Exited,
            Task::Remove { container, .. } => {
                let id = self.id(container);
                self.containers.retain(|one| one.id != id);
            }
            Task::Rename { container, to } => self.of(container).name = to.as_str().into(),
            Task::Record { record, .. } => {
                let id = AppId::new("shop", "web");
                self.facts.revisions.entry(id).or_default().insert(0, (**record).clone());
            }
            Task::Ready { container, .. } | Task::Verify { container, .. } => {
                assert!(self.of(container).is_running(), "{} does not run", container.name());
            }
            Task::Preflight { container, sandbox, .. } => {
                container.iter().chain(sandbox).for_each(|target| {
                    self.of(target);
                });
            }
            Task::Park { container } => assert!(!self.of(container).is_running(), "{} runs", container.name()),
            // Main lane only: nothing is taken back here, and networks and volumes are not modelled.
            Task::Drain { .. }
            | Task::Attach { .. }
            | Task::Join { .. }
            | Task::Unpark { .. }
            | Task::RemoveNetwork { .. }
            | Task::RemoveVolume { .. } => {}
        }
    }
}

/// Runs some of the plan, plans again, runs all of it; then nothing is left to do.
fn resumes(
    facts: &Facts,
    died_after: usize,
    plan: impl Fn(&Facts) -> Result<Plan, Refusal>,
) -> Result<(), TestCaseError> {
    let Ok(first) = plan(facts) else { return Ok(()) };
    let mut engine = Engine::new(facts);
    engine.run(&first, died_after);
    let second = plan(&engine.facts);
    prop_assert!(second.is_ok(), "after {} steps: {:?}", died_after, second);
    engine.run(&second.unwrap(), usize::MAX);
    let third = plan(&engine.facts).unwrap();
    let left: Vec<_> = third.steps.iter().map(|step| (step.task.action(), &step.cause)).collect();
    prop_assert!(third.is_empty(), "after {} steps there is still {:?}", died_after, left);
    prop_assert!(matches!(first.kind, Kind::Create) || all_made(&engine.facts), "half-made after {} steps", died_after);
    Ok(())
}

/// Repairs some of it, then all: every instance serves or is said not to, and a third time does nothing.
fn mended(facts: &Facts, died: usize) -> Result<(), TestCaseError> {
    let plan = |facts: &Facts| repair(&[], facts, &options());
    let mut engine = Engine::new(facts);
    let first = plan(facts).unwrap();
    prop_assert_eq!(first.broken(), None);
    engine.run(&first, died);
    let second = plan(&engine.facts).unwrap();
    prop_assert_eq!(second.broken(), None);
    engine.run(&second, usize::MAX);
    let third = plan(&engine.facts).unwrap();
    let left: Vec<_> = third.steps.iter().map(|step| (step.task.action(), &step.cause)).collect();
    prop_assert!(third.is_empty(), "after {} steps there is still {:?}", died, left);
    for instance in engine.facts.fleet.apps.iter().filter(|app| app.managed).flat_map(|app| &app.instances) {
        let said = third.hopeless.iter().any(|why| why.starts_with(&format!("{} ", instance.name)));
        prop_assert!(said || mend(instance) == Mend::Nothing, "{} does not serve and nobody says so", instance.name);
    }
    Ok(())
}

#[test]
fn every_state_of_an_instance_is_mended_wherever_a_repair_dies() {
    use State::{Created, Dead, Exited, Paused, Restarting, Running};
    let states = [None, Some(Created), Some(Running), Some(Paused), Some(Restarting), Some(Exited), Some(Dead)];
    for (sandbox, app) in states.iter().flat_map(|sandbox| states.iter().map(move |app| (*sandbox, *app))) {
        for bits in 0..16 {
            let is = |bit: u32| bits & (1 << bit) > 0;
            let seed =
                Seed { sandbox, app, revision: 2, joined: is(0), orphaned: is(1), parked: is(2), ..Seed::well() };
            // With a sibling, or alone.
            let seeds = if is(3) { vec![seed, Seed::well()] } else { vec![seed] };
            for died in 0..=13 {
                mended(&web(&seeds), died).unwrap_or_else(|error| panic!("{seeds:?}, died after {died}: {error}"));
            }
        }
    }
}

/// Every instance of the app has a container, and each has run.
fn all_made(facts: &Facts) -> bool {
    let web = facts.fleet.find("shop/web").unwrap();
    web.instances.iter().all(|one| one.app.as_ref().is_some_and(|app| app.state != State::Created))
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
        mended(&facts, died)?;
    }

    #[test]
    fn a_creation_is_finished_by_asking_again(project in any_project(), died in died_after(), some in any_facts(), fresh in any::<bool>()) {
        let facts = if fresh { facts(Vec::new()) } else { some };
        resumes(&facts, died, |facts| create(&project, &[], &[], facts, &options()))?;
    }

    #[test]
    fn a_rollback_is_finished_by_asking_again(mut facts in any_facts(), died in died_after()) {
        let record = RevisionRecord { revision: 77, image_id: image_id(IMAGES[1]), spec: spec(IMAGES[1]) };
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
            engine.run(&plan(&engine.facts).unwrap(), died);
            if let Ok(second) = plan(&engine.facts) {
                engine.run(&second, usize::MAX);
            }
            prop_assert_eq!(engine.facts.fleet.find("shop/web").unwrap().instances.len(), there - fewer);
        }
    }
}
