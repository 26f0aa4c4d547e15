//! No size and no state makes drawing panic.

use super::sample::{self, Course};
use super::{clock, console, draw, heard, press, running};
use crate::support::random::Random;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use pitstop::domain::fleet::FleetState;
use pitstop::tui::glyphs;
use pitstop::tui::message::{Msg, News, Refusal};
use pitstop::tui::model::Model;
use pitstop::tui::theme::Theme;
use pitstop::tui::update::update;
use proptest::prelude::*;
use ratatui::Terminal;
use ratatui::backend::TestBackend;

/// Keys of all kinds, and what the engine may say in between.
#[derive(Clone, Copy, Debug)]
enum Happening {
    Key(KeyCode),
    Resize(u16, u16),
    Fleet(u8),
    Planned(bool),
    Later(u64),
}

fn happening() -> impl Strategy<Value = Happening> {
    let keys = "jkgGrDCSUXilHRA+: */!z?LOptsabfqNQn&wTvZVMPEI<>Y-et123\t".chars().map(KeyCode::Char).chain([
        KeyCode::Enter,
        KeyCode::Esc,
        KeyCode::Tab,
        KeyCode::Up,
        KeyCode::Down,
        KeyCode::Left,
        KeyCode::Right,
        KeyCode::PageDown,
        KeyCode::End,
        KeyCode::Backspace,
    ]);
    prop_oneof![
        8 => prop::sample::select(keys.collect::<Vec<_>>()).prop_map(Happening::Key),
        1 => (1_u16..200, 1_u16..60).prop_map(|(w, h)| Happening::Resize(w, h)),
        1 => any::<u8>().prop_map(Happening::Fleet),
        1 => any::<bool>().prop_map(Happening::Planned),
        1 => (0_u64..100_000).prop_map(Happening::Later),
    ]
}

/// With the verbs there are.
fn with_grammar(mut model: Model) -> Model {
    model.grammar = super::prompt::grammar();
    model
}

fn happen(model: &mut Model, happening: Happening) {
    match happening {
        Happening::Key(code) => drop(update(model, Msg::Key(KeyEvent::new(code, KeyModifiers::NONE)))),
        Happening::Resize(columns, rows) => drop(update(model, Msg::Resize(columns, rows))),
        Happening::Fleet(some) => {
            let mut fleet = sample::fleet();
            fleet.apps.retain(|app| some & 1 == 0 || app.managed);
            fleet.apps.truncate(usize::from(some >> 4));
            let state = if some & 2 == 0 {
                FleetState::live(fleet)
            } else {
                let fleet = (some & 4 == 0).then_some(fleet.into());
                let (since, retry_in) = (sample::now(), std::time::Duration::from_secs(1));
                FleetState::Stale { fleet, since, error: "gone".into(), retry_in }
            };
            heard(model, News::Fleet(state));
        }
        Happening::Planned(good) => {
            let refusal = Refusal { message: "no\nreally not".into(), hint: None };
            let answer = if good { Ok(sample::deploy_plan()) } else { Err(refusal) };
            let ticket = model.ticket;
            update(model, Msg::Planned { ticket, answer });
        }
        Happening::Later(ms) => clock(model, ms),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn drawing_never_panics(
        size in (1_u16..=200, 1_u16..=60),
        until in prop::option::of(0_u64..2_000),
        plain in any::<bool>(),
        happenings in prop::collection::vec(happening(), 0..40),
    ) {
        let mut model = with_grammar(match until {
            None => console(size),
            Some(until) => running(size, Course { until: Some(until), ..Course::default() }),
        });
        if plain {
            model.look.theme = Theme::mono();
            model.look.glyphs = &glyphs::ASCII;
        }
        draw(&model);
        for happening in happenings {
            happen(&mut model, happening);
            let buffer = draw(&model);
            if plain {
                let text: String = buffer.content().iter().map(ratatui::buffer::Cell::symbol).collect();
                prop_assert!(text.is_ascii(), "{}", text);
            }
        }
    }
}

const SCREENS: [&str; 17] = [
    "",
    "?",
    "L",
    "i",
    "<tab>i",
    "D",
    "r",
    "C",
    "O",
    "O<tab>",
    "l",
    "lt&x",
    "H",
    "n",
    "H<enter>",
    ":",
    ":restart <tab><tab>",
];

/// On one terminal that is resized, as a window is that somebody pulls at.
#[test]
fn ten_thousand_sizes_one_after_the_other_do_no_harm() {
    const SIZES: usize = 10_000;
    let mut random = Random::seeded(11);
    let mut below = |end| u16::try_from(random.below(end)).unwrap();
    for screen in SCREENS {
        let mut model = with_grammar(running((80, 24), Course { until: Some(500), ..Course::default() }));
        press(&mut model, "<esc>jjj");
        press(&mut model, screen);
        let mut terminal = Terminal::new(TestBackend::new(80, 24)).unwrap();
        for _ in 0..SIZES.div_ceil(SCREENS.len()) {
            // Most are small: that is where there is no room.
            let (columns, rows) = if below(8) == 0 { (220, 70) } else { (60, 20) };
            let size = (1 + below(columns), 1 + below(rows));
            terminal.backend_mut().resize(size.0, size.1);
            // The terminal knows first.
            if below(4) == 0 {
                terminal.draw(|frame| pitstop::tui::view::draw(&model, frame)).unwrap();
            }
            update(&mut model, Msg::Resize(size.0, size.1));
            let drawn = terminal.draw(|frame| pitstop::tui::view::draw(&model, frame)).unwrap();
            assert_eq!((drawn.area.width, drawn.area.height), size);
        }
    }
}

#[test]
fn every_screen_fits_every_size() {
    for screen in SCREENS {
        for columns in [1, 2, 3, 5, 9, 17, 33, 60, 80, 109, 110, 200] {
            for rows in [1, 2, 3, 4, 5, 7, 11, 24, 60] {
                let mut model =
                    with_grammar(running((columns, rows), Course { until: Some(500), ..Course::default() }));
                press(&mut model, "<esc>jjj");
                press(&mut model, screen);
                draw(&model);
            }
        }
    }
}
