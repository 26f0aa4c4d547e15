//! One instance: identity and evidence first, then what runs in it; or what the engine itself says of its containers.

use super::super::instance::Seen;
use super::super::model::{Model, Screen};
use super::super::text;
use super::super::theme::Role;
use super::super::words;
use super::pen::{Pen, Spans};
use super::{message, table};
use crate::domain::clean::clean;
use crate::domain::fleet::{App, BoundPort, Container, Health, Instance};
use crate::domain::inspection::{Inspection, MASK, Piece};
use crate::domain::spec::{MountKind, RestartPolicy};
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

const LABEL: usize = 14;
/// Lines of a probe's output.
const OUTPUT: usize = 12;

/// A line of the page.
#[derive(Clone, Debug, Default)]
pub struct Row {
    pub spans: Spans,
    /// What it says, without its label and uncut.
    pub content: String,
    /// The variable it is about.
    pub variable: Option<String>,
}

impl Row {
    /// All its words, as searched.
    pub fn text(&self) -> String {
        self.spans.iter().map(|(content, _)| content.as_str()).collect()
    }
}

/// The instance whose page is open, if it is still there.
pub fn shown(model: &Model) -> Option<(&App, &Instance)> {
    let Screen::Instance(key, name) = &model.screen else { return None };
    let (_, app) = model.engines.app(key)?;
    Some((app, app.instances.iter().find(|instance| instance.name == *name)?))
}

/// The lines of the page that is open.
pub fn rows(model: &Model) -> Vec<Row> {
    let Some((app, instance)) = shown(model) else { return Vec::new() };
    match &model.page {
        Some(open) if open.json => documents(model, instance, &open.seen),
        _ => page(model, app, instance, usize::from(model.size.0.saturating_sub(4))),
    }
}

/// Draws the page.
pub fn draw(pen: &mut Pen<'_>, model: &Model, area: Rect) {
    let Some((_, instance)) = shown(model) else {
        let inside = pen.frame(area, &[("gone".to_owned(), Role::Title)], Role::Rule);
        return message::gone(pen, model, inside);
    };
    let open = model.page.clone().unwrap_or_default();
    let state = words::state(instance);
    let sep = (format!(" {} ", pen.glyphs().sep), Role::Rule);
    let mut title = vec![
        (instance.name.0.clone(), Role::Title),
        (format!("  {} {}", state.symbol.of(pen.glyphs()), state.word), state.role),
    ];
    if open.json {
        title.extend([sep.clone(), ("as the engine says".to_owned(), Role::Dim)]);
    }
    if open.tells() {
        title.extend([sep.clone(), (format!("{} secrets shown", pen.glyphs().warn), Role::Warn)]);
    }
    if let Some(search) = &open.search {
        title.extend([sep, (format!("/{}", search.text), Role::Mark)]);
    }
    let inside = pen.frame(area, &title, Role::Rule);
    let (rows, height) = (rows(model), usize::from(inside.height));
    let first = table::window(open.cursor.min(rows.len().saturating_sub(1)), rows.len(), height);
    for (y, (i, row)) in (inside.y..inside.bottom()).zip(rows.iter().enumerate().skip(first)) {
        if i == open.cursor {
            pen.tint(Rect { y, height: 1, ..inside }, Role::Selected);
        }
        let end = inside.right().saturating_sub(1);
        pen.spans(inside.x + 1, y, end, &row.spans);
        let line = row.text();
        for hit in open.search.as_ref().map_or_else(Vec::new, |search| search.places(&line)) {
            let from = inside.x.saturating_add(1).saturating_add(cells(text::width(&line[..hit.start])));
            let width = cells(text::width(&line[hit])).min(end.saturating_sub(from));
            let turned = Style::new().add_modifier(Modifier::REVERSED | Modifier::BOLD);
            let found = Rect { x: from, y, width, height: 1 }.intersection(inside);
            pen.buffer.set_style(found, turned);
        }
    }
    let bar = Rect { height: area.height.saturating_sub(1), ..area };
    table::scrollbar(pen, bar, first, height, rows.len());
}

/// What the engine says, app container first.
fn documents(model: &Model, instance: &Instance, seen: &Seen) -> Vec<Row> {
    let mut rows = Vec::new();
    let parts = [("app container", &instance.app, &seen.app), ("sandbox", &instance.sandbox, &seen.sandbox)];
    for (what, container, said) in parts {
        let Some(container) = container else { continue };
        if !rows.is_empty() {
            rows.push(Row::default());
        }
        rows.push(Row {
            spans: vec![(format!("{what}  "), Role::Dim), (container.name.to_string(), Role::Title)],
            content: container.name.to_string(),
            variable: None,
        });
        match said {
            Some(Ok(inspection)) => rows.extend(document(model, inspection)),
            Some(Err(why)) => rows.push(plain(why, Role::Bad)),
            None => rows.push(plain(&format!("asking the engine{}", model.look.glyphs.dots), Role::Dim)),
        }
    }
    rows
}

fn plain(words: &str, role: Role) -> Row {
    Row { spans: vec![(words.to_owned(), role)], content: words.to_owned(), variable: None }
}

fn document(model: &Model, inspection: &Inspection) -> Vec<Row> {
    let role = |piece| match piece {
        _ if model.here().is_stale() => Role::Stale,
        Piece::Name => Role::Key,
        Piece::Text => Role::Text,
        Piece::Number => Role::Busy,
        Piece::Word => Role::Warn,
        Piece::Mark => Role::Dim,
    };
    let lines = inspection.lines(|name| model.page.as_ref().is_some_and(|page| page.shows(name)));
    lines
        .into_iter()
        .map(|line| {
            let spans: Spans = line.pieces.into_iter().map(|(content, piece)| (content, role(piece))).collect();
            let whole: String = spans.iter().map(|(content, _)| content.as_str()).collect();
            Row { content: whole.trim().trim_end_matches(',').to_owned(), spans, variable: line.variable }
        })
        .collect()
}

/// Collects lines with their labels, folded to a width.
struct Writer {
    rows: Vec<Row>,
    room: usize,
    stale: bool,
}

impl Writer {
    fn say(&mut self, label: &str, content: &str, role: Role) {
        self.variable(label, content, role, None);
    }

    fn variable(&mut self, label: &str, content: &str, role: Role, variable: Option<&str>) {
        let role = if self.stale { Role::Stale } else { role };
        for (i, part) in text::wrap(content, self.room).into_iter().enumerate() {
            let label = if i == 0 { label } else { "" };
            self.rows.push(Row {
                spans: vec![(format!("{label:<LABEL$}"), Role::Dim), (part, role)],
                content: content.to_owned(),
                variable: variable.map(str::to_owned),
            });
        }
    }
}

/// Everything known of an instance, what matters most first.
pub fn page(model: &Model, app: &App, instance: &Instance, width: usize) -> Vec<Row> {
    let mut out = Writer { rows: Vec::new(), room: width.saturating_sub(LABEL), stale: model.here().is_stale() };
    identity(&mut out, model, instance);
    out.say("", "", Role::Text);
    if let Some(container) = &instance.app {
        out.say("image", &container.image, Role::Text);
        out.say("image id", &text::image(&container.image_id, 64, model.look.glyphs.dots), Role::Dim);
        if let Some(revision) = instance.revision() {
            let newest = app.revision().filter(|newest| *newest != revision);
            let note = newest.map_or_else(String::new, |newest| format!(" (the app is at {newest})"));
            out.say("revision", &format!("{revision}{note}"), Role::Text);
        }
        out.say("state", &container.status, Role::Text);
        state(&mut out, container, model);
        health(&mut out, container, model);
        out.say("container", &format!("{}  {}", container.name, container.id.short()), Role::Text);
    }
    if let Some(sandbox) = &instance.sandbox {
        out.say("sandbox", &format!("{}  {}  {}", sandbox.name, sandbox.id.short(), sandbox.status), Role::Text);
    }
    for other in &instance.others {
        out.say("kept beside", &format!("{}  {}", other.name, other.status), Role::Dim);
    }
    let Some(container) = &instance.app else { return out.rows };
    out.say("", "", Role::Text);
    for mount in &container.mounts {
        let kind = match mount.kind {
            MountKind::Volume => "volume",
            MountKind::Bind => "bind",
            MountKind::Tmpfs => "tmpfs",
        };
        let access = if mount.read_only { "  read only" } else { "" };
        out.say(kind, &format!("{}  {}{access}", mount.target, mount.source), Role::Text);
    }
    if let Some(detail) = &container.detail {
        for (name, value) in detail.environment.iter() {
            let revealed = model.page.as_ref().is_some_and(|page| page.shows(name));
            let value = if revealed { clean(value) } else { MASK.to_owned() };
            let role = if revealed { Role::Text } else { Role::Dim };
            out.variable("env", &format!("{}={value}", clean(name)), role, Some(name));
        }
    }
    out.rows
}

fn identity(out: &mut Writer, model: &Model, instance: &Instance) {
    if instance.owner().is_some_and(|owner| owner.detail.is_none()) {
        return out.say("identity", &format!("being read{}", model.look.glyphs.dots), Role::Dim);
    }
    let held = words::held(instance);
    let evidence = match held.word {
        "held" => "a running sandbox owns the network namespace, the app is in it, and the address is pinned",
        "unpinned" => {
            "a running sandbox owns the network namespace, but the engine chose its address: it may move when the engine restarts"
        }
        "loose" => "the container owns its network namespace: the address may move at its next restart",
        "CHANGED" => "the sandbox has another address than the one it is pinned to",
        "orphaned" => "the app started before its sandbox did: it sits in a network namespace that is gone",
        "lost" => "the sandbox does not run: there is no network namespace to be reached in",
        _ => "it does not run, so it has no address",
    };
    let said = format!("{} {}: {evidence}", held.symbol.of(model.look.glyphs), held.word).replace("  ", " ");
    out.say("identity", &said, held.role);
    let Some(owner) = instance.owner() else { return };
    for (network, address) in &owner.networks {
        let parts = [&address.ipv4, &address.ipv6, &address.mac];
        let parts: Vec<&str> =
            std::iter::once(network).chain(parts.into_iter().flatten()).map(String::as_str).collect();
        out.say("network", &parts.join("  "), Role::Text);
    }
    if let Some(detail) = &owner.detail {
        out.say("hostname", &detail.hostname, Role::Text);
        out.say("namespace", &detail.netns, Role::Dim);
    }
    let ports: Vec<String> = owner.ports.iter().map(port).collect();
    if !ports.is_empty() {
        out.say("ports", &ports.join("  "), Role::Text);
    }
}

fn state(out: &mut Writer, container: &Container, model: &Model) {
    let Some(detail) = &container.detail else { return };
    if let Some(at) = detail.started_at {
        out.say("started", &format!("{} ago, {at:.0}", text::age(at, model.wall)), Role::Dim);
    }
    if !container.is_running() {
        let oom = if detail.oom_killed { ", killed for lack of memory" } else { "" };
        out.say("exit code", &format!("{}{oom}", detail.exit_code), Role::Text);
    }
    if !detail.error.is_empty() {
        out.say("error", &detail.error, Role::Bad);
    }
    let policy = match &detail.restart {
        RestartPolicy::No => "no".to_owned(),
        RestartPolicy::Always => "always".to_owned(),
        RestartPolicy::UnlessStopped => "unless stopped".to_owned(),
        RestartPolicy::OnFailure(None) => "on failure".to_owned(),
        RestartPolicy::OnFailure(Some(most)) => format!("on failure, at most {most} times"),
    };
    out.say("restarts", &format!("{} so far, policy {policy}", detail.restart_count), Role::Dim);
}

/// What Docker's own health check says, and what the last probe printed.
fn health(out: &mut Writer, container: &Container, model: &Model) {
    let g = model.look.glyphs;
    let probed = match model.page.as_ref().map(|page| &page.seen.app) {
        Some(Some(Ok(inspection))) => inspection.probed(),
        _ => None,
    };
    let (said, role) = match container.health {
        Some(Health::Healthy) => (format!("{} healthy", g.ready), Role::Good),
        Some(Health::Starting) => (format!("{} starting", g.part), Role::Busy),
        Some(Health::Unhealthy) => (format!("{} unhealthy", g.bad), Role::Bad),
        None if probed.is_some() || container.detail.as_ref().is_some_and(|detail| detail.has_healthcheck) => {
            (format!("{} has a check, which is not run now", g.off), Role::Dim)
        }
        // Worth a line only where somebody looks for it.
        None if model.page.is_none() => return,
        None => ("no health check in app or image".to_owned(), Role::Dim),
    };
    let Some(probed) = probed else { return out.say("health", &said, role) };
    let failing =
        if probed.failing > 0 { format!(", failed {} times in a row", probed.failing) } else { String::new() };
    out.say("health", &format!("{said}{failing}"), role);
    let when = probed.ended.map_or_else(String::new, |at| {
        let time = at.to_zoned(model.zone.clone()).strftime("%H:%M:%S");
        format!("{time} ({} ago), ", text::age(at, model.wall))
    });
    let role = if probed.exit_code == 0 { Role::Text } else { Role::Bad };
    out.say("last probe", &format!("{when}exit code {}", probed.exit_code), role);
    for (i, line) in probed.output.iter().take(OUTPUT).enumerate() {
        out.say(if i == 0 { "it said" } else { "" }, line, Role::Text);
    }
    if probed.output.len() > OUTPUT {
        out.say("", &format!("{} {} more", g.dots, text::count(probed.output.len() - OUTPUT, "line")), Role::Dim);
    }
}

fn port(port: &BoundPort) -> String {
    let inside = format!("{}/{}", port.container, port.protocol);
    match &port.host {
        Some((ip, host)) => format!("{ip}:{host}->{inside}"),
        None => inside,
    }
}

fn cells(n: usize) -> u16 {
    u16::try_from(n).unwrap_or(u16::MAX)
}
