//! `volumes`, `tmpfs`, `secrets` and `configs` of a service, as mounts with real names and absolute paths.

use super::context::Context;
use super::read::{At, Fields, Keys};
use super::tree::Value;
use crate::domain::spec::{Mount, MountKind};

const LONG: Keys = Keys {
    read: &["type", "source", "target", "read_only", "bind", "volume", "tmpfs"],
    refused: &[("image", "mounting an image needs a newer engine API")],
    passed: &[("consistency", "it matters on Docker Desktop for Mac only")],
};

const VOLUME: Keys = Keys { read: &["nocopy"], refused: &[("subpath", "it needs a newer engine API")], passed: &[] };

const FILE: Keys = Keys {
    read: &["source", "target"],
    refused: &[],
    passed: &[
        ("uid", "a file mounted from the host keeps its owner"),
        ("gid", "a file mounted from the host keeps its group"),
        ("mode", "a file mounted from the host keeps its mode"),
    ],
};

/// The mounts of a service with the place each was written at; the same target in a later file replaces the earlier.
#[derive(Default)]
pub(super) struct Mounts<'a> {
    mounts: Vec<(Mount, At<'a>)>,
    /// Keys of the top-level `volumes` that are used.
    pub volumes: Vec<String>,
}

impl<'a> Mounts<'a> {
    /// Reads `volumes`.
    pub fn volumes(&mut self, context: &Context<'_>, at: &At<'a>) {
        for item in at.items() {
            let mount = match item.fields_if_map(&LONG) {
                Some(fields) => self.long(context, &fields),
                None => self.short(context, &item),
            };
            self.add(mount, item);
        }
    }

    /// Reads `tmpfs`: `/run` or `/run:size=64m,mode=1777`.
    pub fn tmpfs(&mut self, at: &At<'a>) {
        for item in at.items_or_one() {
            let mount = item.word().map(|text| {
                let (target, options) = text.split_once(':').unwrap_or((&text, ""));
                let mut mount = Mount { kind: MountKind::Tmpfs, target: target.to_owned(), ..Mount::default() };
                for option in options.split(',').filter(|option| !option.is_empty()) {
                    match option.split_once('=').unwrap_or((option, "")) {
                        ("size", size) => match super::read::bytes(size) {
                            Ok(size) => mount.tmpfs_size = Some(size),
                            Err(message) => item.error(message),
                        },
                        ("mode", mode) => match u32::from_str_radix(mode, 8) {
                            Ok(mode) => mount.tmpfs_mode = Some(mode),
                            Err(_) => item.error(format!("`{mode}` is not an octal mode like 1777")),
                        },
                        // The engine's own defaults.
                        ("rw" | "noexec" | "nosuid" | "nodev", "") => {}
                        ("ro", "") => mount.read_only = true,
                        _ => item.error(format!("the tmpfs option `{option}` is not supported; use size= and mode=")),
                    }
                }
                mount
            });
            self.add(mount, item);
        }
    }

    /// Reads `secrets` (below `/run/secrets`) or `configs` (below `/`): read-only binds of files.
    pub fn files(&mut self, context: &Context<'_>, at: &At<'a>, kind: &str) {
        let directory = if kind == "secrets" { "/run/secrets/" } else { "/" };
        for item in at.items() {
            let (name, target) = match item.fields_if_map(&FILE) {
                Some(fields) => (fields.need("source").and_then(|at| at.word()), fields.text("target")),
                None => (item.word(), None),
            };
            let Some(name) = name else { continue };
            let Some(source) = context.file(kind, &name, &item) else { continue };
            let target = target.unwrap_or_else(|| name.clone());
            let target = if target.starts_with('/') { target } else { format!("{directory}{target}") };
            self.add(Some(Mount { kind: MountKind::Bind, source, target, read_only: true, ..Mount::default() }), item);
        }
    }

    /// All mounts, in the file's order.
    pub fn finish(self) -> (Vec<Mount>, Vec<String>) {
        (self.mounts.into_iter().map(|(mount, _)| mount).collect(), self.volumes)
    }

    fn add(&mut self, mount: Option<Mount>, at: At<'a>) {
        let Some(mut mount) = mount else { return };
        if !mount.target.starts_with('/') {
            return at.error(format!("`{}` is not an absolute path in the container", mount.target));
        }
        if mount.target.len() > 1 {
            mount.target.truncate(mount.target.trim_end_matches('/').len().max(1));
        }
        match self.mounts.iter_mut().find(|(known, _)| known.target == mount.target) {
            Some((_, first)) if first.pos.file == at.pos.file => {
                at.error(format!("`{}` is mounted twice; line {} mounts it too", mount.target, first.pos.line));
            }
            Some(known) => *known = (mount, at),
            None => self.mounts.push((mount, at)),
        }
    }

    /// `[SOURCE:]TARGET[:OPTION,…]`.
    fn short(&mut self, context: &Context<'_>, at: &At<'a>) -> Option<Mount> {
        let text = at.word()?;
        let parts: Vec<&str> = text.split(':').collect();
        let (source, target, options) = match parts[..] {
            [target] => ("", target, ""),
            [source, target] => (source, target, ""),
            [source, target, options] => (source, target, options),
            _ => {
                at.error(format!("`{text}` has too many colons; write SOURCE:TARGET[:ro], or the long form"));
                return None;
            }
        };
        let mut mount = Mount { target: target.to_owned(), ..Mount::default() };
        if source.starts_with(['.', '/', '~']) {
            mount.kind = MountKind::Bind;
            mount.source = context.host_path(source).map_err(|message| at.error(message)).ok()?;
            mount.create_host_path = true;
        } else if !source.is_empty() {
            mount.source = self.volume(context, source, at)?;
        } else if parts.len() > 1 {
            at.error(format!("`{text}` has no source; write SOURCE:TARGET"));
            return None;
        }
        for option in options.split(',').filter(|option| !option.is_empty()) {
            match option {
                "rw" | "cached" | "delegated" | "consistent" => {}
                "ro" => mount.read_only = true,
                "nocopy" => mount.nocopy = true,
                "shared" | "slave" | "private" | "rshared" | "rslave" | "rprivate" => {
                    mount.propagation = Some(option.to_owned());
                }
                "z" | "Z" => at.error("SELinux relabelling (z, Z) is not supported; label the path on the host"),
                _ => at.error(format!("`{option}` is not a mount option; use ro, rw or nocopy")),
            }
        }
        Some(mount)
    }

    fn long(&mut self, context: &Context<'_>, fields: &Fields<'a>) -> Option<Mount> {
        let kind = fields.need("type")?;
        let mut mount =
            Mount { target: fields.need("target")?.word()?, read_only: fields.flag("read_only"), ..Mount::default() };
        let source = fields.get("source");
        match kind.text()?.as_str() {
            "bind" => {
                mount.kind = MountKind::Bind;
                mount.source = fields.need("source")?.parsed(|path| context.host_path(path))?;
                mount.create_host_path = true;
                bind(&mut mount, fields);
            }
            "volume" => {
                if let Some(source) = &source {
                    mount.source = self.volume(context, &source.word()?, source)?;
                }
                if let Some(fields) = fields.get("volume").and_then(|at| at.fields(&VOLUME)) {
                    mount.nocopy = fields.flag("nocopy");
                }
            }
            "tmpfs" => {
                mount.kind = MountKind::Tmpfs;
                if let Some(source) = &source {
                    source.error("a tmpfs has no source");
                }
                if let Some(fields) = fields.get("tmpfs").and_then(|at| at.fields(&Keys::only(&["size", "mode"]))) {
                    mount.tmpfs_size = fields.get("size").and_then(|at| at.bytes());
                    mount.tmpfs_mode = fields.get("mode").and_then(|at| mode(&at));
                }
            }
            other => {
                kind.error(format!("`{other}` is not a supported mount type; use bind, volume or tmpfs"));
                return None;
            }
        }
        for (section, of) in [("bind", MountKind::Bind), ("volume", MountKind::Volume), ("tmpfs", MountKind::Tmpfs)] {
            if let Some(at) = fields.get(section).filter(|_| mount.kind != of) {
                at.error(format!("does not belong to a mount of type {}", kind.text().unwrap_or_default()));
            }
        }
        Some(mount)
    }

    /// The real name of a top-level volume.
    fn volume(&mut self, context: &Context<'_>, key: &str, at: &At<'_>) -> Option<String> {
        let name = context.volume(key, at)?;
        if !self.volumes.iter().any(|known| known == key) {
            self.volumes.push(key.to_owned());
        }
        Some(name)
    }
}

fn bind(mount: &mut Mount, fields: &Fields<'_>) {
    const BIND: Keys = Keys {
        read: &["propagation", "create_host_path"],
        refused: &[
            ("selinux", "SELinux relabelling is not supported; label the path on the host"),
            ("recursive", "it needs a newer engine API"),
        ],
        passed: &[],
    };
    let Some(fields) = fields.get("bind").and_then(|at| at.fields(&BIND)) else { return };
    if let Some(create) = fields.get("create_host_path").and_then(|at| at.flag()) {
        mount.create_host_path = create;
    }
    mount.propagation = fields.get("propagation").and_then(|at| {
        at.parsed(|text| match text {
            "shared" | "slave" | "private" | "rshared" | "rslave" | "rprivate" => Ok(text.to_owned()),
            _ => Err(format!("`{text}` is not a propagation; use rprivate, rslave, rshared, private, slave or shared")),
        })
    });
}

/// A number is the mode itself (YAML reads `0755` as octal); text is octal digits.
fn mode(at: &At<'_>) -> Option<u32> {
    match &at.node.value {
        Value::Int(_) => at.int(),
        _ => at.parsed(|text| u32::from_str_radix(text, 8).map_err(|_| format!("`{text}` is not an octal mode"))),
    }
}
