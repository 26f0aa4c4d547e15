//! Whole days of an app on a real engine: what pitstop promises, proven by the docker command line and `/proc`.
//!
//! Nothing here believes a word of pitstop's: its events and tables are compared with what others see.

mod adopt;
mod contract;
mod control;
mod day;
mod depends;
mod events;
mod failures;
mod foreign;
mod hooks;
mod no_engine;
mod outage;
mod outcomes;
mod parallel;
mod podman;
mod readiness;
mod records;
mod recreate;
mod repair;
mod sandboxes;
mod survival;
mod traffic;
mod warm;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::docker::{Engine, Project, netns_inode};
use crate::support::http;
use crate::support::pitstop::{Output, Pitstop};

/// In the environment of every app here, and nowhere else.
const SECRET: &str = "hunter2-swordfish";

/// An app `web` on an engine, with the file it is made from.
struct Site {
    engine: Engine,
    project: Project,
    pitstop: Pitstop,
}

/// What nobody may notice a deployment by, as docker and the kernel see it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Outside {
    sandbox: String,
    sandbox_started: String,
    /// Address and MAC address by network.
    networks: BTreeMap<String, (String, String)>,
    /// The inode of the sandbox's network namespace.
    netns: u64,
    hostname: String,
    /// Published ports, with the host's.
    ports: Value,
}

impl Site {
    /// Nothing created yet.
    fn new(engine: &Engine) -> Self {
        Self { engine: engine.clone(), project: engine.project(), pitstop: Pitstop::on(engine) }
    }

    /// With so many running instances of `image`, without published ports.
    fn open(engine: &Engine, image: &str, replicas: usize) -> Self {
        let site = Self::new(engine);
        site.file("compose.yaml", image, replicas, "");
        site.pitstop.run(&["create", "-q"]).expect_code(0);
        site
    }

    /// Writes a file for the app; `more`: further keys of the service, each a line indented by four.
    fn file(&self, name: &str, image: &str, replicas: usize, more: &str) {
        self.file_with(name, image, replicas, &format!("    x-pitstop: {{probe: 'tcp:8080'}}\n{more}"));
    }

    /// The same without an `x-pitstop` of its own.
    fn file_with(&self, name: &str, image: &str, replicas: usize, more: &str) {
        let project = &self.project.name;
        let text = format!(
            "name: {project}\nservices:\n  web:\n    image: {image}\n    scale: {replicas}\n    environment: {{TOKEN: {SECRET}}}\n    networks: [front]\n    volumes: ['data:/data']\n{more}networks: {{front: {{}}}}\nvolumes: {{data: {{}}}}\n"
        );
        self.pitstop.file(name, &text);
    }

    fn web(&self) -> String {
        format!("{}/web", self.project.name)
    }

    /// Runs `pitstop VERB PROJECT/web ARGS…`.
    #[track_caller]
    fn run(&self, verb: &str, args: &[&str]) -> Output {
        self.pitstop.run(&[&[verb, &self.web()], args].concat())
    }

    /// The instance `number` as `ps --json` has it.
    #[track_caller]
    fn told(&self, number: usize) -> Value {
        let out = self.run("ps", &["--json"]).expect_code(0);
        let fleet: Value = serde_json::from_str(&out.stdout).unwrap();
        let name = format!("{}-{number}", self.web());
        let instances = fleet["apps"][0]["instances"].as_array().unwrap().clone();
        instances.into_iter().find(|one| one["name"] == name.as_str()).unwrap_or_else(|| panic!("no {name}: {fleet}"))
    }

    /// The name of an instance's sandbox.
    fn sandbox(&self, number: usize) -> String {
        format!("{}-web-{number}", self.project.name)
    }

    /// The one running app container of an instance.
    #[track_caller]
    fn app(&self, number: usize) -> String {
        let prefix = format!("{}.r", self.sandbox(number));
        let running = self.engine.docker(&["ps", "--filter", &format!("name=^{prefix}"), "--format", "{{.Names}}"]);
        assert_eq!(running.lines().count(), 1, "{prefix}: {running}");
        running
    }

    /// The sandbox from outside; its app container must sit in the same network namespace.
    #[track_caller]
    fn outside(&self, number: usize) -> Outside {
        let seen = outside(&self.engine, &self.sandbox(number));
        assert_eq!(self.engine.netns(&self.app(number)), seen.netns, "the app is in its sandbox's namespace");
        seen
    }

    #[track_caller]
    fn all_outside(&self, replicas: usize) -> Vec<Outside> {
        (1..=replicas).map(|number| self.outside(number)).collect()
    }

    /// Every container, running or not, with its id and image: equal lists mean that nothing was left or taken.
    #[track_caller]
    fn containers(&self) -> Vec<String> {
        let filter = format!("name=^{}", self.project.name);
        let format = "{{.Names}} {{.ID}} {{.State}}";
        let list = self.engine.docker(&["ps", "-a", "--filter", &filter, "--format", format]);
        let mut lines: Vec<_> = list.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    }
}

impl Outside {
    /// By network, without the MAC addresses.
    fn addresses(&self) -> BTreeMap<&str, &str> {
        self.networks.iter().map(|(network, (ip, _))| (network.as_str(), ip.as_str())).collect()
    }

    /// Where the app answers.
    fn address(&self) -> String {
        format!("{}:8080", self.networks.values().next().unwrap().0)
    }
}

/// A running container from outside.
#[track_caller]
fn outside(engine: &Engine, name: &str) -> Outside {
    let seen = engine.inspect(name);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let networks = seen["NetworkSettings"]["Networks"].as_object().unwrap();
    let address = |end: &Value| (text(&end["IPAddress"]), text(&end["MacAddress"]));
    Outside {
        sandbox: text(&seen["Id"]),
        sandbox_started: text(&seen["State"]["StartedAt"]),
        networks: networks.iter().map(|(name, end)| (name.clone(), address(end))).collect(),
        netns: netns_inode(u32::try_from(seen["State"]["Pid"].as_u64().unwrap()).unwrap()),
        hostname: text(&seen["Config"]["Hostname"]),
        ports: seen["NetworkSettings"]["Ports"].clone(),
    }
}

/// What `GET path` answers there, at the first try.
#[track_caller]
fn get(address: &str, path: &str) -> String {
    match http::get(address, path) {
        Ok(answer) => answer.body,
        Err(error) => panic!("{address}{path}: {error}"),
    }
}
