//! A line of output with its colours kept: what a program printed, made fit for a terminal, and where which colours are.
//!
//! Everything but colours and weight goes as in [`clean`]: no control sequence of a log ever reaches the terminal.

use super::clean::{Clean, clean};

/// One colour of a program's output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tint {
    /// One of the sixteen, or of the 256.
    Indexed(u8),
    Rgb(u8, u8, u8),
}

/// How a piece of a line looks; `None` is the terminal's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Paint {
    pub fg: Option<Tint>,
    pub bg: Option<Tint>,
    pub bold: bool,
    pub dim: bool,
    pub italic: bool,
    pub underline: bool,
    pub reverse: bool,
}

/// A clean line and its paints.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Painted {
    pub text: Clean,
    /// From these bytes of the text on; in order. Empty for a plain line.
    pub paints: Vec<(usize, Paint)>,
}

/// Changes of colour kept in one line; what is more colourful stays as it is from there on.
const MAX_PAINTS: usize = 256;
/// Cells between tab stops.
const TAB: usize = 8;

impl Painted {
    /// Reads a line as it was printed: a carriage return overwrites what stood before it, tabs go to their stops.
    pub fn new(raw: &str) -> Self {
        let raw = raw.trim_end_matches(['\r', '\n']);
        let raw = raw.rsplit_once('\r').map_or(raw, |(_, last)| last);
        if !raw.contains('\u{1b}') {
            let text = if raw.contains('\t') { Clean::new(&untabbed(raw)) } else { Clean::new(raw) };
            return Self { text, paints: Vec::new() };
        }
        let (mut text, mut paints, mut paint) = (String::new(), Vec::new(), Paint::default());
        let mut rest = raw;
        loop {
            let found = next_sgr(rest);
            let (piece, after) = found.map_or((rest, None), |(at, end)| (&rest[..at], Some((at, end))));
            push(&mut text, piece);
            let Some((at, end)) = after else { break };
            paint = paint.after(&rest[at + 2..end]);
            if paints.last().is_some_and(|(from, _)| *from == text.len()) {
                paints.pop();
            }
            let before = paints.last().map_or_else(Paint::default, |(_, paint)| *paint);
            if paint != before && paints.len() < MAX_PAINTS {
                paints.push((text.len(), paint));
            }
            rest = &rest[end + 1..];
        }
        let text = Clean::new(&text);
        paints.retain(|(from, _)| *from < text.len() && text.is_char_boundary(*from));
        Self { text, paints }
    }

    /// Pieces of one look each: where they begin and end, and how they look.
    pub fn runs<'a>(text: &'a str, paints: &'a [(usize, Paint)]) -> impl Iterator<Item = (usize, usize, Paint)> + 'a {
        let first = (0, Paint::default());
        let ends = paints.iter().map(|(from, _)| *from).chain([text.len()]);
        std::iter::once(&first)
            .chain(paints)
            .copied()
            .collect::<Vec<_>>()
            .into_iter()
            .zip(ends.collect::<Vec<_>>())
            .map(|((from, paint), to)| (from, to, paint))
            .filter(|(from, to, _)| from < to)
    }
}

/// Where the next `ESC [ … m` begins, and where its `m` is.
fn next_sgr(text: &str) -> Option<(usize, usize)> {
    let bytes = text.as_bytes();
    let mut from = 0;
    while let Some(at) = text[from..].find("\u{1b}[").map(|at| from + at) {
        let params = bytes[at + 2..].iter().take_while(|byte| byte.is_ascii_digit() || matches!(byte, b';' | b':'));
        let end = at + 2 + params.count();
        if bytes.get(end) == Some(&b'm') {
            return Some((at, end));
        }
        from = at + 2;
    }
    None
}

/// Cleans a piece, which unlike a whole line keeps its spaces at both ends.
fn push(text: &mut String, piece: &str) {
    let piece = if piece.contains('\t') { untabbed(piece) } else { piece.to_owned() };
    let body = piece.trim_matches(' ');
    let lead = piece.len() - piece.trim_start_matches(' ').len();
    text.push_str(&piece[..lead]);
    if !body.is_empty() {
        text.push_str(&clean(body));
        let trail = piece.len() - piece.trim_end_matches(' ').len();
        text.push_str(&piece[piece.len() - trail..]);
    }
}

fn untabbed(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + TAB);
    let mut column = 0;
    for c in text.chars() {
        if c == '\t' {
            let spaces = TAB - column % TAB;
            out.extend(std::iter::repeat_n(' ', spaces));
            column += spaces;
        } else {
            out.push(c);
            column += 1;
        }
    }
    out
}

impl Paint {
    /// After the parameters of an SGR sequence.
    fn after(mut self, params: &str) -> Self {
        let mut codes =
            params.split([';', ':']).map(|code| if code.is_empty() { 0 } else { code.parse().unwrap_or(0) });
        while let Some(code) = codes.next() {
            match code {
                0 => self = Self::default(),
                1 => self.bold = true,
                2 => self.dim = true,
                3 => self.italic = true,
                4 => self.underline = true,
                7 => self.reverse = true,
                22 => (self.bold, self.dim) = (false, false),
                23 => self.italic = false,
                24 => self.underline = false,
                27 => self.reverse = false,
                30..=37 => self.fg = small(code - 30),
                90..=97 => self.fg = small(code - 82),
                40..=47 => self.bg = small(code - 40),
                100..=107 => self.bg = small(code - 92),
                39 => self.fg = None,
                49 => self.bg = None,
                38 | 48 => {
                    let tint = match codes.next() {
                        Some(5) => codes.next().and_then(small),
                        Some(2) => {
                            // `38:2::r:g:b` has an empty colour space; `38;2;r;g;b` has none.
                            let rest: Vec<u16> =
                                codes.by_ref().take(if params.contains("2::") { 4 } else { 3 }).collect();
                            let byte = |n: u16| u8::try_from(n).unwrap_or(u8::MAX);
                            match rest[..] {
                                [r, g, b] | [_, r, g, b] => Some(Tint::Rgb(byte(r), byte(g), byte(b))),
                                _ => None,
                            }
                        }
                        _ => None,
                    };
                    if code == 38 { self.fg = tint } else { self.bg = tint }
                }
                _ => {}
            }
        }
        self
    }
}

fn small(code: u16) -> Option<Tint> {
    u8::try_from(code).ok().map(Tint::Indexed)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Case<'a> = (&'a str, &'a str, &'a [(usize, Paint)]);

    fn fg(index: u8) -> Paint {
        Paint { fg: Some(Tint::Indexed(index)), ..Paint::default() }
    }

    #[test]
    fn colours_stay_and_everything_else_goes() {
        let rgb = Paint { fg: Some(Tint::Rgb(1, 2, 3)), ..Paint::default() };
        let cases: [Case<'_>; 12] = [
            ("plain", "plain", &[]),
            ("\u{1b}[31mred\u{1b}[0m rest", "red rest", &[(0, fg(1)), (3, Paint::default())]),
            ("a \u{1b}[92mok\u{1b}[m", "a ok", &[(2, fg(10))]),
            ("\u{1b}[1;4mB", "B", &[(0, Paint { bold: true, underline: true, ..Paint::default() })]),
            ("\u{1b}[38;5;208mX", "X", &[(0, fg(208))]),
            ("\u{1b}[38;2;1;2;3mX", "X", &[(0, rgb)]),
            ("\u{1b}[38:2::1:2:3mX", "X", &[(0, rgb)]),
            ("\u{1b}]0;title\u{7}a\u{1b}[2Jb\u{1b}[?1049lc", "abc", &[]),
            ("\u{1b}]52;c;aGk=\u{7}x\u{1b}[31m\u{1b}[0my", "xy", &[]),
            ("10%\r50%\r100% done\r", "100% done", &[]),
            ("a\tb", "a       b", &[]),
            ("\u{1b}[31m\u{1b}[32mg\u{1b}", "g", &[(0, fg(2))]),
        ];
        for (raw, text, paints) in cases {
            let painted = Painted::new(raw);
            assert_eq!((painted.text.as_str(), &painted.paints[..]), (text, paints), "{raw:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_printed_is_clean_and_cut_at_characters(raw in "(\u{1b}\\[[0-9;:]{0,8}[mJ]|\u{1b}\\]|\\PC|\t|\r| ){0,40}") {
            let painted = Painted::new(&raw);
            proptest::prop_assert_eq!(&clean(&painted.text), painted.text.as_str());
            let joined: String =
                Painted::runs(&painted.text, &painted.paints).map(|(from, to, _)| &painted.text[from..to]).collect();
            proptest::prop_assert_eq!(joined.as_str(), painted.text.as_str());
        }
    }
}
