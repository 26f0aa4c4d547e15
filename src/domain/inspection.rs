//! What the engine says of one container, word for word: as lines to read, and its last health probe.
//!
//! Values of variables are secrets: they stand in a line only for names that were asked for, and never in `{:?}`. Every
//! text in a line is cleaned. Knows nothing of colours.

use super::clean::clean;
use jiff::Timestamp;
use serde_json::Value;
use std::fmt;

/// What stands for a secret.
pub const MASK: &str = "********";
/// A text that is longer is cut when it is shown.
const LINES: usize = 20_000;

/// An inspection as the engine wrote it.
#[derive(Clone, PartialEq)]
pub struct Inspection(Value);

/// What a piece of a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece {
    Name,
    Text,
    Number,
    /// `true`, `false`, `null`.
    Word,
    /// Indentation, brackets, commas.
    Mark,
}

/// One line of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    pub pieces: Vec<(String, Piece)>,
    /// The variable whose value stands here, or would.
    pub variable: Option<String>,
}

/// How the container's health was found the last time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probed {
    pub ended: Option<Timestamp>,
    pub exit_code: i64,
    /// Cleaned, a line each.
    pub output: Vec<String>,
    /// Failures since the last success.
    pub failing: u64,
}

impl fmt::Debug for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Inspection({})", self.0["Id"])
    }
}

impl Inspection {
    /// Reads what the engine sent.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice::<Value>(bytes).ok().filter(Value::is_object).map(Self)
    }

    /// Its last probe, where the container has a health check and the engine has run it.
    pub fn probed(&self) -> Option<Probed> {
        let health = &self.0["State"]["Health"];
        let last = health["Log"].as_array()?.last()?;
        let output = last["Output"].as_str().unwrap_or_default().trim();
        Some(Probed {
            ended: last["End"].as_str().and_then(|at| at.parse().ok()),
            exit_code: last["ExitCode"].as_i64().unwrap_or_default(),
            output: output.lines().map(clean).filter(|line| !line.is_empty()).collect(),
            failing: health["FailingStreak"].as_u64().unwrap_or_default(),
        })
    }

    /// All of it, indented; variables for which `shown` says no are masked.
    pub fn lines(&self, shown: impl Fn(&str) -> bool) -> Vec<Line> {
        let mut writer = Writer { lines: vec![Line::default()], shown: &shown };
        writer.value(&self.0, 0, &mut Vec::new());
        writer.lines
    }
}

struct Writer<'a> {
    lines: Vec<Line>,
    shown: &'a dyn Fn(&str) -> bool,
}

impl Writer<'_> {
    fn put(&mut self, text: impl Into<String>, piece: Piece) {
        if let Some(line) = self.lines.last_mut() {
            line.pieces.push((text.into(), piece));
        }
    }

    fn next(&mut self, depth: usize) {
        let indent = (" ".repeat(depth * 2), Piece::Mark);
        self.lines.push(Line { pieces: if depth > 0 { vec![indent] } else { Vec::new() }, variable: None });
    }

    fn value(&mut self, value: &Value, depth: usize, path: &mut Vec<String>) {
        if self.lines.len() > LINES {
            return self.put("…", Piece::Mark);
        }
        match value {
            Value::Object(fields) if !fields.is_empty() => {
                self.put("{", Piece::Mark);
                for (i, (name, value)) in fields.iter().enumerate() {
                    self.next(depth + 1);
                    self.put(quoted(name), Piece::Name);
                    self.put(": ", Piece::Mark);
                    path.push(name.clone());
                    self.value(value, depth + 1, path);
                    path.pop();
                    self.comma(i, fields.len());
                }
                self.next(depth);
                self.put("}", Piece::Mark);
            }
            Value::Array(items) if !items.is_empty() => {
                let variables = path.last().is_some_and(|name| name == "Env");
                self.put("[", Piece::Mark);
                for (i, item) in items.iter().enumerate() {
                    self.next(depth + 1);
                    match item.as_str().filter(|_| variables) {
                        Some(entry) => self.variable(entry),
                        None => self.value(item, depth + 1, path),
                    }
                    self.comma(i, items.len());
                }
                self.next(depth);
                self.put("]", Piece::Mark);
            }
            Value::Object(_) => self.put("{}", Piece::Mark),
            Value::Array(_) => self.put("[]", Piece::Mark),
            Value::String(text) => self.put(quoted(text), Piece::Text),
            Value::Number(number) => self.put(number.to_string(), Piece::Number),
            Value::Bool(_) | Value::Null => self.put(value.to_string(), Piece::Word),
        }
    }

    /// `NAME=value`, or its mask; an entry without a value is a name alone.
    fn variable(&mut self, entry: &str) {
        let Some((name, value)) = entry.split_once('=') else { return self.put(quoted(entry), Piece::Text) };
        let value = if (self.shown)(name) { value } else { MASK };
        self.put(quoted(&format!("{name}={value}")), Piece::Text);
        if let Some(line) = self.lines.last_mut() {
            line.variable = Some(name.to_owned());
        }
    }

    fn comma(&mut self, at: usize, of: usize) {
        if at + 1 < of {
            self.put(",", Piece::Mark);
        }
    }
}

/// As JSON writes it, then cleaned of what JSON lets through.
fn quoted(text: &str) -> String {
    clean(&Value::from(text).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn inspection() -> Inspection {
        let json = json!({
            "Id": "ab", "Config": {"Env": ["TOKEN=hu=sh\u{202e}", "PORT=80", "BARE"], "Cmd": [], "Tty": false},
            "State": {"Pid": 7, "Health": {"Status": "unhealthy", "FailingStreak": 3, "Log": [
                {"End": "2026-11-22T12:00:00Z", "ExitCode": 0, "Output": "fine"},
                {"End": "2026-11-22T12:04:01.5+00:00", "ExitCode": 1, "Output": "\u{1b}[31mrefused\n\nagain\n"},
            ]}},
        });
        Inspection::read(json.to_string().as_bytes()).unwrap()
    }

    fn text(shown: impl Fn(&str) -> bool) -> String {
        let line = |line: Line| line.pieces.into_iter().map(|(text, _)| text).collect::<String>() + "\n";
        inspection().lines(shown).into_iter().map(line).collect()
    }

    #[test]
    fn secrets_are_masked_until_they_are_asked_for() {
        let masked = text(|_| false);
        assert!(masked.contains("\"TOKEN=********\",\n") && masked.contains("\"BARE\"\n"), "{masked}");
        assert!(!masked.contains("hu=sh") && !masked.contains("=80"), "{masked}");
        let one = text(|name| name == "TOKEN");
        assert!(one.contains("\"TOKEN=hu=sh\"") && !one.contains("=80") && !one.contains('\u{202e}'), "{one}");
        assert!(!format!("{:?}", inspection()).contains("hu=sh"));
        let variables: Vec<_> = inspection().lines(|_| false).into_iter().filter_map(|line| line.variable).collect();
        assert_eq!(variables, ["TOKEN", "PORT"]);
    }

    #[test]
    fn what_is_shown_is_json_again() {
        let shown: Value = serde_json::from_str(&text(|_| true)).unwrap();
        assert_eq!(shown["State"]["Pid"], 7);
        assert_eq!(shown["Config"]["Env"][1], "PORT=80");
        assert_eq!(shown["Config"]["Cmd"], json!([]));
    }

    #[test]
    fn the_last_probe_is_told() {
        let probed = inspection().probed().unwrap();
        assert_eq!((probed.exit_code, probed.failing), (1, 3));
        assert_eq!(probed.output, ["refused", "again"]);
        assert_eq!(probed.ended.unwrap().to_string(), "2026-11-22T12:04:01.5Z");
        assert!(Inspection::read(b"{}").unwrap().probed().is_none());
        assert!(Inspection::read(b"[]").is_none() && Inspection::read(b"<html>").is_none());
    }
}
