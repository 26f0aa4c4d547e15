//! A simulated engine of one's own, on a socket in a temporary directory.

use pitstop::sim::{Scenario, Sim};
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};

use super::pitstop::Pitstop;

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
        let _inside = self.runtime.enter();
        drop(self.sim.take());
    }
}
