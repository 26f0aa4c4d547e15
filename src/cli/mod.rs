//! The command line: arguments into requests, events into lines, endings into exit codes.
//!
//! Runs the same engine as the console and decides nothing of an operation. Only [`output`] prints, and nothing here ends
//! the process: [`run`] returns the exit code.
//!
//! ```text
//! args      what clap reads                settled   flag, variable, settings file: one value each
//! operate   the verbs that change          files     which Compose files are meant
//! follow    a running operation            signals   Ctrl-C, SIGTERM, SIGHUP as values
//! resume    which operation to go on with
//! history   show, replay: records              telling   an operation's lines, live or played again
//! ps logs doctor docs demo bench themes    one verb each                  console   how the other front end starts and ends
//! preview   a plan in lines                human     events in lines      summary  the end in lines
//! line      what is typed into the console's own line, read by the same grammar
//! output    the only printing              style, table, names            how lines look
//! exit      the codes                      error     message, causes, hint      fault  a panic in words
//! ```

pub mod args;
mod bench;
pub mod console;
pub mod demo;
mod docs;
mod doctor;
pub mod error;
pub mod exit;
mod export;
mod fault;
mod files;
mod follow;
mod history;
mod human;
mod keys;
pub mod line;
mod log;
mod logs;
mod names;
mod operate;
mod order;
mod output;
mod preview;
mod ps;
mod resume;
mod settled;
mod signals;
mod style;
mod summary;
mod table;
mod telling;
mod themes;

use crate::config::settings::{Color, Settings};
use crate::domain::control::Order;
use crate::domain::ids::ImageRef;
use crate::engine::{Error, ErrorKind, Location, Session, clock, unrecorded};
use args::{Bare, Cli, PsArgs, ShowArgs, Verb};
use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory, FromArgMatches};
use error::CliError;
pub use export::Palettes;
pub use fault::guarded;
pub use keys::keys;
use output::Output;
use std::ffi::OsString;
use style::Glyphs;
pub use themes::themes;

/// What to do where the console can't be opened.
const WITHOUT_CONSOLE: &str = "`pitstop ps` lists what runs; every action of the console has a verb: `pitstop --help`";

/// Reads the command line. The error is the exit code: what was wrong, or the help asked for, is printed already.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Cli, u8> {
    read(args).map_err(|error| {
        // Nobody may be reading; the exit code says the same.
        let _ = error.print();
        u8::try_from(error.exit_code()).unwrap_or(exit::USAGE)
    })
}

fn read(args: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
    let (mut cli, matches) = matched(&args.into_iter().collect::<Vec<_>>())?;
    // As with the docker CLI: one names the engine, and the command line wins over a variable.
    if cli.global.host.is_some() && !cli.global.context.is_empty() {
        let by_flag = |id: &str| matches.value_source(id) == Some(ValueSource::CommandLine);
        match (by_flag("host"), by_flag("context")) {
            (true, false) => cli.global.context.clear(),
            (false, true) => cli.global.host = None,
            _ => {
                let message = "--host and --context both name an engine: use one of them\n";
                return Err(Cli::command().error(clap::error::ErrorKind::ArgumentConflict, message));
            }
        }
    }
    if cli.verb.is_some() && cli.global.context.len() > 1 {
        let message = "several contexts are for the console; a verb works on one engine: give --context once\n";
        return Err(Cli::command().error(clap::error::ErrorKind::ArgumentConflict, message));
    }
    Ok(cli)
}

/// The command line, and where its values come from. The verbs are built only where there is more than options: a console
/// that is open all day would keep what that takes. Nor is anything said before: the whole grammar has the words for it.
fn matched(args: &[OsString]) -> Result<(Cli, ArgMatches), clap::Error> {
    let bare = Bare::command().try_get_matches_from(args);
    if let Ok((bare, matches)) = bare.and_then(|matches| Ok((Bare::from_arg_matches(&matches)?, matches))) {
        return Ok((Cli { global: bare.global, verb: None }, matches));
    }
    let matches = Cli::command().try_get_matches_from(args)?;
    Ok((Cli::from_arg_matches(&matches)?, matches))
}

/// Carries out the verb; returns the exit code. Without a verb there is only help: the console is another front end.
/// `palette` gives the colours of a theme, for pictures.
pub async fn run(cli: Cli, palette: Palettes) -> u8 {
    let glyphs = Glyphs::of_locale(|name| std::env::var(name).ok());
    let settings = settled::settings(&cli.global);
    let color = settings.as_ref().ok().and_then(|settings| settings.color).unwrap_or_default();
    let mut out = Output::new(color, glyphs);
    let done = match settings {
        Ok(settings) => Box::pin(dispatch(&mut out, &settings, &cli, palette)).await,
        Err(error) => Err(error),
    };
    done.unwrap_or_else(|error| {
        out.error(&error);
        error.code
    })
}

async fn dispatch(out: &mut Output, settings: &Settings, cli: &Cli, palette: Palettes) -> Result<u8, CliError> {
    log::begin()?;
    match &cli.verb {
        None => {
            out.alarm(&Cli::command().render_help().to_string());
            let message = "the console needs a terminal on standard input and output";
            Err(CliError::usage(message).hint(WITHOUT_CONSOLE))
        }
        Some(Verb::Ps(args)) => list(out, settings, args).await,
        Some(Verb::Logs(args)) => logs::logs(out, settings, args).await,
        Some(Verb::History(args)) => history::history(out, args),
        Some(Verb::Show(ShowArgs { op, export: Some(file), .. })) => export::export(out, settings, palette, op, file),
        Some(Verb::Show(args)) => history::show(out, args),
        Some(Verb::Replay(args)) => history::replay(out, args).await,
        Some(Verb::Go(args)) => order::order(out, settings, "go", args, Order::Go).await,
        Some(Verb::Continue(args)) => order::order(out, settings, "continue", args, Order::Go).await,
        Some(Verb::Pause(args)) => order::order(out, settings, "pause", args, Order::Pause).await,
        Some(Verb::Doctor) => doctor::doctor(out, settings).await,
        Some(Verb::Demo(args)) => Box::pin(demo::demo(out, settings, args)).await,
        Some(Verb::Bench(args)) => Box::pin(bench::bench(out, settings, args)).await,
        Some(Verb::Completions { shell }) => {
            out.text(&docs::completions(*shell));
            Ok(exit::DONE)
        }
        Some(Verb::Man { dir: None }) => {
            out.text(&docs::man()?);
            Ok(exit::DONE)
        }
        Some(Verb::Man { dir: Some(dir) }) => {
            out.lines(docs::man_pages(dir)?);
            Ok(exit::DONE)
        }
        Some(verb) => match verb.operation() {
            Some(args) => Box::pin(operate::operate(out, settings, verb, args)).await,
            None => Ok(exit::DONE),
        },
    }
}

async fn list(out: &mut Output, settings: &Settings, args: &PsArgs) -> Result<u8, CliError> {
    let session = connect(settings).await?;
    let (fleet, left) = tokio::join!(session.fleet(), session.left_open());
    let fleet = ps::select(fleet?, &args.apps).map_err(CliError::usage)?;
    let seen = unrecorded(&fleet, &left);
    let left = ps::concerned(left, &fleet, &args.apps);
    let traffic = session.traffic(&fleet).await;
    if args.json {
        out.result(&ps::object(&fleet, &traffic, &left, &seen).to_string());
        return Ok(exit::DONE);
    }
    let table = ps::table(&fleet, &traffic, clock::wall(), out.glyphs);
    out.lines(table);
    if fleet.apps.is_empty() {
        out.note("no containers on this engine; `pitstop create -f compose.yaml` makes the first app");
    }
    history::unfinished(out, &left);
    for one in &seen {
        out.note(&format!(
            "{}; `pitstop resume {}` goes on, `pitstop abort {}` takes it back",
            one.sentence(),
            one.app,
            one.app
        ));
    }
    Ok(exit::DONE)
}

/// The engine that is meant, connected.
async fn connect(settings: &Settings) -> Result<Session, CliError> {
    let (location, image) = (locate(settings)?, sandbox_image(settings)?);
    let session = Session::connect(&location).await?.with_sandbox_image(image).with_records(history::records());
    Ok(session.with_trust(settings.trust_commands.unwrap_or(false)))
}

fn locate(settings: &Settings) -> Result<Location, CliError> {
    resolve(settings.host.as_deref(), settings.context.as_deref())
}

fn resolve(host: Option<&str>, context: Option<&str>) -> Result<Location, CliError> {
    Location::resolve(host, context).map_err(|error| {
        let error = Error::from(error);
        let unreachable = error.kind() == ErrorKind::Unreachable;
        let error = CliError::from(error);
        // A context that does not exist or a URL that is none is a slip of the pen, not an engine that is down.
        if unreachable { error } else { CliError { code: exit::USAGE, ..error } }
    })
}

fn sandbox_image(settings: &Settings) -> Result<Option<ImageRef>, CliError> {
    let image = settings.sandbox_image.as_ref().map(ImageRef::new).transpose();
    image.map_err(|error| CliError::usage(format!("sandbox image: {error}")))
}

/// The arguments of `keys`, if that is the verb.
pub fn keys_meant(cli: &Cli) -> Option<&args::KeysArgs> {
    match &cli.verb {
        Some(Verb::Keys(args)) => Some(args),
        _ => None,
    }
}

/// The arguments of `themes`, if that is the verb.
pub fn themes_meant(cli: &Cli) -> Option<&args::ThemesArgs> {
    match &cli.verb {
        Some(Verb::Themes(args)) => Some(args),
        _ => None,
    }
}

/// What the console needs; the error is the exit code, and what was wrong is said already.
pub fn console_start(cli: &Cli) -> Result<console::Start, u8> {
    console::start(cli).map_err(|error| {
        plain_output().error(&error);
        error.code
    })
}

/// The engine that the console shows when it is none; `None`: a real one. On the runtime. The error is the exit code.
pub fn simulated(start: &mut console::Start) -> Result<Option<demo::simulated::Simulated>, u8> {
    if start.demo.is_none() {
        return Ok(None);
    }
    match demo::simulated::Simulated::serve() {
        Ok(simulated) => {
            start.locations = vec![Location::at(simulated.host())];
            start.records = Some(simulated.records());
            Ok(Some(simulated))
        }
        Err(error) => {
            plain_output().error(&error);
            Err(error.code)
        }
    }
}

/// How the console ended, and what it has to say of that; the error: sentences why it did not start.
pub type Ended = Result<(console::End, Vec<String>), Vec<String>>;

/// Tells how the console ended, on the normal screen.
pub fn console_ended(ended: Ended) {
    let mut out = plain_output();
    match ended {
        Ok((end, summary)) => {
            // Nobody is left to read it.
            if end != console::End::HungUp {
                out.lines(summary);
            }
            if let console::End::Fault(said) = &end {
                out.error(&fault::error(said));
            }
        }
        Err(why) => out.error(&CliError::usage(why.join("\n")).hint(WITHOUT_CONSOLE)),
    }
}

/// The exit code of a console that ended like that.
pub fn console_code(ended: &Ended) -> u8 {
    ended.as_ref().map_or(exit::USAGE, |(end, _)| console::code(end))
}

fn plain_output() -> Output {
    Output::new(Color::Auto, Glyphs::of_locale(|name| std::env::var(name).ok()))
}

/// Says that the process can't even begin; returns the exit code.
pub fn no_runtime(error: &std::io::Error) -> u8 {
    plain_output().error(&CliError::failed("cannot start").because(error));
    exit::FAILED
}

#[cfg(test)]
mod tests;
