//! Compose files for a request: which ones, read with this process's environment. Prints nothing: whoever asked says what is
//! worth knowing of them.

use super::args::{AdoptArgs, CreateArgs};
use super::error::CliError;
use crate::config::compose::{self, LoadOptions};
use crate::domain::ids::{AppId, is_project_name, is_service_name};
use crate::domain::project::ProjectSpec;
use std::path::PathBuf;

/// The project that `create` is about.
pub fn project(args: &CreateArgs) -> Result<ProjectSpec, CliError> {
    let options = LoadOptions {
        project: args.file.project.clone(),
        profiles: args.file.profiles.clone(),
        scale: args.scale.iter().cloned().collect(),
        ..LoadOptions::of_process()
    };
    load(&args.file.files, &options)
}

/// The project in `files` that holds `app`; written `project/app`, it is of that project.
pub fn of_app(app: &str, files: &[PathBuf]) -> Result<ProjectSpec, CliError> {
    let project = app.split_once('/').map(|(project, _)| project.to_owned());
    load(files, &LoadOptions { project, ..LoadOptions::of_process() })
}

/// What containers are to become instances of, and the file that says how these are handled.
pub fn of_adoption(args: &AdoptArgs) -> Result<(Option<AppId>, Option<ProjectSpec>), CliError> {
    let named =
        args.app.as_deref().map(|app| app.split_once('/').map_or((None, app), |(project, app)| (Some(project), app)));
    let file = if args.files.is_empty() {
        None
    } else {
        let project = args.project.as_deref().or(named.and_then(|(project, _)| project)).map(str::to_owned);
        // A service that a profile leaves out may run all the same.
        Some(load(&args.files, &LoadOptions { project, profiles: vec!["*".into()], ..LoadOptions::of_process() })?)
    };
    let Some((project, app)) = named else { return Ok((None, file)) };
    let Some(project) = project.or(file.as_ref().map(|file| file.name.as_str())) else {
        return Err(CliError::usage(format!("--as {app}: write PROJECT/APP, or name the file with -f")));
    };
    if !is_project_name(project) || !is_service_name(app) {
        return Err(CliError::usage(format!("--as {project}/{app}: that can't name an app")));
    }
    Ok((Some(AppId::new(project, app)), file))
}

fn load(files: &[PathBuf], options: &LoadOptions) -> Result<ProjectSpec, CliError> {
    compose::load(files, options).map_err(|errors| CliError::usage(errors.to_string()))
}
