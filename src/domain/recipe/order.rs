//! Which services of a file are created, and in which order: those asked for and what they depend on, dependencies first.

use super::super::facts::Facts;
use super::super::fleet::{App, Instance};
use super::super::ids::AppId;
use super::super::plan::Refusal;
use super::super::project::{AppEntry, DependencyCondition, ProjectSpec};

/// The services in order of creation; none asked for means all of them.
///
/// A dependency that was not asked for and runs already is left alone. A circle is an error that names it.
pub(super) fn services<'a>(
    project: &'a ProjectSpec,
    asked: &[String],
    facts: &Facts,
) -> Result<Vec<(&'a str, &'a AppEntry)>, Refusal> {
    let mut walk = Walk { project, asked, facts, path: Vec::new(), order: Vec::new() };
    if asked.is_empty() {
        project.apps.keys().try_for_each(|name| walk.visit(name))?;
    }
    for name in asked {
        let Some((name, _)) = project.apps.get_key_value(name) else {
            let known: Vec<_> = project.apps.keys().map(String::as_str).collect();
            return Err(Refusal::Usage(format!(
                "the file of project {} has no service `{}`; it has {}",
                project.name,
                super::super::clean::clean(name),
                known.join(", ")
            )));
        };
        walk.visit(name)?;
    }
    Ok(walk.order)
}

/// The project's app as it is there now.
pub(super) fn seen<'a>(facts: &'a Facts, id: &AppId, managed: bool) -> Option<&'a App> {
    facts.fleet.apps.iter().find(|app| app.id == *id && app.managed == managed)
}

struct Walk<'a, 'b> {
    project: &'a ProjectSpec,
    asked: &'b [String],
    facts: &'b Facts,
    path: Vec<&'a str>,
    order: Vec<(&'a str, &'a AppEntry)>,
}

impl<'a> Walk<'a, '_> {
    fn visit(&mut self, name: &'a str) -> Result<(), Refusal> {
        if self.order.iter().any(|(placed, _)| *placed == name) {
            return Ok(());
        }
        if let Some(start) = self.path.iter().position(|on| *on == name) {
            let circle = self.path[start..].join(" → ");
            return Err(Refusal::Usage(format!("depends_on goes in a circle: {circle} → {name}")));
        }
        let Some(entry) = self.project.apps.get(name) else { return Ok(()) };
        self.path.push(name);
        for dependency in &entry.depends_on {
            let Some((wanted, _)) = self.project.apps.get_key_value(&dependency.app) else {
                if dependency.required {
                    return Err(Refusal::Usage(format!(
                        "{name} depends on {}, which the file does not have (or its profile is not active)",
                        dependency.app
                    )));
                }
                continue;
            };
            if dependency.condition == DependencyCondition::ServiceCompletedSuccessfully {
                return Err(Refusal::Usage(format!(
                    "{name} waits for {wanted} to complete (service_completed_successfully): pitstop runs services that stay; run {wanted} first and leave the condition out"
                )));
            }
            if !self.stays(wanted) || self.path.iter().any(|on| on == wanted) {
                self.visit(wanted)?;
            }
        }
        self.path.pop();
        self.order.push((name, entry));
        Ok(())
    }

    /// Not asked for, and there already.
    fn stays(&self, name: &str) -> bool {
        let asked = self.asked.is_empty() || self.asked.iter().any(|asked| asked == name);
        let id = AppId::new(&*self.project.name, name);
        !asked && seen(self.facts, &id, true).is_some_and(|app| app.instances.iter().any(Instance::is_ready))
    }
}
