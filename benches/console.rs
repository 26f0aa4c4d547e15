//! The console at sizes and in weather that no engine of one's own has: `cargo bench --bench console [-- small fleet frozen flood]`.
//!
//! The real program on a real pseudo-terminal, the engine simulated in this process. `PITSTOP_BIN` names another build of the
//! program, `PITSTOP_ROUNDS` how often. `docs/performance.md` has the figures.
//!
//! ```text
//! small    100 containers: first list, memory
//! fleet    5,000 containers: first list, keys, memory; then the same while 50 operations' worth of events come every second
//! frozen   a restart begun from the console, with its terminal read and with a terminal that nobody reads, in turn
//! flood    a log of 100 MB/s for a minute (`PITSTOP_FLOOD_S`): keys, memory
//! ```

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, clippy::print_stderr)]
#![allow(clippy::disallowed_methods, clippy::cast_precision_loss)] // it keeps a pace, and counts bytes

#[path = "../tests/it/support/mod.rs"]
#[allow(unused_imports)] // their own tests use the rest
mod support;

use pitstop::domain::bench::Spread;
use pitstop::sim::{AppAtFirst, Behaviour, ContainerAtFirst, ImageAtFirst, NetworkAtFirst, Scenario};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use support::pitstop::Pitstop;
use support::pty::{HangUp, Pty};
use support::sim::Served;
use support::wait::{try_wait_for, wait_until};

const PATIENCE: Duration = Duration::from_secs(120);
/// Nothing is written for so long: all is on screen.
const QUIET: Duration = Duration::from_millis(300);

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let is_wanted = |part: &str| wanted.is_empty() || wanted.iter().any(|word| word == part);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("load before: {}", load.trim());
    if is_wanted("small") {
        small();
    }
    if is_wanted("fleet") {
        fleet();
    }
    if is_wanted("frozen") {
        frozen();
    }
    if is_wanted("flood") {
        flood();
    }
}

/// A console on a terminal of its own.
struct Console {
    pty: Pty,
    began: Instant,
    _home: Pitstop,
}

impl Console {
    fn open(host: &str, (columns, rows): (u16, u16)) -> Self {
        let home = Pitstop::without_engine().env("DOCKER_HOST", host);
        let program = std::env::var("PITSTOP_BIN").unwrap_or_else(|_| env!("CARGO_BIN_EXE_pitstop").to_owned());
        let mut pty = Pty::open();
        pty.resize(columns, rows);
        let began = Instant::now();
        home.pty(&mut pty, &[&program], HangUp::Default);
        Self { pty, began, _home: home }
    }

    /// Waits until this is written; when it was.
    fn until(&mut self, text: &str) -> Instant {
        let (from, deadline) = (self.pty.seen.len(), Instant::now() + PATIENCE);
        loop {
            self.pty.next(Duration::from_millis(100));
            let start = from.saturating_sub(text.len());
            if self.pty.seen[start..].windows(text.len()).any(|window| window == text.as_bytes()) {
                return Instant::now();
            }
            assert!(Instant::now() < deadline, "no {text:?} in {:?}", String::from_utf8_lossy(&self.pty.seen[start..]));
        }
    }

    /// Reads until nothing has been written for a while.
    fn settle(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        while self.pty.next(QUIET) > 0 && Instant::now() < deadline {}
    }

    /// Presses a key again and again; how long until the next byte.
    fn keys(&mut self, keys: &[&[u8]], times: usize) -> Vec<f64> {
        let press = |(at, key): (usize, &&[u8])| {
            while self.pty.next(Duration::from_millis(5)) > 0 {}
            // Not in step with anything.
            std::thread::sleep(Duration::from_millis(3 + (at as u64 * 7) % 23));
            let pressed = Instant::now();
            self.pty.send(key);
            (self.pty.next(Duration::from_secs(1)) > 0).then(|| pressed.elapsed().as_secs_f64() * 1000.0)
        };
        keys.iter().cycle().take(times).enumerate().filter_map(press).collect()
    }

    /// How long it takes from `?` to the keys on screen, whatever else is drawn.
    fn answers(&mut self, times: usize) -> Vec<f64> {
        let mut took = Vec::new();
        for at in 0..times {
            std::thread::sleep(Duration::from_millis(20 + (at as u64 * 13) % 57));
            while self.pty.next(Duration::ZERO) > 0 {}
            let pressed = Instant::now();
            self.pty.send(b"?");
            took.push(self.until("ctrl-").duration_since(pressed).as_secs_f64() * 1000.0);
            self.pty.send(b"?");
            let deadline = Instant::now() + QUIET;
            while Instant::now() < deadline && self.pty.next(Duration::from_millis(50)) > 0 {}
        }
        took
    }

    /// Resident, and of that what no file has; MB.
    fn memory(&self) -> (f64, f64) {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pty.pid())).expect("it runs");
        let of = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("a line of its memory");
            line.split_whitespace().nth(1).and_then(|kb| kb.parse::<f64>().ok()).expect("kB") / 1024.0
        };
        (of("VmRSS"), of("RssAnon"))
    }
}

/// Median and 99th of a hundred.
fn tell(what: &str, mut took: Vec<f64>) {
    took.sort_by(f64::total_cmp);
    let at = |part: usize| took[(took.len() * part / 100).min(took.len() - 1)];
    println!("{what:<44} p50 {:.1} ms, p99 {:.1} ms, most {:.1} ms, of {}", at(50), at(99), at(100), took.len());
}

/// 2,500 containers of 50 apps and 2,500 that are nobody's.
fn crowd() -> Scenario {
    let image = |name: &str| ImageAtFirst {
        name: name.into(),
        behaviour: Behaviour { port: Some(8080), ..Behaviour::default() },
        ..ImageAtFirst::default()
    };
    let app = |n: u32| AppAtFirst {
        project: format!("shop{:02}", n / 5),
        app: format!("web{n:02}"),
        image: "web:v1".into(),
        instances: 25,
        network: "crowd".into(),
        probe: "tcp:8080".into(),
        revision: 3,
        up_s: 90_000,
        ..AppAtFirst::default()
    };
    let stranger = |n: u32| ContainerAtFirst {
        name: format!("stranger-{n:04}"),
        image: "web:v1".into(),
        network: Some("crowd".into()),
        labels: BTreeMap::from([("team".to_owned(), format!("team-{}", n % 9))]),
        up_s: 3_600 + u64::from(n),
        ..ContainerAtFirst::default()
    };
    let network =
        NetworkAtFirst { name: "crowd".into(), subnet: Some("10.50.0.0/16".into()), ..NetworkAtFirst::default() };
    Scenario {
        networks: vec![network],
        images: vec![image("web:v1")],
        apps: (0..50).map(app).collect(),
        containers: (0..2500).map(stranger).collect(),
        ..Scenario::default()
    }
}

fn small() {
    let mut hundred = crowd();
    hundred.apps.clear();
    hundred.containers.truncate(100);
    let served = Served::with(hundred);
    let mut console = Console::open(&served.host(), (120, 40));
    let first = console.until("stranger").duration_since(console.began);
    println!("\n100 containers\n{:<44} {:.0} ms", "first list", first.as_secs_f64() * 1000.0);
    // Until it has looked at each, listed once more, and stands still.
    let deadline = Instant::now() + Duration::from_secs(5);
    while Instant::now() < deadline {
        console.pty.next(QUIET);
    }
    let (rss, own) = console.memory();
    println!("{:<44} {rss:.1} MB, {own:.1} MB of it its own", "memory");
}

fn fleet() {
    let served = Served::with(crowd());
    println!("\n5,000 containers");
    let (alone, size) = list_alone(&served.host()).expect("a list");
    println!("{:<44} {alone:.0} ms, {size:.1} MB", "the engine's own time for its list");
    let mut console = Console::open(&served.host(), (200, 50));
    let first = console.until("web00").duration_since(console.began);
    println!("{:<44} {:.0} ms", "first list", first.as_secs_f64() * 1000.0);
    let (control, mut before) = (served.control(), 0);
    wait_until("every container's detail", PATIENCE, || {
        while console.pty.next(Duration::from_millis(500)) > 0 {}
        std::mem::replace(&mut before, control.count()) == control.count()
    });
    println!("{:<44} {:.1} s", "every detail read", console.began.elapsed().as_secs_f64());
    console.settle();
    tell("a key, at rest", console.keys(&[b"j", b"j", b"k"], 600));
    console.pty.send(b"w");
    console.settle();
    tell("a key in the list of 5,000 rows", console.keys(&[b"j", b"k", b"\x1b[6~", b"\x1b[6~", b"j", b"\x1b[5~"], 300));
    let (rss, own) = console.memory();
    println!("{:<44} {rss:.1} MB, {own:.1} MB of it its own", "memory");
    events(&served, &mut console);
    let (rss, own) = console.memory();
    println!("{:<44} {rss:.1} MB, {own:.1} MB of it its own", "memory afterwards");
}

/// How long the engine's list takes one who does nothing but read it, milliseconds; and how much it is, MB.
fn list_alone(host: &str) -> std::io::Result<(f64, f64)> {
    let (asked, mut list) = (Instant::now(), Vec::new());
    let mut stream = UnixStream::connect(host.trim_start_matches("unix://"))?;
    stream.write_all(b"GET /containers/json?all=true HTTP/1.1\r\nHost: engine\r\nConnection: close\r\n\r\n")?;
    stream.read_to_end(&mut list)?;
    Ok((asked.elapsed().as_secs_f64() * 1000.0, list.len() as f64 / 1e6))
}

/// Ends and starts containers so that 500 events come every second: ten of each of fifty operations.
fn events(served: &Served, console: &mut Console) {
    let (control, socket) = (served.control(), PathBuf::from(served.host().trim_start_matches("unix://")));
    let stop = Arc::new(AtomicU64::new(0));
    let ended = stop.clone();
    let weather = std::thread::spawn(move || {
        let (began, mut done) = (Instant::now(), 0_u32);
        while ended.load(Ordering::Relaxed) == 0 {
            let name = format!("stranger-{:04}", 100 + done % 2000);
            control.crash(&name, 1);
            let _ = support::unix_http::ask(&socket, "POST", &format!("/containers/{name}/start"), &Value::Null);
            done += 1;
            // Each is four events: it dies, leaves its network, comes back to it, starts.
            if let Some(rest) = (Duration::from_millis(8) * done).checked_sub(began.elapsed()) {
                std::thread::sleep(rest);
            }
        }
        f64::from(done) * 4.0 / began.elapsed().as_secs_f64()
    });
    tell("a key while events come", console.answers(100));
    let mut lags = Vec::new();
    for n in 0..20 {
        // Marked by a filter that shows one row alone.
        let name = format!("stranger-00{n:02}");
        console.pty.send(format!("/{name}\r").as_bytes());
        console.settle_a_little();
        let at = Instant::now();
        served.control().crash(&name, 137);
        lags.push(console.until("failed").duration_since(at).as_secs_f64() * 1000.0);
        console.pty.send(b"\x1b");
        console.settle_a_little();
    }
    tell("from an end to its row meanwhile", lags);
    stop.store(1, Ordering::Relaxed);
    println!("{:<44} {:.0} events a second", "that was under", weather.join().expect("no panic"));
}

impl Console {
    /// As [`Console::settle`], where something is always written.
    fn settle_a_little(&mut self) {
        let deadline = Instant::now() + QUIET;
        while Instant::now() < deadline {
            self.pty.next(Duration::from_millis(50));
        }
    }
}

/// Six instances that take what such instances take.
fn shop() -> Scenario {
    Scenario::parse(
        r#"
        latency = { list = 4, inspect = 1, start = 310, start_joined = 105, stop = 48, attach = 2 }
        networks = [{ name = "shop", subnet = "10.60.0.0/24" }]
        [[images]]
        name = "web:v1"
        behaviour = { port = 8080, ready_ms = 60, stop_ms = 40 }
        [[apps]]
        project = "shop"
        app = "web"
        image = "web:v1"
        instances = 6
        network = "shop"
        probe = "tcp:8080"
        revision = 1
        up_s = 1000
        "#,
    )
    .expect("a scenario")
}

fn frozen() {
    let rounds = std::env::var("PITSTOP_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(7);
    let mut took: [Vec<f64>; 2] = [Vec::new(), Vec::new()];
    for _ in 0..rounds {
        for (kind, all) in took.iter_mut().enumerate() {
            all.push(restart(kind == 1));
        }
    }
    println!(
        "\na restart of six instances begun from the console, milliseconds: median (least to most) of {rounds}, in turn"
    );
    for (what, all) in ["read", "frozen"].iter().zip(&took) {
        let Spread { median, least, most } = Spread::of(all).expect("rounds");
        println!("terminal {what:<35} {median:.0} ({least:.0} to {most:.0})");
    }
}

/// From the last key until the engine has done all of it.
fn restart(frozen: bool) -> f64 {
    let served = Served::with(shop());
    let mut console = Console::open(&served.host(), (200, 50));
    console.until("web-6");
    console.settle();
    console.pty.send(b"r");
    console.until("type 6 to run it");
    let (control, pressed) = (served.control(), Instant::now());
    console.pty.send(b"6\r");
    let restarted = || control.world().values().filter(|one| one.joins.is_some() && one.runs > 1).count() == 6;
    let at_rest = || control.requests().iter().rev().take(8).all(|one| one.status.is_some() || !one.mutating);
    let done = try_wait_for(PATIENCE, || {
        if !frozen {
            while console.pty.next(Duration::ZERO) > 0 {}
        }
        (restarted() && at_rest()).then(|| pressed.elapsed())
    });
    if frozen {
        let blocked = std::fs::read_to_string(format!("/proc/{}/syscall", console.pty.pid())).unwrap_or_default();
        assert!(blocked.starts_with("1 0x1 "), "its terminal is full, and it waits to write there: {blocked}");
    }
    done.expect("the operation ends").as_secs_f64() * 1000.0
}

fn flood() {
    let seconds = std::env::var("PITSTOP_FLOOD_S").ok().and_then(|text| text.parse().ok()).unwrap_or(60);
    let served = Served::with(shop());
    let dir = tempfile::tempdir().expect("a directory");
    let socket = dir.path().join("flood.sock");
    let written = flooding(&socket, PathBuf::from(served.host().trim_start_matches("unix://")));
    let mut console = Console::open(&format!("unix://{}", socket.display()), (200, 50));
    console.until("web-6");
    console.settle();
    console.pty.send(b"\tl");
    console.until("the flood");
    let (began, before) = (Instant::now(), written.load(Ordering::Relaxed));
    let (mut keys, mut most) = (Vec::new(), 0.0_f64);
    while began.elapsed() < Duration::from_secs(seconds) {
        keys.extend(console.answers(5));
        most = most.max(console.memory().0);
    }
    let rate = (written.load(Ordering::Relaxed) - before) as f64 / 1e6 / began.elapsed().as_secs_f64();
    println!("\na log of 100 MB/s for {seconds} s; {rate:.0} MB/s of it were taken");
    tell("a key", keys);
    println!("{:<44} {most:.1} MB", "memory at most");
}

/// The engine's socket behind another one, where logs are a flood: as much as is taken, and at most 100 MB a second.
fn flooding(socket: &Path, engine: PathBuf) -> Arc<AtomicU64> {
    let listener = UnixListener::bind(socket).expect("a socket");
    let written = Arc::new(AtomicU64::new(0));
    let counted = written.clone();
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let (engine, counted) = (engine.clone(), counted.clone());
            std::thread::spawn(move || {
                // Whoever hangs up needs no more.
                let _ = pass(client, &engine, &counted);
            });
        }
    });
    written
}

fn pass(mut client: UnixStream, engine: &Path, written: &AtomicU64) -> std::io::Result<()> {
    let mut engine = UnixStream::connect(engine)?;
    let (mut answers, mut back) = (engine.try_clone()?, client.try_clone()?);
    std::thread::spawn(move || std::io::copy(&mut answers, &mut back));
    let mut chunk = vec![0; 65536];
    loop {
        let count = client.read(&mut chunk)?;
        if count == 0 {
            return engine.shutdown(std::net::Shutdown::Both);
        }
        let line = chunk[..count].split(|byte| *byte == b'\r').next().unwrap_or_default();
        if String::from_utf8_lossy(line).contains("/logs?") {
            return pour(&mut client, written);
        }
        engine.write_all(&chunk[..count])?;
    }
}

fn pour(client: &mut UnixStream, written: &AtomicU64) -> std::io::Result<()> {
    client.write_all(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
    )?;
    let mut frames = Vec::new();
    for n in 0..500 {
        let line = format!("2026-11-29T12:00:00.{n:09}Z the flood, line {n}: {}\n", "x".repeat(120));
        frames.extend_from_slice(&[1, 0, 0, 0]);
        frames.extend_from_slice(&u32::try_from(line.len()).expect("a line").to_be_bytes());
        frames.extend_from_slice(line.as_bytes());
    }
    let chunk = [format!("{:x}\r\n", frames.len()).as_bytes(), &frames, b"\r\n"].concat();
    let (began, mut sent) = (Instant::now(), 0_u64);
    loop {
        client.write_all(&chunk)?;
        sent += chunk.len() as u64;
        written.fetch_add(chunk.len() as u64, Ordering::Relaxed);
        if let Some(rest) = Duration::from_secs_f64(sent as f64 / 100e6).checked_sub(began.elapsed()) {
            std::thread::sleep(rest);
        }
    }
}
