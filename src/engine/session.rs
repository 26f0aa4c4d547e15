//! The way in for front ends: one connected engine and what can be asked of it. It reads; to change things takes an [`Operator`](super::Operator).

use super::{Error, Records, Request, clock, doctor, gather, logs, traffic};
use crate::docker::{Docker, Location, LogOptions};
use crate::domain::balancer::TrafficSeen;
use crate::domain::fleet::{EngineInfo, Fleet, FleetState};
use crate::domain::ids::ImageRef;
use crate::domain::plan::Plan;
use crate::domain::recipe;
use tokio::sync::{mpsc, watch};

/// A connected engine. Cheap to clone.
#[derive(Clone)]
pub struct Session {
    docker: Docker,
    sandbox_image: Option<ImageRef>,
    records: Option<Records>,
}

impl Session {
    /// Connects and asks who is there; touches nothing.
    pub async fn connect(location: &Location) -> Result<Self, Error> {
        Ok(Self { docker: Docker::connect(location).await?, sandbox_image: None, records: None })
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
        traffic::seen(fleet).await
    }

    /// What the request would do, as the engine is now; touches nothing.
    pub async fn plan(&self, request: &Request) -> Result<Plan, Error> {
        let facts = gather::facts(&self.docker, request).await?;
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
        };
        Ok(plan?)
    }

    /// Log lines of an app's instances, of one instance, or of an unmanaged container, interleaved as they come.
    pub async fn logs(
        &self,
        target: &str,
        options: LogOptions,
    ) -> Result<mpsc::Receiver<Result<logs::InstanceLine, Error>>, Error> {
        logs::open(&self.docker, target, options).await
    }

    /// Is all well with this engine, and what does it mean for the promises?
    pub async fn doctor(&self) -> Vec<doctor::Check> {
        doctor::examine(&self.docker, self.sandbox_image.as_ref()).await
    }
}
