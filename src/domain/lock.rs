//! The lock of an app: what it is called, what its labels tell about its holder, and what meeting it means.
//!
//! A lock keeps consoles from working on one app at the same time. It is politeness, not correctness: nothing in an
//! engine fences a holder off that was asleep, so each step stays safe if two consoles run. Pure.

use super::clean::clean;
use super::duration::human;
use super::fleet::State;
use super::ids::{AppId, ObjectName, OpId};
use super::labels;
use super::plan::{Kind, Plan};
use jiff::Timestamp;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// In front of every lock's name.
const PREFIX: &str = "pitstop-lock-";
/// The longest name of an object here.
const LONGEST: usize = 128;

const WHO: &str = "io.pitstop.lock.who";
const SINCE: &str = "io.pitstop.lock.since";
const WHAT: &str = "io.pitstop.lock.what";

/// A lock whose maker has not started it for so long will never be started: its maker died in between.
pub const MAKING: Duration = Duration::from_secs(5);

/// One lock that an operation needs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wanted {
    pub name: ObjectName,
    pub app: AppId,
}

/// Who holds a lock, as the lock itself tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// `anna@ops1`
    pub who: String,
    pub since: Option<Timestamp>,
    /// `deploy`
    pub what: String,
    pub operation: String,
    pub app: AppId,
}

/// What to do about a lock that is in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meeting {
    /// Somebody holds it, or is just taking it or letting it go.
    Held,
    /// Nobody holds it, and it will not go by itself.
    Abandoned,
}

/// The locks of a plan's apps, in the order in which everybody takes them.
pub fn wanted(plan: &Plan) -> Vec<Wanted> {
    let mut apps: BTreeSet<AppId> = plan.batches.iter().flatten().map(|instance| app_of(&instance.0)).collect();
    if apps.is_empty() && !plan.is_empty() {
        apps.insert(app_of_target(&plan.app));
    }
    let mut wanted: Vec<Wanted> = apps.into_iter().filter_map(|app| Some(Wanted { name: name(&app)?, app })).collect();
    wanted.sort();
    wanted.dedup_by(|one, other| one.name == other.name);
    wanted
}

/// `shop/web-2` is one of `shop/web`; a name without a project is a container of its own.
fn app_of(instance: &str) -> AppId {
    match instance.rsplit_once('-') {
        Some((app, number)) if instance.contains('/') && number.parse::<u32>().is_ok() => app_of_target(app),
        _ => app_of_target(instance),
    }
}

fn app_of_target(target: &str) -> AppId {
    target.split_once('/').map_or_else(|| AppId::new("", target), |(project, app)| AppId::new(project, app))
}

/// `pitstop-lock-PROJECT-APP`, or `pitstop-lock-NAME`; what a name may not hold becomes `-`, and what is too long a hash.
fn name(app: &AppId) -> Option<ObjectName> {
    let plain = if app.project.is_empty() { app.app.clone() } else { format!("{}-{}", app.project, app.app) };
    let proper = |c: char| if c.is_ascii_alphanumeric() || "_.-".contains(c) { c } else { '-' };
    let mut name = format!("{PREFIX}{}", plain.chars().map(proper).collect::<String>());
    if name.len() > LONGEST {
        let hash = format!("{:x}", Sha256::digest(plain.as_bytes()));
        name.truncate(LONGEST - 17);
        name = format!("{name}-{}", &hash[..16]);
    }
    ObjectName::new(name).ok()
}

impl Holder {
    /// What an operation writes on its lock.
    pub fn labels(&self) -> BTreeMap<String, String> {
        let mut labels = BTreeMap::from([
            (labels::ROLE.to_owned(), labels::Role::Lock.as_str().to_owned()),
            (labels::PROJECT.to_owned(), self.app.project.clone()),
            (labels::APP.to_owned(), self.app.app.clone()),
            (labels::OPERATION.to_owned(), self.operation.clone()),
            (WHO.to_owned(), self.who.clone()),
            (WHAT.to_owned(), self.what.clone()),
        ]);
        labels.extend(self.since.map(|since| (SINCE.to_owned(), since.to_string())));
        labels
    }

    /// What somebody's lock tells.
    pub fn read(labels: &BTreeMap<String, String>) -> Self {
        let get = |key: &str| clean(labels.get(key).map_or("", String::as_str));
        Self {
            who: get(WHO),
            since: get(SINCE).parse().ok(),
            what: get(WHAT),
            operation: get(labels::OPERATION),
            app: AppId::new(get(labels::PROJECT), get(labels::APP)),
        }
    }

    /// The holder of a lock that an operation of this kind takes now.
    pub fn of(wanted: &Wanted, who: String, since: Timestamp, kind: Kind, operation: &OpId) -> Self {
        Self {
            who,
            since: Some(since),
            what: kind.as_str().to_owned(),
            operation: operation.to_string(),
            app: wanted.app.clone(),
        }
    }

    /// `shop/web is locked by anna@ops1 since 3 m 05 s for a deploy (operation …)`
    pub fn sentence(&self, lock: &str, now: Timestamp) -> String {
        let app = if self.app.app.is_empty() { lock.to_owned() } else { self.app.to_string() };
        let or = |text: &str, other: &str| if text.is_empty() { other.to_owned() } else { text.to_owned() };
        let since = self.since.map_or(String::new(), |since| {
            let ms = u64::try_from(now.duration_since(since).as_millis()).unwrap_or(0);
            format!(" since {}", human(ms))
        });
        let operation =
            if self.operation.is_empty() { String::new() } else { format!(" (operation {})", self.operation) };
        let (who, what) = (or(&self.who, "somebody"), or(&self.what, "another operation"));
        format!("{app} is locked by {who}{since} for: {what}{operation}")
    }
}

/// What meeting a lock in that state means; `age`: since it was made, by the engine's own clock.
pub fn meeting(state: State, age: Duration) -> Meeting {
    match state {
        State::Created if age >= MAKING => Meeting::Abandoned,
        State::Exited | State::Dead if age >= MAKING => Meeting::Abandoned,
        _ => Meeting::Held,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::InstanceName;

    fn plan(instances: &[&str]) -> Plan {
        Plan {
            batches: instances.iter().map(|name| vec![InstanceName((*name).to_owned())]).collect(),
            ..Plan::nothing(Kind::Deploy, "shop".into(), String::new())
        }
    }

    #[test]
    fn a_lock_is_an_apps_and_everybody_takes_them_in_one_order() {
        let names = |instances: &[&str]| -> Vec<String> {
            wanted(&plan(instances)).into_iter().map(|wanted| wanted.name.to_string()).collect()
        };
        assert_eq!(names(&["shop/web-1", "shop/web-2"]), ["pitstop-lock-shop-web"]);
        assert_eq!(names(&["shop/web-api-10", "shop/db-1"]), ["pitstop-lock-shop-db", "pitstop-lock-shop-web-api"]);
        assert_eq!(names(&["shop/db-1", "shop/web-api-10"]), names(&["shop/web-api-10", "shop/db-1"]));
        assert_eq!(names(&["redis", "shop_web_1"]), ["pitstop-lock-redis", "pitstop-lock-shop_web_1"]);
        assert_eq!(names(&["x@y z"]), ["pitstop-lock-x-y-z"]);
        assert!(names(&[]).is_empty());
        let long = format!("{}/{}-1", "p".repeat(63), "a".repeat(63));
        let other = format!("{}/{}b-1", "p".repeat(63), "a".repeat(62));
        let (one, two) = (names(&[&long]), names(&[&other]));
        assert_eq!(one[0].len(), LONGEST);
        assert_ne!(one, two);
    }

    #[test]
    fn a_lock_names_its_holder() {
        let wanted = &wanted(&plan(&["shop/web-1"]))[0];
        let operation = OpId::new("20261122-101502-3f2a01").unwrap();
        let since: Timestamp = "2026-11-22T10:15:02Z".parse().unwrap();
        let holder = Holder::of(wanted, "anna@ops1".into(), since, Kind::Deploy, &operation);
        assert_eq!(Holder::read(&holder.labels()), holder);
        let now = "2026-11-22T10:18:07Z".parse().unwrap();
        assert_eq!(
            holder.sentence("l", now),
            "shop/web is locked by anna@ops1 since 3 m 05 s for: deploy (operation 20261122-101502-3f2a01)"
        );
        // Somebody else's container may have the name.
        let stranger = Holder::read(&BTreeMap::new());
        assert_eq!(
            stranger.sentence("pitstop-lock-x", now),
            "pitstop-lock-x is locked by somebody for: another operation"
        );
    }

    #[test]
    fn only_what_nobody_can_hold_is_abandoned() {
        for (state, old, young) in [
            (State::Created, Meeting::Abandoned, Meeting::Held),
            (State::Exited, Meeting::Abandoned, Meeting::Held),
            (State::Dead, Meeting::Abandoned, Meeting::Held),
            (State::Running, Meeting::Held, Meeting::Held),
            (State::Removing, Meeting::Held, Meeting::Held),
        ] {
            assert_eq!(meeting(state, MAKING), old, "{state:?}");
            assert_eq!(meeting(state, MAKING.saturating_sub(Duration::from_millis(1))), young, "{state:?}");
        }
    }
}
