//! In place against recreate, on the real engine, interleaved in one run: `cargo bench --bench in_place [-- RUNS]`; `-- RUNS gap`
//! measures only how long one instance does not answer.
//!
//! Machines are noisy, so every round does each way once, in turn, and medians and ratios are told, never one figure.
//! The app answers a millisecond after its start and ends at once on SIGTERM, so what is measured is the way, not the
//! app. Needs the machine's own Docker Engine; docker-compose is measured where it is installed. What a user measures on an
//! engine of their own is `pitstop bench`; here whole commands are, with their start-up and those of others.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, clippy::print_stderr)]

#[path = "../tests/it/support/mod.rs"]
#[allow(unused_imports)] // their own tests use the rest
mod support;

use pitstop::domain::bench::Spread;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::time::{Duration, Instant};
use support::docker::{Engine, Project};
use support::pitstop::Pitstop;
use support::registry::Registry;
use support::{http, images};

/// The figures of each way, in milliseconds.
#[derive(Default)]
struct Figures(BTreeMap<&'static str, Vec<f64>>);

impl Figures {
    fn add(&mut self, way: &'static str, took: Duration) {
        self.add_ms(way, took.as_secs_f64() * 1000.0);
    }

    fn add_ms(&mut self, way: &'static str, ms: f64) {
        self.0.entry(way).or_default().push(ms);
    }

    fn median(&self, way: &str) -> Option<f64> {
        Spread::of(self.0.get(way)?).map(|spread| spread.median)
    }

    fn tell(&self, against: &str) {
        let base = self.median(against).unwrap_or(f64::NAN);
        println!("{:<58} {:>9} {:>9} {:>9} {:>7}", "milliseconds", "median", "least", "most", "ratio");
        for (way, all) in &self.0 {
            let Some(Spread { median, least, most }) = Spread::of(all) else { continue };
            println!("{way:<58} {median:>9.0} {least:>9.0} {most:>9.0} {:>6.2}×", median / base);
        }
    }
}

fn main() {
    let runs = std::env::args().find_map(|word| word.parse().ok()).unwrap_or(11);
    let engine = Engine::machine();
    gaps(&engine, runs);
    if std::env::args().all(|word| word != "gap") {
        rolling(&engine, runs);
        creation(&engine);
    }
}

/// How long a client outside gets no answer from one instance, at one address: replaced in place, and recreated.
fn gaps(engine: &Engine, runs: usize) {
    let versions = [images::app(engine, "bench-1"), images::app(engine, "bench-2")];
    let (ours, theirs) = (engine.project(), engine.project());
    let pitstop = Pitstop::on(engine);
    pitstop.file("compose.yaml", &compose(&versions[0], 1));
    pitstop.run(&["create", "-f", "compose.yaml", "-p", &ours.name]).expect_code(0);
    let in_place = format!("{}:8080", first_address(engine, &format!("{}-web-1", ours.name)));

    // A recreated container has the same address only where somebody asks for it.
    let net = format!("10.231.{}", std::process::id() % 250);
    let label = format!("io.pitstop.project={}", theirs.name);
    engine.docker(&["network", "create", "--subnet", &format!("{net}.0/24"), "--label", &label, &theirs.name]);
    let (by_hand, by_calls) = (format!("{}-hand", theirs.name), format!("{}-calls", theirs.name));
    let run = |image: &str| {
        let ip = format!("{net}.10");
        engine.docker(&[
            "run",
            "-d",
            "--name",
            &by_hand,
            "--label",
            &label,
            "--network",
            &theirs.name,
            "--ip",
            &ip,
            image,
        ]);
    };
    let make = |image: &str| {
        let body = serde_json::json!({
            "Image": image,
            "Labels": {"io.pitstop.project": theirs.name},
            "HostConfig": {"NetworkMode": theirs.name},
            "NetworkingConfig": {"EndpointsConfig": {&*theirs.name: {"IPAMConfig": {"IPv4Address": format!("{net}.11")}}}},
        });
        call("POST", &format!("/containers/create?name={by_calls}"), &body.to_string());
        call("POST", &format!("/containers/{by_calls}/start"), "");
    };
    run(&versions[0]);
    make(&versions[0]);
    let (hand_at, calls_at) = (format!("{net}.10:8080"), format!("{net}.11:8080"));
    let mut figures = Figures::default();
    for turn in 1..=runs {
        let image = &versions[turn % 2];
        let app = format!("{}/web", ours.name);
        let deploy = || pitstop.run(&["deploy", &app, "--image", image, "--json"]).expect_code(0);
        let mut told = None;
        figures.add("in place, pitstop deploy", unanswered(&in_place, || told = Some(deploy())));
        for gap in told.iter().flat_map(|output| output.json_lines()).filter(|event| event["event"] == "gap_measured") {
            figures.add_ms("in place, pitstop deploy, as it tells itself", gap["gap_ms"].as_f64().unwrap());
        }
        let restart = || drop(pitstop.run(&["restart", &app]).expect_code(0));
        figures.add("in place, pitstop restart", unanswered(&in_place, restart));
        let recreate = || {
            engine.docker(&["stop", &by_hand]);
            engine.docker(&["rm", &by_hand]);
            run(image);
        };
        figures.add("recreated, docker CLI: stop, rm, run", unanswered(&hand_at, recreate));
        let recreate = || {
            call("POST", &format!("/containers/{by_calls}/stop?t=10"), "");
            call("DELETE", &format!("/containers/{by_calls}"), "");
            make(image);
        };
        figures.add("recreated, raw engine calls: stop, remove, create, start", unanswered(&calls_at, recreate));
    }
    println!("\nGap of one instance, seen from outside, {runs} interleaved runs");
    figures.tell("recreated, docker CLI: stop, rm, run");
}

/// Does something while a client asks without a break; the longest time between two answers.
fn unanswered(address: &str, act: impl FnOnce()) -> Duration {
    let address: std::net::SocketAddr = address.parse().unwrap();
    let over = std::sync::atomic::AtomicBool::new(false);
    let ask = || {
        let mut stream = std::net::TcpStream::connect_timeout(&address, Duration::from_millis(20))?;
        stream.set_read_timeout(Some(Duration::from_millis(100)))?;
        stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")?;
        stream.read_exact(&mut [0; 12])
    };
    std::thread::scope(|scope| {
        let client = scope.spawn(|| {
            let (mut last, mut longest) = (None::<Instant>, Duration::ZERO);
            loop {
                let done = over.load(std::sync::atomic::Ordering::Relaxed);
                if ask().is_ok() {
                    let now = Instant::now();
                    longest = longest.max(last.map_or(Duration::ZERO, |last| now - last));
                    last = Some(now);
                    if done {
                        return longest;
                    }
                }
                std::thread::yield_now();
            }
        });
        act();
        over.store(true, std::sync::atomic::Ordering::Relaxed);
        client.join().unwrap()
    })
}

/// Two instances, one after the other, to the other version and back.
fn rolling(engine: &Engine, runs: usize) {
    let versions = [images::app(engine, "bench-1"), images::app(engine, "bench-2")];
    let (ours, theirs, composed) = (engine.project(), engine.project(), engine.project());
    // The plain ones are on a network of their own too, as the app is under pitstop and under Compose.
    let label = format!("io.pitstop.project={}", theirs.name);
    engine.docker(&["network", "create", "--label", &label, &theirs.name]);
    let pitstop = Pitstop::on(engine);
    pitstop.file("compose.yaml", &compose(&versions[0], 2));
    pitstop.run(&["create", "-f", "compose.yaml", "-p", &ours.name]).expect_code(0);
    for n in 1..=2 {
        recreate(engine, &theirs, n, &versions[0]);
    }
    let mut compose_file = ComposeFile::new(engine, &composed, &versions[0]);
    let mut raw = Raw::new(engine, &ours);
    raw.swap_both(&versions[0]); // from nothing to running: not a swap yet
    let mut figures = Figures::default();
    for run in 0..runs {
        let image = &versions[(run + 1) % 2];
        let app = format!("{}/web", ours.name);

        let start = Instant::now();
        let output = pitstop.run(&["deploy", &app, "--image", image, "--json"]).expect_code(0);
        figures.add("pitstop deploy, in place (whole command)", start.elapsed());
        let events = output.json_lines();
        let finished = events.iter().find(|event| event["event"] == "finished").expect("finished");
        figures.add_ms("pitstop deploy, the operation", finished["took_ms"].as_f64().unwrap());
        for gap in events.iter().filter(|event| event["event"] == "gap_measured") {
            figures.add_ms("pitstop deploy, gap of an instance", gap["gap_ms"].as_f64().unwrap());
        }

        figures.add("raw engine calls, in place (floor)", raw.swap_both(image));

        let start = Instant::now();
        pitstop.run(&["restart", &app]).expect_code(0);
        figures.add("pitstop restart, in place (whole command)", start.elapsed());

        let start = Instant::now();
        for n in 1..=2 {
            recreate(engine, &theirs, n, image);
        }
        figures.add("docker CLI: stop, rm, run, wait; one after the other", start.elapsed());

        if let Some(file) = &mut compose_file {
            let start = Instant::now();
            file.roll(image);
            figures.add("docker-compose, one service after the other", start.elapsed());
            let start = Instant::now();
            file.recreate_all();
            figures.add("docker-compose up --force-recreate, both at once (both down)", start.elapsed());
        }
    }
    println!("\nTwo instances, batch 1, {runs} interleaved runs");
    figures.tell("pitstop deploy, in place (whole command)");
    let operation = figures.median("pitstop deploy, the operation").unwrap_or(f64::NAN);
    let floor = figures.median("raw engine calls, in place (floor)").unwrap_or(f64::NAN);
    println!("operation against its floor of raw engine calls: {:.2}×", operation / floor);
}

/// Eight instances of a 95 MB image that has to be pulled.
fn creation(engine: &Engine) {
    let registry = Registry::start();
    let project = engine.project();
    let local = images::big(engine, "bench-big", 95);
    let image = registry.push(engine, &local, "bench/big:1");
    engine.docker(&["rmi", "-f", &local]);
    let pitstop = Pitstop::on(engine);
    pitstop.file("compose.yaml", &compose(&image, 8));
    let output = pitstop.run(&["create", "-f", "compose.yaml", "-p", &project.name, "--json"]).expect_code(0);
    let finished = output.json_lines().into_iter().find(|event| event["event"] == "finished").expect("finished");
    let (took, serial) = (finished["took_ms"].as_f64().unwrap(), finished["serial_ms"].as_f64().unwrap());
    println!("\nCreation of 8 instances with a pull of 95 MB from a local registry");
    println!("wall {took:.0} ms, sum of its steps {serial:.0} ms: {:.2}", took / serial);
    engine.docker(&["rmi", "-f", &image]);
}

fn compose(image: &str, replicas: u32) -> String {
    format!(
        "services:\n  web:\n    image: {image}\n    restart: unless-stopped\n    deploy: {{replicas: {replicas}}}\n    \
         x-pitstop: {{probe: 'http:8080/'}}\n"
    )
}

/// What a person does without pitstop: stop, remove, run the new image, wait until it answers.
fn recreate(engine: &Engine, project: &Project, n: u32, image: &str) {
    let name = format!("{}-plain-{n}", project.name);
    if engine.try_inspect(&name).is_some() {
        engine.docker(&["stop", &name]);
        engine.docker(&["rm", &name]);
    }
    let label = format!("io.pitstop.project={}", project.name);
    engine.docker(&["run", "-d", "--name", &name, "--label", &label, "--network", &project.name, image]);
    until_answers(engine, &name);
}

fn until_answers(engine: &Engine, name: &str) {
    until_ok(&format!("{}:8080", first_address(engine, name)));
}

fn first_address(engine: &Engine, name: &str) -> String {
    let inspected = engine.inspect(name);
    let networks = inspected["NetworkSettings"]["Networks"].as_object().expect("networks");
    networks.values().next().expect("a network")["IPAddress"].as_str().expect("an address").to_owned()
}

fn until_ok(address: &str) {
    let start = Instant::now();
    while http::get(address, "/").is_err() {
        assert!(start.elapsed() < Duration::from_secs(20), "{address} never answered");
        std::thread::yield_now();
    }
}

/// Two services, which is how docker-compose can be made to roll.
struct ComposeFile<'a> {
    engine: &'a Engine,
    project: &'a Project,
    folder: tempfile::TempDir,
}

impl<'a> ComposeFile<'a> {
    fn new(engine: &'a Engine, project: &'a Project, image: &str) -> Option<Self> {
        Command::new("docker-compose").arg("version").output().ok()?;
        let file = Self { engine, project, folder: tempfile::tempdir().ok()? };
        file.write(image);
        file.compose(&["up", "-d"]);
        Some(file)
    }

    fn write(&self, image: &str) {
        let service = |n: u32| {
            format!("  web{n}:\n    image: {image}\n    labels: {{io.pitstop.project: {}}}\n", self.project.name)
        };
        let label = format!("networks:\n  default:\n    labels: {{io.pitstop.project: {}}}\n", self.project.name);
        let text = format!("version: '3.7'\nservices:\n{}{}{label}", service(1), service(2));
        std::fs::write(self.folder.path().join("docker-compose.yml"), text).unwrap();
    }

    fn compose(&self, args: &[&str]) {
        let output = Command::new("docker-compose")
            .args(["-p", &self.project.name])
            .args(args)
            .current_dir(self.folder.path())
            .env("DOCKER_HOST", self.engine.host())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    fn wait(&self) {
        for n in 1..=2 {
            until_answers(self.engine, &format!("{}_web{n}_1", self.project.name));
        }
    }

    fn roll(&mut self, image: &str) {
        self.write(image);
        for service in ["web1", "web2"] {
            self.compose(&["up", "-d", "--no-deps", service]);
        }
        self.wait();
    }

    fn recreate_all(&mut self) {
        self.compose(&["up", "-d", "--force-recreate"]);
        self.wait();
    }
}

/// The least that an in-place swap can cost: the engine's own calls over its socket and nothing else.
struct Raw {
    sandboxes: Vec<(String, String)>,
    running: Vec<String>,
    count: u32,
    label: String,
}

impl Raw {
    /// Sandboxes of its own beside pitstop's, from the same image.
    fn new(engine: &Engine, project: &Project) -> Self {
        let label = format!("io.pitstop.project={}", project.name);
        let image = engine.inspect(&format!("{}-web-1", project.name))["Image"].as_str().unwrap().to_owned();
        let network = format!("{}_default", project.name);
        let sandboxes = (1..=2).map(|n| {
            let name = format!("{}-raw-{n}", project.name);
            engine.docker(&["run", "-d", "--name", &name, "--label", &label, "--network", &network, &image]);
            let address = format!("{}:8080", first_address(engine, &name));
            (name, address)
        });
        Self { sandboxes: sandboxes.collect(), running: Vec::new(), count: 0, label: project.name.clone() }
    }

    /// Creates both, then stop, start and wait for each; the removal of the old ones is not counted.
    fn swap_both(&mut self, image: &str) -> Duration {
        let start = Instant::now();
        let new: Vec<String> = std::thread::scope(|scope| {
            let made: Vec<_> = self.sandboxes.iter().map(|(name, _)| {
                self.count += 1;
                let body = format!(
                    r#"{{"Image":"{image}","Labels":{{"io.pitstop.project":"{}"}},"HostConfig":{{"NetworkMode":"container:{name}"}}}}"#,
                    self.label
                );
                let path = format!("/containers/create?name={name}.raw{}", self.count);
                scope.spawn(move || {
                    let answer: serde_json::Value = serde_json::from_str(&call("POST", &path, &body)).unwrap();
                    answer["Id"].as_str().unwrap().to_owned()
                })
            }).collect();
            made.into_iter().map(|made| made.join().unwrap()).collect()
        });
        for (index, id) in new.iter().enumerate() {
            if let Some(old) = self.running.get(index) {
                call("POST", &format!("/containers/{old}/stop?t=10"), "");
            }
            call("POST", &format!("/containers/{id}/start"), "");
            until_ok(&self.sandboxes[index].1);
        }
        let took = start.elapsed();
        for old in std::mem::replace(&mut self.running, new) {
            call("DELETE", &format!("/containers/{old}"), "");
        }
        took
    }
}

/// One request to the engine; its body.
fn call(method: &str, path: &str, body: &str) -> String {
    let mut stream = UnixStream::connect("/var/run/docker.sock").unwrap();
    let request = format!(
        "{method} /v1.41{path} HTTP/1.0\r\nHost: d\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.split(' ').nth(1).unwrap_or_default().starts_with('2'), "{method} {path}: {answer}");
    body.to_owned()
}
