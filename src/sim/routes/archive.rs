//! Files in containers' own filesystems, running or not: put there and fetched as tar archives.

use super::super::answer::{Answer, Refusal, Reply, refuse};
use super::super::ask::Ask;
use super::super::engine::Engine;
use std::collections::BTreeMap;
use std::io::{self, Read};

pub async fn put(engine: &Engine, key: &str, ask: &Ask) -> Answer {
    engine.work("archive").await;
    let base = ask.text("path").trim_matches('/').to_owned();
    let files = match unpack(&ask.body) {
        Ok(files) => files,
        Err(error) => return refuse(400, error.to_string()),
    };
    engine.change(|world| {
        world.find(key)?;
        world.room("Error processing tar file(exit status 1): write")?;
        let seen = world.find_mut(key)?;
        for (path, bytes) in files {
            let path = if base.is_empty() { path } else { format!("{base}/{path}") };
            seen.files.insert(path, bytes);
        }
        Ok(Reply::empty(200))
    })
}

pub async fn get(engine: &Engine, key: &str, ask: &Ask) -> Answer {
    engine.work("archive").await;
    let path = ask.text("path").trim_matches('/').to_owned();
    let files = engine.look(|world| {
        let files = &world.find(key)?.files;
        let below = format!("{path}/");
        let here = |(name, _): &(&String, &Vec<u8>)| name.trim_end_matches('/') == path || name.starts_with(&below);
        let found: BTreeMap<String, Vec<u8>> = files.iter().filter(here).map(|(k, v)| (k.clone(), v.clone())).collect();
        if found.is_empty() {
            return refuse(404, format!("Could not find the file /{path} in container {key}"));
        }
        Ok(found)
    })?;
    // As the engine's: paths begin with the last part of what was asked for.
    let cut = path.rfind('/').map_or(0, |slash| slash + 1);
    let packed = pack(files.iter().map(|(name, bytes)| (&name[cut..], bytes.as_slice())));
    let packed = packed.map_err(|error| Refusal { status: 500, message: error.to_string() })?;
    let mut reply = Reply::bytes(200, "application/x-tar", packed.into());
    // `{}` in base64: nobody here reads what the engine says about the path.
    reply.headers.push(("X-Docker-Container-Path-Stat", "e30=".into()));
    Ok(reply)
}

fn unpack(archive: &[u8]) -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut files = Vec::new();
    for entry in tar::Archive::new(archive).entries()? {
        let mut entry = entry?;
        let mut path = entry.path()?.display().to_string().trim_start_matches('/').to_owned();
        if entry.header().entry_type().is_dir() && !path.ends_with('/') {
            path.push('/');
        }
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes)?;
        files.push((path, bytes));
    }
    Ok(files)
}

fn pack<'a>(files: impl Iterator<Item = (&'a str, &'a [u8])>) -> io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = tar::Header::new_ustar();
        header.set_mode(0o600);
        header.set_size(bytes.len() as u64);
        if name.ends_with('/') {
            header.set_entry_type(tar::EntryType::Directory);
        }
        archive.append_data(&mut header, name, bytes)?;
    }
    archive.into_inner()
}
