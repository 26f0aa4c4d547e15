//! The little HTTP `serve` needs: reading one request out of a buffer, and writing one answer into it.
//!
//! One request per connection; no chunked bodies.

use crate::args;
use crate::text::Line;

/// The largest file `serve` stores or gives.
pub const BODY_MAX: usize = 64 * 1024;
/// Room for a request's head, and for an answer's.
pub const HEAD_MAX: usize = 8 * 1024;
/// A connection's buffer: head and body.
pub const BUFFER: usize = HEAD_MAX + BODY_MAX;

/// What has arrived so far.
pub enum Request<'a> {
    Incomplete,
    /// The client waits for [`CONTINUE`] before it sends the body, as curl does.
    Expecting,
    /// Not a request we take, with the status to answer.
    Refused(Status),
    Whole {
        method: &'a [u8],
        path: &'a [u8],
        body: &'a [u8],
    },
}

/// The interim answer to [`Request::Expecting`].
pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// The answers given.
#[derive(Clone, Copy)]
pub enum Status {
    Ok,
    Created,
    BadRequest,
    NotFound,
    MethodNotAllowed,
    TooLarge,
    Failed,
}

impl Status {
    pub fn words(self) -> &'static [u8] {
        match self {
            Self::Ok => b"200 OK",
            Self::Created => b"201 Created",
            Self::BadRequest => b"400 Bad Request",
            Self::NotFound => b"404 Not Found",
            Self::MethodNotAllowed => b"405 Method Not Allowed",
            Self::TooLarge => b"413 Content Too Large",
            Self::Failed => b"500 Internal Server Error",
        }
    }
}

/// Reads a request from the bytes that have arrived.
pub fn parse(bytes: &[u8]) -> Request<'_> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        return if bytes.len() > HEAD_MAX { Request::Refused(Status::TooLarge) } else { Request::Incomplete };
    };
    let mut lines = bytes[..end].split(|byte| *byte == b'\n');
    let mut words = lines.next().unwrap_or(b"").split(|byte| *byte == b' ');
    let (Some(method), Some(path), Some(version)) = (words.next(), words.next(), words.next()) else {
        return Request::Refused(Status::BadRequest);
    };
    if !version.starts_with(b"HTTP/1.") || !path.starts_with(b"/") {
        return Request::Refused(Status::BadRequest);
    }
    let (mut length, mut expects) = (0, false);
    for line in lines {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            continue;
        };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"content-length") {
            match args::number(value) {
                Some(number) => length = number as usize,
                None => return Request::Refused(Status::BadRequest),
            }
        } else if name.eq_ignore_ascii_case(b"expect") {
            expects = value.eq_ignore_ascii_case(b"100-continue");
        }
    }
    let rest = &bytes[end + 4..];
    if end > HEAD_MAX - 4 || length > BODY_MAX {
        Request::Refused(Status::TooLarge)
    } else if rest.is_empty() && length > 0 && expects {
        Request::Expecting
    } else if rest.len() < length {
        Request::Incomplete
    } else {
        Request::Whole { method, path, body: &rest[..length] }
    }
}

/// Puts an answer's head right before its body, which is `buffer[HEAD_MAX..][..len]`; gives where the answer begins.
pub fn finish(buffer: &mut [u8; BUFFER], status: Status, len: usize) -> usize {
    let mut head = Line::<160>::new();
    head.push(b"HTTP/1.1 ").push(status.words());
    head.push(b"\r\nContent-Type: text/plain\r\nContent-Length: ").number(len as u64);
    head.push(b"\r\nConnection: close\r\n\r\n");
    let start = HEAD_MAX - head.bytes().len();
    buffer[start..HEAD_MAX].copy_from_slice(head.bytes());
    start
}
