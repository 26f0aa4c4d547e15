//! The reader of records on anything at all: it never panics, and never loses a line that is whole.
//!
//! `PITSTOP_FUZZ_CASES` sets how many inputs each test tries.

use jiff::Timestamp;
use pitstop::domain::progress::Progress;
use pitstop::domain::record::{Record, expired, left_open};
use proptest::prelude::*;

/// A real record.
const REAL: &[u8] = include_bytes!("records/deploy-0.1.0.jsonl");

fn cases() -> ProptestConfig {
    let cases = std::env::var("PITSTOP_FUZZ_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(300);
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// How many lines of a record were understood.
fn understood(record: &Record) -> usize {
    record.events.len() + record.intents.len() + usize::from(record.header.is_some())
}

/// Everything that shows a record, on whatever it holds.
fn exercise(bytes: &[u8]) -> Option<Record> {
    let record = Record::read(bytes).ok()?;
    let summaries = [record.summary(false)];
    let _ = (summaries[0].title(), left_open(&summaries), expired(&summaries, Timestamp::UNIX_EPOCH));
    let progress = Progress::of(&record.events);
    let _ = (progress.summary(), progress.critical_path(), progress.slowest(3), progress.counts(), progress.batch());
    let _ = (progress.in_flight().count(), progress.serial_ms(), progress.critical_ms());
    let _ = progress.instances.iter().map(|instance| progress.phase(instance)).collect::<Vec<_>>();
    Some(record)
}

fn lines() -> Vec<Vec<u8>> {
    REAL.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        exercise(&bytes);
    }

    #[test]
    fn a_torn_record_holds_every_line_that_was_whole(cut in 0..=REAL.len()) {
        let torn = &REAL[..cut];
        let whole = torn.split(|byte| *byte == b'\n').count() - 1;
        let read = exercise(torn).map_or((0, 0), |record| (understood(&record), record.damaged));
        prop_assert_eq!(read, (whole, 0));
    }

    #[test]
    fn a_damaged_line_costs_no_other(
        victim in any::<prop::sample::Index>(),
        places in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0_u8..4), 1..6),
    ) {
        let mut lines = lines();
        // What the first line says of the operation decides for all others.
        let victim = 1 + victim.index(lines.len() - 1);
        let mut line = lines[victim].clone();
        line.pop();
        for (place, byte, how) in places {
            let place = place.index(line.len().max(1));
            match how {
                0 if !line.is_empty() => line[place] = byte,
                1 => line.insert(place.min(line.len()), byte),
                2 if !line.is_empty() => drop(line.remove(place)),
                _ => line.truncate(place),
            }
        }
        // A new line break would be the end of one line and the beginning of another, neither of them written by anybody.
        line.iter_mut().filter(|byte| **byte == b'\n').for_each(|byte| *byte = b' ');
        line.push(b'\n');
        lines[victim] = line;
        let record = exercise(&lines.concat()).unwrap();
        prop_assert!(understood(&record) >= lines.len() - 1);
    }

    #[test]
    fn any_bytes_anywhere_are_survived(
        places in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..60),
    ) {
        let mut bytes = REAL.to_vec();
        for (place, byte) in places {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        exercise(&bytes);
    }

    #[test]
    fn figures_of_any_size_are_added_up(figures in prop::collection::vec(any::<u64>(), 1..400)) {
        let mut figures = figures.iter().cycle();
        let mut text = String::new();
        // Every number of every line is another one, but the version's.
        for line in String::from_utf8_lossy(REAL).lines() {
            let mut rest = line;
            while let Some(colon) = rest.find("\":") {
                let (before, after) = rest.split_at(colon + 2);
                let digits = after.len() - after.trim_start_matches(|c: char| c.is_ascii_digit()).len();
                text.push_str(before);
                if digits > 0 && !before.ends_with("\"v\":") {
                    text.push_str(&figures.next().unwrap().to_string());
                    rest = &after[digits..];
                } else {
                    rest = after;
                }
            }
            text.push_str(rest);
            text.push('\n');
        }
        exercise(text.as_bytes());
    }
}
