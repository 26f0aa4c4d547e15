//! Replacing an instance's sandbox as well: for changes that the old one can't take on (`--allow-recreate`).
//!
//! Not in place: the instance is down while its sandbox is replaced, and its address is asked for again rather than
//! kept. The old pair is put aside, never removed, until the new one is proven.

use super::super::fleet::{Container, Instance};
use super::super::hook::Moment;
use super::super::plan::{Refusal, Target, Task};
use super::super::spec::AppSpec;
use super::draft::{Draft, Slot, aside, known, object_name, rivals, stop};
use super::hooks;
use super::swap::{Before, Source, Swapped, Wanted, WayBack, move_records, park, sandbox_start};
use super::traffic;
use std::collections::BTreeMap;

impl Wanted<'_> {
    /// Writes the steps of one instance whose sandbox `old_sandbox` is replaced, without the removal of the old pair.
    pub fn recreate(
        &self,
        draft: &mut Draft<'_>,
        at: &Slot,
        instance: &Instance,
        old_sandbox: &Container,
        before: &Before,
        cause: &str,
    ) -> Result<Swapped, Refusal> {
        let old = instance.app.as_deref();
        let mut needs: Vec<_> = before.prepared.iter().chain(&self.networks).chain(&self.volumes).copied().collect();
        if let Source::Pulled(step) = self.source {
            needs.push(step);
        }
        // Nothing is watched from inside: the place to watch from goes away.
        let task = Task::Preflight {
            container: old.map(known),
            sandbox: Some(known(old_sandbox)),
            watch: None,
            addresses: BTreeMap::new(),
        };
        let preflight = draft.main(at, task, &needs, "before anything is touched: the identity is read");
        let mut prepared = before.verifies.clone();
        prepared.push(preflight);
        let mut needs = prepared.clone();
        let mut hooks = hooks::Before::new(old);
        needs = hooks.write(draft, at, Moment::PreDrain, needs);
        let places = traffic::places(draft, instance);
        let drain = places.drain(draft, at, Some(&known(old_sandbox)), &needs);
        needs.extend(drain);
        needs = hooks.write(draft, at, Moment::PreStop, needs);
        let stopped = self.stop_running(draft, at, instance, &needs);
        needs.extend(stopped.iter().map(|(_, step)| *step));

        let why = "the change needs a new sandbox";
        let down = old_sandbox.is_alive().then(|| draft.main(at, stop(known(old_sandbox), draft.options), &needs, why));
        needs.extend(down);
        let to = object_name(&aside(draft, old_sandbox))?;
        let rename = draft.main(at, Task::Rename { container: known(old_sandbox), to }, &needs, why);
        let made =
            self.sandbox_create(draft, at, instance.number, addresses(old_sandbox, self.spec), &[rename], why)?;
        let sandbox = Target::Made { step: made, name: self.app.sandbox_name(instance.number) };
        let up = sandbox_start(draft, at, &sandbox, made);
        let create = self.create(draft, at, instance, (sandbox.clone(), None), &[], cause)?;
        let container = Target::Made { step: create, name: self.container_name(instance) };
        let start = self.start(draft, at, &container, &[up]);
        let (ready, verify) = self.prove(draft, at, &container, &sandbox, rivals(instance, None), start);
        let verify = places.attach(draft, at, Some(&known(old_sandbox)), &[verify]).unwrap_or(verify);
        let record = move_records(draft, at, self.app, old, &sandbox, &[verify]);
        let park = old.map(|old| park(draft, at, old, &[record.unwrap_or(verify)]));

        let cause = format!("revision {} did not work out", self.revision);
        draft.undo(at, stop(container.clone(), draft.options), &[start], &*cause);
        draft.undo(at, Task::Remove { container, volumes: false }, &[create], &*cause);
        draft.undo(at, stop(sandbox.clone(), draft.options), &[up], &*cause);
        draft.undo(at, Task::Remove { container: sandbox.clone(), volumes: false }, &[made], cause);
        let to = object_name(&old_sandbox.name)?;
        draft.undo(
            at,
            Task::Rename { container: known(old_sandbox), to },
            &[rename],
            "the old sandbox has its name back",
        );
        if let Some(down) = down {
            let task = Task::SandboxStart { sandbox: known(old_sandbox) };
            draft.undo(at, task, &[down], "the old sandbox has its address back");
        }
        let way_back = WayBack { sandbox: known(old_sandbox), stopped, park, hooks };
        self.serve_again(draft, at, instance, &way_back);
        places.undo(draft, at, Some(&known(old_sandbox)), instance.app.as_deref(), drain);
        let replaced = instance.but_sandbox().chain([old_sandbox]).map(known).collect();
        Ok(Swapped { prepared, sandbox, start, ready, verify, done: park.or(record).unwrap_or(verify), replaced })
    }
}

/// The pinned addresses to ask for again: on networks that stay and for which the user asks no other.
fn addresses(old: &Container, spec: &AppSpec) -> BTreeMap<String, String> {
    let Some(detail) = &old.detail else { return BTreeMap::new() };
    spec.sandbox
        .networks
        .iter()
        .filter(|attach| attach.ipv4.is_none())
        .filter_map(|attach| Some((attach.network.clone(), detail.pinned.get(&attach.network)?.ipv4.clone()?)))
        .collect()
}
