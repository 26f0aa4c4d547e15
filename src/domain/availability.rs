//! Ready for long enough: the probe's answers and the container's restarts go in, since when it is ready comes out.
//!
//! Pure: moments are given, as the time since the wait began. Who asks, and what happens then, is the engine floor's.

use super::clean::Clean;
use super::duration::{human, millis};
use std::time::Duration;

/// What is known of an instance that is waited for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Availability {
    /// The last answer was good.
    pub good: bool,
    /// What the last probe answered: `http 503`, `refused`, `exit 1: …`.
    pub words: Clean,
    /// How often it was good and then was not.
    pub lapses: u32,
    /// How often its container was started again meanwhile.
    pub restarts: u32,
    /// Good without interruption since then.
    since: Option<Duration>,
}

impl Availability {
    /// The probe has answered; whether that is news.
    pub fn hear(&mut self, now: Duration, good: bool, words: &str) -> bool {
        let news = self.good != good || *self.words != *words;
        self.lapses += u32::from(self.good && !good);
        self.since = if self.good && good { self.since } else { good.then_some(now) };
        self.good = good;
        if news {
            self.words = Clean::new(words);
        }
        news
    }

    /// Its container was started again: whatever the probe said before was another process's answer.
    pub fn restarted(&mut self) {
        self.restarts += 1;
        self.lapses += u32::from(self.good);
        self.good = false;
        self.since = None;
    }

    /// When it will have been ready for `min_ready`, if nothing comes between.
    pub fn due(&self, min_ready: Duration) -> Option<Duration> {
        self.since.map(|since| since + min_ready)
    }

    /// How far it has come, for a sentence about its end.
    pub fn stage(&self, min_ready: Duration) -> String {
        if self.good || self.lapses > 0 {
            format!("after it was ready, before it was so for {}", human(millis(min_ready)))
        } else {
            "before it was ready".to_owned()
        }
    }

    /// What a person who waits wants to read: the last answer, and what keeps it from being enough.
    pub fn so_far(&self, min_ready: Duration) -> String {
        let lasting = (self.good && !min_ready.is_zero()).then(|| format!("must last {}", human(millis(min_ready))));
        let parts = [Some(self.words.to_string()).filter(|words| !words.is_empty()), lasting, self.troubles()];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }

    /// What went wrong on the way, if anything did.
    pub fn troubles(&self) -> Option<String> {
        match (self.restarts, self.lapses) {
            (0, 0) => None,
            (0, lapses) => Some(format!("passed and failed again {}", times(lapses))),
            (restarts, _) => Some(format!("restarted {}", times(restarts))),
        }
    }
}

/// `once`, `twice`, `3 times`.
pub fn times(count: u32) -> String {
    match count {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        more => format!("{more} times"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn the_time_starts_anew_with_every_failed_check_and_every_restart() {
        let mut seen = Availability::default();
        assert_eq!(seen.due(at(0)), None);
        assert!(seen.hear(at(10), false, "refused"));
        assert!(!seen.hear(at(20), false, "refused"), "nothing new");
        assert!(seen.hear(at(30), true, "http 200"));
        assert_eq!((seen.due(at(0)), seen.due(at(500))), (Some(at(30)), Some(at(530))));
        assert!(!seen.hear(at(40), true, "http 200"));
        assert_eq!(seen.due(at(500)), Some(at(530)), "a good answer after a good one changes nothing");
        assert!(seen.hear(at(50), true, "http 204"), "other words are news");
        assert_eq!(seen.due(at(500)), Some(at(530)), "but begin nothing anew");
        seen.hear(at(100), false, "http 503");
        assert_eq!(seen.due(at(500)), None);
        seen.hear(at(200), true, "http 200");
        assert_eq!((seen.due(at(500)), seen.lapses), (Some(at(700)), 1));
        seen.restarted();
        assert_eq!((seen.due(at(500)), seen.restarts, seen.lapses), (None, 1, 2));
        assert!(seen.hear(at(300), true, "http 200"), "the same words of another process are news");
        assert_eq!(seen.due(at(500)), Some(at(800)));
    }

    #[test]
    fn what_a_waiting_person_reads() {
        let mut seen = Availability::default();
        assert_eq!(seen.so_far(at(0)), "");
        seen.hear(at(0), false, "http 503");
        assert_eq!(seen.so_far(at(2000)), "http 503");
        assert_eq!(seen.stage(at(2000)), "before it was ready");
        seen.hear(at(0), true, "http 200");
        assert_eq!(seen.so_far(at(0)), "http 200");
        assert_eq!(seen.so_far(at(2000)), "http 200, must last 2.00 s");
        assert_eq!(seen.stage(at(2000)), "after it was ready, before it was so for 2.00 s");
        seen.hear(at(0), false, "refused");
        assert_eq!(seen.so_far(at(2000)), "refused, passed and failed again once");
        seen.restarted();
        assert_eq!(seen.so_far(at(2000)), "refused, restarted once");
    }
}
