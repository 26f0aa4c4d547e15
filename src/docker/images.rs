//! Images: asked for, pulled, loaded.

use super::client::{Changes, Docker, READ, late};
use super::credentials::Login;
use super::error::{DockerError, Failure, of_registry_words};
use super::{read, sandbox_image};
use crate::domain::clean::clean;
use crate::domain::facts::ImageSeen;
use crate::domain::ids::ImageRef;
use bollard::body_full;
use bollard::models::CreateImageInfo;
use bollard::query_parameters::{CreateImageOptions, ImportImageOptions};
use bytes::Bytes;
use futures_util::TryStreamExt;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long a registry, or the engine's unpacking, may say nothing.
const IDLE: Duration = Duration::from_secs(120);

/// For loading the sandbox image: 0.1 s when all is well.
const LOAD: Duration = Duration::from_secs(120);

/// How far a pull is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PullProgress {
    /// Compressed bytes of the layers seen so far.
    pub done: u64,
    /// Grows while layers are discovered.
    pub total: u64,
    /// E.g. `3 of 5 layers`.
    pub note: String,
}

impl Docker {
    /// The image, if the engine has it.
    pub async fn image(&self, image: &ImageRef) -> Result<Option<ImageSeen>, DockerError> {
        match self.call("inspect image", image.as_str(), READ, self.client().inspect_image(image.as_str())).await {
            Ok(seen) => Ok(Some(read::image(seen))),
            Err(error) if error.failure == Failure::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl Changes {
    /// Pulls an image. Gives up when nothing is heard for 120 s; a deadline for the whole is the caller's.
    pub async fn pull(
        &self,
        image: &ImageRef,
        mut on_progress: impl FnMut(PullProgress) + Send,
    ) -> Result<(), DockerError> {
        let name = image.as_str();
        if name.starts_with("sha256:") {
            let words = "an image id can't be pulled, only a name; this engine no longer has the image";
            return Err(DockerError::new("pull", name, Failure::Invalid, words));
        }
        let (repository, tag) = repository_and_tag(name);
        let login = Login::find(name).await;
        let options = CreateImageOptions {
            from_image: Some(repository.to_owned()),
            tag: Some(tag.to_owned()),
            ..CreateImageOptions::default()
        };
        let mut lines = self.client().create_image(Some(options), None, login.credentials());
        let mut layers = Layers::default();
        loop {
            let Ok(line) = tokio::time::timeout(IDLE, lines.try_next()).await else {
                return Err(late("pull", name, IDLE));
            };
            match line {
                Ok(None) => return Ok(()),
                Ok(Some(line)) => on_progress(layers.take(line)),
                Err(error) => return Err(of_pull(DockerError::of_client("pull", name, &error), &login)),
            }
        }
    }

    /// Loads a Docker archive.
    pub async fn load_image(&self, archive: Bytes) -> Result<(), DockerError> {
        let lines = self.client().import_image(ImportImageOptions::default(), body_full(archive), None);
        let all = lines.try_for_each(|_| async { Ok(()) });
        self.call("load image", sandbox_image::TAG, LOAD, all).await
    }

    /// Makes the sandbox image available, once per engine, and names it. `given`: use this one instead of pitstop's own.
    pub async fn ensure_sandbox_image(&self, given: Option<&ImageRef>) -> Result<ImageRef, DockerError> {
        const ENSURE: &str = "provide sandbox image";
        if let Some(given) = given {
            if self.image(given).await?.is_none() {
                self.pull(given, |_| ()).await?;
            }
            return Ok(given.clone());
        }
        let arch = self.info().arch.as_str();
        if arch != sandbox_image::ARCH {
            let ours = match sandbox_image::ARCH {
                "" => "this build of pitstop has none".to_owned(),
                ours => format!("the one in this build of pitstop is for {ours}"),
            };
            let words = format!("the engine's machine is {arch}, {ours}");
            return Err(DockerError::new(ENSURE, sandbox_image::TAG, Failure::Invalid, &words).advise(format!(
                "name one for {arch} with --sandbox-image: `docker save` of the image from a pitstop built on {arch}"
            )));
        }
        let tag = ImageRef::new(sandbox_image::TAG)
            .map_err(|error| DockerError::new(ENSURE, sandbox_image::TAG, Failure::Invalid, &error.to_string()))?;
        if self.image(&tag).await?.is_some() {
            return Ok(tag);
        }
        let _once = self.inner.loading.lock().await;
        if self.image(&tag).await?.is_none() {
            self.load_image(Bytes::from_static(sandbox_image::archive())).await?;
        }
        Ok(tag)
    }
}

/// The two query parameters of a pull. Without a tag the engine would pull every tag there is.
fn repository_and_tag(name: &str) -> (&str, &str) {
    if name.contains('@') {
        return (name, "");
    }
    let last = name.rfind('/').map_or(0, |slash| slash + 1);
    match name[last..].rfind(':') {
        Some(colon) => (&name[..last + colon], &name[last + colon + 1..]),
        None => (name, "latest"),
    }
}

/// Before its first line a pull fails with status 500 for whatever the registry said.
fn of_pull(mut error: DockerError, login: &Login) -> DockerError {
    if error.failure == Failure::Server {
        error.failure = of_registry_words(&error.message);
    }
    let words = error.message.to_lowercase();
    let any = |list: &[&str]| list.iter().any(|part| words.contains(part));
    match error.failure {
        Failure::Denied => error.advise(login.advice()),
        Failure::Busy if any(&["toomanyrequests", "too many requests"]) => {
            error.advise("the registry limits pulls: wait, or log in with `docker login` for a higher limit")
        }
        Failure::Busy => error.advise("the registry, or the way to it, has a fault: try again later"),
        _ if any(&["no matching manifest"]) => error.advise(
            "the image has no version for the CPU of the engine's machine: build one for it, or name another image",
        ),
        _ if any(&["connection refused", "no such host", "no route to host", "dial tcp"]) => {
            error.advise("the engine's machine can't reach the registry: is the address right, and does it run?")
        }
        _ => error,
    }
}

/// What the lines of a pull have said about its layers.
#[derive(Default)]
struct Layers(BTreeMap<String, Layer>);

#[derive(Default)]
struct Layer {
    done: u64,
    total: u64,
    ready: bool,
    unpacking: bool,
}

impl Layers {
    fn take(&mut self, line: CreateImageInfo) -> PullProgress {
        let status = line.status.unwrap_or_default();
        let number = |value: Option<i64>| value.and_then(|n| u64::try_from(n).ok()).unwrap_or_default();
        // Lines about the whole ("Pulling from …") carry the tag as their id.
        if let Some(id) = line.id.filter(|_| !status.starts_with("Pulling from")) {
            let layer = self.0.entry(id).or_default();
            let detail = line.progress_detail.unwrap_or_default();
            match status.as_str() {
                "Downloading" => {
                    layer.done = number(detail.current);
                    layer.total = number(detail.total).max(layer.done);
                }
                "Verifying Checksum" | "Download complete" => layer.done = layer.total,
                "Extracting" => {
                    layer.done = layer.total;
                    layer.unpacking = true;
                }
                "Pull complete" | "Already exists" => {
                    layer.done = layer.total;
                    layer.unpacking = false;
                    layer.ready = true;
                }
                _ => {}
            }
        }
        let ready = self.0.values().filter(|layer| layer.ready).count();
        let note = match self.0.len() {
            0 => clean(&status),
            all if self.0.values().any(|layer| layer.unpacking) => format!("unpacking, {ready} of {all} layers"),
            all => format!("{ready} of {all} layers"),
        };
        let sum = |of: fn(&Layer) -> u64| self.0.values().map(of).sum();
        PullProgress { done: sum(|layer| layer.done), total: sum(|layer| layer.total), note }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_never_asks_for_every_tag() {
        for (name, want) in [
            ("web", ("web", "latest")),
            ("web:v2", ("web", "v2")),
            ("127.0.0.1:5000/shop/web", ("127.0.0.1:5000/shop/web", "latest")),
            ("127.0.0.1:5000/shop/web:2.0", ("127.0.0.1:5000/shop/web", "2.0")),
            ("web@sha256:00ff", ("web@sha256:00ff", "")),
            ("web:v2@sha256:00ff", ("web:v2@sha256:00ff", "")),
        ] {
            assert_eq!(repository_and_tag(name), want);
        }
    }

    #[test]
    fn progress_adds_up_over_layers() {
        let mut layers = Layers::default();
        let mut take = |line: &str| layers.take(serde_json::from_str(line).unwrap());
        assert_eq!(take(r#"{"status":"Pulling from app","id":"1"}"#).note, "Pulling from app");
        take(r#"{"status":"Already exists","id":"a"}"#);
        take(r#"{"status":"Pulling fs layer","id":"b"}"#);
        let half = take(r#"{"status":"Downloading","progressDetail":{"current":50,"total":100},"id":"b"}"#);
        assert_eq!((half.done, half.total, half.note.as_str()), (50, 100, "1 of 2 layers"));
        let unpacking = take(r#"{"status":"Extracting","progressDetail":{"current":1,"total":100},"id":"b"}"#);
        assert_eq!((unpacking.done, unpacking.note.as_str()), (100, "unpacking, 1 of 2 layers"));
        take(r#"{"status":"Pull complete","progressDetail":{},"id":"b"}"#);
        let end = take(r#"{"status":"Status: Downloaded newer image for app:1"}"#);
        assert_eq!((end.done, end.total, end.note.as_str()), (100, 100, "2 of 2 layers"));
    }
}
