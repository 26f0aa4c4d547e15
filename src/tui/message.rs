//! What reaches the console, and what it asks to be done.

use super::engine::{Engine, EngineId};
use super::instance::Seen;
use super::logs::Wanted;
use super::rows::Loads;
use super::theme::Role;
use crate::config::kept::Kept;
use crate::domain::balancer::TrafficSeen;
use crate::domain::control::Order;
use crate::domain::event::{OpEvent, Urgency};
use crate::domain::fleet::FleetState;
use crate::domain::ids::{ContainerId, OpId};
use crate::domain::plan::Plan;
use crate::domain::project::ProjectSpec;
use crate::domain::record::{Record, Summary};
use crate::engine::line::Said;
use crate::engine::{Listed, LogLine, Request};
use crossterm::event::KeyEvent;
use jiff::Timestamp;
use std::time::Duration;

/// Something happened.
#[derive(Debug)]
pub enum Msg {
    Key(KeyEvent),
    /// Pasted text: typed into a line, never taken as keys.
    Paste(String),
    Resize(u16, u16),
    /// Somebody outside asks for what the key of that name does.
    Suspend,
    /// The answer to [`Command::Suspend`]: nobody could continue us.
    NoShell,
    /// What time it is, before anything else of the same moment.
    Clock {
        wall: Timestamp,
        now: Duration,
    },
    /// What is new of that engine.
    Engine(EngineId, News),
    /// The answer to [`Command::History`], and to [`Command::HistoryIfChanged`] where it has: all records, or why there is no list.
    History(Result<Vec<Listed>, String>),
    /// The answer to [`Command::Record`]: what was read, and whether a console is writing it.
    Record {
        op: OpId,
        record: Result<Box<(Record, bool)>, String>,
    },
    /// The answer to [`Command::Read`] with that ticket.
    Said {
        ticket: u64,
        said: Result<Said, String>,
    },
    /// The answer to [`Command::Lines`].
    Lines(Vec<String>),
    /// The answer to [`Command::Contexts`].
    Contexts(Vec<String>),
    /// The answer to [`Command::Tell`]: what came of it, or why nothing did.
    Told(Result<String, String>),
    /// Something to read.
    Reading {
        title: String,
        lines: Vec<(String, Role)>,
    },
    /// The answer to [`Command::Engines`]: those that are shown from now on, or why not.
    Switched(Result<Vec<Engine>, String>),
    /// The answer to [`Command::Plan`] with that ticket.
    Planned {
        ticket: u64,
        answer: Result<Plan, Refusal>,
    },
    /// An operation was started from here, on that engine.
    Began(EngineId, OpId),
    /// That one was not.
    NotBegun(Refusal),
    Op(OpEvent),
    /// What can be chosen in a directory: Compose files, and directories, which end in a slash. The error is a sentence.
    Files(Result<Vec<String>, String>),
    /// The answer to [`Command::Load`].
    Loaded(Result<Box<ProjectSpec>, String>),
    /// Lines of a log asked for with that ticket.
    LogLines {
        ticket: u64,
        source: usize,
        lines: Vec<LogLine>,
    },
    /// It has ended: why, if not of itself.
    LogEnded {
        ticket: u64,
        source: usize,
        why: Option<String>,
    },
    /// Nobody has read logs for a while: the console was stopped.
    LogsCut,
    /// The answer to [`Command::Inspect`] with that ticket.
    Inspected {
        ticket: u64,
        seen: Box<Seen>,
    },
    /// A shell in that instance has ended: how.
    ShellEnded {
        name: String,
        how: Result<Option<i64>, String>,
    },
    /// Choices could not be kept: why.
    NotKept(String),
    /// The answer to [`Command::Save`]: the file, or why not.
    Saved(Result<String, String>),
}

/// What an engine has to say.
#[derive(Debug)]
pub enum News {
    Fleet(FleetState),
    /// What the load balancers show of the instances.
    Traffic(TrafficSeen),
    /// What the containers take that are looked at.
    Loads(Loads),
    /// Operations that were left half-done, the oldest first.
    LeftOpen(Vec<Summary>),
}

/// No, why, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub message: String,
    pub hint: Option<String>,
}

/// To be done outside; answers come back as [`Msg`]s.
#[derive(Debug)]
pub enum Command {
    Quit,
    /// Tell of this beyond the screen, as the settings say.
    Ring(String),
    /// Clear and draw everything.
    Redraw,
    Suspend,
    /// Give the terminal to a shell in that container.
    Shell {
        engine: EngineId,
        container: ContainerId,
        name: String,
    },
    /// List all engines' containers again.
    Resync,
    Plan {
        ticket: u64,
        engine: EngineId,
        request: Box<Request>,
    },
    /// Run a plan that was made there for that request.
    Run {
        engine: EngineId,
        plan: Box<Plan>,
        request: Box<Request>,
    },
    /// Read all records.
    History,
    /// Read all records if there are others than these, or one of those that were being written is no more.
    HistoryIfChanged(Vec<(OpId, Option<bool>)>),
    /// Read that operation's record.
    Record(OpId),
    /// Look for Compose files in that directory; empty: the current one.
    Files {
        directory: String,
    },
    /// Read a line that was typed.
    Read {
        ticket: u64,
        line: String,
    },
    /// What was typed in earlier runs.
    Lines,
    /// Keep a line for later runs.
    KeepLine(String),
    /// Say that to an operation that runs in another console; `None`: to the only one.
    Tell {
        op: Option<String>,
        order: Order,
    },
    /// Is all well with that engine?
    Doctor(EngineId),
    /// Which Docker contexts there are.
    Contexts,
    /// Show the engines of these Docker contexts, and no others.
    Engines(Vec<String>),
    /// Read a Compose file.
    Load {
        path: String,
    },
    Pause(OpId),
    Go(OpId),
    Cancel(OpId, Urgency),
    /// Ask the engine for all it says of these: app container and sandbox, as far as they are there.
    Inspect {
        ticket: u64,
        engine: EngineId,
        app: Option<ContainerId>,
        sandbox: Option<ContainerId>,
    },
    /// Follow the log of one container.
    Log {
        ticket: u64,
        wanted: Wanted,
    },
    EndLogs,
    /// Write a new file; one that is there already stays as it is.
    Save {
        path: String,
        text: String,
    },
    /// Keep these choices for the next time.
    Keep(Kept),
    /// Ask the terminal to take this into its clipboard.
    Copy(String),
}
