//! Reading and asking for the console, beside the thread that draws: records, lines that were typed, other consoles.
//!
//! Decides nothing: what may block is done on a thread that may, and what came of it is told as a message.

use super::message::Msg;
use super::theme::Role;
use crate::domain::clean::{clean, clean_lines};
use crate::domain::control::Order;
use crate::domain::ids::OpId;
use crate::domain::record::{self, Record, Standing, meant};
use crate::engine::line::Read;
use crate::engine::{Level, Location, Records, Session, say};
use tokio::sync::mpsc::Sender;

/// Reads all records there are.
pub fn list(records: Option<Records>, tell: Sender<Msg>) {
    tokio::task::spawn_blocking(move || {
        let listed = match records {
            Some(records) => records.all().map_err(|error| clean(&error.to_string())),
            None => Ok(Vec::new()),
        };
        // A console that has gone needs no answer.
        let _ = tell.blocking_send(Msg::History(listed));
    });
}

/// Reads all records, if there are others than these or what is known of one has changed.
pub fn list_again(records: Option<Records>, known: Vec<(OpId, Option<bool>)>, tell: Sender<Msg>) {
    let Some(records) = records else { return };
    tokio::task::spawn_blocking(move || {
        if records.has_changed(&known) {
            let listed = records.all().map_err(|error| clean(&error.to_string()));
            // A console that has gone needs no answer.
            let _ = tell.blocking_send(Msg::History(listed));
        }
    });
}

/// Reads one record.
pub fn read(records: Option<Records>, op: OpId, tell: Sender<Msg>) {
    tokio::task::spawn_blocking(move || {
        let record = match records {
            Some(records) => records.read(&op).map_err(|error| clean(&error.to_string())),
            None => Err("no records are kept here".to_owned()),
        };
        let record: Result<Box<(Record, bool)>, String> = record.map(Box::new);
        let _ = tell.blocking_send(Msg::Record { op, record });
    });
}

/// Reads a line that was typed; it may name files.
pub fn read_line(read: Read, ticket: u64, line: String, tell: Sender<Msg>) {
    tokio::task::spawn_blocking(move || {
        let said = read(&line).map_err(|why| clean_lines(&why));
        let _ = tell.blocking_send(Msg::Said { ticket, said });
    });
}

/// What was typed in earlier runs.
pub fn lines(records: Option<Records>, tell: Sender<Msg>) {
    tokio::task::spawn_blocking(move || {
        let lines = records.map(|records| records.lines()).unwrap_or_default();
        let _ = tell.blocking_send(Msg::Lines(lines));
    });
}

/// Which Docker contexts there are.
pub fn contexts(tell: Sender<Msg>) {
    tokio::task::spawn_blocking(move || {
        let names = Location::contexts().iter().map(|name| clean(name)).collect();
        let _ = tell.blocking_send(Msg::Contexts(names));
    });
}

/// Keeps a line for later runs.
pub fn keep(records: Option<Records>, line: String) {
    let Some(records) = records else { return };
    tokio::task::spawn_blocking(move || {
        if let Err(error) = records.keep_line(&line) {
            tracing::warn!("a line is not kept: {error}");
        }
    });
}

/// Says something to an operation that runs in another console of this user.
pub fn tell(records: Option<Records>, op: Option<String>, order: Order, tell: Sender<Msg>) {
    tokio::spawn(async move {
        let told = order_it(records, op, order).await;
        let _ = tell.send(Msg::Told(told.map_err(|why| clean(&why)))).await;
    });
}

async fn order_it(records: Option<Records>, op: Option<String>, order: Order) -> Result<String, String> {
    let records = records.ok_or("no operation runs in another console")?;
    let list = records.clone();
    let all = tokio::task::spawn_blocking(move || list.list()).await.map_err(|error| error.to_string())?;
    let mut running = all.map_err(|error| error.to_string())?;
    running.retain(|one| one.standing() == Standing::Running);
    let found = match &op {
        Some(named) => meant(&running, named),
        None => running.iter().collect(),
    };
    match (found.as_slice(), op) {
        ([one], _) => {
            let reply = say(&records, &one.op, order).await.map_err(|error| error.to_string())?;
            let said = format!("{}: {}", one.title(), reply.message);
            if reply.ok { Ok(said) } else { Err(said) }
        }
        ([], Some(named)) => Err(format!("no operation `{named}` of yours runs on this machine")),
        ([], None) => Err("no operation of yours runs on this machine".to_owned()),
        (many, _) => Err(format!("{} operations run: {}; name one", many.len(), record::named(many.iter().copied()))),
    }
}

/// Is all well with this engine?
pub fn doctor(session: Option<Session>, tell: Sender<Msg>) {
    tokio::spawn(async move {
        let checks = match session {
            Some(session) => session.doctor().await,
            None => Vec::new(),
        };
        let mut lines = Vec::new();
        if checks.is_empty() {
            lines.push(("no engine is connected".to_owned(), Role::Bad));
        }
        for check in checks {
            let (word, role) = match check.level {
                Level::Ok => ("ok  ", Role::Good),
                Level::Warn => ("warn", Role::Warn),
                Level::Fail => ("fail", Role::Bad),
            };
            lines.push((clean(&format!("{word}  {}: {}", check.subject, check.finding)), role));
            let advice = check.advice.iter().flat_map(|advice| advice.lines());
            lines.extend(advice.map(|line| (clean(&format!("      {line}")), Role::Dim)));
        }
        let _ = tell.send(Msg::Reading { title: "Doctor".to_owned(), lines }).await;
    });
}
