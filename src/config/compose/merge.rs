//! Several files into one, as Compose merges them: maps merge, lists append, commands replace, single values are later's.
//!
//! What must be unique (a port, a mount's target, an address plan) is judged where it is read.

use super::tree::{Entry, Node, Value};

/// Lists that the later file replaces, by their key.
const REPLACED: [&str; 3] = ["command", "entrypoint", "test"];

/// Keys where one text stands for a list of one.
const LISTS: [&str; 5] = ["env_file", "dns", "dns_search", "dns_opt", "tmpfs"];

/// Where a list of `KEY=VALUE` means a map.
const PAIRS: [&str; 6] = ["environment", "labels", "extra_hosts", "sysctls", "driver_opts", "annotations"];

/// Lays `over` upon `base`; `path` is where both are.
pub(super) fn merge(base: &mut Node, over: Node, path: &[&str]) {
    let key = path.last().copied().unwrap_or_default();
    if matches!(over.value, Value::Null) {
        return;
    }
    if PAIRS.contains(&key) {
        let separators: &[char] = if key == "extra_hosts" { &['=', ':'] } else { &['='] };
        list_to_map(base, separators);
        let mut over = over;
        list_to_map(&mut over, separators);
        return merge_values(base, over, path);
    }
    if matches!((path.first(), path.len(), key), (Some(&"services"), 3, "networks" | "depends_on")) {
        list_to_map(base, &[]);
        let mut over = over;
        list_to_map(&mut over, &[]);
        return merge_values(base, over, path);
    }
    if key == "logging" && over.get("driver").is_some_and(|driver| base.get("driver").map(text) != Some(text(driver))) {
        // Another driver does not understand the first one's options.
        *base = over;
        return;
    }
    merge_values(base, over, path);
}

fn merge_values(base: &mut Node, over: Node, path: &[&str]) {
    let key = path.last().copied().unwrap_or_default();
    match (&mut base.value, over.value) {
        (Value::Map(entries), Value::Map(later)) => {
            for entry in later {
                match entries.iter_mut().find(|known| known.key == entry.key) {
                    Some(known) => {
                        known.pos = entry.pos;
                        let path: Vec<&str> = path.iter().copied().chain([entry.key.as_str()]).collect();
                        merge(&mut known.node, entry.node, &path);
                    }
                    None => entries.push(entry),
                }
            }
        }
        (Value::List(items), Value::List(later)) if !REPLACED.contains(&key) => items.extend(later),
        (Value::List(items), one @ Value::Text(_)) if !REPLACED.contains(&key) => {
            items.push(Node { pos: over.pos, value: one });
        }
        (Value::Text(_), Value::List(later)) if LISTS.contains(&key) => {
            let first = std::mem::take(base);
            *base = Node { pos: over.pos, value: Value::List(std::iter::once(first).chain(later).collect()) };
        }
        (Value::Text(_), one @ Value::Text(_)) if LISTS.contains(&key) => {
            let first = std::mem::take(base);
            *base = Node { pos: over.pos, value: Value::List(vec![first, Node { pos: over.pos, value: one }]) };
        }
        (_, value) => *base = Node { pos: over.pos, value },
    }
}

/// Turns a list of `KEY` and `KEY=VALUE` into a map; leaves alone what is neither, for the readers to complain about.
fn list_to_map(node: &mut Node, separators: &[char]) {
    let Value::List(items) = &node.value else { return };
    let mut entries: Vec<Entry> = Vec::with_capacity(items.len());
    for item in items {
        let Value::Text(text) = &item.value else { return };
        let (key, value) = match text.split_once(separators) {
            Some((key, value)) if !separators.is_empty() => (key, Value::Text(value.to_owned())),
            _ => (text.as_str(), Value::Null),
        };
        let entry = Entry { key: key.to_owned(), pos: item.pos, node: Node { pos: item.pos, value } };
        match entries.iter_mut().find(|known| known.key == entry.key) {
            Some(known) => *known = entry,
            None => entries.push(entry),
        }
    }
    node.value = Value::Map(entries);
}

fn text(entry: &Entry) -> &Value {
    &entry.node.value
}

#[cfg(test)]
mod tests {
    use super::super::tree::parse;
    use super::*;

    fn plain(node: &Node) -> serde_json::Value {
        match &node.value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(value) => (*value).into(),
            Value::Int(value) => (*value).into(),
            Value::Float(value) => (*value).into(),
            Value::Text(value) => value.clone().into(),
            Value::List(items) => items.iter().map(plain).collect(),
            Value::Map(entries) => {
                serde_json::Value::Object(entries.iter().map(|e| (e.key.clone(), plain(&e.node))).collect())
            }
        }
    }

    #[test]
    fn later_files_win_as_in_compose() {
        for (base, over, want) in [
            ("image: a", "image: b", "image: b"),
            ("command: [a, b]", "command: [c]", "command: [c]"),
            (
                "healthcheck: {test: [CMD, a], retries: 2}",
                "healthcheck: {test: [CMD, b]}",
                "healthcheck: {test: [CMD, b], retries: 2}",
            ),
            ("environment: [A=1, B=2]", "environment: {B: 3, C: 4}", "environment: {A: '1', B: 3, C: 4}"),
            ("labels: {a: x}", "labels: [a=y, b]", "labels: {a: y, b: }"),
            ("ports: ['80']", "ports: ['81']", "ports: ['80', '81']"),
            ("dns: 1.1.1.1", "dns: [8.8.8.8]", "dns: [1.1.1.1, 8.8.8.8]"),
            ("env_file: a", "env_file: b", "env_file: [a, b]"),
            ("networks: [a]", "networks: {a: {aliases: [x]}, b: }", "networks: {a: {aliases: [x]}, b: }"),
            ("depends_on: [a]", "depends_on: [b]", "depends_on: {a: , b: }"),
            (
                "logging: {driver: x, options: {a: 1}}",
                "logging: {driver: y, options: {b: 1}}",
                "logging: {driver: y, options: {b: 1}}",
            ),
            (
                "logging: {driver: x, options: {a: 1}}",
                "logging: {options: {b: 1}}",
                "logging: {driver: x, options: {a: 1, b: 1}}",
            ),
            ("restart: always", "restart:", "restart: always"),
        ] {
            let wrap = |text: &str| parse(&format!("services: {{web: {{{text}}}}}"), 0).unwrap();
            let mut node = wrap(base);
            merge(&mut node, wrap(over), &[]);
            assert_eq!(plain(&node), plain(&wrap(want)), "{base} + {over}");
        }
    }
}
