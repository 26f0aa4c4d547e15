//! The simulated engine, through all of pitstop's own code and the built program.

use pitstop::docker::{Docker, Location};

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
    assert_eq!(web.networks["shop_default"].ipv4.as_deref(), Some("10.7.0.2"));
    assert_eq!(web.networks["shop_default"].mac.as_deref(), Some("02:42:0a:07:00:02"));
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
