//! What a person looks for: a regular expression, or its opposite.
//!
//! Capitals matter only where there are any. Pure.

use regex_lite::Regex;
use std::ops::Range;

/// Looked for.
#[derive(Clone, Debug)]
pub struct Pattern {
    /// As it was typed.
    pub text: String,
    regex: Regex,
    /// What does not match is wanted.
    inverse: bool,
}

impl Pattern {
    /// Reads what was typed: `!` in front of it means the opposite. `None` for nothing; the error is a sentence.
    pub fn read(text: &str) -> Result<Option<Self>, String> {
        let (body, inverse) = text.strip_prefix('!').map_or((text, false), |body| (body, true));
        if body.is_empty() {
            return Ok(None);
        }
        let spelled = if body.chars().any(char::is_uppercase) { body.to_owned() } else { format!("(?i){body}") };
        let regex = Regex::new(&spelled).map_err(|error| format!("not a regular expression: {error}"))?;
        Ok(Some(Self { text: text.to_owned(), regex, inverse }))
    }

    /// Whether a line is wanted.
    pub fn wants(&self, line: &str) -> bool {
        self.regex.is_match(line) != self.inverse
    }

    /// Where it is found.
    pub fn places(&self, line: &str) -> Vec<Range<usize>> {
        if self.inverse {
            return Vec::new();
        }
        self.regex.find_iter(line).map(|found| found.range()).filter(|range| !range.is_empty()).take(64).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capitals_matter_where_there_are_any_and_a_bang_turns_it_round() {
        let wants = |pattern: &str, line: &str| Pattern::read(pattern).unwrap().unwrap().wants(line);
        for (pattern, line, wanted) in [
            ("get", "GET /", true),
            ("GET", "get /", false),
            ("!get", "GET /", false),
            ("!get", "POST /", true),
            (r"\b50\d\b", "status 503", true),
        ] {
            assert_eq!(wants(pattern, line), wanted, "{pattern} {line}");
        }
        assert!(Pattern::read("").unwrap().is_none() && Pattern::read("!").unwrap().is_none());
        assert!(Pattern::read("(").unwrap_err().starts_with("not a regular expression"));
        assert_eq!(Pattern::read("a+").unwrap().unwrap().places("baab a"), [1..3, 5..6]);
    }
}
