//! Where an instance gets its requests from: what is drained before it is touched, and what is attached again.
//!
//! What a person took out stays out: only places that serve now, or that an earlier operation took out and never put back,
//! are ours to move.

use super::super::balancer::{self, BalancerSpec, Place, Server, Wanted as Known};
use super::super::converge::Seen;
use super::super::facts::Facts;
use super::super::fleet::{App, Container, Instance};
use super::super::ids::{AppId, InstanceName};
use super::super::options::{OnDrainTimeout, Options};
use super::super::plan::{Refusal, StepId, Target, Task};
use super::draft::{Draft, Slot, known};
use super::swap::Wanted;
use std::time::Duration;

/// How long a balancer may take to send requests again (HAProxy: `rise` checks of `inter` each; 3 × 2 s by default).
pub(super) const ATTACH: Duration = Duration::from_secs(60);

/// The places of one instance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Places(Vec<Place>);

/// A balancer that can't be asked is a refusal: nothing of its app is touched, unless no session is to be waited for anyway.
pub(super) fn reachable(app: &AppId, facts: &Facts, options: &Options) -> Result<(), Refusal> {
    let seen = facts.balancers.get(app).map_or(&[][..], Vec::as_slice);
    match seen.iter().find_map(|balancer| balancer.servers.as_ref().err()) {
        Some(why) if options.drain_timeout != Some(Duration::ZERO) => Err(Refusal::Refused(format!(
            "a load balancer of {app} can't be asked, so no session of it could be spared: {why}; nothing was touched; \
             `--drain-timeout 0s` goes on without"
        ))),
        _ => Ok(()),
    }
}

/// Finds the instance in its app's balancers, and says where it is not, or stays out.
pub(super) fn places(draft: &mut Draft<'_>, instance: &Instance) -> Places {
    find(draft, owner(draft, instance), instance, true)
}

/// The same of one that is about to be an instance of that app.
pub(super) fn places_of(draft: &mut Draft<'_>, app: &AppId, instance: &Instance) -> Places {
    find(draft, Some(app.clone()), instance, true)
}

/// The same of one beside which another serves before it is taken out.
pub(super) fn places_beside(draft: &mut Draft<'_>, instance: &Instance) -> Places {
    find(draft, owner(draft, instance), instance, false)
}

fn owner(draft: &Draft<'_>, instance: &Instance) -> Option<AppId> {
    let owner = |app: &&App| app.instances.iter().any(|one| one.name == instance.name);
    draft.facts.fleet.apps.iter().find(owner).map(|app| app.id.clone())
}

fn find(draft: &mut Draft<'_>, app: Option<AppId>, instance: &Instance, may_be_last: bool) -> Places {
    let mut places = Vec::new();
    let Some(app) = app else { return Places::default() };
    let left: &[Place] = draft.facts.left_drained.get(&instance.name).map_or(&[], Vec::as_slice);
    for seen in draft.facts.balancers.get(&app).map_or(&[][..], Vec::as_slice) {
        let servers = match &seen.servers {
            Ok(servers) => servers.as_slice(),
            Err(why) => {
                draft.note(format!("nothing is drained at a load balancer that can't be asked: {why}"));
                continue;
            }
        };
        let wanted = Known::of(instance);
        let mine = wanted.among(servers);
        if mine.is_empty() {
            draft.note(format!("{} is no server of {}: it is not drained there", instance.name, seen.spec));
        }
        for server in mine {
            let address = wanted.member().and_then(|member| member.address);
            let place = Place { balancer: seen.spec.clone(), server: server.name.clone(), address };
            if ours(server, left.iter().any(|one| one.is(&place))) {
                if may_be_last && alone(server, servers) {
                    draft.note(format!(
                        "{place} is the only one serving there: clients wait or see errors while {} is out",
                        instance.name.short()
                    ));
                }
                places.push(place);
            } else {
                draft.note(format!("{place} was taken out by somebody ({}); it stays out", server.words));
            }
        }
    }
    Places(places)
}

/// Where an earlier operation took it out and nobody has put it back since.
pub(super) fn left(draft: &Draft<'_>, instance: &InstanceName) -> Places {
    Places(draft.facts.left_drained.get(instance).cloned().unwrap_or_default())
}

/// What of the instance decides what it needs.
pub(super) fn seen(draft: &Draft<'_>, instance: &Instance) -> Seen {
    Seen::of(instance, !left(draft, &instance.name).0.is_empty())
}

/// It serves (or would, if it were up), or an earlier operation of ours took it out.
fn ours(server: &Server, left_by_us: bool) -> bool {
    !server.is_out() || left_by_us
}

fn alone(server: &Server, servers: &[Server]) -> bool {
    server.serves() && !servers.iter().any(|other| other.name != server.name && other.serves())
}

impl Places {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// These, and those of the others that are not among them.
    pub fn and(mut self, others: Self) -> Self {
        let new: Vec<_> = others.0.into_iter().filter(|other| self.0.iter().all(|one| !one.is(other))).collect();
        self.0.extend(new);
        self
    }

    /// Writes the drain, which waits for `needs`; its way back is the last of the instance's undo lane.
    pub fn drain(
        &self,
        draft: &mut Draft<'_>,
        at: &Slot,
        sandbox: Option<&Target>,
        needs: &[StepId],
    ) -> Option<StepId> {
        if self.0.is_empty() {
            return None;
        }
        let (timeout, on_timeout) = draft.drain;
        let task = Task::Drain { places: self.0.clone(), sandbox: sandbox.cloned(), timeout, on_timeout };
        Some(draft.main(at, task, needs, "its sessions end before it is touched"))
    }

    /// Writes the step that puts it back, which waits for `needs`.
    pub fn attach(
        &self,
        draft: &mut Draft<'_>,
        at: &Slot,
        sandbox: Option<&Target>,
        needs: &[StepId],
    ) -> Option<StepId> {
        if self.0.is_empty() {
            return None;
        }
        let task = self.task(sandbox);
        Some(draft.main(at, task, needs, "it is ready and verified: requests may come again"))
    }

    /// Writes the way back of a drain before a removal: what still runs gets requests again.
    pub fn undo_removal(&self, draft: &mut Draft<'_>, at: &Slot, instance: &Instance, drain: Option<StepId>) {
        if let (Some(drain), Some(app)) = (drain, &instance.app) {
            let sandbox = instance.sandbox.as_deref().map(known);
            let only_with = Some(known(app));
            let task = Task::Attach { places: self.0.clone(), sandbox, only_with, timeout: ATTACH };
            draft.undo(at, task, &[drain], "never left drained");
        }
    }

    /// Writes the way back of a drain. Where what `served` before does not come back, it stays out, for `repair` to see.
    pub fn undo(
        &self,
        draft: &mut Draft<'_>,
        at: &Slot,
        sandbox: Option<&Target>,
        served: Option<&Container>,
        drain: Option<StepId>,
    ) {
        if let Some(drain) = drain {
            let only_with = served.filter(|served| served.is_running()).map(known);
            let task = Task::Attach { places: self.0.clone(), sandbox: sandbox.cloned(), only_with, timeout: ATTACH };
            draft.undo(at, task, &[drain], "never left drained");
        }
    }

    /// [`drain_again`], for what these places were attached to.
    pub fn undo_attachment(&self, draft: &mut Draft<'_>, at: &Slot, sandbox: &Target, attached: Option<StepId>) {
        drain_again(draft, at, self.0.clone(), sandbox, attached);
    }

    fn task(&self, sandbox: Option<&Target>) -> Task {
        Task::Attach { places: self.0.clone(), sandbox: sandbox.cloned(), only_with: None, timeout: ATTACH }
    }
}

/// Writes the way back of an attachment, before what was attached is stopped: its sessions are not cut unseen.
pub(super) fn drain_again(
    draft: &mut Draft<'_>,
    at: &Slot,
    places: Vec<Place>,
    sandbox: &Target,
    attached: Option<StepId>,
) {
    if let Some(attached) = attached.filter(|_| !places.is_empty()) {
        let (sandbox, timeout) = (Some(sandbox.clone()), draft.drain.0);
        let task = Task::Drain { places, sandbox, timeout, on_timeout: OnDrainTimeout::Cut };
        draft.undo(at, task, &[attached], "its sessions end before it goes");
    }
}

/// Writes the step that puts a new instance into the balancers that its app is made with.
pub(super) fn join(draft: &mut Draft<'_>, at: &Slot, wanted: &Wanted<'_>, sandbox: &Target, verify: StepId) {
    let seen = draft.facts.balancers.get(wanted.app).map_or(&[][..], Vec::as_slice);
    let asked = |spec: &BalancerSpec| seen.iter().find(|one| one.spec == *spec).is_none_or(|one| one.servers.is_ok());
    let mut balancers = balancer::distinct(&wanted.spec.rollout.balancers);
    balancers.retain(asked);
    if !balancers.is_empty() {
        let task = Task::Join { balancers, sandbox: sandbox.clone(), timeout: ATTACH, seats: Vec::new() };
        draft.main(at, task, &[verify], "a place that an earlier instance left there is this one's now");
    }
}
