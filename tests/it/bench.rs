//! `pitstop bench` on an engine of one's own: its figures, and that nothing of it is left.

use crate::support::daemon::{Options, PrivateDockerd};
use crate::support::docker::Engine;
use crate::support::pitstop::Pitstop;
use crate::support::wait::wait_until;
use rustix::process::Signal;
use std::time::Duration;

/// All that could be left of it.
fn left(engine: &Engine) -> String {
    let all = [
        engine.docker(&["ps", "-a", "--filter", "name=pitstop", "--format", "{{.Names}}"]),
        engine.docker(&["network", "ls", "--filter", "name=pitstop", "--format", "{{.Name}}"]),
        // The guest's volume, for a warm swap, is every app's on the engine, as the sandbox image is.
        engine.docker(&["volume", "ls", "-q", "--filter", "name=pitstop-bench"]),
        engine.docker(&["images", "-q", "pitstop-bench/app"]),
        engine
            .docker(&["info", "-f", "{{if eq .Swarm.LocalNodeState \"active\"}}x{{end}}"])
            .replace('x', &engine.docker(&["service", "ls", "-q"])),
    ];
    all.join("\n").trim().to_owned()
}

#[test]
fn every_way_is_measured_and_nothing_is_left() {
    let daemon = PrivateDockerd::start(&Options::default());
    let engine = daemon.engine();
    let pitstop = Pitstop::on(&engine);
    daemon.inside(|| {
        engine.docker(&["swarm", "init", "--advertise-addr", "127.0.0.1"]);
        let small =
            ["bench", "--rounds", "1", "--instances", "2", "--with", "compose,swarm", "--json", "--svg", "b.svg"];
        let out = pitstop.run(&small).expect_code(0);
        let told = out.json_lines().pop().unwrap();
        let ways: Vec<&str> = told["ways"].as_array().unwrap().iter().map(|way| way["way"].as_str().unwrap()).collect();
        let mut want = vec!["recreate", "deploy_1", "deploy_2", "deploy_warm", "floor", "compose", "swarm"];
        want.extend(["plain_restart", "restart", "create_one_by_one", "create_side_by_side"]);
        assert_eq!(ways, want);
        for way in told["ways"].as_array().unwrap() {
            assert!(way["took_ms"]["median"].as_f64().unwrap() > 0.0, "{way}");
            let name = way["way"].as_str().unwrap();
            let asked = !name.starts_with("create") && name != "swarm";
            assert_eq!(way["asked"].as_u64().unwrap() > 0, asked, "{way}");
            assert_eq!(way["gap_ms"].is_object(), asked, "{way}");
        }
        assert!(told["ways"][1]["steps"]["stop"]["median"].as_f64().unwrap() > 0.0, "{told}");
        let svg = std::fs::read_to_string(pitstop.home().join("b.svg")).unwrap();
        assert!(svg.starts_with("<svg") && svg.contains("deploy in place, batch 2"));
        assert_eq!(left(&engine), "");

        // In the middle of it.
        let running = pitstop.start(&["bench", "--instances", "2"]);
        wait_until("its containers", Duration::from_secs(60), || engine.containers("pitstop-bench-plain").len() == 2);
        let second = pitstop.run(&["bench"]).expect_code(4);
        assert!(second.stderr.contains("there is a benchmark on this engine already"), "{}", second.stderr);
        running.signal(Signal::INT);
        running.wait().expect_code(130);
        assert_eq!(left(&engine), "");

        // Killed, and taken away by the next one.
        let running = pitstop.start(&["bench", "--instances", "2"]);
        wait_until("its containers", Duration::from_secs(60), || engine.containers("pitstop-bench-plain").len() == 2);
        running.signal(Signal::KILL);
        running.wait();
        pitstop.run(&["bench", "--down"]).expect_code(0);
        wait_until("the dead one's lock to go", Duration::from_secs(20), || left(&engine).is_empty());
    });

    // Somebody's project of that name is not touched.
    pitstop.file(
        "compose.yaml",
        &format!("services:\n  web:\n    image: {}\n", crate::support::images::app(&engine, "v1")),
    );
    pitstop.run(&["create", "-p", "pitstop-bench"]).expect_code(0);
    pitstop.run(&["bench"]).expect_code(4);
    let out = pitstop.run(&["bench", "--down"]).expect_code(4);
    assert!(out.stderr.contains("no benchmark's"), "{}", out.stderr);
    assert_eq!(engine.containers("pitstop-bench-web").len(), 2);
}
