//! The history: operations that have a record here, and those of this console, as a list that is filtered.
//!
//! ```text
//! web            in the app, the kind, the outcome, an image, the id, or who did it
//! !web           the opposite, of any word
//! outcome:failed also app: kind: by: image: id:
//! ```
//!
//! Pure: what is on disk comes as a message. An operation of this console tells more of itself than its record does.

use super::operation::OpView;
use crate::domain::ids::OpId;
use crate::domain::record::{Summary, begun, left_open};
use crate::engine::Listed;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::time::Duration;

/// Between looks whether the list has changed.
pub const AGAIN: Duration = Duration::from_secs(1);

/// The history screen's state.
#[derive(Debug, Default)]
pub struct History {
    /// The newest first; `None`: they are being read.
    pub listed: Option<Vec<Listed>>,
    /// Why they can't be read.
    pub failed: Option<String>,
    pub filter: String,
    /// The operation the cursor is on.
    pub cursor: Option<OpId>,
    /// Its place when it was last seen.
    pub place: usize,
    /// When it was looked at last whether the list has changed, on the console's clock.
    pub looked: Duration,
    /// The record that is being read, and at so many hundredths of its speed it is to be played at once.
    pub opening: Option<(OpId, Option<u64>)>,
}

/// A row.
#[derive(Debug)]
pub struct Entry<'a> {
    pub op: &'a OpId,
    /// The error: why its record can't be read.
    pub read: Result<Cow<'a, Summary>, String>,
    /// It was begun here.
    pub own: bool,
    /// It was left half-done, and nobody has gone on with it.
    pub open: bool,
}

impl Entry<'_> {
    /// When it was begun.
    pub fn began(&self) -> Option<Timestamp> {
        self.read.as_ref().ok().and_then(|one| one.began).or_else(|| begun(self.op))
    }
}

impl History {
    /// All rows, the newest first: what is recorded, and what this console has done.
    pub fn all<'a>(&'a self, own: &'a [OpView]) -> Vec<Entry<'a>> {
        let listed = self.listed.as_deref().unwrap_or_default();
        let open: BTreeSet<&OpId> = {
            let read: Vec<Summary> = listed.iter().filter_map(|one| one.read.as_ref().ok()).cloned().collect();
            let open: BTreeSet<OpId> = left_open(&read).into_iter().map(|one| one.op.clone()).collect();
            listed.iter().map(|one| &one.op).filter(|op| open.contains(*op)).collect()
        };
        let recorded = |op: &OpId| listed.iter().find(|one| one.op == *op);
        let mut all: Vec<Entry<'a>> = own
            .iter()
            .map(|view| {
                let on_disk = recorded(&view.id).and_then(|one| one.read.as_ref().ok());
                let by = on_disk.map_or_else(String::new, |one| one.by.clone());
                let resumed_by = on_disk.and_then(|one| one.resumed_by.clone());
                let summary = Summary { by, resumed_by, ..Summary::of(&view.id, &view.progress) };
                let open = open.contains(&view.id);
                Entry { op: &view.id, read: Ok(Cow::Owned(summary)), own: true, open }
            })
            .collect();
        let others = listed.iter().filter(|one| !own.iter().any(|view| view.id == one.op));
        all.extend(others.map(|one| Entry {
            op: &one.op,
            read: one.read.as_ref().map(Cow::Borrowed).map_err(ToString::to_string),
            own: false,
            open: open.contains(&one.op),
        }));
        all.sort_by(|a, b| b.op.cmp(a.op));
        all
    }

    /// The rows that pass the filter.
    pub fn rows<'a>(&'a self, own: &'a [OpView]) -> Vec<Entry<'a>> {
        let filter = Filter::read(&self.filter);
        self.all(own).into_iter().filter(|entry| filter.passes(entry)).collect()
    }

    /// Puts the cursor where its row is, or where it was.
    pub fn settle(&mut self, own: &[OpView]) {
        let ids: Vec<OpId> = self.rows(own).iter().map(|entry| entry.op.clone()).collect();
        let Some(last) = ids.len().checked_sub(1) else { return };
        // A cursor that nobody has moved stays on the newest.
        let at =
            self.cursor.as_ref().filter(|_| self.place > 0).and_then(|id| ids.iter().position(|other| other == id));
        self.place = at.unwrap_or(self.place.min(last));
        self.cursor = Some(ids[self.place].clone());
    }

    /// Puts the cursor on a row.
    pub fn go_to(&mut self, own: &[OpView], place: usize) {
        let id = self.rows(own).get(place).map(|entry| entry.op.clone());
        if id.is_some() {
            (self.cursor, self.place) = (id, place);
        }
    }
}

/// Words that all have to fit.
struct Filter(Vec<(bool, Option<&'static str>, String)>);

const FIELDS: [&str; 6] = ["app:", "kind:", "outcome:", "by:", "image:", "id:"];

impl Filter {
    fn read(text: &str) -> Self {
        let text = text.to_lowercase();
        let words = text.split_whitespace().map(|word| {
            let (word, not) = word.strip_prefix('!').map_or((word, false), |word| (word, true));
            let field = FIELDS.into_iter().find(|field| word.starts_with(field));
            (not, field, word[field.map_or(0, str::len)..].to_owned())
        });
        Self(words.filter(|(.., text)| !text.is_empty()).collect())
    }

    fn passes(&self, entry: &Entry<'_>) -> bool {
        self.0.iter().all(|(not, field, text)| fits(entry, *field, text) != *not)
    }
}

fn fits(entry: &Entry<'_>, field: Option<&str>, text: &str) -> bool {
    let has = |of: &str, value: &str| field.is_none_or(|field| field == of) && value.to_lowercase().contains(text);
    if has("id:", entry.op.as_str()) {
        return true;
    }
    let Ok(one) = &entry.read else { return has("outcome:", "unreadable") };
    has("app:", &one.app)
        || one.kind.is_some_and(|kind| has("kind:", &kind.to_string()))
        || has("outcome:", &outcome(one))
        || entry.open && has("outcome:", "unfinished")
        || has("by:", &one.by)
        || [&one.from, &one.to].into_iter().flatten().any(|image| has("image:", image))
}

/// How it stands, in words: `rolled back`.
pub fn outcome(one: &Summary) -> String {
    one.standing().as_str().replace('_', " ")
}

/// Today the time, this year the day, else the year, too.
pub fn when(at: Timestamp, now: Timestamp, zone: &TimeZone) -> String {
    let (at, now) = (at.to_zoned(zone.clone()), now.to_zoned(zone.clone()));
    let format = match () {
        () if at.date() == now.date() => "%H:%M:%S",
        () if at.year() == now.year() => "%b %d %H:%M",
        () => "%Y-%m-%d",
    };
    at.strftime(format).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_as_long_as_they_must_be() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        for (then, want) in [
            ("2026-11-22T09:00:01Z", "09:00:01"),
            ("2026-11-21T23:59:59Z", "Nov 21 23:59"),
            ("2025-12-31T12:00:00Z", "2025-12-31"),
        ] {
            assert_eq!(when(at(then), at("2026-11-22T12:00:00Z"), &TimeZone::UTC), want);
        }
    }

    #[test]
    fn words_find_what_they_name() {
        let op = OpId::new("20261122-101502-3f2a01").unwrap();
        let summary = Summary {
            by: "anna@ops1".into(),
            app: "shop/web".into(),
            from: Some("web:v1".into()),
            ..Summary::of(&op, &crate::domain::progress::Progress::default())
        };
        let entry = |read| Entry { op: &op, read, own: false, open: false };
        let fine = entry(Ok(Cow::Borrowed(&summary)));
        for (text, want) in [
            ("", true),
            ("WEB", true),
            ("!web", false),
            ("by:anna", true),
            ("by:web", false),
            ("app:shop image:v1", true),
            ("3f2a", true),
            ("outcome:running !by:bob", true),
            ("unfinished", false),
            ("app:", true),
        ] {
            assert_eq!(Filter::read(text).passes(&fine), want, "{text}");
        }
        let bad = entry(Err("no".into()));
        assert!(Filter::read("unreadable").passes(&bad) && !Filter::read("web").passes(&bad));
    }
}
