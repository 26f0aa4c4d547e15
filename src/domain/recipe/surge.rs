//! New instances first, then the old ones go (`--surge`), for apps that need no fixed address.
//!
//! A new instance is brought up at a free number, proven, and put into its balancers; only then the old one is drained,
//! stopped and kept as the way back until all is done. The new one's label says whose place it takes, so that whoever plans
//! again sees how far it has come: one that is as wanted goes on, one whose old instance is as wanted goes away.

use super::super::balancer::{self, BalancerSpec, Seat, Wanted as Known};
use super::super::converge::{Aim, Difference, Need};
use super::super::fleet::{App, Container, Instance};
use super::super::hook::Moment;
use super::super::ids::{AppId, ContainerId, InstanceName};
use super::super::plan::{Refusal, StepId, Target, Task};
use super::super::spec::{AppSpec, MountKind};
use super::super::warm::Warm;
use super::create::absent;
use super::draft::{Draft, Slot, known, rivals, stop};
use super::hooks;
use super::ports::Taken;
use super::remove::{Going, take_down};
use super::swap::{Before, Swapped, Wanted, WayBack, carried, move_records, park};
use super::{traffic, warm};
use std::collections::BTreeSet;

/// Who takes an instance's place, and what it still needs for that.
pub(super) struct Successor {
    pub new: Instance,
    pub need: Need,
}

/// An instance that was replaced, and where its steps stand.
pub(super) struct Replaced<'i> {
    at: Slot,
    old: &'i Instance,
}

/// New instances that are there with those whose place they take, each instance in one pair at most.
pub(super) fn pairs(app: &App) -> Vec<(&Instance, &Instance)> {
    let (mut pairs, mut taken): (Vec<(&Instance, &Instance)>, BTreeSet<&InstanceName>) = (Vec::new(), BTreeSet::new());
    for new in &app.instances {
        let Some(id) = new.replaces() else { continue };
        let old = app.instances.iter().find(|old| old.name != new.name && old.has(id));
        let free = |one: &&Instance| !taken.contains(&one.name);
        if let Some(old) = old.filter(free).filter(|_| free(&new)) {
            taken.extend([&new.name, &old.name]);
            pairs.push((new, old));
        }
    }
    pairs
}

impl Successor {
    /// One that is there; `difference`: how it differs from what is wanted.
    pub fn there(draft: &Draft<'_>, new: &Instance, difference: Difference) -> Self {
        Self { new: new.clone(), need: traffic::seen(draft, new).need(Aim::Run(difference)) }
    }

    /// Ones to be made, at the lowest free numbers.
    pub fn made(app: &App, count: usize) -> impl Iterator<Item = Self> {
        let used: BTreeSet<u32> = app.instances.iter().map(|instance| instance.number).collect();
        let free = (1..).filter(move |number| !used.contains(number)).take(count);
        free.map(|number| Self { new: absent(&app.id, number), need: Need::Make })
    }
}

/// Refuses what only one instance can have, and says what is kept and what is not.
pub(super) fn check(
    draft: &mut Draft<'_>,
    id: &AppId,
    spec: &AppSpec,
    pairs: &[(&Instance, &Successor)],
) -> Result<(), Refusal> {
    for attach in &spec.sandbox.networks {
        let fixed = [("address", &attach.ipv4), ("address", &attach.ipv6), ("MAC address", &attach.mac)];
        if let Some((what, value)) = fixed.into_iter().find_map(|(what, value)| Some((what, value.as_ref()?))) {
            return Err(Refusal::Refused(format!(
                "{id} asks for the {what} {value} on {}, which an old and a new instance can't have at once; without --surge it is deployed in place",
                attach.network
            )));
        }
    }
    let list: Vec<_> =
        pairs.iter().map(|(old, new)| format!("{} → {}", old.name.short(), new.new.name.short())).collect();
    draft.note(format!(
        "new instances first, then the old ones go: {}; the old ones are kept stopped until all is done",
        list.join(", ")
    ));
    let named =
        spec.container.mounts.iter().filter(|mount| mount.kind == MountKind::Volume && !mount.source.is_empty());
    let named: Vec<_> = named.map(|mount| mount.source.as_str()).collect();
    let volumes = if named.is_empty() {
        String::new()
    } else {
        format!(", named volumes ({}; old and new use them at once)", named.join(", "))
    };
    let ports = if spec.sandbox.ports.iter().any(|port| port.host.is_some()) { ", host port" } else { "" };
    let hostname = if spec.sandbox.hostname.is_some() { "" } else { ", hostname" };
    draft.note(format!("kept: what the spec says{volumes}; not kept: address, MAC address, number{hostname}{ports}"));
    if warm::wish(draft.options, spec) != Warm::Off {
        draft.note("warm swap plays no part: the old ones serve until the new ones do");
    }
    if pairs.iter().any(|(old, _)| old.app.as_deref().is_some_and(|app| !carried(app, spec).is_empty())) {
        draft.note("anonymous volumes begin empty; those of the old instances stay behind, unused");
    }
    Ok(())
}

impl Wanted<'_> {
    /// Writes the steps of a pair, without the removal of the old instance.
    pub fn surge<'i>(
        &self,
        draft: &mut Draft<'_>,
        taken: &mut Taken,
        batch: usize,
        (old, new): (&'i Instance, &Successor),
        before: &Before,
        cause: &str,
    ) -> Result<(Swapped, Replaced<'i>), Refusal> {
        let Successor { new, need } = new;
        let (at, from) = (Slot { instance: new.name.clone(), batch }, Slot { instance: old.name.clone(), batch });
        draft.plan.replaces.insert(new.name.clone(), old.name.clone());
        let joining = self.seats(draft, old, new)?;
        let wanted = Wanted { replaces: anchor(old), ..self.clone() };

        let mut up = None;
        let mut swapped = match (need, &new.app, &new.sandbox) {
            (Need::Nothing | Need::Proof, Some(app), Some(sandbox)) => {
                wanted.prove_again(draft, &at, new, app, sandbox, before)
            }
            (Need::Recreate, _, Some(sandbox)) => wanted.recreate(draft, &at, new, sandbox, before, cause)?,
            (Need::Make, ..) | (_, None, _) => {
                let made = wanted.go_up(draft, taken, &at, new, &before.verifies, &[], cause)?;
                let swapped = Swapped {
                    prepared: Vec::new(),
                    sandbox: made.sandbox.clone(),
                    start: made.start,
                    ready: made.ready,
                    verify: made.verify,
                    done: made.verify,
                    replaced: Vec::new(),
                };
                up = Some(made);
                swapped
            }
            _ => wanted.swap(draft, &at, new, before, cause)?,
        };
        let join = joining.write(draft, &at, &swapped.sandbox, swapped.verify);
        let mut proven = join.unwrap_or(swapped.verify);
        let records = move_records(draft, &at, self.app, old.app.as_deref(), &swapped.sandbox, &[proven]);
        proven = records.unwrap_or(proven);

        let last = self.let_go(draft, &from, old, join.unwrap_or(swapped.verify), proven);
        if let Some(up) = up {
            draft.undo_follows(&at, &from);
            joining.undo(draft, &at, &swapped.sandbox, join);
            up.take_away(draft, &at);
        }
        (swapped.verify, swapped.done) = (last, last);
        Ok((swapped, Replaced { at: from, old }))
    }

    /// Stops the old instance once the new one has `joined`, and keeps it as the way back; the last step.
    fn let_go(&self, draft: &mut Draft<'_>, at: &Slot, old: &Instance, joined: StepId, proven: StepId) -> StepId {
        let sandbox = old.sandbox.as_deref().map(known);
        let mut hooks = hooks::Before::new(old.app.as_deref());
        let told = hooks.write(draft, at, Moment::PreDrain, vec![joined]);
        let places = traffic::places_beside(draft, old);
        let drain = places.drain(draft, at, sandbox.as_ref(), &told);
        let out = hooks.write(draft, at, Moment::PreStop, drain.map_or(told, |drain| vec![drain]));
        let stopped = self.stop_running(draft, at, old, &out);
        let mut needs: Vec<_> = stopped.iter().map(|(_, step)| *step).collect();
        if needs.is_empty() {
            needs = out;
        }
        needs.push(proven);
        let park = old.app.as_deref().map(|app| park(draft, at, app, &needs));
        match &sandbox {
            Some(sandbox) => {
                let way_back = WayBack { sandbox: sandbox.clone(), stopped, park, hooks };
                self.serve_again(draft, at, old, &way_back);
            }
            // Without its sandbox it can't start again, but it is left as it was as far as that can be.
            None => {
                for (container, stop) in stopped {
                    let restart = container.detail.as_ref().map(|detail| detail.restart.clone());
                    let task = Task::Start { container: known(container), restart };
                    draft.undo(at, task, &[stop], "what was stopped runs again");
                }
            }
        }
        places.undo(draft, at, sandbox.as_ref(), old.app.as_deref(), drain);
        park.unwrap_or(proven)
    }

    /// Runs what is wanted, but nobody has seen it through.
    fn prove_again(
        &self,
        draft: &mut Draft<'_>,
        at: &Slot,
        new: &Instance,
        app: &Container,
        sandbox: &Container,
        before: &Before,
    ) -> Swapped {
        let (container, sandbox) = (known(app), known(sandbox));
        let cause =
            format!("{} runs what is wanted, but the one whose place it takes is still there", new.name.short());
        let task = self.readiness.task(container.clone(), Some(sandbox.clone()), draft.options);
        let ready = draft.main(at, task, &before.verifies, cause);
        let ready = hooks::post_ready(draft, at, &hooks::of(app), &container, ready);
        let task = Task::Verify { container, sandbox: Some(sandbox.clone()), rivals: rivals(new, Some(app)) };
        let verify = draft.main(at, task, &[ready], "the identity is read");
        let replaced = new.others.iter().map(|one| known(one)).collect();
        Swapped { prepared: Vec::new(), sandbox, start: ready, ready, verify, done: verify, replaced }
    }

    /// Where the new instance will get its requests from; a balancer that can't be told of it stops all.
    fn seats(&self, draft: &mut Draft<'_>, old: &Instance, new: &Instance) -> Result<Joining, Refusal> {
        let seen = draft.facts.balancers.get(self.app).map_or(&[][..], Vec::as_slice);
        let mut joining = Joining::default();
        // Where the old one gets requests, the new one has to, even if the wanted spec knows nothing of it (a rollback).
        let own = balancer::distinct(&self.spec.rollout.balancers);
        for spec in balancer::distinct(own.iter().chain(seen.iter().map(|seen| &seen.spec))) {
            let Some(seen) = seen.iter().find(|seen| seen.spec == spec) else {
                joining.balancers.push(spec);
                continue;
            };
            let refuse = |why: &str| {
                Err(Refusal::Refused(format!(
                    "{} can't take the place of {}: {why}; nothing was touched, without --surge it is deployed in place",
                    new.name.short(),
                    old.name.short()
                )))
            };
            let servers = match &seen.servers {
                Ok(servers) => servers,
                Err(why) => return refuse(why),
            };
            let before = Known::of(old).among(servers);
            let left = draft.facts.left_drained.get(&old.name).map_or(&[][..], Vec::as_slice);
            let by_us = |name| left.iter().any(|place| place.balancer == spec && place.server == name);
            if before.iter().any(|server| server.is_out() && !by_us(server.name.clone())) {
                draft.note(format!(
                    "{} was taken out of {spec} by somebody, so {} is not put in there either",
                    old.name.short(),
                    new.name.short()
                ));
            } else if before.is_empty() {
                joining.balancers.extend(Some(spec).filter(|spec| own.contains(spec)));
            } else {
                match Seat::find(&spec, servers, &before, new) {
                    Ok(seat) => joining.seats.push(seat),
                    Err(why) => return refuse(&why),
                }
                joining.balancers.push(spec);
            }
        }
        if joining.seats.iter().any(|seat| matches!(seat.balancer, BalancerSpec::Haproxy { .. })) {
            draft.note(
                "HAProxy forgets the new instances' addresses when it is restarted, unless its `server-state-file` keeps them",
            );
        }
        Ok(joining)
    }
}

/// The balancers that a new instance is put into.
#[derive(Default)]
struct Joining {
    balancers: Vec<BalancerSpec>,
    seats: Vec<Seat>,
}

impl Joining {
    fn write(&self, draft: &mut Draft<'_>, at: &Slot, sandbox: &Target, verify: StepId) -> Option<StepId> {
        if self.balancers.is_empty() {
            return None;
        }
        let (balancers, seats) = (self.balancers.clone(), self.seats.clone());
        let task = Task::Join { balancers, sandbox: sandbox.clone(), timeout: traffic::ATTACH, seats };
        Some(draft.main(at, task, &[verify], "it is ready and verified: it gets requests beside the old one"))
    }

    /// It is drained before it goes again.
    fn undo(&self, draft: &mut Draft<'_>, at: &Slot, sandbox: &Target, join: Option<StepId>) {
        traffic::drain_again(draft, at, self.seats.iter().map(Seat::place).collect(), sandbox, join);
    }
}

/// Removes replaced instances once `all` is done.
pub(super) fn clear(draft: &mut Draft<'_>, replaced: &[Replaced<'_>], all: &[StepId]) {
    for Replaced { at, old } in replaced {
        let cause = "every new instance is verified, so the old one is no longer needed";
        let apps = old.app.iter().chain(&old.others);
        let mut gone = all.to_vec();
        for container in apps {
            // Stopped before, if it ran.
            gone.push(draft.main(at, Task::Remove { container: known(container), volumes: false }, all, cause));
        }
        if let Some(sandbox) = &old.sandbox {
            gone.extend(sandbox.is_alive().then(|| draft.main(at, stop(known(sandbox), draft.options), &gone, cause)));
            draft.main(at, Task::Remove { container: known(sandbox), volumes: false }, &gone, cause);
        }
    }
}

/// Takes new instances away again whose old one is as wanted, after `proven`.
pub(super) fn take_back(draft: &mut Draft<'_>, surplus: &[(&Instance, &Instance)], proven: &[StepId]) {
    if surplus.is_empty() {
        return;
    }
    draft.plan.batches.push(surplus.iter().map(|(new, _)| new.name.clone()).collect());
    let batch = draft.plan.batches.len();
    for (new, old) in surplus {
        let at = Slot { instance: new.name.clone(), batch };
        let cause = format!("{} runs what is wanted, so its place is not taken", old.name.short());
        let going = Going { volumes: true, hooks: true, cause: &cause, after: proven };
        take_down(draft, &at, new, &going);
    }
}

/// The container by which an instance is known to the one that takes its place.
fn anchor(old: &Instance) -> Option<ContainerId> {
    old.containers().next().map(|container| container.id.clone())
}
