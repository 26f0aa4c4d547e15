//! The `server` lines in the text of an nginx configuration, and the word `down` behind them. Pure.

use crate::domain::ids::ServerName;

/// A `server` line of an upstream: the pieces of the text it is made of.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line<'a> {
    pub address: &'a str,
    /// Where the word `down` and the space before it are.
    pub down: Option<(usize, usize)>,
    /// Where its last word ends.
    end: usize,
}

/// The `server` lines of an upstream block, or of the file itself; comments and everything else are passed over.
pub(super) fn lines<'a>(text: &'a str, upstream: Option<&ServerName>) -> Vec<Line<'a>> {
    let (mut found, mut blocks, mut words) = (Vec::new(), Vec::<bool>::new(), Vec::<(usize, usize)>::new());
    for token in tokens(text) {
        match token {
            Token::Word(from, to) => words.push((from, to)),
            Token::Open => {
                let said: Vec<&str> = words.drain(..).map(|(from, to)| &text[from..to]).collect();
                let ours =
                    matches!(&*said, ["upstream", name] if upstream.is_none_or(|wanted| wanted.as_str() == *name));
                blocks.push(ours);
            }
            Token::Close => {
                blocks.pop();
                words.clear();
            }
            Token::End => {
                let ours = blocks.as_slice() == [true] || (blocks.is_empty() && upstream.is_none());
                if let [(from, to), (begin, end), rest @ ..] = &*words
                    && ours
                    && &text[*from..*to] == "server"
                {
                    let down = rest.iter().position(|(from, to)| &text[*from..*to] == "down");
                    let before = |at: usize| if at == 0 { *end } else { rest[at - 1].1 };
                    found.push(Line {
                        address: &text[*begin..*end],
                        down: down.map(|at| (before(at), rest[at].1)),
                        end: rest.last().map_or(*end, |(_, end)| *end),
                    });
                }
                words.clear();
            }
        }
    }
    found
}

/// The text with every line of that server set; `None` when there is none.
pub(super) fn edit(text: &str, upstream: Option<&ServerName>, name: &ServerName, down: bool) -> Option<String> {
    let mine: Vec<Line<'_>> = lines(text, upstream).into_iter().filter(|line| line.address == name.as_str()).collect();
    let mut edited = text.to_owned();
    // From the end, so that places stay true.
    for line in mine.iter().rev() {
        match (line.down, down) {
            (None, true) => edited.insert_str(line.end, " down"),
            (Some((from, to)), false) => edited.replace_range(from..to, ""),
            _ => {}
        }
    }
    (!mine.is_empty()).then_some(edited)
}

enum Token {
    Word(usize, usize),
    Open,
    Close,
    End,
}

/// nginx's own lexing (`ngx_conf_read_token`): words, quotes, `\` before any character, `#` to the line's end.
fn tokens(text: &str) -> Vec<Token> {
    let bytes = text.as_bytes();
    let (mut tokens, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        match bytes[at] {
            b if b.is_ascii_whitespace() => at += 1,
            b'#' => at += bytes[at..].iter().position(|b| *b == b'\n').unwrap_or(bytes.len() - at),
            b'{' | b'}' | b';' => {
                tokens.push(match bytes[at] {
                    b'{' => Token::Open,
                    b'}' => Token::Close,
                    _ => Token::End,
                });
                at += 1;
            }
            first => {
                let (from, quote) = (at, Some(first).filter(|b| matches!(b, b'"' | b'\'')));
                at += usize::from(quote.is_some());
                while at < bytes.len() {
                    match (bytes[at], quote) {
                        (b'\\', _) => at += 1,
                        (b, Some(quote)) if b == quote => {
                            at += 1;
                            break;
                        }
                        (b, None) if b.is_ascii_whitespace() || matches!(b, b';' | b'{' | b'}') => break,
                        _ => {}
                    }
                    at += 1;
                }
                at = at.min(bytes.len());
                tokens.push(Token::Word(from, at));
            }
        }
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# server 172.30.0.9:80;\nupstream web {\n  zone web 64k; # down\n  server 172.30.0.2:80 weight=2 max_fails=1;\n\
        \tserver 172.30.0.3:80  down\n   backup;\n}\nupstream api { server 172.30.0.2:80; server unix:/run/x.sock; server \"a b\"; }\n\
        server { listen 80; location / { proxy_pass http://web; } }\n";

    fn name(text: &str) -> ServerName {
        ServerName::new(text).unwrap()
    }

    fn found(text: &str, upstream: Option<&str>) -> Vec<(String, bool)> {
        let upstream = upstream.map(name);
        lines(text, upstream.as_ref()).iter().map(|one| (one.address.to_owned(), one.down.is_some())).collect()
    }

    #[test]
    fn the_servers_of_a_block_are_found_and_nothing_else() {
        let web = [("172.30.0.2:80".to_owned(), false), ("172.30.0.3:80".to_owned(), true)];
        assert_eq!(found(FILE, Some("web")), web);
        assert_eq!(found(FILE, None).len(), 5, "all blocks");
        assert_eq!(found(FILE, Some("shop")), []);
        assert_eq!(
            found("server [fd00::3]:80;\nserver 10.0.0.1 down;", None).len(),
            2,
            "the file is a block's content"
        );
        for odd in
            ["", "server", "server 1.2.3.4", "server 1.2.3.4:80 \\", "upstream web { server 'x", "}};;{{", "server ;"]
        {
            assert!(found(odd, None).is_empty(), "{odd}");
        }
    }

    #[test]
    fn only_the_word_changes_and_back_is_as_it_was() {
        let out = edit(FILE, Some(&name("web")), &name("172.30.0.2:80"), true).unwrap();
        assert_eq!(out, FILE.replace("max_fails=1;", "max_fails=1 down;"));
        assert_eq!(edit(&out, Some(&name("web")), &name("172.30.0.2:80"), false).unwrap(), FILE);
        let back = edit(FILE, None, &name("172.30.0.3:80"), false).unwrap();
        assert_eq!(back, FILE.replace("  down\n", "\n"));
        assert_eq!(
            edit(FILE, None, &name("172.30.0.2:80"), true).unwrap().matches(" down;").count(),
            2,
            "in both blocks"
        );
        assert_eq!(edit(FILE, None, &name("172.30.0.8:80"), true), None);
    }
}
