//! The demo: what a newcomer runs first.

use crate::support::daemon::{Options, PrivateDockerd};
use crate::support::docker::Engine;
use crate::support::pitstop::Pitstop;
use crate::support::term::Term;
use crate::tui::journeys::deploy_web;
use std::path::Path;
use std::process::Command;

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

/// The program where no Docker is.
fn nowhere() -> Pitstop {
    Pitstop::without_engine().env("DOCKER_HOST", "unix:///nonexistent/docker.sock")
}

#[test]
fn without_docker_the_console_opens_and_a_deployment_works() {
    let pitstop = nowhere();
    let mut term = pitstop.terminal(120, 36, &["demo"]);
    deploys(&mut term);
    term.keys("<esc>");
    term.wait_for("Last operation");
    // What there is to create is embedded.
    term.keys("C");
    term.wait_for("cafe.yaml");
    term.keys("<esc>");
    term.wait_for_absence("cafe.yaml");
    term.keys("q");
    assert_eq!((term.exit(), term.modes()), (Some(0), (false, true)));
    assert!(term.text().contains("deployed shop/web"), "{}", term.text());
    assert!(!pitstop.run(&["history"]).stdout.contains("shop/web"), "nothing simulated is in the records");
}

/// The console opens, and deploys an app of four.
fn deploys(term: &mut Term) {
    term.wait_for("live");
    term.wait_for("SIMULATED");
    for there in ["shop/web", "shop/api", "tools/rep", "crm/db"] {
        term.wait_for(there);
    }
    deploy_web(term, "1.9");
    term.wait_for("identity kept 4/4");
    term.wait_for("succeeded");
}

/// A root with nothing in it but the program, what its loader needs, and `/tmp`: no Docker, no `/proc`, no `/dev`, no shell.
fn bare_root() -> tempfile::TempDir {
    let root = tempfile::tempdir().expect("a temporary directory");
    let program = env!("CARGO_BIN_EXE_pitstop");
    let linked = Command::new("ldd").arg(program).output().expect("ldd");
    let linked = String::from_utf8(linked.stdout).expect("paths");
    let libraries = linked.split_whitespace().filter(|word| word.starts_with('/'));
    for (from, to) in libraries.map(|path| (path, path)).chain([(program, "/pitstop")]) {
        let to = root.path().join(&to[1..]);
        std::fs::create_dir_all(to.parent().expect("a directory")).expect("a directory");
        std::fs::copy(from, to).expect("a copy");
    }
    std::fs::create_dir(root.path().join("tmp")).expect("a directory");
    root
}

#[test]
fn in_a_root_with_nothing_else_the_console_opens_and_a_deployment_works() {
    let root = bare_root();
    let path = root.path().to_str().expect("a path");
    let env = [("TERM", "xterm-256color"), ("LANG", "C.UTF-8")].map(|(name, value)| (name.into(), value.into()));
    let mut term = Term::start("/usr/sbin/chroot", &[path, "/pitstop", "demo"], &env, Path::new("/"), (120, 36));
    deploys(&mut term);
    term.keys("<esc>");
    term.wait_for("Last operation");
    term.keys("q");
    assert_eq!((term.exit(), term.modes()), (Some(0), (false, true)));
    assert_eq!(std::fs::read_dir(root.path().join("tmp")).expect("tmp").count(), 0, "nothing stays behind");
}

#[test]
fn the_tour_plays_itself_and_ends() {
    let mut term = nowhere().terminal(100, 30, &["demo", "--script", "--speed", "50"]);
    assert_eq!((term.exit(), term.modes()), (Some(0), (false, true)), "{}", term.text());
    for done in ["deployed shop/web", "rolled back shop/web", "restarted tools/report"] {
        assert!(term.text().contains(done), "{done}:\n{}", term.text());
    }
}

#[test]
fn its_engine_can_be_served_to_anybody() {
    let pitstop = nowhere();
    let serving = pitstop.start(&["demo", "--serve"]);
    serving.wait_for_stdout("docker.sock\n");
    let host = serving.stdout().trim().strip_prefix("DOCKER_HOST=").expect("as a shell takes it").to_owned();
    assert!(pitstop.run(&["-H", &host, "ps"]).expect_code(0).stdout.contains("shop/web"));
    serving.signal(rustix::process::Signal::TERM);
    serving.wait().expect_code(0);
    let socket = host.trim_start_matches("unix://");
    assert!(!Path::new(socket).parent().unwrap().exists(), "nothing is left of {socket}");
}

#[test]
fn without_a_terminal_it_says_what_works() {
    let output = nowhere().run(&["demo"]).expect_code(2);
    assert!(output.stderr.contains("needs a terminal") && output.stderr.contains("--serve"), "{}", output.stderr);
    nowhere().run(&["demo", "--docker"]).expect_code(3);
    nowhere().run(&["demo", "--docker", "--down"]).expect_code(2);
    nowhere().run(&["demo", "--speed", "2"]).expect_code(2);
}
