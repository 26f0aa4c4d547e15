//! The docker command line against one engine, guards that leave nothing behind, and what `/proc` knows of a container.
//!
//! The tests look at the engine through Docker's own client on purpose: what pitstop claims is checked by something that
//! shares no code with it.

use std::collections::BTreeSet;
use std::collections::hash_map::RandomState;
use std::fmt::Write as _;
use std::hash::{BuildHasher, Hasher};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;

/// A Docker Engine by its unix socket.
#[derive(Debug, Clone)]
pub struct Engine {
    socket: PathBuf,
}

impl Engine {
    /// The machine's own engine, shared by all tests.
    pub fn machine() -> Self {
        Self::at("/var/run/docker.sock")
    }

    /// The engine that listens on `socket`.
    pub fn at(socket: impl AsRef<Path>) -> Self {
        Self { socket: socket.as_ref().to_owned() }
    }

    /// The value for `DOCKER_HOST` or `--host`.
    pub fn host(&self) -> String {
        format!("unix://{}", self.socket.display())
    }

    /// Runs `docker ARGS…` and returns its standard output without the last newline.
    ///
    /// # Panics
    /// When it fails, with what it said.
    #[track_caller]
    pub fn docker(&self, args: &[&str]) -> String {
        match self.try_docker(args) {
            Ok(out) => out,
            Err(said) => panic!("docker {}: {said}", args.join(" ")),
        }
    }

    /// As [`Engine::docker`].
    ///
    /// # Errors
    /// What docker wrote to standard error.
    pub fn try_docker(&self, args: &[&str]) -> Result<String, String> {
        self.feed(args, &[])
    }

    /// Runs `docker ARGS…` with `input` on its standard input.
    ///
    /// # Errors
    /// What docker wrote to standard error, or why it could not be run.
    pub fn feed(&self, args: &[&str], input: &[u8]) -> Result<String, String> {
        let run = || {
            let mut child = Command::new("docker")
                .args(args)
                .env("DOCKER_HOST", self.host())
                .env_remove("DOCKER_CONTEXT")
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()?;
            // A docker that stops reading early says why on stderr; that is the better error than a broken pipe.
            let _ = child.stdin.take().map(|mut stdin| stdin.write_all(input));
            child.wait_with_output()
        };
        let done = run().map_err(|error| format!("cannot run docker: {error}"))?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
        if done.status.success() { Ok(text(&done.stdout)) } else { Err(text(&done.stderr)) }
    }

    /// What `docker inspect` says about a container, network, volume or image.
    #[track_caller]
    pub fn inspect(&self, name: &str) -> Value {
        match self.try_inspect(name) {
            Some(found) => found,
            None => panic!("docker inspect {name}: no such thing"),
        }
    }

    /// As [`Engine::inspect`], `None` when there is no such thing.
    pub fn try_inspect(&self, name: &str) -> Option<Value> {
        let found: Value = serde_json::from_str(&self.try_docker(&["inspect", name]).ok()?).ok()?;
        found.get(0).cloned()
    }

    /// The names of all containers, running or not, that begin with `prefix`, sorted.
    #[track_caller]
    pub fn containers(&self, prefix: &str) -> Vec<String> {
        let filter = format!("name=^{prefix}");
        let mut names: Vec<_> = self
            .docker(&["ps", "-a", "--filter", &filter, "--format", "{{.Names}}"])
            .lines()
            .map(str::to_owned)
            .collect();
        names.sort();
        names
    }

    /// The host's process id of a running container's first process.
    #[track_caller]
    pub fn pid(&self, container: &str) -> u32 {
        let pid = self.inspect(container)["State"]["Pid"].as_u64().unwrap_or_default();
        assert!(pid > 0, "{container} does not run");
        u32::try_from(pid).expect("a pid")
    }

    /// The inode of a running container's network namespace.
    #[track_caller]
    pub fn netns(&self, container: &str) -> u64 {
        netns_inode(self.pid(container))
    }

    /// A project of one's own on this engine. The first one also removes what killed test runs have left there.
    pub fn project(&self) -> Project {
        static SWEPT: Once = Once::new();
        SWEPT.call_once(|| {
            for name in self.left_overs() {
                drop(Project { engine: self.clone(), name });
            }
        });
        Project { engine: self.clone(), name: unique() }
    }

    /// The projects of test runs that are no more.
    fn left_overs(&self) -> BTreeSet<String> {
        let lists: [&[&str]; 3] = [
            &["ps", "-a", "--format", "{{.Names}}"],
            &["network", "ls", "--format", "{{.Name}}"],
            &["volume", "ls", "--format", "{{.Name}}"],
        ];
        let names = lists.map(|list| self.try_docker(list).unwrap_or_default()).join("\n");
        left_overs_in(&names)
    }
}

/// The inode of the network namespace that process `pid` is in, from `/proc/PID/ns/net`.
///
/// # Panics
/// When the process is gone or not ours to see (root sees all).
#[track_caller]
pub fn netns_inode(pid: u32) -> u64 {
    let link = format!("/proc/{pid}/ns/net");
    let target = match std::fs::read_link(&link) {
        Ok(target) => target.display().to_string(),
        Err(error) => panic!("{link}: {error}"),
    };
    target.trim_start_matches("net:[").trim_end_matches(']').parse().expect("net:[INODE]")
}

/// A name no other test has, now or in another run: `t`, the process, a counter and a few random digits.
pub fn unique() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let random = RandomState::new().build_hasher().finish() & 0xffff;
    format!("t{}x{}x{random:04x}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// The left-over projects among the names of containers, networks and volumes, one a line.
fn left_overs_in(names: &str) -> BTreeSet<String> {
    let projects = names.lines().map(|name| name.trim_start_matches("pitstop-lock-"));
    let projects = projects.map(|name| name.split(['-', '_', '.']).next().unwrap_or(name));
    projects.filter(|name| is_left_over(name)).map(str::to_owned).collect()
}

/// Whether `name` is one that [`unique`] gave in a process that is no more.
pub fn is_left_over(name: &str) -> bool {
    let parts: Vec<&str> = name.strip_prefix('t').unwrap_or_default().split('x').collect();
    let [pid, count, random] = parts[..] else { return false };
    let numbers = pid.parse::<u32>().is_ok() && count.parse::<u32>().is_ok() && random.len() == 4;
    numbers && !Path::new("/proc").join(pid).exists()
}

/// A project name, and the promise that nothing of it is left on the engine when the test ends, however it ends.
///
/// Everything counts as the project's that carries its label (pitstop's or Compose's) or whose name begins with its name.
pub struct Project {
    pub engine: Engine,
    pub name: String,
}

impl Project {
    /// What of this project is on the engine: `container NAME`, `network NAME`, `volume NAME`, sorted.
    ///
    /// # Errors
    /// What docker said.
    pub fn traces(&self) -> Result<Vec<String>, String> {
        let mut traces = Vec::new();
        let lists: [(&str, &[&str]); 3] = [
            ("container", &["ps", "-a", "--format", "{{.Names}}"]),
            ("network", &["network", "ls", "--format", "{{.Name}}"]),
            ("volume", &["volume", "ls", "--format", "{{.Name}}"]),
        ];
        for (kind, list) in lists {
            let filters = [
                format!("name=^{}", self.name),
                format!("label=io.pitstop.project={}", self.name),
                format!("label=com.docker.compose.project={}", self.name),
            ];
            for filter in filters {
                let mut args = list.to_vec();
                args.extend(["--filter", &filter]);
                traces.extend(self.engine.try_docker(&args)?.lines().map(|name| format!("{kind} {name}")));
            }
            if kind == "container" {
                // Anonymous volumes have no name of the project: they go with their container (`rm -v`).
                let lock = format!("name=^pitstop-lock-{}-", self.name);
                let locks = self.engine.try_docker(&["ps", "-a", "--format", "{{.Names}}", "--filter", &lock])?;
                traces.extend(locks.lines().map(|name| format!("{kind} {name}")));
            }
        }
        traces.sort();
        traces.dedup();
        Ok(traces)
    }

    /// Removes everything of the project.
    ///
    /// # Errors
    /// What is left, and docker's last words.
    fn remove(&self) -> Result<(), String> {
        let mut said = String::new();
        // Twice: a container may hold a network, and one that another console is removing right now fails the first time.
        for _ in 0..2 {
            for trace in self.traces()? {
                let (kind, name) = trace.split_once(' ').unwrap_or_default();
                let removal: &[&str] =
                    if kind == "container" { &["rm", "-f", "-v", name] } else { &[kind, "rm", name] };
                if let Err(error) = self.engine.try_docker(removal) {
                    let _ = writeln!(said, "{trace}: {error}");
                }
            }
        }
        let left = self.traces()?;
        if left.is_empty() { Ok(()) } else { Err(format!("left behind: {left:?}\n{said}")) }
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        if let Err(said) = self.remove() {
            eprintln!("project {}: {said}", self.name);
        }
    }
}

#[test]
fn a_project_leaves_nothing_behind() {
    let engine = Engine::machine();
    let project = engine.project();
    let name = project.name.clone();
    let image = super::images::app(&engine, "v1");
    let label = format!("io.pitstop.project={name}");
    let foreign = format!("x{name}");
    engine.docker(&["network", "create", &format!("{name}-net")]);
    engine.docker(&["volume", "create", "--label", &label, &foreign]);
    engine.docker(&["run", "-d", "--name", &format!("{name}-web-1"), "--network", &format!("{name}-net"), &image]);
    engine.docker(&["create", "--name", &format!("pitstop-lock-{name}-web"), &image]);

    let running = format!("{name}-web-1");
    assert_eq!(engine.inspect(&running)["State"]["Status"], "running");
    assert_eq!(engine.containers(&name), [running.as_str()]);
    assert_ne!(engine.netns(&running), netns_inode(std::process::id()));
    assert_eq!(project.traces().unwrap().len(), 4, "{:?}", project.traces());

    drop(project);
    let again = Project { engine: engine.clone(), name };
    assert_eq!(again.traces().unwrap(), Vec::<String>::new());
    assert!(engine.try_inspect(&foreign).is_none());
}

#[test]
fn what_a_killed_run_left_is_told_from_what_a_living_one_uses() {
    assert!(!is_left_over(&unique()), "this process lives");
    assert!(is_left_over("t4294967295x0xab12"), "no such process");
    for other in ["", "t", "shop", "text", "tomax2xabcd", "t4294967295x0", "t4294967295x0xab12x"] {
        assert!(!is_left_over(other), "{other}");
    }
    let left = "t4294967295x7xab12";
    let names = format!("bridge\n{left}-web-1.r3\n{left}_data\npitstop-lock-{left}-web\nweb-1\n{}-web-1", unique());
    assert_eq!(left_overs_in(&names), BTreeSet::from([left.to_owned()]));
}

#[test]
fn docker_s_own_words_come_back() {
    let said = Engine::machine().try_docker(&["inspect", "no-such-thing"]).unwrap_err();
    assert!(said.contains("no-such-thing"), "{said}");
    let said = Engine::at("/nonexistent/docker.sock").try_docker(&["ps"]).unwrap_err();
    assert!(said.contains("/nonexistent/docker.sock"), "{said}");
}
