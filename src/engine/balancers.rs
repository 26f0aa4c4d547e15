//! Reads the load balancers of apps: all side by side, because the slowest must not add up.
//!
//! One place for the plan, `ps`, the console and `doctor`. A specification found in a container's labels may name programs
//! to start; those are run only where the person at this machine has said so, since whoever may create a container may
//! write a label. Must not change anything.

use crate::balancer::Balancer;
use crate::docker::{Docker, DockerError};
use crate::domain::balancer::{self, BalancerSeen, BalancerSpec, BalancersSeen, Place, Wanted};
use crate::domain::fleet::{App, Container, Fleet};
use crate::domain::ids::InstanceName;
use crate::domain::labels::Role;
use futures_util::future::{join_all, try_join_all};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Whose commands may be run on this machine.
#[derive(Clone, Debug, Default)]
pub(super) struct Trust {
    /// Those that containers' labels name.
    pub labels: bool,
    /// Those of the file that the person has named.
    pub file: Vec<BalancerSpec>,
}

impl Trust {
    pub fn allows(&self, spec: &BalancerSpec) -> bool {
        self.labels || spec.commands().is_empty() || self.file.contains(spec)
    }
}

/// The balancers of every managed app, as its containers tell them.
pub(super) async fn of_fleet(fleet: &Fleet, trust: &Trust) -> BalancersSeen {
    let apps = fleet.apps.iter().filter(|app| app.managed);
    look(apps.map(|app| (app, balancer::of_app(app))), trust).await
}

/// Asks these balancers of each app.
pub(super) async fn look<'a>(
    apps: impl IntoIterator<Item = (&'a App, Vec<BalancerSpec>)>,
    trust: &Trust,
) -> BalancersSeen {
    let asked = apps.into_iter().filter(|(_, specs)| !specs.is_empty()).map(async |(app, specs)| {
        let seen = join_all(specs.into_iter().map(|spec| one(app, spec, trust))).await;
        (app.id.clone(), seen)
    });
    join_all(asked).await.into_iter().collect()
}

async fn one(app: &App, spec: BalancerSpec, trust: &Trust) -> BalancerSeen {
    if !trust.allows(&spec) {
        let servers = Err(format!(
            "{spec}: it names commands to run on this machine, and only labels in the engine say so, which others can write; \
             give its file with -f, or say `trust_commands = true` in the settings"
        ));
        return BalancerSeen { spec, servers };
    }
    let members: Vec<_> = app.instances.iter().filter_map(|one| Wanted::of(one).member()).collect();
    let servers = Balancer::of(&spec).servers(&members).await.map_err(|error| error.to_string());
    BalancerSeen { spec, servers }
}

/// Where an earlier operation has left instances of these apps drained: what is written in their sandboxes, also in one that
/// was put aside while another took its place.
pub(super) async fn left_drained(
    docker: &Docker,
    apps: &[&App],
    trust: &Trust,
) -> Result<BTreeMap<InstanceName, Vec<Place>>, DockerError> {
    let is_sandbox = |one: &&Container| one.own.as_ref().is_some_and(|own| own.role == Role::Sandbox);
    let noted = apps.iter().flat_map(|app| &app.instances).flat_map(|instance| {
        let aside = instance.others.iter().map(Arc::as_ref).filter(is_sandbox);
        instance.sandbox.as_deref().into_iter().chain(aside).map(move |sandbox| (instance, sandbox))
    });
    let read = noted.map(async |(instance, sandbox)| {
        let note = docker.read_drain_note(&sandbox.id).await?;
        Ok::<_, DockerError>((instance.name.clone(), note.map(|note| note.places).unwrap_or_default()))
    });
    let mut left: BTreeMap<InstanceName, Vec<Place>> = BTreeMap::new();
    for (name, mut places) in try_join_all(read).await? {
        places.retain(|place| trust.allows(&place.balancer));
        if !places.is_empty() {
            left.entry(name).or_default().extend(places);
        }
    }
    Ok(left)
}
