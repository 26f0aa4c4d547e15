//! `ps` of a fleet that has one of everything.

use super::plain;
use crate::cli::ps;
use crate::cli::style::{ASCII, UNICODE};
use crate::domain::balancer::{Admin, BalancerSpec, Server, Traffic, TrafficSeen};
use crate::domain::few::Few;
use crate::domain::fleet::{BoundPort, Container, Detail, EngineInfo, Fleet, Health, MountSeen, State};
use crate::domain::identity::Address;
use crate::domain::ids::{AppId, ContainerId, ServerName};
use crate::domain::labels::{OwnLabels, Role};
use crate::domain::spec::MountKind;
use insta::{assert_json_snapshot, assert_snapshot};

fn container(digit: char, name: &str, image: &str, state: State, status: &str) -> Container {
    Container {
        id: ContainerId::new(digit.to_string().repeat(64)).unwrap(),
        name: name.into(),
        image: image.into(),
        image_id: "sha256:00ff".into(),
        state,
        health: None,
        status: status.into(),
        created: None,
        own: None,
        compose: None,
        labels: Few::default(),
        networks: Few::default(),
        ports: Vec::new(),
        mounts: Vec::new(),
        network_mode: "bridge".into(),
        detail: None,
    }
}

fn own(app: &AppId, number: u32, role: Role, revision: u32) -> OwnLabels {
    let operation = "20261122-090000-000000".to_owned();
    OwnLabels {
        app: app.clone(),
        number,
        role,
        revision,
        operation,
        held: false,
        spec: None,
        spec_hash: String::new(),
        replaces: None,
    }
}

fn address(ipv4: &str) -> Few<String, Address> {
    let address = Address { ipv4: Some(ipv4.into()), ipv6: None, mac: Some("02:42:ac:12:00:03".into()) };
    Few::from([("shop_default".into(), address)])
}

fn started(at: &str) -> Detail {
    Detail { started_at: Some(at.parse().unwrap()), ..Detail::default() }
}

/// An instance whose sandbox runs since nine, pinned where `pin` says.
fn instance(number: u32, ip: &str, pin: Option<&str>, app_since: &str) -> [Container; 2] {
    let web = AppId::new("shop", "web");
    let digits = [char::from_digit(number, 16).unwrap(), char::from_digit(number + 8, 16).unwrap()];
    let mut sandbox =
        container(digits[0], &format!("shop-web-{number}"), "pitstop/sandbox:1", State::Running, "Up 3 hours");
    sandbox.own = Some(own(&web, number, Role::Sandbox, 0));
    sandbox.networks = address(ip);
    let mut detail = started("2026-11-22T09:00:00Z");
    let host = |ip: &str| BoundPort { container: 8080, protocol: "tcp".into(), host: Some((ip.into(), 18080)) };
    sandbox.ports = vec![host("0.0.0.0"), host("::")];
    detail.hostname = format!("shop-web-{number}").as_str().into();
    detail.pinned = pin.map(address).unwrap_or_default();
    sandbox.detail = Some(detail.into());
    let mut app = container(digits[1], &format!("shop-web-{number}.r2"), "web:v2", State::Running, "Up 2 hours");
    app.own = Some(own(&web, number, Role::App, 2));
    app.network_mode = format!("container:{}", sandbox.id).as_str().into();
    app.detail = Some(started(app_since).into());
    app.mounts = vec![MountSeen {
        kind: MountKind::Volume,
        source: "shop_data".into(),
        target: "/data".into(),
        read_only: false,
    }];
    [sandbox, app]
}

fn fleet() -> Fleet {
    let mut containers = Vec::new();
    containers.extend(instance(1, "172.18.0.3", Some("172.18.0.3"), "2026-11-22T09:00:01Z"));
    containers.extend(instance(2, "172.18.0.9", Some("172.18.0.4"), "2026-11-22T09:00:01Z"));
    containers.extend(instance(3, "172.18.0.5", None, "2026-11-22T09:00:01Z"));
    containers.extend(instance(4, "172.18.0.6", Some("172.18.0.6"), "2026-11-22T08:00:00Z"));
    let mut redis = container('e', "redis", "redis:7", State::Running, "Up 3 hours (healthy)");
    redis.health = Some(Health::Healthy);
    redis.networks = address("172.18.0.7");
    let mut runner = container('f', "ci-runner-7", "runner:3", State::Exited, "Exited (3) 2 hours ago");
    runner.detail = Some(Detail { exit_code: 3, ..Detail::default() }.into());
    containers.extend([redis, runner]);
    let engine = EngineInfo {
        host: "unix:///var/run/docker.sock".into(),
        name: "build-1".into(),
        version: "20.10.24".into(),
        api_version: "1.41".into(),
        os: "linux".into(),
        arch: "amd64".into(),
        cpus: 2,
        memory: 8_000_000_000,
        ..EngineInfo::default()
    };
    Fleet::assemble(engine, containers)
}

/// The first serves three sessions, the second is being drained, the third is down, nobody knows the fourth.
fn traffic() -> TrafficSeen {
    let web = AppId::new("shop", "web");
    let haproxy =
        BalancerSpec::Haproxy { socket: "/run/haproxy/admin.sock".into(), backend: ServerName::new("web").unwrap() };
    let server = |number, admin, up, sessions| Server {
        name: ServerName::new(format!("web-{number}")).unwrap(),
        address: None,
        admin,
        up,
        traffic: Some(Traffic { sessions, ..Traffic::default() }),
        words: "UP".into(),
    };
    [(1, Admin::Ready, true, 3), (2, Admin::Drain, true, 1), (3, Admin::Ready, false, 0)]
        .map(|(number, admin, up, sessions)| {
            (web.instance(number), vec![(haproxy.clone(), server(number, Some(admin), up, sessions))])
        })
        .into()
}

#[test]
fn without_a_balancer_there_is_no_column_of_traffic() {
    let now = "2026-11-22T12:04:31Z".parse().unwrap();
    assert!(!plain(&ps::table(&fleet(), &TrafficSeen::new(), now, UNICODE)).contains("TRAFFIC"));
}

#[test]
fn the_table_has_a_line_per_instance() {
    let now = "2026-11-22T12:04:31Z".parse().unwrap();
    assert_snapshot!(plain(&ps::table(&fleet(), &traffic(), now, UNICODE)));
    assert!(plain(&ps::table(&fleet(), &traffic(), now, ASCII)).is_ascii());
}

#[test]
fn the_object_is_the_contracts() {
    assert_json_snapshot!(ps::object(&fleet(), &traffic(), &[], &[]));
}

#[test]
fn apps_are_chosen_by_name() {
    let chosen = ps::select(fleet(), &["web".into(), "redis".into()]).unwrap();
    assert_eq!(chosen.apps.iter().map(|app| app.id.to_string()).collect::<Vec<_>>(), ["shop/web", "redis"]);
    assert!(ps::select(fleet(), &["nope".into()]).unwrap_err().contains("there is no app `nope`"));
    assert_eq!(ps::select(fleet(), &[]).unwrap().apps.len(), 3);
}
