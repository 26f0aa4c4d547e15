//! Runs a plan: starts what the schedule allows, keeps the time, and tells every event.
//!
//! One task owns everything about the operation; steps run in tasks of their own and only report back. A step that
//! panics fails its instance, nothing else. Changes under way are never cut off: their outcome would be unknown.

mod orders;

use super::clock;
use super::door::Door;
use super::gap::{self, GapWatch};
use super::outage::Sign;
use super::perform::{Context, Done, Failed, Job, Product, perform};
use super::record::{Intents, Pending, Recorder, Records};
use super::request::{Command, Control, Operation};
use super::state;
use super::teller::Teller;
use super::warm::Takeover;
use crate::docker::PullProgress;
use crate::domain::clean::clean;
use crate::domain::duration;
use crate::domain::event::{
    Counts, EventKind, Finished, GapMeasured, IdentityJudged, Outcome, Planned, StepFinished, StepProgress, StepResult,
    StepStarted,
};
use crate::domain::identity::{Identity, Judgement, Verdict};
use crate::domain::ids::InstanceName;
use crate::domain::options::Gate;
use crate::domain::plan::{Kind, Lane, Plan, StepId, Target, Task};
use crate::domain::schedule::Schedule;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};
use tokio::time::Instant;

/// Starts the operation on the runtime; `news`: what its context has to tell, `signs`: what it hears of the engine.
pub(super) fn start(
    context: Context,
    plan: Plan,
    news: mpsc::UnboundedReceiver<EventKind>,
    signs: mpsc::UnboundedReceiver<Sign>,
    recorder: Option<Recorder>,
    records: Option<Records>,
    tell: mpsc::UnboundedSender<EventKind>,
) -> Operation {
    let (events, receiver) = mpsc::unbounded_channel();
    let (commands, commanded) = mpsc::unbounded_channel();
    let id = context.op.clone();
    let door = records.map(|records| {
        let gated = plan.gate != Gate::Auto && plan.batches.len() > 1;
        Door::open(records, id.clone(), commands.clone(), move |why| {
            tracing::warn!("no other terminal can reach this operation: {why}");
            if gated {
                let _ = tell.send(EventKind::Noted { message: format!("no other terminal can say go: {why}") });
            }
        })
    });
    let run = Run { door, ..Run::new(context, plan, Teller::new(id.clone(), events, recorder), signs) };
    tokio::spawn(run.drive(news, commanded));
    Operation { id, events: receiver, control: Control(commands) }
}

/// A step's times.
#[derive(Clone, Copy, Default)]
struct Times {
    ready: Option<Instant>,
    started: Option<Instant>,
    waited_ms: u64,
}

/// What is remembered of an instance between its steps.
#[derive(Default)]
struct Part {
    before: Option<Identity>,
    gap: Option<GapWatch>,
    /// Transitions of the watch when the old container was about to stop.
    mark: u64,
    /// When it was about to stop, where nothing can watch it from inside.
    stopped: Option<Instant>,
    /// A warm swap has taken place.
    takeover: Option<Takeover>,
    verdict: Option<Verdict>,
}

/// How far a step has come.
type Report = (StepId, PullProgress);

struct Run {
    /// Where other terminals are heard.
    door: Option<Door>,
    context: Arc<Context>,
    plan: Plan,
    schedule: Schedule,
    teller: Teller,
    times: Vec<Times>,
    products: BTreeMap<StepId, Product>,
    parts: HashMap<InstanceName, Part>,
    running: JoinSet<Result<Done, Failed>>,
    tasks: HashMap<Id, StepId>,
    aborts: HashMap<StepId, AbortHandle>,
    intents: Intents,
    /// Where steps report to while they run, and where those reports arrive.
    reports: mpsc::UnboundedSender<Report>,
    reported: mpsc::UnboundedReceiver<Report>,
    /// What is heard of the engine's being there.
    signs: mpsc::UnboundedReceiver<Sign>,
    serial_ms: u64,
    error: Option<String>,
    /// Nothing new begins; only changes under way are waited for.
    left: bool,
    gone: bool,
}

impl Run {
    fn new(context: Context, plan: Plan, teller: Teller, signs: mpsc::UnboundedReceiver<Sign>) -> Self {
        let (reports, reported) = mpsc::unbounded_channel();
        Self {
            door: None,
            context: Arc::new(context),
            schedule: Schedule::new(&plan),
            times: vec![Times::default(); plan.steps.len()],
            plan,
            teller,
            products: BTreeMap::new(),
            parts: HashMap::new(),
            running: JoinSet::new(),
            tasks: HashMap::new(),
            aborts: HashMap::new(),
            reports,
            reported,
            intents: Intents::default(),
            signs,
            serial_ms: 0,
            error: None,
            left: false,
            gone: false,
        }
    }

    async fn drive(
        mut self,
        mut news: mpsc::UnboundedReceiver<EventKind>,
        mut commands: mpsc::UnboundedReceiver<Command>,
    ) {
        self.teller.tell(EventKind::Planned(Planned::of(&self.plan)));
        loop {
            if self.left {
                self.end_waits();
            } else {
                self.advance();
            }
            if self.gone || (self.running.is_empty() && (self.left || self.schedule.is_over())) {
                break;
            }
            tokio::select! {
                biased;
                Some(command) = commands.recv() => self.obey(command),
                Some(sign) = self.signs.recv() => self.teller.tell(match sign {
                    Sign::Lost { grace_ms } => EventKind::EngineLost { grace_ms },
                    Sign::Back { after_ms } => EventKind::EngineBack { after_ms },
                }),
                Some((step, progress)) = self.reported.recv() => self.tell_progress(step, progress),
                Some(told) = news.recv() => self.teller.tell(told),
                why = self.teller.record_lost() => self.teller.tell(EventKind::Noted {
                    message: format!("no complete record is kept of this operation: {why}"),
                }),
                Some(ended) = self.running.join_next_with_id() => self.ended(ended),
                else => break,
            }
        }
        self.finish().await;
    }

    /// Starts what may start and tells what never will.
    fn advance(&mut self) {
        let advance = self.schedule.advance();
        let now = clock::instant();
        for step in advance.ready {
            self.times[step].ready = Some(now);
        }
        for step in advance.skipped {
            self.tell_finished(step, StepResult::Skipped, None, None, None);
        }
        for step in advance.start {
            self.start_step(step, now);
        }
        if let Some(batch) = advance.gate {
            let reason = format!("batch {batch} of {} is done; waiting for go", self.plan.batches.len());
            self.teller.tell(EventKind::GateReached { batch, reason });
        }
        for step in self.schedule.to_abort() {
            if let Some(handle) = self.aborts.get(&step) {
                handle.abort();
            }
        }
    }

    /// Ends what only waits. A change under way is let finish: cut off, its outcome would be unknown.
    fn end_waits(&self) {
        let waits = |step: &StepId| self.plan.steps[*step].task.action().is_wait();
        self.aborts.iter().filter(|(step, _)| waits(step)).for_each(|(_, handle)| handle.abort());
    }

    fn start_step(&mut self, id: StepId, now: Instant) {
        let step = &self.plan.steps[id];
        let times = &mut self.times[id];
        times.waited_ms = times.ready.map_or(0, |ready| duration::millis(now.duration_since(ready)));
        times.started = Some(now);
        self.teller.tell(EventKind::StepStarted(StepStarted {
            step: id,
            instance: step.instance.clone(),
            batch: step.batch,
            action: step.task.action(),
            attempt: 1,
            waited_ms: times.waited_ms,
        }));
        let part = step.instance.as_ref().map(|name| self.parts.entry(name.clone()).or_default());
        match (&step.task, part) {
            (Task::Stop { .. }, Some(Part { gap: Some(gap), mark, .. })) => *mark = gap.mark(),
            (Task::Stop { .. }, Some(part)) if self.plan.kind == Kind::Adopt => {
                part.stopped.get_or_insert(now);
            }
            _ => {}
        }
        let part = step.instance.as_ref().and_then(|name| self.parts.get(name));
        let made = step.task.made_by().into_iter().filter_map(|made| Some((made, self.products.get(&made)?.clone())));
        let job = Job {
            step: id,
            task: step.task.clone(),
            lane: step.lane,
            instance: step.instance.clone(),
            made: made.collect(),
            before: part.and_then(|part| part.before.clone()),
            gap: part.and_then(|part| {
                // A watch of something else tells nothing of what this step asks; and after a swap without a gap that a watch could
                // see, an answer must have been asked for afterwards.
                let asks = |gap: &&GapWatch| step.task.probe() == Some(&gap.probe) && part.takeover.is_none();
                let gap = part.gap.as_ref().filter(asks)?;
                Some((gap.subscribe(), part.mark))
            }),
            watched: part.and_then(|part| Some(part.gap.as_ref()?.watched(part.mark))),
            took_over: part.is_some_and(|part| part.takeover.is_some()),
            progress: self.reports.clone(),
        };
        let (context, deadline) = (Arc::clone(&self.context), step.deadline);
        let intent = self.intend(id);
        let handle = self.running.spawn(async move {
            if let Some(intent) = intent {
                // A disk that fails was told of, and holds up no emergency restart.
                let _ = intent.durable().await;
            }
            match context.docker.outage().within(deadline, Box::pin(perform(&context, job))).await {
                Some(result) => result,
                None => Err(Failed::new(format!(
                    "no answer within {}: what became of it is unknown; look with `pitstop ps`",
                    duration::human(duration::millis(deadline))
                ))),
            }
        });
        self.tasks.insert(handle.id(), id);
        self.aborts.insert(id, handle);
    }

    /// Writes down what can't be taken back; the step waits for it.
    fn intend(&mut self, id: StepId) -> Option<Pending> {
        if !self.teller.records() {
            return None;
        }
        let known = |target: &Target| match target {
            Target::Known { id, .. } => Some(id.clone()),
            Target::Made { step, .. } => match self.products.get(step) {
                Some(Product::Container(id)) => Some(id.clone()),
                _ => None,
            },
        };
        for (step, intent) in self.intents.due(&self.plan, id, known) {
            self.intents.put(step, self.teller.intend(intent));
        }
        self.intents.take(id)
    }

    fn ended(&mut self, ended: Result<(Id, Result<Done, Failed>), JoinError>) {
        let (task, result) = match ended {
            Ok((task, result)) => (task, result.map_err(|failed| (StepResult::Failed, failed.0))),
            Err(error) if error.is_cancelled() => {
                (error.id(), Err((StepResult::Cancelled, "aborted by the user".into())))
            }
            Err(error) => (error.id(), Err((StepResult::Failed, format!("a fault in pitstop itself: {error}")))),
        };
        let Some(id) = self.tasks.remove(&task) else { return };
        self.aborts.remove(&id);
        match result {
            Ok(done) => self.succeeded(id, done),
            Err((result, error)) => self.failed(id, result, &error),
        }
    }

    fn failed(&mut self, id: StepId, result: StepResult, error: &str) {
        self.schedule.finish(id, result);
        let step = &self.plan.steps[id];
        if let (Lane::Main, Task::Stop { .. }, Some(name)) = (step.lane, &step.task, &step.instance)
            && let Some(part) = self.parts.get_mut(name)
        {
            // It may never have gone down: what answers then is what is asked for.
            part.mark = 0;
        }
        let error = clean(error);
        if result == StepResult::Failed && self.error.is_none() {
            self.error = Some(self.in_context(id, &error));
        }
        self.tell_finished(id, result, Some(error), None, None);
    }

    fn succeeded(&mut self, id: StepId, done: Done) {
        if let Some(product) = done.product {
            self.products.insert(id, product);
        }
        let unreachable = |(judgement, _): &(Judgement, _)| {
            matches!(judgement.verdict, Verdict::Lost | Verdict::Orphaned).then(|| judgement.reasons.join("; "))
        };
        if let Some(why) = done.judged.as_ref().and_then(unreachable) {
            // Nobody reaches it, whatever its probe said: it counts as failed, so that it is put back.
            self.failed(id, StepResult::Failed, &why);
        } else {
            self.schedule.finish(id, StepResult::Ok);
            self.tell_finished(id, StepResult::Ok, None, done.detail, done.failed_requests);
        }
        let Some(name) = self.plan.steps[id].instance.clone() else { return };
        let part = self.parts.entry(name.clone()).or_default();
        if matches!(self.plan.steps[id].task, Task::Preflight { .. }) {
            part.before = done.before;
        }
        if matches!(self.plan.steps[id].task, Task::Ready { .. })
            && let Some(stopped) = part.stopped.take()
        {
            let gap_ms = clock::instant().duration_since(stopped).as_secs_f64() * 1000.0;
            let probe = "from stop to ready".to_owned();
            self.teller.tell(EventKind::GapMeasured(GapMeasured { instance: name.clone(), gap_ms, probe }));
        }
        if done.gap.is_some() {
            (part.gap, part.mark) = (done.gap, 0);
        }
        part.takeover = done.takeover.or(part.takeover);
        if let Some((judgement, after)) = done.judged {
            part.verdict = Some(judgement.verdict);
            let before = part.before.clone();
            let gap = part.gap.take();
            let takeover = part.takeover.take();
            self.teller.tell(EventKind::IdentityJudged(IdentityJudged {
                instance: name.clone(),
                verdict: judgement.verdict,
                before,
                after,
                reasons: judgement.reasons,
            }));
            // Of a gap too short for the watch, only the sandbox knows.
            let seen = takeover.and_then(|takeover| takeover.gap_us).map(gap::millis);
            if let Some((gap, gap_ms)) =
                gap.as_ref().and_then(|gap| Some((gap, gap.gap_ms().into_iter().chain(seen).reduce(f64::max)?)))
            {
                self.teller.tell(EventKind::GapMeasured(GapMeasured {
                    instance: name,
                    gap_ms,
                    probe: gap.probe.to_string(),
                }));
            }
        }
    }

    fn tell_progress(&mut self, step: StepId, progress: PullProgress) {
        let PullProgress { done, total, note } = progress;
        self.teller.tell(EventKind::StepProgress(StepProgress { step, done, total, note }));
    }

    fn tell_finished(
        &mut self,
        id: StepId,
        result: StepResult,
        error: Option<String>,
        detail: Option<String>,
        failed_requests: Option<u64>,
    ) {
        let (step, times) = (&self.plan.steps[id], self.times[id]);
        let took_ms = times.started.map_or(0, clock::since);
        self.serial_ms += took_ms;
        self.teller.tell(EventKind::StepFinished(StepFinished {
            step: id,
            instance: step.instance.clone(),
            batch: step.batch,
            action: step.task.action(),
            lane: step.lane,
            result,
            took_ms,
            waited_ms: times.waited_ms,
            error,
            detail,
            failed_requests,
        }));
    }

    /// `web-2: start: …`, and that it happened while putting back, where it did.
    fn in_context(&self, id: StepId, error: &str) -> String {
        let step = &self.plan.steps[id];
        let lane = if step.lane == Lane::Undo { "putting back: " } else { "" };
        match &step.instance {
            Some(name) => format!("{name}: {lane}{}: {error}", step.task.action()),
            None => format!("{lane}{}: {error}", step.task.action()),
        }
    }

    async fn finish(mut self) {
        if let Some(door) = self.door.take() {
            door.close().await;
        }
        let mut outcome = if self.left { Outcome::Interrupted } else { self.schedule.outcome() };
        let mut fallen = Ok(Vec::new());
        if outcome == Outcome::Succeeded && self.plan.kind != Kind::Remove && self.context.docker.outage().count() > 0 {
            fallen = state::fallen(&self.context.docker, &self.plan).await;
        }
        let missing = match &fallen {
            Ok(fallen) if fallen.is_empty() => None,
            Ok(fallen) => {
                let names: Vec<&str> = fallen.iter().map(|(name, _)| name.0.as_str()).collect();
                Some(format!("and came back without {}", names.join(", ")))
            }
            Err(error) => Some(format!("and whether all came back can't be told: {error}")),
        };
        if let Some(missing) = missing {
            outcome = Outcome::Failed;
            self.error = Some(format!("the engine went away in the middle, {missing}"));
        }
        self.parts.values_mut().for_each(|part| part.gap = None);
        let took_ms = self.teller.elapsed_ms();
        let op = self.teller.records().then_some(&self.context.op);
        let what_runs = async {
            match outcome {
                Outcome::Succeeded => Vec::new(),
                _ if let Ok(fallen @ [_, ..]) = fallen.as_deref() => {
                    let next = format!("next: `pitstop repair {}` starts them", self.plan.app);
                    fallen.iter().map(|(_, line)| line.clone()).chain([next]).collect()
                }
                _ => state::what_runs(&self.context.docker, &self.plan, outcome, op).await,
            }
        };
        let ((), state) = tokio::join!(self.context.locks.release(), what_runs);
        let count = |wanted: &[Verdict]| {
            let judged = self.parts.values().filter(|part| part.verdict.is_some_and(|v| wanted.contains(&v))).count();
            u32::try_from(judged).unwrap_or(u32::MAX)
        };
        let small = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        let counts = Counts {
            instances: small(self.plan.batch_sizes().sum()),
            kept: count(&[Verdict::Kept]),
            changed: count(&[Verdict::Changed]),
            lost: count(&[Verdict::Lost, Verdict::Orphaned]),
            failed: small(self.schedule.failed_instances()),
            unprotected: count(&[Verdict::Unprotected]),
        };
        let finished =
            Finished { outcome, took_ms, serial_ms: self.serial_ms, counts, error: self.error.take(), state };
        self.teller.tell_last(EventKind::Finished(finished)).await;
    }
}
