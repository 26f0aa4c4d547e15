//! Whatever a file holds, it is read or refused in words: no panic, no endless work, no terminal control in a message.

use crate::support::fuzz::cases;
use pitstop::config::compose::{LoadOptions, load};
use proptest::prelude::*;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Words that lead the generator deep into the readers.
#[rustfmt::skip]
const WORDS: &[&str] = &[
    "services:", "web:", "image:", "a:1", "ports:", "- \"80:80\"", "8080-8081:80-81", "networks:", "back:", "ipam:",
    "config:", "subnet:", "10.0.0.0/40", "volumes:", "- ./x:/y:ro", "- a:/b", "~", "null", "true", "0440", "-1",
    "1e999", "environment:", "A=1", "${A:-${B}}", "${", "$", "$$", "${A:?x}", "healthcheck:", "test:", "deploy:",
    "replicas:", "9", "resources:", "limits:", "memory:", "64m", "depends_on:", "condition:", "ulimits:", "soft:",
    "hard:", "extra_hosts:", "x-pitstop:", "probe:", "batch:", "tmpfs:", "/run:size=1m", "logging:", "<<:", "*x",
    "&x", "- ", "{", "}", "[", "]", ", ", "|", "'", "\"", "RTMIN\u{e9}", "\u{1b}]52;c;x\u{7}",
];

fn outcome(file: &Path, bytes: &[u8]) -> String {
    std::fs::write(file, bytes).unwrap();
    let env = BTreeMap::from([("B".to_owned(), "b\u{1b}[31m".to_owned())]);
    let options = LoadOptions { project: Some("p".to_owned()), env: env.into(), ..LoadOptions::default() };
    match load(&[file.to_owned()], &options) {
        Ok(project) => project.warnings.join(""),
        Err(errors) => {
            assert!(!errors.errors.is_empty() && errors.errors.len() <= 20);
            errors.errors.iter().map(ToString::to_string).collect()
        }
    }
}

fn scratch() -> (tempfile::TempDir, PathBuf) {
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("compose.yaml");
    (scratch, file)
}

#[test]
fn arbitrary_bytes() {
    let (_scratch, file) = scratch();
    proptest!(cases(2_000), |(bytes in prop::collection::vec(any::<u8>(), 0..200))| {
        prop_assert!(!outcome(&file, &bytes).contains(char::is_control));
    });
}

#[test]
fn text_that_resembles_an_app_file() {
    let (_scratch, file) = scratch();
    let line = (0usize..6, prop::collection::vec(prop::sample::select(WORDS), 1..4));
    proptest!(cases(2_000), |(lines in prop::collection::vec(line, 1..25))| {
        let lines: Vec<_> = lines.iter().map(|(indent, words)| "  ".repeat(*indent) + &words.join(" ")).collect();
        prop_assert!(!outcome(&file, lines.join("\n").as_bytes()).contains(char::is_control));
    });
}

#[test]
fn a_good_file_with_a_few_words_changed() {
    let (_scratch, file) = scratch();
    let good =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compose/valid/shop.yaml")).unwrap();
    let words: Vec<&str> = good.split_inclusive([' ', '\n']).collect();
    let change = (0..words.len(), prop::sample::select(WORDS));
    let refused = Cell::new(0);
    proptest!(cases(200), |(changes in prop::collection::vec(change, 1..4))| {
        let mut words = words.clone();
        for (at, word) in changes {
            words[at] = word;
        }
        let said = outcome(&file, words.concat().as_bytes());
        prop_assert!(!said.contains(char::is_control));
        refused.set(refused.get() + usize::from(said.contains("compose.yaml:")));
    });
    assert!(refused.get() > 40, "only {} were noticed", refused.get());
}
