//! New instances first, with requests that go wrong and consoles that die at each of them: never do fewer serve than before,
//! and whoever asks again brings it to its end.

use std::time::Duration;

use pitstop::domain::event::Outcome;
use pitstop::domain::options::Options;
use pitstop::engine::Request;
use pitstop::sim::{Control, Fault, When};

use super::life::{End, Life, Ran};
use super::oracle::{World, is, number, serving};
use super::scene::{Play, patient};

const INSTANCES: usize = 2;

const FAULTS: [Fault; 6] = [
    Fault::EofBefore,
    Fault::EofAfter,
    Fault::RefuseBefore(500),
    Fault::RefuseAfter(500),
    Fault::StallHead,
    Fault::DieAfter(Duration::from_millis(700)),
];

fn surge() -> Request {
    let options = Options { surge: Some(true), ..patient() };
    Request::Deploy { app: "shop/web".into(), image: Some("web:2".into()), project: None, options }
}

fn stage() -> Life {
    Life::new(Play::Deploy.scenario(u32::try_from(INSTANCES).unwrap(), true))
}

/// The images that the instances serve, each by one program.
fn served(world: &World) -> Vec<String> {
    let numbers: std::collections::BTreeSet<u32> = world.values().filter(|seen| is(seen, "app")).map(number).collect();
    let one = |number: u32| match serving(world, number).as_slice() {
        [one] => Some(one.image.clone()),
        _ => None,
    };
    numbers.into_iter().filter_map(one).collect()
}

/// As many new ones as there were old ones, and nothing else.
fn settled(world: &World) -> Result<(), String> {
    let of = |role: &str| world.values().filter(|seen| is(seen, role)).map(|seen| &seen.name).collect::<Vec<_>>();
    let (sandboxes, apps, locks) = (of("sandbox"), of("app"), of("lock"));
    let all = served(world);
    if all != vec!["web:2"; INSTANCES] || (sandboxes.len(), apps.len(), locks.len()) != (INSTANCES, INSTANCES, 0) {
        return Err(format!("{all:?} serve; {sandboxes:?} {apps:?} {locks:?}"));
    }
    Ok(())
}

fn succeeded(ran: &Ran) -> bool {
    matches!(&ran.end, End::Finished(end) if end.outcome == Outcome::Succeeded)
}

/// How many requests it takes when all is well.
fn requests() -> u32 {
    let life = stage();
    let ran = life.ask(surge(), |_| false);
    assert!(succeeded(&ran), "{:?}", ran.events.last());
    settled(&life.control().world()).expect("all as wanted");
    u32::try_from(life.control().requests().len()).expect("a number of requests")
}

fn case(nth: u32, fault: Fault, dies: bool) -> Result<(), String> {
    let life = stage();
    let control = life.control();
    control.on(When::any(nth), fault);
    let met = |control: &Control| dies && control.requests().iter().any(|one| one.fault.is_some());
    let ran = life.ask(surge(), met);
    control.clear();
    control.release();
    life.pass(Duration::from_secs(15));
    let told = |why: String| format!("{fault:?} at request {nth}, dies: {dies}: {why}");
    let serve = served(&control.world());
    if serve.len() < INSTANCES {
        return Err(told(format!("only {serve:?} serve: {:?}", ran.events.last())));
    }
    match (succeeded(&ran), settled(&control.world())) {
        (true, Err(why)) => return Err(told(format!("it says that it succeeded: {why}"))),
        (true, Ok(())) => return Ok(()),
        _ => {}
    }
    let again = life.ask(surge(), |_| false);
    life.pass(Duration::from_millis(500));
    settled(&control.world()).map_err(|why| told(format!("asked again: {why}: {:?}", again.events.last())))?;
    match life.ask(surge(), |_| false).steps {
        Some(steps) if steps > 0 => Err(told(format!("asked once more, it still does {steps} steps"))),
        _ => Ok(()),
    }
}

#[test]
fn while_new_ones_take_the_places_of_old_ones() {
    let most = requests();
    let faults = (1..=most).flat_map(|nth| FAULTS.map(|fault| (nth, fault, false)));
    let kills = (1..=most).flat_map(|nth| [(nth, Fault::Hold, true), (nth, Fault::StallHead, true)]);
    let taken: Vec<_> = faults.chain(kills).step_by(if super::exhaustive() { 1 } else { 13 }).collect();
    let broken: Vec<_> = taken.iter().filter_map(|(nth, fault, dies)| case(*nth, *fault, *dies).err()).collect();
    super::tell(&format!("surge: {} cases at {most} requests, {} broken", taken.len(), broken.len()));
    assert!(broken.is_empty(), "{}", broken.join("\n\n"));
}
