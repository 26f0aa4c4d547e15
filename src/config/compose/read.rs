//! Typed readers over the tree: each gives a value, or notes what is wrong with it at its place and gives nothing.
//!
//! They know shapes (text, size, list or single value, `KEY=VALUE`), never what a Compose key means.

use super::report::Report;
use super::tree::{Node, Pos, Value};
use crate::domain::duration;
use std::fmt::Write as _;

/// A value with its place and its path, from which everything is read.
#[derive(Clone, Debug)]
pub(super) struct At<'a> {
    pub node: &'a Node,
    /// Of the key, where there is one; of the value otherwise.
    pub pos: Pos,
    pub path: String,
    pub report: &'a Report,
}

/// The keys a map may hold.
pub(super) struct Keys {
    /// Read by the caller.
    pub read: &'static [&'static str],
    /// Known, but would change what runs: an error. With the reason.
    pub refused: &'static [(&'static str, &'static str)],
    /// Known and harmless: a warning. With the reason.
    pub passed: &'static [(&'static str, &'static str)],
}

impl Keys {
    /// Only keys that the caller reads.
    pub const fn only(read: &'static [&'static str]) -> Self {
        Self { read, refused: &[], passed: &[] }
    }
}

/// A map whose keys have been checked.
pub(super) struct Fields<'a> {
    pub at: At<'a>,
}

impl<'a> Fields<'a> {
    /// The value of a key; `None` where it is missing or null.
    pub fn get(&self, key: &str) -> Option<At<'a>> {
        let entry = self.at.node.get(key)?;
        (entry.node.value != Value::Null).then(|| self.at.entry(key, entry.pos, &entry.node))
    }

    /// The text of a key, as most are.
    pub fn text(&self, key: &str) -> Option<String> {
        self.get(key)?.text()
    }

    /// A switch; off where it is missing.
    pub fn flag(&self, key: &str) -> bool {
        self.get(key).and_then(|at| at.flag()).unwrap_or_default()
    }

    /// A list of texts, or one text; empty where it is missing.
    pub fn texts(&self, key: &str) -> Vec<String> {
        self.get(key).map(|at| at.texts()).unwrap_or_default()
    }

    /// A key that has to be there.
    pub fn need(&self, key: &str) -> Option<At<'a>> {
        let found = self.get(key);
        if found.is_none() {
            self.at.error(format!("`{key}` is missing"));
        }
        found
    }
}

impl<'a> At<'a> {
    /// Notes that this is wrong.
    pub fn error(&self, message: impl AsRef<str>) {
        self.report.error(self.pos, &self.path, message.as_ref());
    }

    /// Notes that this is passed over.
    pub fn warn(&self, message: impl AsRef<str>) {
        self.report.warn(self.pos, &self.path, message.as_ref());
    }

    /// Notes that this should have been something else.
    fn wrong<T>(&self, wanted: &str) -> Option<T> {
        self.error(match scalar(&self.node.value) {
            Some(text) => format!("`{text}` is not {wanted}"),
            None => format!("{} where {wanted} is expected", self.node.value.kind()),
        });
        None
    }

    fn entry(&self, key: &str, pos: Pos, node: &'a Node) -> Self {
        let mut path = self.path.clone();
        let plain = key.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
        let _ = match (path.is_empty(), plain) {
            (true, _) => write!(path, "{key}"),
            (_, true) => write!(path, ".{key}"),
            _ => write!(path, "[{key:?}]"),
        };
        Self { node, pos, path, report: self.report }
    }

    /// A single text, not a list or a map.
    pub fn is_text(&self) -> bool {
        matches!(self.node.value, Value::Text(_))
    }

    /// A scalar as text.
    pub fn text(&self) -> Option<String> {
        match scalar(&self.node.value) {
            Some(text) => Some(text),
            None => self.wrong("text"),
        }
    }

    /// Text that must not be empty.
    pub fn word(&self) -> Option<String> {
        let text = self.text()?;
        if text.trim().is_empty() {
            self.error("is empty");
            return None;
        }
        Some(text)
    }

    /// A text that `parse` understands; its error is shown.
    pub fn parsed<T>(&self, parse: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        parse(&self.text()?).map_err(|message| self.error(message)).ok()
    }

    /// `true` or `false`, as text too (interpolated values are text).
    pub fn flag(&self) -> Option<bool> {
        match &self.node.value {
            Value::Bool(value) => Some(*value),
            Value::Text(text) if text.eq_ignore_ascii_case("true") => Some(true),
            Value::Text(text) if text.eq_ignore_ascii_case("false") => Some(false),
            _ => self.wrong("true or false"),
        }
    }

    /// A whole number that fits `T`.
    pub fn int<T: TryFrom<i64>>(&self) -> Option<T> {
        let number = match &self.node.value {
            Value::Int(number) => Some(*number),
            Value::Text(text) => text.trim().parse().ok(),
            _ => return self.wrong("a whole number"),
        };
        match number.map(T::try_from) {
            Some(Ok(number)) => Some(number),
            _ if number.is_some() => {
                self.error(format!("{} is out of range", scalar(&self.node.value).unwrap_or_default()));
                None
            }
            _ => self.wrong("a whole number"),
        }
    }

    /// A duration in milliseconds.
    pub fn duration_ms(&self) -> Option<u64> {
        self.parsed(|text| duration::parse(text).map(duration::millis))
    }

    /// A size in bytes, as Docker writes it: `64m` is 64·1024².
    pub fn bytes(&self) -> Option<i64> {
        self.parsed(bytes)
    }

    /// The items of a list.
    pub fn items(&self) -> Vec<At<'a>> {
        let Value::List(items) = &self.node.value else {
            return self.wrong::<()>("a list").map(|()| Vec::new()).unwrap_or_default();
        };
        let item = |(index, node): (usize, &'a Node)| At {
            node,
            pos: node.pos,
            path: format!("{}[{index}]", self.path),
            report: self.report,
        };
        items.iter().enumerate().map(item).collect()
    }

    /// A list, or one value in place of a list of one.
    pub fn items_or_one(&self) -> Vec<At<'a>> {
        match &self.node.value {
            Value::List(_) => self.items(),
            _ => vec![self.clone()],
        }
    }

    /// A list of texts, or one text.
    pub fn texts(&self) -> Vec<String> {
        self.items_or_one().iter().filter_map(At::text).collect()
    }

    /// The entries of a map, null values included.
    pub fn entries(&self) -> Vec<(String, At<'a>)> {
        match &self.node.value {
            Value::Map(entries) => entries
                .iter()
                .map(|entry| (entry.key.clone(), self.entry(&entry.key, entry.pos, &entry.node)))
                .collect(),
            Value::Null => Vec::new(),
            _ => self.wrong::<()>("a map").map(|()| Vec::new()).unwrap_or_default(),
        }
    }

    /// A map, or a list of `KEY=VALUE` or bare `KEY`, in the file's order; `None` where there is no value.
    pub fn pairs(&self) -> Vec<(String, Option<String>, At<'a>)> {
        if !matches!(self.node.value, Value::List(_)) {
            let pair = |(key, at): (String, At<'a>)| match &at.node.value {
                Value::Null => Some((key, None, at)),
                _ => at.text().map(|text| (key, Some(text), at)),
            };
            return self.entries().into_iter().filter_map(pair).collect();
        }
        let pair = |at: At<'a>| {
            let text = at.word()?;
            Some(match text.split_once('=') {
                Some((key, value)) => (key.to_owned(), Some(value.to_owned()), at),
                None => (text, None, at),
            })
        };
        self.items().into_iter().filter_map(pair).collect()
    }

    /// As [`At::fields`] where this is a map; `None`, and no complaint, where it is something else.
    pub fn fields_if_map(&self, keys: &Keys) -> Option<Fields<'a>> {
        if matches!(self.node.value, Value::Map(_)) { self.fields(keys) } else { None }
    }

    /// A map with only these keys (and `x-…`); others are noted, with the nearest known one.
    pub fn fields(&self, keys: &Keys) -> Option<Fields<'a>> {
        if !matches!(self.node.value, Value::Map(_) | Value::Null) {
            return self.wrong("a map");
        }
        for (key, at) in self.entries() {
            let reason =
                |table: &[(&str, &'static str)]| table.iter().find(|(known, _)| *known == key).map(|(_, why)| *why);
            if keys.read.contains(&key.as_str()) || key.starts_with("x-") {
                continue;
            }
            if let Some(why) = reason(keys.refused) {
                at.error(format!("is not supported: {why}"));
            } else if let Some(why) = reason(keys.passed) {
                at.warn(format!("is passed over: {why}"));
            } else {
                let known =
                    keys.read.iter().copied().chain(keys.refused.iter().chain(keys.passed).map(|(key, _)| *key));
                at.error(unknown(&key, known));
            }
        }
        Some(Fields { at: self.clone() })
    }
}

/// Numbers as Compose spells them when it needs text.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::Text(text) => Some(text.clone()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Int(value) => Some(value.to_string()),
        Value::Float(value) => Some(value.to_string()),
        Value::Null | Value::List(_) | Value::Map(_) => None,
    }
}

/// What to say about a key nobody knows.
pub(super) fn unknown<'k>(key: &str, known: impl Iterator<Item = &'k str>) -> String {
    match nearest(key, known) {
        Some(near) => format!("is not a known key; did you mean `{near}`?"),
        None => "is not a known key".to_owned(),
    }
}

/// The known word that is at most a third of its letters away from `word`.
pub(super) fn nearest<'k>(word: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    let far = |near: &str| (near.len() / 3).clamp(1, 3);
    let begins = |near: &str| near.len() > 3 && word.starts_with(near);
    let candidates = known.map(|near| (if begins(near) { 1 } else { distance(word, near) }, near));
    candidates.filter(|(distance, near)| *distance <= far(near)).min().map(|(_, near)| near)
}

/// Edit distance, with a swap of neighbours as one edit.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().take(64).collect(), b.chars().take(64).collect());
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    rows[0] = (0..=b.len()).collect();
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let change = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = change.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[a.len()][b.len()]
}

/// Docker's sizes: a number with `b`, `k`, `m`, `g`, `t` or `p`, powers of 1024; `kb`, `KiB` mean the same.
pub(super) fn bytes(text: &str) -> Result<i64, String> {
    let wrong = || format!("`{text}` is not a size; write it like 64m, 512k or 1.5g");
    let lower = text.trim().to_ascii_lowercase();
    let digits = lower.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(lower.len());
    let (number, unit) = lower.split_at(digits);
    let unit = unit.trim();
    let power = match unit.strip_suffix("ib").or_else(|| unit.strip_suffix('b')).unwrap_or(unit) {
        "" if unit != "ib" => 0,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        "p" => 5,
        _ => return Err(wrong()),
    };
    let number: f64 = number.parse().map_err(|_| wrong())?;
    let size = number * 1024_f64.powi(power);
    // The cast is exact enough: sizes above 2^53 bytes are not machines of today.
    #[allow(clippy::cast_possible_truncation)]
    if size <= 9e15 { Ok(size as i64) } else { Err(wrong()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_dockers() {
        for (text, want) in [
            ("64m", 64 << 20),
            ("64mb", 64 << 20),
            ("64MiB", 64 << 20),
            ("1.5g", 3 << 29),
            ("1024", 1024),
            ("10b", 10),
            ("2 k", 2048),
            ("1t", 1 << 40),
        ] {
            assert_eq!(bytes(text), Ok(want), "{text}");
        }
        for text in ["", "m", "1x", "-1", "1mm", "1i", "9999p", "1.2.3g", "∞"] {
            assert!(bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_near_key_is_proposed_and_a_far_one_is_not() {
        let known = ["image", "environment", "ports", "command"];
        for (word, want) in [
            ("imgae", Some("image")),
            ("enviroment", Some("environment")),
            ("port", Some("ports")),
            ("zzz", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, known.into_iter()), want, "{word}");
        }
    }
}
