//! What happens to containers: they start, answer, end, come back and go.
//!
//! Each process is a task that ends by itself or with its container; a number counts the runs, so that a timer of an
//! earlier one finds nothing to do.

use super::answer::{Refusal, refuse};
use super::behaviour::words;
use super::clock::Clock;
use super::engine::Engine;
use super::guest::LEASE;
use super::world::{Container, Endpoint, Status, World};
use super::{ipam, ports, show};
use std::sync::Arc;
use std::time::Duration;

/// The engine's pauses before it starts a crashed container again: doubled each time up to the longest, begun anew once
/// one has lived for a while.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(60));
const LIVED: Duration = Duration::from_secs(10);

/// What SIGKILL makes of any process.
pub const KILLED: i64 = 137;

impl Engine {
    /// Starts a container; `false` when it runs already.
    pub(super) fn start(self: &Arc<Self>, id: &str) -> Result<bool, Refusal> {
        let started = self.change(|world| {
            let container = world.find_mut(id)?;
            if container.state.paused {
                return refuse(409, "cannot start a paused container, try unpause instead");
            }
            if matches!(container.state.status, Status::Running | Status::Restarting) {
                return Ok(None);
            }
            (container.state.restarts, container.state.in_a_row) = (0, 0);
            container.state.stopped = false;
            self.begin(world, id).map(Some)
        })?;
        if let Some(run) = started {
            self.live(id, run);
        }
        Ok(started.is_some())
    }

    /// Gives it what it needs and a process; what it got before something failed is taken back.
    pub(super) fn begin(&self, world: &mut World, id: &str) -> Result<u64, Refusal> {
        if let Err(refusal) = connect(world, id) {
            let container = world.find_mut(id)?;
            container.ends.values_mut().for_each(Endpoint::release);
            container.state.ports.clear();
            container.state.error.clone_from(&refusal.message);
            if container.state.exit_code == 0 {
                container.state.exit_code = 128;
            }
            if container.state.status == Status::Restarting {
                container.state.status = Status::Exited;
            }
            return Err(refusal);
        }
        let (pid, inode) = (1000 + world.number(), 4_026_532_000 + world.number());
        let netns = match &world.find(id)?.joins {
            Some(other) => world.find(&other.clone())?.state.netns,
            None => inode,
        };
        let now = self.clock.wall();
        let since = Clock::instant();
        let container = world.find_mut(id)?;
        let id = container.id.clone();
        let state = &mut container.state;
        state.status = Status::Running;
        (state.started, state.since) = (Some(now), Some(since));
        (state.exit_code, state.pid, state.netns) = (0, pid, netns);
        state.own_netns = inode;
        state.error.clear();
        state.run += 1;
        let run = state.run;
        state.let_go = None;
        let token = container.gate().map(str::to_owned);
        let held = token.filter(|token| world.holds_back(netns, token));
        let container = world.find_mut(&id)?;
        container.state.held = held;
        let networks: Vec<_> = container.ends.keys().cloned().collect();
        for network in networks {
            self.tell_network(world, &network, "connect", &id);
        }
        self.tell(world, &id, "start", &[]);
        Ok(run)
    }

    /// What its process does from now on.
    pub(super) fn live(self: &Arc<Self>, id: &str, run: u64) {
        let (engine, id) = (Arc::clone(self), id.to_owned());
        self.runtime.spawn(async move {
            let Some(behaviour) = engine.look(|world| world.find(&id).ok().map(|seen| seen.behaviour.clone())) else {
                return;
            };
            let speak = engine.speak(&id, &behaviour);
            let end = async {
                match behaviour.lives_ms {
                    Some(ms) => tokio::time::sleep(Duration::from_millis(ms)).await,
                    None => std::future::pending().await,
                }
            };
            let other = engine.until(|world| {
                let same = world.find(&id).is_ok_and(|seen| seen.runs() && seen.state.run == run);
                (!same).then_some(())
            });
            let lease = engine.look(|world| world.find(&id).ok().and_then(Container::lease));
            // With an input, its lease is renewed or not by what comes there; without one, as before it came or after an engine
            // that died has lost it, it runs out.
            let unheld = async {
                let Some(lease) = lease else { return std::future::pending().await };
                let alone = |world: &World| world.find(&id).is_ok_and(|seen| seen.inputs == 0).then_some(());
                loop {
                    engine.until(alone).await;
                    tokio::time::sleep(lease).await;
                    if engine.look(|world| alone(world).is_some()) {
                        break;
                    }
                }
            };
            tokio::select! {
                () = other => {}
                () = engine.tell_health(&id) => {}
                () = speak => {}
                () = unheld => engine.end(&id, run, 0),
                () = end => {
                    let words = behaviour.last_words.clone();
                    engine.change(|world| {
                        if let (Ok(container), Some(words)) = (world.find_mut(&id), words) {
                            container.say(engine.clock.wall(), true, words);
                        }
                    });
                    engine.end(&id, run, behaviour.exit_code);
                }
            }
        });
    }

    /// Tells each change of what the engine itself makes of its health; its first check comes after a whole interval.
    async fn tell_health(&self, id: &str) {
        let Some(interval) = self.look(|world| world.find(id).ok().and_then(show::check_interval)) else {
            return std::future::pending().await;
        };
        let mut last = "starting";
        loop {
            tokio::time::sleep(interval).await;
            let now = self.look(|world| world.find(id).ok().and_then(|seen| show::health(seen, Clock::instant())));
            if let Some(now) = now.filter(|now| *now != last) {
                last = now;
                self.change(|world| self.tell(world, id, &format!("health_status: {now}"), &[]));
            }
        }
    }

    /// Sends a signal: SIGKILL ends it at once, SIGTERM and SIGINT when its program wants to, others do nothing.
    pub(super) fn signal(self: &Arc<Self>, id: &str, signal: u8) -> Result<(), Refusal> {
        let (id, run, behaviour) = self.change(|world| {
            let container = world.find(id)?;
            if !container.runs() {
                return refuse(409, format!("Cannot kill container: {id}: Container {} is not running", container.id));
            }
            let found = (container.id.clone(), container.state.run, container.behaviour.clone());
            self.tell(world, &found.0, "kill", &[("signal", signal.to_string())]);
            // The engine thaws what it signals.
            world.find_mut(&found.0)?.state.paused = false;
            Ok(found)
        })?;
        match signal {
            9 => self.end(&id, run, KILLED),
            2 | 15 if behaviour.stubborn => {}
            2 | 15 if behaviour.stop_ms == 0 => self.end(&id, run, 0),
            2 | 15 => {
                let engine = Arc::clone(self);
                self.runtime.spawn(async move {
                    tokio::time::sleep(Duration::from_millis(behaviour.stop_ms)).await;
                    engine.end(&id, run, 0);
                });
            }
            _ => {}
        }
        Ok(())
    }

    /// Its process has ended; whatever its policy says happens next.
    pub(super) fn end(self: &Arc<Self>, id: &str, run: u64, code: i64) {
        let again = self.change(|world| {
            let (now, down) = (self.clock.wall(), world.down);
            let container = world.find_mut(id).ok().filter(|seen| seen.runs() && seen.state.run == run)?;
            let id = container.id.clone();
            let lived = container.state.since.map_or(Duration::ZERO, |since| since.elapsed());
            let networks = container.release();
            container.state.exit_code = code;
            container.state.finished = Some(now);
            container.state.interrupted = down;
            let again = !down && container.comes_back(code);
            if again {
                container.state.status = Status::Restarting;
                container.state.restarts += 1;
                container.state.in_a_row = if lived >= LIVED { 1 } else { container.state.in_a_row + 1 };
            }
            let (restarts, auto) = (container.state.in_a_row, container.host["AutoRemove"] == true);
            self.tell(world, &id, "die", &[("exitCode", code.to_string())]);
            for network in networks {
                self.tell_network(world, &network, "disconnect", &id);
            }
            if auto && !again && !down {
                self.remove_now(world, &id, true);
            }
            again.then_some((id, restarts))
        });
        if let Some((id, restarts)) = again {
            let engine = Arc::clone(self);
            self.runtime.spawn(async move {
                let doubled = 1_u32.checked_shl(u32::try_from(restarts).unwrap_or(31).saturating_sub(1));
                tokio::time::sleep(BACKOFF.0.saturating_mul(doubled.unwrap_or(u32::MAX)).min(BACKOFF.1)).await;
                engine.come_back(&id, run);
            });
        }
    }

    /// Starts it again by itself, unless somebody was there before.
    fn come_back(self: &Arc<Self>, id: &str, run: u64) {
        let begun = self.change(|world| {
            world.find(id).ok().filter(|seen| seen.state.status == Status::Restarting && seen.state.run == run)?;
            self.begin(world, id).ok()
        });
        if let Some(run) = begun {
            self.live(id, run);
        }
    }

    /// Takes it out of the world.
    pub(super) fn remove_now(&self, world: &mut World, id: &str, volumes: bool) {
        self.tell(world, id, "destroy", &[]);
        if let Some(gone) = world.containers.remove(id)
            && volumes
        {
            let used = |name: &str| {
                world.containers.values().any(|other| other.mounts.iter().any(|mount| mount["Name"] == name))
            };
            let free: Vec<_> = gone.anonymous.into_iter().filter(|name| !used(name)).collect();
            for name in free {
                world.volumes.remove(&name);
            }
        }
    }
}

impl Container {
    /// Its process is gone: what it had only while running is given back. Gives the networks it was on.
    pub(super) fn release(&mut self) -> Vec<String> {
        let state = &mut self.state;
        (state.status, state.paused) = (Status::Exited, false);
        (state.pid, state.netns) = (0, 0);
        state.ports.clear();
        self.ends.values_mut().for_each(Endpoint::release);
        self.ends.keys().cloned().collect()
    }

    /// Does it run for as long as somebody holds its input?
    pub(super) fn is_lock(&self) -> bool {
        let command = words(&self.config["Entrypoint"]).into_iter().chain(words(&self.config["Cmd"]));
        self.behaviour.guest && command.into_iter().any(|word| word == "lock" || word == "--until-stdin-closes")
    }

    /// How long it runs without a word from whoever holds its input; `None`: it is no lock.
    fn lease(&self) -> Option<Duration> {
        let command = words(&self.config["Cmd"]);
        let told = command.iter().skip_while(|word| *word != "--lease-ms").nth(1).and_then(|ms| ms.parse().ok());
        self.is_lock().then(|| told.map_or(LEASE, Duration::from_millis))
    }

    /// Does its policy start it again after this end?
    fn comes_back(&self, code: i64) -> bool {
        match self.policy() {
            ("always" | "unless-stopped", _) => !self.state.stopped,
            ("on-failure", most) => code != 0 && !self.state.stopped && (most == 0 || self.state.restarts < most),
            _ => false,
        }
    }
}

/// No address can be asked for there.
pub const UNCONFIGURED: &str =
    "user specified IP address is supported only when connecting to networks with user configured subnets";

/// Addresses and ports, or membership in another's network namespace.
fn connect(world: &mut World, id: &str) -> Result<(), Refusal> {
    let container = world.find(id)?.clone();
    world.room("mkdir /var/lib/docker/overlay2")?;
    if let Some(other) = &container.joins {
        let other = world.find(other)?;
        if !other.runs() {
            return refuse(409, format!("cannot join network of a non running container: {}", other.id));
        }
        return Ok(());
    }
    for (network, end) in &container.ends {
        let Ok(network) = world.network(network) else {
            return refuse(404, format!("network {network} not found"));
        };
        let (Some(pool), network) = (network.pool.clone(), network.clone()) else { continue };
        let taken = world.taken(&network.id);
        let ip = match end.pinned {
            Some(_) if network.predefined => {
                return refuse(400, "user specified IP address is supported on user defined networks only");
            }
            Some(_) if !network.configured => return refuse(400, UNCONFIGURED),
            Some(ip) if taken.contains(&ip) || ip == pool.gateway => return refuse(403, "Address already in use"),
            Some(ip) if !pool.subnet.has(ip) => {
                return refuse(
                    400,
                    format!("Invalid address {ip}: It does not belong to any of this network's subnets"),
                );
            }
            Some(ip) => ip,
            None => match pool.lowest_free(&taken) {
                Some(ip) => ip,
                None => return refuse(500, "no available IPv4 addresses on this network's address pools"),
            },
        };
        let mac = mac(world, end, ip);
        if let Some(end) = world.find_mut(id)?.ends.get_mut(&network.id) {
            (end.ip, end.mac) = (Some(ip), mac);
        }
    }
    let bound = ports::bind(world, &container)?;
    world.find_mut(id)?.state.ports = bound;
    Ok(())
}

/// The MAC address that comes with an address.
pub fn mac(world: &mut World, end: &Endpoint, ip: std::net::Ipv4Addr) -> String {
    match (&end.asked_mac, world.newer) {
        (Some(asked), true) => asked.clone(),
        (_, false) => ipam::mac(ip),
        (None, true) => {
            let [.., b, c, d] = world.number().to_be_bytes();
            format!("9a:d1:c7:{b:02x}:{c:02x}:{d:02x}")
        }
    }
}
