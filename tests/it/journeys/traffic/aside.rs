//! A console dies while an instance is drained and its sandbox, which says so, was put aside for a new one.

use super::{Behind, PATIENCE};
use crate::support::images;
use crate::support::wait::wait_until;
use rustix::process::Signal;

#[test]
fn what_was_drained_in_a_sandbox_that_was_put_aside_is_put_back() {
    let behind = Behind::new();
    behind.site.run("deploy", &["-f", "v2.yaml"]).expect_code(0);
    let more = format!(
        "    hostname: other\n    x-pitstop: {{probe: 'tcp:8080', balancer: {{haproxy: {{socket: {}, backend: web}}}}}}\n",
        behind.haproxy.socket()
    );
    behind.site.file_with("mute.yaml", &images::never_listens(&behind.site.engine), 2, &more);
    behind.site.file_with("v1.yaml", &behind.v1, 2, &more);

    let web = behind.site.web();
    let args = ["deploy", &web, "-f", "mute.yaml", "--allow-recreate", "--ready-timeout", "2m"];
    let killed = behind.site.pitstop.start(&args);
    wait_until("the new pair runs beside the old one", PATIENCE, || {
        let there = behind.site.containers();
        let has = |name: &str, state: &str| {
            there.iter().any(|line| line.starts_with(&format!("{name} ")) && line.ends_with(state))
        };
        let sandbox = behind.site.sandbox(1);
        has(&format!("{sandbox}.old"), "exited") && has(&format!("{sandbox}.r3"), "running")
    });
    killed.signal(Signal::KILL);
    killed.wait();
    assert_eq!(behind.states(), ["web-1 1", "web-2 0"], "nobody has put it back yet");

    let done = behind.site.run("deploy", &["-f", "v1.yaml", "--allow-recreate", "--wait-lock", "20s"]);
    // The network namespace is another one, which is said; the address is the same.
    done.expect_code(6);
    assert_eq!(behind.states(), ["web-1 0", "web-2 0"]);
    assert!(behind.site.containers().iter().all(|line| !line.contains(".old")), "{:?}", behind.site.containers());
    for number in [1, 2] {
        assert_eq!(behind.site.told(number)["traffic"][0]["state"], "serving");
    }
}
