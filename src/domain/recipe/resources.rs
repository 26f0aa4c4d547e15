//! Networks and volumes that apps need: what is there stays, what is missing is made, what is somebody else's must be there.

use super::super::ids::AppId;
use super::super::plan::{Refusal, StepId, Task};
use super::super::project::ProjectSpec;
use super::super::spec::{AppSpec, MountKind};
use super::draft::{Draft, object_name};
use std::collections::BTreeMap;

/// The steps that make a project's missing networks and volumes, each once.
#[derive(Default)]
pub(super) struct Resources {
    networks: BTreeMap<String, StepId>,
    volumes: BTreeMap<String, StepId>,
}

impl Resources {
    /// The steps that make the networks `spec` joins and that are not there yet.
    pub fn networks(
        &mut self,
        draft: &mut Draft<'_>,
        project: &ProjectSpec,
        app: &AppId,
        spec: &AppSpec,
    ) -> Result<Vec<StepId>, Refusal> {
        let mut steps = Vec::new();
        for name in spec.sandbox.networks.iter().map(|attach| &attach.network) {
            let there = draft.facts.networks.iter().any(|seen| seen.name == *name);
            let Some(wanted) = project.networks.get(name).filter(|_| !there) else { continue };
            may_be_made("network", name, wanted.external, app)?;
            let step = *self.networks.entry(name.clone()).or_insert_with(|| {
                let task = Task::Network { spec: wanted.clone(), project: project.name.clone() };
                draft.shared(task, &[], format!("{app} needs network {name}, which is not there"))
            });
            steps.push(step);
        }
        Ok(steps)
    }

    /// The steps that make the named volumes `spec` mounts and that are not there yet.
    pub fn volumes(
        &mut self,
        draft: &mut Draft<'_>,
        project: &ProjectSpec,
        app: &AppId,
        spec: &AppSpec,
    ) -> Result<Vec<StepId>, Refusal> {
        let mut steps = Vec::new();
        for mount in spec.container.mounts.iter().filter(|mount| mount.kind == MountKind::Volume) {
            let name = &mount.source;
            let there = draft.facts.volumes.iter().any(|seen| seen.name == *name);
            let Some(wanted) = project.volumes.get(name).filter(|_| !there) else { continue };
            may_be_made("volume", name, wanted.external, app)?;
            let step = *self.volumes.entry(name.clone()).or_insert_with(|| {
                let task = Task::Volume { spec: wanted.clone(), project: project.name.clone() };
                draft.shared(task, &[], format!("{app} needs volume {name}, which is not there"))
            });
            steps.push(step);
        }
        Ok(steps)
    }
}

/// Refuses what is somebody else's to make, and a name the engine would not take.
fn may_be_made(kind: &str, name: &str, external: bool, app: &AppId) -> Result<(), Refusal> {
    if external {
        return Err(Refusal::Refused(format!(
            "{app} needs the external {kind} {name}, which is not there; make it first: docker {kind} create {name}"
        )));
    }
    object_name(name).map(drop)
}
