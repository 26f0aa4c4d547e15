//! An engine 100 ms away: what is asked of it, and how often.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::support::daemon::{Options, PrivateDockerd};
use crate::support::far::Far;
use crate::support::images;
use crate::support::pitstop::Pitstop;
use crate::support::wait;

const DELAY: Duration = Duration::from_millis(100);

/// As `GET /containers/*/json`, with how often.
fn kinds(requests: &[String]) -> BTreeMap<String, usize> {
    let mut all = BTreeMap::new();
    for request in requests {
        let plain = |part: &str| part.len() >= 32 && part.bytes().all(|b| b.is_ascii_hexdigit());
        let parts: Vec<_> = request.split('/').map(|part| if plain(part) { "*" } else { part }).collect();
        *all.entry(parts.join("/")).or_default() += 1;
    }
    all
}

#[test]
fn a_slow_way_is_used_sparingly() {
    // Nobody else's containers, whose events would be looked at, too.
    let daemon = PrivateDockerd::start(&Options::default());
    let engine = daemon.engine();
    let far = Far::from(&engine, DELAY);
    let (project, pitstop) = (engine.project(), Pitstop::without_engine().env("DOCKER_HOST", far.host.clone()));
    let (one, two) = (images::app(&engine, "v1"), images::app(&engine, "v2"));
    let file = |replicas| super::compose(&one).replace("replicas: 2", &format!("replicas: {replicas}"));
    pitstop.file("compose.yaml", &file(2));
    pitstop.run(&["create", "-p", &project.name]).expect_code(0);
    let app = format!("{}/web", project.name);

    let (began, before) = (Instant::now(), far.connections());
    far.requests();
    let out = pitstop.run(&["deploy", &app, "--image", &two, "--json"]).expect_code(0);
    let asked = far.requests();
    let (took, opened) = (began.elapsed(), far.connections() - before);
    let operation = out.json_lines().pop().unwrap()["took_ms"].clone();
    eprintln!(
        "two instances, 100 ms each way: {operation} ms, {took:?} with all, {} requests over {opened} connections: {:#?}",
        asked.len(),
        kinds(&asked)
    );
    assert!(!asked.iter().any(|request| request.contains("/exec")), "the sandbox was asked: {asked:#?}");
    assert!(asked.len() <= 60, "{} requests", asked.len());
    assert!(opened < asked.len() / 2, "connections are used again: {opened} of {}", asked.len());

    // The console, with few rows and with many.
    for replicas in [2, 8] {
        pitstop.run(&["scale", &format!("{app}={replicas}")]).expect_code(0);
        far.requests();
        let mut term = pitstop.terminal(120, 36, &[]);
        term.wait_for("live");
        term.wait_for(&format!("web-{replicas}"));
        // Relisted once more a second after the first list.
        let settled = wait::try_wait_for(Duration::from_secs(30), || {
            wait::until(Instant::now() + Duration::from_secs(3));
            far.requests().is_empty().then_some(())
        });
        assert!(settled.is_some(), "the console never comes to rest");
        for turn in 0..20 {
            term.type_text(if turn % 2 == 0 { "j" } else { "k" });
            wait::until(Instant::now() + Duration::from_millis(150));
        }
        let asked = far.requests();
        let relists = kinds(&asked).remove("GET /containers/json").unwrap_or_default();
        assert!(asked.len() == relists && relists <= 1, "nothing per frame, key or row: {asked:#?}");

        // One container changes: the one is looked at, whatever there is beside it.
        let name = format!("{}-web-1", project.name);
        let id = engine.inspect(&name)["Id"].as_str().unwrap().to_owned();
        engine.docker(&["rename", &name, &format!("{name}-x")]);
        let mut asked = Vec::new();
        wait::wait_until("a look at it", Duration::from_secs(20), || {
            asked.extend(far.requests());
            asked.iter().any(|request| request.contains(&format!("/containers/{id}/json")))
        });
        engine.docker(&["rename", &format!("{name}-x"), &name]);
        wait::until(Instant::now() + Duration::from_secs(2));
        asked.extend(far.requests());
        let others: Vec<_> =
            asked.iter().filter(|request| !request.contains(&id) && *request != "GET /containers/json").collect();
        assert!(others.is_empty() && asked.len() <= 6, "{replicas} instances: {asked:#?}");
        term.type_text("q");
        assert_eq!(term.exit(), Some(0));
    }
}
