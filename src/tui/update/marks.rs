//! Marks, and what is done to all that is marked.

use super::super::engine::{Engine, EngineId};
use super::super::message::Command;
use super::super::model::{Model, Question};
use super::super::rows::{AppKey, Row, RowId};
use super::super::theme::Role;
use super::{bulk, fleet, say};
use crate::domain::event::OpEvent;
use crate::domain::ids::ImageRef;
use crate::domain::options::Options;
use crate::domain::progress::Phase;
use crate::engine::Request;
use std::collections::{BTreeMap, BTreeSet};

/// Marks the row, or takes its mark away, and moves on.
pub fn mark(model: &mut Model) {
    if let Some(id) = model.list.cursor.clone().filter(|id| !id.is_heading()) {
        model.list.last_mark = Some(id.clone());
        if !model.list.marks.remove(&id) {
            model.list.marks.insert(id);
        }
    }
    fleet::go_to(model, model.list.place + 1);
}

/// All that is shown, or none when all are.
pub fn all(model: &mut Model) {
    let shown = markable(model, 0, usize::MAX);
    if shown.is_subset(&model.list.marks) {
        model.list.marks.clear();
    } else {
        model.list.marks.extend(shown);
    }
}

/// From the row that was marked last to this one.
pub fn range(model: &mut Model) {
    let rows = model.rows();
    let at = |wanted: &Option<RowId>| wanted.as_ref().and_then(|id| rows.iter().position(|row| row.is(id)));
    let Some((from, to)) = at(&model.list.last_mark).zip(at(&model.list.cursor)) else {
        say(model, "mark the first row of the range, then go to its last", Role::Dim);
        return;
    };
    let shown = markable(model, from.min(to), from.max(to));
    model.list.marks.extend(shown);
    model.list.last_mark.clone_from(&model.list.cursor);
}

/// No marks any more.
pub fn none(model: &mut Model) {
    model.list.marks.clear();
}

/// Rows of these places that stand for themselves: instances, and apps whose instances have no rows.
fn markable(model: &Model, from: usize, to: usize) -> BTreeSet<RowId> {
    let folded = |row: &Row<'_>| model.list.shown.folded.contains(&row.id());
    let stands = |row: &&Row<'_>| match row {
        Row::App(_, app) => model.is_wide() || app.instances.len() < 2 || folded(row),
        Row::Instance(..) => true,
        Row::Group(..) | Row::Engine(_) => false,
    };
    let rows = model.rows();
    rows.iter()
        .enumerate()
        .filter(|(i, _)| (from..=to).contains(i))
        .map(|(_, row)| row)
        .filter(stands)
        .map(Row::id)
        .collect()
}

/// Apps that marks touch, each once, as far as they are pitstop's own.
fn apps(model: &Model) -> Vec<AppKey> {
    let keys: BTreeSet<&AppKey> = model.list.marks.iter().filter_map(RowId::app).filter(|key| key.managed).collect();
    keys.into_iter().cloned().collect()
}

/// What is for each engine, in the order of engines.
pub fn by_engine<T>(all: impl Iterator<Item = (EngineId, T)>) -> BTreeMap<EngineId, Vec<T>> {
    let mut sorted: BTreeMap<EngineId, Vec<T>> = BTreeMap::new();
    all.for_each(|(engine, one)| sorted.entry(engine).or_default().push(one));
    sorted
}

/// Marks touch more than one app, so what is done to an app is done to each of them.
pub fn many(model: &Model) -> bool {
    apps(model).len() > 1
}

/// Which image, for all marked apps.
pub fn ask_image(model: &mut Model) {
    let apps = apps(model);
    fleet::ask(model, Question::Images { apps }, ":", Vec::new());
}

/// How many instances, for all marked apps.
pub fn ask_replicas(model: &mut Model) {
    let apps = apps(model);
    fleet::ask(model, Question::Counts { apps }, "", Vec::new());
}

/// Whether all marked apps shall go.
pub fn ask_remove(model: &mut Model) {
    let apps = apps(model);
    fleet::ask(model, Question::Remove { apps }, "", Vec::new());
}

/// Each marked app back to its revision before.
pub fn roll_back(model: &mut Model) -> Vec<Command> {
    let request = |app: AppKey| {
        (app.engine, Request::Rollback { app: app.id.to_string(), to: None, options: model.options.clone() })
    };
    let requests = apps(model).into_iter().map(request).collect();
    bulk::plan(model, "roll back", requests)
}

/// The requests that an answer means for several apps. The error is a sentence.
pub fn deployments(model: &Model, apps: &[AppKey], text: &str) -> Result<Vec<(EngineId, Request)>, String> {
    let image_of = |key: &AppKey| model.engines.app(key)?.1.image();
    let request = |app: &AppKey| {
        let image = match text.strip_prefix(':') {
            // The same tag for each app's own image.
            Some(tag) => format!("{}:{tag}", without_tag(image_of(app).unwrap_or_default())),
            None => text.to_owned(),
        };
        let image = ImageRef::new(image.as_str()).map_err(|error| error.to_string())?;
        let (name, options) = (app.id.to_string(), model.options.clone());
        Ok((app.engine, Request::Deploy { app: name, image: Some(image.to_string()), project: None, options }))
    };
    apps.iter().map(request).collect()
}

fn without_tag(image: &str) -> &str {
    let image = image.split_once('@').map_or(image, |(name, _)| name);
    match image.rsplit_once(':') {
        // The colon of a registry's port stands before a slash.
        Some((name, tag)) if !tag.contains('/') => name,
        _ => image,
    }
}

/// The marked ones, else the one under the cursor. Marks of instances whose app is marked too count once.
pub fn restart(model: &mut Model) -> Vec<Command> {
    let marks = &model.list.marks;
    let covered = |id: &RowId| match id {
        RowId::Instance(key, _) => marks.contains(&RowId::App(key.clone())),
        _ => false,
    };
    let target = |id: &RowId| Some((id.engine(), id.target()?));
    let targets = if marks.is_empty() {
        by_engine(model.list.cursor.iter().filter_map(target))
    } else {
        by_engine(marks.iter().filter(|id| !covered(id)).filter_map(target))
    };
    let what = match &targets.values().flatten().collect::<Vec<_>>()[..] {
        [] => {
            say(model, "nothing to restart here: move to an app or an instance", Role::Warn);
            return Vec::new();
        }
        [one] => format!("restart {one}"),
        many => format!("restart {} marked", many.len()),
    };
    // The same containers, whatever deployments do by default.
    let options = Options { warm: None, ..model.options.clone() };
    let request = |targets| Request::Restart { targets, options: options.clone() };
    let requests = targets.into_iter().map(|(engine, targets)| (engine, request(targets))).collect();
    bulk::plan_each(model, "restart", what, requests)
}

/// An operation has ended: what it has done loses its mark, what failed or was not begun keeps it.
pub fn ended(model: &mut Model, event: &OpEvent) {
    let Some(op) = model.operations.iter().find(|op| op.id == event.op) else { return };
    let failed: BTreeSet<&str> = op
        .progress
        .instances
        .iter()
        .filter(|instance| op.phase(instance) != Phase::Done)
        .map(|instance| instance.name.0.as_str())
        .collect();
    let of_op: BTreeSet<&str> = op.progress.instances.iter().map(|instance| instance.name.0.as_str()).collect();
    let here = model.engines.iter().find(|engine| Some(engine.id) == op.engine);
    let instances = |key: &AppKey| {
        let app = here.filter(|engine| engine.id == key.engine).and_then(|engine| engine.app(key));
        app.map_or_else(Vec::new, |app| app.instances.iter().map(|one| one.name.0.clone()).collect::<Vec<_>>())
    };
    let done = |mark: &RowId| match mark {
        _ if Some(mark.engine()) != here.map(|engine: &Engine| engine.id) => false,
        RowId::Instance(_, name) => of_op.contains(name.0.as_str()) && !failed.contains(name.0.as_str()),
        RowId::App(key) => {
            let all = instances(key);
            all.iter().any(|name| of_op.contains(name.as_str()))
                && !all.iter().any(|name| failed.contains(name.as_str()))
        }
        RowId::Group(..) | RowId::Engine(_) => false,
    };
    let gone: Vec<RowId> = model.list.marks.iter().filter(|mark| done(mark)).cloned().collect();
    for mark in gone {
        model.list.marks.remove(&mark);
    }
}
