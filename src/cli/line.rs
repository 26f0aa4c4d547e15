//! The console's own line: the verbs of the command line and a few of its own, read by the same grammar.
//!
//! Only reads, and says what was meant: doing it is the other front end's work. What only a shell has a use for (JSON, files
//! of events, completions) is not understood here, and said so. Must not print, and never reads standard input.

use super::args::{AbortArgs, Cli, Verb};
use super::error::CliError;
use super::{operate, settled};
use crate::config::compose;
use crate::config::settings::Settings;
use crate::domain::clean::clean_lines;
use crate::domain::control::Order;
use crate::domain::event::Urgency;
use crate::engine::line::{self, Choice, Grammar, Said, Value};
use clap::error::ErrorKind;
use clap::{Arg, Command, CommandFactory, FromArgMatches, Parser, Subcommand};
use std::path::Path;
use std::sync::Arc;

/// A line, without the program's name.
#[derive(Debug, Parser)]
#[command(no_binary_name = true, disable_help_subcommand = true, disable_version_flag = true, name = ":")]
struct Line {
    #[command(subcommand)]
    verb: LineVerb,
}

#[derive(Debug, Subcommand)]
enum LineVerb {
    #[command(flatten)]
    Verb(Box<Verb>),
    /// Show only what fits all words: text, !text, label:key=value, state:word, image:text; all without
    Filter {
        #[arg(value_name = "WORD")]
        words: Vec<String>,
    },
    /// Wear a theme until you leave, or choose one
    Theme {
        #[arg(value_name = "THEME")]
        name: Option<String>,
    },
    /// Go to another engine, by its Docker context, or to several side by side
    Context {
        #[arg(value_name = "CONTEXT", required = true)]
        names: Vec<String>,
    },
    /// Pitstop's own log
    Log,
    /// All keys, or what a verb takes
    Help {
        #[arg(value_name = "VERB")]
        verb: Option<String>,
    },
    /// Leave; asks only while operations run
    #[command(visible_alias = "q")]
    Quit,
}

/// Verbs that make no sense inside the console, and what to do instead.
const ELSEWHERE: [(&str, &str); 6] = [
    ("demo", "the demo is a console of its own: `pitstop demo`"),
    ("completions", "completions are for a shell: `pitstop completions SHELL`"),
    ("man", "manual pages are for a shell: `pitstop man`"),
    ("bench", "a benchmark wants the engine for itself: `pitstop bench` in a shell"),
    ("keys", "`help` shows all keys; `pitstop keys check` is for a shell"),
    ("themes", "`theme` chooses one; `pitstop themes check` is for a shell"),
];

/// Options that make no sense there.
const NOT_HERE: [&str; 10] =
    ["json", "quiet", "events", "dry_run", "yes", "boot", "follow", "tail", "timestamps", "export"];

/// The verbs, and who reads them; `settings`: what counts where a line says nothing.
pub fn grammar(settings: Settings) -> Grammar {
    let read = Arc::new(move |text: &str| read(text, &settings).map_err(|error| sentence(&error)));
    Grammar::new(verbs, read)
}

fn verbs() -> Vec<line::Verb> {
    let mut command = command();
    command.build();
    command.get_subcommands().filter(|verb| !verb.is_hide_set()).map(verb).collect()
}

fn command() -> Command {
    let globals: Vec<String> = Cli::command().get_arguments().map(|arg| arg.get_id().to_string()).collect();
    let mut command = Line::command();
    for (name, _) in ELSEWHERE {
        command = command.mut_subcommand(name, |verb| verb.hide(true));
    }
    command.mut_subcommands(|verb| {
        verb.mut_args(|arg| {
            let id = arg.get_id().as_str();
            let hide = NOT_HERE.contains(&id) || globals.iter().any(|global| global == id);
            // An option's default is what the settings say, whatever this process was started with.
            let arg = arg.env(None::<&str>);
            if hide { arg.hide(true) } else { arg }
        })
    })
}

fn verb(command: &Command) -> line::Verb {
    let about = |text: Option<&clap::builder::StyledStr>| text.map(ToString::to_string).unwrap_or_default();
    let value = |arg: &Arg| {
        let name = arg.get_value_names().and_then(|names| names.first()).map(ToString::to_string).unwrap_or_default();
        let words = arg.get_possible_values().iter().map(|word| word.get_name().to_owned()).collect();
        let many = matches!(arg.get_action(), clap::ArgAction::Append)
            || arg.get_num_args().is_some_and(|n| n.max_values() > 1);
        Value { name, about: about(arg.get_help()), words, many }
    };
    let shown = || command.get_arguments().filter(|arg| !arg.is_hide_set() && arg.get_id() != "help");
    let choice = |arg: &Arg| Choice {
        name: arg.get_long().map(|long| format!("--{long}")).unwrap_or_default(),
        about: about(arg.get_help()),
        // What may be left out is written with `=`, or not at all.
        value: arg
            .get_num_args()
            .is_some_and(|n| n.takes_values())
            .then(|| value(arg))
            .filter(|_| !arg.is_require_equals_set()),
    };
    line::Verb {
        name: command.get_name().to_owned(),
        about: about(command.get_about()),
        options: shown().filter(|arg| !arg.is_positional()).map(choice).collect(),
        values: command.get_positionals().filter(|arg| !arg.is_hide_set()).map(value).collect(),
    }
}

/// Reads a line.
fn read(text: &str, settings: &Settings) -> Result<Said, CliError> {
    let words = compose::words(text).map_err(CliError::usage)?;
    let name = words.first().cloned().unwrap_or_default();
    let read = command().try_get_matches_from(&words).and_then(|matches| {
        if let Some((_, of_verb)) = matches.subcommand() {
            refuse(of_verb)?;
        }
        Line::from_arg_matches(&matches)
    });
    match read {
        Ok(line) => meant(line.verb, settings),
        Err(error) if error.kind() == ErrorKind::DisplayHelp => {
            Ok(Said::Text { title: name, text: clean_lines(&error.render().to_string()) })
        }
        Err(error) => Err(CliError::usage(complaint(&error))),
    }
}

/// Refuses what has a use in a shell only.
fn refuse(matches: &clap::ArgMatches) -> Result<(), clap::Error> {
    let given = |id: &&&str| {
        matches.try_contains_id(id).unwrap_or(false)
            && matches.value_source(id) == Some(clap::parser::ValueSource::CommandLine)
    };
    match NOT_HERE.iter().find(given) {
        None => Ok(()),
        Some(id) => {
            let flag = id.replace('_', "-");
            let why = match *id {
                "dry_run" => "every plan is shown before it runs",
                "yes" => "what removes something is asked about",
                "follow" | "tail" | "timestamps" => "the log screen has keys for that",
                "export" => "ctrl-s writes what is on the screen into a file",
                _ => "it is for a shell",
            };
            Err(command().error(ErrorKind::UnknownArgument, format!("--{flag} has no use here: {why}\n")))
        }
    }
}

/// What the verb asks for.
fn meant(verb: LineVerb, settings: &Settings) -> Result<Said, CliError> {
    let verb = match verb {
        LineVerb::Verb(verb) => *verb,
        LineVerb::Filter { words } => return Ok(Said::Filter { text: words.join(" ") }),
        LineVerb::Theme { name } => return Ok(Said::Theme { name }),
        LineVerb::Context { names } => return Ok(Said::Context { names }),
        LineVerb::Log => return Ok(Said::Log),
        LineVerb::Help { verb: None } => return Ok(Said::Keys),
        LineVerb::Help { verb: Some(verb) } => return help(&verb),
        LineVerb::Quit => return Ok(Said::Quit),
    };
    let options = || Box::new(verb.operation().map(|args| settled::options(args, settings)).unwrap_or_default());
    Ok(match &verb {
        Verb::Ps(args) => Said::Fleet { app: args.apps.first().cloned() },
        Verb::Logs(args) => Said::Logs { target: args.target.clone(), since: args.since },
        Verb::History(args) => Said::History { app: args.app.clone() },
        Verb::Show(args) => Said::Record { op: args.op.clone(), speed: None },
        Verb::Replay(args) => Said::Record { op: args.what.clone(), speed: Some(args.speed.unwrap_or(1.0)) },
        Verb::Go(args) | Verb::Continue(args) => Said::Order { op: args.op.clone(), order: Order::Go },
        Verb::Pause(args) => Said::Order { op: args.op.clone(), order: Order::Pause },
        Verb::Doctor => Said::Doctor,
        Verb::Themes(_) => Said::Theme { name: None },
        Verb::Keys(_) => Said::Keys,
        Verb::Abort(AbortArgs { all: true, .. }) => {
            return Err(CliError::usage("one at a time here: `pitstop abort --all` is for a shell"));
        }
        Verb::Abort(AbortArgs { op, leave: true, .. }) => {
            Said::Order { op: op.clone(), order: Order::Cancel { urgency: Urgency::Abort } }
        }
        Verb::Abort(AbortArgs { op, undo_all: true, .. }) => {
            Said::Order { op: op.clone(), order: Order::Cancel { urgency: Urgency::AbortAll } }
        }
        Verb::Abort(args) => Said::TakeBack { op: args.op.clone(), options: options() },
        Verb::Resume(args) => Said::Resume { op: args.op.clone(), options: options() },
        Verb::Retry(args) => Said::Retry { op: args.op.clone(), options: options() },
        Verb::Create(args) if args.file.files.is_empty() => Said::Create,
        Verb::Create(_)
        | Verb::Deploy(_)
        | Verb::Restart(_)
        | Verb::Adopt(_)
        | Verb::Rollback(_)
        | Verb::Scale(_)
        | Verb::Rm(_)
        | Verb::Repair(_) => {
            if files(&verb).iter().any(|file| file == Path::new("-")) {
                return Err(CliError::usage("there is no standard input here: name a file"));
            }
            Said::Ask(Box::new(operate::request(&verb, *options())?))
        }
        Verb::Demo(_) | Verb::Completions { .. } | Verb::Man { .. } | Verb::Bench(_) => {
            let name = match verb {
                Verb::Demo(_) => "demo",
                Verb::Completions { .. } => "completions",
                Verb::Man { .. } => "man",
                _ => "bench",
            };
            let why = ELSEWHERE.iter().find(|(verb, _)| *verb == name).map_or("it is for a shell", |(_, why)| *why);
            return Err(CliError::usage(why));
        }
    })
}

fn files(verb: &Verb) -> &[std::path::PathBuf] {
    match verb {
        Verb::Create(args) => &args.file.files,
        Verb::Deploy(args) => &args.files,
        Verb::Adopt(args) => &args.files,
        _ => &[],
    }
}

/// What a verb takes.
fn help(name: &str) -> Result<Said, CliError> {
    let mut all = command();
    let Some(verb) = all.find_subcommand_mut(name) else {
        return Err(CliError::usage(format!("there is no verb `{name}`")));
    };
    Ok(Said::Text { title: name.to_owned(), text: clean_lines(&verb.render_long_help().to_string()) })
}

/// What clap has to say, in a line or two: what is wrong and what was perhaps meant, without usage.
fn complaint(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let told = lines.take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more information"));
    let told: Vec<&str> = told.collect();
    told.join(" ").trim_start_matches("error: ").replace(" tip: ", "; ").replace("subcommand", "verb")
}

fn sentence(error: &CliError) -> String {
    let hint = error.hint.as_ref().map_or_else(String::new, |hint| format!("; {hint}"));
    format!("{}{hint}", error.message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Request;

    fn say(text: &str) -> Result<Said, String> {
        (grammar(Settings::default()).read)(text)
    }

    #[test]
    fn lines_mean_what_the_command_line_means() {
        let app = |text: &str| match say(text) {
            Ok(Said::Ask(request)) => request.subject(),
            other => panic!("{text}: {other:?}"),
        };
        for (text, subject) in [
            ("deploy shop/web --image web:v2 --batch 25%", "shop/web"),
            ("restart shop/web-1 redis", "shop/web-1, redis"),
            ("scale web=4", "web"),
            ("rollback web --to 3", "web"),
            ("rm web --volumes", "web"),
            ("adopt 'redis'", "redis"),
            ("repair", ""),
        ] {
            assert_eq!(app(text), subject, "{text}");
        }
        let Ok(Said::Ask(request)) = say("deploy web --image v2 --batch 2") else { panic!() };
        assert!(matches!(*request, Request::Deploy { image: Some(image), .. } if image == "v2"));
        assert!(matches!(say("q"), Ok(Said::Quit)));
        assert!(matches!(say("create"), Ok(Said::Create)));
        assert!(matches!(say("filter !web state:bad"), Ok(Said::Filter { text }) if text == "!web state:bad"));
        assert!(matches!(say("replay 3f2a --speed 10"), Ok(Said::Record { speed: Some(_), .. })));
        assert!(matches!(say("abort web --undo-all"), Ok(Said::Order { .. })));
        assert!(matches!(say("deploy --help"), Ok(Said::Text { .. })));
        assert!(matches!(say("help scale"), Ok(Said::Text { text, .. }) if text.contains("APP=N")));
    }

    #[test]
    fn what_is_wrong_is_said_in_a_line() {
        for (text, want) in [
            ("rolback web", "unrecognized verb 'rolback'; a similar verb exists: 'rollback'"),
            ("deploy web --imag x", "unexpected argument '--imag' found; a similar argument exists: '--image'"),
            ("scale web", "invalid value 'web' for '<APP=N>': `web`: write NAME=N"),
            ("deploy", "the following required arguments were not provided: <APP>"),
            ("deploy web --dry-run", "--dry-run has no use here: every plan is shown before it runs"),
            ("show x --export md", "--export has no use here: ctrl-s writes"),
            ("ps --json", "--json has no use here"),
            ("restart --host x web", "unexpected argument '--host' found"),
            ("man", "manual pages are for a shell"),
            ("demo", "the demo is a console of its own"),
            ("bench", "wants the engine for itself"),
            ("deploy 'web", "has a quote that is not closed"),
            ("create -f -", "there is no standard input here"),
            ("create -f /no/such/file", "/no/such/file"),
            ("help nothing", "there is no verb `nothing`"),
        ] {
            let error = say(text).err().unwrap_or_else(|| panic!("{text} is understood"));
            assert!(error.contains(want) && !error.contains('\n') && !error.contains("Usage"), "{text}: {error}");
        }
    }

    #[test]
    fn every_verb_but_those_of_a_shell_is_there() {
        let grammar = grammar(Settings::default());
        let here: Vec<&str> = grammar.verbs().iter().map(|verb| verb.name.as_str()).collect();
        for verb in Cli::command().get_subcommands() {
            let elsewhere = ELSEWHERE.iter().any(|(name, _)| *name == verb.get_name());
            assert_ne!(here.contains(&verb.get_name()), elsewhere, "{}", verb.get_name());
        }
        let deploy = grammar.verbs().iter().find(|verb| verb.name == "deploy").unwrap();
        let option = |name: &str| deploy.options.iter().find(|option| option.name == name);
        assert_eq!(option("--image").unwrap().value.as_ref().unwrap().name, "REF");
        assert!(option("--warm").unwrap().value.as_ref().unwrap().words.iter().any(|word| word == "bind"));
        assert!(option("--json").is_none() && option("--host").is_none());
        assert!(option("--allow-recreate").unwrap().value.is_none());
        assert_eq!(deploy.values[0].name, "APP");
    }
}
