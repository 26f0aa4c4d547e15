//! What pitstop decides and draws, alone, at sizes nobody has yet: `cargo bench --bench decisions [-- FILTER]`.
//!
//! Planning a thousand instances, folding a hundred thousand events, drawing five thousand rows, answering a key among them,
//! reading a Compose file. No engine, no terminal, no clock but criterion's; `docs/performance.md` has the figures.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../tests/it/tui/sample.rs"]
#[allow(dead_code)] // the console's tests use the rest
mod sample;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use pitstop::config::compose::{self, LoadOptions};
use pitstop::domain::event::OpEvent;
use pitstop::domain::facts::Facts;
use pitstop::domain::fleet::{Fleet, FleetState};
use pitstop::domain::ids::AppId;
use pitstop::domain::options::Options;
use pitstop::domain::plan::Plan;
use pitstop::domain::progress::Progress;
use pitstop::domain::recipe;
use pitstop::tui::engine::EngineId;
use pitstop::tui::glyphs;
use pitstop::tui::keymap::Keymap;
use pitstop::tui::message::{Msg, News};
use pitstop::tui::model::{Look, Model};
use pitstop::tui::theme::{Depth, Theme};
use pitstop::tui::update::update;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use std::fmt::Write;
use std::hint::black_box;
use std::time::Duration;

/// An app of so many instances.
fn app(name: &str, instances: u32) -> Vec<pitstop::domain::fleet::Container> {
    let id = AppId::new("shop", name);
    let address = |n: u32| format!("10.{}.{}.{}", n >> 16, (n >> 8) & 255, n & 255);
    (1..=instances).flat_map(|n| sample::instance(&id, n, "shop/web:v2", 7, &address(n), Some(11_000))).collect()
}

fn plan(instances: u32) -> (Facts, Plan) {
    let facts = Facts { fleet: Fleet::assemble(sample::engine(), app("web", instances)), ..Facts::default() };
    let plan = deploy(&facts);
    (facts, plan)
}

fn deploy(facts: &Facts) -> Plan {
    recipe::deploy("shop/web", Some("shop/web:v3"), None, facts, &Options::default()).unwrap()
}

fn planning(bench: &mut Criterion) {
    let (facts, _) = plan(1000);
    bench.bench_function("plan a deployment of 1,000 instances", |bench| bench.iter(|| deploy(black_box(&facts))));
}

/// The events of deployments of a thousand instances, a hundred thousand in all.
fn events() -> Vec<OpEvent> {
    let events = sample::events(&plan(1000).1, sample::Course::default());
    events.iter().cycle().take(100_000).cloned().collect()
}

fn folding(bench: &mut Criterion) {
    let events = events();
    bench.bench_function("fold 100,000 events", |bench| {
        bench.iter(|| {
            let mut progress = Progress::default();
            for event in &events {
                progress.apply(event);
            }
            progress
        });
    });
}

/// A console with five thousand rows in a hundred apps.
fn console() -> Model {
    let look = Look { theme: Theme::standard(Depth::True), glyphs: &glyphs::UNICODE };
    let mut model = Model::new(look, Keymap::default(), (100, 50));
    update(&mut model, Msg::Clock { wall: sample::now(), now: Duration::ZERO });
    let apps = (1..=100).flat_map(|n| app(&format!("web{n}"), 49));
    update(
        &mut model,
        Msg::Engine(EngineId::default(), News::Fleet(FleetState::live(Fleet::assemble(sample::engine(), apps)))),
    );
    assert_eq!(model.rows().len(), 5000);
    model
}

fn drawing(bench: &mut Criterion) {
    let mut model = console();
    let mut terminal = Terminal::new(TestBackend::new(model.size.0, model.size.1)).unwrap();
    bench.bench_function("draw 5,000 rows", |bench| {
        bench.iter(|| {
            terminal.draw(|frame| pitstop::tui::view::draw(&model, frame)).unwrap();
        });
    });
    let mut down = true;
    bench.bench_function("a key among 5,000 rows", |bench| {
        bench.iter(|| {
            let key = if down { KeyCode::Down } else { KeyCode::Up };
            down = !down;
            update(&mut model, Msg::Key(KeyEvent::new(key, KeyModifiers::NONE)))
        });
    });
    let before = console();
    let FleetState::Live(fleet) = &before.here().state else { return };
    bench.bench_function("take in a new list of 5,000 rows", |bench| {
        let fresh = || Msg::Engine(EngineId::default(), News::Fleet(FleetState::Live(fleet.clone())));
        bench.iter_batched(fresh, |msg| update(&mut model, msg), BatchSize::LargeInput);
    });
}

fn reading(bench: &mut Criterion) {
    let mut text = String::from("name: shop\nservices:\n");
    for n in 0..50 {
        write!(
            text,
            "  web{n}:\n    image: shop/web:v{n}\n    environment: {{PORT: '8080', NAME: web{n}}}\n    \
             ports: ['{}:8080']\n    volumes: ['data{n}:/data']\n    networks: [front]\n    \
             healthcheck: {{test: [CMD, curl, localhost], interval: 5s}}\n    x-pitstop: {{probe: 'tcp:8080', batch: 2}}\n",
            20_000 + n
        )
        .unwrap();
    }
    text.push_str("networks: {front: {}}\nvolumes:\n");
    (0..50).for_each(|n| writeln!(text, "  data{n}: {{}}").unwrap());
    let read = || compose::load_text("compose.yaml", black_box(&text), &LoadOptions::default());
    read().unwrap_or_else(|errors| panic!("{errors}"));
    bench.bench_function("read a Compose file of 50 services", |bench| bench.iter(read));
}

criterion_group! {
    name = decisions;
    config = Criterion::default().sample_size(20).measurement_time(Duration::from_secs(3));
    targets = planning, folding, drawing, reading
}
criterion_main!(decisions);
