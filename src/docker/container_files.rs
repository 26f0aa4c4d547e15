//! Files in containers' own filesystems, running or not: put there and fetched as tar archives.
//!
//! What is in them is for who keeps it there.

use super::client::{CREATE, Changes, Docker};
use super::error::{DockerError, Failure};
use crate::domain::ids::ContainerId;
use bollard::body_full;
use bollard::errors::Error as ClientError;
use bollard::query_parameters::{DownloadFromContainerOptions, UploadToContainerOptions};
use bytes::Bytes;
use futures_util::TryStreamExt;
use std::io;
use std::time::Duration;

/// Largest archive read: a container's filesystem is anybody's to write to who has the engine.
const MAX_ARCHIVE: usize = 8 << 20;

impl Changes {
    /// Puts what was packed into a container, from its root.
    pub(super) async fn put_files(
        &self,
        operation: &'static str,
        container: &ContainerId,
        packed: io::Result<Vec<u8>>,
    ) -> Result<(), DockerError> {
        let name = self.name(container);
        let archive = packed.map_err(|error| {
            DockerError::new(operation, &name, Failure::Invalid, &format!("it can't be packed: {error}"))
        })?;
        let options = UploadToContainerOptions { path: "/".to_owned(), ..UploadToContainerOptions::default() };
        let request = self.client().upload_to_container(container.as_str(), Some(options), body_full(archive.into()));
        self.call(operation, &name, CREATE, request).await
    }
}

impl Docker {
    /// An archive of what is at `path`; `None` where there is no such file or folder, or no such container.
    pub(super) async fn fetch_files(
        &self,
        operation: &'static str,
        container: &ContainerId,
        path: &str,
        deadline: Duration,
    ) -> Result<Option<Vec<u8>>, DockerError> {
        let options = DownloadFromContainerOptions { path: path.to_owned() };
        let grow = |mut all: Vec<u8>, chunk: Bytes| async move {
            if all.len() + chunk.len() > MAX_ARCHIVE {
                return Err(ClientError::from(io::Error::other("the archive is larger than 8 MiB")));
            }
            all.extend_from_slice(&chunk);
            Ok(all)
        };
        let chunks = self.client().download_from_container(container.as_str(), Some(options));
        match self.call(operation, &self.name(container), deadline, chunks.try_fold(Vec::new(), grow)).await {
            Ok(archive) => Ok(Some(archive)),
            Err(error) if error.failure == Failure::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// An archive that begins with these folders, for root alone.
pub(super) fn folders(path: &str) -> io::Result<tar::Builder<Vec<u8>>> {
    let mut archive = tar::Builder::new(Vec::new());
    let mut folder = String::new();
    for part in path.split('/') {
        folder = format!("{folder}{part}/");
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(tar::EntryType::Directory);
        header.set_mode(0o700);
        header.set_size(0);
        archive.append_data(&mut header, &folder, io::empty())?;
    }
    Ok(archive)
}
