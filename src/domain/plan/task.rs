//! What one step of a plan does, with all that doing it needs: performing it decides nothing.

use super::StepId;
use crate::domain::adopt::Adoption;
use crate::domain::balancer::{BalancerSpec, Place, Seat};
use crate::domain::fleet::MountSeen;
use crate::domain::hook::{Hook, Moment};
use crate::domain::ids::{AppId, ContainerId, ImageRef, ObjectName};
use crate::domain::options::{OnDrainTimeout, PullPolicy};
use crate::domain::probe::ProbeSpec;
use crate::domain::project::{NetworkSpec, VolumeSpec};
use crate::domain::spec::{AppSpec, RestartPolicy, SandboxSpec};
use crate::domain::warm::HoldAt;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

/// The word for a step's action in events and on screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    Pull,
    Network,
    Volume,
    SandboxCreate,
    SandboxStart,
    Create,
    PreDrain,
    Drain,
    PreStop,
    Stop,
    Start,
    /// Boots, held back by the sandbox while the old version serves.
    Warm,
    Restart,
    Ready,
    PostReady,
    Attach,
    Verify,
    Park,
    Remove,
    Rename,
    Reserve,
}

/// A container that is there already, or that a step will make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    Known {
        id: ContainerId,
        name: String,
    },
    /// The container made by that `SandboxCreate` or `Create` step.
    Made {
        step: StepId,
        name: String,
    },
}

/// What a step does, with all it needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Task {
    /// Makes the image available and resolves it to an id.
    Pull {
        image: ImageRef,
        policy: PullPolicy,
    },
    /// Makes the network unless it is there; without an address plan of its own it gets a subnet with room for pinned addresses.
    Network {
        spec: NetworkSpec,
        project: String,
    },
    Volume {
        spec: VolumeSpec,
        project: String,
    },
    /// Creates a sandbox, its address picked and pinned where the network allows it.
    SandboxCreate {
        draft: Box<SandboxDraft>,
    },
    SandboxStart {
        sandbox: Target,
    },
    /// Before a container that nothing holds is stopped: finds out on which of its networks its address can be asked for,
    /// and takes the free addresses below it for a while, so that it is the next one that the engine hands out.
    Reserve {
        app: AppId,
        /// By network.
        addresses: BTreeMap<String, String>,
        /// What was taken is given back by then, whatever becomes of this console.
        lease: Duration,
    },
    /// Starts the sandbox that takes the place of a container which has just stopped.
    TakeOver {
        sandbox: Target,
        /// By network.
        addresses: BTreeMap<String, String>,
        /// Another address is a failure.
        strict: bool,
    },
    /// Gives back what was reserved.
    Release {
        places: StepId,
    },
    /// Creates an app container joined to its sandbox; not started.
    Create {
        draft: Box<AppDraft>,
    },
    /// Takes an instance out of its load balancers and waits until its sessions there have ended.
    Drain {
        places: Vec<Place>,
        /// Where it is written down that it was taken out, until it is put back.
        sandbox: Option<Target>,
        timeout: Duration,
        on_timeout: OnDrainTimeout,
    },
    /// Puts it back and waits until each balancer sends it requests.
    Attach {
        places: Vec<Place>,
        sandbox: Option<Target>,
        /// Only while this one runs: what was going to be removed may be gone.
        only_with: Option<Target>,
        timeout: Duration,
    },
    /// Finds an instance that was just made among these balancers' servers, and puts it in where its place is out: an
    /// earlier one that was removed has left it so.
    Join {
        balancers: Vec<BalancerSpec>,
        sandbox: Target,
        timeout: Duration,
        /// Servers that are its own from now on, wherever they sent requests before: it has to serve there.
        seats: Vec<Seat>,
    },
    /// Runs one of the app's own commands in its container, which has to end with 0 in time.
    Hook {
        container: Target,
        moment: Moment,
        hook: Hook,
    },
    Stop {
        container: Target,
        grace: Option<Duration>,
    },
    /// `restart`: the policy to set first (undo of a park).
    Start {
        container: Target,
        restart: Option<RestartPolicy>,
    },
    /// Starts a new container that the sandbox holds back.
    StartHeld {
        container: Target,
        sandbox: Target,
        hold: HoldAt,
    },
    /// Waits until it stands where it is held.
    Warm {
        container: Target,
        sandbox: Target,
        hold: HoldAt,
        timeout: Duration,
    },
    /// Stops the old container, and has the held one let go in the same moment.
    Swap {
        container: Target,
        grace: Option<Duration>,
        next: Target,
        sandbox: Target,
        hold: HoldAt,
        watch: Option<ProbeSpec>,
        /// While both versions have the port: what the new one has to pass before the old one is stopped, as far as it goes by
        /// the container and not by the port, where either would answer; `prefer_health` as for `Ready`.
        probe: ProbeSpec,
        prefer_health: bool,
        timeout: Duration,
    },
    /// Waits until the probe passes and has passed for `min_ready`.
    Ready {
        container: Target,
        sandbox: Option<Target>,
        probe: ProbeSpec,
        /// Nobody chose a probe: the container's own HEALTHCHECK goes before `probe` if it has one.
        prefer_health: bool,
        min_ready: Duration,
        timeout: Duration,
    },
    /// Before anything is touched: the parts are as planned, the identity is read, the watch of the gap begins.
    Preflight {
        container: Option<Target>,
        sandbox: Option<Target>,
        watch: Option<ProbeSpec>,
        /// The addresses it had, by network, where its sandbox was down or gone so that no reading can tell.
        addresses: BTreeMap<String, String>,
    },
    /// Reads the identity again and judges it.
    Verify {
        container: Target,
        sandbox: Option<Target>,
        /// Other app containers of the same sandbox: if one of them runs, nobody knows who answered the probe.
        rivals: Vec<Target>,
    },
    /// Lets a container go on that somebody paused.
    Unpause {
        container: Target,
    },
    /// Writes revisions down in the sandbox, for a later rollback.
    Record {
        sandbox: Target,
        records: Vec<RevisionRecord>,
    },
    /// Keeps the old container as the way back until all is done: without a restart policy.
    Park {
        container: Target,
    },
    /// Takes a park back without starting anything.
    Unpark {
        container: Target,
        restart: RestartPolicy,
    },
    /// Removes a container; `volumes`: with its anonymous volumes.
    Remove {
        container: Target,
        volumes: bool,
    },
    RemoveNetwork {
        name: ObjectName,
    },
    RemoveVolume {
        name: ObjectName,
    },
    Rename {
        container: Target,
        to: ObjectName,
    },
}

/// A sandbox to create.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SandboxDraft {
    pub app: AppId,
    pub number: u32,
    /// Ports already chosen for this instance.
    pub spec: SandboxSpec,
    pub spec_hash: String,
    /// Addresses to ask for again, by network (a sandbox that is replaced).
    pub addresses: BTreeMap<String, String>,
    /// The container whose place it takes.
    pub adoption: Option<Adoption>,
    /// Networks on which no address can be asked for.
    pub unpinned: BTreeSet<String>,
    /// A container of the instance whose place this one takes.
    pub replaces: Option<ContainerId>,
}

/// An app container to create.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppDraft {
    pub app: AppId,
    pub number: u32,
    pub revision: u32,
    pub spec: AppSpec,
    pub spec_hash: String,
    /// The pull step whose image id is used; without one `spec.image` is used as it is.
    pub image: Option<StepId>,
    /// Use exactly this image id instead (rollback).
    pub image_id: Option<String>,
    pub sandbox: Target,
    /// Anonymous volumes of the container it replaces, carried over by name.
    pub carry: Vec<MountSeen>,
    /// A container of the instance whose place this one takes.
    pub replaces: Option<ContainerId>,
    /// It is going to be held back, so the guest stands in front of its program.
    pub hold: Option<HoldAt>,
}

/// A revision as it is kept in the sandbox for a later rollback.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RevisionRecord {
    pub revision: u32,
    pub image_id: String,
    /// `name@sha256:…`, by which the image can be pulled again when the engine has it no more.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub digests: Vec<String>,
    /// With environment values: the record is as private as the container itself.
    pub spec: AppSpec,
}

impl Task {
    /// The word of the contract.
    pub fn action(&self) -> Action {
        match self {
            Self::Pull { .. } => Action::Pull,
            Self::Network { .. } => Action::Network,
            Self::Volume { .. } => Action::Volume,
            Self::SandboxCreate { .. } => Action::SandboxCreate,
            Self::SandboxStart { .. } | Self::TakeOver { .. } => Action::SandboxStart,
            Self::Reserve { .. } => Action::Reserve,
            Self::Create { .. } => Action::Create,
            Self::Drain { .. } => Action::Drain,
            Self::Attach { .. } | Self::Join { .. } => Action::Attach,
            Self::Hook { moment, .. } => moment.action(),
            Self::Stop { .. } | Self::Swap { .. } => Action::Stop,
            Self::Start { .. } | Self::StartHeld { .. } | Self::Unpause { .. } => Action::Start,
            Self::Warm { .. } => Action::Warm,
            Self::Ready { .. } => Action::Ready,
            Self::Preflight { .. } | Self::Verify { .. } => Action::Verify,
            Self::Record { .. } | Self::Park { .. } | Self::Unpark { .. } => Action::Park,
            Self::Remove { .. } | Self::RemoveNetwork { .. } | Self::RemoveVolume { .. } | Self::Release { .. } => {
                Action::Remove
            }
            Self::Rename { .. } => Action::Rename,
        }
    }

    /// What it waits for, if it waits until an instance is ready.
    pub fn probe(&self) -> Option<&ProbeSpec> {
        match self {
            Self::Ready { probe, .. } => Some(probe),
            _ => None,
        }
    }

    /// The steps whose product this task uses.
    pub fn made_by(&self) -> Vec<StepId> {
        let of = |target: &Target| match target {
            Target::Made { step, .. } => Some(*step),
            Target::Known { .. } => None,
        };
        match self {
            Self::Pull { .. }
            | Self::Network { .. }
            | Self::Volume { .. }
            | Self::Reserve { .. }
            | Self::RemoveNetwork { .. }
            | Self::RemoveVolume { .. } => Vec::new(),
            Self::SandboxCreate { draft } => draft.adoption.iter().filter_map(|adoption| adoption.places).collect(),
            Self::TakeOver { sandbox, .. } => of(sandbox).into_iter().collect(),
            Self::Release { places } => vec![*places],
            Self::Create { draft } => of(&draft.sandbox).into_iter().chain(draft.image).collect(),
            Self::Hook { container, .. }
            | Self::Stop { container, .. }
            | Self::Start { container, .. }
            | Self::Park { container }
            | Self::Unpark { container, .. }
            | Self::Unpause { container }
            | Self::Remove { container, .. }
            | Self::Rename { container, .. } => of(container).into_iter().collect(),
            Self::StartHeld { container, sandbox, .. } | Self::Warm { container, sandbox, .. } => {
                of(container).into_iter().chain(of(sandbox)).collect()
            }
            Self::Swap { container, next, sandbox, .. } => {
                [container, next, sandbox].into_iter().filter_map(of).collect()
            }
            Self::Ready { container, sandbox, .. } => {
                of(container).into_iter().chain(sandbox.as_ref().and_then(of)).collect()
            }
            Self::Verify { container, sandbox, rivals } => of(container)
                .into_iter()
                .chain(sandbox.as_ref().and_then(of))
                .chain(rivals.iter().filter_map(of))
                .collect(),
            Self::Preflight { container, sandbox, .. } => {
                container.as_ref().and_then(of).into_iter().chain(sandbox.as_ref().and_then(of)).collect()
            }
            Self::Drain { sandbox, .. } => sandbox.as_ref().and_then(of).into_iter().collect(),
            Self::Attach { sandbox, only_with, .. } => sandbox.iter().chain(only_with).filter_map(of).collect(),
            Self::SandboxStart { sandbox } | Self::Record { sandbox, .. } | Self::Join { sandbox, .. } => {
                of(sandbox).into_iter().collect()
            }
        }
    }
}

impl Action {
    /// The word in events and on screen.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Network => "network",
            Self::Volume => "volume",
            Self::SandboxCreate => "sandbox_create",
            Self::SandboxStart => "sandbox_start",
            Self::Create => "create",
            Self::PreDrain => "pre_drain",
            Self::Drain => "drain",
            Self::PreStop => "pre_stop",
            Self::Stop => "stop",
            Self::Start => "start",
            Self::Warm => "warm",
            Self::Restart => "restart",
            Self::Ready => "ready",
            Self::PostReady => "post_ready",
            Self::Attach => "attach",
            Self::Verify => "verify",
            Self::Park => "park",
            Self::Remove => "remove",
            Self::Rename => "rename",
            Self::Reserve => "reserve",
        }
    }

    /// It only waits for something: cut short, it has changed nothing whose outcome would be unknown.
    pub fn is_wait(self) -> bool {
        matches!(self, Self::Ready | Self::Warm | Self::Pull | Self::Drain)
    }

    /// It runs a command of the user's.
    pub fn is_hook(self) -> bool {
        matches!(self, Self::PreDrain | Self::PreStop | Self::PostReady)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Target {
    /// The container's name, for people.
    pub fn name(&self) -> &str {
        match self {
            Self::Known { name, .. } | Self::Made { name, .. } => name,
        }
    }
}
