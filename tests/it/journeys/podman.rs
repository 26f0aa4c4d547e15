//! The same on Podman, which answers in Docker's words: what works there, and what is said to be different.

use super::{Site, get, outside};
use crate::support::docker::Engine;
use crate::support::images;
use crate::support::podman::Podman;

/// An app `web` of so many instances of `image` on a network of its own.
fn open(engine: &Engine, image: &str, replicas: usize) -> Site {
    let site = Site::new(engine);
    let name = &site.project.name;
    site.pitstop.file(
        "compose.yaml",
        &format!(
            "name: {name}\nservices:\n  web:\n    image: {image}\n    scale: {replicas}\n    networks: [front]\n    \
             volumes: ['data:/data']\n    x-pitstop: {{probe: 'http:8080/'}}\nnetworks: {{front: {{}}}}\nvolumes: {{data: {{}}}}\n"
        ),
    );
    site.pitstop.run(&["create", "-q"]).expect_code(0);
    site
}

#[test]
fn what_belongs_to_an_app_s_life_works_on_podman() {
    let Some(podman) = Podman::if_there() else { return };
    let engine = podman.engine();
    let (v1, v2) = (images::app(&engine, "v1"), images::app(&engine, "v2"));
    let site = open(&engine, &v1, 1);
    let web = site.web();
    let before = site.outside(1);

    let scale = |count: usize| site.pitstop.run(&["scale", &format!("{web}={count}"), "-q"]).expect_code(0);
    scale(3);
    assert_eq!(get(&site.outside(3).address(), "/"), "v1");
    scale(1);
    assert_eq!(engine.containers(&site.project.name).len(), 2, "one sandbox, one app container");
    let out = site.run("logs", &[]).expect_code(0);
    assert!(out.stdout.contains("serving v1"), "{}", out.stdout);
    let out = site.run("ps", &["--json"]).expect_code(0);
    assert!(out.stdout.contains(&before.networks.values().next().unwrap().0), "{}", out.stdout);

    // Its sandbox is stopped and started by hand: the same address and MAC address, and what sits in the old namespace is mended.
    engine.docker(&["stop", &site.app(1)]);
    engine.docker(&["restart", "-t", "1", &site.sandbox(1)]);
    site.pitstop.run(&["repair", &web]).expect_code(0);
    assert_eq!(site.outside(1).networks, before.networks);
    assert_eq!(get(&before.address(), "/"), "v1");

    // New instances first, at other addresses.
    site.run("deploy", &["--image", &v2, "--surge"]).expect_code(0);
    assert_eq!(get(&site.outside(2).address(), "/"), "v2");
    let history = site.run("history", &[]).expect_code(0).stdout;
    assert!(history.contains("repair") && history.contains("deploy"), "{history}");
    site.run("rm", &["--yes", "--volumes"]).expect_code(0);
    assert_eq!(site.project.traces().unwrap(), [""; 0], "nothing is left");
}

#[test]
fn a_plain_container_is_adopted_on_podman_or_runs_as_before() {
    let Some(podman) = Podman::if_there() else { return };
    let engine = podman.engine();
    let site = Site::new(&engine);
    let (name, image) = (&site.project.name, images::app(&engine, "v1"));
    let (net, old) = (format!("{name}-net"), format!("{name}-old"));
    engine.docker(&["network", "create", &net]);
    engine.docker(&["run", "-d", "--network", &net, "--restart", "always", "--name", &old, "-e", "TOKEN=x", &image]);
    let was = outside(&engine, &old);

    let args = ["adopt", &old, "-p", name, "--probe", "tcp:9999", "--ready-timeout", "700ms"];
    site.pitstop.run(&args).expect_code(1);
    let again = outside(&engine, &old);
    assert_eq!(again.sandbox, was.sandbox, "the original runs");
    assert_eq!(get(&again.address(), "/"), "v1");

    let dry = site.pitstop.run(&["adopt", &old, "-p", name, "--dry-run"]).expect_code(0);
    assert!(dry.stdout.contains(again.addresses()[net.as_str()]), "{}", dry.stdout);
    site.pitstop.run(&["adopt", &old, "-p", name, "--probe", "tcp:8080"]).expect_code(0);
    let sandbox = outside(&engine, &format!("{name}-{old}-1"));
    assert_eq!(sandbox.addresses(), again.addresses());
    let app = format!("{name}/{old}");
    site.pitstop.run(&["deploy", &app, "--image", &images::app(&engine, "v2"), "--probe", "tcp:8080"]).expect_code(0);
    assert_eq!(get(&sandbox.address(), "/"), "v2");
    assert_eq!(outside(&engine, &format!("{name}-{old}-1")), sandbox);
}

#[test]
fn an_app_lives_its_life_on_podman() {
    let Some(podman) = Podman::if_there() else { return };
    let engine = podman.engine();
    let (v1, v2) = (images::app(&engine, "v1"), images::app(&engine, "v2"));
    let site = open(&engine, &v1, 2);
    let name = &site.project.name;
    let before = site.all_outside(2);
    let answers = |version: &str| {
        let after = site.all_outside(2);
        assert_eq!(after, before, "address, namespace, host name and sandbox stay");
        for one in &after {
            assert_eq!(get(&one.address(), "/"), version);
        }
    };
    answers("v1");
    site.run("deploy", &["--image", &v2]).expect_code(0);
    answers("v2");
    site.run("restart", &[]).expect_code(0);
    answers("v2");
    site.run("rollback", &[]).expect_code(0);
    answers("v1");
    // Held back it can't be there, and a version that is no good is taken back as everywhere.
    let out = site.run("deploy", &["--image", &v2, "--warm", "bind"]).expect_code(4);
    assert!(out.stderr.contains("Podman"), "{}", out.stderr);
    let out = site.run("deploy", &["--image", &v2, "--warm", "auto"]).expect_code(0);
    assert!(out.stdout.contains("not warm: Podman"), "{}", out.stdout);
    answers("v2");
    let bad = images::serve(&engine, "bad", "bad", &["--never-listen"]);
    site.run("deploy", &["--image", &bad, "--ready-timeout", "2s"]).expect_code(1);
    answers("v2");
    let said = site.pitstop.run(&["doctor"]).stdout;
    assert!(said.contains("Podman "), "{said}");
    site.run("rm", &["--yes"]).expect_code(0);
    assert_eq!(engine.containers(name), [""; 0]);
}
