//! Images: listed, looked at, pulled, loaded.

use super::super::answer::{Answer, Reply, refuse};
use super::super::ask::Ask;
use super::super::behaviour::{Behaviour, words};
use super::super::engine::Engine;
use super::super::world::{Image, World};
use bytes::Bytes;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{self, Read};
use std::sync::Arc;
use tokio::sync::mpsc;

/// Steps in which a layer comes down.
const STEPS: u64 = 8;

pub async fn list(engine: &Engine) -> Answer {
    engine.work("list").await;
    let show = |image: &Image| {
        json!({
            "Id": image.id, "RepoTags": image.tags, "RepoDigests": image.digests, "Created": 0, "Size": image.size,
            "VirtualSize": image.size, "SharedSize": -1, "Containers": -1, "ParentId": "", "Labels": image.config["Labels"],
        })
    };
    let all: Vec<_> = engine.look(|world| world.images.values().map(show).collect());
    Ok(Reply::json(&json!(all)))
}

pub async fn inspect(engine: &Engine, name: &str) -> Answer {
    engine.work("inspect").await;
    engine.look(|world| match world.image(name) {
        None => refuse(404, format!("no such image: {name}: No such image: {name}")),
        Some(image) => Ok(Reply::json(&json!({
            "Id": image.id, "RepoTags": image.tags, "RepoDigests": image.digests, "Architecture": image.arch, "Os": "linux",
            "Size": image.size, "VirtualSize": image.size, "Config": image.config, "Created": "1970-01-01T00:00:00Z",
            "RootFS": {"Type": "layers", "Layers": []},
        }))),
    })
}

pub async fn pull(engine: &Arc<Engine>, ask: &Ask) -> Answer {
    engine.work("pull_begin").await;
    let (repository, tag) = (ask.text("fromImage"), ask.text("tag"));
    let separator = if tag.starts_with("sha256:") { "@" } else { ":" };
    let name = if tag.is_empty() { repository.to_owned() } else { format!("{repository}{separator}{tag}") };
    let found = engine.look(|world| world.registry.iter().find(|image| image.is_called(&name)).cloned());
    let Some(image) = found else {
        let words = format!("manifest for {name} not found: manifest unknown: manifest unknown");
        return refuse(404, words);
    };
    let (lines, reader) = mpsc::channel::<io::Result<Bytes>>(64);
    engine.spawn(come_down(Arc::clone(engine), image, name, tag.to_owned(), lines));
    Ok(Reply::stream("application/json", reader))
}

/// Tells how it comes down, and has it in the end.
async fn come_down(
    engine: Arc<Engine>,
    image: Image,
    name: String,
    tag: String,
    lines: mpsc::Sender<io::Result<Bytes>>,
) {
    let say = |line: Value| {
        let lines = lines.clone();
        // Whoever does not read any more does not stop a pull.
        async move { drop(lines.send(Ok(format!("{line}\r\n").into())).await) }
    };
    say(json!({"status": format!("Pulling from {}", name.split([':', '@']).next().unwrap_or(&name)), "id": tag})).await;
    let here = engine.look(|world| world.images.contains_key(&image.id));
    let layer = image.id["sha256:".len()..][..12].to_owned();
    if !here {
        say(json!({"status": "Pulling fs layer", "progressDetail": {}, "id": layer})).await;
        for step in 1..=STEPS {
            engine.work("pull_step").await;
            let detail = json!({"current": image.size * step / STEPS, "total": image.size});
            say(json!({"status": "Downloading", "progressDetail": detail, "id": layer})).await;
        }
        say(json!({"status": "Download complete", "progressDetail": {}, "id": layer})).await;
        let detail = json!({"current": image.size, "total": image.size});
        say(json!({"status": "Extracting", "progressDetail": detail, "id": layer})).await;
        engine.work("pull_step").await;
        if engine.look(|world| world.disk_full) {
            let words = "failed to register layer: no space left on device";
            say(json!({"errorDetail": {"message": words}, "error": words})).await;
            return;
        }
        say(json!({"status": "Pull complete", "progressDetail": {}, "id": layer})).await;
    }
    engine.change(|world| {
        add(world, image);
        engine.event(world, "image", "pull", &name, &json!({"name": name}));
    });
    let words = if here { "Image is up to date for" } else { "Downloaded newer image for" };
    say(json!({"status": format!("Status: {words} {name}")})).await;
}

pub async fn load(engine: &Engine, ask: &Ask) -> Answer {
    engine.work("load").await;
    let images = match read_archive(&ask.body) {
        Ok(images) => images,
        Err(error) => return refuse(500, error.to_string()),
    };
    let mut said = Vec::new();
    engine.change(|world| {
        world.room("write /var/lib/docker/tmp")?;
        for image in images {
            for tag in &image.tags {
                let line = json!({"stream": format!("Loaded image: {tag}\n")});
                said.push(format!("{line}\n"));
            }
            add(world, image);
        }
        Ok(())
    })?;
    Ok(Reply::bytes(200, "application/json", said.concat().into()))
}

/// Has the image from now on; its names are taken from others.
pub fn add(world: &mut World, image: Image) {
    for other in world.images.values_mut().filter(|other| other.id != image.id) {
        other.tags.retain(|tag| !image.tags.contains(tag));
    }
    match world.images.get_mut(&image.id) {
        Some(same) => {
            let fresh = image.tags.into_iter().filter(|tag| !same.tags.contains(tag)).collect::<Vec<_>>();
            same.tags.extend(fresh);
        }
        None => drop(world.images.insert(image.id.clone(), image)),
    }
}

/// The images of a Docker archive.
fn read_archive(archive: &[u8]) -> io::Result<Vec<Image>> {
    let mut files = BTreeMap::new();
    for entry in tar::Archive::new(archive).entries()? {
        let mut entry = entry?;
        let path = entry.path()?.display().to_string();
        if entry.path()?.extension().is_some_and(|kind| kind == "json") {
            let mut text = Vec::new();
            entry.read_to_end(&mut text)?;
            files.insert(path, text);
        }
    }
    let json = |path: &str| -> io::Result<Value> {
        let text =
            files.get(path).ok_or_else(|| io::Error::other(format!("open {path}: no such file or directory")))?;
        Ok(serde_json::from_slice(text)?)
    };
    let manifest = json("manifest.json")?;
    let image = |entry: &Value| {
        let path = entry["Config"].as_str().unwrap_or("");
        let file = json(path)?;
        let mut config = file["config"].clone();
        if config["Labels"].is_null() {
            config["Labels"] = json!({});
        }
        let id = path.trim_end_matches(".json").rsplit('/').next().unwrap_or_default();
        let behaviour = Behaviour::of_guest(&words(&config["Entrypoint"]), &words(&config["Cmd"])).unwrap_or_default();
        Ok(Image {
            id: format!("sha256:{id}"),
            tags: words(&entry["RepoTags"]),
            digests: Vec::new(),
            arch: file["architecture"].as_str().unwrap_or("").to_owned(),
            size: u64::try_from(archive.len()).unwrap_or(u64::MAX),
            config,
            behaviour,
        })
    };
    manifest.as_array().into_iter().flatten().map(image).collect()
}
