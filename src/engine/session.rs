//! The way in for front ends: one connected engine and what can be asked of it. It reads; to change things takes an [`Operator`](super::Operator).

use super::balancers::{self, Trust};
use super::resume::{self, Next, Way};
use super::{Error, Records, Request, clock, doctor, gather, logs};
use crate::docker::{Docker, LoadStream, Location, LogOptions};
use crate::domain::balancer::{self, TrafficSeen};
use crate::domain::fleet::{EngineInfo, Fleet, FleetState};
use crate::domain::ids::{ContainerId, ImageRef};
use crate::domain::inspection::Inspection;
use crate::domain::plan::{Kind, Plan, Refusal};
use crate::domain::recipe;
use crate::domain::record::Summary;
use crate::domain::unfinished::{self, Unfinished};
use tokio::sync::watch;

/// What was left half-done in this fleet beside what the records here tell of.
pub fn unrecorded(fleet: &Fleet, recorded: &[Summary]) -> Vec<Unfinished> {
    let told = |one: &Unfinished| recorded.iter().any(|summary| summary.app == one.app.to_string());
    unfinished::unfinished(fleet, clock::wall()).into_iter().filter(|one| !told(one)).collect()
}

/// A connected engine. Cheap to clone.
#[derive(Clone)]
pub struct Session {
    docker: Docker,
    sandbox_image: Option<ImageRef>,
    records: Option<Records>,
    trusts_labels: bool,
}

impl Session {
    /// Connects and asks who is there; touches nothing.
    pub async fn connect(location: &Location) -> Result<Self, Error> {
        Ok(Self::of(Docker::connect(location).await?))
    }

    /// As [`Session::connect`]; the fleet as the engine's list alone shows it is handed to `glance` as soon as it is there,
    /// which may be long before the engine has said who it is.
    pub async fn connect_at_a_glance(location: &Location, glance: impl AsyncFnOnce(Fleet)) -> Result<Self, Error> {
        let opened = Docker::open(location).await?;
        let seen = async {
            // Why it can't be seen, entering says better.
            if let Ok(fleet) = opened.glance().await {
                glance(fleet).await;
            }
            Ok(())
        };
        let (docker, ()) = futures_util::future::try_join(opened.enter(), seen).await?;
        Ok(Self::of(docker))
    }

    fn of(docker: Docker) -> Self {
        Self { docker, sandbox_image: None, records: None, trusts_labels: false }
    }

    /// Uses this image for sandboxes instead of the embedded one (engines of another architecture).
    #[must_use]
    pub fn with_sandbox_image(mut self, image: Option<ImageRef>) -> Self {
        self.sandbox_image = image;
        self
    }

    /// Keeps records of operations there; without, none are kept.
    #[must_use]
    pub fn with_records(mut self, records: Option<Records>) -> Self {
        self.records = records;
        self
    }

    /// Commands that containers' labels name, for a load balancer, may be run on this machine.
    #[must_use]
    pub fn with_trust(mut self, trusts_labels: bool) -> Self {
        self.trusts_labels = trusts_labels;
        self
    }

    fn trust(&self) -> Trust {
        Trust { labels: self.trusts_labels, file: Vec::new() }
    }

    pub(super) fn records(&self) -> Option<&Records> {
        self.records.as_ref()
    }

    pub(super) fn docker(&self) -> &Docker {
        &self.docker
    }

    pub(super) fn sandbox_image(&self) -> Option<&ImageRef> {
        self.sandbox_image.as_ref()
    }

    /// Who answers.
    pub fn info(&self) -> &EngineInfo {
        self.docker.info()
    }

    /// Operations on this engine that were left half-done and that nobody has gone on with, as far as this console's
    /// records tell; the oldest first.
    pub async fn left_open(&self) -> Vec<Summary> {
        let Some(records) = self.records.clone() else { return Vec::new() };
        let left = tokio::task::spawn_blocking(move || records.left_open()).await;
        match left.map_err(|error| error.to_string()).and_then(|left| left.map_err(|error| error.to_string())) {
            Ok(left) => left.into_iter().filter(|one| one.is_on(self.info())).collect(),
            Err(error) => {
                tracing::warn!("records can't be read: {error}");
                Vec::new()
            }
        }
    }

    /// Everything the engine has now.
    pub async fn fleet(&self) -> Result<Fleet, Error> {
        Ok(self.docker.fleet().await?)
    }

    /// The fleet as it changes, for as long as the receiver lives.
    pub fn live(&self) -> watch::Receiver<FleetState> {
        self.docker.live(clock::wall)
    }

    /// What the load balancers of these apps show of their instances.
    pub async fn traffic(&self, fleet: &Fleet) -> TrafficSeen {
        balancer::traffic(fleet, &balancers::of_fleet(fleet, &self.trust()).await)
    }

    /// What the request would do, as the engine is now; touches nothing.
    pub async fn plan(&self, request: &Request) -> Result<Plan, Error> {
        if request.resumes().is_some() {
            return Box::pin(self.resumed(request)).await;
        }
        let facts = gather::facts(&self.docker, request, self.trusts_labels).await?;
        let plan = match request {
            Request::Create { project, services, scale, options } => {
                recipe::create(project, services, scale, &facts, options)
            }
            Request::Deploy { app, image, project, options } => {
                recipe::deploy(app, image.as_deref(), project.as_ref(), &facts, options)
            }
            Request::Restart { targets, options } => recipe::restart(targets, &facts, options),
            Request::Rollback { app, to, options } => recipe::rollback(app, *to, &facts, options),
            Request::Scale { app, replicas, options } => recipe::scale(app, *replicas, &facts, options),
            Request::Remove { apps, volumes, options } => recipe::remove(apps, *volumes, &facts, options),
            Request::Repair { targets, options } => recipe::repair(targets, &facts, options),
            Request::Adopt { wish, options } => recipe::adopt(wish, &facts, options),
            Request::GiveBack { wish, options } => recipe::give_back(wish, &facts, options),
            Request::Finish { app, options } => recipe::finish(app, &facts, options),
            Request::TakeBack { app, options } => recipe::take_back(app, &facts, options),
            // Settled above.
            Request::Resume { op, .. } | Request::Abort { op, .. } | Request::Retry { op, .. } => {
                return Err(Refusal::Usage(format!("{op} can't be asked for like this")).into());
            }
        };
        let plan = plan?;
        Ok(Plan { goal: resume::goal(request, &plan), ..plan })
    }

    /// The plan that goes on with an operation, or takes it back.
    async fn resumed(&self, request: &Request) -> Result<Plan, Error> {
        let (op, options, way) = match request {
            Request::Resume { op, options } => (op, options, Way::On),
            Request::Abort { op, options } => (op, options, Way::Back),
            Request::Retry { op, options } => (op, options, Way::Again),
            _ => return self.plan(request).await,
        };
        let fleet = self.fleet().await?;
        let (record, summary) = resume::read(self.records(), op, self.info())?;
        let plan = match resume::next(&record, &summary, way, options, &fleet)? {
            Next::Ask(request) => {
                let plan = self.plan(&request).await?;
                let words = match way {
                    Way::On => "goes on with",
                    Way::Back => "takes back",
                    Way::Again => "tries again",
                };
                let notes = std::iter::once(format!("{words} {op}, the {}", summary.title())).chain(plan.notes);
                // Where it went on from counts, not where it was half-way.
                let goal = if way == Way::Back { plan.goal } else { resume::wanted(&record).or(plan.goal) };
                Plan { notes: notes.collect(), goal, ..plan }
            }
            Next::Nothing(why) => {
                let kind = summary.kind.unwrap_or(Kind::Deploy);
                Plan::nothing(kind, summary.app.clone(), format!("{why}: nothing to do"))
            }
        };
        let settles = summary.is_open() || (way == Way::Again && !plan.is_empty());
        Ok(Plan { resumes: settles.then(|| op.clone()), ..plan })
    }

    /// Log lines of an app's instances, of one instance, or of an unmanaged container, interleaved as they come.
    pub async fn logs(&self, target: &str, options: LogOptions) -> Result<logs::Logs, Error> {
        logs::open(&self.docker, target, options).await
    }

    /// The log of one container, as it comes.
    pub async fn log_of(&self, id: &ContainerId, options: LogOptions) -> Result<logs::Lines, Error> {
        logs::of_container(&self.docker, id, options).await
    }

    /// What a container takes of the machine, a reading a second.
    pub fn load_of(&self, id: &ContainerId) -> LoadStream {
        self.docker.load(id)
    }

    /// One container as the engine itself tells of it.
    pub async fn inspection(&self, id: &ContainerId) -> Result<Inspection, Error> {
        Ok(self.docker.inspection(id).await?)
    }

    /// Is all well with this engine, and what does it mean for the promises?
    pub async fn doctor(&self) -> Vec<doctor::Check> {
        doctor::examine(&self.docker, self.sandbox_image.as_ref(), &self.left_open().await, &self.trust()).await
    }
}
