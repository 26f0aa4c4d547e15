//! The connection: one deadline per request, few requests at once.

use super::Location;
use crate::domain::fleet::EngineInfo;
use std::sync::Arc;

/// A connection to an engine; cloning it is cheap.
#[derive(Clone)]
pub struct Docker {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) location: Location,
    pub(super) info: EngineInfo,
}

impl Docker {
    /// Who answers.
    pub fn info(&self) -> &EngineInfo {
        &self.inner.info
    }

    /// Where it was found.
    pub fn location(&self) -> &Location {
        &self.inner.location
    }
}
