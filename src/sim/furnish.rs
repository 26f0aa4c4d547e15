//! The world at the beginning, made out of a scenario by the same rules as everything later.

use super::answer::Refusal;
use super::behaviour::Behaviour;
use super::engine::Engine;
use super::ipam::{Block, Pool};
use super::routes::{add_image, arch, make_container, make_network};
use super::scenario::{AppAtFirst, ImageAtFirst, Scenario, ScenarioError};
use super::world::{Image, Network, World, hex64, scramble};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

/// The image of the sandboxes that are there at first; pitstop loads its own for those it makes.
const SANDBOX: &str = "pitstop-sandbox:at-first";

impl Engine {
    /// Makes what the scenario has.
    pub(super) fn furnish(self: &Arc<Self>) -> Result<(), ScenarioError> {
        let scenario = self.scenario.clone();
        let made = self.change(|world| {
            world.newer = scenario.newer;
            predefined(self, world);
            add_image(world, sandbox_image());
            for image in &scenario.images {
                furnish_image(world, image);
            }
            for network in &scenario.networks {
                let pool = network.subnet.as_ref().map(|subnet| json!({"Subnet": subnet, "IPRange": network.ip_range}));
                let plan: Vec<_> = pool.into_iter().collect();
                let body = json!({"Name": network.name, "Labels": network.labels, "IPAM": {"Config": plan}});
                make_network(self, world, &body)?;
            }
            self.furnish_containers(world, &scenario)
        });
        let started = made.map_err(|refusal: Refusal| ScenarioError(refusal.message))?;
        for (id, run) in started {
            self.live(&id, run);
        }
        Ok(())
    }

    fn furnish_containers(&self, world: &mut World, scenario: &Scenario) -> Result<Vec<(String, u64)>, Refusal> {
        let mut started = Vec::new();
        for wanted in &scenario.containers {
            let mut ports = serde_json::Map::new();
            for (host, inside) in wanted.ports.iter().filter_map(|port| port.split_once(':')) {
                ports.insert(format!("{inside}/tcp"), json!([{"HostPort": host}]));
            }
            let body = json!({
                "Image": wanted.image, "Labels": wanted.labels,
                "Env": variables(&wanted.environment), "Healthcheck": wanted.healthcheck.as_deref().map(check),
                "HostConfig": {
                    "NetworkMode": wanted.network, "RestartPolicy": {"Name": wanted.restart}, "PortBindings": ports,
                    "Mounts": mounted(&wanted.mounts),
                },
            });
            let id = make_container(self, world, &wanted.name, &body)?;
            started.extend(self.has_run(world, &id, wanted.up_s, wanted.exited)?);
        }
        for app in &scenario.apps {
            for number in 1..=app.instances {
                let (sandbox, id) = furnish_instance(self, world, app, number)?;
                let exited = app.exited.get(&number.to_string()).copied();
                started.extend(self.has_run(world, &sandbox, app.up_s, None)?);
                started.extend(self.has_run(world, &id, app.up_s, exited)?);
            }
        }
        Ok(started)
    }

    /// Has it running for so long, or ended; gives what is left to live.
    fn has_run(
        &self,
        world: &mut World,
        id: &str,
        up_s: u64,
        exited: Option<i64>,
    ) -> Result<Option<(String, u64)>, Refusal> {
        let run = self.begin(world, id)?;
        let (since, started) = self.clock.ago(Duration::from_secs(up_s));
        let now = self.clock.wall();
        let seen = world.find_mut(id)?;
        (seen.created, seen.state.started, seen.state.since) = (started, Some(started), Some(since));
        let Some(code) = exited else { return Ok(Some((id.to_owned(), run))) };
        seen.release();
        seen.state.exit_code = code;
        seen.state.finished = Some(now);
        if let Some(words) = seen.behaviour.last_words.clone() {
            seen.say(now, true, words);
        }
        Ok(None)
    }
}

/// A sandbox and its app container, labelled as pitstop labels them; gives their ids.
fn furnish_instance(
    engine: &Engine,
    world: &mut World,
    app: &AppAtFirst,
    number: u32,
) -> Result<(String, String), Refusal> {
    let AppAtFirst { project, app: service, image, network, revision, .. } = app;
    let name = format!("{project}-{service}-{number}");
    let labels = |role: &str, spec: Value| {
        json!({
            "io.pitstop.project": project, "io.pitstop.app": service, "io.pitstop.instance": number.to_string(),
            "io.pitstop.role": role, "io.pitstop.operation": "at-first", "io.pitstop.spec-hash": "at-first",
            "io.pitstop.spec": spec.to_string(),
        })
    };
    let networks = json!([{"network": network}]);
    let pinned = app.address.map(|first| Ipv4Addr::from_bits(first.to_bits() + number - 1).to_string());
    let sandbox = json!({
        "Image": SANDBOX, "Hostname": name, "OpenStdin": true, "Labels": labels("sandbox", json!({"sandbox": {"networks": networks}})),
        "HostConfig": {
            "NetworkMode": network, "RestartPolicy": {"Name": "unless-stopped"}, "LogConfig": {"Type": "none"},
            "CapDrop": ["ALL"],
        },
        "NetworkingConfig": {"EndpointsConfig": {network: {
            "Aliases": [service, format!("{service}-{number}")], "IPAMConfig": {"IPv4Address": pinned},
        }}},
    });
    let sandbox = make_container(engine, world, &name, &sandbox)?;
    // Values of variables are in the container alone.
    let environment: BTreeMap<&String, &str> = app.environment.keys().map(|name| (name, "")).collect();
    let test = app.healthcheck.as_ref().map(|command| json!(["CMD-SHELL", command]));
    let container = json!({
        "restart": "unless-stopped", "environment": environment, "mounts": app.mounts.iter().map(|text| mount(text)).collect::<Vec<_>>(),
        "healthcheck": test.map(|test| json!({"test": test, "interval_ms": CHECKED_MS})),
    });
    let spec = json!({"image": image, "container": container, "sandbox": {"networks": networks}, "rollout": {"probe": app.probe}});
    let mut labels = labels("app", spec);
    labels["io.pitstop.revision"] = json!(revision.to_string());
    let body = json!({
        "Image": image, "Labels": labels,
        "Env": variables(&app.environment), "Healthcheck": app.healthcheck.as_deref().map(check),
        "HostConfig": {
            "NetworkMode": format!("container:{sandbox}"), "RestartPolicy": {"Name": "unless-stopped"},
            "Mounts": mounted(&app.mounts),
        },
    });
    let id = make_container(engine, world, &format!("{name}.r{revision}"), &body)?;
    Ok((sandbox, id))
}

/// Between two checks of health, in milliseconds.
const CHECKED_MS: u64 = 5_000;

/// A health check as the engine has it.
fn check(command: &str) -> Value {
    json!({"Test": ["CMD-SHELL", command], "Interval": CHECKED_MS * 1_000_000})
}

/// `NAME=value`
fn variables(environment: &BTreeMap<String, String>) -> Vec<String> {
    environment.iter().map(|(name, value)| format!("{name}={value}")).collect()
}

/// A mount as a spec has it.
fn mount(text: &str) -> Value {
    let parts: Vec<&str> = text.split(':').collect();
    let (source, target) = (parts.first().copied().unwrap_or_default(), parts.get(1).copied().unwrap_or_default());
    let kind = if source.starts_with('/') { "bind" } else { "volume" };
    json!({"kind": kind, "source": source, "target": target, "read_only": parts.get(2) == Some(&"ro")})
}

/// The same as the engine has them.
fn mounted(mounts: &[String]) -> Vec<Value> {
    let asked = mounts.iter().map(|text| mount(text));
    asked
        .map(|mount| {
            json!({"Type": mount["kind"], "Source": mount["source"], "Target": mount["target"], "ReadOnly": mount["read_only"]})
        })
        .collect()
}

/// The three networks that every engine has.
fn predefined(engine: &Engine, world: &mut World) {
    for (name, driver) in [("bridge", "bridge"), ("host", "host"), ("none", "null")] {
        let block = Block { base: Ipv4Addr::new(172, 17, 0, 0), bits: 16 };
        let id = world.id();
        let network = Network {
            id: id.clone(),
            name: name.to_owned(),
            driver: driver.to_owned(),
            created: engine.clock.wall(),
            internal: false,
            labels: json!({}),
            options: json!({}),
            pool: (name == "bridge").then(|| Pool::new(block, None, None)),
            configured: false,
            ranged: false,
            predefined: true,
        };
        world.networks.insert(id, network);
    }
}

fn furnish_image(world: &mut World, wanted: &ImageAtFirst) {
    let seed = wanted.name.bytes().fold(0, |seed, byte| scramble(seed ^ u64::from(byte)));
    let hex = hex64(seed);
    let exposed = wanted.behaviour.port.map(|port| json!({format!("{port}/tcp"): {}}));
    let repository = wanted.name.rsplit_once(':').map_or(wanted.name.as_str(), |(repository, _)| repository);
    let image = Image {
        id: format!("sha256:{hex}"),
        tags: vec![wanted.name.clone()],
        digests: if wanted.remote { vec![format!("{repository}@sha256:{hex}")] } else { Vec::new() },
        arch: arch().to_owned(),
        size: wanted.size.max(1 << 20),
        config: json!({"Labels": wanted.labels, "ExposedPorts": exposed, "Cmd": ["serve"], "Env": [], "WorkingDir": "/"}),
        behaviour: wanted.behaviour.clone(),
    };
    if wanted.remote {
        world.registry.push(image);
    } else {
        world.images.insert(image.id.clone(), image);
    }
}

fn sandbox_image() -> Image {
    let behaviour = Behaviour::of_guest(&["/pitstop-guest".to_owned()], &[]).unwrap_or_default();
    Image {
        id: format!("sha256:{}", "5a".repeat(32)),
        tags: vec![SANDBOX.to_owned()],
        digests: Vec::new(),
        arch: arch().to_owned(),
        size: 31_392,
        config: json!({"Labels": {"io.pitstop.guest": "3"}, "Entrypoint": ["/pitstop-guest"]}),
        behaviour,
    }
}
