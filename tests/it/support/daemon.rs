//! A dockerd of one's own, to restart, kill and fill, in its own network namespace.
//!
//! The namespace is not for tidiness: a second dockerd beside the machine's rewrites the same iptables chains when it
//! starts. In its own namespace its bridges, addresses and rules are nobody else's. Needs root.
//!
//! ```text
//! /run/pitstop-test/NAME/       sockets, exec-root, pid file, log       (short: a socket's path has 107 bytes)
//! target/tmp/NAME/              data-root                               (a real filesystem, for overlay2)
//! /run/netns/NAME               the namespace
//! ```

use std::fs;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use serde_json::json;

use super::docker::{Engine, is_left_over, unique};
use super::wait::{try_wait_for, wait_for, wait_until};

/// How long dockerd may take to answer, and to end when asked to: a loaded two-core machine needs several seconds.
const PATIENCE: Duration = Duration::from_secs(90);

const RUN: &str = "/run/pitstop-test";

/// What a private daemon is started with.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Containers survive the daemon's end.
    pub live_restore: bool,
    /// The storage driver; dockerd's own choice when `None`.
    pub storage: Option<&'static str>,
    /// Its data are on a disk of so many megabytes, to be filled.
    pub disk_mb: Option<u32>,
    /// Listens with TLS on 127.0.0.1:2376 in its namespace, too; from here are `ca.pem`, `cert.pem` and `key.pem`.
    pub tls: Option<PathBuf>,
}

/// A running dockerd; ended and removed with all it holds on `Drop`.
pub struct PrivateDockerd {
    name: String,
    run: PathBuf,
    data: PathBuf,
    child: Option<Child>,
}

impl PrivateDockerd {
    /// Starts a daemon with nothing in it and waits until it answers.
    ///
    /// # Panics
    /// When not root, or when it does not answer; with the end of its log.
    #[track_caller]
    pub fn start(options: &Options) -> Self {
        assert!(
            rustix::process::geteuid().is_root(),
            "a private dockerd needs root: run the tests with scripts/test, which asks sudo for it"
        );
        let left = fs::read_dir(RUN).into_iter().flatten().flatten();
        for name in left.filter_map(|entry| entry.file_name().into_string().ok()).filter(|name| is_left_over(name)) {
            drop(Self::named(name));
        }
        let mut daemon = Self::named(unique());
        fs::create_dir_all(&daemon.run).expect(RUN);
        fs::create_dir_all(&daemon.data).expect("target/tmp");
        if let Some(size) = options.disk_mb {
            let size = format!("size={size}m");
            let mount = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "none"]).arg(&daemon.data).status();
            let mounted = mount.expect("mount");
            assert!(mounted.success(), "a small disk");
        }
        let mut config = json!({
            "data-root": daemon.data,
            "exec-root": daemon.run.join("exec"),
            "pidfile": daemon.run.join("docker.pid"),
            "hosts": [format!("unix://{}", daemon.socket().display())],
            "live-restore": options.live_restore,
        });
        if let Some(storage) = options.storage {
            config["storage-driver"] = storage.into();
        }
        if let Some(tls) = &options.tls {
            config["hosts"] = json!([format!("unix://{}", daemon.socket().display()), "tcp://127.0.0.1:2376"]);
            config["tlsverify"] = true.into();
            for (key, file) in [("tlscacert", "ca.pem"), ("tlscert", "cert.pem"), ("tlskey", "key.pem")] {
                config[key] = tls.join(file).display().to_string().into();
            }
        }
        // Its own file: the machine's /etc/docker/daemon.json is for the machine's engine.
        fs::write(daemon.run.join("daemon.json"), config.to_string()).expect("daemon.json");
        ip(&["netns", "add", &daemon.name]).expect("a network namespace");
        ip(&["-n", &daemon.name, "link", "set", "lo", "up"]).expect("loopback");
        daemon.start_again();
        daemon
    }

    fn named(name: String) -> Self {
        let data = Path::new(env!("CARGO_TARGET_TMPDIR")).join(&name);
        Self { run: Path::new(RUN).join(&name), data, name, child: None }
    }

    /// Its unix socket.
    pub fn socket(&self) -> PathBuf {
        self.run.join("docker.sock")
    }

    /// Writes its disk full, for as long as the file returned is there.
    #[track_caller]
    pub fn fill_disk(&self) -> PathBuf {
        use std::io::Write as _;
        let path = self.data.join("filler");
        let mut filler = fs::File::create(&path).expect("the filler");
        // Ever smaller pieces, until not even a byte is left.
        for size in [1 << 20, 4096, 1] {
            while filler.write_all(&vec![0; size]).is_ok() {}
        }
        path
    }

    /// The engine, for docker commands.
    pub fn engine(&self) -> Engine {
        Engine::at(self.socket())
    }

    /// Runs `work` on a thread inside the daemon's network namespace: from there its containers' addresses and published
    /// ports answer, and processes started there stay there.
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let namespace = fs::File::open(Path::new("/run/netns").join(&self.name)).expect("the namespace");
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).expect("setns");
                work()
            });
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Starts the daemon after [`PrivateDockerd::stop`] or [`PrivateDockerd::kill9`] and waits until it answers.
    #[track_caller]
    pub fn start_again(&mut self) {
        assert!(self.child.is_none(), "it runs already");
        let log = fs::OpenOptions::new().create(true).append(true).open(self.log()).expect("the log");
        let config = self.run.join("daemon.json");
        let mut dockerd = Command::new("dockerd");
        dockerd.arg("--config-file").arg(config).stdin(Stdio::null());
        dockerd.stdout(log.try_clone().expect("the log")).stderr(log);
        self.child = Some(self.inside(|| dockerd.spawn()).expect("dockerd is needed: run scripts/setup"));

        let engine = self.engine();
        let answered = try_wait_for(PATIENCE, || {
            let gone = self.child.as_mut().is_none_or(|child| !matches!(child.try_wait(), Ok(None)));
            (gone || engine.try_docker(&["version"]).is_ok()).then_some(!gone)
        });
        assert!(answered == Some(true), "dockerd does not answer; its log ends:\n{}", self.log_tail());
    }

    /// Ends the daemon in the orderly way (SIGTERM) and waits for its end.
    #[track_caller]
    pub fn stop(&mut self) {
        self.signal_and_wait(Signal::TERM);
    }

    /// Kills the daemon with SIGKILL. The kernel takes its containerd along; shims and containers live on.
    #[track_caller]
    pub fn kill9(&mut self) {
        let containerd = fs::read_to_string(self.run.join("exec/containerd/containerd.pid")).expect("containerd's pid");
        self.signal_and_wait(Signal::KILL);
        // A daemon started while the old containerd is still dying takes it for a live one, waits 15 s and gives up.
        let containerd = Path::new("/proc").join(containerd.trim());
        wait_until("containerd's end", PATIENCE, || !containerd.exists());
    }

    /// [`PrivateDockerd::stop`], then [`PrivateDockerd::start_again`].
    #[track_caller]
    pub fn restart(&mut self) {
        self.stop();
        self.start_again();
    }

    #[track_caller]
    fn signal_and_wait(&mut self, signal: Signal) {
        let mut child = self.child.take().expect("it does not run");
        send(child.id(), signal);
        wait_for("dockerd's end", PATIENCE, || child.try_wait().expect("our child"));
    }

    fn log(&self) -> PathBuf {
        self.run.join("dockerd.log")
    }

    fn log_tail(&self) -> String {
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }

    /// Process ids of the daemon, its containerd, and the shims with all that run below them: found by this daemon's own
    /// exec-root or config in their command lines, so never anybody else's.
    pub fn processes(&self) -> Vec<u32> {
        self.family().into_iter().map(|process| process.pid).collect()
    }

    /// The containers that have a process, by id, with the pids below their shims.
    pub fn shims(&self) -> Vec<(String, Vec<u32>)> {
        let family = self.family();
        let shim = |process: &Process| {
            let id = process.command.split('\0').skip_while(|word| *word != "-id").nth(1)?;
            let below = family.iter().filter(|other| other.parent == process.pid).map(|other| other.pid);
            process.command.contains("containerd-shim").then(|| (id.to_owned(), below.collect()))
        };
        family.iter().filter_map(shim).filter(|(_, below): &(_, Vec<u32>)| !below.is_empty()).collect()
    }

    fn family(&self) -> Vec<Process> {
        let mark = format!("{RUN}/{}/", self.name);
        let mut all: Vec<Process> = fs::read_dir("/proc")
            .into_iter()
            .flatten()
            .filter_map(|entry| {
                let pid: u32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
                let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
                let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim().parse().ok()?;
                let command = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
                Some(Process { pid, parent, command: String::from_utf8_lossy(&command).into_owned() })
            })
            .collect();
        let mut ours: Vec<u32> = all.iter().filter(|one| one.command.contains(&mark)).map(|one| one.pid).collect();
        let mut seen = 0;
        while seen < ours.len() {
            let parent = ours[seen];
            let below = all.iter().filter(|one| one.parent == parent).map(|one| one.pid);
            let new: Vec<u32> = below.filter(|pid| !ours.contains(pid)).collect();
            ours.extend(new);
            seen += 1;
        }
        all.retain(|one| ours.contains(&one.pid));
        all
    }
}

/// A process, as `/proc` shows it; `command` with its words separated by zeros.
struct Process {
    pid: u32,
    parent: u32,
    command: String,
}

impl Drop for PrivateDockerd {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the private dockerd's log ends:\n{}", self.log_tail());
        }
        // Containers first, so that an orderly end need not wait for their stop timeouts; without the daemon, by force.
        let engine = self.engine();
        if self.child.is_some() {
            let running = engine.try_docker(&["ps", "-q"]).unwrap_or_default();
            let mut kill = vec!["kill"];
            kill.extend(running.lines());
            if kill.len() > 1 {
                let _ = engine.try_docker(&kill);
            }
        }
        if let Some(mut child) = self.child.take() {
            send(child.id(), Signal::TERM);
            if try_wait_for(PATIENCE, || child.try_wait().ok().flatten()).is_none() {
                send(child.id(), Signal::KILL);
                let _ = child.wait();
            }
        }
        // Those once found are waited for by id: a container whose shim is gone no longer shows whose it was.
        let mut ours = Vec::new();
        let gone = try_wait_for(PATIENCE, || {
            for pid in self.processes() {
                send(pid, Signal::KILL);
                ours.push(pid);
            }
            ours.retain(|pid| Path::new(&format!("/proc/{pid}")).exists());
            ours.is_empty().then_some(())
        });
        let places = [&self.run, &self.data];
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        for mount in mounts.lines().rev().filter_map(|line| line.split(' ').nth(4)) {
            if places.iter().any(|place| Path::new(mount).starts_with(place)) {
                let _ = Command::new("umount").args(["-l", mount]).status();
            }
        }
        let netns = ip(&["netns", "del", &self.name]);
        let removed: Vec<_> = places.iter().map(fs::remove_dir_all).collect();
        if gone.is_none() || netns.is_err() || removed.iter().any(Result::is_err) {
            eprintln!("private dockerd {}: left behind: processes {gone:?}, {netns:?}, {removed:?}", self.name);
        }
    }
}

fn send(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, signal); // it may be gone already
    }
}

fn ip(args: &[&str]) -> Result<(), String> {
    let done = Command::new("ip").args(args).output().map_err(|error| format!("ip: {error}; run scripts/setup"))?;
    if done.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&done.stderr).into_owned()) }
}

#[test]
fn a_private_daemon_answers_restarts_and_is_gone_afterwards() {
    use super::{http, images};

    let mut daemon = PrivateDockerd::start(&Options { live_restore: true, ..Options::default() });
    let engine = daemon.engine();
    let image = images::app(&engine, "v1");
    let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port");
    let published = free.to_string();
    engine.docker(&["run", "-d", "--name", "web", "-p", &format!("{published}:8080"), &image]);
    let pid = engine.pid("web");
    // Nothing is published on the machine, only inside: two daemons never meet.
    daemon.inside(|| wait_for("an answer", Duration::from_secs(20), || http::get(&published, "/").ok()));
    assert!(http::get(&published, "/").is_err());

    daemon.kill9();
    assert!(engine.try_docker(&["ps"]).is_err());
    daemon.start_again();
    daemon.restart();
    assert_eq!(engine.pid("web"), pid, "live-restore keeps the process");

    daemon.stop(); // the hard case: the container outlives its daemon
    assert!(!daemon.processes().is_empty());
    let (name, run, data) = (daemon.name.clone(), daemon.run.clone(), daemon.data.clone());
    drop(daemon);
    assert!(!Path::new(&format!("/proc/{pid}")).exists());
    assert!(!Path::new("/run/netns").join(name).exists());
    assert!(!run.exists() && !data.exists());
}

#[test]
fn without_live_restore_the_containers_end_with_the_daemon() {
    let mut daemon = PrivateDockerd::start(&Options::default());
    let engine = daemon.engine();
    let image = super::images::app(&engine, "v1");
    engine.docker(&["run", "-d", "--name", "web", &image]);
    daemon.restart();
    assert_eq!(engine.inspect("web")["State"]["Status"], "exited");
}
