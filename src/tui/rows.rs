//! The fleet as rows: what is shown, in which order, after filter, sort, groups and folds.
//!
//! Pure. A row is named by a [`RowId`], which survives updates of the fleet.

use super::engine::{Engine, EngineId, Engines};
use super::filter::Filter;
use super::words;
use crate::domain::fleet::{App, Instance};
use crate::domain::ids::{AppId, ContainerId, InstanceName};
use crate::domain::load::Load;
use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

/// An app's identity on screen: apps of two engines may share a name, and so may a managed and an unmanaged one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AppKey {
    pub engine: EngineId,
    pub managed: bool,
    pub id: AppId,
}

/// What a row is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RowId {
    App(AppKey),
    Instance(AppKey, InstanceName),
    /// The heading of a project's apps, or of all that pitstop has not made.
    Group(EngineId, String),
    /// The heading of an engine, where there are several.
    Engine(EngineId),
}

/// The group of what pitstop has not made.
pub const UNMANAGED: &str = "unmanaged";

/// One row with what it shows.
#[derive(Clone, Copy, Debug)]
pub enum Row<'a> {
    App(&'a Engine, &'a App),
    Instance(&'a Engine, &'a App, &'a Instance),
    /// With the number of apps below it.
    Group(&'a Engine, &'a str, usize),
    Engine(&'a Engine),
}

/// By which column rows are sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    #[default]
    Name,
    State,
    Address,
    Held,
    Cpu,
    Memory,
    Image,
    Revision,
    Up,
    /// What needs somebody most; no column.
    Trouble,
}

/// What decides about rows.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    pub filter: String,
    pub sort: Sort,
    /// The other way round.
    pub reversed: bool,
    /// Folded apps and groups.
    pub folded: BTreeSet<RowId>,
    /// A heading for each project.
    pub by_project: bool,
    /// Titles of columns that are not wanted.
    pub hidden: Vec<&'static str>,
    /// One list of all columns, where there could be two panes.
    pub flat: bool,
}

/// What containers take, by container.
pub type Loads = BTreeMap<ContainerId, Load>;

impl Sort {
    /// Those that are columns, in the order of the columns.
    pub const COLUMNS: [Self; 9] = [
        Self::Name,
        Self::State,
        Self::Address,
        Self::Held,
        Self::Cpu,
        Self::Memory,
        Self::Image,
        Self::Revision,
        Self::Up,
    ];

    /// Titles of the columns it may stand in.
    pub fn titles(self) -> &'static [&'static str] {
        match self {
            Self::Name => &["APP / INSTANCE", "APP", "INSTANCE"],
            Self::State => &["STATE", "READY"],
            Self::Address => &["ADDRESS"],
            Self::Held => &["HELD"],
            Self::Cpu => &["CPU"],
            Self::Memory => &["MEM"],
            Self::Image => &["IMAGE"],
            Self::Revision => &["REV"],
            Self::Up => &["UP"],
            Self::Trouble => &[],
        }
    }

    /// For a sentence.
    pub fn word(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::State => "state",
            Self::Address => "address",
            Self::Held => "hold",
            Self::Cpu => "CPU",
            Self::Memory => "memory",
            Self::Image => "image",
            Self::Revision => "revision",
            Self::Up => "time since start",
            Self::Trouble => "trouble",
        }
    }

    /// It needs to know what every container takes.
    pub fn is_load(self) -> bool {
        matches!(self, Self::Cpu | Self::Memory)
    }

    /// Smaller comes first; names decide between equals.
    fn key(self, app: &App, instances: &[&Instance], loads: &Loads) -> (u64, String) {
        let most = |of: fn(&Load) -> u64| {
            let taken = instances.iter().filter_map(|one| loads.get(&one.app.as_deref()?.id)).map(of).sum::<u64>();
            (u64::MAX - taken, String::new())
        };
        let first = instances.first();
        match self {
            Self::Name => (0, String::new()),
            Self::Trouble => (u64::from(words::trouble(app)), String::new()),
            Self::State => (
                instances.iter().map(|one| words::rank(words::state(one).role)).min().unwrap_or(9).into(),
                String::new(),
            ),
            Self::Held => (
                instances.iter().map(|one| words::rank(words::held(one).role)).min().unwrap_or(9).into(),
                String::new(),
            ),
            Self::Address => {
                let address = first.and_then(|one| one.address()).and_then(|text| text.parse::<Ipv4Addr>().ok());
                (address.map_or(u64::MAX, |address| u32::from(address).into()), String::new())
            }
            Self::Cpu => most(|load| load.cpu.unwrap_or(0)),
            Self::Memory => most(|load| load.memory),
            Self::Image => {
                let image =
                    first.and_then(|one| one.app.as_deref()).map(super::super::domain::fleet::Container::image_name);
                (0, image.unwrap_or_default().to_owned())
            }
            Self::Revision => {
                let revision = instances.iter().filter_map(|one| one.revision()).max();
                (u64::MAX - u64::from(revision.unwrap_or(0)), String::new())
            }
            // What started last is on top: it is what somebody has just done.
            Self::Up => {
                let started = instances.iter().filter_map(|one| one.app.as_deref()?.started_at()).max();
                let seconds = started.and_then(|at| u64::try_from(at.as_second()).ok());
                (u64::MAX - seconds.unwrap_or(0), String::new())
            }
        }
    }
}

impl AppKey {
    pub fn of(engine: &Engine, app: &App) -> Self {
        Self { engine: engine.id, managed: app.managed, id: app.id.clone() }
    }

    fn is(&self, engine: &Engine, app: &App) -> bool {
        engine.id == self.engine && self.names(app)
    }

    /// That app, on whatever engine.
    pub fn names(&self, app: &App) -> bool {
        app.managed == self.managed && app.id == self.id
    }
}

impl Row<'_> {
    pub fn id(&self) -> RowId {
        match self {
            Self::App(engine, app) => RowId::App(AppKey::of(engine, app)),
            Self::Instance(engine, app, instance) => RowId::Instance(AppKey::of(engine, app), instance.name.clone()),
            Self::Group(engine, name, _) => RowId::Group(engine.id, (*name).to_owned()),
            Self::Engine(engine) => RowId::Engine(engine.id),
        }
    }

    /// Whether it is about that; among thousands of rows, cheaper than to name each.
    pub fn is(&self, id: &RowId) -> bool {
        match (self, id) {
            (Self::App(engine, app), RowId::App(key)) => key.is(engine, app),
            (Self::Instance(engine, app, instance), RowId::Instance(key, name)) => {
                instance.name == *name && key.is(engine, app)
            }
            (Self::Group(engine, name, _), RowId::Group(of, other)) => engine.id == *of && name == other,
            (Self::Engine(engine), RowId::Engine(id)) => engine.id == *id,
            _ => false,
        }
    }
}

impl RowId {
    /// The app it belongs to.
    pub fn app(&self) -> Option<&AppKey> {
        match self {
            Self::App(key) | Self::Instance(key, _) => Some(key),
            Self::Group(..) | Self::Engine(_) => None,
        }
    }

    /// The engine it is of.
    pub fn engine(&self) -> EngineId {
        match self {
            Self::App(key) | Self::Instance(key, _) => key.engine,
            Self::Group(engine, _) | Self::Engine(engine) => *engine,
        }
    }

    /// A heading: nothing that could be acted on.
    pub fn is_heading(&self) -> bool {
        matches!(self, Self::Group(..) | Self::Engine(_))
    }

    /// What a request calls it.
    pub fn target(&self) -> Option<String> {
        match self {
            Self::App(key) => Some(key.id.to_string()),
            Self::Instance(_, name) => Some(name.0.clone()),
            Self::Group(..) | Self::Engine(_) => None,
        }
    }
}

/// The group an app belongs to; `None` where it needs no heading.
pub fn group<'a>(app: &'a App, shown: &Shown) -> Option<&'a str> {
    match (shown.by_project, app.managed) {
        (true, _) if app.id.project.is_empty() => Some(UNMANAGED),
        (true, _) => Some(&app.id.project),
        (false, true) => None,
        (false, false) => Some(UNMANAGED),
    }
}

/// Rows of the list, engine by engine; with `tree`, apps of several instances are followed by those.
pub fn rows<'a>(engines: &'a Engines, shown: &Shown, tree: bool) -> Vec<Row<'a>> {
    let filter = Filter::read(&shown.filter);
    let mut out = Vec::new();
    for engine in engines.iter() {
        if engines.are_several() {
            out.push(Row::Engine(engine));
        }
        if !shown.folded.contains(&RowId::Engine(engine.id)) {
            of_engine(engine, shown, &filter, tree, &mut out);
        }
    }
    out
}

fn of_engine<'a>(engine: &'a Engine, shown: &Shown, filter: &Filter, tree: bool, out: &mut Vec<Row<'a>>) {
    let (Some(fleet), loads) = (engine.fleet(), &engine.loads) else { return };
    let mut apps: Vec<&App> = fleet.apps.iter().filter(|app| filter.is_empty() || filter.passes_app(app)).collect();
    if shown.sort != Sort::Name {
        apps.sort_by_cached_key(|app| shown.sort.key(app, &app.instances.iter().collect::<Vec<_>>(), loads));
    }
    if shown.reversed {
        apps.reverse();
    }
    if shown.by_project {
        apps.sort_by_key(|app| (app.id.project.is_empty(), app.id.project.as_str()));
    } else {
        apps.sort_by_key(|app| !app.managed);
    }
    // A list of strangers alone needs no heading.
    let grouped = shown.by_project || apps.iter().any(|app| app.managed);
    let mut sizes: BTreeMap<&str, usize> = BTreeMap::new();
    for group in apps.iter().filter_map(|app| group(app, shown)) {
        *sizes.entry(group).or_default() += 1;
    }
    let mut current = None;
    for app in apps {
        let group = group(app, shown).filter(|_| grouped);
        if let Some(group) = group {
            if current != Some(group) {
                out.push(Row::Group(engine, group, sizes.get(group).copied().unwrap_or(0)));
                current = Some(group);
            }
            if shown.folded.contains(&RowId::Group(engine.id, group.to_owned())) {
                continue;
            }
        }
        out.push(Row::App(engine, app));
        if tree && app.instances.len() > 1 && !shown.folded.contains(&RowId::App(AppKey::of(engine, app))) {
            let instances = sorted(app, filter, shown, loads);
            out.extend(instances.into_iter().map(|instance| Row::Instance(engine, app, instance)));
        }
    }
}

/// The app's instances that pass the filter, in order.
pub fn instances<'a>(app: &'a App, shown: &Shown, loads: &Loads) -> Vec<&'a Instance> {
    sorted(app, &Filter::read(&shown.filter), shown, loads)
}

fn sorted<'a>(app: &'a App, filter: &Filter, shown: &Shown, loads: &Loads) -> Vec<&'a Instance> {
    let passing = |instance: &&Instance| filter.is_empty() || filter.passes(app, instance);
    let mut all: Vec<&Instance> = app.instances.iter().filter(passing).collect();
    match shown.sort {
        Sort::Name => {}
        Sort::Trouble => all.sort_by_cached_key(|one| words::rank(words::state(one).role)),
        sort => all.sort_by_cached_key(|one| sort.key(app, &[one], loads)),
    }
    if shown.reversed {
        all.reverse();
    }
    all
}
