//! The way there: from a container that runs, or from wherever an earlier adoption was left.

use super::back::take_away;
use super::chosen::Chosen;
use super::meant::Becoming;
use super::{REVISION, Wish};
use crate::domain::adopt::{Adoption, Original};
use crate::domain::balancer::distinct;
use crate::domain::hook::Moment;
use crate::domain::options::Options;
use crate::domain::plan::{AppDraft, Refusal, SandboxDraft, StepId, Target, Task};
use crate::domain::recipe::draft::{Draft, Slot, aside, known, object_name, stop};
use crate::domain::recipe::hooks;
use crate::domain::recipe::restart::ready_when;
use crate::domain::recipe::settle::{Readiness, readiness};
use crate::domain::recipe::swap::{carried, free_name};
use crate::domain::recipe::traffic::{self, Places};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

impl Chosen<'_> {
    /// All steps, from a container that runs; the verification and the last step.
    pub(super) fn take_place(
        &self,
        draft: &mut Draft<'_>,
        at: &Slot,
        wish: &Wish,
        after: &[StepId],
    ) -> Result<(StepId, StepId), Refusal> {
        let Some(original) = self.original else {
            return Err(Refusal::Refused(format!("{} can't be read", self.old.name)));
        };
        let (old, number) = (self.old, self.number);
        self.note(draft, original);
        let mut needs = after.to_vec();
        if let Some(half) = self.half {
            let (places, down) = self.retire(draft, at, half, after);
            let target = half.sandbox.as_deref().map(known);
            // What says in its sandbox that it was taken out goes with it, so it is put back before.
            let back = places.attach(draft, at, target.as_ref(), &down);
            needs.extend(take_away(draft, at, half, &back.map_or(down, |back| vec![back])));
        }
        let task =
            Task::Preflight { container: Some(known(old)), sandbox: None, watch: None, addresses: BTreeMap::new() };
        let cause = "before anything is touched: it is as planned, and its identity is read";
        needs.push(draft.main(at, task, &needs.clone(), cause));
        let addresses = self.chosen_by_engine();
        let reserve = (!addresses.is_empty()).then(|| self.reserve(draft, at, &addresses, &needs));
        needs.extend(reserve);
        let sandbox_name = self.app.sandbox_name(number);
        let rename = if *old.name == *sandbox_name {
            let to = object_name(&aside(draft, old))?;
            let task = Task::Rename { container: known(old), to };
            Some(draft.main(at, task, &needs, "its sandbox is going to have this name, and answers to it"))
        } else {
            if self.half.is_none() {
                free_name(draft.facts, &sandbox_name)?;
            }
            None
        };
        needs.extend(rename);

        let why = format!("{} is to have a sandbox that holds its address", old.name);
        let sandbox = SandboxDraft {
            app: self.app.clone(),
            number,
            spec: self.network_side(original, draft.facts),
            spec_hash: original.spec.hash(),
            addresses: addresses.clone(),
            adoption: Some(Adoption { from: old.id.clone(), addresses: self.wanted(), places: reserve }),
            unpinned: BTreeSet::new(),
            replaces: None,
        };
        let made = draft.main(at, Task::SandboxCreate { draft: Box::new(sandbox) }, &needs, why.clone());
        let sandbox = Target::Made { step: made, name: sandbox_name };
        let create = self.create(draft, at, original, sandbox.clone(), &[made], &why);
        let container = Target::Made { step: create, name: self.app.container_name(number, REVISION) };
        let mut hooks = hooks::Before::named(self.rollout().hooks, old);
        let told = hooks.write(draft, at, Moment::PreDrain, vec![create]);
        let places = traffic::places_of(draft, &self.app, &self.becoming().instance());
        let drain = places.drain(draft, at, Some(&sandbox), &told);
        let out = hooks.write(draft, at, Moment::PreStop, drain.map_or(told, |drain| vec![drain]));
        let down = draft.main(at, stop(known(old), draft.options), &out, why);
        let up = self.take_over(draft, at, sandbox.clone(), wish, &[down]);
        let task = Task::Start { container: container.clone(), restart: None };
        let start = draft.main(at, task, &[up], "the same configuration again, in the sandbox");
        let (verify, park) = self.prove(draft, at, (&container, &sandbox), &places, reserve, start);

        let cause = format!("{} did not work out in a sandbox", old.name);
        draft.undo(at, stop(container.clone(), draft.options), &[start], &*cause);
        draft.undo(at, Task::Remove { container, volumes: false }, &[create], &*cause);
        draft.undo(at, stop(sandbox.clone(), draft.options), &[up], &*cause);
        let back = rename.map(|rename| Ok::<_, Refusal>((rename, object_name(&old.name)?))).transpose()?;
        let clear = |draft: &mut Draft<'_>| {
            draft.undo(at, Task::Remove { container: sandbox.clone(), volumes: false }, &[made], &*cause);
            if let Some((rename, to)) = back {
                draft.undo(at, Task::Rename { container: known(old), to }, &[rename], "it has its name back");
            }
        };
        // The sandbox says that it was taken out, for as long as it is; without that it gives the name back before it serves.
        if drain.is_none() {
            clear(draft);
            self.serve_again(draft, at, &[down, park], &[up], reserve, &hooks);
        } else {
            self.serve_again(draft, at, &[down, park], &[up], reserve, &hooks);
            places.undo(draft, at, Some(&sandbox), Some(self.old), drain);
            clear(draft);
        }
        Ok((verify, park))
    }

    /// From a container that was stopped for it: what is left to do.
    pub(super) fn go_on(
        &self,
        draft: &mut Draft<'_>,
        at: &Slot,
        wish: &Wish,
        after: &[StepId],
    ) -> Result<(StepId, StepId), Refusal> {
        let (Some(original), Some(half)) = (self.original, self.half) else {
            return Err(Refusal::Refused(format!("{} does not run", self.old.name)));
        };
        draft.note(format!("{} goes on from where an earlier adoption of {} was left", at.instance, self.old.name));
        let Some(sandbox) = &half.sandbox else {
            return Err(Refusal::Refused(format!("{} has lost its sandbox", at.instance)));
        };
        let target = known(sandbox);
        let mut needs = after.to_vec();
        let mut undoes = Vec::new();
        let mut reserve = None;
        if !sandbox.is_running() {
            let unpinned = self.unpinned(sandbox);
            reserve = (!unpinned.is_empty()).then(|| self.reserve(draft, at, &unpinned, &needs));
            needs.extend(reserve);
            let up = self.take_over(draft, at, target.clone(), wish, &needs);
            undoes.push(up);
            needs = vec![up];
        }
        let started = match &half.app {
            Some(app) if half.is_ready() && sandbox.is_running() => {
                let task = Task::Preflight {
                    container: Some(known(app)),
                    sandbox: Some(target.clone()),
                    watch: None,
                    addresses: BTreeMap::new(),
                };
                let step = draft.main(at, task, &needs, "it serves already");
                (known(app), step)
            }
            there => {
                let container = if let Some(app) = there {
                    if app.is_alive() {
                        let why = "it sits in a network namespace that is gone";
                        needs.push(draft.main(at, stop(known(app), draft.options), &needs.clone(), why));
                    }
                    known(app)
                } else {
                    let create = self.create(draft, at, original, target.clone(), &needs, "it is not there yet");
                    needs.push(create);
                    Target::Made { step: create, name: self.app.container_name(self.number, REVISION) }
                };
                let task = Task::Start { container: container.clone(), restart: None };
                let step = draft.main(at, task, &needs, "the same configuration again, in the sandbox");
                undoes.push(step);
                (container, step)
            }
        };
        let (container, start) = started;
        let places = traffic::left(draft, &at.instance);
        let (verify, park) = self.prove(draft, at, (&container, &target), &places, reserve, start);
        let cause = format!("{} did not work out in a sandbox", self.old.name);
        // What served already is stopped, too, before the old one is started beside it.
        undoes.push(park);
        draft.undo(at, stop(container.clone(), draft.options), &undoes, &*cause);
        draft.undo(at, stop(target.clone(), draft.options), &undoes, cause);
        let hooks = hooks::Before::named(self.rollout().hooks, self.old);
        self.serve_again(draft, at, &undoes, &undoes, reserve, &hooks);
        let left = undoes.first().copied().filter(|_| !places.is_empty());
        places.undo(draft, at, Some(&target), Some(self.old), left);
        Ok((verify, park))
    }

    pub(super) fn create(
        &self,
        draft: &mut Draft<'_>,
        at: &Slot,
        original: &Original,
        sandbox: Target,
        needs: &[StepId],
        cause: &str,
    ) -> StepId {
        let spec = self.spec();
        let app = AppDraft {
            app: self.app.clone(),
            number: self.number,
            revision: REVISION,
            spec_hash: spec.hash(),
            spec,
            image: None,
            image_id: Some(self.old.image_id.to_string()),
            sandbox,
            carry: carried(self.old, &original.spec),
            hold: None,
            replaces: None,
        };
        draft.main(at, Task::Create { draft: Box::new(app) }, needs, cause)
    }

    /// Ready, verified, sent requests again, and the old one put aside.
    pub(super) fn prove(
        &self,
        draft: &mut Draft<'_>,
        at: &Slot,
        (container, sandbox): (&Target, &Target),
        places: &Places,
        reserve: Option<StepId>,
        start: StepId,
    ) -> (StepId, StepId) {
        let checked = self.old.detail.as_ref().map(|detail| detail.has_healthcheck);
        let readiness = readiness(draft.options, &self.spec(), checked);
        if let Some(note) = readiness.note(&at.instance.to_string()) {
            draft.note(note);
        }
        let ready = readiness.task(container.clone(), Some(sandbox.clone()), draft.options);
        let ready = draft.main(at, ready, &[start], readiness.cause());
        let ready = hooks::post_ready(draft, at, &self.rollout().hooks, container, ready);
        let verify = Task::Verify { container: container.clone(), sandbox: Some(sandbox.clone()), rivals: Vec::new() };
        let verify = draft.main(at, verify, &[ready], "the identity is read again and compared");
        let verify = places.attach(draft, at, Some(sandbox), &[verify]).unwrap_or(verify);
        if let Some(places) = reserve {
            draft.main(at, Task::Release { places }, &[verify], "nobody needs the places any more");
        }
        let still = stop(known(self.old), draft.options);
        let still = draft.main(at, still, &[verify], "an engine that came back meanwhile may have started it again");
        let task = Task::Park { container: known(self.old) };
        let cause = format!("{} is the way back until all is done", self.old.name);
        (verify, draft.main(at, task, &[still], cause))
    }

    /// Undo: it runs again as it did, at its address. Where its place was `taken`, an engine that came back meanwhile may have
    /// started it at another.
    pub(super) fn serve_again(
        &self,
        draft: &mut Draft<'_>,
        at: &Slot,
        undoes: &[StepId],
        taken: &[StepId],
        reserve: Option<StepId>,
        hooks: &hooks::Before,
    ) {
        draft.undo(at, stop(known(self.old), draft.options), taken, "it begins again at its own address");
        let cause = format!("{} serves again", self.old.name);
        let restart = self.old.detail.as_ref().map(|detail| detail.restart.clone());
        draft.undo(at, Task::Start { container: known(self.old), restart }, undoes, &*cause);
        let readiness = self.as_it_was(draft.options);
        let ready = readiness.task(known(self.old), None, draft.options);
        draft.undo(at, ready, undoes, cause);
        hooks.undo(draft, at, undoes.first().copied());
        let verify = Task::Verify { container: known(self.old), sandbox: None, rivals: Vec::new() };
        draft.undo(at, verify, undoes, "the identity is read again and compared");
        if let Some(places) = reserve {
            draft.undo(at, Task::Release { places }, &[places], "nobody needs the places any more");
        }
    }

    pub(super) fn as_it_was(&self, options: &Options) -> Readiness {
        let own = Options { probe: None, min_ready: Some(Duration::ZERO), ..options.clone() };
        ready_when(&own, self.old, None, false)
    }

    pub(super) fn note(&self, draft: &mut Draft<'_>, original: &Original) {
        let name = &self.old.name;
        draft.note(format!("{name} becomes {}{}", self.app.instance(self.number), self.handled()));
        let differs = self.differs();
        if !differs.is_empty() {
            draft.note(format!(
                "{name} stays as it is; the file has {} otherwise, and `pitstop deploy {}{}` brings that",
                differs.join(", "),
                self.app,
                self.files
            ));
        }
        for way in self.addresses(draft.facts) {
            draft.note(format!("{name}: {}", way.sentence));
        }
        for loss in &original.losses {
            draft.note(format!("{name}: {loss}"));
        }
        let alone =
            self.old.networks.keys().any(|network| {
                draft.facts.networks.iter().any(|seen| seen.name == *network && seen.addresses.len() <= 1)
            });
        let drained = self.service.is_some_and(|spec| !distinct(&spec.rollout.balancers).is_empty());
        let cut = if drained {
            "sessions of its load balancers end before, other open connections are cut"
        } else {
            "open connections are cut"
        };
        let gap = if alone { "1.2 s (it is alone on its network)" } else { "0.6 s" };
        draft.note(format!(
            "{name}: it does not answer for about {gap}, and for as long as it takes to stop and to start; {cut}, hostname, ports, names and volumes stay"
        ));
    }
    /// What its file says of it, as a part of a sentence.
    fn handled(&self) -> String {
        let Some(rollout) = self.service.map(|spec| &spec.rollout) else { return String::new() };
        let probe = rollout.probe.as_ref().map(|probe| format!("probe {probe}"));
        let balancers = distinct(&rollout.balancers).into_iter().map(|balancer| balancer.to_string());
        let hooks = (!rollout.hooks.is_empty()).then(|| "its hooks".to_owned());
        let said: Vec<String> = probe.into_iter().chain(balancers).chain(hooks).collect();
        if said.is_empty() {
            ", as its file has it".into()
        } else {
            format!(", with what its file says: {}", said.join(", "))
        }
    }

    fn becoming(&self) -> Becoming<'_> {
        Becoming { app: self.app.clone(), number: self.number, old: self.old }
    }
}
