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

use super::super::engine::{Engine, EngineId};
use super::super::keymap::{Action, Place};
use super::super::model::{Model, Screen};
use super::super::rows::{self, Row, RowId};
use super::super::text;
use super::super::theme::Role;
use super::super::words;
use super::pen::{Pen, Spans};
use super::table::{self, Column, Style};
use super::{cells, message, strip};
use crate::domain::fleet::{App, FleetState, Instance};
use crate::domain::ids::ContainerId;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// One list: addresses and what holds them first.
const TREE: [Column; 12] = [
    Column::new("APP / INSTANCE", 14, 32, 0),
    Column::new("STATE", 14, 14, 0),
    Column::new("ADDRESS", 15, 39, 1),
    Column::new("HELD", 10, 10, 0),
    Column::new("TRAFFIC", 12, 14, 1),
    Column::figures("CPU", 4, 3),
    Column::figures("MEM", 4, 4),
    Column::images("IMAGE", 9, 2),
    Column::figures("REV", 4, 6),
    Column::figures("UP", 3, 5),
    Column::new("PORTS", 11, 40, 7),
    Column::new("CONTAINER", 12, 12, 8),
];

/// The same list where it is narrow and wide was asked for: what runs and what it takes first.
const OTHER: [Column; 12] = [
    Column::new("APP / INSTANCE", 14, 32, 0),
    Column::new("STATE", 14, 14, 0),
    Column::new("ADDRESS", 15, 39, 6),
    Column::new("HELD", 10, 10, 5),
    Column::new("TRAFFIC", 12, 14, 4),
    Column::figures("CPU", 4, 0),
    Column::figures("MEM", 4, 0),
    Column::images("IMAGE", 9, 1),
    Column::figures("REV", 4, 2),
    Column::figures("UP", 3, 1),
    Column::new("PORTS", 11, 40, 3),
    Column::new("CONTAINER", 12, 12, 8),
];

/// The left pane of a wide screen.
const APPS: [Column; 5] = [
    Column::new("APP", 12, 32, 0),
    Column::new("READY", 6, 12, 0),
    Column::images("IMAGE", 9, 2),
    Column::figures("REV", 4, 3),
    Column::new("HELD", 10, 10, 0),
];

/// The right pane of a wide screen.
const INSTANCES: [Column; 12] = [
    Column::new("INSTANCE", 10, 32, 0),
    Column::new("STATE", 14, 14, 0),
    Column::new("ADDRESS", 15, 39, 0),
    Column::new("HELD", 10, 10, 0),
    Column::new("TRAFFIC", 12, 14, 1),
    Column::figures("CPU", 4, 1),
    Column::figures("MEM", 4, 1),
    Column::figures("REV", 4, 3),
    Column::figures("UP", 3, 2),
    Column::new("PORTS", 11, 34, 4),
    Column::images("IMAGE", 10, 5),
    Column::new("CONTAINER", 12, 12, 6),
];

/// Draws the fleets, or why there is none.
pub fn draw(pen: &mut Pen<'_>, model: &Model, mut area: Rect) {
    if !model.here().left_open.is_empty() && model.fleet().is_some() && area.height > 6 {
        left_open(pen, model, Rect { height: 1, ..area });
        area = Rect { y: area.y + 1, height: area.height - 1, ..area };
    }
    // Of several, each has a row that says how it is.
    if !model.engines.are_several() {
        match (&model.here().state, model.fleet()) {
            (FleetState::Loading, _) => return message::loading(pen, area),
            (FleetState::Stale { error, .. }, None) => return message::no_engine(pen, model, area, error),
            (_, Some(fleet)) if fleet.apps.is_empty() => return message::empty(pen, model, area),
            _ => {}
        }
    }
    if model.is_wide() { wide(pen, model, area) } else { narrow(pen, model, area) }
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
    let (here, on) = (model.here(), model.on(model.here().id));
    let text = match here.left_open.len() {
        1 => format!("{}{on}", one.sentence(model.wall)),
        more => format!("{more} left half-done{on}, here: {}", one.title()),
    };
    let x = pen.put(area.x + 1, area.y, right, &format!("{} ", pen.glyphs().warn), Role::Warn);
    pen.put(x, area.y, right, &text, Role::Warn);
}

fn narrow(pen: &mut Pen<'_>, model: &Model, area: Rect) {
    let list = narrow_list(model, area);
    let rows = rows::rows(&model.engines, &model.list.shown, true);
    if rows.is_empty() {
        return message::no_match(pen, model, list);
    }
    let other = model.list.shown.flat && model.size.0 < super::super::model::WIDE;
    let columns = if other { &OTHER } else { &TREE };
    let style = Style { selected: selected(model, &rows), ..style(model, true) };
    table::draw(pen, list, columns, rows.len(), &|pen, row| cells::tree(pen, model, &rows[row]), style);
    if list.height < area.height {
        strip::line(pen, model, Rect { y: list.bottom(), height: 1, ..area });
    }
}

/// Where the list is; the last operation has a line below it.
fn narrow_list(model: &Model, area: Rect) -> Rect {
    let below = u16::from(!model.operations.is_empty() && area.height > 6);
    Rect { height: area.height - below, ..area }
}

fn style(model: &Model, focused: bool) -> Style<'_> {
    let shown = &model.list.shown;
    let (sorted, reversed, hidden) = (shown.sort.titles(), shown.reversed, &shown.hidden[..]);
    Style { selected: None, focused, sorted, reversed, hidden }
}

fn wide(pen: &mut Pen<'_>, model: &Model, area: Rect) {
    let rows = rows::rows(&model.engines, &model.list.shown, false);
    if rows.is_empty() {
        return message::no_match(pen, model, area);
    }
    // A terminal may be smaller already than the model has heard.
    let left = Rect { width: (area.width * 2 / 5).clamp(40, 72).min(area.width), ..area };
    let right = Rect { x: left.right(), width: area.width - left.width, ..area };
    let on_instances = matches!(model.list.cursor, Some(RowId::Instance(..)));
    let border = |focused: bool| if focused { Role::Focus } else { Role::Rule };

    let mut title = vec![("Apps".to_owned(), Role::Title)];
    title.extend(list_notes(model));
    let inside = pen.frame(left, &title, border(!on_instances));
    let style_left = Style { selected: selected_app(model, &rows), ..style(model, !on_instances) };
    table::draw(pen, inside, &APPS, rows.len(), &|pen, row| cells::app(pen, model, &rows[row]), style_left);

    let engine = model.here();
    let Some(app) = model.app() else {
        let title = match &model.list.cursor {
            Some(RowId::Engine(_)) => engine.place(),
            _ => "unmanaged",
        };
        let inside = pen.frame(right, &[(title.to_owned(), Role::Title)], Role::Rule);
        return match &model.list.cursor {
            Some(RowId::Engine(_)) => message::engine(pen, model, engine, inside),
            _ => message::unmanaged(pen, inside),
        };
    };
    let strip_height = if model.operations.is_empty() { 0 } else { strip::height(model).min(right.height / 3) };
    let inside = pen.frame(right, &app_title(pen, app), border(on_instances));
    let instances = rows::instances(app, &model.list.shown, &engine.loads);
    let selected = match &model.list.cursor {
        Some(RowId::Instance(_, name)) => instances.iter().position(|instance| instance.name == *name),
        _ => None,
    };
    let style = Style { selected, ..style(model, on_instances) };
    let list = Rect { height: inside.height.saturating_sub(strip_height), ..inside };
    let row_cells = |pen: &Pen<'_>, row: usize| cells::instance(pen, model, engine, app, instances[row]);
    table::draw(pen, list, &INSTANCES, instances.len(), &row_cells, style);
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
    let rows = super::instance::page(model, app, instance, usize::from(area.width.saturating_sub(2)));
    for (y, row) in (area.y + 1..area.bottom()).zip(&rows) {
        pen.spans(area.x + 1, y, area.right(), &row.spans);
    }
}

/// The row under the cursor in words.
pub fn line(model: &Model) -> Option<String> {
    let rows = model.rows();
    let row = rows.get(selected(model, &rows)?)?;
    let mut buffer = Buffer::empty(Rect::ZERO);
    let pen = Pen { buffer: &mut buffer, look: &model.look };
    let cells = match row {
        Row::Instance(engine, app, instance) => cells::instance(&pen, model, engine, app, instance),
        Row::App(..) => cells::tree(&pen, model, row),
        Row::Group(..) | Row::Engine(_) => return None,
    };
    // The first cell begins with the cursor's own mark.
    let skip = |(i, spans): (usize, Spans)| spans.into_iter().skip(usize::from(i == 0)).map(|(text, _)| text).collect();
    let cells: Vec<String> = cells.into_iter().enumerate().map(skip).collect();
    let said: Vec<&str> = cells.iter().map(|cell| cell.trim()).filter(|cell| !cell.is_empty()).collect();
    Some(said.join("  "))
}

fn selected(model: &Model, rows: &[Row<'_>]) -> Option<usize> {
    let cursor = model.list.cursor.as_ref()?;
    rows.iter().position(|row| row.is(cursor))
}

/// In the pane of apps, an instance's app counts as selected.
fn selected_app(model: &Model, rows: &[Row<'_>]) -> Option<usize> {
    let cursor = match model.list.cursor.as_ref()? {
        RowId::Instance(key, _) => RowId::App(key.clone()),
        other => other.clone(),
    };
    rows.iter().position(|row| row.is(&cursor))
}

/// Filter, sort and marks, when they are not as usual.
pub fn list_notes(model: &Model) -> Spans {
    let mut notes = Vec::new();
    let shown = &model.list.shown;
    if model.here().is_stale() && model.is_wide() && !model.engines.are_several() {
        notes.push((format!("  {} stale", model.look.glyphs.stale), Role::Warn));
    }
    if !model.list.marks.is_empty() {
        notes.push((format!("  {} {} marked", model.look.glyphs.mark, model.list.marks.len()), Role::Mark));
    }
    if !shown.filter.is_empty() {
        notes.push((format!("  /{}", shown.filter), Role::Mark));
    }
    if shown.sort == rows::Sort::Trouble {
        notes.push(("  trouble first".to_owned(), Role::Dim));
    } else if shown.sort.is_load() && model.is_wide() {
        notes.push((format!("  by {}", shown.sort.word()), Role::Dim));
    }
    notes
}

/// Containers whose load is on screen: nobody measures what nobody sees. Sorting by load needs that of all, within reason.
pub fn watched(model: &Model) -> Vec<(EngineId, ContainerId)> {
    const MOST: usize = 200;
    let of = |engine: &Engine, instance: &Instance| {
        let app = instance.app.as_ref().filter(|app| app.is_running() && engine.is_live());
        app.map(|app| (engine.id, app.id.clone()))
    };
    if let Screen::Instance(key, name) = &model.screen {
        let shown = model.engines.app(key).into_iter();
        let shown = shown.flat_map(|(engine, app)| app.instances.iter().map(move |instance| (engine, instance)));
        return shown.filter(|(_, one)| one.name == *name).filter_map(|(engine, one)| of(engine, one)).collect();
    }
    if model.screen != Screen::Fleet {
        return Vec::new();
    }
    if model.list.shown.sort.is_load() {
        let all = model.engines.iter().filter_map(|engine| Some((engine, engine.fleet()?)));
        let all = all.flat_map(|(engine, fleet)| fleet.apps.iter().map(move |app| (engine, app)));
        let all = all.flat_map(|(engine, app)| app.instances.iter().filter_map(move |one| of(engine, one)));
        return all.take(MOST).collect();
    }
    let body = Rect::new(0, 1, model.size.0, model.size.1.saturating_sub(2));
    let height = usize::from(narrow_list(model, body).height.saturating_sub(1));
    if model.is_wide() {
        let (engine, Some(app)) = (model.here(), model.app()) else { return Vec::new() };
        let instances = rows::instances(app, &model.list.shown, &engine.loads);
        let at = match &model.list.cursor {
            Some(RowId::Instance(_, name)) => instances.iter().position(|one| one.name == *name),
            _ => None,
        };
        let first = table::window(at.unwrap_or(0), instances.len(), height);
        return instances.into_iter().skip(first).take(height).filter_map(|one| of(engine, one)).collect();
    }
    let rows = model.rows();
    let first = table::window(selected(model, &rows).unwrap_or(0), rows.len(), height);
    let on_screen = rows.iter().skip(first).take(height);
    on_screen
        .filter_map(|row| match row {
            Row::Instance(engine, _, instance) => of(engine, instance),
            Row::App(engine, app) if app.instances.len() == 1 => of(engine, &app.instances[0]),
            _ => None,
        })
        .collect()
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
