//! What containers take of the machine.

use super::super::answer::{Answer, Reply};
use super::super::ask::Ask;
use super::super::clock::Clock;
use super::super::engine::Engine;
use super::super::world::{Container, scramble};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;

const EVERY: Duration = Duration::from_secs(1);

pub fn read(engine: &Arc<Engine>, key: &str, ask: &Ask) -> Answer {
    let id = engine.look(|world| world.find(key).map(|seen| seen.id.clone()))?;
    if ask.query.contains_key("stream") && !ask.flag("stream") {
        let now = Clock::instant();
        return engine.look(|world| Ok(Reply::json(&sample(engine, world.find(&id)?, now))));
    }
    let (lines, reader) = mpsc::channel(4);
    let reading = Arc::clone(engine);
    engine.spawn(async move {
        loop {
            let now = Clock::instant();
            let Ok(line) = reading.look(|world| world.find(&id).map(|seen| sample(&reading, seen, now))) else {
                return;
            };
            if lines.send(Ok(format!("{line}\n").into())).await.is_err() {
                return;
            }
            tokio::time::sleep(EVERY).await;
        }
    });
    Ok(Reply::stream("application/json", reader))
}

fn sample(engine: &Engine, seen: &Container, now: Instant) -> Value {
    let scenario = &engine.scenario;
    let lived = seen.state.since.filter(|_| seen.runs()).map(|since| now.saturating_duration_since(since));
    let Some(lived) = lived else {
        return json!({"id": seen.id, "name": format!("/{}", seen.name), "read": "0001-01-01T00:00:00Z", "cpu_stats": {}, "memory_stats": {}});
    };
    let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    // Busier and quieter by the second, around what its image says.
    let used = |time: Duration| {
        let wave = scramble(time.as_secs() ^ seen.order) % 400;
        (nanos(time) / 1000).saturating_mul(seen.behaviour.cpu_milli) + wave * seen.behaviour.cpu_milli * 1000
    };
    let system = |time: Duration| nanos(time).saturating_mul(u64::from(scenario.cpus));
    let cpu = |time: Duration| {
        json!({"cpu_usage": {"total_usage": used(time), "percpu_usage": null}, "system_cpu_usage": system(time),
               "online_cpus": scenario.cpus})
    };
    let before = lived.saturating_sub(EVERY);
    let memory =
        seen.behaviour.memory + scramble(lived.as_secs() ^ seen.order ^ 0x4d) % (seen.behaviour.memory / 16).max(1);
    let limit = seen.host["Memory"].as_u64().filter(|limit| *limit > 0).unwrap_or(scenario.memory);
    let said = json!({
        "id": seen.id, "name": format!("/{}", seen.name), "read": engine.clock.wall_at(now).to_string(),
        "preread": engine.clock.wall_at(now.checked_sub(EVERY).unwrap_or(now)).to_string(),
        "cpu_stats": cpu(lived), "precpu_stats": cpu(before),
        "memory_stats": {"usage": memory, "limit": limit, "stats": {"cache": 0, "total_inactive_file": 0}},
        "pids_stats": {"current": 1}, "networks": {}, "blkio_stats": {},
    });
    engine.whole(said, "stats")
}
