//! The engine's sentence about a container: `Up 3 hours (healthy)`, `Exited (137) 5 minutes ago`.
//!
//! It has the only trace in a list of a restart that nobody told of: an age that has become less.

/// Seconds of the engine's units; it rounds down, and never shows a smaller unit again.
const UNITS: [(&str, u64); 7] = [
    ("second", 1),
    ("minute", 60),
    ("hour", 3600),
    ("day", 86_400),
    ("week", 7 * 86_400),
    ("month", 30 * 86_400),
    ("year", 365 * 86_400),
];

/// Lists are closer together than this: a container that was older and has been restarted since is younger now.
const LONG: u64 = 60;

/// What the engine says of a container that has just ended.
pub(super) fn ended(exit_code: i64) -> String {
    format!("Exited ({exit_code}) Less than a second ago")
}

/// Whether from one sentence to the next nothing has happened but time.
pub(super) fn is_older(before: &str, now: &str) -> bool {
    if before == now {
        return true;
    }
    let (Some((age, words)), Some((later, same))) = (age(before), age(now)) else { return false };
    words == same && age >= LONG && later >= age
}

/// The age in it, in seconds, and all the other words.
fn age(sentence: &str) -> Option<(u64, Vec<&str>)> {
    let words: Vec<&str> = sentence.split(' ').collect();
    let unit =
        |word: &str| UNITS.iter().find(|(unit, _)| word.trim_end_matches('s') == *unit).map(|(_, seconds)| *seconds);
    let at = words.iter().position(|word| unit(word).is_some())?;
    let seconds = unit(words[at])?;
    let before = &words[..at];
    let (age, length) = match before {
        [.., "About", "a" | "an"] => (seconds, 2),
        [.., "Less", "than", "a"] => (0, 3),
        [.., count] => (count.parse::<u64>().ok()?.saturating_mul(seconds), 1),
        [] => return None,
    };
    Some((age, [&before[..at - length], &words[at + 1..]].concat()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_time_has_gone_by() {
        for (before, now) in [
            ("Up 5 minutes", "Up 5 minutes"),
            ("Created", "Created"),
            ("Up About a minute", "Up 2 minutes"),
            ("Up 59 minutes", "Up About an hour"),
            ("Up 47 hours (healthy)", "Up 2 days (healthy)"),
            ("Exited (137) 13 days ago", "Exited (137) 2 weeks ago"),
        ] {
            assert!(is_older(before, now), "{before} → {now}");
        }
    }

    #[test]
    fn something_has_happened_or_may_have() {
        for (before, now) in [
            ("Up 5 minutes", "Up 3 seconds"),
            ("Up 5 minutes", "Up Less than a second"),
            ("Up About an hour", "Up About a minute"),
            ("Up 5 minutes", "Up 5 minutes (Paused)"),
            ("Up 5 minutes (healthy)", "Up 6 minutes (unhealthy)"),
            ("Exited (0) 5 minutes ago", "Exited (1) 6 minutes ago"),
            // Younger than lists are apart: it may be another run.
            ("Up 2 seconds", "Up 29 seconds"),
            ("Up 5 minutes", "Removal In Progress"),
            ("second", "minute"),
        ] {
            assert!(!is_older(before, now), "{before} → {now}");
        }
    }
}
