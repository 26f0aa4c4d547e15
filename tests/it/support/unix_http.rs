//! One HTTP request on a unix socket, without retries, read to its end.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

/// How long an answer may take.
const DEADLINE: Duration = Duration::from_secs(60);

/// A status, and the body: JSON where it is, else text; null where there is none.
pub type Answer = (u16, Value);

/// Sends a request; `body` is sent as JSON unless it is null.
pub fn ask(socket: &Path, method: &str, path: &str, body: &Value) -> io::Result<Answer> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    let text = if body.is_null() { String::new() } else { body.to_string() };
    let kind = if text.is_empty() { "" } else { "Content-Type: application/json\r\n" };
    let length = text.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: engine\r\nConnection: close\r\n{kind}Content-Length: {length}\r\n\r\n{text}"
    )?;
    let mut all = Vec::new();
    stream.read_to_end(&mut all)?;
    let end = all.windows(4).position(|four| four == b"\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
    let head = String::from_utf8_lossy(&all[..end]).to_lowercase();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or(io::ErrorKind::InvalidData)?;
    let body = &all[end + 4..];
    let body = if head.contains("transfer-encoding: chunked") { joined(body)? } else { body.to_vec() };
    let text = String::from_utf8_lossy(&body).into_owned();
    let value = serde_json::from_str(&text);
    Ok((status, value.unwrap_or(if text.is_empty() { Value::Null } else { Value::String(text) })))
}

/// Chunks put together; one that breaks off is an error.
fn joined(mut chunks: &[u8]) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = chunks.windows(2).position(|two| two == b"\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
        let size = usize::from_str_radix(String::from_utf8_lossy(&chunks[..end]).trim(), 16);
        let size = size.map_err(io::Error::other)?;
        if size == 0 {
            return Ok(body);
        }
        body.extend(chunks.get(end + 2..end + 2 + size).ok_or(io::ErrorKind::UnexpectedEof)?);
        chunks = chunks.get(end + 4 + size..).ok_or(io::ErrorKind::UnexpectedEof)?;
    }
}
