//! Questions and answers over the screen. The safe answer is the one that Enter or Esc gives.

use super::super::model::{Ask, Confirm, Dialog, Model, Question};
use super::super::rows::AppKey;
use super::super::text;
use super::super::theme::Role;
use super::pen::{Pen, Spans, spans_width};
use super::{bulk, gate, lists, services, table, waterfall};
use crate::domain::ids::InstanceName;
use crate::domain::options::{Gate, OnFailure};
use crate::domain::plan::{Action, Kind, Lane, Plan, Step};
use ratatui::layout::{Position, Rect};

/// Suggestions in view.
const CHOICES: usize = 8;

/// Draws a dialog in the middle of `area`; where the cursor stands if a line is typed.
pub fn draw(pen: &mut Pen<'_>, model: &Model, dialog: &Dialog, area: Rect) -> Option<Position> {
    match dialog {
        Dialog::Ask(ask) => draw_ask(pen, model, ask, area),
        Dialog::Planning { what, engine, .. } => {
            let (on, dots) = (model.on(*engine), pen.glyphs().dots);
            let line = vec![(format!("reading the engine and planning: {what}{on}{dots}"), Role::Text)];
            framed(pen, area, "Plan", Role::Focus, &[line], &[key("esc", "never mind")]);
            None
        }
        Dialog::Confirm(confirm) => draw_confirm(pen, model, confirm, area),
        Dialog::Themes(themes) => {
            lists::themes(pen, model, themes, area);
            None
        }
        Dialog::Services(services) => {
            services::draw(pen, model, services, area);
            None
        }
        Dialog::Columns(open) => {
            lists::columns(pen, model, open, area);
            None
        }
        Dialog::Copy(items) => {
            lists::copy(pen, items, area);
            None
        }
        Dialog::Bulk(all) => bulk::draw(pen, model, all, area),
        Dialog::Refused { title, message, hint } => {
            let width = width(area);
            let mut lines = Vec::new();
            for paragraph in message.split('\n') {
                lines.extend(text::wrap(paragraph, width).into_iter().map(|line| vec![(line, Role::Text)]));
            }
            if let Some(hint) = hint {
                lines.push(Vec::new());
                lines.extend(text::wrap(hint, width).into_iter().map(|line| vec![(line, Role::Key)]));
            }
            framed(pen, area, title, Role::Bad, &lines, &[key("esc", "close")]);
            None
        }
        Dialog::Gate(id) | Dialog::Abort(id) => {
            if let Some(op) = model.operations.iter().find(|op| op.id == *id) {
                if matches!(dialog, Dialog::Gate(_)) { gate::ask(pen, op, area) } else { gate::abort(pen, op, area) }
            }
            None
        }
        Dialog::Quit => {
            let n = text::count(model.running(), "operation");
            let lines = [
                vec![(format!("{n} under way."), Role::Title)],
                Vec::new(),
                vec![("Leaving now interrupts: what is half done stays half done.".to_owned(), Role::Text)],
            ];
            let keys = [key("esc", "stay"), key("f", "finish those in flight, then quit"), key("Q", "leave now")];
            framed(pen, area, "Quit", Role::Warn, &lines, &keys);
            None
        }
    }
}

pub(super) fn key(key: &str, what: &str) -> (String, String) {
    (key.to_owned(), what.to_owned())
}

/// Cells of text in a dialog.
pub(super) fn width(area: Rect) -> usize {
    usize::from(area.width.saturating_sub(8)).clamp(1, 92)
}

/// A frame as large as its lines, keys in its last line; the area of the lines.
pub(super) fn framed(
    pen: &mut Pen<'_>,
    area: Rect,
    title: &str,
    role: Role,
    lines: &[Spans],
    keys: &[(String, String)],
) -> Rect {
    let mut bar = Spans::new();
    for (key, what) in keys {
        bar.extend([(key.clone(), Role::Key), (format!(" {what}   "), Role::Dim)]);
    }
    let widest = lines.iter().map(|line| spans_width(line)).chain([spans_width(&bar), text::width(title) + 4]).max();
    let cells = |n: usize| u16::try_from(n).unwrap_or(u16::MAX);
    let outer_width = cells(widest.unwrap_or(0).min(width(area)) + 4).min(area.width);
    let outer_height = cells(lines.len()).saturating_add(4).min(area.height);
    let outer = Rect {
        x: area.x + (area.width - outer_width) / 2,
        y: area.y + (area.height - outer_height) / 3,
        width: outer_width,
        height: outer_height,
    };
    pen.blank(outer, Role::Surface);
    let inside = pen.frame(outer, &[(title.to_owned(), Role::Title)], role);
    if inside.height == 0 || inside.width < 3 {
        return inside;
    }
    let body = Rect { x: inside.x + 1, width: inside.width - 2, height: inside.height.saturating_sub(2), ..inside };
    for (y, line) in (body.top()..body.bottom()).zip(lines) {
        pen.spans(body.x, y, body.right(), line);
    }
    pen.spans(body.x, inside.bottom() - 1, inside.right(), &bar);
    body
}

fn draw_ask(pen: &mut Pen<'_>, model: &Model, ask: &Ask, area: Rect) -> Option<Position> {
    let (title, question, help) = match &ask.question {
        Question::Image { app } => (
            format!("Deploy {}{}", app.id, model.on(app.engine)),
            "image to deploy in place".to_owned(),
            "the plan is shown before anything is touched",
        ),
        Question::Replicas { app, now } => {
            let title = format!("Scale {}{}", app.id, model.on(app.engine));
            (title, format!("number of instances (now {now})"), "those that stay are not touched")
        }
        Question::Images { apps } => (
            format!("Deploy {} marked apps", apps.len()),
            ":tag for each app's own image, or one image for all".to_owned(),
            "the plans are shown before anything is touched",
        ),
        Question::Counts { apps } => (
            format!("Scale {} marked apps", apps.len()),
            "number of instances of each".to_owned(),
            "the plans are shown before anything is touched",
        ),
        Question::File(engine) => (
            format!("Create{}", model.on(*engine)),
            "Compose file".to_owned(),
            "up and down choose; the plan is shown before anything is touched",
        ),
        Question::Export => {
            let help = if ask.choices.is_empty() {
                "what is on this screen, as text; a file that is there already stays as it is"
            } else {
                "up and down choose the format; a file that is there already stays as it is"
            };
            ("Save".to_owned(), "file".to_owned(), help)
        }
        Question::Remove { apps } => {
            let volumes = match &apps[..] {
                [app] => format!("with its volumes too? type {}; else just enter", app.id),
                _ => "volumes are kept".to_owned(),
            };
            let named = |app: &AppKey| format!("{}{}", app.id, model.on(app.engine));
            let names: Vec<String> = apps.iter().map(named).collect();
            (format!("Remove {}", names.join(", ")), volumes, "the plan is shown before anything is touched")
        }
    };
    let width = width(area).min(72);
    let mut lines = vec![vec![(question, Role::Text)], vec![(" ".repeat(width), Role::Input)]];
    if let Some(wrong) = &ask.wrong {
        lines.extend(text::wrap(wrong, width).into_iter().map(|line| vec![(line, Role::Bad)]));
    }
    let first = table::window(ask.chosen, ask.choices.len(), CHOICES);
    for (i, choice) in ask.choices.iter().enumerate().skip(first).take(CHOICES) {
        let (sign, role) = if i == ask.chosen { (pen.glyphs().cursor, Role::Key) } else { (" ", Role::Text) };
        lines.push(vec![(format!("{sign} {choice}"), role)]);
    }
    lines.push(vec![(help.to_owned(), Role::Dim)]);
    let enter = match ask.question {
        Question::Export => "save",
        Question::File(_) => "open",
        _ => "plan",
    };
    let body = framed(pen, area, &title, Role::Focus, &lines, &[key("enter", enter), key("esc", "cancel")]);
    if body.height < 2 {
        return None;
    }
    let y = body.y + 1;
    let (visible, cursor) = ask.line.window(usize::from(body.width.saturating_sub(2)));
    pen.put(body.x + 1, y, body.right(), &visible, Role::Input);
    Some(Position::new(body.x + 1 + u16::try_from(cursor).unwrap_or(0), y))
}

fn draw_confirm(pen: &mut Pen<'_>, model: &Model, confirm: &Confirm, area: Rect) -> Option<Position> {
    let production = model.is_production(confirm.engine);
    let width = width(area);
    let lines = plan_lines(pen, confirm, width);
    let (typed_lines, keys) = match &confirm.typed {
        _ if confirm.checking => (Vec::new(), vec![key("", "checking that nothing has changed since")]),
        _ if confirm.plan.is_empty() => (Vec::new(), vec![key("esc", "close")]),
        None => (Vec::new(), vec![key("esc", "cancel"), key("enter", "run it")]),
        Some((_, wanted)) => {
            let mut line = vec![(format!("type {wanted} to run it: "), Role::Warn), (" ".repeat(24), Role::Input)];
            line.extend(confirm.missed.then(|| (format!("  that is not {wanted}"), Role::Bad)));
            (vec![Vec::new(), line], vec![key("esc", "cancel"), key("enter", "run it, once typed")])
        }
    };
    let typed_lines = match typed_lines {
        lines if (confirm.is_rollout() || confirm.is_swap()) && !confirm.checking => [choices(confirm), lines].concat(),
        lines => lines,
    };
    // What has to be typed always stays in view; the plan above it scrolls.
    let room = usize::from(area.height.saturating_sub(4)).saturating_sub(typed_lines.len());
    let first = confirm.scroll.min(lines.len().saturating_sub(room));
    let total = lines.len();
    let mut shown: Vec<Spans> = lines.into_iter().skip(first).take(room).collect();
    let typed_at = (shown.len() + typed_lines.len()).saturating_sub(1);
    shown.extend(typed_lines);
    let place = if production { ", in PRODUCTION" } else { "" };
    let on = model.on(confirm.engine);
    let title = format!("{} {}{on}{place}", confirm.plan.kind, confirm.plan.app);
    let role = match confirm.plan.kind {
        _ if production => Role::Bad,
        Kind::Remove => Role::Warn,
        _ => Role::Focus,
    };
    let body = framed(pen, area, &title, role, &shown, &keys);
    table::scrollbar(
        pen,
        Rect { y: body.y.saturating_sub(1), height: body.height + 1, width: body.width + 1, ..body },
        first,
        room,
        total,
    );
    let (line, wanted) = confirm.typed.as_ref().filter(|_| !confirm.checking && !confirm.plan.is_empty())?;
    let x = body.x + u16::try_from(text::width(&format!("type {wanted} to run it: "))).unwrap_or(0);
    let y = body.y + u16::try_from(typed_at).unwrap_or(0);
    let (visible, cursor) = line.window(22);
    pen.put(x + 1, y, body.right(), &visible, Role::Input);
    Some(Position::new(x + 1 + u16::try_from(cursor).unwrap_or(0), y))
}

/// Whether the new version boots beside the old one.
fn warm(confirm: &Confirm) -> &'static str {
    match confirm.request.options().warm {
        Some(warm) => warm.as_str(),
        None if confirm.plan.steps.iter().any(|step| step.task.action() == Action::Warm) => "as the app says",
        None => "off",
    }
}

/// How it may be done otherwise.
fn choices(confirm: &Confirm) -> Vec<Spans> {
    let plan = &confirm.plan;
    let batch = plan.batch_sizes().max().unwrap_or(1);
    let gate = match plan.gate {
        Gate::Auto => "auto",
        Gate::First => "first",
        Gate::Every => "every",
    };
    let mut line = Vec::new();
    if confirm.is_rollout() {
        line.extend([
            ("+ -".to_owned(), Role::Key),
            (format!(" batch {batch}   "), Role::Text),
            ("g".to_owned(), Role::Key),
            (format!(" gate {gate}   "), Role::Text),
        ]);
        if plan.kind != Kind::Rollback {
            let failure = if plan.on_failure == OnFailure::Pause { "pause" } else { "roll back" };
            line.extend([("f".to_owned(), Role::Key), (format!(" on failure {failure}   "), Role::Text)]);
        }
    }
    if confirm.is_swap() {
        line.extend([("w".to_owned(), Role::Key), (format!(" warm {}", warm(confirm)), Role::Text)]);
    }
    vec![Vec::new(), line]
}

/// The plan for a person: what changes, batch by batch, why, at what risk, and how it is undone.
fn plan_lines(pen: &Pen<'_>, confirm: &Confirm, width: usize) -> Vec<Spans> {
    let plan = &confirm.plan;
    let g = pen.glyphs();
    let mut lines: Vec<Spans> = Vec::new();
    if confirm.changed {
        let said = "The fleet has changed since: this is the new plan. Look again.";
        lines.extend(text::wrap(said, width).into_iter().map(|line| vec![(line, Role::Warn)]));
        lines.push(Vec::new());
    }
    let mut say = |label: &str, content: &str, role: Role| {
        const LABEL: usize = 12;
        for (i, part) in text::wrap(content, width.saturating_sub(LABEL)).into_iter().enumerate() {
            let label = if i == 0 { label } else { "" };
            lines.push(vec![(format!("{label:<LABEL$}"), Role::Dim), (part, role)]);
        }
    };
    if plan.is_empty() {
        say("", "Nothing to do: everything is already as asked.", Role::Good);
    }
    match (&plan.from, &plan.to) {
        (Some(from), Some(to)) if from != to => say("image", &format!("{from} {} {to}", g.arrow), Role::Title),
        (_, Some(to)) => say("image", to, Role::Title),
        _ => {}
    }
    let shared = phrase(plan, |step| step.instance.is_none());
    if !shared.is_empty() {
        say("first", &shared, Role::Text);
    }
    let many = plan.batches.len();
    let batches: Vec<String> =
        plan.batches.iter().map(|batch| batch.iter().map(InstanceName::short).collect::<Vec<_>>().join(", ")).collect();
    if many > 0 {
        let label =
            if many == 1 { "instances".to_owned() } else { text::count(many, "batch").replace("batchs", "batches") };
        say(&label, &batches.join(" | "), Role::Text);
    }
    if let Some(first) = plan.batches.iter().flatten().next() {
        say("each", &phrase(plan, |step| step.instance.as_ref() == Some(first)), Role::Text);
    }
    // The reason of the first change; what is only read or written down explains nothing.
    let changes = |step: &&Step| !matches!(step.task.action(), Action::Verify | Action::Park);
    let cause = plan.steps.iter().filter(|step| step.lane == Lane::Main && step.instance.is_some()).find(changes);
    if let Some(step) = cause {
        say("because", &step.cause, Role::Text);
    }
    for (i, note) in plan.notes.iter().enumerate() {
        let role = if note.starts_with("in place") || note.starts_with("at least") { Role::Good } else { Role::Warn };
        say(if i == 0 { "note" } else { "" }, note, role);
    }
    if many > 1 && plan.gate != Gate::Auto {
        let gate = if plan.gate == Gate::First { "asks after the first batch" } else { "asks after every batch" };
        say("gate", gate, Role::Text);
    }
    let undo = plan.steps.iter().filter(|step| step.lane == Lane::Undo).count();
    if undo > 0 {
        let failure = match plan.on_failure {
            OnFailure::Pause => "the instance that fails is put back, the others stay, nothing new begins",
            OnFailure::Rollback => "all instances are put back",
        };
        say("on failure", failure, Role::Text);
    }
    lines
}

/// `pull · network`, each kind of step once, in order.
fn phrase(plan: &Plan, of: impl Fn(&Step) -> bool) -> String {
    let mut words: Vec<&str> = Vec::new();
    for step in plan.steps.iter().filter(|step| step.lane == Lane::Main && of(step)) {
        let name = waterfall::name(step.task.action());
        if !words.contains(&name) {
            words.push(name);
        }
    }
    words.join(", ")
}
