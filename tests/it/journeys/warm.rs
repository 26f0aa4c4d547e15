//! Warm swaps on a real engine: the new version boots beside the old one and takes over at the same address; what is no good never
//! costs an answer; and what was swapped is a container as any other afterwards.

use super::events::{check, of};
use super::{Outside, Site, get};
use crate::support::daemon::{Options, PrivateDockerd};
use crate::support::docker::Engine;
use crate::support::haproxy::Haproxy;
use crate::support::http;
use crate::support::images;
use crate::support::pitstop::Output;
use crate::support::wait::wait_until;
use pitstop::docker::sandbox_image::AppImage;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);
/// Long beside everything that a swap takes, and what a plain deployment would show as a gap at the least.
const BOOT_MS: u32 = 700;

/// An app without storage, so that its bind can be held; `more`: keys of the service.
fn stateless(engine: &Engine, image: &str, replicas: usize, more: &str) -> Site {
    site(engine, image, replicas, ("probe: 'http:8080/', warm: auto", more))
}

/// The same, with what is told to pitstop.
fn site(engine: &Engine, image: &str, replicas: usize, (pitstop, more): (&str, &str)) -> Site {
    let site = Site::new(engine);
    let name = &site.project.name;
    site.pitstop.file(
        "compose.yaml",
        &format!(
            "name: {name}\nservices:\n  web:\n    image: {image}\n    scale: {replicas}\n    networks: [front]\n    \
             restart: always\n    x-pitstop: {{{pitstop}}}\n{more}networks: {{front: {{}}}}\n"
        ),
    );
    site.pitstop.run(&["create", "-q"]).expect_code(0);
    site
}

/// Asks all the time; whoever looks later knows what was not answered.
struct Asker {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<String>>,
}

impl Asker {
    fn at(address: String) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let told = stop.clone();
        let thread = std::thread::spawn(move || {
            let mut wrong = Vec::new();
            while !told.load(Ordering::Relaxed) {
                wrong.extend(http::get(&address, "/").err().map(|error| error.to_string()));
                std::thread::park_timeout(Duration::from_millis(1));
            }
            wrong
        });
        Self { stop, thread }
    }

    fn end(self) -> Vec<String> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

/// The gaps that a deployment tells, in milliseconds.
fn gaps(events: &[Value]) -> Vec<f64> {
    of(events, "gap_measured").iter().map(|event| event["gap_ms"].as_f64().unwrap()).collect()
}

#[track_caller]
fn deploy(site: &Site, image: &str, more: &[&str]) -> Output {
    site.run("deploy", &[&["--image", image, "--json"], more].concat())
}

/// Deploys, and everything outside stays as it was, with the new version answering.
#[track_caller]
fn swaps(site: &Site, before: &[Outside], image: &str, version: &str) -> Vec<Value> {
    let events = deploy(site, image, &[]).expect_code(0).json_lines();
    check(&events);
    let after = site.all_outside(before.len());
    assert_eq!(after, before);
    for outside in &after {
        assert_eq!(get(&outside.address(), "/"), version);
    }
    let warm = of(&events, "step_finished").into_iter().filter(|event| event["action"] == "warm");
    assert_eq!(warm.filter(|event| event["result"] == "ok").count(), before.len());
    assert_eq!(site.containers().len(), 2 * before.len(), "{:?}", site.containers());
    events
}

#[test]
fn the_new_version_boots_beside_the_old_one_and_takes_over() {
    let engine = Engine::machine();
    let slow = |version: &str| images::slow_boot(&engine, version, BOOT_MS);
    let site = stateless(&engine, &slow("v1"), 2, "");
    let before = site.all_outside(2);
    // From the first container to a held one, from a held one to the next, and back.
    for version in ["v2", "v3"] {
        let events = swaps(&site, &before, &slow(version), version);
        let gaps = gaps(&events);
        assert_eq!(gaps, [0.0, 0.0], "both versions had the port");
    }
    let out = site.run("rollback", &["--warm", "bind", "--json"]).expect_code(0);
    assert_eq!(gaps(&out.json_lines()), [0.0, 0.0], "{}", out.stdout);
    assert_eq!(site.all_outside(2), before);
    assert_eq!(get(&before[0].address(), "/"), "v2");
}

#[test]
fn nobody_notices_a_swap_of_a_server_that_finishes_its_requests() {
    let engine = Engine::machine();
    let calm = |version: &str| images::serve(&engine, "calm", version, &["--boot-ms", "300", "--linger-ms", "300"]);
    let site = stateless(&engine, &calm("v1"), 1, "");
    for version in ["v2", "v3", "v4"] {
        let asker = Asker::at(site.outside(1).address());
        deploy(&site, &calm(version), &["--warm", "bind"]).expect_code(0);
        assert_eq!(asker.end(), [""; 0], "{version}");
    }
}

#[test]
fn the_first_swap_of_a_plain_app_waits_for_its_port() {
    let engine = Engine::machine();
    let slow = |version: &str| images::slow_boot(&engine, version, BOOT_MS);
    let site = site(&engine, &slow("v1"), 1, ("probe: 'http:8080/'", ""));
    let before = site.all_outside(1);
    for (version, way, words) in [
        ("v2", "bind", "the port was waited for: the old version did not come by pitstop's gate"),
        ("v3", "bind", "the new version took connections before that"),
        ("v4", "exclusive", "exit 0"),
    ] {
        let events = deploy(&site, &slow(version), &["--warm", way]).expect_code(0).json_lines();
        let stops = of(&events, "step_finished").into_iter().filter(|event| event["action"] == "stop");
        let said: Vec<_> = stops.filter_map(|event| event["detail"].as_str()).collect();
        assert!(said.len() == 1 && said[0].contains(words), "{way}: {said:?}");
        assert_eq!(said[0].contains("before that"), words.contains("before that"));
        assert!(gaps(&events).iter().all(|gap| *gap < f64::from(BOOT_MS)), "no boot in them: {events:?}");
        assert_eq!(get(&before[0].address(), "/"), version);
    }
    assert_eq!(site.all_outside(1), before);
}

#[test]
fn the_port_is_waited_for_and_not_the_process() {
    let engine = Engine::machine();
    // It leaves its port when it is asked to end, and takes a long time for what it has begun.
    let lingers = |version: &str| images::serve(&engine, "lingers", version, &["--linger-ms", "3000"]);
    let site = stateless(&engine, &lingers("v1"), 1, "    stop_grace_period: 30s\n");
    let before = site.all_outside(1);
    let address = before[0].address();
    let slow = std::thread::spawn({
        let address = address.clone();
        move || http::get_within(&address, "/slow/2000", PATIENCE).map(|answer| answer.body)
    });
    wait_until("the slow request to be under way", PATIENCE, || get(&address, "/") == "v1");
    let way = ["--warm", "exclusive", "--json"];
    let console = site.pitstop.start(&[&["deploy", &site.web(), "--image", &lingers("v2")], &way[..]].concat());
    wait_until("the new version to answer", PATIENCE, || {
        http::get(&address, "/").is_ok_and(|answer| answer.body == "v2")
    });
    let running = engine.docker(&["ps", "-q", "--filter", &format!("name=^{}.r1", site.sandbox(1))]);
    assert!(!running.is_empty(), "the old version has not ended yet");
    let out = console.wait().expect_code(0);
    assert_eq!(slow.join().unwrap().unwrap(), "v1", "what it had begun it has finished");
    assert!(gaps(&out.json_lines())[0] < 3000.0, "{}", out.stdout);
    assert_eq!(site.all_outside(1), before);
}

#[test]
fn what_tells_of_itself_is_asked_before_the_old_version_is_stopped() {
    let engine = Engine::machine();
    let calm = |version: &str| images::serve(&engine, "calm", version, &["--boot-ms", "300", "--linger-ms", "300"]);
    let probe = "probe: 'log:serving v[12] ', warm: bind";
    let site = site(&engine, &calm("v1"), 1, (probe, "    ports: ['8080']\n"));
    let before = site.all_outside(1);
    for (version, code, serves) in [("v3", 1, "v1"), ("v2", 0, "v2")] {
        let asker = Asker::at(before[0].address());
        let out = deploy(&site, &calm(version), &["--ready-timeout", "2s"]).expect_code(code);
        assert_eq!(asker.end(), [""; 0], "{version}");
        assert_eq!(out.stdout.contains("the old version was not stopped"), code == 1, "{}", out.stdout);
        assert_eq!(site.all_outside(1), before);
        assert!((0..20).all(|_| get(&before[0].address(), "/") == serves));
    }
}

#[test]
fn with_storage_the_start_is_held_and_the_reason_told() {
    let engine = Engine::machine();
    let site = Site::open(&engine, &images::app(&engine, "v1"), 2);
    let before = site.all_outside(2);
    let plan = site.run("deploy", &["--image", &images::app(&engine, "v2"), "--warm", "auto", "--dry-run"]);
    assert!(plan.stdout.contains("both versions would write to /data at once"), "{}", plan.stdout);
    let events = deploy(&site, &images::app(&engine, "v2"), &["--warm", "auto"]).expect_code(0).json_lines();
    check(&events);
    let details: Vec<_> = of(&events, "step_finished").iter().filter_map(|e| e["detail"].as_str()).collect();
    assert_eq!(details.iter().filter(|detail| **detail == "held before its start").count(), 4, "{details:?}");
    assert_eq!(site.all_outside(2), before);
    assert_eq!(get(&before[1].address(), "/"), "v2");
}

#[test]
fn a_version_that_is_no_good_costs_no_answer() {
    let engine = Engine::machine();
    let site = stateless(&engine, &images::app(&engine, "v1"), 1, "");
    let (before, containers) = (site.outside(1), site.containers());
    let elsewhere = images::load(
        &engine,
        "elsewhere",
        "v2",
        &AppImage { cmd: &["serve", "9090", "v2"], port: Some(9090), ..AppImage::default() },
    );
    for (image, said) in [
        (images::exits_at_once(&engine), "restarted"),
        (images::never_listens(&engine), "did not come to bind port 8080 within 2.00 s"),
        (elsewhere, "binds port 9090 and not 8080"),
    ] {
        let asker = Asker::at(before.address());
        let out = deploy(&site, &image, &["--ready-timeout", "2s"]).expect_code(1);
        assert_eq!(asker.end(), Vec::<String>::new(), "{image}");
        for words in [said, "the old version was not touched"] {
            assert!(out.stderr.contains(words), "{words}: {}", out.stderr);
        }
        check(&out.json_lines());
        assert_eq!((site.outside(1), site.containers()), (before.clone(), containers.clone()), "{image}");
        assert_eq!(get(&before.address(), "/"), "v1");
    }
    // One that binds and is not well then is put back as ever.
    let dies = images::serve(&engine, "dies", "dies", &["--exit-after-ms", "1500", "--exit-code", "9"]);
    deploy(&site, &dies, &["--min-ready", "3s"]).expect_code(1);
    wait_until("the old version to serve again", PATIENCE, || {
        http::get(&before.address(), "/").is_ok_and(|answer| answer.body == "v1")
    });
    assert_eq!((site.outside(1), site.containers()), (before, containers));
}

#[test]
fn what_was_swapped_comes_up_by_itself_afterwards() {
    let engine = Engine::machine();
    let site =
        stateless(&engine, &images::app(&engine, "v1"), 1, "    read_only: true\n    init: true\n    user: '1234'\n");
    let before = site.outside(1);
    swaps(&site, std::slice::from_ref(&before), &images::app(&engine, "v2"), "v2");
    let app = site.app(1);
    let serves = || http::get(&before.address(), "/").is_ok_and(|answer| answer.body == "v2");
    // As another user, with a read-only root, behind an init: the program is the image's own.
    let seen = engine.inspect(&app);
    assert_eq!((&seen["Config"]["User"], &seen["HostConfig"]["ReadonlyRootfs"]), (&"1234".into(), &true.into()));
    assert!(engine.docker(&["top", &app, "-eo", "pid,uid,args"]).contains("1234"));
    assert!(engine.docker(&["exec", &app, "/pitstop-guest", "version"]).starts_with("pitstop-guest"));

    engine.docker(&["restart", "-t", "1", &app]);
    wait_until("it after docker restart", PATIENCE, serves);
    let started = |name: &str| engine.inspect(name)["State"]["StartedAt"].as_str().unwrap().to_owned();
    let since = started(&app);
    let pid = Pid::from_raw(i32::try_from(engine.pid(&app)).unwrap()).unwrap();
    kill_process(pid, Signal::KILL).unwrap();
    wait_until("it after its own death", PATIENCE, || started(&app) != since && serves());

    // The sandbox's guest is killed: whoever joined it sits in a namespace that is gone, and `repair` brings it back.
    let since = started(&site.sandbox(1));
    let pid = Pid::from_raw(i32::try_from(engine.pid(&site.sandbox(1))).unwrap()).unwrap();
    kill_process(pid, Signal::KILL).unwrap();
    // The engine takes a moment to notice: until then it says that the dead one runs.
    wait_until("the sandbox again", PATIENCE, || {
        started(&site.sandbox(1)) != since && engine.inspect(&site.sandbox(1))["State"]["Running"] == true
    });
    site.run("repair", &[]).expect_code(0);
    wait_until("it after repair", PATIENCE, serves);
    assert_eq!(site.outside(1).networks, before.networks);
}

#[test]
fn what_was_swapped_comes_up_after_the_engine_was_restarted() {
    for live_restore in [true, false] {
        let mut daemon = PrivateDockerd::start(&Options { live_restore, ..Options::default() });
        let engine = daemon.engine();
        let site = stateless(&engine, &images::app(&engine, "v1"), 1, "");
        let before = site.outside(1);
        deploy(&site, &images::app(&engine, "v2"), &[]).expect_code(0);
        daemon.restart();
        site.run("repair", &[]).expect_code(0);
        let address = before.address();
        let serves = || daemon.inside(|| http::get(&address, "/").is_ok_and(|answer| answer.body == "v2"));
        wait_until(&format!("it, live-restore {live_restore}"), PATIENCE, serves);
        assert_eq!(site.outside(1).networks, before.networks);
    }
}

#[test]
fn a_console_that_dies_while_one_is_held_leaves_the_old_one_serving() {
    let engine = Engine::machine();
    let slow = |version: &str| images::slow_boot(&engine, version, BOOT_MS);
    let site = stateless(&engine, &slow("v1"), 2, "");
    let before = site.all_outside(2);
    let asker = Asker::at(before[0].address());
    let console = site.pitstop.start(&["deploy", &site.web(), "--image", &slow("v2"), "--json"]);
    console.wait_for_stdout("\"action\":\"warm\"");
    console.wait_for_stdout("\"event\":\"step_started\"");
    console.signal(Signal::KILL);
    drop(console);
    assert_eq!(asker.end(), Vec::<String>::new());
    assert_eq!(get(&before[0].address(), "/"), "v1");
    let resumed = site.pitstop.run(&["resume", "--wait-lock", "20s"]).expect_code(0);
    assert!(resumed.stdout.contains("kept"), "{}", resumed.stdout);
    assert_eq!(site.all_outside(2), before);
    for outside in &before {
        assert_eq!(get(&outside.address(), "/"), "v2");
    }
    assert_eq!(site.containers().len(), 4, "{:?}", site.containers());
}

#[test]
fn an_abort_takes_the_held_one_away_and_nobody_notices() {
    let engine = Engine::machine();
    let site = stateless(&engine, &images::app(&engine, "v1"), 1, "");
    let (before, containers) = (site.outside(1), site.containers());
    let asker = Asker::at(before.address());
    let boots = images::slow_boot(&engine, "v2", 60_000);
    let console = site.pitstop.start(&["deploy", &site.web(), "--image", &boots, "--json"]);
    wait_until("the new one to boot", PATIENCE, || {
        let started = |line: &str| line.contains("\"event\":\"step_started\"") && line.contains("\"action\":\"warm\"");
        console.stdout().lines().any(started)
    });
    site.run("abort", &["--undo-all"]).expect_code(0);
    console.wait().expect_code(7);
    assert_eq!(asker.end(), Vec::<String>::new());
    assert_eq!((site.outside(1), site.containers()), (before, containers));
}

/// How long nobody answers, seen from outside by one who asks all the time, and as told; each way in turn.
#[test]
#[ignore = "a measurement: PITSTOP_ROUNDS=100 cargo test --test it how_long_a_swap -- --ignored --nocapture"]
#[allow(clippy::print_stderr)]
fn how_long_a_swap_takes() {
    let rounds = std::env::var("PITSTOP_ROUNDS").map_or(10, |rounds| rounds.parse::<usize>().expect("a number"));
    let boots: Vec<u32> = std::env::var("PITSTOP_BOOTS")
        .map_or(vec![0, 1500], |boots| boots.split(',').map(|boot| boot.parse().expect("milliseconds")).collect());
    let linger = std::env::var("PITSTOP_LINGER").unwrap_or_else(|_| "0".into());
    let ways = std::env::var("PITSTOP_WAYS").unwrap_or_else(|_| "bind,exclusive,start,off".into());
    let ways: Vec<&str> = ways.split(',').collect();
    let engine = Engine::machine();
    for boot in boots {
        let versions = ["v1", "v2"].map(|version| {
            let more = ["--boot-ms", &boot.to_string(), "--linger-ms", &linger];
            images::serve(&engine, "measured", version, &more)
        });
        let site = stateless(&engine, &versions[0], 1, "");
        let before = site.outside(1);
        let (mut seen, mut told) = (vec![Vec::new(); ways.len()], vec![Vec::new(); ways.len()]);
        let mut turn = 0;
        for _ in 0..rounds {
            for (way, warm) in ways.iter().enumerate() {
                turn += 1;
                let image = &versions[turn % 2];
                let gap = Gap::at(before.address());
                let out = deploy(&site, image, &["--warm", warm]).expect_code(0);
                seen[way].push(gap.end());
                told[way].extend(gaps(&out.json_lines()));
            }
        }
        for (way, name) in ways.iter().enumerate() {
            eprintln!(
                "boot {boot} ms, --warm {name}: seen from outside {}, told {}",
                spread(&mut seen[way]),
                spread(&mut told[way])
            );
        }
    }
}

/// Median, 99th of a hundred, and the greatest.
fn spread(values: &mut [f64]) -> String {
    values.sort_by(f64::total_cmp);
    let at = |share: usize| values.get((values.len().max(1) - 1) * share / 100).copied().unwrap_or(f64::NAN);
    let within = values.iter().filter(|value| **value <= 5.0).count();
    format!("median {:.1}, p99 {:.1}, max {:.1} ms ({within} of {} within 5 ms)", at(50), at(99), at(100), values.len())
}

/// A client on another machine does not compete with the engine for this one's cores: this thread goes before all others.
fn as_if_elsewhere() {
    let thread = rustix::thread::gettid().as_raw_nonzero().to_string();
    let done = std::process::Command::new("chrt").args(["-f", "-p", "50", &thread]).output();
    assert!(done.is_ok_and(|done| done.status.success()), "chrt");
}

/// The longest time between two answers.
struct Gap {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<f64>,
}

impl Gap {
    fn at(address: String) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let told = stop.clone();
        let thread = std::thread::spawn(move || {
            as_if_elsewhere();
            let (mut last, mut longest) = (Instant::now(), Duration::ZERO);
            let mut failed = false;
            while !told.load(Ordering::Relaxed) {
                // What is answered late without a failure is the machine's, not the swap's.
                match http::get_within(&address, "/", Duration::from_secs(2)) {
                    Ok(_) => {
                        let now = Instant::now();
                        if std::mem::take(&mut failed) {
                            longest = longest.max(now - last);
                        }
                        last = now;
                    }
                    Err(_) => failed = true,
                }
                std::thread::park_timeout(Duration::from_millis(1));
            }
            longest.as_secs_f64() * 1000.0
        });
        Self { stop, thread }
    }

    fn end(self) -> f64 {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

/// New connections at a steady rate from three clients, each with one request.
struct Knocks {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<(usize, usize)>>,
}

impl Knocks {
    /// A hundred a second from each.
    fn on(address: &str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let client = |number: u32| {
            let (stop, address) = (stop.clone(), address.to_owned());
            std::thread::spawn(move || {
                let (mut all, mut failed) = (0, 0);
                let mut due = Instant::now() + Duration::from_micros(3_333) * number;
                while !stop.load(Ordering::Relaxed) {
                    std::thread::park_timeout(due.saturating_duration_since(Instant::now()));
                    due += Duration::from_millis(10);
                    all += 1;
                    failed += usize::from(http::get(&address, "/").is_err());
                }
                (all, failed)
            })
        };
        Self { threads: (0..3).map(client).collect(), stop }
    }

    fn end(self) -> (usize, usize) {
        self.stop.store(true, Ordering::Relaxed);
        let ended = self.threads.into_iter().map(|thread| thread.join().unwrap());
        ended.fold((0, 0), |(all, failed), (more, wrong)| (all + more, failed + wrong))
    }
}

/// What 300 new connections a second see of each swap of a single instance, without a load balancer and behind one that tries
/// again; nothing is drained.
#[test]
#[ignore = "a measurement: PITSTOP_ROUNDS=50 cargo test --test it what_clients_see -- --ignored --nocapture"]
#[allow(clippy::print_stderr)]
fn what_clients_see_of_a_swap() {
    let rounds = std::env::var("PITSTOP_ROUNDS").map_or(5, |rounds| rounds.parse::<usize>().expect("a number"));
    let engine = Engine::machine();
    let versions = ["v1", "v2"].map(|version| images::app(&engine, version));
    let site = stateless(&engine, &versions[0], 1, "");
    let direct = site.outside(1).address();
    let haproxy = Haproxy::start(&[format!("web-1 {direct}")]);
    let mut seen = [(0, Vec::new()), (0, Vec::new())];
    for round in 0..rounds {
        for (way, address) in [&direct, &haproxy.address].into_iter().enumerate() {
            let knocks = Knocks::on(address);
            deploy(&site, &versions[(2 * round + way + 1) % 2], &["--warm", "bind"]).expect_code(0);
            let (all, failed) = knocks.end();
            seen[way].0 += all;
            seen[way].1.push(failed);
        }
    }
    for ((all, failed), name) in seen.iter_mut().zip(["no load balancer", "HAProxy, which tries again"]) {
        failed.sort_unstable();
        eprintln!(
            "{name}: {rounds} swaps, {all} new connections, failed in all {}, median of a swap {}, most {}",
            failed.iter().sum::<usize>(),
            failed[failed.len() / 2],
            failed[failed.len() - 1]
        );
    }
    assert_eq!(seen[1].1.iter().sum::<usize>(), 0, "with a balancer that tries again nobody notices");
}
