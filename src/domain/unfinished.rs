//! Work that somebody left half-done, seen from labels alone: no record is needed, so any console sees it.
//!
//! A healthy app has one app container in each instance, all made from the same spec and image. What differs was left by an operation that
//! died, was interrupted, or paused. An app whose lock is held is being worked on: nothing is said of it. A lock that was created and never started
//! is held for a moment only.

use super::fleet::{App, Container, Fleet, Instance, State};
use super::ids::AppId;
use super::labels::Role;
use jiff::Timestamp;

/// What was left of one operation on one app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unfinished {
    pub app: AppId,
    /// The newest revision that was made.
    pub revision: u32,
    /// The operation that made it, by its label.
    pub operation: String,
    /// How it shows, instance by instance.
    pub signs: Vec<String>,
}

/// What was left half-done in this fleet, as it is at `now`.
pub fn unfinished(fleet: &Fleet, now: Timestamp) -> Vec<Unfinished> {
    // What was only made to take a stranger's place is an adoption's to go on with.
    let is_adopted = |app: &&App| app.instances.iter().any(|instance| fleet.in_place_of(instance).is_some());
    let is_busy = |app: &App| fleet.busy.get(&app.id).is_some_and(|busy| busy.counts(now));
    let idle = fleet.apps.iter().filter(|app| app.managed && !is_busy(app));
    idle.filter(|app| !is_adopted(app)).filter_map(of_app).collect()
}

fn of_app(app: &App) -> Option<Unfinished> {
    let newest = newest_made(app)?;
    let signs: Vec<String> = app.instances.iter().filter_map(|instance| sign(instance, newest)).collect();
    if signs.is_empty() {
        return None;
    }
    let operation = newest.own.as_ref().map(|own| own.operation.clone()).unwrap_or_default();
    Some(Unfinished { app: app.id.clone(), revision: newest.revision(), operation, signs })
}

/// The app container of the highest revision, whether it serves, waits or was put aside.
pub fn newest_made(app: &App) -> Option<&Container> {
    app.instances.iter().flat_map(app_containers).max_by_key(|container| container.revision())
}

/// The app containers of an instance, the serving one first.
pub fn app_containers(instance: &Instance) -> impl Iterator<Item = &Container> {
    let is_app = |container: &&Container| container.own.as_ref().is_some_and(|own| own.role == Role::App);
    instance.but_sandbox().filter(is_app)
}

fn sign(instance: &Instance, newest: &Container) -> Option<String> {
    let name = instance.name.short();
    let Some(app) = &instance.app else { return Some(format!("{name} has only its sandbox")) };
    let serves = app.revision();
    if app.state == State::Created {
        return Some(format!("{} was made and never started", app.name));
    }
    let beside: Vec<String> = app_containers(instance).skip(1).map(|other| format!("r{}", other.revision())).collect();
    match (beside.is_empty(), is_alike(app, newest)) {
        (true, true) => None,
        (true, false) => Some(format!("{name} runs revision {serves}, others {}", newest.revision())),
        (false, _) => Some(format!("{name} runs revision {serves} and has {} beside it", beside.join(", "))),
    }
}

/// Made from the same spec and image: what was taken back has a new number and is what it was.
pub fn is_alike(one: &Container, other: &Container) -> bool {
    let hash = |container: &Container| container.own.as_ref().map(|own| own.spec_hash.clone());
    one.image_id == other.image_id && hash(one) == hash(other)
}

impl Unfinished {
    /// `shop/web: revision 3 (operation …) is not everywhere: web-2 runs revision 2, others 3`.
    pub fn sentence(&self) -> String {
        let shown = self.signs.iter().take(3).cloned().collect::<Vec<_>>().join("; ");
        let more = self.signs.len().saturating_sub(3);
        let more = if more > 0 { format!("; and {more} more") } else { String::new() };
        format!(
            "{}: what operation {} began with revision {} was left half-done: {shown}{more}",
            self.app, self.operation, self.revision
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::few::Few;
    use crate::domain::fleet::EngineInfo;
    use crate::domain::ids::ContainerId;
    use crate::domain::labels::OwnLabels;

    fn container(id: u32, name: &str, role: Role, revision: u32, state: State) -> Container {
        let app = AppId::new("shop", "web");
        let number = name.bytes().find(u8::is_ascii_digit).map_or(1, |digit| u32::from(digit - b'0'));
        let operation = format!("op-{revision}");
        Container {
            id: ContainerId::new(format!("{id:064x}")).unwrap(),
            name: name.into(),
            image: "web".into(),
            image_id: format!("sha256:{revision}").as_str().into(),
            state,
            health: None,
            status: "".into(),
            created: None,
            own: Some(OwnLabels {
                app,
                number,
                role,
                revision,
                operation,
                held: false,
                spec: None,
                spec_hash: String::new(),
                replaces: None,
            }),
            compose: None,
            labels: Few::default(),
            networks: Few::default(),
            ports: Vec::new(),
            mounts: Vec::new(),
            network_mode: "bridge".into(),
            detail: None,
        }
    }

    /// An instance's app containers: revision and state.
    type Apps<'a> = &'a [(u32, State)];

    /// Instances with these app containers (revision, state) each, and a sandbox.
    fn left(instances: &[Apps<'_>], lock: Option<Container>) -> Vec<Unfinished> {
        let mut all = Vec::new();
        for (number, apps) in (1..).zip(instances) {
            let id = || u32::try_from(all.len()).unwrap() + 1;
            let sandbox = container(id(), &format!("shop-web-{number}"), Role::Sandbox, 0, State::Running);
            all.push(sandbox);
            for (revision, state) in *apps {
                let id = u32::try_from(all.len()).unwrap() + 1;
                all.push(container(id, &format!("shop-web-{number}.r{revision}"), Role::App, *revision, *state));
            }
        }
        all.extend(lock);
        unfinished(&Fleet::assemble(EngineInfo::default(), all), at(100))
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + second).unwrap()
    }

    fn lock(state: State, created: Option<Timestamp>) -> Container {
        Container { created, ..container(999, "pitstop-lock-shop-web", Role::Lock, 0, state) }
    }

    #[test]
    fn a_lock_that_was_created_and_not_started_hides_nothing_for_long() {
        let half: &[Apps<'_>] = &[&[(2, State::Running), (3, State::Created)]];
        for (state, created, seen) in [
            (State::Running, Some(at(0)), 0),
            (State::Created, Some(at(96)), 0),
            (State::Created, Some(at(94)), 1),
            (State::Created, Some(at(130)), 0),
            (State::Created, None, 0),
        ] {
            assert_eq!(left(half, Some(lock(state, created))).len(), seen, "{state:?} {created:?}");
        }
    }

    #[test]
    fn what_differs_from_a_healthy_app_is_told() {
        use State::{Created, Exited, Running};
        let cases: [(&[Apps<'_>], &[&str]); 7] = [
            (&[&[(2, Running)], &[(2, Running)]], &[]),
            (&[&[(2, Exited)], &[(2, Running)]], &[]),
            (&[&[(3, Running)], &[(2, Running)]], &["web-2 runs revision 2, others 3"]),
            (&[&[(2, Running), (3, Created)]], &["web-1 runs revision 2 and has r3 beside it"]),
            (&[&[(3, Running), (2, Exited)]], &["web-1 runs revision 3 and has r2 beside it"]),
            (&[&[(1, Created)]], &["shop-web-1.r1 was made and never started"]),
            (&[&[(1, Running)], &[]], &["web-2 has only its sandbox"]),
        ];
        for (instances, signs) in cases {
            let found = left(instances, None);
            let told: Vec<_> = found.iter().flat_map(|one| one.signs.iter().map(String::as_str)).collect();
            assert_eq!(told, signs, "{instances:?}");
            assert_eq!(left(instances, Some(lock(Running, None))), [], "somebody is at work: {instances:?}");
        }
        let mixed = &left(&[&[(3, Running)], &[(2, Running)]], None)[0];
        assert_eq!((mixed.revision, mixed.operation.as_str()), (3, "op-3"));
    }
}
