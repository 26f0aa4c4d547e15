//! The engine's list of containers, taken in entry by entry as it comes.
//!
//! Of thousands it holds one at a time in the engine's words, which are some kilobytes each, and nothing waits for the last.

use super::read;
use crate::domain::fleet::Container;
use bollard::errors::Error as ClientError;
use bollard::models::ContainerSummary;
use bytes::Bytes;
use futures_util::{Stream, TryStreamExt};
use serde::de::Error as _;
use std::collections::HashMap;
use std::fmt::Write;
use std::pin::pin;

/// Where the engine has it: all containers, running or not, that pass these filters.
pub(super) fn path(filters: &HashMap<String, Vec<String>>) -> String {
    let mut path = "/containers/json?all=true".to_owned();
    if !filters.is_empty() {
        path.push_str("&filters=");
        for byte in serde_json::json!(filters).to_string().bytes() {
            if byte.is_ascii_alphanumeric() {
                path.push(byte.into());
            } else {
                // A text takes whatever is written to it.
                let _ = write!(path, "%{byte:02X}");
            }
        }
    }
    path
}

/// Hands on each container as soon as its entry is there.
pub(super) async fn read(
    body: impl Stream<Item = Result<Bytes, ClientError>>,
    mut each: impl FnMut(Container),
) -> Result<(), ClientError> {
    let (mut body, mut entries) = (pin!(body), Entries::default());
    while let Some(piece) = body.try_next().await? {
        entries.take(&piece, |seen| read::summary(seen).into_iter().for_each(&mut each))?;
    }
    Ok(entries.end()?)
}

/// A JSON array that comes in pieces.
#[derive(Default)]
struct Entries {
    /// An entry that is not whole yet, and what stands before it.
    rest: Vec<u8>,
    ended: bool,
}

impl Entries {
    fn take(&mut self, piece: &[u8], mut each: impl FnMut(ContainerSummary)) -> Result<(), serde_json::Error> {
        self.rest.extend_from_slice(piece);
        let mut at = 0;
        loop {
            let between = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'[' | b',');
            at += self.rest[at..].iter().take_while(|byte| between(byte)).count();
            if self.rest.get(at) == Some(&b']') {
                self.ended = true;
                break;
            }
            let mut entry = serde_json::Deserializer::from_slice(&self.rest[at..]).into_iter();
            match entry.next() {
                Some(Ok(seen)) => each(seen),
                Some(Err(error)) if !error.is_eof() => return Err(error),
                _ => break,
            }
            at += entry.byte_offset();
        }
        self.rest.drain(..at);
        Ok(())
    }

    fn end(self) -> Result<(), serde_json::Error> {
        if self.ended { Ok(()) } else { Err(serde_json::Error::custom("the list breaks off")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(text: &str, length: usize) -> Result<Vec<String>, serde_json::Error> {
        let (mut entries, mut names) = (Entries::default(), Vec::new());
        for piece in text.as_bytes().chunks(length) {
            entries.take(piece, |seen| names.extend(seen.image))?;
        }
        entries.end().map(|()| names)
    }

    #[test]
    fn however_it_is_cut_all_entries_are_there() {
        let list = r#"[{"Image":"a]","Labels":{"x":"}{[,\""}},{"Image":"ü\u00fc","Names":["/n"]} , {"Image":"c"}]"#;
        for text in [list, &format!(" {}\n", list.replace("},{", "}\n,\t{"))] {
            for length in 1..=text.len() {
                assert_eq!(taken(text, length).unwrap(), ["a]", "üü", "c"], "{length}");
            }
        }
        assert_eq!(taken("[]\n", 1).unwrap(), [""; 0]);
    }

    #[test]
    fn half_a_list_is_no_list() {
        for text in [
            "",
            "[",
            r#"[{"Image":"a"}"#,
            r#"[{"Image":"a"},"#,
            r#"[{"Image":"a"},{"Image"#,
            "null",
            r#"{"message":"x"}"#,
        ] {
            assert!(taken(text, 3).is_err(), "{text}");
        }
        assert!(taken(r#"[{"State":"of grace"}]"#, 100).is_err(), "a word that the models do not know");
    }

    #[test]
    fn a_filter_can_hold_anything() {
        let filters = HashMap::from([("label".to_owned(), vec!["a=b &é".to_owned()])]);
        assert_eq!(
            path(&filters),
            "/containers/json?all=true&filters=%7B%22label%22%3A%5B%22a%3Db%20%26%C3%A9%22%5D%7D"
        );
        assert_eq!(path(&HashMap::new()), "/containers/json?all=true");
    }
}
