//! The stream of events.

use super::super::answer::{Answer, Reply};
use super::super::ask::Ask;
use super::super::engine::Engine;
use bytes::Bytes;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

pub fn stream(engine: &Arc<Engine>, ask: &Ask) -> Answer {
    let filters = ask.filters()?;
    let since: Option<f64> = ask.query.get("since").and_then(|text| text.parse().ok());
    let until: Option<f64> = ask.query.get("until").and_then(|text| text.parse().ok());
    let left = until.map(|until| {
        Duration::try_from_secs_f64(until - engine.clock.wall().as_duration().as_secs_f64()).unwrap_or_default()
    });
    let next = engine.look(|world| if since.is_some() { 0 } else { world.forgotten + world.events.len() as u64 });
    let (lines, reader) = mpsc::channel(64);
    let reading = Arc::clone(engine);
    engine.spawn(async move {
        let closed = lines.clone();
        let over = async {
            match left {
                Some(left) => tokio::time::sleep(left).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = closed.closed() => {}
            // What there is already is told in any case.
            () = follow(&reading, next, since, &filters, &lines) => {}
            () = over => {}
        }
    });
    Ok(Reply::stream("application/json", reader))
}

async fn follow(
    engine: &Engine,
    mut next: u64,
    since: Option<f64>,
    filters: &BTreeMap<String, Vec<String>>,
    lines: &mpsc::Sender<io::Result<Bytes>>,
) {
    loop {
        let fresh = engine
            .until(|world| {
                let skip = usize::try_from(next.saturating_sub(world.forgotten)).unwrap_or(usize::MAX);
                let fresh: Vec<Value> = world.events.iter().skip(skip).cloned().collect();
                next = world.forgotten + world.events.len() as u64;
                (!fresh.is_empty()).then_some(fresh)
            })
            .await;
        let late = |event: &Value| since.is_none_or(|since| event["time"].as_f64().is_some_and(|time| time >= since));
        for event in fresh.into_iter().filter(|event| late(event) && fits(event, filters)) {
            if lines.send(Ok(format!("{event}\n").into())).await.is_err() {
                return;
            }
        }
    }
}

fn fits(event: &Value, filters: &BTreeMap<String, Vec<String>>) -> bool {
    let one =
        |key: &str, is: &dyn Fn(&str) -> bool| filters.get(key).is_none_or(|list| list.iter().any(|want| is(want)));
    let text = |value: &Value| value.as_str().unwrap_or("").to_owned();
    let (kind, action) = (text(&event["Type"]), text(&event["Action"]));
    let (id, name) = (text(&event["Actor"]["ID"]), text(&event["Actor"]["Attributes"]["name"]));
    let labels = &event["Actor"]["Attributes"];
    one("type", &|want| want == kind)
        && one("event", &|want| want == action || action.starts_with(&format!("{want}:")))
        && one("container", &|want| kind != "container" || want == id || want == name)
        && one("label", &|want| match want.split_once('=') {
            Some((key, value)) => labels[key] == value,
            None => !labels[want].is_null(),
        })
}
