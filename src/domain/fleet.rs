//! What the engine has now: apps, their instances, and the containers those are made of.
//!
//! Observations only, already cleaned and typed; how containers become apps is [`Fleet::assemble`]. What to do about
//! what is seen is for recipes. Must not remember anything between two readings.

mod assemble;

use super::clean::Clean;
use super::environment::Environment;
use super::few::Few;
use super::identity::{Address, Hold, Identity, Verdict};
use super::ids::{AppId, ContainerId, InstanceName};
use super::labels::OwnLabels;
use super::lock::STILLBORN;
use super::spec::{MountKind, RestartPolicy};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Who answers on the socket.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineInfo {
    /// Where it is: `unix:///var/run/docker.sock`, a context's host …
    pub host: String,
    /// The Docker context it came from, if any.
    pub context: Option<String>,
    /// The machine's own name.
    pub name: String,
    /// The engine's own id and where it keeps its data, which no two engines have in common; empty where it tells neither.
    #[serde(skip)]
    pub id: String,
    pub version: String,
    /// The version spoken, e.g. `1.41`.
    pub api_version: String,
    pub os: String,
    /// Docker's names: `amd64`, `arm64` …
    pub arch: String,
    /// Its kernel's: `6.1.0-18-amd64`.
    #[serde(skip)]
    pub kernel: String,
    /// Podman answers, in Docker's words; they differ here and there.
    #[serde(skip)]
    pub podman: bool,
    pub cpus: u32,
    /// Bytes.
    pub memory: u64,
    /// Containers survive a restart of the daemon.
    pub live_restore: bool,
}

impl EngineInfo {
    /// Who it is.
    pub fn product(&self) -> &'static str {
        if self.podman { "Podman" } else { "Docker" }
    }
}

/// A container's state as Docker names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    Created,
    Running,
    Paused,
    Restarting,
    Removing,
    Exited,
    Dead,
    /// A word this version does not know.
    Unknown,
}

/// The result of a HEALTHCHECK.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    Starting,
    Healthy,
    Unhealthy,
}

/// A published port as it is: `host_ip:host_port -> container/protocol`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BoundPort {
    pub container: u16,
    pub protocol: String,
    pub host: Option<(String, u16)>,
}

/// A mount as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountSeen {
    pub kind: MountKind,
    /// Volume name or host path.
    pub source: String,
    pub target: String,
    pub read_only: bool,
}

/// One container as the list shows it, with what only an inspection shows in `detail`.
///
/// Fleets share it: of thousands, one reading differs from the next in a few.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Container {
    pub id: ContainerId,
    pub name: Clean,
    /// The reference it was created with.
    pub image: Clean,
    /// `sha256:…`
    pub image_id: Clean,
    pub state: State,
    pub health: Option<Health>,
    /// Docker's sentence, e.g. `Up 3 hours`.
    pub status: Clean,
    pub created: Option<Timestamp>,
    /// `None` for a stranger's container.
    pub own: Option<OwnLabels>,
    /// Compose's project, service and number.
    pub compose: Option<(Clean, Clean, u32)>,
    /// Those that are not pitstop's own.
    pub labels: Few<Clean, Clean>,
    /// By network name; an exited container's may be stale.
    pub networks: Few<String, Address>,
    pub ports: Vec<BoundPort>,
    pub mounts: Vec<MountSeen>,
    /// `bridge`, `host`, `none`, a network's name, or `container:<id>`.
    pub network_mode: Clean,
    /// Large, and the same for as long as nothing happens to the container.
    pub detail: Option<Arc<Detail>>,
}

/// What only an inspection of one container tells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Detail {
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    pub exit_code: i64,
    pub oom_killed: bool,
    /// The engine's error text of the last start.
    pub error: Clean,
    /// 0 when it does not run.
    pub pid: u32,
    pub restart_count: u32,
    /// Path of the network namespace in the engine; empty for a container that joined another's.
    pub netns: String,
    pub hostname: Clean,
    pub restart: RestartPolicy,
    /// The engine removes it as soon as it ends (`docker run --rm`).
    pub auto_remove: bool,
    /// Values are secrets: for plans, never for display without asking.
    pub environment: Environment,
    /// Addresses asked for at creation, by network.
    pub pinned: Few<String, Address>,
    /// Of an app container: the addresses its sandbox was pinned to when it was made, by network.
    pub former: BTreeMap<String, String>,
    /// Of a sandbox: the container whose place it was made to take.
    pub adopts: Option<ContainerId>,
    /// Milliseconds; `None`: the engine's default of 10 s.
    pub stop_grace_ms: Option<u64>,
    pub has_healthcheck: bool,
    /// Its HEALTHCHECK in Docker's form (`["CMD", …]`, `["CMD-SHELL", command]`); empty: none.
    pub healthcheck: Vec<String>,
    /// How long one run of it may take, in milliseconds; `None`: the engine's default of 30 s.
    pub health_timeout_ms: Option<u64>,
    /// What runs a `CMD-SHELL`; empty: `/bin/sh -c`.
    pub shell: Vec<String>,
    /// Bytes; `None`: no limit of its own.
    pub memory_limit: Option<u64>,
    pub tty: bool,
    /// TCP ports the image or the container exposes.
    pub exposed: Vec<u16>,
    /// Of a sandbox: the version of its guest; 0: it does not say.
    pub guest: u32,
}

/// One replica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    pub name: InstanceName,
    /// From 1; 0 where there is none.
    pub number: u32,
    pub sandbox: Option<Arc<Container>>,
    /// The app container that serves, or served last.
    pub app: Option<Arc<Container>>,
    /// Other containers of this instance: parked old ones, new ones not started yet, a sandbox put aside. Those that
    /// run first, then by revision.
    pub others: Vec<Arc<Container>>,
}

/// An app and its instances.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct App {
    pub id: AppId,
    /// Created by pitstop, with sandboxes.
    pub managed: bool,
    /// By number, then name.
    pub instances: Vec<Instance>,
}

/// Everything the engine has, sorted by project and app, unmanaged apps last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fleet {
    pub engine: EngineInfo,
    pub apps: Vec<App>,
    /// Managed apps whose lock is there: somebody is at work.
    pub busy: BTreeMap<AppId, Busy>,
}

impl Container {
    pub fn is_running(&self) -> bool {
        self.state == State::Running
    }

    /// It has processes, so it must be stopped before it can be replaced or removed.
    pub fn is_alive(&self) -> bool {
        matches!(self.state, State::Running | State::Paused | State::Restarting)
    }

    /// The revision it carries; 0 when it does not say.
    pub fn revision(&self) -> u32 {
        self.own.as_ref().map_or(0, |own| own.revision)
    }

    /// When it started last, if that is known.
    pub fn started_at(&self) -> Option<Timestamp> {
        self.detail.as_ref().and_then(|detail| detail.started_at)
    }

    /// The image as a person wrote it: an app container is created by image id, its label says which reference was meant.
    pub fn image_name(&self) -> &str {
        let meant = self.own.as_ref().and_then(|own| own.spec.as_ref()).map(|spec| spec.image.as_str());
        meant.filter(|image| !image.is_empty()).unwrap_or(&self.image)
    }

    /// The container whose network namespace it joined.
    pub fn joined(&self) -> Option<&str> {
        self.network_mode.strip_prefix("container:")
    }
}

impl Instance {
    /// The container that owns the network namespace: the sandbox, or the app container itself when unmanaged.
    pub fn owner(&self) -> Option<&Container> {
        self.sandbox.as_deref().or(self.app.as_deref())
    }

    /// Every container of it: the sandbox, the one that serves, the others.
    pub fn containers(&self) -> impl Iterator<Item = &Container> {
        self.sandbox.as_deref().into_iter().chain(self.but_sandbox())
    }

    /// Every container but the sandbox that holds its address; the one that serves first.
    pub fn but_sandbox(&self) -> impl Iterator<Item = &Container> {
        self.app.iter().chain(&self.others).map(Arc::as_ref)
    }

    /// It was made to take the place of the instance that this container belongs to.
    pub fn replaces(&self) -> Option<&ContainerId> {
        self.containers().filter_map(|container| container.own.as_ref()).find_map(|own| own.replaces.as_ref())
    }

    /// That container is a part of it.
    pub fn has(&self, id: &ContainerId) -> bool {
        self.containers().any(|container| container.id == *id)
    }

    /// In which state a person would say it is.
    pub fn state(&self) -> State {
        self.app.as_deref().map_or(State::Created, |app| app.state)
    }

    /// Runs, in a live namespace, and its health check (if it has one) does not say otherwise.
    pub fn is_ready(&self) -> bool {
        self.runs_as(|health| matches!(health, None | Some(Health::Healthy)))
    }

    /// It runs, and nobody says that it does not work: ready, or its health check has not spoken yet, which takes Docker an
    /// interval after each start. What may serve must not be taken for out.
    pub fn may_serve(&self) -> bool {
        self.runs_as(|health| health != Some(Health::Unhealthy))
    }

    /// It runs in a live namespace, with a health that is `good`.
    fn runs_as(&self, good: impl Fn(Option<Health>) -> bool) -> bool {
        self.app.as_deref().is_some_and(|app| app.is_running() && good(app.health))
            && !matches!(self.hold(), Some(Hold::Orphaned) | None)
    }

    /// It runs, and its health check says that it does not work.
    pub fn is_unhealthy(&self) -> bool {
        self.app.as_deref().is_some_and(|app| app.is_running() && app.health == Some(Health::Unhealthy))
    }

    /// How the address is held; `None` when the namespace's owner does not run, so there is no address.
    pub fn hold(&self) -> Option<Hold> {
        let app = self.app.as_deref()?;
        let Some(sandbox) = &self.sandbox else {
            // One of ours without its sandbox sits in what is left of a namespace that nobody owns any more.
            let hold = if app.own.is_some() { Hold::Orphaned } else { Hold::Loose };
            return app.is_running().then_some(hold);
        };
        if !sandbox.is_running() {
            return None;
        }
        if app.joined().is_some_and(|id| id != sandbox.id.as_str()) {
            return Some(Hold::Orphaned);
        }
        if app.is_running() && app.started_at().zip(sandbox.started_at()).is_some_and(|(app, sandbox)| app < sandbox) {
            return Some(Hold::Orphaned);
        }
        let held = |now: &Option<String>, pin: &Option<String>| now.is_none() || pin.is_some();
        let pinned = sandbox.detail.as_ref().is_none_or(|detail| {
            sandbox.networks.iter().all(|(network, now)| {
                let pin = detail.pinned.get(network);
                pin.is_some_and(|pin| held(&now.ipv4, &pin.ipv4) && held(&now.ipv6, &pin.ipv6))
            })
        });
        Some(if pinned { Hold::Pinned } else { Hold::Unpinned })
    }

    /// What its identity is worth at rest, with no earlier reading to compare with.
    pub fn standing(&self) -> Verdict {
        match self.hold() {
            None => Verdict::Lost,
            Some(Hold::Orphaned) => Verdict::Orphaned,
            Some(Hold::Pinned | Hold::Unpinned) if self.moved() => Verdict::Changed,
            Some(Hold::Pinned) => Verdict::Kept,
            Some(Hold::Unpinned | Hold::Loose) => Verdict::Unprotected,
        }
    }

    /// The sandbox was given an address other than the one it is pinned to.
    fn moved(&self) -> bool {
        let Some(sandbox) = &self.sandbox else { return false };
        let Some(detail) = &sandbox.detail else { return false };
        let elsewhere = |now: &Option<String>, pin: &Option<String>| now.is_some() && pin.is_some() && now != pin;
        detail.pinned.iter().any(|(network, pin)| {
            let now = sandbox.networks.get(network);
            now.is_some_and(|now| elsewhere(&now.ipv4, &pin.ipv4) || elsewhere(&now.ipv6, &pin.ipv6))
        })
    }

    /// Its identity now; `None` while the namespace's owner does not run or was not inspected.
    pub fn identity(&self) -> Option<Identity> {
        let owner = self.owner().filter(|owner| owner.is_running())?;
        let detail = owner.detail.as_ref()?;
        let mut ports: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for port in &owner.ports {
            if let Some((ip, host)) = &port.host {
                ports.entry(format!("{}/{}", port.container, port.protocol)).or_default().push(format!("{ip}:{host}"));
            }
        }
        Some(Identity {
            networks: owner.networks.iter().map(|(name, now)| (name.clone(), now.clone())).collect(),
            netns: Some(detail.netns.clone()).filter(|netns| !netns.is_empty()),
            hostname: Some(detail.hostname.to_string()).filter(|hostname| !hostname.is_empty()),
            ports: ports
                .into_iter()
                .map(|(port, mut hosts)| {
                    hosts.sort();
                    (port, hosts.join(", "))
                })
                .collect(),
            volumes: self
                .app
                .iter()
                .flat_map(|app| &app.mounts)
                .filter(|mount| mount.kind != MountKind::Tmpfs)
                .map(|mount| (mount.target.clone(), mount.source.clone()))
                .collect(),
        })
    }

    /// The first IPv4 address of a running owner, for one-line views.
    pub fn address(&self) -> Option<&str> {
        self.owner().filter(|owner| owner.is_running())?.networks.values().find_map(|address| address.ipv4.as_deref())
    }

    /// The revision that serves.
    pub fn revision(&self) -> Option<u32> {
        self.app.as_deref()?.own.as_ref().map(|own| own.revision)
    }
}

impl App {
    /// Instances that are ready.
    pub fn ready(&self) -> usize {
        self.instances.iter().filter(|instance| instance.is_ready()).count()
    }

    /// The highest revision any instance serves.
    pub fn revision(&self) -> Option<u32> {
        self.instances.iter().filter_map(Instance::revision).max()
    }

    /// The image of the highest revision, as somebody wrote it.
    pub fn image(&self) -> Option<&str> {
        self.instances
            .iter()
            .filter_map(|instance| instance.app.as_deref())
            .max_by_key(|app| app.revision())
            .map(Container::image_name)
    }
}

/// Whether somebody is at work on an app.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Busy {
    /// Its lock was created then and does not run: it counts for a moment only, for its maker may have died.
    Since(Timestamp),
    /// Its lock is held, or nobody can tell.
    Held,
}

impl Busy {
    /// Whether it counts at that time, by the clock of who looks.
    pub fn counts(self, now: Timestamp) -> bool {
        match self {
            Self::Since(created) => created.saturating_add(STILLBORN).map_or(true, |until| now <= until),
            Self::Held => true,
        }
    }
}

/// A network as the engine has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkSeen {
    pub id: String,
    pub name: String,
    pub driver: String,
    pub internal: bool,
    /// Pools as configured: (subnet, ip range, gateway).
    pub pools: Vec<super::project::Subnet>,
    pub labels: BTreeMap<String, String>,
    /// Addresses of running containers on it (only an inspection tells them).
    pub addresses: Vec<String>,
}

/// A volume as the engine has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VolumeSeen {
    pub name: String,
    pub driver: String,
    pub labels: BTreeMap<String, String>,
}

/// The live list as the console shows it; a dead engine never looks like an empty fleet.
#[derive(Clone, Debug, Default)]
pub enum FleetState {
    #[default]
    Loading,
    Live(Arc<Fleet>),
    /// The last list, and since when and why it is stale.
    Stale {
        fleet: Option<Arc<Fleet>>,
        since: Timestamp,
        error: String,
        /// The next attempt is due after this long.
        retry_in: std::time::Duration,
    },
}

impl FleetState {
    /// A list as it is now; whoever looks at it shares it.
    pub fn live(fleet: Fleet) -> Self {
        Self::Live(Arc::new(fleet))
    }

    /// The last fleet known, live or stale.
    pub fn fleet(&self) -> Option<&Fleet> {
        match self {
            Self::Loading => None,
            Self::Live(fleet) => Some(fleet),
            Self::Stale { fleet, .. } => fleet.as_deref(),
        }
    }

    /// As [`FleetState::fleet`], taken out.
    pub fn into_fleet(self) -> Option<Arc<Fleet>> {
        match self {
            Self::Loading => None,
            Self::Live(fleet) => Some(fleet),
            Self::Stale { fleet, .. } => fleet,
        }
    }
}
