//! The demo: what a newcomer runs first.

use crate::support::daemon::{Options, PrivateDockerd};
use crate::support::docker::Engine;
use crate::support::pitstop::Pitstop;

/// Everything that an engine holds by name.
fn inventory(engine: &Engine) -> Vec<String> {
    let lists: [&[&str]; 4] = [
        &["ps", "-a", "--format", "container {{.Names}} {{.ID}}"],
        &["network", "ls", "--format", "network {{.Name}} {{.ID}}"],
        &["volume", "ls", "--format", "volume {{.Name}}"],
        &["images", "--format", "image {{.Repository}}:{{.Tag}} {{.ID}}"],
    ];
    let mut all: Vec<String> =
        lists.iter().flat_map(|list| engine.docker(list).lines().map(str::to_owned).collect::<Vec<_>>()).collect();
    all.retain(|line| !line.contains("pitstop-sandbox"));
    all.sort();
    all
}

#[test]
fn on_an_engine_it_comes_deploys_and_goes_without_a_trace() {
    let daemon = PrivateDockerd::start(&Options::default());
    let engine = daemon.engine();
    let pitstop = Pitstop::on(&engine);
    // Somebody's own things on the same engine, made of the demo's image too, outlive it.
    pitstop.run(&["demo", "--docker"]).expect_code(0);
    engine.docker(&["run", "-d", "--name", "somebodys", "pitstop-demo/web:v1"]);
    let first = pitstop.run(&["demo", "--down"]).expect_code(0);
    assert!(first.stderr.contains("pitstop-demo/web:v1"), "what is used stays, and is told: {}", first.stderr);
    let before = inventory(&engine);
    assert!(before.iter().any(|line| line.starts_with("container somebodys ")), "{before:?}");
    assert!(!before.iter().any(|line| line.contains("demo-")), "{before:?}");

    let up = pitstop.run(&["demo", "--docker"]).expect_code(0);
    assert!(up.stdout.contains("pitstop demo --down"), "{}", up.stdout);
    let there = pitstop.run(&["ps"]).expect_code(0).stdout;
    for app in ["demo-shop/web", "demo-shop/api", "demo-shop/mail", "demo-bank/ledger", "demo-legacy-cron"] {
        assert!(there.contains(app), "{app}:\n{there}");
    }
    pitstop.run(&["deploy", "demo-shop/web", "--image", "pitstop-demo/web:v2", "-q"]).expect_code(0);
    // Asked for again, it is put right and nothing is made twice.
    pitstop.run(&["demo", "--docker", "--read-only"]).expect_code(4);
    pitstop.run(&["demo", "--down"]).expect_code(0);
    assert_eq!(inventory(&engine), before);
    pitstop.run(&["demo", "--down"]).expect_code(0);
}
