//! The engine driver against the machine's own engine: what it claims is checked by the docker command line.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::time::Duration;

use pitstop::docker::{AppCreation, Changes, Docker, Failure, Location, LogOptions, SandboxCreation, Watch, WatchLine};
use pitstop::domain::address::pick;
use pitstop::domain::fleet::{FleetState, State};
use pitstop::domain::ids::{AppId, ContainerId, ImageRef, ObjectName};
use pitstop::domain::labels::{OwnLabels, Role};
use pitstop::domain::plan::RevisionRecord;
use pitstop::domain::probe::ProbeSpec;
use pitstop::domain::project::{NetworkSpec, VolumeSpec};
use pitstop::domain::spec::{
    ContainerSpec, Healthcheck, Logging, Mount, MountKind, NetworkAttach, PublishedPort, Resources, RestartPolicy,
    SandboxSpec,
};
use tokio::time::timeout;

use crate::support::daemon::{Options, PrivateDockerd};
use crate::support::docker::{Engine, Project};
use crate::support::images;

/// For things that take a loaded machine seconds at most.
const PATIENCE: Duration = Duration::from_secs(60);

/// A project on the machine's engine, and the driver connected to it.
struct Bench {
    engine: Engine,
    docker: Changes,
    project: Project,
}

impl Bench {
    async fn new() -> Self {
        let engine = Engine::machine();
        let docker = Changes::of(&Docker::connect(&Location::at(engine.host())).await.unwrap());
        Self { project: engine.project(), engine, docker }
    }

    fn name(&self, rest: &str) -> ObjectName {
        ObjectName::new(format!("{}-{rest}", self.project.name)).unwrap()
    }

    fn labels(&self, role: Role) -> BTreeMap<String, String> {
        let own = OwnLabels {
            app: AppId::new(self.project.name.as_str(), "web"),
            number: 1,
            role,
            revision: 1,
            operation: "op-1".into(),
            held: false,
            spec: None,
            spec_hash: String::new(),
            replaces: None,
        };
        own.write()
    }

    /// A network with room for pinned addresses, and a sandbox pinned there; running.
    async fn sandbox(&self, ports: Vec<PublishedPort>) -> (ContainerId, Ipv4Addr) {
        let network = self.name("net");
        let spec = NetworkSpec { name: network.to_string(), ..NetworkSpec::default() };
        self.docker.create_network(&spec, &self.project.name).await.unwrap();
        let seen = self.docker.network(&network).await.unwrap().unwrap();
        let address = pick(&seen.pools[0], &BTreeSet::new()).unwrap();
        let id = self.create_sandbox(&network, address, ports).await.unwrap();
        self.docker.start(&id).await.unwrap();
        (id, address)
    }

    async fn create_sandbox(
        &self,
        network: &ObjectName,
        address: Ipv4Addr,
        ports: Vec<PublishedPort>,
    ) -> Result<ContainerId, pitstop::docker::DockerError> {
        let creation = SandboxCreation {
            name: self.name("web-1"),
            image: self.docker.ensure_sandbox_image(None).await.unwrap(),
            labels: self.labels(Role::Sandbox),
            hostname: "shop-web-1".into(),
            aliases: vec!["web".into(), "web-1".into()],
            spec: SandboxSpec {
                networks: vec![NetworkAttach { network: network.to_string(), ..NetworkAttach::default() }],
                ports,
                extra_hosts: vec!["db:10.9.8.7".into()],
                sysctls: BTreeMap::from([("net.ipv4.ip_unprivileged_port_start".into(), "0".into())]),
                ..SandboxSpec::default()
            },
            addresses: BTreeMap::from([(network.to_string(), address)]),
            sysctls: BTreeMap::new(),
        };
        self.docker.create_sandbox(&creation).await
    }

    async fn app(&self, sandbox: &ContainerId, name: &str, image: &str, spec: ContainerSpec) -> ContainerId {
        let creation = AppCreation {
            name: self.name(name),
            image: ImageRef::new(image).unwrap(),
            labels: self.labels(Role::App),
            spec,
            sandbox: sandbox.clone(),
            carry: Vec::new(),
            gate: None,
        };
        self.docker.create_app(&creation).await.unwrap()
    }
}

fn tcp(container: u16) -> PublishedPort {
    PublishedPort { host_ip: Some("127.0.0.1".into()), host: None, container, protocol: "tcp".into() }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_is_created_as_specified_and_keeps_its_address() {
    let bench = Bench::new().await;
    let (sandbox, address) = bench.sandbox(vec![tcp(8080)]).await;
    let volume = bench.name("data").to_string();
    let spec = VolumeSpec { name: volume.clone(), ..VolumeSpec::default() };
    bench.docker.create_volume(&spec, &bench.project.name).await.unwrap();
    let image = images::app(&bench.engine, "v1");
    let image_id = bench.docker.image(&ImageRef::new(image.as_str()).unwrap()).await.unwrap().unwrap();
    assert_eq!((image_id.exposed.as_slice(), image_id.has_healthcheck), (&[8080][..], false));
    let host_dir = tempfile::tempdir().unwrap();
    let made = host_dir.path().join("made").display().to_string();
    let mount = |kind, source: &str, target: &str| Mount {
        kind,
        source: source.into(),
        target: target.into(),
        ..Mount::default()
    };
    let spec = ContainerSpec {
        environment: BTreeMap::from([("TOKEN".into(), "a=b c".into())]).into(),
        labels: BTreeMap::from([("team".into(), "shop".into())]),
        mounts: vec![
            mount(MountKind::Volume, &volume, "/data"),
            mount(MountKind::Volume, "", "/cache"),
            Mount { create_host_path: true, read_only: true, ..mount(MountKind::Bind, &made, "/made") },
            mount(MountKind::Bind, host_dir.path().to_str().unwrap(), "/host"),
            Mount { tmpfs_size: Some(1 << 20), tmpfs_mode: Some(0o1777), ..mount(MountKind::Tmpfs, "", "/tmp") },
        ],
        healthcheck: Some(Healthcheck {
            test: vec!["CMD".into(), "/pitstop-guest".into(), "version".into()],
            interval_ms: Some(1500),
            timeout_ms: Some(500),
            retries: Some(3),
            start_period_ms: Some(100),
        }),
        restart: RestartPolicy::OnFailure(Some(3)),
        stop_signal: Some("SIGTERM".into()),
        stop_grace_ms: Some(2500),
        init: Some(true),
        read_only: true,
        cap_add: vec!["NET_ADMIN".into()],
        cap_drop: vec!["CHOWN".into()],
        security_opt: vec!["no-new-privileges".into()],
        group_add: vec!["44".into()],
        ulimits: BTreeMap::from([("nofile".into(), (1024, 2048))]),
        resources: Resources {
            memory: Some(64 << 20),
            nano_cpus: Some(500_000_000),
            pids: Some(50),
            ..Resources::default()
        },
        logging: Some(Logging {
            driver: "json-file".into(),
            options: BTreeMap::from([("max-size".into(), "1m".into())]),
        }),
        shm_size: Some(1 << 20),
        ..ContainerSpec::default()
    };
    let app = bench.app(&sandbox, "web-1.r1", &image_id.id, spec).await;
    bench.docker.start(&app).await.unwrap();
    bench.docker.start(&app).await.unwrap();

    let outside = bench.engine.inspect(bench.name("web-1").as_str());
    let end = &outside["NetworkSettings"]["Networks"][bench.name("net").as_str()];
    assert_eq!(end["IPAddress"], address.to_string());
    assert_eq!(end["IPAMConfig"]["IPv4Address"], address.to_string());
    assert!(end["Aliases"].as_array().unwrap().iter().any(|alias| alias == "web"), "{end}");
    assert_eq!(outside["Config"]["Hostname"], "shop-web-1");
    assert_eq!(outside["HostConfig"]["RestartPolicy"]["Name"], "unless-stopped");

    let outside = bench.engine.inspect(bench.name("web-1.r1").as_str());
    let host = &outside["HostConfig"];
    assert_eq!(host["NetworkMode"], format!("container:{sandbox}"));
    assert_eq!(
        (&host["Memory"], &host["NanoCpus"], &host["PidsLimit"]),
        (&(64 << 20).into(), &500_000_000.into(), &50.into())
    );
    assert_eq!(host["RestartPolicy"]["MaximumRetryCount"], 3);
    assert_eq!(outside["Config"]["Healthcheck"]["Interval"], 1_500_000_000);
    assert_eq!(outside["Config"]["StopTimeout"], 3);
    assert_eq!(outside["Config"]["Labels"]["team"], "shop");
    assert!(std::path::Path::new(&made).is_dir(), "the engine makes the host path");
    assert_eq!(bench.engine.netns(bench.name("web-1").as_str()), bench.engine.netns(bench.name("web-1.r1").as_str()));

    let seen = bench.docker.inspect(&app).await.unwrap().unwrap();
    let detail = seen.detail.unwrap();
    assert_eq!((seen.state, detail.environment["TOKEN"].as_str()), (State::Running, "a=b c"));
    assert_eq!(
        (detail.stop_grace_ms, &detail.restart, detail.has_healthcheck),
        (Some(3000), &RestartPolicy::OnFailure(Some(3)), true)
    );
    assert!(seen.networks.is_empty() && seen.ports.is_empty());
    let targets: Vec<_> = seen.mounts.iter().map(|mount| mount.target.as_str()).collect();
    assert_eq!(targets, ["/cache", "/data", "/host", "/made", "/tmp"]);

    let fleet = bench.docker.fleet().await.unwrap();
    let instance = &fleet.find(&format!("{}/web", bench.project.name)).unwrap().instances[0];
    let identity = instance.identity().unwrap();
    assert_eq!(identity.networks[bench.name("net").as_str()].ipv4.as_deref(), Some(address.to_string().as_str()));
    assert!(identity.ports["8080/tcp"].starts_with("127.0.0.1:"), "{identity:?}");
    assert_eq!(identity.volumes["/data"], volume);

    bench.docker.set_restart(&app, &RestartPolicy::No).await.unwrap();
    let stopped = bench.docker.stop(&app, None).await.unwrap();
    assert!(!stopped.already && !stopped.killed, "{stopped:?}");
    assert!(bench.docker.stop(&app, None).await.unwrap().already);
    let found = bench.docker.find(&bench.name("web-1.r1")).await.unwrap().unwrap();
    assert_eq!((found.state, &found.detail.unwrap().restart), (State::Exited, &RestartPolicy::No));
    bench.docker.rename(&app, &bench.name("web-1.r1-old")).await.unwrap();
    assert_eq!(bench.docker.find(&bench.name("web-1.r1")).await.unwrap(), None);
    bench.docker.remove(&app, true).await.unwrap();
    bench.docker.remove(&app, true).await.unwrap();
    assert_eq!(bench.docker.inspect(&app).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn networks_leave_room_for_pins_and_are_made_once() {
    let bench = Bench::new().await;
    let spec = |name: &str| NetworkSpec {
        name: bench.name(name).to_string(),
        labels: BTreeMap::from([("team".into(), "shop".into())]),
        ..NetworkSpec::default()
    };
    let (one, two) = (spec("one"), spec("two"));
    // What a console leaves that dies in the middle.
    bench.engine.docker(&["network", "create", &format!("{}.subnet", one.name)]);
    let (first, second, again) = tokio::join!(
        bench.docker.create_network(&one, &bench.project.name),
        bench.docker.create_network(&two, &bench.project.name),
        async {
            bench.docker.create_network(&spec("three"), &bench.project.name).await?;
            bench.docker.create_network(&spec("three"), &bench.project.name).await
        }
    );
    first.and(second).and(again).unwrap();
    let networks = bench.docker.networks().await.unwrap();
    let ours: Vec<_> = networks.iter().filter(|network| network.name.starts_with(&bench.project.name)).collect();
    assert_eq!(ours.len(), 3, "{ours:?}");
    for network in ours {
        assert!(network.pools[0].ip_range.is_some(), "{network:?}");
        assert_eq!(network.labels["io.pitstop.project"], bench.project.name);
        assert_eq!(network.labels["team"], "shop");
        let name = ObjectName::new(network.name.clone()).unwrap();
        bench.docker.remove_network(&name).await.unwrap();
        bench.docker.remove_network(&name).await.unwrap();
    }
    assert_eq!(bench.docker.network(&bench.name("one")).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_engine_s_refusals_come_back_in_its_words() {
    let bench = Bench::new().await;
    let (sandbox, address) = bench.sandbox(Vec::new()).await;
    let taken = bench.create_sandbox(&bench.name("net"), address, Vec::new()).await.unwrap_err();
    assert_eq!(taken.failure, Failure::Conflict);
    assert!(
        taken.to_string().starts_with(&format!("create sandbox {}-web-1: the engine said", bench.project.name)),
        "{taken}"
    );

    let image = images::app(&bench.engine, "v1");
    let spec = ContainerSpec { entrypoint: Some(vec!["/no/such/program".into()]), ..ContainerSpec::default() };
    let wrong = bench.app(&sandbox, "web-1.r2", &image, spec).await;
    let error = bench.docker.start(&wrong).await.unwrap_err();
    assert_eq!((error.failure, error.status), (Failure::BadRequest, Some(400)));
    assert!(error.to_string().starts_with(&format!("start {}-web-1.r2: ", bench.project.name)), "{error}");
    assert!(error.to_string().contains("/no/such/program"), "{error}");

    let spec = NetworkSpec { name: bench.name("other").to_string(), ..NetworkSpec::default() };
    bench.docker.create_network(&spec, &bench.project.name).await.unwrap();
    bench.docker.remove(&wrong, false).await.unwrap();
    let creation = AppCreation {
        name: bench.name("web-1.r3"),
        image: ImageRef::new("pitstop-test/no-such-image:1").unwrap(),
        labels: BTreeMap::new(),
        spec: ContainerSpec::default(),
        sandbox,
        carry: Vec::new(),
        gate: None,
    };
    let missing = bench.docker.create_app(&creation).await.unwrap_err();
    assert_eq!(missing.failure, Failure::NotFound);
    assert_eq!(bench.docker.image(&creation.image).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stubborn_app_is_killed_after_its_grace_even_if_nobody_waits() {
    let bench = Bench::new().await;
    let (sandbox, _) = bench.sandbox(Vec::new()).await;
    let image = images::ignores_sigterm(&bench.engine, "v1");
    let app = bench.app(&sandbox, "web-1.r1", &image, ContainerSpec::default()).await;
    bench.docker.start(&app).await.unwrap();
    let stopped = bench.docker.stop(&app, Some(Duration::from_secs(1))).await.unwrap();
    assert_eq!((stopped.exit_code, stopped.killed, stopped.already), (137, true, false));

    bench.docker.start(&app).await.unwrap();
    let mut live = bench.docker.live(jiff::Timestamp::now);
    let stop = bench.docker.stop(&app, Some(Duration::from_secs(2)));
    assert!(timeout(Duration::from_millis(300), stop).await.is_err(), "the future is dropped in the middle");
    let exited = live.wait_for(|state| match state {
        FleetState::Live(fleet) => fleet
            .find_instance(bench.name("web-1.r1").as_str())
            .is_some_and(|(_, instance)| instance.app.as_deref().is_some_and(|app| app.state == State::Exited)),
        _ => false,
    });
    timeout(PATIENCE, exited).await.expect("the stop goes on").unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_measures_the_gap_and_a_command_runs() {
    let bench = Bench::new().await;
    let (sandbox, _) = bench.sandbox(Vec::new()).await;
    let image = images::app(&bench.engine, "v1");
    let app = bench.app(&sandbox, "web-1.r1", &image, ContainerSpec::default()).await;
    bench.docker.start(&app).await.unwrap();

    let mut watch = bench.docker.watch(&sandbox, &ProbeSpec::Http { port: 8080, path: "/".into() }).await.unwrap();
    let hello = timeout(PATIENCE, watch.next()).await.unwrap().unwrap().unwrap();
    assert_eq!(hello, WatchLine::Hello { netns: bench.engine.netns(bench.name("web-1").as_str()) });
    line_of(&mut watch, |line| matches!(line, WatchLine::Up { .. })).await;
    bench.docker.stop(&app, None).await.unwrap();
    bench.docker.start(&app).await.unwrap();
    let down = line_of(&mut watch, |line| matches!(line, WatchLine::Down { .. })).await;
    let WatchLine::Up { t_us, gap_us: Some(gap), .. } =
        line_of(&mut watch, |line| matches!(line, WatchLine::Up { .. })).await
    else {
        panic!("no gap")
    };
    assert!(
        gap > 1000 && matches!(down, WatchLine::Down { last_ok_us, .. } if last_ok_us + gap == t_us),
        "{down:?} {gap}"
    );
    drop(watch);

    let command = ["/pitstop-guest", "version"].map(str::to_owned);
    let result = bench.docker.exec(&app, command.into(), PATIENCE).await.unwrap();
    assert!(result.code == 0 && result.output.starts_with("pitstop-guest 1"), "{result:?}");
    let result = bench.docker.exec(&app, vec!["/nothing".into()], PATIENCE).await.unwrap();
    assert!(result.code != 0 && result.output.contains("/nothing"), "{result:?}");
    let command = ["/pitstop-guest", "serve", "9999", "x"].map(str::to_owned);
    let late = bench.docker.exec(&app, command.into(), Duration::from_millis(300)).await.unwrap_err();
    assert_eq!(late.failure, Failure::Timeout);

    bench.docker.stop(&sandbox, None).await.unwrap();
    let error = bench.docker.watch(&sandbox, &ProbeSpec::Tcp { port: 1 }).await.unwrap_err();
    assert_eq!(error.failure, Failure::Conflict, "{error}");
    let error = bench.docker.watch(&sandbox, &ProbeSpec::Docker).await.unwrap_err();
    assert_eq!(error.failure, Failure::Invalid);
}

/// The command lines of the processes in a container.
fn processes(engine: &Engine, container: &str) -> Vec<String> {
    let top = engine.docker(&["top", container, "-o", "pid,args"]);
    top.lines().skip(1).map(|line| line.trim_start().split_once(' ').unwrap().1.trim_start().to_owned()).collect()
}

async fn line_of(watch: &mut Watch, wanted: fn(&WatchLine) -> bool) -> WatchLine {
    loop {
        let line = timeout(PATIENCE, watch.next()).await.unwrap().unwrap().unwrap();
        if wanted(&line) {
            return line;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn consoles_watch_at_once_without_a_command_in_the_sandbox() {
    let bench = Bench::new().await;
    let (sandbox, _) = bench.sandbox(Vec::new()).await;
    let name = bench.name("web-1");
    let outside = bench.engine.inspect(name.as_str());
    assert_eq!(outside["HostConfig"]["LogConfig"]["Type"], "none");
    let image = images::app(&bench.engine, "v1");
    let app = bench.app(&sandbox, "web-1.r1", &image, ContainerSpec::default()).await;
    bench.docker.start(&app).await.unwrap();
    let hello = WatchLine::Hello { netns: bench.engine.netns(name.as_str()) };
    let mut one = bench.docker.watch(&sandbox, &ProbeSpec::Http { port: 8080, path: "/".into() }).await.unwrap();
    let mut two = bench.docker.watch(&sandbox, &ProbeSpec::Tcp { port: 8080 }).await.unwrap();
    for watch in [&mut one, &mut two] {
        assert_eq!(timeout(PATIENCE, watch.next()).await.unwrap().unwrap().unwrap(), hello);
        line_of(watch, |line| matches!(line, WatchLine::Up { .. })).await;
    }
    let guest = "/pitstop-guest".to_owned();
    assert_eq!(processes(&bench.engine, name.as_str()), [guest.clone(), guest.clone(), guest.clone()]);

    bench.docker.stop(&app, None).await.unwrap();
    bench.docker.start(&app).await.unwrap();
    for (watch, words) in [(&mut one, "http 200"), (&mut two, "connected")] {
        line_of(watch, |line| matches!(line, WatchLine::Down { .. })).await;
        let up = line_of(watch, |line| matches!(line, WatchLine::Up { .. })).await;
        assert!(
            matches!(&up, WatchLine::Up { gap_us: Some(1000..), detail, .. } if **detail == *words),
            "{words}: {up:?}"
        );
    }
    drop(one);
    let left = |count: usize| processes(&bench.engine, name.as_str()).len() == count;
    crate::support::wait::wait_until("one watch's end", PATIENCE, || left(2));
    // Kept for longer than the guest's lease of 10 s.
    for _ in 0..11 {
        line_of(&mut two, |line| matches!(line, WatchLine::Tick { up: true, .. })).await;
    }
    drop(two);
    crate::support::wait::wait_until("the other's end", PATIENCE, || left(1));

    // A sandbox that stops ends its watch.
    let mut last = bench.docker.watch(&sandbox, &ProbeSpec::Tcp { port: 1 }).await.unwrap();
    bench.docker.stop(&sandbox, None).await.unwrap();
    while let Some(line) = timeout(PATIENCE, last.next()).await.unwrap() {
        line.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sandbox_without_an_open_stdin_is_watched_by_a_command() {
    let bench = Bench::new().await;
    let name = bench.name("web-1");
    let image = bench.docker.ensure_sandbox_image(None).await.unwrap();
    let id = bench.engine.docker(&["run", "-d", "--name", name.as_str(), "--network", "none", &image.to_string()]);
    let sandbox = ContainerId::new(id.trim()).unwrap();
    let mut watch = bench.docker.watch(&sandbox, &ProbeSpec::Tcp { port: 8080 }).await.unwrap();
    let hello = timeout(PATIENCE, watch.next()).await.unwrap().unwrap().unwrap();
    assert_eq!(hello, WatchLine::Hello { netns: bench.engine.netns(name.as_str()) });
    line_of(&mut watch, |line| matches!(line, WatchLine::Down { .. })).await;
    let processes = || processes(&bench.engine, name.as_str());
    // On a busy machine the engine's own helper is still there for a moment.
    let watched = || processes()[1..] == ["/pitstop-guest watch tcp:8080 --until-stdin-closes"];
    crate::support::wait::wait_until("the watch to be the only guest beside the sandbox's", PATIENCE, watched);
    drop(watch);
    crate::support::wait::wait_until("the watch's end", PATIENCE, || processes().len() == 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sandbox_that_outlived_its_engine_is_asked_as_before() {
    let mut daemon = PrivateDockerd::start(&Options { live_restore: true, ..Options::default() });
    let engine = daemon.engine();
    let docker = Changes::of(&Docker::connect(&Location::at(engine.host())).await.unwrap());
    let image = docker.ensure_sandbox_image(None).await.unwrap().to_string();
    let id = engine.docker(&["run", "-d", "-i", "--log-driver", "none", "--network", "none", &image]);
    let sandbox = ContainerId::new(id.trim()).unwrap();
    for engine_dies in [false, true] {
        if engine_dies {
            tokio::task::block_in_place(|| {
                daemon.kill9();
                daemon.start_again();
            });
        }
        let mut watch = docker.watch(&sandbox, &ProbeSpec::Tcp { port: 8080 }).await.unwrap();
        line_of(&mut watch, |line| matches!(line, WatchLine::Down { .. })).await;
        assert_eq!(processes(&engine, sandbox.as_str()), ["/pitstop-guest"; 2], "its stdin has stayed open");
        drop(watch);
        let alone = || processes(&engine, sandbox.as_str()).len() == 1;
        crate::support::wait::wait_until("the watch's end", PATIENCE, alone);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn revisions_come_back_also_from_a_stopped_sandbox() {
    let bench = Bench::new().await;
    let (sandbox, _) = bench.sandbox(Vec::new()).await;
    assert_eq!(bench.docker.read_revisions(&sandbox).await.unwrap(), []);
    let record = |revision| {
        let mut record =
            RevisionRecord { revision, image_id: format!("sha256:{revision}"), ..RevisionRecord::default() };
        record.spec.container.environment.insert("TOKEN".into(), "hush".into());
        record
    };
    for revision in 1..=12 {
        bench.docker.write_revisions(&sandbox, &[record(revision)]).await.unwrap();
    }
    bench.docker.stop(&sandbox, None).await.unwrap();
    let want: Vec<_> = (3..=12).rev().map(record).collect();
    assert_eq!(bench.docker.read_revisions(&sandbox).await.unwrap(), want);
    bench.docker.write_revisions(&sandbox, &[record(13)]).await.unwrap();
    assert_eq!(bench.docker.read_revisions(&sandbox).await.unwrap()[0], record(13));
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_are_lines_with_and_without_a_terminal() {
    use futures_util::TryStreamExt;

    let bench = Bench::new().await;
    let (sandbox, _) = bench.sandbox(Vec::new()).await;
    let image = images::app(&bench.engine, "v1");
    for (name, tty) in [("web-1.r1", false), ("web-1.r2", true)] {
        // Wrong arguments: the guest says so on standard error and ends.
        let spec = ContainerSpec { command: Some(vec!["wrong".into()]), tty, ..ContainerSpec::default() };
        let app = bench.app(&sandbox, name, &image, spec).await;
        bench.docker.start(&app).await.unwrap();
        let options = LogOptions { follow: true, timestamps: true, tail: Some(10), since: None };
        let read = bench.docker.logs(&app, options).await.unwrap().try_collect::<Vec<_>>();
        let lines = timeout(PATIENCE, read).await.expect("it ends with the container").unwrap();
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].text.starts_with("pitstop-guest: unknown mode: wrong"), "{lines:?}");
        assert!(lines[0].at.is_some() && lines[0].stderr != tty, "{lines:?}");
        let later = LogOptions { since: lines[0].at.map(|at| at + Duration::from_secs(1)), ..LogOptions::default() };
        let none = bench.docker.logs(&app, later).await.unwrap().try_collect::<Vec<_>>().await.unwrap();
        assert_eq!(none, []);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_live_fleet_follows_the_engine() {
    let bench = Bench::new().await;
    let mut live = bench.docker.live(jiff::Timestamp::now);
    assert!(matches!(*live.borrow(), FleetState::Loading | FleetState::Live(_)));
    let (sandbox, address) = bench.sandbox(Vec::new()).await;
    let image = images::app(&bench.engine, "v1");
    let app = bench.app(&sandbox, "web-1.r1", &image, ContainerSpec::default()).await;
    let target = format!("{}/web-1", bench.project.name);
    let mut until = async |what: &str, wanted: &dyn Fn(Option<&pitstop::domain::fleet::Instance>) -> bool| {
        let seen = live.wait_for(|state| match state {
            FleetState::Live(fleet) => wanted(fleet.find_instance(&target).map(|(_, instance)| instance)),
            _ => false,
        });
        timeout(PATIENCE, seen).await.unwrap_or_else(|_| panic!("{what}")).unwrap();
    };
    bench.docker.start(&app).await.unwrap();
    until("started", &|instance| {
        instance.is_some_and(|instance| {
            instance.is_ready()
                && instance.identity().is_some_and(|identity| {
                    identity.networks.values().any(|seen| seen.ipv4.as_deref() == Some(&address.to_string()))
                })
        })
    })
    .await;
    bench.docker.rename(&app, &bench.name("web-1.other")).await.unwrap();
    until("renamed", &|instance| {
        instance.is_some_and(|i| i.app.as_ref().is_some_and(|app| app.name.ends_with("web-1.other")))
    })
    .await;
    bench.docker.stop(&app, None).await.unwrap();
    until("stopped", &|instance| instance.is_some_and(|i| i.state() == State::Exited)).await;
    bench.docker.remove(&app, false).await.unwrap();
    bench.docker.remove(&sandbox, false).await.unwrap();
    until("removed", &|instance| instance.is_none()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_fill_the_guest_s_volume_at_once() {
    let bench = Bench::new().await;
    let image = bench.docker.ensure_sandbox_image(None).await.unwrap();
    let mut all = tokio::task::JoinSet::new();
    for n in 0..8 {
        let app = AppId::new(bench.project.name.as_str(), format!("web{n}"));
        let (docker, image) = (bench.docker.clone(), image.clone());
        all.spawn(async move { docker.ensure_guest_volume(&image, &app).await.unwrap() });
    }
    let names = all.join_all().await;
    assert!(names.iter().all(|name| *name == names[0]), "{names:?}");
}
