//! A proxy in front of an engine, unix socket to unix socket, that does to chosen requests what networks and engines do.
//!
//! One request a connection: the answer carries `Connection: close`, so a client opens the next one by itself. What goes on
//! after its head (an attach, a stream of events) passes in both directions until one side ends it.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use tempfile::TempDir;

use super::docker::Engine;

/// What happens to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is passed on later, or when [`Proxy::let_go`] is called.
    Delay(Duration),
    /// The connection ends before the engine hears of it.
    Unsent,
    /// The engine does it; the connection ends without an answer.
    Unanswered,
    /// The engine does it; the connection ends in the middle of the answer's head.
    Cut,
    /// The engine never hears of it and is said to have failed.
    Status(u16),
    /// The engine does it; no answer comes, and the connection stays.
    Stall,
    /// It is passed on when [`Proxy::let_go`] is called.
    Hold,
}

/// Which request, counted from the first that fits: 0, 1, …
#[derive(Debug, Clone)]
struct Rule {
    /// `None`: whatever changes something.
    method: Option<&'static str>,
    /// Part of the path.
    path: String,
    nth: usize,
    fault: Fault,
    /// Those that fitted so far.
    fitted: usize,
}

/// A request that came by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passed {
    pub method: String,
    /// Without the API version.
    pub path: String,
    pub fault: Option<Fault>,
}

impl Passed {
    /// Whether it asks for more than a look; a wait for an end is one.
    pub fn changes(&self) -> bool {
        self.method != "GET" && self.method != "HEAD" && !self.path.contains("/wait")
    }
}

#[derive(Default)]
struct State {
    rules: Vec<Rule>,
    history: Vec<Passed>,
    let_go: bool,
}

type Shared = Arc<(Mutex<State>, Condvar)>;

/// A running proxy. Its threads end with the test's process; its socket goes when it is dropped.
pub struct Proxy {
    home: TempDir,
    state: Shared,
}

impl Proxy {
    /// Listens in front of `engine`.
    #[track_caller]
    pub fn before(engine: &Engine) -> Self {
        let home = tempfile::Builder::new().prefix("pp").tempdir_in("/tmp").expect("a temporary directory");
        let listener = UnixListener::bind(home.path().join("s")).expect("a socket");
        let upstream = PathBuf::from(engine.host().trim_start_matches("unix://"));
        let state = Shared::default();
        let shared = state.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let (shared, upstream) = (shared.clone(), upstream.clone());
                // What goes wrong with a connection is seen by whoever is at its ends.
                std::thread::spawn(move || pass(client, &upstream, &shared));
            }
        });
        Self { home, state }
    }

    /// The engine behind it, through it.
    pub fn engine(&self) -> Engine {
        Engine::at(self.home.path().join("s"))
    }

    /// Does this to the `nth` request (0 the first) of `method` whose path contains `path`.
    pub fn on(&self, method: &'static str, path: &str, nth: usize, fault: Fault) {
        self.rule(Some(method), path, nth, fault);
    }

    /// Does this to the `nth` request (0 the first) that changes something.
    pub fn on_change(&self, nth: usize, fault: Fault) {
        self.rule(None, "", nth, fault);
    }

    fn rule(&self, method: Option<&'static str>, path: &str, nth: usize, fault: Fault) {
        let rule = Rule { method, path: path.to_owned(), nth, fault, fitted: 0 };
        self.state.0.lock().expect("no thread panics").rules.push(rule);
    }

    /// Lets go what is held, now and later.
    pub fn let_go(&self) {
        self.state.0.lock().expect("no thread panics").let_go = true;
        self.state.1.notify_all();
    }

    /// All requests so far.
    pub fn history(&self) -> Vec<Passed> {
        self.state.0.lock().expect("no thread panics").history.clone()
    }
}

fn pass(mut client: UnixStream, upstream: &PathBuf, shared: &Shared) -> Option<()> {
    let (head, mut rest) = head(&mut client).ok()?;
    let mut words = head.lines().next()?.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    // Without `/v1.41`.
    let plain = path.strip_prefix("/v").and_then(|path| path.find('/').map(|at| path[at..].to_owned())).unwrap_or(path);
    let fault = note(shared, &method, &plain);
    let upgrade = head.to_lowercase().contains("\r\nupgrade:");
    match fault {
        Some(Fault::Unsent) => return None,
        Some(Fault::Status(status)) => {
            let body = r#"{"message":"the proxy says that the engine failed"}"#;
            let answer = format!(
                "HTTP/1.1 {status} Fault\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
            client.write_all(answer.as_bytes()).ok()?;
            // Closed before the request was read to its end, the connection would be reset and the answer lost.
            client.shutdown(Shutdown::Write).ok()?;
            io::copy(&mut client, &mut io::sink()).ok()?;
            return None;
        }
        Some(Fault::Delay(time)) => {
            let guard = shared.0.lock().ok()?;
            drop(shared.1.wait_timeout_while(guard, time, |state| !state.let_go).ok()?);
        }
        Some(Fault::Hold) => {
            let guard = shared.0.lock().ok()?;
            drop(shared.1.wait_while(guard, |state| !state.let_go).ok()?);
        }
        _ => {}
    }
    let mut engine = UnixStream::connect(upstream).ok()?;
    let head = if upgrade { head } else { format!("{}\r\nConnection: close\r\n\r\n", head.trim_end()) };
    engine.write_all(head.as_bytes()).ok()?;
    engine.write_all(&std::mem::take(&mut rest)).ok()?;

    let (mut from_client, mut to_engine) = (client.try_clone().ok()?, engine.try_clone().ok()?);
    std::thread::spawn(move || {
        let _ = io::copy(&mut from_client, &mut to_engine);
        // A client that has gone wants no answer; one that took the connection over may only have said all it had to say.
        let _ = to_engine.shutdown(if upgrade { Shutdown::Write } else { Shutdown::Both });
    });
    match fault {
        Some(Fault::Unanswered | Fault::Cut | Fault::Stall) => {
            let (answer, _) = self::head(&mut engine).ok()?;
            match fault {
                Some(Fault::Cut) => client.write_all(&answer.as_bytes()[..answer.len() / 2]).ok()?,
                // Until the client gives up.
                Some(Fault::Stall) => drop(io::copy(&mut engine, &mut io::sink())),
                _ => {}
            }
        }
        _ => drop(io::copy(&mut engine, &mut client)),
    }
    let _ = client.shutdown(Shutdown::Both);
    let _ = engine.shutdown(Shutdown::Both);
    Some(())
}

/// Writes the request down and finds what is to be done to it.
fn note(shared: &Shared, method: &str, path: &str) -> Option<Fault> {
    let mut state = shared.0.lock().expect("no thread panics");
    let mut passed = Passed { method: method.to_owned(), path: path.to_owned(), fault: None };
    for rule in &mut state.rules {
        let fits = rule.method.map_or(passed.changes(), |wanted| wanted == method) && path.contains(&rule.path);
        if fits {
            if rule.fitted == rule.nth {
                passed.fault = passed.fault.or(Some(rule.fault));
            }
            rule.fitted += 1;
        }
    }
    let fault = passed.fault;
    state.history.push(passed);
    fault
}

/// Reads to the end of a head: the head with its empty line, and what came along behind it.
fn head(from: &mut UnixStream) -> io::Result<(String, Vec<u8>)> {
    let (mut all, mut chunk) = (Vec::new(), [0; 8192]);
    loop {
        if let Some(end) = all.windows(4).position(|four| four == b"\r\n\r\n") {
            let rest = all.split_off(end + 4);
            return String::from_utf8(all).map(|head| (head, rest)).map_err(io::Error::other);
        }
        match from.read(&mut chunk)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => all.extend_from_slice(&chunk[..count]),
        }
    }
}

#[test]
fn it_passes_what_nothing_is_said_about_and_spoils_the_rest() {
    let machine = Engine::machine();
    let proxy = Proxy::before(&machine);
    let through = proxy.engine();
    assert_eq!(through.docker(&["version", "--format", "{{.Server.Version}}"]).lines().count(), 1);
    proxy.on("GET", "/containers/no-such-thing/json", 1, Fault::Status(503));
    assert!(through.try_docker(&["container", "inspect", "no-such-thing"]).unwrap_err().contains("No such container"));
    assert!(through.try_docker(&["container", "inspect", "no-such-thing"]).unwrap_err().contains("the proxy says"));

    let project = machine.project();
    let name = format!("{}-one", project.name);
    let image = super::images::app(&machine, "v1");
    proxy.on("POST", "/containers/create", 0, Fault::Unsent);
    assert!(through.try_docker(&["create", "--name", &name, &image]).is_err());
    assert!(machine.try_inspect(&name).is_none());
    proxy.on("POST", "/containers/create", 0, Fault::Unanswered);
    assert!(through.try_docker(&["create", "--name", &name, &image]).is_err());
    assert!(machine.try_inspect(&name).is_some(), "the engine did it");
    // An attached one is spoken to, and heard.
    let hello = through.feed(&["run", "-i", "--rm", "--entrypoint", "/pitstop-guest", &image, "lock"], b"1\n").unwrap();
    assert_eq!(hello, "1");
    assert!(proxy.history().iter().filter(|passed| passed.fault.is_some()).count() == 3);
}
