//! Creation side by side: the figure that shows it.

use super::Site;
use super::events::check;
use crate::support::daemon::{Options, PrivateDockerd};
use crate::support::images;
use crate::support::registry::Registry;

#[test]
fn eight_instances_are_made_while_their_image_is_pulled() {
    let daemon = PrivateDockerd::start(&Options::default());
    let engine = daemon.engine();
    let registry = Registry::start_in(&daemon);
    let image = images::big(&engine, "v1", 95);
    let pushed = registry.push(&engine, &image, "shop/web:1");
    engine.docker(&["rmi", &image]);
    let site = Site::new(&engine);
    site.file("compose.yaml", &pushed, 8, "");

    let out = site.pitstop.run(&["create", "--json"]).expect_code(0);
    let events = out.json_lines();
    check(&events);
    let finished = events.last().unwrap();
    let (took, serial) = (finished["took_ms"].as_u64().unwrap(), finished["serial_ms"].as_u64().unwrap());
    let percent = 100 * took / serial;
    eprintln!(
        "8 instances with a pull of 95 MB: {took} ms, {percent} % of its steps one after the other ({serial} ms)"
    );
    assert!(took < serial, "{took} ms, {serial} ms");
    let addresses: Vec<_> = site.all_outside(8).iter().map(super::Outside::address).collect();
    daemon.inside(|| addresses.iter().for_each(|address| assert_eq!(super::get(address, "/"), "v1")));
}
