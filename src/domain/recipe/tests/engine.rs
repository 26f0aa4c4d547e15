//! An engine, with a balancer before it, that does what it is told, instantly; and that sees whether it should.

use super::world::{container, image_id};
use crate::domain::balancer::{Admin, Place, Seat, Server};
use crate::domain::facts::{Facts, ImageSeen};
use crate::domain::fleet::{Container, Detail, Fleet, NetworkSeen, State, VolumeSeen};
use crate::domain::identity::Address;
use crate::domain::ids::{AppId, ContainerId, InstanceName};
use crate::domain::labels::{OwnLabels, Role};
use crate::domain::plan::{Kind, Lane, Plan, StepId, Target, Task};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The world that plans are made for and run in.
pub struct Engine {
    pub facts: Facts,
    containers: Vec<Container>,
    made: BTreeMap<StepId, ContainerId>,
    /// Started by a plan, and not verified since.
    unproven: BTreeSet<ContainerId>,
    /// What is written in sandboxes about their drain.
    notes: BTreeMap<ContainerId, Vec<Place>>,
    next: u32,
    now: i64,
}

impl Engine {
    pub fn new(facts: &Facts) -> Self {
        let all = facts.fleet.apps.iter().flat_map(|app| &app.instances);
        let sandbox_of =
            |name: &InstanceName| all.clone().find(|one| one.name == *name).and_then(|one| one.sandbox.as_deref());
        let notes = facts.left_drained.iter();
        Self {
            facts: facts.clone(),
            containers: super::super::draft::all(facts).cloned().collect(),
            made: BTreeMap::new(),
            unproven: BTreeSet::new(),
            notes: notes.filter_map(|(name, places)| Some((sandbox_of(name)?.id.clone(), places.clone()))).collect(),
            next: 100_000,
            now: 1000,
        }
    }

    /// After how many steps of the main lane the world is another one: where it matters that a console dies.
    pub fn moments(facts: &Facts, plan: &Plan) -> Result<Vec<usize>, String> {
        let steps = plan.steps.iter().filter(|step| step.lane == Lane::Main).count();
        let mut moments = vec![0];
        let mut before = Self::new(facts);
        for count in 1..=steps {
            let mut engine = Self::new(facts);
            engine.run(plan, count)?;
            if !engine.is_like(&before) {
                moments.push(count);
                before = engine;
            }
        }
        Ok(moments)
    }

    /// The same containers, notes and servers.
    fn is_like(&self, other: &Self) -> bool {
        let all = |engine: &Self| {
            (engine.containers.clone(), engine.unproven.clone(), engine.notes.clone(), engine.facts.balancers.clone())
        };
        all(self) == all(other)
    }

    /// Does the first `count` steps of the main lane.
    pub fn run(&mut self, plan: &Plan, count: usize) -> Result<(), String> {
        self.made.clear();
        let main = plan.steps.iter().enumerate().filter(|(_, step)| step.lane == Lane::Main);
        for (id, step) in main.take(count) {
            if let (Task::Remove { container, .. }, false) = (&step.task, takes_away(plan)) {
                self.has_a_proven_successor(container)?;
            }
            self.perform(id, &step.task)?;
        }
        self.facts.fleet = Fleet::assemble(self.facts.fleet.engine.clone(), self.containers.clone());
        self.facts.left_drained.clear();
        for instance in self.facts.fleet.apps.iter().flat_map(|app| &app.instances) {
            let parts = instance.containers();
            let places: Vec<_> = parts.filter_map(|part| self.notes.get(&part.id)).flatten().cloned().collect();
            if !places.is_empty() {
                self.facts.left_drained.insert(instance.name.clone(), places);
            }
        }
        Ok(())
    }

    fn id(&self, target: &Target) -> ContainerId {
        match target {
            Target::Known { id, .. } => id.clone(),
            Target::Made { step, .. } => self.made[step].clone(),
        }
    }

    fn of(&mut self, target: &Target) -> &mut Container {
        let id = self.id(target);
        self.containers.iter_mut().find(|one| one.id == id).expect("the container is there")
    }

    fn add(&mut self, step: StepId, name: &str, own: &OwnLabels, change: impl FnOnce(&mut Container)) {
        assert!(self.containers.iter().all(|one| &*one.name != name), "the name {name} is taken");
        self.next += 1;
        let mut new = container(self.next, name, State::Created);
        new.own = OwnLabels::read(&own.write()).map(|read| OwnLabels { held: own.held, ..read });
        change(&mut new);
        self.made.insert(step, new.id.clone());
        self.containers.push(new);
    }

    fn start(&mut self, target: &Target) {
        self.now += 1;
        let now = Timestamp::from_second(self.now).unwrap();
        let container = self.of(target);
        container.state = State::Running;
        Arc::make_mut(container.detail.get_or_insert_default()).started_at = Some(now);
        let id = container.id.clone();
        self.unproven.insert(id);
    }

    fn perform(&mut self, step: StepId, task: &Task) -> Result<(), String> {
        let own = |app: &AppId, number, role, revision, spec| OwnLabels {
            app: app.clone(),
            number,
            role,
            revision,
            operation: "op-2".into(),
            held: false,
            spec,
            spec_hash: "y".into(),
            replaces: None,
        };
        match task {
            Task::Pull { image, .. } => {
                let digests = vec!["x@sha256:0".to_owned()];
                let seen = ImageSeen { id: image_id(image.as_str()), digests, ..ImageSeen::default() };
                self.facts.images.insert(image.as_str().to_owned(), seen);
            }
            Task::Network { spec, .. } => {
                self.facts.networks.push(NetworkSeen { name: spec.name.clone(), ..NetworkSeen::default() });
            }
            Task::Volume { spec, .. } => {
                self.facts.volumes.push(VolumeSeen { name: spec.name.clone(), ..VolumeSeen::default() });
            }
            Task::SandboxCreate { draft } => {
                let labels = OwnLabels {
                    replaces: draft.replaces.clone(),
                    ..own(&draft.app, draft.number, Role::Sandbox, 0, None)
                };
                self.add(step, &draft.app.sandbox_name(draft.number), &labels, |new| {
                    let attached = draft.spec.networks.iter().map(|on| (on.network.clone(), Address::default()));
                    new.networks = attached.collect();
                    let adopts = draft.adoption.as_ref().map(|adoption| adoption.from.clone());
                    let former = draft.adoption.as_ref().map(|adoption| adoption.addresses.clone());
                    new.detail =
                        Some(Detail { adopts, former: former.unwrap_or_default(), ..Detail::default() }.into());
                });
            }
            Task::Create { draft } => {
                let labels = OwnLabels {
                    replaces: draft.replaces.clone(),
                    held: draft.hold.is_some(),
                    ..own(&draft.app, draft.number, Role::App, draft.revision, Some(draft.spec.clone().into()))
                };
                let sandbox = self.id(&draft.sandbox);
                self.add(step, &draft.app.container_name(draft.number, draft.revision), &labels, |new| {
                    new.image = draft.spec.image.as_str().into();
                    let id = draft.image_id.clone().unwrap_or_else(|| image_id(&draft.spec.image));
                    new.image_id = id.as_str().into();
                    new.network_mode = format!("container:{sandbox}").as_str().into();
                    let environment = draft.spec.container.environment.clone();
                    new.detail = Some(Detail { environment, ..Detail::default() }.into());
                });
            }
            Task::SandboxStart { sandbox: target } => self.start(target),
            Task::TakeOver { sandbox: target, addresses, .. } => {
                for (network, ip) in addresses {
                    let had = Address { ipv4: Some(ip.clone()), ..Address::default() };
                    let sandbox = self.of(target);
                    let before = sandbox.networks.iter().map(|(on, was)| (on.clone(), was.clone()));
                    sandbox.networks = [(network.clone(), had)].into_iter().chain(before).collect();
                }
                self.start(target);
            }
            Task::Start { container, .. } | Task::StartHeld { container, .. } => {
                let joined = self.of(container).joined().map(str::to_owned);
                let sandbox = self.containers.iter().find(|one| Some(one.id.as_str()) == joined.as_deref());
                see(sandbox.is_none_or(Container::is_running), || {
                    format!("the sandbox of {} does not run", container.name())
                })?;
                self.start(container);
            }
            Task::Swap { container, next, .. } => {
                let stopped = self.of(container).clone();
                see(!self.is_sent_requests(&stopped), || {
                    format!("{} is stopped while it is sent requests", stopped.name)
                })?;
                see(self.of(next).is_running(), || format!("{} does not stand ready", next.name()))?;
                self.of(container).state = State::Exited;
            }
            Task::Unpause { container } => self.of(container).state = State::Running,
            Task::Stop { container, .. } => {
                let stopped = self.of(container).clone();
                see(!stopped.is_alive() || self.is_held(&stopped) || !self.is_sent_requests(&stopped), || {
                    format!("{} is stopped while it is sent requests", stopped.name)
                })?;
                self.of(container).state = State::Exited;
            }
            Task::Remove { container, .. } => {
                let removed = self.of(container).clone();
                see(!removed.is_alive(), || format!("{} is removed while it runs", removed.name))?;
                self.notes.remove(&removed.id);
                self.containers.retain(|one| one.id != removed.id);
            }
            Task::Rename { container, to } => self.of(container).name = to.as_str().into(),
            Task::Record { records, .. } => {
                let id = AppId::new("shop", "web");
                self.facts.revisions.entry(id).or_default().extend(records.iter().cloned());
            }
            Task::Hook { container, .. } | Task::Ready { container, .. } | Task::Warm { container, .. } => {
                see(self.of(container).is_running(), || format!("{} does not run", container.name()))?;
            }
            Task::Verify { container, .. } => {
                see(self.of(container).is_running(), || format!("{} does not run", container.name()))?;
                let id = self.id(container);
                self.unproven.remove(&id);
            }
            Task::Drain { places, sandbox, .. } => {
                if let Some(sandbox) = sandbox {
                    let id = self.id(sandbox);
                    self.notes.insert(id, places.clone());
                }
                self.set(places, Admin::Maint);
            }
            Task::Attach { places, sandbox, .. } => {
                self.set(places, Admin::Ready);
                if let Some(sandbox) = sandbox {
                    let id = self.id(sandbox);
                    self.notes.remove(&id);
                }
            }
            Task::Preflight { container, sandbox, .. } => {
                container.iter().chain(sandbox).for_each(|target| {
                    self.of(target);
                });
            }
            Task::Park { container } => {
                let runs = self.of(container).is_running();
                see(!runs, || format!("{} runs", container.name()))?;
            }
            // Main lane only: nothing is taken back here, and networks and volumes are not modelled.
            Task::Join { seats, .. } => {
                let places: Vec<_> = seats.iter().map(Seat::place).collect();
                self.set(&places, Admin::Ready);
            }
            Task::Reserve { .. }
            | Task::Release { .. }
            | Task::Unpark { .. }
            | Task::RemoveNetwork { .. }
            | Task::RemoveVolume { .. } => {}
        }
        Ok(())
    }

    fn set(&mut self, places: &[Place], admin: Admin) {
        let servers = self.facts.balancers.values_mut().flatten().flat_map(|seen| seen.servers.iter_mut().flatten());
        for server in servers.filter(|server| places.iter().any(|place| place.server == server.name)) {
            server.admin = Some(admin);
        }
    }

    /// Its sandbox holds it back, for an older one serves.
    fn is_held(&self, container: &Container) -> bool {
        let Some(own) = container.own.as_ref().filter(|own| own.held) else { return false };
        self.containers.iter().any(|one| {
            let older = one.own.as_ref().is_some_and(|other| {
                other.role == Role::App
                    && (&other.app, other.number) == (&own.app, own.number)
                    && other.revision < own.revision
            });
            older && one.is_running()
        })
    }

    /// A balancer sends requests to the instance that this container makes answer.
    fn is_sent_requests(&self, container: &Container) -> bool {
        let Some(own) = &container.own else {
            let ips: Vec<_> = container.networks.values().filter_map(|on| on.ipv4.as_ref()?.parse().ok()).collect();
            let balancers = self.facts.balancers.values().flatten();
            let mut servers = balancers.flat_map(|seen| seen.servers.iter().flatten());
            let is_it = |server: &Server| server.address.is_some_and(|at| ips.contains(&at.ip()));
            return servers.any(|server| is_it(server) && server.admin == Some(Admin::Ready));
        };
        let balancers = self.facts.balancers.get(&own.app);
        let mut servers = balancers.into_iter().flatten().flat_map(|seen| seen.servers.iter().flatten());
        let name = own.app.instance(own.number);
        servers.any(|server| server.name.as_str() == name.short() && server.admin == Some(Admin::Ready))
    }

    /// The old one goes only when another one runs in its place and has been verified, unless it never ran.
    fn has_a_proven_successor(&mut self, removed: &Target) -> Result<(), String> {
        let removed = self.of(removed).clone();
        let Some(own) = removed.own.as_ref().filter(|own| own.role == Role::App) else { return Ok(()) };
        let id_of = |one: &OwnLabels| (one.app.clone(), one.number);
        // Of the same instance, of the one that takes its place, or of the one whose place it was to take.
        let takes = |new: &OwnLabels, old: &OwnLabels| {
            let mine = self.containers.iter().filter_map(|one| one.own.as_ref()).filter(|own| id_of(own) == id_of(new));
            let replaced: Vec<_> = mine.filter_map(|own| own.replaces.as_ref()).collect();
            let owner = self.containers.iter().find(|one| replaced.contains(&&one.id));
            owner.and_then(|owner| owner.own.as_ref()).is_some_and(|owner| id_of(owner) == id_of(old))
        };
        let of_same = |one: &&Container| {
            let is = one
                .own
                .as_ref()
                .is_some_and(|o| o.role == Role::App && (id_of(o) == id_of(own) || takes(o, own) || takes(own, o)));
            is && one.id != removed.id
        };
        let proven = |one: &Container| one.is_running() && !self.unproven.contains(&one.id);
        let has = self.containers.iter().filter(of_same).any(proven);
        let allowed = has || removed.state == State::Created;
        see(allowed, || format!("{} goes although nothing is proven in its place", removed.name))
    }
}

/// Its instances are to go for good; or what goes is a stranger's, for which its own tests look.
fn takes_away(plan: &Plan) -> bool {
    matches!(plan.kind, Kind::Scale | Kind::Remove | Kind::Adopt)
}

fn see(holds: bool, else_what: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(else_what()) }
}
