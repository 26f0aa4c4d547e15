//! The simulated engine does what a real Engine 20.10 does: the same requests to both, statuses and states compared.
//!
//! `PITSTOP_CONTRACT_SEED` begins at another seed, `PITSTOP_CONTRACT_RUNS` makes more runs than a few.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use pitstop::docker::sandbox_image::GUEST_PATH;
use pitstop::sim::Scenario;
use serde_json::{Value, json};

use crate::support::docker::{Engine, Project};
use crate::support::images;
use crate::support::sim::Served;
use crate::support::unix_http;
use crate::support::wait::wait_until;

/// Two that want the same address, one that takes any, one that joins the first.
const SLOTS: [&str; 4] = ["box", "rival", "free", "app"];

/// What can be asked about a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Create,
    Start,
    Stop,
    Kill,
    Pause,
    Unpause,
    Remove { force: bool },
    Rename { to: usize },
    Policy(&'static str),
    Connect,
    Disconnect,
}

/// One engine, real or not, with two networks of the run's own.
struct Side {
    socket: PathBuf,
    prefix: String,
    image: String,
    /// The first three parts of its networks' addresses.
    subnets: [String; 2],
    /// The id of the first slot, which the last one joins.
    first: String,
}

impl Side {
    fn ask(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        unix_http::ask(&self.socket, method, &format!("/v1.41{path}"), body).expect("an answer")
    }

    fn name(&self, slot: usize) -> String {
        format!("{}-{}", self.prefix, SLOTS[slot])
    }

    fn network(&self, which: usize) -> String {
        format!("{}-net{which}", self.prefix)
    }

    /// Makes its networks there, the first free ones from a number on; gives which they are.
    fn networks(&mut self, from: u8) -> u8 {
        let mut last = Vec::new();
        for second in from..from + 20 {
            let made = [0_u8, 1].map(|which| {
                let base = format!("10.{second}.{}", 77 + which);
                let plan = json!([{"Subnet": format!("{base}.0/24"), "IPRange": format!("{base}.128/25")}]);
                let body =
                    json!({"Name": self.network(which.into()), "CheckDuplicate": true, "IPAM": {"Config": plan}});
                let (status, said) = self.ask("POST", "/networks/create", &body);
                (base, status, said)
            });
            if made.iter().all(|(_, status, _)| *status == 201) {
                self.subnets = made.map(|(base, _, _)| base);
                return second;
            }
            last = made.iter().map(|(_, _, said)| said.to_string()).collect();
            for which in [0, 1] {
                self.ask("DELETE", &format!("/networks/{}", self.network(which)), &Value::Null);
            }
        }
        panic!("no free subnet on {}: {last:?}", self.socket.display());
    }

    fn creation(&self, slot: usize) -> Value {
        let (network, pinned) = (self.network(0), format!("{}.9", self.subnets[0]));
        let mode = if slot == 3 { format!("container:{}", self.first) } else { network.clone() };
        let mut body = json!({"Image": self.image, "HostConfig": {"NetworkMode": mode}});
        if slot == 0 {
            // Two servers in one namespace would want the same port.
            (body["Entrypoint"], body["Cmd"]) = (json!(["/pitstop-guest"]), json!(["pause"]));
        }
        if slot < 2 {
            body["NetworkingConfig"] = json!({"EndpointsConfig": {network: {"IPAMConfig": {"IPv4Address": pinned}}}});
        }
        body
    }

    /// Does a step; gives its status.
    fn step(&mut self, step: Step, slot: usize) -> u16 {
        let name = self.name(slot);
        let container = |rest: &str| format!("/containers/{name}{rest}");
        let empty = Value::Null;
        match step {
            Step::Create => {
                let path = format!("/containers/create?name={name}");
                let (status, said) = self.ask("POST", &path, &self.creation(slot));
                if slot == 0 && status == 201 {
                    said["Id"].as_str().unwrap_or_default().clone_into(&mut self.first);
                }
                status
            }
            Step::Start => self.ask("POST", &container("/start"), &empty).0,
            Step::Stop => self.ask("POST", &container("/stop?t=20"), &empty).0,
            Step::Kill => self.ask("POST", &container("/kill"), &empty).0,
            Step::Pause => self.ask("POST", &container("/pause"), &empty).0,
            Step::Unpause => self.ask("POST", &container("/unpause"), &empty).0,
            Step::Remove { force } => self.ask("DELETE", &container(&format!("?force={force}&v=1")), &empty).0,
            Step::Rename { to } => self.ask("POST", &container(&format!("/rename?name={}", self.name(to))), &empty).0,
            Step::Policy(policy) => {
                self.ask("POST", &container("/update"), &json!({"RestartPolicy": {"Name": policy}})).0
            }
            Step::Connect => {
                self.ask("POST", &format!("/networks/{}/connect", self.network(1)), &json!({"Container": name})).0
            }
            Step::Disconnect => {
                self.ask("POST", &format!("/networks/{}/disconnect", self.network(1)), &json!({"Container": name})).0
            }
        }
    }

    /// What is seen of a slot, without what no two engines have alike.
    fn state(&self, slot: usize) -> Value {
        let (status, seen) = self.ask("GET", &format!("/containers/{}/json", self.name(slot)), &Value::Null);
        if status != 200 {
            return json!(status);
        }
        let networks = seen["NetworkSettings"]["Networks"].as_object().cloned().unwrap_or_default();
        let networks = networks.into_iter().map(|(name, end)| {
            let asked = end["IPAMConfig"]["IPv4Address"].as_str().unwrap_or_default().to_owned();
            let name = name.trim_start_matches(&self.prefix).to_owned();
            (name, json!([asked, end["IPAddress"], end["MacAddress"], end["Gateway"], end["IPPrefixLen"]]))
        });
        // What is left of a namespace when a start has failed half-way is up to the order of a map.
        let state = &seen["State"];
        json!({
            "status": state["Status"], "running": state["Running"], "paused": state["Paused"], "exit": state["ExitCode"],
            "failed": state["Error"] != "", "pid": state["Pid"] != 0, "started": state["StartedAt"] != "0001-01-01T00:00:00Z",
            "finished": state["FinishedAt"] != "0001-01-01T00:00:00Z",
            "policy": seen["HostConfig"]["RestartPolicy"]["Name"], "networks": networks.collect::<serde_json::Map<_, _>>(),
            "sandbox": state["Running"] == true && seen["NetworkSettings"]["SandboxKey"] != "", "restarts": seen["RestartCount"],
        })
    }

    fn members(&self) -> Vec<String> {
        let (_, seen) = self.ask("GET", &format!("/networks/{}", self.network(0)), &Value::Null);
        let all = seen["Containers"].as_object().cloned().unwrap_or_default();
        let mut all: Vec<_> = all.values().map(|one| one["IPv4Address"].to_string()).collect();
        all.sort();
        all
    }
}

/// Both engines, and what cleans the real one up.
struct Pair {
    real: Side,
    simulated: Side,
    _project: Project,
    _served: Served,
}

/// Pairs made so far.
static RUNS: AtomicU8 = AtomicU8::new(0);

impl Pair {
    fn new() -> Self {
        let engine = Engine::machine();
        let project = engine.project();
        let served = Served::with(Scenario::default());
        let own = PathBuf::from(served.host().trim_start_matches("unix://"));
        let side = |engine: &Engine, socket: PathBuf| Side {
            socket,
            prefix: project.name.clone(),
            // The same archive, loaded by the docker command line into either.
            image: images::app(engine, "v1"),
            subnets: [String::new(), String::new()],
            first: "0".repeat(64),
        };
        let mut real = side(&engine, PathBuf::from(engine.host().trim_start_matches("unix://")));
        let mut simulated = side(&Engine::at(&own), own.clone());
        // Runs side by side begin far from each other, or they would take turns in being late.
        let apart =
            RUNS.fetch_add(1, Ordering::Relaxed).wrapping_mul(61).wrapping_add(std::process::id().to_le_bytes()[0]);
        let second = real.networks(20 + apart % 200);
        assert_eq!(simulated.networks(second), second);
        Self { real, simulated, _project: project, _served: served }
    }

    /// Does the steps on both and compares after each.
    fn compare(&mut self, what: &str, steps: &[(Step, usize)]) {
        for (at, (step, slot)) in steps.iter().enumerate() {
            let done = [self.real.step(*step, *slot), self.simulated.step(*step, *slot)];
            let shown =
                || format!("{what}, after {:?}", steps[..=at].iter().map(|(s, n)| (s, SLOTS[*n])).collect::<Vec<_>>());
            assert_eq!(done[0], done[1], "status (real, simulated): {}", shown());
            for (slot, name) in SLOTS.iter().enumerate() {
                let (real, simulated) = (self.real.state(slot), self.simulated.state(slot));
                assert_eq!(real, simulated, "{name} (real, simulated): {}", shown());
            }
            assert_eq!(self.real.members(), self.simulated.members(), "members (real, simulated): {}", shown());
        }
    }
}

/// xorshift64*: the same steps from the same seed everywhere.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        usize::try_from(self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33).unwrap_or(0) % most
    }

    fn step(&mut self) -> (Step, usize) {
        let mut slot = self.below(SLOTS.len());
        let step = match self.below(22) {
            0..5 => Step::Create,
            5..11 => Step::Start,
            11..13 => Step::Stop,
            13 => Step::Kill,
            14 => Step::Remove { force: self.below(2) == 0 },
            15 => Step::Rename { to: self.below(3) },
            16 => Step::Policy(["no", "always", "unless-stopped"][self.below(3)]),
            17..19 => Step::Connect,
            19 => Step::Pause,
            20 => Step::Unpause,
            _ => Step::Disconnect,
        };
        // Pitstop never asks that of one that joins another.
        if matches!(step, Step::Connect | Step::Disconnect) {
            slot = slot.min(2);
        }
        (step, slot)
    }
}

fn number(name: &str, unless: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(unless)
}

#[test]
fn a_sandbox_s_whole_life_is_the_same_on_both() {
    use Step::*;
    let steps = [
        (Start, 0),
        (Create, 3),
        (Start, 3),
        (Remove { force: false }, 3),
        (Create, 0),
        (Create, 0),
        (Create, 3),
        (Start, 3),
        (Start, 0),
        (Start, 0),
        (Start, 3),
        (Create, 2),
        (Start, 2),
        (Create, 1),
        (Start, 1),
        (Connect, 0),
        (Connect, 0),
        (Disconnect, 0),
        (Policy("always"), 3),
        (Rename { to: 1 }, 0),
        (Rename { to: 0 }, 0),
        (Remove { force: false }, 3),
        (Kill, 3),
        (Kill, 3),
        (Start, 3),
        (Stop, 3),
        (Stop, 3),
        (Kill, 0),
        (Start, 3),
        (Start, 1),
        (Start, 0),
        (Remove { force: true }, 1),
        (Start, 0),
        (Start, 3),
        (Remove { force: true }, 0),
        (Stop, 3),
        (Start, 3),
        (Remove { force: false }, 3),
        (Remove { force: true }, 3),
    ];
    Pair::new().compare("by hand", &steps);
}

#[test]
fn what_is_paused_is_treated_the_same_on_both() {
    use Step::*;
    let steps = [
        (Pause, 3),
        (Create, 0),
        (Pause, 0),
        (Start, 0),
        (Create, 3),
        (Unpause, 3),
        (Start, 3),
        (Pause, 3),
        (Pause, 3),
        (Start, 3),
        (Remove { force: false }, 3),
        (Rename { to: 2 }, 3),
        (Rename { to: 3 }, 2),
        (Policy("always"), 3),
        (Unpause, 3),
        (Unpause, 3),
        (Pause, 3),
        (Stop, 3),
        (Unpause, 3),
        (Start, 3),
        (Pause, 3),
        (Kill, 3),
        (Start, 3),
        (Pause, 0),
        (Stop, 3),
        (Start, 3),
        (Remove { force: true }, 0),
        (Pause, 3),
        (Remove { force: true }, 3),
    ];
    Pair::new().compare("by hand", &steps);
}

#[test]
fn random_requests_have_the_same_effects_on_both() {
    let first = number("PITSTOP_CONTRACT_SEED", 1);
    for seed in first..first + number("PITSTOP_CONTRACT_RUNS", 5) {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let steps: Vec<_> = (0..14).map(|_| dice.step()).collect();
        Pair::new().compare(&format!("PITSTOP_CONTRACT_SEED={seed}"), &steps);
    }
}

impl Side {
    /// Makes and starts one whose health is looked at every 200 ms, and waits until it is `expected`; what was told of that.
    fn health_told(&self, options: &[&str], expected: &str) -> Vec<String> {
        let (name, empty) = (self.name(2), Value::Null);
        let mut body = self.creation(2);
        body["Cmd"] = json!([&["serve", "8080", "v1"], options].concat());
        body["Healthcheck"] = json!({
            "Test": ["CMD", GUEST_PATH, "probe", "tcp:8080"],
            "Interval": 200_000_000, "Timeout": 2_000_000_000_u64, "Retries": 2,
        });
        let (status, said) = self.ask("POST", &format!("/containers/create?name={name}"), &body);
        assert_eq!(status, 201, "{said}");
        let id = said["Id"].as_str().unwrap().to_owned();
        assert_eq!(self.ask("POST", &format!("/containers/{name}/start"), &empty).0, 204);
        wait_until(expected, Duration::from_secs(30), || {
            let (_, seen) = self.ask("GET", &format!("/containers/{name}/json"), &empty);
            seen["State"]["Health"]["Status"] == expected
        });
        let filters = json!({"container": [id], "event": ["health_status"]}).to_string();
        let quoted: Vec<String> = filters.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let filters = quoted.concat();
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let path = format!("/events?since={}&until={}&filters={filters}", now - 60, now + 1);
        let told = match self.ask("GET", &path, &empty).1 {
            Value::String(lines) => lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect(),
            one => vec![one],
        };
        assert_eq!(self.ask("DELETE", &format!("/containers/{name}?force=1&v=1"), &empty).0, 204);
        told.iter().map(|event: &Value| event["Action"].as_str().unwrap_or_default().to_owned()).collect()
    }
}

#[test]
fn what_the_engine_makes_of_a_health_check_is_told_alike_by_both() {
    let pair = Pair::new();
    for (options, expected) in [(&[][..], "healthy"), (&["--never-listen"], "unhealthy")] {
        let told = [&pair.real, &pair.simulated].map(|side| side.health_told(options, expected));
        assert_eq!(told[0], [format!("health_status: {expected}")]);
        assert_eq!(told[0], told[1], "(real, simulated)");
    }
}
