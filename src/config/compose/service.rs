//! One service into one app: the table of its keys, and what each becomes.

use super::context::Context;
use super::mounts::Mounts;
use super::read::{At, Fields, Keys};
use super::source;
use super::variables::dotenv;
use super::{networks, ports, process, resources, rollout};
use crate::domain::environment::Environment;
use crate::domain::ids::ImageRef;
use crate::domain::project::{AppEntry, Dependency, DependencyCondition};
use crate::domain::spec::{AppSpec, ContainerSpec, Rollout, SandboxSpec};
use std::collections::BTreeMap;
use std::path::Path;

/// Labels in this namespace are pitstop's own.
const OWN_LABELS: &str = "io.pitstop.";

const SERVICE: Keys = Keys {
    read: &[
        "image",
        "build",
        "command",
        "entrypoint",
        "environment",
        "env_file",
        "user",
        "working_dir",
        "labels",
        "ports",
        "expose",
        "networks",
        "mac_address",
        "hostname",
        "domainname",
        "dns",
        "dns_search",
        "dns_opt",
        "extra_hosts",
        "volumes",
        "tmpfs",
        "secrets",
        "configs",
        "healthcheck",
        "depends_on",
        "restart",
        "stop_signal",
        "stop_grace_period",
        "init",
        "tty",
        "stdin_open",
        "privileged",
        "read_only",
        "cap_add",
        "cap_drop",
        "security_opt",
        "group_add",
        "sysctls",
        "ulimits",
        "mem_limit",
        "mem_reservation",
        "memswap_limit",
        "cpus",
        "cpu_shares",
        "cpuset",
        "pids_limit",
        "shm_size",
        "deploy",
        "scale",
        "logging",
        "profiles",
        "pull_policy",
        "platform",
        "container_name",
    ],
    refused: &[
        ("network_mode", "the sandbox owns the network; use `networks`"),
        ("links", "use `networks`, where services find each other by name"),
        ("external_links", "join the other service's network, as an external one"),
        ("net", "it is of an older format; use `networks`"),
        ("volumes_from", "name the volumes in both services"),
        ("extends", "not in this version; use a YAML anchor, or several -f"),
        ("provider", "only containers are"),
        ("models", "only containers are"),
        ("devices", "not in this version"),
        ("device_cgroup_rules", "not in this version"),
        ("gpus", "not in this version"),
        ("pid", "not in this version"),
        ("ipc", "not in this version"),
        ("uts", "the sandbox owns the host name"),
        ("userns_mode", "not in this version"),
        ("cgroup", "not in this version"),
        ("cgroup_parent", "not in this version"),
        ("runtime", "not in this version"),
        ("isolation", "it is Windows's"),
        ("credential_spec", "it is Windows's"),
        ("storage_opt", "not in this version"),
        ("oom_kill_disable", "not in this version"),
        ("oom_score_adj", "not in this version"),
        ("mem_swappiness", "not in this version"),
        ("blkio_config", "not in this version"),
        ("cpu_count", "it is Windows's; use `cpus`"),
        ("cpu_percent", "it is Windows's; use `cpus`"),
        ("cpu_period", "use `cpus`"),
        ("cpu_quota", "use `cpus`"),
        ("cpu_rt_period", "not in this version"),
        ("cpu_rt_runtime", "not in this version"),
        ("label_file", "not in this version; use `labels`"),
        ("post_start", "not in this version"),
        ("pre_stop", "not in this version"),
        ("use_api_socket", "not in this version"),
        ("volume_driver", "set `driver` on the volume at the top level"),
    ],
    passed: &[
        ("attach", "pitstop runs in the background and shows logs on demand"),
        ("annotations", "they change nothing that runs"),
        ("develop", "it is for building and watching"),
    ],
};

/// A service as read, and what it uses of the top level, by the file's keys.
pub(super) struct Service {
    pub entry: AppEntry,
    pub networks: Vec<String>,
    pub volumes: Vec<String>,
}

/// Reads the service at `at`; `told` is the number of instances asked for outside the file.
pub(super) fn read<'a>(context: &Context<'a>, at: &At<'a>, top: &Rollout, told: Option<u32>) -> Option<Service> {
    let fields = at.fields(&SERVICE)?;
    let deploy = fields.get("deploy").and_then(|at| at.fields(&rollout::DEPLOY));
    let replicas = rollout::replicas(&fields, deploy.as_ref(), told);
    let mut mounts = Mounts::default();
    for (key, at) in ["volumes", "tmpfs", "secrets", "configs"].map(|key| (key, fields.get(key))) {
        match (key, at) {
            ("volumes", Some(at)) => mounts.volumes(context, &at),
            ("tmpfs", Some(at)) => mounts.tmpfs(&at),
            (kind, Some(at)) => mounts.files(context, &at, kind),
            (_, None) => {}
        }
    }
    let (mounts, volumes) = mounts.finish();
    let mut sandbox = SandboxSpec::default();
    let networks = networks::read(context, &fields, replicas, &mut sandbox);
    networks::names(&fields, &mut sandbox);
    container_name(&fields, replicas, &mut sandbox);
    sandbox.ports = fields.get("ports").map(|at| ports::read(&at, replicas)).unwrap_or_default();
    if let Some(at) = fields.get("expose") {
        ports::check_expose(&at);
    }
    let mut container = container(context, &fields);
    container.mounts = mounts;
    container.restart = process::restart(&fields, deploy.as_ref());
    container.resources = resources::read(&fields, deploy.as_ref());
    for (name, value, _) in fields.get("sysctls").map(|at| at.pairs()).unwrap_or_default() {
        let of = if name.starts_with("net.") { &mut sandbox.sysctls } else { &mut container.sysctls };
        of.insert(name, value.unwrap_or_default());
    }
    if let Some(at) = fields.get("platform") {
        match at.text() {
            Some(text) if text.starts_with("linux/") || text == "linux" => {
                at.warn("is passed over: the engine's own platform is used");
            }
            _ => at.error("is not supported: only linux is"),
        }
    }
    let rollout = rollout::read(&fields, deploy.as_ref(), top);
    let spec = AppSpec { image: image(&fields)?, container, sandbox, rollout };
    Some(Service { entry: AppEntry { spec, replicas, depends_on: depends_on(&fields) }, networks, volumes })
}

fn container(context: &Context<'_>, fields: &Fields<'_>) -> ContainerSpec {
    ContainerSpec {
        entrypoint: fields.get("entrypoint").and_then(|at| process::command(&at)),
        command: fields.get("command").and_then(|at| process::command(&at)),
        environment: environment(context, fields),
        user: fields.text("user"),
        working_dir: fields.get("working_dir").and_then(|at| {
            at.parsed(|text| {
                if text.starts_with('/') {
                    Ok(text.to_owned())
                } else {
                    Err(format!("`{text}` is not an absolute path in the container"))
                }
            })
        }),
        labels: labels(fields),
        healthcheck: fields.get("healthcheck").and_then(|at| process::healthcheck(&at)),
        stop_signal: fields.get("stop_signal").and_then(|at| at.parsed(process::signal)),
        stop_grace_ms: fields.get("stop_grace_period").and_then(|at| at.duration_ms()),
        init: fields.get("init").and_then(|at| at.flag()),
        tty: fields.flag("tty"),
        stdin_open: fields.flag("stdin_open"),
        privileged: fields.flag("privileged"),
        read_only: fields.flag("read_only"),
        cap_add: list(fields, "cap_add"),
        cap_drop: list(fields, "cap_drop"),
        security_opt: list(fields, "security_opt"),
        group_add: list(fields, "group_add"),
        ulimits: fields.get("ulimits").map(|at| resources::ulimits(&at)).unwrap_or_default(),
        logging: fields.get("logging").and_then(|at| process::logging(&at)),
        shm_size: fields.get("shm_size").and_then(|at| at.bytes()),
        ..ContainerSpec::default()
    }
}

/// A list of texts, each once.
fn list(fields: &Fields<'_>, key: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for text in fields.get(key).map(|at| at.items()).unwrap_or_default().iter().filter_map(At::word) {
        if !found.contains(&text) {
            found.push(text);
        }
    }
    found
}

fn image(fields: &Fields<'_>) -> Option<String> {
    let build = fields.get("build");
    let Some(at) = fields.get("image") else {
        match build {
            Some(at) => at.error("is not supported without `image`: build and push the image, then name it"),
            None => fields.at.error("`image` is missing"),
        }
        return None;
    };
    if let Some(build) = build {
        build.warn("is passed over: the image is used as it is; build it elsewhere");
    }
    at.parsed(|text| ImageRef::new(text).map(String::from).map_err(|error| error.to_string()))
}

/// The files of `env_file` in order, then `environment` over them; a name without a value takes it from outside.
fn environment(context: &Context<'_>, fields: &Fields<'_>) -> Environment {
    const FILE: Keys = Keys::only(&["path", "required", "format"]);
    let mut environment = Environment::default();
    for item in fields.get("env_file").map(|at| at.items_or_one()).unwrap_or_default() {
        let long = item.fields_if_map(&FILE);
        let path = match &long {
            Some(fields) => fields.need("path"),
            None => Some(item.clone()),
        };
        let raw = long.as_ref().and_then(|fields| fields.text("format")).is_some_and(|format| format == "raw");
        let required = long.as_ref().and_then(|fields| fields.get("required")).and_then(|at| at.flag()).unwrap_or(true);
        let Some(path) = path.and_then(|at| at.parsed(|path| context.host_path(path))) else { continue };
        if !required && !Path::new(&path).exists() {
            continue;
        }
        if raw {
            item.error("the format `raw` is not supported");
        }
        match source::read(Path::new(&path)).and_then(|text| dotenv(&text, &context.variables)) {
            Ok(found) => environment.extend(found),
            Err(message) => item.error(format!("the environment file `{path}`: {message}")),
        }
    }
    for (name, value, at) in fields.get("environment").map(|at| at.pairs()).unwrap_or_default() {
        if name.is_empty() || name.contains(['=', '\0']) {
            at.error(format!("`{name}` is not a variable's name"));
            continue;
        }
        match value.or_else(|| context.variables.get(&name).cloned()) {
            Some(value) => environment.insert(name, value),
            // As in Compose: a name that has no value anywhere is not set at all.
            None => environment.remove(&name),
        };
    }
    environment
}

fn labels(fields: &Fields<'_>) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    for (name, value, at) in fields.get("labels").map(|at| at.pairs()).unwrap_or_default() {
        if name.starts_with(OWN_LABELS) {
            at.error(format!("labels that begin with {OWN_LABELS} are pitstop's own"));
        }
        labels.insert(name, value.unwrap_or_default());
    }
    labels
}

/// Containers are named by pitstop; the asked-for name stays reachable on the networks.
fn container_name(fields: &Fields<'_>, replicas: u32, sandbox: &mut SandboxSpec) {
    let Some(at) = fields.get("container_name") else { return };
    let Some(name) = at.word() else { return };
    if replicas > 1 {
        return at.error(format!("one name cannot serve {replicas} replicas; leave it out"));
    }
    at.warn(format!("is passed over: containers are named PROJECT-SERVICE-N; `{name}` becomes a network alias"));
    for network in &mut sandbox.networks {
        if !network.aliases.contains(&name) {
            network.aliases.push(name.clone());
        }
    }
}

fn depends_on(fields: &Fields<'_>) -> Vec<Dependency> {
    const LONG: Keys = Keys {
        read: &["condition", "required"],
        refused: &[],
        passed: &[("restart", "a dependency keeps its address, so those that use it need no restart")],
    };
    let Some(at) = fields.get("depends_on") else { return Vec::new() };
    let named = match &at.node.value {
        super::tree::Value::List(_) => at.items().into_iter().filter_map(|item| Some((item.word()?, item))).collect(),
        _ => at.entries(),
    };
    let dependency = |(app, at): (String, At<'_>)| {
        let fields = at.fields_if_map(&LONG);
        let condition = match fields.as_ref().and_then(|fields| fields.get("condition")) {
            None => DependencyCondition::ServiceStarted,
            Some(at) => at.parsed(|text| match text {
                "service_started" => Ok(DependencyCondition::ServiceStarted),
                "service_healthy" => Ok(DependencyCondition::ServiceHealthy),
                "service_completed_successfully" => {
                    Err("`service_completed_successfully` is not supported in this version; run the job beforehand"
                        .to_owned())
                }
                _ => Err(format!("`{text}` is not a condition; use service_started or service_healthy")),
            })?,
        };
        let required =
            fields.as_ref().and_then(|fields| fields.get("required")).and_then(|at| at.flag()).unwrap_or(true);
        Some(Dependency { app, condition, required })
    };
    named.into_iter().filter_map(dependency).collect()
}
