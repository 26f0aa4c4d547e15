//! What services refer to: the top-level networks, volumes, secrets and configs, the project's name and directory.

use super::read::{At, Fields, Keys, nearest};
use crate::domain::ids::ObjectName;
use crate::domain::project::{NetworkSpec, Subnet, VolumeSpec};
use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

/// All that a service's keys are resolved against. Keys are those of the file.
pub(super) struct Context<'a> {
    pub project: String,
    /// Absolute; relative paths start here.
    pub directory: PathBuf,
    /// The process's variables over `.env`.
    pub variables: BTreeMap<String, String>,
    pub networks: BTreeMap<String, NetworkSpec>,
    pub volumes: BTreeMap<String, VolumeSpec>,
    /// `secrets` and `configs`: an entry's place.
    pub files: BTreeMap<(&'static str, String), At<'a>>,
}

const NETWORK: Keys = Keys {
    read: &[
        "name",
        "external",
        "driver",
        "driver_opts",
        "internal",
        "attachable",
        "enable_ipv4",
        "enable_ipv6",
        "ipam",
        "labels",
    ],
    refused: &[],
    passed: &[],
};

const VOLUME: Keys = Keys::only(&["name", "external", "driver", "driver_opts", "labels"]);

const FILE: Keys = Keys {
    read: &["file"],
    refused: &[
        ("environment", "only secrets and configs from files are; use `file`"),
        ("external", "an engine without Swarm holds none; use `file`"),
        ("content", "only configs from files are; use `file`"),
        ("driver", "an engine without Swarm has none; use `file`"),
        ("driver_opts", "an engine without Swarm has none; use `file`"),
        ("template_driver", "an engine without Swarm has none"),
    ],
    passed: &[("name", "a file needs no name in the engine"), ("labels", "a file has no labels")],
};

impl<'a> Context<'a> {
    /// Reads what the top level declares.
    pub fn declare(&mut self, top: &Fields<'a>) {
        for (key, at) in top.get("networks").map(|at| at.entries()).unwrap_or_default() {
            if let Some(network) = self.network_spec(&key, &at) {
                self.networks.insert(key, network);
            }
        }
        self.networks
            .entry("default".to_owned())
            .or_insert_with(|| NetworkSpec { name: format!("{}_default", self.project), ..NetworkSpec::default() });
        for (key, at) in top.get("volumes").map(|at| at.entries()).unwrap_or_default() {
            if let Some(volume) = self.volume_spec(&key, &at) {
                self.volumes.insert(key, volume);
            }
        }
        for kind in ["secrets", "configs"] {
            for (key, at) in top.get(kind).map(|at| at.entries()).unwrap_or_default() {
                at.fields(&FILE);
                self.files.insert((kind, key), at);
            }
        }
    }

    /// The real name of the volume a service calls `key`.
    pub fn volume(&self, key: &str, at: &At<'_>) -> Option<String> {
        let found = self.volumes.get(key).map(|volume| volume.name.clone());
        if found.is_none() {
            at.error(undeclared("volume", "volumes", key, self.volumes.keys()));
        }
        found
    }

    /// The network a service calls `key`.
    pub fn network(&self, key: &str, at: &At<'_>) -> Option<&NetworkSpec> {
        let found = self.networks.get(key);
        if found.is_none() {
            at.error(undeclared("network", "networks", key, self.networks.keys()));
        }
        found
    }

    /// The absolute path of the file behind a secret or config.
    pub fn file(&self, kind: &str, key: &str, at: &At<'_>) -> Option<String> {
        let Some((_, declared)) = self.files.iter().find(|((k, name), _)| *k == kind && name == key) else {
            let known = self.files.keys().filter(|(k, _)| *k == kind).map(|(_, name)| name);
            at.error(undeclared(kind.trim_end_matches('s'), kind, key, known));
            return None;
        };
        let Some(file) = declared.node.get("file") else {
            declared.error("`file` is missing; only files are supported as a source");
            return None;
        };
        let file = At { node: &file.node, pos: file.pos, ..declared.clone() };
        file.parsed(|path| self.host_path(path))
    }

    /// A path on the engine's host: absolute, `~` and `.` and `..` resolved as text.
    pub fn host_path(&self, text: &str) -> Result<String, String> {
        let path = match text.strip_prefix('~') {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => match self.variables.get("HOME") {
                Some(home) => Path::new(home).join(rest.trim_start_matches('/')),
                None => return Err(format!("`{text}` begins with `~`, but HOME is not set")),
            },
            Some(_) => return Err(format!("`{text}`: only `~/…` is supported, not another user's home")),
            None if text.trim().is_empty() => return Err("is empty where a path is expected".to_owned()),
            None => self.directory.join(text),
        };
        without_dots(&path).into_os_string().into_string().map_err(|_| format!("`{text}` is not UTF-8 text"))
    }

    /// The real name: the user's `name`, the key itself where it is external, else with the project in front.
    fn real_name(&self, key: &str, fields: &Fields<'_>) -> Option<(String, bool)> {
        let mut name = fields.get("name").map(|at| (at.word(), at));
        let mut external = false;
        if let Some(at) = fields.get("external") {
            // The old form: `external: {name: x}`.
            if let Some(old) = at.fields_if_map(&Keys::only(&["name"])) {
                external = true;
                name = old.get("name").map(|at| (at.word(), at)).or(name);
            } else {
                external = at.flag()?;
            }
        }
        let (text, at) = match name {
            Some((text, at)) => (text?, at),
            None if external => (key.to_owned(), fields.at.clone()),
            None => (format!("{}_{key}", self.project), fields.at.clone()),
        };
        match ObjectName::new(text) {
            Ok(name) => Some((name.into(), external)),
            Err(error) => {
                at.error(error.to_string());
                None
            }
        }
    }

    fn volume_spec(&self, key: &str, at: &At<'a>) -> Option<VolumeSpec> {
        let fields = at.fields(&VOLUME)?;
        let (name, external) = self.real_name(key, &fields)?;
        refuse_with_external(&fields, external, &["driver", "driver_opts", "labels"]);
        let (mut driver_opts, labels) = (map(&fields, "driver_opts"), map(&fields, "labels"));
        // A volume that is really a directory of the host; the engine takes absolute paths only.
        let bound =
            driver_opts.get("o").is_some_and(|o| o.split(',').any(|option| option == "bind" || option == "rbind"));
        if let Some(device) = driver_opts.get_mut("device").filter(|device| bound && device.starts_with(['.', '~'])) {
            *device = self.host_path(device).map_err(|message| fields.at.error(message)).ok()?;
        }
        Some(VolumeSpec { name, external, driver: fields.text("driver"), driver_opts, labels })
    }

    fn network_spec(&self, key: &str, at: &At<'a>) -> Option<NetworkSpec> {
        let fields = at.fields(&NETWORK)?;
        let (name, external) = self.real_name(key, &fields)?;
        refuse_with_external(
            &fields,
            external,
            &["driver", "driver_opts", "labels", "ipam", "internal", "enable_ipv6"],
        );
        if let Some(at) = fields.get("enable_ipv4").filter(|at| at.flag() == Some(false)) {
            at.error("networks without IPv4 are not supported");
        }
        Some(NetworkSpec {
            name,
            external,
            driver: fields.text("driver"),
            driver_opts: map(&fields, "driver_opts"),
            internal: fields.flag("internal"),
            attachable: fields.flag("attachable"),
            ipv6: fields.flag("enable_ipv6"),
            labels: map(&fields, "labels"),
            ipam: fields.get("ipam").map(|at| ipam(&at)).unwrap_or_default(),
        })
    }
}

/// An absolute path with `.` and `..` taken out as text, as Compose does; links are not followed.
pub(super) fn without_dots(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                clean.pop();
            }
            Component::CurDir => {}
            other => clean.push(other),
        }
    }
    clean
}

fn ipam(at: &At<'_>) -> Vec<Subnet> {
    const IPAM: Keys =
        Keys { read: &["driver", "config"], refused: &[("options", "only the default IPAM driver is")], passed: &[] };
    const POOL: Keys = Keys {
        read: &["subnet", "ip_range", "gateway"],
        refused: &[("aux_addresses", "leave them out of `ip_range` instead")],
        passed: &[],
    };
    let Some(fields) = at.fields(&IPAM) else { return Vec::new() };
    if let Some(at) = fields.get("driver").filter(|at| at.text().is_none_or(|driver| driver != "default")) {
        at.error("is not supported: only the default IPAM driver is");
    }
    let pool = |at: At<'_>| {
        let fields = at.fields(&POOL)?;
        let net = |at: &At<'_>| at.parsed(|text| cidr(text).map(|_| text.to_owned()));
        Some(Subnet {
            subnet: net(&fields.need("subnet")?)?,
            ip_range: fields.get("ip_range").and_then(|at| net(&at)),
            gateway: fields.get("gateway").and_then(|at| {
                at.parsed(|text| match text.parse::<std::net::IpAddr>() {
                    Ok(ip) => Ok(ip.to_string()),
                    Err(_) => Err(format!("`{text}` is not an IP address")),
                })
            }),
        })
    };
    fields.get("config").map(|at| at.items()).unwrap_or_default().into_iter().filter_map(pool).collect()
}

/// An address range and its prefix length.
pub(super) fn cidr(text: &str) -> Result<(std::net::IpAddr, u8), String> {
    let wrong = || format!("`{text}` is not a subnet; write it like 172.28.0.0/16");
    let (ip, bits) = text.split_once('/').ok_or_else(wrong)?;
    let ip: std::net::IpAddr = ip.parse().map_err(|_| wrong())?;
    let bits: u8 = bits.parse().map_err(|_| wrong())?;
    if bits > if ip.is_ipv4() { 32 } else { 128 } { Err(wrong()) } else { Ok((ip, bits)) }
}

fn map(fields: &Fields<'_>, key: &str) -> BTreeMap<String, String> {
    let pairs = fields.get(key).map(|at| at.pairs()).unwrap_or_default();
    pairs.into_iter().map(|(key, value, _)| (key, value.unwrap_or_default())).collect()
}

fn refuse_with_external(fields: &Fields<'_>, external: bool, keys: &[&str]) {
    for at in keys.iter().filter(|_| external).filter_map(|key| fields.get(key)) {
        at.error("cannot be set on something external, which is somebody else's");
    }
}

fn undeclared<'k>(what: &str, section: &str, key: &str, known: impl Iterator<Item = &'k String>) -> String {
    match nearest(key, known.map(String::as_str)) {
        Some(near) => format!("the {what} `{key}` is not declared below `{section}:`; did you mean `{near}`?"),
        None => format!("the {what} `{key}` is not declared below `{section}:`"),
    }
}
