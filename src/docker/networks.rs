//! Networks: seen, made with room for pinned addresses, removed.

use super::client::{CREATE, Changes, Docker, LIST, READ, REMOVE};
use super::containers::fine_when_gone;
use super::error::{DockerError, Failure};
use super::{read, write};
use crate::domain::address::with_room_for_pins;
use crate::domain::fleet::NetworkSeen;
use crate::domain::ids::ObjectName;
use crate::domain::labels;
use crate::domain::project::{NetworkSpec, Subnet};
use bollard::models::{Ipam, IpamConfig, NetworkCreateRequest};
use bollard::query_parameters::{InspectNetworkOptions, ListNetworksOptions};

const CREATE_NETWORK: &str = "create network";

/// How often a subnet that was free a moment ago may turn out to be taken.
const ATTEMPTS: u32 = 5;

impl Docker {
    /// All networks, without the addresses on them.
    pub async fn networks(&self) -> Result<Vec<NetworkSeen>, DockerError> {
        let request = self.client().list_networks(None::<ListNetworksOptions>);
        let list = self.call("list", "networks", LIST, request).await?;
        Ok(list.into_iter().map(read::network).collect())
    }

    /// One network by its exact name, with the addresses on it.
    pub async fn network(&self, name: &ObjectName) -> Result<Option<NetworkSeen>, DockerError> {
        let request = self.client().inspect_network(name.as_str(), None::<InspectNetworkOptions>);
        match self.call("inspect network", name.as_str(), READ, request).await {
            // The engine takes a prefix of an id for a name too.
            Ok(seen) => Ok(Some(read::network_inspection(seen)).filter(|seen| seen.name == name.as_str())),
            Err(error) if error.failure == Failure::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl Changes {
    /// Makes a network unless there is one of that name.
    ///
    /// A bridge without a plan for IPv4 addresses gets one with room for pinned addresses: the engine, which knows its machine's
    /// routes, chooses the subnet; the network is then made with that subnet written down, because only there may
    /// addresses be pinned.
    pub async fn create_network(&self, spec: &NetworkSpec, project: &str) -> Result<(), DockerError> {
        let name = checked(CREATE_NETWORK, &spec.name)?;
        if self.network(&name).await?.is_some() {
            return Ok(());
        }
        let bridge = spec.driver.as_deref().is_none_or(|driver| driver == "bridge");
        if !bridge || spec.ipam.iter().any(is_ipv4) {
            return self.make(&request(spec, project, &spec.name, &spec.ipam)).await.map(drop);
        }
        let mut attempt = 1;
        loop {
            let plan = self.free_subnets(spec, project).await?;
            match self.make(&request(spec, project, &spec.name, &plan)).await {
                Err(error) if is_overlap(&error) && attempt < ATTEMPTS => attempt += 1,
                other => return other.map(drop),
            }
        }
    }

    /// The pools the engine chooses for a network that exists only for this question, as a plan of our own.
    async fn free_subnets(&self, spec: &NetworkSpec, project: &str) -> Result<Vec<Subnet>, DockerError> {
        let question = checked(CREATE_NETWORK, &format!("{}.subnet", spec.name))?;
        let ask = request(spec, project, question.as_str(), &spec.ipam);
        let id = match self.make(&ask).await {
            Err(error) if error.failure == Failure::Conflict => {
                // Left behind by a console that died between asking and removing.
                self.remove_network(&question).await?;
                self.make(&ask).await?
            }
            other => other?,
        };
        let inspection = self.client().inspect_network(&id, None::<InspectNetworkOptions>);
        let chosen = self.call("inspect network", question.as_str(), READ, inspection).await;
        let removed = self.call("remove network", question.as_str(), REMOVE, self.client().remove_network(&id)).await;
        fine_when_gone(removed)?;
        let pools = read::network_inspection(chosen?).pools;
        let chosen = pools.into_iter().filter(|pool| spec.ipam.is_empty() || is_ipv4(pool));
        let roomy = chosen.map(|pool| with_room_for_pins(&pool.subnet).unwrap_or(pool));
        Ok(roomy.chain(spec.ipam.iter().cloned()).collect())
    }

    async fn make(&self, request: &NetworkCreateRequest) -> Result<String, DockerError> {
        let client = match serde_json::to_value(request) {
            // Before API 1.44 the engine makes a second network of the same name unless told; the model lacks the field.
            Ok(mut json) if self.inner.api < (1, 44) => {
                json["CheckDuplicate"] = true.into();
                self.sending(&json)
            }
            _ => self.client().clone(),
        };
        let creation = client.create_network(request.clone());
        let created = self.call(CREATE_NETWORK, &request.name, CREATE, creation).await?;
        let valid = |id: &String| (12..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric());
        Some(created.id).filter(valid).ok_or_else(|| {
            DockerError::new(CREATE_NETWORK, &request.name, Failure::Broken, "the answer has no proper id")
        })
    }

    /// Removes it; fine when it is gone.
    pub async fn remove_network(&self, name: &ObjectName) -> Result<(), DockerError> {
        let request = self.client().remove_network(name.as_str());
        fine_when_gone(self.call("remove network", name.as_str(), REMOVE, request).await)
    }
}

/// A name from a spec, safe to send.
pub(super) fn checked(operation: &'static str, name: &str) -> Result<ObjectName, DockerError> {
    ObjectName::new(name).map_err(|error| DockerError::new(operation, name, Failure::Invalid, &error.to_string()))
}

fn is_ipv4(pool: &Subnet) -> bool {
    !pool.subnet.contains(':')
}

/// The engine's words for "somebody took that subnet meanwhile".
fn is_overlap(error: &DockerError) -> bool {
    let words = error.message.to_lowercase();
    // Engine 28 finds out at the gateway where the same subnet is asked for twice.
    ["overlap", "conflicts with", "failed to allocate gateway"].iter().any(|known| words.contains(known))
}

fn request(spec: &NetworkSpec, project: &str, name: &str, pools: &[Subnet]) -> NetworkCreateRequest {
    let mut labels = spec.labels.clone();
    labels.insert(labels::PROJECT.to_owned(), project.to_owned());
    let pool = |subnet: &Subnet| IpamConfig {
        subnet: Some(subnet.subnet.clone()),
        ip_range: subnet.ip_range.clone(),
        gateway: subnet.gateway.clone(),
        auxiliary_addresses: None,
    };
    NetworkCreateRequest {
        name: name.to_owned(),
        driver: Some(spec.driver.clone().unwrap_or_else(|| "bridge".to_owned())),
        internal: Some(spec.internal),
        attachable: Some(spec.attachable),
        enable_ipv6: Some(spec.ipv6),
        options: (!spec.driver_opts.is_empty()).then(|| write::unsorted(&spec.driver_opts)),
        labels: Some(write::unsorted(&labels)),
        ipam: (!pools.is_empty()).then(|| Ipam { config: Some(pools.iter().map(pool).collect()), ..Ipam::default() }),
        ..NetworkCreateRequest::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subnet_that_somebody_else_took_meanwhile_is_told_from_other_failures() {
        let said = |words: &str| is_overlap(&DockerError::new(CREATE_NETWORK, "shop", Failure::Broken, words));
        // Engine 20.10 twice, 28.5 at the same subnet.
        assert!(said("Pool overlaps with other one on this address space"));
        assert!(said(
            "cannot create network 4f (br-4f): conflicts with network 5a (br-5a): networks have overlapping IPv4"
        ));
        assert!(said("failed to allocate gateway (172.18.0.1): Address already in use"));
        assert!(!said("Address already in use"));
    }
}
