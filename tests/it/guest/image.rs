//! The sandbox image: what is in it, that an engine takes it as it is, and that the guest does its work in it.

use std::collections::BTreeMap;
use std::io::Read;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use pitstop::docker::sandbox_image::{self, AppImage, GUEST_PATH, Healthcheck, LABEL};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::super::support::docker::Engine;
use super::{Guest, PATIENCE, wait_until};

/// A Docker archive's files by name, each checked to be undated and root's.
fn files(archive: &[u8]) -> BTreeMap<String, (u32, Vec<u8>)> {
    let mut tar = tar::Archive::new(archive);
    let read = |entry: std::io::Result<tar::Entry<'_, &[u8]>>| {
        let mut entry = entry.unwrap();
        let header = entry.header();
        assert_eq!((header.mtime().unwrap(), header.uid().unwrap(), header.gid().unwrap()), (0, 0, 0));
        let (name, mode) = (entry.path().unwrap().display().to_string(), header.mode().unwrap());
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        (name, (mode, content))
    };
    tar.entries().unwrap().map(read).collect()
}

fn digest(bytes: &[u8]) -> String {
    format!("{:x}", Sha256::digest(bytes))
}

/// By path: mode and content.
type Files = BTreeMap<String, (u32, Vec<u8>)>;

/// Reads an archive, checks that its parts name each other rightly, and gives its configuration and its layers' files.
fn unpack(archive: &[u8], tag: &str) -> (String, Value, Vec<Files>) {
    let files = files(archive);
    let manifest: Value = serde_json::from_slice(&files["manifest.json"].1).unwrap();
    assert_eq!(manifest[0]["RepoTags"], json!([tag]));
    let config = &files[manifest[0]["Config"].as_str().unwrap()].1;
    let id = format!("sha256:{}", digest(config));
    assert_eq!(manifest[0]["Config"], format!("{}.json", digest(config)));
    let config: Value = serde_json::from_slice(config).unwrap();
    let layers: Vec<_> =
        manifest[0]["Layers"].as_array().unwrap().iter().map(|name| &files[name.as_str().unwrap()].1).collect();
    let digests: Vec<_> = layers.iter().map(|layer| format!("sha256:{}", digest(layer))).collect();
    assert_eq!(config["rootfs"]["diff_ids"], json!(digests));
    assert_eq!(config["history"].as_array().unwrap().len(), layers.len());
    (id, config, layers.into_iter().map(|layer| self::files(layer)).collect())
}

#[test]
fn the_guest_is_a_small_static_executable() {
    let elf = sandbox_image::guest_binary();
    assert!(elf.len() <= 600_000, "{} bytes", elf.len());
    assert_eq!(&elf[..7], b"\x7fELF\x02\x01\x01", "64 bit, little endian");
    let word =
        |at: usize, len: usize| elf[at..at + len].iter().rev().fold(0_usize, |sum, byte| sum << 8 | usize::from(*byte));
    assert_eq!(word(16, 2), 2, "an executable at a fixed address");
    let machine = if cfg!(target_arch = "aarch64") { 183 } else { 62 };
    assert_eq!(word(18, 2), machine);
    let (start, size, count) = (word(32, 8), word(54, 2), word(56, 2));
    let segments: Vec<_> = (0..count).map(|n| word(start + n * size, 4)).collect();
    assert!(segments.contains(&1), "loads something: {segments:?}");
    assert!(!segments.contains(&2) && !segments.contains(&3), "no dynamic section, no interpreter: {segments:?}");
    assert!(!elf.windows(6).any(|six| six == b"/home/" || six == b"/root/"), "no path of the building machine");
}

#[test]
fn the_archive_holds_the_guest_and_nothing_else() {
    let (id, config, layers) = unpack(sandbox_image::archive(), sandbox_image::TAG);
    assert_eq!(id, sandbox_image::ID);
    assert_eq!(sandbox_image::TAG, format!("pitstop-sandbox:{}", &id[7..19]));
    assert_eq!(config["architecture"], sandbox_image::ARCH);
    assert_eq!(config["os"], "linux");
    assert_eq!(config["config"]["Entrypoint"], json!([GUEST_PATH]));
    assert_eq!(config["config"]["Cmd"], Value::Null);
    assert_eq!(config["config"]["Labels"][LABEL], "3");
    let guest = (0o755, sandbox_image::guest_binary().to_vec());
    assert_eq!(layers, [BTreeMap::from([("pitstop-guest".to_owned(), guest)])]);
}

#[test]
fn an_app_s_image_has_what_was_asked_for() {
    let image = AppImage {
        cmd: &["serve", "8080", "v1"],
        labels: &[("colour", "blue")],
        port: Some(8080),
        healthcheck: Some(Healthcheck {
            command: &[GUEST_PATH, "version"],
            interval_ms: 1000,
            timeout_ms: 500,
            retries: 2,
        }),
        padding: 1_000_001,
    };
    let archive = sandbox_image::app_archive("shop/web:v1", &image).unwrap();
    assert_eq!(archive, sandbox_image::app_archive("shop/web:v1", &image).unwrap(), "the same bytes each time");
    let (_, config, layers) = unpack(&archive, "shop/web:v1");
    let config = &config["config"];
    assert_eq!(config["Cmd"], json!(["serve", "8080", "v1"]));
    assert_eq!(config["Labels"], json!({"colour": "blue"}));
    assert_eq!(config["ExposedPorts"], json!({"8080/tcp": {}}));
    assert_eq!(
        config["Healthcheck"],
        json!({"Test": ["CMD", GUEST_PATH, "version"], "Interval": 1_000_000_000, "Timeout": 500_000_000, "Retries": 2})
    );
    let padding: Vec<_> = layers[1..].iter().flat_map(BTreeMap::values).map(|(_, content)| content).collect();
    assert_eq!(padding.len(), sandbox_image::PADDING_LAYERS);
    assert_eq!(padding.iter().map(|content| content.len()).sum::<usize>(), 1_000_001);
    assert!(padding[0] != padding[1] && padding[1] != padding[2]);
    let mut seen = [0; 256];
    padding[0].iter().for_each(|byte| seen[usize::from(*byte)] += 1);
    assert!(seen.iter().all(|count| (1000..1600).contains(count)), "every byte about equally often: {seen:?}");
    let other = sandbox_image::app_archive("shop/web:v2", &image).unwrap();
    assert_ne!(unpack(&other, "shop/web:v2").2[1..], layers[1..], "another tag shares no padding");
}

/// The sandbox image on the machine's engine, left there like the other tests' images.
fn load(engine: &Engine) {
    let said = engine.feed(&["load"], sandbox_image::archive()).unwrap();
    assert_eq!(said, format!("Loaded image: {}", sandbox_image::TAG));
}

#[test]
fn an_engine_takes_the_image_as_it_is() {
    let engine = Engine::machine();
    load(&engine);
    let image = engine.inspect(sandbox_image::TAG);
    if engine.docker(&["info", "--format", "{{.DriverStatus}}"]).contains("io.containerd.snapshotter") {
        assert!(image["Id"].as_str().unwrap().starts_with("sha256:"), "the containerd store names it by manifest");
    } else {
        assert_eq!(image["Id"], sandbox_image::ID);
    }
    assert_eq!(image["Architecture"], sandbox_image::ARCH);
}

#[test]
fn a_sandbox_holds_an_app_s_network_is_watched_and_ends_at_once() {
    let engine = Engine::machine();
    load(&engine);
    let project = engine.project();
    let (sandbox, app) = (format!("{}-web-1", project.name), format!("{}-web-1.r1", project.name));
    let hard: &[&str] = &["--read-only", "--cap-drop", "ALL", "--user", "65534", "--network", "none"];
    engine.docker(&[&["run", "-d", "--name", &sandbox], hard, &[sandbox_image::TAG]].concat());

    let mut watcher = Guest::spawn(Command::new("docker").env("DOCKER_HOST", engine.host()).args([
        "exec",
        "-i",
        &sandbox,
        GUEST_PATH,
        "watch",
        "http:8080/",
        "--until-stdin-closes",
    ]));
    assert_eq!(watcher.line(), format!("pitstop-watch 1 netns={}", engine.netns(&sandbox)));
    assert_eq!(watcher.line_of("down")[3..], ["refused"]);
    let joined = format!("container:{sandbox}");
    engine.docker(&["run", "-d", "--name", &app, "--network", &joined, sandbox_image::TAG, "serve", "8080", "v1"]);
    assert_eq!(watcher.line_of("up")[2..], ["http", "200"]);
    engine.docker(&["restart", &app]);
    watcher.line_of("down");
    assert!(watcher.line_of("up").last().unwrap().starts_with("gap="));

    // The console is killed: nobody tells the engine, yet no watcher stays.
    watcher.child.kill().unwrap();
    let processes = || engine.docker(&["top", &sandbox, "-o", "pid,args"]);
    wait_until("the watcher to be gone", PATIENCE, || !processes().contains(" watch "));

    for container in [&app, &sandbox] {
        let began = Instant::now();
        engine.docker(&["stop", container]);
        assert!(began.elapsed() < Duration::from_secs(8), "{container} used up its grace of 10 s");
        assert_eq!(engine.inspect(container)["State"]["ExitCode"], 0, "{container}");
    }
}

#[test]
fn a_probe_is_never_answered_by_itself() {
    let engine = Engine::machine();
    load(&engine);
    let project = engine.project();
    let sandbox = format!("{}-web-1", project.name);
    // Every connection gets the one port that is asked for, so each connects to itself.
    let ports = "net.ipv4.ip_local_port_range=40000 40000";
    engine.docker(&["run", "-d", "--name", &sandbox, "--network", "none", "--sysctl", ports, sandbox_image::TAG]);
    let said = engine.docker(&["exec", &sandbox, GUEST_PATH, "watch", "tcp:40000", "--for", "300"]);
    let after: Vec<_> = said.lines().skip(1).collect();
    assert!(matches!(after[..], [down] if down.starts_with("down ") && down.ends_with(" 0 refused")), "{said}");
}

#[test]
fn as_first_process_it_collects_orphans() {
    let engine = Engine::machine();
    load(&engine);
    let project = engine.project();
    let sandbox = format!("{}-web-1", project.name);
    engine.docker(&["run", "-d", "--name", &sandbox, "--network", "none", sandbox_image::TAG]);
    let pid = engine.pid(&sandbox).to_string();
    // Enters the sandbox's process namespace with this machine's shell, which leaves an orphan behind.
    let shell = ["--target", &pid, "--pid", "sh", "-c", "sleep 1 &"];
    let entered = Command::new("nsenter").args(shell).stdout(Stdio::null()).status().expect("nsenter");
    assert!(entered.success(), "nsenter needs root: run the tests with scripts/test");
    // This lists zombies too.
    let children = || std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    assert!(!children().trim().is_empty(), "the guest has adopted the orphan");
    wait_until("the orphan to be collected", PATIENCE, || children().trim().is_empty());
}
