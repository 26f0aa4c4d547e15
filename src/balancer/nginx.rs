//! nginx (open source) by a file that its configuration includes.
//!
//! It has no interface at run time, so a server is taken out by the word `down` behind it (`ngx_http_upstream_module`,
//! `server … down`), a test of the configuration, and a reload; old workers finish what they have begun. It counts no
//! sessions, so whoever waits gives them a time. The file is replaced as a whole and at once; all but that word stays as it is,
//! and what does not pass the test is put back. Whoever changes it holds a lock on its directory.

use super::BalancerError;
use super::program;
use crate::domain::balancer::{self, Admin, Server};
use crate::domain::clean::Clean;
use crate::domain::ids::ServerName;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// For a test, and for a reload: `nginx -t` opens every file and resolves every name of the configuration.
const DEADLINE: Duration = Duration::from_secs(20);
/// For somebody else to be done with the file: a test and a reload of theirs.
const LOCK: Duration = Duration::from_secs(45);
/// Between two tries for the lock.
const AGAIN: Duration = Duration::from_millis(20);
/// Longest file read.
const LONGEST: u64 = 4 << 20;

/// One file of one nginx.
#[derive(Clone, Debug)]
pub struct Nginx {
    spec: balancer::Nginx,
    shown: String,
}

impl Nginx {
    pub(super) fn new(spec: &balancer::Nginx, shown: String) -> Self {
        Self { spec: spec.clone(), shown }
    }

    /// The servers in the file.
    pub(super) fn servers(&self) -> Result<Vec<Server>, BalancerError> {
        let text = self.read(&self.path()?)?;
        let mut servers: Vec<Server> = Vec::new();
        for line in lines(&text, self.spec.upstream.as_ref()) {
            let Ok(name) = ServerName::new(line.address) else { continue };
            match servers.iter_mut().find(|server| server.name == name) {
                // The same one in several blocks is out when it is out in all of them.
                Some(server) if line.down.is_none() => server.admin = Some(Admin::Ready),
                Some(_) => {}
                None => servers.push(server(name, line.down.is_some())),
            }
        }
        Ok(servers)
    }

    /// Writes the server's line, has it tested and read. Also where the line says so already: nginx may not have read it.
    pub(super) async fn set(&self, name: &ServerName, admin: Admin) -> Result<(), BalancerError> {
        let path = self.path()?;
        let _lock = self.lock(&path).await?;
        let before = self.read(&path)?;
        let after = edit(&before, self.spec.upstream.as_ref(), name, admin != Admin::Ready)
            .ok_or_else(|| BalancerError::gone(&format!("{name} of {}", self.shown)))?;
        self.write(&path, &before, &after)?;
        let told = match self.run(self.spec.test.as_deref(), &["nginx", "-t"]).await {
            Ok(()) => self.run(self.spec.reload.as_deref(), &["nginx", "-s", "reload"]).await,
            refused => refused,
        };
        let Err(mut error) = told else { return Ok(()) };
        let back = self.write(&path, &after, &before);
        let state = match back {
            Ok(()) => format!("{}; {} is as it was", error.message, self.spec.file),
            Err(back) => format!("{}; and {} can't be put back: {}", error.message, self.spec.file, back.message),
        };
        error.message = Clean::new(&state);
        Err(error)
    }

    async fn run(&self, given: Option<&[String]>, usual: &[&str]) -> Result<(), BalancerError> {
        let usual: Vec<String> = usual.iter().map(|word| (*word).to_owned()).collect();
        program::run(&self.shown, given.unwrap_or(&usual), &[], DEADLINE).await.map(drop)
    }

    /// The file itself, where its name is a link to it.
    fn path(&self) -> Result<PathBuf, BalancerError> {
        std::fs::canonicalize(&self.spec.file).map_err(|error| self.failed(&error, "can't be found"))
    }

    fn failed(&self, error: &io::Error, what: &str) -> BalancerError {
        let hint = match error.kind() {
            io::ErrorKind::NotFound => Some("nginx's `include` and this file have to be the same one, on this machine"),
            io::ErrorKind::PermissionDenied => {
                Some("pitstop replaces the file, so it must be able to write its directory")
            }
            _ => None,
        };
        BalancerError::here(&self.shown, &format!("{} {what}: {error}", self.spec.file), hint)
    }

    fn read(&self, path: &Path) -> Result<String, BalancerError> {
        let read = || {
            let file = File::open(path)?;
            let about = file.metadata()?;
            if !about.is_file() || about.len() > LONGEST {
                return Err(io::Error::other("it is no file of at most 4 MB"));
            }
            let mut text = String::new();
            file.take(LONGEST).read_to_string(&mut text)?;
            Ok(text)
        };
        read().map_err(|error| self.failed(&error, "can't be read"))
    }

    /// Replaces the file's content: never half of it is there.
    fn write(&self, path: &Path, before: &str, after: &str) -> Result<(), BalancerError> {
        if before == after {
            return Ok(());
        }
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return Ok(()) };
        // No `include folder/*` reads a name that begins with a dot.
        let beside = folder.join(format!(".{}.pitstop", name.to_string_lossy()));
        let write = || {
            let about = std::fs::metadata(path)?;
            match std::fs::remove_file(&beside) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
            file.write_all(after.as_bytes())?;
            // Who is not root may not give it away, and need not: then it is his own directory.
            let _ = std::os::unix::fs::fchown(&file, Some(about.uid()), Some(about.gid()));
            file.set_permissions(std::fs::Permissions::from_mode(about.mode() & 0o7777))?;
            file.sync_all()?;
            std::fs::rename(&beside, path)?;
            File::open(folder)?.sync_all()
        };
        write().map_err(|error| self.failed(&error, "can't be replaced"))
    }

    /// One at a time: another pitstop, or another instance of this operation.
    async fn lock(&self, path: &Path) -> Result<File, BalancerError> {
        let folder = path.parent().unwrap_or(path);
        let folder = File::open(folder).map_err(|error| self.failed(&error, "has a directory that can't be opened"))?;
        let got = tokio::time::timeout(LOCK, async {
            loop {
                match rustix::fs::flock(&folder, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
                    Err(error) if error == rustix::io::Errno::WOULDBLOCK || error == rustix::io::Errno::INTR => {}
                    other => return other.map_err(io::Error::from),
                }
                tokio::time::sleep(AGAIN).await;
            }
        });
        match got.await {
            Ok(Ok(())) => Ok(folder),
            Ok(Err(error)) => Err(self.failed(&error, "can't be locked")),
            Err(_) => Err(BalancerError::late(&self.shown, LOCK)),
        }
    }
}

fn server(name: ServerName, down: bool) -> Server {
    let text = name.as_str();
    // Without a port it is 80 (`ngx_http_upstream_module`, `server`).
    let address = text.parse::<SocketAddr>().ok().or_else(|| {
        let ip = text.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().ok()?;
        Some(SocketAddr::new(ip, 80))
    });
    let admin = Some(if down { Admin::Maint } else { Admin::Ready });
    let words = Clean::new(if down { "down" } else { "in its file" });
    Server { name, address, admin, up: !down, traffic: None, words }
}

/// A `server` line of an upstream: the pieces of the text it is made of.
#[derive(Debug, PartialEq, Eq)]
struct Line<'a> {
    address: &'a str,
    /// Where the word `down` and the space before it are.
    down: Option<(usize, usize)>,
    /// Where its last word ends.
    end: usize,
}

/// The `server` lines of an upstream block, or of the file itself; comments and everything else are passed over.
fn lines<'a>(text: &'a str, upstream: Option<&ServerName>) -> Vec<Line<'a>> {
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
fn edit(text: &str, upstream: Option<&ServerName>, name: &ServerName, down: bool) -> Option<String> {
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

    #[test]
    fn where_a_server_is_follows_from_its_line() {
        let at = |text: &str| server(name(text), false).address.map(|address| address.to_string());
        assert_eq!(at("172.30.0.2:8080").as_deref(), Some("172.30.0.2:8080"));
        assert_eq!(at("172.30.0.2").as_deref(), Some("172.30.0.2:80"));
        assert_eq!(at("[fd00::3]:90").as_deref(), Some("[fd00::3]:90"));
        assert_eq!(at("web.example:80"), None);
    }
}
