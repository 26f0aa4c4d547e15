//! Whatever strangers write, what reads it neither breaks nor lets through what a terminal acts on.
//!
//! A small fixed sample in a normal run; `PITSTOP_FUZZ_CASES=1000000 cargo test --release fuzz` tries more. App files have
//! `compose_robust`, the engine's frames the tests of `docker/lines.rs`.

use crate::support::fuzz::cases;
use pitstop::domain::clean::{MAX_CHARS, MAX_MARKS, clean};
use pitstop::domain::environment::Environment;
use pitstop::domain::ids::AppId;
use pitstop::domain::labels::{OwnLabels, Role};
use pitstop::domain::spec::AppSpec;
use proptest::prelude::*;
use std::collections::BTreeMap;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// What strangers write, densely: pieces of sequences, tricks of direction and of width, and plain text.
fn hostile() -> impl Strategy<Value = String> {
    #[rustfmt::skip]
    const PIECES: [&str; 30] = [
        "\u{1b}", "[", "]", "0;", "31m", "\u{7}", "\u{1b}\\", "\u{9b}", "\u{9d}", "\u{90}", "\u{9c}", "\r", "\n", "\t", "\0",
        "\u{7f}", "\u{202e}", "\u{2066}", "\u{200b}", "\u{200d}", "\u{feff}", "\u{e0041}", "\u{301}", "\u{fe0f}", "日", "é",
        " ", "\u{a0}", "x", "…",
    ];
    let piece = prop_oneof![
        4 => prop::sample::select(&PIECES[..]).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
        1 => prop::collection::vec(any::<u8>(), 0..8).prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

/// Whether a terminal acts on it, or a reader is misled by it; told by another table than the program's own.
pub fn misleads(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{e0000}'..='\u{e0fff}')
}

proptest! {
    #![proptest_config(cases(1_000))]

    #[test]
    fn clean_text_has_nothing_a_terminal_acts_on(raw in hostile()) {
        let out = clean(&raw);
        prop_assert!(!out.contains(misleads), "{raw:?}");
        prop_assert_eq!(&clean(&out), &out, "{:?}", raw);
        let mark = |c: &char| c.width() == Some(0);
        let chars: Vec<char> = out.chars().collect();
        prop_assert!(!chars.windows(MAX_MARKS + 1).any(|window| window.iter().all(mark)), "{raw:?}");
        prop_assert!(!chars.first().is_some_and(mark), "{raw:?}");
    }

    #[test]
    fn labels_are_ours_or_not_and_what_is_read_is_written_again(
        values in prop::collection::vec(prop_oneof![hostile(), prop::sample::select(&["1", "0", "app", "sandbox", "shop", "{}"][..])
            .prop_map(str::to_owned)], 8),
    ) {
        let keys = ["role", "project", "app", "instance", "revision", "operation", "spec", "spec-hash"];
        let labels: BTreeMap<_, _> = keys.iter().map(|key| format!("io.pitstop.{key}")).zip(values).collect();
        if let Some(own) = OwnLabels::read(&labels) {
            let shown = format!("{} {} {}", own.app, own.operation, own.spec_hash);
            prop_assert!(!shown.contains(misleads), "{labels:?}");
            prop_assert_eq!(OwnLabels::read(&own.write()), Some(own));
        }
    }

    #[test]
    fn a_spec_in_a_label_is_read_whatever_it_holds(texts in prop::collection::vec(hostile(), 6), number in 1_u32..9) {
        let [image, command, label, name, value, user] = <[String; 6]>::try_from(texts).unwrap();
        // The one text of it that is shown.
        let mut spec = AppSpec { image: clean(&image), ..AppSpec::default() };
        spec.container.command = Some(vec![command]);
        spec.container.labels = BTreeMap::from([(label.clone(), label)]);
        spec.container.environment = Environment::from(BTreeMap::from([(name, value)]));
        spec.container.user = Some(user);
        let own = OwnLabels {
            app: AppId::new("shop", "web"), number, role: Role::App, revision: number, operation: String::new(), held: false,
            spec: Some(spec.without_secrets().into()), spec_hash: spec.hash(), replaces: None,
        };
        prop_assert_eq!(OwnLabels::read(&own.write()), Some(own));
    }
}

proptest! {
    #![proptest_config(cases(50))]

    #[test]
    fn clean_text_is_bounded(piece in hostile(), times in 1_usize..400) {
        let out = clean(&piece.repeat(times));
        prop_assert!(out.chars().count() <= MAX_CHARS + 1);
        prop_assert!(out.width() <= 2 * (MAX_CHARS + 1));
        prop_assert_eq!(&clean(&out), &out);
    }
}
