//! The same behind each of the balancers, and how it compares with not draining.

use std::time::Duration;

use super::load::{Asked, Load};
use crate::journeys::Site;
use crate::support::caddy::Caddy;
use crate::support::docker::Engine;
use crate::support::haproxy::Haproxy;
use crate::support::images;
use crate::support::nginx::Nginx;
use crate::support::pitstop::Pitstop;
use crate::support::wait::try_wait_for;

/// A load balancer.
pub enum Lb {
    Haproxy(Haproxy),
    Nginx(Nginx),
    Caddy(Caddy),
}

impl Lb {
    /// In front of these addresses.
    pub fn start(kind: &str, addresses: &[String]) -> Self {
        match kind {
            "haproxy" => {
                let line = |(at, address): (usize, &String)| format!("web-{} {address} check inter 100", at + 1);
                Self::Haproxy(Haproxy::start(&addresses.iter().enumerate().map(line).collect::<Vec<_>>()))
            }
            "nginx" => Self::Nginx(Nginx::start(addresses)),
            "caddy" => Self::Caddy(Caddy::start(addresses)),
            _ => panic!("{kind}"),
        }
    }

    pub fn address(&self) -> &str {
        match self {
            Self::Haproxy(haproxy) => &haproxy.address,
            Self::Nginx(nginx) => &nginx.address,
            Self::Caddy(caddy) => &caddy.address,
        }
    }

    /// As an app's file has it.
    pub fn file(&self) -> String {
        match self {
            Self::Haproxy(haproxy) => format!("{{haproxy: {{socket: {}, backend: web}}}}", haproxy.socket()),
            Self::Nginx(nginx) => format!(
                "{{nginx: {{file: {}, test: {:?}, reload: {:?}, settle: 500ms}}}}",
                nginx.file().display(),
                nginx.argv(&["-t", "-q"]),
                nginx.argv(&["-s", "reload"])
            ),
            Self::Caddy(caddy) => format!("{{caddy: {{admin: {}}}}}", caddy.socket()),
        }
    }
}

/// So many instances behind a balancer that their app's file names, or does not.
pub struct Behind {
    pub site: Site,
    pub lb: Lb,
    drained: bool,
    replicas: usize,
    images: [String; 2],
}

impl Behind {
    pub fn new(kind: &str, replicas: usize, drained: bool) -> Self {
        let engine = Engine::machine();
        let images = [images::app(&engine, "v1"), images::app(&engine, "v2")];
        let mut site = Site::open(&engine, &images[0], replicas);
        site.pitstop = Pitstop::on(&engine).env("PITSTOP_TRUST_COMMANDS", "true");
        let addresses: Vec<_> = (1..=replicas).map(|number| site.outside(number).address()).collect();
        let behind = Self { site, lb: Lb::start(kind, &addresses), drained, replicas, images };
        behind.deploy(1).expect_code(0);
        behind
    }

    /// Deploys one of the two versions.
    pub fn deploy(&self, version: usize) -> crate::support::pitstop::Output {
        let balancer = if self.drained { format!(", balancer: {}", self.lb.file()) } else { String::new() };
        let more = format!("    x-pitstop: {{probe: 'tcp:8080'{balancer}}}\n");
        self.site.file_with("app.yaml", &self.images[version], self.replicas, &more);
        self.site.run("deploy", &["-f", "app.yaml"])
    }

    /// Nothing is out, as `ps` and `doctor` have it.
    #[track_caller]
    pub fn all_serve(&self) {
        for number in 1..=self.replicas {
            let told = self.site.told(number);
            assert_eq!(told["traffic"][0]["state"], "serving", "{told}");
        }
        let doctor = self.site.pitstop.run(&["doctor"]).stdout;
        assert!(doctor.contains(&format!("serves all instances of {}", self.site.web())), "{doctor}");
    }
}

/// Caddy opens its port anew with each change of its configuration (`SO_REUSEPORT`), and the kernel resets what waits in the old
/// one's queue, unless it is told to hand that over (`net.ipv4.tcp_migrate_req`, Linux 5.14).
fn resets(kind: &str) -> bool {
    let migrates = std::fs::read_to_string("/proc/sys/net/ipv4/tcp_migrate_req");
    kind == "caddy" && migrates.map_or(true, |on| on.trim() != "1")
}

fn nobody_notices(kind: &str) {
    let behind = Behind::new(kind, 2, true);
    let before = behind.site.all_outside(2);
    let load = Load::on(behind.lb.address());
    behind.deploy(0).expect_code(0);
    let out = behind.site.run("restart", &[]).expect_code(0);
    let asked = if resets(kind) { load.without_wrong_answer() } else { load.without_failure() };
    assert!(asked.reset.len() * 50 < asked.all(), "{} of {}", asked.reset.len(), asked.all());
    behind.all_serve();
    assert_eq!(behind.site.all_outside(2), before);
    assert!(out.stdout.contains("serving"), "{}", out.stdout);
    assert!(asked.reopened < asked.all() / 10, "{} of {}", asked.reopened, asked.all());
}

#[test]
fn nobody_notices_behind_nginx() {
    nobody_notices("nginx");
}

#[test]
fn nobody_notices_behind_caddy() {
    nobody_notices("caddy");
}

#[test]
fn a_command_of_the_users_own_is_run_only_where_somebody_says_so() {
    let engine = Engine::machine();
    let image = images::app(&engine, "v1");
    let site = Site::open(&engine, &image, 1);
    let home = site.pitstop.home().display().to_string();
    let script = "#!/bin/sh\ncase $1 in out|in) echo \"$@\" >> \"${0%/*}/told\"; echo $1 > \"${0%/*}/now\";; \
                  *) grep -q out \"${0%/*}/now\" 2>/dev/null && echo drained 0 || echo serving 0;; esac\n";
    site.pitstop.file("lb", script);
    std::fs::set_permissions(format!("{home}/lb"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let hooks = format!(
        "{{command: {{drain: [{home}/lb, out, '{{instance}}', '{{address}}'], attach: [{home}/lb, in, '{{instance}}'], status: [{home}/lb, show]}}}}"
    );
    site.file_with("compose.yaml", &image, 1, &format!("    x-pitstop: {{probe: 'tcp:8080', balancer: {hooks}}}\n"));
    let told = || std::fs::read_to_string(format!("{home}/told")).unwrap_or_default();

    // The file is the person's own; what the labels say is anybody's.
    site.run("deploy", &["-f", "compose.yaml", "--image", &images::app(&engine, "v2")]).expect_code(0);
    let address = site.outside(1).networks.values().next().unwrap().0.clone();
    assert_eq!(told(), format!("out web-1 {address}\nin web-1\n"));
    let refused = site.run("restart", &[]).expect_code(4);
    assert!(refused.stderr.contains("commands to run on this machine"), "{}", refused.stderr);
    site.run("ps", &["--json"]).expect_code(0);
    assert_eq!(told().lines().count(), 2, "nothing was run");
    assert_eq!(site.told(1)["traffic"], serde_json::json!([]));

    site.run("restart", &["--trust-commands"]).expect_code(0);
    assert_eq!(told().lines().count(), 4);
    let ps = site.run("ps", &["--trust-commands"]).expect_code(0);
    assert!(ps.stdout.contains("TRAFFIC") && ps.stdout.contains("serving"), "{}", ps.stdout);
}

/// Requests that fail, and how long they take, drained and not, in turn, with quiet times between.
///
/// `PITSTOP_ROUNDS=20 cargo test --test it what_draining_is_worth -- --ignored --nocapture`; `PITSTOP_BALANCERS=haproxy,nginx,caddy`
/// and `PITSTOP_REPLICAS=2,8` say behind what, and how many.
#[test]
#[ignore = "a measurement"]
fn what_draining_is_worth() {
    let told = |name: &str, usual: &str| std::env::var(name).unwrap_or_else(|_| usual.to_owned());
    let rounds: usize = told("PITSTOP_ROUNDS", "3").parse().unwrap();
    for kind in told("PITSTOP_BALANCERS", "haproxy,nginx,caddy").split(',') {
        for replicas in told("PITSTOP_REPLICAS", "2,8").split(',') {
            measure(kind, replicas.parse().unwrap(), rounds);
        }
    }
}

#[allow(clippy::print_stderr)] // what it is for
fn measure(kind: &str, replicas: usize, rounds: usize) {
    let behind = [Behind::new(kind, replicas, true), Behind::new(kind, replicas, false)];
    let mut seen: [Asked; 3] = std::array::from_fn(|_| Asked::default());
    for round in 1..=rounds {
        for (way, behind) in behind.iter().enumerate() {
            let load = Load::on(behind.lb.address());
            behind.deploy((round + 1) % 2).expect_code(0);
            behind.site.run("restart", &[]).expect_code(0);
            seen[way].add(load.end());
        }
        let quiet = Load::on(behind[round % 2].lb.address());
        try_wait_for(Duration::from_secs(1), || None::<()>);
        seen[2].add(quiet.end());
    }
    for (asked, name) in seen.iter_mut().zip(["drained", "not drained", "quiet"]) {
        let [p50, p99, most] = [500, 990, 1000].map(|share| asked.at(share));
        eprintln!(
            "{kind}, {replicas} instances, {rounds} deploys and {rounds} restarts, {name}: {} requests, {} failed, {} new connections reset, {} kept ones reopened; p50 {p50:.1?}, p99 {p99:.1?}, longest {most:.1?}",
            asked.all(),
            asked.wrong.len(),
            asked.reset.len(),
            asked.reopened,
        );
    }
    assert!(seen[0].wrong.is_empty(), "{:?}", seen[0].wrong);
    assert!(seen[0].reset.is_empty() || resets(kind));
}
