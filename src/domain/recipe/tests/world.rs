//! Small worlds to plan in: containers as an engine would list them, in any state.

use crate::domain::balancer::{Admin, BalancerSeen, BalancerSpec, Place, Server, Traffic};
use crate::domain::facts::{Facts, ImageSeen};
use crate::domain::few::Few;
use crate::domain::fleet::{Container, Detail, EngineInfo, Fleet, Instance, MountSeen, NetworkSeen, State, VolumeSeen};
use crate::domain::identity::Address;
use crate::domain::ids::{AppId, ContainerId, ServerName};
use crate::domain::labels::{OwnLabels, PROJECT, Role};
use crate::domain::plan::RevisionRecord;
use crate::domain::project::{AppEntry, Dependency, DependencyCondition, NetworkSpec, ProjectSpec, Subnet, VolumeSpec};
use crate::domain::spec::{AppSpec, Mount, MountKind, NetworkAttach, PublishedPort};
use jiff::Timestamp;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

pub const SERVICES: [&str; 3] = ["web", "api", "db"];
pub const IMAGES: [&str; 4] = ["web:v1", "web:v2", "reg/web:latest", "gone:v9"];

/// A container nobody made yet; ids count upwards.
pub fn container(n: u32, name: &str, state: State) -> Container {
    Container {
        id: ContainerId::new(format!("{n:064x}")).unwrap(),
        name: name.into(),
        image: "web:v1".into(),
        image_id: image_id("web:v1").as_str().into(),
        state,
        health: None,
        status: "Up 3 hours".into(),
        created: None,
        own: None,
        compose: None,
        labels: Few::default(),
        networks: Few::default(),
        ports: Vec::new(),
        mounts: Vec::new(),
        network_mode: "bridge".into(),
        detail: Some(Detail { started_at: Some(Timestamp::UNIX_EPOCH), ..Detail::default() }.into()),
    }
}

/// The id the engine has for an image.
pub fn image_id(reference: &str) -> String {
    format!("sha256:{:064x}", reference.len() * 1000 + usize::from(reference.as_bytes()[reference.len() - 1]))
}

/// An address on the network of project `shop`.
pub fn at(ip: &str) -> Few<String, Address> {
    Few::from([("shop_default".to_owned(), Address { ipv4: Some(ip.into()), ..Address::default() })])
}

/// A spec with one port range, one named volume and one secret.
pub fn spec(image: &str) -> AppSpec {
    let mut spec = AppSpec { image: image.into(), ..AppSpec::default() };
    spec.container.environment.insert("TOKEN".into(), "hush".into());
    spec.container.mounts.push(Mount {
        kind: MountKind::Volume,
        source: "shop_data".into(),
        target: "/data".into(),
        ..Mount::default()
    });
    spec.sandbox.networks.push(NetworkAttach { network: "shop_default".into(), ..NetworkAttach::default() });
    spec.sandbox.ports.push(PublishedPort {
        host_ip: None,
        host: Some((18080, 18099)),
        container: 8080,
        protocol: "tcp".into(),
    });
    spec
}

/// One instance to put into a world.
#[derive(Clone, Debug)]
pub struct Seed {
    pub sandbox: Option<State>,
    pub app: Option<State>,
    pub revision: u32,
    pub image: usize,
    /// Joined to the sandbox that is there.
    pub joined: bool,
    /// The sandbox started after the app.
    pub orphaned: bool,
    pub pinned: bool,
    pub readable: bool,
    /// The revision before, put aside.
    pub parked: bool,
    /// Another app container of the instance: its revision and state.
    pub beside: Option<(u32, State)>,
    pub hostname: Option<String>,
}

impl Seed {
    /// A healthy instance of revision 1.
    pub fn well() -> Self {
        Self {
            sandbox: Some(State::Running),
            app: Some(State::Running),
            revision: 1,
            image: 0,
            joined: true,
            orphaned: false,
            pinned: true,
            readable: true,
            parked: false,
            beside: None,
            hostname: None,
        }
    }

    /// The containers it consists of.
    pub fn containers(&self, id: &AppId, number: u32, next: &mut u32) -> Vec<Container> {
        let mut id_of = || {
            *next += 1;
            *next
        };
        let own = |role, revision, spec| OwnLabels {
            app: id.clone(),
            number,
            role,
            revision,
            operation: "op-1".into(),
            held: false,
            spec,
            spec_hash: "x".into(),
            replaces: None,
        };
        let mut made = Vec::new();
        let mut spec = spec(IMAGES[self.image]);
        spec.sandbox.hostname.clone_from(&self.hostname);
        let sandbox_number = id_of();
        let sandbox_id = ContainerId::new(format!("{sandbox_number:064x}")).unwrap();
        let ip = format!("10.0.0.{}", sandbox_number % 250 + 2);
        if let Some(state) = self.sandbox {
            let mut sandbox = container(sandbox_number, &id.sandbox_name(number), state);
            sandbox.own = Some(own(Role::Sandbox, 0, None));
            sandbox.networks = at(&ip);
            if let Some(detail) = sandbox.detail.as_mut().map(Arc::make_mut) {
                detail.guest = crate::domain::warm::GUEST;
                let started = if self.orphaned { 20 } else { 5 };
                detail.started_at = Some(Timestamp::from_second(started).unwrap());
                if self.pinned {
                    detail.pinned = at(&ip);
                }
            }
            made.push(sandbox);
        }
        let mut app = |revision: u32, state| {
            let mut app = container(id_of(), &id.container_name(number, revision), state);
            app.image = IMAGES[self.image].into();
            app.image_id = image_id(IMAGES[self.image]).as_str().into();
            app.own = Some(own(Role::App, revision, self.readable.then(|| spec.without_secrets().into())));
            let joined = if self.joined { sandbox_id.to_string() } else { "f".repeat(64) };
            app.network_mode = format!("container:{joined}").as_str().into();
            let anonymous = MountSeen {
                kind: MountKind::Volume,
                source: "ab".repeat(32),
                target: "/cache".into(),
                read_only: false,
            };
            app.mounts = vec![
                anonymous,
                MountSeen {
                    kind: MountKind::Volume,
                    source: "shop_data".into(),
                    target: "/data".into(),
                    read_only: false,
                },
            ];
            app.detail = Some(Arc::new(Detail {
                started_at: Some(Timestamp::from_second(10).unwrap()),
                environment: BTreeMap::from([("TOKEN".to_owned(), "hush".to_owned())]).into(),
                restart: crate::domain::spec::RestartPolicy::Always,
                ..Detail::default()
            }));
            app
        };
        if let Some(state) = self.app {
            made.push(app(self.revision, state));
        }
        if self.parked && self.revision > 1 {
            made.push(app(self.revision - 1, State::Exited));
        }
        if let Some((revision, state)) = self.beside {
            let mut one = app(revision, state);
            // A newer one that runs is held back.
            if let Some(own) = &mut one.own {
                own.held = revision > self.revision && state == State::Running;
            }
            made.push(one);
        }
        made
    }
}

/// The facts about these containers; every image but the last is there, and the project's network and volume.
pub fn facts(containers: Vec<Container>) -> Facts {
    let engine = EngineInfo { cpus: 2, ..EngineInfo::default() };
    let labels = BTreeMap::from([(PROJECT.to_owned(), "shop".to_owned())]);
    Facts {
        fleet: Fleet::assemble(engine, containers),
        networks: vec![NetworkSeen {
            name: "shop_default".into(),
            driver: "bridge".into(),
            pools: vec![Subnet { subnet: "10.0.0.0/24".into(), ..Subnet::default() }],
            labels: labels.clone(),
            ..NetworkSeen::default()
        }],
        volumes: vec![VolumeSeen { name: "shop_data".into(), driver: "local".into(), labels }],
        images: IMAGES[..3]
            .iter()
            .map(|name| {
                let digests = vec![format!("{name}@sha256:0")];
                (name.to_string(), ImageSeen { id: image_id(name), digests, ..ImageSeen::default() })
            })
            .collect(),
        revisions: BTreeMap::new(),
        ..Facts::default()
    }
}

/// A managed app `shop/web` of these instances, numbered from 1.
pub fn web(seeds: &[Seed]) -> Facts {
    let mut next = 0;
    let id = AppId::new("shop", "web");
    facts((1..).zip(seeds).flat_map(|(number, seed)| seed.containers(&id, number, &mut next)).collect())
}

/// What the balancer of `shop/web` was told about its first instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// There is no balancer.
    Nothing,
    /// To send it requests.
    Sends,
    /// By an operation, to send it none; nobody has put it back.
    LeftOut,
    /// The same, by a person.
    TakenOut,
}

/// The same with a balancer, which knows the instances by name.
pub fn behind(mut facts: Facts, told: Told) -> Facts {
    let id = AppId::new("shop", "web");
    let Ok(app) = facts.fleet.find("shop/web") else { return facts };
    if told == Told::Nothing {
        return facts;
    }
    let spec =
        BalancerSpec::Haproxy { socket: "/run/haproxy/admin.sock".into(), backend: ServerName::new("web").unwrap() };
    let server = |number: usize, instance: &Instance| Server {
        name: ServerName::new(instance.name.short()).unwrap(),
        address: None,
        admin: Some(if number > 0 || told == Told::Sends { Admin::Ready } else { Admin::Maint }),
        up: true,
        traffic: Some(Traffic::default()),
        words: "UP".into(),
    };
    let servers: Vec<_> = app.instances.iter().enumerate().map(|(number, one)| server(number, one)).collect();
    if told == Told::LeftOut {
        let place = Place { balancer: spec.clone(), server: servers[0].name.clone(), address: None };
        facts.left_drained.insert(app.instances[0].name.clone(), vec![place]);
    }
    facts.balancers.insert(id, vec![BalancerSeen { spec, servers: Ok(servers) }]);
    facts
}

/// The file of project `shop` with one service.
pub fn file(spec: AppSpec, replicas: u32) -> ProjectSpec {
    let mut project = ProjectSpec { name: "shop".into(), ..ProjectSpec::default() };
    project.apps.insert("web".into(), AppEntry { spec, replicas, depends_on: Vec::new() });
    project
        .networks
        .insert("shop_default".into(), NetworkSpec { name: "shop_default".into(), ..NetworkSpec::default() });
    project.volumes.insert("shop_data".into(), VolumeSpec { name: "shop_data".into(), ..VolumeSpec::default() });
    project
}

fn state() -> impl Strategy<Value = State> {
    prop_oneof![
        6 => Just(State::Running),
        1 => Just(State::Created),
        1 => Just(State::Paused),
        1 => Just(State::Restarting),
        2 => Just(State::Exited),
        1 => Just(State::Dead),
    ]
}

fn seed() -> impl Strategy<Value = Seed> {
    (
        proptest::option::weighted(0.9, state()),
        proptest::option::weighted(0.9, state()),
        1..4u32,
        0..IMAGES.len(),
        proptest::bool::weighted(0.9),
        proptest::bool::weighted(0.1),
        any::<bool>(),
        proptest::bool::weighted(0.95),
        any::<bool>(),
        proptest::option::weighted(0.1, Just("host".to_owned())),
    )
        .prop_map(|(sandbox, app, revision, image, joined, orphaned, pinned, readable, parked, hostname)| Seed {
            sandbox,
            app,
            revision,
            image,
            joined,
            orphaned,
            pinned,
            readable,
            parked,
            beside: None,
            hostname,
        })
}

fn stranger() -> impl Strategy<Value = (State, bool, Option<usize>, bool)> {
    (state(), any::<bool>(), proptest::option::weighted(0.2, 0..4usize), any::<bool>())
}

/// Any engine: up to three managed apps, and strangers that share networks or join each other.
pub fn any_facts() -> impl Strategy<Value = Facts> {
    (
        proptest::collection::vec(proptest::collection::vec(seed(), 0..6), 3),
        proptest::collection::vec(stranger(), 0..6),
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(|(apps, strangers, networks, records)| {
            let mut next = 0;
            let mut containers = Vec::new();
            for (name, seeds) in SERVICES.iter().zip(&apps) {
                let id = AppId::new("shop", *name);
                for (number, seed) in (1..).zip(seeds) {
                    containers.extend(seed.containers(&id, number, &mut next));
                }
            }
            for (index, (state, bridge, joined, compose)) in strangers.into_iter().enumerate() {
                let mut one = container(5000 + u32::try_from(index).unwrap(), &format!("stranger-{index}"), state);
                one.networks = at(&format!("10.0.0.{}", 200 + index));
                if bridge {
                    let address = one.networks.values().next().unwrap().clone();
                    one.networks = Few::from([("bridge".to_owned(), address)]);
                }
                if compose {
                    one.compose = Some(("old".into(), "shop".into(), u32::try_from(index).unwrap()));
                }
                // An earlier one: the engine makes no circles.
                if let Some(owner) = joined.filter(|owner| *owner < index) {
                    one.networks = Few::default();
                    one.network_mode = format!("container:{:064x}", 5000 + owner).as_str().into();
                }
                containers.push(one);
            }
            let mut facts = facts(containers);
            if !networks {
                facts.networks.clear();
                facts.volumes.clear();
            }
            if records {
                let record = |revision| RevisionRecord {
                    revision,
                    image_id: image_id(IMAGES[1]),
                    digests: Vec::new(),
                    spec: spec(IMAGES[1]),
                };
                facts.revisions.insert(AppId::new("shop", "web"), vec![record(2), record(1)]);
            }
            facts
        })
}

/// Any file of project `shop`, circles of dependencies included.
pub fn any_project() -> impl Strategy<Value = ProjectSpec> {
    let app = (
        0..IMAGES.len(),
        0..5u32,
        proptest::collection::vec((0..3usize, any::<bool>(), proptest::bool::weighted(0.1)), 0..3),
        any::<bool>(),
    );
    proptest::collection::vec(app, 1..4).prop_map(|apps| {
        let mut project = file(spec(IMAGES[0]), 0);
        project.apps.clear();
        for (index, (image, replicas, depends, ports)) in apps.into_iter().enumerate() {
            let mut spec = spec(IMAGES[image]);
            for port in &mut spec.sandbox.ports {
                let first = 18080 + 100 * u16::try_from(index).unwrap();
                port.host = ports.then_some((first, first + 20));
            }
            let depends_on = depends
                .into_iter()
                // Mostly backwards: a circle is one error, not a plan.
                .filter(|(on, _, circle)| *circle || *on < index)
                .map(|(on, healthy, _)| Dependency {
                    app: SERVICES[on].into(),
                    condition: if healthy {
                        DependencyCondition::ServiceHealthy
                    } else {
                        DependencyCondition::ServiceStarted
                    },
                    required: false,
                })
                .collect();
            project.apps.insert(SERVICES[index].into(), AppEntry { spec, replicas, depends_on });
        }
        project
    })
}
