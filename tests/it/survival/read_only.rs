//! A read-only console changes nothing, whatever is typed: every request that reaches the engine only reads.

use std::time::Duration;

use pitstop::sim::{Asked, Scenario};

use crate::support::random::Random;
use crate::support::sim::Served;
use crate::support::term::{Key, Term};
use crate::support::wait::wait_until;

const PATIENCE: Duration = Duration::from_secs(120);

/// What is typed: all that does something somewhere, and what answers dialogs. What quits or suspends is not among them.
const KEYS: [&str; 38] = [
    "D", "r", "C", "S", "U", "X", "R", "A", "i", "l", "L", "O", " ", "*", "/", "!", "z", "k", "j", "g", "G", "p", "a",
    "f", "w", "v", "s", "?", "\t", "\r", "\r", "\r", "y", "n", "1", "2", "web", "shop/web",
];

/// How many keys a walk has: some by default, as many as wished by `PITSTOP_KEYS`.
fn length() -> usize {
    std::env::var("PITSTOP_KEYS").ok().and_then(|text| text.parse().ok()).unwrap_or(1500)
}

/// Types random keys, now and then with a look whether the console still answers; gives what reached the engine.
fn walk(seed: u64, keys: usize, arguments: &[&str]) -> Vec<Asked> {
    let served = Served::with(Scenario::demo().expect("the demo's scenario"));
    let control = served.sim().control();
    let mut console = served.pitstop().terminal(120, 36, arguments);
    console.wait_for("shop/web");
    let mut random = Random::of(seed);
    for number in 1..=keys {
        let pick = random.below(u32::try_from(KEYS.len()).unwrap() + 4);
        match KEYS.get(pick as usize) {
            Some(key) => console.type_text(key),
            None => console.press(Key::Esc),
        }
        if number % 50 == 0 {
            settle(&mut console);
        }
    }
    settle(&mut console);
    control.requests()
}

/// Leaves whatever is open: all that was typed has been taken when the fleet is there again.
fn settle(console: &mut Term) {
    wait_until("the fleet", PATIENCE, || {
        console.press(Key::Esc);
        console.text().contains("? help") && console.text().contains("shop/web")
    });
}

fn changes(asked: &[Asked]) -> Vec<String> {
    asked
        .iter()
        .filter(|one| one.method != "GET" && one.method != "HEAD")
        .map(|a| format!("{} {}", a.method, a.path))
        .collect()
}

#[test]
fn no_key_changes_anything_in_a_read_only_console() {
    let asked = walk(1, length(), &["--read-only"]);
    assert!(asked.len() > 20, "{} requests are no walk", asked.len());
    assert_eq!(changes(&asked), Vec::<String>::new());
}

#[test]
fn the_same_keys_do_change_things_where_they_may() {
    let served = Served::with(Scenario::demo().expect("the demo's scenario"));
    let control = served.sim().control();
    let mut console = served.pitstop().terminal(120, 36, &[]);
    console.wait_for("shop/web");
    console.type_text("r");
    console.wait_for("to run it");
    // What a dialog wants typed is among the keys.
    console.type_text("2");
    console.type_text("\r");
    wait_until("a change", PATIENCE, || !changes(&control.requests()).is_empty());
}
