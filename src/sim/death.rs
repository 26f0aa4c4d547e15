//! The engine's own death and return, with live-restore or without.
//!
//! What belongs to the engine's process ends with it: connections, requests under way, a stop's wait for its grace to be
//! over. Containers go on with live-restore, and end without.

use super::engine::Engine;
use super::life::KILLED;
use super::world::{Status, World, scramble};
use std::sync::Arc;
use std::sync::PoisonError;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

impl Engine {
    /// Runs something that ends with the engine.
    pub(super) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let life = self.life();
        self.runtime.spawn(async move {
            tokio::select! {
                () = life.cancelled() => {}
                () = work => {}
            }
        });
    }

    /// Ends when the engine does.
    pub(super) fn life(&self) -> CancellationToken {
        self.life.lock().unwrap_or_else(PoisonError::into_inner).0.clone()
    }

    /// Dies, to be back after so long.
    pub(super) fn die(&self, down: Duration) {
        let mut life = self.life.lock().unwrap_or_else(PoisonError::into_inner);
        life.1 = down;
        life.0.cancel();
    }

    /// What death leaves behind; gives how long it lasts.
    pub(super) fn fall(&self) -> Duration {
        let down = self.life.lock().unwrap_or_else(PoisonError::into_inner).1;
        self.change(|world| {
            world.down = true;
            world.execs.clear();
            let now = self.clock.wall();
            for seen in world.containers.values_mut() {
                seen.inputs = 0;
                if !self.scenario.live_restore && seen.runs() {
                    seen.release();
                    seen.state.exit_code = KILLED;
                    seen.state.finished = Some(now);
                    seen.state.interrupted = true;
                } else if seen.state.status == Status::Restarting {
                    seen.state.status = Status::Exited;
                    seen.state.interrupted = true;
                }
            }
        });
        down
    }

    /// Back again: policies start what has ended meanwhile, in no order that anybody promised.
    pub(super) fn rise(self: &Arc<Self>) {
        *self.life.lock().unwrap_or_else(PoisonError::into_inner) = (CancellationToken::new(), Duration::ZERO);
        let started = self.change(|world| {
            world.down = false;
            world.returns += 1;
            let mut ended: Vec<_> = world.containers.values().filter(|seen| !seen.runs()).cloned().collect();
            let dice = world.number();
            ended.sort_by_key(|seen| scramble(seen.order ^ scramble(dice)));
            let mut started = Vec::new();
            for seen in ended {
                if seen.host["AutoRemove"] == true && seen.state.interrupted {
                    self.remove_now(world, &seen.id, true);
                } else if wants_back(&seen.policy(), &seen.state) {
                    started.extend(self.try_begin(world, &seen.id));
                }
            }
            started
        });
        for (id, run) in started {
            self.live(&id, run);
        }
    }

    fn try_begin(&self, world: &mut World, id: &str) -> Option<(String, u64)> {
        world.find_mut(id).ok()?.state.interrupted = false;
        // One that can't start stays down, with the reason in its state: the engine does not try again.
        let run = self.begin(world, id).ok()?;
        Some((id.to_owned(), run))
    }
}

/// Does a policy start it with the engine? `always` does even what somebody stopped.
fn wants_back((policy, _): &(&str, u64), state: &super::world::State) -> bool {
    match *policy {
        "always" => state.run > 0,
        "unless-stopped" => state.run > 0 && !state.stopped,
        "on-failure" => state.interrupted && state.exit_code != 0 && !state.stopped,
        _ => false,
    }
}
