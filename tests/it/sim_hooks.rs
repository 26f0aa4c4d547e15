//! Hooks whose answers are lost: none runs twice unless it is proven not to have run, and none is believed to have run.

use std::time::Duration;

use pitstop::config::compose::{LoadOptions, load_text};
use pitstop::domain::event::{EventKind, OpEvent, StepFinished, StepResult};
use pitstop::domain::options::Options;
use pitstop::domain::plan::Action;
use pitstop::engine::{Operator, Request, Session};
use pitstop::sim::{Fault, Scenario, Sim, When};

use crate::support::sim::paused;

const WORLD: &str = r#"
live_restore = true
[[images]]
name = "web:1"
behaviour = { port = 8080 }
"#;

const FILE: &str = "services: {web: {image: 'web:1', x-pitstop: {probe: 'tcp:8080', hooks: {pre_stop: [HOOK, x]}}}}\n";

async fn run(session: &Session, request: Request) -> Vec<OpEvent> {
    let plan = session.plan(&request).await.unwrap();
    let mut operation = Operator::of(session).begin(&request, plan).await.unwrap();
    let mut events = Vec::new();
    while let Some(event) = operation.events.recv().await {
        events.push(event);
    }
    events
}

/// Restarts an app with a `pre_stop` hook after `wrong` was done to the engine; gives how the hook's step ended, how often the
/// hook was begun, and how often the app was started in all.
fn restarted(hook: &str, wrong: impl FnOnce(&Sim)) -> (StepFinished, usize, u64) {
    paused(Scenario::parse(WORLD).unwrap(), async |sim, location| {
        let options = LoadOptions { project: Some("shop".into()), ..LoadOptions::default() };
        let project = load_text("compose.yaml", &FILE.replace("HOOK", hook), &options).expect("a Compose file");
        let session = Session::connect(&location).await.unwrap();
        let options = Options::default;
        run(&session, Request::Create { project, services: vec![], scale: vec![], options: options() }).await;
        wrong(sim);
        let events = run(&session, Request::Restart { targets: vec!["shop/web".into()], options: options() }).await;
        let step = events.iter().find_map(|event| match &event.kind {
            EventKind::StepFinished(step) if step.action == Action::PreStop => Some(step.clone()),
            _ => None,
        });
        let control = sim.control();
        let begun = |path: &str| path.starts_with("/exec/") && path.ends_with("/start");
        let begun =
            control.requests().into_iter().filter(|asked| begun(&asked.path) && asked.fault != Some(Fault::EofBefore));
        (step.unwrap(), begun.count(), control.world()["shop-web-1.r1"].runs)
    })
}

fn starts() -> When {
    When::request("POST", "/exec/*/start")
}

#[test]
fn one_whose_answer_came_is_done_once() {
    let (step, begun, runs) = restarted("true", |_| {});
    assert_eq!((step.result, step.detail.as_deref(), begun, runs), (StepResult::Ok, Some("exit 0"), 1, 2));
    let (step, begun, runs) = restarted("false", |_| {});
    assert_eq!((step.result, begun, runs), (StepResult::Failed, 1, 1));
    assert_eq!(step.error.as_deref(), Some("false in shop-web-1.r1: exit 1; it was not stopped"));
}

#[test]
fn one_whose_answer_was_lost_is_looked_for() {
    let (step, begun, runs) = restarted("true", |sim| sim.control().on(starts(), Fault::EofAfter));
    assert_eq!((step.result, begun, runs), (StepResult::Ok, 1, 2), "{step:?}");
    assert_eq!(step.detail.as_deref(), Some("exit 0; its output was lost with the connection"));
    let (step, begun, runs) = restarted("false", |sim| sim.control().on(starts(), Fault::EofAfter));
    assert_eq!((step.result, begun, runs), (StepResult::Failed, 1, 1), "{step:?}");
}

#[test]
fn one_that_is_proven_not_to_have_begun_is_sent_again() {
    let (step, begun, runs) = restarted("true", |sim| sim.control().on(starts(), Fault::EofBefore));
    assert_eq!((step.result, begun, runs), (StepResult::Ok, 1, 2), "{step:?}");
    assert!(step.took_ms >= 1800, "after a while without a sign of it: {step:?}");
}

#[test]
fn one_that_the_engine_has_forgotten_is_not_believed() {
    let death = Fault::DieAfter(Duration::from_millis(300));
    let (step, begun, runs) = restarted("true", |sim| sim.control().on(starts(), death));
    assert_eq!((step.result, begun, runs), (StepResult::Failed, 1, 1), "{step:?}");
    let said = step.error.unwrap();
    assert!(said.contains("unknown (the engine was started anew") && said.ends_with("it was not stopped"), "{said}");
}
