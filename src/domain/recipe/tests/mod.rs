//! Recipes under test: properties over random worlds, and tables for what each one says.

mod adopt;
mod converge;
mod creation;
mod engine;
mod hooks;
mod properties;
mod restart;
mod resume;
mod rollback;
mod surge;
mod tables;
mod traffic;
mod warm;
mod world;
