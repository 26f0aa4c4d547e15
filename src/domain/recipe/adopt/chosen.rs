//! Each container that is meant with all that is known of it, and what stands in its way.

use super::Wish;
use super::meant::{Becoming, adopts, never_ran};
use crate::domain::adopt::Original;
use crate::domain::facts::Facts;
use crate::domain::fleet::{Container, Instance, State};
use crate::domain::ids::AppId;
use crate::domain::inplace::compare;
use crate::domain::plan::Refusal;
use crate::domain::recipe::draft;
use crate::domain::spec::{AppSpec, Rollout};
use std::net::IpAddr;

/// A container to adopt.
pub(super) struct Chosen<'f> {
    pub(super) app: AppId,
    pub(super) number: u32,
    pub(super) old: &'f Container,
    pub(super) original: Option<&'f Original>,
    pub(super) compose: Option<String>,
    /// What there is of the instance that takes its place.
    pub(super) half: Option<&'f Instance>,
    /// An instance of that name is there that has nothing to do with it.
    pub(super) taken: bool,
    /// Its service in the file.
    pub(super) service: Option<&'f AppSpec>,
    /// That file, as a command takes it.
    pub(super) files: String,
}

impl<'f> Chosen<'f> {
    pub(super) fn of(one: Becoming<'f>, wish: &'f Wish, facts: &'f Facts) -> Self {
        let Becoming { app, number, old } = one;
        let mine =
            |instance: &&Instance| instance.number == number && (instance.sandbox.is_some() || instance.app.is_some());
        let managed = facts.fleet.apps.iter().find(|seen| seen.managed && seen.id == app);
        let there = managed.and_then(|managed| managed.instances.iter().find(mine));
        let half = there.filter(|there| adopts(there, old) || never_ran(there));
        let file = wish.file.as_ref().filter(|file| file.name == app.project);
        Self {
            original: facts.originals.get(&old.id),
            compose: old.compose.as_ref().map(|(project, ..)| project.to_string()),
            taken: there.is_some() && half.is_none(),
            service: file.and_then(|file| file.apps.get(&app.app)).map(|entry| &entry.spec),
            files: wish.files(),
            app,
            number,
            old,
            half,
        }
    }
}

impl Chosen<'_> {
    /// Why it can't be adopted, or not without consent.
    pub(super) fn may_be(&self, wish: &Wish, facts: &Facts, stops: &mut Vec<String>) {
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
        let joined: Vec<&str> = draft::all(facts)
            .filter(|other| other.is_alive() && other.joined() == Some(id.as_str()))
            .map(|other| &*other.name)
            .collect();
        if !joined.is_empty() {
            stop(format!("{} shares its network and would be cut off for good", joined.join(", ")));
        }
        let ways = self.addresses(facts);
        for way in ways.iter().filter(|way| way.lost.is_some()) {
            if let Some(server) = self.server_at(&way.ip, facts) {
                stop(format!(
                    "{server} sends requests to {}, and that address can't be kept: they would go nowhere, or to somebody else",
                    way.ip
                ));
            }
        }
        let lost = ways.into_iter().filter_map(|way| way.lost);
        let losses: Vec<String> = original.losses.iter().cloned().chain(lost).collect();
        if !wish.accept_changes && !losses.is_empty() {
            stop(format!("not everything can be kept: {}; --accept-changes does it all the same", losses.join("; ")));
        }
    }

    /// A load balancer's server at that address.
    fn server_at(&self, ip: &str, facts: &Facts) -> Option<String> {
        let ip: IpAddr = ip.parse().ok()?;
        let mut seen = facts.balancers.get(&self.app).into_iter().flatten();
        seen.find_map(|balancer| {
            let mut servers = balancer.servers.iter().flatten();
            let server = servers.find(|server| server.address.is_some_and(|at| at.ip() == ip))?;
            Some(format!("{} of {}", server.name, balancer.spec))
        })
    }

    /// Which service of the file it is. The error says why it is none.
    pub(super) fn in_file(&self, wish: &Wish) -> Result<(), Refusal> {
        let Some(file) = wish.file.as_ref().filter(|_| self.service.is_none()) else { return Ok(()) };
        let (name, services) = (&self.old.name, file.apps.keys().map(String::as_str).collect::<Vec<_>>().join(", "));
        Err(Refusal::Usage(if file.name == self.app.project {
            format!(
                "{name} would become {}, and the file has no service {} (it has {services}); --as {}/SERVICE says which it is",
                self.app, self.app.app, file.name
            )
        } else {
            format!(
                "{name} would become {}, and the file is of project {}; --project {} reads it as that project's, --as {}/SERVICE makes it an instance of that service ({services})",
                self.app, file.name, self.app.project, file.name
            )
        }))
    }

    /// How the app is handled, as its file says.
    pub(super) fn rollout(&self) -> Rollout {
        self.service.map(|spec| spec.rollout.clone()).unwrap_or_default()
    }

    /// What it is made from again: as it is, and handled as its file says.
    pub(super) fn spec(&self) -> AppSpec {
        let own = self.original.map(|original| original.spec.clone()).unwrap_or_default();
        AppSpec { rollout: self.rollout(), ..own }
    }

    /// What its file has otherwise, field by field.
    pub(super) fn differs(&self) -> Vec<String> {
        let (Some(wanted), Some(original)) = (self.service, self.original) else { return Vec::new() };
        let image = &self.old.image_id;
        let changes = compare(&original.spec, wanted, image, Some(image));
        changes.into_iter().map(|change| change.field).collect()
    }

    /// Its name before it was put aside: that of the sandbox in its place.
    pub(super) fn own_name(&self) -> String {
        let sandbox = self.app.sandbox_name(self.number);
        let is_aside = self.old.name.strip_prefix(&sandbox).is_some_and(|rest| rest.starts_with(".old"));
        if is_aside { sandbox } else { self.old.name.to_string() }
    }
}
