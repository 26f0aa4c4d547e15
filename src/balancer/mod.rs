//! Load balancers: take an instance out and see its sessions end, put it back and see it serve.
//!
//! One file per driver, all with the same few questions ([`Balancer`]). Nothing is decided here and nothing is waited for:
//! `engine/` asks again until it has seen what it wants, within its deadlines. Names reach a balancer only as
//! [`ServerName`]s, so that no name can carry a second command.

mod caddy;
mod command;
mod error;
mod haproxy;
mod nginx;
mod program;

pub use error::BalancerError;

use crate::domain::balancer::{Admin, BalancerSpec, Member, Server};
use crate::domain::ids::ServerName;
use caddy::Caddy;
use command::Command;
use haproxy::Haproxy;
use nginx::Nginx;
use std::net::SocketAddr;
use std::time::Duration;

/// A load balancer, ready to be asked. Cheap to clone; it holds no connection.
#[derive(Clone, Debug)]
pub enum Balancer {
    Haproxy(Haproxy),
    Nginx(Nginx),
    Caddy(Caddy),
    Command(Command),
    /// Nobody sends requests.
    None,
}

impl Balancer {
    /// The driver for `spec`.
    pub fn of(spec: &BalancerSpec) -> Self {
        let shown = spec.to_string();
        match spec {
            BalancerSpec::Haproxy { socket, backend } => Self::Haproxy(Haproxy::new(socket, backend.clone())),
            BalancerSpec::Nginx(nginx) => Self::Nginx(Nginx::new(nginx, shown)),
            BalancerSpec::Caddy { admin } => Self::Caddy(Caddy::new(admin, shown)),
            BalancerSpec::Command(hooks) => Self::Command(Command::new(hooks, shown)),
            BalancerSpec::None => Self::None,
        }
    }

    /// Its servers as they are now: all it has, or, where it has no list, those of `members`.
    pub async fn servers(&self, members: &[Member]) -> Result<Vec<Server>, BalancerError> {
        match self {
            Self::Haproxy(haproxy) => haproxy.servers().await,
            Self::Nginx(nginx) => nginx.servers().await,
            Self::Caddy(caddy) => caddy.servers().await,
            Self::Command(command) => command.servers(members).await,
            Self::None => Ok(Vec::new()),
        }
    }

    /// Sets a server's state. That it was taken means only that: ask [`Balancer::servers`] what came of it.
    pub async fn set(&self, member: &Member, admin: Admin) -> Result<(), BalancerError> {
        match self {
            Self::Haproxy(haproxy) => haproxy.set(&member.name, admin).await,
            Self::Nginx(nginx) => nginx.set(&member.name, admin).await,
            Self::Caddy(caddy) => caddy.set(&member.name, admin).await,
            Self::Command(command) => command.set(member, admin).await,
            Self::None => Ok(()),
        }
    }

    /// Has a server send its requests somewhere else from now on.
    pub async fn set_address(&self, server: &ServerName, address: SocketAddr) -> Result<(), BalancerError> {
        match self {
            Self::Haproxy(haproxy) => haproxy.set_address(server, address).await,
            // These are told an instance's address whenever they are told anything, or learn of no new one at all.
            Self::Nginx(_) | Self::Caddy(_) | Self::Command(_) | Self::None => Ok(()),
        }
    }

    /// Cuts what sessions a server still has; `false`: it knows no way to, they end when the instance stops.
    pub async fn cut(&self, member: &Member) -> Result<bool, BalancerError> {
        match self {
            Self::Haproxy(haproxy) => haproxy.cut(&member.name).await.map(|()| true),
            Self::Nginx(_) | Self::Caddy(_) | Self::Command(_) | Self::None => Ok(false),
        }
    }

    /// Between two looks while something is waited for: as often as one look is cheap.
    pub fn every(&self) -> Duration {
        Duration::from_millis(match self {
            Self::Haproxy(_) | Self::Nginx(_) | Self::None => 20,
            Self::Caddy(_) => 50,
            Self::Command(_) => 500,
        })
    }
}
