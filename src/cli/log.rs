//! pitstop's own log of a plain run: into a file, and only when `PITSTOP_LOG` asks for it.
//!
//! Standard output and error are for the user. The console has a log view of its own.

use super::error::CliError;
use crate::config::paths;
use std::fs::OpenOptions;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::sync::Mutex;
use tracing_subscriber::EnvFilter;

/// Begins to log to `$XDG_STATE_HOME/pitstop/pitstop.log` what `PITSTOP_LOG` names (`debug`, `pitstop=trace,bollard=warn`).
pub fn begin() -> Result<(), CliError> {
    let Some(wanted) = std::env::var("PITSTOP_LOG").ok().filter(|wanted| !wanted.is_empty()) else { return Ok(()) };
    // At debug the client libraries write whole answers of the engine, secrets included: they must be asked for by name.
    let filter = EnvFilter::try_new(format!("bollard=warn,hyper=warn,hyper_util=warn,{wanted}"))
        .map_err(|error| CliError::usage(format!("PITSTOP_LOG `{wanted}` is no filter")).because(&error))?;
    let directory = paths::state_dir().map_err(|error| CliError::failed(error.to_string()))?;
    let path = directory.join("pitstop.log");
    // What is logged may tell more than other users should read.
    let file = std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&directory)
        .and_then(|()| OpenOptions::new().create(true).append(true).mode(0o600).open(&path));
    let file = file.map_err(|error| CliError::failed(format!("cannot log to {}", path.display())).because(&error))?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(Mutex::new(file))
        .with_ansi(false)
        .try_init()
        .map_err(|error| CliError::failed(format!("cannot begin to log: {error}")))
}
