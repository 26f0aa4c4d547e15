//! The engine's disk is full: that costs no instance, because it shows before the first stop.

use crate::journeys::{Site, get};
use crate::support::daemon::{Options, PrivateDockerd};
use crate::support::images;

#[test]
fn a_full_disk_costs_no_instance() {
    let daemon = PrivateDockerd::start(&Options { disk_mb: Some(96), ..Options::default() });
    let engine = daemon.engine();
    let images = ["v1", "v2"].map(|version| images::app(&engine, version));
    let site = Site::open(&engine, &images[0], 2);
    let (before, containers) = (site.all_outside(2), site.containers());
    let started = |number| engine.inspect(&site.app(number))["State"]["StartedAt"].clone();
    let running = [started(1), started(2)];

    let filler = daemon.fill_disk();
    for (verb, args) in [("restart", &[][..]), ("deploy", &["--image", &images[1]][..])] {
        let out = site.run(verb, args).expect_code(1);
        assert!(out.stderr.contains("no space left on device"), "{verb}: {}", out.stderr);
        assert_eq!([started(1), started(2)], running, "{verb} stopped nothing");
        assert_eq!((site.all_outside(2), site.containers()), (before.clone(), containers.clone()), "{verb}");
    }

    std::fs::remove_file(filler).unwrap();
    site.run("deploy", &["--image", &images[1], "-q", "--wait-lock", "1m"]).expect_code(0);
    assert_eq!(site.all_outside(2), before);
    for outside in &before {
        assert_eq!(daemon.inside(|| get(&outside.address(), "/")), "v2");
    }
}
