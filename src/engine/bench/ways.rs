//! Each way, done once: what is timed, and what is put in order again afterwards without being timed.

use super::super::clock;
use super::client::Clients;
use super::{Bench, Error, Floor, LABEL, MADE, Operated, PROJECT, Plain, Request, WARM, WEB, failed, ms, named};
use crate::docker::{AppCreation, SandboxCreation};
use crate::domain::bench::{Sample, Way};
use crate::domain::budget::MinAvailable;
use crate::domain::event::StepResult;
use crate::domain::ids::ContainerId;
use crate::domain::options::{BatchSize, Options};
use crate::domain::plan::{Action, Lane};
use crate::domain::spec::{ContainerSpec, NetworkAttach, SandboxSpec};
use futures_util::future::try_join_all;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use tokio::sync::watch;

pub(super) type Steps = Vec<(String, f64)>;

impl Bench {
    /// The app, and beside it the same containers without pitstop.
    pub async fn set_up(&mut self) -> Result<(), Error> {
        self.web = self.make(WEB).await?;
        self.warm = self.make(WARM).await?;
        for number in 1..=self.wish.instances {
            let id = self.make_plain(&format!("{PROJECT}-plain-{number}"), &mut Vec::new()).await?;
            let at = self.address(&id).await?;
            self.answers(at).await?;
            self.plain.push(Plain { id, address: watch::Sender::new(at) });
        }
        for number in 1..=self.wish.instances {
            let sandbox = self.make_sandbox(number).await?;
            let app = self.join(&sandbox).await?;
            self.operator.changes().start(&app).await?;
            let at = self.address(&sandbox).await?;
            self.answers(at).await?;
            self.floor.push(Floor { sandbox, app, address: watch::Sender::new(at) });
        }
        if self.wish.with.contains(&Way::Compose) {
            self.set_up_compose().await?;
        }
        if self.wish.with.contains(&Way::Swarm) {
            self.set_up_swarm().await?;
        }
        Ok(())
    }

    /// One of the project's services, and where its instances answer.
    async fn make(&mut self, service: &'static str) -> Result<Vec<watch::Sender<SocketAddr>>, Error> {
        let request = self.create(service);
        self.operate(&request).await?;
        let mut all = Vec::new();
        for sandbox in self.sandboxes(service).await? {
            let at = self.address(&sandbox).await?;
            self.answers(at).await?;
            all.push(watch::Sender::new(at));
        }
        Ok(all)
    }

    /// One way, once; `None` where it turned out not to be possible.
    pub(super) async fn measure(&mut self, way: Way) -> Result<Option<Sample>, Error> {
        let addresses: Vec<_> = match way {
            Way::Recreate | Way::PlainRestart => self.plain.iter().map(|one| one.address.subscribe()).collect(),
            Way::Floor => self.floor.iter().map(|one| one.address.subscribe()).collect(),
            Way::Compose => self.composed.iter().map(watch::Sender::subscribe).collect(),
            Way::Warm => self.warm.iter().map(watch::Sender::subscribe).collect(),
            _ => self.web.iter().map(watch::Sender::subscribe).collect(),
        };
        let clients = way.is_asked().then(|| Clients::begin(&self.wish.probe, &addresses));
        let began = clock::instant();
        let mut steps = Steps::new();
        let mut left = Vec::new();
        match way {
            Way::Recreate => self.recreate(&mut steps).await?,
            Way::PlainRestart => self.restart_plain(&mut steps).await?,
            Way::Deploy(batch) => self.deploy(WEB, batch, &mut steps).await?,
            Way::Warm => self.deploy(WARM, 1, &mut steps).await?,
            Way::Compose => self.compose(&mut steps).await?,
            Way::Swarm => self.swarm().await?,
            Way::Restart => {
                let options = Options { batch: Some(BatchSize::Count(1)), ..every_one() };
                let targets = vec![format!("{PROJECT}/{WEB}")];
                steps = timed(&self.operate(&Request::Restart { targets, options }).await?);
            }
            Way::Floor => self.floor(&mut steps).await?,
            Way::OneByOne => {
                for number in 1..=self.wish.instances {
                    left.push(self.make_plain(&format!("{PROJECT}-made-{number}"), &mut steps).await?);
                }
            }
            Way::SideBySide => {
                let request = self.create(MADE);
                steps = timed(&self.operate(&request).await?);
            }
        }
        let took_ms = ms(began);
        let seen = match clients {
            Some(clients) => clients.end().await,
            None => Vec::new(),
        };
        // From here on nothing is timed.
        for id in left {
            self.operator.changes().remove(&id, true).await?;
        }
        if way == Way::SideBySide {
            let apps = vec![format!("{PROJECT}/{MADE}")];
            self.operate(&Request::Remove { apps, volumes: true, options: Options::default() }).await?;
        }
        if way == Way::Warm && !steps.iter().any(|(action, _)| *action == Action::Warm.to_string()) {
            self.left_out.insert(
                way,
                "a new version can't be held back here; `pitstop deploy --warm auto --dry-run` says why".into(),
            );
            return Ok(None);
        }
        Ok(Some(Sample {
            took_ms,
            gaps_ms: seen.iter().map(|seen| seen.gap_ms).collect(),
            asked: seen.iter().map(|seen| seen.asked).sum(),
            failed: seen.iter().map(|seen| seen.failed).sum(),
            steps,
        }))
    }

    /// The other version, in place.
    async fn deploy(&mut self, service: &'static str, batch: u32, steps: &mut Steps) -> Result<(), Error> {
        let version = self.other_version(service);
        let request = Request::Deploy {
            app: format!("{PROJECT}/{service}"),
            image: None,
            project: Some(self.wish.versions[version].clone()),
            options: Options { batch: Some(BatchSize::Count(batch)), ..every_one() },
        };
        *steps = timed(&self.operate(&request).await?);
        Ok(())
    }

    /// Stop, remove, create, start, wait; one after the other.
    async fn recreate(&mut self, steps: &mut Steps) -> Result<(), Error> {
        for index in 0..self.plain.len() {
            let old = self.plain[index].id.clone();
            let docker = self.operator.changes().clone();
            let began = clock::instant();
            docker.stop(&old, None).await?;
            note(steps, "stop", began);
            let began = clock::instant();
            docker.remove(&old, true).await?;
            note(steps, "remove", began);
            let name = format!("{PROJECT}-plain-{}", index + 1);
            let began = clock::instant();
            let id = docker.create_plain(&named(&name)?, &self.wish.image, &marked(), Some(&network())).await?;
            note(steps, "create", began);
            self.plain[index].id = id;
            let began = clock::instant();
            docker.start(&self.plain[index].id).await?;
            note(steps, "start", began);
            self.until_ready(index, steps).await?;
        }
        Ok(())
    }

    async fn restart_plain(&mut self, steps: &mut Steps) -> Result<(), Error> {
        for index in 0..self.plain.len() {
            let began = clock::instant();
            self.operator.changes().restart_plain(&self.plain[index].id).await?;
            note(steps, "restart", began);
            self.until_ready(index, steps).await?;
        }
        Ok(())
    }

    /// A plain container has come back, perhaps elsewhere.
    async fn until_ready(&self, index: usize, steps: &mut Steps) -> Result<(), Error> {
        let began = clock::instant();
        let at = self.address(&self.plain[index].id).await?;
        self.plain[index].address.send_replace(at);
        self.answers(at).await?;
        note(steps, "ready", began);
        Ok(())
    }

    /// Creates all, then stop, start and wait for each; at last what was replaced is removed, side by side.
    async fn floor(&mut self, steps: &mut Steps) -> Result<(), Error> {
        let mut new = Vec::new();
        for index in 0..self.floor.len() {
            let sandbox = self.floor[index].sandbox.clone();
            let began = clock::instant();
            new.push(self.join(&sandbox).await?);
            note(steps, "create", began);
        }
        let mut old = Vec::new();
        for (index, id) in new.into_iter().enumerate() {
            let docker = self.operator.changes();
            let began = clock::instant();
            docker.stop(&self.floor[index].app, None).await?;
            note(steps, "stop", began);
            let began = clock::instant();
            docker.start(&id).await?;
            note(steps, "start", began);
            let at: SocketAddr = *self.floor[index].address.borrow();
            let began = clock::instant();
            self.answers(at).await?;
            note(steps, "ready", began);
            old.push(std::mem::replace(&mut self.floor[index].app, id));
        }
        let docker = self.operator.changes();
        let removals = old.iter().map(async |id| {
            let began = clock::instant();
            docker.remove(id, true).await.map(|()| ms(began))
        });
        for took in try_join_all(removals).await? {
            steps.push(("remove".to_owned(), took));
        }
        Ok(())
    }

    /// `docker run`, and until it answers.
    async fn make_plain(&mut self, name: &str, steps: &mut Steps) -> Result<ContainerId, Error> {
        let docker = self.operator.changes();
        let began = clock::instant();
        let id = docker.create_plain(&named(name)?, &self.wish.image, &marked(), Some(&network())).await?;
        note(steps, "create", began);
        let began = clock::instant();
        docker.start(&id).await?;
        note(steps, "start", began);
        let began = clock::instant();
        self.answers(self.address(&id).await?).await?;
        note(steps, "ready", began);
        Ok(id)
    }

    async fn make_sandbox(&self, number: u32) -> Result<ContainerId, Error> {
        let docker = self.operator.changes();
        let name = format!("{PROJECT}-floor-{number}");
        let attach = NetworkAttach { network: network(), ..NetworkAttach::default() };
        let creation = SandboxCreation {
            image: docker.ensure_sandbox_image(self.session.sandbox_image()).await?,
            name: named(&name)?,
            labels: marked(),
            hostname: name,
            aliases: Vec::new(),
            spec: SandboxSpec { networks: vec![attach], ..SandboxSpec::default() },
            addresses: BTreeMap::new(),
            sysctls: BTreeMap::new(),
        };
        let id = docker.create_sandbox(&creation).await?;
        docker.start(&id).await?;
        Ok(id)
    }

    /// A container of the image that joins a sandbox of the floor; not started.
    async fn join(&mut self, sandbox: &ContainerId) -> Result<ContainerId, Error> {
        self.count += 1;
        let creation = AppCreation {
            name: named(&format!("{PROJECT}-floor.{}", self.count))?,
            image: self.wish.image.clone(),
            labels: marked(),
            spec: ContainerSpec::default(),
            sandbox: sandbox.clone(),
            carry: Vec::new(),
            gate: None,
        };
        Ok(self.operator.changes().create_app(&creation).await?)
    }

    async fn sandboxes(&self, service: &str) -> Result<Vec<ContainerId>, Error> {
        let fleet = self.session.fleet().await?;
        let app = fleet.apps.iter().find(|app| app.id.project == PROJECT && app.id.app == service);
        let sandboxes =
            app.into_iter().flat_map(|app| &app.instances).filter_map(|one| Some(one.sandbox.as_deref()?.id.clone()));
        let all: Vec<_> = sandboxes.collect();
        if all.len() == self.wish.instances as usize {
            Ok(all)
        } else {
            Err(failed("the app's instances are not all there"))
        }
    }
}

/// Nothing has to stay available: what a batch costs is what is measured.
fn every_one() -> Options {
    Options { min_available: Some(MinAvailable::Count(0)), ..Options::default() }
}

pub(super) fn marked() -> BTreeMap<String, String> {
    BTreeMap::from([(LABEL.to_owned(), "1".to_owned())])
}

/// The network that pitstop makes for the app.
fn network() -> String {
    format!("{PROJECT}_default")
}

pub(super) fn note(steps: &mut Steps, action: &str, began: tokio::time::Instant) {
    steps.push((action.to_owned(), ms(began)));
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds of one step")]
fn timed(operated: &Operated) -> Steps {
    let done = operated.steps.iter().filter(|step| step.lane == Lane::Main && step.result == StepResult::Ok);
    let mut all: Steps = done.map(|step| (step.action.to_string(), step.took_ms as f64)).collect();
    all.push(("operation".to_owned(), operated.finished.took_ms as f64));
    all
}
