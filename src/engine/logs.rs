//! Log lines of one or several instances, interleaved as they come.

use super::{Error, clock};
use crate::docker::{Docker, LogLine, LogOptions};
use crate::domain::fleet::{Container, Fleet, FleetState, Instance};
use crate::domain::ids::{ContainerId, InstanceName};
use crate::domain::plan::Refusal;
use crate::domain::spec::RestartPolicy;
use futures_util::stream::BoxStream;
use futures_util::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use tokio::sync::{mpsc, watch};

/// Lines held for a slow reader; the engine's stream then waits, and nothing is lost.
const BUFFER: usize = 256;

/// Lines that have come already and are given together, at most.
const TOGETHER: usize = 64;

/// Lines of one container, as many together as have come; an error comes after those before it, and is the last item.
pub type Lines = BoxStream<'static, Result<Vec<LogLine>, Error>>;

/// What an instance's log tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogNews {
    Line(LogLine),
    /// What wrote has ended; it is waited for.
    Ended,
    /// It runs again, in this container.
    GoesOn {
        container: String,
        revision: Option<u32>,
    },
}

/// News of a log, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceNews {
    pub instance: InstanceName,
    pub news: LogNews,
}

/// Logs that are being read.
#[derive(Debug)]
pub struct Logs {
    /// Whose.
    pub instances: Vec<InstanceName>,
    /// As they come, in no order among instances.
    pub news: mpsc::Receiver<Result<InstanceNews, Error>>,
}

/// Opens the logs of `target`; the streams end when the receiver is dropped. Followed, an instance's log goes on after a
/// restart and in what replaces its container, until the instance is gone; of a container that nobody will start again it
/// ends with it.
pub(super) async fn open(docker: &Docker, target: &str, options: LogOptions) -> Result<Logs, Error> {
    let fleet = Fleet::assemble(docker.info().clone(), docker.list().await?);
    let instances: Vec<&Instance> = match fleet.find_instance(target) {
        Some((_, instance)) => vec![instance],
        None => fleet.find(target).map_err(Refusal::Usage)?.instances.iter().collect(),
    };
    let live = options.follow.then(|| docker.live(clock::wall));
    let (tell, news) = mpsc::channel(BUFFER);
    for instance in &instances {
        let Some(container) = instance.app.clone() else { continue };
        let reader = Reader {
            docker: docker.clone(),
            name: instance.name.clone(),
            tell: tell.clone(),
            live: live.clone(),
            timestamps: options.timestamps,
            started: None,
            last: None,
        };
        tokio::spawn(reader.run(container.id.clone(), options.clone()));
    }
    Ok(Logs { instances: instances.into_iter().map(|instance| instance.name.clone()).collect(), news })
}

/// Reads one instance's log, whatever its container is.
struct Reader {
    docker: Docker,
    name: InstanceName,
    tell: mpsc::Sender<Result<InstanceNews, Error>>,
    /// `None`: not followed.
    live: Option<watch::Receiver<FleetState>>,
    timestamps: bool,
    /// When the run that is read began.
    started: Option<Timestamp>,
    /// When the last line was written.
    last: Option<Timestamp>,
}

impl Reader {
    /// Until there is no more, or nobody reads.
    async fn run(mut self, container: ContainerId, options: LogOptions) {
        // Where it goes on is told by the lines' times.
        let options = LogOptions { timestamps: options.timestamps || options.follow, ..options };
        let (mut container, mut asked) = (container, options.clone());
        loop {
            if self.live.is_some() {
                let seen = self.docker.inspect(&container).await.ok().flatten();
                self.started = seen.and_then(|seen| seen.started_at());
            }
            if let Err(error) = self.read(&container, asked).await {
                // One that is gone by now says so beside the others' lines.
                return drop(self.tell.send(Err(error)).await);
            }
            let Some(next) = self.next_run(&container).await else { return };
            // The same container's log begins with what has been read.
            let since = self.last.filter(|_| next.id == container);
            let since = since.and_then(|last| last.checked_add(SignedDuration::from_nanos(1)).ok());
            asked = LogOptions { tail: None, since, ..options.clone() };
            container = next.id.clone();
        }
    }

    async fn read(&mut self, container: &ContainerId, options: LogOptions) -> Result<(), Error> {
        let mut lines = self.docker.logs(container, options).await?;
        while let Some(line) = lines.next().await {
            let mut line = line?;
            self.last = line.at.or(self.last);
            line.at = line.at.filter(|_| self.timestamps);
            if !self.say(LogNews::Line(line)).await {
                break;
            }
        }
        Ok(())
    }

    /// Waits until the instance runs again after its log in `container` has ended, and says so; `None`: it will not, or nobody
    /// reads.
    async fn next_run(&mut self, container: &ContainerId) -> Option<Arc<Container>> {
        let mut live = self.live.take()?;
        let (mut told, tell) = (false, self.tell.clone());
        let next = loop {
            // What a dead engine had is no news.
            let seen = match &*live.borrow_and_update() {
                FleetState::Live(fleet) => Some(Seen::of(fleet, &self.name)),
                FleetState::Loading | FleetState::Stale { .. } => None,
            };
            match seen {
                Some(Seen::Gone) => return None,
                Some(Seen::Over(over)) if over.id == *container => return None,
                Some(Seen::Runs(app)) if app.id != *container || app.started_at() > self.started => break app,
                _ => {}
            }
            if !told {
                told = true;
                if !self.say(LogNews::Ended).await {
                    return None;
                }
            }
            tokio::select! {
                changed = live.changed() => changed.ok()?,
                () = tell.closed() => return None,
            }
        };
        self.live = Some(live);
        let (container, revision) = (next.name.to_string(), Some(next.revision()).filter(|revision| *revision > 0));
        self.say(LogNews::GoesOn { container, revision }).await.then_some(next)
    }

    /// `false`: nobody reads.
    async fn say(&self, news: LogNews) -> bool {
        self.tell.send(Ok(InstanceNews { instance: self.name.clone(), news })).await.is_ok()
    }
}

/// How an instance is while its log has ended.
enum Seen {
    Gone,
    Runs(Arc<Container>),
    /// It has ended, and something may start it again.
    Ended,
    /// It has ended, and nothing starts it again by itself.
    Over(Arc<Container>),
}

impl Seen {
    fn of(fleet: &Fleet, name: &InstanceName) -> Self {
        let instances = fleet.apps.iter().flat_map(|app| &app.instances);
        let Some(instance) = instances.into_iter().find(|instance| instance.name == *name) else { return Self::Gone };
        let Some(app) = &instance.app else { return Self::Ended };
        let stays = app.detail.as_deref().is_some_and(|detail| detail.restart == RestartPolicy::No);
        match () {
            () if app.is_running() => Self::Runs(app.clone()),
            () if instance.sandbox.is_none() && stays => Self::Over(app.clone()),
            () => Self::Ended,
        }
    }
}

/// The log of one container. Dropping it closes the connection.
pub(super) async fn of_container(docker: &Docker, id: &ContainerId, options: LogOptions) -> Result<Lines, Error> {
    let stream = docker.logs(id, options).await?;
    Ok(stream
        .ready_chunks(TOGETHER)
        .flat_map(|lines| {
            let (mut good, mut error) = (Vec::new(), None);
            for line in lines {
                match line {
                    Ok(line) => good.push(line),
                    Err(failed) => error = Some(Err(Error::from(failed))),
                }
            }
            let good = (!good.is_empty()).then_some(Ok(good));
            stream::iter(good.into_iter().chain(error))
        })
        .boxed())
}
