//! Containers of others that a balancer serves get sandboxes: a file names the balancer, so they are drained first and attached
//! when they are proven, and from then on they are handled as that file says.

use rustix::process::Signal;
use serde_json::Value;

use super::{Load, PATIENCE};
use crate::support::docker::{Engine, Project};
use crate::support::haproxy::Haproxy;
use crate::support::images;
use crate::support::pitstop::Pitstop;
use crate::support::wait::wait_until;

/// Two containers that pitstop has not made, behind a balancer.
struct Strangers {
    engine: Engine,
    project: Project,
    pitstop: Pitstop,
    haproxy: Haproxy,
    names: [String; 2],
    addresses: [String; 2],
}

impl Strangers {
    /// As Docker Compose made them, by its labels; else as anybody did.
    fn new(composed: bool) -> Self {
        let engine = Engine::machine();
        let (project, image) = (engine.project(), images::app(&engine, "v1"));
        let net = format!("{}-net", project.name);
        engine.docker(&["network", "create", &net]);
        let names =
            [1, 2].map(|number| format!("{}-{}-{number}", project.name, if composed { "web" } else { "plain" }));
        for (number, name) in ["1", "2"].iter().zip(&names) {
            let labels = [
                format!("com.docker.compose.project={}", project.name),
                "com.docker.compose.service=web".to_owned(),
                format!("com.docker.compose.container-number={number}"),
                "com.docker.compose.oneoff=False".to_owned(),
            ];
            let labels: Vec<&str> = labels.iter().flat_map(|label| ["--label", label.as_str()]).collect();
            let labels = if composed { &labels[..] } else { &[] };
            let run = ["run", "-d", "--network", &net, "--restart", "always", "--name", name];
            engine.docker(&[&run[..], labels, &[&image]].concat());
        }
        let addresses = [0, 1].map(|place: usize| {
            let seen = engine.inspect(&names[place]);
            seen["NetworkSettings"]["Networks"][&net]["IPAddress"].as_str().unwrap_or_default().to_owned()
        });
        let server = |place: usize| format!("web-{} {}:8080 check inter 100", place + 1, addresses[place]);
        let haproxy = Haproxy::start(&[server(0), server(1)]);
        let pitstop = Pitstop::on(&engine);
        let strangers = Self { engine, project, pitstop, haproxy, names, addresses };
        strangers.file("compose.yaml", "tcp:8080");
        wait_until("both serve", PATIENCE, || {
            strangers.haproxy.tell("show stat web 4 -1").matches(",UP,").count() == 2
        });
        strangers
    }

    fn file(&self, name: &str, probe: &str) {
        let (project, image, socket) = (&self.project.name, images::app(&self.engine, "v1"), self.haproxy.socket());
        self.pitstop.file(
            name,
            &format!(
                "name: {project}\nservices:\n  web:\n    image: {image}\n    restart: always\n    scale: 2\n    networks: [net]\n    x-pitstop: {{probe: '{probe}', balancer: {{haproxy: {{socket: {socket}, backend: web}}}}}}\nnetworks:\n  net: {{name: {project}-net, external: true}}\n"
            ),
        );
    }

    fn serve_all(&self) {
        assert_eq!(self.haproxy.states(), ["web-1 0", "web-2 0"], "nothing stays drained");
    }

    /// Each is in its sandbox, where it was.
    fn are_adopted(&self) {
        let net = format!("{}-net", self.project.name);
        for (place, had) in self.addresses.iter().enumerate() {
            let sandbox = self.engine.inspect(&format!("{}-web-{}", self.project.name, place + 1));
            assert_eq!(sandbox["Config"]["Labels"]["io.pitstop.role"], "sandbox");
            assert_eq!(sandbox["NetworkSettings"]["Networks"][&net]["IPAddress"], had.as_str());
        }
    }
}

#[test]
fn no_request_fails_while_containers_of_others_are_adopted_by_file() {
    let strangers = Strangers::new(true);
    let told = strangers.pitstop.run(&["adopt", "-f", "compose.yaml", "--dry-run"]).expect_code(0).stdout;
    let web = format!("{}/web", strangers.project.name);
    for word in [
        &format!("becomes {web}-1, with what its file says: probe tcp:8080, haproxy web at"),
        "its sessions end before it is touched",
        "requests may come again",
    ] {
        assert!(told.contains(word), "{told}");
    }
    let load = Load::on(&strangers.haproxy.address);
    let events = strangers.pitstop.run(&["adopt", "-f", "compose.yaml", "--json"]).expect_code(0).json_lines();
    load.without_failure();
    let done = |event: &&Value| event["event"] == "step_finished" && event["result"] == "ok";
    let counted: Vec<&Value> = events.iter().filter(done).filter(|one| one["action"] == "attach").collect();
    assert!(counted.len() == 2 && counted.iter().all(|one| one["failed_requests"] == 0), "{counted:?}");
    strangers.serve_all();
    strangers.are_adopted();

    // From now on its containers say how they are handled.
    let load = Load::on(&strangers.haproxy.address);
    let next = images::app(&strangers.engine, "v2");
    let out = strangers.pitstop.run(&["deploy", &web, "--image", &next, "--json"]).expect_code(0);
    load.without_failure();
    let drained = out
        .json_lines()
        .iter()
        .filter(|one| one["event"] == "step_finished" && one["action"] == "drain" && one["lane"] == "main")
        .count();
    assert_eq!(drained, 2, "{}", out.stdout);
    strangers.serve_all();
}

#[test]
fn plain_containers_become_instances_of_a_service_that_is_named() {
    let strangers = Strangers::new(false);
    let (as_web, [first, second]) = (format!("{}/web", strangers.project.name), &strangers.names);
    let unnamed = strangers.pitstop.run(&["adopt", "-f", "compose.yaml", first]).expect_code(2);
    assert!(unnamed.stderr.contains("--as"), "{}", unnamed.stderr);
    let load = Load::on(&strangers.haproxy.address);
    let args = ["adopt", "-f", "compose.yaml", "--as", &as_web, first, second];
    strangers.pitstop.run(&args).expect_code(0);
    load.without_failure();
    strangers.serve_all();
    strangers.are_adopted();
    let again = strangers.pitstop.run(&args).expect_code(0);
    assert!(again.stdout.contains("is pitstop's already"), "{}", again.stdout);
    let load = Load::on(&strangers.haproxy.address);
    strangers.pitstop.run(&["deploy", &as_web, "-f", "compose.yaml"]).expect_code(0);
    load.without_failure();
}

#[test]
fn one_that_does_not_work_out_is_drained_put_back_and_attached() {
    let strangers = Strangers::new(true);
    strangers.file("wrong.yaml", "tcp:9");
    let load = Load::on(&strangers.haproxy.address);
    let out = strangers.pitstop.run(&["adopt", "-f", "wrong.yaml", "--ready-timeout", "1s"]);
    out.expect_code(1);
    load.without_failure();
    strangers.serve_all();
    for (name, had) in strangers.names.iter().zip(&strangers.addresses) {
        let seen = strangers.engine.inspect(name);
        assert!(seen["NetworkSettings"]["Networks"].to_string().contains(had.as_str()), "{seen}");
        assert_eq!(seen["HostConfig"]["RestartPolicy"]["Name"], "always");
    }
}

#[test]
fn a_console_that_dies_between_drain_and_attach_leaves_word_of_it() {
    let strangers = Strangers::new(true);
    for (round, back) in [("stop", "abort"), ("ready", "abort"), ("drain", "resume"), ("ready", "resume")] {
        let running = strangers.pitstop.start(&["adopt", "-f", "compose.yaml", "--json"]);
        wait_until(round, PATIENCE, || {
            let begun = format!("\"action\":\"{round}\"");
            running.stdout().lines().any(|line| line.contains("\"step_started\"") && line.contains(&begun))
        });
        // In time that one has its effect, or not: both must be gone on from.
        running.signal(Signal::KILL);
        running.wait();
        let load = Load::on(&strangers.haproxy.address);
        let out = strangers.pitstop.run(&[back, "--wait-lock", "20s"]);
        out.expect_code(0);
        load.without_failure();
        strangers.serve_all();
        if back == "resume" {
            strangers.are_adopted();
            break;
        }
        for name in &strangers.names {
            assert_eq!(strangers.engine.inspect(name)["State"]["Running"], true);
        }
    }
}
