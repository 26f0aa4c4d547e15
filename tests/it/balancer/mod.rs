//! The drivers of the `balancer` floor against real load balancers.

mod caddy;
mod command;
mod haproxy;
mod nginx;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pitstop::balancer::Balancer;
use pitstop::domain::balancer::{Member, Server};
use pitstop::domain::ids::ServerName;

use crate::support::wait::try_wait_for;

const PATIENCE: Duration = Duration::from_secs(60);

fn member(name: &str) -> Member {
    Member { name: ServerName::new(name).unwrap(), address: None }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// The server of that name now.
#[track_caller]
fn server(driver: &Balancer, name: &str) -> Server {
    let servers = runtime().block_on(driver.servers(&[member(name)])).unwrap();
    servers.into_iter().find(|server| server.name.as_str() == name).unwrap()
}

/// A server that answers each request with its name at once, but `/held` only in part until it is released.
struct Backend {
    address: String,
    released: Arc<AtomicBool>,
}

impl Backend {
    fn start(name: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let released = Arc::new(AtomicBool::new(false));
        let gate = released.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let gate = gate.clone();
                std::thread::spawn(move || answer(stream, name, &gate));
            }
        });
        Self { address, released }
    }
}

impl Backend {
    /// Lets what is held end.
    fn release(&self) {
        self.released.store(true, Ordering::Relaxed);
    }
}

/// Begins a request that a backend holds, and waits for the beginning of its answer.
#[track_caller]
fn hold(balancer: &str) -> TcpStream {
    let mut stream = TcpStream::connect(balancer).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET /held HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut byte = [0];
    assert_eq!(stream.read(&mut byte).unwrap(), 1, "the answer has begun");
    stream
}

/// What is left of a held answer.
#[track_caller]
fn rest(mut held: TcpStream) -> String {
    let mut rest = String::new();
    held.read_to_string(&mut rest).unwrap();
    rest
}

/// Answers one request; to `/held` it sends the head, and the body when the gate opens.
fn answer(mut stream: TcpStream, name: &str, gate: &AtomicBool) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            _ => return,
        }
    }
    if head.starts_with(b"GET /held") {
        // More than a balancer keeps back.
        let _ = write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 60004\r\nConnection: close\r\n\r\n{:60000}", "");
        if try_wait_for(PATIENCE, || gate.load(Ordering::Relaxed).then_some(())).is_some() {
            let _ = stream.write_all(b"done");
        }
        return;
    }
    let _ = write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{name}", name.len());
}
