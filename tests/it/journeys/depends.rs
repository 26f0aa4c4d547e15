//! `depends_on`: independent services side by side, dependents when what they need is there; by the steps' own times.

use pitstop::docker::sandbox_image::GUEST_PATH;
use serde_json::Value;

use super::events::{check, of};
use super::{Site, get};
use crate::support::docker::Engine;
use crate::support::images;

/// When that step of a service's first instance began and ended, in milliseconds since the operation began.
#[track_caller]
fn times(events: &[Value], project: &str, service: &str, action: &str) -> (u64, u64) {
    let name = format!("{project}/{service}-1");
    let at = |kind: &str| {
        let is = |event: &&Value| event["instance"] == name.as_str() && event["action"] == action;
        let found = of(events, kind).into_iter().find(is).unwrap_or_else(|| panic!("no {action} of {name}"));
        found["elapsed_ms"].as_u64().unwrap()
    };
    (at("step_started"), at("step_finished"))
}

#[test]
fn what_is_independent_starts_side_by_side_and_dependents_wait_as_told() {
    let engine = Engine::machine();
    let site = Site::new(&engine);
    let project = site.project.name.clone();
    let (quick, slow) = (images::app(&engine, "v1"), images::slow_boot(&engine, "v1", 2000));
    // A HEALTHCHECK every 30 s: whoever waits for health does not wait for that.
    let healthy = format!("{{test: [CMD, {GUEST_PATH}, probe, 'tcp:8080'], interval: 30s}}");
    let text = format!(
        "name: {project}
services:
  db: {{image: '{slow}', healthcheck: {healthy}}}
  cache: {{image: '{slow}', x-pitstop: {{probe: 'tcp:8080'}}}}
  mail: {{image: '{quick}', x-pitstop: {{probe: 'tcp:8080'}}}}
  api:
    image: '{quick}'
    x-pitstop: {{probe: 'tcp:8080'}}
    depends_on: {{db: {{condition: service_healthy}}, cache: {{condition: service_started}}}}
  web:
    image: '{quick}'
    x-pitstop: {{probe: 'tcp:8080'}}
    depends_on: [api]
"
    );
    site.pitstop.file("compose.yaml", &text);
    let out = site.pitstop.run(&["create", "--json"]).expect_code(0);
    let events = out.json_lines();
    check(&events);
    let of_step = |service: &str, action: &str| times(&events, &project, service, action);
    for service in ["db", "cache", "mail", "api", "web"] {
        let (start, ready) = (of_step(service, "start"), of_step(service, "ready"));
        println!("{service:6} start {:5} to {:5} ms, ready {:5} ms", start.0, start.1, ready.1);
    }
    let finished = events.last().unwrap();
    println!("all in {} ms, one after the other {} ms", finished["took_ms"], finished["serial_ms"]);

    let (db, cache) = (of_step("db", "ready"), of_step("cache", "ready"));
    assert!(cache.0 < db.1 && db.0 < cache.1, "the two slow ones boot at the same time: {db:?} {cache:?}");
    assert!(of_step("mail", "ready").1 < db.1, "nobody waits who depends on nothing");
    let api = of_step("api", "start");
    assert!(api.0 >= db.1, "healthy: {api:?} {db:?}");
    assert!(of_step("api", "create").1 < db.1 && of_step("web", "create").1 < db.1, "prepared meanwhile");
    let web = of_step("web", "start");
    assert!(web.0 >= api.1, "started: {web:?} {api:?}");
    assert!(finished["took_ms"].as_u64() < finished["serial_ms"].as_u64());
    assert!(db.1 < 20_000, "not the HEALTHCHECK's own interval: {db:?}");

    let name = |service: &str| format!("{project}-{service}-1");
    let address =
        engine.inspect(&name("web"))["NetworkSettings"]["Networks"][format!("{project}_default")]["IPAddress"]
            .as_str()
            .unwrap()
            .to_owned();
    assert_eq!(get(&format!("{address}:8080"), "/"), "v1");
    let again = site.pitstop.run(&["create"]).expect_code(0);
    assert!(again.stdout.contains("nothing to do"), "{}", again.stdout);
}

#[test]
fn who_depends_on_what_never_becomes_healthy_is_never_started() {
    let engine = Engine::machine();
    let site = Site::new(&engine);
    let project = site.project.name.clone();
    let (app, mute) = (images::app(&engine, "v1"), images::never_listens(&engine));
    let text = format!(
        "name: {project}\nservices:\n  db: {{image: '{mute}', x-pitstop: {{probe: 'tcp:8080'}}}}\n  web:\n    image: '{app}'\n    depends_on: {{db: {{condition: service_healthy}}}}\n"
    );
    site.pitstop.file("compose.yaml", &text);
    let out = site.pitstop.run(&["create", "--ready-timeout", "1500ms", "--json"]).expect_code(1);
    println!("{}", out.stderr);
    assert!(out.stderr.contains("db-1") && out.stderr.contains("refused"), "{}", out.stderr);
    let started = |event: &&Value| event["action"] == "start" && event["instance"] == format!("{project}/web-1");
    assert!(!of(&out.json_lines(), "step_started").iter().any(started));
    assert_eq!(site.containers(), Vec::<String>::new(), "what was made for a failed creation is taken away again");
}
