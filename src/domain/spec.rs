//! What an instance is meant to be: the part an app container carries, and the part its sandbox carries.
//!
//! The split *is* the in-place rule: what is in [`ContainerSpec`] can change in place, what is in [`SandboxSpec`]
//! can't. Everything here is resolved (interpolated, absolute paths, real volume and network names) and ordered, so
//! that equal specs have equal hashes. Must not know Compose syntax or the engine's wire format.

use super::balancer::BalancerSpec;
use super::budget::MinAvailable;
use super::environment::Environment;
use super::hook::Hooks;
use super::options::{BatchSize, Gate, OnDrainTimeout, OnFailure, PullPolicy};
use super::probe::ProbeSpec;
use super::warm::Warm;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// One app as wanted: image, the app container's part, the sandbox's part, and how it is rolled out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AppSpec {
    /// As the user wrote it, e.g. `registry/web:v2`.
    pub image: String,
    pub container: ContainerSpec,
    pub sandbox: SandboxSpec,
    /// Not part of the hash: it changes how, not what, is run.
    pub rollout: Rollout,
}

/// What can change in place.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ContainerSpec {
    /// `None`: the image's own.
    pub entrypoint: Option<Vec<String>>,
    /// `None`: the image's own.
    pub command: Option<Vec<String>>,
    /// In the `.spec` label the values are empty: they are read from the container itself.
    pub environment: Environment,
    pub user: Option<String>,
    pub working_dir: Option<String>,
    /// The user's own labels.
    pub labels: BTreeMap<String, String>,
    pub mounts: Vec<Mount>,
    pub healthcheck: Option<Healthcheck>,
    pub restart: RestartPolicy,
    pub stop_signal: Option<String>,
    /// Milliseconds between stop signal and kill.
    pub stop_grace_ms: Option<u64>,
    pub init: Option<bool>,
    pub tty: bool,
    pub stdin_open: bool,
    pub privileged: bool,
    pub read_only: bool,
    pub cap_add: Vec<String>,
    pub cap_drop: Vec<String>,
    pub security_opt: Vec<String>,
    pub group_add: Vec<String>,
    /// Name to (soft, hard).
    pub ulimits: BTreeMap<String, (i64, i64)>,
    /// Sysctls that are not `net.*`.
    pub sysctls: BTreeMap<String, String>,
    pub resources: Resources,
    pub logging: Option<Logging>,
    /// Bytes.
    pub shm_size: Option<i64>,
    /// Settings of the engine's own (`HostConfig`) that pitstop has no word for, as the engine wrote them: an adopted
    /// container keeps them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub verbatim: BTreeMap<String, serde_json::Value>,
}

/// What needs a new sandbox to change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SandboxSpec {
    /// In order of connection; the first is the one the sandbox is created on.
    pub networks: Vec<NetworkAttach>,
    pub ports: Vec<PublishedPort>,
    /// `None`: the sandbox's name.
    pub hostname: Option<String>,
    pub domainname: Option<String>,
    pub dns: Vec<String>,
    pub dns_search: Vec<String>,
    pub dns_options: Vec<String>,
    /// `host:address` as Docker takes it.
    pub extra_hosts: Vec<String>,
    /// `net.*` sysctls: they belong to the network namespace.
    pub sysctls: BTreeMap<String, String>,
}

/// A network the sandbox joins.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NetworkAttach {
    /// The network's real name in the engine.
    pub network: String,
    /// Besides the service name and the instance name.
    pub aliases: Vec<String>,
    /// Asked for by the user; otherwise pitstop picks one and pins it.
    pub ipv4: Option<String>,
    pub ipv6: Option<String>,
    pub mac: Option<String>,
}

/// A container port published on the host.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct PublishedPort {
    /// Host address; `None`: all.
    pub host_ip: Option<String>,
    /// Inclusive range of host ports; instance N takes the N-th. `None`: the engine picks.
    pub host: Option<(u16, u16)>,
    pub container: u16,
    /// `tcp`, `udp` or `sctp`.
    pub protocol: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MountKind {
    #[default]
    Volume,
    Bind,
    Tmpfs,
}

/// Storage of the app container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Mount {
    pub kind: MountKind,
    /// A volume's real name, an absolute host path, or empty (anonymous volume, tmpfs).
    pub source: String,
    /// Absolute path in the container.
    pub target: String,
    pub read_only: bool,
    /// Bind propagation (`rprivate` …).
    pub propagation: Option<String>,
    /// Bind: make the host path when it is missing (Compose's short form does).
    pub create_host_path: bool,
    /// Volume: don't copy the image's content into an empty volume.
    pub nocopy: bool,
    /// Tmpfs: bytes.
    pub tmpfs_size: Option<i64>,
    /// Tmpfs: mode bits.
    pub tmpfs_mode: Option<u32>,
}

/// Docker's HEALTHCHECK. Durations in milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Healthcheck {
    /// Docker's form: `["NONE"]`, `["CMD", …]` or `["CMD-SHELL", command]`; empty: the image's own.
    pub test: Vec<String>,
    pub interval_ms: Option<u64>,
    pub timeout_ms: Option<u64>,
    pub retries: Option<u32>,
    pub start_period_ms: Option<u64>,
}

/// When the engine starts the app container again by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RestartPolicy {
    #[default]
    No,
    Always,
    UnlessStopped,
    /// With the most retries, if limited.
    OnFailure(Option<u32>),
}

/// Limits; bytes and billionths of a CPU.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Resources {
    pub memory: Option<i64>,
    pub memory_reservation: Option<i64>,
    /// Memory plus swap; -1 is unlimited.
    pub memory_swap: Option<i64>,
    pub nano_cpus: Option<i64>,
    pub cpu_shares: Option<i64>,
    pub cpuset: Option<String>,
    pub pids: Option<i64>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Logging {
    pub driver: String,
    pub options: BTreeMap<String, String>,
}

/// The app's own wishes for its operations, from `x-pitstop` and `deploy.update_config`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rollout {
    pub probe: Option<ProbeSpec>,
    pub batch: Option<BatchSize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub canary: Option<BatchSize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_available: Option<MinAvailable>,
    pub gate: Option<Gate>,
    pub on_failure: Option<OnFailure>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub surge: Option<bool>,
    pub warm: Option<Warm>,
    pub min_ready_ms: Option<u64>,
    pub pull: Option<PullPolicy>,
    /// Commands of its own around an operation.
    #[serde(skip_serializing_if = "Hooks::is_empty")]
    pub hooks: Hooks,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drain_timeout_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_drain_timeout: Option<OnDrainTimeout>,
    /// Load balancers that send it requests.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub balancers: Vec<BalancerSpec>,
}

impl AppSpec {
    /// SHA-256 (hex) of everything that decides what runs: image reference, container part with environment, sandbox part.
    pub fn hash(&self) -> String {
        let canonical = serde_json::to_vec(&(&self.image, &self.container, &self.sandbox)).unwrap_or_default();
        format!("{:x}", Sha256::digest(canonical))
    }

    /// The same spec with the environment's values left out: what the `.spec` label holds.
    pub fn without_secrets(&self) -> Self {
        let mut spec = self.clone();
        spec.container.environment.values_mut().for_each(String::clear);
        spec
    }

    /// Puts the values back from a container's environment; a name the container does not have is dropped.
    pub fn with_environment(mut self, container: &BTreeMap<String, String>) -> Self {
        self.container.environment = self
            .container
            .environment
            .into_iter()
            .filter_map(|(name, _)| container.get(&name).map(|value| (name, value.clone())))
            .collect();
        self
    }
}

impl SandboxSpec {
    /// The first published TCP port, which is where readiness is looked for when nobody says otherwise.
    pub fn first_tcp_port(&self) -> Option<u16> {
        self.ports.iter().find(|port| port.protocol == "tcp").map(|port| port.container)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec() -> AppSpec {
        let mut spec = AppSpec { image: "web:v1".into(), ..AppSpec::default() };
        spec.container.environment.insert("TOKEN".into(), "hush".into());
        spec
    }

    #[test]
    fn the_label_holds_no_secret_and_gets_it_back_from_the_container() {
        let label = serde_json::to_string(&spec().without_secrets()).unwrap();
        assert!(!label.contains("hush"));
        let read: AppSpec = serde_json::from_str(&label).unwrap();
        let env = BTreeMap::from([("TOKEN".to_owned(), "hush".to_owned()), ("PATH".to_owned(), "/bin".to_owned())]);
        assert_eq!(read.with_environment(&env), spec());
    }

    #[test]
    fn the_hash_sees_secrets_but_not_the_rollout() {
        let mut other = spec();
        other.rollout.min_ready_ms = Some(5);
        assert_eq!(other.hash(), spec().hash());
        other.container.environment.insert("TOKEN".into(), "louder".into());
        assert_ne!(other.hash(), spec().hash());
    }
}
