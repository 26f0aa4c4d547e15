//! What is read of an instance before and after it is touched: that its parts are there, who it is, and that it alone answers.
//!
//! The judging is pure and elsewhere (`domain/identity.rs`); here is what it judges by. Must not change anything.

use super::certain::Certain;
use super::gap::GapWatch;
use super::perform::{Done, Failed, Job, Outcome};
use crate::domain::fleet::{Instance, State};
use crate::domain::identity::{Hold, Identity, judge};
use crate::domain::ids::{ContainerId, InstanceName};
use crate::domain::plan::Target;
use crate::domain::probe::ProbeSpec;
use futures_util::future::try_join_all;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The probe asks a port, not a container, so who answers before the start would later be taken for what was started: a
/// process that the engine forgot when it was killed, say. Where the watch saw the old container stop, readiness waits for
/// what begins to answer afterwards. Elsewhere nobody may answer; a watch that ended meanwhile begins anew, and is given back.
pub(super) async fn nobody_answers(
    docker: &Certain,
    job: &Job,
    id: &ContainerId,
    name: &str,
) -> Result<Option<GapWatch>, Failed> {
    let Some(watched) = &job.watched else { return Ok(None) };
    let now = watched.seen.borrow().clone();
    let mut anew = None;
    if now.ended.is_some() {
        // A sandbox that does not run any more is the start's to tell.
        anew = GapWatch::start(docker, &watched.sandbox, &watched.probe).await.ok();
    } else if watched.mark > 0 {
        return Ok(None);
    }
    let up = anew.as_ref().map_or(now.ended.is_none() && now.up == Some(true), GapWatch::is_up);
    // The engine may have started it by itself, as its restart policy says.
    if !up || docker.inspect(id).await?.is_some_and(|seen| seen.is_running()) {
        return Ok(anew);
    }
    let sandbox = docker.inspect(&watched.sandbox).await?.map_or_else(|| watched.sandbox.short().into(), |it| it.name);
    Err(Failed::new(format!(
        "something answers {} in sandbox {sandbox} although {name} was not started yet, so nobody could tell them apart: a process that the engine forgot when it was killed? On its machine `pgrep -a --nslist net --ns $(docker inspect -f '{{{{.State.Pid}}}}' {sandbox})` shows all processes there; end the one that belongs to no container, then run this again",
        watched.probe
    )))
}

pub(super) async fn runs(docker: &Certain, job: &Job, app: &Target) -> Result<bool, Failed> {
    let seen = docker.inspect(&job.container(app)?).await?;
    Ok(seen.is_some_and(|app| app.is_running()))
}

/// Reads an instance's two halves afresh.
pub(super) async fn look(
    docker: &Certain,
    job: &Job,
    app: Option<&ContainerId>,
    sandbox: Option<&ContainerId>,
) -> Result<Instance, Failed> {
    let read = async |id: Option<&ContainerId>| match id {
        Some(id) => docker.inspect(id).await,
        None => Ok(None),
    };
    let (app, sandbox) = tokio::try_join!(read(app), read(sandbox))?;
    let name = job.instance.clone().unwrap_or_else(|| InstanceName(String::new()));
    Ok(Instance { name, number: 0, sandbox: sandbox.map(Arc::new), app: app.map(Arc::new), others: Vec::new() })
}

/// What can fail fails here, before anything is touched: the parts are there, the sandbox runs, the identity is read,
/// the watch answers.
pub(super) async fn preflight(
    docker: &Certain,
    job: &Job,
    container: Option<&Target>,
    sandbox: Option<&Target>,
    probe: Option<&ProbeSpec>,
    addresses: &BTreeMap<String, String>,
) -> Outcome {
    let (app, owner) = (container.map(|target| job.container(target)).transpose()?, job.sandbox(sandbox)?);
    let watching = async {
        match (&owner, probe) {
            (Some(owner), Some(probe)) => GapWatch::start(docker, owner, probe).await.map(Some).map_err(Failed::from),
            _ => Ok(None),
        }
    };
    let (instance, gap) = tokio::try_join!(look(docker, job, app.as_ref(), owner.as_ref()), watching)?;
    if let (Some(target), None) = (container, &instance.app) {
        return Err(Failed::new(format!(
            "{} is gone: somebody removed it meanwhile; nothing was touched",
            target.name()
        )));
    }
    if let Some(target) = sandbox {
        match &instance.sandbox {
            None => {
                return Err(Failed::new(format!(
                    "sandbox {} is gone: somebody removed it meanwhile; nothing was touched",
                    target.name()
                )));
            }
            Some(sandbox) if !sandbox.is_running() => {
                return Err(Failed::new(format!(
                    "sandbox {} does not run ({}); nothing was touched",
                    target.name(),
                    sandbox.status
                )));
            }
            Some(_) => {}
        }
    }
    // A sandbox that this plan makes anew has nothing of the one before it: whatever it has is a change.
    let anew = container.is_some() && matches!(sandbox, Some(Target::Made { .. })) && addresses.is_empty();
    let before = if anew { Some(Identity::default()) } else { instance.identity() };
    let mut before = before.map(|identity| identity.at_addresses(addresses));
    if let (None, Some(before)) = (sandbox, &mut before) {
        // Nothing holds it: it is another one after every start.
        before.netns = None;
    }
    let address = instance.address().unwrap_or("no address").to_owned();
    Ok(Done { before, gap, detail: Some(address), ..Done::default() })
}

/// A probe is asked in the sandbox, so any container in it may answer: what is verified has to be alone there.
pub(super) async fn no_rival(docker: &Certain, job: &Job, container: &Target, rivals: &[Target]) -> Result<(), Failed> {
    // One that was never made is none.
    let made = rivals.iter().filter_map(|rival| Some((rival, job.container(rival).ok()?)));
    let looks = made.map(async |(rival, id)| Ok::<_, Failed>((rival, docker.inspect(&id).await?)));
    for (rival, seen) in try_join_all(looks).await? {
        let Some(seen) = seen else { continue };
        if matches!(seen.state, State::Running | State::Paused | State::Restarting) {
            return Err(Failed::new(format!(
                "{} runs in the same sandbox as {}, so nobody knows which of them answers: somebody started it; `docker stop {}`, then run this again",
                rival.name(),
                container.name(),
                rival.name()
            )));
        }
    }
    Ok(())
}

pub(super) async fn verify(docker: &Certain, job: &Job, container: &Target, sandbox: Option<&Target>) -> Outcome {
    let (app, owner) = (job.container(container)?, job.sandbox(sandbox)?);
    let instance = look(docker, job, Some(&app), owner.as_ref()).await?;
    let after = instance.app.as_deref().filter(|app| app.is_running()).and_then(|_| instance.identity());
    let hold = instance.hold().unwrap_or(if sandbox.is_some() { Hold::Orphaned } else { Hold::Loose });
    let judgement = judge(job.before.as_ref(), after.as_ref(), hold);
    let detail = format!("{} {}", instance.address().unwrap_or("no address"), judgement.verdict.as_str());
    Ok(Done { judged: Some((judgement, after)), detail: Some(detail), ..Done::default() })
}
