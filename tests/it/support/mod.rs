//! What the tests share: real engines, registries, images and terminals, each cleaned up by its guard's `Drop`.
//!
//! Nothing here but `sim` pretends to be something else, and nothing here sleeps but [`wait`].
//!
//! ```text
//! wait      the one place that waits for a condition
//! docker    the docker command line against an engine; a project's guard; what /proc knows about a container
//! compose   Docker Compose, as many versions as are here
//! daemon    a dockerd of one's own in its own network namespace, to restart and kill
//! random    reproducible randomness
//! registry  a registry of one's own on loopback
//! haproxy   a load balancer of one's own on loopback; `nginx` and `caddy` likewise
//! images    small images with a real HTTP server, made here
//! certificates  an authority, and what it signs for engines and clients
//! sshd      an ssh server of one's own on loopback
//! far       an engine far away: every byte takes its time, and requests are counted
//! fuzz      how many cases generators try
//! http      one HTTP request, without retries
//! pitstop   the built program: run to its end, started in the background, or in a terminal
//! ports     ports that nobody else gets meanwhile
//! poison    a hostile engine in front of the real one
//! pty       a bare pseudo-terminal: modes, bytes, and its sudden end
//! unix_http one HTTP request on a unix socket
//! sim       a simulated engine of one's own
//! term      a terminal that a test types into and looks at
//! ```

// Each test file uses the part it needs, and support is written for all of them.
#![allow(dead_code)]
// What a guard could not remove is said on standard error: a panic in `Drop` would hide the test's own.
#![allow(clippy::print_stderr)]

pub mod caddy;
pub mod certificates;
pub mod compose;
pub mod daemon;
pub mod docker;
pub mod far;
pub mod fuzz;
pub mod haproxy;
pub mod http;
pub mod images;
pub mod nginx;
pub mod pitstop;
pub mod podman;
pub mod poison;
pub mod ports;
pub mod proxy;
pub mod pty;
pub mod random;
pub mod registry;
pub mod sim;
pub mod sshd;
pub mod term;
pub mod unix_http;
pub mod wait;
