//! The decision per instance, over its whole state space: sandbox × app container × what is beside it × balancer.
//!
//! Each state is handled by each operation, which dies after any number of its steps; asking again brings it to its end, a
//! third time there is nothing left to do. On the way nothing is stopped that is sent requests, and nothing old goes before
//! what follows it is verified (the engine of the tests sees to that).

use super::super::{deploy, finish, repair, restart, rollback, take_back};
use super::engine::Engine;
use super::world::{IMAGES, Seed, Told, behind, image_id, spec, web};
use crate::domain::balancer::Admin;
use crate::domain::converge::{Aim, Beside, Difference, Footing, Need, Seen};
use crate::domain::facts::Facts;
use crate::domain::fleet::State::{self, Created, Dead, Exited, Paused, Restarting, Running};
use crate::domain::ids::AppId;
use crate::domain::options::{Options, PullPolicy};
use crate::domain::plan::{Kind, Plan, Refusal, RevisionRecord};
use crate::domain::probe::ProbeSpec;
use crate::domain::warm::Warm;
use std::collections::BTreeMap;

type Ask = fn(&Facts) -> Result<Plan, Refusal>;

fn options() -> Options {
    Options { allow_recreate: true, pull: Some(PullPolicy::Missing), ..Options::default() }
}

/// What is asked for, and what is asked for after that has died.
const OPERATIONS: [(&str, Ask, Ask); 13] = [
    ("deploy of another image", to_v2, to_v2),
    ("deploy of the same image", to_v1, to_v1),
    ("deploy, then resume", to_v2, forward),
    ("deploy, then repair", to_v2, mend),
    ("resume", forward, forward),
    ("abort, then its resume", back, forward),
    ("rollback", to_77, to_77),
    ("repair", mend, mend),
    ("restart, then repair", again, mend),
    ("warm deploy", warm, warm),
    ("warm deploy, then resume", warm, forward),
    ("warm deploy, then abort", warm, back),
    ("warm deploy, then repair", warm, mend),
];

fn to_v1(facts: &Facts) -> Result<Plan, Refusal> {
    deploy("shop/web", Some(IMAGES[0]), None, facts, &options())
}

fn to_v2(facts: &Facts) -> Result<Plan, Refusal> {
    deploy("shop/web", Some(IMAGES[1]), None, facts, &options())
}

fn warm(facts: &Facts) -> Result<Plan, Refusal> {
    let options = Options { warm: Some(Warm::Auto), probe: Some(ProbeSpec::Tcp { port: 80 }), ..options() };
    deploy("shop/web", Some(IMAGES[1]), None, facts, &options)
}

fn to_77(facts: &Facts) -> Result<Plan, Refusal> {
    rollback("shop/web", Some(77), facts, &options())
}

fn forward(facts: &Facts) -> Result<Plan, Refusal> {
    finish("shop/web", facts, &options())
}

fn back(facts: &Facts) -> Result<Plan, Refusal> {
    take_back("shop/web", facts, &options())
}

fn mend(facts: &Facts) -> Result<Plan, Refusal> {
    repair(&[], facts, &options())
}

fn again(facts: &Facts) -> Result<Plan, Refusal> {
    restart(&["shop/web".into()], facts, &options())
}

const STATES: [Option<State>; 7] =
    [None, Some(Created), Some(Running), Some(Paused), Some(Restarting), Some(Exited), Some(Dead)];

/// Every state of an instance with what its balancer was told, alone; and beside a healthy one.
fn worlds() -> impl Iterator<Item = (Vec<Seed>, Told)> {
    let pairs = STATES.iter().flat_map(|sandbox| STATES.iter().map(move |app| (*sandbox, *app)));
    let ties = pairs.flat_map(|(sandbox, app)| {
        let both = sandbox.is_some() && app.is_some();
        // Joined to this sandbox, to another one; and to this one before it was started anew.
        let ties = [(true, false), (false, false), (true, true)].into_iter().take(if both { 3 } else { 1 });
        ties.map(move |(joined, orphaned)| Seed { sandbox, app, joined, orphaned, revision: 2, ..Seed::well() })
    });
    let besides =
        [None, Some((1, Exited)), Some((1, Running)), Some((3, Created)), Some((3, Running)), Some((3, Exited))];
    let seeds = ties.flat_map(move |seed| besides.map(|beside| Seed { beside, ..seed.clone() }));
    let well = || Seed { revision: 2, ..Seed::well() };
    seeds.flat_map(move |seed| {
        let alone = [Told::Nothing, Told::Sends, Told::TakenOut, Told::LeftOut].map(|told| (vec![seed.clone()], told));
        // That it was left out stands in its sandbox.
        alone.into_iter().take(if seed.sandbox.is_some() { 4 } else { 3 }).chain([(vec![seed, well()], Told::Sends)])
    })
}

fn world(seeds: &[Seed], told: Told) -> Facts {
    let mut facts = behind(web(seeds), told);
    let record = RevisionRecord {
        revision: 77,
        image_id: image_id(IMAGES[1]),
        spec: spec(IMAGES[1]),
        ..RevisionRecord::default()
    };
    facts.revisions.insert(AppId::new("shop", "web"), vec![record]);
    facts
}

/// Every nineteenth state, which is every kind of each part of it.
#[test]
fn a_state_comes_to_its_end_wherever_an_operation_dies() {
    assert!(walks(19) > 5_000);
}

#[test]
#[ignore = "all 3,588 states take minutes: cargo test --lib every_state_comes -- --ignored"]
fn every_state_comes_to_its_end_wherever_an_operation_dies() {
    assert!(walks(1) > 200_000);
}

/// How many ways to die there were; each came to its end.
fn walks(step: usize) -> usize {
    let mut walked = Walked::default();
    for (seeds, told) in worlds().step_by(step) {
        for (name, first, then) in OPERATIONS {
            walked.operation(&seeds, told, name, first, then);
        }
    }
    assert!(walked.broken.is_empty(), "{:#?}", walked.broken);
    walked.walks
}

/// What came of it.
#[derive(Default)]
struct Walked {
    walks: usize,
    /// By operation and what is wrong: how often, and one example.
    broken: BTreeMap<(&'static str, String), (usize, String)>,
}

impl Walked {
    fn operation(&mut self, seeds: &[Seed], told: Told, name: &'static str, first: Ask, then: Ask) {
        let facts = world(seeds, told);
        let Ok(plan) = first(&facts) else { return };
        let mut is_broken = |when: String, error| {
            let example = || (0, format!("{seeds:?}, balancer {told:?}, {when}"));
            self.broken.entry((name, error)).or_insert_with(example).0 += 1;
        };
        match Engine::moments(&facts, &plan) {
            Err(error) => is_broken("not even once".into(), error),
            Ok(moments) => {
                for died in moments {
                    self.walks += 1;
                    if let Err(error) = comes_to_its_end(&facts, &plan, died, then, told) {
                        is_broken(format!("died after {died} steps"), error);
                    }
                }
            }
        }
    }
}

fn comes_to_its_end(facts: &Facts, first: &Plan, died: usize, then: Ask, told: Told) -> Result<(), String> {
    let broken = |plan: &Plan| plan.broken().map_or(Ok(()), Err);
    broken(first)?;
    let mut engine = Engine::new(facts);
    engine.run(first, died)?;
    let second = match then(&engine.facts) {
        Ok(plan) => plan,
        // Nothing is left that says what it should be; a file is asked for.
        Err(Refusal::Refused(why)) if why.contains("-f FILE") => return Ok(()),
        // What was begun has left nothing that could be told from what was there.
        Err(Refusal::Refused(why) | Refusal::Usage(why)) if why.contains("nothing to take back") => return Ok(()),
        Err(why) => return Err(why.to_string()),
    };
    broken(&second)?;
    engine.run(&second, usize::MAX)?;
    let third = match then(&engine.facts) {
        Err(why) if why.to_string().contains("nothing to take back") => Plan::nothing(Kind::Deploy, "shop/web", ""),
        other => other.map_err(|why| why.to_string())?,
    };
    if !third.is_empty() {
        let left: Vec<_> = third.steps.iter().map(|step| (step.task.action(), &step.cause)).collect();
        return Err(format!("there is still {left:?}"));
    }
    for instance in engine.facts.fleet.apps.iter().flat_map(|app| &app.instances) {
        let said = third.hopeless.iter().any(|why| why.starts_with(&format!("{} ", instance.name)));
        if !said && Footing::of(instance) != Footing::Serves {
            return Err(format!("{} does not serve and nobody says so", instance.name));
        }
        if !said && told != Told::TakenOut && engine.facts.left_drained.contains_key(&instance.name) {
            return Err(format!("{} was left drained", instance.name));
        }
    }
    let servers = engine.facts.balancers.values().flatten().flat_map(|seen| seen.servers.iter().flatten());
    let admin = if told == Told::TakenOut { Admin::Maint } else { Admin::Ready };
    match servers.filter(|_| third.hopeless.is_empty()).find(|server| server.admin != Some(admin)) {
        Some(server) => Err(format!("{} is {:?}", server.name, server.admin)),
        None => Ok(()),
    }
}

/// The decision itself, every state of it: whatever is to run, a need that is met leaves nothing to be done.
#[test]
fn what_is_needed_is_needed_only_once() {
    use Footing::{Down, Empty, Fresh, Frozen, Homeless, Leaving, Serves, Unsteady};
    let footings = [Empty, Homeless, Leaving, Fresh, Down, Unsteady, Frozen, Serves];
    let aims = [Difference::Nothing, Difference::App, Difference::Sandbox].map(Aim::Run);
    for aim in aims.into_iter().chain([Aim::Exist, Aim::Serve]) {
        for footing in footings {
            for beside in [Beside::Nothing, Beside::Asleep, Beside::Held, Beside::Alive] {
                for (has_sandbox, left_out) in [(false, false), (false, true), (true, false), (true, true)] {
                    let seen = Seen { footing, beside, has_sandbox, left_out };
                    let need = seen.need(aim);
                    // What carrying it out leads to, as the recipes promise.
                    let after = Seen { footing: Serves, beside: Beside::Nothing, has_sandbox: true, left_out: false };
                    let met = match aim {
                        Aim::Run(_) => Aim::Run(Difference::Nothing),
                        other => other,
                    };
                    assert_eq!(after.need(met), Need::Nothing);
                    let serving_as_wanted = footing == Serves && aim == met && beside == Beside::Nothing && !left_out;
                    assert!(
                        need != Need::Nothing || serving_as_wanted || aim == Aim::Exist && footing == Serves,
                        "{seen:?} {aim:?}"
                    );
                    assert!(need != Need::Leave || aim == Aim::Serve, "{seen:?} {aim:?}");
                    assert!(need != Need::Recreate || has_sandbox && aim == Aim::Run(Difference::Sandbox));
                }
            }
        }
    }
}
