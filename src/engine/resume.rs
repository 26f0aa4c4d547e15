//! Going on with an operation that was left half-done, and taking it back: which request that is.
//!
//! Both are planning again from what the engine shows, never from what the record says was done; the record only says what
//! was asked for. So going on twice does nothing the second time. Must not change anything.

use super::{Records, Request};
use crate::config::compose::{self, LoadOptions};
use crate::domain::event::Outcome;
use crate::domain::fleet::{EngineInfo, Fleet};
use crate::domain::ids::{AppId, OpId};
use crate::domain::options::Options;
use crate::domain::plan::{Action, Plan, Refusal, Task};
use crate::domain::progress::Progress;
use crate::domain::project::ProjectSpec;
use crate::domain::recipe::Wish;
use crate::domain::record::{Goal, Record, Standing, Summary, revision_before};
use std::path::PathBuf;

/// Forward or back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    On,
    Back,
    /// Forward again, also where it has come to an end that was not a success.
    Again,
}

/// What is to be asked for.
pub(super) enum Next {
    Ask(Box<Request>),
    /// There is nothing to do, and why.
    Nothing(String),
}

/// Reads the operation's record; blocks on the disk. An operation that still runs is left alone.
pub(super) fn read(records: Option<&Records>, op: &OpId, engine: &EngineInfo) -> Result<(Record, Summary), Refusal> {
    let records =
        records.ok_or_else(|| Refusal::Usage("no records are kept here: there is no home directory".into()))?;
    let (record, running) = records.read(op).map_err(|error| Refusal::Usage(error.to_string()))?;
    let summary = record.summary(running);
    if summary.standing() == Standing::Running {
        let pid = record.header.as_ref().map_or(0, |header| header.pid);
        return Err(Refusal::Refused(format!(
            "{} ({op}) is still running: {}, process {pid}; nothing was touched. `pitstop go {op}` passes its gate, `pitstop continue {op}` ends its pause",
            summary.title(),
            if summary.by.is_empty() { "by somebody unknown" } else { &summary.by },
        )));
    }
    if !summary.is_on(engine) {
        return Err(Refusal::Usage(format!(
            "{} ({op}) ran on another engine, {} at {}; name that one with --host or --context",
            summary.title(),
            summary.engine.name,
            summary.engine.host
        )));
    }
    Ok((record, summary))
}

/// The request that goes on with it, or takes it back.
pub(super) fn next(
    record: &Record,
    summary: &Summary,
    way: Way,
    options: &Options,
    fleet: &Fleet,
) -> Result<Next, Refusal> {
    let ended_well = summary.outcome == Some(Outcome::Succeeded);
    if let Some(by) = record.resumed_by.as_ref().filter(|_| way != Way::Again || ended_well) {
        return Ok(Next::Nothing(format!("{by} has gone on with it already")));
    }
    if !summary.is_open() && (way != Way::Again || ended_well) {
        let how = summary.standing().as_str().replace('_', " ");
        return Ok(Next::Nothing(format!(
            "{} has come to its end ({how}): nothing was left half-done",
            summary.title()
        )));
    }
    let title = summary.title();
    let goal = wanted(record).ok_or_else(|| {
        Refusal::Refused(format!(
            "the record of the {title} does not say what was asked for; run the same command again"
        ))
    })?;
    let earlier = record.header.as_ref().and_then(|header| serde_json::from_value(header.options.clone()).ok());
    let mut earlier: Options = earlier.unwrap_or_default();
    if way == Way::Back {
        // Who takes back what went wrong has decided; nothing is tried out on the way.
        (earlier.gate, earlier.canary) = (None, None);
    }
    let options = options.clone().over(earlier);
    match way {
        Way::On | Way::Again => on(goal, record, options, fleet),
        Way::Back => back(goal, record, &title, options, fleet),
    }
}

/// What was asked for.
pub(super) fn wanted(record: &Record) -> Option<Goal> {
    record.header.as_ref()?.goal()
}

fn on(goal: Goal, record: &Record, options: Options, fleet: &Fleet) -> Result<Next, Refusal> {
    let request = match goal {
        Goal::Create { project, files, services, scale } => {
            Request::Create { project: file(&files, Some(&project))?, services, scale, options }
        }
        Goal::Deploy { app, image, files, .. } => {
            let project = app.split('/').next().unwrap_or_default().to_owned();
            let project = if files.is_empty() { None } else { Some(file(&files, Some(&project))?) };
            Request::Deploy { app, image, project, options }
        }
        Goal::Restart => {
            let progress = Progress::of(&record.events);
            if progress.instances.is_empty() {
                return Err(Refusal::Refused(
                    "the record does not say which instances were to be restarted, so none was; run the same command again"
                        .into(),
                ));
            }
            let left = progress.instances.iter().filter(|instance| !progress.is_complete(instance));
            let targets: Vec<String> = left.map(|instance| instance.name.0.clone()).collect();
            if targets.is_empty() {
                return Ok(Next::Nothing("every instance was restarted".into()));
            }
            Request::Restart { targets, options }
        }
        Goal::Rollback { app, to, .. } => Request::Rollback { app, to: Some(to), options },
        Goal::Scale { app, replicas, .. } => Request::Scale { app, replicas, options },
        Goal::Remove { apps, volumes } => {
            let apps: Vec<String> = apps.into_iter().filter(|app| fleet.find(app).is_ok()).collect();
            if apps.is_empty() {
                return Ok(Next::Nothing("nothing of it is there any more".into()));
            }
            Request::Remove { apps, volumes, options }
        }
        Goal::Adopt { .. } => match wish(goal, fleet)? {
            Some(wish) => Request::Adopt { wish, options },
            None => return Ok(Next::Nothing("the old containers are gone: it is done".into())),
        },
    };
    Ok(Next::Ask(Box::new(request)))
}

fn back(goal: Goal, record: &Record, title: &str, options: Options, fleet: &Fleet) -> Result<Next, Refusal> {
    let request = match goal {
        Goal::Deploy { app, before: Some(before), .. } | Goal::Rollback { app, before: Some(before), .. } => {
            Request::Rollback { app, to: Some(before), options }
        }
        Goal::Deploy { app, .. } | Goal::Rollback { app, .. } => {
            return Err(Refusal::Refused(format!(
                "the record of the {title} does not say which revision ran before; `pitstop rollback {app} --to REV` goes back to it"
            )));
        }
        Goal::Scale { app, before, .. } => Request::Scale { app, replicas: before, options },
        // Stopping and starting can't be taken back; an instance in the middle of it can be finished.
        Goal::Restart => {
            let progress = Progress::of(&record.events);
            let begun = |step: &&usize| {
                progress
                    .steps
                    .get(**step)
                    .is_some_and(|step| step.plan.action == Action::Stop && step.started_ms.is_some())
            };
            let half = progress
                .instances
                .iter()
                .filter(|one| !progress.is_complete(one) && one.steps.iter().any(|step| begun(&step)));
            let targets: Vec<String> = half.map(|instance| instance.name.0.clone()).collect();
            if targets.is_empty() {
                return Ok(Next::Nothing("no instance is in the middle of its restart".into()));
            }
            Request::Restart { targets, options }
        }
        Goal::Adopt { .. } => match wish(goal, fleet)? {
            Some(wish) => Request::GiveBack { wish, options },
            None => {
                return Ok(Next::Nothing("the old containers are gone, so nothing can be given back to them".into()));
            }
        },
        Goal::Create { project, .. } => {
            return Err(Refusal::Refused(format!(
                "a creation is not taken back, for what it made may be in use: `pitstop resume` goes on with it, `pitstop rm` removes apps of {project}"
            )));
        }
        Goal::Remove { apps, .. } => {
            return Err(Refusal::Refused(format!(
                "what was removed can't be brought back: `pitstop resume` removes the rest, `pitstop create -f FILE` makes {} anew",
                apps.join(", ")
            )));
        }
    };
    Ok(Next::Ask(Box::new(request)))
}

/// What was to be adopted, as far as it is still there; `None`: nothing is.
fn wish(goal: Goal, fleet: &Fleet) -> Result<Option<Wish>, Refusal> {
    let Goal::Adopt { targets, project, app, files, accept_changes, keep_old } = goal else { return Ok(None) };
    let strangers = || fleet.apps.iter().filter(|app| !app.managed).flat_map(|app| &app.instances);
    let is_there = |target: &String| strangers().any(|one| one.app.iter().any(|seen| *seen.name == **target));
    // One that was put aside while its sandbox took its name.
    let aside = |target: String| {
        if is_there(&target) { target } else { format!("{target}.old") }
    };
    let targets: Vec<String> = targets.into_iter().map(aside).filter(is_there).collect();
    if targets.is_empty() {
        return Ok(None);
    }
    let app = app.as_deref().and_then(|app| app.split_once('/')).map(|(project, app)| AppId::new(project, app));
    let of = app.as_ref().map(|app| &app.project).or(project.as_ref());
    let file = if files.is_empty() { None } else { Some(file(&files, of.map(String::as_str))?) };
    Ok(Some(Wish { targets, project, app, file, accept_changes, keep_old }))
}

/// The files as they are now, with this process's environment.
fn file(files: &[String], project: Option<&str>) -> Result<ProjectSpec, Refusal> {
    if files.is_empty() {
        return Err(Refusal::Refused(
            "its file came from standard input and is not kept; run the same command again".into(),
        ));
    }
    let files: Vec<PathBuf> = files.iter().map(PathBuf::from).collect();
    let options = LoadOptions {
        project: project.map(str::to_owned),
        // Which services were meant is known by name.
        profiles: vec!["*".into()],
        ..LoadOptions::of_process()
    };
    compose::load(&files, &options).map_err(|errors| Refusal::Usage(errors.to_string()))
}

/// The containers that a plan adopts, by name.
fn adopted(plan: &Plan) -> Vec<String> {
    let parked = plan.steps.iter().filter_map(|step| match &step.task {
        Task::Park { container } => Some(container.name().to_owned()),
        _ => None,
    });
    parked.collect()
}

/// What is written down of a request and its plan, so that somebody can go on with it.
pub(super) fn goal(request: &Request, plan: &Plan) -> Option<Goal> {
    let before = revision_before(plan);
    let instances = || u32::try_from(plan.batches.iter().map(Vec::len).sum::<usize>()).unwrap_or(u32::MAX);
    Some(match request {
        Request::Create { project, services, scale, .. } => Goal::Create {
            project: project.name.clone(),
            files: project.files.clone(),
            services: if services.is_empty() { project.apps.keys().cloned().collect() } else { services.clone() },
            scale: scale.clone(),
        },
        Request::Deploy { image, project, .. } => {
            let files = project.as_ref().map(|project| project.files.clone());
            // A file that can't be named can't be read again.
            if files.as_ref().is_some_and(Vec::is_empty) {
                return None;
            }
            Goal::Deploy { app: plan.app.clone(), image: image.clone(), files: files.unwrap_or_default(), before }
        }
        Request::Restart { .. } => Goal::Restart,
        Request::Rollback { .. } => Goal::Rollback { app: plan.app.clone(), to: plan.revision?, before },
        Request::Scale { replicas, .. } => {
            let adds =
                plan.steps.iter().any(|step| matches!(step.task.action(), Action::SandboxCreate | Action::Create));
            let before = if adds { replicas.saturating_sub(instances()) } else { replicas.saturating_add(instances()) };
            Goal::Scale { app: plan.app.clone(), replicas: *replicas, before }
        }
        Request::Remove { apps, volumes, .. } => {
            let apps = if apps.len() == 1 { vec![plan.app.clone()] } else { apps.clone() };
            Goal::Remove { apps, volumes: *volumes }
        }
        Request::Adopt { wish, .. } => Goal::Adopt {
            targets: adopted(plan),
            project: wish.project.clone(),
            app: wish.app.as_ref().map(ToString::to_string),
            files: match &wish.file {
                // A file that can't be named can't be read again.
                Some(file) if file.files.is_empty() => return None,
                Some(file) => file.files.clone(),
                None => Vec::new(),
            },
            accept_changes: wish.accept_changes,
            keep_old: wish.keep_old,
        },
        // Asking again is going on.
        Request::Repair { .. }
        | Request::GiveBack { .. }
        | Request::Finish { .. }
        | Request::TakeBack { .. }
        | Request::Resume { .. }
        | Request::Retry { .. }
        | Request::Abort { .. } => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::options::Gate;
    use crate::domain::record::Header;
    use serde_json::json;

    #[test]
    fn going_on_keeps_to_the_gates_and_batches_of_what_was_begun() {
        let begun = Options { gate: Some(Gate::Every), batch: "2".parse().ok(), ..Options::default() };
        let goal = json!({"kind": "deploy", "app": "shop/web", "image": "web:v2", "files": [], "before": 1});
        let goal = serde_json::from_value::<Goal>(goal).unwrap();
        let asked = |options: serde_json::Value, own: &Options, way: Way| {
            let header = Header { goal: serde_json::to_value(&goal).unwrap(), options, ..Header::default() };
            let record = Record {
                op: OpId::new("20261122-101502-3f2a01").unwrap(),
                header: Some(header),
                events: Vec::new(),
                intents: Vec::new(),
                resumed_by: None,
                torn: false,
                damaged: 0,
            };
            let next = next(&record, &record.summary(false), way, own, &Fleet::default());
            let Ok(Next::Ask(request)) = next else { panic!("nothing is asked for") };
            request.options().clone()
        };
        let written = serde_json::to_value(&begun).unwrap();
        assert_eq!(asked(written.clone(), &Options::default(), Way::On), begun);
        assert_eq!(asked(written.clone(), &Options::default(), Way::Back), Options { gate: None, ..begun });
        let auto = Options { gate: Some(Gate::Auto), ..Options::default() };
        assert_eq!(asked(written, &auto, Way::On).gate, Some(Gate::Auto), "unless told otherwise");
        assert_eq!(asked(json!({"gate": "from the future"}), &Options::default(), Way::On), Options::default());
    }
}
