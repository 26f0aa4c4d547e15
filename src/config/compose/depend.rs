//! `depends_on` as a whole: every name is a service that runs, and nothing waits for itself.

use super::read::{At, nearest};
use crate::domain::project::{DependencyCondition, ProjectSpec};
use std::collections::BTreeMap;

/// Checks all dependencies, and drops those that may be missing and are. `places` are the services' own.
pub(super) fn check(project: &mut ProjectSpec, places: &BTreeMap<String, At<'_>>, inactive: &[String]) {
    let healthy: BTreeMap<String, bool> = project
        .apps
        .iter()
        .map(|(name, entry)| {
            let off = entry.spec.container.healthcheck.as_ref().is_some_and(|check| check.test == ["NONE"]);
            (name.clone(), !off)
        })
        .collect();
    for (name, entry) in &mut project.apps {
        let Some(at) = places.get(name).and_then(|at| {
            at.node.get("depends_on").map(|entry| At {
                node: &entry.node,
                pos: entry.pos,
                path: format!("{}.depends_on", at.path),
                report: at.report,
            })
        }) else {
            continue;
        };
        entry.depends_on.retain(|dependency| {
            let app = &dependency.app;
            match healthy.get(app) {
                Some(false) if dependency.condition == DependencyCondition::ServiceHealthy => {
                    at.error(format!("waits for `{app}` to be healthy, but its healthcheck is disabled"));
                }
                Some(_) => return true,
                None if !dependency.required => return false,
                None if inactive.contains(app) => {
                    at.error(format!(
                        "needs `{app}`, whose profile is not active; activate it, or set `required: false`"
                    ));
                }
                None => match nearest(app, healthy.keys().map(String::as_str)) {
                    Some(near) => at.error(format!("there is no service `{app}`; did you mean `{near}`?")),
                    None => at.error(format!("there is no service `{app}`")),
                },
            }
            false
        });
    }
    if let Some(cycle) = cycle(project)
        && let Some(name) = cycle.first()
        && let Some(at) = places.get(name)
    {
        // Where each of them says so; the last is the first again.
        let line = |name: &String| places.get(name)?.node.get("depends_on").map(|entry| entry.pos.line);
        let (last, all) = cycle.split_last().unwrap_or((name, &[]));
        let named = all.iter().map(|name| match line(name) {
            Some(line) => format!("{name} (line {line})"),
            None => name.clone(),
        });
        let circle: Vec<String> = named.chain([last.clone()]).collect();
        at.error(format!("waits for itself: {}", circle.join(" → ")));
    }
}

/// The first cycle found, with its first service repeated at the end.
fn cycle(project: &ProjectSpec) -> Option<Vec<String>> {
    // A service whose dependencies are all done is done; what is left when nothing moves holds a cycle.
    let mut left: Vec<&String> = project.apps.keys().collect();
    loop {
        let before = left.len();
        let waits = |name: &String| project.apps[name].depends_on.iter().any(|d| left.contains(&&d.app));
        let next: Vec<&String> = left.iter().copied().filter(|name| waits(name)).collect();
        if next.len() == before {
            break;
        }
        left = next;
    }
    let mut path: Vec<String> = vec![(*left.first()?).clone()];
    loop {
        let last = path.last()?;
        let next = project.apps[last].depends_on.iter().find(|d| left.contains(&&d.app))?.app.clone();
        if let Some(start) = path.iter().position(|name| *name == next) {
            path.drain(..start);
            path.push(next);
            return Some(path);
        }
        path.push(next);
    }
}
