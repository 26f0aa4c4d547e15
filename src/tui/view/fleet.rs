//! The home screen: apps, instances, the last operation.
//!
//! ```text
//! narrow                                 wide
//! ┌ header ──────────────────────┐       ┌ header ─────────────────────────────────────┐
//! │ APP / INSTANCE  STATE  …     │       │╭ Apps ──────────╮╭ shop/web · 4/4 ready … ──╮│
//! │ shop/web        ● 4/4        │       ││ shop/web  ● 4/4 ││ web-1  ● ready  172…     ││
//! │   web-1         ● ready      │       ││ …               │├ Last operation · … ──────┤│
//! │ last operation in one line   │       │╰─────────────────╯╰──────────────────────────╯│
//! └ hints ───────────────────────┘       └ hints ──────────────────────────────────────┘
//! ```

use super::super::keymap::{Action, Place};
use super::super::model::Model;
use super::super::rows::{self, AppKey, Row, RowId};
use super::super::text;
use super::super::theme::Role;
use super::super::words::{self, Word};
use super::pen::{Pen, Spans};
use super::table::{self, Cells, Column, Style};
use super::{message, page, strip};
use crate::domain::balancer::Standing;
use crate::domain::fleet::{App, Fleet, FleetState, Instance};
use ratatui::layout::Rect;

/// The tree of a narrow screen.
const TREE: [Column; 9] = [
    Column::new("APP / INSTANCE", 14, 32, 0),
    Column::new("STATE", 14, 14, 0),
    Column::new("ADDRESS", 15, 39, 1),
    Column::new("HELD", 10, 10, 0),
    Column::new("TRAFFIC", 12, 14, 1),
    Column::images("IMAGE", 9, 2),
    Column::figures("REV", 4, 4),
    Column::figures("UP", 3, 3),
    Column::new("PORTS", 11, 40, 5),
];

/// The left pane of a wide screen.
const APPS: [Column; 5] = [
    Column::new("APP", 12, 32, 0),
    Column::new("READY", 6, 12, 0),
    Column::images("IMAGE", 9, 1),
    Column::figures("REV", 4, 2),
    Column::new("HELD", 10, 10, 0),
];

/// The right pane of a wide screen.
const INSTANCES: [Column; 10] = [
    Column::new("INSTANCE", 10, 32, 0),
    Column::new("STATE", 14, 14, 0),
    Column::new("ADDRESS", 15, 39, 0),
    Column::new("HELD", 10, 10, 0),
    Column::new("TRAFFIC", 12, 14, 1),
    Column::figures("REV", 4, 2),
    Column::figures("UP", 3, 1),
    Column::new("PORTS", 11, 34, 3),
    Column::images("IMAGE", 10, 4),
    Column::new("CONTAINER", 12, 12, 5),
];

/// Draws the fleet, or why there is none.
pub fn draw(pen: &mut Pen<'_>, model: &Model, mut area: Rect) {
    if !model.left_open.is_empty() && model.fleet().is_some() && area.height > 6 {
        left_open(pen, model, Rect { height: 1, ..area });
        area = Rect { y: area.y + 1, height: area.height - 1, ..area };
    }
    match (&model.state, model.fleet()) {
        (FleetState::Loading, _) => message::loading(pen, area),
        (FleetState::Stale { error, retry_in, .. }, None) => message::no_engine(pen, model, area, error, *retry_in),
        (_, Some(fleet)) if fleet.apps.is_empty() => message::empty(pen, model, area),
        (_, Some(fleet)) if model.is_wide() => wide(pen, model, fleet, area),
        (_, Some(fleet)) => narrow(pen, model, fleet, area),
        (FleetState::Live(_), None) => {}
    }
}

/// What was left half-done, and the keys for it.
fn left_open(pen: &mut Pen<'_>, model: &Model, area: Rect) {
    let Some(one) = model.left() else { return };
    let key = |action| model.keys.key(Place::Fleet, action).unwrap_or_default().to_owned();
    let mut keys: Spans = Vec::new();
    for action in [Action::Resume, Action::TakeBack].into_iter().filter(|_| !model.read_only) {
        keys.extend([(format!("  {}", key(action)), Role::Key), (format!(" {}", action.hint()), Role::Dim)]);
    }
    let right = pen.spans_right(area.x, area.y, area.right().saturating_sub(1), &keys);
    let text = match model.left_open.len() {
        1 => one.sentence(model.wall),
        more => format!("{more} left half-done, here: {}", one.title()),
    };
    let x = pen.put(area.x + 1, area.y, right, &format!("{} ", pen.glyphs().warn), Role::Warn);
    pen.put(x, area.y, right, &text, Role::Warn);
}

fn narrow(pen: &mut Pen<'_>, model: &Model, fleet: &Fleet, area: Rect) {
    let below = u16::from(!model.operations.is_empty() && area.height > 6);
    let list = Rect { height: area.height - below, ..area };
    let rows = rows::rows(fleet, &model.list.shown, true);
    if rows.is_empty() {
        return message::no_match(pen, model, list);
    }
    let cells: Vec<Cells> = rows.iter().map(|row| tree_cells(pen, model, row)).collect();
    let style = Style { selected: selected(model, &rows), focused: true, stale: model.is_stale() };
    table::draw(pen, list, &TREE, &cells, style);
    if below > 0 {
        strip::line(pen, model, Rect { y: list.bottom(), height: 1, ..area });
    }
}

fn wide(pen: &mut Pen<'_>, model: &Model, fleet: &Fleet, area: Rect) {
    let rows = rows::rows(fleet, &model.list.shown, false);
    if rows.is_empty() {
        return message::no_match(pen, model, area);
    }
    let left = Rect { width: (area.width * 2 / 5).clamp(40, 72), ..area };
    let right = Rect { x: left.right(), width: area.width - left.width, ..area };
    let on_instances = matches!(model.list.cursor, Some(RowId::Instance(..)));
    let border = |focused: bool| if focused { Role::Focus } else { Role::Rule };

    let mut title = vec![("Apps".to_owned(), Role::Title)];
    title.extend(list_notes(model));
    let inside = pen.frame(left, &title, border(!on_instances));
    let cells: Vec<Cells> = rows.iter().map(|row| app_cells(pen, model, row)).collect();
    let style = Style { selected: selected_app(model, &rows), focused: !on_instances, stale: model.is_stale() };
    table::draw(pen, inside, &APPS, &cells, style);

    let Some(app) = model.app() else {
        let title = [("unmanaged".to_owned(), Role::Title)];
        let inside = pen.frame(right, &title, Role::Rule);
        return message::unmanaged(pen, inside);
    };
    let strip_height = if model.operations.is_empty() { 0 } else { strip::height(model).min(right.height / 3) };
    let inside = pen.frame(right, &app_title(pen, app), border(on_instances));
    let instances = rows::instances(app, &model.list.shown.filter);
    let cells: Vec<Cells> = instances.iter().map(|instance| instance_cells(pen, model, app, instance)).collect();
    let selected = match &model.list.cursor {
        Some(RowId::Instance(_, name)) => instances.iter().position(|instance| instance.name == *name),
        _ => None,
    };
    let style = Style { selected, focused: on_instances, stale: model.is_stale() };
    let list = Rect { height: inside.height.saturating_sub(strip_height), ..inside };
    table::draw(pen, list, &INSTANCES, &cells, style);
    let shown = selected.unwrap_or(0);
    if let Some(instance) = instances.get(shown) {
        let used = u16::try_from(instances.len()).unwrap_or(u16::MAX).saturating_add(2);
        let rest = Rect { y: list.y.saturating_add(used), height: list.height.saturating_sub(used), ..list };
        about(pen, model, app, instance, right, rest, border(on_instances));
    }
    if strip_height > 1 {
        pen.divider(right, list.bottom(), &strip::title(pen, model), border(on_instances));
        let body = Rect { y: list.bottom() + 1, height: strip_height - 1, ..inside };
        strip::bars(pen, model, body);
    }
}

/// The room below a few instances tells of the one under the cursor.
fn about(pen: &mut Pen<'_>, model: &Model, app: &App, instance: &Instance, frame: Rect, area: Rect, border: Role) {
    const WORTH: u16 = 7;
    if area.height < WORTH {
        return;
    }
    pen.divider(frame, area.y, &[(instance.name.short().to_owned(), Role::Title)], border);
    let lines =
        page::instance_lines(pen.look.glyphs.dots, model, app, instance, usize::from(area.width.saturating_sub(2)));
    for (y, line) in (area.y + 1..area.bottom()).zip(&lines) {
        let line: Spans = if model.is_stale() {
            line.iter().map(|(content, _)| (content.clone(), Role::Stale)).collect()
        } else {
            line.clone()
        };
        pen.spans(area.x + 1, y, area.right(), &line);
    }
}

fn selected(model: &Model, rows: &[Row<'_>]) -> Option<usize> {
    let cursor = model.list.cursor.as_ref()?;
    rows.iter().position(|row| row.id() == *cursor)
}

/// In the pane of apps, an instance's app counts as selected.
fn selected_app(model: &Model, rows: &[Row<'_>]) -> Option<usize> {
    let cursor = match model.list.cursor.as_ref()? {
        RowId::Instance(key, _) => RowId::App(key.clone()),
        other => other.clone(),
    };
    rows.iter().position(|row| row.id() == cursor)
}

/// Filter, sort and marks, when they are not as usual.
fn list_notes(model: &Model) -> Spans {
    let mut notes = Vec::new();
    if !model.list.shown.filter.is_empty() {
        notes.push((format!("  /{}", model.list.shown.filter), Role::Mark));
    }
    if model.list.shown.sort == rows::Sort::Trouble {
        notes.push(("  trouble first".to_owned(), Role::Dim));
    }
    if !model.list.marks.is_empty() {
        notes.push((format!("  {} marked", model.list.marks.len()), Role::Mark));
    }
    notes
}

fn app_title(pen: &Pen<'_>, app: &App) -> Spans {
    let sep = (format!(" {} ", pen.glyphs().sep), Role::Rule);
    let ready = words::readiness(app);
    let mut title = vec![
        (app.id.to_string(), Role::Title),
        sep.clone(),
        (format!("{}/{} ready", app.ready(), app.instances.len()), ready.role),
    ];
    if let Some(image) = app.image() {
        title.extend([sep.clone(), (text::image(image, 36, pen.glyphs().dots), Role::Text)]);
    }
    if let Some(revision) = app.revision() {
        title.extend([sep.clone(), (format!("revision {revision}"), Role::Dim)]);
    }
    if !app.managed {
        title.extend([sep, ("unmanaged".to_owned(), Role::Dim)]);
    }
    title
}

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

fn group(pen: &Pen<'_>, model: &Model, count: usize) -> Spans {
    let folded = model.list.shown.folded.contains(&RowId::Unmanaged);
    let sign = if folded { pen.glyphs().shut } else { pen.glyphs().open };
    vec![(format!("{sign} unmanaged"), Role::Dim), (format!("  {count}"), Role::Dim)]
}

fn ratio(pen: &Pen<'_>, app: &App) -> Spans {
    let word = words::readiness(app);
    vec![(format!("{} {}/{}", word.symbol.of(pen.glyphs()), app.ready(), app.instances.len()), word.role)]
}

fn app_cells(pen: &Pen<'_>, model: &Model, row: &Row<'_>) -> Cells {
    let mut cells = vec![Spans::new(); 5];
    match row {
        Row::Unmanaged(count) => {
            cells[0] = vec![marker(pen, model, &RowId::Unmanaged)];
            if !model.list.marks.contains(&RowId::Unmanaged) {
                cells[0].clear();
            }
            cells[0].extend(group(pen, model, *count));
        }
        Row::App(app) | Row::Instance(app, _) => {
            cells[0] = vec![marker(pen, model, &row.id()), (app.id.to_string(), Role::Text)];
            cells[1] = ratio(pen, app);
            cells[2] = image_cell(app.image());
            cells[3] = revision(app.revision());
            cells[4] = said(pen, words::held_app(app));
        }
    }
    cells
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
    let Some(app) = instance.app.as_ref().filter(|app| app.is_running()) else { return Vec::new() };
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
fn traffic_cell(pen: &Pen<'_>, model: &Model, instance: &Instance) -> Spans {
    let servers = model.traffic.get(&instance.name).into_iter().flatten();
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

fn instance_cells(pen: &Pen<'_>, model: &Model, app: &App, instance: &Instance) -> Cells {
    let id = RowId::Instance(AppKey::of(app), instance.name.clone());
    vec![
        vec![marker(pen, model, &id), (instance.name.short().to_owned(), Role::Text)],
        state_cell(pen, instance),
        address_cell(instance),
        said(pen, words::held(instance)),
        traffic_cell(pen, model, instance),
        revision(instance.revision()),
        up_cell(model, instance),
        ports_cell(instance),
        instance.app.as_ref().map_or_else(Vec::new, |app| image_cell(Some(&app.image))),
        instance.app.as_ref().map_or_else(Vec::new, |app| vec![(app.id.short().to_owned(), Role::Dim)]),
    ]
}

/// A row of the tree: an app of one instance tells that instance's state too.
fn tree_cells(pen: &Pen<'_>, model: &Model, row: &Row<'_>) -> Cells {
    let mut cells = vec![Spans::new(); 9];
    match row {
        Row::Unmanaged(count) => cells[0] = group(pen, model, *count),
        Row::App(app) => {
            cells[0] = vec![marker(pen, model, &row.id()), (app.id.to_string(), Role::Text)];
            cells[3] = said(pen, words::held_app(app));
            cells[5] = image_cell(app.image());
            cells[6] = revision(app.revision());
            if let [instance] = &app.instances[..] {
                cells[1] = state_cell(pen, instance);
                cells[2] = address_cell(instance);
                cells[4] = traffic_cell(pen, model, instance);
                cells[7] = up_cell(model, instance);
                cells[8] = ports_cell(instance);
            } else {
                cells[1] = ratio(pen, app);
                if model.list.shown.folded.contains(&row.id()) {
                    cells[2] = vec![(format!("{} folded", pen.glyphs().shut), Role::Dim)];
                } else {
                    cells[3] = Vec::new();
                }
            }
        }
        Row::Instance(app, instance) => {
            cells[0] = vec![marker(pen, model, &row.id()), (format!("  {}", instance.name.short()), Role::Text)];
            cells[1] = state_cell(pen, instance);
            cells[2] = address_cell(instance);
            cells[3] = said(pen, words::held(instance));
            cells[4] = traffic_cell(pen, model, instance);
            let image = instance.app.as_ref().map(|app| &*app.image);
            // What all share stands in the app's row.
            if image != app.image() {
                cells[5] = image_cell(image);
            }
            if instance.revision() != app.revision() {
                cells[6] = revision(instance.revision());
            }
            cells[7] = up_cell(model, instance);
            cells[8] = ports_cell(instance);
        }
    }
    cells
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
