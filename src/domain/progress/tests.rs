//! The fold over hand-made streams: what is shown while an operation goes by and when it has ended.

use super::*;
use crate::domain::event::{GapMeasured, Outcome, StepProgress, VERSION};
use crate::domain::plan::Kind;
use proptest::prelude::*;

fn name(number: usize) -> InstanceName {
    InstanceName(format!("shop/web-{number}"))
}

fn event(seq: u64, elapsed_ms: u64, kind: EventKind) -> OpEvent {
    OpEvent { v: VERSION, op: OpId::new("op-1").unwrap(), seq, at: Timestamp::UNIX_EPOCH, elapsed_ms, kind }
}

/// A pull, then per instance in its own batch: verify, stop, start, verify, and an undo start.
fn planned(instances: usize) -> Planned {
    let mut steps = Vec::new();
    let mut push = |number: Option<usize>, action, needs: &[usize], lane| {
        steps.push(PlannedStep {
            step: steps.len(),
            instance: number.map(name),
            batch: number,
            action,
            needs: needs.to_vec(),
            lane,
            cause: "because".into(),
        });
        steps.len() - 1
    };
    let mut before = push(None, Action::Pull, &[], Lane::Main);
    for number in 1..=instances {
        let preflight = push(Some(number), Action::Verify, &[before], Lane::Main);
        let stop = push(Some(number), Action::Stop, &[preflight], Lane::Main);
        let start = push(Some(number), Action::Start, &[stop], Lane::Main);
        before = push(Some(number), Action::Verify, &[start], Lane::Main);
        push(Some(number), Action::Start, &[], Lane::Undo);
    }
    Planned {
        replaces: BTreeMap::new(),
        kind: Kind::Deploy,
        app: "shop/web".into(),
        from: Some("web:v1".into()),
        to: Some("web:v2".into()),
        batches: (1..=instances).map(|number| vec![name(number)]).collect(),
        steps,
        notes: Vec::new(),
        gate: crate::domain::options::Gate::Auto,
        on_failure: crate::domain::options::OnFailure::Pause,
        resumes: None,
    }
}

/// A stream under construction.
struct Stream {
    plan: Planned,
    now: u64,
    events: Vec<OpEvent>,
}

impl Stream {
    fn new(instances: usize) -> Self {
        let plan = planned(instances);
        let events = vec![event(0, 0, EventKind::Planned(plan.clone()))];
        Self { plan, now: 0, events }
    }

    fn push(&mut self, kind: EventKind) {
        self.events.push(event(self.events.len() as u64, self.now, kind));
    }

    fn start(&mut self, step: StepId) {
        let of = self.plan.steps[step].clone();
        self.push(EventKind::StepStarted(StepStarted {
            step,
            instance: of.instance,
            batch: of.batch,
            action: of.action,
            attempt: 1,
            waited_ms: 2,
        }));
    }

    fn end(&mut self, step: StepId, took_ms: u64, result: StepResult) {
        self.now += took_ms;
        let of = self.plan.steps[step].clone();
        self.push(EventKind::StepFinished(StepFinished {
            failed_requests: None,
            step,
            instance: of.instance,
            batch: of.batch,
            action: of.action,
            lane: of.lane,
            result,
            took_ms,
            waited_ms: 2,
            error: (result == StepResult::Failed).then(|| "no".into()),
            detail: None,
        }));
    }

    fn run(&mut self, step: StepId, took_ms: u64, result: StepResult) {
        self.start(step);
        self.end(step, took_ms, result);
    }

    fn judged(&mut self, number: usize, verdict: Verdict) {
        self.push(EventKind::IdentityJudged(IdentityJudged {
            instance: name(number),
            verdict,
            before: None,
            after: None,
            reasons: vec!["seen".into()],
        }));
    }

    fn finish(&mut self, outcome: Outcome) {
        let took_ms = self.now;
        let progress = Progress::of(&self.events);
        self.push(EventKind::Finished(Finished {
            outcome,
            took_ms,
            serial_ms: progress.serial_ms(),
            counts: progress.counts(),
            error: None,
            state: Vec::new(),
        }));
    }

    fn progress(&self) -> Progress {
        Progress::of(&self.events)
    }
}

#[test]
fn a_deploy_goes_by() {
    let mut stream = Stream::new(2);
    let progress = stream.progress();
    assert_eq!((progress.batch(), progress.done(), progress.steps_done()), ((0, 2), (0, 2), (0, 9)));
    assert_eq!(progress.phase(&progress.instances[0]), Phase::Waiting);
    assert_eq!(progress.summary(), "deploy shop/web: batch 1 of 2; 0 of 2 instances done, 0 ms");

    stream.start(0);
    stream.push(EventKind::StepProgress(StepProgress { step: 0, done: 5, total: 10, note: "layers".into() }));
    stream.end(0, 300, StepResult::Ok);
    stream.run(1, 10, StepResult::Ok);
    let progress = stream.progress();
    assert_eq!(progress.pull(), Some((5, 10)));
    assert_eq!(progress.in_flight().count(), 0, "a preflight only prepares");
    assert_eq!(progress.phase(&progress.instances[0]), Phase::Between(Action::Verify));

    stream.run(2, 100, StepResult::Ok);
    stream.start(3);
    let progress = stream.progress();
    assert_eq!(progress.batch(), (1, 2));
    assert_eq!(progress.phase(&progress.instances[0]), Phase::Doing(Action::Start));
    assert_eq!(progress.in_flight().map(|one| one.name.clone()).collect::<Vec<_>>(), [name(1)]);
    assert_eq!(progress.steps[3].started_ms, Some(410));

    stream.end(3, 50, StepResult::Ok);
    stream.run(4, 10, StepResult::Ok);
    stream.judged(1, Verdict::Kept);
    stream.push(EventKind::GapMeasured(GapMeasured { instance: name(1), gap_ms: 118.4, probe: "tcp:80".into() }));
    stream.push(EventKind::GateReached { batch: 1, reason: "first".into() });
    let progress = stream.progress();
    assert_eq!(progress.phase(&progress.instances[0]), Phase::Done);
    assert_eq!(
        progress.summary(),
        "deploy shop/web: waiting for a go after batch 1 of 2; 1 of 2 instances done, 470 ms; 1 kept; longest gap 118 ms"
    );
    stream.push(EventKind::Resumed { reason: "go".into() });
    for (step, took) in [(6, 10), (7, 100), (8, 50), (9, 10)] {
        stream.run(step, took, StepResult::Ok);
    }
    stream.judged(2, Verdict::Changed);
    for undo in [5, 10] {
        stream.end(undo, 0, StepResult::Skipped);
    }
    stream.finish(Outcome::Succeeded);
    let progress = stream.progress();
    assert_eq!(progress.critical_path(), [0, 1, 2, 3, 4, 6, 7, 8, 9]);
    assert_eq!((progress.critical_ms(), progress.serial_ms()), (640, 640));
    assert_eq!(progress.slowest(2).iter().map(|step| step.plan.step).collect::<Vec<_>>(), [0, 2]);
    assert_eq!(progress.done(), (2, 2));
    assert_eq!(progress.summary(), "deployed shop/web: 2 instances in 640 ms; 1 kept, 1 changed; longest gap 118 ms");
}

#[test]
fn a_failure_is_put_back() {
    let mut stream = Stream::new(2);
    stream.run(0, 10, StepResult::Ok);
    stream.run(1, 10, StepResult::Ok);
    stream.run(2, 10, StepResult::Ok);
    stream.run(3, 10, StepResult::Failed);
    let progress = stream.progress();
    assert_eq!(progress.phase(&progress.instances[0]), Phase::Failed(Action::Start));
    let failed: Vec<_> = progress.steps.iter().filter(|step| step.failed()).map(|step| step.error.as_deref()).collect();
    assert_eq!(failed, [Some("no")]);
    stream.end(4, 0, StepResult::Skipped);
    stream.start(5);
    assert_eq!(stream.progress().in_flight().count(), 1);
    stream.end(5, 20, StepResult::Ok);
    for step in 6..=10 {
        stream.end(step, 0, StepResult::Skipped);
    }
    stream.finish(Outcome::Failed);
    let progress = stream.progress();
    assert_eq!(progress.phase(&progress.instances[0]), Phase::PutBack);
    assert_eq!(progress.phase(&progress.instances[1]), Phase::Left);
    assert_eq!(progress.counts().failed, 1);
    assert_eq!(progress.summary(), "deploy shop/web: failed after 60 ms; 1 failed");
}

#[test]
fn a_stream_that_is_no_such_thing_does_no_harm() {
    let mut stream = Stream::new(1);
    let stray = |step| EventKind::StepProgress(StepProgress { step, done: 0, total: 0, note: String::new() });
    stream.push(stray(usize::MAX));
    stream.judged(9, Verdict::Kept);
    let progress = stream.progress();
    assert_eq!(progress.counts(), Counts { instances: 1, ..Counts::default() });
    assert_eq!(Progress::of(&stream.events[1..]).summary(), "nothing is known of this operation yet");
}

/// A random walk over a plan's steps.
fn any_stream() -> impl Strategy<Value = Vec<OpEvent>> {
    let result = prop_oneof![
        4 => Just(StepResult::Ok),
        1 => Just(StepResult::Failed),
        1 => Just(StepResult::Skipped),
        1 => Just(StepResult::Cancelled),
    ];
    let verdict = prop_oneof![
        Just(Verdict::Kept),
        Just(Verdict::Changed),
        Just(Verdict::Lost),
        Just(Verdict::Orphaned),
        Just(Verdict::Unprotected),
    ];
    (1..5usize, proptest::collection::vec((0..40usize, 0..500u64, result, verdict), 0..40)).prop_map(
        |(instances, moves)| {
            let mut stream = Stream::new(instances);
            for (step, took, result, verdict) in moves {
                let step = step % stream.plan.steps.len();
                if result == StepResult::Skipped {
                    stream.end(step, 0, result);
                } else {
                    stream.run(step, took, result);
                }
                if let Some(number) = stream.plan.steps[step].batch {
                    stream.judged(number, verdict);
                }
            }
            stream.events
        },
    )
}

proptest! {
    #[test]
    fn unknown_events_change_nothing(events in any_stream(), places in proptest::collection::vec(0..60usize, 0..9)) {
        let mut with = events.clone();
        for place in places {
            with.insert(place.min(with.len()), event(0, u64::MAX, EventKind::Unknown));
        }
        prop_assert_eq!(format!("{:?}", Progress::of(&events)), format!("{:?}", Progress::of(&with)));
    }

    #[test]
    fn the_figures_add_up(events in any_stream()) {
        let progress = Progress::of(&events);
        let counts = progress.counts();
        let judged = progress.instances.iter().filter(|one| one.verdict.is_some()).count();
        prop_assert_eq!((counts.kept + counts.changed + counts.lost + counts.unprotected) as usize, judged);
        prop_assert!(judged <= counts.instances as usize && counts.failed <= counts.instances);
        let (done, total) = progress.done();
        prop_assert!(done + progress.in_flight().count() <= total);
        prop_assert!(progress.steps_done().0 <= progress.steps_done().1);
        let main = progress.steps.iter().filter(|step| step.plan.lane == Lane::Main);
        let main_ms: u64 = main.filter_map(|step| step.took_ms).sum();
        prop_assert!(progress.critical_ms() <= main_ms && main_ms <= progress.serial_ms());
        let longest = progress.steps.iter().filter(|step| step.plan.lane == Lane::Main).filter_map(|step| step.took_ms).max();
        prop_assert!(progress.critical_ms() >= longest.unwrap_or(0));
        for pair in progress.critical_path().windows(2) {
            prop_assert!(progress.steps[pair[1]].plan.needs.contains(&pair[0]));
        }
    }
}
