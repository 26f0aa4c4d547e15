//! The demo's fleet on a real engine: what no operation makes (images, a container of nobody's), and what of it is there.
//!
//! Everything is known by a label, so that taking it away takes nothing else. The apps themselves are created and removed
//! by operations like anybody's.

use super::{Error, Operator, Session};
use crate::docker::sandbox_image::{AppImage, app_archive};
use crate::docker::{DockerError, Failure};
use crate::domain::ids::{AppId, ImageRef, ObjectName};
use std::collections::{BTreeMap, BTreeSet};

/// On the demo's containers.
pub const LABEL: &str = "io.pitstop.demo";
/// On its images; containers inherit it, so it marks no container as the demo's.
const IMAGE_LABEL: &str = "io.pitstop.demo-image";
/// A container that pitstop did not make.
const STRANGER: &str = "demo-legacy-cron";

/// Name, and the arguments of the guest.
const IMAGES: [(&str, &[&str]); 7] = [
    ("pitstop-demo/web:v1", &["serve", "8080", "web v1"]),
    ("pitstop-demo/web:v2", &["serve", "8080", "web v2"]),
    ("pitstop-demo/api:v1", &["serve", "8080", "api v1"]),
    ("pitstop-demo/api:v2", &["serve", "8080", "api v2", "--boot-ms", "300"]),
    ("pitstop-demo/ledger:v1", &["serve", "8080", "ledger v1"]),
    ("pitstop-demo/ledger:v2", &["serve", "8080", "ledger v2", "--boot-ms", "500"]),
    // The trouble case: it runs for a while and fails.
    ("pitstop-demo/mail:v1", &["serve", "8080", "mail v1", "--exit-after-ms", "8000", "--exit-code", "3"]),
];

/// The apps of the demo's projects.
#[derive(Debug, Default)]
pub struct DemoApps {
    /// With the label; or without any app container yet, as a demo that was broken off leaves them.
    pub ours: Vec<AppId>,
    /// Of the same name by chance.
    pub others: Vec<AppId>,
}

impl Session {
    /// What there is of those projects.
    pub async fn demo_apps(&self, projects: &[&str]) -> Result<DemoApps, Error> {
        let found = self.docker().labelled(LABEL).await?;
        let labelled: BTreeSet<AppId> = found.into_iter().filter_map(|container| Some(container.own?.app)).collect();
        let mut apps = DemoApps::default();
        for app in self.fleet().await?.apps {
            if app.managed && projects.contains(&app.id.project.as_str()) {
                let half_made = app.instances.iter().all(|instance| instance.app.is_none());
                let whose = if half_made || labelled.contains(&app.id) { &mut apps.ours } else { &mut apps.others };
                whose.push(app.id);
            }
        }
        Ok(apps)
    }
}

impl Operator {
    /// Loads the demo's images and starts the container of nobody's.
    pub async fn begin_demo(&self) -> Result<(), Error> {
        let docker = self.changes();
        for (name, cmd) in IMAGES {
            let image = AppImage { cmd, labels: &[(IMAGE_LABEL, "1")], port: Some(8080), ..AppImage::default() };
            let archive = app_archive(name, &image).map_err(|error| invalid(name, &error.to_string()))?;
            docker.load_image(archive.into()).await?;
        }
        let labels = BTreeMap::from([(LABEL.to_owned(), "1".to_owned())]);
        let there = docker.labelled(LABEL).await?;
        let stranger = if let Some(found) = there.into_iter().find(|container| *container.name == *STRANGER) {
            found.id
        } else {
            let name = ObjectName::new(STRANGER).map_err(|error| invalid(STRANGER, &error.to_string()))?;
            let image = ImageRef::new(IMAGES[0].0).map_err(|error| invalid(STRANGER, &error.to_string()))?;
            docker.create_plain(&name, &image, &labels, None).await?
        };
        Ok(docker.start(&stranger).await?)
    }

    /// Takes away what no operation made; what an image is still used for stays, and is told.
    pub async fn end_demo(&self) -> Result<Vec<String>, Error> {
        let docker = self.changes();
        for container in docker.labelled(LABEL).await?.into_iter().filter(|container| container.own.is_none()) {
            docker.stop(&container.id, None).await?;
            docker.remove(&container.id, true).await?;
        }
        let mut kept = Vec::new();
        for image in docker.images_labelled(IMAGE_LABEL).await? {
            match docker.remove_image(&image).await {
                Ok(()) => {}
                Err(error) if error.failure == Failure::Conflict => kept.push(error.to_string()),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(kept)
    }
}

fn invalid(subject: &str, words: &str) -> DockerError {
    DockerError::new("make the demo's", subject, Failure::Invalid, words)
}
