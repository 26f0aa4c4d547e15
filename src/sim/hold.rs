//! New versions held back by their sandbox, imitated: what `guest/arbiter.rs` in pitstop's sources says and does.
//!
//! A hold belongs to a network namespace, and so ends with its sandbox. Moments are exact: a port is free in the very moment
//! in which its program ends.

use super::clock::Clock;
use super::engine::Engine;
use super::world::{Container, World};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

/// A console that says nothing for so long is gone.
const LEASE: Duration = Duration::from_secs(30);
const DAY: Duration = Duration::from_secs(86_400);

/// Whom somebody wants held, by namespace and token.
#[derive(Clone, Debug)]
pub struct Hold {
    /// At its `bind`, else at its start.
    bind: bool,
    port: Option<u16>,
    /// To be let go when its port is free.
    swap: bool,
    spoken: Instant,
    /// It was let go.
    free: Option<Instant>,
    /// It could not be let go beside the old version.
    apart: bool,
}

impl World {
    /// Whether what begins in that namespace with that token is held.
    pub(super) fn holds_back(&self, netns: u64, token: &str) -> bool {
        self.holds.get(&(netns, token.to_owned())).is_some_and(|hold| hold.free.is_none())
    }

    fn held(&self, netns: u64, token: &str) -> Option<&Container> {
        let all = self.containers.values();
        all.into_iter()
            .find(|seen| seen.runs() && seen.state.netns == netns && seen.state.held.as_deref() == Some(token))
    }

    /// Lets it go.
    fn let_go(&mut self, netns: u64, token: &str, now: Instant) {
        if let Some(hold) = self.holds.get_mut(&(netns, token.to_owned())) {
            hold.free.get_or_insert(now);
            let bind = hold.bind;
            let held = self
                .containers
                .values_mut()
                .find(|seen| seen.runs() && seen.state.netns == netns && seen.state.held.as_deref() == Some(token));
            if let Some(seen) = held {
                seen.state.held = None;
                seen.state.let_go = Some((now, bind));
            }
        }
    }

    /// Who has the port came by a gate, as the real guest needs it to let another one have it, too.
    fn shares(&self, netns: u64, token: &str, now: Instant) -> bool {
        let port = self.held(netns, token).and_then(|seen| seen.behaviour.port);
        let mut others = self.containers.values().filter(|seen| seen.state.netns == netns && seen.answers(now));
        port.is_some() && others.any(|seen| seen.behaviour.port == port && seen.gate().is_some())
    }

    /// Somebody else has that port there.
    fn is_taken(&self, netns: u64, port: u16, now: Instant) -> bool {
        self.containers
            .values()
            .any(|seen| seen.state.netns == netns && seen.behaviour.port == Some(port) && seen.answers(now))
    }

    /// What there is to say, and when that changes by itself.
    fn told(&self, netns: u64, token: &str, now: Instant, t: u64) -> (String, Option<Instant>) {
        let Some(hold) = self.holds.get(&(netns, token.to_owned())) else { return ("gone 0".into(), None) };
        if let Some(free) = hold.free {
            let serves = self.containers.values().filter(|seen| seen.runs() && seen.state.netns == netns);
            let from = serves.filter(|seen| seen.gate() == Some(token)).find_map(Container::answers_from);
            return match from {
                Some(from) if from <= now => {
                    (format!("served {t} {}", from.saturating_duration_since(free).as_micros()), None)
                }
                from => (format!("free {t} 0"), from),
            };
        }
        if hold.apart {
            return (format!("apart {t} 2"), None);
        }
        let Some(seen) = self.held(netns, token) else { return ("waiting".into(), None) };
        if !hold.bind {
            return (format!("held {t} start"), None);
        }
        let ready = seen.state.since.map(|since| since + Duration::from_millis(seen.behaviour.ready_ms));
        match ready.filter(|_| !seen.behaviour.mute && seen.behaviour.port.is_some()) {
            Some(ready) if ready <= now => (format!("held {t} {}", seen.behaviour.port.unwrap_or_default()), None),
            ready => (format!("begun {t}"), ready),
        }
    }
}

/// `hold ID TOKEN start|bind [PORT]`: begins it, and gives what is said from now on to `out`, each line once.
pub fn hold(
    engine: &Arc<Engine>,
    netns: u64,
    prefix: String,
    words: &[&str],
    out: mpsc::Sender<String>,
) -> Result<impl Future<Output = ()> + Send + use<>, &'static str> {
    let [token, kind, rest @ ..] = words else { return Err("not hold ID TOKEN start|bind PORT") };
    let bind = match *kind {
        "bind" => true,
        "start" => false,
        _ => return Err("not hold ID TOKEN start|bind PORT"),
    };
    let port = rest.first().map(|port| port.parse::<u16>().map_err(|_| "not a port")).transpose()?;
    let (token, now) = ((*token).to_owned(), Clock::instant());
    let new = engine.change(|world| {
        let key = (netns, token.clone());
        let new = !world.holds.contains_key(&key);
        let hold =
            world.holds.entry(key).or_insert(Hold { bind, port, swap: false, spoken: now, free: None, apart: false });
        hold.spoken = now;
        hold.apart = false;
        new
    });
    if new {
        engine.runtime.spawn(watch_over(Arc::clone(engine), netns, token.clone()));
    }
    let engine = Arc::clone(engine);
    Ok(async move {
        let (mut said, mut changes) = (String::new(), engine.changes());
        loop {
            changes.mark_unchanged();
            let now = Clock::instant();
            let (line, next) = engine.look(|world| world.told(netns, &token, now, engine.clock.micros(now)));
            let word = line.split(' ').next().unwrap_or_default().to_owned();
            if word != said {
                said = word;
                if out.send(format!("{prefix}{line}")).await.is_err() {
                    return;
                }
            }
            tokio::select! {
                _ = timeout_at(next.unwrap_or(now + DAY), changes.changed()) => {}
                () = out.closed() => return,
            }
        }
    })
}

/// `swap`, `beside` and `go`.
pub fn order(engine: &Engine, netns: u64, command: &str, token: &str) -> Result<(), &'static str> {
    let now = Clock::instant();
    engine.change(|world| {
        let hold = world.holds.get_mut(&(netns, token.to_owned())).ok_or("no such hold")?;
        hold.spoken = now;
        hold.apart = false;
        match command {
            "beside" => {
                let shares = hold.bind && world.shares(netns, token, now);
                if shares {
                    world.let_go(netns, token, now);
                } else if let Some(hold) = world.holds.get_mut(&(netns, token.to_owned())) {
                    hold.apart = true;
                }
            }
            "swap" if hold.port.is_none() => return Err("no port is known"),
            "swap" => hold.swap = true,
            _ => world.let_go(netns, token, now),
        }
        Ok(())
    })
}

/// Lets it go when its port is free and it is to, or its console is gone; ends with the sandbox.
async fn watch_over(engine: Arc<Engine>, netns: u64, token: String) {
    let mut changes = engine.changes();
    loop {
        changes.mark_unchanged();
        let now = Clock::instant();
        let key = (netns, token.clone());
        let next = engine.look(|world| {
            let there = world.containers.values().any(|seen| seen.runs() && seen.state.netns == netns);
            let hold = world.holds.get(&key).filter(|hold| there && hold.free.is_none())?;
            let due = hold.spoken + LEASE;
            let wants = hold.port.filter(|_| hold.swap || due <= now);
            let free = wants.is_some_and(|port| !world.is_taken(netns, port, now));
            Some((free, if due > now { due } else { now + DAY }))
        });
        match next {
            None => return,
            Some((true, _)) => return engine.change(|world| world.let_go(netns, &token, now)),
            Some((false, until)) => drop(timeout_at(until, changes.changed()).await),
        }
    }
}
