//! The Docker Engine: the only module that names bollard.
//!
//! Holds what crosses the engine's API, one file per concern, and converts it to `domain` values. It decides
//! nothing; `engine/` does.
//!
//! ```text
//! location     which engine is meant: flags, environment, Docker contexts
//! connect      from a location to a checked connection with the API version really sent
//! remote       connections to other machines, kept and used again      tls   certificates      ssh, dial   a tunnel through it, or a command there
//! client       the connection, to read (`Docker`) or also to change (`Changes`): one deadline per request, few at once
//! error        what went wrong, in words for the person who has to act
//! list         the engine's list, entry by entry
//! containers   inspect, start, stop, remove …           create   sandboxes and app containers
//! inspect      one container word for word
//! images       inspect, pull, load; credentials: a registry's login          networks, volumes
//! exec         commands inside containers                logs     a container's output; lines: bytes into lines
//! watch        an app's port seen from its sandbox       attach   asking the sandbox's first process
//! hold         a new version held back by its sandbox, and let go      guest_volume   the guest where apps find it
//! container_files  in containers' own filesystems, as archives
//! drain_note   that an instance was taken out of its balancers, kept in the sandbox
//! revisions    earlier revisions, kept in the sandbox    live     the fleet as it changes
//! sentence     what the engine says of a container's state, and for how long
//! shell        a person's shell in a container
//! lock         one container a lock, held by its standard input      place    a container that holds an address
//! original     a stranger's container, as what an instance can be made from
//! stats        what containers take of the machine while somebody looks
//! plain        containers without a sandbox, and what is found by label: demo and benchmark
//! read, write  conversions: the engine's models to domain values and back
//! ```

mod attach;
mod client;
mod connect;
mod container_files;
mod containers;
mod create;
mod credentials;
mod dial;
mod drain_note;
mod error;
mod exec;
mod guest_volume;
mod hints;
mod hold;
pub mod image_archive;
mod images;
mod inspect;
mod lines;
mod list;
mod live;
mod location;
mod lock;
mod logs;
mod networks;
mod original;
mod place;
mod plain;
mod read;
mod remote;
mod revisions;
pub mod sandbox_image;
mod sentence;
mod shell;
mod ssh;
mod stats;
mod swarm;
mod system;
mod tls;
mod volumes;
mod watch;
mod write;

pub use client::{Changes, Docker};
pub use containers::Stopped;
pub use create::{AppCreation, Gate, SandboxCreation};
pub use drain_note::DrainNote;
pub use error::{DockerError, Failure};
pub use exec::{Exec, ExecEnd, ExecResult};
pub use hold::{HoldLine, Holding};
pub use images::PullProgress;
pub use location::Location;
pub use lock::{LockLine, LockSeen};
pub use logs::{LogLine, LogOptions, LogStream};
pub use place::PlaceCreation;
pub use shell::{Resizer, Shell};
pub use stats::LoadStream;
pub use watch::{Watch, WatchLine};
pub use write::is_predefined;
