//! Drawing: the model onto the screen's cells. Draws only; changes and asks nothing.
//!
//! ```text
//! pen      cells: cut, styled, framed          table    rows in columns
//! fleet cells  the home screen                 strip    the last operation, in a few lines
//! operation waterfall detail  one operation    page     help
//! logs     lines of instances                  instance all about one of them
//! dialog   questions over the screen           message  why there are no rows
//! bulk     plans for several apps              services of a Compose file   lists  to choose from
//! history replay   operations of the past
//! prompt   the line behind `:`                 notices  what has ended, in the title and as a list
//! ```

mod bulk;
mod cells;
mod detail;
mod dialog;
mod fleet;
mod gate;
mod history;
mod instance;
mod lists;
mod logs;
mod message;
mod notices;
mod operation;
mod page;
mod pen;
mod prompt;
mod replay;
mod services;
mod strip;
mod table;
mod waterfall;

pub use fleet::watched;
pub use instance::{Row as InstanceRow, rows as instance_rows, shown as instance_shown};
pub use page::{length as page_length, room as page_room};
pub use waterfall::tone as tone_role;

use super::input::Line;
use super::keymap::{Action, Place};
use super::model::{Model, Screen};
use super::text;
use super::theme::Role;
use super::typing::Typing;
use crate::domain::fleet::{Fleet, FleetState};
use pen::{Pen, Spans, spans_width};
use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

/// Draws the whole screen.
pub fn draw(model: &Model, frame: &mut Frame<'_>) {
    let area = frame.area();
    let mut cursor = None;
    let mut pen = Pen { buffer: frame.buffer_mut(), look: &model.look };
    let hints_height = u16::from(area.height > 2);
    let body = Rect { y: area.y + 1, height: area.height.saturating_sub(1 + hints_height), ..area };
    screen(&mut pen, model, area, body);
    if area.height == 0 || area.width == 0 {
        return;
    }
    if hints_height > 0 {
        let line = Rect { y: area.bottom() - 1, height: 1, ..area };
        cursor = bottom(&mut pen, model, line);
    }
    if let Some(typed) = model.prompt.as_ref().filter(|_| hints_height > 0) {
        cursor = Some(prompt::draw(&mut pen, model, typed, area));
    }
    if let Some(dialog) = &model.dialog {
        cursor = dialog::draw(&mut pen, model, dialog, body);
    }
    if let Some(cursor) = cursor {
        frame.set_cursor_position(cursor);
    }
}

/// The header, and what fills the screen.
fn screen(pen: &mut Pen<'_>, model: &Model, area: Rect, body: Rect) {
    pen.blank(area, Role::Base);
    if area.height == 0 || area.width == 0 {
        return;
    }
    header(pen, model, Rect { height: 1, ..area });
    match &model.screen {
        Screen::Fleet => fleet::draw(pen, model, body),
        Screen::Operation(_) => operation::draw(pen, model, body),
        Screen::Instance(..) => instance::draw(pen, model, body),
        Screen::Help(place) => page::help(pen, model, *place, body),
        Screen::OwnLog => page::own_log(pen, model, body),
        Screen::Logs => logs::draw(pen, model, body),
        Screen::History => history::draw(pen, model, body),
        Screen::Replay => replay::draw(pen, model, body),
        Screen::Notices => notices::draw(pen, model, body),
        Screen::Reading => page::reading(pen, model, body),
    }
}

/// What is on screen as text, without dialogs and hints, and as high as it needs to be.
pub fn as_text(model: &Model) -> String {
    const MOST: usize = 5000;
    let rows = match &model.screen {
        Screen::Fleet => model.rows().len(),
        Screen::Operation(_) | Screen::Replay => model.operation().map_or(0, |op| op.rows() + 24),
        Screen::Instance(..) => instance::rows(model).len(),
        Screen::Help(_) | Screen::Reading => page::length(model),
        Screen::Notices => model.operations.len(),
        Screen::History => model.history.as_ref().map_or(0, |list| list.rows(&model.operations).len()),
        Screen::Logs | Screen::OwnLog => 0,
    };
    let height = u16::try_from((rows + 8).min(MOST)).unwrap_or(u16::MAX).max(model.size.1);
    let area = Rect::new(0, 0, model.size.0, height);
    let mut buffer = Buffer::empty(area);
    let mut pen = Pen { buffer: &mut buffer, look: &model.look };
    screen(&mut pen, model, area, Rect { y: 1, height: height - 1, ..area });
    let line = |y: u16| (0..area.width).map(|x| buffer[(x, y)].symbol()).collect::<String>();
    (0..height).map(|y| line(y).trim_end().to_owned() + "\n").collect()
}

/// The line under the cursor, as it is on screen.
pub fn line(model: &Model) -> Option<String> {
    match &model.screen {
        Screen::Fleet => fleet::line(model),
        Screen::Instance(..) => {
            let cursor = model.page.as_ref()?.cursor;
            instance::rows(model).into_iter().nth(cursor).map(|row| row.content)
        }
        Screen::Logs => model.logs.as_ref()?.line().map(str::to_owned),
        Screen::Operation(_)
        | Screen::History
        | Screen::Replay
        | Screen::Notices
        | Screen::Reading
        | Screen::OwnLog
        | Screen::Help(_) => None,
    }
}

/// Who and where on the left, how fresh on the right; the middle gives way first.
fn header(pen: &mut Pen<'_>, model: &Model, area: Rect) {
    let fresh = freshness(pen, model);
    let right = pen.spans_right(area.left(), area.y, area.right().saturating_sub(1), &fresh);
    // Where people depend on what runs, all that says so is loud.
    let brand = if model.is_production(model.here().id) { Role::Loud } else { Role::Brand };
    let mut x = pen.put(area.left(), area.y, area.right(), " pitstop ", brand);
    x += 1;
    let sep = format!(" {} ", pen.glyphs().sep);
    for (i, (part, role)) in facts(pen, model).into_iter().enumerate() {
        let needed = text::width(&part) + if i > 0 { text::width(&sep) } else { 0 };
        if usize::from(right.saturating_sub(x)) < needed + 1 {
            break;
        }
        if i > 0 {
            x = pen.put(x, area.y, right, &sep, Role::Rule);
        }
        x = pen.put(x, area.y, right, &part, role);
    }
}

/// The header's facts, most important first.
fn facts(pen: &Pen<'_>, model: &Model) -> Spans {
    let mut facts = Vec::new();
    if model.simulated {
        facts.push((" SIMULATED ".to_owned(), Role::Loud));
    }
    if model.is_production(model.here().id) {
        facts.push((" PRODUCTION ".to_owned(), Role::Loud));
    }
    if model.read_only {
        facts.push(("read-only".to_owned(), Role::Warn));
    }
    // Behind these: what this console is, must not be the part that gives way.
    let what = facts.len();
    let here = model.here();
    let named = here.fleet().is_some() || model.engines.are_several();
    if named {
        facts.push((here.place().to_owned(), Role::Title));
    }
    if let Some(Fleet { engine, .. }) = here.fleet().filter(|fleet| !fleet.engine.version.is_empty()) {
        facts.push((format!("{} {}", engine.product(), engine.version), Role::Dim));
    }
    // Right behind which engine this is: it must not be the part that gives way.
    let first = what + usize::from(named);
    if let Some((_, instances, ready)) = model.counts().filter(|(_, instances, ready)| ready < instances) {
        facts.insert(first.min(facts.len()), (format!("{} not ready", instances - ready), Role::Warn));
    }
    if let Some(badge) = notices::badge(pen, model) {
        facts.insert(first.min(facts.len()), badge);
    }
    let running = model.running();
    if running > 0 {
        facts.insert(
            first.min(facts.len()),
            (format!("{} {}", pen.glyphs().part, text::count(running, "operation")), Role::Busy),
        );
    }
    if !model.is_wide() && model.screen == Screen::Fleet {
        let notes = fleet::list_notes(model);
        facts.splice(what..what, notes.into_iter().map(|(note, role)| (note.trim().to_owned(), role)));
    }
    if model.engines.are_several() {
        facts.push((text::count(model.engines.iter().count(), "engine"), Role::Text));
    }
    if let Some((apps, instances, ready)) = model.counts() {
        facts.push((text::count(apps, "app"), Role::Text));
        facts.push((text::count(instances, "instance"), Role::Text));
        if ready == instances && instances > 0 {
            facts.push(("all ready".to_owned(), Role::Good));
        }
    }
    facts
}

fn freshness(pen: &Pen<'_>, model: &Model) -> Spans {
    let clock = model.wall.to_zoned(model.zone.clone()).strftime("%H:%M").to_string();
    let here = model.here();
    match &here.state {
        FleetState::Loading => vec![("connecting".to_owned(), Role::Dim)],
        FleetState::Live(_) => {
            vec![(format!("{} live ", pen.glyphs().ready), Role::Good), (clock, Role::Dim)]
        }
        FleetState::Stale { fleet, since, .. } => {
            let for_ms = model.wall.as_millisecond().saturating_sub(since.as_millisecond());
            let seconds = text::seconds(u64::try_from(for_ms).unwrap_or(0) / 1000);
            let what = if fleet.is_some() { "stale for" } else { "no engine for" };
            vec![
                (format!(" {} {what} {seconds} ", pen.glyphs().stale), Role::Loud),
                (format!(" {}", here.next_try(model.now).unwrap_or_default()), Role::Dim),
            ]
        }
    }
}

/// The bottom line: a filter being typed, a notice, why the engine is gone, or hints.
fn bottom(pen: &mut Pen<'_>, model: &Model, area: Rect) -> Option<Position> {
    let left = area.left() + 1;
    if let Some(Typing { what, line, wrong, .. }) = &model.typing {
        let help = (what.help().to_owned(), Role::Dim);
        let said = wrong.as_ref().map_or(help, |wrong| (wrong.clone(), Role::Bad));
        return Some(typed(pen, line, what.prompt(), said, area));
    }
    if let Some(caption) = &model.caption {
        let x = pen.put(left, area.y, area.right(), pen.glyphs().part, Role::Key);
        pen.put(x + 1, area.y, area.right(), caption, Role::Title);
        return None;
    }
    if let Some(notice) = &model.notice {
        pen.spans(left, area.y, area.right(), &[(notice.text.clone(), notice.role)]);
        return None;
    }
    if let FleetState::Stale { error, since, fleet, .. } = &model.here().state
        && (fleet.is_some() || model.engines.are_several())
        && matches!(model.screen, Screen::Fleet | Screen::Instance(..))
    {
        let action = if model.screen == Screen::Fleet { Action::Restart } else { Action::Resync };
        let key = model.keys.key(model.place(), action).unwrap_or_default();
        let now = [(format!("  {key}"), Role::Key), (" tries now ".to_owned(), Role::Dim)];
        let end = pen.spans_right(left + 40, area.y, area.right(), &now);
        let since = since.to_zoned(model.zone.clone()).strftime("%H:%M:%S");
        let x = pen.put(left, area.y, end, &format!("lost since {since}: "), Role::Bad);
        pen.spans(x, area.y, end, &[(crate::domain::clean::clean(error), Role::Text)]);
        return None;
    }
    hints(pen, model, area);
    None
}

/// A line that is typed, with its prompt and a word about it; where the cursor stands.
fn typed(pen: &mut Pen<'_>, line: &Line, prompt: &str, said: (String, Role), area: Rect) -> Position {
    let x = pen.put(area.left() + 1, area.y, area.right(), prompt, Role::Key);
    let (visible, cursor) = line.window(usize::from(area.right().saturating_sub(x + 1)));
    let end = pen.put(x, area.y, area.right(), &visible, Role::Input);
    pen.spans(end + 2, area.y, area.right(), &[said]);
    Position::new(x + u16::try_from(cursor).unwrap_or(0), area.y)
}

/// As many hints as fit, help and quit always at the end.
fn hints(pen: &mut Pen<'_>, model: &Model, area: Rect) {
    let place = model.place();
    let hint = |action: &Action| -> Option<Spans> {
        let key = model.keys.key(place, *action)?;
        Some(vec![(key.to_owned(), Role::Key), (format!(" {}", action.hint()), Role::Dim)])
    };
    let last: Spans = [Action::Help, Action::Quit]
        .iter()
        .filter_map(hint)
        .flat_map(|spans| [spans, vec![("  ".to_owned(), Role::Dim)]].concat())
        .collect();
    let end = pen.spans_right(area.left(), area.y, area.right(), &last);
    let mut x = area.left() + 1;
    for spans in offered(model, place).iter().filter_map(hint) {
        let width = u16::try_from(spans_width(&spans)).unwrap_or(u16::MAX);
        if x.saturating_add(width) + 2 > end {
            break;
        }
        x = pen.spans(x, area.y, end, &spans) + 2;
    }
}

/// What can be done now, most wanted first.
fn offered(model: &Model, place: Place) -> Vec<Action> {
    match place {
        Place::Fleet if model.counts().is_none_or(|(apps, ..)| apps == 0) => {
            vec![Action::Create, Action::Resync, Action::Log]
        }
        Place::Fleet => {
            let mut actions = vec![
                Action::Deploy,
                Action::Restart,
                Action::Rollback,
                Action::Logs,
                Action::Filter,
                Action::Scale,
                Action::Shell,
                Action::Inspect,
                Action::Mark,
                Action::Jump,
            ];
            if !model.operations.is_empty() {
                actions.insert(2, Action::Operations);
            }
            actions.extend([
                Action::Command,
                Action::History,
                Action::Create,
                Action::Remove,
                Action::Trouble,
                Action::Log,
            ]);
            actions
        }
        Place::Operation => match model.operation() {
            Some(op) if op.is_running() => {
                let mut actions = if op.waiting().is_some() { vec![Action::Go] } else { vec![Action::Pause] };
                actions.extend([Action::Abort, Action::NextPane, Action::Back]);
                actions
            }
            Some(op) if !model.read_only && op.can_retry() => vec![Action::Retry, Action::Back, Action::NextPane],
            _ => vec![Action::Back, Action::NextPane],
        },
        Place::Logs => vec![
            Action::Follow,
            Action::Search,
            Action::Match,
            Action::Wrap,
            Action::Times,
            Action::Since,
            Action::Save,
            Action::NextHit,
            Action::Back,
        ],
        Place::Page => vec![Action::Back],
        Place::History => {
            let mut actions = vec![Action::Open, Action::Filter];
            if !model.read_only {
                actions.extend([Action::Resume, Action::TakeBack]);
            }
            actions.extend([Action::Back, Action::Resync]);
            actions
        }
        Place::Notices => vec![Action::Open, Action::Acknowledge, Action::AcknowledgeAll, Action::Back],
        Place::Replay => {
            let mut actions = vec![Action::Play, Action::Slower, Action::Faster];
            if !model.read_only && model.replay.as_ref().is_some_and(|replay| replay.summary.is_open()) {
                actions.extend([Action::Resume, Action::TakeBack]);
            }
            actions.extend([Action::SeekBack, Action::SeekOn, Action::SeekEnd, Action::NextPane, Action::Back]);
            actions
        }
        Place::Instance => vec![
            Action::Json,
            Action::Reveal,
            Action::RevealAll,
            Action::Search,
            Action::NextHit,
            Action::Logs,
            Action::Shell,
            Action::Back,
        ],
    }
}
