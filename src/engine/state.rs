//! What runs where, told after an operation that did not simply succeed.
//!
//! Read afresh from the engine, not from what the operation believes.

use crate::docker::{Docker, DockerError};
use crate::domain::event::Outcome;
use crate::domain::fleet::{Fleet, Instance};
use crate::domain::identity::Verdict;
use crate::domain::ids::{InstanceName, OpId};
use crate::domain::plan::{Kind, Plan};
use std::collections::BTreeSet;

/// A line per instance of the plan, then what to do next; `op`: the operation's id, if it has a record to go on with.
pub(super) async fn what_runs(docker: &Docker, plan: &Plan, outcome: Outcome, op: Option<&OpId>) -> Vec<String> {
    let mut lines = match docker.fleet().await {
        Ok(fleet) => plan.batches.iter().flatten().map(|name| line(&fleet, name)).collect(),
        Err(error) => vec![format!("what runs now can't be told: {error}")],
    };
    lines.extend(next_step(plan, outcome, op));
    lines
}

/// The plan's instances that do not run in their sandbox although the operation was done with them: an engine that dies
/// without live-restore takes all with it, and its policies do not bring everything back.
pub(super) async fn fallen(docker: &Docker, plan: &Plan) -> Result<Vec<(InstanceName, String)>, DockerError> {
    let fleet = docker.fleet().await?;
    let all: Vec<&Instance> = fleet.apps.iter().flat_map(|app| &app.instances).collect();
    let is_down = |instance: &&&Instance| {
        let orphaned = matches!(instance.standing(), Verdict::Orphaned | Verdict::Lost);
        instance.app.as_deref().is_some_and(|app| !app.is_running() || orphaned)
    };
    let planned = plan.batches.iter().flatten().filter_map(|name| all.iter().find(|one| one.name == *name));
    Ok(planned.filter(is_down).map(|one| (one.name.clone(), line(&fleet, &one.name))).collect())
}

fn line(fleet: &Fleet, name: &InstanceName) -> String {
    let mut instances = fleet.apps.iter().flat_map(|app| &app.instances);
    let Some(instance) = instances.find(|instance| instance.name == *name) else {
        return format!("{name}: there is no such instance");
    };
    let Some(app) = &instance.app else {
        return format!("{name}: only its sandbox is there");
    };
    let revision = instance.revision().map_or(String::new(), |revision| format!(" (revision {revision})"));
    let address = instance.address().map_or(String::new(), |address| format!(", {address}"));
    format!("{name}: {}{revision}, {}{address}{}", app.image_name(), app.status, extra(instance))
}

/// Leftovers are named, so that nobody wonders about them.
fn extra(instance: &Instance) -> String {
    let names: BTreeSet<&str> = instance.others.iter().map(|container| &*container.name).collect();
    if names.is_empty() {
        return String::new();
    }
    format!("; also there, not serving: {}", names.into_iter().collect::<Vec<_>>().join(", "))
}

fn resumable(op: &OpId) -> String {
    format!("next: `pitstop resume {op}` does what is left, `pitstop abort {op}` takes back what is done")
}

fn next_step(plan: &Plan, outcome: Outcome, op: Option<&OpId>) -> Option<String> {
    let app = &plan.app;
    let text = match (outcome, plan.kind) {
        (Outcome::Succeeded, _) => return None,
        (Outcome::Paused, Kind::Deploy | Kind::Rollback) => format!(
            "next: {}`pitstop deploy {app} --image …` with a corrected image goes on, `pitstop rollback {app}` takes back what is done",
            op.map_or(String::new(), |op| format!("`pitstop retry {op}` tries the rest again, "))
        ),
        // What failed is gone, and its log with it.
        (Outcome::RolledBack, Kind::Deploy | Kind::Rollback) => "next: correct the cause and deploy again".to_owned(),
        (Outcome::Failed, Kind::Deploy | Kind::Rollback) => {
            format!("next: correct the cause and deploy again; `pitstop logs {app}` shows what the app says")
        }
        (Outcome::Failed | Outcome::Paused, Kind::Create) => {
            format!(
                "next: correct the cause and run the same `create` again; it goes on from here. `pitstop rm {app}` removes what was made"
            )
        }
        (Outcome::Interrupted, _) if op.is_some() => resumable(op?),
        (Outcome::Aborted, _) if op.is_some() => {
            format!("next: `pitstop retry {}` asks for it again; what is done already is left alone", op?)
        }
        (Outcome::Interrupted | Outcome::Aborted, _) => {
            "next: run the same command again; what is done already is left alone".to_owned()
        }
        _ => format!(
            "next: correct the cause and run the same command again; `pitstop logs {app}` shows what the app says"
        ),
    };
    Some(text)
}
