//! Variables: `.env` files, and `${…}` in the tree.
//!
//! The expansion itself is the YAML library's, which follows Compose. It is applied value by value after parsing, so a
//! variable can't change the file's structure or turn the password `0123` into a number.

use super::report::Report;
use super::tree::{Node, Value};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The variables interpolation sees, and the names it missed.
pub(super) struct Variables {
    known: HashMap<String, String>,
    options: serde_saphyr::Options,
    unset: BTreeSet<String>,
}

impl Variables {
    pub fn new(known: &BTreeMap<String, String>) -> Self {
        let known: HashMap<_, _> = known.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        let options = serde_saphyr::options! {
            property_syntax: serde_saphyr::PropertySyntax::DockerCompose,
            with_snippet: false,
        };
        Self { options: options.with_properties(known.clone()), known, unset: BTreeSet::new() }
    }

    /// Expands one text.
    pub fn expand(&mut self, text: &str) -> Result<String, String> {
        if !text.contains('$') {
            return Ok(text.to_owned());
        }
        self.note_unset(text);
        // A JSON string is a YAML double-quoted scalar: the way to hand one text to the library.
        let quoted = serde_json::to_string(text).map_err(|error| error.to_string())?;
        serde_saphyr::from_str_with_options(&quoted, self.options.clone()).map_err(|error| explain(&error))
    }

    /// Expands every value below `node` (never keys, as in Compose).
    pub fn expand_tree(&mut self, node: &mut Node, path: &str, report: &Report) {
        match &mut node.value {
            Value::Text(text) => match self.expand(text) {
                Ok(expanded) => *text = expanded,
                Err(message) => report.error(node.pos, path, &message),
            },
            Value::List(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    self.expand_tree(item, &format!("{path}[{index}]"), report);
                }
            }
            Value::Map(entries) => {
                for entry in entries {
                    let dot = if path.is_empty() { "" } else { "." };
                    self.expand_tree(&mut entry.node, &format!("{path}{dot}{}", entry.key), report);
                }
            }
            _ => {}
        }
    }

    /// The names that were used without a value and became empty.
    pub fn unset(&self) -> Vec<&str> {
        self.unset.iter().map(String::as_str).collect()
    }

    /// Notes which names of `text` have no value; a branch that is not taken does not count.
    fn note_unset(&mut self, text: &str) {
        let mut rest = text;
        while let Some(dollar) = rest.find('$') {
            rest = &rest[dollar + 1..];
            if let Some(after) = rest.strip_prefix('$') {
                rest = after;
                continue;
            }
            let braced = rest.starts_with('{');
            let body = rest.strip_prefix('{').unwrap_or(rest);
            let end = body.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(body.len());
            let (name, after) = body.split_at(end);
            let value = self.known.get(name);
            rest = after;
            if !braced || after.starts_with('}') {
                if value.is_none() && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
                    self.unset.insert(name.to_owned());
                }
                continue;
            }
            let empty_counts = after.starts_with(':');
            let there = value.is_some_and(|value| !(empty_counts && value.is_empty()));
            let taken = match after.trim_start_matches(':').chars().next() {
                Some('-') => !there,
                Some('+') => there,
                _ => false,
            };
            if !taken {
                rest = after_brace(after);
            }
        }
    }
}

/// What follows the `}` that closes an already open brace.
fn after_brace(text: &str) -> &str {
    let mut depth = 1;
    for (index, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return &text[index + 1..];
        }
    }
    ""
}

fn explain(error: &serde_saphyr::Error) -> String {
    use serde_saphyr::MessageFormatter as _;
    let text = serde_saphyr::UserMessageFormatter.format_message(error.without_snippet()).into_owned();
    if let Some(rest) = text.strip_prefix("missing property ") {
        return format!("the required variable is not set: {rest}");
    }
    match text.strip_prefix("Invalid name: ") {
        Some(rest) => format!("{rest} is not a variable; write ${{NAME}}, or $$ for a dollar sign"),
        None => text,
    }
}

/// Reads `KEY=VALUE` lines as Compose does: comments, `export`, quotes, values over several lines in quotes, and `$NAME`
/// outside single quotes. `known` gives bare names their value and wins in expansion. The error names the line.
pub(super) fn dotenv(text: &str, known: &BTreeMap<String, String>) -> Result<BTreeMap<String, String>, String> {
    let mut found = BTreeMap::new();
    let mut lines = text.trim_start_matches('\u{feff}').lines().enumerate();
    while let Some((index, line)) = lines.next() {
        let line = line.trim();
        let line = line.strip_prefix("export ").map_or(line, str::trim_start);
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (name, value) = line.split_once('=').map_or((line, None), |(name, value)| (name, Some(value)));
        let name = name.trim();
        if name.is_empty() || name.contains(|c: char| c.is_whitespace() || "\"'$".contains(c)) {
            return Err(format!("line {}: `{name}` is not a variable's name", index + 1));
        }
        let Some(value) = value.map(str::trim_start) else {
            if let Some(value) = known.get(name) {
                found.insert(name.to_owned(), value.clone());
            }
            continue;
        };
        let (value, literal) = match value.chars().next() {
            Some(quote @ ('"' | '\'')) => {
                let mut whole = value[1..].to_owned();
                while closing(&whole, quote).is_none() {
                    let Some((_, next)) = lines.next() else {
                        return Err(format!("line {}: the quote of `{name}` is not closed", index + 1));
                    };
                    whole.push('\n');
                    whole.push_str(next);
                }
                whole.truncate(closing(&whole, quote).unwrap_or_default());
                if quote == '"' { (unescape(&whole), false) } else { (whole, true) }
            }
            Some('#') | None => (String::new(), true),
            Some(_) => (value.split(" #").next().unwrap_or(value).trim_end().to_owned(), false),
        };
        let value = if literal || !value.contains('$') {
            value
        } else {
            let mut seen: BTreeMap<_, _> = found.clone();
            seen.extend(known.clone());
            Variables::new(&seen).expand(&value).map_err(|message| format!("line {}: {message}", index + 1))?
        };
        found.insert(name.to_owned(), value);
    }
    Ok(found)
}

/// Where the quote ends; a backslash keeps a double quote open.
fn closing(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (index, c) in text.char_indices() {
        if c == quote && !escaped {
            return Some(index);
        }
        escaped = c == '\\' && !escaped && quote == '"';
    }
    None
}

fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, if c == '\\' { chars.next() } else { None }) {
            ('\\', Some('n')) => out.push('\n'),
            ('\\', Some('r')) => out.push('\r'),
            ('\\', Some('t')) => out.push('\t'),
            ('\\', Some('$')) => out.push_str("$$"),
            ('\\', Some(other @ ('"' | '\\'))) => out.push(other),
            ('\\', Some(other)) => out.extend(['\\', other]),
            (c, _) => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn texts_expand_as_in_compose_and_stay_texts() {
        let known = env(&[("A", "0123"), ("EMPTY", ""), ("Q", "say \"x\"\\n"), ("NULL", "null")]);
        for (text, want, unset) in [
            ("$A", "0123", vec![]),
            ("${A}-${A:-b}", "0123-0123", vec![]),
            ("$$A", "$A", vec![]),
            ("${NO:-d}", "d", vec![]),
            ("${EMPTY:-d}|${EMPTY-d}", "d|", vec![]),
            ("${NO:-${NO2:-deep}}", "deep", vec![]),
            ("${NO:-$NO2}", "", vec!["NO2"]),
            ("${A:-$NO2}", "0123", vec![]),
            ("${A+alt}${NO+alt}", "alt", vec![]),
            ("x$NO.y", "x.y", vec!["NO"]),
            ("${Q}", "say \"x\"\\n", vec![]),
            ("${NULL}", "null", vec![]),
            ("a\"b\\c\n$A\u{1}", "a\"b\\c\n0123\u{1}", vec![]),
        ] {
            let mut variables = Variables::new(&known);
            assert_eq!(variables.expand(text), Ok(want.to_owned()), "{text}");
            assert_eq!(variables.unset(), unset, "{text}");
        }
        for (text, want) in [
            ("${NO:?set NO first}", "the required variable is not set: `NO`: set NO first"),
            ("${EMPTY:?set it}", "set it"),
            ("${A", "is not a variable"),
            ("${}", "is not a variable"),
        ] {
            let error = Variables::new(&known).expand(text).unwrap_err();
            assert!(error.contains(want), "{text}: {error}");
        }
    }

    #[test]
    fn env_files_read_as_compose_reads_them() {
        let text = "# c\nA=1\nexport B = two # c\nC='$A #x'\nD=\"a\\n$A\"\nE=\nF=x#y\nBARE\nGONE\nG=\"two\nlines\"\nH=${A}${B}\r\n";
        let want = env(&[
            ("A", "1"),
            ("B", "two"),
            ("BARE", "here"),
            ("C", "$A #x"),
            ("D", "a\n1"),
            ("E", ""),
            ("F", "x#y"),
            ("G", "two\nlines"),
            ("H", "1two"),
        ]);
        assert_eq!(dotenv(text, &env(&[("BARE", "here")])), Ok(want));
        assert_eq!(dotenv("A=$B\n", &env(&[("B", "process")])), Ok(env(&[("A", "process")])));
        for (text, want) in [("A='x\n", "line 1"), ("\nno good=1", "line 2"), ("A=${", "line 1")] {
            assert!(dotenv(text, &BTreeMap::new()).unwrap_err().starts_with(want), "{text}");
        }
    }
}
