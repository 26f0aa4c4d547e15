//! Where pitstop keeps its files, by the XDG rules on every system. Creates nothing.

use etcetera::base_strategy::{BaseStrategy, Xdg};
use std::path::PathBuf;

/// There is no home directory to put files in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("find the home directory: HOME is not set; set it, or name the file with --config")]
pub struct NoHome;

/// `$XDG_CONFIG_HOME/pitstop`: `config.toml`, `themes/`.
pub fn config_dir() -> Result<PathBuf, NoHome> {
    Ok(base()?.config_dir().join("pitstop"))
}

/// `$XDG_STATE_HOME/pitstop`: records of operations, logs, crash reports.
pub fn state_dir() -> Result<PathBuf, NoHome> {
    let base = base()?;
    Ok(base.state_dir().unwrap_or_else(|| base.data_dir()).join("pitstop"))
}

fn base() -> Result<Xdg, NoHome> {
    Xdg::new().map_err(|_| NoHome)
}
