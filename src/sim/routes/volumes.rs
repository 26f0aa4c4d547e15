//! Volumes: listed, made, removed.

use super::super::answer::{Answer, Reply, refuse};
use super::super::ask::Ask;
use super::super::engine::Engine;
use super::super::world::{Volume, World};
use serde_json::{Value, json};

fn show(volume: &Volume) -> Value {
    json!({
        "Name": volume.name, "Driver": volume.driver, "Labels": volume.labels, "Options": volume.options, "Scope": "local",
        "CreatedAt": volume.created.to_string(), "Mountpoint": format!("/var/lib/docker/volumes/{}/_data", volume.name),
    })
}

pub async fn list(engine: &Engine) -> Answer {
    engine.work("list").await;
    let all: Vec<_> = engine.look(|world| world.volumes.values().map(show).collect());
    Ok(Reply::json(&json!({"Volumes": all, "Warnings": null})))
}

pub async fn create(engine: &Engine, ask: &Ask) -> Answer {
    engine.work("volume_create").await;
    let body = ask.json()?;
    let text = |key: &str| body[key].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    engine.change(|world| {
        let name = text("Name").unwrap_or_else(|| world.id());
        make(engine, world, &name, text("Driver"), body["Labels"].clone(), body["DriverOpts"].clone());
        Ok(Reply::with(201, &world.volumes.get(&name).map(show).unwrap_or_default()))
    })
}

/// Makes it unless there is one of that name.
pub fn make(engine: &Engine, world: &mut World, name: &str, driver: Option<String>, labels: Value, options: Value) {
    if !world.volumes.contains_key(name) {
        let driver = driver.unwrap_or_else(|| "local".into());
        let volume = Volume { name: name.to_owned(), driver, created: engine.clock.wall(), labels, options };
        world.volumes.insert(name.to_owned(), volume);
        engine.event(world, "volume", "create", name, &json!({"driver": "local"}));
    }
}

pub async fn remove(engine: &Engine, name: &str) -> Answer {
    engine.work("volume_remove").await;
    engine.change(|world| {
        if !world.volumes.contains_key(name) {
            return refuse(404, format!("get {name}: no such volume"));
        }
        let user = world.containers.values().find(|seen| seen.mounts.iter().any(|mount| mount["Name"] == name));
        if let Some(user) = user {
            return refuse(409, format!("remove {name}: volume is in use - [{}]", user.id));
        }
        world.volumes.remove(name);
        engine.event(world, "volume", "destroy", name, &json!({"driver": "local"}));
        Ok(Reply::empty(204))
    })
}
