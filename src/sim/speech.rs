//! What simulated programs say in their logs.

use super::behaviour::Behaviour;
use super::engine::Engine;
use super::world::{Container, LogEntry, scramble};
use jiff::Timestamp;
use std::time::Duration;

/// Lines kept of one container.
const KEPT: usize = 2000;

impl Container {
    /// Takes a line.
    pub(super) fn say(&mut self, at: Timestamp, stderr: bool, text: String) {
        if self.log.len() >= KEPT {
            self.log.drain(..KEPT / 2);
            self.forgotten += KEPT / 2;
        }
        self.log.push(LogEntry { at, stderr, text });
    }
}

impl Engine {
    /// Says what a program says while it runs; never ends by itself.
    pub(super) async fn speak(&self, id: &str, behaviour: &Behaviour) {
        if let Some(port) = behaviour.port.filter(|_| !behaviour.mute) {
            self.say(id, "starting".into());
            tokio::time::sleep(Duration::from_millis(behaviour.ready_ms)).await;
            self.say(id, format!("ready, listening on port {port}"));
        }
        let Some(every) = behaviour.log_every_ms else { return std::future::pending().await };
        for turn in 0_u64.. {
            // Not all at once: each line comes a little early or late.
            let spread = scramble(turn ^ id.len() as u64 ^ u64::from(id.as_bytes()[0])) % every.max(1);
            tokio::time::sleep(Duration::from_millis(every / 2 + spread)).await;
            self.say(id, line(turn));
        }
    }

    fn say(&self, id: &str, text: String) {
        let at = self.clock.wall();
        self.change(|world| {
            if let Ok(container) = world.find_mut(id) {
                container.say(at, false, text);
            }
        });
    }
}

/// A line as a web server writes them.
fn line(turn: u64) -> String {
    const PATHS: [&str; 6] = ["/", "/cart", "/items/42", "/health", "/search?q=tyre", "/login"];
    let dice = scramble(turn.wrapping_mul(31));
    let pick = usize::try_from(dice % 6).unwrap_or(0);
    let status = if dice.is_multiple_of(41) { 404 } else { 200 };
    format!("GET {} {status} {} ms", PATHS[pick], 2 + dice / 7 % 40)
}
