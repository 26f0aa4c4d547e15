//! The simulated engine, through all of pitstop's own code and the built program.

use pitstop::docker::{Docker, Location};
use pitstop::sim::Scenario;
use serde_json::{Value, json};

use crate::support::pitstop::Pitstop;
use crate::support::sim::Served;

/// A web server that is there at once, and a container of it that compose made.
const PLAIN: &str = r#"
name = "pit"
cpus = 6

[[images]]
name = "shop/web:v1"
behaviour = { port = 8080 }

[[networks]]
name = "shop_default"
subnet = "10.7.0.0/24"

[[containers]]
name = "shop_web_1"
image = "shop/web:v1"
network = "shop_default"
restart = "always"
labels = { "com.docker.compose.project" = "shop", "com.docker.compose.service" = "web", "com.docker.compose.container-number" = "1" }

[[containers]]
name = "lonely"
image = "shop/web:v1"
exited = 3
"#;

#[test]
fn what_a_scenario_has_is_seen_by_a_session_and_by_the_program() {
    let served = Served::new(PLAIN);
    let seen = served.block_on(async {
        let docker = Docker::connect(&Location::at(served.host())).await.unwrap();
        assert_eq!((docker.info().name.as_str(), docker.info().cpus), ("pit", 6));
        docker.detailed(docker.list().await.unwrap()).await.unwrap()
    });
    let web = seen.iter().find(|seen| &*seen.name == "shop_web_1").unwrap();
    assert_eq!(web.networks.get("shop_default").unwrap().ipv4.as_deref(), Some("10.7.0.2"));
    assert_eq!(web.networks.get("shop_default").unwrap().mac.as_deref(), Some("02:42:0a:07:00:02"));
    let lonely = seen.iter().find(|seen| &*seen.name == "lonely").unwrap();
    assert_eq!(lonely.detail.as_ref().unwrap().exit_code, 3);

    let host = served.host();
    let table = Pitstop::without_engine().run(&["-H", &host, "ps"]).expect_code(0).stdout;
    assert!(table.contains("shop") && table.contains("10.7.0.2"), "{table}");
    let again = Pitstop::without_engine().run(&["-H", &host, "ps", "--json"]).expect_code(0);
    assert!(!again.json_lines().is_empty());

    drop(served);
    Pitstop::without_engine().run(&["-H", &host, "ps"]).expect_code(3);
}

/// Images that are quick, slow, mute, dying and stubborn; the slow one has to be pulled.
const IMAGES: &str = r#"
[latency]
start = 30
start_joined = 10
stop = 5
create = 2
pull_step = 2

[[images]]
name = "shop/web:v1"
behaviour = { port = 8080, ready_ms = 20, log_every_ms = 50 }
[[images]]
name = "shop/web:v2"
remote = true
size = 50000000
behaviour = { port = 8080, ready_ms = 60 }
[[images]]
name = "shop/web:mute"
behaviour = { port = 8080, mute = true }
[[images]]
name = "shop/web:dies"
behaviour = { port = 8080, ready_ms = 60000, lives_ms = 40, exit_code = 3, last_words = "no database" }
[[images]]
name = "shop/web:stubborn"
behaviour = { port = 8080, stubborn = true }
"#;

const COMPOSE: &str = "name: shop\nservices:\n  web:\n    image: shop/web:v1\n    scale: 3\n    environment: {TOKEN: hunter2}\n    volumes: ['data:/data']\n    x-pitstop: {probe: 'tcp:8080'}\nvolumes: {data: {}}\n";

/// Instances of `shop/web` as `ps` shows them.
fn instances(pitstop: &Pitstop) -> Vec<Value> {
    let shown = pitstop.run(&["ps", "shop/web", "--json"]).expect_code(0).json_lines();
    shown[0]["apps"][0]["instances"].as_array().cloned().unwrap_or_default()
}

/// What must not change when an app is deployed: name, sandbox, address.
fn identities(instances: &[Value]) -> Vec<[Value; 3]> {
    let of = |one: &Value| [one["name"].clone(), one["sandbox_id"].clone(), one["addresses"].clone()];
    instances.iter().map(of).collect()
}

fn images(instances: &[Value]) -> Vec<&str> {
    instances.iter().map(|one| one["image"].as_str().unwrap_or_default()).collect()
}

#[test]
fn an_app_lives_its_whole_life_on_it() {
    let served = Served::new(IMAGES);
    let pitstop = served.pitstop();
    pitstop.file("compose.yaml", COMPOSE);
    pitstop.run(&["create"]).expect_code(0);
    let at_first = instances(&pitstop);
    assert_eq!(images(&at_first), ["shop/web:v1"; 3]);

    pitstop.run(&["deploy", "shop/web", "--image", "shop/web:v2"]).expect_code(0);
    let deployed = instances(&pitstop);
    assert_eq!(images(&deployed), ["shop/web:v2"; 3]);
    assert_eq!(identities(&deployed), identities(&at_first));
    assert!(deployed.iter().all(|one| one["identity"] == "kept" && one["ready"] == true), "{deployed:?}");

    let failed = pitstop.run(&["deploy", "shop/web", "--image", "shop/web:dies"]);
    assert!(failed.code == Some(1) && failed.stderr.contains("no database"), "{failed:?}");
    assert_eq!(images(&instances(&pitstop)), ["shop/web:v2"; 3]);

    pitstop.run(&["restart", "shop/web"]).expect_code(0);
    assert_eq!(identities(&instances(&pitstop)), identities(&at_first));
    pitstop.run(&["rollback", "shop/web"]).expect_code(0);
    assert_eq!(images(&instances(&pitstop)), ["shop/web:v1"; 3]);
    pitstop.run(&["scale", "shop/web=4"]).expect_code(0);
    assert_eq!(instances(&pitstop).len(), 4);
    let logs = pitstop.run(&["logs", "shop/web"]).expect_code(0).stdout;
    assert!(logs.contains("listening on port 8080"), "{logs}");
    pitstop.run(&["rm", "shop/web", "--volumes", "--yes"]).expect_code(0);
    assert_eq!(pitstop.run(&["ps", "--json"]).json_lines()[0]["apps"], json!([]));
}

#[test]
fn the_demo_s_engine_has_apps_of_every_kind_and_its_next_versions_can_be_deployed() {
    let served = Served::with(Scenario::demo().unwrap());
    let pitstop = served.pitstop();
    let shown = pitstop.run(&["ps", "--json"]).expect_code(0).json_lines().remove(0);
    let apps = shown["apps"].as_array().unwrap();
    let of = |app: &Value| app["instances"].as_array().unwrap().clone();
    let managed: Vec<_> = apps.iter().filter(|app| of(app)[0]["sandbox_id"].is_string()).collect();
    assert_eq!((managed.len(), managed.iter().map(|app| of(app).len()).sum::<usize>()), (5, 13), "{shown}");
    let trouble: Vec<_> = managed.iter().flat_map(|app| of(app)).filter(|one| one["state"] != "running").collect();
    assert_eq!((trouble.len(), &trouble[0]["name"]), (1, &json!("tools/report-2")), "{trouble:?}");
    let kept = |one: &Value| one["identity"] == "kept";
    assert!(managed.iter().flat_map(|app| of(app)).all(|one| kept(&one) || one["state"] != "running"), "{shown}");
    let volumes = |one: &Value| one["volumes"].as_object().is_some_and(|volumes| !volumes.is_empty());
    assert!(managed.iter().flat_map(|app| of(app)).all(|one| volumes(&one)), "{shown}");
    let healthy = apps.iter().flat_map(of).filter(|one| one["health"] == "healthy").count();
    assert_eq!(healthy, 3 + 2 + 1, "api, ghost and the CRM's database are asked by the engine: {shown}");
    assert!(!shown.to_string().contains("51c0ffee"), "{shown}");
    let before = identities(&of(managed.iter().find(|app| app["app"] == "web").unwrap()));

    let deploy = ["deploy", "shop/web", "--image", "registry.paddock.lan/shop/web:1.9"];
    pitstop.run(&[&deploy[..], &["--batch", "2"]].concat()).expect_code(0);
    let shown = pitstop.run(&["ps", "shop/web", "--json"]).expect_code(0).json_lines().remove(0);
    let after = of(&shown["apps"][0]);
    assert_eq!(identities(&after), before);
    assert_eq!(images(&after), [deploy[3]; 4]);
    let logs = pitstop.run(&["logs", "shop/web"]).expect_code(0).stdout;
    assert!(logs.contains("ready, listening on port 8080"), "{logs}");
}
