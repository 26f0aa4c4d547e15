//! The integration tests: one program, so that it links once and shares its support code.
//!
//! They run against a real Docker Engine (the machine's own, or a private one where it is disturbed), a real registry and
//! the built `pitstop` program in a real terminal. `scripts/test` installs and starts what they need.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod balancer;
mod cli_alone;
mod cli_engine;
mod compose;
mod compose_robust;
mod compose_services;
mod demo;
mod docker_pull;
mod docker_real;
mod docker_wire;
mod docs;
mod export;
mod floors;
mod fuzz;
mod guest;
mod hostile;
mod journeys;
mod record_robust;
mod remote;
mod sim;
mod sim_contract;
mod sim_faults;
mod sim_hooks;
mod sim_time;
mod support;
mod survival;
mod tui;
