//! Operations: gathers facts, asks `domain` for a plan, runs it, and reports one stream of events.
//!
//! Both front ends use this floor and nothing below it but `domain`'s values (and `config`, to read files). It decides
//! nothing that a pure function could decide, and it draws and prints nothing.
//!
//! ```text
//! session   the way in: connect, fleet, plan, logs; reads only
//! operator  leave to change things: begins operations        lock  takes and keeps their locks
//! request   what may be asked for, and what an operation gives back
//! line      what a person may say to the console in one line
//! resume    which request goes on with what was left half-done, or takes it back
//! gather    reads the facts a request needs                    (docker reads)
//! run       runs a plan: starts what the schedule allows, reports every event
//! perform   does one step                                      (docker changes)   make  makes containers, networks, volumes
//! ready     waits until an instance is ready                   gap  measures how long it did not answer
//! traffic   drains and attaches
//! door      hears what other terminals want of a running operation
//! pins      picks addresses for new sandboxes                  state  says what runs where at the end
//! record    what is written down of an operation, and read again
//! who       sits at this console
//! certain   changes whose outcome is certain              outage  an engine that goes away and comes back
//! demo      the demo's fleet on a real engine          bench  the same done in several ways, measured
//! clock     the only place that reads time                     doctor  is all well?
//! ```

mod balancers;
pub mod bench;
mod certain;
pub mod clock;
mod demo;
mod doctor;
mod door;
mod error;
mod gap;
mod gather;
mod guard;
mod hook;
pub mod line;
mod lock;
mod logs;
mod make;
mod operator;
mod outage;
mod perform;
mod pins;
mod places;
mod proof;
mod ready;
mod record;
mod request;
mod resume;
mod run;
mod session;
mod state;
mod teller;
mod traffic;
mod warm;
mod who;

pub use crate::docker::{Location, LogLine, LogOptions, Shell};
pub use demo::{DemoApps, LABEL as DEMO_LABEL};
pub use doctor::{Check, Level};
pub use door::{Unheard, say};
pub use error::{Error, ErrorKind};
pub use logs::{InstanceNews, Lines, LogNews, Logs};
pub use operator::Operator;
pub use record::{Listed, RecordError, Records, read_file};
pub use request::{Control, Operation, Request};
pub use session::{Session, unrecorded};
