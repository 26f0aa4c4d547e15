//! Instances that go are drained, and those that come take the place that an earlier one left.

use super::balancers::{Behind, Lb};
use super::load::Load;

#[test]
fn scaling_down_and_up_is_noticed_by_nobody_and_the_new_one_serves() {
    for kind in ["haproxy", "caddy"] {
        let behind = Behind::new(kind, 3, true);
        let load = Load::on(behind.lb.address());
        let scale = |count: usize| {
            let target = format!("{}={count}", behind.site.web());
            behind.site.pitstop.run(&["scale", &target, "--json"]).expect_code(0)
        };
        let down = scale(2);
        let done: Vec<_> = down
            .json_lines()
            .iter()
            .filter(|event| event["event"] == "step_finished" && event["result"] == "ok")
            .map(|event| event["action"].as_str().unwrap().to_owned())
            // What it alone has of earlier revisions is handed on first.
            .filter(|action| action != "park")
            .collect();
        assert_eq!(done.first().map(String::as_str), Some("drain"), "{kind}: {done:?}");
        if let Lb::Haproxy(haproxy) = &behind.lb {
            assert_eq!(haproxy.states(), ["web-1 0", "web-2 0", "web-3 1"]);
        }
        scale(3);
        if kind == "caddy" {
            load.without_wrong_answer()
        } else {
            load.without_failure()
        };
        behind.all_serve();
    }
}

#[test]
fn a_removal_that_is_broken_off_in_its_drain_leaves_it_serving() {
    let behind = Behind::new("haproxy", 1, true);
    let Lb::Haproxy(haproxy) = &behind.lb else { panic!() };
    let slow = super::slow_request(haproxy, 60_000);
    crate::support::wait::wait_until("a session", super::PATIENCE, || haproxy.sessions() == [1]);
    let before = behind.site.containers();
    let left = behind.site.run("rm", &["--drain-timeout", "300ms", "--on-drain-timeout", "abort"]).expect_code(1);
    assert!(left.stdout.contains("gets requests again"), "{}", left.stdout);
    assert_eq!((haproxy.states(), behind.site.containers()), (vec!["web-1 0".to_owned()], before));
    behind.site.run("rm", &["--drain-timeout", "300ms"]).expect_code(0);
    slow.join().unwrap().unwrap_err();
    assert_eq!(behind.site.containers(), Vec::<String>::new());
}
