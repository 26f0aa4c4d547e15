//! Earlier revisions, kept as files in the sandbox's own filesystem: they live and go with the instance.
//!
//! Ten files in turn, so nothing has to be deleted (the engine has no request for that).

use super::client::{CREATE, Changes, Docker, LIST};
use super::error::{DockerError, Failure};
use crate::domain::ids::ContainerId;
use crate::domain::plan::RevisionRecord;
use bollard::body_full;
use bollard::errors::Error as ClientError;
use bollard::query_parameters::{DownloadFromContainerOptions, UploadToContainerOptions};
use bytes::Bytes;
use futures_util::{Stream, TryStreamExt};
use std::io::{self, Read};

/// Revisions kept.
const KEPT: u32 = 10;

/// Where they are, without the leading slash.
const FOLDER: &str = "pitstop/revisions";

/// Largest archive and record read: a sandbox is anybody's to write to who has the engine.
const MAX_ARCHIVE: usize = 8 << 20;

impl Changes {
    /// Keeps revisions in a sandbox, running or not.
    pub async fn write_revisions(&self, sandbox: &ContainerId, records: &[RevisionRecord]) -> Result<(), DockerError> {
        const WRITE: &str = "record revisions in";
        let name = self.name(sandbox);
        let archive = pack(records).map_err(|error| {
            DockerError::new(WRITE, &name, Failure::Invalid, &format!("it can't be packed: {error}"))
        })?;
        let options = UploadToContainerOptions { path: "/".to_owned(), ..UploadToContainerOptions::default() };
        let request = self.client().upload_to_container(sandbox.as_str(), Some(options), body_full(archive.into()));
        self.call(WRITE, &name, CREATE, request).await
    }
}

impl Docker {
    /// The revisions kept there, newest first, at most ten. None in a sandbox that never got one.
    pub async fn read_revisions(&self, sandbox: &ContainerId) -> Result<Vec<RevisionRecord>, DockerError> {
        const READ_BACK: &str = "read revisions of";
        let name = self.name(sandbox);
        let options = DownloadFromContainerOptions { path: format!("/{FOLDER}") };
        let request = collect(self.client().download_from_container(sandbox.as_str(), Some(options)));
        match self.call(READ_BACK, &name, LIST, request).await {
            Ok(archive) => unpack(&archive).map_err(|error| {
                DockerError::new(READ_BACK, &name, Failure::Broken, &format!("the archive can't be read: {error}"))
            }),
            // No such folder, or no such container: whoever asks finds that out by itself.
            Err(error) if error.failure == Failure::NotFound => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }
}

/// The whole of a download.
pub(super) async fn collect(chunks: impl Stream<Item = Result<Bytes, ClientError>>) -> Result<Vec<u8>, ClientError> {
    let grow = |mut all: Vec<u8>, chunk: Bytes| async move {
        if all.len() + chunk.len() > MAX_ARCHIVE {
            return Err(io::Error::other("the archive of revisions is larger than 8 MiB").into());
        }
        all.extend_from_slice(&chunk);
        Ok(all)
    };
    chunks.try_fold(Vec::new(), grow).await
}

/// The records at their places, readable by root alone: they hold the environment's values.
fn pack(records: &[RevisionRecord]) -> io::Result<Vec<u8>> {
    let mut archive = folders(FOLDER)?;
    for record in records {
        let text = serde_json::to_vec(record)?;
        let mut header = tar::Header::new_ustar();
        header.set_mode(0o600);
        header.set_size(text.len() as u64);
        archive.append_data(&mut header, format!("{FOLDER}/{}.json", record.revision % KEPT), text.as_slice())?;
    }
    archive.into_inner()
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

fn unpack(archive: &[u8]) -> io::Result<Vec<RevisionRecord>> {
    let mut records = Vec::new();
    for entry in tar::Archive::new(archive).entries()? {
        let mut text = Vec::new();
        entry?.read_to_end(&mut text)?;
        // Directories are empty, and what somebody else put there is not ours to judge.
        if let Ok(record) = serde_json::from_slice::<RevisionRecord>(&text) {
            records.push(record);
        }
    }
    records.sort_by_key(|record| std::cmp::Reverse(record.revision));
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_survives_its_archive_and_rubbish_does_not_hurt() {
        let mut record = RevisionRecord { revision: 12, image_id: "sha256:ab".into(), ..RevisionRecord::default() };
        record.spec.container.environment.insert("TOKEN".into(), "hush".into());
        let later = RevisionRecord { revision: 13, ..RevisionRecord::default() };
        let archive = pack(&[record.clone(), later.clone()]).unwrap();
        assert_eq!(unpack(&archive).unwrap(), [later, record]);
        let mut entries = tar::Archive::new(archive.as_slice());
        let paths: Vec<_> =
            entries.entries().unwrap().map(|e| e.unwrap().path().unwrap().display().to_string()).collect();
        assert_eq!(paths, ["pitstop/", "pitstop/revisions/", "pitstop/revisions/2.json", "pitstop/revisions/3.json"]);
        assert!(unpack(b"").unwrap().is_empty());
        assert!(unpack(&[7; 1024]).is_err());
    }
}
