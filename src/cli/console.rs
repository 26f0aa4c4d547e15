//! What the console is started with, and how its end is told: the part of it that is argv, settings and exit codes.
//!
//! The console itself is another front end, which this one does not know; `main` brings the two together.

use super::args::{Cli, Verb};
use super::demo::Demo;
use super::error::CliError;
use super::{exit, history, locate, resolve, sandbox_image, settled};
use crate::config::file::{self, Unreadable};
use crate::config::paths;
use crate::config::settings::{Color, OnHangup, Settings};
use crate::domain::ids::ImageRef;
use crate::domain::options::Options;
use crate::engine::{Location, Records};
use std::io::IsTerminal;
use std::path::{Component, Path, PathBuf};

/// What the console needs to know.
#[derive(Clone, Debug)]
pub struct Start {
    /// The engines to show: at least one.
    pub locations: Vec<Location>,
    pub sandbox_image: Option<ImageRef>,
    pub theme: Option<String>,
    /// The text of the user's own file for that theme.
    pub theme_text: Option<String>,
    /// The user's own themes, by name and text.
    pub themes: Vec<(String, String)>,
    /// `None`: as the terminal says.
    pub color: Option<bool>,
    /// The user's keymap: the file's name and text.
    pub keymap: Option<(String, String)>,
    pub read_only: bool,
    pub trust_commands: bool,
    pub on_hangup: OnHangup,
    /// How operations are done, where nothing else is said.
    pub options: Options,
    /// Where records of operations are kept.
    pub records: Option<Records>,
    /// Where the console's choices are kept; `None`: nowhere.
    pub kept: Option<PathBuf>,
    /// What counts where a line that is typed says nothing.
    pub settings: Settings,
    /// The engine is simulated.
    pub demo: Option<Demo>,
}

/// How the console ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    Asked,
    Signal(i32),
    /// The terminal is gone.
    HungUp,
    /// A fault of pitstop itself, and what it said.
    Fault(String),
}

/// Whether this command line asks for the console, and there is a terminal for it.
pub fn is_meant(cli: &Cli) -> bool {
    let console = match &cli.verb {
        None => true,
        Some(Verb::Demo(args)) => !(args.docker || args.down || args.serve),
        Some(_) => false,
    };
    console && std::io::stdin().is_terminal() && std::io::stdout().is_terminal()
}

/// Settles what the console needs.
pub(super) fn start(cli: &Cli) -> Result<Start, CliError> {
    let settings = settled::settings(&cli.global)?;
    let directory = paths::config_dir().ok();
    let own = |name: &str| match &directory {
        Some(directory) => read(&directory.join(name)),
        None => Ok(None),
    };
    let theme_text = match &settings.theme {
        // A theme is a name, never a way to another directory.
        Some(theme) if Path::new(theme).components().eq([Component::Normal(theme.as_ref())]) => {
            own(&format!("themes/{theme}.toml"))?
        }
        _ => None,
    };
    let demo = match &cli.verb {
        Some(Verb::Demo(args)) => Some(Demo::of(args)),
        _ => None,
    };
    Ok(Start {
        // Where the demo's engine listens is known when it does; no other is looked for.
        locations: if demo.is_some() { vec![Location::at("unix:///nowhere")] } else { engines(cli, &settings)? },
        sandbox_image: sandbox_image(&settings)?,
        theme: settings.theme.clone(),
        theme_text,
        themes: super::themes::own().unwrap_or_default(),
        color: match settings.color.unwrap_or_default() {
            Color::Auto => None,
            Color::Always => Some(true),
            Color::Never => Some(false),
        },
        keymap: own("keymap.toml")?.map(|text| ("keymap.toml".to_owned(), text)),
        read_only: settings.read_only.unwrap_or(false),
        trust_commands: settings.trust_commands.unwrap_or(false),
        on_hangup: settings.on_hangup.unwrap_or_default(),
        options: settings.defaults.clone().options(false, None),
        // A demo leaves nothing behind.
        kept: if demo.is_some() { None } else { paths::state_dir().ok().map(|state| state.join("console.toml")) },
        records: if demo.is_some() { None } else { history::records() },
        demo,
        settings,
    })
}

/// The engines that are meant, each once: one, or those of several contexts.
fn engines(cli: &Cli, settings: &Settings) -> Result<Vec<Location>, CliError> {
    let contexts = &cli.global.context;
    if contexts.len() < 2 {
        return Ok(vec![locate(settings)?]);
    }
    let mut found: Vec<Location> = Vec::new();
    for context in contexts {
        let location = resolve(None, Some(context))?;
        if !found.contains(&location) {
            found.push(location);
        }
    }
    Ok(found)
}

/// The file's text; `None` where there is none.
fn read(path: &Path) -> Result<Option<String>, CliError> {
    match file::read(path) {
        Ok(text) => Ok(Some(text)),
        Err(Unreadable::Missing) => Ok(None),
        Err(error) => Err(CliError::usage(format!("{}: {error}", path.display()))),
    }
}

/// The exit code of a console that ended like this.
pub(super) fn code(end: &End) -> u8 {
    /// The number of SIGINT on every Unix.
    const SIGINT: i32 = 2;
    match *end {
        End::Asked => exit::DONE,
        End::Signal(SIGINT) => exit::INTERRUPTED,
        End::Signal(_) | End::HungUp => exit::TERMINATED,
        End::Fault(_) => exit::FAULT,
    }
}
