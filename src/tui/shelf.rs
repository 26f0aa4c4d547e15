//! Reading records for the console, beside the thread that draws.
//!
//! Decides nothing: a list or a record is read on a thread that may block, and told as a message.

use super::message::Msg;
use crate::domain::clean::clean;
use crate::domain::ids::OpId;
use crate::domain::record::Record;
use crate::engine::Records;
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
