//! The loop: keys, signals, the engine and time in; frames and commands out.
//!
//! Whatever has come is taken in before a frame is drawn, and a frame is drawn only when something has come. Keys come
//! first; frames that no key asked for are at least [`FRAME`] apart.

use super::bridge::{Bridge, Inboxes, Operate, Reach};
use super::keymap::Keymap;
use super::keys::Keys;
use super::look::{self, Wanted};
use super::message::{Command, Msg};
use super::model::Model;
use super::raw::Raw;
use super::replay::Replay;
use super::terminal::{self, Screen};
use super::tour::{Next, Script, Tour};
use super::update::update;
use super::{columns, fault, own_log, view};
use crate::config;
use crate::config::kept::Kept;
use crate::config::settings::{Notify, OnHangup};
use crate::domain::event::Urgency;
use crate::domain::fleet::FleetState;
use crate::domain::ids::{ContainerId, ImageRef};
use crate::domain::options::Options;
use crate::engine::line::Grammar;
use crate::engine::{Location, Operator, Records, Shell, clock};
use crossterm::event::{Event, KeyCode};
use futures_util::StreamExt;
use std::io;
use std::path::PathBuf;
use std::task::Poll;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Between frames that no key asked for.
const FRAME: Duration = Duration::from_millis(40);
/// Between frames that only lines of logs ask for: a flood of them is not read faster than this.
const LINES: Duration = Duration::from_millis(120);
/// Messages taken in before keys are looked at again.
const AT_ONCE: usize = 256;
/// Between ticks while bars grow, while the engine is lost, and otherwise.
const TICKS: [Duration; 3] = [Duration::from_millis(100), Duration::from_secs(1), Duration::from_secs(10)];

/// An operation that took so long is a long one.
const LONG: Duration = Duration::from_secs(10);
/// Between looks at who has the terminal while it is somebody else's.
const BACKGROUND: Duration = Duration::from_millis(250);

/// What the console is started with.
#[derive(Clone, Debug)]
pub struct Settings {
    pub location: Location,
    pub sandbox_image: Option<ImageRef>,
    pub look: Wanted,
    /// The user's own themes, by name and text.
    pub themes: Vec<(String, String)>,
    /// The user's keymap: the file's name and text.
    pub keymap: Option<(String, String)>,
    pub read_only: bool,
    /// Commands that labels name, for a load balancer, may be run here.
    pub trust_commands: bool,
    pub on_hangup: OnHangup,
    /// How operations are done, where nothing else is said.
    pub options: Options,
    /// Where records of operations are kept.
    pub records: Option<Records>,
    /// Where choices are kept; `None`: nowhere.
    pub kept: Option<PathBuf>,
    /// What tells of the end of a long operation.
    pub notify: config::settings::Console,
    /// What may be typed behind `:`.
    pub grammar: Grammar,
    /// What the engine is simulated for.
    pub demo: Option<Demo>,
}

/// What is different on a simulated engine.
#[derive(Clone, Debug)]
pub struct Demo {
    /// App files by name, instead of those in this directory.
    pub files: Vec<(String, String)>,
    /// Nobody sits here: a script does.
    pub tour: Option<Script>,
}

/// How the console ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    pub why: Why,
    /// What the fault said, if that was why.
    pub fault: Option<String>,
    /// What operations did, for the normal screen; a line each.
    pub summary: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    Asked,
    /// By that signal.
    Signal(i32),
    /// The terminal is gone.
    HungUp,
    /// A fault of pitstop itself.
    Fault,
}

/// Why the console did not start: sentences.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct StartError(pub Vec<String>);

/// Runs the console until it is left. On the runtime's main thread.
pub async fn run(settings: Settings) -> Result<Ended, StartError> {
    let env = |name: &str| std::env::var(name).ok();
    terminal::present(env("TERM").as_deref()).map_err(|error| StartError(vec![error]))?;
    own_log::install(env("PITSTOP_LOG").as_deref()).map_err(|error| StartError(vec![error]))?;
    let (files, tour) =
        settings.demo.as_ref().map_or((Vec::new(), None), |demo| (demo.files.clone(), demo.tour.as_ref()));
    let operate = (!settings.read_only).then_some(Operator::of as Operate);
    let reach = Reach {
        location: settings.location,
        sandbox_image: settings.sandbox_image,
        records: settings.records,
        trust_commands: settings.trust_commands,
        kept: settings.kept.clone(),
    };
    // The engine answers while everything else is made ready.
    let (bridge, Inboxes { inbox, lines }) = Bridge::start(reach, operate, files, settings.grammar.read.clone());
    let look = look::of(&settings.look, env).map_err(StartError)?;
    let keys = match &settings.keymap {
        Some((name, text)) => Keymap::parse(name, text).map_err(StartError)?,
        None => Keymap::default(),
    };
    let io = |error: io::Error| StartError(vec![format!("cannot take the terminal over: {error}")]);
    let signals = Signals::new().map_err(io)?;
    let size = crossterm::terminal::size().map_err(io)?;
    let mut model = Model::new(look, keys, size);
    model.colourless = !look::is_coloured(&settings.look, env);
    model.themes = settings.themes;
    model.zone = jiff::tz::TimeZone::system();
    model.read_only = settings.read_only;
    model.options = settings.options.clone();
    if let Some(path) = &settings.kept {
        columns::restore(&mut model.list.shown, &Kept::read(path));
    }
    model.simulated = settings.demo.is_some();
    let tour = tour.map(Tour::of).transpose().map_err(|error| StartError(vec![error]))?;

    fault::install();
    let screen = Screen::take().map_err(io)?;
    let config::settings::Console { notify, notify_after } = settings.notify;
    model.ring_after = (notify != Notify::Off).then_some(notify_after.unwrap_or(LONG));
    model.grammar = settings.grammar;
    let mut console = Console {
        model,
        screen,
        bridge,
        inbox,
        lines,
        began: clock::instant(),
        signals,
        keys: Keys::listen(),
        why: None,
        tour,
        on_hangup: settings.on_hangup,
        notify,
        queue: Vec::new(),
    };
    let why = fault::caught(console.run()).await.unwrap_or(Why::Fault);
    Ok(console.end(why).await)
}

struct Console {
    model: Model,
    screen: Screen,
    bridge: Bridge,
    inbox: mpsc::Receiver<Msg>,
    /// Lines of logs.
    lines: mpsc::Receiver<Msg>,
    began: Instant,
    signals: Signals,
    keys: Keys,
    why: Option<Why>,
    tour: Option<Tour>,
    on_hangup: OnHangup,
    notify: Notify,
    /// Commands for the terminal, done between frames.
    queue: Vec<Command>,
}

impl Console {
    async fn run(&mut self) -> Why {
        // How long after the last frame the next one is due, if one is.
        let (mut drawn, mut dirty, mut ticked) = (self.began, Some(FRAME), self.began);
        let soon = |dirty: &mut Option<Duration>, pause| *dirty = Some(dirty.map_or(pause, |other| other.min(pause)));
        self.clock();
        loop {
            let due = self.play();
            if let Some(why) = self.why {
                return why;
            }
            let now = clock::instant();
            if dirty.is_some_and(|pause| now >= drawn + pause) {
                if self.frame().is_err() {
                    return Why::HungUp;
                }
                (drawn, dirty) = (clock::instant(), None);
                #[cfg(debug_assertions)]
                if matches!(self.model.state, FleetState::Live(_)) {
                    fault::rehearse();
                }
            }
            let wake = dirty.map_or_else(|| ticked + self.tick(), |pause| drawn + pause);
            let wake = due.map_or(wake, |due| wake.min(self.began + due));
            tokio::select! {
                biased;
                () = fault::happened() => return Why::Fault,
                event = self.keys.next() => {
                    self.clock();
                    let mut next = event;
                    if next.is_none() {
                        return Why::HungUp;
                    }
                    while let Some(event) = next {
                        self.input(event);
                        next = self.keys.at_once();
                    }
                    // A key is answered at once.
                    dirty = Some(FRAME);
                    drawn = clock::instant().checked_sub(FRAME).unwrap_or(drawn);
                }
                number = self.signals.next() => {
                    self.clock();
                    if let Some(why) = self.signal(number) {
                        return why;
                    }
                    soon(&mut dirty, FRAME);
                }
                msg = self.inbox.recv() => {
                    self.clock();
                    let Some(msg) = msg else { return Why::Asked };
                    let waiting = self.model.fleet().is_none();
                    self.take(msg);
                    for _ in 0..AT_ONCE {
                        let Ok(msg) = self.inbox.try_recv() else { break };
                        self.take(msg);
                    }
                    // The first list is what somebody sits there for.
                    let first = waiting && self.model.fleet().is_some();
                    soon(&mut dirty, if first { Duration::ZERO } else { FRAME });
                }
                Some(msg) = self.lines.recv() => {
                    self.clock();
                    self.take(msg);
                    soon(&mut dirty, LINES);
                }
                () = tokio::time::sleep_until(wake) => {
                    self.clock();
                    ticked = clock::instant();
                    soon(&mut dirty, FRAME);
                }
            }
            for command in std::mem::take(&mut self.queue) {
                match command {
                    Command::Redraw if self.screen.clear().is_err() => return Why::HungUp,
                    Command::Copy(text) if Screen::copy(&text).is_err() => return Why::HungUp,
                    Command::Suspend => {
                        if let Some(why) = self.suspend().await {
                            return why;
                        }
                    }
                    Command::Shell { container, name } => {
                        if let Some(why) = self.shell(&container, name).await {
                            return why;
                        }
                    }
                    _ => {}
                }
                soon(&mut dirty, FRAME);
            }
            if let Some(why) = self.why {
                return why;
            }
        }
    }

    fn tick(&self) -> Duration {
        let [fast, slow, idle] = TICKS;
        match self.model.state {
            _ if self.model.replay.as_ref().is_some_and(Replay::is_playing) => FRAME,
            _ if self.model.running() > 0 => fast,
            FleetState::Stale { .. } => slow,
            _ => idle,
        }
    }

    fn frame(&mut self) -> io::Result<()> {
        let model = &self.model;
        self.screen.draw(|frame| view::draw(model, frame))?;
        self.bridge.look_at(view::watched(&self.model));
        Ok(())
    }

    fn clock(&mut self) {
        let now = clock::instant().saturating_duration_since(self.began);
        self.take(Msg::Clock { wall: clock::wall(), now });
    }

    /// Plays the tour as far as it goes now; when it goes on, on the console's clock, if time alone decides.
    fn play(&mut self) -> Option<Duration> {
        loop {
            match self.tour.as_mut()?.next(&self.model) {
                Next::Press(key) => self.take(Msg::Key(key)),
                Next::Say(text) => self.model.caption = Some(text),
                Next::Wait(due) => return Some(due),
                Next::Idle => return None,
                Next::End => {
                    self.why = Some(Why::Asked);
                    return None;
                }
            }
        }
    }

    /// A key, a paste or a new size.
    fn input(&mut self, event: Event) {
        match event {
            // A tour is watched; all that a person can do is leave it.
            Event::Key(key) if self.tour.is_some() => {
                if matches!(key.code, KeyCode::Char('q' | 'c') | KeyCode::Esc) {
                    self.why = Some(Why::Asked);
                }
            }
            Event::Paste(_) if self.tour.is_some() => {}
            Event::Key(key) => self.take(Msg::Key(key)),
            Event::Paste(text) => self.take(Msg::Paste(text)),
            Event::Resize(columns, rows) => self.take(Msg::Resize(columns, rows)),
            _ => {}
        }
    }

    /// A signal; why the console ends, if it does.
    fn signal(&mut self, number: i32) -> Option<Why> {
        match number {
            SIGWINCH => self.measure(),
            SIGTSTP => self.take(Msg::Suspend),
            // Somebody stopped us without asking: whoever had the terminal meanwhile may have changed it.
            SIGCONT if terminal::is_foreground() => return self.screen.enter().err().map(|_| Why::HungUp),
            SIGCONT => {}
            number => return Some(Why::Signal(number)),
        }
        None
    }

    fn measure(&mut self) {
        if let Ok((columns, rows)) = crossterm::terminal::size() {
            self.take(Msg::Resize(columns, rows));
        }
    }

    /// Gives the terminal back, stops until somebody continues us in the foreground, and takes the terminal again; why the
    /// console ends, if it does.
    async fn suspend(&mut self) -> Option<Why> {
        if !terminal::can_stop() {
            self.take(Msg::NoShell);
            return None;
        }
        self.bridge.let_go().await;
        terminal::restore();
        let mut stopped = terminal::stop();
        // Continued in the background, the console waits there; the shell says when it may have the terminal.
        while stopped.is_ok() && !terminal::is_foreground() {
            tokio::select! {
                number = self.signals.next() => match number {
                    SIGCONT | SIGWINCH => {}
                    SIGTSTP => stopped = terminal::stop(),
                    number => return Some(Why::Signal(number)),
                },
                () = fault::happened() => return Some(Why::Fault),
                () = tokio::time::sleep(BACKGROUND) => {}
            }
        }
        self.bridge.watch();
        self.take(Msg::LogsCut);
        if stopped.and_then(|()| self.screen.enter()).is_err() {
            return Some(Why::HungUp);
        }
        self.measure();
        None
    }

    /// Lends the terminal to a shell in a container and takes it back; why the console ends, if it does.
    ///
    /// Nothing reads the engine's events meanwhile, and what operations tell is still taken in.
    async fn shell(&mut self, container: &ContainerId, name: String) -> Option<Why> {
        let size = crossterm::terminal::size().unwrap_or(self.model.size);
        let shell = match self.bridge.shell(container, size).await {
            Ok(shell) => shell,
            Err(why) => {
                self.take(Msg::ShellEnded { name, how: Err(why) });
                return None;
            }
        };
        self.bridge.let_go().await;
        self.keys.lend();
        terminal::restore();
        let (why, how) = self.in_shell(shell, &name).await;
        self.keys.take();
        if why.is_some() {
            return why;
        }
        self.bridge.watch();
        self.take(Msg::LogsCut);
        self.take(Msg::ShellEnded { name, how });
        if self.screen.enter().is_err() {
            return Some(Why::HungUp);
        }
        self.measure();
        None
    }

    async fn in_shell(&mut self, shell: Shell, name: &str) -> (Option<Why>, Result<Option<i64>, String>) {
        /// ctrl-], as telnet has it: for a shell that does not answer any more.
        const LEAVE: u8 = 0x1d;
        let Shell { mut output, mut input, size } = shell;
        let mut raw = match Raw::begin() {
            Ok(raw) => raw,
            Err(error) => return (None, Err(format!("the terminal can't be lent: {error}"))),
        };
        let greeting = format!("a shell in {name}; exit, or ctrl-], comes back to pitstop\r\n");
        if Raw::show(greeting.as_bytes()).is_err() {
            return (Some(Why::HungUp), Ok(None));
        }
        loop {
            tokio::select! {
                chunk = output.next() => match chunk {
                    Some(Ok(bytes)) => {
                        if Raw::show(&bytes).is_err() {
                            return (Some(Why::HungUp), Ok(None));
                        }
                    }
                    Some(Err(error)) => return (None, Err(error.to_string())),
                    None => return (None, Ok(size.code().await)),
                },
                typed = raw.typed.recv() => {
                    let Some(typed) = typed else { return (Some(Why::HungUp), Ok(None)) };
                    if typed.contains(&LEAVE) {
                        return (None, Ok(None));
                    }
                    let sent = async {
                        input.write_all(&typed).await?;
                        input.flush().await
                    };
                    if let Err(error) = sent.await {
                        return (None, Err(format!("the shell in {name} is gone: {error}")));
                    }
                }
                number = self.signals.next() => match number {
                    SIGWINCH => {
                        if let Ok(now) = crossterm::terminal::size() {
                            size.resize(now).await;
                        }
                    }
                    SIGTSTP | SIGCONT => {}
                    number => return (Some(Why::Signal(number)), Ok(None)),
                },
                Some(msg) = self.inbox.recv() => self.take(msg),
                () = fault::happened() => return (Some(Why::Fault), Ok(None)),
            }
        }
    }

    fn take(&mut self, msg: Msg) {
        let mut msgs = vec![msg];
        while let Some(msg) = msgs.pop() {
            for command in update(&mut self.model, msg) {
                match command {
                    Command::Quit => self.why = Some(Why::Asked),
                    Command::Ring(text) => Screen::ring(self.notify, &text),
                    Command::Redraw | Command::Suspend | Command::Shell { .. } | Command::Copy(_) => {
                        self.queue.push(command);
                    }
                    command => msgs.extend(self.bridge.perform(command)),
                }
            }
        }
    }

    /// Gives the terminal back; operations that run are finished or put back first, the more urgently the more often a
    /// signal says so.
    async fn end(mut self, why: Why) -> Ended {
        terminal::restore();
        if why != Why::Asked {
            self.let_end(why).await;
        }
        let fault = if why == Why::Fault { fault::first() } else { None };
        let summary = self.model.operations.iter().flat_map(super::operation::OpView::epitaph).collect();
        Ended { why, fault, summary }
    }
}

impl Console {
    /// Waits until nothing runs any more: what is in flight is finished, then put back, then left as it is, the more
    /// urgently the more often a signal says so. That the terminal is gone is said once, however often it is said.
    async fn let_end(&mut self, why: Why) {
        let gone = matches!(why, Why::HungUp | Why::Signal(SIGHUP));
        let mut urgency = [Urgency::Finish, Urgency::Abort, Urgency::Leave].into_iter();
        let goes_on = gone && self.on_hangup == OnHangup::Finish;
        let mut asked = None;
        if !goes_on {
            asked = urgency.next();
            if let Some(urgency) = asked {
                self.bridge.cancel_all(urgency);
            }
        }
        while self.model.running() > 0 {
            // Nobody is left to say go.
            if goes_on {
                let waits = self.model.operations.iter().filter(|op| op.is_running() && op.waiting().is_some());
                waits.for_each(|op| self.bridge.cancel(&op.id, Urgency::Finish));
            }
            tokio::select! {
                biased;
                number = self.signals.next() => if matches!(number, SIGINT | SIGTERM) {
                    match urgency.next() {
                        Some(urgency) => {
                            asked = Some(urgency);
                            self.bridge.cancel_all(urgency);
                        }
                        None => return,
                    }
                },
                msg = self.inbox.recv() => match msg {
                    Some(Msg::Began(id)) => {
                        if let Some(urgency) = asked {
                            self.bridge.cancel(&id, urgency);
                        }
                        drop(update(&mut self.model, Msg::Began(id)));
                    }
                    Some(msg @ (Msg::Op(_) | Msg::NotBegun(_))) => drop(update(&mut self.model, msg)),
                    Some(_) => {}
                    None => return,
                },
            }
        }
    }
}

const SIGHUP: i32 = 1;
const SIGINT: i32 = 2;
const SIGTERM: i32 = 15;
const SIGCONT: i32 = 18;
const SIGTSTP: i32 = 20;
const SIGWINCH: i32 = 28;

/// Signals as numbers.
struct Signals(Vec<(i32, Signal)>);

impl Signals {
    fn new() -> io::Result<Self> {
        let kinds = [
            SignalKind::terminate(),
            SignalKind::hangup(),
            SignalKind::interrupt(),
            SignalKind::window_change(),
            SignalKind::from_raw(SIGTSTP),
            SignalKind::from_raw(SIGCONT),
        ];
        let take = |kind: SignalKind| signal(kind).map(|signal| (kind.as_raw_value(), signal));
        kinds.into_iter().map(take).collect::<io::Result<_>>().map(Self)
    }

    async fn next(&mut self) -> i32 {
        std::future::poll_fn(|context| {
            for (number, signal) in &mut self.0 {
                if signal.poll_recv(context).is_ready() {
                    return Poll::Ready(*number);
                }
            }
            Poll::Pending
        })
        .await
    }
}
