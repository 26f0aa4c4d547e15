//! Containers: an entry of the list, and an inspection.

use super::super::guest_volume;
use super::{clean, exposed, has_healthcheck, port_and_protocol, some, sorted, text};
use crate::domain::clean::Clean;
use crate::domain::environment::Environment;
use crate::domain::few::Few;
use crate::domain::fleet::{BoundPort, Container, Detail, Health, MountSeen, State};
use crate::domain::identity::Address;
use crate::domain::ids::ContainerId;
use crate::domain::labels::{self, COMPOSE_NUMBER, COMPOSE_PROJECT, COMPOSE_SERVICE, OwnLabels, Role};
use crate::domain::spec::{MountKind, RestartPolicy};
use bollard::models::{
    ContainerInspectResponse, ContainerSummary, EndpointSettings, HealthConfig, MountPoint, PortMap,
    RestartPolicyNameEnum,
};
use jiff::Timestamp;
use std::collections::{BTreeMap, HashMap};

/// One entry of the list; `None` when it has no proper id.
pub(in crate::docker) fn summary(seen: ContainerSummary) -> Option<Container> {
    let id = ContainerId::new(seen.id?).ok()?;
    let labels = sorted(seen.labels.unwrap_or_default());
    let status = clean(seen.status);
    // Podman's lists don't tell it; its inspections do.
    let tells_mode = seen.host_config.is_some();
    let network_mode = clean(seen.host_config.and_then(|host| host.network_mode));
    let state = seen.state.map_or(State::Unknown, |state| state_of(state.as_ref()));
    let mut ports: Vec<_> = seen
        .ports
        .unwrap_or_default()
        .into_iter()
        .filter_map(|port| {
            let protocol = port.typ.map_or_else(|| "tcp".to_owned(), |typ| typ.to_string());
            let host =
                port.public_port.map(|public| (crate::domain::clean::clean(&port.ip.unwrap_or_default()), public));
            (port.private_port > 0).then_some(BoundPort { container: port.private_port, protocol, host })
        })
        .collect();
    ports.sort();
    ports.dedup();
    let name = name_of(seen.names.unwrap_or_default().into_iter().min_by_key(|name| name.matches('/').count()));
    Some(Container {
        image: clean(seen.image),
        image_id: clean(seen.image_id),
        health: health_in_status(&status),
        created: seen.created.and_then(|seconds| Timestamp::from_second(seconds).ok()),
        own: own(&labels, &name, tells_mode.then_some(&*network_mode)),
        compose: compose(&labels),
        labels: others(labels),
        networks: networks(&network_mode, seen.network_settings.and_then(|settings| settings.networks)),
        mounts: mounts(seen.mounts.unwrap_or_default()),
        id,
        name,
        state,
        status,
        ports,
        network_mode,
        detail: None,
    })
}

/// An inspection; `None` when it has no proper id.
pub(in crate::docker) fn inspection(seen: ContainerInspectResponse) -> Option<Container> {
    let id = ContainerId::new(seen.id?).ok()?;
    let config = seen.config.unwrap_or_default();
    let host = seen.host_config.unwrap_or_default();
    let state = seen.state.unwrap_or_default();
    let settings = seen.network_settings.unwrap_or_default();
    let labels = sorted(config.labels.unwrap_or_default());
    let network_mode = clean(host.network_mode);
    let endpoints = settings.networks.unwrap_or_default();
    let status = state.status.map(|status| status.to_string()).unwrap_or_default();
    let detail = Detail {
        started_at: state.started_at.as_deref().and_then(moment),
        finished_at: state.finished_at.as_deref().and_then(moment),
        exit_code: state.exit_code.unwrap_or_default(),
        oom_killed: state.oom_killed.unwrap_or_default(),
        error: clean(state.error),
        pid: state.pid.and_then(|pid| u32::try_from(pid).ok()).unwrap_or_default(),
        restart_count: seen.restart_count.and_then(|count| u32::try_from(count).ok()).unwrap_or_default(),
        netns: clean(settings.sandbox_key).into(),
        hostname: clean(config.hostname),
        restart: restart(host.restart_policy),
        auto_remove: host.auto_remove.unwrap_or_default(),
        environment: environment(config.env.unwrap_or_default()),
        pinned: endpoints.iter().filter_map(pinned).collect(),
        former: labels::addresses(&labels),
        adopts: labels.get(labels::ADOPTS).and_then(|id| ContainerId::new(id.as_str()).ok()),
        stop_grace_ms: config.stop_timeout.and_then(|seconds| u64::try_from(seconds).ok()).map(|s| s * 1000),
        has_healthcheck: has_healthcheck(config.healthcheck.as_ref()),
        health_timeout_ms: health_timeout(config.healthcheck.as_ref()),
        healthcheck: command(config.healthcheck),
        shell: config.shell.unwrap_or_default(),
        memory_limit: host.memory.and_then(|bytes| u64::try_from(bytes).ok()).filter(|bytes| *bytes > 0),
        tty: config.tty.unwrap_or_default(),
        exposed: exposed(config.exposed_ports),
        guest: labels.get(labels::GUEST).and_then(|version| version.parse().ok()).unwrap_or_default(),
    };
    let name = name_of(seen.name);
    Some(Container {
        image: clean(config.image),
        image_id: clean(seen.image),
        state: state_of(&status),
        health: state.health.and_then(|health| health_of(health.status?.as_ref())),
        status: Clean::new(&status),
        created: seen.created.as_deref().and_then(moment),
        own: own(&labels, &name, Some(&*network_mode)),
        compose: compose(&labels),
        labels: others(labels),
        networks: networks(&network_mode, Some(endpoints)),
        ports: bound(settings.ports.unwrap_or_default()),
        mounts: mounts(seen.mounts.unwrap_or_default()),
        id,
        name,
        network_mode,
        detail: Some(detail.into()),
    })
}

/// Docker writes names with a slash in front.
fn name_of(name: Option<String>) -> Clean {
    let name = name.unwrap_or_default();
    Clean::new(name.strip_prefix('/').unwrap_or(&name))
}

/// Our labels, on a container that is one of ours. `docker commit` hands labels on to the image, so a stranger's
/// container may carry them: it has another name than the sandbox, or joins nobody as an app container does. A `mode` that is
/// not told speaks against nobody.
fn own(labels: &BTreeMap<String, String>, name: &str, mode: Option<&str>) -> Option<OwnLabels> {
    let joins = mode.map(|mode| mode.starts_with("container:"));
    OwnLabels::read(labels).filter(|own| match own.role {
        Role::App => joins.unwrap_or(true),
        // Put aside, it is called `.old`, `.old2` …
        Role::Sandbox => {
            let rest = name.strip_prefix(&own.app.sandbox_name(own.number));
            !joins.unwrap_or(false) && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(".old"))
        }
        Role::Lock => true,
    })
}

/// Go's zero time stands for "never".
fn moment(text: &str) -> Option<Timestamp> {
    text.parse::<Timestamp>().ok().filter(|at| at.as_second() > 0)
}

fn state_of(word: &str) -> State {
    match word {
        "created" => State::Created,
        // A container that is being stopped still serves.
        "running" | "stopping" => State::Running,
        "paused" => State::Paused,
        "restarting" => State::Restarting,
        "removing" => State::Removing,
        "exited" => State::Exited,
        "dead" => State::Dead,
        _ => State::Unknown,
    }
}

fn health_of(word: &str) -> Option<Health> {
    match word {
        "starting" => Some(Health::Starting),
        "healthy" => Some(Health::Healthy),
        "unhealthy" => Some(Health::Unhealthy),
        _ => None,
    }
}

/// Engines before 29 tell the health of a list's entry only in its sentence: `Up 3 seconds (health: starting)`.
fn health_in_status(status: &str) -> Option<Health> {
    let (_, inside) = status.strip_suffix(')')?.rsplit_once('(')?;
    health_of(inside.trim_start_matches("health: "))
}

/// Labels that are not our own, for whoever looks for one.
fn others(labels: BTreeMap<String, String>) -> Few<Clean, Clean> {
    let others = labels.into_iter().filter(|(name, _)| !name.starts_with("io.pitstop."));
    others.map(|(name, value)| (Clean::new(&name), Clean::new(&value))).collect()
}

fn compose(labels: &BTreeMap<String, String>) -> Option<(Clean, Clean, u32)> {
    let get = |key: &str| labels.get(key).filter(|value| !value.is_empty());
    let (project, service) = (get(COMPOSE_PROJECT)?, get(COMPOSE_SERVICE)?);
    let number = get(COMPOSE_NUMBER).and_then(|number| number.parse().ok()).unwrap_or_default();
    Some((Clean::new(project), Clean::new(service), number))
}

/// By name; none for a container that joined another's, whatever an engine shows there.
fn networks(mode: &str, endpoints: Option<HashMap<String, EndpointSettings>>) -> Few<String, Address> {
    if mode.starts_with("container:") {
        return Few::default();
    }
    let address = |(name, end): (String, EndpointSettings)| {
        let address =
            Address { ipv4: some(end.ip_address), ipv6: some(end.global_ipv6_address), mac: some(end.mac_address) };
        (crate::domain::clean::clean(&name), address)
    };
    endpoints.unwrap_or_default().into_iter().map(address).collect()
}

fn pinned((name, end): (&String, &EndpointSettings)) -> Option<(String, Address)> {
    let asked = end.ipam_config.as_ref()?;
    let address = Address { ipv4: some(asked.ipv4_address.clone()), ipv6: some(asked.ipv6_address.clone()), mac: None };
    (address != Address::default()).then(|| (crate::domain::clean::clean(name), address))
}

fn bound(map: PortMap) -> Vec<BoundPort> {
    let mut ports = Vec::new();
    for (inside, outside) in map {
        let Some((container, protocol)) = port_and_protocol(&inside) else { continue };
        let hosts: Vec<_> = outside
            .unwrap_or_default()
            .into_iter()
            .filter_map(|binding| Some((text(binding.host_ip), binding.host_port?.parse().ok()?)))
            .collect();
        if hosts.is_empty() {
            ports.push(BoundPort { container, protocol: protocol.clone(), host: None });
        }
        let bound = |host| BoundPort { container, protocol: protocol.clone(), host: Some(host) };
        ports.extend(hosts.into_iter().map(bound));
    }
    ports.sort();
    ports.dedup();
    ports
}

fn mounts(seen: Vec<MountPoint>) -> Vec<MountSeen> {
    let mut mounts: Vec<_> = seen
        .into_iter()
        // Pitstop's own, which the app knows nothing of.
        .filter(|mount| mount.destination.as_deref() != Some(guest_volume::PLACE))
        .map(|mount| {
            let kind = match mount.typ.as_deref() {
                Some("volume") => MountKind::Volume,
                Some("tmpfs") => MountKind::Tmpfs,
                _ => MountKind::Bind,
            };
            let source = if kind == MountKind::Volume { mount.name } else { mount.source };
            MountSeen {
                kind,
                source: text(source),
                target: text(mount.destination),
                read_only: mount.rw == Some(false),
            }
        })
        .collect();
    mounts.sort_by(|a, b| a.target.cmp(&b.target));
    mounts
}

pub(in crate::docker) fn restart(policy: Option<bollard::models::RestartPolicy>) -> RestartPolicy {
    let Some(policy) = policy else { return RestartPolicy::No };
    match policy.name {
        Some(RestartPolicyNameEnum::ALWAYS) => RestartPolicy::Always,
        Some(RestartPolicyNameEnum::UNLESS_STOPPED) => RestartPolicy::UnlessStopped,
        Some(RestartPolicyNameEnum::ON_FAILURE) => {
            let most = policy.maximum_retry_count.and_then(|count| u32::try_from(count).ok());
            RestartPolicy::OnFailure(most.filter(|count| *count > 0))
        }
        _ => RestartPolicy::No,
    }
}

/// Values are kept exactly: they go back into containers.
fn environment(entries: Vec<String>) -> Environment {
    let pair = |entry: String| entry.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    entries.into_iter().filter_map(pair).collect()
}

/// Zero is the engine's own default.
fn health_timeout(check: Option<&HealthConfig>) -> Option<u64> {
    let nanos = check.and_then(|check| check.timeout).and_then(|nanos| u64::try_from(nanos).ok());
    nanos.filter(|nanos| *nanos > 0).map(|nanos| nanos.div_ceil(1_000_000))
}

/// The check's command, exactly: it is run, not shown.
fn command(check: Option<HealthConfig>) -> Vec<String> {
    check.and_then(|check| check.test).filter(|test| test.len() > 1).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};
    use std::sync::Arc;

    fn read<T: serde::de::DeserializeOwned>(json: Value) -> T {
        serde_json::from_value(json).unwrap()
    }

    fn id() -> String {
        "ab".repeat(32)
    }

    #[test]
    fn a_list_s_entry_is_read_and_cleaned() {
        let seen = summary(read(json!({
            "Id": id(), "Names": ["/other/link", "/shop-web-1"], "Image": "web\u{1b}[31m:v1", "ImageID": "sha256:00",
            "Created": 1_700_000_000, "State": "running", "Status": "Up 3 seconds (health: starting)",
            "HostConfig": {"NetworkMode": "shop_net"},
            "Ports": [
                {"IP": "::", "PrivatePort": 80, "PublicPort": 18080, "Type": "tcp"},
                {"IP": "0.0.0.0", "PrivatePort": 80, "PublicPort": 18080, "Type": "tcp"},
                {"PrivatePort": 53, "Type": "udp"},
            ],
            "Labels": {
                "io.pitstop.role": "sandbox", "io.pitstop.project": "shop", "io.pitstop.app": "web",
                "io.pitstop.instance": "1",
            },
            "NetworkSettings": {"Networks": {"shop_net": {
                "IPAddress": "10.1.0.2", "GlobalIPv6Address": "", "MacAddress": "02:42:0a:01:00:02",
            }}},
            "Mounts": [
                {"Type": "volume", "Name": "data", "Source": "/var/lib/docker/volumes/data/_data", "Destination": "/data", "RW": true},
                {"Type": "bind", "Source": "/srv", "Destination": "/a", "RW": false},
            ],
        })))
        .unwrap();
        assert_eq!((&*seen.name, &*seen.image, seen.state), ("shop-web-1", "web:v1", State::Running));
        assert_eq!(seen.health, Some(Health::Starting));
        let own = seen.own.unwrap();
        assert_eq!((own.role, own.number, own.app.to_string().as_str()), (Role::Sandbox, 1, "shop/web"));
        let address = seen.networks.get("shop_net").unwrap();
        assert_eq!((address.ipv4.as_deref(), address.ipv6.as_deref()), (Some("10.1.0.2"), None));
        let ports: Vec<_> = seen.ports.iter().map(|port| (port.container, port.host.clone())).collect();
        let host = |ip: &str| Some((ip.to_owned(), 18080));
        assert_eq!(ports, [(53, None), (80, host("0.0.0.0")), (80, host("::"))]);
        let mounts: Vec<_> = seen.mounts.iter().map(|mount| (mount.source.as_str(), mount.read_only)).collect();
        assert_eq!(mounts, [("/srv", true), ("data", false)]);
    }

    #[test]
    fn what_is_missing_or_wrong_does_not_hurt() {
        assert!(summary(read(json!({"Id": "../../info#"}))).is_none());
        assert!(summary(read(json!({}))).is_none());
        let seen = summary(read(json!({"Id": id(), "Labels": {
            "com.docker.compose.project": "shop", "com.docker.compose.service": "w\u{202e}eb",
            "io.pitstop.role": "sandbox", "io.pitstop.project": "../x",
        }})))
        .unwrap();
        assert_eq!((seen.state, seen.own), (State::Unknown, None));
        assert_eq!(seen.compose, Some((Clean::new("shop"), Clean::new("web"), 0)));
        assert!(inspection(read(json!({"Id": id()}))).unwrap().detail.is_some());
    }

    #[test]
    fn labels_inherited_from_a_committed_image_are_not_ours() {
        for (role, name, mode, ours) in [
            ("sandbox", "shop-web-1", "shop_net", true),
            ("sandbox", "shop-web-1", "bridge", true),
            ("sandbox", "shop-web-1.old", "shop_net", true),
            ("sandbox", "shop-web-1.old2", "shop_net", true),
            ("sandbox", "debug", "shop_net", false),
            ("sandbox", "shop-web-10", "shop_net", false),
            ("sandbox", "shop-web-1", "container:cd", false),
            ("app", "shop-web-1.r3", "container:cd", true),
            ("app", "renamed", "container:cd", true),
            ("app", "debug", "bridge", false),
            ("app", "shop-web-1.r3", "host", false),
            ("app", "shop-web-1.r3", "", false),
        ] {
            let labels = json!({
                "io.pitstop.role": role, "io.pitstop.project": "shop", "io.pitstop.app": "web",
                "io.pitstop.instance": "1",
            });
            let host = json!({"NetworkMode": mode});
            let listed = summary(read(json!({
                "Id": id(), "Names": [format!("/{name}")], "Labels": labels, "HostConfig": host,
            })));
            let inspected = inspection(read(json!({
                "Id": id(), "Name": format!("/{name}"), "Config": {"Labels": labels}, "HostConfig": host,
            })));
            for seen in [listed, inspected] {
                assert_eq!(seen.unwrap().own.is_some(), ours, "{role} {name} {mode}");
            }
        }
        // Podman's lists.
        let labels = json!({
            "io.pitstop.role": "app", "io.pitstop.project": "shop", "io.pitstop.app": "web", "io.pitstop.instance": "1",
        });
        let listed = summary(read(json!({"Id": id(), "Names": ["/shop-web-1.r3"], "Labels": labels})));
        assert!(listed.unwrap().own.is_some());
    }

    #[test]
    fn health_is_read_from_the_sentence() {
        for (status, want) in [
            ("Up 2 hours", None),
            ("Up 2 hours (healthy)", Some(Health::Healthy)),
            ("Up 1 second (health: starting)", Some(Health::Starting)),
            ("Up 2 hours (unhealthy)", Some(Health::Unhealthy)),
            ("Up 2 hours (Paused)", None),
            ("Exited (137) 3 minutes ago", None),
        ] {
            assert_eq!(health_in_status(status), want, "{status}");
        }
    }

    #[test]
    fn an_inspection_tells_the_detail() {
        let seen = inspection(read(json!({
            "Id": id(), "Name": "/shop-web-1.r1", "Image": "sha256:00", "RestartCount": 2,
            "Created": "2026-11-22T10:00:00.123456789Z",
            "State": {
                "Status": "exited", "ExitCode": 137, "OOMKilled": true, "Pid": 0, "Error": "no\nway",
                "StartedAt": "2026-11-22T10:00:01Z", "FinishedAt": "0001-01-01T00:00:00Z",
            },
            "Config": {
                "Image": "web:v1", "Hostname": "shop-web-1", "Env": ["A=1", "B=x=y", "C="], "StopTimeout": 3, "Tty": true,
                "ExposedPorts": {"8080/tcp": {}, "53/udp": {}, "80/tcp": {}},
                "Healthcheck": {"Test": ["CMD-SHELL", "true"]},
            },
            "HostConfig": {
                "NetworkMode": "container:cd", "AutoRemove": true, "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 0},
            },
            "NetworkSettings": {"SandboxKey": "", "Ports": {}, "Networks": {"podman": {"IPAddress": "10.1.0.2"}}},
        })))
        .unwrap();
        assert!(seen.networks.is_empty(), "a joined container has none of its own");
        assert_eq!(seen.joined(), Some("cd"));
        let detail = Arc::unwrap_or_clone(seen.detail.unwrap());
        assert!(detail.started_at.is_some() && detail.finished_at.is_none());
        assert_eq!((detail.exit_code, detail.oom_killed, detail.restart_count, detail.pid), (137, true, 2, 0));
        assert_eq!(&*detail.error, "no way");
        assert_eq!((detail.restart, detail.auto_remove), (RestartPolicy::OnFailure(None), true));
        let environment: Vec<_> = detail.environment.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!(environment, [("A", "1"), ("B", "x=y"), ("C", "")]);
        assert_eq!((detail.stop_grace_ms, detail.tty, detail.exposed), (Some(3000), true, vec![80, 8080]));
        assert!(detail.has_healthcheck && detail.healthcheck == ["CMD-SHELL", "true"]);
    }

    #[test]
    fn pins_and_ports_are_those_asked_for() {
        let seen = inspection(read(json!({
            "Id": id(), "HostConfig": {"NetworkMode": "a"}, "Config": {"Healthcheck": {"Test": ["NONE"]}},
            "NetworkSettings": {
                "SandboxKey": "/var/run/docker/netns/1",
                "Ports": {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "18080"}], "81/tcp": null},
                "Networks": {
                    "a": {"IPAMConfig": {"IPv4Address": "10.1.0.2"}, "IPAddress": "10.1.0.2"},
                    "b": {"IPAMConfig": {}, "IPAddress": "10.2.0.2"},
                    "c": {"IPAMConfig": null, "IPAddress": "10.3.0.2"},
                },
            },
        })))
        .unwrap();
        assert_eq!(seen.networks.len(), 3);
        let detail = Arc::unwrap_or_clone(seen.detail.unwrap());
        let pinned: Vec<_> =
            detail.pinned.iter().map(|(network, pin)| (network.as_str(), pin.ipv4.as_deref())).collect();
        assert_eq!(pinned, [("a", Some("10.1.0.2"))]);
        assert_eq!((detail.netns.as_str(), detail.has_healthcheck), ("/var/run/docker/netns/1", false));
        let ports: Vec<_> = seen.ports.iter().map(|port| (port.container, port.host.is_some())).collect();
        assert_eq!(ports, [(80, true), (81, false)]);
    }
}
