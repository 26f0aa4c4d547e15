//! Recipes: from facts and wishes to a plan, purely.
//!
//! One file per operation, each a total function over what can be observed: a half-done operation gives a shorter
//! plan, a finished one an empty plan. What they share: `draft` (how a plan is written), `settle` (what options, spec
//! and image leave open), `swap`, `recreate` and `roll` (one instance, one instance with its sandbox, a whole app),
//! `resources` and `ports`. Nothing here asks an engine or a clock.

mod address;
mod adopt;
mod create;
mod deploy;
mod draft;
mod finish;
mod hooks;
mod order;
mod ports;
mod recreate;
mod remove;
mod repair;
mod resources;
mod restart;
mod roll;
mod rollback;
mod scale;
mod settle;
mod surge;
mod swap;
#[cfg(test)]
mod tests;
mod traffic;
mod unmanaged;
mod warm;

pub use adopt::{Becoming, Wish, adopt, becoming, give_back};
pub use create::create;
pub use deploy::deploy;
pub use finish::{finish, take_back};
pub use remove::remove;
pub use repair::repair;
pub use restart::restart;
pub use rollback::rollback;
pub use scale::scale;

use super::facts::Facts;
use super::fleet::{App, Instance};
use super::plan::Refusal;

/// The managed app of that name; an unmanaged one is refused with what can be done.
fn managed<'a>(target: &str, verb: &str, facts: &'a Facts) -> Result<&'a App, Refusal> {
    let app = facts.fleet.find(target).map_err(Refusal::Usage)?;
    if app.managed {
        return Ok(app);
    }
    let instead = match verb {
        "rm" => "remove its containers with the tool that made them, or docker rm".to_owned(),
        _ => format!("`pitstop adopt {}` gives it one; `pitstop restart` works as it is", app.id),
    };
    Err(Refusal::Refused(format!(
        "{} was not created by pitstop: no sandbox holds its address, so {verb} can't keep it; {instead}",
        app.id
    )))
}

/// Apps and single instances by name, each instance once, in the order named.
fn instances<'a>(targets: &[String], facts: &'a Facts) -> Result<Vec<(&'a App, &'a Instance)>, Refusal> {
    let mut found: Vec<(&App, &Instance)> = Vec::new();
    for target in targets {
        let these = match (facts.fleet.find(target), facts.fleet.find_instance(target)) {
            (Ok(app), _) => app.instances.iter().map(|instance| (app, instance)).collect(),
            (Err(_), Some(one)) => vec![one],
            (Err(error), None) => return Err(Refusal::Usage(ambiguous(target, facts).unwrap_or(error))),
        };
        for one in these {
            if !found.iter().any(|(_, instance)| instance.name == one.1.name) {
                found.push(one);
            }
        }
    }
    if found.is_empty() {
        return Err(Refusal::Usage("name at least one app or instance".into()));
    }
    Ok(found)
}

/// A short instance name that several projects have.
fn ambiguous(target: &str, facts: &Facts) -> Option<String> {
    let all = facts.fleet.apps.iter().flat_map(|app| &app.instances);
    let names: Vec<_> = all.filter(|one| one.name.short() == target).map(|one| one.name.0.clone()).collect();
    (names.len() > 1).then(|| format!("`{target}` could be {}; write it in full", names.join(" or ")))
}

/// What an operation on these is called: the app, the instance, the project, or how many.
fn subject(chosen: &[(&App, &Instance)]) -> String {
    let apps: std::collections::BTreeSet<_> = chosen.iter().map(|(app, _)| &app.id).collect();
    let projects: std::collections::BTreeSet<_> = apps.iter().map(|id| &id.project).collect();
    match (chosen, apps.first(), projects.first()) {
        ([(app, instance)], ..) if app.instances.len() > 1 => instance.name.to_string(),
        (_, Some(app), _) if apps.len() == 1 => app.to_string(),
        (_, _, Some(project)) if projects.len() == 1 && !project.is_empty() => (*project).clone(),
        _ => format!("{} apps", apps.len()),
    }
}
