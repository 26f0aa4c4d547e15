//! Just enough of Rust's grammar to see which paths a source file names: tokens without comments and strings, and use
//! trees taken apart. It must not know any rule of ours.

/// One token of a source file: an identifier, `::`, or a single other character.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    pub line: usize,
    pub text: String,
}

/// A path as written, e.g. `["crate", "domain", "ids", "AppId"]`, and the line it begins on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    pub line: usize,
    pub segments: Vec<String>,
}

impl Path {
    /// Whether `first::second` is part of the path.
    pub fn has(&self, first: &str, second: &str) -> bool {
        self.segments.windows(2).any(|pair| pair[0] == first && pair[1] == second)
    }
}

/// The tokens of `source`; comments and literals are left out.
pub fn tokens(source: &str) -> Vec<Token> {
    let chars: Vec<char> = source.chars().collect();
    let at = |index: usize| chars.get(index).copied().unwrap_or('\0');
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let mut tokens = Vec::new();
    let (mut i, mut counted, mut line) = (0, 0, 1);
    while i < chars.len() {
        line += chars[counted..i].iter().filter(|c| **c == '\n').count();
        counted = i;
        match at(i) {
            '/' if at(i + 1) == '/' => i = find(&chars, i, '\n'),
            '/' if at(i + 1) == '*' => i = end_of_block_comment(&chars, i),
            '"' => i = end_of_string(&chars, i),
            // 'x' and '\n' are characters, 'x without a closing quote is a lifetime.
            '\'' if at(i + 1) == '\\' => i = find(&chars, i + 3, '\'') + 1,
            '\'' if at(i + 2) == '\'' => i += 3,
            '\'' => i += 1,
            ':' if at(i + 1) == ':' => {
                tokens.push(Token { line, text: "::".to_owned() });
                i += 2;
            }
            c if word(c) => {
                let end = (i..chars.len()).find(|j| !word(chars[*j])).unwrap_or(chars.len());
                let text: String = chars[i..end].iter().collect();
                let raw = matches!(text.as_str(), "r" | "br" | "cr") && matches!(at(end), '"' | '#');
                if raw && at(end + hashes(&chars, end)) == '"' {
                    i = end_of_raw_string(&chars, end);
                } else {
                    i = end;
                    tokens.push(Token { line, text });
                }
            }
            c if c.is_whitespace() => i += 1,
            c => {
                tokens.push(Token { line, text: c.to_string() });
                i += 1;
            }
        }
    }
    tokens
}

/// The tokens that are left when each `#[cfg(test)]` item is taken out.
pub fn without_tests(tokens: &[Token]) -> Vec<Token> {
    let mut left = Vec::new();
    let mut i = 0;
    while i < tokens.len() {
        if starts_with(&tokens[i..], &["#", "[", "cfg", "(", "test", ")", "]"]) {
            i = end_of_item(tokens, i);
        } else {
            left.push(tokens[i].clone());
            i += 1;
        }
    }
    left
}

/// Every path with more than one segment, and every path of a `use`, groups taken apart.
pub fn paths(tokens: &[Token]) -> Vec<Path> {
    let mut paths = Vec::new();
    let mut i = 0;
    while i < tokens.len() {
        let after_use = i > 0 && tokens[i - 1].text == "use";
        let followed = tokens.get(i + 1).is_some_and(|next| next.text == "::");
        if after_use || (is_name(&tokens[i].text) && followed) {
            let start = if tokens[i].text == "::" { i + 1 } else { i };
            i = tree(tokens, start, &[], &mut paths).max(i + 1);
        } else {
            i += 1;
        }
    }
    paths
}

/// Reads the path or use tree at `i` into `paths`, each with `before` in front; returns the index behind it.
fn tree(tokens: &[Token], mut i: usize, before: &[String], paths: &mut Vec<Path>) -> usize {
    let line = tokens.get(i).map_or(0, |token| token.line);
    let mut segments = before.to_vec();
    while let Some(token) = tokens.get(i) {
        if token.text == "{" {
            i += 1;
            while tokens.get(i).is_some_and(|token| token.text != "}") {
                i = tree(tokens, i, &segments, paths);
                // Past `as name`, up to the next branch.
                while tokens.get(i).is_some_and(|token| !matches!(token.text.as_str(), "," | "}")) {
                    i += 1;
                }
                if tokens.get(i).is_some_and(|token| token.text == ",") {
                    i += 1;
                }
            }
            return i + 1;
        }
        if !is_name(&token.text) && token.text != "*" {
            break;
        }
        segments.push(token.text.clone());
        i += 1;
        if tokens.get(i).is_none_or(|token| token.text != "::") {
            break;
        }
        i += 1;
    }
    // `use<'a>`, what a returned type captures, is no path.
    if !segments.is_empty() {
        paths.push(Path { line, segments });
    }
    i
}

fn is_name(text: &str) -> bool {
    text != "use" && text.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

fn starts_with(tokens: &[Token], texts: &[&str]) -> bool {
    tokens.len() >= texts.len() && tokens.iter().zip(texts).all(|(token, text)| token.text == *text)
}

/// Behind the item that begins at `i` with its attributes: behind its `;` or its closing brace.
fn end_of_item(tokens: &[Token], mut i: usize) -> usize {
    let mut depth = 0_i32;
    while let Some(token) = tokens.get(i) {
        i += 1;
        match token.text.as_str() {
            "{" | "(" | "[" => depth += 1,
            "}" => {
                depth -= 1;
                if depth == 0 {
                    return i;
                }
            }
            ")" | "]" => depth -= 1,
            ";" if depth == 0 => return i,
            _ => {}
        }
    }
    i
}

fn find(chars: &[char], from: usize, wanted: char) -> usize {
    (from..chars.len()).find(|i| chars[*i] == wanted).unwrap_or(chars.len())
}

fn hashes(chars: &[char], from: usize) -> usize {
    chars[from..].iter().take_while(|c| **c == '#').count()
}

fn end_of_string(chars: &[char], open: usize) -> usize {
    let mut i = open + 1;
    while i < chars.len() && chars[i] != '"' {
        i += if chars[i] == '\\' { 2 } else { 1 };
    }
    i + 1
}

fn end_of_raw_string(chars: &[char], from: usize) -> usize {
    let hashes = hashes(chars, from);
    let mut i = from + hashes + 1;
    while i < chars.len() {
        i = find(chars, i, '"') + 1;
        if chars[i.min(chars.len())..].iter().take(hashes).filter(|c| **c == '#').count() == hashes {
            return i + hashes;
        }
    }
    i
}

fn end_of_block_comment(chars: &[char], open: usize) -> usize {
    let mut depth = 0;
    let mut i = open;
    while i < chars.len() {
        match (chars[i], chars.get(i + 1)) {
            ('/', Some('*')) => (depth, i) = (depth + 1, i + 2),
            ('*', Some('/')) => (depth, i) = (depth - 1, i + 2),
            _ => i += 1,
        }
        if depth == 0 {
            return i;
        }
    }
    i
}

#[test]
fn paths_are_seen_through_groups_aliases_comments_and_literals() {
    let source = r##"
        use crate::{domain::{ids::AppId, spec as s}, engine::*};
        use ::bollard;
        use a::b as c;
        // crate::comment::X
        /* crate::block /* nested::y */ z::z */
        const QUOTE: char = '"'; const Q: char = '\''; fn f<'a>(x: &'a str) -> std::io::Result<()> {
            let _ = ("crate::string::X \" crate::more", r#"raw::string "x" "#, b"x::y");
            fn g() -> impl Sized + use<'a> {} Vec::<u8>::new(); <T as serde::Serialize>::x();
        }"##;
    let seen: Vec<(usize, String)> =
        paths(&tokens(source)).into_iter().map(|path| (path.line, path.segments.join("::"))).collect();
    let expected = [
        (2, "crate::domain::ids::AppId"),
        (2, "crate::domain::spec"),
        (2, "crate::engine::*"),
        (3, "bollard"),
        (4, "a::b"),
        (7, "std::io::Result"),
        (9, "Vec"),
        (9, "serde::Serialize"),
    ];
    assert_eq!(seen, expected.map(|(line, path)| (line, path.to_owned())));
}

#[test]
fn test_items_are_taken_out_whole() {
    let source =
        "fn a() {} #[cfg(test)] #[allow(x)] mod t { fn b() { {} } } fn c() {} #[cfg(test)] use q::r; fn d() {}";
    let left: Vec<String> = without_tests(&tokens(source)).into_iter().map(|token| token.text).collect();
    assert_eq!(left.concat(), "fna(){}fnc(){}fnd(){}");
}
