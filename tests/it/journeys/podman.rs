//! The same on Podman, which answers in Docker's words: what works there, and what is said to be different.

use super::{Site, get};
use crate::support::images;
use crate::support::podman::Podman;

#[test]
fn an_app_lives_its_life_on_podman() {
    let podman = Podman::start();
    let engine = podman.engine();
    let (v1, v2) = (images::app(&engine, "v1"), images::app(&engine, "v2"));
    let site = Site::new(&engine);
    let name = &site.project.name;
    site.pitstop.file(
        "compose.yaml",
        &format!(
            "name: {name}\nservices:\n  web:\n    image: {v1}\n    scale: 2\n    networks: [front]\n    \
             x-pitstop: {{probe: 'http:8080/'}}\nnetworks: {{front: {{}}}}\n"
        ),
    );
    site.pitstop.run(&["create", "-q"]).expect_code(0);
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
