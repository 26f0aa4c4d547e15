//! One operation at a time for each app: what its lock is called, what it says of its holder, and how a refusal reads.
//!
//! The lock is a container, because a container's name is the one thing an engine gives to exactly one of many who ask.
//! It is politeness between consoles: every step stays safe without it. Must not ask an engine or a clock.

use super::clean::clean;
use super::ids::{ObjectName, OpId};
use super::labels::{APP, INSTANCE, OPERATION, PROJECT, ROLE, Role};
use super::plan::Plan;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const WHO: &str = "io.pitstop.lock.who";
const SINCE: &str = "io.pitstop.lock.since";
const WHAT: &str = "io.pitstop.lock.what";

/// The guest ends by itself when it has heard nothing for so long.
pub const LEASE: Duration = Duration::from_secs(10);
/// How often the holder says that it is there.
pub const RENEW: Duration = Duration::from_secs(3);
/// A holder that was killed is gone from the engine by then: so long a lock is looked at again before it counts.
pub const LOOK_AGAIN: Duration = Duration::from_millis(800);
/// An operation that is under way for so long starts its lock; until then the container that was created is enough.
pub const START_AFTER: Duration = Duration::from_secs(1);
/// One that was created and not started for so long has lost its maker.
pub const STILLBORN: Duration = Duration::from_secs(5);
/// For so long its maker relies on it: less than that, for what is sent arrives later.
pub const UNSTARTED: Duration = Duration::from_secs(4);

/// What containers are called that only hold an address for a moment, before the operation and a number.
pub const PLACE: &str = "pitstop-place-";

/// The longest name an engine's object has here.
const LONGEST: usize = 128;

/// What is locked: a managed app, or a container that pitstop has not made.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Subject(String);

impl Subject {
    /// All that a plan touches, in the order in which everybody takes them.
    pub fn of(plan: &Plan) -> BTreeSet<Self> {
        let planned = plan.steps.iter().filter_map(|step| step.instance.as_ref());
        planned
            .chain(plan.batches.iter().flatten())
            .map(|name| {
                // An unmanaged container's name has no slash.
                let app = name.0.contains('/').then(|| name.0.rsplit_once('-')).flatten();
                Self(app.map_or(name.0.as_str(), |(app, _)| app).to_owned())
            })
            .collect()
    }

    /// `shop/web`, or the container's name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What its lock is called: `pitstop-lock-shop-web`. Two that are too long to differ share one: they wait in vain.
    pub fn lock(&self) -> Option<ObjectName> {
        let name: String = format!("pitstop-lock-{}", self.0.replace('/', "-")).chars().take(LONGEST).collect();
        ObjectName::new(name).ok()
    }
}

/// Who holds a lock, and what for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holder {
    /// `anna@ops1 (pid 412)`
    pub who: String,
    pub since: Option<Timestamp>,
    pub operation: String,
    /// `deploy shop/web`
    pub what: String,
}

impl Holder {
    /// Of the operation `op` that carries `plan` out.
    pub fn of(plan: &Plan, op: &OpId, who: &str, pid: u32, since: Timestamp) -> Self {
        Self {
            who: format!("{who} (pid {pid})"),
            since: Some(since),
            operation: op.to_string(),
            what: format!("{} {}", plan.kind, plan.app),
        }
    }

    /// The labels of the lock of `subject`.
    pub fn labels(&self, subject: &Subject) -> BTreeMap<String, String> {
        let (project, app) = subject.0.split_once('/').unwrap_or(("", &subject.0));
        let since = self.since.map(|since| since.to_string()).unwrap_or_default();
        [
            (ROLE, Role::Lock.as_str()),
            (PROJECT, project),
            (APP, app),
            (INSTANCE, "0"),
            (OPERATION, &self.operation),
            (WHO, &self.who),
            (SINCE, &since),
            (WHAT, &self.what),
        ]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
    }

    /// What a container's labels say; `None` when it is no lock of ours.
    pub fn read(labels: &BTreeMap<String, String>) -> Option<Self> {
        let get = |key: &str| labels.get(key).map_or("", String::as_str);
        (get(ROLE) == Role::Lock.as_str()).then(|| Self {
            who: clean(get(WHO)),
            since: get(SINCE).parse().ok(),
            operation: clean(get(OPERATION)),
            what: clean(get(WHAT)),
        })
    }

    /// `anna@ops1 (pid 412) since 20:41:07 UTC, for deploy shop/web (operation 20261122-101502-3f2a01)`
    fn words(&self) -> String {
        let known = |text: &str, otherwise: &str| if text.is_empty() { otherwise.to_owned() } else { text.to_owned() };
        let since =
            self.since.map_or_else(String::new, |since| format!(" since {}", since.strftime("%Y-%m-%d %H:%M:%S UTC")));
        format!(
            "{}{since}, for {} (operation {})",
            known(&self.who, "somebody"),
            known(&self.what, "an operation"),
            known(&self.operation, "unknown")
        )
    }
}

/// Why not now; `holder`: `None` for a container of that name that is no lock of ours; `waited`: what was asked for in vain.
pub fn refusal(subject: &Subject, lock: &str, holder: Option<&Holder>, waited: Duration) -> String {
    let subject = clean(subject.as_str());
    let Some(holder) = holder else {
        return format!(
            "{subject} can't be locked: a container named {lock} is there that is no lock of pitstop's; nothing was touched"
        );
    };
    let still = if waited > LOOK_AGAIN {
        let waited = super::duration::human(super::duration::millis(waited));
        format!(" (waited {waited})")
    } else {
        String::new()
    };
    format!("{subject} is locked by {}{still}; nothing was touched", holder.words())
}

/// What to do about a refusal.
pub fn advice(lock: &str, holder: Option<&Holder>) -> String {
    match holder {
        None => format!("`docker inspect {lock}` shows what it is; rename or remove it"),
        Some(_) => format!(
            "wait for it with --wait-lock 5m; a console that is gone frees its lock by itself within seconds. `docker rm -f \
             {lock}` takes the lock away from one that is not: it then stops before its next step"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::InstanceName;
    use crate::domain::plan::Kind;

    fn plan(instances: &[&str]) -> Plan {
        Plan {
            batches: vec![instances.iter().map(|name| InstanceName((*name).into())).collect()],
            ..Plan::empty(Kind::Deploy, "shop/web")
        }
    }

    #[test]
    fn locks_are_by_app_and_sorted() {
        let subjects = Subject::of(&plan(&["shop/web-2", "shop/web-1", "a-b/c-d-10", "old-cron-1"]));
        let names: Vec<String> = subjects.iter().map(|subject| subject.lock().unwrap().to_string()).collect();
        assert_eq!(names, ["pitstop-lock-a-b-c-d", "pitstop-lock-old-cron-1", "pitstop-lock-shop-web"]);
        let long = Subject(format!("{}/{}", "p".repeat(63), "a".repeat(63)));
        assert_eq!(long.lock().unwrap().as_str().len(), LONGEST);
    }

    #[test]
    fn a_holder_is_read_back_from_its_labels_and_named() {
        let op = OpId::new("20261122-101502-3f2a01").unwrap();
        let since: Timestamp = "2026-11-22T10:15:02Z".parse().unwrap();
        let plan = plan(&["shop/web-1"]);
        let holder = Holder::of(&plan, &op, "anna@ops1", 412, since);
        let subject = Subject::of(&plan).pop_first().unwrap();
        let labels = holder.labels(&subject);
        assert_eq!(Holder::read(&labels), Some(holder.clone()));
        assert_eq!(Holder::read(&BTreeMap::new()), None);
        assert_eq!(
            refusal(&subject, "pitstop-lock-shop-web", Some(&holder), Duration::ZERO),
            "shop/web is locked by anna@ops1 (pid 412) since 2026-11-22 10:15:02 UTC, for deploy shop/web (operation \
             20261122-101502-3f2a01); nothing was touched"
        );
        let waited = refusal(&subject, "l", Some(&Holder::default()), Duration::from_secs(5));
        assert_eq!(
            waited,
            "shop/web is locked by somebody, for an operation (operation unknown) (waited 5.00 s); nothing was touched"
        );
    }
}
