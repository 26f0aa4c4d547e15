//! Canned fleets, plans and events, as an engine would give them.

use jiff::Timestamp;
use pitstop::domain::fleet::{BoundPort, Container, Detail, EngineInfo, Fleet, Health, MountSeen, State};
use pitstop::domain::identity::Address;
use pitstop::domain::ids::{AppId, ContainerId};
use pitstop::domain::labels::{OwnLabels, Role};
use pitstop::domain::spec::{MountKind, RestartPolicy};
use std::collections::BTreeMap;

/// The moment all samples are seen at.
pub fn now() -> Timestamp {
    "2026-11-22T12:04:31Z".parse().unwrap()
}

fn ago(seconds: i64) -> Timestamp {
    Timestamp::from_second(now().as_second() - seconds).unwrap()
}

pub fn engine() -> EngineInfo {
    EngineInfo {
        host: "unix:///var/run/docker.sock".into(),
        context: None,
        name: "forge".into(),
        version: "28.2.1".into(),
        api_version: "1.50".into(),
        os: "linux".into(),
        arch: "amd64".into(),
        cpus: 8,
        memory: 16 << 30,
        live_restore: false,
    }
}

fn id(seed: &str) -> ContainerId {
    let hash = seed.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    ContainerId::new(format!("{hash:016x}").repeat(4)).unwrap()
}

fn address(ip: &str) -> Address {
    Address { ipv4: Some(ip.into()), ipv6: None, mac: Some("02:42:ac:12:00:03".into()) }
}

/// A container that runs since so many seconds; `None`: it has exited with 0.
pub fn container(name: &str, image: &str, up: Option<i64>) -> Container {
    let detail = Detail {
        started_at: Some(ago(up.unwrap_or(7200))),
        exit_code: 0,
        restart: RestartPolicy::UnlessStopped,
        environment: BTreeMap::from([("TOKEN".into(), "hush".into()), ("PORT".into(), "8080".into())]),
        ..Detail::default()
    };
    Container {
        id: id(name),
        name: name.into(),
        image: image.into(),
        image_id: format!("sha256:{}", id(image)).as_str().into(),
        state: if up.is_some() { State::Running } else { State::Exited },
        health: None,
        status: if up.is_some() { "Up 3 hours".into() } else { "Exited (0) 2 hours ago".into() },
        created: Some(ago(90_000)),
        own: None,
        compose: None,
        networks: BTreeMap::new(),
        ports: Vec::new(),
        mounts: Vec::new(),
        network_mode: "bridge".into(),
        detail: Some(detail),
    }
}

/// Sandbox and app container of a managed instance with a pinned address.
pub fn instance(app: &AppId, number: u32, image: &str, revision: u32, ip: &str, up: Option<i64>) -> [Container; 2] {
    let own = |role| OwnLabels {
        app: app.clone(),
        number,
        role,
        revision,
        operation: String::new(),
        spec: None,
        spec_hash: String::new(),
    };
    let mut sandbox = container(&app.sandbox_name(number), "pitstop-sandbox:0f3a", Some(1_036_900));
    sandbox.own = Some(own(Role::Sandbox));
    let network = format!("{}_default", app.project);
    sandbox.networks = BTreeMap::from([(network.clone(), address(ip))]);
    sandbox.network_mode = network.as_str().into();
    sandbox.ports = vec![BoundPort {
        container: 8080,
        protocol: "tcp".into(),
        host: Some(("0.0.0.0".into(), u16::try_from(18_080 + number).unwrap())),
    }];
    let detail = sandbox.detail.as_mut().unwrap();
    detail.pinned = BTreeMap::from([(network, address(ip))]);
    detail.netns = "/var/run/docker/netns/4f1c2a".into();
    detail.hostname = app.sandbox_name(number).as_str().into();
    let mut container = container(&app.container_name(number, revision), image, up);
    container.own = Some(own(Role::App));
    container.network_mode = format!("container:{}", sandbox.id).as_str().into();
    container.mounts = vec![MountSeen {
        kind: MountKind::Volume,
        source: format!("{}_data", app.project),
        target: "/data".into(),
        read_only: false,
    }];
    [sandbox, container]
}

/// An unmanaged container on the default bridge.
pub fn stranger(name: &str, image: &str, ip: &str, up: Option<i64>) -> Container {
    let mut container = container(name, image, up);
    container.networks = BTreeMap::from([("bridge".into(), address(ip))]);
    container
}

/// Two projects with all kinds of states, and some strangers.
pub fn fleet() -> Fleet {
    let (web, api, db) = (AppId::new("shop", "web"), AppId::new("shop", "api"), AppId::new("shop", "db"));
    let mut all = Vec::new();
    for n in 1..=4 {
        all.extend(instance(
            &web,
            n,
            "registry.local:5000/shop/web:v2",
            7,
            &format!("172.18.0.{}", n + 2),
            Some(11_000),
        ));
    }
    all.extend(instance(&api, 1, "shop/api:41", 41, "172.18.0.10", Some(200_000)));
    all.extend(instance(&api, 2, "shop/api:40", 40, "172.18.0.11", Some(400_000)));
    let [sandbox, mut failed] = instance(&api, 3, "shop/api:41", 41, "172.18.0.12", None);
    failed.detail.as_mut().unwrap().exit_code = 137;
    all.extend([sandbox, failed]);
    let [mut sandbox, app] = instance(&db, 1, "postgres:16", 3, "172.18.0.20", Some(900_000));
    sandbox.detail.as_mut().unwrap().pinned.clear();
    all.extend([sandbox, app]);

    let mail = AppId::new("office", "mail");
    let [mut sandbox, mut app] = instance(&mail, 1, "office/mail:9", 9, "172.19.0.2", Some(500));
    // It was pinned to .2 and has .7 now.
    sandbox.networks.values_mut().for_each(|a| a.ipv4 = Some("172.19.0.7".into()));
    app.health = Some(Health::Healthy);
    all.extend([sandbox, app]);
    let [sandbox, app] = instance(&mail, 2, "office/mail:9", 9, "172.19.0.3", Some(1_200_000));
    all.extend([sandbox, app]);

    all.push(stranger("redis", "redis:7-alpine", "172.17.0.2", Some(172_000)));
    let mut runner = stranger("ci-runner-7", "ghcr.io/acme/ci/runner:3.11", "172.17.0.4", None);
    runner.detail.as_mut().unwrap().exit_code = 1;
    all.push(runner);
    for n in 1..=2 {
        let mut container = stranger(&format!("blog-ghost-{n}"), "ghost:5", &format!("172.20.0.{}", n + 1), Some(30));
        container.compose = Some(("blog".into(), "ghost".into(), n));
        if n == 2 {
            container.health = Some(Health::Starting);
        }
        all.push(container);
    }
    Fleet::assemble(engine(), all)
}
