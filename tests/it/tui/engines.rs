//! Several engines on one screen: whose row it is, where what is asked goes, and what becomes of the others.

use super::sample::{self, Course};
use super::screens::look;
use super::{clock, press, text};
use crate::support::pitstop::Pitstop;
use crate::support::sim::Served;
use pitstop::domain::fleet::FleetState;
use pitstop::sim::Scenario;
use pitstop::tui::engine::{Engine, EngineId, Engines};
use pitstop::tui::message::{Command, Msg, News};
use pitstop::tui::model::{Model, Screen};
use pitstop::tui::rows::RowId;
use pitstop::tui::update::update;
use std::time::Duration;

const NEAR: EngineId = EngineId(0);
const FAR: EngineId = EngineId(1);

/// The sample's fleet on two engines.
fn two(size: (u16, u16)) -> Model {
    let mut model = super::console(size);
    let engine = |id, name: &str| Engine::new(id, name.to_owned());
    model.engines = Engines::of([engine(NEAR, "near"), engine(FAR, "far")]).unwrap();
    heard(&mut model, NEAR, live("near"));
    heard(&mut model, FAR, live("far"));
    model
}

fn live(context: &str) -> News {
    let mut fleet = sample::fleet();
    fleet.engine.context = Some(context.to_owned());
    News::Fleet(FleetState::live(fleet))
}

fn lost() -> News {
    let (since, retry_in) = (sample::now(), Duration::from_secs(4));
    News::Fleet(FleetState::Stale { fleet: None, since, error: "connection refused".to_owned(), retry_in })
}

fn heard(model: &mut Model, engine: EngineId, news: News) -> Vec<Command> {
    update(model, Msg::Engine(engine, news))
}

/// What a request would call the row under the cursor.
fn cursor(model: &Model) -> String {
    model.list.cursor.as_ref().and_then(RowId::target).unwrap_or_default()
}

/// Where the commands go, and what they ask for.
fn asked(commands: &[Command]) -> Vec<(EngineId, String)> {
    let ask = |command: &Command| match command {
        Command::Plan { engine, request, .. } | Command::Run { engine, request, .. } => {
            Some((*engine, request.subject()))
        }
        Command::Inspect { engine, .. } => Some((*engine, "inspect".to_owned())),
        Command::Log { wanted, .. } => Some((wanted.engine, "log".to_owned())),
        Command::Shell { engine, name, .. } => Some((*engine, name.clone())),
        Command::Doctor(engine) => Some((*engine, "doctor".to_owned())),
        _ => None,
    };
    commands.iter().filter_map(ask).collect()
}

fn on(engine: EngineId, what: &str) -> (EngineId, String) {
    (engine, what.to_owned())
}

#[test]
fn two_engines_on_one_screen() {
    look("engines", two);
    look("engines_one_lost", |size| {
        let mut model = two(size);
        heard(&mut model, FAR, lost());
        press(&mut model, "G");
        model
    });
}

#[test]
fn what_is_asked_goes_to_the_engine_whose_row_it_is() {
    for size in [(80, 24), (120, 36)] {
        for (jump, engine) in [("fapi<enter>", NEAR), ("fapi<down><enter>", FAR)] {
            let at = |keys: &str| {
                let mut model = two(size);
                press(&mut model, jump);
                assert_eq!(model.here().id, engine, "{}", text(&model));
                let commands = press(&mut model, keys);
                (model, commands)
            };
            let (target, image) = (cursor(&at("").0), "<backspace>9<enter>");
            assert_eq!(asked(&at("r").1), [on(engine, &target)]);
            assert_eq!(asked(&at(&format!("D{image}")).1), [on(engine, "shop/api")]);
            assert_eq!(asked(&at("S5<enter>").1), [on(engine, "shop/api")]);
            assert_eq!(asked(&at("U").1), [on(engine, "shop/api")]);
            assert_eq!(asked(&at("<enter>l").1)[0].0, engine);
            assert_eq!(asked(&at("e").1)[0].0, engine);
        }
    }
}

#[test]
fn what_was_asked_for_one_engine_is_never_done_on_another() {
    let mut model = two((80, 24));
    // The last row's app goes while its image is typed, and the cursor with it, to another engine's row.
    press(&mut model, "/shop/web<enter>G<left>D");
    assert_eq!(model.here().id, FAR);
    model.list.shown.folded.insert(RowId::Engine(FAR));
    model.list.cursor = Some(RowId::Engine(NEAR));
    heard(&mut model, FAR, live("far"));
    assert_eq!(model.here().id, NEAR);
    let commands = press(&mut model, "<backspace>9<enter>");
    let [Command::Plan { engine: FAR, ticket, .. }] = commands[..] else { panic!("{commands:?}") };
    update(&mut model, Msg::Planned { ticket, answer: Ok(sample::deploy_plan()) });
    assert!(text(&model).contains("deploy shop/web on far"), "{}", text(&model));
    let commands = press(&mut model, "4<enter>");
    let [Command::Plan { engine: FAR, ticket, .. }] = commands[..] else { panic!("{commands:?}") };
    let commands = update(&mut model, Msg::Planned { ticket, answer: Ok(sample::deploy_plan()) });
    assert!(matches!(commands[..], [Command::Run { engine: FAR, .. }]), "{commands:?}");
    // The operation names its engine, and its screen is about that one.
    let events = sample::events(&sample::deploy_plan(), Course::default());
    update(&mut model, Msg::Began(FAR, events[0].op.clone()));
    for event in events {
        clock(&mut model, event.elapsed_ms);
        update(&mut model, Msg::Op(event));
    }
    assert!(matches!(model.screen, Screen::Operation(_)) && model.here().id == FAR);
    assert!(text(&model).contains("deploy shop/web on far"), "{}", text(&model));
}

#[test]
fn marks_on_several_engines_are_one_question_and_a_request_for_each() {
    let mut model = two((120, 36));
    press(&mut model, "/shop/web<enter>*");
    assert_eq!(model.list.marks.len(), 2, "{:?}", model.list.marks);
    for (keys, verb) in [("r", "restart"), ("D2<enter>", "deploy"), ("S3<enter>", "scale"), ("U", "roll back")] {
        let commands = press(&mut model, keys);
        assert_eq!(asked(&commands), [on(NEAR, "shop/web"), on(FAR, "shop/web")], "{verb}");
        let shown = text(&model);
        assert!(shown.contains("shop/web on near") && shown.contains("shop/web on far"), "{shown}");
        press(&mut model, "<esc>");
    }
    let commands = press(&mut model, "X<enter>");
    assert_eq!(asked(&commands), [on(NEAR, "shop/web"), on(FAR, "shop/web")]);
    press(&mut model, "<esc>");
    // What is done on one engine takes no mark from the other.
    let events = sample::events(&sample::deploy_plan(), Course::default());
    update(&mut model, Msg::Began(FAR, events[0].op.clone()));
    for event in events {
        update(&mut model, Msg::Op(event));
    }
    let marked: Vec<EngineId> = model.list.marks.iter().map(RowId::engine).collect();
    assert_eq!(marked, [NEAR]);
}

#[test]
fn a_lost_engine_takes_nothing_from_the_others() {
    let mut model = two((80, 24));
    press(&mut model, "/shop/web<enter>gjj");
    assert!(model.app().is_some() && model.here().id == NEAR);
    let before = cursor(&model);
    heard(&mut model, FAR, lost());
    assert_eq!((model.here().id, cursor(&model)), (NEAR, before));
    assert!(text(&model).contains("live") && text(&model).contains("stale"), "{}", text(&model));
    // The key for trying now restarts, as long as something is there to restart.
    assert!(matches!(press(&mut model, "r")[..], [Command::Plan { engine: NEAR, .. }]));
    press(&mut model, "<esc>G");
    assert_eq!(model.here().id, FAR);
    assert!(matches!(press(&mut model, "r")[..], [Command::Resync]));
    // One that never answered has a row all the same.
    let mut model = two((80, 24));
    model.engines.get_mut(FAR).unwrap().state = FleetState::Loading;
    heard(&mut model, FAR, lost());
    press(&mut model, "G");
    assert!(text(&model).contains("away") && text(&model).contains("connection refused"), "{}", text(&model));
}

#[test]
fn nobody_listens_to_engines_that_were_left() {
    let mut model = two((80, 24));
    let again = EngineId(2);
    update(&mut model, Msg::Switched(Ok(vec![Engine::new(again, "near".into())])));
    assert!(heard(&mut model, NEAR, live("near")).is_empty());
    assert!(model.fleet().is_none() && !model.engines.are_several());
    heard(&mut model, again, live("near"));
    assert!(model.fleet().is_some());
}

/// The real program on two simulated engines, by their Docker contexts.
#[test]
fn contexts_side_by_side() {
    let served = [Served::with(Scenario::demo().unwrap()), Served::with(Scenario::demo().unwrap())];
    let pitstop = Pitstop::without_engine().env("DOCKER_CONFIG", "docker");
    let context = |name: &str, host: &str| {
        let meta = format!(r#"{{"Name":"{name}","Endpoints":{{"docker":{{"Host":"{host}"}}}}}}"#);
        std::fs::create_dir_all(pitstop.home().join("docker/contexts/meta").join(name)).unwrap();
        pitstop.file(&format!("docker/contexts/meta/{name}/meta.json"), &meta);
    };
    context("near", &served[0].host());
    context("far", &served[1].host());
    context("gone", "unix:///nowhere/docker.sock");
    let twice = pitstop.run(&["--context", "near", "--context", "far", "ps"]).expect_code(2);
    assert!(twice.stderr.contains("give --context once"), "{}", twice.stderr);

    let mut term = pitstop.terminal(100, 60, &["--context", "near", "--context", "far", "--context", "gone"]);
    term.wait_until("three engines", |text| {
        ["near  9  ● live", "far  9", "gone", "◌ away", "3 engines"].iter().all(|part| text.contains(part))
    });
    term.keys("/shop/web<enter>");
    term.wait_for_absence("ghost");
    let before = served.each_ref().map(|one| one.control().world());
    term.keys("G<up>r");
    term.wait_until("the question", |text| text.contains("restart shop/web-4 on far") && text.contains("run it"));
    term.keys("<enter>");
    term.wait_for("succeeded");
    term.wait_for("identity kept 1/1");
    let after = served.each_ref().map(|one| one.control().world());
    assert_eq!(before[0], after[0], "nobody touched the other engine");
    assert_ne!(before[1], after[1]);
    // To one of them alone, and back to two.
    // Sent together, the two would be one key with alt.
    term.keys("<esc>");
    term.wait_for("APP / INSTANCE");
    term.keys(":context far<enter>");
    term.wait_for("the engine of context far");
    term.wait_for_absence("3 engines");
    term.keys(":context far near<enter>");
    term.wait_for("2 engines");
    term.keys("q");
    assert_eq!(term.exit(), Some(0));
}
