//! The Docker Engine: the only module that names bollard.
//!
//! Holds what crosses the engine's API, one file per concern, and converts it to `domain` values. It decides
//! nothing; `engine/` does.

pub mod image_archive;
pub mod sandbox_image;
