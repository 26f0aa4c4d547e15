//! Engines on other machines, for real: a dockerd with TLS and an sshd, both of one's own and on loopback.
#![allow(clippy::print_stderr)] // figures are told

mod far;
mod ssh;
mod tls;

use crate::support::docker::{Engine, Project};
use crate::support::images;
use crate::support::pitstop::Pitstop;

/// Two instances created, deployed and restarted through `pitstop`, and what they are looked at directly.
#[track_caller]
fn a_day(pitstop: &Pitstop, engine: &Engine, project: &Project) {
    let (one, two) = (images::app(engine, "v1"), images::app(engine, "v2"));
    pitstop.file("compose.yaml", &compose(&one));
    pitstop.run(&["create", "-p", &project.name]).expect_code(0);
    let app = format!("{}/web", project.name);
    let out = pitstop.run(&["deploy", &app, "--image", &two, "--json"]).expect_code(0);
    let finished = out.json_lines().pop().unwrap();
    eprintln!("a deployment of two instances took {} ms", finished["took_ms"]);
    let running = engine.docker(&["ps", "--filter", &format!("ancestor={two}"), "--format", "{{.Names}}"]);
    let ours = running.lines().filter(|name| name.starts_with(&*project.name)).count();
    assert_eq!(ours, 2, "{running}");
    pitstop.run(&["restart", &app]).expect_code(0);
    pitstop.run(&["rm", &app, "--yes"]).expect_code(0);
}

fn compose(image: &str) -> String {
    format!(
        "services:\n  web:\n    image: {image}\n    deploy: {{replicas: 2}}\n    x-pitstop: {{probe: 'http:8080/'}}\n"
    )
}
