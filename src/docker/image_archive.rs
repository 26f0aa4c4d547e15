//! Writes images as Docker archives (`docker save`'s format), from bytes to bytes: no engine, builder or registry.
//!
//! `build.rs` compiles this file too, so it names only std, sha2, tar and `serde_json`. Everything in an archive is
//! decided by its inputs, dates included: the same image has the same id on every machine.

use std::io;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Where the guest is in its images.
pub const GUEST_PATH: &str = "/pitstop-guest";

/// No date: the epoch, in the image specification's form.
const CREATED: &str = "1970-01-01T00:00:00Z";

/// An image whose entrypoint is the guest.
#[derive(Debug, Default, Clone, Copy)]
pub struct Image<'a> {
    /// Docker's name of the CPU: `amd64`, `arm64`.
    pub arch: &'a str,
    /// The guest's arguments; none is `pause`.
    pub cmd: &'a [&'a str],
    pub labels: &'a [(&'a str, &'a str)],
    /// The TCP port in `EXPOSE`.
    pub port: Option<u16>,
    pub healthcheck: Option<Healthcheck<'a>>,
}

/// An image's HEALTHCHECK: a command in exec form and its timing in milliseconds.
#[derive(Debug, Clone, Copy)]
pub struct Healthcheck<'a> {
    pub command: &'a [&'a str],
    pub interval_ms: u64,
    pub timeout_ms: u64,
    pub retries: u32,
}

/// One layer: an uncompressed tar and its digest.
#[derive(Debug)]
pub struct Layer {
    tar: Vec<u8>,
    digest: String,
}

impl Layer {
    /// A layer of one file at `path` (absolute), owned by root, with `mode`.
    pub fn of_file(path: &str, mode: u32, content: &[u8]) -> io::Result<Self> {
        let mut tar = tar::Builder::new(Vec::new());
        add(&mut tar, path.trim_start_matches('/'), mode, content)?;
        let tar = tar.into_inner()?;
        let digest = sha256(&tar);
        Ok(Self { tar, digest })
    }

    /// The layer that makes an image one of the guest's.
    pub fn of_guest(binary: &[u8]) -> io::Result<Self> {
        Self::of_file(GUEST_PATH, 0o755, binary)
    }
}

impl Image<'_> {
    /// The image's configuration over `layers`: the JSON whose digest is the image's id.
    pub fn config(&self, layers: &[Layer]) -> Vec<u8> {
        let labels: serde_json::Map<_, _> =
            self.labels.iter().map(|(key, value)| ((*key).to_owned(), Value::from(*value))).collect();
        let mut config = json!({ "Entrypoint": [GUEST_PATH], "WorkingDir": "/", "Labels": labels });
        if !self.cmd.is_empty() {
            config["Cmd"] = json!(self.cmd);
        }
        if let Some(port) = self.port {
            config["ExposedPorts"] = json!({ format!("{port}/tcp"): {} });
        }
        if let Some(check) = &self.healthcheck {
            let mut test = vec!["CMD"];
            test.extend(check.command);
            config["Healthcheck"] = json!({
                "Test": test,
                "Interval": check.interval_ms * 1_000_000,
                "Timeout": check.timeout_ms * 1_000_000,
                "Retries": check.retries,
            });
        }
        let digests: Vec<_> = layers.iter().map(|layer| format!("sha256:{}", layer.digest)).collect();
        let history = vec![json!({ "created": CREATED, "created_by": "pitstop" }); layers.len()];
        json!({
            "architecture": self.arch,
            "os": "linux",
            "created": CREATED,
            "config": config,
            "rootfs": { "type": "layers", "diff_ids": digests },
            "history": history,
        })
        .to_string()
        .into_bytes()
    }
}

/// The image id that follows from a configuration: `sha256:` and 64 hex digits.
///
/// The engine's own store uses it; the containerd store (default since Docker 29) names images by their manifest's
/// digest instead, so look images up by tag.
pub fn id(config: &[u8]) -> String {
    format!("sha256:{}", sha256(config))
}

/// Packs an image, named `tag`, for `docker load` or `POST /images/load`.
pub fn archive(tag: &str, config: &[u8], layers: &[Layer]) -> io::Result<Vec<u8>> {
    let size: usize = layers.iter().map(|layer| layer.tar.len() + 512).sum();
    let mut tar = tar::Builder::new(Vec::with_capacity(size + config.len() + 8192));
    let config_name = format!("{}.json", sha256(config));
    let names: Vec<_> = layers.iter().map(|layer| format!("{}/layer.tar", layer.digest)).collect();
    let manifest = json!([{ "Config": config_name, "RepoTags": [tag], "Layers": names }]).to_string();
    add(&mut tar, &config_name, 0o644, config)?;
    for (name, layer) in names.iter().zip(layers) {
        add(&mut tar, name, 0o644, &layer.tar)?;
    }
    add(&mut tar, "manifest.json", 0o644, manifest.as_bytes())?;
    tar.into_inner()
}

/// Adds one file of root's, dated to the epoch.
fn add(tar: &mut tar::Builder<Vec<u8>>, path: &str, mode: u32, content: &[u8]) -> io::Result<()> {
    let mut header = tar::Header::new_ustar();
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(content.len() as u64);
    tar.append_data(&mut header, path, content)
}

fn sha256(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}
