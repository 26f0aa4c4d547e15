//! An app file as a tree that remembers where everything was written.
//!
//! YAML itself (anchors, merge keys, quoting) is the parser's work. Keeping positions lets
//! every later complaint point at its line. Must not know what any key means.

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Location, MessageFormatter as _, Spanned};
use std::fmt;

/// Where something was written: the file's number in the [`super::report::Report`], line and column from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Pos {
    pub file: usize,
    pub line: u64,
    pub column: u64,
}

/// A value and where it begins.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Node {
    pub pos: Pos,
    pub value: Value,
}

/// A YAML value; numbers keep no spelling, as in Compose.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) enum Value {
    #[default]
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key of a map, where it was written, and what it holds.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    pub key: String,
    pub pos: Pos,
    pub node: Node,
}

/// Parses one document of file number `file`, without interpolation. The error is a position and a sentence.
pub(super) fn parse(text: &str, file: usize) -> Result<Node, (Pos, String)> {
    let options = serde_saphyr::options! {
        legacy_octal_numbers: true,
        strict_booleans: true,
        reject_unsupported_tags: true,
        non_finite_float_policy: serde_saphyr::NonFiniteFloatPolicy::AsString,
        // A real file has some thousands of nodes; an alias bomb has millions.
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: 50_000, max_replay_stack_depth: 16 },
        budget: serde_saphyr::budget! {
            max_events: 200_000,
            max_nodes: 100_000,
            max_recorded_anchor_events: 50_000,
            max_depth: 40,
            max_documents: 1,
        },
        with_snippet: false,
    };
    let mut node: Node = serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let pos = match error.location() {
            Some(l) if l.line() > 0 => Pos { file, line: l.line(), column: l.column() },
            _ => Pos { file, line: 1, column: 1 },
        };
        (pos, sentence(&error))
    })?;
    node.stamp(file);
    Ok(node)
}

/// The parser's error without its position, and in our words where its own speak of its inside.
fn sentence(error: &serde_saphyr::Error) -> String {
    let mut error = error.without_snippet();
    while let serde_saphyr::Error::AliasError { error: inner, .. } = error {
        error = inner.without_snippet();
    }
    let text = serde_saphyr::UserMessageFormatter.format_message(error).into_owned();
    match () {
        () if text.contains("Documents {") => "a second YAML document begins; one file is one document".to_owned(),
        () if text.contains("limits breached") || text.contains("limit exceeded") => {
            "the file grows too large when its aliases are expanded, or is nested too deeply".to_owned()
        }
        () if text.contains("tab") && text.contains("indentation") => {
            "a tab where the line is indented; YAML is indented with spaces".to_owned()
        }
        () if text == "reference to unknown value" => {
            "the alias names an anchor that is not defined above it".to_owned()
        }
        () if text.contains("multiline quoted scalar") => format!("{text}; is a quote not closed?"),
        () if text.starts_with("unsupported tag") => format!("{text}; write the value without a tag"),
        () => text,
    }
}

impl Node {
    /// Puts the file's number on every position.
    fn stamp(&mut self, file: usize) {
        self.pos.file = file;
        match &mut self.value {
            Value::List(items) => items.iter_mut().for_each(|item| item.stamp(file)),
            Value::Map(entries) => {
                for entry in entries {
                    entry.pos.file = file;
                    entry.node.stamp(file);
                }
            }
            _ => {}
        }
    }

    /// The entry of a map; `None` where this is no map or has no such key.
    pub fn get(&self, key: &str) -> Option<&Entry> {
        match &self.value {
            Value::Map(entries) => entries.iter().find(|entry| entry.key == key),
            _ => None,
        }
    }
}

impl Value {
    /// What this is called in messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) | Self::Int(_) | Self::Float(_) | Self::Text(_) => "text",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
        }
    }
}

/// Where a value was *written*: for an alias or merged key that is the anchor's place.
fn pos(location: Location) -> Pos {
    Pos { file: 0, line: location.line(), column: location.column() }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Value>::deserialize(deserializer)?;
        Ok(Self { pos: pos(spanned.defined), value: spanned.value })
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        Value::deserialize(deserializer)
    }
    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Int(value))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(i64::try_from(value).map_or_else(|_| Value::Text(value.to_string()), Value::Int))
    }
    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Float(value))
    }
    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.to_owned()))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::List(list))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = map.next_key::<Spanned<String>>()? {
            let node = map.next_value()?;
            entries.push(Entry { key: key.value, pos: pos(key.defined), node });
        }
        Ok(Value::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(node: &Node, path: &[&str]) -> (Value, u64, u64) {
        let mut node = node;
        for key in path {
            node = &node.get(key).unwrap_or_else(|| panic!("no {key}")).node;
        }
        (node.value.clone(), node.pos.line, node.pos.column)
    }

    #[test]
    fn scalars_have_composes_types_and_positions() {
        let node = parse("i: 0440\nb: true\ny: yes\nn:\nf: 2.5\nq: '5'\np: 22:22\ne: 1e999\n", 0).unwrap();
        for (key, want) in [
            ("i", (Value::Int(288), 1, 4)),
            ("b", (Value::Bool(true), 2, 4)),
            ("y", (Value::Text("yes".into()), 3, 4)),
            ("f", (Value::Float(2.5), 5, 4)),
            ("q", (Value::Text("5".into()), 6, 4)),
            ("p", (Value::Text("22:22".into()), 7, 4)),
            ("e", (Value::Text(".inf".into()), 8, 4)),
        ] {
            assert_eq!(at(&node, &[key]), want, "{key}");
        }
        assert_eq!(at(&node, &["n"]).0, Value::Null);
    }

    #[test]
    fn merged_and_aliased_values_point_to_where_they_were_written() {
        let node = parse("a: &x {k: v, n: 1}\nb:\n  <<: *x\n  n: 2\nc: *x\n", 0).unwrap();
        assert_eq!(at(&node, &["b", "k"]), (Value::Text("v".into()), 1, 11));
        assert_eq!(at(&node, &["b", "n"]), (Value::Int(2), 4, 6));
        assert_eq!(at(&node, &["c", "n"]), (Value::Int(1), 1, 17));
    }
}
