//! The swap of one instance by a new container that is up already: started and held back while the old one serves.

use super::super::fleet::{Container, Instance};
use super::super::options::Options;
use super::super::plan::{Refusal, StepId, Target, Task};
use super::super::probe::ProbeSpec;
use super::super::spec::{AppSpec, MountKind};
use super::super::warm::{Choice, HoldAt, Seen, Warm};
use super::draft::{Draft, Slot, known};
use super::settle::{Readiness, watch};

/// How the new container of `instance` is held back, if it is; said in the plan's notes.
pub(super) fn choose(
    draft: &mut Draft<'_>,
    instance: &Instance,
    spec: &AppSpec,
    readiness: &Readiness,
    batch: usize,
) -> Result<Option<HoldAt>, Refusal> {
    let wish = wish(draft.options, spec);
    let rivals = instance.others.iter().any(|one| one.is_alive());
    let sandbox = instance.sandbox.as_deref().filter(|sandbox| sandbox.is_running());
    let old = instance.app.as_deref().filter(|app| app.is_running());
    let port = match watch(&readiness.probe, Some(spec), old) {
        Some(ProbeSpec::Tcp { port } | ProbeSpec::Http { port, .. }) => Some(port),
        _ => None,
    };
    let limit = spec.container.resources.memory.and_then(|bytes| u64::try_from(bytes).ok()).filter(|bytes| *bytes > 0);
    let machine = draft.facts.fleet.engine.memory;
    let seen = Seen {
        // With a third one about, first there has to be order.
        serves: old.is_some() && sandbox.is_some() && !rivals,
        guest: sandbox.and_then(|sandbox| sandbox.detail.as_ref()).map_or(0, |detail| detail.guest),
        port,
        shared: shared(old, spec),
        memory: limit.filter(|_| machine > 0).map(|limit| (limit, machine)),
        batch,
        security: &spec.container.security_opt,
        podman: draft.facts.fleet.engine.podman,
    };
    match seen.choose(wish) {
        Ok(Choice { hold, why }) => {
            if !why.is_empty() {
                draft.note(why);
            }
            Ok(hold)
        }
        Err(why) => Err(Refusal::Refused(format!(
            "{}: --warm {} is not possible: {why}; --warm auto takes what is",
            instance.name,
            wish.as_str()
        ))),
    }
}

pub(super) fn wish(options: &Options, spec: &AppSpec) -> Warm {
    options.warm.or(spec.rollout.warm).unwrap_or_default()
}

/// A place that both versions could write to at once.
fn shared<'a>(old: Option<&'a Container>, spec: &'a AppSpec) -> Option<&'a str> {
    let there = old.into_iter().flat_map(|old| &old.mounts);
    let there =
        there.filter(|mount| mount.kind != MountKind::Tmpfs && !mount.read_only).map(|mount| mount.target.as_str());
    let named = spec.container.mounts.iter();
    let named = named.filter(|mount| mount.kind != MountKind::Tmpfs && !mount.read_only && !mount.source.is_empty());
    there.chain(named.map(|mount| mount.target.as_str())).next()
}

/// Starts the new container, held, and waits until it stands; its own steps, before anything of the old one is touched.
pub(super) fn warm_up(
    draft: &mut Draft<'_>,
    at: &Slot,
    (container, sandbox, hold): (&Target, &Target, HoldAt),
    needs: &[StepId],
) -> (StepId, StepId) {
    let (container, sandbox) = (container.clone(), sandbox.clone());
    let task = Task::StartHeld { container: container.clone(), sandbox: sandbox.clone(), hold };
    let start = draft.main(at, task, needs, "the new version starts beside the old one, which serves");
    let task = Task::Warm { container, sandbox, hold, timeout: draft.options.ready_timeout };
    let cause = match hold {
        HoldAt::Bind { port, .. } => {
            format!("it boots while the old version serves, and is held before it binds port {port}")
        }
        HoldAt::Start { .. } => "the engine has started it, and it is held before its program begins".to_owned(),
    };
    (start, draft.main(at, task, &[start], cause))
}

/// The stop of the old container, which lets the new one go.
pub(super) fn swap(
    draft: &Draft<'_>,
    old: &Container,
    (container, sandbox, hold): (&Target, &Target, HoldAt),
    watch: Option<ProbeSpec>,
    readiness: &Readiness,
) -> Task {
    let (probe, prefer_health) = readiness.asked();
    Task::Swap {
        container: known(old),
        grace: draft.options.stop_grace,
        next: container.clone(),
        sandbox: sandbox.clone(),
        hold,
        watch,
        probe,
        prefer_health,
        timeout: draft.options.ready_timeout,
    }
}
