//! Networks.

use super::{Docker, DockerError};
use crate::domain::fleet::NetworkSeen;
use crate::domain::ids::ObjectName;
use crate::domain::project::NetworkSpec;

impl Docker {
    /// All networks, without the addresses on them.
    pub async fn networks(&self) -> Result<Vec<NetworkSeen>, DockerError> {
        todo!()
    }

    /// One network with the addresses on it.
    pub async fn network(&self, name: &ObjectName) -> Result<Option<NetworkSeen>, DockerError> {
        let _ = name;
        todo!()
    }

    /// Makes a network unless there is one of that name; without an address plan of its own it gets room for pinned addresses.
    pub async fn create_network(&self, spec: &NetworkSpec, project: &str) -> Result<(), DockerError> {
        let _ = (spec, project);
        todo!()
    }

    /// Removes it; fine when it is gone.
    pub async fn remove_network(&self, name: &ObjectName) -> Result<(), DockerError> {
        let _ = name;
        todo!()
    }
}
