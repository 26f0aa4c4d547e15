//! Recipes under test: properties over random worlds, and tables for what each one says.

mod creation;
mod hooks;
mod properties;
mod resume;
mod tables;
mod world;
