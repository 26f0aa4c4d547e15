//! `resume`, `abort` and `retry`: which operation is meant. What going on with it means is the engine's business.

use super::error::CliError;
use super::history;
use super::output::Output;
use crate::domain::ids::OpId;
use crate::domain::options::Options;
use crate::domain::record::{self, Summary};
use crate::engine::{Request, Session, unrecorded};

/// What is meant.
pub enum Meant {
    /// An operation that has a record here.
    Recorded(OpId),
    /// An app on which something was left half-done, as its containers show.
    Seen(String),
}

impl Meant {
    /// What to ask the engine for.
    pub fn request(self, resume: bool, options: Options) -> Request {
        match (self, resume) {
            (Self::Recorded(op), true) => Request::Resume { op, options },
            (Self::Recorded(op), false) => Request::Abort { op, options },
            (Self::Seen(app), true) => Request::Finish { app, options },
            (Self::Seen(app), false) => Request::TakeBack { app, options },
        }
    }
}

/// What is meant: the operation or app named, all that was left half-done from here, or the only one. Empty: there is none.
pub async fn meant(
    out: &mut Output,
    session: &Session,
    verb: &str,
    named: Option<&str>,
    all: bool,
) -> Result<Vec<Meant>, CliError> {
    let left = session.left_open().await;
    if let Some(named) = named {
        let fleet = session.fleet().await?;
        if let Ok(app) = fleet.find(named) {
            let recorded = left.iter().find(|one| one.app == app.id.to_string());
            return Ok(vec![
                recorded.map_or_else(|| Meant::Seen(app.id.to_string()), |one| Meant::Recorded(one.op.clone())),
            ]);
        }
        // A record of another console's operation is not here, but its label is.
        if let Some(one) = unrecorded(&fleet, &left).iter().find(|one| one.operation == named) {
            return Ok(vec![Meant::Seen(one.app.to_string())]);
        }
        return Ok(vec![Meant::Recorded(history::store()?.find(named)?)]);
    }
    // Unnamed, only what was begun from here is meant: what others have left may be theirs to settle.
    match left.as_slice() {
        [] => out.note("nothing was left half-done here"),
        [_] => {}
        _ if all => {}
        many => return Err(which(many, verb)),
    }
    Ok(left.into_iter().map(|one| Meant::Recorded(one.op)).collect())
}

/// The operation that `retry` is about: by a part of its id, or the newest one on that app.
pub fn newest(named: &str) -> Result<OpId, CliError> {
    let store = history::store()?;
    match store.list()?.into_iter().find(|one| one.is_about(named)) {
        Some(one) => Ok(one.op),
        None => Ok(store.find(named)?),
    }
}

fn which(many: &[Summary], verb: &str) -> CliError {
    let message = format!("{} operations were left half-done: {}", many.len(), record::named(many));
    CliError::usage(message).hint(format!("name one: `pitstop {verb} OP`"))
}
