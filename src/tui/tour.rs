//! A tour: the console played by a script instead of a person, with captions; for talks.
//!
//! Keys go through the same update as a person's. A step that has to wait for something waits for that, and not for a time, so
//! that the tour goes right at any speed and on any machine.
//!
//! ```text
//! # what is not played
//! say Two projects on one engine.     the caption, for the time it takes to read it
//! type D                              characters, one by one
//! press enter                         one key by its name
//! until live | answered | done        the fleet is here; a plan or a refusal is; no operation runs
//! rest 500ms
//! ```

use super::model::{Dialog, Model};
use crate::domain::duration;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use std::collections::VecDeque;
use std::time::Duration;

/// Between two characters that are typed.
const STROKE: Duration = Duration::from_millis(90);
/// What a caption is shown for at least, and for each of its characters.
const READING: (Duration, Duration) = (Duration::from_millis(1_200), Duration::from_millis(45));

/// What a tour is made from.
#[derive(Clone, Debug)]
pub struct Script {
    pub text: String,
    /// So many times as fast.
    pub speed: f64,
}

/// A tour under way.
#[derive(Debug)]
pub struct Tour {
    beats: VecDeque<Beat>,
    speed: f64,
    /// When the next beat is due, on the console's clock.
    due: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Beat {
    Say(String),
    Key(KeyEvent),
    Until(Condition),
    Rest(Duration),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Condition {
    Live,
    Answered,
    Done,
}

impl Condition {
    fn holds(self, model: &Model) -> bool {
        match self {
            Self::Live => model.here().is_live(),
            Self::Answered => match &model.dialog {
                None | Some(Dialog::Planning { .. }) => false,
                Some(Dialog::Confirm(confirm)) => !confirm.checking,
                Some(_) => true,
            },
            // A plan that was agreed to is made once more before it runs.
            Self::Done => {
                model.running() == 0 && !matches!(model.dialog, Some(Dialog::Planning { .. } | Dialog::Confirm(_)))
            }
        }
    }
}

/// What the console does next for its tour.
#[derive(Debug)]
pub enum Next {
    /// At that time on the console's clock, if nothing happens before.
    Wait(Duration),
    /// At once.
    Press(KeyEvent),
    Say(String),
    /// As soon as something has changed.
    Idle,
    End,
}

impl Tour {
    /// Reads a script. The error names the line.
    pub fn of(script: &Script) -> Result<Self, String> {
        let mut beats = VecDeque::new();
        for (number, line) in script.text.lines().enumerate() {
            let wrong = |what: &str| format!("the tour's line {}: {what}", number + 1);
            let (verb, rest) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
            match (verb, rest.trim()) {
                ("" | "#", _) => {}
                ("say", text) => beats.push_back(Beat::Say(text.to_owned())),
                ("type", text) => beats.extend(text.chars().map(|c| Beat::Key(plain(KeyCode::Char(c))))),
                ("press", name) => {
                    beats.push_back(Beat::Key(plain(named(name).ok_or_else(|| wrong("no such key"))?)));
                }
                ("until", "live") => beats.push_back(Beat::Until(Condition::Live)),
                ("until", "answered") => beats.push_back(Beat::Until(Condition::Answered)),
                ("until", "done") => beats.push_back(Beat::Until(Condition::Done)),
                ("rest", time) => {
                    beats.push_back(Beat::Rest(duration::parse(time).map_err(|error| wrong(&error))?));
                }
                _ => return Err(wrong("is no step of a tour")),
            }
        }
        Ok(Self { beats, speed: script.speed, due: Duration::ZERO })
    }

    /// What comes next; asked again until it says to wait.
    pub fn next(&mut self, model: &Model) -> Next {
        let now = model.now;
        if now < self.due {
            return Next::Wait(self.due);
        }
        match self.beats.front() {
            None => Next::End,
            Some(Beat::Until(condition)) if !condition.holds(model) => Next::Idle,
            Some(_) => match self.beats.pop_front() {
                Some(Beat::Say(text)) => {
                    let letters = u32::try_from(text.chars().count()).unwrap_or(u32::MAX);
                    self.rest(now, READING.0 + READING.1.saturating_mul(letters));
                    Next::Say(text)
                }
                Some(Beat::Key(key)) => {
                    self.rest(now, STROKE);
                    Next::Press(key)
                }
                Some(Beat::Rest(time)) => {
                    self.rest(now, time);
                    Next::Wait(self.due)
                }
                Some(Beat::Until(_)) | None => Next::Wait(now),
            },
        }
    }

    fn rest(&mut self, now: Duration, time: Duration) {
        let faster = time.as_secs_f64() / self.speed;
        self.due = now + Duration::try_from_secs_f64(faster).unwrap_or(time);
    }
}

fn named(name: &str) -> Option<KeyCode> {
    Some(match name {
        "enter" => KeyCode::Enter,
        "esc" => KeyCode::Esc,
        "tab" => KeyCode::Tab,
        "space" => KeyCode::Char(' '),
        "backspace" => KeyCode::Backspace,
        "up" => KeyCode::Up,
        "down" => KeyCode::Down,
        "left" => KeyCode::Left,
        "right" => KeyCode::Right,
        _ => return None,
    })
}

fn plain(code: KeyCode) -> KeyEvent {
    let shifted = matches!(code, KeyCode::Char(c) if c.is_ascii_uppercase());
    KeyEvent::new(code, if shifted { KeyModifiers::SHIFT } else { KeyModifiers::NONE })
}
