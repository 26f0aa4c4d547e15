//! How containers become apps and instances, and how people find them by name.

use super::{App, Busy, Container, EngineInfo, Fleet, Instance, State};
use crate::domain::clean::clean;
use crate::domain::ids::{AppId, InstanceName};
use crate::domain::labels::Role;
use crate::domain::lock::PLACE;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

/// An app's, by number and name. Boxed: a tree's nodes have room for many, and most apps have one.
type Instances = BTreeMap<(u32, String), Box<Instance>>;

impl Fleet {
    /// Groups containers into apps and instances: by pitstop's labels, else Compose's, else each by its own name.
    pub fn assemble<C: Into<Arc<Container>>>(engine: EngineInfo, containers: impl IntoIterator<Item = C>) -> Self {
        let mut apps: BTreeMap<(bool, AppId), Instances> = BTreeMap::new();
        let mut busy = BTreeMap::new();
        for container in containers {
            let container: Arc<Container> = container.into();
            let (managed, id, number, name) = place(&container);
            if container.own.as_ref().is_some_and(|own| own.role == Role::Lock) {
                // One that only holds an address, and does not, was left by a console that died.
                if container.is_alive() || !container.name.starts_with(PLACE) {
                    let unstarted = container.created.filter(|_| container.state == State::Created);
                    let now = unstarted.map_or(Busy::Held, Busy::Since);
                    let known: &mut Busy = busy.entry(id).or_insert(now);
                    *known = now.max(*known);
                }
                continue;
            }
            let key = (number, if managed { String::new() } else { name.0.clone() });
            let instance =
                apps.entry((!managed, id)).or_default().entry(key).or_insert_with(|| {
                    Box::new(Instance { name, number, sandbox: None, app: None, others: Vec::new() })
                });
            match &container.own {
                // Of two (one is put aside while it is replaced), the one that has the name.
                Some(own) if own.role == Role::Sandbox => {
                    let former = match &instance.sandbox {
                        Some(there) if *there.name == *own.app.sandbox_name(own.number) => Some(container),
                        _ => instance.sandbox.replace(container),
                    };
                    instance.others.extend(former);
                }
                Some(_) => instance.others.push(container),
                None => instance.app = Some(container),
            }
        }
        let apps = apps.into_iter().map(|((unmanaged, id), instances)| App {
            id,
            managed: !unmanaged,
            instances: instances.into_values().map(|instance| choose_serving(*instance)).collect(),
        });
        let mut apps: Vec<App> = apps.collect();
        apps.sort_by(|a, b| {
            let names = || natural(&a.id.project, &b.id.project).then_with(|| natural(&a.id.app, &b.id.app));
            a.managed.cmp(&b.managed).reverse().then_with(names)
        });
        Self { engine, apps, busy }
    }

    /// The app by `project/app`, or by `app` alone where that is unambiguous. The error is a sentence for the user.
    pub fn find(&self, target: &str) -> Result<&App, String> {
        let matches = |app: &&App| app.id.to_string() == target || app.id.app == target;
        let exact = self.apps.iter().find(|app| app.id.to_string() == target);
        let mut found = self.apps.iter().filter(matches);
        match (exact, found.next(), found.next()) {
            (Some(app), ..) | (None, Some(app), None) => Ok(app),
            (None, Some(first), Some(second)) => {
                Err(format!("`{target}` could be {} or {}; write project/app", first.id, second.id))
            }
            (None, None, _) => Err(self.unknown(target)),
        }
    }

    /// The instance by `project/app-N`, `app-N` where unambiguous, or an unmanaged container's name.
    pub fn find_instance(&self, target: &str) -> Option<(&App, &Instance)> {
        let mut found =
            self.apps.iter().flat_map(|app| app.instances.iter().map(move |instance| (app, instance))).filter(
                |(_, instance)| {
                    instance.name.0 == target
                        || instance.name.short() == target
                        || instance.app.iter().chain(&instance.sandbox).any(|container| &*container.name == target)
                },
            );
        match (found.next(), found.next()) {
            (Some(one), None) => Some(one),
            _ => None,
        }
    }

    /// The container whose place this instance was made to take and that still has it.
    pub fn in_place_of(&self, instance: &Instance) -> Option<&Container> {
        let from = instance.sandbox.as_deref()?.detail.as_ref()?.adopts.as_ref()?;
        let strangers = self.apps.iter().filter(|app| !app.managed).flat_map(|app| &app.instances);
        strangers.filter_map(|one| one.app.as_deref()).find(|one| one.id == *from && one.is_alive())
    }

    fn unknown(&self, target: &str) -> String {
        let target = clean(target);
        if self.apps.is_empty() {
            return format!("there is no app `{target}`: this engine has no containers");
        }
        let mut names: Vec<String> = self.apps.iter().map(|app| app.id.to_string()).collect();
        names.truncate(12);
        format!("there is no app `{target}` on this engine; it has {}", names.join(", "))
    }
}

/// Which app and instance a container belongs to.
fn place(container: &Container) -> (bool, AppId, u32, InstanceName) {
    if let Some(own) = &container.own {
        return (true, own.app.clone(), own.number, own.app.instance(own.number));
    }
    let name = InstanceName(container.name.to_string());
    match &container.compose {
        Some((project, service, number)) => (false, AppId::new(&**project, &**service), *number, name),
        None => (false, AppId::new("", &*container.name), 0, name),
    }
}

/// Of an instance's app containers, the one that serves: a running one, else one that has run, highest revision first.
fn choose_serving(mut instance: Instance) -> Instance {
    if instance.app.is_some() {
        return instance;
    }
    let is_app = |container: &Container| container.own.as_ref().is_none_or(|own| own.role == Role::App);
    let serves = |container: &Container| is_app(container) && container.is_alive();
    let oldest = instance.others.iter().filter(|one| serves(one)).map(|one| one.revision()).min().unwrap_or(0);
    let rank = |container: &Container| {
        let held = container.own.as_ref().is_some_and(|own| own.held);
        let state = match container.state {
            // Its sandbox holds it back for as long as an older one is there.
            _ if serves(container) && held && container.revision() > oldest => 2,
            State::Running | State::Paused | State::Restarting => 3,
            State::Created => 0,
            _ => 1,
        };
        (state, container.revision())
    };
    instance.others.sort_by_key(|container| std::cmp::Reverse(rank(container)));
    if let Some(first) = instance.others.iter().position(|one| is_app(one)) {
        instance.app = Some(instance.others.remove(first));
    }
    instance
}

/// As people count: `meter-2` comes before `meter-10`.
fn natural(one: &str, other: &str) -> Ordering {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let (mut one, mut other) = (one, other);
    while let (Some(left), Some(right)) = (one.chars().next(), other.chars().next()) {
        let (mut past, mut beyond) = (digits(one), digits(other));
        let order = if past > 0 && beyond > 0 {
            // However long they are: without zeros in front, the longer one is the greater one.
            let (left, right) = (one[..past].trim_start_matches('0'), other[..beyond].trim_start_matches('0'));
            left.len().cmp(&right.len()).then_with(|| left.cmp(right))
        } else {
            (past, beyond) = (left.len_utf8(), right.len_utf8());
            left.cmp(&right)
        };
        if order != Ordering::Equal {
            return order;
        }
        (one, other) = (&one[past..], &other[beyond..]);
    }
    one.len().cmp(&other.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_names_count_as_numbers() {
        let mut names = ["web-10", "web-2", "web", "api-007", "api-7b", "api-30", "7", "07x", "db"];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(names, ["7", "07x", "api-007", "api-7b", "api-30", "db", "web", "web-2", "web-10"]);
    }
}
