//! New instances take the places of old ones behind a real HAProxy, and nobody notices.

use super::super::Site;
use super::PATIENCE;
use super::load::Load;
use crate::support::docker::Engine;
use crate::support::haproxy::Haproxy;
use crate::support::wait::wait_until;
use crate::support::{http, images};

fn served(haproxy: &Haproxy) -> String {
    http::get(&haproxy.address, "/").map(|answer| answer.body).unwrap_or_default()
}

#[test]
fn nobody_notices_that_new_instances_take_the_places_of_old_ones() {
    let engine = Engine::machine();
    let (v1, v2, bad) = (images::app(&engine, "v1"), images::app(&engine, "v2"), images::never_listens(&engine));
    let site = Site::open(&engine, &v1, 2);
    let at = |number| format!("web-{number} {} check inter 100", site.outside(number).address());
    let spare = |number| format!("web-{number} 0.0.0.0:8080 check inter 100 disabled");
    let haproxy = Haproxy::start(&[at(1), at(2), spare(3), spare(4)]);
    let file = |name: &str, image: &str| {
        let balancer = format!("{{haproxy: {{socket: {}, backend: web}}}}", haproxy.socket());
        let more = format!("    x-pitstop: {{probe: 'tcp:8080', surge: true, balancer: {balancer}}}\n");
        site.file_with(name, image, 2, &more);
    };
    file("v2.yaml", &v2);
    file("bad.yaml", &bad);
    let before = site.containers();

    // A new version that does not work: nothing that serves was touched, nothing is left.
    let load = Load::on(&haproxy.address);
    let failed = site.run("deploy", &["-f", "bad.yaml", "--ready-timeout", "1s"]).expect_code(1);
    assert_eq!(site.containers(), before, "{}", failed.stdout);

    let dry = site.run("deploy", &["-f", "v2.yaml", "--dry-run"]).expect_code(0);
    assert!(dry.stdout.contains("web-1 → web-3, web-2 → web-4"), "{}", dry.stdout);
    let done = site.run("deploy", &["-f", "v2.yaml"]).expect_code(0);
    assert!(done.stdout.contains("2 replaced by new ones at other addresses"), "{}", done.stdout);
    load.without_failure();
    assert_eq!(served(&haproxy), "v2");
    let names: Vec<_> = site.containers().iter().map(|line| line.split(' ').next().unwrap().to_owned()).collect();
    let name = |rest: &str| format!("{}-web-{rest}", site.project.name);
    assert_eq!(names, [name("3"), name("3.r2"), name("4"), name("4.r2")]);
    let again = site.run("deploy", &["-f", "v2.yaml"]).expect_code(0);
    assert!(again.stdout.contains("nothing to do"), "{}", again.stdout);

    // Back, into the places that are free again; and forward once more, by what the sandboxes remember.
    let load = Load::on(&haproxy.address);
    file("v1.yaml", &v1);
    site.run("deploy", &["-f", "v1.yaml"]).expect_code(0);
    assert_eq!(served(&haproxy), "v1");
    for number in [1, 2] {
        assert_eq!(site.told(number)["traffic"][0]["state"], "serving");
    }
    site.run("rollback", &["--surge"]).expect_code(0);
    load.without_failure();
    assert_eq!(served(&haproxy), "v2");

    // Killed in the middle, and asked again.
    let load = Load::on(&haproxy.address);
    let killed = site.pitstop.start(&["deploy", &site.web(), "-f", "v1.yaml", "--gate", "first"]);
    wait_until("the first pair is done", PATIENCE, || {
        site.containers().iter().any(|line| line.contains("web-3.r") && line.ends_with("exited"))
    });
    killed.signal(rustix::process::Signal::KILL);
    killed.wait();
    site.run("deploy", &["-f", "v1.yaml", "--wait-lock", "20s"]).expect_code(0);
    load.without_failure();
    assert_eq!(site.containers().len(), 4, "{:?}", site.containers());
    assert_eq!(served(&haproxy), "v1");
}
