//! A stranger's container as what an instance can be made from: every setting has a place in a spec, goes along
//! verbatim, or is named as lost. Pure but for the reading itself.
//!
//! What the image says by itself is left to the image, so that a later image brings its own.

mod network;
mod storage;

use self::network::{bound, own_mac, sandbox};
use self::storage::storage;
use super::client::{Docker, READ};
use super::error::{DockerError, Failure};
use super::read;
use crate::domain::adopt::Original;
use crate::domain::clean::clean;
use crate::domain::environment::Environment;
use crate::domain::ids::{ContainerId, ImageRef};
use crate::domain::labels::{COMPOSE_DIRECTORY, COMPOSE_FILES};
use crate::domain::spec::{AppSpec, ContainerSpec, Healthcheck, Logging, Resources, RestartPolicy};
use bollard::models::{ContainerConfig, ContainerInspectResponse, HealthConfig, HostConfig, ImageConfig, MountPoint};
use bollard::query_parameters::InspectContainerOptions;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

/// What Compose writes on its containers: carried over, it would take ours for its own.
const COMPOSE: &str = "com.docker.compose.";
/// Labels that say who else looks after a container.
const OWNERS: [(&str, &str); 3] = [
    ("com.docker.swarm.service.id", "it is a task of a Swarm service, which would start another in its place"),
    ("io.kubernetes.pod.name", "it belongs to a Kubernetes pod, whose kubelet would start another in its place"),
    ("com.docker.compose.oneoff", "it is a one-off of docker compose run"),
];
/// Of `HostConfig`: what has a word in a spec, or means nothing for another container.
const SAID: [&str; 37] = [
    "CpuShares",
    "Memory",
    "MemoryReservation",
    "MemorySwap",
    "NanoCpus",
    "CpusetCpus",
    "PidsLimit",
    "Ulimits",
    "Init",
    "Binds",
    "ContainerIDFile",
    "LogConfig",
    "NetworkMode",
    "PortBindings",
    "RestartPolicy",
    "AutoRemove",
    "VolumeDriver",
    "VolumesFrom",
    "Mounts",
    "ConsoleSize",
    "CapAdd",
    "CapDrop",
    "Dns",
    "DnsOptions",
    "DnsSearch",
    "ExtraHosts",
    "GroupAdd",
    "Links",
    "Privileged",
    "PublishAllPorts",
    "ReadonlyRootfs",
    "SecurityOpt",
    "UTSMode",
    "ShmSize",
    "Sysctls",
    "Isolation",
    "Cgroup",
];
const SHM: i64 = 64 << 20;

/// What this engine gives a container that asks for nothing.
#[derive(Clone, Debug, Default)]
pub(super) struct Defaults {
    pub log_driver: String,
    pub cgroupns: String,
    /// It shows 0 s to stop where nobody said anything.
    pub podman: bool,
}

impl Docker {
    /// The configuration of a container that pitstop has not made; `None` when it is gone.
    pub async fn original(&self, id: &ContainerId) -> Result<Option<Original>, DockerError> {
        let request = self.client().inspect_container(id.as_str(), None::<InspectContainerOptions>);
        let seen = match self.call("inspect", &self.name(id), READ, request).await {
            Ok(seen) => seen,
            Err(error) if error.failure == Failure::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let info = self.call("ask", "engine", READ, self.client().info()).await?;
        let cgroupns = info.cgroup_version.is_some_and(|version| version.to_string() == "2");
        let defaults = Defaults {
            log_driver: info.logging_driver.unwrap_or_default(),
            cgroupns: if cgroupns { "private" } else { "host" }.into(),
            podman: self.info().podman,
        };
        let image = match &seen.image {
            Some(image) => match self.call("inspect image", image, READ, self.client().inspect_image(image)).await {
                Ok(image) => image.config.unwrap_or_default(),
                Err(error) if error.failure == Failure::NotFound => ImageConfig::default(),
                Err(error) => return Err(error),
            },
            None => ImageConfig::default(),
        };
        Ok(Some(original(seen, &image, &defaults)))
    }
}

/// Translates an inspection.
pub(super) fn original(seen: ContainerInspectResponse, image: &ImageConfig, defaults: &Defaults) -> Original {
    let id = seen.id.unwrap_or_default();
    let name = seen.name.unwrap_or_default();
    let name = name.trim_start_matches('/');
    let config = seen.config.unwrap_or_default();
    let host = seen.host_config.unwrap_or_default();
    let settings = seen.network_settings.unwrap_or_default();
    let endpoints = settings.networks.unwrap_or_default();
    let mut losses = Losses::default();

    let container = container(&config, &host, image, &seen.mounts.unwrap_or_default(), defaults, &mut losses);
    let sandbox = sandbox(&config, &host, &endpoints, [name, &id], &mut losses);
    let mut now = sandbox.clone();
    now.hostname = some(config.hostname.as_ref());
    now.ports = bound(&settings.ports.unwrap_or_default());
    for attach in &mut now.networks {
        if !attach.aliases.iter().any(|alias| alias == name) {
            attach.aliases.push(clean(name));
        }
        let end = endpoints.get(&attach.network);
        attach.mac = end.and_then(own_mac);
    }
    let chosen = endpoints.iter().filter_map(|(network, end)| {
        let asked = end.ipam_config.as_ref().and_then(|asked| some(asked.ipv4_address.as_ref()));
        let ip = some(end.ip_address.as_ref()).filter(|_| asked.is_none())?;
        Some((clean(network), ip))
    });
    let reference = config.image.clone().filter(|text| ImageRef::new(text.as_str()).is_ok());
    Original {
        chosen: chosen.collect(),
        obstacles: obstacles(&config, &host),
        spec: AppSpec { image: reference.or(seen.image).unwrap_or_default(), container, sandbox, ..AppSpec::default() },
        sandbox: now,
        files: files(config.labels.unwrap_or_default()),
        losses: losses.0,
    }
}

/// Compose v2 writes whole paths, v1 those that it was given.
fn files(mut labels: HashMap<String, String>) -> Vec<String> {
    let directory = PathBuf::from(labels.remove(COMPOSE_DIRECTORY).unwrap_or_default());
    let files = labels.remove(COMPOSE_FILES).unwrap_or_default();
    let files = files.split(',').map(str::trim).filter(|file| !file.is_empty() && *file != "-");
    files.map(|file| clean(&directory.join(file).to_string_lossy())).collect()
}

/// What can't be kept.
#[derive(Default)]
struct Losses(Vec<String>);

impl Losses {
    fn say(&mut self, sentence: impl Into<String>) {
        self.0.push(clean(&sentence.into()));
    }
}

fn obstacles(config: &ContainerConfig, host: &HostConfig) -> Vec<String> {
    let mut found = Vec::new();
    let labels = config.labels.clone().unwrap_or_default();
    let is_set =
        |key: &str| labels.get(key).is_some_and(|value| !value.is_empty() && value != "False" && value != "false");
    found.extend(OWNERS.iter().filter(|(key, _)| is_set(key)).map(|(_, why)| (*why).to_owned()));
    match host.network_mode.as_deref().unwrap_or_default() {
        "host" => found.push("it is on the host's network, so it has no address of its own to hold".into()),
        "none" => found.push("it is on no network, so there is no address to hold".into()),
        mode if mode.starts_with("container:") => {
            found.push("it shares the network of another container, which holds its address already".into());
        }
        _ => {}
    }
    let mounts = host.mounts.iter().flatten();
    if mounts.filter_map(|mount| mount.volume_options.as_ref()?.subpath.as_ref()).any(|path| !path.is_empty()) {
        found.push("it mounts only a part of a volume (`volume-subpath`), for which there is no word here".into());
    }
    if host.auto_remove == Some(true) {
        found.push(
            "it was run with --rm: the engine removes it as soon as it stops, so there would be no way back".into(),
        );
    }
    found
}

fn container(
    config: &ContainerConfig,
    host: &HostConfig,
    image: &ImageConfig,
    mounts: &[MountPoint],
    defaults: &Defaults,
    losses: &mut Losses,
) -> ContainerSpec {
    let (entrypoint, command) = command(config, image);
    let differs =
        |own: &Option<String>, image: &Option<String>| some(own.as_ref()).filter(|own| Some(own) != image.as_ref());
    let (_, sysctls) = sysctls(host);
    let ulimit = |limit: &bollard::models::ResourcesUlimits| {
        // Podman shows `RLIMIT_NOFILE`, and takes `nofile`.
        let name = limit.name.clone()?;
        let name = name.strip_prefix("RLIMIT_").map(str::to_lowercase).unwrap_or(name);
        Some((name, (limit.soft.unwrap_or_default(), limit.hard.unwrap_or_default())))
    };
    let memory = positive(host.memory);
    ContainerSpec {
        entrypoint,
        command,
        environment: environment(config.env.as_deref(), image.env.as_deref()),
        user: differs(&config.user, &image.user),
        working_dir: differs(&config.working_dir, &image.working_dir),
        labels: labels(config, image),
        mounts: storage(mounts, host, losses),
        healthcheck: healthcheck(config.healthcheck.as_ref(), image.healthcheck.as_ref(), losses),
        restart: host.restart_policy.clone().map_or(RestartPolicy::No, |policy| read::restart(Some(policy))),
        stop_signal: differs(&config.stop_signal, &image.stop_signal),
        stop_grace_ms: config
            .stop_timeout
            .and_then(|s| u64::try_from(s).ok())
            .filter(|s| *s > 0 || !defaults.podman)
            .map(|s| s.saturating_mul(1000)),
        init: host.init,
        tty: config.tty.unwrap_or_default(),
        stdin_open: config.open_stdin.unwrap_or_default(),
        privileged: host.privileged.unwrap_or_default(),
        read_only: host.readonly_rootfs.unwrap_or_default(),
        cap_add: host.cap_add.clone().unwrap_or_default(),
        cap_drop: host.cap_drop.clone().unwrap_or_default(),
        security_opt: host.security_opt.clone().unwrap_or_default(),
        group_add: host.group_add.clone().unwrap_or_default(),
        ulimits: host.ulimits.iter().flatten().filter_map(ulimit).collect(),
        sysctls,
        resources: Resources {
            memory,
            memory_reservation: positive(host.memory_reservation),
            // Twice the memory is what the engine makes of a memory limit alone.
            memory_swap: host.memory_swap.filter(|swap| *swap != 0 && Some(*swap) != memory.map(|memory| memory * 2)),
            nano_cpus: positive(host.nano_cpus),
            cpu_shares: positive(host.cpu_shares),
            cpuset: some(host.cpuset_cpus.as_ref()),
            pids: host.pids_limit.filter(|pids| *pids != 0),
        },
        logging: logging(host, defaults),
        shm_size: positive(host.shm_size).filter(|size| *size != SHM),
        verbatim: verbatim(host, defaults),
    }
}

fn some(text: Option<&String>) -> Option<String> {
    text.filter(|text| !text.is_empty()).cloned()
}

fn positive(number: Option<i64>) -> Option<i64> {
    number.filter(|number| *number > 0)
}

/// Entrypoint and command as far as they are its own. An entrypoint of its own does away with the image's arguments.
fn command(config: &ContainerConfig, image: &ImageConfig) -> (Option<Vec<String>>, Option<Vec<String>>) {
    let list = |words: &Option<Vec<String>>| words.clone().filter(|words| !words.is_empty());
    let (own, args) = (list(&config.entrypoint), list(&config.cmd));
    let (base, base_args) = (list(&image.entrypoint), list(&image.cmd));
    if own == base && (args == base_args || args.is_some()) {
        return (None, args.filter(|args| base_args.as_ref() != Some(args)));
    }
    // `--entrypoint ""` takes the image's away.
    let none = || base.is_some().then(|| vec![String::new()]);
    (own.or_else(none), args)
}

fn environment(own: Option<&[String]>, image: Option<&[String]>) -> Environment {
    let image = image.unwrap_or_default();
    let pairs = own.unwrap_or_default().iter().filter(|entry| !image.contains(entry));
    pairs.filter_map(|entry| entry.split_once('=')).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn labels(config: &ContainerConfig, image: &ImageConfig) -> BTreeMap<String, String> {
    let image = image.labels.clone().unwrap_or_default();
    let own = config.labels.clone().unwrap_or_default().into_iter();
    own.filter(|(key, value)| {
        image.get(key) != Some(value) && !key.starts_with(COMPOSE) && !key.starts_with("io.pitstop.")
    })
    .collect()
}

/// `net.*` belongs to the network namespace; and the rest.
fn sysctls(host: &HostConfig) -> (BTreeMap<String, String>, BTreeMap<String, String>) {
    host.sysctls.clone().unwrap_or_default().into_iter().partition(|(key, _)| key.starts_with("net."))
}

fn logging(host: &HostConfig, defaults: &Defaults) -> Option<Logging> {
    let log = host.log_config.clone()?;
    let options: BTreeMap<String, String> = log.config.unwrap_or_default().into_iter().collect();
    let driver = log.typ.filter(|driver| !driver.is_empty())?;
    (driver != defaults.log_driver || !options.is_empty()).then_some(Logging { driver, options })
}

fn healthcheck(own: Option<&HealthConfig>, image: Option<&HealthConfig>, losses: &mut Losses) -> Option<Healthcheck> {
    let check = own.filter(|own| Some(*own) != image)?;
    let test = check.test.clone().filter(|test| !test.is_empty())?;
    let ms = |nanos: Option<i64>| {
        nanos.and_then(|n| u64::try_from(n).ok()).filter(|n| *n > 0).map(|n| n.div_ceil(1_000_000))
    };
    if check.start_interval.is_some_and(|interval| interval > 0) {
        losses.say("the start interval of its health check is not kept");
    }
    Some(Healthcheck {
        test,
        interval_ms: ms(check.interval),
        timeout_ms: ms(check.timeout),
        retries: check.retries.and_then(|retries| u32::try_from(retries).ok()).filter(|retries| *retries > 0),
        start_period_ms: ms(check.start_period),
    })
}

/// What has no word in a spec and is not as every container has it.
fn verbatim(host: &HostConfig, defaults: &Defaults) -> BTreeMap<String, Value> {
    let Ok(Value::Object(all)) = serde_json::to_value(host) else { return BTreeMap::new() };
    all.into_iter().filter(|(key, value)| !SAID.contains(&key.as_str()) && is_own(key, value, defaults)).collect()
}

fn is_own(key: &str, value: &Value, defaults: &Defaults) -> bool {
    match (key, value) {
        // Made out of nothing by the engine; an empty list is a wish (--security-opt systempaths=unconfined).
        ("MaskedPaths" | "ReadonlyPaths", Value::Array(paths)) => paths.is_empty(),
        ("IpcMode", Value::String(mode)) => !matches!(mode.as_str(), "" | "private" | "shareable"),
        // Podman's word for whichever it uses.
        ("Runtime", Value::String(runtime)) => {
            !matches!(runtime.as_str(), "" | "runc" | "io.containerd.runc.v2" | "oci")
        }
        ("PidMode", Value::String(mode)) => !matches!(mode.as_str(), "" | "private"),
        ("CgroupnsMode", Value::String(mode)) => !mode.is_empty() && *mode != defaults.cgroupns,
        ("MemorySwappiness", Value::Number(number)) => number.as_i64() != Some(-1),
        (_, Value::Null | Value::Bool(false)) => false,
        (_, Value::Number(number)) => number.as_i64() != Some(0),
        (_, Value::String(text)) => !text.is_empty(),
        (_, Value::Array(list)) => !list.is_empty(),
        (_, Value::Object(map)) => !map.is_empty(),
        (_, Value::Bool(true)) => true,
    }
}

#[cfg(test)]
mod tests;
