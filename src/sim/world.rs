//! What the simulated engine has: containers, networks, volumes, images. Data and how to find it; what happens to it is in
//! `life.rs`.

use super::answer::{Refusal, refuse};
use super::behaviour::{Behaviour, words};
use super::hold::Hold;
use super::ipam::Pool;
use jiff::Timestamp;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::Ipv4Addr;
use tokio::time::Instant;

/// Everything there is.
#[derive(Default)]
pub struct World {
    pub containers: BTreeMap<String, Container>,
    pub networks: BTreeMap<String, Network>,
    pub volumes: BTreeMap<String, Volume>,
    /// New versions held back, by network namespace and token.
    pub holds: BTreeMap<(u64, String), Hold>,
    /// By id.
    pub images: BTreeMap<String, Image>,
    /// What a pull finds.
    pub registry: Vec<Image>,
    pub execs: BTreeMap<String, Exec>,
    pub events: VecDeque<Value>,
    /// How many events there were before those.
    pub forgotten: u64,
    /// The engine is dead: what ends now is not looked after.
    pub down: bool,
    /// How often the engine has come back.
    pub returns: u64,
    /// Creating and starting fail.
    pub disk_full: bool,
    /// As [`super::Scenario::newer`] says.
    pub newer: bool,
    /// Raised by every id, process and namespace.
    pub(super) count: u64,
}

/// A container.
#[derive(Clone, Debug)]
pub struct Container {
    pub id: String,
    pub name: String,
    /// Which came first.
    pub order: u64,
    pub created: Timestamp,
    /// `Config`, as inspected.
    pub config: Value,
    /// `HostConfig`, as asked for.
    pub host: Value,
    pub image: String,
    pub image_id: String,
    pub labels: BTreeMap<String, String>,
    /// By network id.
    pub ends: BTreeMap<String, Endpoint>,
    /// Whose network namespace it joins, by id.
    pub joins: Option<String>,
    pub mounts: Vec<Value>,
    /// Volumes made for it, removed with it when asked.
    pub anonymous: Vec<String>,
    pub behaviour: Behaviour,
    pub state: State,
    /// By path without the leading slash; a folder ends with one.
    pub files: BTreeMap<String, Vec<u8>>,
    pub log: Vec<LogEntry>,
    /// Lines of log there were before those.
    pub forgotten: usize,
    /// Attached inputs: a lock ends when the last is gone.
    pub inputs: usize,
}

/// What runs in it.
#[derive(Clone, Debug)]
pub struct State {
    pub status: Status,
    pub started: Option<Timestamp>,
    /// The same on the monotonic clock.
    pub since: Option<Instant>,
    pub finished: Option<Timestamp>,
    /// Its processes are frozen.
    pub paused: bool,
    pub exit_code: i64,
    pub error: String,
    pub pid: u64,
    /// One more with each start, so that a timer of an earlier process does no harm.
    pub run: u64,
    /// By its policy, since somebody started it.
    pub restarts: u64,
    /// Of these, the ones in a row after short runs.
    pub in_a_row: u64,
    /// It ended with the engine, or while that was dead.
    pub interrupted: bool,
    /// Somebody stopped it: no policy brings it back.
    pub stopped: bool,
    /// The inode of its network namespace, its own or another's; 0 while it has none.
    pub netns: u64,
    /// Held back by its sandbox, which knows it by this.
    pub held: Option<String>,
    /// When it was let go, and whether its boot had passed by then.
    pub let_go: Option<(Instant, bool)>,
    /// The last one of its own: shown even when it is gone.
    pub own_netns: u64,
    /// Host ports it has now: inside, protocol, host address, host port.
    pub ports: Vec<(u16, String, String, u16)>,
}

/// A container's status, in the engine's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Created,
    Running,
    Restarting,
    Exited,
}

impl State {
    /// The engine's word for it.
    pub fn word(&self) -> &'static str {
        if self.paused { "paused" } else { self.status.word() }
    }
}

impl Status {
    pub fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Running => "running",
            Self::Restarting => "restarting",
            Self::Exited => "exited",
        }
    }
}

/// A place on a network.
#[derive(Clone, Debug, Default)]
pub struct Endpoint {
    pub aliases: Vec<String>,
    /// Asked for.
    pub pinned: Option<Ipv4Addr>,
    pub pinned6: Option<String>,
    pub asked_mac: Option<String>,
    /// While it runs.
    pub ip: Option<Ipv4Addr>,
    /// Empty where it does not run.
    pub mac: String,
}

impl Endpoint {
    /// It has ended.
    pub fn release(&mut self) {
        self.ip = None;
        self.mac.clear();
    }
}

#[derive(Clone, Debug)]
pub struct LogEntry {
    pub at: Timestamp,
    pub stderr: bool,
    pub text: String,
}

#[derive(Clone, Debug)]
pub struct Network {
    pub id: String,
    pub name: String,
    pub driver: String,
    pub created: Timestamp,
    pub internal: bool,
    pub labels: Value,
    pub options: Value,
    /// None for `host` and `none`.
    pub pool: Option<Pool>,
    /// The subnet was written down by whoever made it: addresses may be pinned.
    pub configured: bool,
    /// The range was, too.
    pub ranged: bool,
    /// One of the three that every engine has.
    pub predefined: bool,
}

#[derive(Clone, Debug)]
pub struct Volume {
    pub name: String,
    pub driver: String,
    pub created: Timestamp,
    pub labels: Value,
    pub options: Value,
}

#[derive(Clone, Debug)]
pub struct Image {
    pub id: String,
    pub tags: Vec<String>,
    pub digests: Vec<String>,
    pub arch: String,
    pub size: u64,
    /// `Config`, as inspected.
    pub config: Value,
    pub behaviour: Behaviour,
}

#[derive(Clone, Debug)]
pub struct Exec {
    pub container: String,
    pub command: Vec<String>,
    pub stdin: bool,
    pub running: bool,
    pub exit_code: Option<i64>,
}

impl World {
    /// A number nobody else has.
    pub fn number(&mut self) -> u64 {
        self.count += 1;
        self.count
    }

    /// A new id of 64 hex digits; the same ones in every run.
    pub fn id(&mut self) -> String {
        let seed = self.number();
        hex64(seed.wrapping_mul(4))
    }

    /// The container of that id, name, or beginning of an id.
    pub fn find(&self, key: &str) -> Result<&Container, Refusal> {
        let name = key.strip_prefix('/').unwrap_or(key);
        let by_name = || self.containers.values().find(|container| container.name == name);
        let by_prefix = || {
            let mut all = self.containers.keys().filter(|id| !key.is_empty() && id.starts_with(key));
            all.next().filter(|_| all.next().is_none()).and_then(|id| self.containers.get(id))
        };
        let found = self.containers.get(key).or_else(by_name).or_else(by_prefix);
        found.ok_or_else(|| Refusal { status: 404, message: format!("No such container: {key}") })
    }

    /// The same, to be changed.
    pub fn find_mut(&mut self, key: &str) -> Result<&mut Container, Refusal> {
        let id = self.find(key)?.id.clone();
        self.containers
            .get_mut(&id)
            .ok_or_else(|| Refusal { status: 404, message: format!("No such container: {key}") })
    }

    /// The network of that id, name, or beginning of an id.
    pub fn network(&self, key: &str) -> Result<&Network, Refusal> {
        let by_name = || self.networks.values().find(|network| network.name == key);
        let by_prefix = || self.networks.values().find(|network| key.len() >= 12 && network.id.starts_with(key));
        let found = self.networks.get(key).or_else(by_name).or_else(by_prefix);
        found.ok_or_else(|| Refusal { status: 404, message: format!("network {key} not found") })
    }

    /// The image of that reference or id.
    pub fn image(&self, key: &str) -> Option<&Image> {
        let hex = key.strip_prefix("sha256:").unwrap_or(key);
        let is_id = hex.len() >= 12 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
        let by_id = || self.images.values().find(|image| is_id && image.id["sha256:".len()..].starts_with(hex));
        self.images.values().find(|image| image.is_called(key)).or_else(by_id)
    }

    /// Who has that name.
    pub fn named(&self, name: &str) -> Option<&Container> {
        self.containers.values().find(|container| container.name == name)
    }

    /// Addresses in use on a network now.
    pub fn taken(&self, network: &str) -> BTreeSet<Ipv4Addr> {
        self.containers.values().filter_map(|container| container.ends.get(network)?.ip).collect()
    }

    /// Refuses when the disk is full.
    pub fn room(&self, what: &str) -> Result<(), Refusal> {
        if self.disk_full {
            return refuse(500, format!("{what}: no space left on device"));
        }
        Ok(())
    }
}

impl Container {
    /// It has a process.
    pub fn runs(&self) -> bool {
        self.state.status == Status::Running
    }

    /// Is its program answering at a moment?
    pub fn answers(&self, now: Instant) -> bool {
        self.runs() && self.answers_from().is_some_and(|from| from <= now)
    }

    /// When its program answers first, if it ever does in this run.
    pub fn answers_from(&self) -> Option<Instant> {
        let since = self.state.since?;
        let ready = std::time::Duration::from_millis(self.behaviour.ready_ms);
        let answers = !self.behaviour.mute && self.behaviour.port.is_some() && self.state.held.is_none();
        answers.then(|| match self.state.let_go {
            Some((at, true)) => at.max(since + ready),
            Some((at, false)) => at + ready,
            None => since + ready,
        })
    }

    /// By what its sandbox knows it, where pitstop's guest stands in front of its program.
    pub fn gate(&self) -> Option<&str> {
        match words(&self.config["Entrypoint"]).as_slice() {
            [program, mode, ..] if program.ends_with("/guest") && mode == "gate" => {
                self.config["Entrypoint"][2].as_str()
            }
            _ => None,
        }
    }

    /// A text of its configuration or host configuration.
    pub fn policy(&self) -> (&str, u64) {
        let policy = &self.host["RestartPolicy"];
        (policy["Name"].as_str().unwrap_or(""), policy["MaximumRetryCount"].as_u64().unwrap_or(0))
    }
}

impl Image {
    /// By a tag or a digest; `latest` where no tag is named.
    pub fn is_called(&self, name: &str) -> bool {
        let last = name.rsplit('/').next().unwrap_or(name);
        let latest = format!("{name}:latest");
        let full = if last.contains(':') || name.contains('@') { name } else { latest.as_str() };
        let full = full.strip_prefix("docker.io/").unwrap_or(full);
        self.tags.iter().any(|tag| tag == full) || self.digests.iter().any(|digest| digest == full)
    }
}

/// 64 hex digits out of a number.
pub fn hex64(seed: u64) -> String {
    let [a, b, c, d] = [0, 1, 2, 3].map(|part| scramble(seed.wrapping_add(part)));
    format!("{a:016x}{b:016x}{c:016x}{d:016x}")
}

/// splitmix64: spreads a counter over all bits.
pub fn scramble(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
