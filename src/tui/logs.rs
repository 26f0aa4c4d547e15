//! Logs on screen: lines of one or several instances in the order of their time, bounded, filtered, held or followed.
//!
//! Pure. Which containers write is taken from the fleet, so that a log goes on in what replaces them. Lines keep their
//! number for as long as they are kept: a view that is held stands still whatever comes.

use super::engine::{EngineId, Engines};
use super::pattern::Pattern;
use super::rows::RowId;
use crate::domain::fleet::Instance;
use crate::domain::ids::{ContainerId, InstanceName};
use crate::domain::painted::Paint;
use crate::engine::LogLine;
use jiff::{SignedDuration, Timestamp};
use std::collections::VecDeque;
use std::fmt::Write;
use std::time::Duration;

/// Lines kept, and bytes of their text.
pub const KEPT: (usize, usize) = (10_000, 8 << 20);
/// Lines to begin with, of each instance.
pub const TAIL: u32 = 500;
/// Between two attempts to go on with a log that has ended while its container runs.
const AGAIN: Duration = Duration::from_secs(1);

/// One line kept.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Whose: a place in [`LogView::sources`].
    pub source: usize,
    pub at: Option<Timestamp>,
    pub text: String,
    pub paints: Box<[(usize, Paint)]>,
    pub stderr: bool,
    /// pitstop's own word: an end, a beginning.
    pub note: bool,
    /// It passes the filter.
    pub shown: bool,
}

/// A container whose log is read.
#[derive(Clone, Debug)]
pub struct Source {
    pub engine: EngineId,
    pub name: InstanceName,
    pub container: ContainerId,
    /// Its stream has ended.
    pub ended: bool,
    /// The console's time when it was asked for last.
    asked: Duration,
    /// When its last line was written.
    last: Option<Timestamp>,
}

/// What is to be read: a source by its place, and from when on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub source: usize,
    pub engine: EngineId,
    pub container: ContainerId,
    pub tail: Option<u32>,
    pub since: Option<Timestamp>,
}

/// The log on screen.
#[derive(Clone, Debug, Default)]
pub struct LogView {
    /// Whose, in words.
    pub title: String,
    pub targets: Vec<RowId>,
    /// Tells its lines from those of a log that was on screen before.
    pub ticket: u64,
    pub sources: Vec<Source>,
    pub lines: VecDeque<Entry>,
    bytes: usize,
    /// The number of the first line kept.
    first: u64,
    /// The number of the last line on screen; `None`: it follows.
    pub held: Option<u64>,
    /// Lines that came while it was held and could not be kept.
    pub missed: u64,
    pub wrap: bool,
    pub times: bool,
    /// Cells that the text is shifted to the left.
    pub column: usize,
    pub filter: Option<Pattern>,
    pub search: Option<Pattern>,
    /// The number of the line that was found.
    pub found: Option<u64>,
    /// Only what was written since so long before it was opened.
    pub since: Option<(Duration, Timestamp)>,
}

impl LogView {
    pub fn new(title: String, targets: Vec<RowId>, ticket: u64) -> Self {
        Self { title, targets, ticket, ..Self::default() }
    }

    /// Several instances write: each line says which.
    pub fn is_mixed(&self) -> bool {
        let first = self.sources.first().map(|source| &source.name);
        self.sources.iter().any(|source| Some(&source.name) != first)
    }

    /// Compares with the fleets: what is to be read that is not being read.
    pub fn settle(&mut self, engines: &Engines, now: Duration) -> Vec<Wanted> {
        let mut wanted = Vec::new();
        for (engine, instance) in instances(engines, &self.targets) {
            let Some(app) = &instance.app else { continue };
            let known = self.sources.iter().position(|source| source.engine == engine && source.container == app.id);
            match known {
                Some(at) if !self.sources[at].ended => {}
                Some(at) if !app.is_running() || now < self.sources[at].asked + AGAIN => {}
                Some(at) => {
                    let source = &mut self.sources[at];
                    (source.ended, source.asked) = (false, now);
                    let since = source_since(source);
                    wanted.push(self.wanted(at, since));
                }
                None => {
                    let before = self
                        .sources
                        .iter()
                        .rev()
                        .find(|source| source.engine == engine && source.name == instance.name);
                    let last = before.and_then(|source| source.last);
                    let replaces = before.is_some();
                    let (name, container) = (instance.name.clone(), app.id.clone());
                    self.sources.push(Source { engine, name, container, ended: false, asked: now, last: None });
                    let at = self.sources.len() - 1;
                    if replaces {
                        let revision = instance.revision().map_or_else(String::new, |n| format!(", revision {n}"));
                        self.note(at, &format!("{} goes on in {}{revision}", instance.name.short(), app.name));
                    }
                    // What replaces one that was read is read from its beginning.
                    let tail = if replaces && last.is_some() { None } else { Some(TAIL) };
                    let since = self.since.map(|(_, since)| since);
                    wanted.push(Wanted { tail: tail.filter(|_| since.is_none()), ..self.wanted(at, since) });
                }
            }
        }
        wanted
    }

    fn wanted(&self, source: usize, since: Option<Timestamp>) -> Wanted {
        let tail = since.is_none().then_some(TAIL);
        let Source { engine, container, .. } = &self.sources[source];
        Wanted { source, engine: *engine, container: container.clone(), tail, since }
    }

    /// Takes lines in, each at the place of its time.
    pub fn take(&mut self, source: usize, lines: Vec<LogLine>) {
        for line in lines {
            if let Some(source) = self.sources.get_mut(source) {
                source.last = line.at.or(source.last);
            }
            let shown = self.filter.as_ref().is_none_or(|filter| filter.wants(&line.text));
            let LogLine { stderr, at, text, paints } = line;
            self.insert(Entry { source, at, text: text.into(), paints: paints.into(), stderr, note: false, shown });
        }
    }

    /// Says something of pitstop's own among the lines.
    pub fn note(&mut self, source: usize, text: &str) {
        let at = self.lines.back().and_then(|entry| entry.at);
        let (text, paints) = (text.to_owned(), Box::default());
        self.insert(Entry { source, at, text, paints, stderr: false, note: true, shown: true });
    }

    /// A stream has ended.
    pub fn ended(&mut self, source: usize, why: Option<&str>) {
        let Some(one) = self.sources.get_mut(source).filter(|one| !one.ended) else { return };
        one.ended = true;
        let name = one.name.short().to_owned();
        let text = why.map_or_else(|| format!("{name} has ended"), |why| format!("{name}: {why}"));
        self.note(source, &text);
    }

    fn insert(&mut self, entry: Entry) {
        let full = |view: &Self| view.lines.len() >= KEPT.0 || view.bytes + entry.text.len() > KEPT.1;
        // What is held stays: when there is no room beside it, the newest is missed and counted.
        while full(self) {
            let top = self.held.map(|held| held.saturating_sub(self.first));
            if top.is_some_and(|top| top < 200) || self.lines.is_empty() {
                self.missed += 1;
                return;
            }
            if let Some(gone) = self.lines.pop_front() {
                self.bytes -= gone.text.len();
                self.first += 1;
            }
        }
        self.bytes += entry.text.len();
        let later = |other: &Entry| entry.at.zip(other.at).is_some_and(|(at, other)| other > at);
        if !self.lines.back().is_some_and(later) {
            self.lines.push_back(entry);
            return;
        }
        let place = self.lines.partition_point(|other| !later(other));
        let number = self.first + place as u64;
        for marked in [&mut self.held, &mut self.found].into_iter().flatten() {
            if *marked >= number {
                *marked += 1;
            }
        }
        self.lines.insert(place, entry);
    }

    /// Lines that pass the filter, from the last on screen backwards, with their numbers.
    pub fn upwards(&self) -> impl Iterator<Item = (u64, &Entry)> {
        let end = self.held.map_or(self.lines.len(), |held| self.index(held) + 1).min(self.lines.len());
        self.lines
            .range(..end)
            .enumerate()
            .rev()
            .filter(|(_, entry)| entry.shown)
            .map(|(i, entry)| (self.first + i as u64, entry))
    }

    /// Lines that pass the filter below what is on screen.
    pub fn below(&self) -> usize {
        let Some(held) = self.held else { return 0 };
        let from = (self.index(held) + 1).min(self.lines.len());
        self.lines.range(from..).filter(|entry| entry.shown).count()
    }

    /// Lines that pass the filter.
    pub fn passing(&self) -> usize {
        if self.filter.is_none() { self.lines.len() } else { self.lines.iter().filter(|entry| entry.shown).count() }
    }

    fn index(&self, number: u64) -> usize {
        usize::try_from(number.saturating_sub(self.first)).unwrap_or(usize::MAX)
    }

    /// Stands still where it is.
    pub fn hold(&mut self) {
        if self.held.is_none() {
            let last = self.upwards().next().map(|(number, _)| number);
            self.held = last;
        }
    }

    /// Goes on with the newest.
    pub fn follow(&mut self) {
        self.held = None;
        if self.missed > 0 {
            let missed = std::mem::take(&mut self.missed);
            let source = self.sources.len();
            self.note(source, &format!("{missed} lines came while this was held and are not kept"));
        }
    }

    /// Moves by so many lines that pass the filter; back at the end, it follows.
    pub fn scroll(&mut self, lines: isize, room: usize) {
        self.hold();
        let Some(held) = self.held else { return };
        let distance = lines.unsigned_abs();
        if lines < 0 {
            // The first page is as far as it goes.
            let to = self.upwards().map(|(number, _)| number).nth(distance.min(KEPT.0));
            let lowest = self.numbers().nth(room.saturating_sub(1)).or_else(|| self.numbers().last());
            self.held = to.max(lowest).or(Some(held)).map(|to| to.min(held));
            return;
        }
        let from = (self.index(held) + 1).min(self.lines.len());
        let mut below = (from..self.lines.len()).filter(|i| self.lines[*i].shown);
        match below.nth(distance.saturating_sub(1)) {
            Some(to) if self.lines.range(to + 1..).any(|entry| entry.shown) => self.held = Some(self.first + to as u64),
            _ => self.follow(),
        }
    }

    /// To the first line kept, a page of it.
    pub fn to_first(&mut self, room: usize) {
        self.hold();
        let page = self.numbers().take(room.max(1)).last();
        self.held = page.or(self.held);
    }

    fn numbers(&self) -> impl Iterator<Item = u64> {
        let first = self.first;
        self.lines.iter().enumerate().filter(|(_, entry)| entry.shown).map(move |(i, _)| first + i as u64)
    }

    /// Shows only what the pattern wants.
    pub fn set_filter(&mut self, filter: Option<Pattern>) {
        for entry in &mut self.lines {
            entry.shown = entry.note || filter.as_ref().is_none_or(|filter| filter.wants(&entry.text));
        }
        self.filter = filter;
        if let Some(held) = self.held {
            // The nearest line above that is still shown, else the end.
            self.held = self.numbers().take_while(|number| *number <= held).last();
        }
    }

    /// Goes to the next line that was searched for, up or down; whether there is one.
    pub fn find(&mut self, down: bool, room: usize) -> bool {
        let Some(pattern) = &self.search else { return false };
        let hit = |number: &u64| {
            self.lines.get(self.index(*number)).is_some_and(|entry| !entry.note && pattern.wants(&entry.text))
        };
        let from = self.found;
        let next = if down {
            self.numbers().filter(|number| from.is_none_or(|from| *number > from)).find(hit)
        } else {
            let end = self.upwards().next().map_or(0, |(number, _)| number + 1);
            let mut above: Vec<u64> = self.numbers().filter(|number| *number < from.unwrap_or(end)).collect();
            above.reverse();
            above.into_iter().find(hit)
        };
        let Some(next) = next else { return false };
        self.found = Some(next);
        self.hold();
        // In view: where it is, or in the middle of the page.
        let visible: Vec<u64> = self.upwards().take(room.max(1)).map(|(number, _)| number).collect();
        if !visible.contains(&next) {
            let below = self.numbers().filter(|number| *number >= next).take(room / 2 + 1).last();
            self.held = below.or(Some(next));
        }
        true
    }

    /// The line that was found, else the last one on screen.
    pub fn line(&self) -> Option<&str> {
        let place = |found: u64| usize::try_from(found.checked_sub(self.first)?).ok();
        let found = self.found.and_then(place).and_then(|at| self.lines.get(at));
        found.or_else(|| self.upwards().next().map(|(_, entry)| entry)).map(|entry| entry.text.as_str())
    }

    /// What has passed the filter, as a file has it.
    pub fn text(&self) -> String {
        let mut out = String::new();
        for entry in self.lines.iter().filter(|entry| entry.shown) {
            if let Some(at) = entry.at {
                let _ = write!(out, "{at:.3} ");
            }
            if let Some(source) = self.sources.get(entry.source).filter(|_| self.is_mixed()) {
                out.push_str(source.name.short());
                out.push_str(" | ");
            }
            if entry.note {
                out.push_str("-- ");
            }
            out.push_str(&entry.text);
            out.push('\n');
        }
        out
    }

    /// All streams were cut: nobody reads.
    pub fn cut(&mut self) {
        for source in &mut self.sources {
            source.ended = true;
            source.asked = Duration::ZERO;
        }
    }
}

/// Right after the last line that was read.
fn source_since(source: &Source) -> Option<Timestamp> {
    source.last?.checked_add(SignedDuration::from_nanos(1)).ok()
}

/// The instances that rows mean.
fn instances<'a>(engines: &'a Engines, targets: &[RowId]) -> Vec<(EngineId, &'a Instance)> {
    let mut out: Vec<(EngineId, &Instance)> = Vec::new();
    for target in targets {
        let Some((engine, app)) = target.app().and_then(|key| engines.app(key)) else { continue };
        // One that is away is asked for no log; it goes on when it is back.
        if !engine.is_live() {
            continue;
        }
        let wanted = |instance: &&Instance| match target {
            RowId::Instance(_, name) => instance.name == *name,
            _ => true,
        };
        for instance in app.instances.iter().filter(wanted) {
            if !out.iter().any(|(other, one)| *other == engine.id && one.name == instance.name) {
                out.push((engine.id, instance));
            }
        }
    }
    out
}
