//! Names and ids that are safe to send to an engine.
//!
//! The client library does not escape path segments (`inspect("../../info#")` asks for `/info`), so nothing but
//! these validated types may reach it. Constructing one is the validation.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Why a text is no name or id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {what}")]
pub struct BadName {
    text: String,
    what: &'static str,
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $what:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            #[doc = concat!("Accepts ", $what, ".")]
            pub fn new(text: impl Into<String>) -> Result<Self, BadName> {
                let text = text.into();
                let valid: fn(&str) -> bool = $valid;
                if valid(&text) { Ok(Self(text)) } else { Err(BadName { text: super::clean::clean(&text), what: $what }) }
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadName;
            fn try_from(text: String) -> Result<Self, BadName> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name_type!(
    /// A container's full id.
    ContainerId,
    "a container id (64 hexadecimal digits)",
    |t| t.len() == 64 && t.bytes().all(|b| b.is_ascii_hexdigit())
);

name_type!(
    /// A proxy's or server's name in a load balancer (HAProxy manual, 2.1: `[A-Za-z0-9_.:-]`) or address; nothing in it ends a command.
    ServerName,
    "a load balancer's name (letters, digits, `_`, `.`, `:`, `-`, `[`, `]`; at most 128)",
    |t| (1..=128).contains(&t.len()) && t.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.:-[]".contains(&b))
);

name_type!(
    /// A name for a container, volume or network (Docker: `[a-zA-Z0-9][a-zA-Z0-9_.-]+`, at most 128 here).
    ObjectName,
    "a name Docker accepts (letters, digits, `_`, `.`, `-`; 2 to 128 of them, the first a letter or digit)",
    |t| (2..=128).contains(&t.len())
        && t.starts_with(|c: char| c.is_ascii_alphanumeric())
        && t.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b))
);

name_type!(
    /// A reference to an image: repository, tag, digest or image id.
    ImageRef,
    "an image reference like registry/name:tag or name@sha256:…",
    |t| (1..=512).contains(&t.len()) && super::reference::is_reference(t)
);

name_type!(
    /// The operation's id: time-ordered, safe as a file name and a label value.
    OpId,
    "an operation id",
    |t| (4..=64).contains(&t.len()) && t.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
);

impl OpId {
    /// The part that tables show, which tells operations apart: what is behind the time.
    pub fn short(&self) -> &str {
        self.as_str().rsplit('-').next().unwrap_or(self.as_str())
    }

    /// Somebody may mean it by that: its beginning, its end, or the beginning of its short form.
    pub fn is_meant(&self, part: &str) -> bool {
        let whole = self.as_str();
        !part.is_empty() && (whole.starts_with(part) || whole.ends_with(part) || self.short().starts_with(part))
    }
}

impl ContainerId {
    /// The 12 digits people know.
    pub fn short(&self) -> &str {
        &self.as_str()[..12]
    }
}

/// An app: a Compose service, or one unmanaged container by its name (then `project` is empty).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AppId {
    /// Compose project; empty for a container that belongs to none.
    pub project: String,
    /// Compose service, or the container's name.
    pub app: String,
}

impl AppId {
    /// `project/app`.
    pub fn new(project: impl Into<String>, app: impl Into<String>) -> Self {
        Self { project: project.into(), app: app.into() }
    }

    /// What a managed instance is called by people: `project/app-N`.
    pub fn instance(&self, number: u32) -> InstanceName {
        InstanceName(format!("{self}-{number}"))
    }

    /// What its sandbox is called in the engine: `PROJECT-APP-N`; hostname and alias too.
    pub fn sandbox_name(&self, number: u32) -> String {
        format!("{}-{}-{number}", self.project, self.app)
    }

    /// What its app container is called in the engine: `PROJECT-APP-N.rREV`.
    pub fn container_name(&self, number: u32, revision: u32) -> String {
        format!("{}.r{revision}", self.sandbox_name(number))
    }
}

impl fmt::Display for AppId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.project.is_empty() { f.pad(&self.app) } else { f.pad(&format!("{}/{}", self.project, self.app)) }
    }
}

/// What an instance is called in plans, events and on screen: `project/app-N`, or an unmanaged container's name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct InstanceName(pub String);

impl InstanceName {
    /// Without the project: `web-1`.
    pub fn short(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }
}

impl fmt::Display for InstanceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Whether `text` can name a Compose project (Compose specification: lower-case letters, digits, `-`, `_`).
pub fn is_project_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_')
        && text.len() <= 63
}

/// Whether `text` can name a Compose service; it becomes part of container names and a DNS alias.
pub fn is_service_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b))
        && text.len() <= 63
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_changes_a_path_is_a_name() {
        for bad in ["", "a", "../x", "a/b", "a?force=true", "a#", "a b", "-a", ".a", "a\u{1b}[0m"] {
            assert!(ObjectName::new(bad).is_err(), "{bad}");
        }
        assert!(ObjectName::new("shop-web-1.r2").is_ok());
        for bad in ["", "..", "a/../b", "a//b", "a?x", "a#x", "a b", "/a", "a:"] {
            assert!(ImageRef::new(bad).is_err(), "{bad}");
        }
        for good in ["web:v2", "127.0.0.1:5000/shop/web:2.0", "a@sha256:00ff", "sha256:00ff"] {
            assert!(ImageRef::new(good).is_ok(), "{good}");
        }
        assert!(ContainerId::new("f".repeat(64)).is_ok());
        assert!(ContainerId::new("f".repeat(12)).is_err());
    }

    #[test]
    fn names_follow_the_contract() {
        let web = AppId::new("shop", "web");
        assert_eq!(web.to_string(), "shop/web");
        assert_eq!(web.instance(3).0, "shop/web-3");
        assert_eq!(web.instance(3).short(), "web-3");
        assert_eq!(web.sandbox_name(3), "shop-web-3");
        assert_eq!(web.container_name(3, 7), "shop-web-3.r7");
        assert_eq!(AppId::new("", "redis").to_string(), "redis");
    }
}
