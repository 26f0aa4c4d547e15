//! The world at the beginning, made out of a scenario by the same rules as everything later.

use super::answer::Refusal;
use super::engine::Engine;
use super::ipam::{Block, Pool};
use super::routes::{arch, make_container, make_network};
use super::scenario::{ImageAtFirst, Scenario, ScenarioError};
use super::world::{Image, Network, World, scramble};
use serde_json::json;
use std::sync::Arc;

impl Engine {
    /// Makes what the scenario has.
    pub(super) fn furnish(self: &Arc<Self>) -> Result<(), ScenarioError> {
        let scenario = self.scenario.clone();
        let made = self.change(|world| {
            predefined(self, world);
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
        for container in &scenario.containers {
            let body = json!({
                "Image": container.image, "Labels": container.labels,
                "HostConfig": {"NetworkMode": container.network, "RestartPolicy": {"Name": container.restart}},
            });
            let id = make_container(self, world, &container.name, &body)?;
            let run = self.begin(world, &id)?;
            match container.exited {
                None => started.push((id, run)),
                Some(code) => {
                    let seen = world.find_mut(&id)?;
                    seen.release();
                    seen.state.exit_code = code;
                    seen.state.finished = Some(self.clock.wall());
                }
            }
        }
        Ok(started)
    }
}

/// The three networks that every engine has.
fn predefined(engine: &Engine, world: &mut World) {
    for (name, driver) in [("bridge", "bridge"), ("host", "host"), ("none", "null")] {
        let block = Block { base: std::net::Ipv4Addr::new(172, 17, 0, 0), bits: 16 };
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
    let hex: String = (0..4).map(|part| format!("{:016x}", scramble(seed.wrapping_add(part)))).collect();
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
