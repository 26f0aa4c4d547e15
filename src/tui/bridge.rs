//! Between the console and the engine: commands become calls, answers and streams become messages.
//!
//! The only file of the console that calls a session or reads Compose files. Nothing here waits for the screen longer
//! than its inbox is deep, and no call is made on the console's own task.

use super::creating;
use super::instance::Seen;
use super::logs::Wanted;
use super::looks::Looks;
use super::message::{Command, Msg, Refusal};
use super::shelf;
use crate::config::compose::{self, LoadOptions};
use crate::config::file;
use crate::config::kept::Kept;
use crate::domain::balancer::{self, TrafficSeen};
use crate::domain::clean::clean_lines;
use crate::domain::event::Urgency;
use crate::domain::fleet::FleetState;
use crate::domain::ids::{ContainerId, ImageRef, OpId};
use crate::domain::project::ProjectSpec;
use crate::engine::line::Read;
use crate::engine::{Control, Error, Location, LogOptions, Operation, Operator, Records, Session, Shell, clock};
use futures_util::StreamExt;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, SetOnce, mpsc};
use tokio::task::{JoinHandle, JoinSet};

/// Messages held for a screen that is slow.
const INBOX: usize = 1024;
/// Between attempts to reach an engine: first, and at most.
const RETRY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10));
/// The first list may be on screen so long before there is a session that can do something.
const SOON: Duration = Duration::from_secs(2);
/// Between looks at load balancers.
const TRAFFIC: Duration = Duration::from_secs(1);
/// Messages with lines of logs held for a screen that is slow; then their streams wait.
const LINES: usize = 8;

/// Gives leave to change what a session shows.
pub type Operate = fn(&Session) -> Operator;

/// Which engine, and what a session on it is opened with.
#[derive(Clone)]
pub struct Reach {
    pub location: Location,
    pub sandbox_image: Option<ImageRef>,
    pub records: Option<Records>,
    /// Commands that labels name, for a load balancer, may be run here.
    pub trust_commands: bool,
    /// Where choices are kept.
    pub kept: Option<PathBuf>,
}

/// What comes from the bridge.
pub struct Inboxes {
    pub inbox: mpsc::Receiver<Msg>,
    /// Lines of logs, which may be many: they must not hold up anything else.
    pub lines: mpsc::Receiver<Msg>,
}

/// The console's hands.
pub struct Bridge {
    reach: Reach,
    session: Arc<SetOnce<Session>>,
    /// How leave to change things is had; `None` in read-only mode.
    operate: Option<Operate>,
    /// App files by name and text, instead of those in this directory.
    files: Vec<(String, String)>,
    /// Reads lines that are typed.
    read: Read,
    tell: mpsc::Sender<Msg>,
    resync: Arc<Notify>,
    watch: Option<JoinHandle<()>>,
    /// One for each container whose log is followed.
    logs: JoinSet<()>,
    looks: Looks,
    tell_lines: mpsc::Sender<Msg>,
    controls: Controls,
}

/// Of the operations begun here.
type Controls = Arc<Mutex<BTreeMap<OpId, Control>>>;

impl Bridge {
    /// Begins to reach the engine and to watch its fleet; what it hears comes out of the receiver.
    pub fn start(reach: Reach, operate: Option<Operate>, files: Vec<(String, String)>, read: Read) -> (Self, Inboxes) {
        let (tell, inbox) = mpsc::channel(INBOX);
        let (tell_lines, lines) = mpsc::channel(LINES);
        let mut bridge = Self {
            reach,
            session: Arc::default(),
            operate,
            files,
            read,
            tell,
            resync: Arc::default(),
            watch: None,
            logs: JoinSet::new(),
            looks: Looks::default(),
            tell_lines,
            controls: Controls::default(),
        };
        bridge.watch();
        (bridge, Inboxes { inbox, lines })
    }

    /// Watches the fleet (again).
    pub fn watch(&mut self) {
        let watcher = Watcher {
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
        self.logs.shutdown().await;
        self.looks = Looks::default();
    }

    /// Does what can be done outside the terminal; what is known at once comes back at once.
    pub fn perform(&mut self, command: Command) -> Vec<Msg> {
        match command {
            Command::Plan { ticket, request } => {
                let (session, tell) = (self.session.clone(), self.tell.clone());
                tokio::spawn(async move {
                    let answer = match soon(&session).await {
                        Some(session) => session.plan(&request).await.map_err(|error| refusal(&error)),
                        None => Err(Refusal { message: "no engine is connected".to_owned(), hint: None }),
                    };
                    let _ = tell.send(Msg::Planned { ticket, answer }).await;
                });
            }
            Command::Run(plan, request) => {
                let (Some(session), Some(operate)) = (self.session.get(), self.operate) else {
                    let message = "nothing may be changed from here".to_owned();
                    return vec![Msg::NotBegun(Refusal { message, hint: None })];
                };
                let (operator, session) = (operate(session), session.clone());
                let (tell, controls) = (self.tell.clone(), self.controls.clone());
                tokio::spawn(async move {
                    let Operation { id, mut events, control } = match operator.begin(&request, *plan).await {
                        Ok(operation) => operation,
                        Err(error) => return drop(tell.send(Msg::NotBegun(refusal(&error))).await),
                    };
                    tracing::info!(operation = %id, "operation started");
                    lock(&controls).insert(id.clone(), control);
                    if tell.send(Msg::Began(id)).await.is_err() {
                        return;
                    }
                    while let Some(event) = events.recv().await {
                        if tell.send(Msg::Op(event)).await.is_err() {
                            return;
                        }
                    }
                    // What it left, or has put right.
                    let _ = tell.send(Msg::LeftOpen(session.left_open().await)).await;
                });
            }
            Command::Pause(id) => self.control(&id, Control::pause),
            Command::Go(id) => self.control(&id, Control::go),
            Command::Cancel(id, urgency) => self.control(&id, |control| control.cancel(urgency)),
            Command::Files { directory } if self.files.is_empty() => return vec![Msg::Files(files(&directory))],
            Command::Files { .. } => {
                return vec![Msg::Files(Ok(self.files.iter().map(|(name, _)| name.clone()).collect()))];
            }
            Command::Load { path } => {
                let tell = self.tell.clone();
                let text = self.files.iter().find(|(name, _)| *name == path).map(|(_, text)| text.clone());
                tokio::task::spawn_blocking(move || {
                    let project = load(&path, text.as_deref()).map(Box::new);
                    // A console that has gone needs no answer.
                    let _ = tell.blocking_send(Msg::Loaded(project));
                });
            }
            Command::Read { ticket, line } => shelf::read_line(self.read.clone(), ticket, line, self.tell.clone()),
            Command::Lines => shelf::lines(self.reach.records.clone(), self.tell.clone()),
            Command::KeepLine(line) => shelf::keep(self.reach.records.clone(), line),
            Command::Tell { op, order } => shelf::tell(self.reach.records.clone(), op, order, self.tell.clone()),
            Command::Doctor => shelf::doctor(self.session.get().cloned(), self.tell.clone()),
            Command::Contexts => shelf::contexts(self.tell.clone()),
            Command::Context(name) => return vec![Msg::Switched(self.switch(name))],
            Command::History => shelf::list(self.reach.records.clone(), self.tell.clone()),
            Command::HistoryIfChanged(known) => shelf::list_again(self.reach.records.clone(), known, self.tell.clone()),
            Command::Record(op) => shelf::read(self.reach.records.clone(), op, self.tell.clone()),
            Command::Resync => self.resync.notify_one(),
            Command::Inspect { ticket, app, sandbox } => self.inspect(ticket, app, sandbox),
            Command::Log { ticket, wanted } => self.follow(ticket, wanted),
            Command::EndLogs => self.logs.abort_all(),
            Command::Keep(kept) => self.keep(kept),
            Command::Save { path, text } => self.save(path, text),
            Command::Quit
            | Command::Ring(_)
            | Command::Redraw
            | Command::Suspend
            | Command::Shell { .. }
            | Command::Copy(_) => {}
        }
        Vec::new()
    }

    /// Goes to the engine of that Docker context; what the engine before said is for nobody any more.
    fn switch(&mut self, name: String) -> Result<String, String> {
        let location = Location::resolve(None, Some(&name)).map_err(|error| clean_lines(&error.to_string()))?;
        if let Some(task) = self.watch.take() {
            task.abort();
        }
        self.logs.abort_all();
        (self.looks, self.session, self.reach.location) = (Looks::default(), Arc::default(), location);
        self.watch();
        Ok(name)
    }

    /// Opens a shell in a container, in a terminal of that size. The error is a sentence.
    pub async fn shell(&self, container: &ContainerId, size: (u16, u16)) -> Result<Shell, String> {
        let (Some(session), Some(operate)) = (soon(&self.session).await, self.operate) else {
            return Err("nothing may be changed from here".to_owned());
        };
        operate(&session)
            .shell(container, size)
            .await
            .map_err(|error| clean_lines(&error.to_string()).replace('\n', " "))
    }

    /// Looks what these containers take, and at no others.
    pub fn look_at(&mut self, containers: Vec<ContainerId>) {
        if let Some(session) = self.session.get() {
            self.looks.at(session, containers, &self.tell);
        }
    }

    /// Asks every operation to end.
    pub fn cancel_all(&self, urgency: Urgency) {
        lock(&self.controls).values().for_each(|control| control.cancel(urgency));
    }

    /// Asks an operation to end.
    pub fn cancel(&self, id: &OpId, urgency: Urgency) {
        self.control(id, |control| control.cancel(urgency));
    }

    fn control(&self, id: &OpId, act: impl FnOnce(&Control)) {
        if let Some(control) = lock(&self.controls).get(id) {
            act(control);
        }
    }

    fn inspect(&self, ticket: u64, app: Option<ContainerId>, sandbox: Option<ContainerId>) {
        let (session, tell) = (self.session.clone(), self.tell.clone());
        tokio::spawn(async move {
            let Some(session) = soon(&session).await else { return };
            let ask = async |id: Option<ContainerId>| {
                let answer = session.inspection(&id?).await;
                Some(answer.map_err(|error| clean_lines(&error.to_string()).replace('\n', " ")))
            };
            let (app, sandbox) = futures_util::future::join(ask(app), ask(sandbox)).await;
            // A console that has gone needs no answer.
            let _ = tell.send(Msg::Inspected { ticket, seen: Box::new(Seen { app, sandbox }) }).await;
        });
    }

    fn follow(&mut self, ticket: u64, wanted: Wanted) {
        let (session, tell) = (self.session.clone(), self.tell_lines.clone());
        while self.logs.try_join_next().is_some() {}
        self.logs.spawn(async move {
            let Some(session) = soon(&session).await else { return };
            let Wanted { source, container, tail, since } = wanted;
            let options = LogOptions { follow: true, tail, since, timestamps: true };
            let why = match session.log_of(&container, options).await {
                Err(error) => Some(error.to_string()),
                Ok(mut lines) => loop {
                    match lines.next().await {
                        None => break None,
                        Some(Err(error)) => break Some(error.to_string()),
                        Some(Ok(lines)) => {
                            // A console that has gone needs no more.
                            if tell.send(Msg::LogLines { ticket, source, lines }).await.is_err() {
                                return;
                            }
                        }
                    }
                },
            };
            let why = why.map(|why| clean_lines(&why).replace('\n', " "));
            let _ = tell.send(Msg::LogEnded { ticket, source, why }).await;
        });
    }

    /// Keeps choices, where there is a place for that.
    fn keep(&self, kept: Kept) {
        let (tell, Some(path)) = (self.tell.clone(), self.reach.kept.clone()) else { return };
        tokio::task::spawn_blocking(move || {
            if let Err(why) = kept.write(&path) {
                // A console that has gone needs no answer.
                let _ = tell.blocking_send(Msg::NotKept(format!("{} {why}", path.display())));
            }
        });
    }

    /// Writes a file beside which there is none of that name; the answer is a message.
    fn save(&self, path: String, text: String) {
        let tell = self.tell.clone();
        tokio::task::spawn_blocking(move || {
            let answer = file::create(Path::new(&path), &text).map(|()| path.clone());
            let answer = answer.map_err(|error| format!("{path} {error}"));
            // A console that has gone needs no answer.
            let _ = tell.blocking_send(Msg::Saved(answer));
        });
    }
}

/// Reaches the engine, then tells of its fleet.
struct Watcher {
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
            if !matches!(state, FleetState::Loading) && self.tell.send(Msg::Fleet(state)).await.is_err() {
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
                            let _ = self.tell.send(Msg::Traffic(traffic.clone())).await;
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
        let (session, tell) = (session.clone(), self.tell.clone());
        tokio::spawn(async move {
            // A console that has gone needs no answer.
            let _ = tell.send(Msg::LeftOpen(session.left_open().await)).await;
        });
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
            let glance = async |fleet| drop(self.tell.send(Msg::Fleet(FleetState::live(fleet))).await);
            match Session::connect_at_a_glance(&self.reach.location, glance).await {
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
                    let error = clean_lines(&format!("tried {}\n{error}{hint}", self.reach.location.host));
                    let state = FleetState::Stale { fleet: None, since, error, retry_in: pause };
                    if self.tell.send(Msg::Fleet(state)).await.is_err() {
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

/// The session, as soon as there is one.
async fn soon(session: &SetOnce<Session>) -> Option<Session> {
    tokio::time::timeout(SOON, session.wait()).await.ok().cloned()
}

fn lock(controls: &Controls) -> MutexGuard<'_, BTreeMap<OpId, Control>> {
    controls.lock().unwrap_or_else(PoisonError::into_inner)
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

fn refusal(error: &Error) -> Refusal {
    Refusal { message: clean_lines(&error.to_string()), hint: error.hint().map(|hint| clean_lines(&hint)) }
}

/// What of a directory is offered. A name that can't be shown as it is can't be chosen.
fn files(directory: &str) -> Result<Vec<String>, String> {
    let path = if directory.is_empty() { "." } else { directory };
    let entries = std::fs::read_dir(path).map_err(|error| format!("{path} cannot be read: {error}"))?;
    let entry = |entry: std::fs::DirEntry| {
        let name = entry.file_name().into_string().ok().filter(|name| crate::domain::clean::clean(name) == *name)?;
        let is_directory = entry.path().is_dir();
        Some((name, is_directory))
    };
    Ok(creating::offered(directory, entries.flatten().filter_map(entry).collect()))
}

/// `text`: what is in it, if it is no file.
fn load(path: &str, text: Option<&str>) -> Result<ProjectSpec, String> {
    let env =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let options = LoadOptions { env: env.collect(), ..LoadOptions::default() };
    let project = match text {
        Some(text) => compose::load_text(path, text, &options),
        None => compose::load(&[PathBuf::from(path)], &options),
    };
    project.map_err(|errors| errors.to_string())
}
