//! A whole app file, resolved: apps, and the networks and volumes they share.

use super::spec::AppSpec;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A Compose project as wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectSpec {
    pub name: String,
    /// By service name, in the file's order; services outside the active profiles are left out.
    pub apps: IndexMap<String, AppEntry>,
    /// By real name; only those that an app uses.
    pub networks: IndexMap<String, NetworkSpec>,
    /// By real name; only those that an app uses.
    pub volumes: IndexMap<String, VolumeSpec>,
    /// Where it was read from, absolute; empty when that can't be read again.
    #[serde(skip)]
    pub files: Vec<String>,
    /// Keys that change nothing that runs and were passed over, each a sentence with file and line.
    pub warnings: Vec<String>,
}

/// One service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppEntry {
    pub spec: AppSpec,
    pub replicas: u32,
    pub depends_on: Vec<Dependency>,
}

/// A service that has to be there first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dependency {
    pub app: String,
    pub condition: DependencyCondition,
    /// Compose's `required`: false lets it be missing.
    pub required: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DependencyCondition {
    #[default]
    ServiceStarted,
    ServiceHealthy,
    ServiceCompletedSuccessfully,
}

/// A network to be there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NetworkSpec {
    /// Real name in the engine.
    pub name: String,
    /// Somebody else's: it must exist and is never created or removed.
    pub external: bool,
    /// `None`: bridge.
    pub driver: Option<String>,
    pub driver_opts: BTreeMap<String, String>,
    pub internal: bool,
    pub attachable: bool,
    pub ipv6: bool,
    pub labels: BTreeMap<String, String>,
    /// The user's own address plan; empty: pitstop makes one with room for pinned addresses.
    pub ipam: Vec<Subnet>,
}

/// One IPAM pool, in CIDR notation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Subnet {
    pub subnet: String,
    pub ip_range: Option<String>,
    pub gateway: Option<String>,
}

/// A volume to be there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct VolumeSpec {
    /// Real name in the engine.
    pub name: String,
    pub external: bool,
    pub driver: Option<String>,
    pub driver_opts: BTreeMap<String, String>,
    pub labels: BTreeMap<String, String>,
}
