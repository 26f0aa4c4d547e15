//! `watch`: when a port begins and ceases to answer, how long it did not, and that no watcher is left behind.

use std::io::Write;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::Instant;

use super::super::support::docker::netns_inode;
use super::{Guest, PROGRAM, free_port};

/// A watcher of `spec` whose first line has been read.
fn watch(spec: &str, options: &[&str]) -> Guest {
    let guest = Guest::start(&[&["watch", spec], options].concat());
    assert_eq!(guest.line(), format!("pitstop-watch 1 netns={}", netns_inode(std::process::id())));
    guest
}

fn micros(word: &str) -> u64 {
    word.trim_start_matches("gap=").parse().unwrap_or_else(|_| panic!("microseconds: {word}"))
}

/// A server that goes away and comes back: down, up, and the gap between its good answers.
fn sees_a_gap(spec: &str, detail: &[&str]) {
    let port = free_port();
    let began = Instant::now();
    let watcher = watch(&spec.replace("PORT", &port.to_string()), &[]);
    let down = watcher.line_of("down");
    assert_eq!(down[2..], ["0", "refused"], "never answered yet");
    let first = Guest::serving(port, &["v1"]);
    let up = watcher.line_of("up");
    assert_eq!(up[2..], *detail, "no gap before the first answer");
    drop(first);
    let down = watcher.line_of("down");
    let (went, last_ok) = (micros(&down[1]), micros(&down[2]));
    assert!(micros(&up[1]) <= last_ok && last_ok < went, "{up:?} {down:?}");
    let second = Guest::start(&["serve", &port.to_string(), "v2", "--boot-ms", "120"]);
    let up = watcher.line_of("up");
    let (came, gap) = (micros(&up[1]), micros(up.last().unwrap()));
    assert_eq!(up[2..up.len() - 1], *detail);
    assert_eq!(gap, came - last_ok, "{down:?} {up:?}");
    assert!(gap >= 120_000, "the boot alone took 120 ms: {gap}");
    assert!(gap <= u64::try_from(began.elapsed().as_micros()).unwrap());
    drop(second);
}

#[test]
fn sees_the_gap_of_a_web_server() {
    sees_a_gap("http:PORT/health", &["http", "200"]);
}

#[test]
fn sees_the_gap_of_a_tcp_server() {
    sees_a_gap("tcp:PORT", &["connected"]);
}

#[test]
fn ticks_while_nothing_changes() {
    let watcher = watch(&format!("tcp:{}", free_port()), &[]);
    let down = watcher.line_of("down");
    let tick = watcher.line_of("tick");
    assert_eq!(tick[2..], ["down", "refused"]);
    let after = micros(&tick[1]) - micros(&down[1]);
    assert!(after >= 1_000_000, "about one a second: {after}");
}

#[test]
fn a_status_above_399_is_down_and_below_is_up() {
    let port = free_port();
    let _server = Guest::serving(port, &["v1"]);
    let missing = watch(&format!("http:{port}/env/NO_SUCH_VARIABLE"), &[]).line_of("down");
    assert_eq!(missing[3..], ["http", "404"]);
    assert_eq!(watch(&format!("http:{port}"), &[]).line_of("up")[2..], ["http", "200"], "no path is /");
}

#[test]
fn a_server_that_accepts_and_says_nothing_is_up_for_tcp_and_a_timeout_for_http() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let began = Instant::now();
    let down = watch(&format!("http:{port}"), &["--timeout", "50"]).line_of("down");
    assert_eq!(down[3..], ["timeout"]);
    assert!(began.elapsed().as_millis() >= 50);
    assert_eq!(watch(&format!("tcp:{port}"), &[]).line_of("up")[2..], ["connected"]);
}

#[test]
fn what_is_not_http_is_down_with_the_reason() {
    for (said, detail) in [(&b"220 mail.example ESMTP\r\n"[..], "not http"), (b"HTTP/1.1", "closed")] {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = server.local_addr().unwrap().port();
        std::thread::spawn(move || {
            // Each connection is read before it is closed: closing with unread input would reset it.
            for stream in server.incoming() {
                let mut stream = stream.unwrap();
                let _ = std::io::Read::read(&mut stream, &mut [0; 4096]);
                let _ = stream.write_all(said);
            }
        });
        let down = watch(&format!("http:{port}"), &[]).line_of("down");
        assert_eq!(down[3..].join(" "), detail);
    }
}

#[test]
fn finds_a_server_that_listens_on_ipv6_alone() {
    let Ok(server) = TcpListener::bind("[::1]:0") else {
        // Without IPv6 on this machine there is nothing to find.
        assert!(!std::path::Path::new("/proc/net/if_inet6").exists(), "::1 exists but cannot be listened on");
        return;
    };
    let port = server.local_addr().unwrap().port();
    assert_eq!(watch(&format!("tcp:{port}"), &[]).line_of("up")[2..], ["connected"]);
}

#[test]
fn ends_when_stdin_closes_if_told_to() {
    let mut watcher = watch(&format!("tcp:{}", free_port()), &["--until-stdin-closes"]);
    let stdin = watcher.stdin();
    watcher.line_of("down");
    assert!(watcher.child.try_wait().unwrap().is_none());
    drop(stdin);
    assert_eq!(watcher.exit_code(), Some(0));
}

#[test]
fn stdin_that_closes_in_the_middle_of_a_long_probe_ends_it_too() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let mut watcher = watch(&format!("http:{port}"), &["--until-stdin-closes", "--timeout", "3600000"]);
    let _accepted = silent.accept().unwrap();
    drop(watcher.stdin());
    assert_eq!(watcher.exit_code(), Some(0));
}

#[test]
fn closed_stdin_means_nothing_without_the_flag() {
    let mut watcher = watch(&format!("tcp:{}", free_port()), &[]);
    drop(watcher.stdin());
    watcher.line_of("down");
    watcher.line_of("tick");
    assert!(watcher.child.try_wait().unwrap().is_none());
}

#[test]
fn ends_when_its_life_is_over() {
    let began = Instant::now();
    let mut watcher = watch(&format!("tcp:{}", free_port()), &["--for", "200"]);
    assert_eq!(watcher.exit_code(), Some(0));
    let lived = began.elapsed().as_millis();
    assert!((200..5000).contains(&lived), "{lived} ms");
}

#[test]
fn ends_when_nobody_can_read_it_any_more() {
    let mut child = Command::new(PROGRAM)
        .args(["watch", &format!("tcp:{}", free_port())])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut watcher = Guest { child, lines: std::sync::mpsc::channel().1 };
    assert_eq!(watcher.exit_code(), Some(0));
}

#[test]
fn a_reader_that_never_reads_cannot_keep_it_alive() {
    // A pipe filled to the brim: the first write blocks, and only the kernel's timer can end that.
    let (reader, mut writer) = std::io::pipe().unwrap();
    rustix::io::ioctl_fionbio(&writer, true).unwrap();
    while writer.write(&[b'x'; 4096]).is_ok() {}
    while writer.write(b"x").is_ok() {}
    rustix::io::ioctl_fionbio(&writer, false).unwrap();
    let child = Command::new(PROGRAM)
        .args(["watch", &format!("tcp:{}", free_port()), "--for", "100"])
        .stdin(Stdio::null())
        .stdout(writer)
        .spawn()
        .unwrap();
    let mut watcher = Guest { child, lines: std::sync::mpsc::channel().1 };
    assert_eq!(watcher.end().code(), None, "ended by SIGALRM");
    drop(reader);
}
