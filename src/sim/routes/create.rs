//! Making a container, as Engine 20.10 reads the request.

use super::super::answer::{Answer, Refusal, Reply, refuse};
use super::super::ask::Ask;
use super::super::behaviour::{Behaviour, words};
use super::super::engine::Engine;
use super::super::life::UNCONFIGURED;
use super::super::world::{Container, Endpoint, Image, State, Status, World};
use super::volumes;
use serde_json::{Value, json};
use std::collections::BTreeMap;

pub async fn create(engine: &Engine, ask: &Ask) -> Answer {
    engine.work("create").await;
    let body = ask.json()?;
    let id = engine.change(|world| make(engine, world, ask.text("name"), &body))?;
    Ok(Reply::with(201, &json!({"Id": id, "Warnings": []})))
}

/// Makes a container as a request says.
pub fn make(engine: &Engine, world: &mut World, name: &str, body: &Value) -> Result<String, Refusal> {
    let asked = body["Image"].as_str().unwrap_or("");
    if asked.is_empty() {
        return refuse(400, "Config cannot be empty in order to create a container");
    }
    let name = name.trim_start_matches('/');
    let Some(image) = world.image(asked).cloned() else {
        return refuse(404, format!("No such image: {asked}"));
    };
    let host = if body["HostConfig"].is_object() { body["HostConfig"].clone() } else { json!({}) };
    let mode = host["NetworkMode"].as_str().filter(|mode| !mode.is_empty() && *mode != "default").unwrap_or("bridge");
    let joins = mode.strip_prefix("container:").map(str::to_owned);
    if joins.is_some() {
        if body["Hostname"].as_str().is_some_and(|hostname| !hostname.is_empty()) {
            return refuse(400, "conflicting options: hostname and the network mode");
        }
        let given = |value: &Value| value.as_object().is_some_and(|map| !map.is_empty());
        if given(&host["PortBindings"]) {
            return refuse(400, "conflicting options: port publishing and the container type network mode");
        }
        if given(&body["ExposedPorts"]) {
            return refuse(400, "conflicting options: port exposing and the container type network mode");
        }
    }
    let id = world.id();
    let name = if name.is_empty() { format!("quiet_{}", &id[..8]) } else { name.to_owned() };
    free_name(world, &name)?;
    world.room(&format!("mkdir /var/lib/docker/overlay2/{id}-init"))?;
    let config = config(body, &image, &id);
    let labels = strings(&config["Labels"]);
    let mut ends = BTreeMap::new();
    if joins.is_none() {
        let settings = &body["NetworkingConfig"]["EndpointsConfig"];
        let key = world.network(mode).map_or_else(|_| mode.to_owned(), |network| network.id.clone());
        let named = settings.get(mode).or_else(|| settings.as_object()?.values().next());
        ends.insert(key, named.map(endpoint).unwrap_or_default());
        if world.newer {
            for (network, settings) in settings.as_object().into_iter().flatten() {
                let network = world.network(network)?;
                let end = endpoint(settings);
                if end.pinned.is_some() && !network.configured {
                    let words = format!(
                        "invalid config for network {}: invalid endpoint settings: {UNCONFIGURED}",
                        network.name
                    );
                    return refuse(400, words);
                }
                ends.insert(network.id.clone(), end);
            }
        }
    }
    let (mounts, anonymous) = mounts(engine, world, &host, &config);
    let own = Behaviour::of_guest(&words(&config["Entrypoint"]), &words(&config["Cmd"]));
    let behaviour = own.unwrap_or_else(|| image.behaviour.clone());
    let order = world.number();
    let container = Container {
        id: id.clone(),
        name,
        order,
        created: engine.clock.wall(),
        image: asked.to_owned(),
        image_id: image.id,
        labels,
        ends,
        joins,
        mounts,
        anonymous,
        behaviour,
        config,
        host,
        state: State::default(),
        files: BTreeMap::new(),
        log: Vec::new(),
        forgotten: 0,
        inputs: 0,
    };
    world.containers.insert(id.clone(), container);
    engine.tell(world, &id, "create", &[]);
    Ok(id)
}

/// Refuses a name that is none, or somebody's.
pub fn free_name(world: &World, name: &str) -> Result<(), Refusal> {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    if name.len() < 2 || !name.starts_with(|c: char| c.is_ascii_alphanumeric()) || !name.chars().all(inner) {
        return refuse(400, format!("Invalid container name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"));
    }
    match world.named(name) {
        None => Ok(()),
        Some(other) => refuse(
            409,
            format!(
                "Conflict. The container name \"/{name}\" is already in use by container \"{}\". You have to remove (or \
                 rename) that container to be able to reuse that name.",
                other.id
            ),
        ),
    }
}

/// What an endpoint's settings ask for.
pub fn endpoint(settings: &Value) -> Endpoint {
    let ipam = &settings["IPAMConfig"];
    Endpoint {
        aliases: words(&settings["Aliases"]),
        pinned: ipam["IPv4Address"].as_str().and_then(|ip| ip.parse().ok()),
        pinned6: ipam["IPv6Address"].as_str().filter(|ip| !ip.is_empty()).map(str::to_owned),
        asked_mac: settings["MacAddress"].as_str().filter(|mac| !mac.is_empty()).map(str::to_owned),
        ..Endpoint::default()
    }
}

/// The request's configuration over the image's.
fn config(body: &Value, image: &Image, id: &str) -> Value {
    let mut config = body.clone();
    if let Some(map) = config.as_object_mut() {
        map.remove("HostConfig");
        map.remove("NetworkingConfig");
    }
    let base = &image.config;
    let absent = |value: &Value| match value {
        Value::Null => true,
        Value::Array(list) => list.is_empty(),
        Value::String(text) => text.is_empty(),
        _ => false,
    };
    // An entrypoint of its own does away with the image's arguments.
    let own_entrypoint = !absent(&config["Entrypoint"]);
    for key in ["Entrypoint", "Cmd", "WorkingDir", "User", "Healthcheck", "StopSignal"] {
        if absent(&config[key]) && !(key == "Cmd" && own_entrypoint) {
            config[key] = base[key].clone();
        }
    }
    for key in ["Labels", "ExposedPorts", "Volumes"] {
        let mut both = base[key].as_object().cloned().unwrap_or_default();
        both.extend(config[key].as_object().cloned().unwrap_or_default());
        config[key] = Value::Object(both);
    }
    let mut variables = words(&config["Env"]);
    let has = |variables: &[String], entry: &str| {
        let name = entry.split('=').next().unwrap_or(entry);
        variables.iter().any(|other| other.split('=').next() == Some(name))
    };
    variables.extend(words(&base["Env"]).into_iter().filter(|entry| !has(&words(&body["Env"]), entry)));
    config["Env"] = json!(variables);
    if absent(&config["Hostname"]) {
        config["Hostname"] = json!(&id[..12]);
    }
    config
}

/// A map of texts.
pub fn strings(map: &Value) -> BTreeMap<String, String> {
    let pairs = map.as_object().into_iter().flatten();
    pairs.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}

/// What is mounted, and the volumes made for it.
fn mounts(engine: &Engine, world: &mut World, host: &Value, config: &Value) -> (Vec<Value>, Vec<String>) {
    let (mut mounts, mut anonymous) = (Vec::new(), Vec::new());
    let mut wanted: Vec<(String, String, String, bool)> = Vec::new();
    for bind in words(&host["Binds"]) {
        let parts: Vec<&str> = bind.split(':').collect();
        if let [source, target, mode @ ..] = parts.as_slice() {
            let kind = if source.starts_with('/') { "bind" } else { "volume" };
            let writable = !mode.iter().any(|mode| mode.split(',').any(|word| word == "ro"));
            wanted.push((kind.into(), (*source).to_owned(), (*target).to_owned(), writable));
        }
    }
    for mount in host["Mounts"].as_array().into_iter().flatten() {
        let text = |key: &str| mount[key].as_str().unwrap_or("").to_owned();
        wanted.push((text("Type"), text("Source"), text("Target"), mount["ReadOnly"] != true));
    }
    let image = config["Volumes"].as_object().into_iter().flatten().map(|(target, _)| target.clone());
    for target in image.collect::<Vec<_>>() {
        if !wanted.iter().any(|(_, _, other, _)| *other == target) {
            wanted.push(("volume".into(), String::new(), target, true));
        }
    }
    for (kind, mut source, target, writable) in wanted {
        let mut mount = json!({
            "Type": kind, "Source": source, "Destination": target, "Mode": "", "RW": writable, "Propagation": "",
        });
        if kind == "volume" {
            if source.is_empty() {
                source = world.id();
                anonymous.push(source.clone());
            }
            volumes::make(engine, world, &source, None, Value::Null, Value::Null);
            mount["Source"] = json!(format!("/var/lib/docker/volumes/{source}/_data"));
            mount["Name"] = json!(source);
            mount["Driver"] = json!("local");
        }
        mounts.push(mount);
    }
    (mounts, anonymous)
}

impl Default for State {
    fn default() -> Self {
        Self {
            status: Status::Created,
            started: None,
            since: None,
            finished: None,
            exit_code: 0,
            error: String::new(),
            pid: 0,
            run: 0,
            restarts: 0,
            in_a_row: 0,
            paused: false,
            interrupted: false,
            stopped: false,
            netns: 0,
            held: None,
            let_go: None,
            own_netns: 0,
            ports: Vec::new(),
        }
    }
}
