//! Which load balancer an app has, and how it is reached.

use super::Member;
use crate::domain::clean::clean;
use crate::domain::ids::ServerName;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

/// A load balancer of an app (`x-pitstop: {balancer: …}`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BalancerSpec {
    /// HAProxy, by its Runtime API (HAProxy management guide, 9.3).
    Haproxy {
        /// `/run/haproxy/admin.sock`, or `host:port`; it needs `level admin`.
        socket: String,
        backend: ServerName,
    },
    /// nginx (open source), by a file that its configuration includes.
    Nginx(Nginx),
    /// Caddy, by its admin API.
    Caddy {
        /// `/run/caddy/admin.sock`, or `host:port`.
        admin: String,
    },
    /// Anything else, by commands of the user's own.
    Command(Hooks),
    /// None, said aloud: what is written at the top of the file does not count for this app.
    None,
}

/// How an nginx is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nginx {
    /// The file with the `server` lines; nothing else in it is touched.
    pub file: String,
    /// The `upstream` block in that file; `None`: the whole file is one block's content.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream: Option<ServerName>,
    /// Says whether the configuration is good; `None`: `nginx -t`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<Vec<String>>,
    /// Makes nginx read it; `None`: `nginx -s reload`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reload: Option<Vec<String>>,
    /// How long requests under way get, in milliseconds: nginx does not count them.
    pub settle_ms: u64,
}

/// Commands that know the balancer: argument vectors, run without a shell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hooks {
    pub drain: Vec<String>,
    pub attach: Vec<String>,
    /// Tells the state and the sessions of an instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Vec<String>>,
    /// For each of them to end, in milliseconds.
    pub timeout_ms: u64,
    /// How long sessions get where `status` does not count them, in milliseconds.
    pub settle_ms: u64,
}

/// What `settle` is where the file does not say, in milliseconds.
pub const SETTLE_MS: u64 = 5_000;
/// What a command's `timeout` is where the file does not say, in milliseconds.
pub const TIMEOUT_MS: u64 = 30_000;

impl BalancerSpec {
    /// How long sessions get where it does not count them.
    pub fn settle(&self) -> Duration {
        match self {
            Self::Nginx(nginx) => Duration::from_millis(nginx.settle_ms),
            Self::Command(hooks) => Duration::from_millis(hooks.settle_ms),
            Self::Haproxy { .. } | Self::Caddy { .. } | Self::None => Duration::ZERO,
        }
    }

    /// A server that is drained can be put into maintenance besides, which is more than taking no sessions.
    pub fn has_maintenance(&self) -> bool {
        matches!(self, Self::Haproxy { .. })
    }

    /// The programs that asking and telling it starts on this machine, as somebody wrote them down; empty where only
    /// pitstop's own are.
    pub fn commands(&self) -> Vec<&[String]> {
        let given = match self {
            Self::Nginx(nginx) => [nginx.test.as_deref(), nginx.reload.as_deref(), None],
            Self::Command(hooks) => [Some(&*hooks.drain), Some(&*hooks.attach), hooks.status.as_deref()],
            Self::Haproxy { .. } | Self::Caddy { .. } | Self::None => [None, None, None],
        };
        given.into_iter().flatten().collect()
    }
}

/// For people: a label may have brought it, so it is cleaned.
impl fmt::Display for BalancerSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Haproxy { socket, backend } => write!(f, "haproxy {backend} at {}", clean(socket)),
            Self::Nginx(Nginx { file, upstream: Some(upstream), .. }) => {
                write!(f, "nginx {upstream} in {}", clean(file))
            }
            Self::Nginx(nginx) => write!(f, "nginx in {}", clean(&nginx.file)),
            Self::Caddy { admin } => write!(f, "caddy at {}", clean(admin)),
            Self::Command(hooks) => {
                write!(f, "command {}", hooks.drain.first().map(|program| clean(program)).unwrap_or_default())
            }
            Self::None => f.write_str("none"),
        }
    }
}

/// One server of one balancer: a place an instance gets requests from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    pub balancer: BalancerSpec,
    pub server: ServerName,
    /// The instance's own address, for a balancer that has no list of servers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<IpAddr>,
}

impl Place {
    /// The server there, as the balancer may be told of it.
    pub fn member(&self) -> Member {
        Member { name: self.server.clone(), address: self.address }
    }

    /// The same server of the same balancer, wherever it answers now.
    pub fn is(&self, other: &Self) -> bool {
        self.balancer == other.balancer && self.server == other.server
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.balancer {
            BalancerSpec::Haproxy { socket, backend } => {
                write!(f, "{backend}/{} of haproxy at {}", self.server, clean(socket))
            }
            balancer => write!(f, "{} of {balancer}", self.server),
        }
    }
}
