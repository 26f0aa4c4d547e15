//! What a request is answered with.

use bytes::Bytes;
use http::StatusCode;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use hyper::body::Frame;
use serde_json::{Value, json};
use std::io;
use tokio::sync::mpsc;

/// A body that may break off.
pub type Body = BoxBody<Bytes, io::Error>;

/// An answer's head and body.
pub struct Reply {
    pub status: StatusCode,
    pub headers: Vec<(&'static str, String)>,
    pub body: Body,
}

/// A refusal, in the engine's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub status: u16,
    pub message: String,
}

/// What a route gives back.
pub type Answer = Result<Reply, Refusal>;

/// Shorthand for refusals.
pub fn refuse<T>(status: u16, message: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal { status, message: message.into() })
}

impl Reply {
    /// A status alone.
    pub fn empty(status: u16) -> Self {
        Self { status: code(status), headers: Vec::new(), body: Empty::new().map_err(|never| match never {}).boxed() }
    }

    /// 200 and a value.
    pub fn json(value: &Value) -> Self {
        Self::with(200, value)
    }

    /// A status and a value.
    pub fn with(status: u16, value: &Value) -> Self {
        let text = format!("{value}\n");
        Self::bytes(status, "application/json", text.into())
    }

    /// Bytes of a kind.
    pub fn bytes(status: u16, kind: &str, bytes: Bytes) -> Self {
        let body = Full::new(bytes).map_err(|never| match never {}).boxed();
        Self { status: code(status), headers: vec![("Content-Type", kind.to_owned())], body }
    }

    /// Bytes as they come, until the sender is gone.
    pub fn stream(kind: &str, mut from: mpsc::Receiver<Result<Bytes, io::Error>>) -> Self {
        let frames = futures_util::stream::poll_fn(move |cx| {
            from.poll_recv(cx).map(|next| next.map(|next| next.map(Frame::data)))
        });
        let body = BodyExt::boxed(StreamBody::new(frames));
        Self { status: code(200), headers: vec![("Content-Type", kind.to_owned())], body }
    }
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Self {
        Self::with(refusal.status, &json!({"message": refusal.message}))
    }
}

fn code(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// One of the eight bytes' headers before output of a container without a terminal.
pub fn frame(stderr: bool, text: &[u8]) -> Bytes {
    let size = u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes();
    [&[if stderr { 2 } else { 1 }, 0, 0, 0], &size[..], text].concat().into()
}
