//! Containers of others get a sandbox: what they were configured with, what clients see, and the way back.

use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Map, Value, json};

use crate::support::compose::{Compose, Version};
use crate::support::docker::{Engine, Project};
use crate::support::http::get;
use crate::support::images;
use crate::support::pitstop::Pitstop;
use crate::support::wait::wait_until;

/// A subnet that no other test asks for, by project.
fn subnet(project: &Project) -> String {
    let digits = project.name.bytes().fold(7_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte)));
    format!("10.{}.{}.0/24", 200 + digits % 50, digits / 50 % 256)
}

fn network(engine: &Engine, project: &Project, configured: bool) -> String {
    let name = format!("{}-net", project.name);
    let subnet = subnet(project);
    let args = if configured { vec!["--subnet", subnet.as_str()] } else { Vec::new() };
    engine.docker(&[&["network", "create"], &args[..], &[&name]].concat());
    name
}

fn address(engine: &Engine, container: &str) -> String {
    let networks = engine.inspect(container)["NetworkSettings"]["Networks"].clone();
    let first = networks.as_object().and_then(|all| all.values().next().cloned()).unwrap_or_default();
    first["IPAddress"].as_str().unwrap_or_default().to_owned()
}

/// Asks an address again and again; the longest time without an answer.
struct Caller {
    stop: Arc<AtomicBool>,
    asking: JoinHandle<Duration>,
}

impl Caller {
    fn of(address: String) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let asking = thread::spawn(move || {
            let (mut last, mut longest) = (Instant::now(), Duration::ZERO);
            let target = address.parse().expect("an address");
            while !told.load(Ordering::Relaxed) {
                if TcpStream::connect_timeout(&target, Duration::from_millis(20)).is_ok() {
                    longest = longest.max(last.elapsed());
                    last = Instant::now();
                }
                // Several that never rest would take the engine's processors.
                thread::park_timeout(Duration::from_millis(5));
            }
            longest
        });
        Self { stop, asking }
    }

    fn longest(self) -> Duration {
        self.stop.store(true, Ordering::Relaxed);
        self.asking.join().expect("the caller ends")
    }
}

/// All that an inspection can say of a container, as its answer has it.
const SAID: [&str; 25] = [
    // Compared: as configuration, as storage, and by clients at its address.
    "Config",
    "HostConfig",
    "Mounts",
    "NetworkSettings",
    "Image",
    "Path",
    "Args",
    "Driver",
    "Platform",
    "AppArmorProfile",
    "MountLabel",
    "ProcessLabel",
    // Each container's own.
    "Id",
    "Name",
    "Created",
    "State",
    "RestartCount",
    "ResolvConfPath",
    "HostnamePath",
    "HostsPath",
    "LogPath",
    "ExecIDs",
    "GraphDriver",
    "SizeRw",
    "SizeRootFs",
];

/// What is the same of a container whose place was taken, beside its configuration and its storage.
fn rest(engine: &Engine, container: &str) -> Vec<Value> {
    let seen = engine.inspect(container);
    let unknown: Vec<&String> = seen.as_object().unwrap().keys().filter(|key| !SAID.contains(&key.as_str())).collect();
    assert!(unknown.is_empty(), "{unknown:?}: nobody looks whether they are the same");
    SAID[4..12].iter().map(|key| seen[key].clone()).collect()
}

/// What clients see: by the container itself, or by the sandbox in its place.
fn outside(engine: &Engine, container: &str) -> Value {
    let seen = engine.inspect(container);
    let said = |value: &Value| if value.is_null() { json!([]) } else { value.clone() };
    let host = |key: &str| said(&seen["HostConfig"][key]);
    let networks = seen["NetworkSettings"]["Networks"].as_object().cloned().unwrap_or_default();
    let ends = networks.into_iter().map(|(network, end)| {
        let keys = [
            "IPAddress",
            "IPPrefixLen",
            "GlobalIPv6Address",
            "GlobalIPv6PrefixLen",
            "MacAddress",
            "Gateway",
            "NetworkID",
        ];
        (network, keys.iter().map(|key| end[key].clone()).collect::<Vec<_>>())
    });
    let mut ports = seen["NetworkSettings"]["Ports"].as_object().cloned().unwrap_or_default();
    // Those that are not published.
    ports.retain(|_, bound| !bound.is_null());
    json!({
        "networks": ends.collect::<std::collections::BTreeMap<_, _>>(),
        "ports": ports,
        "names": [seen["Config"]["Hostname"], seen["Config"]["Domainname"]],
        "dns": [host("Dns"), host("DnsSearch"), host("DnsOptions"), host("ExtraHosts")],
    })
}

/// What an inspection shows of the configuration, without what every container has its own of.
fn configuration(engine: &Engine, container: &str) -> (Map<String, Value>, Map<String, Value>) {
    let seen = engine.inspect(container);
    let mut config = seen["Config"].as_object().cloned().unwrap_or_default();
    let mut host = seen["HostConfig"].as_object().cloned().unwrap_or_default();
    // The network side is the sandbox's.
    for key in ["Hostname", "Domainname", "ExposedPorts", "Image"] {
        config.remove(key);
    }
    let network = ["NetworkMode", "PortBindings", "Dns", "DnsOptions", "DnsSearch", "ExtraHosts", "PublishAllPorts"];
    // Storage is compared as it is mounted.
    for key in network.into_iter().chain(["Binds", "Mounts", "ContainerIDFile", "ConsoleSize"]) {
        host.remove(key);
    }
    if let Some(Value::Object(labels)) = config.get_mut("Labels") {
        labels.retain(|key, _| !key.starts_with("io.pitstop.") && !key.starts_with("com.docker.compose."));
    }
    if let Some(Value::Object(sysctls)) = host.get_mut("Sysctls") {
        sysctls.retain(|key, _| !key.starts_with("net."));
    }
    // Declared by the old one, mounted by name in the new one.
    config.remove("Volumes");
    // Nothing said and an empty list are the same.
    let is_said = |value: &Value| !value.is_null() && *value != json!([]) && *value != json!({});
    config.retain(|_, value| is_said(value));
    host.retain(|_, value| is_said(value));
    if let Some(Value::Array(variables)) = config.get_mut("Env") {
        variables.sort_by_key(ToString::to_string);
    }
    (config, host)
}

/// What is mounted where, and how.
fn mounts(engine: &Engine, container: &str) -> Vec<Value> {
    let mut mounts = engine.inspect(container)["Mounts"].as_array().cloned().unwrap_or_default();
    for mount in mounts.iter_mut().filter_map(Value::as_object_mut) {
        mount.remove("Mode");
    }
    mounts.sort_by_key(|mount| mount["Destination"].to_string());
    mounts
}

#[test]
fn a_plain_container_keeps_its_address_and_all_it_was_configured_with() {
    let engine = Engine::machine();
    let (project, pitstop) = (engine.project(), Pitstop::on(&engine));
    let (net, image) = (network(&engine, &project, true), images::app(&engine, "v1"));
    let (old, volume) = (format!("{}-old", project.name), format!("{}-vol", project.name));
    engine.docker(&["run", "-d", "--network", &net, "--name", &format!("{}-low", project.name), &image]);
    #[rustfmt::skip]
    let options = [
        "--restart", "on-failure:3", "-p", "127.0.0.1::8080", "-v", &format!("{volume}:/data"), "-v", "/cache", "-v", "/etc:/host:ro",
        "--mount", "type=tmpfs,destination=/scratch,tmpfs-size=65536", "--tmpfs", "/run:size=1m", "-e", "TOKEN=hunter2",
        "--label", "team=shop", "--memory", "64m", "--cpus", "0.5", "--pids-limit", "64", "--cap-drop", "MKNOD",
        "--device", "/dev/null:/dev/nothing", "--ulimit", "nofile=512:1024", "--security-opt", "no-new-privileges",
        "--sysctl", "net.core.somaxconn=512", "--sysctl", "kernel.msgmax=65536", "--shm-size", "1m", "--init", "-t",
        "--group-add", "7", "--oom-score-adj", "100", "--cpu-shares", "300", "--stop-timeout", "7", "--stop-signal", "INT",
        "--log-opt", "max-size=1m", "--add-host", "db:10.0.0.9", "--dns-search", "example.org", "--hostname", "www",
        "--network-alias", "alfa", "--health-cmd", "true", "--health-interval", "1h", "--user", "0:0", "--workdir", "/data",
    ];
    engine.docker(&[&["run", "-d", "--network", &net, "--name", &old], &options[..], &[&image]].concat());
    // A lower address is free: a start that does not ask would take that one.
    engine.docker(&["rm", "-f", &format!("{}-low", project.name)]);
    let (before, stored, ip) = (configuration(&engine, &old), mounts(&engine, &old), address(&engine, &old));
    let (was_else, was_seen) = (rest(&engine, &old), outside(&engine, &old));
    let port = engine.docker(&["port", &old, "8080/tcp"]);

    let id = |name: &str| engine.inspect(name)["Id"].clone();
    let was = id(&old);
    let dry = pitstop.run(&["adopt", &old, "-p", &project.name, "--dry-run"]).expect_code(0);
    assert!(dry.stdout.contains(&format!("{ip} on {net} is kept")), "{}", dry.stdout);
    assert_eq!((id(&old), engine.containers(&project.name)), (was, vec![old.clone()]), "a dry run touches nothing");

    let caller = Caller::of(format!("{ip}:8080"));
    let events =
        pitstop.run(&["adopt", &old, "-p", &project.name, "--probe", "tcp:8080", "--json"]).expect_code(0).json_lines();
    let gap = caller.longest();
    assert_eq!(events[0]["kind"], "adopt");
    let judged = events.iter().find(|event| event["event"] == "identity_judged").expect("a verdict");
    assert_eq!((&judged["verdict"], &judged["before"]["hostname"]), (&json!("kept"), &json!("www")), "{judged}");
    let told =
        events.iter().find(|event| event["event"] == "gap_measured").expect("a gap")["gap_ms"].as_f64().unwrap_or(0.0);
    // The engine's own part of it is about 0.6 s, 1.2 s for the last container of a bridge.
    assert!(told > 0.0 && gap < Duration::from_secs(8), "{gap:?} seen, {told} ms told");

    let sandbox = format!("{}-{old}-1", project.name);
    let app = format!("{sandbox}.r1");
    assert_eq!(engine.containers(&project.name), [sandbox.clone(), app.clone()], "the old one is gone");
    assert_eq!(address(&engine, &sandbox), ip);
    assert_eq!(engine.docker(&["port", &sandbox, "8080/tcp"]), port, "also where the engine had chosen it");
    assert_eq!(configuration(&engine, &app), before);
    assert_eq!(mounts(&engine, &app), stored);
    assert_eq!(rest(&engine, &app), was_else);
    assert_eq!(outside(&engine, &sandbox), was_seen);
    let seen = engine.inspect(&sandbox);
    assert_eq!(seen["Config"]["Hostname"], "www");
    assert_eq!(seen["HostConfig"]["ExtraHosts"], json!(["db:10.0.0.9"]));
    assert_eq!(seen["HostConfig"]["DnsSearch"], json!(["example.org"]));
    assert_eq!(seen["HostConfig"]["Sysctls"]["net.core.somaxconn"], "512");
    let aliases = seen["NetworkSettings"]["Networks"][&net]["Aliases"].to_string();
    assert!(aliases.contains("alfa") && aliases.contains(&old), "{aliases}");

    let target = format!("{}/{old}", project.name);
    let next = images::app(&engine, "v2");
    let out = pitstop.run(&["deploy", &target, "--image", &next, "--probe", "tcp:8080"]).expect_code(0);
    assert!(out.stdout.contains("✓ kept"), "{}", out.stdout);
    assert_eq!(get(&format!("{ip}:8080"), "/").expect("an answer").body, "v2");
    assert_eq!(mounts(&engine, &format!("{sandbox}.r2")), stored, "its anonymous volume goes along, too");
}

#[test]
fn where_no_address_can_be_asked_for_it_is_made_the_next_one() {
    let engine = Engine::machine();
    let (project, pitstop) = (engine.project(), Pitstop::on(&engine));
    let (net, image) = (network(&engine, &project, false), images::app(&engine, "v1"));
    let name = |word: &str| format!("{}-{word}", project.name);
    for word in ["one", "two", "web"] {
        engine.docker(&["run", "-d", "--network", &net, "--name", &name(word), &image]);
    }
    engine.docker(&["rm", "-f", &name("one"), &name("two")]);
    let ip = address(&engine, &name("web"));
    assert!(ip.ends_with(".4"), "{ip}");
    let out = pitstop.run(&["adopt", &name("web"), "-p", &project.name]).expect_code(0);
    assert!(out.stdout.contains("2 below it taken meanwhile") && out.stdout.contains("unprotected"), "{}", out.stdout);
    let sandbox = format!("{}-{}-1", project.name, name("web"));
    assert_eq!(address(&engine, &sandbox), ip);
    wait_until("nothing that was only reserved is left", Duration::from_secs(5), || {
        engine.docker(&["network", "inspect", &net]).matches("EndpointID").count() == 1
    });
}

#[test]
fn on_the_default_bridge_it_takes_consent() {
    let engine = Engine::machine();
    let (project, pitstop) = (engine.project(), Pitstop::on(&engine));
    let old = format!("{}-old", project.name);
    engine.docker(&["run", "-d", "--name", &old, &images::app(&engine, "v1")]);
    let id = engine.inspect(&old)["Id"].clone();
    let out = pitstop.run(&["adopt", &old, "-p", &project.name]).expect_code(4);
    assert!(out.stderr.contains("default bridge") && out.stderr.contains("--accept-changes"), "{}", out.stderr);
    assert_eq!((engine.inspect(&old)["Id"].clone(), engine.containers(&project.name)), (id, vec![old.clone()]));
    let code = pitstop.run(&["adopt", &old, "-p", &project.name, "--accept-changes", "--keep-old"]).code;
    assert!(matches!(code, Some(0 | 6)), "{code:?}: kept by luck, or moved");
    let seen = engine.inspect(&old);
    assert_eq!(
        (&seen["State"]["Running"], &seen["HostConfig"]["RestartPolicy"]["Name"]),
        (&json!(false), &json!("no"))
    );
}

#[test]
fn what_does_not_work_out_is_put_back() {
    let engine = Engine::machine();
    let (project, pitstop) = (engine.project(), Pitstop::on(&engine));
    let (net, image) = (network(&engine, &project, false), images::app(&engine, "v1"));
    let (low, old) = (format!("{}-low", project.name), format!("{}-old-1", project.name));
    engine.docker(&["run", "-d", "--network", &net, "--name", &low, &image]);
    engine.docker(&[
        "run",
        "-d",
        "--network",
        &net,
        "--restart",
        "always",
        "--name",
        &old,
        "-p",
        "127.0.0.1::8080",
        &image,
    ]);
    engine.docker(&["rm", "-f", &low]);
    let look = || {
        let seen = engine.inspect(&old);
        let part = |key: &str| seen["HostConfig"][key].clone();
        (
            seen["Id"].clone(),
            address(&engine, &old),
            seen["State"]["Running"].clone(),
            part("RestartPolicy"),
            part("PortBindings"),
        )
    };
    let before = look();
    let args = ["adopt", &old, "-p", &project.name, "--probe", "tcp:9999", "--ready-timeout", "700ms"];
    pitstop.run(&args).expect_code(1);
    assert_eq!(look(), before, "it serves as it did, at its address although a lower one is free");
    assert_eq!(engine.containers(&project.name), [old]);
}

#[test]
fn a_killed_console_is_gone_on_with_or_taken_back() {
    let engine = Engine::machine();
    let (project, pitstop) = (engine.project(), Pitstop::on(&engine));
    let (net, image) = (network(&engine, &project, true), images::slow_boot(&engine, "v1", 1500));
    let name = |word: &str| format!("{}-{word}", project.name);
    for (word, way) in [("first", "abort"), ("second", "resume")] {
        let old = name(word);
        engine.docker(&["run", "-d", "--network", &net, "--restart", "unless-stopped", "--name", &old, &image]);
        wait_until("it serves", Duration::from_secs(10), || {
            get(&format!("{}:8080", address(&engine, &old)), "/").is_ok()
        });
        let (id, ip) = (engine.inspect(&old)["Id"].clone(), address(&engine, &old));
        let running = pitstop.start(&["adopt", &old, "-p", &project.name, "--probe", "tcp:8080", "--json"]);
        let app = format!("{}-{old}-1.r1", project.name);
        wait_until("its place is being taken", Duration::from_secs(20), || {
            engine.try_inspect(&app).is_some_and(|seen| seen["State"]["Running"] == true)
        });
        running.signal(Signal::KILL);
        drop(running.wait());
        let out = pitstop.run(&[way, "--wait-lock", "20s", "--probe", "tcp:8080"]).expect_code(0);
        let serves = if way == "resume" { format!("{}-{old}-1", project.name) } else { old.clone() };
        assert_eq!(address(&engine, &serves), ip, "{way}: {}", out.stdout);
        let still = engine.try_inspect(&old);
        if way == "resume" {
            assert!(still.is_none(), "it is done");
        } else {
            let still = still.expect("the old one");
            assert_eq!((&still["Id"], &still["State"]["Running"]), (&id, &json!(true)));
            assert_eq!(still["HostConfig"]["RestartPolicy"]["Name"], "unless-stopped");
            assert!(engine.try_inspect(&app).is_none(), "nothing half-made is left");
        }
    }
}

#[test]
fn a_compose_project_is_adopted_as_a_whole() {
    Compose::all().into_iter().for_each(as_a_whole);
}

fn as_a_whole(compose: Version) {
    let engine = Engine::machine();
    let (project, pitstop) = (engine.project(), Pitstop::on(&engine));
    let compose = compose.of(&project, pitstop.home());
    let (image, name) = (images::app(&engine, "v1"), &project.name);
    pitstop.file(
        "compose.yaml",
        &format!(
            "version: '3.7'\nservices:\n  web:\n    image: {image}\n    depends_on: [db]\n    logging: &log {{driver: json-file, options: {{max-size: 1m, max-file: '2'}}}}\n    environment: {{TOKEN: hunter2}}\n    ports: ['8080']\n    networks: {{front: {{aliases: [shop]}}, back: {{}}}}\n    restart: unless-stopped\n  db:\n    image: {image}\n    volumes: ['data:/data']\n    logging: *log\n    networks: [back]\nnetworks:\n  front:\n    ipam: {{config: [{{subnet: {}}}]}}\n  back: {{}}\nvolumes: {{data: {{}}}}\n",
            subnet(&project)
        ),
    );
    compose.run(&["up", "-d"]);
    let before = engine.containers(name);
    assert_eq!(before.len(), 2, "{before:?}");
    let addresses = |containers: &[String]| -> Vec<Vec<(String, String)>> {
        let of = |container: &String| {
            let networks = engine.inspect(container)["NetworkSettings"]["Networks"].clone();
            let pairs = networks.as_object().cloned().unwrap_or_default().into_iter();
            pairs.map(|(network, end)| (network, end["IPAddress"].as_str().unwrap_or_default().to_owned())).collect()
        };
        containers.iter().map(of).collect()
    };
    let had = addresses(&before);

    let out = pitstop.run(&["create", "-f", "compose.yaml", "-p", name]).expect_code(4);
    assert!(out.stderr.contains(&format!("pitstop adopt {name}/")), "{}", out.stderr);
    assert_eq!(engine.containers(name), before, "nothing was touched");

    let out = pitstop.run(&["adopt", name]).expect_code(0);
    assert!(out.stdout.contains("docker compose does not know these containers any more"), "{}", out.stdout);
    let sandboxes: Vec<String> = ["db", "web"].map(|service| format!("{name}-{service}-1")).into();
    assert_eq!(addresses(&sandboxes), had);
    let aliases =
        engine.inspect(&sandboxes[1])["NetworkSettings"]["Networks"][format!("{name}_front")]["Aliases"].to_string();
    for alias in ["web", "shop", before[1].as_str()] {
        assert!(aliases.contains(&format!("{alias:?}")), "{alias} is no name in {aliases}");
    }
    let port = engine.docker(&["port", &sandboxes[1], "8080/tcp"]);
    assert_eq!(get(port.lines().next().expect("a port"), "/").expect("an answer").body, "v1");
    assert_eq!(compose.run(&["ps", "-q"]).trim(), "", "compose sees none of them");

    let out = pitstop.run(&["create", "-f", "compose.yaml", "-p", name]).expect_code(0);
    assert!(out.stdout.contains("nothing to do"), "the file says what was adopted: {}", out.stdout);
    let out = pitstop.run(&["deploy", &format!("{name}/web"), "--image", &images::app(&engine, "v2")]).expect_code(0);
    assert!(!out.stdout.contains("changed"), "{}", out.stdout);
    assert_eq!(addresses(&sandboxes), had);

    // Version 1 makes them a second time, under other names; those of version 2 are the sandboxes'.
    let ours = engine.containers(name);
    let up = compose.try_run(&["up", "-d"]);
    match up {
        Ok(_) => assert!(compose.is_v1(), "{}", compose.version),
        Err(said) => assert!(!compose.is_v1() && said.contains("already in use"), "{said}"),
    }
    let now = engine.containers(name);
    assert!(ours.iter().all(|one| now.contains(one)), "{ours:?}, then {now:?}");
    assert_eq!(now.len(), if compose.is_v1() { ours.len() + 2 } else { ours.len() }, "{now:?}");
    assert_eq!(addresses(&sandboxes), had);
}

#[test]
fn three_services_and_five_plain_containers_answer_where_they_did() {
    Compose::all().into_iter().for_each(three_and_five);
}

#[expect(clippy::print_stdout, reason = "figures, for whoever asks for them")]
fn three_and_five(compose: Version) {
    let engine = Engine::machine();
    let (project, pitstop) = (engine.project(), Pitstop::on(&engine));
    let compose = compose.of(&project, pitstop.home());
    let (image, name) = (images::app(&engine, "v1"), &project.name);
    let (front, back) = (subnet(&project), subnet(&project).replacen("10.", "11.", 1));
    pitstop.file(
        "compose.yaml",
        &format!(
            "version: '3.7'\nservices:\n  web: {{image: {image}, networks: [front, back], depends_on: [api]}}\n  api: {{image: {image}, networks: [back], depends_on: [db]}}\n  db: {{image: {image}, networks: [back], volumes: ['data:/data']}}\nnetworks:\n  front: {{ipam: {{config: [{{subnet: {front}}}]}}}}\n  back: {{ipam: {{config: [{{subnet: {back}}}]}}}}\nvolumes: {{data: {{}}}}\n"
        ),
    );
    compose.run(&["up", "-d"]);
    let (net, plain) = (format!("{name}_front"), |n: usize| format!("{name}-plain{n}"));
    for n in 1..=5 {
        engine.docker(&["run", "-d", "--network", &net, "--restart", "always", "--name", &plain(n), &image]);
    }
    let containers = engine.containers(name);
    assert_eq!(containers.len(), 8, "{containers:?}");
    let had: Vec<String> = containers.iter().map(|container| address(&engine, container)).collect();
    let answers = |version: &str| {
        for ip in &had {
            wait_until("it answers", Duration::from_secs(10), || {
                get(&format!("{ip}:8080"), "/").is_ok_and(|answer| answer.body == version)
            });
        }
    };
    answers("v1");

    let named: Vec<String> = (1..=5).map(plain).collect();
    let targets: Vec<&str> = [name.as_str()].into_iter().chain(named.iter().map(String::as_str)).collect();
    let ids = || containers.iter().map(|container| engine.inspect(container)["Id"].clone()).collect::<Vec<_>>();
    let was = ids();
    let out = pitstop.run(&[&["adopt", "-p", name], &targets[..], &["--dry-run"]].concat()).expect_code(0);
    assert_eq!(out.stdout.matches("is kept: asked for from now on").count(), 9, "{}", out.stdout);
    let out = pitstop.run(&["create", "-f", "compose.yaml", "-p", name]).expect_code(4);
    assert!(out.stderr.contains("pitstop adopt"), "{}", out.stderr);
    // One that does not get ready leaves the original running.
    pitstop.run(&["adopt", name, "--probe", "tcp:9999", "--ready-timeout", "700ms"]).expect_code(1);
    assert_eq!((engine.containers(name), ids()), (containers.clone(), was), "all are as they were");
    answers("v1");

    let callers: Vec<Caller> = had.iter().map(|ip| Caller::of(format!("{ip}:8080"))).collect();
    let args = [&["adopt", "-p", name], &targets[..], &["--probe", "tcp:8080", "--json"]].concat();
    let events = pitstop.run(&args).expect_code(0).json_lines();
    let seen: Vec<Duration> = callers.into_iter().map(Caller::longest).collect();
    let of = |kind: &str| events.iter().filter(|event| event["event"] == kind).cloned().collect::<Vec<Value>>();
    let (verdicts, gaps) = (of("identity_judged"), of("gap_measured"));
    assert!(verdicts.len() == 8 && verdicts.iter().all(|one| one["verdict"] == "kept"), "{verdicts:?}");
    assert!(gaps.len() == 8 && gaps.iter().all(|gap| gap["gap_ms"].as_f64() > Some(0.0)), "{gaps:?}");
    let told: Vec<f64> = gaps.iter().filter_map(|gap| gap["gap_ms"].as_f64()).collect();
    println!("compose {}: gaps seen {seen:?}, told in ms {told:?}", compose.version);
    assert!(seen.iter().all(|gap| *gap < Duration::from_secs(8)), "{seen:?}");
    answers("v1");

    let file = format!("{}/compose.yaml", pitstop.home().display());
    let notes = events[0]["notes"].to_string();
    assert!(notes.contains(&format!("create -f {file} -p {name}")), "{notes}");
    let again = pitstop.run(&[&["adopt", "-p", name], &targets[..]].concat()).expect_code(0);
    assert!(again.stdout.contains("is pitstop's already"), "{}", again.stdout);

    let next = images::app(&engine, "v2");
    let apps = ["web", "api", "db"].map(|service| format!("{name}/{service}"));
    for app in apps.iter().cloned().chain(named.iter().map(|plain| format!("{name}/{plain}"))) {
        let out = pitstop.run(&["deploy", &app, "--image", &next, "--probe", "tcp:8080"]).expect_code(0);
        assert!(out.stdout.contains("✓ kept"), "{}", out.stdout);
    }
    answers("v2");
}

#[test]
fn an_ipv6_address_is_asked_for_where_somebody_configured_its_subnet() {
    let engine = Engine::machine();
    let (project, pitstop) = (engine.project(), Pitstop::on(&engine));
    let net = format!("{}-net", project.name);
    let digits = project.name.bytes().fold(7_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte)));
    let subnet = format!("fd00:{:x}:{:x}::/64", digits >> 16, digits & 0xffff);
    // The IPv4 subnet is the engine's own choice: no address can be asked for there.
    engine.docker(&["network", "create", "--ipv6", "--subnet", &subnet, &net]);
    let (image, name) = (images::app(&engine, "v1"), |word: &str| format!("{}-{word}", project.name));
    for word in ["low", "web"] {
        engine.docker(&["run", "-d", "--network", &net, "--name", &name(word), &image]);
    }
    engine.docker(&["rm", "-f", &name("low")]);
    let before = outside(&engine, &name("web"));
    assert!(before["networks"][&net].to_string().contains("fd00:"), "{before}");
    let out = pitstop.run(&["adopt", &name("web"), "-p", &project.name]).expect_code(0);
    assert!(out.stdout.contains("on") && out.stdout.contains("is kept: asked for from now on"), "{}", out.stdout);
    assert_eq!(outside(&engine, &format!("{}-{}-1", project.name, name("web"))), before);
}
