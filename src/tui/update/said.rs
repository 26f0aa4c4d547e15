//! What a typed line asks for, done: the same ways as keys take, through the same dialogs.

use super::super::engine::{Engine, Engines};
use super::super::message::Command;
use super::super::model::{List, Model, Question, Screen};
use super::super::prompt::Prompt;
use super::super::rows::{AppKey, RowId};
use super::super::theme::{Role, Theme};
use super::{dialog, fleet, history, logs, open, quit, say, themes};
use crate::domain::control::Order;
use crate::domain::ids::OpId;
use crate::domain::options::Options;
use crate::domain::record::{self, Summary, meant};
use crate::engine::Request;
use crate::engine::line::Said;
use std::time::Duration;

/// Does it, or says why not.
pub fn done(model: &mut Model, prompt: &Prompt, said: Said) -> Result<Vec<Command>, String> {
    let changes = matches!(
        said,
        Said::Ask(_)
            | Said::Create
            | Said::Resume { .. }
            | Said::TakeBack { .. }
            | Said::Retry { .. }
            | Said::Order { .. }
    );
    if model.read_only && changes {
        return Err("this console is read-only".to_owned());
    }
    let (what, here) = (prompt.line.text().trim().to_owned(), model.here().id);
    match said {
        Said::Ask(request) => Ok(dialog::plan(model, here, *request, what)),
        Said::Create => {
            fleet::ask(model, Question::File(here), "", Vec::new());
            Ok(vec![Command::Files { directory: String::new() }])
        }
        Said::Resume { op, options } => go_on(model, prompt, op, *options, true),
        Said::TakeBack { op, options } => go_on(model, prompt, op, *options, false),
        Said::Retry { op, options } => {
            let op = resolve(model, prompt, &op)?;
            Ok(dialog::plan(model, here, Request::Retry { op, options: *options }, what))
        }
        Said::Order { op, order } => tell(model, op, order),
        Said::Logs { target, since } => read_logs(model, &target, since),
        Said::History { app } => {
            let commands = history::begin(model);
            if let (Some(history), Some(app)) = (&mut model.history, app) {
                history.filter = format!("app:{app}");
            }
            history::settle(model);
            Ok(commands)
        }
        Said::Record { op, speed } => {
            let op = resolve(model, prompt, &op)?;
            Ok(history::look_at(model, op, speed.map(hundredths)))
        }
        Said::Fleet { app } => {
            let row = app.map(|app| row(model, &app)).transpose()?;
            open(model, Screen::Fleet);
            if let Some(row) = row {
                model.list.shown.filter.clear();
                model.list.cursor = Some(row);
                fleet::settle(model);
            }
            Ok(Vec::new())
        }
        Said::Doctor => {
            say(model, "looking at the engine", Role::Dim);
            Ok(vec![Command::Doctor(here)])
        }
        Said::Text { title, text } => {
            read(model, title, text.lines().map(|line| (line.to_owned(), Role::Text)).collect());
            Ok(Vec::new())
        }
        Said::Theme { name } => wear(model, name),
        Said::Context { .. } if model.simulated => Err("the demo has one engine".to_owned()),
        Said::Context { .. } if model.running() > 0 => {
            Err("an operation runs on this engine: it is waited for, or aborted, first".to_owned())
        }
        Said::Context { names } => Ok(vec![Command::Engines(names)]),
        Said::Filter { text } => {
            open(model, Screen::Fleet);
            model.list.shown.filter = text;
            fleet::settle(model);
            Ok(Vec::new())
        }
        Said::Log => {
            open(model, Screen::OwnLog);
            Ok(Vec::new())
        }
        Said::Keys => {
            open(model, Screen::Help(model.place()));
            Ok(Vec::new())
        }
        Said::Quit => Ok(quit(model)),
    }
}

/// Puts something to read on the screen.
pub fn read(model: &mut Model, title: String, lines: Vec<(String, Role)>) {
    model.notice = None;
    model.reading = Some((title, lines));
    open(model, Screen::Reading);
}

/// Other engines are reached from now on: what was known of those before is forgotten.
pub fn switched(model: &mut Model, switched: Result<Vec<Engine>, String>) -> Vec<Command> {
    match switched {
        Ok(engines) => {
            let names: Vec<String> = engines.iter().map(|engine| engine.name.clone()).collect();
            model.engines = Engines::of(engines).unwrap_or_default();
            model.logs = None;
            model.list = List { shown: std::mem::take(&mut model.list.shown), ..List::default() };
            open(model, Screen::Fleet);
            let said = match &names[..] {
                [one] => format!("the engine of context {one}"),
                many => format!("the engines of contexts {}", many.join(", ")),
            };
            say(model, said, Role::Good);
        }
        Err(why) => say(model, why, Role::Bad),
    }
    Vec::new()
}

/// Goes on with what was left half-done, or takes it back: on that app, of that operation, or the only one.
fn go_on(
    model: &mut Model,
    prompt: &Prompt,
    named: Option<String>,
    options: Options,
    forward: bool,
) -> Result<Vec<Command>, String> {
    let (what, here) = (prompt.line.text().trim().to_owned(), model.here());
    let found: Vec<&Summary> = match &named {
        Some(named) => meant(&here.left_open, named),
        None => here.left_open.iter().collect(),
    };
    let here = here.id;
    let op = match (found.as_slice(), named) {
        ([one], _) => one.op.clone(),
        ([], None) => return Err("nothing was left half-done here".to_owned()),
        ([], Some(named)) => {
            // Without a record there are the containers' labels.
            if let Some(app) = model.fleet().and_then(|fleet| fleet.find(&named).ok()) {
                let app = app.id.to_string();
                let request =
                    if forward { Request::Finish { app, options } } else { Request::TakeBack { app, options } };
                return Ok(dialog::plan(model, here, request, what));
            }
            resolve(model, prompt, &named)?
        }
        (many, _) => {
            return Err(format!(
                "{} were left half-done: {}; name one",
                many.len(),
                record::named(many.iter().copied())
            ));
        }
    };
    let request = if forward { Request::Resume { op, options } } else { Request::Abort { op, options } };
    Ok(dialog::plan(model, here, request, what))
}

/// The operation that is meant: the newest on that app, or the one with that id.
fn resolve(model: &Model, prompt: &Prompt, named: &str) -> Result<OpId, String> {
    let all = prompt.operations(model);
    match meant(&all, named).as_slice() {
        [] => Err(format!("there is no record of an operation `{named}` here")),
        [one] => Ok(one.op.clone()),
        [newest, ..] if newest.is_about(named) => Ok(newest.op.clone()),
        many => Err(format!("`{named}` could be {}; write more of it", record::named(many.iter().copied()))),
    }
}

/// Says something to an operation that runs: here, or else in another console.
fn tell(model: &mut Model, named: Option<String>, order: Order) -> Result<Vec<Command>, String> {
    let own = model.operations.iter().filter(|own| own.is_running());
    let own: Vec<Summary> = own.map(|own| Summary::of(&own.id, &own.progress)).collect();
    let found = match &named {
        Some(named) => meant(&own, named),
        None => own.iter().collect(),
    };
    match found.as_slice() {
        [] => Ok(vec![Command::Tell { op: named, order }]),
        [one] => {
            let op = one.op.clone();
            let command = match order {
                Order::Go => Command::Go(op),
                Order::Pause => Command::Pause(op),
                Order::Cancel { urgency } => Command::Cancel(op, urgency),
            };
            Ok(vec![command])
        }
        many => Err(format!("{} operations run: {}; name one", many.len(), record::named(many.iter().copied()))),
    }
}

/// The row of an app, an instance or a container: on the engine here, else on the only one that has it.
fn row(model: &Model, named: &str) -> Result<RowId, String> {
    let here = row_on(model.here(), named);
    let others: Vec<RowId> = model.engines.iter().filter_map(|engine| row_on(engine, named).ok()).collect();
    match &others[..] {
        [one] if here.is_err() => Ok(one.clone()),
        _ => here,
    }
}

fn row_on(engine: &Engine, named: &str) -> Result<RowId, String> {
    let fleet = engine.fleet().ok_or("no engine is connected")?;
    if let Some((app, instance)) = fleet.find_instance(named) {
        return Ok(RowId::Instance(AppKey::of(engine, app), instance.name.clone()));
    }
    fleet.find(named).map(|app| RowId::App(AppKey::of(engine, app)))
}

fn read_logs(model: &mut Model, target: &str, since: Option<Duration>) -> Result<Vec<Command>, String> {
    let row = row(model, target)?;
    let from = match since {
        None => None,
        Some(ago) => {
            let from = model.wall.checked_sub(ago).map_err(|_| "that goes back too far".to_owned())?;
            Some((ago, from))
        }
    };
    let mut commands = logs::begin(model, target.to_owned(), vec![row]);
    if from.is_some() {
        commands = logs::reopen(model, from);
    }
    Ok(commands)
}

fn wear(model: &mut Model, name: Option<String>) -> Result<Vec<Command>, String> {
    let Some(name) = name else {
        themes::open(model);
        return Ok(Vec::new());
    };
    let all = model.all_themes();
    let Some((_, text)) = all.iter().find(|(known, _)| *known == name) else {
        let known: Vec<&str> = all.iter().map(|(known, _)| *known).collect();
        return Err(format!("there is no theme `{name}`; there are {}", known.join(", ")));
    };
    if model.colourless {
        return Err("this terminal shows no colours".to_owned());
    }
    let read = Theme::parse(&name, text, model.look.theme.depth);
    model.look.theme = read.map_err(|wrong| wrong.into_iter().next().unwrap_or_default())?;
    say(model, format!("{name} until you leave; to keep it: theme = \"{name}\" in config.toml"), Role::Good);
    Ok(Vec::new())
}

/// Whole hundredths; a replay without waiting is one as fast as there is.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded below and above")]
fn hundredths(speed: f64) -> u64 {
    if speed == 0.0 { u64::MAX } else { (speed * 100.0).clamp(1.0, 1e9) as u64 }
}
