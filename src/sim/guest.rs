//! Pitstop's guest, imitated: the first process of a sandbox takes commands and watches ports, an exec of it watches one.
//!
//! What is said is what `guest/commands.rs` and `guest/watch.rs` in pitstop's sources say; what is seen is the world, so
//! times are exact where the real guest probes every few milliseconds.

use super::clock::Clock;
use super::engine::Engine;
use super::hold;
use super::world::{Container, World};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout_at};

/// How long a watch lives without a word from its console.
pub const LEASE: Duration = Duration::from_secs(10);
/// Said when nothing changes.
const TICK: Duration = Duration::from_secs(1);
const WATCHES: usize = 16;

/// `tcp:8080` or `http:8080/health`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spec {
    port: u16,
    http: bool,
}

impl Spec {
    /// Reads it.
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, rest) = text.split_once(':')?;
        let port = rest.split('/').next()?.parse().ok().filter(|port| *port > 0)?;
        match kind {
            "tcp" if !rest.contains('/') => Some(Self { port, http: false }),
            "http" => Some(Self { port, http: true }),
            _ => None,
        }
    }

    fn words(self, up: bool) -> &'static str {
        match (up, self.http) {
            (false, _) => "refused",
            (true, true) => "http 200",
            (true, false) => "connected",
        }
    }
}

/// Who answers on a port of a network namespace, and when somebody begins to.
fn answering(world: &World, netns: u64, port: u16, now: Instant) -> (Option<(String, u64)>, Option<Instant>) {
    let there = || {
        let all = world.containers.values();
        all.filter(move |seen| seen.runs() && seen.state.netns == netns && seen.behaviour.port == Some(port))
    };
    let by = there().find(|seen| seen.answers(now)).map(|seen| (seen.id.clone(), seen.state.run));
    let next = there().filter_map(Container::answers_from).filter(|from| *from > now).min();
    (by, next)
}

/// Watches until nobody listens or the sandbox has ended; each line goes to `out` without its end.
pub async fn watch(engine: Arc<Engine>, sandbox: String, prefix: String, spec: Spec, out: mpsc::Sender<String>) {
    let begun = engine.look(|world| world.find(&sandbox).ok().filter(|seen| seen.runs()).map(|seen| seen.state.netns));
    let Some(netns) = begun else { return };
    let say = |line: String| {
        let line = format!("{prefix}{line}");
        let out = out.clone();
        async move { out.send(line).await.is_ok() }
    };
    if !say(format!("pitstop-watch 1 netns={netns}")).await {
        return;
    }
    let mut changes = engine.changes();
    let mut known: Option<Option<(String, u64)>> = None;
    let (mut last_ok, mut said) = (0, Clock::instant());
    loop {
        changes.mark_unchanged();
        let now = Clock::instant();
        let t = engine.clock.micros(now);
        let (by, next, alive) = engine.look(|world| {
            let (by, next) = answering(world, netns, spec.port, now);
            (by, next, world.find(&sandbox).is_ok_and(|seen| seen.state.netns == netns))
        });
        if !alive {
            return;
        }
        let mut lines = Vec::new();
        if known.as_ref() != Some(&by) {
            let was_up = known.as_ref().is_some_and(Option::is_some);
            if was_up {
                last_ok = t;
            }
            if by.is_none() || was_up {
                lines.push(format!("down {t} {last_ok} {}", spec.words(false)));
            }
            if by.is_some() {
                let gap = if last_ok > 0 { format!(" gap={}", t - last_ok) } else { String::new() };
                lines.push(format!("up {t} {}{gap}", spec.words(true)));
            }
            known = Some(by.clone());
        } else if now >= said + TICK {
            let word = if by.is_some() { "up" } else { "down" };
            lines.push(format!("tick {t} {word} {}", spec.words(by.is_some())));
        }
        for line in lines {
            said = now;
            if !say(line).await {
                return;
            }
        }
        let until = next.map_or(said + TICK, |next| next.min(said + TICK));
        tokio::select! {
            _ = timeout_at(until, changes.changed()) => {}
            () = out.closed() => return,
        }
    }
}

/// The commands of one attached console, and the watches it began.
pub struct Commands {
    engine: Arc<Engine>,
    sandbox: String,
    out: mpsc::Sender<String>,
    watches: BTreeMap<String, (JoinHandle<()>, mpsc::Sender<()>)>,
    holds: BTreeMap<String, JoinHandle<()>>,
}

impl Commands {
    pub fn new(engine: Arc<Engine>, sandbox: String, out: mpsc::Sender<String>) -> Self {
        Self { engine, sandbox, out, watches: BTreeMap::new(), holds: BTreeMap::new() }
    }

    /// Does what a line says.
    pub async fn take(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').filter(|word| !word.is_empty()).collect();
        let proper = |id: &&str| {
            (1..=32).contains(&id.len())
                && id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
        };
        let Some(id) = words.get(1).filter(|id| proper(id)) else {
            return self.say("error not COMMAND ID".into()).await;
        };
        self.watches.retain(|_, (task, _)| !task.is_finished());
        let refused = match words.as_slice() {
            ["watch", _, spec, ..] => self.watch(id, spec).err(),
            ["keep", _] => match self.watches.get(*id) {
                // Full: it has been kept and not looked yet.
                Some((_, keep)) => {
                    let _ = keep.try_send(());
                    None
                }
                None => Some("no such watch"),
            },
            ["end", _] => {
                if let Some((task, _)) = self.watches.remove(*id) {
                    task.abort();
                }
                None
            }
            ["hold", _, words @ ..] => self.hold(id, words).err(),
            [command @ ("swap" | "beside" | "go"), _, token] => {
                self.netns().and_then(|netns| hold::order(&self.engine, netns, command, token)).err()
            }
            _ => Some("not watch, keep, end, hold, swap, beside or go ID"),
        };
        if let Some(why) = refused {
            self.say(format!("{id} error {why}")).await;
        }
    }

    fn watch(&mut self, id: &str, spec: &str) -> Result<(), &'static str> {
        let spec = Spec::parse(spec).ok_or("not tcp:PORT or http:PORT/PATH")?;
        if self.watches.contains_key(id) {
            return Err("taken");
        }
        if self.watches.len() == WATCHES {
            return Err("too many");
        }
        let watching = watch(Arc::clone(&self.engine), self.sandbox.clone(), format!("{id} "), spec, self.out.clone());
        let (keep, mut kept) = mpsc::channel(1);
        let (out, complaint) = (self.out.clone(), format!("{id} error nobody kept it"));
        let lease = async move {
            let mut until = Clock::instant() + LEASE;
            loop {
                tokio::select! {
                    Some(()) = kept.recv() => until = Clock::instant() + LEASE,
                    () = sleep_until(until) => return drop(out.send(complaint).await),
                }
            }
        };
        let task = tokio::spawn(async move {
            tokio::select! {
                () = watching => {}
                () = lease => {}
            }
        });
        self.watches.insert(id.to_owned(), (task, keep));
        Ok(())
    }

    fn netns(&self) -> Result<u64, &'static str> {
        let found = self.engine.look(|world| world.find(&self.sandbox).ok().map(|seen| seen.state.netns));
        found.filter(|netns| *netns > 0).ok_or("no such hold")
    }

    /// The same again tells what is now.
    fn hold(&mut self, id: &str, words: &[&str]) -> Result<(), &'static str> {
        let tells = hold::hold(&self.engine, self.netns()?, format!("{id} "), words, self.out.clone())?;
        if let Some(before) = self.holds.insert(id.to_owned(), tokio::spawn(tells)) {
            before.abort();
        }
        Ok(())
    }

    async fn say(&self, line: String) {
        // Nobody reads any more: nobody has to be told.
        let _ = self.out.send(line).await;
    }
}

impl Drop for Commands {
    fn drop(&mut self) {
        // The real watches live on until their lease ends, but whoever asked is gone and reads nothing.
        self.watches.values().for_each(|(task, _)| task.abort());
        self.holds.values().for_each(JoinHandle::abort);
    }
}
