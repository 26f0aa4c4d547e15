//! Random lives: an app of some size, operations on it, somebody's hands in between, faults and deaths at random moments.
//!
//! `PITSTOP_SEEDS=10000` lives instead of a few, `PITSTOP_SEED=17` one of them.

use std::collections::BTreeSet;
use std::panic::catch_unwind;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use pitstop::domain::event::Outcome;
use pitstop::engine::Request;
use pitstop::sim::{Control, Fault, Seen, When};

use crate::support::random::Random;

use super::life::{End, Life, Ran};
use super::oracle::{World, is, number, ours, serving};
use super::scene::{Play, deploy, patient, redeploy};
use super::single::succeeded;

/// Lives where nobody says how many.
const FEW: u64 = 100;

/// What happens next.
#[derive(Clone, Debug)]
enum Deed {
    Deploy(&'static str),
    Restart,
    Scale(u32),
    Rollback,
    /// Somebody's own hand on a container.
    Hand(&'static str, String),
}

impl Deed {
    fn thrown(dice: &mut Random, world: &World) -> Self {
        match dice.below(9) {
            0 | 1 => Self::Deploy("web:1"),
            2 | 3 => Self::Deploy("web:2"),
            4 => Self::Restart,
            5 => Self::Scale(1 + dice.below(4)),
            6 => Self::Rollback,
            _ => {
                let ours: Vec<_> = world.values().filter(|seen| is(seen, "app") || is(seen, "sandbox")).collect();
                let Some(one) = ours.get(dice.below(u32::try_from(ours.len().max(1)).expect("few")) as usize) else {
                    return Self::Restart;
                };
                Self::Hand(["stop", "start", "kill", "remove"][dice.below(4) as usize], one.id.clone())
            }
        }
    }

    fn request(&self) -> Option<Request> {
        let app = || "shop/web".to_owned();
        Some(match self {
            Self::Deploy(image) => deploy(image),
            Self::Restart => Request::Restart { targets: vec![app()], options: patient() },
            Self::Scale(replicas) => Request::Scale { app: app(), replicas: *replicas, options: patient() },
            Self::Rollback => Request::Rollback { app: app(), to: None, options: patient() },
            Self::Hand(..) => return None,
        })
    }
}

fn fault(dice: &mut Random) -> Fault {
    let away = Duration::from_millis(u64::from(100 + dice.below(3000)));
    match dice.below(10) {
        0 => Fault::EofBefore,
        1 => Fault::EofAfter,
        2 => Fault::Garbled,
        3 => Fault::RefuseBefore(500),
        4 => Fault::RefuseAfter(500),
        5 => Fault::Delay(away),
        6 => Fault::StallHead,
        7 => Fault::StallBody,
        8 => Fault::DieBefore(away),
        _ => Fault::DieAfter(away),
    }
}

/// The instances there are.
fn numbers(world: &World) -> BTreeSet<u32> {
    world.values().filter(|seen| is(seen, "sandbox") || is(seen, "app")).map(number).collect()
}

/// Each instance served by one container, of this image if one is named; and nothing else there but what `left` had and nobody
/// was asked to clear away.
fn at_rest(world: &World, image: Option<&str>, left: Option<&World>) -> Result<(), String> {
    for number in numbers(world) {
        match serving(world, number).as_slice() {
            [one] if image.is_none_or(|image| image == one.image) => {}
            other => return Err(format!("instance {number} is served by {other:#?}")),
        }
    }
    let litter = |seen: &Seen| {
        let same = |was: &Seen| was.id == seen.id && was.status != "running";
        seen.status != "running" && left.is_some_and(|left| left.values().any(same))
    };
    let of = |role: &str| world.values().filter(|seen| is(seen, role) && !(role == "app" && litter(seen))).count();
    let (sandboxes, apps, locks) = (of("sandbox"), of("app"), of("lock"));
    if sandboxes != apps || locks > 0 {
        return Err(format!("left over: {:?}", world.keys().collect::<Vec<_>>()));
    }
    Ok(())
}

/// What is true at any quiet point, whatever happened before.
///
/// Excluded: where the engine died without live-restore, instances that the operation never touched may be down, and it
/// does not look at them; what is asked for at last has to reach them.
fn always(
    before: &World,
    after: &World,
    deed: &Deed,
    ran: Option<&Ran>,
    (fell, disturbed): (bool, bool),
) -> Result<(), String> {
    let stranger = |world: &World| world.get("stranger").map(|seen| (seen.id.clone(), seen.status));
    if stranger(before) != stranger(after) {
        return Err(format!("I7 the stranger: {:?}", after.get("stranger")));
    }
    for number in numbers(after) {
        let rivals = serving(after, number);
        let by_hand = matches!(deed, Deed::Hand(..)) || serving(before, number).len() > 1;
        // A dead console has left the old container stopped beside the new one, with its policy, and the engine starts both.
        let by_policy = fell && ours(before, "app", number).count() > 1;
        if rivals.len() > 1 && !by_hand && !by_policy {
            return Err(format!("two serve as instance {number}: {rivals:#?}"));
        }
    }
    for (name, sandbox) in before.iter().filter(|(_, seen)| is(seen, "sandbox") && seen.status == "running") {
        let now = after.get(name).filter(|now| now.status == "running");
        if let Some(now) = now.filter(|now| now.addresses != sandbox.addresses) {
            return Err(format!("I3 {name}: {:?} became {:?}", sandbox.addresses, now.addresses));
        }
    }
    if let Some(lock) = after.values().find(|seen| is(seen, "lock") && seen.status == "running") {
        return Err(format!("I2 {} is left", lock.name));
    }
    let Some(End::Finished(end)) = ran.map(|ran| &ran.end).filter(|_| !fell) else { return Ok(()) };
    if end.outcome == Outcome::Succeeded && matches!(deed, Deed::Scale(_)) {
        // It adds and takes away; what is down for another reason is not its business.
        for number in numbers(after).into_iter().filter(|number| serving(before, *number).len() == 1) {
            if serving(after, number).len() != 1 {
                return Err(format!("I1 instance {number} does not serve any more"));
            }
        }
    } else if end.outcome == Outcome::Succeeded {
        let image = if let Deed::Deploy(image) = deed { Some(*image) } else { None };
        // A restart starts what is there again. What a dead deployment made beside it is not its business.
        let left = matches!(deed, Deed::Restart).then_some(before);
        // An engine that is away or slow, or a console that dies, when the lock is to be given back, leaves it as it was created: it
        // counts for nothing after 5 s, and goes with the next operation.
        let stillborn = |seen: &Seen| disturbed && is(seen, "lock") && seen.status == "created";
        let after: World =
            after.iter().filter(|(_, seen)| !stillborn(seen)).map(|(k, v)| (k.clone(), v.clone())).collect();
        at_rest(&after, image, left).map_err(|why| format!("I10 it says that it succeeded: {why}"))?;
    }
    Ok(())
}

/// One life; what it did is told with what it broke.
fn live(seed: u64) -> Result<(), String> {
    let mut dice = Random::of(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    dice.below(2);
    let (instances, live_restore) = (1 + dice.below(4), dice.one_in(2));
    let life = Life::new(Play::Deploy.scenario(instances, live_restore));
    let control = life.control();
    let mut told = vec![format!("seed {seed}: {instances} instances, live-restore {live_restore}")];
    let broken = |told: &[String], why: String| Err(format!("{}\n  {why}", told.join("\n  ")));
    for _ in 0..2 + dice.below(5) {
        let before = control.world();
        let deed = Deed::thrown(&mut dice, &before);
        let mut said = format!("{deed:?}");
        let mut dies_at = usize::MAX;
        if deed.request().is_some() {
            for _ in 0..dice.below(3) {
                let (nth, fault) = (1 + dice.below(60), fault(&mut dice));
                said = format!("{said}, {fault:?} at {nth}");
                control.on(When::any(nth), fault);
            }
            if dice.one_in(6) {
                dies_at = control.count() + 5 + dice.below(60) as usize;
                said = format!("{said}, console dies");
            }
        }
        let (returns, asked) = (control.returns(), control.requests().len());
        let ran = if let Some(request) = deed.request() {
            Some(life.ask(request, |control: &Control| control.count() >= dies_at))
        } else if let Deed::Hand(what, id) = &deed {
            life.hand(what, id);
            None
        } else {
            None
        };
        control.clear();
        life.pass(Duration::from_secs(20));
        let fell = !live_restore && control.returns() > returns;
        let end = ran.as_ref().map(|ran| match &ran.end {
            End::Finished(end) => format!("{:?} {:?}", end.outcome, end.error),
            End::Refused(why) => format!("refused: {why}"),
            End::Died => "died".into(),
        });
        told.push(format!("{said} -> {}", end.unwrap_or_default()));
        let met = control.requests()[asked..].iter().any(|one| one.fault.is_some());
        let disturbed = met || dies_at != usize::MAX;
        if let Err(why) = always(&before, &control.world(), &deed, ran.as_ref(), (fell, disturbed)) {
            return broken(&told, why);
        }
    }
    // Liveness: without faults, what is asked for is reached, and then nothing is left to do.
    if numbers(&control.world()).is_empty() {
        return Ok(());
    }
    let image = if dice.one_in(2) { "web:1" } else { "web:2" };
    let last = Deed::Deploy(image);
    for round in 0..2 {
        let before = control.world();
        // Where somebody removed all app containers, only a file tells what is to run.
        let any = before.values().any(|seen| is(seen, "app"));
        let ran = life.ask(if any { deploy(image) } else { redeploy(image) }, |_| false);
        life.pass(Duration::from_secs(1));
        told.push(format!(
            "at last {last:?} -> {}",
            match &ran.end {
                End::Finished(end) => format!("{:?} {:?}", end.outcome, end.error),
                End::Refused(why) => format!("refused: {why}"),
                End::Died => "died".into(),
            }
        ));
        if round == 0 && !succeeded(&ran) {
            return broken(&told, "it does not recover".into());
        }
        if let Err(why) = always(&before, &control.world(), &last, Some(&ran), (false, false)) {
            return broken(&told, why);
        }
        if round == 1 && ran.steps.is_some_and(|steps| steps > 0) {
            return broken(&told, "asked once more, it still does something".into());
        }
    }
    Ok(())
}

#[test]
fn random_lives() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let seeds = match number("PITSTOP_SEED") {
        Some(one) => one..one + 1,
        None => 0..number("PITSTOP_SEEDS").unwrap_or(FEW),
    };
    let count = seeds.end - seeds.start;
    let (next, end) = (AtomicU64::new(seeds.start), seeds.end);
    let some = || {
        let mut broken = Vec::new();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= end {
                return broken;
            }
            let lived = catch_unwind(|| live(seed)).unwrap_or_else(|_| Err(format!("seed {seed}: a panic, see above")));
            if let Err(why) = &lived {
                super::tell(why);
            }
            broken.extend(lived.err());
            if (seed + 1).is_multiple_of(500) {
                super::tell(&format!("random lives: {} seeds", seed + 1));
            }
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let broken: Vec<String> = thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(some)).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("panics are caught")).collect()
    });
    super::tell(&format!("random lives: {count} seeds, {} broken", broken.len()));
    assert!(broken.is_empty(), "{}", broken.join("\n\n"));
}

/// After a killed console somebody starts a container that was put aside beside the one that serves: the next deployment lets
/// one alone run, and does not say that all is well while two do.
#[test]
fn a_second_program_in_a_sandbox_does_not_outlive_a_deployment() {
    assert_eq!(live(130), Ok(()));
}

/// A sandbox is removed, its address goes to a new instance, and that one is down while the sandbox is made again.
#[test]
fn an_address_that_became_another_instances_is_not_taken_back() {
    assert_eq!(live(1559), Ok(()));
}
