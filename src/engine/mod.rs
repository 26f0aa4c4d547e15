//! Operations: gathers facts, asks `domain` for a plan, runs it, and reports one stream of events.
//!
//! Both front ends use this floor and nothing below it but `domain`'s values (and `config`, to read files). It decides
//! nothing that a pure function could decide, and it draws and prints nothing.

mod request;

pub use request::{Control, Operation, Request};
