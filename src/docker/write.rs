//! `domain` specs into the engine's models. Pure; knows what a container in another's network namespace may not say.

use super::create::{AppCreation, SandboxCreation};
use super::guest_volume;
use crate::domain::address::mac_of;
use crate::domain::fleet::MountSeen;
use crate::domain::spec::{self, Healthcheck, MountKind, NetworkAttach, PublishedPort, RestartPolicy};
use bollard::models::{
    ContainerCreateBody, EndpointIpamConfig, EndpointSettings, HealthConfig, HostConfig, HostConfigLogConfig, Mount,
    MountBindOptions, MountBindOptionsPropagationEnum, MountTmpfsOptions, MountType, MountVolumeOptions,
    NetworkingConfig, PortBinding, PortMap, ResourcesUlimits, RestartPolicy as EngineRestart, RestartPolicyNameEnum,
};
use std::collections::{BTreeMap, HashMap};

const NANOS_PER_MILLI: i64 = 1_000_000;

/// Networks that every engine has; names of other containers and chosen addresses don't work on them.
pub fn is_predefined(network: &str) -> bool {
    matches!(network, "bridge" | "host" | "none" | "default")
}

/// The sandbox on the networks that the engine takes at once; the others are connected before it starts.
pub(super) fn sandbox(creation: &SandboxCreation, takes: Takes) -> ContainerCreateBody {
    let spec = &creation.spec;
    let first = spec.networks.first();
    let at_once = spec.networks.iter().take(takes.networks());
    let endpoints: HashMap<_, _> =
        at_once.map(|attach| (attach.network.clone(), endpoint(creation, attach, takes))).collect();
    ContainerCreateBody {
        image: Some(creation.image.to_string()),
        hostname: Some(spec.hostname.clone().unwrap_or_else(|| creation.hostname.clone())),
        domainname: spec.domainname.clone(),
        labels: Some(unsorted(&creation.labels)),
        // Commands to the guest: open for whoever attaches, and not closed when they leave.
        open_stdin: Some(true),
        stdin_once: Some(false),
        attach_stdin: Some(false),
        exposed_ports: filled(spec.ports.iter().map(inside).collect()),
        networking_config: first.map(|_| NetworkingConfig { endpoints_config: Some(endpoints) }),
        host_config: Some(HostConfig {
            network_mode: first.map(|attach| attach.network.clone()),
            port_bindings: (!spec.ports.is_empty()).then(|| bindings(&spec.ports)),
            // It has to come back by itself with the engine, whatever the app's own policy is.
            restart_policy: Some(restart(&RestartPolicy::UnlessStopped)),
            dns: filled(spec.dns.clone()),
            dns_search: filled(spec.dns_search.clone()),
            dns_options: filled(spec.dns_options.clone()),
            extra_hosts: filled(spec.extra_hosts.clone()),
            sysctls: Some(creation.sysctls.iter().chain(&spec.sysctls).map(|(k, v)| (k.clone(), v.clone())).collect())
                .filter(|all: &HashMap<_, _>| !all.is_empty()),
            // Holding a namespace takes no privilege; to see which port a held program is about to bind takes these two.
            cap_drop: Some(vec!["ALL".into()]),
            cap_add: Some(vec!["SYS_PTRACE".into(), "DAC_READ_SEARCH".into()]),
            // What the guest writes is for whoever is attached; kept, it would grow with every watch.
            log_config: Some(HostConfigLogConfig { typ: Some("none".into()), config: None }),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    }
}

/// What an engine takes at a creation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    /// One network, and a MAC address only for the whole container: before API 1.44.
    OneNetwork,
    /// All networks, each with a MAC address of its own. Who takes that does not derive it from the address any more, or harmlessly still
    /// does.
    AllNetworks,
}

impl Takes {
    /// How many networks at once.
    pub fn networks(self) -> usize {
        match self {
            Self::OneNetwork => 1,
            Self::AllNetworks => usize::MAX,
        }
    }
}

/// How the sandbox sits on one network.
pub(super) fn endpoint(creation: &SandboxCreation, attach: &NetworkAttach, takes: Takes) -> EndpointSettings {
    let pinned = creation.addresses.get(&attach.network).map(ToString::to_string);
    let (ipv4, ipv6) = (attach.ipv4.clone().or(pinned), attach.ipv6.clone());
    let held = ipv4.as_ref().filter(|_| takes == Takes::AllNetworks).and_then(|ip| ip.parse().ok()).map(mac_of);
    let mut aliases: Vec<String> = Vec::new();
    for alias in creation.aliases.iter().chain(&attach.aliases) {
        if !aliases.contains(alias) {
            aliases.push(alias.clone());
        }
    }
    EndpointSettings {
        aliases: if is_predefined(&attach.network) { None } else { filled(aliases) },
        mac_address: attach.mac.clone().or(held),
        ipam_config: (ipv4.is_some() || ipv6.is_some()).then_some(EndpointIpamConfig {
            ipv4_address: ipv4,
            ipv6_address: ipv6,
            link_local_ips: None,
        }),
        ..EndpointSettings::default()
    }
}

/// `8080/tcp`
fn inside(port: &PublishedPort) -> String {
    let protocol = if port.protocol.is_empty() { "tcp" } else { &port.protocol };
    format!("{}/{protocol}", port.container)
}

fn bindings(ports: &[PublishedPort]) -> PortMap {
    let mut map = PortMap::new();
    for port in ports {
        let host_port = match port.host {
            None => String::new(),
            Some((first, last)) if first == last => first.to_string(),
            Some((first, last)) => format!("{first}-{last}"),
        };
        let binding = PortBinding { host_ip: port.host_ip.clone(), host_port: Some(host_port) };
        map.entry(inside(port)).or_default().get_or_insert_default().push(binding);
    }
    map
}

/// The app container. Joined to its sandbox it may have no hostname, ports, DNS, extra hosts or address of its own.
pub(super) fn app(creation: &AppCreation) -> ContainerCreateBody {
    let spec = &creation.spec;
    let mut labels = spec.labels.clone();
    labels.extend(creation.labels.clone());
    let (binds, mut mounts) = storage(&spec.mounts, &creation.carry);
    let (mut entrypoint, mut cmd) = (spec.entrypoint.clone(), spec.command.clone());
    if let Some(gate) = &creation.gate {
        entrypoint = Some(vec![guest_volume::PROGRAM.into(), "gate".into(), gate.token.clone()]);
        cmd = Some(gate.command.clone());
        mounts.push(Mount {
            typ: Some(MountType::VOLUME),
            source: Some(gate.volume.to_string()),
            target: Some(guest_volume::PLACE.into()),
            read_only: Some(true),
            ..Mount::default()
        });
    }
    ContainerCreateBody {
        image: Some(creation.image.to_string()),
        entrypoint,
        cmd,
        env: filled(spec.environment.iter().map(|(name, value)| format!("{name}={value}")).collect()),
        user: spec.user.clone(),
        working_dir: spec.working_dir.clone(),
        labels: Some(unsorted(&labels)),
        healthcheck: spec.healthcheck.as_ref().map(healthcheck),
        stop_signal: spec.stop_signal.clone(),
        stop_timeout: spec.stop_grace_ms.map(|ms| i64::try_from(ms.div_ceil(1000)).unwrap_or(i64::MAX)),
        tty: Some(spec.tty),
        open_stdin: Some(spec.stdin_open),
        host_config: Some(verbatim(
            &spec.verbatim,
            HostConfig {
                network_mode: Some(format!("container:{}", creation.sandbox)),
                restart_policy: Some(restart(&spec.restart)),
                binds: filled(binds),
                mounts: filled(mounts),
                init: spec.init,
                privileged: Some(spec.privileged),
                readonly_rootfs: Some(spec.read_only),
                cap_add: filled(spec.cap_add.clone()),
                cap_drop: filled(spec.cap_drop.clone()),
                security_opt: filled(spec.security_opt.clone()),
                group_add: filled(spec.group_add.clone()),
                ulimits: filled(spec.ulimits.iter().map(ulimit).collect()),
                sysctls: (!spec.sysctls.is_empty()).then(|| unsorted(&spec.sysctls)),
                log_config: spec.logging.as_ref().map(|logging| HostConfigLogConfig {
                    typ: Some(logging.driver.clone()),
                    config: Some(unsorted(&logging.options)),
                }),
                shm_size: spec.shm_size,
                memory: spec.resources.memory,
                memory_reservation: spec.resources.memory_reservation,
                memory_swap: spec.resources.memory_swap,
                nano_cpus: spec.resources.nano_cpus,
                cpu_shares: spec.resources.cpu_shares,
                cpuset_cpus: spec.resources.cpuset.clone(),
                pids_limit: spec.resources.pids,
                ..HostConfig::default()
            },
        )),
        ..ContainerCreateBody::default()
    }
}

/// The engine's own settings beside those that have a word here; what this engine's model does not know is left out.
fn verbatim(settings: &BTreeMap<String, serde_json::Value>, host: HostConfig) -> HostConfig {
    let mut all = match serde_json::to_value(&host) {
        Ok(serde_json::Value::Object(all)) if !settings.is_empty() => all,
        _ => return host,
    };
    for (key, value) in settings {
        if all.get(key).is_none_or(serde_json::Value::is_null) {
            all.insert(key.clone(), value.clone());
        }
    }
    serde_json::from_value(serde_json::Value::Object(all)).unwrap_or(host)
}

/// Binds that make a missing host path, in their old syntax (the new one can't before API 1.42), and everything else.
fn storage(mounts: &[spec::Mount], carry: &[MountSeen]) -> (Vec<String>, Vec<Mount>) {
    let mut binds = Vec::new();
    let mut others = Vec::new();
    for mount in mounts {
        // A colon separates the old syntax's fields and can't be escaped there.
        let old = mount.create_host_path && !mount.source.contains(':') && !mount.target.contains(':');
        if mount.kind == MountKind::Bind && old {
            let mode = if mount.read_only { "ro" } else { "rw" };
            let propagation = mount.propagation.as_ref().map(|p| format!(",{p}")).unwrap_or_default();
            binds.push(format!("{}:{}:{mode}{propagation}", mount.source, mount.target));
        } else {
            others.push(new_mount(mount));
        }
    }
    let carried = carry.iter().filter(|seen| {
        seen.kind == MountKind::Volume && !mounts.iter().any(|own| own.target == seen.target && !own.source.is_empty())
    });
    for seen in carried {
        // An anonymous volume of the spec at the same place is the one that is carried over.
        others.retain(|mount| mount.target.as_deref() != Some(&seen.target));
        others.push(Mount {
            typ: Some(MountType::VOLUME),
            source: Some(seen.source.clone()),
            target: Some(seen.target.clone()),
            read_only: Some(seen.read_only),
            ..Mount::default()
        });
    }
    (binds, others)
}

fn new_mount(mount: &spec::Mount) -> Mount {
    let typ = match mount.kind {
        MountKind::Volume => MountType::VOLUME,
        MountKind::Bind => MountType::BIND,
        MountKind::Tmpfs => MountType::TMPFS,
    };
    Mount {
        typ: Some(typ),
        source: (!mount.source.is_empty() && mount.kind != MountKind::Tmpfs).then(|| mount.source.clone()),
        target: Some(mount.target.clone()),
        read_only: Some(mount.read_only),
        bind_options: (mount.kind == MountKind::Bind && mount.propagation.is_some()).then(|| MountBindOptions {
            propagation: mount.propagation.as_deref().and_then(propagation),
            ..MountBindOptions::default()
        }),
        volume_options: (mount.kind == MountKind::Volume && mount.nocopy)
            .then(|| MountVolumeOptions { no_copy: Some(true), ..MountVolumeOptions::default() }),
        tmpfs_options: (mount.kind == MountKind::Tmpfs).then(|| MountTmpfsOptions {
            size_bytes: mount.tmpfs_size,
            mode: mount.tmpfs_mode.map(i64::from),
            options: None,
        }),
        ..Mount::default()
    }
}

fn propagation(word: &str) -> Option<MountBindOptionsPropagationEnum> {
    word.parse().ok()
}

fn ulimit((name, (soft, hard)): (&String, &(i64, i64))) -> ResourcesUlimits {
    ResourcesUlimits { name: Some(name.clone()), soft: Some(*soft), hard: Some(*hard) }
}

fn healthcheck(check: &Healthcheck) -> HealthConfig {
    let nanos = |ms: Option<u64>| ms.map(|ms| i64::try_from(ms).unwrap_or(i64::MAX).saturating_mul(NANOS_PER_MILLI));
    HealthConfig {
        test: filled(check.test.clone()),
        interval: nanos(check.interval_ms),
        timeout: nanos(check.timeout_ms),
        retries: check.retries.map(i64::from),
        start_period: nanos(check.start_period_ms),
        start_interval: None,
    }
}

pub(super) fn restart(policy: &RestartPolicy) -> EngineRestart {
    let (name, most) = match policy {
        RestartPolicy::No => (RestartPolicyNameEnum::NO, None),
        RestartPolicy::Always => (RestartPolicyNameEnum::ALWAYS, None),
        RestartPolicy::UnlessStopped => (RestartPolicyNameEnum::UNLESS_STOPPED, None),
        RestartPolicy::OnFailure(most) => (RestartPolicyNameEnum::ON_FAILURE, most.map(i64::from)),
    };
    EngineRestart { name: Some(name), maximum_retry_count: most }
}

pub(super) fn unsorted(map: &BTreeMap<String, String>) -> HashMap<String, String> {
    map.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// Nothing rather than an empty list.
pub(super) fn filled<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::{ContainerId, ImageRef, ObjectName};
    use crate::domain::spec::{ContainerSpec, Mount as Wanted, SandboxSpec};
    use serde_json::{Value, json};
    use std::net::Ipv4Addr;

    fn sandbox_json(spec: SandboxSpec, addresses: &[(&str, Ipv4Addr)]) -> Value {
        sandbox_for(Takes::OneNetwork, spec, addresses)
    }

    fn sandbox_for(takes: Takes, spec: SandboxSpec, addresses: &[(&str, Ipv4Addr)]) -> Value {
        let creation = SandboxCreation {
            name: ObjectName::new("shop-web-1").unwrap(),
            image: ImageRef::new("pitstop-sandbox:1").unwrap(),
            labels: BTreeMap::new(),
            hostname: "shop-web-1".into(),
            aliases: vec!["web".into(), "web-1".into()],
            spec,
            addresses: addresses.iter().map(|(network, ip)| ((*network).to_owned(), *ip)).collect(),
            sysctls: BTreeMap::new(),
        };
        serde_json::to_value(sandbox(&creation, takes)).unwrap()
    }

    fn app_json(spec: ContainerSpec, carry: Vec<MountSeen>) -> Value {
        let creation = AppCreation {
            name: ObjectName::new("shop-web-1.r1").unwrap(),
            image: ImageRef::new("web:v1").unwrap(),
            labels: BTreeMap::from([("io.pitstop.role".into(), "app".into())]),
            spec,
            sandbox: ContainerId::new("ab".repeat(32)).unwrap(),
            carry,
            gate: None,
        };
        serde_json::to_value(app(&creation)).unwrap()
    }

    #[test]
    fn a_sandbox_owns_addresses_names_and_ports() {
        let port = |host, host_ip: Option<&str>, container, protocol: &str| PublishedPort {
            host_ip: host_ip.map(Into::into),
            host,
            container,
            protocol: protocol.into(),
        };
        let attach = |network: &str| NetworkAttach { network: network.into(), ..NetworkAttach::default() };
        let spec = SandboxSpec {
            networks: vec![
                NetworkAttach { aliases: vec!["shop".into()], ipv6: Some("fd00::5".into()), ..attach("front") },
                attach("back"),
            ],
            ports: vec![
                port(Some((18080, 18080)), Some("127.0.0.1"), 80, "tcp"),
                port(None, None, 80, "tcp"),
                port(Some((5000, 5009)), None, 53, "udp"),
            ],
            dns: vec!["10.0.0.1".into()],
            ..SandboxSpec::default()
        };
        let json = sandbox_json(spec, &[("front", Ipv4Addr::new(10, 1, 0, 2)), ("back", Ipv4Addr::new(10, 2, 0, 2))]);
        assert_eq!(json["Hostname"], "shop-web-1");
        assert_eq!(json["ExposedPorts"], json!({"80/tcp": {}, "53/udp": {}}));
        let host = &json["HostConfig"];
        assert_eq!(
            host["PortBindings"],
            json!({
                "80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "18080"}, {"HostPort": ""}],
                "53/udp": [{"HostPort": "5000-5009"}],
            })
        );
        assert_eq!(host["RestartPolicy"], json!({"Name": "unless-stopped"}));
        assert_eq!(host["NetworkMode"], "front");
        assert_eq!(host["LogConfig"], json!({"Type": "none"}));
        assert_eq!((&json["OpenStdin"], &json["StdinOnce"]), (&json!(true), &json!(false)));
        assert_eq!(host["Dns"], json!(["10.0.0.1"]));
        assert_eq!(
            json["NetworkingConfig"]["EndpointsConfig"],
            json!({"front": {
                "Aliases": ["web", "web-1", "shop"],
                "IPAMConfig": {"IPv4Address": "10.1.0.2", "IPv6Address": "fd00::5"},
            }})
        );
    }

    #[test]
    fn an_engine_that_takes_all_networks_at_once_is_asked_for_the_mac_address_of_each_pinned_one() {
        let attach = |network: &str| NetworkAttach { network: network.into(), ..NetworkAttach::default() };
        let own = NetworkAttach { mac: Some("02:00:00:00:00:09".into()), ..attach("own") };
        let spec = SandboxSpec { networks: vec![attach("front"), own, attach("dynamic")], ..SandboxSpec::default() };
        let pinned = [("front", Ipv4Addr::new(10, 1, 0, 2)), ("own", Ipv4Addr::new(10, 2, 0, 2))];
        let json = sandbox_for(Takes::AllNetworks, spec.clone(), &pinned);
        let ends = json["NetworkingConfig"]["EndpointsConfig"].as_object().unwrap();
        let macs: BTreeMap<_, _> = ends.iter().map(|(network, end)| (network.as_str(), &end["MacAddress"])).collect();
        assert_eq!(
            macs,
            BTreeMap::from([
                ("front", &json!("02:42:0a:01:00:02")),
                ("own", &json!("02:00:00:00:00:09")),
                ("dynamic", &Value::Null)
            ])
        );
        let json = sandbox_for(Takes::OneNetwork, spec, &pinned);
        let ends = json["NetworkingConfig"]["EndpointsConfig"].as_object().unwrap();
        assert_eq!(ends.keys().collect::<Vec<_>>(), ["front"]);
        assert_eq!(ends["front"]["MacAddress"], Value::Null, "derived by the engine itself");
    }

    #[test]
    fn the_user_s_own_address_goes_before_and_the_default_bridge_takes_no_names() {
        let attach = |network: &str, ipv4: Option<&str>| NetworkAttach {
            network: network.into(),
            ipv4: ipv4.map(Into::into),
            ..NetworkAttach::default()
        };
        let spec = SandboxSpec { networks: vec![attach("net", Some("10.1.0.9"))], ..SandboxSpec::default() };
        let json = sandbox_json(spec, &[("net", Ipv4Addr::new(10, 1, 0, 2))]);
        assert_eq!(json["NetworkingConfig"]["EndpointsConfig"]["net"]["IPAMConfig"]["IPv4Address"], "10.1.0.9");
        let spec = SandboxSpec { networks: vec![attach("bridge", None)], ..SandboxSpec::default() };
        assert_eq!(sandbox_json(spec, &[])["NetworkingConfig"]["EndpointsConfig"]["bridge"], json!({}));
    }

    #[test]
    fn storage_finds_its_syntax() {
        let mount = |kind, source: &str, target: &str| Wanted {
            kind,
            source: source.into(),
            target: target.into(),
            ..Wanted::default()
        };
        let bind =
            |source: &str, target: &str| Wanted { create_host_path: true, ..mount(MountKind::Bind, source, target) };
        let spec = ContainerSpec {
            mounts: vec![
                bind("/srv/a", "/a"),
                Wanted { read_only: true, propagation: Some("rslave".into()), ..bind("/srv/b", "/b") },
                bind("/srv/c:d", "/c"),
                Wanted { propagation: Some("shared".into()), ..mount(MountKind::Bind, "/srv/d", "/d") },
                Wanted { nocopy: true, ..mount(MountKind::Volume, "data", "/data") },
                mount(MountKind::Volume, "", "/cache"),
                Wanted { tmpfs_size: Some(1024), tmpfs_mode: Some(0o700), ..mount(MountKind::Tmpfs, "", "/tmp") },
            ],
            ..ContainerSpec::default()
        };
        let carried = |source: &str, target: &str| MountSeen {
            kind: MountKind::Volume,
            source: source.into(),
            target: target.into(),
            read_only: false,
        };
        // The image's anonymous volume, the spec's, and one at whose place the spec names another by now.
        let carry = vec![carried("f00d", "/var/lib"), carried("cafe", "/cache"), carried("old", "/data")];
        let host = &app_json(spec, carry)["HostConfig"];
        assert_eq!(host["Binds"], json!(["/srv/a:/a:rw", "/srv/b:/b:ro,rslave"]));
        let volume = |source: &str, target: &str| json!({"Type": "volume", "Source": source, "Target": target, "ReadOnly": false});
        let mut data = volume("data", "/data");
        data["VolumeOptions"] = json!({"NoCopy": true});
        assert_eq!(
            host["Mounts"],
            json!([
                {"Type": "bind", "Source": "/srv/c:d", "Target": "/c", "ReadOnly": false},
                {"Type": "bind", "Source": "/srv/d", "Target": "/d", "ReadOnly": false,
                 "BindOptions": {"Propagation": "shared"}},
                data,
                {"Type": "tmpfs", "Target": "/tmp", "ReadOnly": false, "TmpfsOptions": {"SizeBytes": 1024, "Mode": 0o700}},
                volume("f00d", "/var/lib"),
                volume("cafe", "/cache"),
            ])
        );
    }

    #[test]
    fn our_labels_go_before_and_times_are_converted() {
        let spec = ContainerSpec {
            labels: BTreeMap::from([("io.pitstop.role".into(), "king".into()), ("team".into(), "shop".into())]),
            stop_grace_ms: Some(1),
            healthcheck: Some(Healthcheck { interval_ms: Some(2), start_period_ms: Some(0), ..Healthcheck::default() }),
            restart: RestartPolicy::OnFailure(None),
            ..ContainerSpec::default()
        };
        let json = app_json(spec, Vec::new());
        assert_eq!(json["Labels"], json!({"io.pitstop.role": "app", "team": "shop"}));
        assert_eq!(json["StopTimeout"], 1);
        assert_eq!(json["Healthcheck"], json!({"Interval": 2_000_000, "StartPeriod": 0}));
        assert_eq!(json["HostConfig"]["RestartPolicy"], json!({"Name": "on-failure"}));
        assert_eq!((&json["Cmd"], &json["Entrypoint"], &json["Env"]), (&Value::Null, &Value::Null, &Value::Null));
    }
}
