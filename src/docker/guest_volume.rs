//! The guest where app containers find it: a volume that holds one program, mounted read-only into those that are held back.
//!
//! A volume gets into any image, one with a read-only root and one without a shell alike. It is filled through a container
//! of the sandbox image that is never started, and named after the program, so two versions of pitstop do not meet in it.

use super::client::{Changes, LIST};
use super::error::{DockerError, Failure};
use super::sandbox_image;
use crate::domain::ids::{AppId, ContainerId, ImageRef, ObjectName};
use bollard::models::{ContainerCreateBody, HostConfig, Mount, MountType};
use std::io::{self, Read};

/// Where it is mounted.
pub(super) const PLACE: &str = "/.pitstop";
/// The program in there.
pub(super) const PROGRAM: &str = "/.pitstop/guest";

const FILL: &str = "put the guest into a volume";

impl Changes {
    /// Makes and fills the volume where it is not there or not whole, and names it; for an operation on `app`.
    pub async fn ensure_guest_volume(&self, sandbox_image: &ImageRef, app: &AppId) -> Result<ObjectName, DockerError> {
        let invalid = |words: &str| DockerError::new(FILL, "pitstop-guest", Failure::Invalid, words);
        let arch = self.info().arch.as_str();
        if arch != sandbox_image::ARCH {
            let words = format!("this build of pitstop has no guest for {arch}");
            return Err(invalid(&words).advise("--warm off deploys without"));
        }
        let digest = sandbox_image::ID.trim_start_matches("sha256:").get(..12).unwrap_or_default();
        let name = ObjectName::new(format!("pitstop-guest-{digest}")).map_err(|error| invalid(&error.to_string()))?;
        // An app's own, for two operations may fill it at once, and a dead one's is found by whoever works on that app next.
        let filler = ObjectName::new(format!("{name}-{}-{}", app.project, app.app));
        let filler = self.filler(&name, &filler.map_err(|error| invalid(&error.to_string()))?, sandbox_image).await?;
        let filled = self.fill(&filler).await;
        let removed = self.remove(&filler, false).await;
        filled?;
        match removed {
            // Who asks again removes it.
            Err(left) if left.is_unreachable() || left.is_unknown_outcome() || left.failure == Failure::Server => {
                return Err(left);
            }
            Err(left) => {
                tracing::warn!(%left, "the container that fills the guest's volume stays behind; it does nothing");
            }
            Ok(()) => {}
        }
        Ok(name)
    }

    /// A container that is never started, with the volume in it; one of that name that a dead console left serves as well.
    async fn filler(
        &self,
        volume: &ObjectName,
        name: &ObjectName,
        image: &ImageRef,
    ) -> Result<ContainerId, DockerError> {
        let mount = Mount {
            typ: Some(MountType::VOLUME),
            source: Some(volume.to_string()),
            target: Some(PLACE.into()),
            ..Mount::default()
        };
        let body = ContainerCreateBody {
            image: Some(image.to_string()),
            host_config: Some(HostConfig {
                network_mode: Some("none".into()),
                mounts: Some(vec![mount]),
                ..HostConfig::default()
            }),
            ..ContainerCreateBody::default()
        };
        match self.create(FILL, name, body).await {
            Err(error) if error.failure == Failure::Conflict => match self.find(name).await? {
                Some(there) => Ok(there.id),
                None => Err(error),
            },
            made => made,
        }
    }

    async fn fill(&self, filler: &ContainerId) -> Result<(), DockerError> {
        let there = self.fetch_files(FILL, filler, PROGRAM, LIST).await?;
        // Half of it is what an engine that died has left.
        let whole = |archive: Vec<u8>| unpack(&archive).is_ok_and(|bytes| bytes == sandbox_image::guest_binary());
        if there.is_some_and(whole) {
            return Ok(());
        }
        self.put_files(FILL, filler, pack()).await
    }
}

fn pack() -> io::Result<Vec<u8>> {
    let program = sandbox_image::guest_binary();
    let mut header = tar::Header::new_ustar();
    header.set_mode(0o755);
    header.set_mtime(0);
    header.set_size(program.len() as u64);
    let mut archive = tar::Builder::new(Vec::new());
    archive.append_data(&mut header, PROGRAM.trim_start_matches('/'), program)?;
    archive.into_inner()
}

fn unpack(archive: &[u8]) -> io::Result<Vec<u8>> {
    let mut archive = tar::Archive::new(archive);
    let Some(entry) = archive.entries()?.next() else { return Ok(Vec::new()) };
    let mut bytes = Vec::new();
    entry?.read_to_end(&mut bytes)?;
    Ok(bytes)
}
