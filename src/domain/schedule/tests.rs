//! The schedule against plans in the recipes' shape: what fails, who wants out, what is left.

use super::super::ids::{ContainerId, ImageRef};
use super::super::options::PullPolicy;
use super::super::plan::{Kind, Step, Target};
use super::super::probe::ProbeSpec;
use super::*;
use proptest::prelude::*;
use std::time::Duration;

fn target() -> Target {
    Target::Known { id: ContainerId::new("a".repeat(64)).unwrap(), name: "c".into() }
}

/// A deployment in the shape the recipes give it: pull, then per instance create, preflight, stop, start, ready,
/// verify, park; removal of the old ones at the end; an undo lane each.
fn deploy(instances: usize, batch: usize, gate: Gate, on_failure: OnFailure) -> Plan {
    let names: Vec<InstanceName> = (1..=instances).map(|n| InstanceName(format!("shop/web-{n}"))).collect();
    let mut plan = Plan {
        batches: names.chunks(batch).map(<[_]>::to_vec).collect(),
        gate,
        on_failure,
        parallel: 8,
        ..Plan::empty(Kind::Deploy, "shop/web")
    };
    let mut add = |instance: Option<&InstanceName>, batch, needs: &[StepId], undoes: &[StepId], task| {
        let lane = if undoes.is_empty() { Lane::Main } else { Lane::Undo };
        let (needs, undoes) = (needs.to_vec(), undoes.to_vec());
        let (instance, cause, deadline) = (instance.cloned(), String::new(), Duration::from_secs(1));
        plan.steps.push(Step { instance, batch, needs, lane, undoes, cause, deadline, task });
        plan.steps.len() - 1
    };
    let image = ImageRef::new("web:v2").unwrap();
    let stop = || Task::Stop { container: target(), grace: None };
    let start = || Task::Start { container: target(), restart: None };
    let remove = || Task::Remove { container: target(), volumes: false };
    let verify = || Task::Verify { container: target(), sandbox: None, rivals: Vec::new() };
    let ready = || {
        let (probe, time) = (ProbeSpec::None, Duration::ZERO);
        Task::Ready { container: target(), sandbox: None, probe, prefer_health: false, min_ready: time, timeout: time }
    };
    let pull = add(None, None, &[], &[], Task::Pull { image, policy: PullPolicy::Missing });
    let mut verified: Vec<StepId> = Vec::new();
    let mut parked = Vec::new();
    let mut undos: Vec<(usize, [StepId; 3])> = Vec::new();
    let mut before: Vec<StepId> = Vec::new();
    for (n, name) in names.iter().enumerate() {
        let b = Some(n / batch + 1);
        if n % batch == 0 {
            before.clone_from(&verified);
        }
        // Any task with the action `create` will do for the schedule.
        let create = add(Some(name), b, &[pull], &[], Task::Create { draft: Box::new(draft()) });
        let preflight = Task::Preflight { container: None, sandbox: None, watch: None, addresses: BTreeMap::new() };
        let preflight = add(Some(name), b, &[create], &[], preflight);
        let stopped = add(Some(name), b, &[&[preflight], &before[..]].concat(), &[], stop());
        let started = add(Some(name), b, &[stopped], &[], start());
        let ready = add(Some(name), b, &[started], &[], ready());
        let done = add(Some(name), b, &[ready], &[], verify());
        verified.push(done);
        parked.push(add(
            Some(name),
            b,
            &[done],
            &[],
            Task::Rename { container: target(), to: super::super::ids::ObjectName::new("old").unwrap() },
        ));
        undos.push((n, [create, stopped, started]));
    }
    for name in &names {
        add(Some(name), None, &[&verified[..], &parked[..]].concat(), &[], remove());
    }
    for (n, [create, stopped, started]) in undos {
        let (name, b) = (Some(&names[n]), Some(n / batch + 1));
        let first = add(name, b, &[], &[started], stop());
        let second = add(name, b, &[first], &[stopped], start());
        add(name, b, &[second], &[create], remove());
    }
    assert_eq!(plan.broken(), None);
    plan
}

fn draft() -> super::super::plan::AppDraft {
    super::super::plan::AppDraft {
        app: super::super::ids::AppId::new("shop", "web"),
        number: 1,
        revision: 2,
        spec: super::super::spec::AppSpec::default(),
        spec_hash: String::new(),
        image: None,
        image_id: None,
        sandbox: target(),
        carry: Vec::new(),
        replaces: None,
        hold: None,
    }
}

/// What ran, by instance and action, in order of starting.
#[derive(Default)]
struct Log(Vec<(StepId, StepResult)>);

/// Runs a schedule; `result` decides each step, `at` may act before each step.
fn run(
    plan: &Plan,
    mut result: impl FnMut(StepId) -> StepResult,
    mut at: impl FnMut(usize, &mut Schedule),
) -> (Schedule, Log) {
    let mut schedule = Schedule::new(plan);
    let (mut log, mut running) = (Log::default(), Vec::new());
    for turn in 0..10_000 {
        at(turn, &mut schedule);
        let advance = schedule.advance();
        log.0.extend(advance.skipped.iter().map(|id| (*id, StepResult::Skipped)));
        running.extend(advance.start);
        if advance.gate.is_some() || (running.is_empty() && schedule.is_waiting_for_go()) {
            schedule.go();
            continue;
        }
        if running.is_empty() {
            break;
        }
        let id = running.remove(0);
        let ended = result(id);
        schedule.finish(id, ended);
        log.0.push((id, ended));
    }
    assert!(schedule.is_over(), "it always ends");
    (schedule, log)
}

fn ran(plan: &Plan, log: &Log, instance: &str) -> Vec<String> {
    let own = |id: &StepId| plan.steps[*id].instance.as_ref().is_some_and(|name| name.short() == instance);
    let shown = log.0.iter().filter(|(id, result)| own(id) && *result != StepResult::Skipped);
    shown
        .map(|(id, _)| {
            format!(
                "{}{}",
                if plan.steps[*id].lane == Lane::Undo { "undo " } else { "" },
                plan.steps[*id].task.action()
            )
        })
        .collect()
}

fn step(plan: &Plan, instance: &str, action: Action) -> StepId {
    plan.steps
        .iter()
        .position(|s| s.task.action() == action && s.instance.as_ref().is_some_and(|n| n.short() == instance))
        .unwrap()
}

#[test]
fn all_goes_well() {
    let plan = deploy(3, 1, Gate::Auto, OnFailure::Pause);
    let (schedule, log) = run(&plan, |_| StepResult::Ok, |_, _| ());
    assert_eq!(schedule.outcome(), Outcome::Succeeded);
    assert_eq!(ran(&plan, &log, "web-2"), ["create", "verify", "stop", "start", "ready", "verify", "rename", "remove"]);
}

#[test]
fn a_failed_instance_is_put_back_and_the_line_stops() {
    let plan = deploy(3, 1, Gate::Auto, OnFailure::Pause);
    let bad = step(&plan, "web-2", Action::Ready);
    let (schedule, log) = run(&plan, |id| if id == bad { StepResult::Failed } else { StepResult::Ok }, |_, _| ());
    assert_eq!(schedule.outcome(), Outcome::Paused);
    assert_eq!(ran(&plan, &log, "web-1"), ["create", "verify", "stop", "start", "ready", "verify", "rename"]);
    let put_back = ["create", "verify", "stop", "start", "ready", "undo stop", "undo start", "undo remove"];
    assert_eq!(ran(&plan, &log, "web-2"), put_back);
    let untouched = ran(&plan, &log, "web-3");
    assert!(!untouched.contains(&"stop".to_owned()), "{untouched:?}");
    assert_eq!(untouched.last().unwrap(), "undo remove");
}

#[test]
fn on_request_a_failure_takes_back_what_is_done_last_batch_first() {
    let plan = deploy(3, 1, Gate::Auto, OnFailure::Rollback);
    let bad = step(&plan, "web-3", Action::Start);
    let (schedule, log) = run(&plan, |id| if id == bad { StepResult::Failed } else { StepResult::Ok }, |_, _| ());
    assert_eq!(schedule.outcome(), Outcome::RolledBack);
    let undone: Vec<&str> = log
        .0
        .iter()
        .filter(|(id, r)| {
            plan.steps[*id].lane == Lane::Undo && *r == StepResult::Ok && plan.steps[*id].task.action() == Action::Start
        })
        .map(|(id, _)| plan.steps[*id].instance.as_ref().unwrap().short())
        .collect();
    assert_eq!(undone, ["web-3", "web-2", "web-1"]);
}

#[test]
fn a_failed_pull_touches_no_instance() {
    let plan = deploy(2, 1, Gate::Auto, OnFailure::Pause);
    let (schedule, log) = run(&plan, |_| StepResult::Failed, |_, _| ());
    assert_eq!(schedule.outcome(), Outcome::Failed);
    assert!(ran(&plan, &log, "web-1").is_empty() && ran(&plan, &log, "web-2").is_empty());
}

#[test]
fn tidying_that_fails_takes_nothing_back() {
    let plan = deploy(2, 1, Gate::Auto, OnFailure::Rollback);
    let bad = step(&plan, "web-1", Action::Remove);
    let (schedule, log) = run(&plan, |id| if id == bad { StepResult::Failed } else { StepResult::Ok }, |_, _| ());
    assert_eq!(schedule.outcome(), Outcome::Failed);
    assert!(log.0.iter().all(|(id, result)| plan.steps[*id].lane == Lane::Main || *result == StepResult::Skipped));
}

#[test]
fn the_first_request_finishes_what_is_in_flight_the_second_puts_it_back() {
    let plan = deploy(2, 1, Gate::Auto, OnFailure::Pause);
    let started = step(&plan, "web-1", Action::Start);
    for (urgency, outcome, last) in
        [(Urgency::Finish, Outcome::Interrupted, "rename"), (Urgency::Abort, Outcome::Aborted, "undo remove")]
    {
        let mut asked = false;
        let (schedule, log) = run(
            &plan,
            |_| StepResult::Ok,
            |_, schedule| {
                if !asked && schedule.steps[started].started {
                    asked = true;
                    schedule.cancel(urgency);
                }
            },
        );
        assert_eq!(schedule.outcome(), outcome);
        assert_eq!(ran(&plan, &log, "web-1").last().unwrap(), last);
        assert!(!ran(&plan, &log, "web-2").contains(&"stop".to_owned()));
    }
}

#[test]
fn all_is_put_back_on_request_as_long_as_what_was_replaced_is_there() {
    let plan = deploy(3, 1, Gate::Auto, OnFailure::Pause);
    let at = |moment: StepId| {
        let mut said = None;
        let (schedule, log) = run(
            &plan,
            |_| StepResult::Ok,
            |_, schedule| {
                if said.is_none() && schedule.steps[moment].started {
                    said = Some(schedule.cancel(Urgency::AbortAll));
                }
            },
        );
        (said.unwrap(), schedule.outcome(), ran(&plan, &log, "web-1").last().unwrap().clone())
    };
    for moment in [("web-1", Action::Start), ("web-2", Action::Ready), ("web-3", Action::Verify)] {
        assert_eq!(at(step(&plan, moment.0, moment.1)), (true, Outcome::Aborted, "undo remove".into()), "{moment:?}");
    }
    let going = plan.steps.iter().position(|step| step.task.action() == Action::Remove).unwrap();
    assert_eq!(at(going), (false, Outcome::Succeeded, "remove".into()));
}

#[test]
fn a_pause_holds_back_whoever_is_not_begun_until_told() {
    let plan = deploy(4, 2, Gate::Auto, OnFailure::Pause);
    let mut schedule = Schedule::new(&plan);
    let (mut running, mut paused, mut waited) = (Vec::new(), false, 0);
    let first = step(&plan, "web-1", Action::Stop);
    loop {
        let advance = schedule.advance();
        let begun: BTreeSet<&str> = advance
            .start
            .iter()
            .filter(|id| schedule.steps[**id].begins)
            .filter_map(|id| plan.steps[*id].instance.as_ref())
            .map(InstanceName::short)
            .collect();
        assert!(!paused || begun.iter().all(|name| ["web-1", "web-2"].contains(name)), "{begun:?}");
        running.extend(advance.start);
        if !paused && waited == 0 && schedule.steps[first].started {
            paused = schedule.pause();
            assert!(paused && schedule.is_paused());
        }
        let Some(id) = running.pop() else {
            if !schedule.is_waiting_for_go() {
                break;
            }
            (paused, waited) = (false, waited + 1);
            assert!(schedule.complete(0) && !schedule.begun(2));
            schedule.go();
            continue;
        };
        schedule.finish(id, StepResult::Ok);
    }
    assert_eq!((waited, schedule.outcome()), (1, Outcome::Succeeded));
    assert!(!Schedule::new(&deploy(0, 1, Gate::Auto, OnFailure::Pause)).pause(), "there is nothing to begin");
}

#[test]
fn gates_hold_back_later_batches_but_not_their_preparation() {
    let plan = deploy(3, 1, Gate::Every, OnFailure::Pause);
    let mut schedule = Schedule::new(&plan);
    let (mut gates, mut running) = (Vec::new(), Vec::new());
    loop {
        let advance = schedule.advance();
        running.extend(advance.start);
        if let Some(batch) = advance.gate {
            let touched: Vec<_> = (0..plan.steps.len())
                .filter(|id| plan.steps[*id].batch > Some(batch) && schedule.steps[*id].started)
                .collect();
            assert!(touched.iter().all(|id| plan.steps[*id].task.action() == Action::Create));
            gates.push(batch);
        }
        let Some(id) = running.pop() else {
            if !schedule.is_waiting_for_go() {
                break;
            }
            schedule.go();
            continue;
        };
        schedule.finish(id, StepResult::Ok);
    }
    assert_eq!((gates, schedule.outcome()), (vec![1, 2], Outcome::Succeeded));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever fails and whenever the user wants out: it ends, no old container is removed unless its new one was
    /// verified, and whoever was stopped was started again or put back.
    #[test]
    fn nothing_is_left_stopped(
        instances in 1usize..7, batch in 1usize..4, gate in 0usize..3, rollback: bool,
        bad in proptest::collection::btree_set(0usize..80, 0..4), cancel in proptest::option::of((0usize..60, 0usize..3)),
    ) {
        let gate = [Gate::Auto, Gate::First, Gate::Every][gate];
        let on_failure = if rollback { OnFailure::Rollback } else { OnFailure::Pause };
        let plan = deploy(instances, batch, gate, on_failure);
        let fails = |id: StepId| bad.contains(&id) && plan.steps[id].lane == Lane::Main;
        let (mut most, mut all_back) = (0, false);
        let (schedule, log) = run(&plan, |id| if fails(id) { StepResult::Failed } else { StepResult::Ok }, |turn, schedule| {
            let out = |part: &usize| schedule.begun(*part) && !schedule.complete(*part) && !schedule.undone(*part);
            most = most.max((0..schedule.instances.len()).filter(out).count());
            if let Some((at, urgency)) = cancel && at == turn {
                let urgency = [Urgency::Finish, Urgency::Abort, Urgency::AbortAll][urgency];
                all_back = schedule.cancel(urgency) && urgency == Urgency::AbortAll && !schedule.is_over();
            }
        });
        let ok = |wanted: &dyn Fn(&Step) -> bool| log.0.iter().position(|(id, result)| wanted(&plan.steps[*id]) && *result == StepResult::Ok);
        for name in plan.batches.iter().flatten() {
            let of = |action: Action, lane: Lane| ok(&|s: &Step| s.instance.as_ref() == Some(name) && s.task.action() == action && s.lane == lane);
            let serves = of(Action::Ready, Lane::Main).is_some() || of(Action::Start, Lane::Undo).is_some();
            prop_assert!(of(Action::Stop, Lane::Main).is_none() || serves, "{name} was left stopped");
            if of(Action::Remove, Lane::Main).is_some() {
                let verified = |id: &StepId, r: StepResult| !matches!(plan.steps[*id].task, Task::Verify { .. }) || r == StepResult::Ok;
                prop_assert!(log.0.iter().all(|(id, r)| verified(id, *r)), "removed before all were verified");
            }
        }
        prop_assert!(most <= batch, "{most} out at once");
        if all_back {
            let new = |id: &StepId| plan.steps[*id].lane == Lane::Main && plan.steps[*id].task.action() == Action::Stop;
            let back = |id: &StepId| {
                let own = |s: &Step| s.instance == plan.steps[*id].instance && s.lane == Lane::Undo;
                ok(&|s: &Step| own(s) && s.task.action() == Action::Start).is_some()
            };
            prop_assert!(log.0.iter().filter(|(id, r)| new(id) && *r == StepResult::Ok).all(|(id, _)| back(id)));
            prop_assert!(!matches!(schedule.outcome(), Outcome::Succeeded | Outcome::Paused));
        }
        if bad.is_empty() && cancel.is_none() {
            prop_assert_eq!(schedule.outcome(), Outcome::Succeeded);
        }
    }
}
