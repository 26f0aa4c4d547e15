//! Keys of the home screen.

use super::super::engine::Engine;
use super::super::input::Line;
use super::super::keymap::Action;
use super::super::message::Command;
use super::super::model::{Ask, Dialog, Model, Question};
use super::super::rows::{self, AppKey, Row, RowId, Sort};
use super::super::theme::Role;
use super::super::typing::What;
use super::{columns, dialog, marks, moved, say, typing};
use crate::domain::fleet::{Container, Instance};
use crate::domain::options::Options;
use crate::engine::Request;
use std::collections::BTreeSet;

/// Does what a key means here.
pub fn act(model: &mut Model, action: Action) -> Vec<Command> {
    use Action::{Create, Deploy, Remove, Restart, Resume, Rollback, Scale, TakeBack};
    if model.read_only && matches!(action, Create | Deploy | Remove | Restart | Resume | Rollback | Scale | TakeBack) {
        say(model, "this console is read-only", Role::Warn);
        return Vec::new();
    }
    match action {
        Action::Up | Action::Down | Action::First | Action::Last | Action::PageUp | Action::PageDown => {
            let page = usize::from(model.size.1.saturating_sub(6)).max(1);
            let len = model.rows().len();
            go_to(model, moved(model.list.place, len, page, action));
        }
        Action::Into | Action::NextPane | Action::OutOf => step_across(model, action),
        Action::Open => return open_row(model),
        Action::Back => back(model),
        Action::Fold => fold(model),
        Action::FoldAll => fold_all(model),
        Action::Mark => marks::mark(model),
        Action::MarkAll => marks::all(model),
        Action::MarkRange => marks::range(model),
        Action::Unmark => marks::none(model),
        Action::Group => {
            model.list.shown.by_project = !model.list.shown.by_project;
            model.list.shown.folded.retain(|id| !matches!(id, RowId::Group(..)));
            settle(model);
            return columns::keep(model);
        }
        Action::Wide => {
            model.list.shown.flat = !model.list.shown.flat;
            // Where all columns fit either way, nothing else tells.
            let said = if model.list.shown.flat {
                "one list, what runs and what it takes first"
            } else {
                "addresses and what holds them first"
            };
            say(model, said, Role::Dim);
            settle(model);
            return columns::keep(model);
        }
        Action::Columns => columns::open(model),
        Action::SortName => sort(model, Sort::Name),
        Action::SortCpu => sort(model, Sort::Cpu),
        Action::SortMemory => sort(model, Sort::Memory),
        Action::SortState => sort(model, Sort::State),
        Action::SortImage => sort(model, Sort::Image),
        Action::SortUp => sort(model, Sort::Up),
        Action::SortNext | Action::SortPrevious => sort_along(model, action == Action::SortNext),
        Action::Filter => {
            let before = model.list.shown.filter.clone();
            typing::begin(model, What::Filter, &before);
        }
        Action::Jump => {
            let from = model.list.cursor.clone();
            typing::begin(model, What::Jump { from, at: 0 }, "");
        }
        Action::Trouble => {
            let by = if model.list.shown.sort == Sort::Trouble { Sort::Name } else { Sort::Trouble };
            sort(model, by);
        }
        Action::Inspect => return inspect(model),
        Action::Logs => return logs(model),
        Action::Shell => return shell(model),
        Restart => return marks::restart(model),
        Resume | TakeBack => return settle_left(model, action == Resume),
        Create => {
            let engine = model.here().id;
            ask(model, Question::File(engine), "", Vec::new());
            return vec![Command::Files { directory: String::new() }];
        }
        Deploy if marks::many(model) => marks::ask_image(model),
        Scale if marks::many(model) => marks::ask_replicas(model),
        Rollback if marks::many(model) => return marks::roll_back(model),
        Remove if marks::many(model) => marks::ask_remove(model),
        Deploy => {
            if let Some((app, image)) = managed(model, "deploy") {
                ask(model, Question::Image { app }, &image, Vec::new());
            }
        }
        Scale => {
            let now = model.app().map_or(0, |app| app.instances.len());
            if let Some((app, _)) = managed(model, "scale") {
                ask(model, Question::Replicas { app, now }, "", Vec::new());
            }
        }
        Rollback => {
            if let Some((app, _)) = managed(model, "roll back") {
                let (what, options) = (format!("roll back {}", app.id), model.options.clone());
                let request = Request::Rollback { app: app.id.to_string(), to: None, options };
                return dialog::plan(model, app.engine, request, what);
            }
        }
        Remove => {
            if let Some((app, _)) = managed(model, "remove") {
                ask(model, Question::Remove { apps: vec![app] }, "", Vec::new());
            }
        }
        _ => {}
    }
    Vec::new()
}

/// Puts the cursor where it was, or where its row was, after rows have changed; forgets marks of what has gone.
pub fn settle(model: &mut Model) {
    let rows = model.rows();
    let place = |id: &RowId| rows.iter().position(|row| row.is(id));
    let Some(last) = rows.len().checked_sub(1) else {
        // In a pane whose app has gone: back to the apps, where its place was.
        if matches!(model.list.cursor, Some(RowId::Instance(..)))
            && model.engines.iter().any(|one| one.fleet().is_some())
        {
            model.list.cursor = None;
            go_to(model, model.list.place.min(model.rows().len().saturating_sub(1)));
        }
        return;
    };
    let cursor = model.list.cursor.as_ref();
    if let Some(at) = cursor.and_then(place) {
        model.list.place = at;
    } else {
        let parent = cursor.and_then(RowId::app).cloned().map(RowId::App);
        let at = parent.as_ref().and_then(place).unwrap_or_else(|| model.list.place.min(last));
        let id = rows[at].id();
        (model.list.place, model.list.cursor) = (at, Some(id));
    }
    let engines = &model.engines;
    model.list.marks.retain(|mark| engines.get(mark.engine()).is_some_and(|engine| may_be_there(engine, mark)));
}

/// The engine here does not answer, nor does any that something is marked on.
pub fn all_is_lost(model: &Model) -> bool {
    let lost = |mark: &RowId| model.engines.get(mark.engine()).is_none_or(Engine::is_stale);
    model.here().is_stale() && model.list.marks.iter().all(lost)
}

/// It is in the last fleet known, or there is none.
fn may_be_there(engine: &Engine, mark: &RowId) -> bool {
    let app = mark.app().and_then(|key| engine.app(key));
    engine.fleet().is_none()
        || match mark {
            RowId::Instance(_, name) => app.is_some_and(|app| app.instances.iter().any(|one| one.name == *name)),
            _ => app.is_some(),
        }
}

/// Goes on with what was left half-done, or takes it back.
fn settle_left(model: &mut Model, resume: bool) -> Vec<Command> {
    let Some(left) = model.left() else {
        say(model, "nothing was left half-done", Role::Dim);
        return Vec::new();
    };
    let (op, title, options, engine) = (left.op.clone(), left.title(), Options::default(), model.here().id);
    let (request, what) = if resume {
        (Request::Resume { op, options }, format!("go on with the {title}"))
    } else {
        (Request::Abort { op, options }, format!("take back the {title}"))
    };
    dialog::plan(model, engine, request, what)
}

pub fn go_to(model: &mut Model, place: usize) {
    let id = model.rows().get(place).map(Row::id);
    if let Some(id) = id {
        model.list.place = place;
        model.list.cursor = Some(id);
    }
}

/// Between an app and its instances.
fn step_across(model: &mut Model, action: Action) {
    let target = match (&model.list.cursor, action) {
        (Some(RowId::App(key)), Action::Into | Action::NextPane) => {
            let first = model
                .app()
                .and_then(|app| (model.is_wide() || app.instances.len() > 1).then(|| app.instances.first()).flatten());
            first.map(|instance| RowId::Instance(key.clone(), instance.name.clone()))
        }
        (Some(RowId::Instance(key, _)), Action::OutOf | Action::NextPane) => Some(RowId::App(key.clone())),
        _ => None,
    };
    let Some(target) = target else { return };
    if let (RowId::Instance(key, _), Action::Into | Action::NextPane) = (&target, action) {
        model.list.shown.folded.remove(&RowId::App(key.clone()));
    }
    model.list.cursor = Some(target);
    settle(model);
}

fn open_row(model: &mut Model) -> Vec<Command> {
    match &model.list.cursor {
        Some(RowId::Group(..) | RowId::Engine(_)) => {
            fold(model);
            Vec::new()
        }
        Some(RowId::App(_)) if model.app().is_some_and(|app| app.instances.len() > 1) || model.is_wide() => {
            step_across(model, Action::Into);
            Vec::new()
        }
        _ => inspect(model),
    }
}

/// One thing at a time: filter, marks, pane. Never quits.
fn back(model: &mut Model) {
    if !model.list.shown.filter.is_empty() {
        model.list.shown.filter.clear();
        settle(model);
    } else if !model.list.marks.is_empty() {
        model.list.marks.clear();
    } else {
        step_across(model, Action::OutOf);
    }
}

fn fold(model: &mut Model) {
    let group = group_here(model);
    let alone = model.app().is_some_and(|app| app.instances.len() < 2);
    let target = match &model.list.cursor {
        Some(RowId::Instance(key, _)) => RowId::App(key.clone()),
        Some(id @ RowId::App(_)) => group.filter(|_| model.is_wide() || alone).unwrap_or_else(|| id.clone()),
        Some(id) => id.clone(),
        None => return,
    };
    if !model.list.shown.folded.remove(&target) {
        model.list.shown.folded.insert(target.clone());
    }
    model.list.cursor = Some(target);
    settle(model);
}

/// The heading above the app under the cursor.
fn group_here(model: &Model) -> Option<RowId> {
    let name = rows::group(model.app()?, &model.list.shown)?;
    Some(RowId::Group(model.here().id, name.to_owned()))
}

/// Folds every app and group, or unfolds all when any is folded.
fn fold_all(model: &mut Model) {
    if model.list.shown.folded.is_empty() {
        let (shown, wide) = (&model.list.shown, model.is_wide());
        let mut folded = BTreeSet::new();
        for engine in model.engines.iter() {
            let apps = || engine.fleet().into_iter().flat_map(|fleet| &fleet.apps);
            let groups = apps().filter_map(|app| rows::group(app, shown));
            folded.extend(groups.map(|name| RowId::Group(engine.id, name.to_owned())));
            // Two panes show no instances to fold: there, groups are what folds.
            if !shown.by_project && !wide {
                let several = apps().filter(|app| app.instances.len() > 1);
                folded.extend(several.map(|app| RowId::App(AppKey::of(engine, app))));
            }
        }
        model.list.shown.folded = folded;
    } else {
        model.list.shown.folded.clear();
    }
    // Its row may have gone below a fold: its heading has it then.
    if let Some(group) = group_here(model).filter(|group| model.list.shown.folded.contains(group)) {
        model.list.cursor = Some(group);
    }
    settle(model);
}

/// Sorts by a column, or turns it round.
fn sort(model: &mut Model, by: Sort) {
    let shown = &mut model.list.shown;
    shown.reversed = shown.sort == by && !shown.reversed && by != Sort::Trouble;
    shown.sort = by;
    let way = if shown.reversed { ", the other way round" } else { "" };
    say(model, format!("sorted by {}{way}", by.word()), Role::Dim);
    settle(model);
}

/// By the next column, or the one before.
fn sort_along(model: &mut Model, forward: bool) {
    let columns = Sort::COLUMNS;
    let at = columns.iter().position(|sort| *sort == model.list.shown.sort);
    let next = match (at, forward) {
        (None, _) => 0,
        (Some(at), true) => (at + 1) % columns.len(),
        (Some(at), false) => (at + columns.len() - 1) % columns.len(),
    };
    model.list.shown.reversed = false;
    model.list.shown.sort = columns[next];
    say(model, format!("sorted by {}", columns[next].word()), Role::Dim);
    settle(model);
}

pub fn ask(model: &mut Model, question: Question, text: &str, choices: Vec<String>) {
    let line = Line::new(text);
    model.dialog = Some(Dialog::Ask(Ask { question, line, wrong: None, choices, chosen: 0 }));
}

/// The app under the cursor and its image, if operations that need a sandbox apply to it.
fn managed(model: &mut Model, what: &str) -> Option<(AppKey, String)> {
    let Some(app) = model.app() else {
        say(model, format!("nothing to {what} here: move to an app"), Role::Warn);
        return None;
    };
    let (key, image) = (AppKey::of(model.here(), app), app.image().unwrap_or_default().to_owned());
    if !key.managed {
        let name = &key.id;
        model.dialog = Some(Dialog::Refused {
            title: format!("Cannot {what} {name}"),
            message: format!(
                "{name} was not created by pitstop: it has no sandbox to keep its address while its container is replaced."
            ),
            hint: Some(format!(
                "restart works on it as it is; `:adopt {name}` gives it a sandbox at its own address, and says before what is kept"
            )),
        });
        return None;
    }
    Some((key, image))
}

fn inspect(model: &mut Model) -> Vec<Command> {
    let Some((app, instance)) = model.instance() else {
        say(model, "move to one instance to inspect it", Role::Warn);
        return Vec::new();
    };
    let (key, name) = (AppKey::of(model.here(), app), instance.name.clone());
    super::instance::begin(model, key, name)
}

/// A shell in the instance under the cursor; of an app, in its first that runs.
fn shell(model: &mut Model) -> Vec<Command> {
    if model.read_only {
        say(model, "this console is read-only: a shell could change anything", Role::Warn);
        return Vec::new();
    }
    let runs = |instance: &Instance| instance.app.as_deref().is_some_and(Container::is_running);
    let here = model.instance().map(|(_, one)| one);
    let instance = here.or_else(|| model.app()?.instances.iter().find(|one| runs(one)));
    let Some(instance) = instance else {
        say(model, "move to an instance to open a shell in it", Role::Warn);
        return Vec::new();
    };
    let name = instance.name.0.clone();
    match &instance.app {
        // Always the app's container: the sandbox is nobody's business.
        Some(app) if app.is_running() => {
            vec![Command::Shell { engine: model.here().id, container: app.id.clone(), name }]
        }
        _ => {
            say(model, format!("{name} does not run"), Role::Warn);
            Vec::new()
        }
    }
}

/// The log of all that is marked, or of what the cursor is on.
fn logs(model: &mut Model) -> Vec<Command> {
    let targets: Vec<RowId> = if model.list.marks.is_empty() {
        model.list.cursor.iter().filter(|id| !id.is_heading()).cloned().collect()
    } else {
        model.list.marks.iter().cloned().collect()
    };
    let title = match &targets[..] {
        [] => {
            say(model, "move to an app or an instance to read its log", Role::Warn);
            return Vec::new();
        }
        [one] => one.target().unwrap_or_default(),
        many => format!("{} marked", many.len()),
    };
    super::logs::begin(model, title, targets)
}
