//! What people write to files: app files (Compose) and pitstop's own settings.
//!
//! Turns text into domain values and says, with file, line and column, what is wrong with it. Must not know the engine:
//! whether a network or an image is there is asked elsewhere.

pub mod compose;
pub mod file;
pub mod kept;
pub mod paths;
pub mod settings;
