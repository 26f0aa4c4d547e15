//! Reads what a recipe needs to know, and no more: the list, details of the apps concerned, networks, volumes, images.

use super::balancers::{self, Trust};
use super::{Error, Request};
use crate::docker::{Docker, DockerError};
use crate::domain::adopt::{self, Original};
use crate::domain::balancer::{self, BalancersSeen, Place};
use crate::domain::facts::{Facts, ImageSeen};
use crate::domain::fleet::{App, Container, Fleet, NetworkSeen};
use crate::domain::ids::{AppId, ContainerId, ImageRef, InstanceName, ObjectName};
use crate::domain::labels::OwnLabels;
use crate::domain::plan::RevisionRecord;
use crate::domain::recipe::{self, Becoming};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

/// The facts for `request`; `trusts_labels`: commands that containers' labels name may be run here.
pub(super) async fn facts(docker: &Docker, request: &Request, trusts_labels: bool) -> Result<Facts, Error> {
    let fleet = fleet_for(docker, request).await?;
    let apps: Vec<&App> = fleet.apps.iter().filter(|app| concerns(request, &fleet, app)).collect();
    let (networks, volumes, images, revisions, (balancers, left_drained), originals) = tokio::try_join!(
        networks_for(docker, &apps),
        docker.volumes(),
        images_for(docker, request, &apps),
        revisions_for(docker, request, &apps),
        traffic_of(docker, request, &fleet, &apps, trusts_labels),
        originals_of(docker, request, &apps),
    )?;
    let mut facts =
        Facts { networks, volumes, images, revisions, balancers, originals, left_drained, ..Facts::default() };
    facts.images.extend(recorded_images(docker, &facts.revisions).await?);
    drop(apps);
    facts.fleet = fleet;
    Ok(facts)
}

/// The list, with details for the containers of the apps concerned.
async fn fleet_for(docker: &Docker, request: &Request) -> Result<Fleet, DockerError> {
    let listed = docker.list().await?;
    let fleet = Fleet::assemble(docker.info().clone(), listed.clone());
    let wanted: BTreeSet<ContainerId> = fleet
        .apps
        .iter()
        .filter(|app| concerns(request, &fleet, app))
        .flat_map(|app| &app.instances)
        .flat_map(|instance| instance.app.iter().chain(&instance.sandbox).chain(&instance.others))
        .map(|container| container.id.clone())
        .collect();
    let (wanted, mut rest): (Vec<Container>, _) = listed.into_iter().partition(|c| wanted.contains(&c.id));
    rest.extend(docker.detailed(wanted).await?);
    Ok(Fleet::assemble(docker.info().clone(), rest))
}

/// Whether a request looks at an app more closely. Ambiguous targets concern all they could mean.
fn concerns(request: &Request, fleet: &Fleet, app: &App) -> bool {
    let named = |target: &str| app.id.to_string() == target || app.id.app == target;
    match request {
        Request::Create { project, .. } => app.id.project == project.name,
        Request::Deploy { app, .. }
        | Request::Rollback { app, .. }
        | Request::Scale { app, .. }
        | Request::Finish { app, .. }
        | Request::TakeBack { app, .. } => named(app),
        // Networks and volumes are removed only when nobody of the project uses them any more.
        Request::Remove { apps, .. } => {
            apps.iter().any(|target| named(target) || fleet.find(target).is_ok_and(|a| a.id.project == app.id.project))
        }
        Request::Adopt { wish, .. } | Request::GiveBack { wish, .. } => {
            // A managed half goes by the name that the container is to have.
            let of_wish = wish.project.as_ref().is_some_and(|project| app.id.project == *project)
                || wish.app.as_ref().is_some_and(|id| app.id == *id)
                || wish.file.as_ref().is_some_and(|file| app.id.project == file.name);
            let of_name = app.id.project == adopt::PROJECT && wish.targets.contains(&app.id.app);
            let named_here = |target: &String| {
                let is_container = |container: &Container| *container.name == **target;
                named(target)
                    || app.id.project == *target
                    || app.instances.iter().any(|one| one.app.as_deref().is_some_and(is_container))
            };
            // The other half of what a container's name means.
            let beside = fleet.apps.iter().any(|other| {
                other.id == app.id
                    && other
                        .instances
                        .iter()
                        .any(|one| one.app.iter().any(|seen| wish.targets.iter().any(|t| *seen.name == **t)))
            });
            of_wish || of_name || beside || wish.targets.iter().any(named_here)
        }
        // What they come down to is asked for instead.
        Request::Resume { .. } | Request::Abort { .. } | Request::Retry { .. } => false,
        Request::Repair { targets, .. } if targets.is_empty() => app.managed,
        Request::Restart { targets, .. } | Request::Repair { targets, .. } => targets
            .iter()
            .any(|target| named(target) || fleet.find_instance(target).is_some_and(|(owner, _)| owner.id == app.id)),
    }
}

/// The configurations of the containers to adopt.
async fn originals_of(
    docker: &Docker,
    request: &Request,
    apps: &[&App],
) -> Result<BTreeMap<ContainerId, Original>, DockerError> {
    let mut originals = BTreeMap::new();
    if !matches!(request, Request::Adopt { .. } | Request::GiveBack { .. }) {
        return Ok(originals);
    }
    let strangers = apps.iter().filter(|app| !app.managed).flat_map(|app| &app.instances);
    for container in strangers.filter_map(|instance| instance.app.as_deref()) {
        if let Some(original) = docker.original(&container.id).await? {
            originals.insert(container.id.clone(), original);
        }
    }
    Ok(originals)
}

/// All networks, those that the apps are on with the addresses in use.
async fn networks_for(docker: &Docker, apps: &[&App]) -> Result<Vec<NetworkSeen>, DockerError> {
    let mut networks = docker.networks().await?;
    let used: BTreeSet<&String> = apps
        .iter()
        .flat_map(|app| &app.instances)
        .filter_map(|instance| instance.owner())
        .flat_map(|owner| owner.networks.keys())
        .collect();
    for network in networks.iter_mut().filter(|network| used.contains(&network.name)) {
        if let Ok(name) = ObjectName::new(&*network.name)
            && let Some(seen) = docker.network(&name).await?
        {
            *network = seen;
        }
    }
    Ok(networks)
}

/// The images a request names, and those the apps run, by reference.
async fn images_for(
    docker: &Docker,
    request: &Request,
    apps: &[&App],
) -> Result<BTreeMap<String, ImageSeen>, DockerError> {
    let mut references: BTreeSet<String> = match request {
        Request::Create { project, .. } => project.apps.values().map(|entry| entry.spec.image.clone()).collect(),
        Request::Deploy { image, project, .. } => {
            let of_file =
                project.iter().flat_map(|project| project.apps.values().map(|entry| entry.spec.image.clone()));
            image.iter().cloned().chain(of_file).collect()
        }
        _ => BTreeSet::new(),
    };
    let running = apps.iter().flat_map(|app| &app.instances).filter_map(|instance| instance.app.as_deref());
    for container in running {
        references.insert(container.image.to_string());
        references.insert(container.image_id.to_string());
        let spec = container.own.as_ref().and_then(|own: &OwnLabels| own.spec.as_ref());
        references.extend(spec.map(|spec| spec.image.clone()));
    }
    inspect_images(docker, references).await
}

async fn inspect_images(
    docker: &Docker,
    references: impl IntoIterator<Item = String>,
) -> Result<BTreeMap<String, ImageSeen>, DockerError> {
    let mut images = BTreeMap::new();
    for reference in references {
        // A reference that is none is the recipe's to refuse.
        let Ok(image) = ImageRef::new(&*reference) else { continue };
        if let Some(seen) = docker.image(&image).await? {
            images.insert(reference, seen);
        }
    }
    Ok(images)
}

/// Earlier revisions, newest first, from all sandboxes of the app: an instance added later knows fewer of them.
async fn revisions_for(
    docker: &Docker,
    request: &Request,
    apps: &[&App],
) -> Result<BTreeMap<AppId, Vec<RevisionRecord>>, DockerError> {
    let mut revisions = BTreeMap::new();
    // Whoever goes back to one, and whoever makes sandboxes go, in which they stand.
    let wanted = match request {
        Request::Rollback { .. } | Request::Scale { .. } => true,
        Request::Deploy { options, .. } | Request::Finish { options, .. } | Request::TakeBack { options, .. } => {
            let by_itself = |app: &&App| {
                let rollouts = app
                    .instances
                    .iter()
                    .filter_map(|one| Some(&one.app.as_deref()?.own.as_ref()?.spec.as_ref()?.rollout));
                let in_file = request.spec_in_file(&app.id).map(|spec| &spec.rollout);
                rollouts.chain(in_file).any(|rollout| rollout.surge == Some(true))
                    || app.instances.iter().any(|one| one.replaces().is_some())
            };
            options.allow_recreate || options.surge == Some(true) || apps.iter().any(by_itself)
        }
        _ => false,
    };
    if !wanted {
        return Ok(revisions);
    }
    for app in apps {
        let mut by_number = BTreeMap::new();
        for sandbox in app.instances.iter().filter_map(|instance| instance.sandbox.as_deref()) {
            for record in docker.read_revisions(&sandbox.id).await? {
                by_number.entry(record.revision).or_insert(record);
            }
        }
        revisions.insert(app.id.clone(), by_number.into_values().rev().collect());
    }
    Ok(revisions)
}

type Traffic = (BalancersSeen, BTreeMap<InstanceName, Vec<Place>>);

/// The balancers of the apps, those of the file and those that the running instances were made with, and the instances that
/// an operation which died has left drained.
async fn traffic_of(
    docker: &Docker,
    request: &Request,
    fleet: &Fleet,
    apps: &[&App],
    trusts_labels: bool,
) -> Result<Traffic, DockerError> {
    let mut trust = Trust { labels: trusts_labels, file: Vec::new() };
    let mut managed: Vec<Cow<'_, App>> = apps.iter().filter(|app| app.managed).map(|app| Cow::Borrowed(*app)).collect();
    if let Request::Adopt { wish, .. } | Request::GiveBack { wish, .. } = request {
        join(&mut managed, &recipe::becoming(wish, fleet));
    }
    let mut balanced = Vec::new();
    for app in &managed {
        let in_file = request.spec_in_file(&app.id).map_or(&[][..], |spec| &spec.rollout.balancers);
        trust.file.extend_from_slice(in_file);
        let specs = balancer::distinct(in_file.iter().chain(&balancer::of_app(app)));
        if !specs.is_empty() {
            balanced.push((&**app, specs));
        }
    }
    let apps: Vec<_> = balanced.iter().map(|(app, _)| *app).collect();
    let left = balancers::left_drained(docker, &apps, &trust);
    let (seen, left) = tokio::join!(balancers::look(balanced, &trust), left);
    Ok((seen, left?))
}

/// Containers that become instances of apps stand among their instances: balancers know them already.
fn join(managed: &mut Vec<Cow<'_, App>>, becoming: &[Becoming<'_>]) {
    for one in becoming {
        let at = managed.iter().position(|app| app.id == one.app).unwrap_or_else(|| {
            managed.push(Cow::Owned(App { id: one.app.clone(), managed: true, instances: Vec::new() }));
            managed.len() - 1
        });
        managed[at].to_mut().instances.push(one.instance());
    }
}

/// The images of recorded revisions that are still there, by id.
async fn recorded_images(
    docker: &Docker,
    revisions: &BTreeMap<AppId, Vec<RevisionRecord>>,
) -> Result<BTreeMap<String, ImageSeen>, DockerError> {
    let ids: BTreeSet<String> = revisions.values().flatten().map(|record| record.image_id.clone()).collect();
    inspect_images(docker, ids).await
}
