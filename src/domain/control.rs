//! What may be asked of an operation that runs, and how that is said between two processes: one JSON line each way.
//!
//! Only values and their form. What an order does is the schedule's and the executor's business.

use super::clean::clean;
use super::event::{Urgency, VERSION};
use serde::{Deserialize, Serialize};

/// A longer line is not read.
pub const MAX_LINE: u64 = 4 << 10;

/// What somebody wants of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "order", rename_all = "snake_case")]
pub enum Order {
    /// Pass the gate, or end a pause.
    Go,
    /// Begin no further instance.
    Pause,
    /// Stop, as urgently as told.
    Cancel { urgency: Urgency },
}

/// An order from another process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    pub v: u32,
    #[serde(flatten)]
    pub order: Order,
    /// `anna@ops1`, for people only.
    #[serde(default)]
    pub by: String,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// It is done, or under way.
    pub ok: bool,
    /// A sentence for the person who asked.
    pub message: String,
}

impl Ask {
    pub fn new(order: Order, by: String) -> Self {
        Self { v: VERSION, order, by }
    }

    /// Reads a line; whoever wrote it, its text is cleaned. The error is a sentence.
    pub fn read(line: &[u8]) -> Result<Self, String> {
        let ask: Self = serde_json::from_slice(line)
            .map_err(|error| format!("this operation does not understand that: {}", clean(&error.to_string())))?;
        Ok(Self { by: clean(&ask.by), ..ask })
    }
}

impl Reply {
    pub fn yes(message: impl Into<String>) -> Self {
        Self { ok: true, message: message.into() }
    }

    pub fn no(message: impl Into<String>) -> Self {
        Self { ok: false, message: message.into() }
    }

    /// Reads a line; its text is cleaned.
    pub fn read(line: &[u8]) -> Option<Self> {
        let reply: Self = serde_json::from_slice(line).ok()?;
        Some(Self { message: clean(&reply.message), ..reply })
    }
}

/// As it is sent, its end included.
pub fn line(value: &impl Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(value).unwrap_or_default();
    line.push(b'\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_understood_and_nothing_else_is() {
        let cancel = |urgency| Order::Cancel { urgency };
        for (order, text) in [
            (Order::Go, r#"{"v":1,"order":"go","by":"anna@ops1"}"#),
            (Order::Pause, r#"{"v":1,"order":"pause","by":"anna@ops1"}"#),
            (cancel(Urgency::Abort), r#"{"v":1,"order":"cancel","urgency":"abort","by":"anna@ops1"}"#),
            (cancel(Urgency::AbortAll), r#"{"v":1,"order":"cancel","urgency":"abort_all","by":"anna@ops1"}"#),
        ] {
            let ask = Ask::new(order, "anna@ops1".into());
            assert_eq!(line(&ask), format!("{text}\n").as_bytes());
            assert_eq!(Ask::read(text.as_bytes()), Ok(ask));
        }
        for wrong in ["", "{}", r#"{"v":1,"order":"dance"}"#, r#"{"v":1,"order":"cancel"}"#, "\u{1b}[31m"] {
            let error = Ask::read(wrong.as_bytes()).unwrap_err();
            assert!(error.starts_with("this operation does not") && !error.contains('\u{1b}'), "{error:?}");
        }
        let stranger = Ask::read(br#"{"v":9,"order":"go","by":"\u001b[31mroot","more":1}"#).unwrap();
        assert!(!stranger.by.contains('\u{1b}'), "{stranger:?}");
        let reply = Reply::yes("it goes on");
        assert_eq!(Reply::read(&line(&reply)), Some(reply));
        assert_eq!(Reply::read(b"hello"), None);
    }
}
