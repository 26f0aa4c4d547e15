//! One operation: where it stands, the waterfall, and everything about the row under the cursor.
//!
//! ```text
//! deploy shop/web · web:v1 → web:v2      ▸ running · batch 2/2 · 3/4 instances · 1.21 s
//! ████████████████████████████░░░░░░░░   kept 3/3 · on failure …
//! ╭ Instances ───────────────────────────────────────────────────────╮
//! │ INSTANCE  ADDRESS BEFORE → NOW   0    250    500 ms   TOTAL  GAP │
//! ├ web-3 · start ───────────────────────────────────────────────────┤
//! │ because …                                                        │
//! ╰──────────────────────────────────────────────────────────────────╯
//! ```

use super::super::model::Model;
use super::super::operation::{Lanes, OpView, View, took};
use super::super::text;
use super::super::theme::Role;
use super::super::words;
use super::pen::{Pen, Spans, spans_width};
use super::waterfall::{self, Axis};
use super::{detail, strip, table};
use crate::domain::duration::human;
use crate::domain::event::StepResult;
use crate::domain::options::OnFailure;
use crate::domain::plan::{Action, Lane};
use crate::domain::progress::{Phase, Serving, Status, StepProgressed};
use ratatui::layout::Rect;

/// Draws the operation on screen.
pub fn draw(pen: &mut Pen<'_>, model: &Model, area: Rect) {
    let Some(op) = model.operation() else { return };
    if area.height < 4 || area.width < 20 {
        return;
    }
    head(pen, model, op, Rect { height: 2, ..area });
    let area = Rect { y: area.y + 2, height: area.height - 2, ..area };
    let detail = detail::lines(pen, op, model, usize::from(area.width.saturating_sub(4)));
    let rows = u16::try_from(op.rows()).unwrap_or(u16::MAX);
    // The rows come first; what they leave goes to the detail, and that gets at least a third.
    let detail_height = area.height.saturating_sub(rows.saturating_add(4)).max(area.height / 3);
    let detail_height = detail_height.min(u16::try_from(detail.1.len() + 1).unwrap_or(u16::MAX)).min(area.height / 2);
    let title = match op.view {
        View::Instances => "Instances",
        View::Steps => "Steps",
    };
    let (done, all) = op.progress.steps_done();
    let title = [(title.to_owned(), Role::Title), (format!("  {done}/{all} steps"), Role::Dim)];
    let inside = pen.frame(area, &title, Role::Rule);
    let left = area.x + 6 + u16::try_from(spans_width(&title)).unwrap_or(u16::MAX - 6 - area.x);
    let room = usize::from(area.right().saturating_sub(left + 2));
    let mut legend = waterfall::legend(pen, op.shown_steps(), room);
    if !legend.is_empty() {
        legend.insert(0, (" ".to_owned(), Role::Rule));
        pen.spans_right(left, area.y, area.right() - 1, &legend);
    }
    let list = Rect { height: inside.height.saturating_sub(detail_height), ..inside };
    match op.view {
        View::Instances => by_instance(pen, model, op, list),
        View::Steps => by_step(pen, model, op, list),
    }
    if detail_height > 1 {
        pen.divider(area, list.bottom(), &detail.0, Role::Rule);
        for (i, line) in detail.1.iter().take(usize::from(detail_height - 1)).enumerate() {
            let y = list.bottom() + 1 + u16::try_from(i).unwrap_or(0);
            pen.spans(inside.x + 1, y, inside.right(), line);
        }
    }
}

fn head(pen: &mut Pen<'_>, model: &Model, op: &OpView, area: Rect) {
    let sep = (format!(" {} ", pen.glyphs().sep), Role::Rule);
    let mut right = vec![strip::outcome(pen, op)];
    let (batch, batches) = op.progress.batch();
    if batches > 1 {
        right.extend([sep.clone(), (format!("batch {batch}/{batches}"), Role::Text)]);
    }
    let (done, instances) = op.progress.done();
    if instances > 1 {
        right.extend([sep.clone(), (format!("{done}/{instances} instances"), Role::Text)]);
    }
    right.extend([sep.clone(), (human(op.elapsed(model.now)), Role::Title)]);
    right.push((" ".to_owned(), Role::Text));
    let end = pen.spans_right(area.x + 20.min(area.width), area.y, area.right(), &right);

    let mut left = vec![(format!(" {}", op.title()), Role::Title)];
    if let Some(change) = strip::change(pen, op) {
        left.push((format!("  {change}"), Role::Text));
    }
    pen.spans(area.x, area.y, end.saturating_sub(1), &left);

    let y = area.y + 1;
    let mut facts: Spans = Vec::new();
    let (new, same): (Vec<_>, Vec<_>) = op.progress.instances.iter().partition(|instance| op.progress.is_new(instance));
    let came = new.iter().filter(|instance| op.progress.is_complete(instance)).count();
    if came > 0 {
        facts.push((format!("{came}/{} new, at other addresses", new.len()), Role::Good));
    }
    let verdicts: Vec<_> = same.iter().filter_map(|instance| instance.verdict).collect();
    let judged = verdicts.len();
    if judged > 0 {
        let kept = verdicts.iter().filter(|verdict| words::verdict(**verdict).role == Role::Good).count();
        let role = if kept == judged { Role::Good } else { Role::Warn };
        facts.push((format!("identity kept {kept}/{judged}"), role));
    }
    if let Some(failed) = op.progress.failed_requests() {
        let role = if failed == 0 { Role::Good } else { Role::Bad };
        facts.push((format!("{} failed", text::count(usize::try_from(failed).unwrap_or(usize::MAX), "request")), role));
    }
    if let Some(finished) = op.progress.finished.as_ref().filter(|f| f.serial_ms > f.took_ms) {
        facts.push((format!("one after the other {}", human(finished.serial_ms)), Role::Dim));
    }
    if let Some(planned) =
        op.progress.planned.as_ref().filter(|_| op.is_running() && instances > 1 && op.waiting().is_none())
    {
        let failure = if planned.on_failure == OnFailure::Pause { "pause" } else { "roll back" };
        facts.push((format!("on failure: {failure}"), Role::Dim));
    }
    if let Some(left) = op.engine_lost(model.now) {
        facts.push((format!("the engine is gone: waiting for it, {} left", human(left)), Role::Bad));
    }
    if let Some(waiting) = op.waiting() {
        facts.push((waiting.to_owned(), Role::Warn));
    }
    let joined = |facts: &Spans| {
        let mut spans = Spans::new();
        for fact in facts {
            if !spans.is_empty() {
                spans.push(sep.clone());
            }
            spans.push(fact.clone());
        }
        spans.push((" ".to_owned(), Role::Text));
        spans
    };
    // Where not all fit, what only explains goes first, then what came first.
    let room = usize::from(area.width - area.width / 3);
    while facts.len() > 1 && spans_width(&joined(&facts)) > room {
        let least = facts.iter().rposition(|(_, role)| *role == Role::Dim).unwrap_or(0);
        facts.remove(least);
    }
    let end = pen.spans_right(area.x + area.width / 3, y, area.right(), &joined(&facts));
    gauge(pen, op, Rect { x: area.x + 1, y, width: end.saturating_sub(area.x + 2), height: 1 });
}

fn is_main(step: &StepProgressed) -> bool {
    step.plan.lane == Lane::Main
}

fn gauge(pen: &mut Pen<'_>, op: &OpView, area: Rect) {
    let (done, all) = op.progress.steps_done();
    let full = usize::from(area.width) * done / all.max(1);
    let role = match &op.progress.finished {
        Some(_) => strip::outcome(pen, op).1,
        None => Role::Gauge,
    };
    let unicode = !pen.glyphs().eighths[0].is_empty();
    let (on, off) = if unicode { ("━", "━") } else { ("=", "-") };
    for i in 0..usize::from(area.width) {
        let x = area.x + u16::try_from(i).unwrap_or(0);
        let (sign, role) = if i < full { (on, role) } else { (off, Role::Rest) };
        pen.put(x, area.y, area.right(), sign, role);
    }
}

/// From this width on, addresses stand beside their verdict; below, they are in the detail.
const ROOMY: u16 = 96;

/// Where the parts of a row stand.
struct Columns {
    name: Rect,
    address: Rect,
    serves: Rect,
    lane: Rect,
    figures: [Rect; 2],
}

fn columns(area: Rect, name: usize, address: usize, serves: bool, gap: bool) -> Columns {
    let cells = |n: usize| u16::try_from(n).unwrap_or(u16::MAX);
    let name_width = cells(name).min(area.width / 4).max(4);
    let figures = if gap { 20 } else { 10 };
    let address_width = if area.width < 70 { 0 } else { cells(address).min(area.width * 2 / 5) };
    let at = |x: u16, width: u16| Rect { x, width: width.min(area.right().saturating_sub(x)), ..area };
    let name = at(area.x + 1, name_width);
    let address = at(name.right() + 2, address_width);
    let after = if address_width == 0 { address.x } else { address.right() + 2 };
    let serves = at(after, if serves { 6 } else { 0 });
    let lane_x = if serves.width == 0 { after } else { serves.right() + 2 };
    let lane = at(lane_x, area.right().saturating_sub(lane_x + figures + 1));
    let first = at(lane.right() + 1, 9);
    let second = at(first.right() + 1, if gap { 9 } else { 0 });
    Columns { name, address, serves, lane, figures: [first, second] }
}

fn right(pen: &mut Pen<'_>, area: Rect, y: u16, content: &str, role: Role) {
    pen.spans_right(area.x, y, area.right(), &[(content.to_owned(), role)]);
}

fn by_instance(pen: &mut Pen<'_>, model: &Model, op: &OpView, area: Rect) {
    if area.height == 0 {
        return;
    }
    let elapsed = op.elapsed(model.now);
    let lanes = op.lanes();
    let cells: Vec<(String, Spans)> =
        lanes.iter().map(|lane| (label(*lane).to_owned(), address(pen, op, *lane, area.width >= ROOMY))).collect();
    let name_width = cells.iter().map(|(name, _)| text::width(name)).max().unwrap_or(0).max(8);
    let address_width = cells.iter().map(|(_, spans)| spans_width(spans)).max().unwrap_or(0);
    let replaces = lanes.iter().flatten().any(|lane| op.progress.serving(lane).is_some());
    let heading =
        if area.width >= ROOMY { format!("ADDRESS BEFORE {} NOW", pen.glyphs().arrow) } else { "ADDRESS".to_owned() };
    let places = columns(
        area,
        name_width,
        address_width.max(text::width(&heading)),
        replaces,
        op.progress.longest_gap().is_some(),
    );
    pen.put(places.serves.x, area.y, places.serves.right(), "SERVES", Role::Dim);
    pen.put(places.name.x, area.y, places.name.right(), "INSTANCE", Role::Dim);
    pen.put(places.address.x, area.y, places.address.right(), &heading, Role::Dim);
    let axis = Axis::new(elapsed, op.is_running(), places.lane.width);
    waterfall::axis(pen, Rect { height: 1, ..places.lane }, axis);
    right(pen, places.figures[0], area.y, "TOTAL", Role::Dim);
    right(pen, places.figures[1], area.y, "GAP", Role::Dim);

    // Where every row can have two lines, the second tells how long each step took.
    let tall = lanes.len() * 2 <= usize::from(area.height - 1);
    let per_row = if tall { 2 } else { 1 };
    let height = usize::from(area.height - 1) / per_row;
    let first = table::window(op.selected, lanes.len(), height);
    for (i, lane) in lanes.iter().enumerate().skip(first).take(height) {
        let y = area.y + 1 + u16::try_from((i - first) * per_row).unwrap_or(0);
        if i == op.selected {
            pen.tint(Rect { y, height: 1, ..area }, Role::Selected);
        }
        let (name, address) = &cells[i];
        pen.spans(places.name.x, y, places.name.right(), &[(name.clone(), Role::Text)]);
        pen.spans(places.address.x, y, places.address.right(), address);
        if let Some((word, role)) = lane.and_then(|lane| op.progress.serving(lane)).map(serves) {
            pen.put(places.serves.x, y, places.serves.right(), word, role);
        }
        let bars: Vec<_> = op.steps_of(*lane).filter_map(|step| waterfall::bar(step, elapsed)).collect();
        waterfall::row(pen, Rect { y, height: 1, ..places.lane }, axis, &bars);
        if tall {
            waterfall::durations(pen, Rect { y: y + 1, height: 1, ..places.lane }, axis, &bars);
        }
        if let Some(ms) = op.busy(*lane, elapsed) {
            right(pen, places.figures[0], y, &human(ms), Role::Text);
        }
        if let Some((gap, _)) = lane.and_then(|lane| lane.gap.as_ref()) {
            right(pen, places.figures[1], y, &strip::gap_text(*gap), Role::Text);
        }
    }
    if !tall {
        table::scrollbar(pen, area, first, height, lanes.len());
    }
}

/// What a row is called.
pub fn label(lane: Lanes<'_>) -> &str {
    lane.map_or("all", |lane| lane.name.short())
}

/// `172.18.0.3 ✓ kept`, `172.18.0.3 → 172.18.0.9 ✗ CHANGED`, `stopping…`, `waiting`.
fn address(pen: &Pen<'_>, op: &OpView, lane: Lanes<'_>, roomy: bool) -> Spans {
    let Some(instance) = lane else { return Vec::new() };
    let g = pen.glyphs();
    let phase = op.phase(instance);
    if let (Phase::Done | Phase::Failed(_) | Phase::PutBack | Phase::Left, Some(verdict)) = (phase, instance.verdict) {
        let word = op.verdict(instance, verdict);
        let mut spans = match (instance.address_before(), instance.address_after()) {
            _ if !roomy => Vec::new(),
            (Some(before), Some(after)) if before != after => {
                let arrow = (format!(" {} ", g.arrow), Role::Dim);
                vec![(before.to_owned(), Role::Text), arrow, (after.to_owned(), Role::Text)]
            }
            (_, Some(address)) | (Some(address), None) => vec![(address.to_owned(), Role::Text)],
            (None, None) => Vec::new(),
        };
        if !spans.is_empty() {
            spans.push((" ".to_owned(), Role::Text));
        }
        spans.push((format!("{} {}", word.symbol.of(g), word.word), word.role));
        if phase == Phase::PutBack {
            spans.push((", put back".to_owned(), Role::Warn));
        }
        return spans;
    }
    vec![match phase {
        Phase::Waiting => ("waiting".to_owned(), Role::Dim),
        Phase::Doing(Action::Drain) => (draining(pen, op, lane), Role::Busy),
        Phase::Doing(action) => (format!("{}{}", doing(action), g.dots), Role::Busy),
        Phase::Between(_) if instance.successor.is_some() => ("stopped, way back".to_owned(), Role::Dim),
        Phase::Done if instance.successor.is_some() => (format!("{} gone", g.good), Role::Good),
        Phase::Between(Action::Create | Action::Park | Action::Verify) => ("prepared".to_owned(), Role::Dim),
        Phase::Between(_) => ("waits for others".to_owned(), Role::Dim),
        Phase::Done => (format!("{} done", g.good), Role::Good),
        Phase::PuttingBack(_) => (format!("putting back{}", g.dots), Role::Undo),
        Phase::PutBack => (format!("{} put back", g.warn), Role::Warn),
        Phase::Failed(action) => (format!("{} failed at {}", g.bad, waterfall::name(action)), Role::Bad),
        Phase::Left => ("left as it was".to_owned(), Role::Dim),
    }]
}

/// Which version answers.
fn serves(serving: Serving) -> (&'static str, Role) {
    match serving {
        Serving::Old => ("old", Role::Text),
        Serving::New => ("new", Role::Good),
        Serving::Nobody => ("nobody", Role::Warn),
    }
}

/// `draining 12 → 3`: sessions at first, and left.
fn draining(pen: &Pen<'_>, op: &OpView, lane: Lanes<'_>) -> String {
    let g = pen.glyphs();
    let drains = |step: &&StepProgressed| step.plan.action == Action::Drain && step.status == Status::Running;
    match op.steps_of(lane).find(drains).and_then(|step| step.progress.as_ref()) {
        // A balancer that counts nothing.
        Some((_, 0, note)) => format!("draining, {note}"),
        Some((done, total, _)) => format!("draining {total} {} {}", g.arrow, total.saturating_sub(*done)),
        None => format!("draining{}", g.dots),
    }
}

fn doing(action: Action) -> &'static str {
    match action {
        Action::Pull => "pulling",
        Action::Network => "making the network",
        Action::Volume => "making the volume",
        Action::SandboxCreate | Action::Create => "creating",
        Action::SandboxStart | Action::Start => "starting",
        Action::PreDrain | Action::PreStop | Action::PostReady => "running its hook",
        Action::Drain => "draining",
        Action::Warm => "booting, held back",
        Action::Stop => "stopping",
        Action::Restart => "restarting",
        Action::Ready => "waiting until ready",
        Action::Attach => "attaching",
        Action::Verify => "verifying",
        Action::Park => "parking",
        Action::Remove => "removing",
        Action::Rename => "renaming",
        Action::Reserve => "reserving addresses",
    }
}

fn by_step(pen: &mut Pen<'_>, model: &Model, op: &OpView, area: Rect) {
    if area.height == 0 {
        return;
    }
    let elapsed = op.elapsed(model.now);
    let steps: Vec<&StepProgressed> = op.shown_steps().collect();
    let critical = if op.progress.is_over() { op.progress.critical_path() } else { Vec::new() };
    let name = |step: &StepProgressed| {
        let who = step.plan.instance.as_ref().map_or("all", |name| name.short());
        let mark = if critical.contains(&step.plan.step) { " *" } else { "" };
        format!("{who:<10} {}{mark}", waterfall::name(step.plan.action))
    };
    let name_width = steps.iter().map(|step| text::width(&name(step))).max().unwrap_or(0).max(13);
    let places = columns(area, name_width, 16, false, true);
    pen.put(places.name.x, area.y, places.name.right(), "INSTANCE   STEP", Role::Dim);
    pen.put(places.address.x, area.y, places.address.right(), "RESULT", Role::Dim);
    let axis = Axis::new(elapsed, op.is_running(), places.lane.width);
    waterfall::axis(pen, Rect { height: 1, ..places.lane }, axis);
    right(pen, places.figures[0], area.y, "TOOK", Role::Dim);
    right(pen, places.figures[1], area.y, "WAITED", Role::Dim);
    let height = usize::from(area.height - 1);
    let first = table::window(op.selected, steps.len(), height);
    for (i, step) in steps.iter().enumerate().skip(first).take(height) {
        let y = area.y + 1 + u16::try_from(i - first).unwrap_or(0);
        if i == op.selected {
            pen.tint(Rect { y, height: 1, ..area }, Role::Selected);
        }
        let undo = if is_main(step) { Role::Text } else { Role::Undo };
        pen.spans(places.name.x, y, places.name.right(), &[(name(step), undo)]);
        pen.spans(places.address.x, y, places.address.right(), &result(pen, step));
        let bars: Vec<_> = waterfall::bar(step, elapsed).into_iter().collect();
        waterfall::row(pen, Rect { y, height: 1, ..places.lane }, axis, &bars);
        if step.started_ms.is_some() {
            right(pen, places.figures[0], y, &human(took(step, elapsed)), Role::Text);
        }
        if step.waited_ms > 0 {
            right(pen, places.figures[1], y, &human(step.waited_ms), Role::Dim);
        }
    }
    table::scrollbar(pen, area, first, height, steps.len());
}

fn result(pen: &Pen<'_>, step: &StepProgressed) -> Spans {
    let g = pen.glyphs();
    let (symbol, role) = match step.status {
        Status::Waiting => ("", Role::Dim),
        Status::Running => (g.cursor, Role::Busy),
        Status::Ended(StepResult::Ok) => (g.good, Role::Good),
        Status::Ended(StepResult::Failed) => (g.bad, Role::Bad),
        Status::Ended(StepResult::Skipped) => (g.none, Role::Dim),
        Status::Ended(StepResult::Cancelled) => (g.bad, Role::Warn),
    };
    vec![(format!("{symbol} {}", step.word()).trim_start().to_owned(), role)]
}
