//! What containers wrote, and go on to write.

use super::super::answer::{Answer, Reply, frame, refuse};
use super::super::ask::Ask;
use super::super::engine::Engine;
use super::super::world::{LogEntry, World};
use bytes::Bytes;
use jiff::Timestamp;
use std::io;
use std::sync::Arc;
use tokio::sync::mpsc;

/// How a reader wants them.
#[derive(Clone)]
struct Wish {
    id: String,
    out: bool,
    err: bool,
    times: bool,
    framed: bool,
}

pub async fn read(engine: &Arc<Engine>, key: &str, ask: &Ask) -> Answer {
    engine.work("logs").await;
    let (out, err) = (ask.flag("stdout"), ask.flag("stderr"));
    if !out && !err {
        return refuse(400, "Bad parameters: you must choose at least one stream");
    }
    let since = moment(ask.text("since"));
    let tail: Option<usize> = ask.text("tail").parse().ok();
    let (wish, first, run) = engine.look(|world| {
        let seen = world.find(key)?;
        if seen.host["LogConfig"]["Type"] == "none" {
            return refuse(501, "configured logging driver does not support reading");
        }
        let framed = seen.config["Tty"] != true;
        let wish = Wish { id: seen.id.clone(), out, err, times: ask.flag("timestamps"), framed };
        let late = |entry: &&LogEntry| since.is_none_or(|since| entry.at >= since);
        let from = seen.log.iter().position(|entry| late(&entry)).unwrap_or(seen.log.len());
        let from = tail.map_or(from, |tail| from.max(seen.log.len().saturating_sub(tail)));
        Ok((wish, seen.forgotten + from, seen.runs().then_some(seen.state.run)))
    })?;
    let (lines, reader) = mpsc::channel(64);
    let (reading, follow) = (Arc::clone(engine), ask.flag("follow"));
    engine.spawn(async move {
        let closed = lines.clone();
        tokio::select! {
            () = closed.closed() => {}
            () = send(&reading, &wish, first, run.filter(|_| follow), &lines) => {}
        }
    });
    Ok(Reply::stream("application/vnd.docker.raw-stream", reader))
}

/// Sends what there is, and what comes as long as this run lasts.
async fn send(
    engine: &Engine,
    wish: &Wish,
    mut next: usize,
    run: Option<u64>,
    lines: &mpsc::Sender<io::Result<Bytes>>,
) {
    loop {
        let (fresh, over) = engine
            .until(|world: &World| {
                let Ok(seen) = world.find(&wish.id) else { return Some((Vec::new(), true)) };
                let fresh: Vec<LogEntry> = seen.log.iter().skip(next.saturating_sub(seen.forgotten)).cloned().collect();
                next = seen.forgotten + seen.log.len();
                let over = !(seen.runs() && run == Some(seen.state.run));
                (over || !fresh.is_empty()).then_some((fresh, over))
            })
            .await;
        for entry in fresh.into_iter().filter(|entry| if entry.stderr { wish.err } else { wish.out }) {
            let time = if wish.times { format!("{:.9} ", entry.at) } else { String::new() };
            let text = format!("{time}{}\n", entry.text);
            let bytes = if wish.framed { frame(entry.stderr, text.as_bytes()) } else { text.into() };
            if lines.send(Ok(bytes)).await.is_err() {
                return;
            }
        }
        if over {
            return;
        }
    }
}

/// `1764478923.000000001`, to the nanosecond as the engine reads it; nothing for 0.
fn moment(text: &str) -> Option<Timestamp> {
    let (seconds, nanos) = text.split_once('.').unwrap_or((text, "0"));
    let at = Timestamp::new(seconds.parse().ok()?, format!("{nanos:0<9}").get(..9)?.parse().ok()?).ok()?;
    (at > Timestamp::UNIX_EPOCH).then_some(at)
}
