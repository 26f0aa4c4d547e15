//! The locks of an operation: taken before anything is touched, held while it runs, asked before each step that counts.
//!
//! Taking is creating the container: its name goes to one of those who ask, and counts for [`STILLBORN`]. Only an operation
//! that is still under way after [`START_AFTER`] starts it, to hold it for as long as it lives: starting and ending a container
//! costs an engine as much as a swap does. What can't be taken back waits until that is so ([`Locks::fence`]). Who has slept past
//! the lease has lost the lock for good, because another may have worked meanwhile; who was awake when the container went away
//! makes it anew. Held or not: every step is safe on its own.

use super::certain::Certain;
use super::perform::Failed;
use super::{Error, clock};
use crate::docker::{DockerError, Failure, LockLine, LockSeen};
use crate::domain::event::EventKind;
use crate::domain::fleet::State;
use crate::domain::ids::{ContainerId, ImageRef, ObjectName};
use crate::domain::labels::{ROLE, Role};
use crate::domain::lock::{self, Holder, LEASE, LOOK_AGAIN, PLACE, RENEW, START_AFTER, STILLBORN, Subject, UNSTARTED};
use futures_util::future::join_all;
use std::collections::VecDeque;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};

/// Between two looks at a lock that is taken: first, and at most.
const PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(500));
/// The keeper looks at its own clock so often; one that was away for [`ASLEEP`] did not.
const TICK: Duration = Duration::from_secs(1);
const ASLEEP: Duration = Duration::from_secs(3);
/// A renewal of a few bytes not taken by then won't be.
const SAY: Duration = Duration::from_secs(2);
/// How often something that an engine going or coming did not answer is tried again.
const TRIES: u32 = 5;
/// For the container to be gone after the lock was let go.
const GONE: Duration = Duration::from_secs(1);

/// How a lock stands.
#[derive(Clone, Debug)]
enum Standing {
    /// The container is gone; it is being made anew.
    Away,
    /// Until then by our own clock, unless it is renewed.
    Held { until: Instant },
    /// For good: why.
    Lost(String),
    /// The engine can't run it.
    Without,
}

/// A lock's container that is ours, and since when at the latest.
struct Taken {
    id: ContainerId,
    since: Instant,
}

impl Taken {
    /// Until when its name alone locks.
    fn until(&self) -> Instant {
        self.since + UNSTARTED
    }
}

/// The locks of one operation.
pub(super) struct Locks {
    kept: Vec<watch::Receiver<Standing>>,
    release: watch::Sender<bool>,
}

/// One lock to take and keep.
#[derive(Clone)]
struct Lock {
    docker: Certain,
    image: ImageRef,
    subject: Subject,
    name: ObjectName,
    holder: Holder,
    notes: mpsc::UnboundedSender<EventKind>,
}

impl Locks {
    /// Nothing is locked.
    pub fn none() -> Self {
        Self { kept: Vec::new(), release: watch::channel(false).0 }
    }

    /// Takes the locks of `subjects` within `wait`, in their order; true: somebody else had one in between.
    pub async fn take(
        docker: &Certain,
        image: &ImageRef,
        subjects: impl IntoIterator<Item = Subject>,
        holder: &Holder,
        wait: Duration,
        notes: &mpsc::UnboundedSender<EventKind>,
    ) -> Result<(Self, bool), Error> {
        let locks = subjects.into_iter().filter_map(|subject| {
            let name = subject.lock()?;
            let (docker, image, holder, notes) = (docker.clone(), image.clone(), holder.clone(), notes.clone());
            Some(Lock { docker, image, subject, name, holder, notes })
        });
        let mut held = Self::none();
        match held.take_all(locks.collect(), wait).await {
            Ok(waited) => Ok((held, waited)),
            Err(error) => {
                held.release().await;
                Err(error)
            }
        }
    }

    /// All at once where they are free; from the first that is not, one after the other, so that no two wait for each other.
    async fn take_all(&mut self, locks: Vec<Lock>, wait: Duration) -> Result<bool, Error> {
        let deadline = clock::instant() + wait.max(LOOK_AGAIN);
        let tried = join_all(locks.iter().map(Lock::create)).await;
        let mut taken = false;
        let mut failed = None;
        let mut behind = Vec::new();
        for (lock, tried) in locks.into_iter().zip(tried) {
            match tried {
                Ok(Some(held)) if behind.is_empty() && failed.is_none() => self.keep(lock, held),
                Ok(Some(held)) => {
                    lock.give_back(&held.id).await;
                    behind.push(lock);
                }
                Ok(None) => {
                    taken = true;
                    behind.push(lock);
                }
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        if let Some(error) = failed {
            return Err(error.into());
        }
        for lock in behind {
            let held = lock.wait_for(deadline, wait).await?;
            self.keep(lock, held);
        }
        Ok(taken)
    }

    fn keep(&mut self, lock: Lock, taken: Taken) {
        let (tell, standing) = watch::channel(Standing::Held { until: taken.until() });
        tokio::spawn(lock.keep(taken, tell, self.release.subscribe()));
        self.kept.push(standing);
    }

    /// Whether a change may be made now. `first`: one that can't be taken back, for which every lock has to be held.
    pub async fn fence(&self, first: bool) -> Result<(), Failed> {
        for standing in &self.kept {
            let mut standing = standing.clone();
            loop {
                match &*standing.borrow_and_update() {
                    Standing::Lost(why) => return Err(Failed::new(why.clone())),
                    Standing::Held { until } if clock::instant() < *until => break,
                    Standing::Away if !first => break,
                    Standing::Without => break,
                    // An answer that is late, or the keeper about to find out that we slept.
                    Standing::Held { .. } | Standing::Away => {}
                }
                if standing.changed().await.is_err() {
                    return Err(Failed::new("the lock was let go before this step; it was not begun"));
                }
            }
        }
        Ok(())
    }

    /// Tells at any time, to whoever works beside the steps, whether one of them is lost.
    pub fn lost(&self) -> impl Fn() -> bool + Send + 'static + use<> {
        let kept = self.kept.clone();
        move || kept.iter().any(|standing| matches!(*standing.borrow(), Standing::Lost(_)))
    }

    /// Lets all go, and waits a moment for them to be gone.
    pub async fn release(&self) {
        self.release.send_replace(true);
        let gone = async {
            for standing in &self.kept {
                let mut standing = standing.clone();
                while standing.changed().await.is_ok() {}
            }
        };
        // The engine removes what it has not removed yet; nobody has to wait for that.
        let _ = timeout(2 * GONE, gone).await;
    }
}

impl Lock {
    /// Takes the name; `None`: somebody else has it.
    async fn create(&self) -> Result<Option<Taken>, DockerError> {
        let since = clock::instant();
        let ours = |id| Ok(Some(Taken { id, since }));
        let (mut tries, mut doubt) = (0, false);
        loop {
            let error = match self.docker.create_lock(&self.name, &self.image, &self.holder.labels(&self.subject)).await
            {
                Ok(id) => return ours(id),
                Err(error) => error,
            };
            let taken = error.failure == Failure::Conflict;
            if taken && !doubt {
                return Ok(None);
            }
            if !taken && !error.is_unknown_outcome() {
                return Err(error);
            }
            // It may have been done all the same: the name tells.
            match self.docker.lock(&self.name).await? {
                Some(seen) if seen.holder.as_ref() == Some(&self.holder) => return ours(seen.id),
                Some(_) => return Ok(None),
                None if taken => return Ok(None),
                None if error.failure == Failure::Server || tries == TRIES => return Err(error),
                None => (tries, doubt) = (tries + 1, true),
            }
            sleep(PAUSE.0 * 2 * tries).await;
        }
    }

    /// Takes the name as soon as it is free, until `deadline`; or until it shows whether anybody is behind one that does not run yet.
    async fn wait_for(&self, deadline: Instant, asked: Duration) -> Result<Taken, Error> {
        let shown = clock::instant() + STILLBORN + LOOK_AGAIN;
        let mut pause = PAUSE.0;
        loop {
            let seen = self.docker.lock(&self.name).await?;
            if let Some(seen) = &seen {
                self.clear_away(seen).await?;
            }
            if let Some(taken) = self.create().await? {
                return Ok(taken);
            }
            let unstarted = seen.as_ref().is_some_and(|seen| seen.state == State::Created && seen.holder.is_some());
            if clock::instant() + pause > if unstarted { deadline.max(shown) } else { deadline } {
                let holder = seen.as_ref().and_then(|seen| seen.holder.as_ref());
                // Who came and went between two looks is not known, but somebody it was.
                let unknown = Holder::default();
                let holder = holder.or(seen.is_none().then_some(&unknown));
                return Err(Error::Locked {
                    message: lock::refusal(&self.subject, self.name.as_str(), holder, asked),
                    hint: lock::advice(self.name.as_str(), holder),
                });
            }
            sleep(pause).await;
            pause = (pause * 2).min(PAUSE.1);
        }
    }

    /// Removes a lock that nobody can hold any more, by its id: never the next one of that name.
    async fn clear_away(&self, seen: &LockSeen) -> Result<(), Error> {
        if seen.holder.is_none() {
            return Ok(());
        }
        // It outlived our hold on it: the engine was gone, the container was not.
        if seen.holder.as_ref() == Some(&self.holder) {
            return Ok(self.docker.remove(&seen.id, false).await?);
        }
        Ok(bury(&self.docker, seen).await?)
    }

    async fn give_back(&self, id: &ContainerId) {
        let mut tries = 0;
        while let Err(error) = self.docker.remove(id, false).await {
            tries += 1;
            if tries > TRIES || error.failure != Failure::Server {
                return tracing::warn!("{error}; others take it for dead after {} s", STILLBORN.as_secs());
            }
            sleep(PAUSE.0 * tries).await;
        }
    }

    /// Holds the lock until it is let go or lost; its end is the channel's.
    async fn keep(self, mut taken: Taken, tell: watch::Sender<Standing>, mut release: watch::Receiver<bool>) {
        let mut failures = 0;
        loop {
            let end = match self.hold(&taken, &tell, &mut release).await {
                // The connection to the engine, or the engine in a bad moment; not the lock.
                End::Failed(error) if failures < TRIES && (error.is_lost() || error.failure == Failure::Server) => {
                    failures += 1;
                    End::Gone
                }
                end => end,
            };
            match end {
                End::LetGo => return,
                End::Slept => return self.lose(&tell, "this console slept for longer than its lock lasts"),
                End::Failed(error) => {
                    self.give_back(&taken.id).await;
                    let lost = [Failure::Timeout, Failure::Broken, Failure::NotFound, Failure::Conflict];
                    if lost.contains(&error.failure) {
                        return self.lose(&tell, &error.to_string());
                    }
                    // What a lock is made of does not run there: that is not what the person came for. Every step is safe
                    // without one, and half-way an instance may be down.
                    let message = format!("{} is not locked against other consoles: {error}", self.subject.as_str());
                    // An operation that has ended wants no more notes.
                    let _ = self.notes.send(EventKind::Noted { message });
                    tell.send_replace(Standing::Without);
                    return;
                }
                End::Gone => {
                    tracing::warn!("{} is gone while it was held; it is taken again", self.name);
                    tell.send_replace(Standing::Away);
                    match self.again().await {
                        Ok(again) => taken = again,
                        Err(why) => return self.lose(&tell, &why),
                    }
                }
            }
        }
    }

    fn lose(&self, tell: &watch::Sender<Standing>, why: &str) {
        tracing::warn!("{} is lost: {why}", self.name);
        tell.send_replace(Standing::Lost(format!(
            "the lock of {} is lost: {why}; this step was not begun",
            self.subject.as_str()
        )));
    }

    /// The lock went away while we were awake: it is taken again, unless somebody was quicker.
    async fn again(&self) -> Result<Taken, String> {
        let mut tries = 0;
        loop {
            if self.docker.outage().over().await.is_err() {
                return Err("the engine did not come back in time".into());
            }
            match self.wait_for(clock::instant() + LOOK_AGAIN, Duration::ZERO).await {
                Ok(taken) => return Ok(taken),
                // An engine that has just come back may not be able to yet.
                Err(Error::Docker(error))
                    if tries < TRIES && (error.is_unreachable() || error.is_unknown_outcome()) =>
                {
                    tries += 1;
                    sleep(PAUSE.1).await;
                }
                Err(error) => return Err(error.to_string()),
            }
        }
    }

    async fn hold(&self, taken: &Taken, tell: &watch::Sender<Standing>, release: &mut watch::Receiver<bool>) -> End {
        let id = &taken.id;
        tell.send_replace(Standing::Held { until: taken.until() });
        let started = async {
            sleep_until(taken.since + START_AFTER).await;
            (clock::instant(), self.docker.hold_lock(id).await)
        };
        let (begun, held) = tokio::select! {
            biased;
            // It would be left as it is.
            () = released(release) => {
                self.give_back(id).await;
                return End::LetGo;
            }
            started = started => started,
        };
        let mut line = match held {
            Ok(line) => line,
            // Nobody else could take it for dead: an engine that was restarted has no use for one that does not run.
            Err(error)
                if matches!(error.failure, Failure::NotFound | Failure::Conflict)
                    && clock::instant() < taken.until() =>
            {
                return End::Gone;
            }
            Err(error) => return End::Failed(error),
        };
        let mut awake = clock::instant();
        let mut until = begun + LEASE;
        tell.send_replace(Standing::Held { until });
        let (mut number, mut renew_at) = (0, awake);
        let mut said = VecDeque::new();
        loop {
            let heard = tokio::select! {
                biased;
                () = released(release) => {
                    self.let_go(id, line).await;
                    return End::LetGo;
                }
                heard = line.heard() => Some(heard),
                () = sleep(TICK.min(renew_at.saturating_duration_since(awake))) => None,
            };
            let now = clock::instant();
            if now >= until && now.duration_since(awake) >= ASLEEP {
                return End::Slept;
            }
            awake = now;
            match heard {
                Some(None) => return End::Gone,
                Some(Some(answer)) => {
                    while said.front().is_some_and(|(number, _)| *number < answer) {
                        said.pop_front();
                    }
                    if let Some((_, at)) = said.front().filter(|(number, _)| *number == answer) {
                        until = *at + LEASE;
                        tell.send_replace(Standing::Held { until });
                    }
                }
                None => {}
            }
            if now >= renew_at {
                number += 1;
                said.push_back((number, now));
                renew_at = now + RENEW;
                if !matches!(timeout(SAY, line.renew(number)).await, Ok(Ok(()))) {
                    // Whether it is held shows in what it says, and by the clock.
                    tracing::debug!("{} did not take a renewal", self.name);
                }
            }
        }
    }

    async fn let_go(&self, id: &ContainerId, line: LockLine) {
        let deadline = clock::instant() + GONE;
        if timeout_at(deadline, line.let_go()).await.is_err() {
            tracing::debug!("{} says nothing about its end", self.name);
        }
        let mut pause = PAUSE.0 / 2;
        while clock::instant() < deadline && matches!(self.docker.inspect(id).await, Ok(Some(_))) {
            sleep(pause).await;
            pause = (pause * 2).min(PAUSE.1);
        }
    }
}

async fn released(release: &mut watch::Receiver<bool>) {
    // Its sender lives as long as the operation: an error is a release too.
    let _ = release.wait_for(|release| *release).await;
}

/// Removes locks of dead consoles where an operation has nothing to do, and so takes none itself. What only holds an address is
/// left alone: many are made before the first of them is started.
pub(super) async fn tidy(docker: &Certain) -> Result<(), DockerError> {
    for container in docker.labelled(&format!("{ROLE}={}", Role::Lock.as_str())).await? {
        let Ok(name) = ObjectName::new(&*container.name) else { continue };
        if !name.as_str().starts_with(PLACE)
            && let Some(seen) = docker.lock(&name).await?
        {
            bury(docker, &seen).await?;
        }
    }
    Ok(())
}

/// Removes a lock whose maker is dead.
async fn bury(docker: &Certain, seen: &LockSeen) -> Result<(), DockerError> {
    let dead = match seen.state {
        State::Exited | State::Dead => true,
        // The engine's own clock, for what the engine wrote down.
        State::Created => match (docker.time().await?, seen.created) {
            (Some(now), Some(created)) => now.duration_since(created).unsigned_abs() > STILLBORN,
            _ => false,
        },
        _ => false,
    };
    if dead {
        docker.remove_stopped(&seen.id).await?;
    }
    Ok(())
}

/// Why a lock is not held any more.
enum End {
    LetGo,
    /// Its container ended, or the connection did.
    Gone,
    /// We did not look after it for longer than it lasts.
    Slept,
    /// It could not be started.
    Failed(DockerError),
}
