//! A simulated engine of one's own, on a socket in a temporary directory.

use std::io;
use std::path::Path;
use std::time::Duration;

use pitstop::docker::Location;
use pitstop::sim::{Control, Scenario, Sim};
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use super::pitstop::Pitstop;
use super::unix_http::{self, Answer};

/// A simulated engine and the threads it runs on; both end with it.
pub struct Served {
    runtime: Runtime,
    sim: Option<Sim>,
    _dir: TempDir,
}

impl Served {
    /// Serves a scenario, a TOML text, in real time.
    pub fn new(scenario: &str) -> Self {
        Self::with(Scenario::parse(scenario).expect("a scenario"))
    }

    /// Serves a scenario in real time.
    pub fn with(scenario: Scenario) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
        let dir = tempfile::Builder::new().prefix("pitstop-sim").tempdir().expect("a temporary directory");
        let inside = runtime.enter();
        let sim = Sim::serve(dir.path().join("engine.sock"), scenario).expect("a simulated engine");
        drop(inside);
        Self { runtime, sim: Some(sim), _dir: dir }
    }

    pub fn sim(&self) -> &Sim {
        self.sim.as_ref().expect("it is there until dropped")
    }

    /// Where it listens, as `--host` takes it.
    pub fn host(&self) -> String {
        self.sim().host()
    }

    /// A hand on it.
    pub fn control(&self) -> Control {
        self.sim().control()
    }

    /// Asks it something without pitstop.
    pub fn ask(&self, method: &str, path: &str, body: &Value) -> io::Result<Answer> {
        unix_http::ask(Path::new(self.host().trim_start_matches("unix://")), method, path, body)
    }

    /// The program, with this engine for its own.
    pub fn pitstop(&self) -> Pitstop {
        Pitstop::without_engine().env("DOCKER_HOST", self.host())
    }

    /// Runs on the engine's threads.
    pub fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.sim.take());
    }
}

/// Runs whole operations against a simulated engine while time stands still: it goes on by a millisecond only when nobody
/// has anything to do, so that durations are exact, on any machine.
///
/// Tokio's own way of going on by itself can't be used: it sees an idle runtime while bytes lie in a socket. It is held back by
/// a blocking task, and the clock is moved by hand.
pub fn paused<T>(scenario: Scenario, work: impl AsyncFnOnce(&Sim, Location) -> T) -> T {
    let runtime = Builder::new_current_thread().enable_all().start_paused(true).build().expect("a runtime");
    let dir = tempfile::Builder::new().prefix("pitstop-sim").tempdir().expect("a temporary directory");
    let (done, held) = std::sync::mpsc::channel::<()>();
    let result = runtime.block_on(async {
        let holding = tokio::task::spawn_blocking(move || held.recv());
        let sim = Sim::serve(dir.path().join("engine.sock"), scenario).expect("a simulated engine");
        let ticking = async {
            loop {
                // Each round runs every task that can run and looks at every socket.
                for _ in 0..ROUNDS {
                    tokio::task::yield_now().await;
                }
                tokio::time::advance(Duration::from_millis(1)).await;
            }
        };
        let result = tokio::select! {
            result = work(&sim, Location::at(sim.host())) => result,
            () = ticking => unreachable!("it ticks for ever"),
        };
        drop(done);
        // It ends with its channel.
        let _ = holding.await;
        result
    });
    runtime.shutdown_background();
    result
}

/// Turns without a tick: a request goes through some dozen tasks and sockets on its way there and back.
const ROUNDS: u32 = 64;
