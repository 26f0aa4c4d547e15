//! Load balancers: take an instance out and see its sessions end, put it back and see it serve.
//!
//! One file per driver, all with the same few questions ([`Balancer`]). Nothing is decided here and nothing is waited for:
//! `engine/` asks again until it has seen what it wants, within its deadlines. Names reach a balancer only as
//! [`ServerName`]s, so that no name can carry a second command.

mod error;
mod haproxy;

pub use error::BalancerError;
use haproxy::Haproxy;

use crate::domain::balancer::{Admin, BalancerSpec, Server};
use crate::domain::ids::ServerName;

/// A load balancer, ready to be asked. Cheap to clone; it holds no connection.
#[derive(Clone, Debug)]
pub enum Balancer {
    Haproxy(Haproxy),
}

impl Balancer {
    /// The driver for `spec`.
    pub fn of(spec: &BalancerSpec) -> Self {
        match spec {
            BalancerSpec::Haproxy { socket, backend } => Self::Haproxy(Haproxy::new(socket, backend.clone())),
        }
    }

    /// All its servers as they are now.
    pub async fn servers(&self) -> Result<Vec<Server>, BalancerError> {
        match self {
            Self::Haproxy(haproxy) => haproxy.servers().await,
        }
    }

    /// Sets a server's state. That it was taken means only that: ask [`Balancer::servers`] what came of it.
    pub async fn set(&self, server: &ServerName, admin: Admin) -> Result<(), BalancerError> {
        match self {
            Self::Haproxy(haproxy) => haproxy.set(server, admin).await,
        }
    }

    /// Cuts what sessions a server still has.
    pub async fn cut(&self, server: &ServerName) -> Result<(), BalancerError> {
        match self {
            Self::Haproxy(haproxy) => haproxy.cut(server).await,
        }
    }

    /// What changes whenever the balancer starts anew and may have forgotten what it was told.
    pub async fn incarnation(&self) -> Result<String, BalancerError> {
        match self {
            Self::Haproxy(haproxy) => haproxy.incarnation().await,
        }
    }
}
