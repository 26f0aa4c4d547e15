//! One engine's side of the bridge: how it is reached, its session as soon as there is one, and what it tells of itself.
//!
//! What it tells carries its id. It asks for nothing that somebody on screen has not asked for.

use super::engine::EngineId;
use super::looks::Looks;
use super::message::{Msg, News};
use crate::domain::balancer::{self, TrafficSeen};
use crate::domain::clean::clean_lines;
use crate::domain::fleet::FleetState;
use crate::domain::ids::{ContainerId, ImageRef};
use crate::engine::{Location, Records, Session, clock};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, SetOnce, mpsc};
use tokio::task::{JoinHandle, JoinSet};

/// Between attempts to reach an engine: first, and at most.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10));
/// The first list may be on screen so long before there is a session that can do something.
const SOON: Duration = Duration::from_secs(2);
/// Between looks at load balancers.
const TRAFFIC: Duration = Duration::from_secs(1);

/// What sessions are opened with.
#[derive(Clone)]
pub struct Reach {
    pub sandbox_image: Option<ImageRef>,
    pub records: Option<Records>,
    /// Commands that labels name, for a load balancer, may be run here.
    pub trust_commands: bool,
    /// Where choices are kept.
    pub kept: Option<PathBuf>,
}

/// A connection that is made again until it is dropped.
pub struct Link {
    pub id: EngineId,
    location: Location,
    reach: Reach,
    session: Arc<SetOnce<Session>>,
    tell: mpsc::Sender<Msg>,
    resync: Arc<Notify>,
    watch: Option<JoinHandle<()>>,
    looks: Looks,
}

impl Link {
    /// Begins to reach the engine and to watch its fleet.
    pub fn begin(id: EngineId, location: Location, reach: Reach, tell: mpsc::Sender<Msg>) -> Self {
        let looks = Looks::new(id, tell.clone());
        let (session, resync) = (Arc::default(), Arc::default());
        let mut link = Self { id, location, reach, session, tell, resync, watch: None, looks };
        link.watch();
        link
    }

    /// Watches the fleet (again).
    pub fn watch(&mut self) {
        let watcher = Watcher {
            id: self.id,
            location: self.location.clone(),
            reach: self.reach.clone(),
            session: self.session.clone(),
            tell: self.tell.clone(),
            resync: self.resync.clone(),
        };
        self.watch = Some(tokio::spawn(watcher.run()));
    }

    /// Lets go of the engine's streams: a reader that sleeps would slow the whole engine.
    pub async fn let_go(&mut self) {
        if let Some(task) = self.watch.take() {
            task.abort();
            // It was aborted: how it ended says nothing.
            let _ = task.await;
        }
        self.looks = Looks::new(self.id, self.tell.clone());
    }

    /// Tries now, or lists anew.
    pub fn resync(&self) {
        self.resync.notify_one();
    }

    /// The session, if there is one already.
    pub fn session(&self) -> Option<&Session> {
        self.session.get()
    }

    /// The session as soon as there is one; `None`: there is none soon.
    pub fn soon(&self) -> impl Future<Output = Option<Session>> + use<> {
        let session = self.session.clone();
        async move { tokio::time::timeout(SOON, session.wait()).await.ok().cloned() }
    }

    /// Looks what these containers take, and at no others.
    pub fn look_at(&mut self, containers: Vec<ContainerId>) {
        if let Some(session) = self.session.get() {
            self.looks.at(session, containers);
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.watch.iter().for_each(JoinHandle::abort);
    }
}

/// Reaches the engine, then tells of its fleet.
struct Watcher {
    id: EngineId,
    location: Location,
    reach: Reach,
    session: Arc<SetOnce<Session>>,
    tell: mpsc::Sender<Msg>,
    resync: Arc<Notify>,
}

impl Watcher {
    async fn run(self) {
        let session = self.reach().await;
        let mut live = session.live();
        // Asked in a task of its own: a balancer that does not answer holds up no news of the fleet.
        let (mut asked, mut traffic) = (JoinSet::new(), TrafficSeen::new());
        self.tell_left_open(&session);
        loop {
            let state = live.borrow_and_update().clone();
            let balanced = is_balanced(&state);
            if asked.is_empty() && (balanced || !traffic.is_empty()) {
                ask_traffic(&mut asked, &session, &state, Duration::ZERO);
            }
            // A new list that is still being read is no news.
            if !matches!(state, FleetState::Loading) && self.say(News::Fleet(state)).await.is_err() {
                return;
            }
            loop {
                tokio::select! {
                    changed = live.changed() => if changed.is_err() { live = session.live() },
                    () = self.resync.notified() => {
                        live = session.live();
                        self.tell_left_open(&session);
                    }
                    Some(now) = asked.join_next() => {
                        let now = now.unwrap_or_default();
                        if now != traffic {
                            traffic = now;
                            let _ = self.say(News::Traffic(traffic.clone())).await;
                        }
                        if balanced {
                            ask_traffic(&mut asked, &session, &live.borrow(), TRAFFIC);
                        }
                        continue;
                    }
                }
                break;
            }
        }
    }

    /// Looks what was left half-done, beside everything else.
    fn tell_left_open(&self, session: &Session) {
        tokio::spawn(tell_left_open(self.id, session.clone(), self.tell.clone()));
    }

    async fn say(&self, news: News) -> Result<(), mpsc::error::SendError<Msg>> {
        self.tell.send(Msg::Engine(self.id, news)).await
    }

    /// Tries until an engine answers, saying each time why not and when next.
    async fn reach(&self) -> Session {
        let since = clock::wall();
        let mut pause = RETRY.0;
        loop {
            if let Some(session) = self.session.get() {
                return session.clone();
            }
            // What the list alone shows is there at once; inspecting a hundred containers takes ten times as long. A fleet that is
            // shown already stays until the new one is whole.
            let glance = async |fleet| drop(self.say(News::Fleet(FleetState::live(fleet))).await);
            match Session::connect_at_a_glance(&self.location, glance).await {
                Ok(session) => {
                    let info = session.info();
                    tracing::info!(host = %info.host, version = %info.version, api = %info.api_version, "connected");
                    let session = session.with_sandbox_image(self.reach.sandbox_image.clone());
                    let session = session.with_records(self.reach.records.clone());
                    let session = session.with_trust(self.reach.trust_commands);
                    // A watcher before this one may have been as far: both lead to the same engine.
                    let _ = self.session.set(session.clone());
                    return session;
                }
                Err(error) => {
                    tracing::warn!("{error}");
                    let hint = error.hint().map_or_else(String::new, |hint| format!("\n{hint}"));
                    let error = clean_lines(&format!("tried {}\n{error}{hint}", self.location.host));
                    let state = FleetState::Stale { fleet: None, since, error, retry_in: pause };
                    if self.say(News::Fleet(state)).await.is_err() {
                        std::future::pending::<()>().await;
                    }
                }
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.resync.notified() => {}
            }
            pause = (pause * 2).min(RETRY.1);
        }
    }
}

/// Tells what was left half-done on an engine.
pub async fn tell_left_open(id: EngineId, session: Session, tell: mpsc::Sender<Msg>) {
    // A console that has gone needs no answer.
    let _ = tell.send(Msg::Engine(id, News::LeftOpen(session.left_open().await))).await;
}

/// An app of this fleet has a load balancer.
fn is_balanced(state: &FleetState) -> bool {
    matches!(state, FleetState::Live(fleet) if fleet.apps.iter().any(|app| !balancer::of_app(app).is_empty()))
}

/// Asks the balancers of this fleet after a while.
fn ask_traffic(asked: &mut JoinSet<TrafficSeen>, session: &Session, state: &FleetState, after: Duration) {
    let FleetState::Live(fleet) = state else { return };
    let (session, fleet) = (session.clone(), fleet.clone());
    asked.spawn(async move {
        tokio::time::sleep(after).await;
        session.traffic(&fleet).await
    });
}
