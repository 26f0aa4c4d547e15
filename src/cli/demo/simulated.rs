//! The demo's simulated engine: served on a socket of its own, for this console or for anybody.

use super::super::error::CliError;
use super::super::exit;
use super::super::output::Output;
use super::super::signals::Signals;
use crate::engine::Records;
use crate::sim::{Scenario, Sim};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// A simulated engine with the demo's fleet, and the directory of its socket and records; all end with it.
pub struct Simulated {
    sim: Sim,
    directory: PathBuf,
}

impl Simulated {
    /// Serves it in a new directory that only this user may enter; must be called on the runtime.
    pub fn serve() -> Result<Self, CliError> {
        let scenario = Scenario::demo().map_err(|error| CliError::failed(error.to_string()))?;
        let directory = private_directory()?;
        match Sim::serve(directory.join("docker.sock"), scenario) {
            Ok(sim) => Ok(Self { sim, directory }),
            Err(error) => {
                remove(&directory);
                Err(CliError::failed("cannot serve the simulated engine").because(&error))
            }
        }
    }

    /// Where records of what is done on it are kept for as long as it lives.
    pub fn records(&self) -> Records {
        Records::at(self.directory.join("records"))
    }

    /// As `--host` takes it.
    pub fn host(&self) -> String {
        self.sim.host()
    }
}

impl Drop for Simulated {
    fn drop(&mut self) {
        remove(&self.directory);
    }
}

/// `demo --serve`: until a signal ends it; returns the exit code.
pub async fn serve(out: &mut Output) -> Result<u8, CliError> {
    let mut signals = Signals::take()?;
    let simulated = Simulated::serve()?;
    out.result(&format!("DOCKER_HOST={}", simulated.host()));
    out.note("a simulated Docker Engine listens there until Ctrl-C; nothing on it is real");
    signals.next().await;
    Ok(exit::DONE)
}

fn private_directory() -> Result<PathBuf, CliError> {
    let below = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|directory| directory.is_dir());
    let below = below.unwrap_or_else(std::env::temp_dir);
    let mut last = None;
    for number in 0..100 {
        let directory = below.join(format!("pitstop-demo-{}-{number}", std::process::id()));
        match std::fs::DirBuilder::new().mode(0o700).create(&directory) {
            Ok(()) => return Ok(directory),
            Err(error) => last = Some(error),
        }
    }
    let error = CliError::failed(format!("cannot make a directory for a socket in {}", below.display()));
    Err(last.map_or(error.clone(), |last| error.because(&last)))
}

/// With whatever is left in it; it was ours alone.
fn remove(directory: &Path) {
    if let Err(error) = std::fs::remove_dir_all(directory) {
        tracing::warn!("{}: {error}", directory.display());
    }
}
