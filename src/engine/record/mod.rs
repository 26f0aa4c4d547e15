//! Records of operations on disk: for history, audit, replay, and for going on after a console has died.
//!
//! Losing them loses no instance: what to do next is decided from what the engine shows. So nothing here may hold an operation
//! up for long, or end it; a record that can't be written is said once, and the operation goes on.
//!
//! ```text
//! store      the directory: opened safely, listed, found by the beginning of an id
//! writer     one operation's file: lines in the background, intents synced before their step
//! intents    which steps wait for which line
//! lines      what was typed into the console's line
//! retention  what is removed when it is old
//! ```

mod intents;
pub(crate) mod lines;
mod retention;
mod store;
mod writer;

pub(super) use intents::Intents;
pub use store::{Listed, RecordError, Records, read_file};
pub(super) use writer::{Pending, Recorder};

#[cfg(test)]
mod tests;
