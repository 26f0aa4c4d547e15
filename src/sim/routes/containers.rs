//! Containers: listed, looked at, started, ended, renamed, removed.

use super::super::answer::{Answer, Reply, refuse};
use super::super::ask::{Ask, labelled};
use super::super::clock::Clock;
use super::super::engine::Engine;
use super::super::show;
use super::super::world::{Container, Status};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// What the engine waits between signal and kill when nobody says.
const GRACE_S: u64 = 10;

pub async fn list(engine: &Engine, ask: &Ask) -> Answer {
    engine.work("list").await;
    let filters = ask.filters()?;
    let wanted = |key: &str| filters.get(key).cloned().unwrap_or_default();
    let (ids, names, labels, states) = (wanted("id"), wanted("name"), wanted("label"), wanted("status"));
    let all = ask.flag("all") || !states.is_empty();
    let fits = |seen: &&Container| {
        (all || matches!(seen.state.status, Status::Running | Status::Restarting))
            && (ids.is_empty() || ids.iter().any(|id| seen.id.starts_with(id.as_str())))
            && (names.is_empty() || names.iter().any(|name| named(&seen.name, name)))
            && (states.is_empty() || states.iter().any(|state| state == seen.state.word()))
            && labelled(&seen.labels, &labels)
    };
    let now = Clock::instant();
    let list = engine.look(|world| {
        let mut list: Vec<_> = world.containers.values().filter(fits).collect();
        list.sort_by_key(|seen| std::cmp::Reverse(seen.order));
        list.into_iter().map(|seen| show::summary(world, seen, engine.clock, now)).collect()
    });
    Ok(Reply::json(&Value::Array(list)))
}

/// The engine's filter is a regular expression; what is asked of it here is a part of the name, or the whole with anchors.
fn named(name: &str, wanted: &str) -> bool {
    let (from, to) = (wanted.starts_with('^'), wanted.ends_with('$'));
    let word = wanted.trim_start_matches('^').trim_end_matches('$').trim_start_matches('/');
    match (from, to) {
        (true, true) => name == word,
        (true, false) => name.starts_with(word),
        (false, true) => name.ends_with(word),
        (false, false) => name.contains(word),
    }
}

pub async fn inspect(engine: &Engine, key: &str) -> Answer {
    engine.work("inspect").await;
    let now = Clock::instant();
    let shown = engine.look(|world| world.find(key).map(|seen| show::inspection(world, seen, engine.clock, now)))?;
    Ok(Reply::json(&engine.whole(shown, "inspection")))
}

pub async fn start(engine: &Arc<Engine>, key: &str) -> Answer {
    let (id, joined) = engine.look(|world| world.find(key).map(|seen| (seen.id.clone(), seen.joins.is_some())))?;
    engine.work(if joined { "start_joined" } else { "start" }).await;
    Ok(Reply::empty(if engine.start(&id)? { 204 } else { 304 }))
}

pub async fn stop(engine: &Arc<Engine>, key: &str, ask: &Ask) -> Answer {
    let grace = ask.query.get("t").and_then(|seconds| seconds.parse().ok());
    let stopping = engine.change(|world| {
        let seen = world.find_mut(key)?;
        let grace = grace.or(seen.config["StopTimeout"].as_u64()).unwrap_or(GRACE_S);
        let (id, run) = (seen.id.clone(), seen.state.run);
        match seen.state.status {
            Status::Running => {
                seen.state.stopped = true;
                Ok(Some((id, run, grace)))
            }
            Status::Restarting => {
                seen.state.stopped = true;
                seen.state.status = Status::Exited;
                Ok(None)
            }
            _ => refuse(304, ""),
        }
    });
    match stopping {
        Err(refusal) if refusal.status == 304 => Ok(Reply::empty(304)),
        Err(refusal) => Err(refusal),
        Ok(None) => Ok(Reply::empty(204)),
        Ok(Some((id, run, grace))) => {
            engine.halt(&id, run, grace).await;
            Ok(Reply::empty(204))
        }
    }
}

impl Engine {
    /// Asks a process to end, waits for it, and kills it after `grace` seconds.
    async fn halt(self: &Arc<Self>, id: &str, run: u64, grace: u64) {
        self.work("stop").await;
        // Ended meanwhile: nothing to signal.
        let _ = self.signal(id, 15);
        let ended = self.until(|world| {
            let there = world.find(id).is_ok_and(|seen| seen.runs() && seen.state.run == run);
            (!there).then_some(())
        });
        if tokio::time::timeout(Duration::from_secs(grace), ended).await.is_err() {
            let _ = self.signal(id, 9);
        }
        self.change(|world| self.tell(world, id, "stop", &[]));
    }
}

pub async fn kill(engine: &Arc<Engine>, key: &str, ask: &Ask) -> Answer {
    engine.work("kill").await;
    let word = ask.text("signal").to_ascii_uppercase();
    let signal = match word.strip_prefix("SIG").unwrap_or(&word) {
        "" | "KILL" | "9" => 9,
        "TERM" | "15" => 15,
        "INT" | "2" => 2,
        "HUP" | "1" => 1,
        "USR1" | "10" => 10,
        "USR2" | "12" => 12,
        other => match other.parse() {
            Ok(number) => number,
            Err(_) => return refuse(400, format!("Invalid signal: {}", ask.text("signal"))),
        },
    };
    let id = engine.change(|world| {
        let seen = world.find_mut(key)?;
        // As a stop: no policy brings back what somebody killed.
        seen.state.stopped |= seen.runs() && matches!(signal, 9 | 15);
        Ok(seen.id.clone())
    })?;
    engine.signal(&id, signal)?;
    Ok(Reply::empty(204))
}

/// Freezes its processes, or lets them go on.
pub async fn pause(engine: &Engine, key: &str, pause: bool) -> Answer {
    engine.work("pause").await;
    engine.change(|world| {
        let seen = world.find_mut(key)?;
        let id = seen.id.clone();
        match (seen.state.status, seen.state.paused, pause) {
            (_, true, true) => return refuse(409, format!("Container {id} is already paused")),
            (_, false, false) => return refuse(500, format!("Container {id} is not paused")),
            (Status::Restarting, ..) => {
                return refuse(409, format!("Container {id} is restarting, wait until the container is running"));
            }
            (status, _, true) if status != Status::Running => {
                return refuse(409, format!("Container {id} is not running"));
            }
            _ => seen.state.paused = pause,
        }
        engine.tell(world, &id, if pause { "pause" } else { "unpause" }, &[]);
        Ok(Reply::empty(204))
    })
}

pub async fn wait(engine: &Engine, key: &str) -> Answer {
    let id = engine.look(|world| world.find(key).map(|seen| seen.id.clone()))?;
    let code = engine
        .until(|world| match world.find(&id) {
            Ok(seen) if matches!(seen.state.status, Status::Running | Status::Restarting) => None,
            Ok(seen) => Some(seen.state.exit_code),
            Err(_) => Some(0),
        })
        .await;
    Ok(Reply::json(&json!({"StatusCode": code, "Error": null})))
}

pub async fn rename(engine: &Engine, key: &str, ask: &Ask) -> Answer {
    engine.work("rename").await;
    let name = ask.text("name").trim_start_matches('/').to_owned();
    engine.change(|world| {
        let (id, old) = world.find(key).map(|seen| (seen.id.clone(), seen.name.clone()))?;
        if name.is_empty() {
            return refuse(400, "Neither old nor new names may be empty");
        }
        if name == old {
            return refuse(400, "Renaming a container with the same name as its current name");
        }
        super::create::free_name(world, &name)?;
        name.clone_into(&mut world.find_mut(&id)?.name);
        engine.tell(world, &id, "rename", &[("oldName", format!("/{old}"))]);
        Ok(Reply::empty(204))
    })
}

pub async fn update(engine: &Engine, key: &str, ask: &Ask) -> Answer {
    engine.work("update").await;
    let body = ask.json()?;
    engine.change(|world| {
        let seen = world.find_mut(key)?;
        let id = seen.id.clone();
        if body["RestartPolicy"].is_object() {
            if seen.host["AutoRemove"] == true {
                return refuse(400, format!("Cannot update container {id}: Restart policy cannot be updated because AutoRemove is enabled for the container"));
            }
            seen.host["RestartPolicy"] = body["RestartPolicy"].clone();
        }
        engine.tell(world, &id, "update", &[]);
        Ok(Reply::json(&json!({"Warnings": null})))
    })
}

pub async fn remove(engine: &Arc<Engine>, key: &str, ask: &Ask) -> Answer {
    engine.work("remove").await;
    let (force, volumes) = (ask.flag("force"), ask.flag("v"));
    let id = engine.look(|world| {
        let seen = world.find(key)?;
        if seen.state.paused && !force {
            let words = "Unpause and then stop the container before attempting removal or force remove";
            return refuse(409, format!("You cannot remove a paused container {}. {words}", seen.id));
        }
        if matches!(seen.state.status, Status::Running | Status::Restarting) && !force {
            let words = "Stop the container before attempting removal or force remove";
            return refuse(409, format!("You cannot remove a running container {}. {words}", seen.id));
        }
        Ok(seen.id.clone())
    })?;
    engine.change(|world| world.find_mut(&id).map(|seen| seen.state.stopped = true))?;
    if engine.look(|world| world.find(&id).is_ok_and(Container::runs)) {
        engine.work("kill").await;
        let _ = engine.signal(&id, 9);
    }
    engine.change(|world| {
        if world.find(&id).is_ok() {
            engine.remove_now(world, &id, volumes);
        }
    });
    Ok(Reply::empty(204))
}
