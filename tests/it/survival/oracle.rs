//! What must be true whenever an operation has ended, however it ended. Judged on the engine's world itself, not on what
//! pitstop says about it; what pitstop says is judged too.

use std::collections::{BTreeMap, BTreeSet};

use pitstop::domain::event::{EventKind, Finished, OpEvent, Outcome, StepResult};
use pitstop::domain::plan::{Action, Lane};
use pitstop::sim::{Asked, Seen};

use super::life::{End, Ran};

pub type World = BTreeMap<String, Seen>;

const ROLE: &str = "io.pitstop.role";
const INSTANCE: &str = "io.pitstop.instance";

/// Before and after an operation that wanted `wanted` on `instances` instances.
pub struct Case<'a> {
    pub before: &'a World,
    pub after: &'a World,
    pub asked: &'a [Asked],
    pub ran: &'a Ran,
    pub instances: u32,
    pub wanted: &'a str,
    /// Every instance is started again, though nothing else changes.
    pub anew: bool,
}

/// The containers that carry our labels, by role and instance.
pub fn ours<'a>(world: &'a World, role: &'a str, number: u32) -> impl Iterator<Item = &'a Seen> {
    let number = number.to_string();
    world.values().filter(move |seen| is(seen, role) && seen.labels.get(INSTANCE) == Some(&number))
}

/// Does it have that role of ours?
pub fn is(seen: &Seen, role: &str) -> bool {
    seen.labels.get(ROLE).is_some_and(|own| own == role)
}

/// Its instance's number; 0 for none.
pub fn number(seen: &Seen) -> u32 {
    seen.labels.get(INSTANCE).and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// The app containers that serve as this instance: running in the sandbox that runs.
pub fn serving(world: &World, number: u32) -> Vec<&Seen> {
    let Some(sandbox) = ours(world, "sandbox", number).find(|seen| seen.status == "running") else { return Vec::new() };
    let serves = |app: &&Seen| app.status == "running" && app.netns == sandbox.netns && !app.held;
    ours(world, "app", number).filter(serves).collect()
}

/// Is all as wanted, and nothing else there? An error says what is not.
pub fn settled(world: &World, instances: u32, wanted: &str) -> Result<(), String> {
    for number in 1..=instances {
        match serving(world, number).as_slice() {
            [one] if one.image == wanted => {}
            other => return Err(format!("instance {number} is served by {other:#?}")),
        }
    }
    let of = |role: &str| world.values().filter(|seen| is(seen, role)).map(|seen| &seen.name).collect::<Vec<_>>();
    let (sandboxes, apps, locks) = (of("sandbox"), of("app"), of("lock"));
    let each = instances as usize;
    if let Some(left) = world.keys().find(|name| name.starts_with("pitstop-guest-")) {
        return Err(format!("left over: {left}"));
    }
    if (sandboxes.len(), apps.len(), locks.len()) != (each, each, 0) {
        return Err(format!("left over: {sandboxes:?} {apps:?} {locks:?}"));
    }
    Ok(())
}

impl Case<'_> {
    /// Every invariant; an error names the one that is broken.
    pub fn judge(&self) -> Result<(), String> {
        self.strangers().map_err(|why| format!("I7 {why}"))?;
        self.sandboxes().map_err(|why| format!("I3 {why}"))?;
        self.removals().map_err(|why| format!("I8 {why}"))?;
        self.locks().map_err(|why| format!("I2 {why}"))?;
        match &self.ran.end {
            End::Finished(end) => {
                self.lost(end).map_err(|why| format!("I1 {why}"))?;
                self.leaked(end).map_err(|why| format!("I2 {why}"))?;
                self.truth(end).map_err(|why| format!("I10 {why}"))
            }
            End::Refused(why) => self.untouched().map_err(|broken| format!("I1 {broken} after: {why}")),
            End::Died => Ok(()),
        }
    }

    /// I7: no change to what is not ours.
    fn strangers(&self) -> Result<(), String> {
        for (name, stranger) in self.before.iter().filter(|(_, seen)| !seen.labels.contains_key(ROLE)) {
            let now = self.after.get(name).ok_or_else(|| format!("{name} is gone"))?;
            if now.id != stranger.id || now.addresses != stranger.addresses || now.status != stranger.status {
                return Err(format!("{name} was changed: {now:?}"));
            }
            let touched = |one: &&Asked| one.mutating && (one.path.contains(&stranger.id) || one.path.contains(name));
            if let Some(asked) = self.asked.iter().find(touched) {
                return Err(format!("{} {}", asked.method, asked.path));
            }
        }
        let network = self.asked.iter().find(|one| one.method == "DELETE" && one.path.starts_with("/networks"));
        network.map_or(Ok(()), |asked| Err(asked.path.clone()))
    }

    /// I3: the sandboxes are the same, at the same addresses.
    fn sandboxes(&self) -> Result<(), String> {
        for (name, sandbox) in self.before.iter().filter(|(_, seen)| is(seen, "sandbox")) {
            let now = self.after.get(name).ok_or_else(|| format!("{name} is gone"))?;
            if now.id != sandbox.id || now.addresses != sandbox.addresses {
                return Err(format!("{name}: {:?} became {:?}", sandbox.addresses, now.addresses));
            }
        }
        Ok(())
    }

    /// I8: an old version is removed only after the new one was verified.
    fn removals(&self) -> Result<(), String> {
        let mut verified = BTreeSet::new();
        for event in &self.ran.events {
            match &event.kind {
                EventKind::StepFinished(step)
                    if step.action == Action::Verify && step.lane == Lane::Main && step.result == StepResult::Ok =>
                {
                    verified.insert(step.instance.clone());
                }
                EventKind::StepFinished(step)
                    if step.action == Action::Remove
                        && step.lane == Lane::Main
                        && step.result == StepResult::Ok
                        && !verified.contains(&step.instance) =>
                {
                    return Err(format!("{:?}: removed before it was verified", step.instance));
                }
                _ => {}
            }
        }
        for (name, app) in
            self.before.iter().filter(|(_, seen)| is(seen, "app") && !self.after.contains_key(&seen.name))
        {
            if serving(self.after, number(app)).is_empty() {
                return Err(format!("{name} is gone and nobody serves in its place"));
            }
        }
        Ok(())
    }

    /// No lock is left once nothing runs.
    fn locks(&self) -> Result<(), String> {
        let left = self.after.values().find(|seen| is(seen, "lock") && seen.status == "running");
        left.map_or(Ok(()), |lock| Err(format!("{} is left, {}", lock.name, lock.status)))
    }

    /// I1: each instance serves, by one program, or is reported by name.
    fn lost(&self, end: &Finished) -> Result<(), String> {
        for number in 1..=self.instances {
            match serving(self.after, number).len() {
                1 => {}
                0 if self.is_named(number, end) => {}
                many => return Err(format!("{many} serve as shop/web-{number}, which nobody says: {end:#?}")),
            }
        }
        Ok(())
    }

    fn is_named(&self, number: u32, end: &Finished) -> bool {
        let name = format!("shop/web-{number}");
        let failed = |event: &OpEvent| match &event.kind {
            EventKind::StepFinished(step) => {
                step.result != StepResult::Ok && step.instance.as_ref().is_some_and(|instance| instance.0 == name)
            }
            _ => false,
        };
        let said = end.error.iter().chain(&end.state).any(|line| line.contains(&name));
        end.outcome != Outcome::Succeeded && (said || self.ran.events.iter().any(failed))
    }

    /// I2: what is there beyond one sandbox and one app container each belongs to an instance that is not done.
    fn leaked(&self, end: &Finished) -> Result<(), String> {
        if end.outcome == Outcome::Succeeded {
            return settled(self.after, self.instances, self.wanted);
        }
        for number in 1..=self.instances {
            let (sandboxes, apps) =
                (ours(self.after, "sandbox", number).count(), ours(self.after, "app", number).count());
            if sandboxes > 1 || apps > 2 {
                return Err(format!("shop/web-{number} has {sandboxes} sandboxes and {apps} app containers: {end:#?}"));
            }
        }
        Ok(())
    }

    /// I10: it says that it succeeded if and only if it did.
    fn truth(&self, end: &Finished) -> Result<(), String> {
        let is = settled(self.after, self.instances, self.wanted);
        let anew = !self.anew
            || (1..=self.instances).all(|number| {
                let runs = |world| serving(world, number).first().map_or(0, |app| app.runs);
                runs(self.after) > runs(self.before)
            });
        match (end.outcome, is) {
            (Outcome::Succeeded, Err(why)) => Err(format!("it says that it succeeded: {why}")),
            (Outcome::Succeeded, Ok(())) if !anew => Err("it says that all were restarted".into()),
            _ => Ok(()),
        }
    }

    /// A request that was refused changed nothing.
    fn untouched(&self) -> Result<(), String> {
        let seen = |world: &World| {
            let ours = world.values().filter(|seen| seen.labels.contains_key(ROLE) && !is(seen, "lock"));
            ours.map(|seen| (seen.name.clone(), seen.status)).collect::<Vec<_>>()
        };
        let (before, after) = (seen(self.before), seen(self.after));
        if before == after { Ok(()) } else { Err(format!("{before:?} became {after:?}")) }
    }
}
