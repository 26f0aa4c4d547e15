//! Earlier revisions, kept as files in the sandbox's own filesystem: they live and go with the instance.
//!
//! Ten files in turn, so nothing has to be deleted (the engine has no request for that).

use super::client::{Changes, Docker, LIST};
use super::container_files::folders;
use super::error::{DockerError, Failure};
use crate::domain::ids::ContainerId;
use crate::domain::plan::RevisionRecord;
use std::io::{self, Read};

/// Revisions kept.
const KEPT: u32 = 10;

/// Where they are, without the leading slash.
const FOLDER: &str = "pitstop/revisions";

impl Changes {
    /// Keeps revisions in a sandbox, running or not.
    pub async fn write_revisions(&self, sandbox: &ContainerId, records: &[RevisionRecord]) -> Result<(), DockerError> {
        self.put_files("record revisions in", sandbox, pack(records)).await
    }
}

impl Docker {
    /// The revisions kept there, newest first, at most ten. None in a sandbox that never got one.
    pub async fn read_revisions(&self, sandbox: &ContainerId) -> Result<Vec<RevisionRecord>, DockerError> {
        const READ_BACK: &str = "read revisions of";
        // Without such a folder, or such a container, there are none: whoever asks finds the latter out by itself.
        let archive = self.fetch_files(READ_BACK, sandbox, &format!("/{FOLDER}"), LIST).await?;
        archive.map_or(Ok(Vec::new()), |archive| unpack(&archive)).map_err(|error| {
            let words = format!("the archive can't be read: {error}");
            DockerError::new(READ_BACK, &self.name(sandbox), Failure::Broken, &words)
        })
    }
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
