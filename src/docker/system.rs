//! What the engine says of itself, asked anew: its clock, and the versions of the API that it speaks.

use super::client::{Docker, READ};
use super::error::DockerError;
use jiff::Timestamp;

impl Docker {
    /// What time the engine has, to compare with what it wrote down.
    pub async fn time(&self) -> Result<Option<Timestamp>, DockerError> {
        let info = self.call("ask", "engine", READ, self.client().info()).await?;
        Ok(info.system_time.and_then(|time| time.parse().ok()))
    }

    /// The oldest and the newest version of the API that it speaks, e.g. `1.12` and `1.41`.
    pub async fn api_range(&self) -> Result<Option<(String, String)>, DockerError> {
        let version = self.call("ask", "engine", READ, self.client().version()).await?;
        Ok(version.min_api_version.zip(version.api_version))
    }
}
