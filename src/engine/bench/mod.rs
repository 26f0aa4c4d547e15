//! The same done in several ways on one engine, in turn, with clients that ask meanwhile.
//!
//! Machines are noisy, so every round does each way once. What is there beside the app that pitstop makes (plain containers
//! to recreate, sandboxes for the floor) is of the same image on the same network. All of it carries [`LABEL`] or belongs to
//! [`PROJECT`]; [`Operator::end_bench`] takes exactly that away, whoever left it.

mod client;
mod compose;
mod swarm;
mod ways;

use super::{Control, Error, Operator, Request, Session, clock};
use crate::docker::sandbox_image::{AppImage, app_archive};
use crate::docker::{DockerError, Failure};
use crate::domain::bench::{Figures, Way};
use crate::domain::event::{EventKind, Finished, Outcome, StepFinished, Urgency};
use crate::domain::fleet::Container;
use crate::domain::ids::{ContainerId, ImageRef, ObjectName};
use crate::domain::labels::Role;
use crate::domain::options::Options;
use crate::domain::plan::Refusal;
use crate::domain::probe::ProbeSpec;
use crate::domain::project::ProjectSpec;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::sync::watch;

/// The project of everything that is measured.
pub const PROJECT: &str = "pitstop-bench";
/// The image that is measured where none is named: the guest as a web server.
pub const IMAGE: &str = "pitstop-bench/app:1";
/// On the app's containers, and on those that no operation makes.
pub const LABEL: &str = "io.pitstop.bench";
const IMAGE_LABEL: &str = "io.pitstop.bench-image";

/// The services of the measured project: one that is deployed and restarted, one that is deployed warm, one that is only created.
pub const SERVICES: [&str; 3] = [WEB, WARM, MADE];
const WEB: &str = "web";
/// Its file has to say `warm`, so that its containers come by the gate.
pub const WARM: &str = "warm";
const MADE: &str = "made";

/// How long a container may take until it answers.
const ANSWERS: Duration = Duration::from_secs(60);
/// How long what was interrupted may take to come to its safe point.
const INTERRUPTED: Duration = Duration::from_secs(60);

/// What is to be measured.
#[derive(Clone, Debug)]
pub struct Wish {
    pub instances: u32,
    pub image: ImageRef,
    /// `http` or `tcp`.
    pub probe: ProbeSpec,
    /// The project's file in two versions, which differ in one variable of the environment.
    pub versions: [ProjectSpec; 2],
    /// Others' ways that are measured where they are there.
    pub with: BTreeSet<Way>,
}

/// The scene of a benchmark, set up.
pub struct Bench {
    operator: Operator,
    session: Session,
    wish: Wish,
    /// By way of keeping: the app's, plain ones, those of the floor.
    web: Vec<watch::Sender<SocketAddr>>,
    warm: Vec<watch::Sender<SocketAddr>>,
    plain: Vec<Plain>,
    floor: Vec<Floor>,
    /// How Compose is called here.
    compose: Option<compose::Program>,
    composed: Vec<watch::Sender<SocketAddr>>,
    /// Which of the two versions of each runs, a service or another's way.
    running_version: BTreeMap<&'static str, usize>,
    /// Names that are used up.
    count: u32,
    /// Ways that turned out not to be possible, with the reason.
    pub left_out: BTreeMap<Way, String>,
    running: Option<Control>,
}

/// A container without a sandbox.
struct Plain {
    id: ContainerId,
    address: watch::Sender<SocketAddr>,
}

/// A sandbox and what joins it, made by the engine's calls alone.
struct Floor {
    sandbox: ContainerId,
    app: ContainerId,
    address: watch::Sender<SocketAddr>,
}

/// An operation's end, as far as it is measured.
struct Operated {
    finished: Finished,
    steps: Vec<StepFinished>,
}

impl Operator {
    /// A benchmark whose scene is still to be set. Refused where there is one already: it belongs to another run, or to one
    /// that was killed.
    pub async fn begin_bench(&self, session: &Session, wish: Wish) -> Result<Bench, Error> {
        if !self.bench_containers().await?.is_empty() {
            return Err(
                Refusal::Refused(format!("there is a benchmark on this engine already (project {PROJECT})")).into()
            );
        }
        if wish.image.as_str() == IMAGE {
            let image = AppImage {
                cmd: &["serve", "8080", "bench"],
                labels: &[(IMAGE_LABEL, "1")],
                port: Some(8080),
                ..AppImage::default()
            };
            let archive = app_archive(IMAGE, &image).map_err(|error| failed(&error.to_string()))?;
            self.changes().load_image(archive.into()).await?;
        }
        let (operator, session) = (self.clone(), session.clone());
        Ok(Bench {
            operator,
            session,
            wish,
            web: Vec::new(),
            warm: Vec::new(),
            compose: None,
            composed: Vec::new(),
            plain: Vec::new(),
            floor: Vec::new(),
            running_version: BTreeMap::new(),
            count: 0,
            left_out: BTreeMap::new(),
            running: None,
        })
    }

    /// Takes away what benchmarks have made, and nothing else.
    pub async fn end_bench(&self) -> Result<(), Error> {
        let docker = self.changes();
        // A Swarm would make its containers anew.
        docker.remove_services(LABEL).await?;
        for id in self.bench_containers().await? {
            docker.remove(&id, true).await?;
        }
        for network in docker.networks().await? {
            if network.labels.get(crate::domain::labels::PROJECT).is_some_and(|project| project == PROJECT) {
                docker.remove_network(&named(&network.name)?).await?;
            }
        }
        for volume in docker.volumes().await? {
            if volume.labels.get(crate::domain::labels::PROJECT).is_some_and(|project| project == PROJECT) {
                docker.remove_volume(&named(&volume.name)?).await?;
            }
        }
        for image in docker.images_labelled(IMAGE_LABEL).await? {
            docker.remove_image(&image).await?;
        }
        Ok(())
    }

    async fn bench_containers(&self) -> Result<Vec<ContainerId>, Error> {
        let all = self.changes().list().await?;
        let labelled: BTreeSet<ContainerId> =
            self.changes().labelled(LABEL).await?.into_iter().map(|container| container.id).collect();
        let marked = |container: &Container| labelled.contains(&container.id);
        let somebodys = all.iter().find(|container| {
            let own = container.own.as_ref().filter(|own| own.app.project == PROJECT && own.role == Role::App);
            own.is_some() && !marked(container)
        });
        if let Some(container) = somebodys {
            let words = format!(
                "{} belongs to a project {PROJECT} that is no benchmark's; nothing was touched",
                container.name
            );
            return Err(Refusal::Refused(words).into());
        }
        let ours = all.into_iter().filter(|container| {
            container.own.as_ref().is_some_and(|own| own.app.project == PROJECT) || marked(container)
        });
        Ok(ours.map(|container| container.id).collect())
    }
}

impl Bench {
    /// Measures every way once, and tells the figures.
    pub async fn round(&mut self, ways: &[Way], figures: &mut Figures, mut tell: impl FnMut(Way)) -> Result<(), Error> {
        for way in ways {
            if self.left_out.contains_key(way) {
                continue;
            }
            tell(*way);
            if let Some(sample) = self.measure(*way).await? {
                figures.add(*way, sample);
            }
        }
        Ok(())
    }

    /// Ends what is under way as soon as it is safe, and takes everything away.
    pub async fn take_away(&mut self) -> Result<(), Error> {
        if let Some(control) = self.running.take() {
            control.cancel(Urgency::Leave);
            let gone = async {
                // Its lock is the last thing to go.
                while self
                    .operator
                    .changes()
                    .list()
                    .await
                    .is_ok_and(|all| all.iter().any(|one| one.name.starts_with(&format!("pitstop-lock-{PROJECT}"))))
                {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            };
            // Whatever still runs then works on containers that are about to go.
            let _ = tokio::time::timeout(INTERRUPTED, gone).await;
        }
        self.operator.end_bench().await
    }

    /// Runs an operation to its end, which has to be a good one.
    async fn operate(&mut self, request: &Request) -> Result<Operated, Error> {
        let plan = self.session.plan(request).await?;
        let mut operation = self.operator.begin(request, plan).await?;
        self.running = Some(operation.control.clone());
        let (mut steps, mut end) = (Vec::new(), None);
        while let Some(event) = operation.events.recv().await {
            match event.kind {
                EventKind::StepFinished(step) => steps.push(step),
                EventKind::Finished(finished) => end = Some(finished),
                _ => {}
            }
        }
        self.running = None;
        let finished = end.ok_or_else(|| failed("an operation ended without a word"))?;
        if finished.outcome != Outcome::Succeeded {
            let words = finished.error.unwrap_or_else(|| format!("an operation ended {:?}", finished.outcome));
            return Err(failed(&words));
        }
        Ok(Operated { finished, steps })
    }

    /// Of the two versions the one that does not run; it is taken to run from now on.
    fn other_version(&mut self, of: &'static str) -> usize {
        let version = self.running_version.entry(of).or_default();
        *version = 1 - *version;
        *version
    }

    fn create(&self, service: &str) -> Request {
        Request::Create {
            project: self.wish.versions[0].clone(),
            services: vec![service.to_owned()],
            scale: Vec::new(),
            options: Options::default(),
        }
    }

    /// Waits until it answers there.
    async fn answers(&self, at: SocketAddr) -> Result<(), Error> {
        let asked = async {
            while client::ask(&self.wish.probe, at).await.is_err() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(ANSWERS, asked).await.map_err(|_| {
            failed(&format!(
                "nothing answers at {at}; benchmarks are run on the engine's own machine, where containers' addresses are reached"
            ))
        })
    }

    /// Where a container is asked.
    async fn address(&self, id: &ContainerId) -> Result<SocketAddr, Error> {
        let seen = self.operator.changes().inspect(id).await?.ok_or_else(|| failed("a container is gone"))?;
        let port = match &self.wish.probe {
            ProbeSpec::Http { port, .. } | ProbeSpec::Tcp { port } => *port,
            _ => return Err(failed("only http and tcp probes can be asked from outside")),
        };
        let address = seen.networks.values().find_map(|address| address.ipv4.as_deref()?.parse().ok());
        address.map(|ip| SocketAddr::new(ip, port)).ok_or_else(|| failed(&format!("{} has no address", seen.name)))
    }
}

fn failed(words: &str) -> Error {
    DockerError::new("measure", PROJECT, Failure::Broken, words).into()
}

fn named(name: &str) -> Result<ObjectName, Error> {
    ObjectName::new(name).map_err(|error| failed(&error.to_string()))
}

/// Milliseconds since `began`.
fn ms(began: tokio::time::Instant) -> f64 {
    (clock::instant() - began).as_secs_f64() * 1000.0
}
