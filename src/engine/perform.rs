//! Doing one step of a plan. Everything was decided before; here is only the doing and the telling.
//!
//! Each function is one action on the engine, with errors that a person at 3 a.m. can act on. Must not look at the
//! plan, and must not start anything that outlives its step but the watch of the gap.

use super::certain::Certain;
use super::gap::{GapWatch, Seen, Watched};
use super::guard::Guards;
use super::hook;
use super::lock::Locks;
use super::make;
use super::pins::Pins;
use super::places::{self, Places};
use super::ready::{self, Wait};
use super::traffic::{self, Patience};
use super::warm::{Held, Takeover};
use crate::docker::{DockerError, PullProgress, Stopped};
use crate::domain::fleet::{Instance, State};
use crate::domain::identity::{Hold, Identity, Judgement, judge};
use crate::domain::ids::{ContainerId, ImageRef, InstanceName, ObjectName, OpId};
use crate::domain::options::PullPolicy;
use crate::domain::plan::{StepId, Target, Task};
use crate::domain::probe::ProbeSpec;
use crate::domain::spec::RestartPolicy;
use crate::domain::warm::{self, HoldAt};
use futures_util::future::try_join_all;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OnceCell, mpsc, watch};

/// A probe of the watch that has just begun may have to time out first.
const WATCH_SEES: Duration = Duration::from_millis(1500);

/// What all steps of an operation share.
pub(super) struct Context {
    pub docker: Certain,
    pub op: OpId,
    pub given_sandbox_image: Option<ImageRef>,
    pub sandbox_image: OnceCell<ImageRef>,
    /// Where app containers find the guest; made when one is to be held back.
    pub guest_volume: OnceCell<ObjectName>,
    pub pins: Pins,
    pub locks: Locks,
    /// Instances that are out of their balancers now.
    pub guards: Guards,
}

/// One step, ready to be done.
#[derive(Debug)]
pub(super) struct Job {
    pub step: StepId,
    pub task: Task,
    pub instance: Option<InstanceName>,
    /// What earlier steps made.
    pub made: BTreeMap<StepId, Product>,
    /// The identity read by the instance's preflight.
    pub before: Option<Identity>,
    /// The instance's watch, and its transitions before the old container was stopped.
    pub gap: Option<(watch::Receiver<Seen>, u64)>,
    /// The instance's watch, whatever it asks.
    pub watched: Option<Watched>,
    /// A warm swap has taken place, and what is ready was asked apart from that watch.
    pub took_over: bool,
    pub progress: mpsc::UnboundedSender<(StepId, PullProgress)>,
}

/// What a step leaves for later ones.
#[derive(Clone, Debug)]
pub(super) enum Product {
    Image(ImageRef),
    Container(ContainerId),
    Places(Places),
}

/// A step that succeeded.
#[derive(Debug, Default)]
pub(super) struct Done {
    pub product: Option<Product>,
    /// What there is to say.
    pub detail: Option<String>,
    pub before: Option<Identity>,
    pub gap: Option<GapWatch>,
    /// Requests that failed since the drain, as the balancers count them.
    pub failed_requests: Option<u64>,
    pub takeover: Option<Takeover>,
    pub judged: Option<(Judgement, Option<Identity>)>,
}

/// A step that failed: a sentence.
#[derive(Debug)]
pub(super) struct Failed(pub String);

impl Failed {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl From<DockerError> for Failed {
    fn from(error: DockerError) -> Self {
        match error.hint() {
            Some(hint) => Self(format!("{error}; {hint}")),
            None => Self(error.to_string()),
        }
    }
}

impl Done {
    pub fn saying(detail: impl Into<String>) -> Self {
        Self { detail: Some(detail.into()), ..Self::default() }
    }

    pub fn made(product: Product, detail: Option<String>) -> Self {
        Self { product: Some(product), detail, ..Self::default() }
    }
}

pub(super) type Outcome = Result<Done, Failed>;

/// Does the job.
pub(super) async fn perform(context: &Context, job: Job) -> Outcome {
    let docker = &context.docker;
    // Putting back what was never made is done.
    if let Task::Stop { container, .. } | Task::Remove { container, .. } = &job.task
        && job.container(container).is_err()
    {
        return Ok(Done::saying("was never made"));
    }
    fence(context, &job.task).await?;
    match &job.task {
        Task::Pull { image, policy } => pull(context, &job, image, *policy).await,
        Task::Network { spec, project } => make::network(docker, spec, project).await,
        Task::Volume { spec, project } => make::volume(docker, spec, project).await,
        Task::SandboxCreate { draft } => make::sandbox(context, &places::settled(&job, draft)).await,
        Task::Reserve { app, addresses, lease } => places::reserve(context, &job, app, addresses, *lease).await,
        Task::TakeOver { sandbox, addresses, strict } => {
            let id = job.container(sandbox)?;
            make::start_sandbox(docker, &id, sandbox.name()).await?;
            places::arrived(docker, &id, sandbox.name(), addresses, *strict).await
        }
        Task::Release { places } => places::release(docker, &job, *places).await,
        Task::SandboxStart { sandbox } => make::start_sandbox(docker, &job.container(sandbox)?, sandbox.name()).await,
        Task::Create { draft } => make::app(context, &job, draft).await,
        Task::Drain { places, sandbox, timeout, on_timeout } => {
            let (step, progress) = (job.step, job.progress.clone());
            let tell = move |so_far| drop(progress.send((step, so_far)));
            let patience = Patience { timeout: *timeout, then: *on_timeout };
            let sandbox = job.sandbox(sandbox.as_ref())?;
            let found = look(docker, &job, None, sandbox.as_ref()).await?;
            let places = traffic::at_its_address(places, &found);
            traffic::drain(context, job.instance.as_ref(), &places, sandbox.as_ref(), patience, tell).await
        }
        Task::Attach { only_with: Some(app), .. } if !runs(docker, &job, app).await? => {
            Ok(Done::saying(format!("{} does not run any more, so it stays out", app.name())))
        }
        Task::Join { balancers, sandbox, timeout, seats } => {
            let found = look(docker, &job, None, Some(&job.container(sandbox)?)).await?;
            traffic::join(context, balancers, seats, &found, *timeout).await
        }
        Task::Attach { places, sandbox, timeout, .. } => {
            let sandbox = job.sandbox(sandbox.as_ref())?;
            traffic::attach(context, job.instance.as_ref(), places, sandbox.as_ref(), *timeout).await
        }
        Task::Stop { container, grace } => {
            let again = traffic::still_out(context, job.instance.as_ref()).await?;
            let done = stop(docker, &job.container(container)?, *grace).await?;
            Ok(match again {
                Some(again) => {
                    Done { detail: done.detail.map(|detail| format!("{detail}; before that, {again}")), ..done }
                }
                None => done,
            })
        }
        Task::Hook { container, moment, hook } => {
            Box::pin(hook::run(docker, &job.container(container)?, container.name(), *moment, hook)).await
        }
        Task::Start { container, restart } => {
            let id = job.container(container)?;
            let gap = nobody_answers(docker, &job, &id, container.name()).await?;
            if let Some(policy) = restart {
                docker.set_restart(&id, policy).await?;
            }
            match container {
                Target::Made { .. } => docker.start_new(&id).await?,
                Target::Known { .. } => docker.start(&id).await?,
            }
            Ok(Done { gap, ..Done::default() })
        }
        Task::StartHeld { container, sandbox, hold } => {
            let (id, sandbox) = (job.container(container)?, job.container(sandbox)?);
            held(context, container, &id, &sandbox, *hold)?.start().await
        }
        Task::Warm { container, sandbox, hold, timeout } => {
            let (id, sandbox) = (job.container(container)?, job.container(sandbox)?);
            let held = held(context, container, &id, &sandbox, *hold)?;
            Box::pin(held.until_held(*timeout)).await
        }
        Task::Swap { container, grace, next, sandbox, hold, watch, probe, prefer_health, timeout } => {
            let again = traffic::still_out(context, job.instance.as_ref()).await?;
            let (old, id, sandbox) = (job.container(container)?, job.container(next)?, job.container(sandbox)?);
            let held = held(context, next, &id, &sandbox, *hold)?;
            let ready = async {
                let probe = ready::probe(docker, &id, probe, *prefer_health).await?;
                if !probe.of_container() {
                    return Ok(());
                }
                let (container, name, sandbox) = (&id, next.name(), Some(&sandbox));
                let (min_ready, timeout) = (Duration::ZERO, *timeout);
                let wait = Wait { docker, container, name, sandbox, probe: &probe, min_ready, timeout, gap: None };
                Box::pin(wait.until_ready(|_| ())).await.map(drop)
            };
            let swapped = Box::pin(held.swap(&old, *grace, watch.as_ref(), ready)).await?;
            let again = again.map(|again| format!("before that, {again}"));
            let detail = [Some(stop_words(&swapped.stopped)), swapped.words, again];
            Ok(Done {
                detail: Some(detail.into_iter().flatten().collect::<Vec<_>>().join("; ")),
                gap: swapped.gap,
                takeover: Some(swapped.takeover),
                ..Done::default()
            })
        }
        Task::Ready { container, sandbox, probe, prefer_health, min_ready, timeout } => {
            let (id, sandbox_id) = (job.container(container)?, job.sandbox(sandbox.as_ref())?);
            let wait = Wait {
                docker,
                container: &id,
                name: container.name(),
                sandbox: sandbox_id.as_ref(),
                probe: &ready::probe(docker, &id, probe, *prefer_health).await?,
                min_ready: *min_ready,
                timeout: *timeout,
                gap: job.gap.clone(),
            };
            let (step, progress) = (job.step, job.progress.clone());
            let report = move |so_far| drop(progress.send((step, so_far)));
            Ok(Done::saying(Box::pin(wait.until_ready(report)).await?))
        }
        Task::Preflight { container, sandbox, watch, addresses } => {
            preflight(docker, &job, container.as_ref(), sandbox.as_ref(), watch.as_ref(), addresses).await
        }
        Task::Verify { container, sandbox, rivals } => {
            if let Some(mut watched) = job.watched.clone().filter(|_| job.took_over) {
                // What was ready by an answer of its own is seen by the watch of the gap in a moment.
                let up = watched.seen.wait_for(|seen| seen.up == Some(true) || seen.ended.is_some());
                let _ = tokio::time::timeout(WATCH_SEES, up).await;
            }
            let (verified, ()) = tokio::try_join!(
                verify(docker, &job, container, sandbox.as_ref()),
                no_rival(docker, &job, container, rivals)
            )?;
            Ok(verified)
        }
        Task::Unpause { container } => {
            docker.unpause(&job.container(container)?).await?;
            Ok(Done::saying(format!("{} goes on; somebody had paused it", container.name())))
        }
        Task::Record { sandbox, records } => {
            docker.write_revisions(&job.container(sandbox)?, records).await?;
            let numbers: Vec<_> = records.iter().map(|record| record.revision.to_string()).collect();
            let (s, is) = if numbers.len() == 1 { ("", "is") } else { ("s", "are") };
            Ok(Done::saying(format!("revision{s} {} {is} kept for a rollback", numbers.join(", "))))
        }
        Task::Unpark { container, restart } => {
            docker.set_restart(&job.container(container)?, restart).await?;
            Ok(Done::default())
        }
        Task::Park { container } => {
            docker.set_restart(&job.container(container)?, &RestartPolicy::No).await?;
            Ok(Done::saying(format!("{} is the way back", container.name())))
        }
        Task::Remove { container, volumes } => {
            docker.remove(&job.container(container)?, *volumes).await?;
            Ok(Done::default())
        }
        Task::RemoveNetwork { name } => {
            docker.remove_network(name).await?;
            Ok(Done::saying(format!("network {name}")))
        }
        Task::RemoveVolume { name } => {
            docker.remove_volume(name).await?;
            Ok(Done::saying(format!("volume {name}")))
        }
        Task::Rename { container, to } => {
            docker.rename(&job.container(container)?, to).await?;
            Ok(Done::saying(format!("now {to}")))
        }
    }
}

/// Looking is always allowed. What is new may be made, and started, as long as the lock is not lost; for whatever touches
/// what was there before it has to be held.
async fn fence(context: &Context, task: &Task) -> Result<(), Failed> {
    let first = match task {
        Task::Pull { .. } | Task::Ready { .. } | Task::Warm { .. } | Task::Preflight { .. } | Task::Verify { .. } => {
            return Ok(());
        }
        Task::Network { .. }
        | Task::Volume { .. }
        | Task::Reserve { .. }
        | Task::Release { .. }
        | Task::SandboxCreate { .. }
        | Task::Create { .. }
        | Task::Record { .. }
        | Task::StartHeld { .. }
        | Task::Attach { .. }
        | Task::Join { .. } => false,
        Task::SandboxStart { sandbox: container }
        | Task::TakeOver { sandbox: container, .. }
        | Task::Start { container, .. } => {
            matches!(container, Target::Known { .. })
        }
        Task::Drain { .. }
        | Task::Hook { .. }
        | Task::Stop { .. }
        | Task::Swap { .. }
        | Task::Park { .. }
        | Task::Unpark { .. }
        | Task::Unpause { .. }
        | Task::Remove { .. }
        | Task::RemoveNetwork { .. }
        | Task::RemoveVolume { .. }
        | Task::Rename { .. } => true,
    };
    context.locks.fence(first).await
}

impl Job {
    pub fn container(&self, target: &Target) -> Result<ContainerId, Failed> {
        match target {
            Target::Known { id, .. } => Ok(id.clone()),
            Target::Made { step, name } => match self.made.get(step) {
                Some(Product::Container(id)) => Ok(id.clone()),
                _ => Err(Failed::new(format!("{name} was never made"))),
            },
        }
    }

    fn sandbox(&self, target: Option<&Target>) -> Result<Option<ContainerId>, Failed> {
        target.map(|target| self.container(target)).transpose()
    }
}

async fn pull(context: &Context, job: &Job, image: &ImageRef, policy: PullPolicy) -> Outcome {
    let docker = &context.docker;
    let here = docker.image(image).await?;
    let must_pull = match (policy, &here) {
        (PullPolicy::Always, _) | (PullPolicy::Missing, None) => true,
        (PullPolicy::Missing | PullPolicy::Never, Some(_)) => false,
        (PullPolicy::Never, None) => {
            return Err(Failed::new(format!("image {image} is not on this engine and the pull policy is `never`")));
        }
    };
    if must_pull {
        let (step, tell) = (job.step, job.progress.clone());
        docker.pull(image, move |progress| drop(tell.send((step, progress)))).await?;
    }
    let seen = if must_pull { docker.image(image).await? } else { here };
    let seen = seen.ok_or_else(|| Failed::new(format!("image {image} was pulled but is gone again")))?;
    let arch = &docker.info().arch;
    if !seen.arch.is_empty() && seen.arch != *arch {
        return Err(Failed::new(format!("image {image} is built for {}, this engine is {arch}", seen.arch)));
    }
    let id = make::image_ref(&*seen.id)?;
    let words = if must_pull { "pulled" } else { "already here" };
    Ok(Done::made(Product::Image(id), Some(format!("{words}, {}", short_id(&seen.id)))))
}

/// `sha256:` and twelve digits are enough to recognise an image.
fn short_id(id: &str) -> &str {
    id.get(.."sha256:".len() + 12).unwrap_or(id)
}

async fn stop(docker: &Certain, id: &ContainerId, grace: Option<Duration>) -> Outcome {
    Ok(Done::saying(stop_words(&docker.stop(id, grace).await?)))
}

fn stop_words(stopped: &Stopped) -> String {
    match (stopped.already, stopped.killed) {
        (true, _) => "was stopped already".to_owned(),
        (_, true) => format!("did not end within its grace and was killed, exit {}", stopped.exit_code),
        _ => format!("exit {}", stopped.exit_code),
    }
}

/// A new container and its hold; it is known to the sandbox by the step that made it.
fn held<'a>(
    context: &'a Context,
    target: &'a Target,
    container: &'a ContainerId,
    sandbox: &'a ContainerId,
    hold: HoldAt,
) -> Result<Held<'a>, Failed> {
    let Target::Made { step, name } = target else {
        return Err(Failed::new(format!("{} was not made by this operation, so nothing holds it back", target.name())));
    };
    let token = warm::token(&context.op, *step);
    Ok(Held { docker: &context.docker, container, name, sandbox, token, hold })
}

/// The probe asks a port, not a container, so who answers before the start would later be taken for what was started: a
/// process that the engine forgot when it was killed, say. Where the watch saw the old container stop, readiness waits for
/// what begins to answer afterwards. Elsewhere nobody may answer; a watch that ended meanwhile begins anew, and is given back.
async fn nobody_answers(docker: &Certain, job: &Job, id: &ContainerId, name: &str) -> Result<Option<GapWatch>, Failed> {
    let Some(watched) = &job.watched else { return Ok(None) };
    let now = watched.seen.borrow().clone();
    let mut anew = None;
    if now.ended.is_some() {
        // A sandbox that does not run any more is the start's to tell.
        anew = GapWatch::start(docker, &watched.sandbox, &watched.probe).await.ok();
    } else if watched.mark > 0 {
        return Ok(None);
    }
    let up = anew.as_ref().map_or(now.ended.is_none() && now.up == Some(true), GapWatch::is_up);
    // The engine may have started it by itself, as its restart policy says.
    if !up || docker.inspect(id).await?.is_some_and(|seen| seen.is_running()) {
        return Ok(anew);
    }
    let sandbox = docker.inspect(&watched.sandbox).await?.map_or_else(|| watched.sandbox.short().into(), |it| it.name);
    Err(Failed::new(format!(
        "something answers {} in sandbox {sandbox} although {name} was not started yet, so nobody could tell them apart: a process that the engine forgot when it was killed? On its machine `pgrep -a --nslist net --ns $(docker inspect -f '{{{{.State.Pid}}}}' {sandbox})` shows all processes there; end the one that belongs to no container, then run this again",
        watched.probe
    )))
}

async fn runs(docker: &Certain, job: &Job, app: &Target) -> Result<bool, Failed> {
    let seen = docker.inspect(&job.container(app)?).await?;
    Ok(seen.is_some_and(|app| app.is_running()))
}

/// Reads an instance's two halves afresh.
async fn look(
    docker: &Certain,
    job: &Job,
    app: Option<&ContainerId>,
    sandbox: Option<&ContainerId>,
) -> Result<Instance, Failed> {
    let read = async |id: Option<&ContainerId>| match id {
        Some(id) => docker.inspect(id).await,
        None => Ok(None),
    };
    let (app, sandbox) = tokio::try_join!(read(app), read(sandbox))?;
    let name = job.instance.clone().unwrap_or_else(|| InstanceName(String::new()));
    Ok(Instance { name, number: 0, sandbox: sandbox.map(Arc::new), app: app.map(Arc::new), others: Vec::new() })
}

/// What can fail fails here, before anything is touched: the parts are there, the sandbox runs, the identity is read,
/// the watch answers.
async fn preflight(
    docker: &Certain,
    job: &Job,
    container: Option<&Target>,
    sandbox: Option<&Target>,
    probe: Option<&ProbeSpec>,
    addresses: &BTreeMap<String, String>,
) -> Outcome {
    let (app, owner) = (container.map(|target| job.container(target)).transpose()?, job.sandbox(sandbox)?);
    let watching = async {
        match (&owner, probe) {
            (Some(owner), Some(probe)) => GapWatch::start(docker, owner, probe).await.map(Some).map_err(Failed::from),
            _ => Ok(None),
        }
    };
    let (instance, gap) = tokio::try_join!(look(docker, job, app.as_ref(), owner.as_ref()), watching)?;
    if let (Some(target), None) = (container, &instance.app) {
        return Err(Failed::new(format!(
            "{} is gone: somebody removed it meanwhile; nothing was touched",
            target.name()
        )));
    }
    if let Some(target) = sandbox {
        match &instance.sandbox {
            None => {
                return Err(Failed::new(format!(
                    "sandbox {} is gone: somebody removed it meanwhile; nothing was touched",
                    target.name()
                )));
            }
            Some(sandbox) if !sandbox.is_running() => {
                return Err(Failed::new(format!(
                    "sandbox {} does not run ({}); nothing was touched",
                    target.name(),
                    sandbox.status
                )));
            }
            Some(_) => {}
        }
    }
    // A sandbox that this plan makes anew has nothing of the one before it: whatever it has is a change.
    let anew = container.is_some() && matches!(sandbox, Some(Target::Made { .. })) && addresses.is_empty();
    let before = if anew { Some(Identity::default()) } else { instance.identity() };
    let mut before = before.map(|identity| identity.at_addresses(addresses));
    if let (None, Some(before)) = (sandbox, &mut before) {
        // Nothing holds it: it is another one after every start.
        before.netns = None;
    }
    let address = instance.address().unwrap_or("no address").to_owned();
    Ok(Done { before, gap, detail: Some(address), ..Done::default() })
}

/// A probe is asked in the sandbox, so any container in it may answer: what is verified has to be alone there.
async fn no_rival(docker: &Certain, job: &Job, container: &Target, rivals: &[Target]) -> Result<(), Failed> {
    // One that was never made is none.
    let made = rivals.iter().filter_map(|rival| Some((rival, job.container(rival).ok()?)));
    let looks = made.map(async |(rival, id)| Ok::<_, Failed>((rival, docker.inspect(&id).await?)));
    for (rival, seen) in try_join_all(looks).await? {
        let Some(seen) = seen else { continue };
        if matches!(seen.state, State::Running | State::Paused | State::Restarting) {
            return Err(Failed::new(format!(
                "{} runs in the same sandbox as {}, so nobody knows which of them answers: somebody started it; `docker stop {}`, then run this again",
                rival.name(),
                container.name(),
                rival.name()
            )));
        }
    }
    Ok(())
}

async fn verify(docker: &Certain, job: &Job, container: &Target, sandbox: Option<&Target>) -> Outcome {
    let (app, owner) = (job.container(container)?, job.sandbox(sandbox)?);
    let instance = look(docker, job, Some(&app), owner.as_ref()).await?;
    let after = instance.app.as_deref().filter(|app| app.is_running()).and_then(|_| instance.identity());
    let hold = instance.hold().unwrap_or(if sandbox.is_some() { Hold::Orphaned } else { Hold::Loose });
    let judgement = judge(job.before.as_ref(), after.as_ref(), hold);
    let detail = format!("{} {}", instance.address().unwrap_or("no address"), judgement.verdict.as_str());
    Ok(Done { judged: Some((judgement, after)), detail: Some(detail), ..Done::default() })
}
