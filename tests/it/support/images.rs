//! Test images: pitstop's guest as a small web server, loaded with `docker load`; no registry, no Dockerfile.
//!
//! Loaded once per content and engine (the reference ends in a hash of what is inside), and left on the engine between
//! runs: tens of kilobytes each, under `pitstop-test/`. [`big`] is the exception, and for private engines.
//!
//! All serve on port 8080; what they answer, and how they misbehave, is in `guest/serve.rs`.

use std::time::{Duration, Instant};

use pitstop::docker::sandbox_image::{AppImage, GUEST_PATH, Healthcheck, app_archive, guest_binary};
use sha2::{Digest, Sha256};

use super::docker::Engine;
use super::http;
use super::wait::{wait_for, wait_until};

/// Answers `version` on `/`, is ready in a few milliseconds and ends at once on SIGTERM.
#[track_caller]
pub fn app(engine: &Engine, version: &str) -> String {
    serve(engine, "app", version, &[])
}

/// Exits 3 at once.
#[track_caller]
pub fn exits_at_once(engine: &Engine) -> String {
    serve(engine, "exits", "exits", &["--never-listen", "--exit-after-ms", "0", "--exit-code", "3"])
}

/// Runs, ends at once on SIGTERM, and never listens.
#[track_caller]
pub fn never_listens(engine: &Engine) -> String {
    serve(engine, "mute", "mute", &["--never-listen"])
}

/// Serves, and ignores SIGTERM: only SIGKILL ends it.
#[track_caller]
pub fn ignores_sigterm(engine: &Engine, version: &str) -> String {
    serve(engine, "stubborn", version, &["--ignore-term"])
}

/// Serves after `boot_ms` milliseconds.
#[track_caller]
pub fn slow_boot(engine: &Engine, version: &str, boot_ms: u32) -> String {
    serve(engine, "slow", version, &["--boot-ms", &boot_ms.to_string()])
}

/// Serves, with so many megabytes that do not compress, in three layers; for pulls.
#[track_caller]
pub fn big(engine: &Engine, version: &str, megabytes: usize) -> String {
    let cmd = ["serve", "8080", version];
    load(
        engine,
        "big",
        version,
        &AppImage { cmd: &cmd, port: Some(8080), padding: megabytes << 20, ..AppImage::default() },
    )
}

/// Serves `version` with more arguments of the guest's `serve`, as `pitstop-test/NAME:VERSION-HASH`.
#[track_caller]
pub fn serve(engine: &Engine, name: &str, version: &str, more: &[&str]) -> String {
    let cmd = [&["serve", "8080", version], more].concat();
    load(engine, name, version, &AppImage { cmd: &cmd, port: Some(8080), ..AppImage::default() })
}

/// Loads `image` unless the engine has it, and returns its reference, `pitstop-test/NAME:VERSION-HASH`.
///
/// # Panics
/// When the engine refuses it.
#[track_caller]
pub fn load(engine: &Engine, name: &str, version: &str, image: &AppImage<'_>) -> String {
    let content = Sha256::new().chain_update(guest_binary()).chain_update(format!("{image:?}")).finalize();
    let reference = format!("pitstop-test/{name}:{version}-{}", &format!("{content:x}")[..8]);
    if engine.try_docker(&["image", "inspect", &reference]).is_err() {
        let archive = app_archive(&reference, image).expect("memory");
        if let Err(said) = engine.feed(&["load"], &archive) {
            panic!("docker load of {reference}: {said}");
        }
    }
    reference
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
        assert_eq!(http::get(&address, "/env/COLOUR").unwrap().body, "blue");

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
    for (command, expected) in [([GUEST_PATH, "version"], "healthy"), ([GUEST_PATH, "nonsense"], "unhealthy")] {
        let check = Healthcheck { command: &command, interval_ms: 100, timeout_ms: 5000, retries: 1 };
        let cmd = ["serve", "8080", "v1"];
        let image = AppImage { cmd: &cmd, port: Some(8080), healthcheck: Some(check), ..AppImage::default() };
        start(&engine, &project.name, expected, &load(&engine, expected, "v1", &image));
        let name = format!("{}-{expected}", project.name);
        wait_until(expected, Duration::from_secs(30), || {
            engine.inspect(&name)["State"]["Health"]["Status"] == expected
        });
    }
}
