//! An engine far away: TCP in front of a unix socket, where every byte takes its time, each way; requests are counted.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use super::docker::Engine;
use super::wait;

/// A running way there. Its threads end with the test's process.
pub struct Far {
    /// `tcp://127.0.0.1:PORT`
    pub host: String,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    connections: usize,
    requests: Vec<String>,
}

impl Far {
    /// In front of `engine`, with `delay` each way.
    #[track_caller]
    pub fn from(engine: &Engine, delay: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let host = format!("tcp://{}", listener.local_addr().expect("a port"));
        let upstream = engine.host().trim_start_matches("unix://").to_owned();
        let seen = Arc::new(Mutex::new(Seen::default()));
        let log = seen.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(engine) = UnixStream::connect(&upstream) else { continue };
                log.lock().expect("no thread panics").connections += 1;
                let _ = client.set_nodelay(true);
                let (Ok(from_client), Ok(from_engine)) = (client.try_clone(), engine.try_clone()) else { continue };
                // A new connection takes its time, too: the first byte waits for the handshake.
                let (opened, log) = (Instant::now() + 2 * delay, log.clone());
                carry(from_client, engine, delay, opened, Some(log));
                carry(from_engine, client, delay, opened, None);
            }
        });
        Self { host, seen }
    }

    /// The requests since the last look, as `GET /containers/json`, without the API version and what was asked in detail.
    pub fn requests(&self) -> Vec<String> {
        std::mem::take(&mut self.seen.lock().expect("no thread panics").requests)
    }

    /// The connections so far.
    pub fn connections(&self) -> usize {
        self.seen.lock().expect("no thread panics").connections
    }
}

fn carry(
    mut from: impl Read + Send + 'static,
    mut to: impl Write + Close + Send + 'static,
    delay: Duration,
    opened: Instant,
    log: Option<Arc<Mutex<Seen>>>,
) {
    let (later, now) = mpsc::channel::<(Instant, Vec<u8>)>();
    std::thread::spawn(move || {
        let mut chunk = vec![0; 64 << 10];
        while let Ok(count @ 1..) = from.read(&mut chunk) {
            if let (Some(log), Some(request)) = (&log, request(&chunk[..count])) {
                log.lock().expect("no thread panics").requests.push(request);
            }
            let at = opened.max(Instant::now()) + delay;
            if later.send((at, chunk[..count].to_vec())).is_err() {
                return;
            }
        }
    });
    std::thread::spawn(move || {
        for (at, bytes) in now {
            wait::until(at);
            if to.write_all(&bytes).is_err() {
                return;
            }
        }
        to.close();
    });
}

/// The first line of a request that begins with these bytes.
fn request(bytes: &[u8]) -> Option<String> {
    let line = bytes.split(|byte| *byte == b'\r').next()?;
    let line = std::str::from_utf8(line).ok()?.strip_suffix(" HTTP/1.1")?;
    let (method, path) = line.split_once(' ')?;
    let path = path.split('?').next()?;
    let plain = path.strip_prefix("/v1.").and_then(|path| path.find('/').map(|at| &path[at..])).unwrap_or(path);
    Some(format!("{method} {plain}"))
}

/// Ends one direction.
trait Close {
    fn close(&self);
}

impl Close for UnixStream {
    fn close(&self) {
        let _ = self.shutdown(Shutdown::Write);
    }
}

impl Close for TcpStream {
    fn close(&self) {
        let _ = self.shutdown(Shutdown::Write);
    }
}
