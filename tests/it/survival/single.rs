//! One request goes wrong, in each way that requests do: every request of every operation, one case each.

use std::time::Duration;

use pitstop::domain::event::Outcome;
use pitstop::sim::{Fault, When};

use super::life::{End, Life, Ran};
use super::oracle::{Case, settled};
use super::scene::{PLAYS, Play, deploy, warm};

const FAULTS: [Fault; 8] = [
    Fault::EofBefore,
    Fault::EofAfter,
    Fault::Garbled,
    Fault::RefuseBefore(500),
    Fault::RefuseAfter(500),
    Fault::Delay(Duration::from_secs(2)),
    Fault::StallHead,
    Fault::StallBody,
];

/// An engine on which `play` can begin.
pub fn stage(play: Play, instances: u32, live_restore: bool) -> Life {
    let life = Life::new(play.scenario(instances, live_restore));
    let before = match play {
        Play::Rollback => Some(deploy("web:2")),
        Play::Beside => Some(warm("web:3")),
        _ => None,
    };
    if let Some(before) = before {
        let ran = life.ask(before, |_| false);
        assert!(succeeded(&ran), "{:?}", ran.events.last());
    }
    life
}

pub fn succeeded(ran: &Ran) -> bool {
    matches!(&ran.end, End::Finished(end) if end.outcome == Outcome::Succeeded)
}

/// How many requests it takes when all is well.
pub fn requests(play: Play, instances: u32) -> u32 {
    let life = stage(play, instances, true);
    let before = life.control().requests().len();
    let ran = life.ask(play.request(instances), |_| false);
    assert!(succeeded(&ran), "{play:?} ×{instances}: {:?}", ran.events.last());
    settled(&life.control().world(), instances, play.wanted()).expect("all as wanted");
    u32::try_from(life.control().requests().len() - before).expect("a number of requests")
}

/// Asks again until all is as wanted, and once more, which is to do nothing.
pub fn converges(life: &Life, play: Play, instances: u32) -> Result<(), String> {
    let control = life.control();
    control.clear();
    control.release();
    let ran = life.ask(play.request(instances), |_| false);
    // What had already been reached before the console died is no failure.
    let said = match &ran.end {
        End::Refused(why) => why.clone(),
        End::Finished(end) => format!("{:?}: {:?}", end.outcome, end.error),
        End::Died => "killed".into(),
    };
    life.pass(Duration::from_millis(500));
    settled(&control.world(), instances, play.wanted()).map_err(|why| format!("asked again, {said}: {why}"))?;
    if play != Play::Restart {
        let again = life.ask(play.request(instances), |_| false);
        if again.steps.is_some_and(|steps| steps > 0) {
            return Err(format!("asked once more, it still does something: {} steps", again.steps.unwrap_or(0)));
        }
    }
    Ok(())
}

/// One fault at one request.
fn case(play: Play, instances: u32, nth: u32, fault: Fault) -> Result<(), String> {
    let life = stage(play, instances, true);
    let control = life.control();
    let (before, asked) = (control.world(), control.requests().len());
    control.on(When::any(nth), fault);
    let ran = life.ask(play.request(instances), |_| false);
    control.clear();
    // A lock whose line was lost ends with its lease.
    life.pass(Duration::from_secs(15));
    let (after, asked) = (control.world(), &control.requests()[asked..]);
    let met = asked.iter().find(|one| one.fault.is_some()).map(|one| format!("{} {}", one.method, one.path));
    let anew = play == Play::Restart;
    let seen = Case { before: &before, after: &after, asked, ran: &ran, instances, wanted: play.wanted(), anew };
    let told = |why: String| format!("{play:?} ×{instances}, {fault:?} at request {nth} ({met:?}): {why}");
    seen.judge().map_err(told)?;
    if succeeded(&ran) { Ok(()) } else { converges(&life, play, instances).map_err(told) }
}

/// Runs all cases, or every `each`-th; panics with what is broken, a case a paragraph.
fn family(play: Play, sizes: &[u32], each: usize) {
    let (mut cases, mut broken) = (0, Vec::new());
    for &instances in sizes {
        let most = requests(play, instances);
        let all = (1..=most).flat_map(|nth| FAULTS.map(|fault| (nth, fault)));
        for (nth, fault) in all.step_by(if super::exhaustive() { 1 } else { each }) {
            cases += 1;
            broken.extend(case(play, instances, nth, fault).err());
        }
    }
    super::tell(&format!("{play:?}: {cases} cases of single faults, {} broken", broken.len()));
    assert!(broken.is_empty(), "{}", broken.join("\n\n"));
}

fn sizes() -> &'static [u32] {
    if super::exhaustive() { &[1, 3, 12] } else { &[1, 3] }
}

#[test]
fn while_creating() {
    family(PLAYS[0], sizes(), 37);
}

#[test]
fn while_deploying() {
    family(PLAYS[1], sizes(), 37);
}

#[test]
fn while_restarting() {
    family(PLAYS[2], sizes(), 37);
}

#[test]
fn while_rolling_back() {
    family(PLAYS[3], sizes(), 37);
}

#[test]
fn while_swapping_warm() {
    family(PLAYS[4], sizes(), 37);
}

#[test]
fn while_both_versions_have_the_port() {
    family(PLAYS[5], sizes(), 37);
}

#[test]
fn a_lock_whose_line_is_not_there_yet_goes_with_its_operation() {
    let life = stage(Play::Deploy, 1, true);
    let control = life.control();
    control.on(When::request("POST", "/containers/*/stop"), Fault::Delay(Duration::from_secs(3)));
    // The first is the watch of the gap, which begins with the operation; the lock's comes after a second.
    control.on(When::request("POST", "/containers/*/attach").nth(2), Fault::StallHead);
    let ran = life.ask(Play::Deploy.request(1), |_| false);
    let met = control.requests().into_iter().find(|one| one.fault == Some(Fault::StallHead)).unwrap();
    assert!(
        control.world().values().all(|seen| !met.path.contains(&seen.id)),
        "it was the lock's, and that is gone: {met:?}"
    );
    assert!(succeeded(&ran), "{:?}", ran.events.last());
    settled(&control.world(), 1, Play::Deploy.wanted()).unwrap();
}
