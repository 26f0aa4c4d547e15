//! What a simulated engine has at the beginning and how fast it is: a TOML file, or built by a test.

use super::behaviour::Behaviour;
use jiff::Timestamp;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv4Addr;

/// A world to begin with. The default has the engine's three networks and nothing else, and takes no time for anything.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Scenario {
    /// The machine's name.
    pub name: String,
    pub cpus: u32,
    pub memory: u64,
    pub live_restore: bool,
    /// It is Engine 28.5 where what one asks here is answered in another way: an address that can't be had is refused at the creation,
    /// all networks are joined there, and a MAC address nobody asked for is another at each start.
    pub newer: bool,
    /// It answers with all that a real one says, asked for by pitstop or not.
    pub whole: bool,
    /// What the wall clock shows at the beginning; the real time unless told.
    pub begins: Option<Timestamp>,
    /// Milliseconds by kind of work: `create`, `start`, `start_joined`, `stop`, `inspect`, `list` …
    pub latency: BTreeMap<String, u64>,
    pub networks: Vec<NetworkAtFirst>,
    pub images: Vec<ImageAtFirst>,
    pub containers: Vec<ContainerAtFirst>,
    pub apps: Vec<AppAtFirst>,
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            name: "simulated".into(),
            cpus: 4,
            memory: 8 << 30,
            live_restore: false,
            newer: false,
            whole: false,
            begins: None,
            latency: BTreeMap::new(),
            networks: Vec::new(),
            images: Vec::new(),
            containers: Vec::new(),
            apps: Vec::new(),
        }
    }
}

/// A network with a subnet of its own.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NetworkAtFirst {
    pub name: String,
    pub subnet: Option<String>,
    pub ip_range: Option<String>,
    pub labels: BTreeMap<String, String>,
}

/// An image the engine or its registry has.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ImageAtFirst {
    pub name: String,
    /// Only a registry has it: it can be pulled, or a creation finds it missing.
    pub remote: bool,
    pub size: u64,
    pub behaviour: Behaviour,
    pub labels: BTreeMap<String, String>,
}

/// A container that pitstop did not make.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ContainerAtFirst {
    pub name: String,
    pub image: String,
    pub network: Option<String>,
    pub labels: BTreeMap<String, String>,
    pub environment: BTreeMap<String, String>,
    /// `volume:/path` or `/host/path:/path`, with `:ro` behind it where it may not be written.
    pub mounts: Vec<String>,
    /// A command that the engine asks it by.
    pub healthcheck: Option<String>,
    /// `8080:80`, host and container.
    pub ports: Vec<String>,
    pub restart: Option<String>,
    /// How long it has been running, or had been when it ended.
    pub up_s: u64,
    /// It has ended with this code.
    pub exited: Option<i64>,
}

/// An app of pitstop's: a sandbox and an app container for each instance.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AppAtFirst {
    pub project: String,
    pub app: String,
    pub image: String,
    pub instances: u32,
    pub network: String,
    /// The first instance's pinned address; the others follow it.
    pub address: Option<Ipv4Addr>,
    /// `tcp:8080`
    pub probe: String,
    pub environment: BTreeMap<String, String>,
    /// As a container's.
    pub mounts: Vec<String>,
    /// A command that the engine asks it by.
    pub healthcheck: Option<String>,
    pub revision: u32,
    pub up_s: u64,
    /// Its instances that have ended: their numbers, and with which code.
    pub exited: BTreeMap<String, i64>,
}

/// What is wrong with a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScenarioError(pub(super) String);

impl fmt::Display for ScenarioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "this scenario can't be simulated: {}", self.0)
    }
}

impl std::error::Error for ScenarioError {}

impl Scenario {
    /// The demo's: several projects, unmanaged containers, one instance in trouble, newer images to deploy.
    pub fn demo() -> Result<Self, ScenarioError> {
        Self::parse(include_str!("scenarios/demo.toml"))
    }

    /// Reads a TOML text.
    pub fn parse(text: &str) -> Result<Self, ScenarioError> {
        toml::from_str(text).map_err(|error| ScenarioError(error.to_string()))
    }
}
