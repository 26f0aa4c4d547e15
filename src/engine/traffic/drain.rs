//! Taking an instance out: told to send it nothing new, a balancer is asked until its sessions have ended, or they are cut.

use super::super::clock;
use super::super::guard::Guard;
use super::super::perform::{Context, Done, Failed, Outcome};
use super::{ABSENT, BACK, driver, look};
use crate::balancer::BalancerError;
use crate::docker::{DrainNote, PullProgress};
use crate::domain::balancer::{Admin, Place};
use crate::domain::duration::{human, millis};
use crate::domain::ids::{ContainerId, InstanceName};
use crate::domain::options::OnDrainTimeout;
use futures_util::future::join_all;
use std::time::Duration;
use tokio::time::Instant;

/// How long sessions may take to end, and what becomes of those that do not.
#[derive(Clone, Copy, Debug)]
pub(in crate::engine) struct Patience {
    pub timeout: Duration,
    pub then: OnDrainTimeout,
}

/// Takes the instance out everywhere and waits until its sessions have ended.
pub(in crate::engine) async fn drain(
    context: &Context,
    instance: Option<&InstanceName>,
    places: &[Place],
    sandbox: Option<&ContainerId>,
    patience: Patience,
    tell: impl Fn(PullProgress),
) -> Outcome {
    if let Some(sandbox) = sandbox {
        let note = DrainNote { operation: context.op.to_string(), places: places.to_vec() };
        context.docker.write_drain_note(sandbox, Some(&note)).await?;
    }
    let mut outs: Vec<Out<'_>> = places.iter().map(Out::new).collect();
    let words = until_quiet(&mut outs, patience, tell).await?;
    maintain(&outs).await?;
    if let Some(instance) = instance {
        let errors = outs.iter().map(|out| out.errors).sum();
        context.guards.begin(instance, Guard::over(places, patience, errors, context.locks.lost()));
    }
    Ok(Done::saying(words))
}

/// Before an instance that was taken out is stopped: it still is, or its sessions end once more. What there is to say.
pub(in crate::engine) async fn still_out(
    context: &Context,
    instance: Option<&InstanceName>,
) -> Result<Option<String>, Failed> {
    let Some((places, patience)) = instance.and_then(|instance| context.guards.of(instance)) else { return Ok(None) };
    let mut outs: Vec<Out<'_>> = places.iter().map(Out::told_before).collect();
    until_quiet(&mut outs, patience, |_| {}).await?;
    let again: Vec<String> = outs.iter().filter(|out| out.told.is_some()).map(|out| out.place.to_string()).collect();
    maintain(&outs).await?;
    Ok((!again.is_empty())
        .then(|| format!("{} had been put back by a restart and was drained again", again.join(", "))))
}

/// Maintenance, where there is such a thing: no health check marks it down while it is replaced, so that it serves the moment
/// it is put back.
async fn maintain(outs: &[Out<'_>]) -> Result<(), Failed> {
    for out in outs.iter().filter(|out| out.admin == Some(Admin::Drain) && out.place.balancer.has_maintenance()) {
        out.tell_surely(Admin::Maint).await?;
    }
    Ok(())
}

/// A place an instance is being taken out of.
struct Out<'a> {
    place: &'a Place,
    /// When it was last told to send nothing new.
    told: Option<Instant>,
    /// It has to be told whatever it shows: what it shows may never have been made to count.
    tell: bool,
    /// Its sessions have had their time, unless it has to be told again.
    waited: bool,
    admin: Option<Admin>,
    counted: bool,
    errors: u64,
    /// Why it is not known to be out.
    why: String,
}

/// What is still there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Left {
    Nothing,
    Sessions(u64),
    /// It does not count, and its time is not over.
    Settling,
    /// It can't be asked right now.
    Unknown,
}

impl<'a> Out<'a> {
    fn new(place: &'a Place) -> Self {
        Self {
            place,
            told: None,
            tell: true,
            waited: false,
            admin: None,
            counted: false,
            errors: 0,
            why: String::new(),
        }
    }

    fn told_before(place: &'a Place) -> Self {
        Self { tell: false, waited: true, ..Self::new(place) }
    }

    async fn tell(&mut self) -> Result<(), BalancerError> {
        driver(self.place).set(&self.place.member(), Admin::Drain).await?;
        (self.told, self.tell) = (Some(clock::instant()), false);
        Ok(())
    }

    async fn left(&mut self) -> Result<Left, BalancerError> {
        if self.tell {
            self.tell().await?;
        }
        let mut server = look(self.place).await?;
        if server.admin == Some(Admin::Ready) {
            // It was restarted and has forgotten.
            self.tell().await?;
            server = look(self.place).await?;
        }
        self.admin = server.admin;
        self.counted = server.traffic.is_some();
        self.errors = server.traffic.map_or(0, |traffic| traffic.errors);
        let settled = self.told.is_none_or(|told| clock::instant() - told >= self.place.balancer.settle());
        if server.admin == Some(Admin::Ready) {
            self.why = format!("{} was told to send it nothing new and still shows it as {}", self.place, server.words);
            return Ok(Left::Unknown);
        }
        Ok(match server.sessions() {
            // Those that are left could not be cut and end with it.
            _ if self.waited && self.told.is_none() => Left::Nothing,
            Some(0) => Left::Nothing,
            Some(sessions) => Left::Sessions(sessions),
            None if settled => Left::Nothing,
            None => Left::Settling,
        })
    }

    async fn tell_surely(&self, admin: Admin) -> Result<(), Failed> {
        let deadline = clock::instant() + BACK;
        loop {
            match driver(self.place).set(&self.place.member(), admin).await {
                Ok(()) => return Ok(()),
                Err(error) if error.passing && clock::instant() < deadline => tokio::time::sleep(ABSENT).await,
                Err(error) => return Err(Failed::new(error.to_string())),
            }
        }
    }
}

/// Asks all of them until none has a session left, and says how that came about.
async fn until_quiet(outs: &mut [Out<'_>], patience: Patience, tell: impl Fn(PullProgress)) -> Result<String, Failed> {
    let began = clock::instant();
    let deadline = began + patience.timeout;
    let (mut most, mut seen, mut cut) = (0, None, None);
    loop {
        let looks = join_all(outs.iter_mut().map(Out::left)).await;
        let mut left = Vec::new();
        for (look, out) in looks.into_iter().zip(outs.iter_mut()) {
            left.push(match look {
                Ok(left) => left,
                // One that is just being restarted; its clients notice, whatever we do.
                Err(error) if error.passing && clock::instant() < deadline + BACK => {
                    out.why = error.to_string();
                    Left::Unknown
                }
                Err(error) => return Err(Failed::new(error.to_string())),
            });
        }
        if left.iter().all(|left| *left == Left::Nothing) {
            break;
        }
        let sessions: u64 = left.iter().map(|left| if let Left::Sessions(count) = left { *count } else { 0 }).sum();
        let unknown = left.contains(&Left::Unknown);
        let settling = left.contains(&Left::Settling);
        if seen != Some((sessions, unknown)) {
            (most, seen) = (most.max(sessions), Some((sessions, unknown)));
            tell(PullProgress { done: most - sessions, total: most, note: note(sessions, unknown, settling) });
        }
        let now = clock::instant();
        if sessions > 0 && now >= deadline && cut.is_none() {
            if patience.then == OnDrainTimeout::Abort {
                return Err(unwilling(sessions, patience.timeout));
            }
            cut = Some((sessions, cut_all(outs, &left).await?));
        }
        // Those that no balancer can cut end when the instance stops.
        if cut == Some((sessions, false)) && !settling && !unknown {
            break;
        }
        if now >= deadline + BACK && !settling {
            let doubtful = outs.iter().zip(&left).find(|(_, left)| **left == Left::Unknown);
            let what = doubtful.map(|(out, _)| out.why.clone());
            return Err(Failed::new(what.unwrap_or_else(|| format!("{} do not end even when cut", counted(sessions)))));
        }
        let every = outs.iter().map(|out| driver(out.place).every()).max().unwrap_or(ABSENT);
        tokio::time::sleep(if unknown { ABSENT } else { every }).await;
    }
    let took = human(millis(clock::instant().duration_since(began)));
    Ok(match cut {
        None if outs.iter().any(|out| !out.counted) => {
            format!("out for {took}; its sessions are not counted")
        }
        None => format!("no session left after {took}"),
        Some((left, true)) => format!("{} cut after {}", counted(left), human(millis(patience.timeout))),
        Some((left, false)) => format!(
            "{} left after {}, which this balancer can't cut: they end when it stops",
            counted(left),
            human(millis(patience.timeout))
        ),
    })
}

/// Whether every one of them could be cut.
async fn cut_all(outs: &[Out<'_>], left: &[Left]) -> Result<bool, Failed> {
    let mut all = true;
    for (out, _) in outs.iter().zip(left).filter(|(_, left)| matches!(left, Left::Sessions(_))) {
        let cut = driver(out.place).cut(&out.place.member()).await;
        all &= cut.map_err(|error| Failed::new(error.to_string()))?;
    }
    Ok(all)
}

fn unwilling(sessions: u64, timeout: Duration) -> Failed {
    Failed::new(format!(
        "{} had not ended after {}, so it was not touched and gets requests again; `--drain-timeout D` waits longer, \
         `--on-drain-timeout cut` ends them",
        counted(sessions),
        human(millis(timeout))
    ))
}

fn note(sessions: u64, unknown: bool, settling: bool) -> String {
    match (sessions, unknown, settling) {
        (0, true, _) => "a balancer does not answer yet".to_owned(),
        (0, false, true) => "its sessions get their time".to_owned(),
        _ => counted(sessions),
    }
}

fn counted(left: u64) -> String {
    if left == 1 { "1 session".to_owned() } else { format!("{left} sessions") }
}
