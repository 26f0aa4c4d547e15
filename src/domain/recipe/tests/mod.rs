//! Recipes under test: properties over random worlds, and tables for what each one says.

mod creation;
mod properties;
mod tables;
mod world;
