//! A container that pitstop has not made, as what an instance would be made from: everything it was configured with.
//!
//! Its spec says what it was asked to be, so that a later deployment compares well with a file; its sandbox part says
//! what it is now, so that nobody notices: hostname, host ports, names. What can't be kept is named, never dropped in
//! silence. How a container is read is `docker/`'s, what is done about it `recipe/adopt.rs`'s.

use super::ids::{AppId, ContainerId, is_project_name, is_service_name};
use super::spec::{AppSpec, SandboxSpec};
use std::collections::BTreeMap;

/// The project of plain containers, unless somebody names another.
pub const PROJECT: &str = "adopted";

/// A container's configuration, translated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Original {
    /// What it was asked to be; what its image says by itself is left to the image.
    pub spec: AppSpec,
    /// The network side exactly as it is: its hostname, the host ports it got, the names it answers to.
    pub sandbox: SandboxSpec,
    /// Its IPv4 address by network, where nobody had asked for it: the engine chose.
    pub chosen: BTreeMap<String, String>,
    /// The files that Compose made it from.
    pub files: Vec<String>,
    /// What can't be kept, a sentence each: done only with consent.
    pub losses: Vec<String>,
    /// Why it can't be adopted at all, a sentence each.
    pub obstacles: Vec<String>,
}

/// What a sandbox that takes a container's place remembers of it, in its labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adoption {
    pub from: ContainerId,
    /// The addresses it is to have, by network.
    pub addresses: BTreeMap<String, String>,
    /// The step that found out where they can be asked for.
    pub places: Option<usize>,
}

/// Which app and instance a container becomes: Compose's own, else by its name; in `project`, else in Compose's own, else in
/// `plain`. The error is a sentence.
pub fn named(
    name: &str,
    compose: Option<(&str, &str, u32)>,
    project: Option<&str>,
    plain: &str,
) -> Result<(AppId, u32), String> {
    let (own, app, number) = match compose {
        Some((project, service, number)) => (project, service, number.max(1)),
        None => (plain, name, 1),
    };
    let project = project.unwrap_or(own);
    if !is_project_name(project) {
        return Err(format!(
            "`{project}` can't name a project here; give another with --project (lower-case letters, digits, - and _)"
        ));
    }
    if !is_service_name(app) {
        return Err(format!("`{app}` can't name an app here: rename the container first, `docker rename {name} NAME`"));
    }
    Ok((AppId::new(project, app), number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compose_names_its_own_and_a_plain_container_goes_by_its_name() {
        let compose = Some(("shop", "web", 2));
        assert_eq!(named("shop_web_2", compose, None, PROJECT), Ok((AppId::new("shop", "web"), 2)));
        assert_eq!(named("redis", None, None, PROJECT), Ok((AppId::new("adopted", "redis"), 1)));
        assert_eq!(named("redis", None, Some("cache"), PROJECT), Ok((AppId::new("cache", "redis"), 1)));
        assert!(named("redis", None, Some("Not/One"), PROJECT).is_err());
        assert!(named(&"x".repeat(80), None, None, PROJECT).is_err());
    }
}
