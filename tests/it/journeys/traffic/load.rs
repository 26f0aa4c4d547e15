//! A client of the tests: so many requests a second over kept and over fresh connections, each judged and timed.

use std::io::{Error, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::support::wait::try_wait_for;

/// Threads of each kind, and what each asks for a second: 360 requests a second together.
const THREADS: usize = 6;
const RATE: u32 = 30;
/// What is asked for takes 20 ms, so that some requests are always under way.
const PATH: &str = "/slow/20";
/// For one answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Requests under way until it is told to end.
pub struct Load {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Asked>>,
    began: Instant,
}

/// What the clients have seen.
#[derive(Default)]
pub struct Asked {
    /// When it began, and why it failed.
    pub wrong: Vec<(Instant, String)>,
    /// Of the answers that were right.
    pub took: Vec<Duration>,
    /// New connections that were reset before they were answered, beside `wrong`.
    pub reset: Vec<(Instant, String)>,
    /// Kept connections that the other side had closed before it answered anything: asked again over a fresh one, as every
    /// HTTP client does with what is idempotent (RFC 9110, 9.2.2).
    pub reopened: usize,
}

impl Asked {
    pub fn add(&mut self, other: Self) {
        self.wrong.extend(other.wrong);
        self.took.extend(other.took);
        self.reopened += other.reopened;
        self.reset.extend(other.reset);
    }

    pub fn all(&self) -> usize {
        self.took.len() + self.wrong.len() + self.reset.len()
    }

    /// That share of the right answers, in thousandths, took no longer than this.
    pub fn at(&mut self, share: usize) -> Duration {
        self.took.sort();
        self.took.get(self.took.len().saturating_sub(1) * share / 1000).copied().unwrap_or_default()
    }
}

impl Load {
    /// Begins.
    pub fn on(address: &str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let client = |number: usize| {
            let (stop, address) = (stop.clone(), address.parse().unwrap());
            // Half of them keep their connection.
            std::thread::spawn(move || ask(address, number.is_multiple_of(2), number, &stop))
        };
        Self { threads: (0..2 * THREADS).map(client).collect(), stop, began: Instant::now() }
    }

    /// Ends, and tells.
    pub fn end(self) -> Asked {
        self.stop.store(true, Ordering::Relaxed);
        let mut asked = Asked::default();
        self.threads.into_iter().for_each(|thread| asked.add(thread.join().unwrap()));
        asked
    }

    /// Ends; nobody may have noticed anything.
    #[track_caller]
    pub fn without_failure(self) -> Asked {
        let asked = self.without_wrong_answer();
        assert!(asked.reset.is_empty(), "{} new connections of {} were reset", asked.reset.len(), asked.all());
        asked
    }

    /// Ends; nobody may have noticed anything but a new connection that was reset.
    #[track_caller]
    pub fn without_wrong_answer(self) -> Asked {
        let began = self.began;
        let asked = self.end();
        let wrong: Vec<_> = asked.wrong.iter().map(|(at, why)| format!("{:?}: {why}", *at - began)).collect();
        assert!(wrong.is_empty(), "{} of {} requests failed: {wrong:?}", wrong.len(), asked.all());
        assert!(asked.all() > 100, "{} requests are no load", asked.all());
        asked
    }
}

fn ask(address: SocketAddr, keeps: bool, number: usize, stop: &AtomicBool) -> Asked {
    let mut asked = Asked::default();
    let mut kept = None;
    // Not all at the same moment.
    let mut next = Instant::now() + Duration::from_secs(1) / RATE * u32::try_from(number).unwrap() / 12;
    while !stop.load(Ordering::Relaxed) {
        try_wait_for(next.saturating_duration_since(Instant::now()), || stop.load(Ordering::Relaxed).then_some(()));
        next = (next + Duration::from_secs(1) / RATE).max(Instant::now());
        let began = Instant::now();
        let mut result = one(address, &mut kept, keeps);
        if result.as_ref().is_err_and(|(reused, _)| *reused) {
            asked.reopened += 1;
            result = one(address, &mut kept, keeps);
        }
        match result {
            Ok(200) => asked.took.push(began.elapsed()),
            Ok(status) => asked.wrong.push((began, status.to_string())),
            Err((_, error)) if error.kind() == ErrorKind::ConnectionReset => {
                asked.reset.push((began, error.to_string()));
            }
            Err((_, error)) => asked.wrong.push((began, error.to_string())),
        }
    }
    asked
}

/// One request; an error tells whether it was a kept connection's end, before any answer.
fn one(address: SocketAddr, kept: &mut Option<TcpStream>, keeps: bool) -> Result<u16, (bool, Error)> {
    let reused = kept.is_some();
    let mut stream = match kept.take() {
        Some(stream) => stream,
        None => open(address).map_err(|error| (false, error))?,
    };
    let connection = if keeps { "keep-alive" } else { "close" };
    let request = format!("GET {PATH} HTTP/1.1\r\nHost: web\r\nConnection: {connection}\r\n\r\n");
    let mut answer = Vec::new();
    let status = stream.write_all(request.as_bytes()).and_then(|()| read(&mut stream, &mut answer));
    match status {
        Ok((status, closes)) => {
            *kept = (keeps && !closes).then_some(stream);
            Ok(status)
        }
        Err(error) => {
            let ended = matches!(
                error.kind(),
                ErrorKind::UnexpectedEof
                    | ErrorKind::ConnectionReset
                    | ErrorKind::BrokenPipe
                    | ErrorKind::ConnectionAborted
            );
            Err((reused && ended && answer.is_empty(), error))
        }
    }
}

fn open(address: SocketAddr) -> Result<TcpStream, Error> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Reads one whole answer: its status, and whether the connection ends with it.
fn read(stream: &mut TcpStream, answer: &mut Vec<u8>) -> Result<(u16, bool), Error> {
    let mut chunk = [0; 4096];
    loop {
        if let Some(whole) = whole(answer)? {
            return Ok(whole);
        }
        match stream.read(&mut chunk)? {
            0 => {
                return Err(Error::new(
                    ErrorKind::UnexpectedEof,
                    format!("the connection ended after {} bytes", answer.len()),
                ));
            }
            count => answer.extend_from_slice(&chunk[..count]),
        }
    }
}

fn whole(answer: &[u8]) -> Result<Option<(u16, bool)>, Error> {
    let text = String::from_utf8_lossy(answer);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return Ok(None) };
    let wrong = || Error::new(ErrorKind::InvalidData, format!("not an HTTP answer: {text}"));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(wrong)?;
    let head = head.to_ascii_lowercase();
    let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name).map(str::trim));
    let done = match (field("content-length:"), field("transfer-encoding:")) {
        (Some(length), _) => body.len() >= length.parse::<usize>().map_err(|_| wrong())?,
        (None, Some(_)) => body.ends_with("0\r\n\r\n"),
        // A status without a body.
        (None, None) => true,
    };
    Ok(done.then(|| (status, field("connection:") == Some("close"))))
}
