//! Doing one step of a plan. Everything was decided before; here is only the doing and the telling.
//!
//! Each function is one action on the engine, with errors that a person at 3 a.m. can act on. Must not look at the
//! plan, and must not start anything that outlives its step but the watch of the gap.

use super::gap::{GapWatch, Seen};
use super::pins::{Picked, Pins};
use super::ready::Wait;
use crate::docker::{AppCreation, Docker, DockerError, Failure, PullProgress, SandboxCreation};
use crate::domain::fleet::{Container, Instance};
use crate::domain::identity::{Hold, Identity, Judgement, judge};
use crate::domain::ids::{ContainerId, ImageRef, InstanceName, ObjectName, OpId};
use crate::domain::labels::{OwnLabels, Role};
use crate::domain::options::PullPolicy;
use crate::domain::plan::{AppDraft, SandboxDraft, StepId, Target, Task};
use crate::domain::probe::ProbeSpec;
use crate::domain::project::{NetworkSpec, VolumeSpec};
use crate::domain::spec::{AppSpec, RestartPolicy};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::{OnceCell, mpsc, watch};

/// What all steps of an operation share.
pub(super) struct Context {
    pub docker: Docker,
    pub op: OpId,
    pub given_sandbox_image: Option<ImageRef>,
    pub sandbox_image: OnceCell<ImageRef>,
    pub pins: Pins,
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
    pub progress: mpsc::UnboundedSender<(StepId, PullProgress)>,
}

/// What a step leaves for later ones.
#[derive(Clone, Debug)]
pub(super) enum Product {
    Image(ImageRef),
    Container(ContainerId),
}

/// A step that succeeded.
#[derive(Debug, Default)]
pub(super) struct Done {
    pub product: Option<Product>,
    /// What there is to say.
    pub detail: Option<String>,
    pub before: Option<Identity>,
    pub gap: Option<GapWatch>,
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
    fn saying(detail: impl Into<String>) -> Self {
        Self { detail: Some(detail.into()), ..Self::default() }
    }

    fn made(product: Product, detail: Option<String>) -> Self {
        Self { product: Some(product), detail, ..Self::default() }
    }
}

type Outcome = Result<Done, Failed>;

/// Does the job.
pub(super) async fn perform(context: &Context, job: Job) -> Outcome {
    let docker = &context.docker;
    match &job.task {
        Task::Pull { image, policy } => pull(context, &job, image, *policy).await,
        Task::Network { spec, project } => network(docker, spec, project).await,
        Task::Volume { spec, project } => volume(docker, spec, project).await,
        Task::SandboxCreate { draft } => create_sandbox(context, draft).await,
        Task::SandboxStart { sandbox } => start_sandbox(docker, &job.container(sandbox)?, sandbox.name()).await,
        Task::Create { draft } => create_app(context, &job, draft).await,
        Task::Stop { container, grace } => stop(docker, &job.container(container)?, *grace).await,
        Task::Start { container, restart } => start(docker, &job.container(container)?, restart.as_ref()).await,
        Task::Ready { container, sandbox, probe, min_ready, timeout } => {
            let (id, sandbox_id) = (job.container(container)?, job.sandbox(sandbox.as_ref())?);
            let wait = Wait {
                docker,
                container: &id,
                name: container.name(),
                sandbox: sandbox_id.as_ref(),
                probe,
                min_ready: *min_ready,
                timeout: *timeout,
                gap: job.gap.clone(),
            };
            Ok(Done::saying(wait.until_ready().await?))
        }
        Task::Preflight { container, sandbox, watch } => {
            preflight(docker, &job, container.as_ref(), sandbox.as_ref(), watch.as_ref()).await
        }
        Task::Verify { container, sandbox } => verify(docker, &job, container, sandbox.as_ref()).await,
        Task::Record { sandbox, record } => {
            docker.write_revision(&job.container(sandbox)?, record).await?;
            Ok(Done::saying(format!("revision {} is kept for a rollback", record.revision)))
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

impl Job {
    fn container(&self, target: &Target) -> Result<ContainerId, Failed> {
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
    let id = image_ref(&*seen.id)?;
    let words = if must_pull { "pulled" } else { "already here" };
    Ok(Done::made(Product::Image(id), Some(format!("{words}, {}", short_id(&seen.id)))))
}

/// `sha256:` and twelve digits are enough to recognise an image.
fn short_id(id: &str) -> &str {
    id.get(.."sha256:".len() + 12).unwrap_or(id)
}

async fn network(docker: &Docker, spec: &NetworkSpec, project: &str) -> Outcome {
    let name = ObjectName::new(&*spec.name).map_err(|error| Failed::new(error.to_string()))?;
    if docker.network(&name).await?.is_some() {
        return Ok(Done::saying(format!("{name} is there")));
    }
    if spec.external {
        return Err(Failed::new(format!(
            "network {name} is external and does not exist; `docker network create {name}`"
        )));
    }
    docker.create_network(spec, project).await?;
    Ok(Done::saying(name.to_string()))
}

async fn volume(docker: &Docker, spec: &VolumeSpec, project: &str) -> Outcome {
    docker.create_volume(spec, project).await?;
    Ok(Done::saying(spec.name.clone()))
}

async fn create_sandbox(context: &Context, draft: &SandboxDraft) -> Outcome {
    let docker = &context.docker;
    let image =
        context.sandbox_image.get_or_try_init(|| docker.ensure_sandbox_image(context.given_sandbox_image.as_ref()));
    let (image, picked) = tokio::try_join!(image, context.pins.pick(docker, draft))?;
    let name = draft.app.sandbox_name(draft.number);
    let own = OwnLabels {
        app: draft.app.clone(),
        number: draft.number,
        role: Role::Sandbox,
        revision: 0,
        operation: context.op.to_string(),
        // Only the sandbox's own part: the app container's label has the rest.
        spec: Some(AppSpec { sandbox: draft.spec.clone(), ..AppSpec::default() }),
        spec_hash: draft.spec_hash.clone(),
    };
    let mut creation = SandboxCreation {
        name: valid_name(&name)?,
        image: image.clone(),
        labels: own.write(),
        hostname: draft.spec.hostname.clone().unwrap_or_else(|| name.clone()),
        aliases: vec![draft.app.app.clone(), format!("{}-{}", draft.app.app, draft.number), name.clone()],
        spec: draft.spec.clone(),
        addresses: picked.addresses.clone(),
    };
    let id = explain_conflict(docker, docker.create_sandbox(&creation).await, &creation.name).await?;
    let id = if picked.doubtful.is_empty() { id } else { try_pin(docker, id, &mut creation, &picked).await? };
    let held: Vec<String> = creation.addresses.values().map(ToString::to_string).collect();
    let detail = if held.is_empty() { "address not pinned".to_owned() } else { format!("pinned {}", held.join(", ")) };
    Ok(Done::made(Product::Container(id), Some(detail)))
}

/// On a network whose subnet the engine may have chosen itself, only a start tells whether an address can be pinned.
async fn try_pin(
    docker: &Docker,
    id: ContainerId,
    creation: &mut SandboxCreation,
    picked: &Picked,
) -> Result<ContainerId, Failed> {
    match docker.start(&id).await {
        Ok(()) => Ok(id),
        Err(error) if error.failure == Failure::BadRequest && error.message.contains("user") => {
            docker.remove(&id, false).await?;
            creation.addresses.retain(|network, _| !picked.doubtful.contains(network));
            Ok(docker.create_sandbox(creation).await?)
        }
        Err(error) => {
            // Nothing half-made stays; the start's error is what matters.
            if let Err(left) = docker.remove(&id, false).await {
                tracing::warn!(sandbox = %creation.name, %left, "can't remove the sandbox that did not start");
            }
            Err(error.into())
        }
    }
}

async fn start_sandbox(docker: &Docker, id: &ContainerId, name: &str) -> Outcome {
    let Err(error) = docker.start(id).await else { return Ok(Done::default()) };
    if !error.message.to_ascii_lowercase().contains("address already in use") {
        return Err(error.into());
    }
    let pinned =
        docker.inspect(id).await?.and_then(|sandbox| sandbox.detail).map(|detail| detail.pinned).unwrap_or_default();
    let taken = |container: &&Container| {
        container.networks.iter().any(|(network, now)| {
            now.ipv4.is_some() && pinned.get(network).is_some_and(|pin| pin.ipv4 == now.ipv4) && container.id != *id
        })
    };
    let fleet = docker.list().await?;
    let thief = fleet.iter().filter(|container| container.is_running()).find(taken);
    Err(match thief {
        Some(thief) => Failed::new(format!(
            "{error}; its address is held by container {}: stop that (`docker stop {}`), then run this again. {name} stays as it was",
            thief.name, thief.name
        )),
        None => error.into(),
    })
}

async fn create_app(context: &Context, job: &Job, draft: &AppDraft) -> Outcome {
    let docker = &context.docker;
    let pulled = draft.image.and_then(|step| match job.made.get(&step) {
        Some(Product::Image(image)) => Some(image.to_string()),
        _ => None,
    });
    let named = image_ref(&draft.spec.image)?;
    let wanted = pulled.or_else(|| draft.image_id.clone()).map(image_ref).transpose()?;
    let own = OwnLabels {
        app: draft.app.clone(),
        number: draft.number,
        role: Role::App,
        revision: draft.revision,
        operation: context.op.to_string(),
        spec: Some(draft.spec.clone()),
        spec_hash: draft.spec.hash(),
    };
    let mut labels = draft.spec.container.labels.clone();
    labels.extend(own.write());
    let mut creation = AppCreation {
        name: valid_name(&draft.app.container_name(draft.number, draft.revision))?,
        image: named.clone(),
        labels,
        spec: draft.spec.container.clone(),
        sandbox: job.container(&draft.sandbox)?,
        carry: draft.carry.clone(),
    };
    // By name, so that `docker ps` tells people what runs; by id where the name means, or meanwhile came to mean, another image.
    if let Some(wanted) = &wanted
        && docker.image(&named).await?.is_none_or(|seen| seen.id != wanted.as_str())
    {
        creation.image = wanted.clone();
    }
    let mut id = explain_conflict(docker, docker.create_app(&creation).await, &creation.name).await?;
    if let Some(wanted) = wanted.filter(|wanted| *wanted != creation.image) {
        let made = docker.inspect(&id).await?;
        if made.is_none_or(|made| &*made.image_id != wanted.as_str()) {
            docker.remove(&id, true).await?;
            creation.image = wanted;
            id = docker.create_app(&creation).await?;
        }
    }
    Ok(Done::made(Product::Container(id), Some(creation.name.to_string())))
}

fn image_ref(text: impl Into<String>) -> Result<ImageRef, Failed> {
    ImageRef::new(text).map_err(|error| Failed::new(error.to_string()))
}

fn valid_name(name: &str) -> Result<ObjectName, Failed> {
    ObjectName::new(name).map_err(|error| Failed::new(error.to_string()))
}

/// A name that is taken is told with its holder, which is never touched.
async fn explain_conflict<T>(docker: &Docker, result: Result<T, DockerError>, name: &ObjectName) -> Result<T, Failed> {
    match result {
        Err(error) if error.failure == Failure::Conflict => Err(match docker.find(name).await {
            Ok(Some(holder)) => Failed::new(format!(
                "the name {name} is taken by container {} (image {}, {}); it was left alone: rename or remove it (`docker rename {name} {name}-old`), then run this again",
                holder.id.short(),
                holder.image,
                holder.status
            )),
            _ => error.into(),
        }),
        other => Ok(other?),
    }
}

async fn stop(docker: &Docker, id: &ContainerId, grace: Option<Duration>) -> Outcome {
    let stopped = docker.stop(id, grace).await?;
    Ok(Done::saying(match (stopped.already, stopped.killed) {
        (true, _) => "was stopped already".to_owned(),
        (_, true) => format!("did not end within its grace and was killed, exit {}", stopped.exit_code),
        _ => format!("exit {}", stopped.exit_code),
    }))
}

async fn start(docker: &Docker, id: &ContainerId, restart: Option<&RestartPolicy>) -> Outcome {
    if let Some(policy) = restart {
        docker.set_restart(id, policy).await?;
    }
    docker.start(id).await?;
    Ok(Done::default())
}

/// Reads an instance's two halves afresh.
async fn look(
    docker: &Docker,
    name: InstanceName,
    app: Option<&ContainerId>,
    sandbox: Option<&ContainerId>,
) -> Result<Instance, Failed> {
    let read = async |id: Option<&ContainerId>| match id {
        Some(id) => docker.inspect(id).await,
        None => Ok(None),
    };
    let (app, sandbox) = tokio::try_join!(read(app), read(sandbox))?;
    Ok(Instance { name, number: 0, sandbox, app, others: Vec::new() })
}

/// What can fail fails here, before anything is touched: the parts are there, the sandbox runs, the identity is read,
/// the watch answers.
async fn preflight(
    docker: &Docker,
    job: &Job,
    container: Option<&Target>,
    sandbox: Option<&Target>,
    probe: Option<&ProbeSpec>,
) -> Outcome {
    let (app, owner) = (container.map(|target| job.container(target)).transpose()?, job.sandbox(sandbox)?);
    let watching = async {
        match (&owner, probe) {
            (Some(owner), Some(probe)) => GapWatch::start(docker, owner, probe).await.map(Some).map_err(Failed::from),
            _ => Ok(None),
        }
    };
    let name = job.instance.clone().unwrap_or_else(|| InstanceName(String::new()));
    let (instance, gap) = tokio::try_join!(look(docker, name, app.as_ref(), owner.as_ref()), watching)?;
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
    let before = instance.identity();
    let address = instance.address().unwrap_or("no address").to_owned();
    Ok(Done { before, gap, detail: Some(address), ..Done::default() })
}

async fn verify(docker: &Docker, job: &Job, container: &Target, sandbox: Option<&Target>) -> Outcome {
    let (app, owner) = (job.container(container)?, job.sandbox(sandbox)?);
    let name = job.instance.clone().unwrap_or_else(|| InstanceName(String::new()));
    let instance = look(docker, name, Some(&app), owner.as_ref()).await?;
    let after = instance.app.as_ref().filter(|app| app.is_running()).and_then(|_| instance.identity());
    let hold = instance.hold().unwrap_or(if sandbox.is_some() { Hold::Orphaned } else { Hold::Loose });
    let judgement = judge(job.before.as_ref(), after.as_ref(), hold);
    let detail = format!("{} {}", instance.address().unwrap_or("no address"), judgement.verdict.as_str());
    Ok(Done { judged: Some((judgement, after)), detail: Some(detail), ..Done::default() })
}
