//! The symbols of the screen, in two sets: for terminals that show UTF-8, and plain ASCII.
//!
//! No emoji, nothing of ambiguous width. Whatever a symbol says is also said by a word beside it.

use std::borrow::Cow;

/// One set of symbols.
#[derive(Debug, PartialEq, Eq)]
pub struct Glyphs {
    pub ready: &'static str,
    pub part: &'static str,
    pub off: &'static str,
    pub good: &'static str,
    pub bad: &'static str,
    pub warn: &'static str,
    pub cursor: &'static str,
    pub open: &'static str,
    pub shut: &'static str,
    pub up: &'static str,
    pub mark: &'static str,
    pub arrow: &'static str,
    pub dots: &'static str,
    pub sep: &'static str,
    pub none: &'static str,
    pub full: &'static str,
    pub line: &'static str,
    pub wait: &'static str,
    pub tick: &'static str,
    pub stale: &'static str,
    /// Left parts of a cell in eighths, from one to seven; empty where there are none.
    pub eighths: [&'static str; 7],
    /// Corners, top left first and clockwise, then horizontal, vertical, tee right, tee left.
    pub frame: [&'static str; 8],
}

impl Glyphs {
    /// Text from elsewhere in characters that this terminal shows: all of them, or ASCII with `?` for what it lacks. Never
    /// more characters than before, so that what was measured still fits.
    pub fn spelled<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if self.dots != ASCII.dots || text.is_ascii() {
            return Cow::Borrowed(text);
        }
        let spell = |c: char| match c {
            c if c.is_ascii() => c,
            '→' => '>',
            '←' => '<',
            '…' => '~',
            '×' => 'x',
            '·' | '–' | '—' | '─' => '-',
            '‘' | '’' | '“' | '”' => '\'',
            _ => '?',
        };
        Cow::Owned(text.chars().map(spell).collect())
    }
}

pub const UNICODE: Glyphs = Glyphs {
    ready: "●",
    part: "◐",
    off: "○",
    good: "✓",
    bad: "✗",
    warn: "!",
    cursor: "▸",
    open: "▾",
    shut: "▸",
    up: "▴",
    mark: "◆",
    arrow: "→",
    dots: "…",
    sep: "·",
    none: "–",
    full: "█",
    line: "─",
    wait: "╌",
    tick: "┊",
    stale: "◌",
    eighths: ["▏", "▎", "▍", "▌", "▋", "▊", "▉"],
    frame: ["╭", "╮", "╯", "╰", "─", "│", "├", "┤"],
};

pub const ASCII: Glyphs = Glyphs {
    ready: "*",
    part: "~",
    off: "o",
    good: "+",
    bad: "x",
    warn: "!",
    cursor: ">",
    open: "v",
    shut: ">",
    up: "^",
    mark: "#",
    arrow: "->",
    dots: "~",
    sep: "-",
    none: "-",
    full: "#",
    line: "-",
    wait: ".",
    tick: "|",
    stale: "o",
    eighths: [""; 7],
    frame: ["+", "+", "+", "+", "-", "|", "+", "+"],
};
