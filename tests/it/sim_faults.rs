//! The simulated engine goes wrong exactly as told, and is itself again afterwards.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use pitstop::sim::{Fault, Seen, When};
use serde_json::{Value, json};

use crate::support::sim::Served;
use crate::support::wait::wait_until;

const PATIENCE: Duration = Duration::from_secs(60);

const WORLD: &str = r#"
[[images]]
name = "web:1"
behaviour = { port = 8080 }

[[networks]]
name = "net"
subnet = "10.9.0.0/24"

[[apps]]
project = "shop"
app = "web"
image = "web:1"
instances = 2
network = "net"
address = "10.9.0.200"
probe = "tcp:8080"
revision = 1

[[containers]]
name = "plain"
image = "web:1"
network = "net"
restart = "always"
[[containers]]
name = "once"
image = "web:1"
network = "net"
"#;

fn create(served: &Served, name: &str) -> std::io::Result<(u16, Value)> {
    served.ask("POST", &format!("/containers/create?name={name}"), &json!({"Image": "web:1"}))
}

#[test]
fn each_fault_is_what_its_client_sees_and_what_is_done() {
    let served = Served::new(WORLD);
    let control = served.control();
    let there = |name: &str| control.world().contains_key(name);
    let creation = || When::request("POST", "/containers/create");

    control.on(creation(), Fault::EofBefore);
    create(&served, "eof-before").unwrap_err();
    control.on(creation(), Fault::EofAfter);
    create(&served, "eof-after").unwrap_err();
    assert_eq!((there("eof-before"), there("eof-after")), (false, true));

    control.on(creation(), Fault::RefuseBefore(503));
    assert_eq!(create(&served, "refused").unwrap().0, 503);
    control.on(creation(), Fault::RefuseAfter(500));
    assert_eq!(create(&served, "refused-after").unwrap().0, 500);
    assert_eq!((there("refused"), there("refused-after")), (false, true));

    control.on(creation(), Fault::Garbled);
    let (status, body) = create(&served, "garbled").unwrap();
    assert!(status == 201 && body.is_string() && there("garbled"), "{body}");

    control.disk_full(true);
    let (status, body) = create(&served, "full").unwrap();
    assert!(status == 500 && body["message"].as_str().unwrap().contains("no space left on device"), "{body}");
    control.disk_full(false);
    assert_eq!(create(&served, "full").unwrap().0, 201);

    control.on(When::request("GET", "/_ping"), Fault::Hold);
    std::thread::scope(|scope| {
        let held = scope.spawn(|| served.ask("GET", "/_ping", &Value::Null).unwrap().0);
        let ping = || control.requests().into_iter().find(|asked| asked.path == "/_ping");
        wait_until("the held request", PATIENCE, || ping().is_some());
        assert_eq!(ping().unwrap().status, None);
        // It may have been written down and not be waiting yet.
        wait_until("the released request", PATIENCE, || {
            control.release();
            ping().unwrap().status.is_some()
        });
        assert_eq!(held.join().unwrap(), 200);
    });
    let mutations: Vec<_> = control.requests().into_iter().filter(|asked| asked.mutating).collect();
    assert_eq!(mutations.len(), 7);
    assert_eq!(mutations[2].fault, Some(Fault::RefuseBefore(503)));
}

fn back(served: &Served) -> BTreeMap<String, Seen> {
    wait_until("the engine's return", PATIENCE, || served.control().returns() == 1);
    served.control().world()
}

#[test]
fn without_live_restore_its_death_ends_all_and_policies_bring_back_what_they_can() {
    let served = Served::new(WORLD);
    let before = served.control().world();
    served.control().on(When::mutating(1), Fault::DieAfter(Duration::from_millis(20)));
    create(&served, "last-words").unwrap_err();
    let after = back(&served);
    assert!(after.contains_key("last-words"));
    assert_eq!((after["once"].status, after["once"].exit_code), ("exited", 137));
    for name in ["shop-web-1", "shop-web-2", "plain"] {
        assert_eq!((after[name].status, after[name].runs), ("running", 2), "{name}");
        assert_ne!(after[name].netns, before[name].netns);
    }
    for (name, last) in [("shop-web-1", 200), ("shop-web-2", 201)] {
        assert_eq!(after[name].addresses["net"], Ipv4Addr::new(10, 9, 0, last));
        // An app is started after its sandbox or not at all: nobody promised an order.
        let app = &after[&format!("{name}.r1")];
        match app.status {
            "running" => assert_eq!(app.netns, after[name].netns),
            other => assert_eq!((other, app.exit_code), ("exited", 137)),
        }
    }
}

#[test]
fn with_live_restore_containers_do_not_notice() {
    let served = Served::new(&format!("live_restore = true\n{WORLD}"));
    let before = served.control().world();
    served.control().on(When::mutating(1), Fault::DieBefore(Duration::from_millis(20)));
    create(&served, "never").unwrap_err();
    assert_eq!(back(&served), before);
}

#[test]
fn an_app_of_a_sandbox_that_restarted_is_left_in_the_old_namespace() {
    let served = Served::new(WORLD);
    let before = served.control().world();
    served.control().crash("shop-web-1", 1);
    wait_until("the sandbox's return", PATIENCE, || served.control().world()["shop-web-1"].runs == 2);
    let after = served.control().world();
    assert_eq!(after["shop-web-1.r1"], before["shop-web-1.r1"]);
    assert_ne!(after["shop-web-1"].netns, after["shop-web-1.r1"].netns);
    assert_eq!(after["shop-web-1"].addresses, before["shop-web-1"].addresses);
}
