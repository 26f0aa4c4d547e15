//! The engine goes away and comes back without live-restore: who keeps the address, and who tells the truth.

use super::{Site, outside};
use crate::support::daemon::{Options, PrivateDockerd};
use crate::support::images;
use crate::support::wait::{wait_for, wait_until};
use std::time::Duration;

const REPLICAS: usize = 4;

#[test]
fn pinned_addresses_survive_the_engine_and_a_restart_mends_the_apps() {
    let mut daemon = PrivateDockerd::start(&Options::default());
    let engine = daemon.engine();
    let image = images::app(&engine, "v1");
    let site = Site::new(&engine);
    site.file("compose.yaml", &image, REPLICAS, "    restart: unless-stopped\n");
    site.pitstop.run(&["create", "-q"]).expect_code(0);
    let network = format!("{}_front", site.project.name);
    for number in 0..REPLICAS {
        let name = format!("{}-plain{number}", site.project.name);
        engine.docker(&["run", "-d", "--restart", "unless-stopped", "--network", &network, "--name", &name, &image]);
    }
    let before = site.all_outside(REPLICAS);
    // Two of the apps are not brought back by the engine.
    engine.docker(&["update", "--restart", "no", &site.app(1), &site.app(2)]);

    daemon.restart();
    let running = |name: &str| engine.inspect(name)["State"]["Running"] == true;
    let names: Vec<_> = (1..=REPLICAS).map(|number| site.sandbox(number)).collect();
    wait_until("the sandboxes", Duration::from_secs(60), || names.iter().all(|name| running(name)));
    for (before, name) in before.iter().zip(&names) {
        let now = outside(&engine, name);
        assert_eq!((&before.sandbox, &before.networks), (&now.sandbox, &now.networks), "{name} is where it was");
    }
    // Each app container is back in the right namespace, in a dead one, or down; `ps` must tell which.
    for number in 1..=REPLICAS {
        let app = format!("{}.r1", site.sandbox(number));
        // The engine may still be starting it: told and seen have to be of one moment.
        let (told, seen) = wait_for("a quiet moment", Duration::from_secs(30), || {
            let seen = engine.inspect(&app);
            let told = site.told(number);
            (engine.inspect(&app) == seen).then_some((told, seen))
        });
        let running = seen["State"]["Running"] == true;
        let serves = running && engine.netns(&app) == engine.netns(&site.sandbox(number));
        assert_eq!((&told["state"], &told["ready"]), (&seen["State"]["Status"], &serves.into()), "{told}");
        assert_eq!(told["identity"] == "orphaned", running && !serves, "{told}");
        assert!(number > 2 || !running, "{app} came back by itself");
    }

    let out = site.run("restart", &[]).expect_code(0);
    assert!(out.stdout.contains("kept"), "{}", out.stdout);
    let after = site.all_outside(REPLICAS);
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(
            (&before.sandbox, &before.networks, &before.hostname),
            (&after.sandbox, &after.networks, &after.hostname)
        );
        let address = after.address();
        assert_eq!(daemon.inside(|| super::get(&address, "/")), "v1");
    }
}
