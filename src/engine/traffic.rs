//! Draining and attaching, proven by what the balancers show.
//!
//! A balancer is told and asked until it shows what is wanted; one that was restarted meanwhile, and has forgotten, is
//! told again. That an instance was taken out is written down in its sandbox before, so that whoever comes after a console
//! that died knows that it was pitstop who did it, and puts it back.

use super::clock;
use super::guard::Guard;
use super::perform::{Context, Done, Failed, Outcome};
use crate::balancer::{Balancer, BalancerError};
use crate::docker::{DrainNote, PullProgress};
use crate::domain::balancer::{Admin, BalancerSpec, Place, Seat, Server, Wanted};
use crate::domain::duration::{human, millis};
use crate::domain::fleet::Instance;
use crate::domain::ids::{ContainerId, InstanceName};
use crate::domain::options::OnDrainTimeout;
use futures_util::future::{join_all, try_join_all};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::time::Instant;

/// Between two looks at a balancer that is not there: one that comes back serves what it was told not to.
const ABSENT: Duration = Duration::from_millis(5);
/// For a balancer to come back, and for sessions to be gone after they were cut.
const BACK: Duration = Duration::from_secs(10);

/// How long sessions may take to end, and what becomes of those that do not.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    pub timeout: Duration,
    pub then: OnDrainTimeout,
}

/// Takes the instance out everywhere and waits until its sessions have ended.
pub(super) async fn drain(
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
pub(super) async fn still_out(context: &Context, instance: Option<&InstanceName>) -> Result<Option<String>, Failed> {
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

/// Puts the instance back everywhere and waits until every balancer sends it requests.
pub(super) async fn attach(
    context: &Context,
    instance: Option<&InstanceName>,
    places: &[Place],
    sandbox: Option<&ContainerId>,
    timeout: Duration,
) -> Outcome {
    let guarded = match instance {
        Some(instance) => context.guards.end(instance).await,
        None => None,
    };
    let deadline = clock::instant() + timeout;
    let servers = try_join_all(places.iter().map(|place| until_serving(place, deadline))).await?;
    if let Some(sandbox) = sandbox {
        context.docker.write_drain_note(sandbox, None).await?;
    }
    let names: Vec<String> = places.iter().map(|place| place.server.to_string()).collect();
    let (mut words, mut failed_requests) = (format!("{} serving", names.join(", ")), None);
    if let Some((before, again)) = guarded {
        let counted = servers.iter().all(|server| server.as_ref().is_some_and(|server| server.traffic.is_some()));
        let now: u64 = servers.iter().flatten().filter_map(|server| server.traffic).map(|traffic| traffic.errors).sum();
        failed_requests = now.checked_sub(before).filter(|_| counted);
        match failed_requests {
            Some(0) => words.push_str(", no request failed there meanwhile"),
            Some(failed) => words = format!("{words}, {failed} requests failed there meanwhile"),
            None => {}
        }
        if again > 0 {
            words.push_str("; a balancer had forgotten that it was out, and was told again");
        }
    }
    Ok(Done { failed_requests, ..Done::saying(words) })
}

/// Puts a new instance in wherever its place is out. A balancer that is not there yet, or does not know it, is said and holds
/// nothing up: it may be the next thing that somebody makes.
pub(super) async fn join(
    context: &Context,
    balancers: &[BalancerSpec],
    seats: &[Seat],
    instance: &Instance,
    timeout: Duration,
) -> Outcome {
    let wanted = Wanted::of(instance);
    let member = wanted.member();
    let (mut places, mut said) = (Vec::new(), Vec::new());
    for seat in seats {
        let place = Place { address: member.as_ref().and_then(|member| member.address), ..seat.place() };
        take(&place, seat.port).await?;
        places.push(place);
    }
    let balancers = balancers.iter().filter(|spec| seats.iter().all(|seat| seat.balancer != **spec));
    for spec in balancers {
        match Balancer::of(spec).servers(member.as_slice()).await {
            Ok(servers) => {
                let mine = wanted.among(&servers);
                if mine.is_empty() {
                    said.push(format!("{spec} has no server for it"));
                }
                let address = member.as_ref().and_then(|member| member.address);
                let place = |server: &Server| Place { balancer: spec.clone(), server: server.name.clone(), address };
                places.extend(mine.into_iter().map(place));
            }
            Err(error) => said.push(error.to_string()),
        }
    }
    if !places.is_empty() {
        let done = attach(context, None, &places, None, timeout).await?;
        said.splice(0..0, done.detail);
    }
    Ok(Done::saying(said.join("; ")))
}

/// Makes a server that was nobody's the instance's own: from now on it sends requests to its address.
async fn take(place: &Place, port: Option<u16>) -> Result<(), Failed> {
    let Some(port) = port else { return Ok(()) };
    let address = place.address.ok_or_else(|| {
        Failed::new(format!("the new instance has no address that {} could be sent to", place.server))
    })?;
    let (address, deadline) = (SocketAddr::new(address, port), clock::instant() + BACK);
    loop {
        let told = async {
            if look(place).await?.address == Some(address) {
                return Ok(());
            }
            driver(place).set_address(&place.server, address).await
        };
        match told.await {
            Ok(()) => return Ok(()),
            Err(error) if error.passing && clock::instant() < deadline => tokio::time::sleep(ABSENT).await,
            Err(error) => return Err(Failed::new(error.to_string())),
        }
    }
}

/// Places of an instance that was not there when they were planned, with its address.
pub(super) fn at_its_address(places: &[Place], instance: &Instance) -> Vec<Place> {
    let address = Wanted::of(instance).member().and_then(|member| member.address);
    places.iter().map(|place| Place { address: place.address.or(address), ..place.clone() }).collect()
}

/// A place an instance is being taken out of.
struct Out<'a> {
    place: &'a Place,
    /// When it was last told to send nothing new.
    told: Option<Instant>,
    /// It has to be told whatever it shows: what it shows may never have been made to count.
    tell: bool,
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
        Self { place, told: None, tell: true, admin: None, counted: false, errors: 0, why: String::new() }
    }

    fn told_before(place: &'a Place) -> Self {
        Self { tell: false, ..Self::new(place) }
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

async fn until_serving(place: &Place, deadline: Instant) -> Result<Option<Server>, Failed> {
    let mut told = false;
    loop {
        let looked = async {
            if !told {
                driver(place).set(&place.member(), Admin::Ready).await?;
                told = true;
            }
            look(place).await
        };
        let (why, absent) = match looked.await {
            Ok(server) if server.serves() || server.admin.is_none() => return Ok(Some(server)),
            Ok(server) => {
                // It has a state from before it was restarted.
                told &= !server.is_out();
                (format!("{place} is {}", server.words), false)
            }
            Err(error) if error.passing => (error.to_string(), true),
            Err(error) => {
                let next = "it is still out there; `pitstop repair` puts it back when that is right";
                return Err(Failed::new(format!("{error}; {next}")));
            }
        };
        if clock::instant() >= deadline {
            return Err(Failed::new(format!("{why}; it takes no requests there")));
        }
        tokio::time::sleep(if absent { ABSENT } else { driver(place).every() }).await;
    }
}

/// Has a balancer that has forgotten take it out again; whether it had.
pub(super) async fn remind(place: &Place) -> Result<bool, BalancerError> {
    let forgot = look(place).await?.admin == Some(Admin::Ready);
    if forgot {
        driver(place).set(&place.member(), Admin::Maint).await?;
    }
    Ok(forgot)
}

/// How long until the next look at a place, when this look could or could not be had.
pub(super) fn pause(place: &Place, absent: bool) -> Duration {
    let every = driver(place).every();
    if absent { every.min(ABSENT) } else { every }
}

fn driver(place: &Place) -> Balancer {
    Balancer::of(&place.balancer)
}

async fn look(place: &Place) -> Result<Server, BalancerError> {
    let servers = driver(place).servers(&[place.member()]).await?;
    servers
        .into_iter()
        .find(|server| server.name == place.server)
        .ok_or_else(|| BalancerError::gone(&place.to_string()))
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
