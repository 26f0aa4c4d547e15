//! A Podman of one's own that answers on a socket as Docker does: own images, containers, networks' files and configuration.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::docker::Engine;
use super::wait::wait_until;

const PATIENCE: Duration = Duration::from_secs(60);

/// Runc and cgroupfs, which work on any machine that Docker works on; limits that need no more than those of the machine.
const CONFIG: &str = "[containers]\ndefault_ulimits = [\"nofile=1024:1024\", \"nproc=1024:1024\"]\n\
                      [engine]\nruntime = \"runc\"\ncgroup_manager = \"cgroupfs\"\nevents_logger = \"file\"\n";

/// A service under way; its containers are removed and it ends on `Drop`.
pub struct Podman {
    place: TempDir,
    service: Child,
}

impl Podman {
    /// [`Podman::start`], or `None`, said on standard error, where there is no podman.
    #[track_caller]
    pub fn if_there() -> Option<Self> {
        if Command::new("podman").arg("--version").output().is_ok_and(|answer| answer.status.success()) {
            return Some(Self::start());
        }
        eprintln!("passed over: podman is missing, run scripts/setup");
        None
    }

    /// Starts it with nothing in it, and waits until it answers. Needs root.
    #[track_caller]
    pub fn start() -> Self {
        let place = tempfile::tempdir_in("/tmp").expect("a folder");
        fs::write(place.path().join("containers.conf"), CONFIG).expect("its configuration");
        let mut service = command(place.path());
        let log = fs::File::create(place.path().join("log")).expect("its log");
        service.args(["system", "service", "--time=0", &format!("unix://{}/podman.sock", place.path().display())]);
        service.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let podman = Self { service: service.spawn().expect("podman is needed: run scripts/setup"), place };
        wait_until("podman to answer", PATIENCE, || podman.engine().try_docker(&["version"]).is_ok());
        podman
    }

    /// For docker commands, and for pitstop.
    pub fn engine(&self) -> Engine {
        Engine::at(self.place.path().join("podman.sock"))
    }
}

fn command(place: &Path) -> Command {
    let mut podman = Command::new("podman");
    podman.env("CONTAINERS_CONF", place.join("containers.conf"));
    podman.args(["--root".into(), place.join("root"), "--runroot".into(), place.join("run")]);
    podman
}

impl Drop for Podman {
    fn drop(&mut self) {
        // Networks are every Podman's of this machine: those of a project go with its guard, and no one else's are pruned.
        let _ = command(self.place.path()).args(["rm", "--all", "--force", "--time=0"]).output();
        let _ = self.service.kill();
        let _ = self.service.wait();
        // What is mounted there goes with its containers; its storage is a mount of its own.
        let _ = Command::new("umount").arg("--lazy").arg(self.place.path().join("root/overlay")).output();
    }
}
