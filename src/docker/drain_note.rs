//! That an instance was taken out of its load balancers, written down in its sandbox.
//!
//! A balancer does not say who took a server out. This note does: whoever finds it without an operation under way knows that
//! one died between drain and attach, and puts the instance back; a server that a person took out has none.

use super::client::{CREATE, Changes, Docker, READ};
use super::error::{DockerError, Failure};
use super::revisions::{collect, folders};
use crate::domain::balancer::Place;
use crate::domain::ids::ContainerId;
use bollard::body_full;
use bollard::query_parameters::{DownloadFromContainerOptions, UploadToContainerOptions};
use serde::{Deserialize, Serialize};
use std::io::Read;

/// Where it is, without the leading slash.
const FILE: &str = "pitstop/drained.json";

/// The note.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DrainNote {
    pub operation: String,
    pub places: Vec<Place>,
}

impl Changes {
    /// Writes the note, or takes it back.
    pub async fn write_drain_note(&self, sandbox: &ContainerId, note: Option<&DrainNote>) -> Result<(), DockerError> {
        const WRITE: &str = "note the drain in";
        let name = self.name(sandbox);
        let bad = |error: std::io::Error| {
            DockerError::new(WRITE, &name, Failure::Invalid, &format!("it can't be packed: {error}"))
        };
        // The engine has no request that removes a file: an empty note is none.
        let text = serde_json::to_vec(&note.cloned().unwrap_or_default()).map_err(|error| bad(error.into()))?;
        let archive = folders("pitstop").and_then(|mut archive| {
            let mut header = tar::Header::new_ustar();
            header.set_mode(0o600);
            header.set_size(text.len() as u64);
            archive.append_data(&mut header, FILE, text.as_slice())?;
            archive.into_inner()
        });
        let body = body_full(archive.map_err(bad)?.into());
        let options = UploadToContainerOptions { path: "/".to_owned(), ..UploadToContainerOptions::default() };
        let request = self.client().upload_to_container(sandbox.as_str(), Some(options), body);
        self.call(WRITE, &name, CREATE, request).await
    }
}

impl Docker {
    /// The note, if there is one.
    pub async fn read_drain_note(&self, sandbox: &ContainerId) -> Result<Option<DrainNote>, DockerError> {
        let options = DownloadFromContainerOptions { path: format!("/{FILE}") };
        let request = collect(self.client().download_from_container(sandbox.as_str(), Some(options)));
        match self.call("read the drain note of", &self.name(sandbox), READ, request).await {
            Ok(archive) => Ok(read(&archive).filter(|note| !note.places.is_empty())),
            Err(error) if error.failure == Failure::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// What is no note of ours is none.
fn read(archive: &[u8]) -> Option<DrainNote> {
    let mut text = Vec::new();
    tar::Archive::new(archive).entries().ok()?.next()?.ok()?.read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}
