//! A balancer that is restarted in the middle forgets what it was told; that is noticed and set again.

use std::time::{Duration, Instant};

use super::load::Load;
use super::{Behind, PATIENCE};
use crate::support::wait::{try_wait_for, wait_until};

/// After a balancer is back, requests may still fail for so long: those sent to an instance that is just being replaced, until
/// the guard has looked (every 5 ms while it is away, 20 ms otherwise), and what this machine adds.
const WINDOW: Duration = Duration::from_millis(500);

#[test]
fn a_balancer_restarted_at_any_step_is_told_again() {
    let mut behind = Behind::new();
    behind.site.run("deploy", &["-f", "v2.yaml"]).expect_code(0);
    for (round, action) in ["drain", "stop", "start", "ready", "verify", "attach"].into_iter().enumerate() {
        // Each server has a session when the drain begins, so that this step takes its time, too.
        let held: Vec<_> = (0..2).map(|_| super::slow_request(&behind.haproxy, 1_000)).collect();
        let load = Load::on(&behind.haproxy.address);
        let file = if round % 2 == 0 { "v1.yaml" } else { "v2.yaml" };
        let web = behind.site.web();
        let running = behind.site.pitstop.start(&["deploy", &web, "-f", file, "--json"]);
        let instance = format!("{web}-1");
        let begun = |line: &str| {
            let event: serde_json::Value = serde_json::from_str(line).unwrap_or_default();
            // The first step of that action that touches it: the preflight is a `verify`, too.
            event["event"] == "step_started" && event["action"] == action && event["instance"] == instance.as_str()
        };
        let wanted = if action == "verify" { 2 } else { 1 };
        wait_until(action, PATIENCE, || {
            running
                .stdout()
                .split_inclusive('\n')
                .filter(|line| line.ends_with('\n'))
                .filter(|line| begun(line))
                .count()
                >= wanted
        });
        let down = Instant::now();
        behind.haproxy.restart();
        let up = Instant::now();
        let out = running.wait();
        let out = out.expect_code(0);
        // What was under way when it was killed could not be saved by anybody.
        let asked = load.end();
        let begun_before = Duration::from_millis(200);
        let beyond: Vec<_> = asked
            .wrong
            .iter()
            .chain(&asked.reset)
            .filter(|(at, _)| *at + begun_before < down || *at > up + WINDOW)
            .collect();
        assert!(beyond.is_empty(), "restarted in {action}: {beyond:?}\n{}", out.stdout);
        assert!(asked.took.len() > 100, "{} requests are no load", asked.took.len());
        wait_until("nothing drained", PATIENCE, || behind.states() == ["web-1 0", "web-2 0"]);
        for request in held {
            // Cut with the balancer, or answered.
            let _ = request.join().unwrap();
        }
    }
}

#[test]
fn one_that_forgets_while_the_new_version_boots_sends_nothing_there() {
    let mut behind = Behind::new();
    behind.file("slow.yaml", &crate::support::images::slow_boot(&behind.site.engine, "v3", 3_000));
    let web = behind.site.web();
    behind.site.run("deploy", &["-f", "v2.yaml"]).expect_code(0);
    let running = behind.site.pitstop.start(&["deploy", &web, "-f", "slow.yaml", "--json"]);
    wait_until("the boot", PATIENCE, || {
        running.stdout().lines().any(|line| line.contains("\"step_started\"") && line.contains("\"ready\""))
    });
    behind.haproxy.restart();
    let back = try_wait_for(Duration::from_secs(2), || (behind.states() == ["web-1 1", "web-2 0"]).then_some(()));
    let out = running.wait();
    assert!(back.is_some(), "it was not told again: {}", out.stdout);
    let out = out.expect_code(0);
    assert!(out.stdout.contains("was told again"), "and that is said: {}", out.stdout);
    assert_eq!(behind.states(), ["web-1 0", "web-2 0"]);
}
