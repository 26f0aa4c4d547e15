//! `demo`: a sample fleet to try everything on.
//!
//! The app files are embedded, so that it needs none of this machine's.
//!
//! ```text
//! real   the fleet on a real engine, set up and taken away
//! ```

pub mod real;

use super::error::CliError;
use crate::config::compose::{self, LoadOptions};
use crate::domain::project::ProjectSpec;

/// The fleet's app files.
pub const FILES: [(&str, &str); 2] =
    [("demo-shop.yaml", include_str!("shop.yaml")), ("demo-bank.yaml", include_str!("bank.yaml"))];

/// The fleet's projects, read from [`FILES`].
pub fn projects() -> Result<Vec<ProjectSpec>, CliError> {
    let read = |(name, text): &(&str, &str)| {
        compose::load_text(name, text, &LoadOptions::default()).map_err(|errors| CliError::failed(errors.to_string()))
    };
    FILES.iter().map(read).collect()
}
