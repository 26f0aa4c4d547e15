//! Everything the console shows, as one value.
//!
//! Changed by `update` alone and read by `view` alone. Holds no handles of the engine: what is to be done leaves
//! `update` as [`Command`](super::message::Command)s.

use super::columns::Columns;
use super::copy;
use super::creating::Services;
use super::engine::{Engine, EngineId, Engines};
use super::glyphs::Glyphs;
use super::history::History;
use super::input::Line;
use super::instance::InstancePage;
use super::keymap::{Keymap, Place};
use super::logs::LogView;
use super::message::Refusal;
use super::operation::OpView;
use super::own_log::OwnLog;
use super::prompt::Prompt;
use super::replay::Replay;
use super::rows::{self, AppKey, Row, RowId, Shown};
use super::theme::{BUILT_IN, Role, Theme};
use super::typing::Typing;
use crate::domain::fleet::{App, Fleet, Instance};
use crate::domain::ids::OpId;
use crate::domain::options::Options;
use crate::domain::plan::{Kind, Plan};
use crate::domain::record::Summary;
use crate::engine::Request;
use crate::engine::line::Grammar;
use jiff::Timestamp;
use ratatui::style::Style;
use std::collections::BTreeSet;
use std::time::Duration;

/// From this width on, apps and instances stand side by side.
pub const WIDE: u16 = 110;

/// The look of this terminal.
#[derive(Clone, Debug)]
pub struct Look {
    pub theme: Theme,
    pub glyphs: &'static Glyphs,
}

/// The console.
#[derive(Debug)]
pub struct Model {
    pub look: Look,
    /// The user's own themes, by name and text.
    pub themes: Vec<(String, String)>,
    /// `NO_COLOR`, or what it stands for.
    pub colourless: bool,
    pub keys: Keymap,
    /// Columns and rows of the terminal.
    pub size: (u16, u16),
    /// The wall clock, for people.
    pub wall: Timestamp,
    /// The zone people read it in.
    pub zone: jiff::tz::TimeZone,
    /// Since the console began, from the monotonic clock.
    pub now: Duration,
    pub engines: Engines,
    pub screen: Screen,
    pub list: List,
    /// Operations of this console, oldest first.
    pub operations: Vec<OpView>,
    /// Operations asked for that have not answered yet: they wait for their lock.
    pub beginning: usize,
    /// Of those, asked for together: none of them takes the screen.
    pub together: usize,
    pub dialog: Option<Dialog>,
    /// The line that is typed at the bottom of the screen.
    pub typing: Option<Typing>,
    /// One line for the person, until the next key.
    pub notice: Option<Notice>,
    /// First line shown of the page that is open.
    pub scroll: usize,
    pub own_log: OwnLog,
    pub logs: Option<LogView>,
    /// The history, until it is left.
    pub history: Option<History>,
    /// The record that is looked at.
    pub replay: Option<Replay>,
    /// Of the instance's page, while it is open.
    pub page: Option<InstancePage>,
    /// Something to read: a title, and lines.
    pub reading: Option<(String, Vec<(String, Role)>)>,
    /// An operation that took so long rings at its end; `None`: none does.
    pub ring_after: Option<Duration>,
    /// The row of the list of notices that the cursor is on.
    pub notice_row: usize,
    /// The line that is typed.
    pub prompt: Option<Prompt>,
    /// Lines typed before, the oldest first; `None`: not read yet.
    pub lines: Option<Vec<String>>,
    /// What may be typed.
    pub grammar: Grammar,
    /// Distinguishes answers to the plan asked for last from late ones.
    pub ticket: u64,
    /// Quit as soon as no operation runs.
    pub leaving: bool,
    /// Nothing may be changed from here.
    pub read_only: bool,
    /// Contexts or hosts that are production; one may end in `*`.
    pub production: Vec<String>,
    /// How operations asked for here are done, where nothing else is said.
    pub options: Options,
    /// The engine is none.
    pub simulated: bool,
    /// What a tour says at the moment.
    pub caption: Option<String>,
}

/// What fills the screen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Screen {
    Fleet,
    Operation(OpId),
    History,
    /// A record.
    Replay,
    /// Operations of this console that have ended.
    Notices,
    /// Something to read.
    Reading,
    Instance(AppKey, crate::domain::ids::InstanceName),
    Logs,
    OwnLog,
    Help(Place),
}

impl Screen {
    /// A word for it, for files.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Fleet => "fleet",
            Self::Operation(_) | Self::Replay => "operation",
            Self::History => "history",
            Self::Notices => "notices",
            Self::Reading => "text",
            Self::Instance(..) => "instance",
            Self::Logs | Self::OwnLog => "log",
            Self::Help(_) => "keys",
        }
    }
}

/// The fleet screen's state.
#[derive(Clone, Debug, Default)]
pub struct List {
    pub shown: Shown,
    /// The row the cursor is on.
    pub cursor: Option<RowId>,
    /// Its place when it was last seen: where the cursor lands when the row goes.
    pub place: usize,
    pub marks: BTreeSet<RowId>,
    /// Where a range begins.
    pub last_mark: Option<RowId>,
}

/// Something a person should read, once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    pub text: String,
    pub role: Role,
}

/// A question or an answer over the screen.
#[derive(Clone, Debug)]
pub enum Dialog {
    /// One line is asked for.
    Ask(Ask),
    /// The engine is being read.
    Planning { what: String, engine: EngineId, request: Box<Request> },
    /// A plan to say yes or no to.
    Confirm(Box<Confirm>),
    /// One for each of several apps.
    Bulk(Bulk),
    /// No, and why, and what to do.
    Refused { title: String, message: String, hint: Option<String> },
    /// A gate was reached: what was seen so far, and shall it go on?
    Gate(OpId),
    /// Abort an operation?
    Abort(OpId),
    /// Quit while operations run?
    Quit,
    /// Which services of a Compose file.
    Services(Box<Services>),
    /// Which columns the fleet has: what the list says is seen at once.
    Columns(Columns),
    /// Which of the things under the cursor to copy.
    Copy(Vec<copy::Item>),
    /// Which theme: the one the cursor is on is seen at once.
    Themes(Themes),
}

/// The themes to choose from.
#[derive(Clone, Debug)]
pub struct Themes {
    pub chosen: usize,
    /// The one before.
    pub before: Theme,
    /// What is wrong with the one under the cursor.
    pub wrong: Option<String>,
}

/// A line to type.
#[derive(Clone, Debug)]
pub struct Ask {
    pub question: Question,
    pub line: Line,
    /// What is wrong with what was entered.
    pub wrong: Option<String>,
    /// Suggestions: Compose files found.
    pub choices: Vec<String>,
    pub chosen: usize,
}

/// What the line is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    Image {
        app: AppKey,
    },
    Replicas {
        app: AppKey,
        now: usize,
    },
    /// An image for several apps, or `:tag` for the tag of each one's own.
    Images {
        apps: Vec<AppKey>,
    },
    /// A number of instances for several apps.
    Counts {
        apps: Vec<AppKey>,
    },
    /// Which Compose file, for that engine.
    File(EngineId),
    /// Into which file.
    Export,
    /// Remove the app: empty for "keep its volumes", or its name for "with its volumes".
    Remove {
        apps: Vec<AppKey>,
    },
}

/// Plans for several apps before they run.
#[derive(Clone, Debug)]
pub struct Bulk {
    pub verb: &'static str,
    pub items: Vec<Item>,
    /// The number of instances has to be typed.
    pub typed: Line,
    pub scroll: usize,
    /// As in [`Confirm`].
    pub checking: bool,
    pub changed: bool,
}

/// One of them.
#[derive(Clone, Debug)]
pub struct Item {
    pub engine: EngineId,
    pub request: Box<Request>,
    pub ticket: u64,
    /// `None` until it has come.
    pub answer: Option<Result<Plan, Refusal>>,
    /// What was on screen when it was confirmed.
    pub shown: Option<Result<Plan, Refusal>>,
}

impl Bulk {
    /// Instances that all plans touch.
    pub fn instances(&self) -> usize {
        let plans = self.items.iter().filter_map(|item| item.answer.as_ref().or(item.shown.as_ref())?.as_ref().ok());
        plans.filter(|plan| !plan.is_empty()).flat_map(|plan| &plan.batches).map(|batch| batch.len().max(1)).sum()
    }
}

/// A plan before it runs.
#[derive(Clone, Debug)]
pub struct Confirm {
    pub engine: EngineId,
    pub request: Box<Request>,
    pub plan: Plan,
    /// What has to be typed; `None`: Enter is enough.
    pub typed: Option<(Line, String)>,
    /// Something else was typed.
    pub missed: bool,
    pub scroll: usize,
    /// It was confirmed and is being checked against the engine again.
    pub checking: bool,
    /// The check found something else: the plan shown is the new one.
    pub changed: bool,
}

impl Confirm {
    /// New containers take the place of old ones, so they may boot beside them.
    pub fn is_swap(&self) -> bool {
        matches!(self.plan.kind, Kind::Deploy | Kind::Rollback) && !self.plan.is_empty()
    }

    /// Batch by batch, so batch size, gate and what a failure does can be chosen.
    pub fn is_rollout(&self) -> bool {
        matches!(self.plan.kind, Kind::Deploy | Kind::Rollback | Kind::Restart)
            && self.plan.batch_sizes().sum::<usize>() > 1
    }
}

impl Model {
    /// All themes to choose from: a user's own goes before a built-in one of its name.
    pub fn all_themes(&self) -> Vec<(&str, &str)> {
        let own = self.themes.iter().map(|(name, text)| (name.as_str(), text.as_str()));
        let built_in = BUILT_IN.iter().copied().filter(|(name, _)| !self.themes.iter().any(|(own, _)| own == name));
        built_in.chain(own).collect()
    }
}

impl Look {
    /// How that role looks.
    pub fn style(&self, role: Role) -> Style {
        self.theme.style(role)
    }
}

impl Model {
    /// A console that has heard nothing yet.
    pub fn new(look: Look, keys: Keymap, size: (u16, u16)) -> Self {
        Self {
            look,
            themes: Vec::new(),
            colourless: false,
            keys,
            size,
            wall: Timestamp::UNIX_EPOCH,
            zone: jiff::tz::TimeZone::UTC,
            now: Duration::ZERO,
            engines: Engines::default(),
            screen: Screen::Fleet,
            list: List::default(),
            operations: Vec::new(),
            beginning: 0,
            together: 0,
            dialog: None,
            typing: None,
            notice: None,
            scroll: 0,
            own_log: OwnLog::default(),
            logs: None,
            history: None,
            replay: None,
            page: None,
            reading: None,
            ring_after: None,
            notice_row: 0,
            prompt: None,
            lines: None,
            grammar: Grammar::default(),
            ticket: 0,
            leaving: false,
            read_only: false,
            production: Vec::new(),
            options: Options::default(),
            simulated: false,
            caption: None,
        }
    }

    /// The engine that keys are about: that of the instance or the operation on screen, else that of the row under the cursor.
    pub fn here(&self) -> &Engine {
        let of_row = || Some(self.list.cursor.as_ref()?.engine());
        let id = match &self.screen {
            Screen::Instance(key, _) => Some(key.engine),
            Screen::Operation(_) => self.operation().and_then(|op| op.engine).or_else(of_row),
            Screen::Logs => self.logs.as_ref().and_then(|log| Some(log.targets.first()?.engine())).or_else(of_row),
            _ => of_row(),
        };
        id.and_then(|id| self.engines.get(id)).unwrap_or(self.engines.first())
    }

    /// The last fleet known of the engine here, live or stale.
    pub fn fleet(&self) -> Option<&Fleet> {
        self.here().fleet()
    }

    /// People depend on what runs on that engine: the settings name its context or its host.
    pub fn is_production(&self, engine: EngineId) -> bool {
        self.engines.get(engine).is_some_and(|engine| engine.is_named(&self.production))
    }

    /// ` on ops1`, where more than one engine could be meant.
    pub fn on(&self, engine: EngineId) -> String {
        let named = self.engines.get(engine).filter(|_| self.engines.are_several());
        named.map_or_else(String::new, |engine| format!(" on {}", engine.place()))
    }

    /// Apps and instances side by side.
    pub fn is_wide(&self) -> bool {
        self.size.0 >= WIDE && !self.list.shown.flat
    }

    /// The rows that the cursor moves among: a tree, or one of the two panes.
    pub fn rows(&self) -> Vec<Row<'_>> {
        if self.is_wide()
            && let Some(RowId::Instance(key, _)) = &self.list.cursor
        {
            return self.engines.app(key).map_or_else(Vec::new, |(engine, app)| {
                rows::instances(app, &self.list.shown, &engine.loads)
                    .into_iter()
                    .map(|instance| Row::Instance(engine, app, instance))
                    .collect()
            });
        }
        rows::rows(&self.engines, &self.list.shown, !self.is_wide())
    }

    /// The app the cursor is on or in.
    pub fn app(&self) -> Option<&App> {
        self.engines.app(self.list.cursor.as_ref()?.app()?).map(|(_, app)| app)
    }

    /// The instance the cursor is on; the only one, when it is on an app of one.
    pub fn instance(&self) -> Option<(&App, &Instance)> {
        let app = self.app()?;
        let instance = match self.list.cursor.as_ref()? {
            RowId::Instance(_, name) => app.instances.iter().find(|instance| instance.name == *name)?,
            _ => app.instances.first().filter(|_| app.instances.len() == 1)?,
        };
        Some((app, instance))
    }

    /// What was left half-done on the app the cursor is on, else the oldest on its engine that was.
    pub fn left(&self) -> Option<&Summary> {
        let (here, left) = (self.app().map(|app| app.id.to_string()), &self.here().left_open);
        left.iter().find(|one| here.as_ref() == Some(&one.app)).or(left.first())
    }

    /// Where keys are pressed.
    pub fn place(&self) -> Place {
        match self.screen {
            Screen::Fleet => Place::Fleet,
            Screen::Operation(_) => Place::Operation,
            Screen::Logs => Place::Logs,
            Screen::History => Place::History,
            Screen::Replay => Place::Replay,
            Screen::Notices => Place::Notices,
            Screen::Instance(..) => Place::Instance,
            Screen::Reading | Screen::OwnLog | Screen::Help(_) => Place::Page,
        }
    }

    /// The operation on screen.
    pub fn operation(&self) -> Option<&OpView> {
        match &self.screen {
            Screen::Operation(id) => self.operations.iter().find(|op| op.id == *id),
            Screen::Replay => self.replay.as_ref().map(|replay| &replay.shown),
            _ => None,
        }
    }

    /// Operations under way.
    pub fn running(&self) -> usize {
        self.beginning + self.operations.iter().filter(|op| op.is_running()).count()
    }

    /// Figures of all fleets: apps, instances, ready ones; `None` until one is known.
    pub fn counts(&self) -> Option<(usize, usize, usize)> {
        let mut fleets = self.engines.iter().filter_map(Engine::fleet).peekable();
        fleets.peek()?;
        Some(fleets.flat_map(|fleet| &fleet.apps).fold((0, 0, 0), |(apps, instances, ready), app| {
            (apps + 1, instances + app.instances.len(), ready + app.ready())
        }))
    }
}
