//! What was asked for, as far as it may be written down: enough to ask again, and to ask for the opposite.
//!
//! A file is named, not copied: what is in it may be secret. Going on is planning again from what is observed, so nothing
//! here says how far an operation has come.

use super::Header;
use crate::domain::plan::{Lane, Plan, Target, Task};
use serde::{Deserialize, Serialize};

/// What an operation is to bring about. Apps and instances by their full names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Goal {
    Create {
        project: String,
        files: Vec<String>,
        services: Vec<String>,
        #[serde(default)]
        scale: Vec<(String, u32)>,
    },
    Deploy {
        app: String,
        image: Option<String>,
        /// Empty: the spec that serves, with that image.
        #[serde(default)]
        files: Vec<String>,
        /// The newest revision that served before.
        before: Option<u32>,
    },
    /// The instances not done yet are in the record itself.
    Restart,
    Rollback {
        app: String,
        to: u32,
        before: Option<u32>,
    },
    Scale {
        app: String,
        replicas: u32,
        before: u32,
    },
    Remove {
        apps: Vec<String>,
        volumes: bool,
    },
    Adopt {
        targets: Vec<String>,
        project: Option<String>,
        /// What all of them become instances of.
        #[serde(default)]
        app: Option<String>,
        #[serde(default)]
        files: Vec<String>,
        accept_changes: bool,
        keep_old: bool,
    },
}

impl Header {
    /// What was asked for; `None` where it was not written down, or by a later version.
    pub fn goal(&self) -> Option<Goal> {
        serde_json::from_value(self.goal.clone()).ok()
    }
}

/// The newest revision of the containers that a plan stops; `None` when it stops none of ours.
pub fn revision_before(plan: &Plan) -> Option<u32> {
    let stopped = plan.steps.iter().filter_map(|step| match &step.task {
        Task::Stop { container: Target::Known { name, .. }, .. }
        | Task::Swap { container: Target::Known { name, .. }, .. }
            if step.lane == Lane::Main =>
        {
            name.rsplit_once(".r")?.1.parse().ok()
        }
        _ => None,
    });
    stopped.max()
}
