//! How readiness is asked for, as a value.
//!
//! Only the description; asking is the work of `engine/ready.rs`.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// How an instance is asked whether it is ready.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ProbeSpec {
    /// GET at 127.0.0.1 inside the instance; 200 to 399 is ready.
    Http { port: u16, path: String },
    /// A connection to 127.0.0.1 inside the instance.
    Tcp { port: u16 },
    /// A shell command in the app container; exit code 0 is ready.
    Exec { command: String },
    /// The container's own HEALTHCHECK command, run by us.
    Docker,
    /// A regular expression that a log line matches.
    Log { regex: String },
    /// No probe: ready when it has run for `min_ready` without a restart.
    None,
}

impl ProbeSpec {
    /// What the guest can watch from inside the sandbox (`tcp:8080`, `http:8080/healthz`), if it can.
    pub fn watchable(&self) -> bool {
        matches!(self, Self::Http { .. } | Self::Tcp { .. })
    }

    /// It asks the app container itself, and no port that another one in the same sandbox could answer at.
    pub fn of_container(&self) -> bool {
        matches!(self, Self::Exec { .. } | Self::Docker | Self::Log { .. })
    }
}

impl fmt::Display for ProbeSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http { port, path } => write!(f, "http:{port}{path}"),
            Self::Tcp { port } => write!(f, "tcp:{port}"),
            Self::Exec { command } => write!(f, "exec:{command}"),
            Self::Docker => f.write_str("docker"),
            Self::Log { regex } => write!(f, "log:{regex}"),
            Self::None => f.write_str("none"),
        }
    }
}

impl FromStr for ProbeSpec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| {
            format!("probe `{text}`: {why}; use http:PORT/PATH, tcp:PORT, exec:CMD, docker, log:REGEX or none")
        };
        let port = |digits: &str| match digits.parse::<u16>() {
            Ok(port) if port > 0 => Ok(port),
            _ => Err(wrong("the port must be a number from 1 to 65535")),
        };
        match text.split_once(':') {
            Some(("http", rest)) => {
                let (digits, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
                let path = if path.is_empty() { "/" } else { path };
                if path.bytes().any(|b| b <= b' ' || b >= 0x7f) {
                    return Err(wrong("the path must be printable ASCII without spaces"));
                }
                Ok(Self::Http { port: port(digits)?, path: path.to_owned() })
            }
            Some(("tcp", digits)) => Ok(Self::Tcp { port: port(digits)? }),
            Some(("exec", command)) if !command.trim().is_empty() => Ok(Self::Exec { command: command.to_owned() }),
            Some(("log", regex)) if !regex.is_empty() => match regex_lite::Regex::new(regex) {
                Ok(_) => Ok(Self::Log { regex: regex.to_owned() }),
                Err(error) => Err(wrong(&format!("not a regular expression ({error})"))),
            },
            Some(("exec" | "log", _)) => Err(wrong("nothing follows the colon")),
            None if text == "docker" => Ok(Self::Docker),
            None if text == "none" => Ok(Self::None),
            _ => Err(wrong("unknown kind")),
        }
    }
}

impl TryFrom<String> for ProbeSpec {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<ProbeSpec> for String {
    fn from(probe: ProbeSpec) -> Self {
        probe.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_every_form() {
        for text in
            ["http:8080/healthz", "http:80/", "tcp:5432", "exec:pg_isready -q", "docker", "log:ready|listening", "none"]
        {
            assert_eq!(text.parse::<ProbeSpec>().unwrap().to_string(), text);
        }
        assert_eq!("http:8080".parse::<ProbeSpec>().unwrap().to_string(), "http:8080/");
        for text in
            ["", "http:", "http:0/", "tcp:70000", "tcp:x", "exec:", "exec: ", "log:", "udp:53", "http:80/a b", "log:("]
        {
            assert!(text.parse::<ProbeSpec>().is_err(), "{text}");
        }
    }
}
