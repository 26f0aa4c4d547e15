//! The loop: keys, signals, the engine and time in; frames and commands out.
//!
//! Whatever has come is taken in before a frame is drawn, and a frame is drawn only when something has come. Keys come
//! first; frames that no key asked for are at least [`FRAME`] apart.
//!
//! ```text
//! lent     the terminal while somebody else has it     ending   the end of the console
//! ```

mod ending;
mod lent;

use super::bridge::{Bridge, Inboxes, Operate};
use super::engine::{Engine, Engines};
use super::keymap::Keymap;
use super::keys::Keys;
use super::link::Reach;
use super::look::{self, Wanted};
use super::message::{Command, Msg};
use super::model::{Dialog, Model};
use super::replay::Replay;
use super::signals::{SIGCONT, SIGTSTP, SIGWINCH, Signals};
use super::terminal::{self, Screen};
use super::tour::{Next, Script, Tour};
use super::update::update;
use super::{columns, fault, outlet, own_log, view};
use crate::config;
use crate::config::kept::Kept;
use crate::config::settings::{Notify, OnHangup};
use crate::domain::ids::ImageRef;
use crate::domain::options::Options;
use crate::engine::line::Grammar;
use crate::engine::{Location, Operator, Records, clock};
use crossterm::event::{Event, KeyCode};
use std::io;
use std::path::PathBuf;
use std::time::Duration;
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

/// What the console is started with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The engines that are shown: at least one.
    pub locations: Vec<Location>,
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
    /// What tells of the end of a long operation, and what is production.
    pub console: config::settings::Console,
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
        sandbox_image: settings.sandbox_image,
        records: settings.records,
        trust_commands: settings.trust_commands,
        kept: settings.kept.clone(),
    };
    // The engine answers while everything else is made ready.
    let (bridge, Inboxes { inbox, lines }, engines) =
        Bridge::start(settings.locations, reach, operate, files, settings.grammar.read.clone());
    let look = look::of(&settings.look, env).map_err(StartError)?;
    let keys = settings.keymap.as_ref().map(|(name, text)| Keymap::parse(name, text)).transpose();
    let (keys, wrong) = keys.map_or_else(|wrong| (None, wrong), |keys| (keys, Vec::new()));
    let io = |error: io::Error| StartError(vec![format!("cannot take the terminal over: {error}")]);
    let signals = Signals::new().map_err(io)?;
    // Heard beside the console's own thread, which may be waiting for the terminal.
    let mut of_the_end = Signals::of_the_end().map_err(io)?;
    tokio::spawn(async move {
        of_the_end.next().await;
        outlet::hurry();
    });
    let size = crossterm::terminal::size().map_err(io)?;
    let mut model = Model::new(look, keys.unwrap_or_default(), size);
    if !wrong.is_empty() {
        // Somebody in a hurry gets a console all the same.
        model.dialog = Some(Dialog::Refused {
            title: "Your keys are not used".to_owned(),
            message: wrong.join("\n"),
            hint: Some("until that is right, the built-in keys are; `pitstop keys check` says the same".to_owned()),
        });
    }
    model.engines = Engines::of(engines).unwrap_or_default();
    model.colourless = !look::is_coloured(&settings.look, env);
    model.themes = settings.themes;
    model.zone = clock::zone();
    model.read_only = settings.read_only;
    model.options = settings.options.clone();
    if let Some(path) = &settings.kept {
        columns::restore(&mut model.list.shown, &Kept::read(path));
    }
    model.simulated = settings.demo.is_some();
    let tour = tour.map(Tour::of).transpose().map_err(|error| StartError(vec![error]))?;

    fault::install();
    let screen = Screen::take().map_err(io)?;
    let config::settings::Console { notify, notify_after, production } = settings.console;
    model.production = production;
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
                    return self.not_heard().await;
                }
                (drawn, dirty) = (clock::instant(), None);
                #[cfg(debug_assertions)]
                if self.model.here().is_live() {
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
                    let known = |model: &Model| model.engines.iter().filter(|engine| engine.fleet().is_some()).count();
                    let before = known(&self.model);
                    self.take(msg);
                    for _ in 0..AT_ONCE {
                        let Ok(msg) = self.inbox.try_recv() else { break };
                        self.take(msg);
                    }
                    // The first list is what somebody sits there for.
                    let first = known(&self.model) > before;
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
                    Command::Copy(text) if Screen::copy(&text).is_err() => return self.not_heard().await,
                    Command::Suspend => {
                        if let Some(why) = self.suspend().await {
                            return why;
                        }
                    }
                    Command::Shell { engine, container, name } => {
                        if let Some(why) = self.shell(engine, &container, name).await {
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

    /// Why the terminal took nothing: it is gone, or a signal came while it was waited for.
    async fn not_heard(&mut self) -> Why {
        if !outlet::is_hurried() {
            return Why::HungUp;
        }
        Why::Signal(self.signals.end().await)
    }

    fn tick(&self) -> Duration {
        let [fast, slow, idle] = TICKS;
        match () {
            () if self.model.replay.as_ref().is_some_and(Replay::is_playing) => FRAME,
            () if self.model.running() > 0 || self.model.replay.as_ref().is_some_and(Replay::follows) => fast,
            () if self.model.replay.as_ref().is_some_and(|replay| replay.summary.running) => slow,
            () if self.model.engines.iter().any(Engine::is_stale) => slow,
            // Other consoles may begin or end something there.
            () if self.model.screen == super::model::Screen::History => slow,
            () => idle,
        }
    }

    fn frame(&mut self) -> io::Result<()> {
        let model = &self.model;
        self.screen.draw(|frame| view::draw(model, frame))?;
        self.bridge.look_at(&view::watched(&self.model));
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
}
