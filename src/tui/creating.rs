//! Creating from a Compose file: which files are offered, and which of its services, how many of each.
//!
//! Pure: what is in a directory comes in, what is offered goes out.

use super::engine::EngineId;
use crate::domain::fleet::Fleet;
use crate::domain::ids::AppId;
use crate::domain::project::ProjectSpec;

/// The services of a file, to choose from.
#[derive(Clone, Debug)]
pub struct Services {
    /// Where they are going to be.
    pub engine: EngineId,
    pub project: Box<ProjectSpec>,
    pub rows: Vec<Service>,
    pub cursor: usize,
    /// What is wrong with the choice.
    pub wrong: Option<String>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    pub name: String,
    pub image: String,
    /// In the file.
    pub replicas: u32,
    pub wanted: u32,
    pub marked: bool,
    /// Instances that are there.
    pub there: usize,
    /// Those that it waits for.
    pub after: Vec<String>,
}

/// Names of services (none: all), and how many instances of which.
pub type Chosen = (Vec<String>, Vec<(String, u32)>);

impl Services {
    /// All of the project's, all marked.
    pub fn new(engine: EngineId, project: Box<ProjectSpec>, fleet: Option<&Fleet>) -> Self {
        let there = |name: &str| {
            let id = AppId::new(&*project.name, name);
            let apps = fleet.into_iter().flat_map(|fleet| &fleet.apps).filter(|app| app.id == id);
            apps.map(|app| app.instances.len()).sum()
        };
        let row = |(name, entry): (&String, &crate::domain::project::AppEntry)| Service {
            name: name.clone(),
            image: entry.spec.image.clone(),
            replicas: entry.replicas,
            wanted: entry.replicas,
            marked: true,
            there: there(name),
            after: entry.depends_on.iter().map(|one| one.app.clone()).collect(),
        };
        let rows = project.apps.iter().map(row).collect();
        Self { engine, rows, project, cursor: 0, wrong: None }
    }

    /// Marks the one under the cursor, or takes its mark away, and moves on.
    pub fn mark(&mut self) {
        if let Some(row) = self.rows.get_mut(self.cursor) {
            row.marked = !row.marked;
        }
        self.step(true);
    }

    /// Marks all, or none when all are.
    pub fn mark_all(&mut self) {
        let all = self.rows.iter().all(|row| row.marked);
        self.rows.iter_mut().for_each(|row| row.marked = !all);
    }

    /// One down or up.
    pub fn step(&mut self, down: bool) {
        let last = self.rows.len().saturating_sub(1);
        self.cursor = if down { (self.cursor + 1).min(last) } else { self.cursor.saturating_sub(1) };
    }

    /// One instance more or less of the one under the cursor; at least one.
    pub fn scale(&mut self, more: bool) {
        if let Some(row) = self.rows.get_mut(self.cursor) {
            row.wanted = if more { row.wanted.saturating_add(1).min(999) } else { row.wanted.saturating_sub(1).max(1) };
            row.marked = true;
        }
    }

    /// What to ask for: no names for all services, and only counts that are not the file's.
    pub fn chosen(&self) -> Result<Chosen, String> {
        let marked: Vec<&Service> = self.rows.iter().filter(|row| row.marked).collect();
        if marked.is_empty() {
            return Err("mark at least one service".to_owned());
        }
        let names = if marked.len() == self.rows.len() { &[][..] } else { &marked[..] };
        let scaled = marked.iter().filter(|row| row.wanted != row.replicas);
        Ok((
            names.iter().map(|row| row.name.clone()).collect(),
            scaled.map(|row| (row.name.clone(), row.wanted)).collect(),
        ))
    }
}

/// What is offered of a directory (empty: the current one; else ending in a slash): Compose files, other YAML files, the way
/// up, directories. Each entry is a name and whether it is a directory.
pub fn offered(directory: &str, entries: Vec<(String, bool)>) -> Vec<String> {
    let visible = entries.into_iter().filter(|(name, _)| !name.starts_with('.') && !name.contains('/'));
    let is_yaml = |name: &str| [".yaml", ".yml"].iter().any(|end| name.ends_with(end));
    let (mut directories, mut files): (Vec<_>, Vec<_>) = visible.partition(|(_, is_directory)| *is_directory);
    files.retain(|(name, _)| is_yaml(name));
    files.sort_by_key(|(name, _)| (!name.contains("compose"), name.clone()));
    directories.sort();
    let files = files.into_iter().map(|(name, _)| format!("{directory}{name}"));
    let directories = directories.into_iter().map(|(name, _)| format!("{directory}{name}/"));
    files.chain(above(directory)).chain(directories).collect()
}

/// The directory above; none is above the root. The current directory, seen from one in it, is `./`.
fn above(directory: &str) -> Option<String> {
    let inside = directory.trim_end_matches('/');
    match inside.rsplit_once('/') {
        _ if directory == "/" => None,
        _ if matches!(inside, "" | ".") => Some("../".to_owned()),
        _ if inside.ends_with("..") => Some(format!("{inside}/../")),
        Some((up, _)) => Some(format!("{up}/")),
        None => Some("./".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::project::AppEntry;

    #[test]
    fn compose_files_come_first_and_there_is_a_way_up_and_down() {
        let entries = || {
            let names = ["b.yml", "src/", "compose.yaml", "notes.txt", ".git/", "docker-compose.yml", "a/"];
            names.map(|name| (name.trim_end_matches('/').to_owned(), name.ends_with('/'))).to_vec()
        };
        let here = ["compose.yaml", "docker-compose.yml", "b.yml", "../", "a/", "src/"];
        assert_eq!(offered("", entries()), here);
        assert_eq!(offered("a/", entries())[2..], ["a/b.yml", "./", "a/a/", "a/src/"]);
    }

    #[test]
    fn the_way_up_is_found_from_anywhere() {
        for (directory, up) in [
            ("", Some("../")),
            ("./", Some("../")),
            ("../", Some("../../")),
            ("../../", Some("../../../")),
            ("a/", Some("./")),
            ("a/b/", Some("a/")),
            ("../a/", Some("../")),
            ("/srv/", Some("/")),
            ("/", None),
        ] {
            assert_eq!(above(directory).as_deref(), up, "{directory}");
        }
    }

    #[test]
    fn only_what_differs_from_the_file_is_asked_for() {
        let mut project = ProjectSpec { name: "shop".into(), ..ProjectSpec::default() };
        for (name, replicas) in [("web", 2), ("db", 1)] {
            project.apps.insert(name.into(), AppEntry { replicas, ..AppEntry::default() });
        }
        let mut services = Services::new(EngineId::default(), Box::new(project), None);
        assert_eq!(services.chosen(), Ok((vec![], vec![])));
        services.scale(true);
        assert_eq!(services.chosen(), Ok((vec![], vec![("web".to_owned(), 3)])));
        services.step(true);
        services.scale(false);
        services.mark();
        assert_eq!(services.chosen(), Ok((vec!["web".to_owned()], vec![("web".to_owned(), 3)])));
        services.mark_all();
        services.mark_all();
        assert!(services.chosen().is_err());
    }
}
