//! Everything a recipe may look at: the engine as it was read for one request.
//!
//! Gathered once, then handed to a pure function; a recipe asks nothing by itself.

use super::adopt::Original;
use super::balancer::{BalancerSeen, Place};
use super::environment::Environment;
use super::fleet::{Fleet, NetworkSeen, VolumeSeen};
use super::ids::{AppId, ContainerId, InstanceName};
use super::plan::RevisionRecord;
use std::collections::BTreeMap;

/// The facts for one request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// All containers; those of the apps concerned with their detail.
    pub fleet: Fleet,
    pub networks: Vec<NetworkSeen>,
    pub volumes: Vec<VolumeSeen>,
    /// By reference as written: the images concerned that the engine has.
    pub images: BTreeMap<String, ImageSeen>,
    /// Earlier revisions kept in the sandboxes of the apps concerned, newest first; gathered for a rollback.
    pub revisions: BTreeMap<AppId, Vec<RevisionRecord>>,
    /// The load balancers of the apps concerned.
    pub balancers: BTreeMap<AppId, Vec<BalancerSeen>>,
    /// Strangers' containers as what they could be made from again; gathered for an adoption.
    pub originals: BTreeMap<ContainerId, Original>,
    /// Where an earlier operation took an instance out and nobody has put it back since.
    pub left_drained: BTreeMap<InstanceName, Vec<Place>>,
}

impl Facts {
    /// What the containers of the apps concerned were given.
    pub fn environments(&self) -> Vec<Environment> {
        let instances = self.fleet.apps.iter().flat_map(|app| &app.instances);
        let containers = instances.flat_map(|one| one.app.iter().chain(&one.sandbox).chain(&one.others));
        let given = containers.filter_map(|container| Some(container.detail.as_ref()?.environment.clone()));
        given.filter(|environment| !environment.is_empty()).collect()
    }
}

/// An image as the engine has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageSeen {
    /// `sha256:…`
    pub id: String,
    /// Docker's name, e.g. `amd64`.
    pub arch: String,
    /// TCP ports it exposes.
    pub exposed: Vec<u16>,
    pub has_healthcheck: bool,
    /// Its own, as written there.
    pub entrypoint: Vec<String>,
    pub command: Vec<String>,
    /// `name@sha256:…`; empty for an image that was never pulled or pushed.
    pub digests: Vec<String>,
}
