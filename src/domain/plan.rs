//! A plan: what an operation will do, step by step, before anything is done.
//!
//! A `Plan` is a list of steps whose needs point backwards only, so it is acyclic by construction. Each step is one
//! action on the engine with its cause and its deadline, and carries everything the executor needs: performing a
//! step decides nothing. Batches are edges, not a second concept.

mod task;

pub use task::{Action, AppDraft, RevisionRecord, SandboxDraft, Target, Task};

use super::environment::Environment;
use super::ids::{InstanceName, OpId};
use super::options::{Gate, OnFailure, Options};
use super::record::Goal;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

/// A step's place in [`Plan::steps`].
pub type StepId = usize;

/// What kind of request an operation answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Create,
    Deploy,
    Restart,
    Rollback,
    Scale,
    Remove,
    Adopt,
    Repair,
}

/// Forward, or putting back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lane {
    #[default]
    Main,
    /// Runs only when its instance failed or is aborted.
    Undo,
}

/// An operation, planned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    pub kind: Kind,
    /// `shop/web`, or the project's name when several apps are concerned.
    pub app: String,
    /// Image references before and after, where they apply.
    pub from: Option<String>,
    pub to: Option<String>,
    /// The earlier revision that a rollback brings back.
    pub revision: Option<u32>,
    /// The operation that this one goes on with or takes back.
    pub resumes: Option<OpId>,
    /// What was asked for, for going on with it after the console has died.
    pub goal: Option<Goal>,
    /// How, as far as a person said so, for the same reason.
    pub options: Options,
    pub batches: Vec<Vec<InstanceName>>,
    /// New instances, each with the one whose place it takes: the two succeed or fail together.
    pub replaces: BTreeMap<InstanceName, InstanceName>,
    pub steps: Vec<Step>,
    /// Where a person is asked, settled from options and spec.
    pub gate: Gate,
    pub on_failure: OnFailure,
    /// Steps of creation that may run side by side.
    pub parallel: usize,
    /// What it can't help, a sentence each: the rest is done all the same, and the end is a failure.
    pub hopeless: Vec<String>,
    /// What the user should know before: risks, things left alone, why in place or not. Sentences.
    pub notes: Vec<String>,
    /// What the containers it concerns were given: an app's last words may hold it, and it is never written down.
    pub secrets: Vec<Environment>,
}

/// One action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    pub instance: Option<InstanceName>,
    /// From 1; `None` for what belongs to no batch.
    pub batch: Option<usize>,
    /// Steps that must have succeeded (in the undo lane: have ended) before this one starts; each smaller than this step's own id.
    pub needs: Vec<StepId>,
    pub lane: Lane,
    /// Undo lane: the main steps this one takes back; when none of them was ever started, it is skipped.
    pub undoes: Vec<StepId>,
    /// Why, as a sentence for people.
    pub cause: String,
    pub deadline: Duration,
    pub task: Task,
}

/// Why an operation is not even begun.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The request makes no sense here: exit code 2.
    #[error("{0}")]
    Usage(String),
    /// It makes sense, but is not allowed like this: exit code 4.
    #[error("{0}")]
    Refused(String),
}

impl Kind {
    /// The word in events and on screen.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Deploy => "deploy",
            Self::Restart => "restart",
            Self::Rollback => "rollback",
            Self::Scale => "scale",
            Self::Remove => "remove",
            Self::Adopt => "adopt",
            Self::Repair => "repair",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Plan {
    /// One that does nothing yet.
    pub fn empty(kind: Kind, app: impl Into<String>) -> Self {
        Self {
            kind,
            app: app.into(),
            from: None,
            to: None,
            revision: None,
            resumes: None,
            goal: None,
            options: Options::default(),
            batches: Vec::new(),
            replaces: BTreeMap::new(),
            steps: Vec::new(),
            gate: Gate::default(),
            on_failure: OnFailure::default(),
            parallel: 1,
            hopeless: Vec::new(),
            notes: Vec::new(),
            secrets: Vec::new(),
        }
    }

    /// One that does nothing, and says why.
    pub fn nothing(kind: Kind, app: impl Into<String>, why: impl Into<String>) -> Self {
        Self { notes: vec![why.into()], ..Self::empty(kind, app) }
    }

    /// How many instances each batch handles; one that makes room for another is counted with that one.
    pub fn batch_sizes(&self) -> impl Iterator<Item = usize> {
        let old = |name: &&InstanceName| self.replaces.values().any(|old| old == *name);
        self.batches.iter().map(move |batch| batch.iter().filter(|name| !old(name)).count())
    }

    /// Nothing to do.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// The first broken invariant, if any: needs and targets point backwards, undo steps undo main steps of their own
    /// instance, main steps need only main steps, batches hold each instance once.
    pub fn broken(&self) -> Option<String> {
        let mut seen = BTreeSet::new();
        if let Some(twice) = self.batches.iter().flatten().find(|name| !seen.insert((*name).clone())) {
            return Some(format!("{twice} is in two batches"));
        }
        for (id, step) in self.steps.iter().enumerate() {
            if let Some(need) =
                step.needs.iter().chain(&step.undoes).chain(&step.task.made_by()).find(|need| **need >= id)
            {
                return Some(format!("step {id} points forward to {need}"));
            }
            if step.lane == Lane::Main
                && (!step.undoes.is_empty() || step.needs.iter().any(|need| self.steps[*need].lane == Lane::Undo))
            {
                return Some(format!("main step {id} depends on the undo lane"));
            }
            let foreign =
                |main: &&StepId| self.steps[**main].lane == Lane::Undo || self.steps[**main].instance != step.instance;
            if step.lane == Lane::Undo && (step.undoes.is_empty() || step.undoes.iter().any(|main| foreign(&main))) {
                return Some(format!("undo step {id} takes back nothing, or something foreign"));
            }
            if let Some(batch) = step.batch {
                let here = step
                    .instance
                    .as_ref()
                    .is_some_and(|name| self.batches.get(batch.wrapping_sub(1)).is_some_and(|b| b.contains(name)));
                if !here {
                    return Some(format!("step {id} is not of its batch {batch}"));
                }
            }
        }
        None
    }
}
