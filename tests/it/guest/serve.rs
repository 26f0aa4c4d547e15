//! `serve`: the answers it gives, and the ways in which it misbehaves when told to.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Instant;

use rustix::process::Signal;

use super::{Guest, PATIENCE, PROGRAM, free_port, get, wait_for, wait_until};

/// The whole answer to a raw request.
fn ask(port: u16, request: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn says_who_it_is() {
    let port = free_port();
    let mut command = Command::new(PROGRAM);
    let server = Guest::spawn(command.args(["serve", &port.to_string(), "v1 blue"]).env("COLOUR", "blue"));
    assert_eq!(server.line(), format!("serving v1 blue on {port}"));
    let hostname = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap().trim_end().to_owned();
    for (path, status, body) in [
        ("/", 200, "v1 blue"),
        ("/anything/else?x=1", 200, "v1 blue"),
        ("/health", 200, "ok"),
        ("/hostname", 200, &hostname),
        ("/env/COLOUR", 200, "blue"),
        ("/env/COLOU", 404, "not set"),
        ("/file/none", 404, "no such file"),
    ] {
        let answer = get(port, path).unwrap();
        assert_eq!((answer.status, answer.body), (status, body.to_owned()), "{path}");
    }
    assert!(ask(port, "GET / HTTP/1.1\r\n\r\n").ends_with("\r\n\r\nv1 blue\n"));
    let head = ask(port, "HEAD / HTTP/1.1\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && head.contains("Content-Length: 8\r\n"), "{head}");
    assert!(head.ends_with("\r\n\r\n"), "{head}");
    assert!(ask(port, "DELETE / HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 405 "));
    assert!(ask(port, "nonsense\r\n\r\n").starts_with("HTTP/1.1 400 "));
    assert!(ask(port, "PUT /file/x HTTP/1.1\r\nContent-Length: 65537\r\n\r\n").starts_with("HTTP/1.1 413 "));
}

#[test]
fn a_slow_answer_takes_its_time_and_holds_nobody_up() {
    let port = free_port();
    let _server = Guest::serving(port, &["v1"]);
    let began = Instant::now();
    let slow = std::thread::spawn(move || get(port, "/slow/400").unwrap().body);
    assert_eq!(get(port, "/").unwrap().body, "v1");
    assert!(!slow.is_finished());
    assert_eq!(slow.join().unwrap(), "v1");
    assert!(began.elapsed().as_millis() >= 400);
}

#[test]
fn keeps_files_beyond_its_own_life() {
    let home = tempfile::tempdir().unwrap();
    let data = home.path().join("data");
    let data = data.to_str().unwrap();
    let port = free_port();
    let server = Guest::serving(port, &["v1", "--data", data]);
    let largest = "x".repeat(65_536);
    for (method, name, content) in [("PUT", "a", "hello"), ("POST", "largest", &largest), ("PUT", "empty", "")] {
        let stored =
            ask(port, &format!("{method} /file/{name} HTTP/1.1\r\ncontent-length: {}\r\n\r\n{content}", content.len()));
        assert!(stored.starts_with("HTTP/1.1 201 "), "{stored}");
    }
    // As curl sends it: the body only after the interim answer.
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(b"PUT /file/curl HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n").unwrap();
    let mut interim = [0; 25];
    stream.read_exact(&mut interim).unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"ok").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    drop(server);

    let _second = Guest::serving(port, &["v2", "--data", data]);
    for (name, content) in [("a", "hello"), ("largest", &largest), ("empty", ""), ("curl", "ok")] {
        assert_eq!(get(port, &format!("/file/{name}")).unwrap().body, *content, "{name}");
    }
    std::fs::write(home.path().join("secret"), "secret").unwrap();
    assert_eq!(get(port, "/file/../secret").unwrap().status, 400);
}

#[test]
fn ends_at_once_when_asked_unless_told_to_ignore_it() {
    let port = free_port();
    let mut prompt = Guest::serving(port, &["v1"]);
    prompt.signal(Signal::TERM);
    assert_eq!(prompt.exit_code(), Some(0));

    let mut stubborn = Guest::serving(port, &["v1", "--ignore-term"]);
    stubborn.signal(Signal::TERM);
    for _ in 0..3 {
        assert_eq!(get(port, "/").unwrap().status, 200);
    }
    assert!(stubborn.child.try_wait().unwrap().is_none());
    stubborn.signal(Signal::INT);
    assert_eq!(stubborn.exit_code(), Some(0));
}

#[test]
fn boots_as_slowly_as_told_and_can_be_ended_meanwhile() {
    let port = free_port();
    let began = Instant::now();
    let booting = Guest::start(&["serve", &port.to_string(), "v1", "--boot-ms", "300"]);
    assert!(get(port, "/").is_err(), "nobody listens yet");
    wait_until("the server", PATIENCE, || get(port, "/").is_ok());
    assert!(began.elapsed().as_millis() >= 300);
    drop(booting);

    let mut endless = Guest::start(&["serve", &port.to_string(), "v1", "--boot-ms", "80000000"]);
    let status = format!("/proc/{}/status", endless.child.id());
    wait_until("TERM to be blocked", PATIENCE, || {
        std::fs::read_to_string(&status).unwrap().contains("SigBlk:\t0000000000015002")
    });
    endless.signal(Signal::TERM);
    assert_eq!(endless.exit_code(), Some(0));
}

#[test]
fn ends_by_itself_with_the_code_told() {
    let port = free_port().to_string();
    let at_once = Guest::start(&["serve", &port, "v1", "--exit-after-ms", "0", "--exit-code", "3"]).exit_code();
    assert_eq!(at_once, Some(3));
    let began = Instant::now();
    let later = Guest::start(&["serve", &port, "v1", "--exit-after-ms", "150", "--never-listen"]).exit_code();
    assert_eq!(later, Some(0));
    assert!(began.elapsed().as_millis() >= 150);
}

#[test]
fn never_listens_if_told_so() {
    let port = free_port();
    let mut guest = Guest::start(&["serve", &port.to_string(), "v1", "--never-listen", "--exit-after-ms", "300"]);
    while guest.child.try_wait().unwrap().is_none() {
        assert!(get(port, "/").is_err());
    }
    assert!(guest.lines.try_recv().is_err(), "says nothing");
}

#[test]
fn stuck_clients_hold_nobody_up_for_long() {
    let port = free_port();
    let _server = Guest::serving(port, &["v1"]);
    let one = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let began = Instant::now();
    assert_eq!(get(port, "/").unwrap().status, 200);
    assert!(began.elapsed().as_millis() < 400, "not only after the stuck client's deadline");
    drop(one);
    // More than it has places for: those who are stuck lose theirs.
    let stuck: Vec<_> = (0..40).map(|_| TcpStream::connect(("127.0.0.1", port)).unwrap()).collect();
    let answer = wait_for("an answer", PATIENCE, || get(port, "/").ok());
    assert_eq!(answer.status, 200);
    drop(stuck);
}

#[test]
fn is_asked_once_by_probe_and_is_sick_for_as_long_as_told() {
    let port = free_port();
    let probe = |what: &str| {
        let out = Command::new(PROGRAM).args(["probe", what]).output().unwrap();
        (out.status.code(), String::from_utf8(out.stdout).unwrap())
    };
    assert_eq!(probe(&format!("tcp:{port}")), (Some(1), "refused\n".into()));
    assert_eq!(probe("udp:1").0, Some(2));
    let _server = Guest::serving(port, &["v1", "--sick-from-ms", "0", "--sick-until-ms", "1500", "--take-mb", "2"]);
    let health = format!("http:{port}/health");
    assert_eq!(probe(&health), (Some(1), "http 500\n".into()));
    assert_eq!(probe(&format!("tcp:{port}")), (Some(0), "connected\n".into()));
    wait_until("its recovery", PATIENCE, || probe(&health) == (Some(0), "http 200\n".into()));
}

#[test]
fn says_why_it_cannot_listen() {
    let port = free_port();
    let _first = Guest::serving(port, &["v1"]);
    let second = Command::new(PROGRAM).args(["serve", &port.to_string(), "v2"]).output().unwrap();
    assert_eq!(second.status.code(), Some(1));
    let said = String::from_utf8(second.stderr).unwrap();
    assert_eq!(said, format!("pitstop-guest: cannot listen on {port}: address in use\n"));
}
