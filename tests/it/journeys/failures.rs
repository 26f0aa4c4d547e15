//! Everything that can go wrong with a new version: nothing is lost, the old one serves, and the words help.

use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use super::events::{check, of};
use super::{Outside, Site, get};
use crate::support::docker::Engine;
use crate::support::images;
use crate::support::pitstop::{Output, Pitstop};
use crate::support::ports::free_ports;
use crate::support::registry::Registry;
use crate::support::wait::wait_until;

/// What must be exactly as it was after a failure.
struct Untouched {
    containers: Vec<String>,
    outside: Vec<Outside>,
}

impl Untouched {
    #[track_caller]
    fn of(site: &Site, replicas: usize) -> Self {
        let before = Self { containers: site.containers(), outside: site.all_outside(replicas) };
        before.check(site);
        before
    }

    /// The same containers, in the same states, at the same addresses, serving the old version.
    #[track_caller]
    fn check(&self, site: &Site) {
        assert_eq!(site.containers(), self.containers);
        assert_eq!(site.all_outside(self.outside.len()), self.outside);
        for outside in &self.outside {
            assert_eq!(get(&outside.address(), "/"), "v1");
        }
    }
}

/// Checks that the error says all of `said`, and what to do.
#[track_caller]
fn assert_said(out: &Output, said: &[&str]) {
    for word in said {
        assert!(out.stderr.contains(word), "no {word:?} in:\n{}", out.stderr);
    }
    assert!(out.stderr.starts_with("error: "), "{}", out.stderr);
}

#[test]
fn an_image_that_is_not_there_touches_nothing() {
    let engine = Engine::machine();
    let v1 = images::app(&engine, "v1");
    let site = Site::open(&engine, &v1, 2);
    let before = Untouched::of(&site, 2);
    let registry = Registry::start();
    let known = registry.push(&engine, &v1, "shop/web:1");
    let unknown = known.replace("web:1", "web:2");

    let out = site.run("deploy", &["--image", &unknown]).expect_code(1);
    assert_said(&out, &[&unknown, "unknown", "next: "]);
    before.check(&site);
    drop(registry);
    let out = site.run("deploy", &["--image", &unknown]).expect_code(1);
    assert_said(&out, &[&unknown, "refused", "next: "]);
    before.check(&site);
    let other = Site::new(&engine);
    other.file("compose.yaml", &unknown, 2, "");
    let out = other.pitstop.run(&["create"]).expect_code(1);
    assert_said(&out, &[&unknown, "refused", "next: "]);
    assert_eq!(other.containers(), Vec::<String>::new(), "a creation that failed leaves no container");
}

#[test]
fn a_command_that_is_not_there_or_ends_at_once_is_taken_back() {
    let engine = Engine::machine();
    let v1 = images::app(&engine, "v1");
    let site = Site::open(&engine, &v1, 2);
    let before = Untouched::of(&site, 2);

    site.file("wrong.yaml", &v1, 2, "    entrypoint: ['/no/such/program']\n");
    let out = site.run("deploy", &["-f", "wrong.yaml", "--json"]).expect_code(1);
    assert_said(&out, &["web-1", "/no/such/program", "no such file", "next: "]);
    before.check(&site);
    let events = out.json_lines();
    check(&events);
    assert_eq!(events.last().unwrap()["outcome"], "failed");
    assert!(!of(&events, "step_started").iter().any(|event| event["batch"] == 2 && event["action"] == "stop"));

    let out = site.run("deploy", &["--image", &images::exits_at_once(&engine)]).expect_code(1);
    assert_said(&out, &["web-1", "exit", "3", "next: "]);
    before.check(&site);

    // What was never there has no old version; nothing half-made stays.
    let other = Site::new(&engine);
    other.file("compose.yaml", &v1, 1, "    entrypoint: ['/no/such/program']\n");
    let out = other.pitstop.run(&["create"]).expect_code(1);
    assert_said(&out, &["web-1", "/no/such/program", "next: "]);
    other.file("compose.yaml", &v1, 1, "");
    other.pitstop.run(&["create"]).expect_code(0);
    assert_eq!(get(&other.outside(1).address(), "/"), "v1");
    assert_eq!(other.containers().len(), 2);
}

#[test]
fn readiness_that_never_comes_is_waited_for_as_long_as_told() {
    let engine = Engine::machine();
    let site = Site::open(&engine, &images::app(&engine, "v1"), 2);
    let before = Untouched::of(&site, 2);
    let mute = images::never_listens(&engine);
    let out = site.run("deploy", &["--image", &mute, "--ready-timeout", "2s", "--json"]).expect_code(1);
    assert_said(&out, &["web-1", "tcp:8080", "2.00 s", "next: "]);
    before.check(&site);
    let events = out.json_lines();
    let failed = of(&events, "step_finished").into_iter().find(|event| event["result"] == "failed").unwrap();
    let took = failed["took_ms"].as_u64().unwrap();
    assert!(failed["action"] == "ready" && (2000..8000).contains(&took), "{failed}");
}

#[test]
fn a_name_that_is_taken_is_left_to_its_holder() {
    let engine = Engine::machine();
    let (v1, v2) = (images::app(&engine, "v1"), images::app(&engine, "v2"));
    let site = Site::open(&engine, &v1, 2);
    let taken = format!("{}.r2", site.sandbox(2));
    let holder = engine.docker(&["create", "--name", &taken, &v2]);
    let before = Untouched::of(&site, 2);
    let out = site.run("deploy", &["--image", &v2]).expect_code(4);
    assert_said(&out, &[&taken, &holder[..12], "rename"]);
    before.check(&site);

    let other = Site::new(&engine);
    other.file("compose.yaml", &v1, 2, "");
    let holder = engine.docker(&["create", "--name", &other.sandbox(2), &v2]);
    let out = other.pitstop.run(&["create"]).expect_code(4);
    assert_said(&out, &[&other.sandbox(2), &holder[..12]]);
    assert_eq!(other.containers().len(), 1);
}

#[test]
fn the_third_of_three_fails_and_all_three_are_taken_back() {
    let engine = Engine::machine();
    let site = Site::open(&engine, &images::app(&engine, "v1"), 3);
    let before = Untouched::of(&site, 3);
    let v2 = images::slow_boot(&engine, "v2", 1500);
    let running = site.pitstop.start(&["deploy", &site.web(), "--image", &v2, "--on-failure", "rollback", "--json"]);
    let third = format!("{}.r2", site.sandbox(3));
    let up = || engine.try_inspect(&third).is_some_and(|seen| seen["State"]["Running"] == true);
    wait_until("the third one's new container", Duration::from_secs(60), up);
    engine.docker(&["kill", &third]);
    let out = running.wait().expect_code(5);
    assert_said(&out, &["web-3", "next: "]);
    before.check(&site);
    let events = out.json_lines();
    check(&events);
    assert_eq!(events.last().unwrap()["outcome"], "rolled_back");
    let back: Vec<_> = of(&events, "step_finished")
        .into_iter()
        .filter(|event| event["lane"] == "undo" && event["action"] == "start" && event["result"] == "ok")
        .collect();
    assert_eq!(back.len(), 3, "{back:?}");
}

#[test]
fn a_deployment_whose_console_was_killed_is_finished_by_asking_again() {
    let engine = Engine::machine();
    let site = Site::open(&engine, &images::app(&engine, "v1"), 2);
    let before = Untouched::of(&site, 2);
    let v2 = images::slow_boot(&engine, "v2", 1500);
    let running = site.pitstop.start(&["deploy", &site.web(), "--image", &v2, "--json"]);
    running.wait_for_stdout(r#""action":"start","lane":"main","result":"ok""#);
    running.signal(Signal::KILL);
    assert_eq!(running.wait().code, None);
    assert_eq!(get(&before.outside[1].address(), "/"), "v1", "the other one was not begun");

    // The first one's new container is still booting: the second must not stop before it is ready.
    let out = site.run("deploy", &["--image", &v2, "--json"]).expect_code(0);
    let events = out.json_lines();
    check(&events);
    let place = |instance: &str, action: &str| {
        let over =
            |event: &Value| event["instance"] == instance && event["action"] == action && event["result"] == "ok";
        events.iter().position(over).unwrap_or_else(|| panic!("no {action} of {instance}: {events:?}"))
    };
    let [first, second] = [1, 2].map(|number| format!("{}-{number}", site.web()));
    assert!(place(&first, "verify") < place(&second, "stop"));
    assert_eq!(site.all_outside(2), before.outside);
    before.outside.iter().for_each(|outside| assert_eq!(get(&outside.address(), "/"), "v2"));
    assert_eq!(site.containers().len(), 4, "{:?}", site.containers());
}

#[test]
fn a_host_port_that_is_taken_fails_one_instance_and_leaves_nothing_of_it() {
    let engine = Engine::machine();
    let site = Site::new(&engine);
    let first = free_ports(2);
    let holder = TcpListener::bind(("127.0.0.1", first + 1)).unwrap();
    let ports = format!("    ports: ['127.0.0.1:{first}-{}:8080']\n", first + 1);
    site.file("compose.yaml", &images::app(&engine, "v1"), 2, &ports);
    let out = site.pitstop.run(&["create"]).expect_code(1);
    let taken = (first + 1).to_string();
    assert_said(&out, &["web-2", &taken, "next: "]);
    assert!(!site.containers().iter().any(|line| line.contains("web-2")), "{:?}", site.containers());
    drop(holder);
    site.pitstop.run(&["create"]).expect_code(0);
    assert_eq!(get(&format!("127.0.0.1:{taken}"), "/"), "v1");
    assert_eq!(site.all_outside(2).len(), 2);
}

#[test]
fn a_network_that_a_stranger_uses_does_not_hold_up_a_removal() {
    let engine = Engine::machine();
    let image = images::app(&engine, "v1");
    let site = Site::open(&engine, &image, 1);
    let (network, guest) = (format!("{}_front", site.project.name), format!("{}-guest", site.project.name));
    engine.docker(&["run", "-d", "--network", &network, "--name", &guest, &image]);
    let out = site.run("rm", &[]).expect_code(0);
    assert!(format!("{}{}", out.stdout, out.stderr).contains(&network), "{out:?}");
    assert_eq!(engine.containers(&site.project.name), [guest]);
    assert!(engine.try_inspect(&network).is_some());
}

#[test]
fn a_file_with_a_fault_is_refused_with_its_place_before_the_engine_is_asked() {
    let pitstop = Pitstop::without_engine().env("DOCKER_HOST", "unix:///nonexistent/docker.sock");
    let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compose/invalid");
    let mut kinds = 0;
    for file in std::fs::read_dir(files).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        pitstop.file(name, &std::fs::read_to_string(&path).unwrap());
        let out = pitstop.run(&["create", "-f", name]);
        assert_eq!(out.code, Some(2), "{name}: {out:?}");
        let faults = out.stderr.lines().filter(|line| line.starts_with("error: ") && !line.ends_with(" more"));
        assert!(faults.clone().count() > 0, "{name}: {}", out.stderr);
        for line in faults {
            let place = line.strip_prefix(&format!("error: {name}:")).unwrap_or_else(|| panic!("{name}: {line}"));
            let mut parts = place.splitn(3, ':');
            let number = |part: Option<&str>| part.and_then(|part| part.parse::<u32>().ok());
            assert!(number(parts.next()).is_some() && number(parts.next()).is_some(), "line and column: {line}");
        }
        assert!(out.stdout.is_empty(), "{name}");
        kinds += 1;
    }
    assert!(kinds >= 15);
}
