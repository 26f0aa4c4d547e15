//! A plan: what an operation will do, step by step, before anything is done.
//!
//! A `Plan` is a list of steps whose needs point backwards only, so it is acyclic by construction. Each step is one
//! action on the engine with its cause and its deadline, and carries everything the executor needs: performing a
//! step decides nothing. Batches are edges, not a second concept.

use super::adopt::Adoption;
use super::balancer::{BalancerSpec, Place, Seat};
use super::fleet::MountSeen;
use super::hook::{Hook, Moment};
use super::ids::{AppId, ContainerId, ImageRef, InstanceName, ObjectName, OpId};
use super::options::{Gate, OnDrainTimeout, OnFailure, Options, PullPolicy};
use super::probe::ProbeSpec;
use super::project::{NetworkSpec, VolumeSpec};
use super::record::Goal;
use super::spec::{AppSpec, RestartPolicy, SandboxSpec};
use super::warm::HoldAt;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

/// A step's place in [`Plan::steps`].
pub type StepId = usize;

/// What kind of request an operation answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Create,
    Deploy,
    Restart,
    Rollback,
    Scale,
    Remove,
    Adopt,
    Repair,
}

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

/// Forward, or putting back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lane {
    #[default]
    Main,
    /// Runs only when its instance failed or is aborted.
    Undo,
}

/// An operation, planned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    pub kind: Kind,
    /// `shop/web`, or the project's name when several apps are concerned.
    pub app: String,
    /// Image references before and after, where they apply.
    pub from: Option<String>,
    pub to: Option<String>,
    /// The earlier revision that a rollback brings back.
    pub revision: Option<u32>,
    /// The operation that this one goes on with or takes back.
    pub resumes: Option<OpId>,
    /// What was asked for, for going on with it after the console has died.
    pub goal: Option<Goal>,
    /// How, as far as a person said so, for the same reason.
    pub options: Options,
    pub batches: Vec<Vec<InstanceName>>,
    /// New instances, each with the one whose place it takes: the two succeed or fail together.
    pub replaces: BTreeMap<InstanceName, InstanceName>,
    pub steps: Vec<Step>,
    /// Where a person is asked, settled from options and spec.
    pub gate: Gate,
    pub on_failure: OnFailure,
    /// Steps of creation that may run side by side.
    pub parallel: usize,
    /// What it can't help, a sentence each: the rest is done all the same, and the end is a failure.
    pub hopeless: Vec<String>,
    /// What the user should know before: risks, things left alone, why in place or not. Sentences.
    pub notes: Vec<String>,
}

/// One action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    pub instance: Option<InstanceName>,
    /// From 1; `None` for what belongs to no batch.
    pub batch: Option<usize>,
    /// Steps that must have succeeded (in the undo lane: have ended) before this one starts; each smaller than this step's own id.
    pub needs: Vec<StepId>,
    pub lane: Lane,
    /// Undo lane: the main steps this one takes back; when none of them was ever started, it is skipped.
    pub undoes: Vec<StepId>,
    /// Why, as a sentence for people.
    pub cause: String,
    pub deadline: Duration,
    pub task: Task,
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

/// Why an operation is not even begun.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The request makes no sense here: exit code 2.
    #[error("{0}")]
    Usage(String),
    /// It makes sense, but is not allowed like this: exit code 4.
    #[error("{0}")]
    Refused(String),
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
}

impl Kind {
    /// The word in events and on screen.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Deploy => "deploy",
            Self::Restart => "restart",
            Self::Rollback => "rollback",
            Self::Scale => "scale",
            Self::Remove => "remove",
            Self::Adopt => "adopt",
            Self::Repair => "repair",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for Kind {
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

impl Plan {
    /// One that does nothing yet.
    pub fn empty(kind: Kind, app: impl Into<String>) -> Self {
        Self {
            kind,
            app: app.into(),
            from: None,
            to: None,
            revision: None,
            resumes: None,
            goal: None,
            options: Options::default(),
            batches: Vec::new(),
            replaces: BTreeMap::new(),
            steps: Vec::new(),
            gate: Gate::default(),
            on_failure: OnFailure::default(),
            parallel: 1,
            hopeless: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// One that does nothing, and says why.
    pub fn nothing(kind: Kind, app: impl Into<String>, why: impl Into<String>) -> Self {
        Self { notes: vec![why.into()], ..Self::empty(kind, app) }
    }

    /// How many instances each batch handles; one that makes room for another is counted with that one.
    pub fn batch_sizes(&self) -> impl Iterator<Item = usize> {
        let old = |name: &&InstanceName| self.replaces.values().any(|old| old == *name);
        self.batches.iter().map(move |batch| batch.iter().filter(|name| !old(name)).count())
    }

    /// Nothing to do.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// The first broken invariant, if any: needs and targets point backwards, undo steps undo main steps of their own
    /// instance, main steps need only main steps, batches hold each instance once.
    pub fn broken(&self) -> Option<String> {
        let mut seen = BTreeSet::new();
        if let Some(twice) = self.batches.iter().flatten().find(|name| !seen.insert((*name).clone())) {
            return Some(format!("{twice} is in two batches"));
        }
        for (id, step) in self.steps.iter().enumerate() {
            if let Some(need) =
                step.needs.iter().chain(&step.undoes).chain(&step.task.made_by()).find(|need| **need >= id)
            {
                return Some(format!("step {id} points forward to {need}"));
            }
            if step.lane == Lane::Main
                && (!step.undoes.is_empty() || step.needs.iter().any(|need| self.steps[*need].lane == Lane::Undo))
            {
                return Some(format!("main step {id} depends on the undo lane"));
            }
            let foreign =
                |main: &&StepId| self.steps[**main].lane == Lane::Undo || self.steps[**main].instance != step.instance;
            if step.lane == Lane::Undo && (step.undoes.is_empty() || step.undoes.iter().any(|main| foreign(&main))) {
                return Some(format!("undo step {id} takes back nothing, or something foreign"));
            }
            if let Some(batch) = step.batch {
                let here = step
                    .instance
                    .as_ref()
                    .is_some_and(|name| self.batches.get(batch.wrapping_sub(1)).is_some_and(|b| b.contains(name)));
                if !here {
                    return Some(format!("step {id} is not of its batch {batch}"));
                }
            }
        }
        None
    }
}

impl Task {
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
