//! The labels that make an engine remember pitstop's work: state lives there, so any console sees the same truth.
//!
//! A label set by a stranger may be anything; what does not parse makes a container unmanaged, never an error.

use super::ids::{AppId, ContainerId, is_project_name, is_service_name};
use super::spec::AppSpec;
use std::collections::BTreeMap;

pub const PROJECT: &str = "io.pitstop.project";
pub const APP: &str = "io.pitstop.app";
pub const INSTANCE: &str = "io.pitstop.instance";
pub const ROLE: &str = "io.pitstop.role";
pub const REVISION: &str = "io.pitstop.revision";
pub const OPERATION: &str = "io.pitstop.operation";
pub const SPEC: &str = "io.pitstop.spec";
pub const SPEC_HASH: &str = "io.pitstop.spec-hash";
/// On app containers: the addresses of the sandbox by network, so that they are known when the sandbox is gone. On the
/// sandbox of an adopted container: the addresses that had.
pub const ADDRESSES: &str = "io.pitstop.addresses";

/// On the sandbox of an adopted container: that container's id.
pub const ADOPTS: &str = "io.pitstop.adopts";
/// On a new instance, until the one whose place it takes is gone: that one's sandbox, or what else there is of it.
pub const REPLACES: &str = "io.pitstop.replaces";
/// On app containers that were made to be held back: at their `start`, or at their `bind`.
pub const HOLD: &str = "io.pitstop.hold";
/// On the guest's images and so on sandboxes: what their guest can do.
pub const GUEST: &str = "io.pitstop.guest";

/// Compose's own labels, by which unmanaged containers find their app (v1 and v2).
pub const COMPOSE_PROJECT: &str = "com.docker.compose.project";
pub const COMPOSE_SERVICE: &str = "com.docker.compose.service";
pub const COMPOSE_FILES: &str = "com.docker.compose.project.config_files";
pub const COMPOSE_DIRECTORY: &str = "com.docker.compose.project.working_dir";
pub const COMPOSE_NUMBER: &str = "com.docker.compose.container-number";

/// The addresses an app container remembers; nothing where a stranger wrote something else.
pub fn addresses(labels: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let written: BTreeMap<String, std::net::Ipv4Addr> =
        labels.get(ADDRESSES).and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    written.into_iter().map(|(network, ip)| (super::clean::clean(&network), ip.to_string())).collect()
}

/// What a container is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    Sandbox,
    App,
    Lock,
}

impl Role {
    /// The label's value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sandbox => "sandbox",
            Self::App => "app",
            Self::Lock => "lock",
        }
    }
}

/// What pitstop's labels say about a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnLabels {
    pub app: AppId,
    /// Instance number, from 1.
    pub number: u32,
    pub role: Role,
    /// From 1; 0 on sandboxes.
    pub revision: u32,
    /// The operation that made it.
    pub operation: String,
    /// It was made to be held back while another version serves: of two that run, it is the one that does not serve.
    pub held: bool,
    /// Environment values left out.
    pub spec: Option<Box<AppSpec>>,
    pub spec_hash: String,
    /// A container of the instance whose place its own one takes.
    pub replaces: Option<ContainerId>,
}

impl OwnLabels {
    /// Reads them; `None` when they are not there or not ours.
    pub fn read(labels: &BTreeMap<String, String>) -> Option<Self> {
        let get = |key: &str| labels.get(key).map_or("", String::as_str);
        let role = [Role::Sandbox, Role::App, Role::Lock].into_iter().find(|role| role.as_str() == get(ROLE))?;
        let (project, app) = (get(PROJECT), get(APP));
        // A lock may be an unmanaged container's, which has no project.
        if role != Role::Lock && (!is_project_name(project) || !is_service_name(app)) {
            return None;
        }
        Some(Self {
            app: AppId::new(super::clean::clean(project), super::clean::clean(app)),
            number: get(INSTANCE)
                .parse()
                .ok()
                .filter(|n| *n > 0 || role == Role::Lock)
                .or((role == Role::Lock).then_some(0))?,
            role,
            revision: get(REVISION).parse().unwrap_or(0),
            operation: super::clean::clean(get(OPERATION)),
            held: labels.contains_key(HOLD),
            spec: serde_json::from_str(get(SPEC)).ok().map(|spec: AppSpec| {
                // A spec is for the engine, letter for letter; its image is also shown.
                Box::new(AppSpec { image: super::clean::clean(&spec.image), ..spec })
            }),
            spec_hash: super::clean::clean(get(SPEC_HASH)),
            replaces: ContainerId::new(get(REPLACES)).ok(),
        })
    }

    /// Writes them; the spec without its environment's values.
    pub fn write(&self) -> BTreeMap<String, String> {
        let mut labels = BTreeMap::from([
            (PROJECT.to_owned(), self.app.project.clone()),
            (APP.to_owned(), self.app.app.clone()),
            (INSTANCE.to_owned(), self.number.to_string()),
            (ROLE.to_owned(), self.role.as_str().to_owned()),
            (OPERATION.to_owned(), self.operation.clone()),
            (SPEC_HASH.to_owned(), self.spec_hash.clone()),
        ]);
        if let Some(replaced) = &self.replaces {
            labels.insert(REPLACES.to_owned(), replaced.to_string());
        }
        if self.role == Role::App {
            labels.insert(REVISION.to_owned(), self.revision.to_string());
        }
        if let Some(spec) = self.spec.as_ref().and_then(|spec| serde_json::to_string(&spec.without_secrets()).ok()) {
            labels.insert(SPEC.to_owned(), spec);
        }
        labels
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let own = OwnLabels {
            app: AppId::new("shop", "web"),
            number: 2,
            role: Role::App,
            revision: 7,
            operation: "op-1".into(),
            held: false,
            spec: Some(AppSpec { image: "web:v1".into(), ..AppSpec::default() }.into()),
            spec_hash: "ab".into(),
            replaces: Some(ContainerId::new("c".repeat(64)).unwrap()),
        };
        assert_eq!(OwnLabels::read(&own.write()), Some(own));
    }

    #[test]
    fn a_strangers_labels_are_not_ours() {
        for (key, value) in [(ROLE, "king"), (PROJECT, "../x"), (APP, ""), (INSTANCE, "0"), (INSTANCE, "x")] {
            let mut labels = BTreeMap::from(
                [(ROLE, "app"), (PROJECT, "shop"), (APP, "web"), (INSTANCE, "1")]
                    .map(|(k, v)| (k.to_owned(), v.to_owned())),
            );
            assert!(OwnLabels::read(&labels).is_some());
            labels.insert(key.to_owned(), value.to_owned());
            assert_eq!(OwnLabels::read(&labels), None, "{key}={value}");
        }
    }
}
