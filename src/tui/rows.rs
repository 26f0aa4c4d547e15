//! The fleet as rows: what is shown, in which order, after filter, sort and folds.
//!
//! Pure. A row is named by a [`RowId`], which survives updates of the fleet.

use super::words;
use crate::domain::fleet::{App, Fleet, Instance};
use crate::domain::ids::{AppId, InstanceName};
use std::collections::BTreeSet;

/// An app's identity on screen; a managed and an unmanaged app may share a name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AppKey {
    pub managed: bool,
    pub id: AppId,
}

/// What a row is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RowId {
    App(AppKey),
    Instance(AppKey, InstanceName),
    /// The heading of unmanaged containers.
    Unmanaged,
}

/// One row with what it shows.
#[derive(Clone, Copy, Debug)]
pub enum Row<'a> {
    App(&'a App),
    Instance(&'a App, &'a Instance),
    /// With the number of apps below it.
    Unmanaged(usize),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    #[default]
    Name,
    Trouble,
}

/// What decides about rows.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    pub filter: String,
    pub sort: Sort,
    /// Folded apps and groups.
    pub folded: BTreeSet<RowId>,
}

impl AppKey {
    pub fn of(app: &App) -> Self {
        Self { managed: app.managed, id: app.id.clone() }
    }
}

impl Row<'_> {
    pub fn id(&self) -> RowId {
        match self {
            Self::App(app) => RowId::App(AppKey::of(app)),
            Self::Instance(app, instance) => RowId::Instance(AppKey::of(app), instance.name.clone()),
            Self::Unmanaged(_) => RowId::Unmanaged,
        }
    }
}

impl RowId {
    /// The app it belongs to.
    pub fn app(&self) -> Option<&AppKey> {
        match self {
            Self::App(key) | Self::Instance(key, _) => Some(key),
            Self::Unmanaged => None,
        }
    }

    /// What a request calls it.
    pub fn target(&self) -> Option<String> {
        match self {
            Self::App(key) => Some(key.id.to_string()),
            Self::Instance(_, name) => Some(name.0.clone()),
            Self::Unmanaged => None,
        }
    }
}

/// Rows of the list; with `tree`, apps of several instances are followed by those.
pub fn rows<'a>(fleet: &'a Fleet, shown: &Shown, tree: bool) -> Vec<Row<'a>> {
    let mut apps: Vec<&App> = fleet.apps.iter().filter(|app| matches(app, &shown.filter)).collect();
    if shown.sort == Sort::Trouble {
        apps.sort_by_key(|app| (!app.managed, words::trouble(app)));
    }
    let unmanaged = apps.iter().filter(|app| !app.managed).count();
    let grouped = apps.len() > unmanaged;
    let mut out = Vec::new();
    for app in apps {
        if !app.managed && grouped {
            if !matches!(out.last(), Some(Row::Unmanaged(_))) && !out.iter().any(|row| matches!(row, Row::Unmanaged(_)))
            {
                out.push(Row::Unmanaged(unmanaged));
            }
            if shown.folded.contains(&RowId::Unmanaged) {
                continue;
            }
        }
        out.push(Row::App(app));
        if tree && app.instances.len() > 1 && !shown.folded.contains(&RowId::App(AppKey::of(app))) {
            out.extend(instances(app, &shown.filter).into_iter().map(|instance| Row::Instance(app, instance)));
        }
    }
    out
}

/// The app's instances that pass the filter: all, when the app itself passes it.
pub fn instances<'a>(app: &'a App, filter: &str) -> Vec<&'a Instance> {
    let all: Vec<&Instance> = app.instances.iter().collect();
    if filter.is_empty() || filter.starts_with('!') || app_matches(app, filter) {
        return all;
    }
    all.into_iter().filter(|instance| instance_matches(instance, filter)).collect()
}

/// The app with that key.
pub fn app<'a>(fleet: &'a Fleet, key: &AppKey) -> Option<&'a App> {
    fleet.apps.iter().find(|app| app.managed == key.managed && app.id == key.id)
}

fn matches(app: &App, filter: &str) -> bool {
    match filter.strip_prefix('!') {
        Some("") => true,
        Some(unwanted) => !app_matches(app, unwanted),
        None => {
            filter.is_empty()
                || app_matches(app, filter)
                || app.instances.iter().any(|instance| instance_matches(instance, filter))
        }
    }
}

fn app_matches(app: &App, text: &str) -> bool {
    contains(&app.id.to_string(), text) || app.image().is_some_and(|image| contains(image, text))
}

fn instance_matches(instance: &Instance, text: &str) -> bool {
    contains(&instance.name.0, text)
        || instance.address().is_some_and(|address| contains(address, text))
        || contains(words::state(instance).word, text)
}

fn contains(text: &str, part: &str) -> bool {
    text.to_lowercase().contains(&part.to_lowercase())
}
