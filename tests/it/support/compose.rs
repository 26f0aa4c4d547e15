//! Docker Compose as others run it: version 1 (`docker-compose`, Debian 12), version 2 (`docker compose`), whichever are here.

use std::path::PathBuf;
use std::process::Command;

use super::docker::{Engine, Project};

/// One of them, for a project with its file in a folder.
pub struct Compose {
    program: &'static [&'static str],
    /// `1.29.2`
    pub version: String,
    engine: Engine,
    project: String,
    folder: PathBuf,
}

impl Compose {
    /// All that answer, each once.
    ///
    /// # Panics
    /// When there is none.
    #[track_caller]
    pub fn all() -> Vec<Version> {
        let mut found: Vec<Version> = Vec::new();
        for program in [&["docker-compose"][..], &["docker", "compose"]] {
            let asked = Command::new(program[0]).args(&program[1..]).args(["version", "--short"]).output();
            let Some(answer) = asked.ok().filter(|answer| answer.status.success()) else { continue };
            let version = String::from_utf8_lossy(&answer.stdout).trim().trim_start_matches('v').to_owned();
            if !found.iter().any(|other| other.version == version) {
                found.push(Version { program, version });
            }
        }
        assert!(!found.is_empty(), "neither docker-compose nor docker compose: apt-get install docker-compose");
        found
    }

    /// Whether its containers are called as pitstop's sandboxes are (`PROJECT-SERVICE-N`).
    pub fn is_v1(&self) -> bool {
        self.version.starts_with("1.")
    }

    /// Runs `compose -p PROJECT -f compose.yaml ARGS…` and gives its standard output.
    ///
    /// # Errors
    /// What it said.
    pub fn try_run(&self, args: &[&str]) -> Result<String, String> {
        let mut command = Command::new(self.program[0]);
        command.args(&self.program[1..]).args(["-p", &self.project, "-f", "compose.yaml"]).args(args);
        command.env("DOCKER_HOST", self.engine.host()).current_dir(&self.folder);
        let done = command.output().map_err(|error| error.to_string())?;
        let out = String::from_utf8_lossy(&done.stdout).into_owned();
        if done.status.success() { Ok(out) } else { Err(format!("{out}{}", String::from_utf8_lossy(&done.stderr))) }
    }

    /// As [`Compose::try_run`].
    ///
    /// # Panics
    /// When it fails, with what it said.
    #[track_caller]
    pub fn run(&self, args: &[&str]) -> String {
        match self.try_run(args) {
            Ok(out) => out,
            Err(said) => panic!("compose {} {args:?}: {said}", self.version),
        }
    }
}

/// A Compose that is here.
pub struct Version {
    program: &'static [&'static str],
    version: String,
}

impl Version {
    /// For a project with its file in `folder`.
    pub fn of(self, project: &Project, folder: impl Into<PathBuf>) -> Compose {
        let Self { program, version } = self;
        Compose {
            program,
            version,
            engine: project.engine.clone(),
            project: project.name.clone(),
            folder: folder.into(),
        }
    }
}
