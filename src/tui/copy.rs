//! What can be copied where the cursor is: names, addresses, ids, and the line itself.
//!
//! Pure. Only what is on screen is offered: a secret that is masked is copied masked.

use super::model::{Model, Screen};
use super::view;
use crate::domain::fleet::{App, Instance};

/// One of the things to copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    pub key: char,
    pub what: &'static str,
    pub value: String,
}

/// All of them, each under a key of its own; none is empty.
pub fn items(model: &Model) -> Vec<Item> {
    let mut items = match &model.screen {
        Screen::Fleet => match (model.instance(), model.app()) {
            (Some((_, instance)), _) => of_instance(instance),
            (None, Some(app)) => of_app(app),
            (None, None) => Vec::new(),
        },
        Screen::Instance(..) => {
            view::instance_shown(model).map_or_else(Vec::new, |(_, instance)| of_instance(instance))
        }
        Screen::Operation(_) | Screen::Replay => of_operation(model),
        Screen::History => model
            .history
            .as_ref()
            .and_then(|list| list.cursor.as_ref())
            .map_or_else(Vec::new, |op| vec![item('n', "operation", op.to_string())]),
        Screen::Logs | Screen::Notices | Screen::Reading | Screen::OwnLog | Screen::Help(_) => Vec::new(),
    };
    items.extend(view::line(model).map(|line| item('y', "line", line)));
    items.retain(|item| !item.value.is_empty());
    items
}

fn item(key: char, what: &'static str, value: impl Into<String>) -> Item {
    Item { key, what, value: value.into() }
}

fn of_instance(instance: &Instance) -> Vec<Item> {
    let mut items = vec![item('n', "name", instance.name.0.clone())];
    items.extend(instance.address().map(|address| item('a', "address", address)));
    if let Some(app) = &instance.app {
        items.push(item('i', "image", app.image_name()));
        items.push(item('c', "container id", app.id.as_str()));
    }
    items.extend(instance.sandbox.as_deref().map(|sandbox| item('s', "sandbox id", sandbox.id.as_str())));
    items
}

fn of_app(app: &App) -> Vec<Item> {
    let addresses: Vec<&str> = app.instances.iter().filter_map(Instance::address).collect();
    vec![
        item('n', "name", app.id.to_string()),
        item('a', "addresses", addresses.join(" ")),
        item('i', "image", app.image().unwrap_or_default()),
    ]
}

fn of_operation(model: &Model) -> Vec<Item> {
    let Some(op) = model.operation() else { return Vec::new() };
    let mut items = vec![item('o', "operation id", op.id.as_str()), item('t', "summary", op.progress.summary())];
    if let Some(lane) = op.lane() {
        items.push(item('n', "name", lane.name.0.clone()));
        items.extend(lane.address_after().or(lane.address_before()).map(|address| item('a', "address", address)));
    }
    let finished = op.progress.finished.as_ref();
    items.extend(finished.and_then(|finished| finished.error.as_ref()).map(|error| item('e', "error", error)));
    items
}
