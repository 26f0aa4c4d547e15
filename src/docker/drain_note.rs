//! That an instance was taken out of its load balancers, written down in its sandbox.
//!
//! A balancer does not say who took a server out. This note does: whoever finds it without an operation under way knows that
//! one died between drain and attach, and puts the instance back; a server that a person took out has none.

use super::client::{Changes, Docker, READ};
use super::container_files::folders;
use super::error::DockerError;
use crate::domain::balancer::Place;
use crate::domain::ids::ContainerId;
use serde::{Deserialize, Serialize};
use std::io::{self, Read};

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
        // The engine has no request that removes a file: an empty note is none.
        self.put_files("note the drain in", sandbox, pack(&note.cloned().unwrap_or_default())).await
    }
}

impl Docker {
    /// The note, if there is one.
    pub async fn read_drain_note(&self, sandbox: &ContainerId) -> Result<Option<DrainNote>, DockerError> {
        let archive = self.fetch_files("read the drain note of", sandbox, &format!("/{FILE}"), READ).await?;
        Ok(archive.and_then(|archive| read(&archive)).filter(|note| !note.places.is_empty()))
    }
}

fn pack(note: &DrainNote) -> io::Result<Vec<u8>> {
    let text = serde_json::to_vec(note)?;
    let mut archive = folders("pitstop")?;
    let mut header = tar::Header::new_ustar();
    header.set_mode(0o600);
    header.set_size(text.len() as u64);
    archive.append_data(&mut header, FILE, text.as_slice())?;
    archive.into_inner()
}

/// What is no note of ours is none.
fn read(archive: &[u8]) -> Option<DrainNote> {
    let mut text = Vec::new();
    tar::Archive::new(archive).entries().ok()?.next()?.ok()?.read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}
