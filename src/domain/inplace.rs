//! In place or not, and why: what differs between two specs, field by field.
//!
//! What an app container carries can change in place; what its sandbox carries can't, because the sandbox owns the
//! network namespace. Values of environment variables are secrets and never leave this module.

use super::clean::clean;
use super::spec::{AppSpec, ContainerSpec, Mount, MountKind, NetworkAttach, PublishedPort, Resources, SandboxSpec};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// One difference between the spec that runs and the spec that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// As in the app's file: `image`, `environment TOKEN`, `ports` …
    pub field: String,
    pub from: String,
    pub to: String,
    pub in_place: bool,
    /// Why it can or can't change in place.
    pub reason: &'static str,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} → {}", self.field, self.from, self.to)
    }
}

const APP_ONLY: &str = "it belongs to the app container, which is replaced";
const STORAGE: &str = "volumes are mounted by the app container, which is replaced";
const NAMESPACE: &str = "it belongs to the network namespace, which the sandbox owns";
const PORTS: &str = "published ports are set when the sandbox is created";
const NETWORKS: &str = "the sandbox joins its networks when it is created, and its address comes with it";
const NAMES: &str = "the sandbox's name resolution is written when it is created";

/// What differs. Image ids: of the container that runs, and of the reference wanted (`None`: not known before a pull).
pub fn compare(old: &AppSpec, new: &AppSpec, old_image_id: &str, new_image_id: Option<&str>) -> Vec<Change> {
    let mut changes = Changes(Vec::new());
    changes.image(old, new, old_image_id, new_image_id);
    changes.container(&old.container, &new.container);
    changes.sandbox(&old.sandbox, &new.sandbox);
    changes.0
}

/// The changes that need a new sandbox, a line each, for a refusal.
pub fn blockers(changes: &[Change]) -> Vec<String> {
    changes.iter().filter(|change| !change.in_place).map(|change| format!("{change} ({})", change.reason)).collect()
}

struct Changes(Vec<Change>);

impl Changes {
    fn push(&mut self, field: impl Into<String>, from: &str, to: &str, in_place: bool, reason: &'static str) {
        self.0.push(Change { field: field.into(), from: clean(from), to: clean(to), in_place, reason });
    }

    fn image(&mut self, old: &AppSpec, new: &AppSpec, old_id: &str, new_id: Option<&str>) {
        if old.image != new.image {
            self.push("image", &old.image, &new.image, true, APP_ONLY);
        } else if new_id != Some(old_id) {
            let to =
                new_id.map_or("as the registry has it now".to_owned(), |id| format!("{} ({})", new.image, short(id)));
            self.push("image", &format!("{} ({})", old.image, short(old_id)), &to, true, APP_ONLY);
        }
    }

    /// A field of the app container: in place.
    fn app<T: PartialEq>(&mut self, field: &str, old: &T, new: &T, show: impl Fn(&T) -> String) {
        if old != new {
            self.push(field, &show(old), &show(new), true, APP_ONLY);
        }
    }

    /// A field of the sandbox: not in place.
    fn fixed<T: PartialEq>(
        &mut self,
        field: &str,
        old: &T,
        new: &T,
        reason: &'static str,
        show: impl Fn(&T) -> String,
    ) {
        if old != new {
            self.push(field, &show(old), &show(new), false, reason);
        }
    }

    /// A map, one change per key; `secret` shows only whether there is a value.
    fn map(&mut self, field: &str, old: &BTreeMap<String, String>, new: &BTreeMap<String, String>, secret: bool) {
        for key in old.keys().chain(new.keys()).collect::<BTreeSet<_>>() {
            let (from, to) = (old.get(key), new.get(key));
            if from == to {
                continue;
            }
            let show = |value: Option<&String>, other: &str| match value {
                None => "none".to_owned(),
                Some(_) if secret => other.to_owned(),
                Some(value) => value.clone(),
            };
            let to_word = if from.is_some() { "another value" } else { "set" };
            self.push(format!("{field} {}", clean(key)), &show(from, "set"), &show(to, to_word), true, APP_ONLY);
        }
    }

    fn container(&mut self, old: &ContainerSpec, new: &ContainerSpec) {
        self.app("entrypoint", &old.entrypoint, &new.entrypoint, words);
        self.app("command", &old.command, &new.command, words);
        self.map("environment", &old.environment, &new.environment, true);
        self.app("user", &old.user, &new.user, text);
        self.app("working_dir", &old.working_dir, &new.working_dir, text);
        self.map("label", &old.labels, &new.labels, false);
        self.mounts(&old.mounts, &new.mounts);
        self.app("healthcheck", &old.healthcheck, &new.healthcheck, debug);
        self.app("restart", &old.restart, &new.restart, debug);
        self.app("stop_signal", &old.stop_signal, &new.stop_signal, text);
        self.app("stop_grace_period", &old.stop_grace_ms, &new.stop_grace_ms, |ms| {
            ms.map_or_else(|| "default".to_owned(), super::duration::human)
        });
        self.app("init", &old.init, &new.init, debug);
        self.app("tty", &old.tty, &new.tty, debug);
        self.app("stdin_open", &old.stdin_open, &new.stdin_open, debug);
        self.app("privileged", &old.privileged, &new.privileged, debug);
        self.app("read_only", &old.read_only, &new.read_only, debug);
        self.app("cap_add", &old.cap_add, &new.cap_add, |list| join(list));
        self.app("cap_drop", &old.cap_drop, &new.cap_drop, |list| join(list));
        self.app("security_opt", &old.security_opt, &new.security_opt, |list| join(list));
        self.app("group_add", &old.group_add, &new.group_add, |list| join(list));
        self.app("ulimits", &old.ulimits, &new.ulimits, debug);
        self.map("sysctl", &old.sysctls, &new.sysctls, false);
        self.resources(&old.resources, &new.resources);
        self.app("logging", &old.logging, &new.logging, |logging| {
            logging.as_ref().map_or_else(|| "default".to_owned(), |logging| logging.driver.clone())
        });
        self.app("shm_size", &old.shm_size, &new.shm_size, debug);
        for key in old.verbatim.keys().chain(new.verbatim.keys()).collect::<BTreeSet<_>>() {
            let (from, to) = (old.verbatim.get(key), new.verbatim.get(key));
            self.app(&clean(key), &from, &to, |value| value.map_or("none".into(), ToString::to_string));
        }
    }

    fn resources(&mut self, old: &Resources, new: &Resources) {
        let limit = |n: &Option<i64>| n.map_or_else(|| "unlimited".to_owned(), |n| n.to_string());
        self.app("memory", &old.memory, &new.memory, limit);
        self.app("memory reservation", &old.memory_reservation, &new.memory_reservation, limit);
        self.app("memory and swap", &old.memory_swap, &new.memory_swap, limit);
        self.app("cpus", &old.nano_cpus, &new.nano_cpus, limit);
        self.app("cpu_shares", &old.cpu_shares, &new.cpu_shares, limit);
        self.app("cpuset", &old.cpuset, &new.cpuset, text);
        self.app("pids_limit", &old.pids, &new.pids, limit);
    }

    fn mounts(&mut self, old: &[Mount], new: &[Mount]) {
        let by_target = |mounts: &[Mount]| -> BTreeMap<String, Mount> {
            mounts.iter().map(|mount| (mount.target.clone(), mount.clone())).collect()
        };
        let (old, new) = (by_target(old), by_target(new));
        for target in old.keys().chain(new.keys()).collect::<BTreeSet<_>>() {
            let (from, to) = (old.get(target), new.get(target));
            if from != to {
                self.push(format!("volume at {}", clean(target)), &mount(from), &mount(to), true, STORAGE);
            }
        }
    }

    fn sandbox(&mut self, old: &SandboxSpec, new: &SandboxSpec) {
        self.fixed("ports", &old.ports, &new.ports, PORTS, |ports| list(ports, port));
        self.networks(&old.networks, &new.networks);
        self.fixed("hostname", &old.hostname, &new.hostname, NAMESPACE, text);
        self.fixed("domainname", &old.domainname, &new.domainname, NAMESPACE, text);
        self.fixed("dns", &old.dns, &new.dns, NAMES, |list| join(list));
        self.fixed("dns_search", &old.dns_search, &new.dns_search, NAMES, |list| join(list));
        self.fixed("dns_opt", &old.dns_options, &new.dns_options, NAMES, |list| join(list));
        self.fixed("extra_hosts", &old.extra_hosts, &new.extra_hosts, NAMES, |list| join(list));
        self.fixed("sysctls net.*", &old.sysctls, &new.sysctls, NAMESPACE, debug);
    }

    fn networks(&mut self, old: &[NetworkAttach], new: &[NetworkAttach]) {
        // Their order decides nothing: the engine chooses the way out by itself.
        let names = |list: &[NetworkAttach]| list.iter().map(|attach| attach.network.clone()).collect::<BTreeSet<_>>();
        let (from, to) = (names(old), names(new));
        self.fixed("networks", &from, &to, NETWORKS, |names| join(&names.iter().cloned().collect::<Vec<_>>()));
        for was in old {
            let Some(is) = new.iter().find(|attach| attach.network == was.network) else { continue };
            let on = |what: &str| format!("{what} on {}", clean(&was.network));
            self.fixed(&on("aliases"), &was.aliases, &is.aliases, NETWORKS, |list| join(list));
            self.fixed(&on("ipv4_address"), &was.ipv4, &is.ipv4, NETWORKS, text);
            self.fixed(&on("ipv6_address"), &was.ipv6, &is.ipv6, NETWORKS, text);
            self.fixed(&on("mac_address"), &was.mac, &is.mac, NETWORKS, text);
        }
    }
}

fn short(id: &str) -> &str {
    let hex = id.strip_prefix("sha256:").unwrap_or(id);
    hex.get(..12).unwrap_or(hex)
}

#[expect(clippy::ref_option, reason = "`show` takes the field as it is")]
fn text(value: &Option<String>) -> String {
    value.clone().unwrap_or_else(|| "default".into())
}

#[expect(clippy::ref_option, reason = "`show` takes the field as it is")]
fn words(value: &Option<Vec<String>>) -> String {
    value.as_ref().map_or_else(|| "the image's own".into(), |words| words.join(" "))
}

fn join(list: &[String]) -> String {
    if list.is_empty() { "none".into() } else { list.join(", ") }
}

fn list<T>(items: &[T], show: impl Fn(&T) -> String) -> String {
    join(&items.iter().map(show).collect::<Vec<_>>())
}

fn debug<T: fmt::Debug>(value: &T) -> String {
    format!("{value:?}").to_lowercase()
}

fn port(port: &PublishedPort) -> String {
    let host = match port.host {
        None => String::new(),
        Some((first, last)) if first == last => format!("{first}:"),
        Some((first, last)) => format!("{first}-{last}:"),
    };
    let ip = port.host_ip.as_ref().map_or(String::new(), |ip| format!("{ip}:"));
    format!("{ip}{host}{}/{}", port.container, port.protocol)
}

fn mount(mount: Option<&Mount>) -> String {
    let Some(mount) = mount else { return "none".into() };
    let kind = match mount.kind {
        MountKind::Volume if mount.source.is_empty() => "anonymous volume",
        MountKind::Volume => "volume",
        MountKind::Bind => "bind",
        MountKind::Tmpfs => "tmpfs",
    };
    let source = if mount.source.is_empty() { String::new() } else { format!(" {}", mount.source) };
    let read_only = if mount.read_only { " read-only" } else { "" };
    format!("{kind}{source}{read_only}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::spec::{Healthcheck, Logging, RestartPolicy};

    const ID: &str = "sha256:1111111111111111111111111111111111111111111111111111111111111111";
    const OTHER: &str = "sha256:2222222222222222222222222222222222222222222222222222222222222222";

    fn spec() -> AppSpec {
        let mut spec = AppSpec { image: "web:v1".into(), ..AppSpec::default() };
        spec.container.environment.insert("TOKEN".into(), "hush".into());
        spec.sandbox.networks.push(NetworkAttach { network: "front".into(), ..NetworkAttach::default() });
        spec
    }

    type Edit = (&'static str, fn(&mut AppSpec));

    /// The one change that `edit` makes.
    fn change(edit: impl FnOnce(&mut AppSpec)) -> Change {
        let mut new = spec();
        edit(&mut new);
        let mut changes = compare(&spec(), &new, ID, Some(ID));
        assert_eq!(changes.len(), 1, "{changes:?}");
        changes.remove(0)
    }

    #[test]
    fn equal_specs_do_not_differ() {
        assert_eq!(compare(&spec(), &spec(), ID, Some(ID)), []);
        let mut other = spec();
        other.rollout.min_ready_ms = Some(1);
        assert_eq!(compare(&spec(), &other, ID, Some(ID)), [], "how it is rolled out is no difference");
    }

    #[test]
    fn the_app_container_changes_in_place() {
        let edits: [Edit; 16] = [
            ("image", |s| s.image = "web:v2".into()),
            ("entrypoint", |s| s.container.entrypoint = Some(vec!["/x".into()])),
            ("command", |s| s.container.command = Some(vec!["-x".into()])),
            ("environment TOKEN", |s| {
                s.container.environment.insert("TOKEN".into(), "louder".into());
            }),
            ("environment MORE", |s| {
                s.container.environment.insert("MORE".into(), "1".into());
            }),
            ("user", |s| s.container.user = Some("1000".into())),
            ("working_dir", |s| s.container.working_dir = Some("/srv".into())),
            ("label team", |s| {
                s.container.labels.insert("team".into(), "a".into());
            }),
            ("volume at /data", |s| {
                s.container.mounts.push(Mount { target: "/data".into(), source: "v".into(), ..Mount::default() });
            }),
            ("healthcheck", |s| s.container.healthcheck = Some(Healthcheck::default())),
            ("restart", |s| s.container.restart = RestartPolicy::Always),
            ("stop_grace_period", |s| s.container.stop_grace_ms = Some(3000)),
            ("memory", |s| s.container.resources.memory = Some(1)),
            ("logging", |s| s.container.logging = Some(Logging { driver: "local".into(), ..Logging::default() })),
            ("sysctl kernel.shmmax", |s| {
                s.container.sysctls.insert("kernel.shmmax".into(), "1".into());
            }),
            ("read_only", |s| s.container.read_only = true),
        ];
        for (field, edit) in edits {
            let change = change(edit);
            assert_eq!((change.field.as_str(), change.in_place), (field, true));
        }
    }

    #[test]
    fn the_sandbox_does_not() {
        let edits: [Edit; 11] = [
            ("ports", |s| {
                s.sandbox.ports.push(PublishedPort {
                    container: 80,
                    protocol: "tcp".into(),
                    ..PublishedPort::default()
                });
            }),
            ("networks", |s| {
                s.sandbox.networks.push(NetworkAttach { network: "back".into(), ..NetworkAttach::default() });
            }),
            ("aliases on front", |s| s.sandbox.networks[0].aliases.push("w".into())),
            ("ipv4_address on front", |s| s.sandbox.networks[0].ipv4 = Some("10.0.0.9".into())),
            ("mac_address on front", |s| s.sandbox.networks[0].mac = Some("02:00:00:00:00:01".into())),
            ("hostname", |s| s.sandbox.hostname = Some("w".into())),
            ("domainname", |s| s.sandbox.domainname = Some("x.y".into())),
            ("dns", |s| s.sandbox.dns.push("9.9.9.9".into())),
            ("dns_search", |s| s.sandbox.dns_search.push("x.y".into())),
            ("extra_hosts", |s| s.sandbox.extra_hosts.push("a:1.2.3.4".into())),
            ("sysctls net.*", |s| {
                s.sandbox.sysctls.insert("net.core.somaxconn".into(), "1".into());
            }),
        ];
        for (field, edit) in edits {
            let change = change(edit);
            assert_eq!((change.field.as_str(), change.in_place), (field, false));
            assert_eq!(blockers(std::slice::from_ref(&change)).len(), 1);
            assert!(!change.reason.is_empty());
        }
    }

    #[test]
    fn secrets_are_named_not_shown() {
        let mut new = spec();
        new.container.environment.insert("TOKEN".into(), "louder".into());
        new.container.environment.insert("NEW".into(), "whisper".into());
        let mut old = spec();
        old.container.environment.insert("OLD".into(), "mumble".into());
        let shown: Vec<_> = compare(&old, &new, ID, Some(ID)).iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            ["environment NEW: none → set", "environment OLD: set → none", "environment TOKEN: set → another value"]
        );
    }

    #[test]
    fn the_same_tag_can_be_another_image() {
        let shown = |id| compare(&spec(), &spec(), ID, id).iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(shown(Some(OTHER)), ["image: web:v1 (111111111111) → web:v1 (222222222222)"]);
        assert_eq!(shown(None), ["image: web:v1 (111111111111) → as the registry has it now"]);
    }
}
