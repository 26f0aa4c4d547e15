//! `resume` and `abort`: which operation is meant. What going on with it means is the engine's business.

use super::error::CliError;
use super::history;
use super::output::Output;
use crate::domain::ids::OpId;
use crate::domain::record::Summary;
use crate::engine::Session;

/// The operations meant: the one named, all that were left half-done, or the only one that was. None: there is none.
pub async fn meant(
    out: &mut Output,
    session: &Session,
    verb: &str,
    named: Option<&str>,
    all: bool,
) -> Result<Vec<OpId>, CliError> {
    if let Some(named) = named {
        return Ok(vec![history::store()?.find(named)?]);
    }
    let left = session.left_open().await;
    let ops = || left.iter().map(|one| one.op.clone()).collect();
    match left.as_slice() {
        [] => out.note("nothing was left half-done here"),
        [_] => {}
        _ if all => {}
        many => return Err(which(many, verb)),
    }
    Ok(ops())
}

fn which(many: &[Summary], verb: &str) -> CliError {
    let list: Vec<String> = many.iter().map(|one| format!("{} ({})", one.op, one.title())).collect();
    let message = format!("{} operations were left half-done: {}", many.len(), list.join(", "));
    CliError::usage(message).hint(format!("name one: `pitstop {verb} OP`"))
}
