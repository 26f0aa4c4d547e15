//! The fleet as it changes.

use super::Docker;
use crate::domain::fleet::FleetState;
use tokio::sync::watch;

impl Docker {
    /// The fleet, kept up to date until the receiver is dropped. Needs a tokio runtime.
    pub fn live(&self) -> watch::Receiver<FleetState> {
        todo!()
    }
}
