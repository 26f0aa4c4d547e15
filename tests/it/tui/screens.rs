//! What each screen looks like at the sizes that matter.

use super::sample::Course;
use super::{at_a_gate, clock, console, draw, heard, picture, press, running, sample, showing, text, themed};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use pitstop::domain::fleet::{Fleet, FleetState, Health};
use pitstop::domain::load::Load;
use pitstop::domain::plan::Plan;
use pitstop::tui::engine::EngineId;
use pitstop::tui::message::{Msg, News, Refusal};
use pitstop::tui::model::Model;
use pitstop::tui::theme::BUILT_IN;
use pitstop::tui::update::update;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

const SIZES: [(u16, u16); 3] = [(80, 24), (120, 36), (200, 50)];

/// Compares with what is stored of the screen: its text at each size, and how it looks in a dark, a light and no colour. Writes pictures
/// where they are wanted.
pub fn look(name: &str, make: impl Fn((u16, u16)) -> Model) {
    let mut stored = String::new();
    for size in SIZES {
        let mut model = make(size);
        paint(&format!("{name}_{}x{}", size.0, size.1), &model);
        write!(stored, "== {}x{}\n{}", size.0, size.1, text(&model)).unwrap();
        stored.push_str(&themed::digests(&mut model));
    }
    insta::assert_snapshot!(name, stored);
}

fn paint(name: &str, model: &Model) {
    if let Some(directory) = std::env::var_os("PITSTOP_PICTURES") {
        let path = std::path::Path::new(&directory).join(format!("{name}.svg"));
        std::fs::write(path, picture::svg(&draw(model))).unwrap();
    }
}

fn live() -> FleetState {
    FleetState::live(sample::fleet())
}

#[test]
fn fleet() {
    look("fleet", |size| showing(size, live()));
}

#[test]
fn fleet_on_instances_with_marks() {
    look("fleet_marks", |size| {
        let mut model = showing(size, live());
        press(&mut model, "jj<tab><space><space>");
        model
    });
}

#[test]
fn fleet_behind_a_balancer() {
    look("fleet_traffic", |size| {
        let mut model = showing(size, live());
        heard(&mut model, News::Traffic(sample::traffic()));
        press(&mut model, "jjj");
        model
    });
}

/// What the sample's containers take.
fn with_loads(mut model: Model) -> Model {
    let fleet = model.fleet().unwrap().clone();
    let running = fleet.apps.iter().flat_map(|app| &app.instances).filter_map(|one| one.app.as_deref());
    let load = |n: u64| Load { cpu: Some(n * n * 13), memory: (20 + n * n * n) << 20, limit: 16 << 30 };
    let loads = running.filter(|app| app.is_running()).zip(0..).map(|(app, n)| (app.id.clone(), load(n))).collect();
    heard(&mut model, News::Loads(loads));
    model
}

#[test]
fn fleet_and_what_it_takes() {
    look("fleet_loads", |size| {
        let mut model = with_loads(showing(size, live()));
        press(&mut model, "jjj");
        model
    });
    look("fleet_other", |size| {
        let mut model = with_loads(showing(size, live()));
        heard(&mut model, News::Traffic(sample::traffic()));
        press(&mut model, "wpMjj<space>j<space>");
        model
    });
}

#[test]
fn several_apps_at_once() {
    look("bulk", |size| {
        let mut model = showing(size, live());
        press(&mut model, if size.0 >= 110 { "j<space>j<space><space>" } else { "Zj<space><space><space>" });
        press(&mut model, "Dv3<enter>");
        let tickets = model.ticket - 2..=model.ticket;
        for (i, ticket) in tickets.enumerate() {
            let refusal = Refusal {
                message: "shop/api: anna@ops1 works on it since 12:03, deploy; it ends by itself".into(),
                hint: None,
            };
            let answer = if i == 0 { Err(refusal) } else { Ok(sample::deploy_plan()) };
            update(&mut model, Msg::Planned { ticket, answer });
        }
        press(&mut model, "8");
        model
    });
}

#[test]
fn themes() {
    for (i, (name, _)) in BUILT_IN.iter().enumerate() {
        let mut model = with_loads(showing((120, 36), live()));
        heard(&mut model, News::Traffic(sample::traffic()));
        press(&mut model, &format!("jjjt{}", "j".repeat(i)));
        assert_eq!(model.look.theme.name, *name);
        paint(&format!("theme_{name}_120x36"), &model);
    }
    look("themes", |size| {
        let mut model = showing(size, live());
        press(&mut model, "tjjj");
        model
    });
}

#[test]
fn loading() {
    look("loading", console);
}

#[test]
fn empty() {
    let fleet = Fleet { engine: sample::engine(), ..Fleet::default() };
    look("empty", |size| showing(size, FleetState::live(fleet.clone())));
}

fn lost(fleet: Option<Fleet>) -> FleetState {
    FleetState::Stale {
        fleet: fleet.map(Into::into),
        since: "2026-11-22T12:04:19Z".parse().unwrap(),
        error: "cannot list containers: connect to unix:///var/run/docker.sock: connection refused".into(),
        retry_in: Duration::from_secs(2),
    }
}

#[test]
fn stale() {
    look("stale", |size| showing(size, lost(Some(sample::fleet()))));
}

#[test]
fn no_engine() {
    look("no_engine", |size| showing(size, lost(None)));
}

#[test]
fn help() {
    look("help", |size| {
        let mut model = showing(size, live());
        press(&mut model, "?");
        model
    });
}

/// An instance's page with what the engine says of its containers.
fn inspected(size: (u16, u16)) -> Model {
    let mut fleet = sample::fleet();
    let web = fleet.apps.iter_mut().find(|app| app.id.app == "web").unwrap();
    Arc::make_mut(web.instances[0].app.as_mut().unwrap()).health = Some(Health::Unhealthy);
    let mut model = showing(size, FleetState::live(fleet));
    press(&mut model, "/web-1<enter>");
    press(&mut model, if size.0 >= 110 { "<tab>i" } else { "ji" });
    let ticket = model.ticket;
    update(&mut model, Msg::Inspected { ticket, seen: Box::new(sample::inspected()) });
    model
}

#[test]
fn one_instance() {
    look("instance", inspected);
    look("instance_revealed", |size| {
        let mut model = inspected(size);
        press(&mut model, "Gx");
        model
    });
    look("instance_json", |size| {
        let mut model = inspected(size);
        press(&mut model, "i/health<enter>n");
        model
    });
}

#[test]
fn copying_and_saving() {
    look("copy", |size| {
        let mut model = inspected(size);
        press(&mut model, "y");
        model
    });
    look("save", |size| {
        let mut model = running(size, Course::default());
        update(&mut model, Msg::Key(KeyEvent::new(KeyCode::Char('s'), KeyModifiers::CONTROL)));
        press(&mut model, "<down><down>");
        model
    });
}

#[test]
fn creating_from_a_file() {
    let files = |model: &mut Model| {
        press(model, "C");
        let names = [
            "compose.yaml",
            "docker-compose.prod.yaml",
            "other.yml",
            "../",
            "apps/",
            "deploy/",
            "docs/",
            "src/",
            "web/",
        ];
        update(model, Msg::Files(Ok(names.map(str::to_owned).to_vec())));
    };
    look("create_file", |size| {
        let mut model = showing(size, live());
        files(&mut model);
        press(&mut model, "<down><down><down><down><down><down>");
        model
    });
    look("create_services", |size| {
        let mut model = showing(size, live());
        files(&mut model);
        press(&mut model, "<enter>");
        update(&mut model, Msg::Loaded(Ok(Box::new(sample::project()))));
        press(&mut model, "j<space>+");
        model
    });
}

#[test]
fn choosing_columns() {
    look("columns", |size| {
        let mut model = with_loads(showing(size, live()));
        press(&mut model, "jjjcj<space>");
        model
    });
}

#[test]
fn asking_for_an_image() {
    look("ask_image", |size| {
        let mut model = showing(size, live());
        press(&mut model, "jjjD");
        model
    });
}

#[test]
fn an_operation_under_way() {
    look("operation_running", |size| {
        let mut model = running(size, Course { until: Some(700), ..Course::default() });
        clock(&mut model, 730);
        press(&mut model, "jj");
        model
    });
}

#[test]
fn an_operation_behind_a_balancer() {
    look("operation_draining", |size| went(size, &sample::balanced_plan(), Some(1060)));
    look("operation_drained", |size| went(size, &sample::balanced_plan(), None));
}

#[test]
fn an_operation_with_new_instances_first() {
    look("operation_surge", |size| went(size, &sample::surge_plan(), Some(1300)));
    look("operation_surged", |size| went(size, &sample::surge_plan(), None));
}

/// A console in which that plan's operation went so far.
fn went(size: (u16, u16), plan: &Plan, until: Option<u64>) -> Model {
    let mut model = showing(size, live());
    let events = sample::events(plan, Course { until, ..Course::default() });
    update(&mut model, Msg::Began(EngineId::default(), events[0].op.clone()));
    for event in events {
        clock(&mut model, event.elapsed_ms);
        update(&mut model, Msg::Op(event));
    }
    press(&mut model, "jj");
    model
}

#[test]
fn an_operation_that_succeeded() {
    look("operation_done", |size| running(size, Course::default()));
}

#[test]
fn an_operation_that_failed() {
    look("operation_failed", |size| running(size, Course { fails: Some("web-2"), ..Course::default() }));
}

#[test]
fn an_operation_that_moved_an_address() {
    look("operation_moved", |size| running(size, Course { moves: Some("web-3"), ..Course::default() }));
}

#[test]
fn a_gate() {
    look("gate", at_a_gate);
    look("gate_abort", |size| {
        let mut model = at_a_gate(size);
        press(&mut model, "a");
        model
    });
}

#[test]
fn an_operation_by_step() {
    look("operation_steps", |size| {
        let mut model = running(size, Course { fails: Some("web-2"), ..Course::default() });
        press(&mut model, "<tab>jjjj");
        model
    });
}

#[test]
fn the_fleet_beside_an_operation() {
    look("fleet_operation", |size| {
        let mut model = running(size, Course { until: Some(900), ..Course::default() });
        clock(&mut model, 930);
        press(&mut model, "<esc>jjj");
        model
    });
}

#[test]
fn a_plan_to_confirm() {
    look("confirm", |size| {
        let mut model = showing(size, live());
        press(&mut model, "jjjj<end><home>jjjD<enter>");
        let ticket = model.ticket;
        update(&mut model, Msg::Planned { ticket, answer: Ok(sample::deploy_plan()) });
        press(&mut model, "4");
        model
    });
}

#[test]
fn a_refusal() {
    look("refused", |size| {
        let mut model = showing(size, live());
        press(&mut model, "jjjU");
        let ticket = model.ticket;
        let refusal = Refusal {
            message: "roll back shop/web: there is no earlier revision: revision 7 is the only one that its sandboxes remember".into(),
            hint: Some("deploy the image you want instead".into()),
        };
        update(&mut model, Msg::Planned { ticket, answer: Err(refusal) });
        model
    });
}

#[test]
fn what_was_left_half_done() {
    let web = sample::broken_off("20261122-115200-3f2a01", "shop/web", 12 * 60);
    look("left_open", |size| {
        let mut model = showing(size, live());
        heard(&mut model, News::LeftOpen(vec![web.clone()]));
        model
    });
    look("left_open_two", |size| {
        let mut model = showing(size, live());
        let api = sample::broken_off("20261122-115300-3f2a02", "shop/api", 600);
        heard(&mut model, News::LeftOpen(vec![web.clone(), api]));
        press(&mut model, "jjj");
        model
    });
}

#[test]
fn what_matters_most_in_other_themes_and_on_a_wide_terminal() {
    themed::look("fleet", |size| {
        let mut model = with_loads(showing(size, live()));
        heard(&mut model, News::Traffic(sample::traffic()));
        press(&mut model, "jjj<tab><space>");
        model
    });
    themed::look("stale", |size| showing(size, lost(Some(sample::fleet()))));
    themed::look("instance_json", |size| {
        let mut model = inspected(size);
        press(&mut model, "i/health<enter>n");
        model
    });
    themed::look("operation_running", |size| {
        let mut model = running(size, Course { until: Some(700), ..Course::default() });
        clock(&mut model, 730);
        model
    });
    themed::look("operation_failed", |size| running(size, Course { fails: Some("web-2"), ..Course::default() }));
    themed::look("confirm", |size| {
        let mut model = showing(size, live());
        press(&mut model, "jjjD<enter>");
        let ticket = model.ticket;
        update(&mut model, Msg::Planned { ticket, answer: Ok(sample::deploy_plan()) });
        model
    });
    themed::look("create_services", |size| {
        let mut model = showing(size, live());
        press(&mut model, "C");
        update(&mut model, Msg::Loaded(Ok(Box::new(sample::project()))));
        press(&mut model, "j<space>+");
        model
    });
    themed::look("help", |size| {
        let mut model = showing(size, live());
        press(&mut model, "?");
        model
    });
}
