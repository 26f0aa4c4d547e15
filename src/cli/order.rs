//! `go`, `pause`, `continue`, and `abort` of an operation that runs: what another terminal says to it.
//!
//! Finds which operation is meant and says it through the operation's own socket; no engine is asked. What an order does is
//! the operation's business, and so are the words of its answer.

use super::args::{AbortArgs, OrderArgs};
use super::error::CliError;
use super::output::Output;
use super::{exit, history};
use crate::config::settings::Settings;
use crate::domain::control::Order;
use crate::domain::event::Urgency;
use crate::domain::record::{self, Standing, Summary, meant};
use crate::engine::{Unheard, say};

/// Says `order` to the operation named, or to the only one that runs.
pub async fn order(
    out: &mut Output,
    settings: &Settings,
    verb: &str,
    args: &OrderArgs,
    order: Order,
) -> Result<u8, CliError> {
    allowed(settings)?;
    let running = running()?;
    let one = match &args.op {
        Some(named) => match find(&running, named, verb) {
            Some(one) => one?,
            None => return Err(not_running(named)),
        },
        None => match running.as_slice() {
            [] => return Err(CliError::usage("no operation of yours runs on this machine")),
            [one] => one,
            many => return Err(which(&many.iter().collect::<Vec<_>>(), verb)),
        },
    };
    tell(out, one, order).await
}

/// Aborts an operation that runs; `None`: none that runs is meant.
pub async fn abort(out: &mut Output, settings: &Settings, args: &AbortArgs) -> Result<Option<u8>, CliError> {
    let Some(named) = args.op.as_deref() else { return Ok(None) };
    let running = running()?;
    let Some(one) = find(&running, named, "abort").transpose()? else {
        if args.leave || args.undo_all {
            return Err(CliError::usage(format!("{named} does not run, so nothing of it is in flight"))
                .hint(format!("`pitstop abort {named}` without --leave and --undo-all takes back what it has done")));
        }
        return Ok(None);
    };
    allowed(settings)?;
    let urgency = match (args.leave, args.undo_all) {
        (_, true) => Urgency::AbortAll,
        (true, _) => Urgency::Abort,
        _ if out.can_ask() => {
            let Some(urgency) = asked(out, one)? else {
                out.alarm("not confirmed; it goes on");
                return Ok(Some(exit::ABORTED));
            };
            urgency
        }
        _ => Urgency::Abort,
    };
    tell(out, one, Order::Cancel { urgency }).await.map(Some)
}

/// What becomes of the instances that are done.
fn asked(out: &mut Output, one: &Summary) -> Result<Option<Urgency>, CliError> {
    out.ask(&format!(
        "abort {}? What is in flight is put back. What is done: [l]eave it, put [a]ll back, [N]o abort: ",
        one.title()
    ));
    let mut answer = String::new();
    std::io::stdin()
        .read_line(&mut answer)
        .map_err(|error| CliError::failed("cannot read the answer").because(&error))?;
    Ok(match answer.trim().to_lowercase().as_str() {
        "l" | "leave" => Some(Urgency::Abort),
        "a" | "all" => Some(Urgency::AbortAll),
        _ => None,
    })
}

async fn tell(out: &mut Output, one: &Summary, order: Order) -> Result<u8, CliError> {
    let reply = say(&history::store()?, &one.op, order).await.map_err(|error| {
        let message = format!("{} ({}) can't be reached: {error}", one.title(), one.op);
        match error {
            Unheard::Nobody => CliError::refused(message).hint("it may have ended just now; `pitstop history` tells"),
            Unheard::Failed(_) => CliError::failed(message),
        }
    })?;
    let said = format!("{} ({}): {}", one.title(), one.op, reply.message);
    if !reply.ok {
        return Err(CliError::refused(said));
    }
    out.result(&said);
    Ok(exit::DONE)
}

fn allowed(settings: &Settings) -> Result<(), CliError> {
    if settings.read_only == Some(true) {
        return Err(CliError::refused("read-only: nothing may be changed here")
            .hint("--read-only, PITSTOP_READ_ONLY or the settings file says so"));
    }
    Ok(())
}

/// The operations that run now, the newest first.
fn running() -> Result<Vec<Summary>, CliError> {
    let mut all = history::store()?.list()?;
    all.retain(|one| one.standing() == Standing::Running);
    Ok(all)
}

/// The one that is meant by a part of its id, or by its app.
fn find<'a>(running: &'a [Summary], named: &str, verb: &str) -> Option<Result<&'a Summary, CliError>> {
    let found = meant(running, named);
    match found.as_slice() {
        [] => None,
        [one] => Some(Ok(*one)),
        many => Some(Err(which(many, verb))),
    }
}

fn which(many: &[&Summary], verb: &str) -> CliError {
    let message = format!("{} operations run: {}", many.len(), record::named(many.iter().copied()));
    CliError::usage(message).hint(format!("name one: `pitstop {verb} OP`"))
}

fn not_running(named: &str) -> CliError {
    let ended = history::store().and_then(|store| Ok(store.find(named)?)).is_ok();
    let message = format!("no operation `{named}` of yours runs on this machine");
    let hint = if ended {
        format!("it has ended: `pitstop show {named}` tells how; `pitstop retry {named}` asks for it again")
    } else {
        "`pitstop history` lists the operations that have a record here".to_owned()
    };
    CliError::usage(message).hint(hint)
}
