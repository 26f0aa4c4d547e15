//! Adopt: a container that pitstop has not made gets a sandbox, at its own address where the engine allows it.
//!
//! One after the other, because each is down for a moment. The old container is stopped and kept until everything is
//! proven; the undo lane starts it again under its name with its restart policy. Planning again goes on from whatever is
//! there: the sandbox's labels say whose place it takes and at which addresses.

use super::super::address::{HOLES, holes_below, is_configured, next_dynamic, used};
use super::super::adopt::{Adoption, Original, named};
use super::super::facts::Facts;
use super::super::fleet::{Container, Instance, State};
use super::super::ids::AppId;
use super::super::labels::Role;
use super::super::options::Options;
use super::super::plan::{AppDraft, Kind, Plan, Refusal, SandboxDraft, StepId, Target, Task};
use super::super::spec::Rollout;
use super::draft::{Draft, Slot, aside, known, object_name, stop};
use super::restart::ready_when;
use super::settle::{Readiness, readiness};
use super::swap::{carried, free_name};
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::time::Duration;

/// What was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// Apps, projects and containers by name.
    pub targets: Vec<String>,
    /// Instead of Compose's own, or of the project for plain containers.
    pub project: Option<String>,
    /// What can't be kept may be lost.
    pub accept_changes: bool,
    /// The old containers stay, stopped.
    pub keep_old: bool,
}

/// The revision that an adopted app begins with.
const REVISION: u32 = 1;
/// How long what is reserved is held beyond the time that the old container may take to stop and the new one to get ready.
const LEASE: Duration = Duration::from_secs(60);

/// Plans it.
pub fn adopt(wish: &Wish, facts: &Facts, options: &Options) -> Result<Plan, Refusal> {
    let chosen = chosen(wish, facts)?;
    let mut draft = Draft::new(Kind::Adopt, subject(&chosen), &Rollout::default(), facts, options);
    let mut stops: Vec<String> = Vec::new();
    for one in &chosen {
        one.may_be(wish, facts, &mut stops);
    }
    if !stops.is_empty() {
        return Err(Refusal::Refused(stops.join("\n  ")));
    }
    let mut after: Vec<StepId> = Vec::new();
    let mut done = Vec::new();
    for (index, one) in chosen.iter().enumerate() {
        let at = Slot { instance: one.app.instance(one.number), batch: index + 1 };
        draft.plan.batches.push(vec![at.instance.clone()]);
        let (verify, park) = if one.old.is_alive() {
            one.take_place(&mut draft, &at, wish, &after)?
        } else {
            one.go_on(&mut draft, &at, wish, &after)?
        };
        after = vec![verify];
        done.push((at, park, one));
    }
    let parked: Vec<StepId> = done.iter().map(|(_, park, _)| *park).collect();
    for (at, _, one) in done {
        if wish.keep_old {
            let name = &one.old.name;
            draft.note(format!("{name} stays, stopped and without a restart policy; `docker rm {name}` removes it"));
        } else {
            let task = Task::Remove { container: known(one.old), volumes: false };
            draft.main(&at, task, &parked, "its place is taken, and that is proven");
        }
    }
    note_compose(&mut draft, &chosen);
    Ok(draft.finish())
}

/// Plans to give their places back to the containers that were there before.
pub fn give_back(wish: &Wish, facts: &Facts, options: &Options) -> Result<Plan, Refusal> {
    let chosen = chosen(wish, facts)?;
    let mut draft = Draft::new(Kind::Adopt, subject(&chosen), &Rollout::default(), facts, options);
    let mut after: Vec<StepId> = Vec::new();
    for one in chosen.iter().filter(|one| one.half.is_some() || one.own_name() != *one.old.name) {
        let at = Slot { instance: one.app.instance(one.number), batch: draft.plan.batches.len() + 1 };
        draft.plan.batches.push(vec![at.instance.clone()]);
        after = one.give_back(&mut draft, &at, &after)?;
    }
    if draft.plan.steps.is_empty() {
        draft.note("nothing of an adoption is left half-done: nothing to do");
    }
    Ok(draft.finish())
}

/// A container to adopt.
struct Chosen<'f> {
    app: AppId,
    number: u32,
    old: &'f Container,
    original: Option<&'f Original>,
    compose: Option<String>,
    /// What there is of the instance that takes its place.
    half: Option<&'f Instance>,
    /// An instance of that name is there that has nothing to do with it.
    taken: bool,
}

/// The containers that are meant, in the order named.
fn chosen<'f>(wish: &Wish, facts: &'f Facts) -> Result<Vec<Chosen<'f>>, Refusal> {
    let mut chosen: Vec<Chosen<'f>> = Vec::new();
    for target in &wish.targets {
        let mut found = false;
        let strangers = facts.fleet.apps.iter().filter(|app| !app.managed);
        for (app, instance) in strangers.flat_map(|app| app.instances.iter().map(move |one| (app, one))) {
            let Some(old) = &instance.app else { continue };
            let is_meant = app.id.to_string() == *target
                || app.id.app == *target
                || (!app.id.project.is_empty() && app.id.project == *target)
                || *old.name == *target.as_str();
            if !is_meant {
                continue;
            }
            found = true;
            if chosen.iter().all(|one| one.old.id != old.id) {
                chosen.push(Chosen::of(old, wish, facts)?);
            }
        }
        if !found {
            return Err(match facts.fleet.find(target) {
                Ok(app) => {
                    Refusal::Refused(format!("{} is pitstop's already: its sandboxes hold its addresses", app.id))
                }
                Err(error) => Refusal::Usage(error),
            });
        }
    }
    if chosen.is_empty() {
        return Err(Refusal::Usage("name at least one container, app or Compose project".into()));
    }
    let mut seen = BTreeMap::new();
    for one in &chosen {
        if let Some(other) = seen.insert((one.app.clone(), one.number), &one.old.name) {
            return Err(Refusal::Usage(format!(
                "{} and {other} would both become {}; adopt one of them with another --project",
                one.old.name,
                one.app.instance(one.number)
            )));
        }
    }
    Ok(chosen)
}

fn subject(chosen: &[Chosen<'_>]) -> String {
    let apps: BTreeSet<_> = chosen.iter().map(|one| &one.app).collect();
    let projects: BTreeSet<_> = apps.iter().map(|app| &app.project).collect();
    match (apps.first(), projects.first()) {
        (Some(app), _) if apps.len() == 1 => app.to_string(),
        (_, Some(project)) if projects.len() == 1 => (*project).clone(),
        _ => format!("{} apps", apps.len()),
    }
}

/// What Compose will see, and what to do instead.
fn note_compose(draft: &mut Draft<'_>, chosen: &[Chosen<'_>]) {
    let projects: BTreeSet<&String> = chosen.iter().filter_map(|one| one.compose.as_ref()).collect();
    for project in projects {
        draft.note(format!(
            "docker compose does not know these containers any more: in project {project}, `docker compose up` would make them a second time beside yours and fail at their ports or names, and `down` would take away networks and volumes that nobody uses. From now on `pitstop create -f FILE -p {project}` and `pitstop deploy {project}/SERVICE -f FILE` read the same file"
        ));
    }
}

impl<'f> Chosen<'f> {
    fn of(old: &'f Container, wish: &Wish, facts: &'f Facts) -> Result<Self, Refusal> {
        let compose = old.compose.as_ref().map(|(project, service, number)| (&**project, &**service, *number));
        let (app, number) = named(&old.name, compose, wish.project.as_deref()).map_err(Refusal::Usage)?;
        let mine =
            |instance: &&Instance| instance.number == number && (instance.sandbox.is_some() || instance.app.is_some());
        let managed = facts.fleet.apps.iter().find(|seen| seen.managed && seen.id == app);
        let there = managed.and_then(|managed| managed.instances.iter().find(mine));
        let half = there.filter(|there| adopts(there, old));
        Ok(Self {
            original: facts.originals.get(&old.id),
            compose: old.compose.as_ref().map(|(project, ..)| project.to_string()),
            taken: there.is_some() && half.is_none(),
            app,
            number,
            old,
            half,
        })
    }

    /// Why it can't be adopted, or not without consent.
    fn may_be(&self, wish: &Wish, facts: &Facts, stops: &mut Vec<String>) {
        let (name, id) = (&self.old.name, &self.old.id);
        let mut stop = |why: String| stops.push(format!("{name} can't be adopted: {why}"));
        let Some(original) = self.original else { return stop("its configuration can't be read".into()) };
        if self.taken {
            return stop(format!(
                "{} is there already, and it has not been made from this container; adopt it with another --project",
                self.app.instance(self.number)
            ));
        }
        original.obstacles.iter().for_each(|why| stop(why.clone()));
        match self.old.state {
            State::Running => {}
            State::Paused => stop(format!("it is paused; `docker unpause {name}` first")),
            _ if self.old.is_alive() => {
                stop("the engine is restarting it again and again; let it run well first".into());
            }
            _ if self.half.is_none() => {
                stop(format!("it does not run, so it has no address to keep; `docker start {name}` first"));
            }
            _ => return,
        }
        let joined: Vec<&str> = super::draft::all(facts)
            .filter(|other| other.is_alive() && other.joined() == Some(id.as_str()))
            .map(|other| &*other.name)
            .collect();
        if !joined.is_empty() {
            stop(format!("{} shares its network and would be cut off for good", joined.join(", ")));
        }
        let losses: Vec<String> = original
            .losses
            .iter()
            .cloned()
            .chain(self.addresses(facts).into_iter().filter_map(|way| way.lost))
            .collect();
        if !wish.accept_changes && !losses.is_empty() {
            stop(format!("not everything can be kept: {}; --accept-changes does it all the same", losses.join("; ")));
        }
    }

    /// What becomes of each of its addresses.
    fn addresses(&self, facts: &Facts) -> Vec<Way> {
        let Some(original) = self.original else { return Vec::new() };
        original.sandbox.networks.iter().filter_map(|attach| {
            let network = &attach.network;
            let ip = self.old.networks.get(network)?.ipv4.clone()?;
            let seen = facts.networks.iter().find(|seen| seen.name == *network)?;
            let holes = ip.parse::<Ipv4Addr>().map_or(0, |ip| holes_below(seen, ip));
            let below = if holes == 0 { String::new() } else { format!(", and {holes} free below it taken meanwhile") };
            let (sentence, lost) = if attach.ipv4.is_some() {
                (format!("{ip} on {network} is kept: it was asked for when it was made, and is again"), None)
            } else if network == "bridge" {
                let lost = format!("on the default bridge no address can be asked for, so {ip} {}", by_luck(seen, &ip));
                (lost.clone(), Some(lost))
            } else if is_configured(seen) {
                (format!("{ip} on {network} is kept: asked for from now on{below}"), None)
            } else if holes <= HOLES {
                (format!(
                    "{ip} on {network} is kept: asked for from now on, if a trial before anything stops shows that the engine allows it there; else made the next one that it hands out{below}, and unprotected: it may move when the engine restarts"
                ), None)
            } else {
                let lost = format!("{ip} on {network} may change: {holes} or more addresses below it are free, and the engine may not let one be asked for there");
                (lost.clone(), Some(lost))
            };
            Some(Way { sentence, lost })
        }).collect()
    }

    /// The addresses that are to be had again and that nobody asked for before.
    fn chosen_by_engine(&self) -> BTreeMap<String, String> {
        let chosen = self.original.map(|original| original.chosen.clone()).unwrap_or_default();
        chosen.into_iter().filter(|(network, _)| network != "bridge").collect()
    }

    /// All steps, from a container that runs; the verification and the last step.
    fn take_place(
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
            needs.extend(take_away(draft, at, half, after));
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
            spec: original.sandbox.clone(),
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
        let down = draft.main(at, stop(known(old), draft.options), &[create], why);
        let up = self.take_over(draft, at, sandbox.clone(), wish, &[down]);
        let task = Task::Start { container: container.clone(), restart: None };
        let start = draft.main(at, task, &[up], "the same configuration again, in the sandbox");
        let (verify, park) = self.prove(draft, at, (&container, &sandbox), reserve, start);

        let cause = format!("{} did not work out in a sandbox", old.name);
        draft.undo(at, stop(container.clone(), draft.options), &[start], &*cause);
        draft.undo(at, Task::Remove { container, volumes: false }, &[create], &*cause);
        draft.undo(at, stop(sandbox.clone(), draft.options), &[up], &*cause);
        draft.undo(at, Task::Remove { container: sandbox, volumes: false }, &[made], cause);
        if let Some(rename) = rename {
            let task = Task::Rename { container: known(old), to: object_name(&old.name)? };
            draft.undo(at, task, &[rename], "it has its name back");
        }
        self.serve_again(draft, at, &[down, park], reserve);
        Ok((verify, park))
    }

    /// From a container that was stopped for it: what is left to do.
    fn go_on(
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
        let (verify, park) = self.prove(draft, at, (&container, &target), reserve, start);
        let cause = format!("{} did not work out in a sandbox", self.old.name);
        draft.undo(at, stop(container.clone(), draft.options), &undoes, &*cause);
        draft.undo(at, stop(target, draft.options), &undoes, cause);
        undoes.push(park);
        self.serve_again(draft, at, &undoes, reserve);
        Ok((verify, park))
    }

    /// Back: what was to take its place goes, and it runs again as it did.
    fn give_back(&self, draft: &mut Draft<'_>, at: &Slot, after: &[StepId]) -> Result<Vec<StepId>, Refusal> {
        let mut needs = after.to_vec();
        let mut reserve = None;
        let down = self.half.is_some() && !self.old.is_alive();
        if down {
            let wanted = self.half_s_addresses();
            reserve = (!wanted.is_empty()).then(|| self.reserve(draft, at, &wanted, &needs));
            needs.extend(reserve);
        }
        let spec = self.half.and_then(|half| half.app.as_ref()?.own.as_ref()?.spec.as_ref());
        let restart = spec.map(|spec| spec.container.restart.clone());
        if let Some(half) = self.half {
            needs = take_away(draft, at, half, &needs);
        }
        let own = self.own_name();
        if *self.old.name != *own {
            let task = Task::Rename { container: known(self.old), to: object_name(&own)? };
            needs.push(draft.main(at, task, &needs.clone(), "it has its name back"));
        }
        if !down {
            return Ok(needs);
        }
        let task = Task::Start { container: known(self.old), restart };
        let start = draft.main(at, task, &needs, "it serves again");
        let readiness = self.as_it_was(draft.options);
        let ready = draft.main(at, readiness.task(known(self.old), None, draft.options), &[start], readiness.cause());
        let verify = Task::Verify { container: known(self.old), sandbox: None, rivals: Vec::new() };
        let verify = draft.main(at, verify, &[ready], "its identity is read");
        if let Some(places) = reserve {
            draft.main(at, Task::Release { places }, &[verify], "nobody needs the places any more");
        }
        Ok(vec![verify])
    }

    /// Its name before it was put aside: that of the sandbox in its place.
    fn own_name(&self) -> String {
        let sandbox = self.app.sandbox_name(self.number);
        let is_aside = self.old.name.strip_prefix(&sandbox).is_some_and(|rest| rest.starts_with(".old"));
        if is_aside { sandbox } else { self.old.name.to_string() }
    }

    fn note(&self, draft: &mut Draft<'_>, original: &Original) {
        let name = &self.old.name;
        draft.note(format!("{name} becomes {}", self.app.instance(self.number)));
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
        let gap = if alone { "1.2 s (it is alone on its network)" } else { "0.6 s" };
        draft.note(format!(
            "{name}: it does not answer for about {gap}, and for as long as it takes to stop and to start; open connections are cut, hostname, ports, names and volumes stay"
        ));
    }

    fn reserve(
        &self,
        draft: &mut Draft<'_>,
        at: &Slot,
        addresses: &BTreeMap<String, String>,
        needs: &[StepId],
    ) -> StepId {
        let own = self.old.detail.as_ref().and_then(|detail| detail.stop_grace_ms).map(Duration::from_millis);
        let grace = draft.options.stop_grace.or(own).unwrap_or(Duration::from_secs(10));
        let lease = grace + draft.options.ready_timeout * 2 + LEASE;
        let task = Task::Reserve { app: self.app.clone(), addresses: addresses.clone(), lease };
        draft.main(at, task, needs, "an address is the engine's choice, and its next one is to be the same")
    }

    fn take_over(&self, draft: &mut Draft<'_>, at: &Slot, sandbox: Target, wish: &Wish, needs: &[StepId]) -> StepId {
        let addresses = if self.old.is_alive() { self.wanted() } else { self.half_s_addresses() };
        let task = Task::TakeOver { sandbox, addresses, strict: !wish.accept_changes };
        draft.main(at, task, needs, "the sandbox gets the address and the ports that have just become free")
    }

    fn create(
        &self,
        draft: &mut Draft<'_>,
        at: &Slot,
        original: &Original,
        sandbox: Target,
        needs: &[StepId],
        cause: &str,
    ) -> StepId {
        let app = AppDraft {
            app: self.app.clone(),
            number: self.number,
            revision: REVISION,
            spec: original.spec.clone(),
            image: None,
            image_id: Some(self.old.image_id.to_string()),
            sandbox,
            carry: carried(self.old, &original.spec),
            hold: None,
            replaces: None,
        };
        draft.main(at, Task::Create { draft: Box::new(app) }, needs, cause)
    }

    /// Ready, verified, and the old one put aside.
    fn prove(
        &self,
        draft: &mut Draft<'_>,
        at: &Slot,
        (container, sandbox): (&Target, &Target),
        reserve: Option<StepId>,
        start: StepId,
    ) -> (StepId, StepId) {
        let checked = self.old.detail.as_ref().map(|detail| detail.has_healthcheck);
        let spec = self.original.map(|original| original.spec.clone()).unwrap_or_default();
        let readiness = readiness(draft.options, &spec, checked);
        if let Some(note) = readiness.note(&at.instance.to_string()) {
            draft.note(note);
        }
        let ready = readiness.task(container.clone(), Some(sandbox.clone()), draft.options);
        let ready = draft.main(at, ready, &[start], readiness.cause());
        let verify = Task::Verify { container: container.clone(), sandbox: Some(sandbox.clone()), rivals: Vec::new() };
        let verify = draft.main(at, verify, &[ready], "the identity is read again and compared");
        if let Some(places) = reserve {
            draft.main(at, Task::Release { places }, &[verify], "nobody needs the places any more");
        }
        let task = Task::Park { container: known(self.old) };
        let cause = format!("{} is the way back until all is done", self.old.name);
        (verify, draft.main(at, task, &[verify], cause))
    }

    /// Undo: it runs again as it did, at its address.
    fn serve_again(&self, draft: &mut Draft<'_>, at: &Slot, undoes: &[StepId], reserve: Option<StepId>) {
        let cause = format!("{} serves again", self.old.name);
        let restart = self.old.detail.as_ref().map(|detail| detail.restart.clone());
        draft.undo(at, Task::Start { container: known(self.old), restart }, undoes, &*cause);
        let readiness = self.as_it_was(draft.options);
        let ready = readiness.task(known(self.old), None, draft.options);
        draft.undo(at, ready, undoes, cause);
        let verify = Task::Verify { container: known(self.old), sandbox: None, rivals: Vec::new() };
        draft.undo(at, verify, undoes, "the identity is read again and compared");
        if let Some(places) = reserve {
            draft.undo(at, Task::Release { places }, &[places], "nobody needs the places any more");
        }
    }

    fn as_it_was(&self, options: &Options) -> Readiness {
        let own = Options { probe: None, min_ready: Some(Duration::ZERO), ..options.clone() };
        ready_when(&own, self.old, None, false)
    }

    /// Every address it has, and is to have again.
    fn wanted(&self) -> BTreeMap<String, String> {
        let now = self.old.networks.iter().filter_map(|(network, now)| Some((network.clone(), now.ipv4.clone()?)));
        now.collect()
    }

    /// The addresses that the sandbox in its place was made for.
    fn half_s_addresses(&self) -> BTreeMap<String, String> {
        let sandbox = self.half.and_then(|half| half.sandbox.as_ref());
        sandbox.and_then(|sandbox| sandbox.detail.as_ref()).map(|detail| detail.former.clone()).unwrap_or_default()
    }

    /// Those of them that it can't ask for by itself.
    fn unpinned(&self, sandbox: &Container) -> BTreeMap<String, String> {
        let pinned = sandbox.detail.as_ref().map(|detail| &detail.pinned);
        let is_free =
            |network: &String| pinned.is_none_or(|pinned| pinned.get(network).is_none_or(|pin| pin.ipv4.is_none()));
        let mut wanted = self.half_s_addresses();
        wanted.retain(|network, _| network != "bridge" && is_free(network));
        wanted
    }
}

/// What becomes of an address, and whether it is lost.
struct Way {
    sentence: String,
    lost: Option<String>,
}

fn by_luck(seen: &super::super::fleet::NetworkSeen, ip: &str) -> String {
    let mut used = used(seen);
    let own = ip.parse::<Ipv4Addr>().ok();
    if let Some(own) = own {
        used.remove(&own);
    }
    match seen.pools.iter().find_map(|pool| next_dynamic(pool, &used)) {
        next if next == own => "is kept only by luck, and may move when the engine restarts".into(),
        Some(next) => format!("becomes {next}, the lowest free one"),
        None => "changes".into(),
    }
}

/// Whether that instance was made to take this container's place.
fn adopts(instance: &Instance, old: &Container) -> bool {
    let of =
        |sandbox: &Container| sandbox.detail.as_ref().is_some_and(|detail| detail.adopts.as_ref() == Some(&old.id));
    instance.sandbox.as_ref().is_some_and(of)
}

/// Takes away what there is of an instance; the last step.
fn take_away(draft: &mut Draft<'_>, at: &Slot, half: &Instance, after: &[StepId]) -> Vec<StepId> {
    let why = "an earlier adoption was left here";
    let mut needs = after.to_vec();
    let is_app = |one: &&Container| one.own.as_ref().is_some_and(|own| own.role == Role::App);
    let apps = half.app.iter().chain(&half.others).filter(is_app);
    for container in apps.chain(&half.sandbox) {
        if container.is_alive() {
            needs = vec![draft.main(at, stop(known(container), draft.options), &needs, why)];
        }
        needs = vec![draft.main(at, Task::Remove { container: known(container), volumes: false }, &needs, why)];
    }
    needs
}
