//! Networks: listed, made, joined, left, removed.

use super::super::answer::{Answer, Refusal, Reply, refuse};
use super::super::ask::{Ask, labelled};
use super::super::engine::Engine;
use super::super::ipam::{Block, Pool, free_subnet};
use super::super::life::{UNCONFIGURED, mac};
use super::super::show;
use super::super::world::{Endpoint, Network, World};
use super::create::endpoint;
use serde_json::{Value, json};

pub async fn list(engine: &Engine, ask: &Ask) -> Answer {
    engine.work("list").await;
    let filters = ask.filters()?;
    let wanted = |key: &str| filters.get(key).cloned().unwrap_or_default();
    let (names, ids, labels) = (wanted("name"), wanted("id"), wanted("label"));
    let all: Vec<_> = engine.look(|world| {
        let fits = |network: &&Network| {
            let own = network.labels.as_object().into_iter().flatten();
            let own = own.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect();
            (names.is_empty() || names.iter().any(|name| network.name.contains(name.as_str())))
                && (ids.is_empty() || ids.iter().any(|id| network.id.contains(id.as_str())))
                && labelled(&own, &labels)
        };
        // Without the members, as the engine lists.
        world.networks.values().filter(fits).map(|network| show::network(world, network, false)).collect()
    });
    Ok(Reply::json(&json!(all)))
}

pub async fn inspect(engine: &Engine, key: &str) -> Answer {
    engine.work("inspect").await;
    engine.look(|world| Ok(Reply::json(&show::network(world, world.network(key)?, true))))
}

pub async fn create(engine: &Engine, ask: &Ask) -> Answer {
    engine.work("network_create").await;
    let body = ask.json()?;
    let id = engine.change(|world| make(engine, world, &body))?;
    Ok(Reply::with(201, &json!({"Id": id, "Warning": ""})))
}

/// Makes a network as a request says.
pub fn make(engine: &Engine, world: &mut World, body: &Value) -> Result<String, Refusal> {
    let Some(name) = body["Name"].as_str().filter(|name| !name.is_empty()) else {
        return refuse(400, "invalid name: \"\" is invalid, should be non-empty");
    };
    let taken = world.networks.values().any(|network| network.name == name);
    if taken && body["CheckDuplicate"] == true {
        return refuse(409, format!("network with name {name} already exists"));
    }
    let driver = body["Driver"].as_str().filter(|driver| !driver.is_empty()).unwrap_or("bridge");
    let others: Vec<Block> =
        world.networks.values().filter_map(|network| network.pool.as_ref()).map(|pool| pool.subnet).collect();
    let plan = &body["IPAM"]["Config"];
    // Further pools (IPv6) are not simulated.
    let plan = plan.as_array().into_iter().flatten().find(|plan| !plan["Subnet"].as_str().unwrap_or("").contains(':'));
    let text = |key: &str| plan.and_then(|plan| plan[key].as_str()).filter(|text| !text.is_empty());
    let (configured, ranged) = (text("Subnet").is_some(), text("IPRange").is_some());
    let subnet = match text("Subnet") {
        Some(subnet) => match Block::parse(subnet) {
            Some(block) => Some(block),
            None => return refuse(400, format!("invalid subnet {subnet} : invalid CIDR address: {subnet}")),
        },
        None => free_subnet(&others),
    };
    let Some(subnet) = subnet else {
        return refuse(
            500,
            "could not find an available, non-overlapping IPv4 address pool among the defaults to assign to the network",
        );
    };
    if others.iter().any(|other| other.overlaps(subnet)) {
        return refuse(403, "Pool overlaps with other one on this address space");
    }
    let range = text("IPRange").and_then(Block::parse);
    let gateway = text("Gateway").and_then(|ip| ip.parse().ok());
    let id = world.id();
    let network = Network {
        id: id.clone(),
        name: name.to_owned(),
        driver: driver.to_owned(),
        created: engine.clock.wall(),
        internal: body["Internal"] == true,
        labels: if body["Labels"].is_object() { body["Labels"].clone() } else { json!({}) },
        options: if body["Options"].is_object() { body["Options"].clone() } else { json!({}) },
        pool: Some(Pool::new(subnet, range, gateway)),
        configured,
        ranged,
        predefined: false,
    };
    world.networks.insert(id.clone(), network);
    engine.event(world, "network", "create", &id, &json!({"name": name, "type": driver}));
    Ok(id)
}

pub async fn remove(engine: &Engine, key: &str) -> Answer {
    engine.work("network_remove").await;
    engine.change(|world| {
        let network = world.network(key)?.clone();
        if network.predefined {
            return refuse(403, format!("{} is a pre-defined network and cannot be removed", network.name));
        }
        if world.containers.values().any(|seen| seen.runs() && seen.ends.contains_key(&network.id)) {
            let words = format!(
                "error while removing network: network {} id {} has active endpoints",
                network.name, network.id
            );
            return refuse(403, words);
        }
        world.networks.remove(&network.id);
        engine.event(world, "network", "destroy", &network.id, &json!({"name": network.name, "type": network.driver}));
        Ok(Reply::empty(204))
    })
}

pub async fn connect(engine: &Engine, key: &str, ask: &Ask) -> Answer {
    engine.work("connect").await;
    let body = ask.json()?;
    engine.change(|world| {
        let network = world.network(key)?.clone();
        let container = world.find(body["Container"].as_str().unwrap_or(""))?.clone();
        if container.joins.is_some() {
            return refuse(400, "container sharing network namespace with another container or host cannot be connected to any other network");
        }
        if container.runs() && container.ends.contains_key(&network.id) {
            let words = format!("endpoint with name {} already exists in network {}", container.name, network.name);
            return refuse(403, words);
        }
        let mut end = endpoint(&body["EndpointConfig"]);
        if container.runs() {
            let ip = address(world, &network, &end)?;
            (end.ip, end.mac) = (Some(ip), mac(world, &end, ip));
            engine.tell_network(world, &network.id, "connect", &container.id);
        }
        world.find_mut(&container.id)?.ends.insert(network.id, end);
        Ok(Reply::empty(200))
    })
}

/// An address for a container that runs already.
fn address(world: &World, network: &Network, end: &Endpoint) -> Result<std::net::Ipv4Addr, Refusal> {
    let taken = world.taken(&network.id);
    match (end.pinned, &network.pool) {
        (Some(_), _) if !network.configured => refuse(400, UNCONFIGURED),
        (Some(ip), _) if taken.contains(&ip) => refuse(403, "Address already in use"),
        (Some(ip), _) => Ok(ip),
        (None, pool) => match pool.as_ref().and_then(|pool| pool.lowest_free(&taken)) {
            Some(ip) => Ok(ip),
            None => refuse(500, "no available IPv4 addresses on this network's address pools"),
        },
    }
}

pub async fn disconnect(engine: &Engine, key: &str, ask: &Ask) -> Answer {
    engine.work("connect").await;
    let body = ask.json()?;
    engine.change(|world| {
        let network = world.network(key)?.clone();
        let container = world.find(body["Container"].as_str().unwrap_or(""))?;
        let (id, runs) = (container.id.clone(), container.runs());
        if world.find_mut(&id)?.ends.remove(&network.id).is_none() {
            return refuse(500, format!("container {id} is not connected to the network {}", network.name));
        }
        if runs {
            engine.tell_network(world, &network.id, "disconnect", &id);
        }
        Ok(Reply::empty(200))
    })
}
