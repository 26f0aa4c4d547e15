//! Changes that a sandbox can't take on: refused with the reason, done when allowed, taken back when they fail. And what an
//! address is made of: several networks, IPv6, the file's own wishes.

use serde_json::Value;

use super::events::check;
use super::{Site, get};
use crate::support::docker::Engine;
use crate::support::images;
use crate::support::ports::free_ports;

#[test]
fn a_change_of_ports_needs_leave_and_keeps_the_pinned_address() {
    let engine = Engine::machine();
    let v1 = images::app(&engine, "v1");
    let site = Site::open(&engine, &v1, 2);
    let (before, containers) = (site.all_outside(2), site.containers());
    let first = free_ports(2);
    let ports = format!("    ports: ['127.0.0.1:{first}-{}:8080']\n", first + 1);
    site.file("ports.yaml", &v1, 2, &ports);
    let out = site.run("deploy", &["-f", "ports.yaml"]).expect_code(4);
    assert!(out.stderr.contains("ports") && out.stderr.contains("--allow-recreate"), "{}", out.stderr);
    assert_eq!((site.all_outside(2), site.containers()), (before.clone(), containers.clone()));

    // It fails half-way: the old sandbox has its name, its address and its app back.
    site.file("wrong.yaml", &v1, 2, &format!("{ports}    entrypoint: ['/no/such/program']\n"));
    let out = site.run("deploy", &["-f", "wrong.yaml", "--allow-recreate", "--json"]).expect_code(1);
    assert!(out.stderr.contains("/no/such/program") && out.stderr.contains("next: "), "{}", out.stderr);
    check(&out.json_lines());
    assert_eq!(site.containers(), containers);
    for (before, now) in before.iter().zip(&site.all_outside(2)) {
        assert_eq!((&now.sandbox, &now.networks, &now.ports), (&before.sandbox, &before.networks, &before.ports));
        assert_eq!(get(&now.address(), "/"), "v1");
    }

    let out = site.run("deploy", &["-f", "ports.yaml", "--allow-recreate", "--json"]);
    check(&out.json_lines());
    assert!(matches!(out.code, Some(0 | 6)), "{out:?}");
    for (number, before) in (0..).zip(&before) {
        let now = site.outside(usize::from(number) + 1);
        assert_ne!(now.sandbox, before.sandbox);
        assert_eq!((&now.networks, &now.hostname), (&before.networks, &before.hostname));
        assert_eq!(get(&format!("127.0.0.1:{}", first + number), "/hostname"), now.hostname);
    }
    assert_eq!(site.containers().len(), 4, "{:?}", site.containers());
}

#[test]
fn every_network_and_both_kinds_of_address_stay() {
    let engine = Engine::machine();
    let (v1, v2) = (images::app(&engine, "v1"), images::app(&engine, "v2"));
    let site = Site::new(&engine);
    let (project, unlike) = (&site.project.name, std::process::id());
    let text = format!(
        "name: {project}\nservices:\n  web:\n    image: {v1}\n    scale: 2\n    hostname: fixed.example\n    networks: {{front: {{aliases: [shop]}}, back: {{}}}}\n    x-pitstop: {{probe: 'http:8080/health'}}\nnetworks:\n  front: {{enable_ipv6: true, ipam: {{config: [{{subnet: 'fd{:02x}:{:x}::/64'}}]}}}}\n  back: {{internal: true}}\n",
        unlike & 0xff,
        unlike >> 8 & 0xffff
    );
    site.pitstop.file("compose.yaml", &text);
    site.pitstop.run(&["create", "-q"]).expect_code(0);
    let look = |number: usize| {
        let networks = engine.inspect(&site.sandbox(number))["NetworkSettings"]["Networks"].clone();
        let fields = ["IPAddress", "GlobalIPv6Address", "MacAddress", "Aliases"];
        let of = |end: &Value| fields.map(|field| end[field].clone());
        networks.as_object().unwrap().iter().map(|(name, end)| (name.clone(), of(end))).collect::<Vec<_>>()
    };
    let before = ([1, 2].map(look), site.all_outside(2));
    let [back, front] = &before.0[0][..] else { panic!("{:?}", before.0) };
    assert!(front.1[1].as_str().unwrap().starts_with("fd") && front.1[3].to_string().contains("shop"), "{front:?}");
    assert!(back.1[1] == "" && before.1[0].hostname == "fixed.example", "{before:?}");

    let out = site.run("deploy", &["--image", &v2, "--json"]).expect_code(0);
    check(&out.json_lines());
    assert_eq!(([1, 2].map(look), site.all_outside(2)), before);
    for outside in &before.1 {
        for (address, _) in outside.networks.values() {
            assert_eq!(get(&format!("{address}:8080"), "/"), "v2");
        }
    }
    site.run("restart", &[]).expect_code(0);
    assert_eq!(([1, 2].map(look), site.all_outside(2)), before);
    // A sandbox that goes down and comes up again asks for the same on every network.
    engine.docker(&["stop", "-t", "1", &site.sandbox(1)]);
    site.run("restart", &[]).expect_code(0);
    assert_eq!([1, 2].map(look), before.0);
    site.run("rm", &[]).expect_code(0);
    assert_eq!(site.project.traces().unwrap(), Vec::<String>::new());
}
