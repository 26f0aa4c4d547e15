//! Behind a real HAProxy: nobody's request fails while instances are replaced and restarted, nothing stays drained, and what a
//! person took out stays out.

mod adopted;
mod aside;
mod balancers;
mod forgets;
mod load;
mod scaled;
mod surge;

use std::thread::JoinHandle;
use std::time::Duration;

use super::Site;
use crate::support::docker::Engine;
use crate::support::haproxy::Haproxy;
use crate::support::wait::wait_until;
use crate::support::{http, images};
use load::Load;

const PATIENCE: Duration = Duration::from_secs(120);

/// Two instances that a balancer knows.
struct Behind {
    site: Site,
    haproxy: Haproxy,
    v1: String,
    v2: String,
}

impl Behind {
    fn new() -> Self {
        let engine = Engine::machine();
        let (v1, v2) = (images::app(&engine, "v1"), images::app(&engine, "v2"));
        let site = Site::open(&engine, &v1, 2);
        let server = |number| format!("web-{number} {} check inter 100", site.outside(number).address());
        let haproxy = Haproxy::start(&[server(1), server(2)]);
        let behind = Self { site, haproxy, v1, v2 };
        behind.file("v1.yaml", &behind.v1);
        behind.file("v2.yaml", &behind.v2);
        behind
    }

    fn file(&self, name: &str, image: &str) {
        let more = format!(
            "    x-pitstop: {{probe: 'tcp:8080', balancer: {{haproxy: {{socket: {}, backend: web}}}}}}\n",
            self.haproxy.socket()
        );
        self.site.file_with(name, image, 2, &more);
    }

    fn states(&self) -> Vec<String> {
        self.haproxy.states()
    }
}

#[test]
fn no_request_fails_while_instances_are_replaced_and_restarted() {
    let behind = Behind::new();
    let before = behind.site.all_outside(2);
    let load = Load::on(&behind.haproxy.address);
    let deployed = behind.site.run("deploy", &["-f", "v2.yaml", "--json"]).expect_code(0);
    let steps: Vec<_> = deployed.json_lines().iter().filter(|e| e["event"] == "step_finished").cloned().collect();
    let actions = |number: usize| -> Vec<String> {
        let name = format!("{}-{number}", behind.site.web());
        let of = steps.iter().filter(|step| step["instance"] == name.as_str() && step["result"] == "ok");
        of.map(|step| step["action"].as_str().unwrap().to_owned()).collect()
    };
    let counted = steps.iter().filter(|step| step["action"] == "attach" && step["result"] == "ok");
    let counted: Vec<_> = counted.map(|step| step["failed_requests"].as_u64()).collect();
    assert_eq!(counted, [Some(0), Some(0)], "what the balancer counts is told");
    for number in [1, 2] {
        let told = actions(number);
        let place =
            |action: &str| told.iter().position(|one| one == action).unwrap_or_else(|| panic!("{action}: {told:?}"));
        assert!(place("drain") < place("stop") && place("ready") < place("attach"), "{told:?}");
    }
    // The restart finds the balancer in the containers' labels.
    behind.site.run("restart", &[]).expect_code(0);
    behind.site.run("rollback", &[]).expect_code(0);
    load.without_failure();
    assert_eq!(behind.states(), ["web-1 0", "web-2 0"], "nothing stays drained");
    assert_eq!(behind.site.all_outside(2), before);
}

/// A request under way at `number`, which takes `ms`; its answer's body, or what cut it off.
fn slow_request(haproxy: &Haproxy, ms: u32) -> JoinHandle<Result<String, String>> {
    let (address, path) = (haproxy.address.clone(), format!("/slow/{ms}"));
    std::thread::spawn(move || match http::get_within(&address, &path, PATIENCE) {
        Ok(answer) if answer.status == 200 => Ok(answer.body),
        Ok(answer) => Err(answer.status.to_string()),
        Err(error) => Err(error.to_string()),
    })
}

/// Waits until each of the two servers has a session.
fn both_are_busy(haproxy: &Haproxy) {
    wait_until("a session at each server", PATIENCE, || haproxy.sessions() == [1, 1]);
}

#[test]
fn a_request_under_way_is_waited_for_as_long_as_told_and_then_cut() {
    let behind = Behind::new();
    behind.site.run("deploy", &["-f", "v2.yaml"]).expect_code(0);
    let slow = [slow_request(&behind.haproxy, 4000), slow_request(&behind.haproxy, 4000)];
    both_are_busy(&behind.haproxy);
    let out = behind.site.run("restart", &["--json"]).expect_code(0);
    for request in slow {
        assert_eq!(request.join().unwrap().as_deref(), Ok("v2"));
    }
    let told = |kind: &str| out.json_lines().into_iter().filter(|e| e["event"] == kind).collect::<Vec<_>>();
    assert!(
        told("step_progress").iter().any(|e| e["note"] == "1 session"),
        "the session is shown while it is waited for"
    );

    let slow = [slow_request(&behind.haproxy, 60_000), slow_request(&behind.haproxy, 60_000)];
    both_are_busy(&behind.haproxy);
    let before = behind.site.containers();
    let left = behind.site.run("restart", &["--drain-timeout", "300ms", "--on-drain-timeout", "abort"]).expect_code(1);
    assert!(left.stdout.contains("1 session had not ended after 300 ms"), "{}", left.stdout);
    assert_eq!(behind.site.containers(), before);
    assert_eq!(behind.states(), ["web-1 0", "web-2 0"], "it gets requests again");
    both_are_busy(&behind.haproxy);

    let out = behind.site.run("restart", &["--drain-timeout", "300ms"]).expect_code(0);
    assert!(out.stdout.contains("1 session cut after 300 ms"), "{}", out.stdout);
    for request in slow {
        request.join().unwrap().unwrap_err();
    }
    assert_eq!(behind.states(), ["web-1 0", "web-2 0"]);
}

#[test]
fn what_a_person_took_out_stays_out_and_a_balancer_that_is_gone_stops_all() {
    let mut behind = Behind::new();
    behind.site.run("deploy", &["-f", "v2.yaml"]).expect_code(0);
    behind.haproxy.tell("set server web/web-2 state drain");
    let out = behind.site.run("restart", &[]).expect_code(0);
    assert!(out.stdout.contains("taken out by somebody"), "{}", out.stdout);
    assert_eq!(behind.states(), ["web-1 0", "web-2 8"]);

    let before = behind.site.containers();
    behind.haproxy.stop();
    for verb in ["restart", "rm"] {
        let refused = behind.site.run(verb, &[]).expect_code(4);
        assert!(refused.stderr.contains("nothing was touched"), "{}", refused.stderr);
    }
    assert_eq!(behind.site.containers(), before);
    let told = behind.site.run("restart", &["--drain-timeout", "0s"]).expect_code(0);
    assert!(told.stdout.contains("nothing is drained at a load balancer that can't be asked"), "{}", told.stdout);
}

#[test]
fn a_new_version_that_fails_leaves_nothing_drained() {
    let behind = Behind::new();
    behind.file("mute.yaml", &images::never_listens(&behind.site.engine));
    let load = Load::on(&behind.haproxy.address);
    behind.site.run("deploy", &["-f", "mute.yaml", "--ready-timeout", "1s"]).expect_code(1);
    load.without_failure();
    assert_eq!(behind.states(), ["web-1 0", "web-2 0"]);
}

#[test]
fn doctor_tells_what_the_balancer_does_not_know_or_serve() {
    let mut behind = Behind::new();
    behind.site.run("deploy", &["-f", "v2.yaml"]).expect_code(0);
    let doctor = |behind: &Behind| behind.site.pitstop.run(&["doctor"]).stdout;
    assert!(doctor(&behind).contains(&format!("serves all instances of {}", behind.site.web())));
    behind.haproxy.tell("set server web/web-2 state maint");
    assert!(doctor(&behind).contains("no requests for web-2 (MAINT)"), "{}", doctor(&behind));
    behind.haproxy.stop();
    assert!(doctor(&behind).contains("is it running"), "{}", doctor(&behind));
}
