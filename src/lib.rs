//! pitstop: a terminal operations console for Docker.
//!
//! The floors, top to bottom; a module imports only from floors below its own (`tests/it/floors.rs` checks it):
//!
//! ```text
//! main.rs
//! cli/            tui/                 front ends: requests into operations, events into output
//! engine/                              gathers facts, asks domain for a plan, runs it
//! docker/  balancer/  config/  sim/    one outside thing each; never import one another. `sim` is a Docker Engine that is
//!                                      none, for the demo and for tests
//! files.rs                             named files, opened so that nothing can hang
//! domain/                              values and decisions: pure, no async, no clock, no I/O
//! ```

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

pub mod balancer;
pub mod cli;
pub mod config;
pub mod docker;
pub mod domain;
pub mod engine;
pub mod files;
pub mod sim;
pub mod tui;
