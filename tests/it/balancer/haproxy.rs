//! HAProxy's driver against a real HAProxy.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pitstop::balancer::Balancer;
use pitstop::domain::balancer::{Admin, BalancerSpec, Server};
use pitstop::domain::ids::ServerName;

use super::member;
use crate::support::haproxy::Haproxy;
use crate::support::http;
use crate::support::wait::{try_wait_for, wait_for};

const PATIENCE: Duration = Duration::from_secs(60);

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
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\n");
        if try_wait_for(PATIENCE, || gate.load(Ordering::Relaxed).then_some(())).is_some() {
            let _ = stream.write_all(b"done");
        }
        return;
    }
    let _ = write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{name}", name.len());
}

fn driver(socket: &str) -> Balancer {
    Balancer::of(&BalancerSpec::Haproxy { socket: socket.to_owned(), backend: ServerName::new("web").unwrap() })
}

struct Site {
    haproxy: Haproxy,
    runtime: tokio::runtime::Runtime,
    backends: [Backend; 2],
}

impl Site {
    fn new() -> Self {
        let backends = [Backend::start("one"), Backend::start("two")];
        let servers: Vec<String> =
            backends.iter().zip(["web-1", "web-2"]).map(|(b, name)| format!("{name} {}", b.address)).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { haproxy: Haproxy::start(&servers), runtime, backends }
    }

    fn driver(&self) -> Balancer {
        driver(&self.haproxy.socket())
    }

    fn server(&self, name: &str) -> Server {
        let servers = self.runtime.block_on(self.driver().servers(&[])).unwrap();
        servers.into_iter().find(|server| server.name.as_str() == name).unwrap()
    }

    fn set(&self, name: &str, admin: Admin) {
        self.runtime.block_on(self.driver().set(&member(name), admin)).unwrap();
    }

    fn get(&self) -> String {
        http::get(&self.haproxy.address, "/").unwrap().body
    }

    fn hold(&self) -> TcpStream {
        let mut stream = TcpStream::connect(&self.haproxy.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(stream, "GET /held HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let mut byte = [0];
        assert_eq!(stream.read(&mut byte).unwrap(), 1, "the answer has begun");
        stream
    }
}

#[test]
fn sessions_of_a_drained_server_are_seen_to_end_while_the_other_serves() {
    let site = Site::new();
    assert!(site.server("web-1").serves() && site.server("web-2").serves());
    let held = [site.hold(), site.hold()];
    assert_eq!(site.server("web-1").sessions(), Some(1));

    site.set("web-1", Admin::Drain);
    let draining = site.server("web-1");
    assert_eq!((draining.admin, draining.sessions()), (Some(Admin::Drain), Some(1)));
    assert!(!draining.is_drained());
    assert_eq!([site.get(), site.get(), site.get()], ["two", "two", "two"], "no new session reaches it");

    site.backends.iter().for_each(|backend| backend.released.store(true, Ordering::Relaxed));
    for mut client in held {
        let mut rest = String::new();
        client.read_to_string(&mut rest).unwrap();
        assert!(rest.ends_with("done"), "no client was cut off: {rest}");
    }
    let drained = wait_for("the last session to end", PATIENCE, || {
        let server = site.server("web-1");
        server.is_drained().then_some(server)
    });
    assert_eq!(drained.admin, Some(Admin::Drain));

    site.set("web-1", Admin::Ready);
    assert!(site.server("web-1").serves());
    wait_for("its turn", PATIENCE, || (site.get() == "one").then_some(()));
}

#[test]
fn a_session_that_never_ends_can_be_cut() {
    let site = Site::new();
    let mut held = [site.hold(), site.hold()];
    site.set("web-1", Admin::Drain);
    assert!(site.runtime.block_on(site.driver().cut(&member("web-1"))).unwrap());
    wait_for("the cut", PATIENCE, || site.server("web-1").is_drained().then_some(()));
    let cut_off = |stream: &mut TcpStream| {
        stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        // Silence means that the session goes on; an end or a reset that it was cut.
        let said = stream.read_to_end(&mut Vec::new());
        !said.is_err_and(|error| matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut))
    };
    let cut = held.iter_mut().map(cut_off).filter(|cut| *cut).count();
    assert_eq!(cut, 1, "only the drained server's client is cut off");
}

#[test]
fn what_a_person_set_is_seen_until_a_restart() {
    let mut site = Site::new();
    site.set("web-2", Admin::Maint);
    let maint = site.server("web-2");
    assert_eq!((maint.admin, maint.up), (Some(Admin::Maint), false));
    site.haproxy.restart();
    assert_eq!(site.server("web-2").admin, Some(Admin::Ready), "a restarted balancer has forgotten it");
}

#[test]
fn what_cannot_work_is_told_with_what_to_do() {
    let mut site = Site::new();
    let name = member("web-1");
    let operator = driver(&site.haproxy.operator_socket());
    site.runtime.block_on(operator.servers(&[])).unwrap();
    let error = site.runtime.block_on(operator.set(&name, Admin::Drain)).unwrap_err().to_string();
    assert!(error.contains("Permission denied") && error.contains("level admin"), "{error}");

    let nobody = member("web-9");
    let error = site.runtime.block_on(site.driver().set(&nobody, Admin::Drain)).unwrap_err().to_string();
    assert!(error.contains("No such server"), "{error}");

    let spec = BalancerSpec::Haproxy { socket: site.haproxy.socket(), backend: ServerName::new("shop").unwrap() };
    let error = site.runtime.block_on(Balancer::of(&spec).servers(&[])).unwrap_err().to_string();
    assert!(error.contains("haproxy shop at") && error.contains("show backend"), "{error}");

    site.haproxy.stop();
    let error = site.runtime.block_on(site.driver().servers(&[])).unwrap_err().to_string();
    assert!(error.contains("is it running"), "{error}");
}
