//! Making things in the engine: networks, volumes, sandboxes with pinned addresses, app containers.
//!
//! A name that is taken is never fought for: its holder is told and left alone.

use super::certain::Certain;
use super::perform::{Context, Done, Failed, Job, Outcome, Product};
use super::pins::Picked;
use crate::docker::{AppCreation, DockerError, Failure, Gate, SandboxCreation};
use crate::domain::fleet::{Container, State};
use crate::domain::ids::{ContainerId, ImageRef, ObjectName};
use crate::domain::labels::{self, OwnLabels, Role};
use crate::domain::plan::{AppDraft, SandboxDraft, StepId};
use crate::domain::project::{NetworkSpec, VolumeSpec};
use crate::domain::spec::AppSpec;
use crate::domain::warm::{self, Warm};
use std::collections::BTreeMap;

/// A network, unless it is there.
pub(super) async fn network(docker: &Certain, spec: &NetworkSpec, project: &str) -> Outcome {
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

/// A volume, unless it is there.
pub(super) async fn volume(docker: &Certain, spec: &VolumeSpec, project: &str) -> Outcome {
    docker.create_volume(spec, project).await?;
    Ok(Done::saying(spec.name.clone()))
}

/// A sandbox with its addresses picked and pinned.
pub(super) async fn sandbox(context: &Context, draft: &SandboxDraft) -> Outcome {
    let docker = &context.docker;
    let image =
        context.sandbox_image.get_or_try_init(|| docker.ensure_sandbox_image(context.given_sandbox_image.as_ref()));
    let (image, mut picked) = tokio::try_join!(image, context.pins.pick(docker, draft))?;
    let name = draft.app.sandbox_name(draft.number);
    let own = OwnLabels {
        app: draft.app.clone(),
        number: draft.number,
        role: Role::Sandbox,
        revision: 0,
        operation: context.op.to_string(),
        held: false,
        // Only the sandbox's own part: the app container's label has the rest.
        spec: Some(AppSpec { sandbox: draft.spec.clone(), ..AppSpec::default() }.into()),
        spec_hash: draft.spec_hash.clone(),
        replaces: draft.replaces.clone(),
    };
    let mut labels = own.write();
    if let Some(adoption) = &draft.adoption {
        labels.insert(labels::ADOPTS.to_owned(), adoption.from.to_string());
        labels.insert(labels::ADDRESSES.to_owned(), serde_json::to_string(&adoption.addresses).unwrap_or_default());
    }
    let mut creation = SandboxCreation {
        name: valid_name(&name)?,
        image: image.clone(),
        labels,
        hostname: draft.spec.hostname.clone().unwrap_or_else(|| name.clone()),
        aliases: vec![draft.app.app.clone(), format!("{}-{}", draft.app.app, draft.number), name.clone()],
        spec: draft.spec.clone(),
        addresses: picked.addresses.clone(),
        sysctls: warm::sysctls(&docker.info().kernel),
    };
    let mut created = docker.create_sandbox(&creation).await;
    // Some engines say so at the creation, or when it joins its second network.
    if created.as_ref().is_err_and(refuses_pins) && !picked.doubtful.is_empty() {
        remove_half_made(docker, &creation.name, &own).await?;
        drop_doubtful(&mut creation, &mut picked);
        created = docker.create_sandbox(&creation).await;
    }
    let id = explain_conflict(docker, created, &creation.name).await?;
    let id = if picked.doubtful.is_empty() { id } else { try_pin(docker, id, &mut creation, &mut picked).await? };
    let held: Vec<String> = creation.addresses.values().map(ToString::to_string).collect();
    let detail = if held.is_empty() { "address not pinned".to_owned() } else { format!("pinned {}", held.join(", ")) };
    Ok(Done::made(Product::Container(id), Some(detail)))
}

/// On a network whose subnet the engine may have chosen itself, only a start tells whether an address can be pinned.
async fn try_pin(
    docker: &Certain,
    id: ContainerId,
    creation: &mut SandboxCreation,
    picked: &mut Picked,
) -> Result<ContainerId, Failed> {
    match docker.start(&id).await {
        Ok(()) => Ok(id),
        Err(error) if refuses_pins(&error) => {
            docker.remove(&id, false).await?;
            drop_doubtful(creation, picked);
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

/// The engine says that an address can't be asked for on one of the networks; which one it does not say.
pub(super) fn refuses_pins(error: &DockerError) -> bool {
    let words = error.message.to_ascii_lowercase();
    error.failure == Failure::BadRequest
        && ["user specified ip address", "user configured subnet"].iter().any(|known| words.contains(known))
}

/// Leaves the addresses on doubtful networks to the engine.
fn drop_doubtful(creation: &mut SandboxCreation, picked: &mut Picked) {
    let doubtful = std::mem::take(&mut picked.doubtful);
    creation.addresses.retain(|network, _| !doubtful.contains(network));
}

/// Removes what a creation that failed left under its name, if this very operation made it.
async fn remove_half_made(docker: &Certain, name: &ObjectName, own: &OwnLabels) -> Result<(), Failed> {
    let left = docker.find(name).await?;
    let made_here = |seen: &OwnLabels| seen.role == own.role && seen.operation == own.operation;
    if let Some(left) = left.filter(|left| left.own.as_ref().is_some_and(made_here)) {
        docker.remove(&left.id, false).await?;
    }
    Ok(())
}

/// Starts a sandbox; an address that is taken is told with its holder.
/// Refuses a sandbox that never ran and is not on all its networks: engines before API 1.44 join all but the first by requests
/// of their own, and whoever made it has died in between.
pub(super) async fn whole_sandbox(docker: &Certain, id: &ContainerId) -> Result<(), Failed> {
    let Some(seen) = docker.inspect(id).await?.filter(|seen| seen.state == State::Created) else { return Ok(()) };
    let spec = seen.own.as_ref().and_then(|own| own.spec.as_ref());
    let wanted = spec.into_iter().flat_map(|spec| &spec.sandbox.networks).map(|attach| attach.network.as_str());
    let missing: Vec<&str> = wanted.filter(|network| seen.networks.get(*network).is_none()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Failed::new(format!(
        "{} was left half-made: it is not on {}, and never ran. `docker rm {}` loses nothing; then run the same command again",
        seen.name,
        missing.join(", "),
        seen.name
    )))
}

pub(super) async fn start_sandbox(docker: &Certain, id: &ContainerId, name: &str) -> Outcome {
    let Err(error) = docker.start(id).await else { return Ok(Done::default()) };
    if !error.message.to_ascii_lowercase().contains("address already in use") {
        return Err(error.into());
    }
    let pinned = docker
        .inspect(id)
        .await?
        .and_then(|sandbox| sandbox.detail)
        .map(|detail| detail.pinned.clone())
        .unwrap_or_default();
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

/// An app container joined to its sandbox, not started.
pub(super) async fn app(context: &Context, job: &Job, draft: &AppDraft) -> Outcome {
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
        held: false,
        spec: Some(draft.spec.clone().into()),
        spec_hash: draft.spec_hash.clone(),
        replaces: draft.replaces.clone(),
    };
    let sandbox = job.container(&draft.sandbox)?;
    let mut labels = own.write();
    labels.extend(remembered(docker, &sandbox).await?);
    let image = wanted.as_ref().unwrap_or(&named);
    let gate = match draft.hold {
        Some(hold) => {
            labels.insert(labels::HOLD.to_owned(), hold.as_str().to_owned());
            Some(gate(context, job.step, draft, image).await?)
        }
        // Its successor can share its port with it then; it does as well without.
        None if draft.spec.rollout.warm.is_some_and(|warm| warm != Warm::Off) => {
            let gate = gate(context, job.step, draft, image).await;
            gate.inspect_err(|Failed(why)| tracing::warn!(app = %draft.app, why, "no gate in front of it")).ok()
        }
        None => None,
    };
    let mut creation = AppCreation {
        name: valid_name(&draft.app.container_name(draft.number, draft.revision))?,
        image: named.clone(),
        labels,
        spec: draft.spec.container.clone(),
        sandbox,
        carry: draft.carry.clone(),
        gate,
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

/// What stands in front of the program of one that is going to be held back.
async fn gate(context: &Context, step: StepId, draft: &AppDraft, image: &ImageRef) -> Result<Gate, Failed> {
    let docker = &context.docker;
    let (seen, volume) = tokio::try_join!(docker.image(image), async {
        let sandbox = context
            .sandbox_image
            .get_or_try_init(|| docker.ensure_sandbox_image(context.given_sandbox_image.as_ref()))
            .await?;
        context.guest_volume.get_or_try_init(|| docker.ensure_guest_volume(sandbox, &draft.app)).await.cloned()
    })?;
    let seen = seen.ok_or_else(|| Failed::new(format!("image {image} is gone again")))?;
    let spec = &draft.spec.container;
    let command =
        warm::command((spec.entrypoint.as_deref(), spec.command.as_deref()), (&seen.entrypoint, &seen.command));
    if command.is_empty() {
        return Err(Failed::new(format!(
            "image {} has neither entrypoint nor command, and the app names none",
            draft.spec.image
        )));
    }
    Ok(Gate { volume, token: warm::token(&context.op, step), command })
}

/// The label by which an app container remembers the addresses its sandbox is pinned to.
async fn remembered(docker: &Certain, sandbox: &ContainerId) -> Result<Option<(String, String)>, Failed> {
    let detail = docker.inspect(sandbox).await?.and_then(|seen| seen.detail);
    let pinned = detail.iter().flat_map(|detail| &detail.pinned);
    let addresses: BTreeMap<&String, &String> =
        pinned.filter_map(|(network, pin)| Some((network, pin.ipv4.as_ref()?))).collect();
    let text = (!addresses.is_empty()).then(|| serde_json::to_string(&addresses).ok()).flatten();
    Ok(text.map(|text| (labels::ADDRESSES.to_owned(), text)))
}

/// A reference or id that may be sent.
pub(super) fn image_ref(text: impl Into<String>) -> Result<ImageRef, Failed> {
    ImageRef::new(text).map_err(|error| Failed::new(error.to_string()))
}

fn valid_name(name: &str) -> Result<ObjectName, Failed> {
    ObjectName::new(name).map_err(|error| Failed::new(error.to_string()))
}

/// A name that is taken is told with its holder, which is never touched.
async fn explain_conflict<T>(docker: &Certain, result: Result<T, DockerError>, name: &ObjectName) -> Result<T, Failed> {
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
