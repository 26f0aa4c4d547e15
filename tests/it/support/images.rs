//! Small images with a real HTTP server, made here from Debian's static busybox and loaded with `docker load`.
//!
//! Loaded once per content and engine: the reference ends in a hash of what is inside. They stay on the engine between
//! runs (a megabyte each, under `pitstop-test/`), except [`Image::filler_mb`] ones, which are for private engines.
//!
//! Every image serves HTTP on port 8080: `/` answers the version, `/cgi-bin/env` the environment, `/data/…` files below
//! `/data`. It has a shell and busybox's tools, so a test can look around inside with `docker exec`.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use serde_json::json;
use sha2::{Digest, Sha256};

use super::docker::Engine;
use super::http;
use super::wait::{wait_for, wait_until};

/// The server as PID 1: a shell that ends at once on SIGTERM, which PID 1 would otherwise ignore.
const SERVE: &str = "trap 'exit 0' TERM INT; httpd -f -p 8080 -h /www & wait";

/// What goes into an image.
#[derive(Clone)]
pub struct Image {
    /// The repository below `pitstop-test/`.
    pub name: &'static str,
    /// What `/` answers.
    pub version: String,
    /// The shell script that is PID 1.
    pub script: String,
    /// Docker's health check, run every second, as a shell command.
    pub healthcheck: Option<&'static str>,
    /// Incompressible layers of so many megabytes each, below the layer with the version.
    pub filler_mb: Vec<usize>,
}

impl Image {
    /// A server that answers `version`, is ready in a few milliseconds and ends at once on SIGTERM.
    pub fn serving(version: &str) -> Self {
        Self {
            name: "app",
            version: version.to_owned(),
            script: SERVE.to_owned(),
            healthcheck: None,
            filler_mb: Vec::new(),
        }
    }

    /// The same image with another first process.
    pub fn running(self, name: &'static str, script: &str) -> Self {
        Self { name, script: script.to_owned(), ..self }
    }

    /// Loads the image unless the engine has it, and returns its reference.
    ///
    /// # Panics
    /// When busybox is not installed or the engine refuses the image.
    #[track_caller]
    pub fn load(&self, engine: &Engine) -> String {
        let busybox = std::fs::read("/bin/busybox")
            .or_else(|_| std::fs::read("/usr/bin/busybox"))
            .expect("busybox-static is needed: run scripts/setup");
        let identity = format!(
            "{:x}",
            Sha256::new()
                .chain_update(&busybox)
                .chain_update(format!(
                    "2 {} {:?} {:?} {:?}",
                    self.version, self.script, self.healthcheck, self.filler_mb
                ))
                .finalize()
        );
        let reference = format!("pitstop-test/{}:{}-{}", self.name, self.version, &identity[..8]);
        if engine.try_docker(&["image", "inspect", &reference]).is_err() {
            let archive = self.archive(&reference, &busybox);
            if let Err(said) = engine.feed(&["load"], &archive) {
                panic!("docker load of {reference}: {said}");
            }
        }
        reference
    }

    /// The `docker load` archive: layers, the image's config and the manifest.
    fn archive(&self, reference: &str, busybox: &[u8]) -> Vec<u8> {
        let mut layers = vec![base_layer(busybox)];
        layers.extend(self.filler_mb.iter().zip(1..).map(|(mb, seed)| filler_layer(*mb, seed)));
        layers.push(version_layer(&self.version));

        let mut config = json!({
            "Cmd": ["/bin/sh", "-c", self.script],
            "Env": ["PATH=/bin", format!("VERSION={}", self.version)],
            "ExposedPorts": {"8080/tcp": {}},
            "WorkingDir": "/",
        });
        if let Some(command) = self.healthcheck {
            let second: u64 = 1_000_000_000;
            config["Healthcheck"] =
                json!({"Test": ["CMD-SHELL", command], "Interval": second, "Timeout": second, "Retries": 3});
        }
        let config = json!({
            "architecture": if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" },
            "os": "linux",
            "created": "2026-01-01T00:00:00Z",
            "config": config,
            "rootfs": {"type": "layers", "diff_ids": layers.iter().map(|layer| digest(layer)).collect::<Vec<_>>()},
        })
        .to_string();
        let layer_name = |index: usize| format!("layer{index}.tar");
        let manifest = json!([{
            "Config": "config.json",
            "RepoTags": [reference],
            "Layers": (0..layers.len()).map(layer_name).collect::<Vec<_>>(),
        }])
        .to_string();

        let mut archive = Tar::new();
        archive.file("config.json", 0o644, config.as_bytes());
        archive.file("manifest.json", 0o644, manifest.as_bytes());
        for (index, layer) in layers.iter().enumerate() {
            archive.file(&layer_name(index), 0o644, layer);
        }
        archive.finish()
    }
}

/// A server that answers `version`.
#[track_caller]
pub fn app(engine: &Engine, version: &str) -> String {
    Image::serving(version).load(engine)
}

/// Writes a line to stderr and exits 3 at once.
#[track_caller]
pub fn exits_at_once(engine: &Engine) -> String {
    Image::serving("broken").running("exits", "echo 'fatal: no configuration' >&2; exit 3").load(engine)
}

/// Runs, ends at once on SIGTERM, and never listens.
#[track_caller]
pub fn never_listens(engine: &Engine) -> String {
    Image::serving("mute").running("mute", "trap 'exit 0' TERM INT; sleep 1000000 & wait").load(engine)
}

/// Serves, and ignores SIGTERM: only SIGKILL ends it.
#[track_caller]
pub fn ignores_sigterm(engine: &Engine, version: &str) -> String {
    Image::serving(version).running("stubborn", "trap '' TERM; exec httpd -f -p 8080 -h /www").load(engine)
}

/// Serves after `boot_ms` milliseconds; ends at once on SIGTERM also before that.
#[track_caller]
pub fn slow_boot(engine: &Engine, version: &str, boot_ms: u32) -> String {
    let script = format!("trap 'exit 0' TERM INT; usleep {boot_ms}000 & wait $!; httpd -f -p 8080 -h /www & wait");
    Image::serving(version).running("slow", &script).load(engine)
}

/// 95 MB that do not compress, in three big layers; for pulls.
#[track_caller]
pub fn big(engine: &Engine, version: &str) -> String {
    Image { name: "big", filler_mb: vec![60, 30, 5], ..Image::serving(version) }.load(engine)
}

fn base_layer(busybox: &[u8]) -> Vec<u8> {
    let tools = [
        "cat", "chmod", "date", "df", "echo", "env", "false", "grep", "head", "hostname", "httpd", "id", "ifconfig",
        "ip", "kill", "ls", "mkdir", "nc", "netstat", "nslookup", "ping", "ps", "rm", "sed", "seq", "sh", "sleep",
        "stat", "tail", "test", "touch", "true", "usleep", "wget", "yes",
    ];
    let mut layer = Tar::new();
    for directory in ["bin", "data", "etc", "proc", "root", "tmp", "www", "www/cgi-bin"] {
        layer.directory(directory);
    }
    layer.file("bin/busybox", 0o755, busybox);
    for tool in tools {
        layer.link(&format!("bin/{tool}"), "busybox");
    }
    layer.link("www/data", "/data");
    layer.file("www/cgi-bin/env", 0o755, b"#!/bin/sh\nprintf 'Content-Type: text/plain\\r\\n\\r\\n'\nenv\n");
    layer.finish()
}

fn version_layer(version: &str) -> Vec<u8> {
    let mut layer = Tar::new();
    layer.file("www/index.html", 0o644, version.as_bytes());
    layer.finish()
}

/// So many megabytes of a xorshift generator's output: the same each time, and no gzip makes it smaller.
fn filler_layer(megabytes: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(megabytes << 20);
    while bytes.len() < megabytes << 20 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    let mut layer = Tar::new();
    layer.file(&format!("filler{seed}"), 0o644, &bytes);
    layer.finish()
}

fn digest(bytes: &[u8]) -> String {
    let mut text = "sha256:".to_owned();
    for byte in Sha256::digest(bytes) {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// A tar archive whose bytes depend on nothing but what is put in.
struct Tar(tar::Builder<Vec<u8>>);

impl Tar {
    fn new() -> Self {
        Self(tar::Builder::new(Vec::new()))
    }

    fn add(&mut self, path: &str, kind: tar::EntryType, mode: u32, target: &str, bytes: &[u8]) {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_size(bytes.len() as u64);
        if kind == tar::EntryType::Symlink {
            header.set_link_name(target).expect("a short target");
        }
        self.0.append_data(&mut header, path, bytes).expect("memory");
    }

    fn file(&mut self, path: &str, mode: u32, bytes: &[u8]) {
        self.add(path, tar::EntryType::Regular, mode, "", bytes);
    }

    fn directory(&mut self, path: &str) {
        self.add(path, tar::EntryType::Directory, 0o755, "", &[]);
    }

    fn link(&mut self, path: &str, target: &str) {
        self.add(path, tar::EntryType::Symlink, 0o777, target, &[]);
    }

    fn finish(self) -> Vec<u8> {
        self.0.into_inner().expect("memory")
    }
}

/// A started container's address on the default bridge, with the server's port.
fn start(engine: &Engine, project: &str, instance: &str, image: &str) -> String {
    let name = format!("{project}-{instance}");
    engine.docker(&["run", "-d", "--name", &name, "-e", "COLOUR=blue", image]);
    let address = engine.inspect(&name)["NetworkSettings"]["Networks"]["bridge"]["IPAddress"].clone();
    format!("{}:8080", address.as_str().unwrap())
}

#[test]
fn the_app_answers_its_version_and_ends_promptly() {
    let engine = Engine::machine();
    let project = engine.project();
    for version in ["v1", "v2"] {
        let address = start(&engine, &project.name, version, &app(&engine, version));
        let answer = wait_for("an answer", Duration::from_secs(10), || http::get(&address, "/").ok());
        assert_eq!((answer.status, answer.body.as_str()), (200, version));
        let environment = http::get(&address, "/cgi-bin/env").unwrap().body;
        assert!(environment.lines().any(|line| line == "COLOUR=blue"), "{environment}");

        let name = format!("{}-{version}", project.name);
        let before = Instant::now();
        engine.docker(&["stop", &name]);
        assert!(before.elapsed() < Duration::from_secs(8), "stop waited for its timeout");
        assert_eq!(engine.inspect(&name)["State"]["ExitCode"], 0);
    }
}

#[test]
fn the_broken_variants_are_broken_as_they_say() {
    let engine = Engine::machine();
    let project = engine.project();
    let name = |instance: &str| format!("{}-{instance}", project.name);

    engine.docker(&["run", "-d", "--name", &name("exits"), &exits_at_once(&engine)]);
    wait_until("the exit", Duration::from_secs(10), || engine.inspect(&name("exits"))["State"]["Status"] == "exited");
    assert_eq!(engine.inspect(&name("exits"))["State"]["ExitCode"], 3);

    let mute = start(&engine, &project.name, "mute", &never_listens(&engine));
    let refused = http::get(&mute, "/").unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);

    let stubborn = start(&engine, &project.name, "stubborn", &ignores_sigterm(&engine, "v1"));
    wait_for("an answer", Duration::from_secs(10), || http::get(&stubborn, "/").ok());
    engine.docker(&["stop", "-t", "1", &name("stubborn")]);
    assert_eq!(engine.inspect(&name("stubborn"))["State"]["ExitCode"], 137);

    let before = Instant::now();
    let slow = start(&engine, &project.name, "slow", &slow_boot(&engine, "v1", 700));
    wait_for("an answer", Duration::from_secs(10), || http::get(&slow, "/").ok());
    assert!(before.elapsed() >= Duration::from_millis(700));
}

#[test]
fn the_health_check_is_the_engine_s() {
    let engine = Engine::machine();
    let project = engine.project();
    let image = Image { healthcheck: Some("wget -qO /dev/null http://127.0.0.1:8080/"), ..Image::serving("v1") };
    start(&engine, &project.name, "web", &image.load(&engine));
    let name = format!("{}-web", project.name);
    wait_until("healthy", Duration::from_secs(20), || engine.inspect(&name)["State"]["Health"]["Status"] == "healthy");
}
