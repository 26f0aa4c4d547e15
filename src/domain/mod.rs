//! Values and decisions: pure, no async, no clock, no I/O.
//!
//! Everything pitstop *decides* is here, as functions from values to values: what belongs together in the fleet,
//! what a plan looks like, which step may run next, whether an instance kept its identity. Whoever needs the
//! engine, the time or a terminal is on a floor above.

pub mod address;
pub mod adopt;
pub mod availability;
pub mod balancer;
pub mod bench;
pub mod budget;
pub mod clean;
pub mod control;
pub mod converge;
pub mod crash;
pub mod duration;
pub mod environment;
pub mod event;
pub mod export;
pub mod facts;
pub mod few;
pub mod fleet;
pub mod hook;
pub mod identity;
pub mod ids;
pub mod inplace;
pub mod inspection;
pub mod labels;
pub mod load;
pub mod lock;
pub mod options;
pub mod painted;
pub mod plan;
pub mod probe;
pub mod progress;
pub mod project;
pub mod recipe;
pub mod record;
pub mod reference;
pub mod schedule;
pub mod spec;
pub mod unfinished;
pub mod unknown;
pub mod warm;
