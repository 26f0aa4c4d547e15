//! One HTTP/1.1 request over a fresh connection: no retries, no redirects, so that a gap in service shows as an error.

use std::io::{Error, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long connecting, and each read and write, may take.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// Without the last newline.
    pub body: String,
}

/// `GET path` from `address`, e.g. `get("172.30.0.2:8080", "/")`.
///
/// # Errors
/// Whatever connecting, writing or reading said, unchanged; `InvalidData` when the answer is not HTTP.
pub fn get(address: &str, path: &str) -> std::io::Result<Answer> {
    get_within(address, path, PATIENCE)
}

/// The same, for answers that take their time.
///
/// # Errors
/// As [`get`].
pub fn get_within(address: &str, path: &str, patience: Duration) -> std::io::Result<Answer> {
    let address: SocketAddr =
        address.parse().map_err(|error| Error::new(ErrorKind::InvalidInput, format!("{address}: {error}")))?;
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    // One write: pieces would each wait for the other side's delayed acknowledgement.
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    parse(&String::from_utf8_lossy(&answer))
        .ok_or_else(|| Error::new(ErrorKind::InvalidData, format!("not an HTTP answer: {answer:?}")))
}

fn parse(answer: &str) -> Option<Answer> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Answer { status, body: body.trim_end().to_owned() })
}

#[test]
fn reads_status_and_body_and_refuses_what_is_not_http() {
    let answer = parse("HTTP/1.1 404 Not Found\r\nServer: x\r\n\r\ngone\n").unwrap();
    assert_eq!(answer, Answer { status: 404, body: "gone".to_owned() });
    assert_eq!(parse("220 mail.example ESMTP"), None);
}

#[test]
fn a_refused_connection_is_an_error_at_once() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_eq!(get(&free.to_string(), "/").unwrap_err().kind(), ErrorKind::ConnectionRefused);
}
