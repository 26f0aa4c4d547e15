//! Who answers: `/_ping`, `/version`, `/info`.

use super::super::answer::Reply;
use super::super::ask::newest;
use super::super::engine::Engine;
use super::super::world::Status;
use bytes::Bytes;
use serde_json::json;

/// What it says it is.
pub fn release(engine: &Engine) -> &'static str {
    if engine.scenario.newer { "28.5.2-sim" } else { "20.10.24-sim" }
}

pub fn ping() -> Reply {
    Reply::bytes(200, "text/plain; charset=utf-8", Bytes::from_static(b"OK"))
}

pub fn version(engine: &Engine) -> Reply {
    let (major, minor) = newest(engine.scenario.newer);
    let said = json!({
        "Platform": {"Name": ""}, "Version": release(engine),
        "ApiVersion": format!("{major}.{minor}"), "MinAPIVersion": "1.12",
        "GitCommit": "", "GoVersion": "", "Os": "linux", "Arch": arch(), "KernelVersion": "",
    });
    Reply::json(&engine.whole(said, "version"))
}

pub fn info(engine: &Engine) -> Reply {
    let scenario = &engine.scenario;
    let (all, running, images) = engine.look(|world| {
        let running = world.containers.values().filter(|seen| seen.state.status == Status::Running).count();
        (world.containers.len(), running, world.images.len())
    });
    let said = json!({
        "ID": format!("SIMULATED:{}", scenario.name), "Name": scenario.name, "ServerVersion": release(engine), "Containers": all, "ContainersRunning": running,
        "ContainersPaused": 0, "ContainersStopped": all - running, "Images": images, "Driver": "simulated", "OSType": "linux",
        "OperatingSystem": "simulated", "Architecture": std::env::consts::ARCH, "NCPU": scenario.cpus,
        "MemTotal": scenario.memory, "LiveRestoreEnabled": scenario.live_restore, "LoggingDriver": "json-file",
        "CgroupDriver": "cgroupfs", "CgroupVersion": "1", "DockerRootDir": "/var/lib/docker",
        "SystemTime": engine.clock.wall().to_string(), "Warnings": null, "SecurityOptions": ["name=seccomp,profile=default"],
    });
    Reply::json(&engine.whole(said, "info"))
}

/// This machine's CPU in Docker's words, as the sandbox image in this build is for it.
pub fn arch() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}
