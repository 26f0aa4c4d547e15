//! From a location to a checked connection with the API version really sent.

use super::{Docker, DockerError, Location};

impl Docker {
    /// Connects, agrees on an API version and reads who answers. Each way this fails has its own [`super::Failure`] and hint.
    pub async fn connect(location: &Location) -> Result<Self, DockerError> {
        let _ = location;
        todo!()
    }
}
