//! How plain output looks: a symbol beside every word, and few colours.
//!
//! Styled text carries its escapes; [`super::output`] takes them out where they do not belong. Must not decide that.

use crate::domain::event::StepResult;
use crate::domain::identity::Verdict;
use clap::builder::styling::{AnsiColor, Style};
use unicode_width::UnicodeWidthStr;

pub const GOOD: Style = AnsiColor::Green.on_default();
pub const BAD: Style = AnsiColor::Red.on_default().bold();
pub const CARE: Style = AnsiColor::Yellow.on_default();
pub const HEAD: Style = Style::new().bold();
pub const DIM: Style = Style::new().dimmed();
pub const PLAIN: Style = Style::new();

/// Symbols for this locale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Glyphs {
    pub ok: &'static str,
    pub failed: &'static str,
    pub none: &'static str,
    pub care: &'static str,
    pub arrow: &'static str,
    pub ellipsis: &'static str,
}

/// For terminals and files in UTF-8.
pub const UNICODE: Glyphs = Glyphs { ok: "✓", failed: "✗", none: "–", care: "!", arrow: "→", ellipsis: "…" };
/// For everything else.
pub const ASCII: Glyphs = Glyphs { ok: "+", failed: "x", none: "-", care: "!", arrow: "->", ellipsis: "..." };

impl Glyphs {
    /// By the locale's variables, in their order: `LC_ALL`, `LC_CTYPE`, `LANG`.
    pub fn of_locale(lookup: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &&str| lookup(name).filter(|value| !value.is_empty());
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(set).unwrap_or_default().to_lowercase();
        if locale.contains("utf-8") || locale.contains("utf8") { UNICODE } else { ASCII }
    }

    /// Symbol and word of a step's end, with its style.
    pub fn result(self, result: StepResult) -> (String, Style) {
        let (glyph, word, style) = match result {
            StepResult::Ok => (self.ok, "ok", GOOD),
            StepResult::Failed => (self.failed, "failed", BAD),
            StepResult::Skipped => (self.none, "skipped", DIM),
            StepResult::Cancelled => (self.care, "cancelled", CARE),
        };
        (format!("{glyph} {word}"), style)
    }

    /// Symbol and word of a verdict, with its style.
    pub fn verdict(self, verdict: Verdict) -> (String, Style) {
        let (glyph, style) = match verdict {
            Verdict::Kept => (self.ok, GOOD),
            Verdict::Unprotected => (self.care, CARE),
            Verdict::Changed | Verdict::Orphaned | Verdict::Lost => (self.failed, BAD),
        };
        (format!("{glyph} {}", verdict.as_str()), style)
    }
}

/// `text` in `style`.
pub fn paint(style: Style, text: &str) -> String {
    if style == PLAIN { text.to_owned() } else { format!("{style}{text}{style:#}") }
}

/// `text` and as many spaces as it lacks to fill `width` columns of a terminal.
pub fn pad(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(text.width())))
}

/// `text` cut to `width` columns, ending in `ellipsis` when something is missing.
pub fn cut(text: &str, width: usize, ellipsis: &str) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let room = width.saturating_sub(ellipsis.width());
    let mut short = String::new();
    for c in text.chars() {
        let mut next = short.clone();
        next.push(c);
        if next.width() > room {
            break;
        }
        short = next;
    }
    short + ellipsis
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_locale_variable_that_is_set_decides() {
        let glyphs = |vars: &[(&str, &str)]| {
            let vars: Vec<(String, String)> = vars.iter().map(|(a, b)| ((*a).into(), (*b).into())).collect();
            Glyphs::of_locale(|name| vars.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone()))
        };
        assert_eq!(glyphs(&[("LANG", "C.UTF-8")]), UNICODE);
        assert_eq!(glyphs(&[("LC_ALL", ""), ("LANG", "de_DE.utf8")]), UNICODE);
        assert_eq!(glyphs(&[("LC_ALL", "C"), ("LANG", "C.UTF-8")]), ASCII);
        assert_eq!(glyphs(&[]), ASCII);
    }

    #[test]
    fn cutting_counts_columns_not_characters() {
        assert_eq!(cut("日本日本", 5, "…"), "日本…");
        assert_eq!(cut("web", 3, "…"), "web");
        assert_eq!(pad("日", 4), "日  ");
    }
}
