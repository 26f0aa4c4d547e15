//! Pages of text: help from the keymap, one instance, pitstop's own log.

use super::super::keymap::{Action, Place};
use super::super::model::{Model, Screen};
use super::super::own_log;
use super::super::rows;
use super::super::text;
use super::super::theme::Role;
use super::super::words;
use super::pen::{Pen, Spans};
use super::{message, table};
use crate::domain::fleet::{App, Container, Instance};
use crate::domain::spec::{MountKind, RestartPolicy};
use ratatui::layout::Rect;
use ratatui::style::Modifier;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;
use tui_logger::{ExtLogRecord, LogFormatter, TuiLoggerWidget};

/// A framed page that scrolls.
fn page(pen: &mut Pen<'_>, area: Rect, title: &[(String, Role)], lines: &[Spans], scroll: usize) {
    let inside = pen.frame(area, title, Role::Rule);
    let height = usize::from(inside.height);
    let first = scroll.min(lines.len().saturating_sub(height));
    for (i, line) in lines.iter().skip(first).take(height).enumerate() {
        pen.spans(inside.x + 1, inside.y + u16::try_from(i).unwrap_or(0), inside.right().saturating_sub(1), line);
    }
    let bar = Rect { x: area.x, y: area.y, width: area.width, height: area.height.saturating_sub(1) };
    table::scrollbar(pen, bar, first, height, lines.len());
}

/// Lines a page has room for.
pub fn room(size: (u16, u16)) -> usize {
    usize::from(size.1.saturating_sub(4))
}

/// Something to read.
pub fn reading(pen: &mut Pen<'_>, model: &Model, area: Rect) {
    let Some((title, _)) = &model.reading else { return };
    page(pen, area, &[(title.clone(), Role::Title)], &reading_lines(model), model.scroll);
}

fn reading_lines(model: &Model) -> Vec<Spans> {
    let width = usize::from(model.size.0.saturating_sub(4));
    let lines = model.reading.iter().flat_map(|(_, lines)| lines);
    // Lines that are indented stand in columns: they are cut rather than wrapped.
    let fold = |line: &str| if line.starts_with(' ') { vec![line.to_owned()] } else { text::wrap(line, width) };
    lines.flat_map(|(line, role)| fold(line).into_iter().map(|line| vec![(line, *role)])).collect()
}

/// All keys of a place, from the keymap.
pub fn help(pen: &mut Pen<'_>, model: &Model, place: Place, area: Rect) {
    let lines = help_lines(model, place);
    page(pen, area, &[("Keys".to_owned(), Role::Title)], &lines, model.scroll);
}

/// The lines of help.
pub fn help_lines(model: &Model, place: Place) -> Vec<Spans> {
    let name = match place {
        Place::Fleet => "in the fleet",
        Place::Operation => "in an operation",
        Place::Page => "on a page",
        Place::Logs => "in a log",
        Place::History => "in the history",
        Place::Notices => "among notices",
        Place::Replay => "in a record",
    };
    let mut lines = vec![vec![(name.to_owned(), Role::Dim)]];
    for action in Action::ALL {
        let keys: Vec<&str> = model.keys.keys(place, *action).collect();
        if keys.is_empty() {
            continue;
        }
        lines.push(vec![(format!("  {:<16}", keys.join("  ")), Role::Key), (action.help().to_owned(), Role::Text)]);
    }
    let glyphs = model.look.glyphs;
    lines.push(Vec::new());
    lines.push(vec![("what the words mean".to_owned(), Role::Dim)]);
    let words = [
        (
            glyphs.good,
            "held",
            Role::Good,
            "a sandbox holds the address, and it is pinned: it survives deploys and restarts",
        ),
        (glyphs.warn, "unpinned", Role::Warn, "a sandbox holds it, but it may move when the engine itself restarts"),
        (glyphs.warn, "loose", Role::Warn, "nothing holds it: Docker may give another one at the next restart"),
        (glyphs.bad, "CHANGED", Role::Loud, "it is another one than before: clients that remember it are lost"),
        (glyphs.bad, "orphaned", Role::Bad, "the app sits in a network that its sandbox has left: nobody can reach it"),
        (glyphs.bad, "lost", Role::Bad, "there is no address: the sandbox does not run"),
    ];
    for (symbol, word, role, meaning) in words {
        let said = format!("{symbol} {word}");
        lines.push(vec![
            ("  ".to_owned(), Role::Text),
            (said.clone(), role),
            (" ".repeat(16_usize.saturating_sub(text::width(&said))), Role::Text),
            (meaning.to_owned(), Role::Text),
        ]);
    }
    lines
}

/// One instance: identity and evidence first, then what runs in it.
pub fn instance(pen: &mut Pen<'_>, model: &Model, area: Rect) {
    let found = instance_shown(model);
    let Some((app, instance)) = found else {
        let inside = pen.frame(area, &[("gone".to_owned(), Role::Title)], Role::Rule);
        return message::gone(pen, model, inside);
    };
    let lines = instance_lines(pen.look.glyphs.dots, model, app, instance, usize::from(area.width.saturating_sub(4)));
    let state = words::state(instance);
    let title = [
        (instance.name.0.clone(), Role::Title),
        (format!("  {} {}", state.symbol.of(pen.glyphs()), state.word), state.role),
    ];
    page(pen, area, &title, &lines, model.scroll);
}

fn instance_shown(model: &Model) -> Option<(&App, &Instance)> {
    let Screen::Instance(key, name) = &model.screen else { return None };
    let app = rows::app(model.fleet()?, key)?;
    Some((app, app.instances.iter().find(|instance| instance.name == *name)?))
}

/// Lines of the page that is open, for scrolling.
pub fn length(model: &Model) -> usize {
    match &model.screen {
        Screen::Help(place) => help_lines(model, *place).len(),
        Screen::Reading => reading_lines(model).len(),
        Screen::Instance(..) => instance_shown(model).map_or(0, |(app, instance)| {
            let width = usize::from(model.size.0.saturating_sub(4));
            instance_lines(model.look.glyphs.dots, model, app, instance, width).len()
        }),
        _ => 0,
    }
}

const LABEL: usize = 14;

/// Everything known of an instance, what matters most first.
pub fn instance_lines(dots: &str, model: &Model, app: &App, instance: &Instance, width: usize) -> Vec<Spans> {
    let mut lines = Vec::new();
    let room = width.saturating_sub(LABEL);
    let mut say = |label: &str, content: &str, role: Role| {
        for (i, part) in text::wrap(content, room).into_iter().enumerate() {
            let label = if i == 0 { label } else { "" };
            lines.push(vec![(format!("{label:<LABEL$}"), Role::Dim), (part, role)]);
        }
    };
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
    say(
        "identity",
        &format!("{} {}: {evidence}", held.symbol.of(model.look.glyphs), held.word).replace("  ", " "),
        held.role,
    );
    if let Some(owner) = instance.owner() {
        for (network, address) in &owner.networks {
            let parts = [&address.ipv4, &address.ipv6, &address.mac];
            let parts: Vec<&str> =
                std::iter::once(network).chain(parts.into_iter().flatten()).map(String::as_str).collect();
            say("network", &parts.join("  "), Role::Text);
        }
        if let Some(detail) = &owner.detail {
            say("hostname", &detail.hostname, Role::Text);
            say("namespace", &detail.netns, Role::Dim);
        }
        let ports: Vec<String> = owner.ports.iter().map(port).collect();
        if !ports.is_empty() {
            say("ports", &ports.join("  "), Role::Text);
        }
    }
    say("", "", Role::Text);
    if let Some(container) = &instance.app {
        say("image", &container.image, Role::Text);
        say("image id", &text::image(&container.image_id, 64, dots), Role::Dim);
        if let Some(revision) = instance.revision() {
            let newest = app.revision().filter(|newest| *newest != revision);
            let note = newest.map_or_else(String::new, |newest| format!(" (the app is at {newest})"));
            say("revision", &format!("{revision}{note}"), Role::Text);
        }
        say("state", &container.status, Role::Text);
        state(container, model, &mut say);
        say("container", &format!("{}  {}", container.name, container.id.short()), Role::Text);
    }
    if let Some(sandbox) = &instance.sandbox {
        say("sandbox", &format!("{}  {}  {}", sandbox.name, sandbox.id.short(), sandbox.status), Role::Text);
    }
    for other in &instance.others {
        say("kept beside", &format!("{}  {}", other.name, other.status), Role::Dim);
    }
    let Some(container) = &instance.app else { return lines };
    say("", "", Role::Text);
    for mount in &container.mounts {
        let kind = match mount.kind {
            MountKind::Volume => "volume",
            MountKind::Bind => "bind",
            MountKind::Tmpfs => "tmpfs",
        };
        let access = if mount.read_only { "  read only" } else { "" };
        say(kind, &format!("{}  {}{access}", mount.target, mount.source), Role::Text);
    }
    if let Some(detail) = &container.detail {
        for name in detail.environment.keys() {
            say("env", &format!("{}={}", crate::domain::clean::clean(name), "*".repeat(8)), Role::Dim);
        }
    }
    lines
}

fn state(container: &Container, model: &Model, say: &mut impl FnMut(&str, &str, Role)) {
    let Some(detail) = &container.detail else { return };
    if let Some(at) = detail.started_at {
        say("started", &format!("{} ago, {at:.0}", text::age(at, model.wall)), Role::Dim);
    }
    if !container.is_running() {
        let oom = if detail.oom_killed { ", killed for lack of memory" } else { "" };
        say("exit code", &format!("{}{oom}", detail.exit_code), Role::Text);
    }
    if !detail.error.is_empty() {
        say("error", &detail.error, Role::Bad);
    }
    let policy = match &detail.restart {
        RestartPolicy::No => "no".to_owned(),
        RestartPolicy::Always => "always".to_owned(),
        RestartPolicy::UnlessStopped => "unless stopped".to_owned(),
        RestartPolicy::OnFailure(None) => "on failure".to_owned(),
        RestartPolicy::OnFailure(Some(most)) => format!("on failure, at most {most} times"),
    };
    say("restarts", &format!("{} so far, policy {policy}", detail.restart_count), Role::Dim);
}

fn port(port: &crate::domain::fleet::BoundPort) -> String {
    let inside = format!("{}/{}", port.container, port.protocol);
    match &port.host {
        Some((ip, host)) => format!("{ip}:{host}->{inside}"),
        None => inside,
    }
}

/// pitstop's own log, by tui-logger's widget.
pub fn own_log(pen: &mut Pen<'_>, model: &Model, area: Rect) {
    own_log::collect();
    let inside = pen.frame(area, &[("pitstop's own log".to_owned(), Role::Title)], Role::Rule);
    if inside.width < 24 || inside.height == 0 {
        return;
    }
    let style = |role| pen.look.style(role);
    let base = style(Role::Base).patch(style(Role::Text));
    TuiLoggerWidget::default()
        .style(base)
        .style_error(style(Role::Bad).add_modifier(Modifier::BOLD))
        .style_warn(style(Role::Warn))
        .style_info(style(Role::Text))
        .style_debug(style(Role::Dim))
        .style_trace(style(Role::Dim))
        .formatter(Box::new(Format { dim: style(Role::Dim), zone: model.zone.clone(), look: level_styles(pen) }))
        .state(&model.own_log.0)
        .render(inside, pen.buffer);
}

fn level_styles(pen: &Pen<'_>) -> [ratatui::style::Style; 3] {
    [pen.look.style(Role::Bad), pen.look.style(Role::Warn), pen.look.style(Role::Text)]
}

/// Time, level, message; the target last, where it is out of the way. Continued lines are indented.
struct Format {
    dim: ratatui::style::Style,
    zone: jiff::tz::TimeZone,
    look: [ratatui::style::Style; 3],
}

impl LogFormatter for Format {
    fn min_width(&self) -> u16 {
        24
    }

    fn format(&self, width: usize, record: &ExtLogRecord) -> Vec<Line<'_>> {
        let time = record.timestamp.with_time_zone(self.zone.clone()).strftime("%H:%M:%S").to_string();
        let (word, style) = match record.level {
            log::Level::Error => ("error", self.look[0]),
            log::Level::Warn => ("warn ", self.look[1]),
            log::Level::Info => ("info ", self.look[2]),
            log::Level::Debug => ("debug", self.dim),
            log::Level::Trace => ("trace", self.dim),
        };
        let indent = text::width(&time) + 9;
        let body = format!("{}  {}", record.msg(), record.target());
        text::wrap(&body, width.saturating_sub(indent))
            .into_iter()
            .enumerate()
            .map(|(i, part)| {
                let head = if i == 0 { format!(" {time} ") } else { String::new() };
                let level = if i == 0 { word } else { "" };
                Line::from(vec![
                    Span::styled(format!("{head:<10}"), self.dim),
                    Span::styled(format!("{level:<7}"), style),
                    Span::styled(part, style),
                ])
            })
            .collect()
    }
}
