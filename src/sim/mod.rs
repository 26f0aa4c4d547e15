//! A Docker Engine that is none: it serves the Engine API 1.41 on a unix socket, out of a world in memory.
//!
//! The demo runs on it, and the tests that need an engine to fail at a given moment, or time to stand still. Everything above
//! the socket is the real code. It imitates what pitstop asks of Engine 20.10, measured there, and nothing more; it imports
//! nothing of ours, so that it cannot agree with our mistakes. All its time is tokio's.

mod answer;
mod ask;
mod behaviour;
mod clock;
mod control;
mod death;
mod engine;
mod fault;
mod furnish;
mod guest;
mod hold;
mod ipam;
mod life;
mod ports;
mod rest;
mod routes;
mod scenario;
mod server;
mod show;
mod speech;
mod world;

pub use behaviour::Behaviour;
pub use control::{Asked, Control, Seen};
pub use fault::{Fault, When};
pub use scenario::{AppAtFirst, ContainerAtFirst, ImageAtFirst, NetworkAtFirst, Scenario, ScenarioError};

use engine::Engine;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::net::UnixListener;
use tokio::task::JoinHandle;

/// A running simulated engine; it stops when dropped.
pub struct Sim {
    socket: PathBuf,
    serving: JoinHandle<()>,
    engine: Arc<Engine>,
}

impl Sim {
    /// Serves `scenario` on a socket made there. Needs a tokio runtime, on which everything runs.
    pub fn serve(socket: impl AsRef<Path>, scenario: Scenario) -> io::Result<Self> {
        let socket = socket.as_ref().to_owned();
        let engine = Engine::new(scenario);
        engine.furnish().map_err(io::Error::other)?;
        let listener = UnixListener::bind(&socket)?;
        let serving = tokio::spawn(server::serve(socket.clone(), listener, Arc::clone(&engine)));
        Ok(Self { socket, serving, engine })
    }

    /// A hand on it.
    pub fn control(&self) -> Control {
        Control(Arc::clone(&self.engine))
    }

    /// Where it listens, as `--host` takes it.
    pub fn host(&self) -> String {
        format!("unix://{}", self.socket.display())
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        self.serving.abort();
        self.engine.die(std::time::Duration::MAX);
        // Their processes' tasks find nothing to do any more.
        self.engine.change(|world| world.containers.clear());
        // Gone already is as good.
        let _ = std::fs::remove_file(&self.socket);
    }
}
