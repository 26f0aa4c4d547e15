//! A hostile engine: the real one behind a socket that adds to every text of its answers what strangers could write there.
//!
//! Cleaned, each text is what it was before. Streams (events, logs, attached containers) pass as they are.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use pitstop::domain::spec::AppSpec;
use serde_json::{Map, Value};

use super::docker::Engine;

/// A window title, a cleared screen, a reversed direction, a colour by one byte, an invisible mark, a NUL.
pub const POISON: &str = "\u{1b}]0;owned\u{7}\u{1b}[2J\u{202e}\u{9b}31m\u{200b}\u{0}\r";

/// Words that a client must understand literally.
const PLAIN: [&str; 16] = [
    "Id",
    "ID",
    "State",
    "Status",
    "Type",
    "ApiVersion",
    "MinAPIVersion",
    "Propagation",
    "IpcMode",
    "CgroupnsMode",
    "Isolation",
    "CgroupDriver",
    "CgroupVersion",
    "Scope",
    "Created",
    "LocalNodeState",
];

/// The socket of such an engine; its threads end with the test program.
pub struct Poisoned {
    _directory: tempfile::TempDir,
    socket: PathBuf,
}

impl Poisoned {
    /// In front of `engine`.
    pub fn before(engine: &Engine) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let socket = directory.path().join("docker.sock");
        let listener = UnixListener::bind(&socket).expect("a socket");
        let real = PathBuf::from(engine.host().trim_start_matches("unix://"));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let real = real.clone();
                std::thread::spawn(move || pass(&stream, &real));
            }
        });
        Self { _directory: directory, socket }
    }

    /// As an engine.
    pub fn engine(&self) -> Engine {
        Engine::at(&self.socket)
    }
}

/// One request and its answer; whoever hangs up ends it.
fn pass(client: &UnixStream, real: &Path) -> Option<()> {
    let mut request = BufReader::new(client);
    let mut head = head(&mut request)?;
    let stream = ["/events", "/logs", "/attach", "/start", "/stats", "/images/create"];
    let first = head.lines().next()?.to_owned();
    let is_stream = stream.iter().any(|path| first.contains(path));
    if !is_stream {
        head = head.replacen("\r\n", "\r\nConnection: close\r\n", 1);
    }
    let server = UnixStream::connect(real).ok()?;
    (&server).write_all(head.as_bytes()).ok()?;
    (&server).write_all(request.buffer()).ok()?;
    let (mut from, mut to) = (client.try_clone().ok()?, server.try_clone().ok()?);
    std::thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
    if is_stream {
        let _ = std::io::copy(&mut &server, &mut &*client);
        let _ = client.shutdown(Shutdown::Both);
        return None;
    }
    let mut answer = BufReader::new(&server);
    let head = self::head(&mut answer)?;
    let mut body = Vec::new();
    answer.read_to_end(&mut body).ok()?;
    if head.to_ascii_lowercase().contains("transfer-encoding: chunked") {
        body = joined(&body)?;
    }
    if let Ok(mut value) = serde_json::from_slice(&body) {
        poison("", &mut value);
        body = value.to_string().into_bytes();
    }
    let framing = ["transfer-encoding", "content-length", "connection"];
    let kept = |line: &&str| !framing.iter().any(|name| line.to_ascii_lowercase().starts_with(name));
    let head: Vec<_> = head.trim_end().lines().filter(kept).collect();
    let head = format!("{}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", head.join("\r\n"), body.len());
    (&*client).write_all(head.as_bytes()).ok()?;
    (&*client).write_all(&body).ok()
}

/// The first lines of a message, with the empty one.
fn head(reader: &mut impl BufRead) -> Option<String> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    Some(head)
}

/// The chunks of a body as one.
fn joined(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|pair| pair == b"\r\n")?;
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..end]).ok()?, 16).ok()?;
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(rest.get(end + 2..end + 2 + size)?);
        rest = rest.get(end + 4 + size..)?;
    }
}

fn poison(key: &str, value: &mut Value) {
    match value {
        // The spec in our own label is read as JSON: what is poisoned is inside. The other labels of ours are data of ours.
        Value::String(text) if key == "io.pitstop.spec" => {
            if let Ok(mut spec) = serde_json::from_str(text) {
                poison_spec(&mut spec);
                *text = Value::to_string(&spec);
            }
        }
        Value::String(text) if !PLAIN.contains(&key) && !key.starts_with("io.pitstop.") && !text.is_empty() => {
            text.push_str(POISON);
        }
        Value::Array(values) => values.iter_mut().for_each(|value| poison(key, value)),
        Value::Object(map) => {
            let named = key == "Networks" || key == "Labels";
            *map = std::mem::take(map)
                .into_iter()
                .map(|(name, mut value)| {
                    if name != "RestartPolicy" {
                        poison(&name, &mut value);
                    }
                    let ours = name.starts_with("io.pitstop.") || name.starts_with("com.docker.compose.");
                    (if named && !ours { name + POISON } else { name }, value)
                })
                .collect::<Map<_, _>>();
        }
        _ => {}
    }
}

/// Each text of it without which it would still be a spec: one that is none is not even looked at.
fn poison_spec(spec: &mut Value) {
    let mut places = Vec::new();
    texts(String::new(), spec, &mut places);
    for place in places {
        let mut tried = spec.clone();
        if let Some(Value::String(text)) = tried.pointer_mut(&place) {
            text.push_str(POISON);
        }
        if serde_json::from_value::<AppSpec>(tried.clone()).is_ok() {
            *spec = tried;
        }
    }
}

/// Where there are texts in it, as JSON pointers.
fn texts(place: String, value: &Value, into: &mut Vec<String>) {
    match value {
        Value::String(_) => into.push(place),
        Value::Array(values) => {
            values.iter().enumerate().for_each(|(at, value)| texts(format!("{place}/{at}"), value, into));
        }
        Value::Object(map) => map.iter().for_each(|(name, value)| {
            texts(format!("{place}/{}", name.replace('~', "~0").replace('/', "~1")), value, into);
        }),
        _ => {}
    }
}
