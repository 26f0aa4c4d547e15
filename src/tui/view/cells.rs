//! What stands in the fleet's columns.

use super::super::engine::Engine;
use super::super::model::Model;
use super::super::rows::{AppKey, Row, RowId};
use super::super::text;
use super::super::theme::Role;
use super::super::words::{self, Word};
use super::pen::{Pen, Spans};
use super::table::Cells;
use crate::domain::balancer::Standing;
use crate::domain::fleet::{App, FleetState, Instance};

fn said(pen: &Pen<'_>, word: Word) -> Spans {
    vec![(format!("{} {}", word.symbol.of(pen.glyphs()), word.word), word.role)]
}

fn marker(pen: &Pen<'_>, model: &Model, id: &RowId) -> (String, Role) {
    if model.list.marks.contains(id) {
        (format!("{} ", pen.glyphs().mark), Role::Mark)
    } else if model.list.cursor.as_ref() == Some(id) {
        (format!("{} ", pen.glyphs().cursor), Role::Mark)
    } else {
        ("  ".to_owned(), Role::Text)
    }
}

/// A heading: what is below it, and how many; of an engine, whether it is there, and what is amiss on it, too. Empty for other rows.
fn heading(pen: &Pen<'_>, model: &Model, row: &Row<'_>) -> Spans {
    let (name, count, role) = match row {
        Row::Group(_, name, count) => (*name, Some(*count), Role::Title),
        Row::Engine(engine) => {
            let role = if model.is_production(engine.id) { Role::Loud } else { Role::Brand };
            (engine.place(), engine.fleet().map(|fleet| fleet.apps.len()), role)
        }
        Row::App(..) | Row::Instance(..) => return Spans::new(),
    };
    let sign = if model.list.shown.folded.contains(&row.id()) { pen.glyphs().shut } else { pen.glyphs().open };
    let mut spans = vec![(format!("{sign} {name}"), role)];
    spans.extend(count.map(|count| (format!("  {count}"), Role::Dim)));
    if let Row::Engine(engine) = row {
        let (state, role) = connection(pen, engine);
        spans.push((format!("  {state}"), role));
        let apps = engine.fleet().into_iter().flat_map(|fleet| &fleet.apps);
        let amiss: usize = apps.map(|app| app.instances.len() - app.ready()).sum();
        spans.extend((amiss > 0).then(|| (format!("  {amiss} not ready"), Role::Warn)));
    }
    spans
}

/// Whether an engine is there, in a word.
pub fn connection(pen: &Pen<'_>, engine: &Engine) -> (String, Role) {
    match &engine.state {
        FleetState::Loading => ("connecting".to_owned(), Role::Dim),
        FleetState::Live(_) => (format!("{} live", pen.glyphs().ready), Role::Good),
        FleetState::Stale { fleet, .. } => {
            let what = if fleet.is_some() { "stale" } else { "away" };
            (format!("{} {what}", pen.glyphs().stale), Role::Warn)
        }
    }
}

/// As old news, where the engine is lost. Loud stays loud: a changed address is news even on an old screen.
fn aged(engine: &Engine, mut cells: Cells) -> Cells {
    if engine.is_stale() {
        cells.iter_mut().flatten().filter(|(_, role)| *role != Role::Loud).for_each(|(_, role)| *role = Role::Stale);
    }
    cells
}

fn ratio(pen: &Pen<'_>, app: &App) -> Spans {
    let word = words::readiness(app);
    vec![(format!("{} {}/{}", word.symbol.of(pen.glyphs()), app.ready(), app.instances.len()), word.role)]
}

/// A row of the left pane.
pub fn app(pen: &Pen<'_>, model: &Model, row: &Row<'_>) -> Cells {
    let mut cells = vec![Spans::new(); 5];
    cells[0] = heading(pen, model, row);
    let engine = match row {
        Row::Engine(_) => return cells,
        Row::Group(engine, ..) => engine,
        Row::App(engine, app) | Row::Instance(engine, app, _) => {
            cells[0] = vec![marker(pen, model, &row.id()), (app.id.to_string(), Role::Text)];
            cells[1] = ratio(pen, app);
            cells[2] = image_cell(app.image());
            cells[3] = revision(app.revision());
            cells[4] = said(pen, words::held_app(app));
            engine
        }
    };
    aged(engine, cells)
}

fn image_cell(image: Option<&str>) -> Spans {
    image.map_or_else(Vec::new, |image| vec![(image.to_owned(), Role::Text)])
}

fn revision(revision: Option<u32>) -> Spans {
    revision.map_or_else(Vec::new, |revision| vec![(format!("r{revision}"), Role::Dim)])
}

/// State with what a person asks next: the exit code of what failed.
fn state_cell(pen: &Pen<'_>, instance: &Instance) -> Spans {
    let mut spans = said(pen, words::state(instance));
    if let Some(code) = words::exit_code(instance).filter(|code| *code != 0) {
        spans.push((format!(" {code}"), Role::Bad));
    }
    spans
}

fn address_cell(instance: &Instance) -> Spans {
    let address = instance.address().map_or_else(Vec::new, |address| vec![(address.to_owned(), Role::Text)]);
    let others = instance.owner().filter(|owner| owner.is_running()).map_or(0, |owner| owner.networks.len());
    if others > 1 && !address.is_empty() {
        return [address, vec![(format!(" +{}", others - 1), Role::Dim)]].concat();
    }
    address
}

fn up_cell(model: &Model, instance: &Instance) -> Spans {
    let Some(app) = instance.app.as_deref().filter(|app| app.is_running()) else { return Vec::new() };
    app.started_at().map_or_else(
        // Not inspected: Docker's own sentence, `Up 3 hours (healthy)`.
        || vec![(short_up(app.status.strip_prefix("Up ").unwrap_or_default()), Role::Dim)],
        |at| vec![(text::age(at, model.wall), Role::Dim)],
    )
}

/// `3 hours` as `3h`, `About a minute` as `1m`.
fn short_up(sentence: &str) -> String {
    let words: Vec<&str> = sentence.split(" (").next().unwrap_or_default().split(' ').collect();
    let (number, unit) = match words[..] {
        ["Less", ..] => return "<1m".to_owned(),
        ["About", "a" | "an", unit] => ("1", unit),
        [number, unit] => (number, unit),
        _ => return sentence.to_owned(),
    };
    match unit {
        "second" | "seconds" => "<1m".to_owned(),
        "minute" | "minutes" => format!("{number}m"),
        "hour" | "hours" => format!("{number}h"),
        "day" | "days" => format!("{number}d"),
        "week" | "weeks" => format!("{number}w"),
        "month" | "months" => format!("{number}mo"),
        _ => sentence.to_owned(),
    }
}

/// Whether its load balancers send it requests, and its sessions there.
fn traffic_cell(pen: &Pen<'_>, engine: &Engine, instance: &Instance) -> Spans {
    let servers = engine.traffic.get(&instance.name).into_iter().flatten();
    let Some((standing, sessions)) = Standing::of(servers.map(|(_, server)| server)) else { return Vec::new() };
    let mut spans = said(pen, words::traffic(standing));
    if sessions > 0 {
        spans.push((format!(" {sessions}"), Role::Dim));
    }
    spans
}

fn ports_cell(instance: &Instance) -> Spans {
    let Some(owner) = instance.owner() else { return Vec::new() };
    let mut ports: Vec<String> = owner
        .ports
        .iter()
        .filter_map(|port| port.host.as_ref().map(|(_, host)| (host, port)))
        .map(|(host, port)| {
            let protocol = if port.protocol == "tcp" { String::new() } else { format!("/{}", port.protocol) };
            format!("{host}:{}{protocol}", port.container)
        })
        .collect();
    ports.sort();
    ports.dedup();
    if ports.is_empty() { Vec::new() } else { vec![(ports.join(" "), Role::Dim)] }
}

/// A row of the right pane.
pub fn instance(pen: &Pen<'_>, model: &Model, engine: &Engine, app: &App, instance: &Instance) -> Cells {
    let id = RowId::Instance(AppKey::of(engine, app), instance.name.clone());
    let load = load_cells(engine, instance);
    let [cpu, memory] = load;
    let cells = vec![
        vec![marker(pen, model, &id), (instance.name.short().to_owned(), Role::Text)],
        state_cell(pen, instance),
        address_cell(instance),
        said(pen, words::held(instance)),
        traffic_cell(pen, engine, instance),
        cpu,
        memory,
        revision(instance.revision()),
        up_cell(model, instance),
        ports_cell(instance),
        instance.app.as_deref().map_or_else(Vec::new, |app| image_cell(Some(app.image_name()))),
        container_cell(instance),
    ];
    aged(engine, cells)
}

fn container_cell(instance: &Instance) -> Spans {
    instance.app.as_deref().map_or_else(Vec::new, |app| vec![(app.id.short().to_owned(), Role::Dim)])
}

/// CPU and memory, where they are looked at.
fn load_cells(engine: &Engine, instance: &Instance) -> [Spans; 2] {
    let load = instance.app.as_deref().filter(|app| app.is_running()).and_then(|app| engine.loads.get(&app.id));
    let Some(load) = load else { return [Vec::new(), Vec::new()] };
    let cpu = load.cpu.map_or_else(Vec::new, |milli| {
        let percent = (milli + 5) / 10;
        vec![(format!("{percent}%"), if percent == 0 { Role::Dim } else { Role::Text })]
    });
    // Close to a limit of its own, the kernel is about to kill it.
    let machine = engine.fleet().map_or(0, |fleet| fleet.engine.memory);
    let tight = load.limit > 0 && load.limit < machine && load.memory > load.limit / 10 * 9;
    [cpu, vec![(text::memory(load.memory), if tight { Role::Bad } else { Role::Text })]]
}

/// A row of the tree: an app of one instance tells that instance's state too.
pub fn tree(pen: &Pen<'_>, model: &Model, row: &Row<'_>) -> Cells {
    let mut cells = vec![Spans::new(); 12];
    let own = |cells: &mut Cells, engine: &Engine, instance: &Instance| {
        cells[1] = state_cell(pen, instance);
        cells[2] = address_cell(instance);
        cells[3] = said(pen, words::held(instance));
        cells[4] = traffic_cell(pen, engine, instance);
        [cells[5], cells[6]] = load_cells(engine, instance);
        cells[9] = up_cell(model, instance);
        cells[10] = ports_cell(instance);
        cells[11] = container_cell(instance);
    };
    cells[0] = heading(pen, model, row);
    let engine = match row {
        Row::Engine(_) => return cells,
        Row::Group(engine, ..) => engine,
        Row::App(engine, app) => {
            cells[0] = vec![marker(pen, model, &row.id()), (app.id.to_string(), Role::Text)];
            cells[7] = image_cell(app.image());
            cells[8] = revision(app.revision());
            if let [instance] = &app.instances[..] {
                own(&mut cells, engine, instance);
            } else {
                cells[1] = ratio(pen, app);
                if model.list.shown.folded.contains(&row.id()) {
                    cells[2] = vec![(format!("{} folded", pen.glyphs().shut), Role::Dim)];
                    cells[3] = said(pen, words::held_app(app));
                }
            }
            engine
        }
        Row::Instance(engine, app, instance) => {
            cells[0] = vec![marker(pen, model, &row.id()), (format!("  {}", instance.name.short()), Role::Text)];
            own(&mut cells, engine, instance);
            let image = instance.app.as_deref().map(crate::domain::fleet::Container::image_name);
            // What all share stands in the app's row.
            if image != app.image() {
                cells[7] = image_cell(image);
            }
            if instance.revision() != app.revision() {
                cells[8] = revision(instance.revision());
            }
            engine
        }
    };
    aged(engine, cells)
}

#[cfg(test)]
mod tests {
    #[test]
    fn dockers_sentence_becomes_short() {
        for (sentence, short) in [
            ("3 hours", "3h"),
            ("About a minute", "1m"),
            ("About an hour (healthy)", "1h"),
            ("Less than a second", "<1m"),
            ("42 seconds (health: starting)", "<1m"),
            ("2 weeks", "2w"),
            ("", ""),
        ] {
            assert_eq!(super::short_up(sentence), short, "{sentence}");
        }
    }
}
