//! Containers of others get sandboxes while requests go wrong, consoles die and the engine does: whatever happens, each of
//! them serves at its address again, as what it was or in its sandbox, when somebody goes on with it or takes it back.

use std::time::Duration;

use pitstop::domain::event::{EventKind, Outcome};
use pitstop::domain::identity::Verdict;
use pitstop::domain::recipe::Wish;
use pitstop::engine::Request;
use pitstop::sim::{Control, Fault, Scenario, Seen, When};

use super::life::{End, Life, Ran};
use super::oracle::{World, is};
use super::scene::patient;

/// A project of Compose v2, whose containers have the very names that sandboxes have, on a subnet that somebody configured;
/// and a plain container where no address can be asked for and a lower one is free.
const WORLD: &str = r#"
[latency]
start_joined = 100

[[images]]
name = "web:1"
behaviour = { port = 8080, ready_ms = 100, stop_ms = 40 }

[[networks]]
name = "front"
subnet = "10.9.0.0/24"
[[networks]]
name = "back"

[[containers]]
name = "shop-web-1"
image = "web:1"
network = "front"
restart = "always"
labels = { "com.docker.compose.project" = "shop", "com.docker.compose.service" = "web", "com.docker.compose.container-number" = "1", "com.docker.compose.oneoff" = "False" }
[[containers]]
name = "shop-web-2"
image = "web:1"
network = "front"
restart = "unless-stopped"
labels = { "com.docker.compose.project" = "shop", "com.docker.compose.service" = "web", "com.docker.compose.container-number" = "2", "com.docker.compose.oneoff" = "False" }
[[containers]]
name = "gone"
image = "web:1"
network = "back"
exited = 0
[[containers]]
name = "low"
image = "web:1"
network = "back"
[[containers]]
name = "cache"
image = "web:1"
network = "back"
restart = "always"
[[containers]]
name = "stranger"
image = "web:1"
network = "back"
restart = "always"
"#;

/// What is adopted, and the instance's sandbox that each becomes.
const PLACES: [(&str, &str); 3] =
    [("shop-web-1", "shop-web-1"), ("shop-web-2", "shop-web-2"), ("cache", "adopted-cache-1")];

/// So long an engine is away.
const AWAY: Duration = Duration::from_millis(700);

const FAULTS: [Fault; 8] = [
    Fault::EofBefore,
    Fault::EofAfter,
    Fault::RefuseBefore(500),
    Fault::RefuseAfter(500),
    Fault::StallHead,
    Fault::Garbled,
    Fault::DieBefore(AWAY),
    Fault::DieAfter(AWAY),
];

fn stage(live_restore: bool) -> Life {
    stage_with(&format!("live_restore = {live_restore}"))
}

fn stage_with(engine: &str) -> Life {
    let life = Life::new(Scenario::parse(&format!("{engine}\n{WORLD}")).expect("a scenario"));
    let low = life.control().world()["low"].id.clone();
    life.hand("remove", &low);
    life
}

fn wish(targets: &[&str]) -> Wish {
    Wish { targets: targets.iter().map(|target| (*target).to_owned()).collect(), ..Wish::default() }
}

fn adopt() -> Request {
    Request::Adopt { wish: wish(&["shop", "cache"]), options: patient() }
}

/// Of those who are there still, by the names they have now.
fn give_back(before: &World, now: &World) -> Option<Request> {
    let olds = PLACES.iter().filter_map(|(old, _)| now.values().find(|seen| seen.id == before[*old].id));
    let names: Vec<&str> = olds.map(|seen| seen.name.as_str()).collect();
    (!names.is_empty()).then(|| Request::GiveBack { wish: wish(&names), options: patient() })
}

fn succeeded(ran: &Ran) -> bool {
    matches!(&ran.end, End::Finished(end) if end.outcome == Outcome::Succeeded)
}

/// Who serves in this place: as it was, or in its sandbox.
fn serves<'a>(before: &World, world: &'a World, place: (&str, &str)) -> Vec<(&'static str, &'a Seen)> {
    let (old, sandbox) = (&before[place.0], world.get(place.1).filter(|seen| is(seen, "sandbox")));
    let same = world.values().find(|seen| seen.id == old.id && seen.status == "running");
    let up = sandbox.filter(|sandbox| sandbox.status == "running");
    let app = up.and_then(|up| {
        let mine = |seen: &&Seen| is(seen, "app") && seen.status == "running" && seen.netns == up.netns;
        world.values().find(mine).map(|_| up)
    });
    same.map(|seen| ("old", seen)).into_iter().chain(app.map(|seen| ("new", seen))).collect()
}

/// How much is asked of the engine as it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Strict {
    /// Each old one is there, or what took its place: an engine that died took all down, and gave addresses anew.
    Nothing,
    /// Besides, each is served by one at most, at its address.
    NotTwice,
    /// By one just so.
    All,
}

/// Nothing is lost, wherever it stands, and nobody else was touched.
fn kept(before: &World, world: &World, strict: Strict) -> Result<(), String> {
    for place in PLACES {
        let old = &before[place.0];
        let serving = serves(before, world, place);
        let is_there = world.values().any(|seen| seen.id == old.id);
        let is_followed = [place.1.to_owned(), format!("{}.r1", place.1)].iter().all(|name| world.contains_key(name));
        if !is_there && !is_followed {
            return Err(format!("{} is gone, and nothing is in its place", place.0));
        }
        match serving.as_slice() {
            _ if strict == Strict::Nothing => {}
            [(_, one)] if one.addresses == old.addresses => {}
            [(who, one)] => return Err(format!("{} has {:?}, the {who} one", place.0, one.addresses)),
            [] if strict == Strict::All || !is_there => {
                return Err(format!("nobody serves in the place of {}", place.0));
            }
            [] => {}
            both => return Err(format!("{} of {} serve at once", both.len(), place.0)),
        }
    }
    let (stranger, was) = (&world["stranger"], &before["stranger"]);
    let moved = strict != Strict::Nothing && stranger.addresses != was.addresses;
    if stranger.id != was.id || stranger.status != "running" || moved {
        return Err(format!("the stranger was touched: {stranger:?}"));
    }
    Ok(())
}

/// All of them are in their sandboxes, at their addresses, and nothing else is left.
fn adopted(before: &World, world: &World, strict: Strict) -> Result<(), String> {
    kept(before, world, strict)?;
    if let Some(place) = PLACES.iter().find(|place| serves(before, world, **place).len() != 1) {
        return Err(format!("{} is served by {:#?}", place.0, serves(before, world, *place)));
    }
    let (mut names, mut wanted): (Vec<&str>, Vec<String>) =
        (world.keys().map(String::as_str).collect(), vec!["gone".into(), "stranger".into()]);
    wanted.extend(PLACES.iter().flat_map(|(_, sandbox)| [(*sandbox).to_owned(), format!("{sandbox}.r1")]));
    names.sort_unstable();
    wanted.sort_unstable();
    if names == wanted { Ok(()) } else { Err(format!("there is {names:?}")) }
}

/// All that are there still are as they were, and nothing of ours is beside them.
fn given_back(before: &World, world: &World, strict: Strict) -> Result<(), String> {
    kept(before, world, strict)?;
    for place in PLACES {
        let Some(now) = world.values().find(|seen| seen.id == before[place.0].id) else { continue };
        if (now.status, now.name.as_str(), &now.restart) != ("running", place.0, &before[place.0].restart) {
            return Err(format!("{} is {now:?}", place.0));
        }
        if let Some(left) = world.get(place.1).filter(|seen| seen.id != now.id) {
            return Err(format!("{} runs again, and {left:?} is beside it", place.0));
        }
    }
    // What a console that died did not get to start holds nothing: the next operation there takes it away.
    let left = world.values().find(|seen| is(seen, "lock") && seen.status != "created");
    left.map_or(Ok(()), |left| Err(format!("left over: {left:?}")))
}

/// How many requests it takes when all is well.
fn requests() -> u32 {
    let life = stage(true);
    let (control, begun) = (life.control(), life.control().requests().len());
    let before = control.world();
    let ran = life.ask(adopt(), |_| false);
    assert!(succeeded(&ran), "{:?}", ran.events.last());
    adopted(&before, &control.world(), Strict::All).expect("all as wanted");
    u32::try_from(control.requests().len() - begun).expect("a number of requests")
}

/// There an address that can't be had is refused at the creation, and each start gives another MAC address.
#[test]
fn on_a_newer_engine_all_are_adopted_at_their_addresses() {
    let life = stage_with("newer = true");
    let (control, before) = (life.control(), life.control().world());
    let ran = life.ask(adopt(), |_| false);
    assert!(succeeded(&ran), "{:?}", ran.events.last());
    adopted(&before, &control.world(), Strict::All).expect("all as wanted");
    let verdicts: Vec<Verdict> = ran
        .events
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::IdentityJudged(judged) => Some(judged.verdict),
            _ => None,
        })
        .collect();
    assert_eq!(verdicts, [Verdict::Kept, Verdict::Kept, Verdict::Unprotected]);
}

#[derive(Clone, Copy, Debug)]
enum Then {
    GoOn,
    TakeBack,
}

fn case(nth: u32, fault: Fault, dies: bool, live_restore: bool, then: Then) -> Result<(), String> {
    let life = stage(live_restore);
    let control = life.control();
    let before = control.world();
    control.on(When::any(nth), fault);
    let met = |control: &Control| dies && control.requests().iter().any(|one| one.fault.is_some());
    let ran = life.ask(adopt(), met);
    control.clear();
    control.release();
    life.pass(Duration::from_secs(15));
    let asked = control.requests().into_iter().find(|one| one.fault.is_some());
    let asked = asked.map(|one| format!("{} {}", one.method, one.path));
    let told = |why: String| {
        format!("{fault:?} at request {nth} ({asked:?}), dies: {dies}, live-restore: {live_restore}, {then:?}: {why}")
    };
    // Whoever is there until the end leaves nobody down.
    let strict = if live_restore { Strict::NotTwice } else { Strict::Nothing };
    let now = if live_restore && !dies { Strict::All } else { strict };
    kept(&before, &control.world(), now).map_err(|why| told(format!("{why}: {:?}", ran.events.last())))?;
    if succeeded(&ran) && live_restore {
        return adopted(&before, &control.world(), now)
            .map_err(|why| told(format!("it says that it succeeded: {why}")));
    }
    let mut again = match then {
        Then::GoOn => vec![adopt()],
        Then::TakeBack => give_back(&before, &control.world()).into_iter().collect(),
    };
    if !live_restore {
        // What is adopted already went down with the engine, too.
        again.push(Request::Repair { targets: Vec::new(), options: patient() });
    }
    let said: Vec<String> = again.into_iter().map(|request| said(life.ask(request, |_| false))).collect();
    // What only holds an address for a while ends by itself.
    life.pass(Duration::from_secs(300));
    let is = match then {
        Then::GoOn => adopted(&before, &control.world(), strict),
        Then::TakeBack => given_back(&before, &control.world(), strict),
    };
    is.map_err(|why| told(format!("then: {why}; {said:?}")))?;
    match life.ask(adopt(), |_| false) {
        Ran { steps: Some(1..), .. } if matches!(then, Then::GoOn) => {
            Err(told("asked once more, it still does something".into()))
        }
        Ran { end: End::Refused(why), .. } => Err(told(format!("asked once more, it refuses: {why}"))),
        _ => Ok(()),
    }
}

fn said(ran: Ran) -> String {
    match ran.end {
        End::Refused(why) => why,
        End::Finished(end) => format!("{:?}: {:?} {:?}", end.outcome, end.error, end.state),
        End::Died => "killed".into(),
    }
}

fn family(name: &str, each: usize, cases: impl Iterator<Item = (u32, Fault, bool, bool)>) {
    let all = cases
        .flat_map(|(nth, fault, dies, live)| [Then::GoOn, Then::TakeBack].map(|then| (nth, fault, dies, live, then)));
    let taken: Vec<_> = all.step_by(if super::exhaustive() { 1 } else { each }).collect();
    let one = |&(nth, fault, dies, live, then)| case(nth, fault, dies, live, then).err();
    let broken: Vec<_> = taken.iter().filter_map(one).collect();
    super::tell(&format!("adopt, {name}: {} cases, {} broken", taken.len(), broken.len()));
    assert!(broken.is_empty(), "{}", broken.join("\n\n"));
}

#[test]
fn while_containers_of_others_get_sandboxes() {
    let all = (1..=requests()).flat_map(|nth| FAULTS.map(|fault| (nth, fault, false, true)));
    family("single faults", 61, all);
}

#[test]
fn a_console_that_dies_while_adopting_is_gone_on_from_or_taken_back() {
    let kinds = [Fault::Hold, Fault::StallHead];
    let all = (1..=requests()).flat_map(|nth| kinds.map(|fault| (nth, fault, true, true)));
    family("killed consoles", 23, all);
}

#[test]
fn an_engine_that_dies_while_adopting_without_live_restore_loses_nobody() {
    let kinds = [Fault::DieBefore(AWAY), Fault::DieAfter(AWAY)];
    let all = (1..=requests()).flat_map(|nth| kinds.map(|fault| (nth, fault, false, false)));
    family("killed engines", 29, all);
}
