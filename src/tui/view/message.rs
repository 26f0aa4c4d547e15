//! What stands in the middle of the screen when there are no rows: why, and what to do.

use super::super::engine::Engine;
use super::super::keymap::Action;
use super::super::model::Model;
use super::super::text;
use super::super::theme::Role;
use super::cells;
use super::pen::{Pen, Spans, spans_width};
use crate::domain::fleet::FleetState;
use ratatui::layout::Rect;

/// Before the first list.
pub fn loading(pen: &mut Pen<'_>, area: Rect) {
    let dots = pen.glyphs().dots;
    centred(pen, area, &[vec![(format!("reading the engine{dots}"), Role::Dim)]]);
}

/// An engine without containers.
pub fn empty(pen: &mut Pen<'_>, model: &Model, area: Rect) {
    let lines = [
        vec![("No containers on this engine".to_owned(), Role::Title)],
        vec![],
        key_line(model, Action::Create, "creates apps from a Compose file in this directory"),
        key_line(model, Action::Help, "shows all keys"),
        vec![],
        vec![("from a shell: ".to_owned(), Role::Dim), ("pitstop create -f compose.yaml".to_owned(), Role::Text)],
    ];
    centred(pen, area, &lines);
}

/// The filter hides everything.
pub fn no_match(pen: &mut Pen<'_>, model: &Model, area: Rect) {
    let lines = [
        vec![("Nothing matches ".to_owned(), Role::Dim), (model.list.shown.filter.clone(), Role::Title)],
        key_line(model, Action::Back, "shows everything again"),
    ];
    centred(pen, area, &lines);
}

/// What was looked at has gone.
pub fn gone(pen: &mut Pen<'_>, model: &Model, area: Rect) {
    let lines = [
        vec![("This instance is no longer there".to_owned(), Role::Title)],
        key_line(model, Action::Back, "back to the fleet"),
    ];
    centred(pen, area, &lines);
}

/// In the right pane, when the cursor is on the heading of unmanaged containers.
pub fn unmanaged(pen: &mut Pen<'_>, area: Rect) {
    let width = usize::from(area.width.saturating_sub(4)).min(64);
    let paragraphs = [
        "Containers that pitstop did not create: from docker run, Compose, Swarm.",
        "",
        "They restart in place like others. No sandbox holds their address, so they restart one at a time per network, \
         and what happened to the address is observed, never promised.",
        "",
        "`:adopt` gives them a sandbox that holds their address; its plan says before what is kept.",
    ];
    let lines: Vec<Spans> =
        paragraphs.iter().flat_map(|p| text::wrap(p, width)).map(|line| vec![(line, Role::Dim)]).collect();
    for (i, line) in lines.iter().enumerate().take(usize::from(area.height.saturating_sub(1))) {
        pen.spans(area.x + 2, area.y + 1 + u16::try_from(i).unwrap_or(0), area.right(), line);
    }
}

/// In the right pane, when the cursor is on the heading of an engine: who it is, and how it is.
pub fn engine(pen: &mut Pen<'_>, model: &Model, engine: &Engine, area: Rect) {
    const LABEL: usize = 10;
    let width = usize::from(area.width.saturating_sub(4));
    let mut lines: Vec<Spans> = Vec::new();
    let mut say = |label: &str, content: &str, role: Role| {
        let parts = content.lines().flat_map(|line| text::wrap(line, width.saturating_sub(LABEL)));
        for (i, part) in parts.enumerate() {
            let label = if i == 0 { label } else { "" };
            lines.push(vec![(format!("{label:<LABEL$}"), Role::Dim), (part, role)]);
        }
    };
    let (state, role) = cells::connection(pen, engine);
    say("", &state, role);
    if let FleetState::Stale { error, since, .. } = &engine.state {
        say("since", &since.to_zoned(model.zone.clone()).strftime("%H:%M:%S").to_string(), Role::Text);
        say("why", error, Role::Bad);
        say("", &engine.next_try(model.now).unwrap_or_default(), Role::Dim);
    }
    if let Some(fleet) = engine.fleet() {
        let info = &fleet.engine;
        say("engine", &format!("{} {}, API {}", info.product(), info.version, info.api_version), Role::Text);
        say("at", &info.host, Role::Text);
        let cpus = text::count(usize::try_from(info.cpus).unwrap_or(0), "CPU");
        say("machine", &format!("{}: {cpus}, {}", info.name, text::memory(info.memory)), Role::Text);
        let instances: usize = fleet.apps.iter().map(|app| app.instances.len()).sum();
        let ready: usize = fleet.apps.iter().map(crate::domain::fleet::App::ready).sum();
        let said =
            format!("{}, {ready} of {}", text::count(fleet.apps.len(), "app"), text::count(instances, "instance"));
        say("has", &format!("{said} ready"), if ready == instances { Role::Text } else { Role::Warn });
    }
    for (y, line) in (area.y + 1..area.bottom()).zip(&lines) {
        pen.spans(area.x + 2, y, area.right(), line);
    }
}

/// No engine was ever reached: what was tried, why it failed, what to do.
pub fn no_engine(pen: &mut Pen<'_>, model: &Model, area: Rect, error: &str) {
    let width = usize::from(area.width.saturating_sub(8)).min(84);
    let mut lines = vec![vec![("No Docker Engine answers".to_owned(), Role::Bad)], vec![]];
    for paragraph in error.split('\n') {
        lines.extend(text::wrap(paragraph, width).into_iter().map(|line| vec![(line, Role::Text)]));
    }
    lines.push(vec![]);
    let advice = [
        ("is it running?", "sudo systemctl start docker"),
        ("no permission?", "sudo usermod -aG docker $USER, then log in again"),
        ("elsewhere?", "pitstop --host URL, --context NAME, or DOCKER_HOST"),
        ("not sure?", "pitstop doctor"),
    ];
    for (question, answer) in advice {
        lines.push(vec![(format!("{question:<16}"), Role::Dim), (answer.to_owned(), Role::Text)]);
    }
    lines.push(vec![]);
    let mut last = vec![(model.here().next_try(model.now).unwrap_or_default(), Role::Dim)];
    if let Some(key) = model.keys.key(model.place(), Action::Resync) {
        last.push((format!(", {key} tries now"), Role::Dim));
    }
    lines.push(last);
    block(pen, area, &lines);
}

fn key_line(model: &Model, action: Action, what: &str) -> Spans {
    let Some(key) = model.keys.key(model.place(), action) else { return Vec::new() };
    vec![(key.to_owned(), Role::Key), (format!("  {what}"), Role::Text)]
}

/// Each line in the middle.
pub fn centred(pen: &mut Pen<'_>, area: Rect, lines: &[Spans]) {
    for (y, line) in from_middle(area, lines) {
        let width = u16::try_from(spans_width(line)).unwrap_or(u16::MAX);
        pen.spans(area.x + area.width.saturating_sub(width) / 2, y, area.right(), line);
    }
}

/// The lines as one block in the middle, left edges aligned.
fn block(pen: &mut Pen<'_>, area: Rect, lines: &[Spans]) {
    let widest = lines.iter().map(|line| spans_width(line)).max().unwrap_or(0);
    let x = area.x + area.width.saturating_sub(u16::try_from(widest).unwrap_or(u16::MAX)) / 2;
    for (y, line) in from_middle(area, lines) {
        pen.spans(x, y, area.right(), line);
    }
}

fn from_middle(area: Rect, lines: &[Spans]) -> impl Iterator<Item = (u16, &Spans)> {
    let height = u16::try_from(lines.len()).unwrap_or(u16::MAX);
    let top = area.y + area.height.saturating_sub(height) / 3;
    (top..area.bottom()).zip(lines)
}
