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
use super::proof::{look, no_rival, nobody_answers, preflight, runs, verify};
use super::ready::{self, Wait};
use super::traffic::{self, Patience};
use super::warm::{Held, Takeover};
use crate::docker::{DockerError, Failure, PullProgress, Stopped};
use crate::domain::identity::{Identity, Judgement};
use crate::domain::ids::{ContainerId, ImageRef, InstanceName, ObjectName, OpId};
use crate::domain::options::PullPolicy;
use crate::domain::plan::{Lane, StepId, Target, Task};
use crate::domain::spec::RestartPolicy;
use crate::domain::warm::{self, HoldAt};
use std::collections::BTreeMap;
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
    pub lane: Lane,
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
        Task::SandboxStart { sandbox } => {
            let id = job.container(sandbox)?;
            if matches!(sandbox, Target::Known { .. }) {
                make::whole_sandbox(docker, &id).await?;
            }
            make::start_sandbox(docker, &id, sandbox.name()).await
        }
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
            // Putting back waits for no balancer: two programs at once would be worse than a request that fails.
            let again = match job.lane {
                Lane::Main => traffic::still_out(context, job.instance.as_ref()).await?,
                Lane::Undo => None,
            };
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
            match docker.set_restart(&job.container(container)?, &RestartPolicy::No).await {
                Ok(()) => Ok(Done::saying(format!("{} is the way back", container.name()))),
                // What serves in its place stays.
                Err(error) if error.failure == Failure::NotFound => Ok(Done::saying(format!(
                    "{} is gone: somebody removed it, so there is no way back",
                    container.name()
                ))),
                Err(error) => Err(error.into()),
            }
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

    pub fn sandbox(&self, target: Option<&Target>) -> Result<Option<ContainerId>, Failed> {
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
    match docker.stop(id, grace).await {
        Ok(stopped) => Ok(Done::saying(stop_words(&stopped))),
        // What somebody removed meanwhile runs no more: what takes its place must come all the more.
        Err(error) if error.failure == Failure::NotFound => Ok(Done::saying("it is gone: somebody removed it")),
        Err(error) => Err(error.into()),
    }
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
