//! What people write to files: app files (Compose) and pitstop's own settings.
//!
//! Turns text into domain values and says, with file, line and column, what is wrong with it. Must not know the engine:
//! whether a network or an image is there is asked elsewhere. Reads no environment by itself; it is passed in.

pub mod compose;
