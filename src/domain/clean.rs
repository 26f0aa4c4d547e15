//! Text from outside, made fit for a terminal.
//!
//! Names, labels, image references, engine messages and logs are written by strangers. They pass [`clean`] (or the
//! [`Clean`] type) once, where they enter, so that nothing that draws or prints has to think of it again. Must not
//! interpret colours: a log view that keeps SGR parses it itself and cleans what is left.

use serde::{Deserialize, Serialize};
use std::fmt;
use unicode_width::UnicodeWidthChar;

/// Longest text kept, in characters; what is longer ends in `…`.
pub const MAX_CHARS: usize = 4096;
/// Marks of no width of their own (accents) that one character may carry; more of them climb over other lines.
pub const MAX_MARKS: usize = 2;

/// One line of text without control sequences, control characters, bidirectional overrides or zero-width marks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Clean(String);

impl Clean {
    /// Cleans `text`.
    pub fn new(text: &str) -> Self {
        Self(clean(text))
    }

    /// The cleaned text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for Clean {
    fn from(text: String) -> Self {
        Self::new(&text)
    }
}

impl From<&str> for Clean {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<Clean> for String {
    fn from(text: Clean) -> Self {
        text.0
    }
}

impl std::ops::Deref for Clean {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Clean {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Removes whole escape sequences, then every character a terminal would act on or a reader would not see; line breaks and
/// tabs become spaces, and no character carries more than [`MAX_MARKS`] marks.
pub fn clean(text: &str) -> String {
    if text.len() <= MAX_CHARS && text.bytes().all(|byte| matches!(byte, b' '..=b'~')) && !text.ends_with(' ') {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len().min(MAX_CHARS));
    let (mut kept, mut marks) = (0, MAX_MARKS);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if kept == MAX_CHARS {
            out.push('…');
            break;
        }
        match c {
            '\u{1b}' => skip_escape(&mut chars),
            '\u{9b}' => skip_csi(&mut chars),
            '\u{90}' | '\u{98}' | '\u{9d}' | '\u{9e}' | '\u{9f}' => skip_string(&mut chars),
            '\n' | '\r' | '\t' => {
                if !out.ends_with(' ') && !out.is_empty() {
                    out.push(' ');
                    (kept, marks) = (kept + 1, 0);
                }
            }
            c if is_trouble(c) => {}
            c => {
                marks = if c.width() == Some(0) { marks + 1 } else { 0 };
                if marks <= MAX_MARKS {
                    out.push(c);
                    kept += 1;
                }
            }
        }
    }
    out.truncate(out.trim_end().len());
    out
}

/// [`clean`] for a text whose lines mean something: each by itself.
pub fn clean_lines(text: &str) -> String {
    text.lines().map(clean).collect::<Vec<_>>().join("\n")
}

/// Control, formatting and invisible characters that change what a reader sees around them.
fn is_trouble(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{13430}'..='\u{1345f}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// After ESC: a CSI or string sequence, or a short one (intermediates, then one final character).
fn skip_escape(chars: &mut Chars<'_>) {
    match chars.peek() {
        Some('[') => {
            chars.next();
            skip_csi(chars);
        }
        Some(']' | 'P' | 'X' | '^' | '_') => {
            chars.next();
            skip_string(chars);
        }
        _ => {
            while chars.next_if(|c| (' '..='/').contains(c)).is_some() {}
            chars.next_if(|c| ('0'..='~').contains(c));
        }
    }
}

/// Parameters and intermediates up to the final byte `@`..`~`; anything else ends a malformed sequence.
fn skip_csi(chars: &mut Chars<'_>) {
    while chars.next_if(|c| (' '..='?').contains(c)).is_some() {}
    chars.next_if(|c| ('@'..='~').contains(c));
}

/// Up to BEL or ST, or to the ESC of whatever comes next. An unterminated string swallows the rest, as a terminal would.
fn skip_string(chars: &mut Chars<'_>) {
    while let Some(c) = chars.next_if(|c| *c != '\u{1b}') {
        if matches!(c, '\u{7}' | '\u{9c}') {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_go_whole_and_text_stays() {
        for (raw, want) in [
            ("plain", "plain"),
            ("a\u{1b}[31mred\u{1b}[0m b", "ared b"),
            ("t\u{1b}]0;title\u{7}x", "tx"),
            ("l\u{1b}]8;;http://e\u{1b}\\link\u{1b}]8;;\u{1b}\\", "llink"),
            ("\u{9b}31mc1", "c1"),
            ("two\r\nlines\tand tab\n", "two lines and tab"),
            ("bidi\u{202e}txt\u{200b}", "biditxt"),
            ("日本 ✓", "日本 ✓"),
            ("e\u{301}\u{302}\u{303}\u{304}f", "e\u{301}\u{302}f"),
            ("\u{301}no base", "no base"),
            ("heart \u{2764}\u{fe0f} a\u{115f}b\u{3164}c", "heart \u{2764} abc"),
            ("tag\u{e0041}\u{e0101}s", "tags"),
            ("a\u{1b}P unterminated \u{1b}[31m", "a"),
            ("\u{1b}", ""),
            ("\u{1b}(B ok", " ok"),
        ] {
            assert_eq!(clean(raw), want, "{raw:?}");
        }
    }

    #[test]
    fn length_is_bounded() {
        assert_eq!(clean(&"x".repeat(MAX_CHARS + 9)).chars().count(), MAX_CHARS + 1);
    }

    proptest::proptest! {
        // Denser and longer: `tests/it/fuzz.rs`.
        #[test]
        fn nothing_a_terminal_acts_on_survives(raw in ".*") {
            let out = clean(&raw);
            proptest::prop_assert!(!out.chars().any(is_trouble));
            proptest::prop_assert_eq!(clean(&out), out);
        }
    }
}
