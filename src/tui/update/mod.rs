//! The one place where the model changes: a message in, commands out. Pure: no clock, no engine, no terminal.
//!
//! ```text
//! mod        messages, and keys that mean the same everywhere
//! fleet      keys of the home screen: move, mark, fold, filter, begin an operation
//! operation  keys and events of operations         page    keys of pages             logs  keys of logs, and lines
//! dialog     keys while a question is open, and the answers of the engine to it
//! notices    keys of the list of what has ended        prompt  keys of the line behind `:`    said  what it asked for
//! creating   a Compose file and its services
//! lost       the fleet as it comes, and an engine that is gone
//! columns    choosing those of the fleet
//! copy       what goes to the clipboard                export    what goes into a file
//! history    the list of operations                    replay  one of them, from its record
//! typing     the line that is typed at the bottom of a screen
//! themes     choosing a theme                          instance  keys of an instance's page, and what the engine says of it
//! marks      marks, and what is done to all that is marked           bulk    a plan for each of several apps
//! ```

mod bulk;
mod columns;
mod copy;
mod creating;
mod dialog;
mod export;
mod fleet;
mod history;
mod instance;
mod logs;
mod lost;
mod marks;
mod notices;
mod operation;
mod page;
mod prompt;
mod replay;
mod said;
mod themes;
mod typing;

use super::engine::EngineId;
use super::keymap::{Action, Place};
use super::message::{Command, Msg, News};
use super::model::{Dialog, Model, Notice, Screen};
use super::own_log::OwnLog;
use super::theme::Role;
use crossterm::event::{KeyEvent, KeyEventKind};

/// Takes in a message.
pub fn update(model: &mut Model, msg: Msg) -> Vec<Command> {
    match msg {
        Msg::Key(key) if key.kind == KeyEventKind::Release => Vec::new(),
        Msg::Key(key) => press(model, key),
        Msg::Paste(text) => {
            paste(model, &text);
            Vec::new()
        }
        Msg::Resize(columns, rows) => {
            model.size = (columns, rows);
            // Scrolled to is a line as it was wrapped.
            model.own_log = OwnLog::default();
            fleet::settle(model);
            Vec::new()
        }
        Msg::Suspend => suspend(model),
        Msg::NoShell => {
            say(model, "no shell with job control started pitstop: nobody could bring it back", Role::Warn);
            Vec::new()
        }
        Msg::Clock { wall, now } => {
            model.wall = wall;
            model.now = now;
            if let Some(replay) = &mut model.replay {
                replay.tick(now, wall);
            }
            let ended = model.logs.as_ref().is_some_and(|log| log.sources.iter().any(|source| source.ended));
            let mut commands = if ended { logs::settle(model) } else { Vec::new() };
            commands.extend(instance::look_again(model));
            commands.extend(replay::look_again(model));
            commands.extend(history::look_again(model));
            commands
        }
        Msg::Engine(engine, news) => heard(model, engine, news),
        Msg::Inspected { ticket, seen } => {
            instance::inspected(model, ticket, *seen);
            Vec::new()
        }
        Msg::Said { ticket, said } => prompt::said(model, ticket, said),
        Msg::Lines(lines) => {
            // What was typed meanwhile is the newest.
            let meanwhile = model.lines.take().unwrap_or_default();
            model.lines = Some(lines.into_iter().chain(meanwhile).collect());
            Vec::new()
        }
        Msg::Contexts(names) => {
            if let Some(prompt) = &mut model.prompt {
                prompt.contexts = names;
            }
            Vec::new()
        }
        Msg::Told(Ok(what)) => {
            say(model, what, Role::Good);
            Vec::new()
        }
        Msg::Told(Err(why)) => {
            say(model, why, Role::Bad);
            Vec::new()
        }
        Msg::Reading { title, lines } => {
            said::read(model, title, lines);
            Vec::new()
        }
        Msg::Switched(switched) => said::switched(model, switched),
        Msg::History(listed) => {
            if let (Some(prompt), Ok(listed)) = (&mut model.prompt, &listed) {
                prompt.known.clone_from(listed);
            }
            history::listed(model, listed);
            Vec::new()
        }
        Msg::Record { op, record } => {
            history::record(model, &op, record);
            Vec::new()
        }
        Msg::Planned { ticket, answer } => dialog::planned(model, ticket, answer),
        Msg::Began(engine, id) => operation::began(model, engine, id),
        Msg::NotBegun(refusal) => dialog::not_begun(model, refusal),
        Msg::Op(event) => operation::event(model, &event),
        Msg::Files(files) => {
            if let (Some(prompt), Ok(files)) = (&mut model.prompt, &files) {
                prompt.files.clone_from(files);
            }
            creating::files(model, files);
            Vec::new()
        }
        Msg::Loaded(project) => {
            creating::loaded(model, project);
            Vec::new()
        }
        Msg::LogLines { ticket, source, lines } => {
            if let Some(log) = model.logs.as_mut().filter(|log| log.ticket == ticket) {
                log.take(source, lines);
            }
            Vec::new()
        }
        Msg::LogEnded { ticket, source, why } => {
            if let Some(log) = model.logs.as_mut().filter(|log| log.ticket == ticket) {
                log.ended(source, why.as_deref());
            }
            logs::settle(model)
        }
        Msg::LogsCut => {
            model.logs.iter_mut().for_each(super::logs::LogView::cut);
            logs::settle(model)
        }
        Msg::ShellEnded { name, how } => {
            match how {
                Ok(Some(code)) if code == 126 || code == 127 => {
                    say(
                        model,
                        format!("{name} has no shell (exit code {code}): its image holds neither bash nor sh"),
                        Role::Warn,
                    );
                }
                Ok(Some(code)) if code != 0 => say(model, format!("the shell in {name} ended with {code}"), Role::Dim),
                Ok(_) => say(model, format!("back from {name}"), Role::Dim),
                Err(why) => say(model, why, Role::Bad),
            }
            Vec::new()
        }
        Msg::NotKept(why) => {
            say(model, why, Role::Warn);
            Vec::new()
        }
        Msg::Saved(answer) => {
            export::saved(model, answer);
            Vec::new()
        }
    }
}

/// An engine has something to say; one that is not shown any more says it to nobody.
fn heard(model: &mut Model, id: EngineId, news: News) -> Vec<Command> {
    let Some(engine) = model.engines.get_mut(id) else { return Vec::new() };
    match news {
        News::Fleet(state) => {
            lost::take(model, id, state);
            fleet::settle(model);
            let mut commands = logs::settle(model);
            if model.here().id == id {
                commands.extend(instance::look(model));
            }
            return commands;
        }
        News::Traffic(traffic) => engine.traffic = traffic,
        News::LeftOpen(left) => engine.left_open = left,
        News::Loads(loads) => {
            engine.loads = loads;
            if model.list.shown.sort.is_load() {
                fleet::settle(model);
            }
        }
    }
    Vec::new()
}

/// Pasted text goes into the line that is typed, and nowhere else; what must be typed to confirm can't be pasted.
fn paste(model: &mut Model, text: &str) {
    match &mut model.dialog {
        Some(Dialog::Ask(ask)) => ask.line.paste(text),
        Some(_) => {}
        None => {
            if let Some(prompt) = &mut model.prompt {
                prompt.line.paste(text);
                prompt.cycling = None;
            } else {
                typing::paste(model, text);
            }
        }
    }
}

fn press(model: &mut Model, key: KeyEvent) -> Vec<Command> {
    model.notice = None;
    if model.dialog.is_some() {
        return dialog::press(model, key);
    }
    if model.prompt.is_some() {
        return prompt::press(model, key);
    }
    if model.typing.is_some() {
        return typing::press(model, key);
    }
    let Some(action) = model.keys.action(model.place(), key) else { return Vec::new() };
    match action {
        Action::Quit => quit(model),
        Action::Help => {
            match model.screen {
                Screen::Help(_) => close(model),
                _ => open(model, Screen::Help(model.place())),
            }
            Vec::new()
        }
        Action::Log => {
            open(model, Screen::OwnLog);
            Vec::new()
        }
        Action::Operations => {
            let shown = model.operations.iter().rev().find(|op| op.is_running()).or(model.operations.last());
            match shown.map(|op| op.id.clone()) {
                Some(id) => open(model, Screen::Operation(id)),
                None => return history::begin(model),
            }
            Vec::new()
        }
        Action::History => history::begin(model),
        Action::Command => prompt::open(model),
        Action::Notices => {
            notices::begin(model);
            Vec::new()
        }
        Action::Themes => {
            themes::open(model);
            Vec::new()
        }
        Action::Copy => copy::begin(model),
        Action::Export => {
            export::ask(model);
            Vec::new()
        }
        Action::Redraw => vec![Command::Redraw],
        Action::Resync if model.screen == Screen::History => {
            let mut commands = lost::resync(model);
            commands.push(Command::History);
            commands
        }
        Action::Resync => lost::resync(model),
        // There is nothing else that this key could do now.
        Action::Restart if model.place() == Place::Fleet && fleet::all_is_lost(model) => lost::resync(model),
        Action::Suspend => suspend(model),
        action => match model.place() {
            Place::Fleet => fleet::act(model, action),
            Place::Operation => operation::act(model, action),
            Place::Logs => logs::act(model, action),
            Place::Page => page::act(model, action),
            Place::History => history::act(model, action),
            Place::Notices => notices::act(model, action),
            Place::Replay => replay::act(model, action),
            Place::Instance => instance::act(model, action),
        },
    }
}

/// Stops the process, unless something runs that must not stand still.
fn suspend(model: &mut Model) -> Vec<Command> {
    if model.running() > 0 {
        say(model, "an operation runs: it would stand still in the background", Role::Warn);
        return Vec::new();
    }
    vec![Command::Suspend]
}

/// Quits, asking first while operations run.
fn quit(model: &mut Model) -> Vec<Command> {
    if model.running() > 0 {
        model.dialog = Some(Dialog::Quit);
        return Vec::new();
    }
    vec![Command::Quit]
}

/// Puts a screen on.
fn open(model: &mut Model, screen: Screen) {
    if let Screen::Operation(id) = &screen {
        notices::see(model, id);
    }
    model.screen = screen;
    model.scroll = 0;
    model.typing = None;
    // What was revealed is hidden again.
    model.page = None;
}

/// Back to the home screen.
fn close(model: &mut Model) {
    open(model, Screen::Fleet);
}

/// Says something in the bottom line, until the next key.
fn say(model: &mut Model, text: impl Into<String>, role: Role) {
    model.notice = Some(Notice { text: text.into(), role });
}

/// Moves an index by a step or to an end, within `len`.
fn moved(index: usize, len: usize, page: usize, action: Action) -> usize {
    let last = len.saturating_sub(1);
    match action {
        Action::Up => index.saturating_sub(1),
        Action::Down => index + 1,
        Action::PageUp => index.saturating_sub(page),
        Action::PageDown => index + page,
        Action::First => 0,
        Action::Last => last,
        _ => index,
    }
    .min(last)
}
