//! Compose files for a request: which ones, read with this process's environment. Prints nothing: whoever asked says what is
//! worth knowing of them.

use super::args::CreateArgs;
use super::error::CliError;
use crate::config::compose::{self, LoadOptions};
use crate::domain::project::ProjectSpec;
use std::path::PathBuf;

/// The project that `create` is about.
pub fn project(args: &CreateArgs) -> Result<ProjectSpec, CliError> {
    let options = LoadOptions {
        project: args.file.project.clone(),
        profiles: args.file.profiles.clone(),
        scale: args.scale.iter().cloned().collect(),
        ..LoadOptions::default()
    };
    load(&args.file.files, options)
}

/// The project in `files` that holds `app`; written `project/app`, it is of that project.
pub fn of_app(app: &str, files: &[PathBuf]) -> Result<ProjectSpec, CliError> {
    let project = app.split_once('/').map(|(project, _)| project.to_owned());
    load(files, LoadOptions { project, ..LoadOptions::default() })
}

fn load(files: &[PathBuf], options: LoadOptions) -> Result<ProjectSpec, CliError> {
    let env =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let options = LoadOptions { env: env.collect(), ..options };
    compose::load(files, &options).map_err(|errors| CliError::usage(errors.to_string()))
}
