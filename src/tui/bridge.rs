//! Between the console and the engine: commands become calls, answers and streams become messages.
//!
//! The only file of the console that calls a session or reads Compose files. Nothing here waits for the screen longer
//! than its inbox is deep, and no call is made on the console's own task.

use super::creating;
use super::engine::{self, Engine, EngineId};
use super::instance::Seen;
use super::link::{self, Link, Reach};
use super::logs::Wanted;
use super::message::{Command, Msg, Refusal};
use super::shelf;
use crate::config::compose::{self, LoadOptions};
use crate::config::file;
use crate::config::kept::Kept;
use crate::domain::clean::{clean, clean_lines};
use crate::domain::event::Urgency;
use crate::domain::ids::{ContainerId, OpId};
use crate::domain::project::ProjectSpec;
use crate::engine::line::Read;
use crate::engine::{Control, Error, Location, LogOptions, Operation, Operator, Session, Shell};
use futures_util::StreamExt;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// Messages held for a screen that is slow.
const INBOX: usize = 1024;
/// Messages with lines of logs held for a screen that is slow; then their streams wait.
const LINES: usize = 8;

/// Gives leave to change what a session shows.
pub type Operate = fn(&Session) -> Operator;

/// What comes from the bridge.
pub struct Inboxes {
    pub inbox: mpsc::Receiver<Msg>,
    /// Lines of logs, which may be many: they must not hold up anything else.
    pub lines: mpsc::Receiver<Msg>,
}

/// The console's hands.
pub struct Bridge {
    reach: Reach,
    links: Vec<Link>,
    /// For the next engine.
    next: EngineId,
    /// How leave to change things is had; `None` in read-only mode.
    operate: Option<Operate>,
    /// App files by name and text, instead of those in this directory.
    files: Vec<(String, String)>,
    /// Reads lines that are typed.
    read: Read,
    tell: mpsc::Sender<Msg>,
    /// One for each container whose log is followed.
    logs: JoinSet<()>,
    tell_lines: mpsc::Sender<Msg>,
    controls: Controls,
}

/// Of the operations begun here.
type Controls = Arc<Mutex<BTreeMap<OpId, Control>>>;

impl Bridge {
    /// Begins to reach the engines and to watch their fleets; what it hears comes out of the receivers, about the engines that
    /// come back with them.
    pub fn start(
        locations: Vec<Location>,
        reach: Reach,
        operate: Option<Operate>,
        files: Vec<(String, String)>,
        read: Read,
    ) -> (Self, Inboxes, Vec<Engine>) {
        let (tell, inbox) = mpsc::channel(INBOX);
        let (tell_lines, lines) = mpsc::channel(LINES);
        let mut bridge = Self {
            reach,
            links: Vec::new(),
            next: EngineId::default(),
            operate,
            files,
            read,
            tell,
            logs: JoinSet::new(),
            tell_lines,
            controls: Controls::default(),
        };
        let engines = bridge.begin(locations);
        (bridge, Inboxes { inbox, lines }, engines)
    }

    /// Reaches these engines and no others; what is known of them: what they are called.
    fn begin(&mut self, locations: Vec<Location>) -> Vec<Engine> {
        let mut engines = Vec::new();
        self.links.clear();
        for location in locations {
            engines.push(Engine::new(self.next, clean(&engine::called(&location))));
            self.links.push(Link::begin(self.next, location, self.reach.clone(), self.tell.clone()));
            self.next.0 += 1;
        }
        engines
    }

    /// Watches the fleets again.
    pub fn watch(&mut self) {
        self.links.iter_mut().for_each(Link::watch);
    }

    /// Lets go of the engines' streams: a reader that sleeps would slow a whole engine.
    pub async fn let_go(&mut self) {
        for link in &mut self.links {
            link.let_go().await;
        }
        self.logs.shutdown().await;
    }

    fn link(&self, engine: EngineId) -> Option<&Link> {
        self.links.iter().find(|link| link.id == engine)
    }

    /// The session there, as soon as there is one.
    fn soon(&self, engine: EngineId) -> impl Future<Output = Option<Session>> + use<> {
        let soon = self.link(engine).map(Link::soon);
        async move { soon?.await }
    }

    /// Does what can be done outside the terminal; what is known at once comes back at once.
    pub fn perform(&mut self, command: Command) -> Vec<Msg> {
        match command {
            Command::Plan { ticket, engine, request } => {
                let (session, tell) = (self.soon(engine), self.tell.clone());
                tokio::spawn(async move {
                    let answer = match session.await {
                        Some(session) => session.plan(&request).await.map_err(|error| refusal(&error)),
                        None => Err(Refusal { message: "no engine is connected".to_owned(), hint: None }),
                    };
                    let _ = tell.send(Msg::Planned { ticket, answer }).await;
                });
            }
            Command::Run { engine, plan, request } => {
                let (Some(session), Some(operate)) = (self.link(engine).and_then(Link::session), self.operate) else {
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
                    if tell.send(Msg::Began(engine, id)).await.is_err() {
                        return;
                    }
                    while let Some(event) = events.recv().await {
                        if tell.send(Msg::Op(event)).await.is_err() {
                            return;
                        }
                    }
                    // What it left, or has put right.
                    link::tell_left_open(engine, session, tell).await;
                });
            }
            Command::Pause(id) => self.control(&id, Control::pause),
            Command::Go(id) => self.control(&id, Control::go),
            Command::Cancel(id, urgency) => self.control(&id, |control| control.cancel(urgency)),
            Command::Files { directory } if self.files.is_empty() => {
                let tell = self.tell.clone();
                tokio::task::spawn_blocking(move || drop(tell.blocking_send(Msg::Files(files(&directory)))));
            }
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
            Command::Doctor(engine) => {
                shelf::doctor(self.link(engine).and_then(Link::session).cloned(), self.tell.clone());
            }
            Command::Contexts => shelf::contexts(self.tell.clone()),
            Command::Engines(names) => return vec![Msg::Switched(self.switch(&names))],
            Command::History => shelf::list(self.reach.records.clone(), self.tell.clone()),
            Command::HistoryIfChanged(known) => shelf::list_again(self.reach.records.clone(), known, self.tell.clone()),
            Command::Record(op) => shelf::read(self.reach.records.clone(), op, self.tell.clone()),
            Command::Resync => self.links.iter().for_each(Link::resync),
            Command::Inspect { ticket, engine, app, sandbox } => self.inspect(ticket, engine, app, sandbox),
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

    /// Goes to the engines of these Docker contexts; what those before said is for nobody any more. The error is a sentence.
    fn switch(&mut self, names: &[String]) -> Result<Vec<Engine>, String> {
        let locations: Result<Vec<Location>, _> =
            names.iter().map(|name| Location::resolve(None, Some(name))).collect();
        let locations = locations.map_err(|error| clean_lines(&error.to_string()))?;
        self.logs.abort_all();
        Ok(self.begin(locations))
    }

    /// Opens a shell in a container, in a terminal of that size. The error is a sentence.
    pub async fn shell(&self, engine: EngineId, container: &ContainerId, size: (u16, u16)) -> Result<Shell, String> {
        let (Some(session), Some(operate)) = (self.soon(engine).await, self.operate) else {
            return Err("nothing may be changed from here".to_owned());
        };
        operate(&session)
            .shell(container, size)
            .await
            .map_err(|error| clean_lines(&error.to_string()).replace('\n', " "))
    }

    /// Looks what these containers take, and at no others.
    pub fn look_at(&mut self, containers: &[(EngineId, ContainerId)]) {
        for link in &mut self.links {
            let own = containers.iter().filter(|(engine, _)| *engine == link.id);
            link.look_at(own.map(|(_, container)| container.clone()).collect());
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

    fn inspect(&self, ticket: u64, engine: EngineId, app: Option<ContainerId>, sandbox: Option<ContainerId>) {
        let (session, tell) = (self.soon(engine), self.tell.clone());
        tokio::spawn(async move {
            let Some(session) = session.await else { return };
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
        let (session, tell) = (self.soon(wanted.engine), self.tell_lines.clone());
        while self.logs.try_join_next().is_some() {}
        self.logs.spawn(async move {
            let Some(session) = session.await else { return };
            let Wanted { source, container, tail, since, .. } = wanted;
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

fn lock(controls: &Controls) -> MutexGuard<'_, BTreeMap<OpId, Control>> {
    controls.lock().unwrap_or_else(PoisonError::into_inner)
}

fn refusal(error: &Error) -> Refusal {
    Refusal { message: clean_lines(&error.to_string()), hint: error.hint().map(|hint| clean_lines(&hint)) }
}

/// What of a directory is offered. A name that can't be shown as it is can't be chosen.
fn files(directory: &str) -> Result<Vec<String>, String> {
    let path = if directory.is_empty() { "." } else { directory };
    let entries = std::fs::read_dir(path).map_err(|error| format!("{path} cannot be read: {error}"))?;
    let entry = |entry: std::fs::DirEntry| {
        let name = entry.file_name().into_string().ok().filter(|name| clean(name) == *name)?;
        let is_directory = entry.path().is_dir();
        Some((name, is_directory))
    };
    Ok(creating::offered(directory, entries.flatten().filter_map(entry).collect()))
}

/// `text`: what is in it, if it is no file.
fn load(path: &str, text: Option<&str>) -> Result<ProjectSpec, String> {
    let options = LoadOptions::of_process();
    let project = match text {
        Some(text) => compose::load_text(path, text, &options),
        None => compose::load(&[PathBuf::from(path)], &options),
    };
    project.map_err(|errors| errors.to_string())
}
