//! A request, taken apart.

use super::answer::{Refusal, refuse};
use bytes::Bytes;
use hyper::upgrade::OnUpgrade;
use serde_json::Value;
use std::collections::BTreeMap;

/// The oldest version of the API spoken here.
pub const OLDEST: (u32, u32) = (1, 12);

/// The newest: that of Engine 28.5, or of 20.10.
pub fn newest(newer: bool) -> (u32, u32) {
    if newer { (1, 51) } else { (1, 41) }
}

/// What somebody asks.
#[derive(Debug, Default)]
pub struct Ask {
    pub method: String,
    /// Without the version, decoded.
    pub path: Vec<String>,
    pub query: BTreeMap<String, String>,
    pub body: Bytes,
    /// The connection itself, for those who go on with it.
    pub upgrade: Option<OnUpgrade>,
}

impl Ask {
    /// Takes the address apart; refuses versions that are not spoken here, `newest` being the newest that is.
    pub fn new(
        method: &str,
        uri: &http::Uri,
        body: Bytes,
        upgrade: Option<OnUpgrade>,
        newest: (u32, u32),
    ) -> Result<Self, Refusal> {
        let mut path: Vec<String> = uri.path().split('/').filter(|part| !part.is_empty()).map(decoded).collect();
        let version = path.first().and_then(|first| first.strip_prefix('v')).and_then(version);
        if let Some((major, minor)) = version {
            if (major, minor) > newest {
                let newest = format!("{}.{}", newest.0, newest.1);
                let words =
                    format!("client version {major}.{minor} is too new. Maximum supported API version is {newest}");
                return refuse(400, words);
            }
            if (major, minor) < OLDEST {
                let oldest = format!("{}.{}", OLDEST.0, OLDEST.1);
                let words = format!(
                    "client version {major}.{minor} is too old. Minimum supported API version is {oldest}, please upgrade \
                     your client to a newer version"
                );
                return refuse(400, words);
            }
            path.remove(0);
        }
        let pairs = uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
        let query = pairs
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .map(|(key, value)| (decoded(&key.replace('+', " ")), decoded(&value.replace('+', " "))))
            .collect();
        Ok(Self { method: method.to_owned(), path, query, body, upgrade })
    }

    /// A parameter's text; empty where there is none.
    pub fn text(&self, key: &str) -> &str {
        self.query.get(key).map_or("", String::as_str)
    }

    /// A switch, as Go's programs read them.
    pub fn flag(&self, key: &str) -> bool {
        !matches!(self.text(key).trim().to_ascii_lowercase().as_str(), "" | "0" | "no" | "false" | "none")
    }

    /// The body as JSON; null where there is none.
    pub fn json(&self) -> Result<Value, Refusal> {
        if self.body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&self.body).or_else(|error| refuse(400, error.to_string()))
    }

    /// The `filters` parameter: by key, the values of which one must fit. Lists and the older maps are taken.
    pub fn filters(&self) -> Result<BTreeMap<String, Vec<String>>, Refusal> {
        let text = self.text("filters");
        if text.is_empty() {
            return Ok(BTreeMap::new());
        }
        let all: BTreeMap<String, Value> = match serde_json::from_str(text) {
            Ok(all) => all,
            Err(error) => return refuse(400, error.to_string()),
        };
        let values = |value: Value| match value {
            Value::Array(list) => list.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            Value::Object(map) => map.into_iter().filter(|(_, on)| *on == true).map(|(key, _)| key).collect(),
            _ => Vec::new(),
        };
        Ok(all.into_iter().map(|(key, value)| (key, values(value))).collect())
    }
}

fn version(text: &str) -> Option<(u32, u32)> {
    let (major, minor) = text.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// `%2F` into `/`.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = tail.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        if let Some(byte) = hex.filter(|_| *first == b'%').and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            bytes.push(byte);
            rest = &tail[2..];
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Do labels fit all of the wanted, each `key` or `key=value`?
pub fn labelled(labels: &BTreeMap<String, String>, wanted: &[String]) -> bool {
    wanted.iter().all(|want| match want.split_once('=') {
        Some((key, value)) => labels.get(key).is_some_and(|label| label == value),
        None => labels.contains_key(want),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_apart() {
        let ask = |uri: &str| Ask::new("GET", &uri.parse().unwrap(), Bytes::new(), None, newest(false));
        let one = ask("/v1.41/images/a%2Fb:1/json?x=1&y=%22&z").unwrap();
        assert_eq!(one.path, ["images", "a/b:1", "json"]);
        assert_eq!((one.flag("x"), one.text("y"), one.flag("z")), (true, "\"", false));
        assert_eq!(ask("/_ping").unwrap().path, ["_ping"]);
        assert!(ask("/v1.42/info").unwrap_err().message.contains("too new"));
        assert!(ask("/v1.1/info").unwrap_err().message.contains("too old"));
        let filters = ask("/x?filters=%7B%22id%22%3A%5B%22a%22%5D%2C%22name%22%3A%7B%22b%22%3Atrue%7D%7D").unwrap();
        let filters = filters.filters().unwrap();
        assert_eq!((filters["id"][0].as_str(), filters["name"][0].as_str()), ("a", "b"));
    }
}
