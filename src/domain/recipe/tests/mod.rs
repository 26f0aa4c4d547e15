//! Recipes under test: properties over random worlds, and tables for what each one says.

mod adopt;
mod converge;
mod creation;
mod engine;
mod hooks;
mod properties;
mod resume;
mod surge;
mod tables;
mod traffic;
mod warm;
mod world;
