//! What instances are called in one operation's lines: short where no two could be confused.

use crate::domain::event::Planned;
use crate::domain::ids::InstanceName;
use unicode_width::UnicodeWidthStr;

/// What stands for "no particular instance".
pub const ALL: &str = "all";

/// The names of one plan's instances.
#[derive(Clone, Debug, Default)]
pub struct Names {
    /// All are of one project, which need not be repeated.
    short: bool,
    /// Columns of the longest.
    pub width: usize,
}

impl Names {
    pub fn of(planned: &Planned) -> Self {
        let all: Vec<&InstanceName> =
            planned.batches.iter().flatten().chain(planned.steps.iter().filter_map(|s| s.instance.as_ref())).collect();
        let project = |name: &InstanceName| name.0.rsplit_once('/').map(|(project, _)| project.to_owned());
        let first = all.first().and_then(|name| project(name));
        let mut names = Self { short: all.iter().all(|name| project(name) == first), width: 0 };
        names.width = all.iter().map(|name| names.show(Some(name)).width()).max().unwrap_or(0).max(ALL.len());
        names
    }

    /// The name to show.
    pub fn show<'a>(&self, name: Option<&'a InstanceName>) -> &'a str {
        match name {
            None => ALL,
            Some(name) if self.short => name.short(),
            Some(name) => &name.0,
        }
    }
}
