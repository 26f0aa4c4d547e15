//! Durations as people write them: `30s`, `1m30s`, `500ms`, or bare seconds.
//!
//! Compose, Docker and our own options share this one reading of a duration.

use std::time::Duration;

/// More than anybody waits; added to any moment it is one still.
const MOST: Duration = Duration::from_secs(10 * 365 * 86_400);

/// Reads a duration of ten years at most; a bare number is seconds. The error is a sentence for the user.
pub fn parse(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let wrong = || format!("`{text}` is not a duration; write it like 30s, 1m30s or 500ms");
    let read = if let Ok(seconds) = text.parse() {
        Duration::try_from_secs_f64(seconds).map_err(|_| wrong())?
    } else {
        let parsed: jiff::SignedDuration = text.parse().map_err(|_| wrong())?;
        Duration::try_from(parsed).map_err(|_| wrong())?
    };
    if read > MOST { Err(format!("`{text}` is longer than ten years, which nobody waits")) } else { Ok(read) }
}

/// Whole milliseconds, saturating; the unit of every figure in events.
pub fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// For people: `412 ms`, `1.21 s`, `2 m 05 s`, `3 h 20 m`, `12 d`.
pub fn human(ms: u64) -> String {
    let seconds = ms / 1000;
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..10_000 => format!("{}.{:02} s", seconds, ms % 1000 / 10),
        10_000..60_000 => format!("{}.{} s", seconds, ms % 1000 / 100),
        60_000..3_600_000 => format!("{} m {:02} s", seconds / 60, seconds % 60),
        3_600_000..172_800_000 => format!("{} h {:02} m", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_compose_and_docker_write() {
        for (text, ms) in [
            ("30s", 30_000),
            ("1m30s", 90_000),
            ("500ms", 500),
            ("0", 0),
            ("10", 10_000),
            ("1h5m", 3_900_000),
            ("1.5", 1500),
        ] {
            assert_eq!(parse(text).map(millis), Ok(ms), "{text}");
        }
        for text in ["", "fast", "-3s", "3 parsecs", "-1", "NaN", "inf", "9999999999999999999", "90000h", "1e9"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn people_read_three_figures() {
        for (ms, text) in [
            (0, "0 ms"),
            (999, "999 ms"),
            (1_217, "1.21 s"),
            (12_340, "12.3 s"),
            (125_000, "2 m 05 s"),
            (12_000_000, "3 h 20 m"),
            (1_036_800_000, "12 d"),
        ] {
            assert_eq!(human(ms), text);
        }
    }
}
