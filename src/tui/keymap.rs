//! Keys as data: what a keymap file says, read and checked, and asked for an action, a hint or a page of help.
//!
//! The built-in map and users' maps are read by the same code. A key given twice in one section, an unknown section,
//! action or key is an error with its line. Reads no files itself.

use crokey::KeyCombination;
use crossterm::event::KeyEvent;
use serde::Deserialize;
use std::collections::BTreeMap;
use toml::Spanned;

const DEFAULT: &str = include_str!("../../keymap.toml");

macro_rules! actions {
    ($($action:ident = $name:literal, $hint:literal, $help:literal;)*) => {
        /// What a key can do.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Action { $($action),* }

        impl Action {
            /// All of them, in the order of help.
            pub const ALL: &'static [Self] = &[$(Self::$action),*];

            /// Its name in keymap files.
            pub fn name(self) -> &'static str {
                match self { $(Self::$action => $name),* }
            }

            /// The word in the hint bar.
            pub fn hint(self) -> &'static str {
                match self { $(Self::$action => $hint),* }
            }

            /// The sentence in help.
            pub fn help(self) -> &'static str {
                match self { $(Self::$action => $help),* }
            }
        }
    };
}

actions! {
    Deploy = "deploy", "deploy", "deploy another image in place, batch by batch";
    Restart = "restart", "restart", "restart in place: the app, the instance, or all marked";
    Create = "create", "create", "create the services of a Compose file, side by side";
    Scale = "scale", "scale", "add or remove instances";
    Rollback = "rollback", "undo", "roll back to the revision before, in place";
    Remove = "remove", "remove", "remove the app and its sandboxes; volumes only when its name is typed";
    Logs = "logs", "logs", "follow what it prints";
    Shell = "shell", "shell", "a shell in the instance (bash or sh); exit, or ctrl-], comes back";
    Themes = "themes", "themes", "choose a theme, seen at once";
    Inspect = "inspect", "inspect", "one instance: identity and evidence, image, mounts, environment, health";
    Mark = "mark", "mark", "mark and move on, for a bulk operation";
    MarkAll = "mark_all", "all", "mark all, or none";
    Unmark = "unmark", "unmark", "take all marks away";
    MarkRange = "mark_range", "range", "mark all from the last mark to here";
    Filter = "filter", "filter", "show only what fits all words: text, !text, label:key=value, state:word, image:text";
    Jump = "jump", "jump", "go to a row by some letters of its name: sw2 is shop/web-2";
    Trouble = "trouble", "trouble first", "sort by trouble first, or by name";
    Fold = "fold", "fold", "fold or unfold the group or the app's instances";
    FoldAll = "fold_all", "fold all", "fold or unfold everything";
    Group = "group", "group", "a heading for each project, or one list";
    Wide = "wide", "wide", "one list with more columns, or two panes";
    Columns = "columns", "columns", "choose the columns of the fleet; the choice is kept, as are wide and headings";
    SortName = "sort_name", "by name", "sort by name; the same key again turns it round";
    SortCpu = "sort_cpu", "by CPU", "sort by CPU";
    SortMemory = "sort_memory", "by memory", "sort by memory";
    SortState = "sort_state", "by state", "sort by state";
    SortImage = "sort_image", "by image", "sort by image";
    SortUp = "sort_up", "by start", "sort by when it started, the newest first";
    SortNext = "sort_next", "sort", "sort by the next column";
    SortPrevious = "sort_previous", "sort", "sort by the column before";
    Into = "into", "instances", "to the instances";
    OutOf = "out_of", "apps", "back to the apps";
    Resume = "resume", "resume", "go on with the operation that was left half-done";
    TakeBack = "take_back", "abort", "take back the operation that was left half-done";
    Pause = "pause", "pause", "begin no new instance until told to go on";
    Go = "go", "go", "pass the gate, or go on after a pause";
    Abort = "abort", "abort", "finish or put back what is in flight, put back what is done, too, and begin nothing new";
    Retry = "retry", "retry", "ask again for what failed or was not begun; what is done is left alone";
    Follow = "follow", "follow", "hold still, or follow the end";
    Wrap = "wrap", "wrap", "wrap long lines, or cut them";
    Search = "search", "search", "search for a regular expression; capitals matter where there are any";
    Match = "match", "only", "show only lines that match a regular expression (`!text`: that do not)";
    NextHit = "next_hit", "next", "to the next line found";
    PreviousHit = "previous_hit", "previous", "to the one found before";
    Times = "times", "times", "show when each line was written, or not";
    Since = "since", "since", "read again from so long ago on, like 10m";
    Save = "save", "save", "write what is shown into a file in the current directory";
    ScrollLeft = "scroll_left", "left", "to the left";
    ScrollRight = "scroll_right", "right", "to the right";
    Play = "play", "play", "play it on, or hold it; at its end, from the beginning";
    Faster = "faster", "faster", "play it faster";
    Slower = "slower", "slower", "play it slower";
    SeekBack = "seek_back", "rewind", "a twentieth of its time back";
    SeekOn = "seek_on", "forward", "a twentieth of its time on";
    SeekStart = "seek_start", "start", "to its beginning";
    SeekEnd = "seek_end", "to the end", "to its end";
    Copy = "copy", "copy", "copy what is under the cursor: its name, address, image, id, or the line (OSC 52)";
    Export = "export", "export", "write what is on screen into a file; an operation also as Markdown, JSON or a picture";
    Reveal = "reveal", "reveal", "show the value of the variable under the cursor, or hide it";
    RevealAll = "reveal_all", "reveal all", "show the values of all variables, or hide them; leaving the page hides them";
    Json = "json", "JSON", "the engine's own inspection of app container and sandbox, or the page";
    Up = "up", "up", "one up";
    Down = "down", "down", "one down";
    First = "first", "first", "to the first";
    Last = "last", "last", "to the last";
    PageUp = "page_up", "page up", "a page up";
    PageDown = "page_down", "page down", "a page down";
    NextPane = "next_pane", "pane", "the other pane or view";
    Open = "open", "open", "open what is selected";
    Back = "back", "back", "back; never quits, never ends an operation";
    Operations = "operations", "operation", "the operation that runs, or ran last";
    History = "history", "history", "operations of the past: filter them, open one, play it again";
    Command = "command", "command", "a line for any verb of the command line; tab completes, up and down recall";
    Notices = "notices", "notices", "operations that have ended, and which of them nobody has seen";
    Acknowledge = "acknowledge", "seen", "it was seen: the title tells of it no more";
    AcknowledgeAll = "acknowledge_all", "all seen", "all were seen";
    Log = "log", "log", "pitstop's own log";
    Help = "help", "help", "this page";
    Redraw = "redraw", "redraw", "draw the whole screen again";
    Resync = "resync", "resync", "list the engine's containers again";
    Suspend = "suspend", "suspend", "put pitstop into the background (fg brings it back)";
    Quit = "quit", "quit", "leave; asks only while operations run";
}

/// Where keys are pressed: the sections of a keymap file besides `global` and `move`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Fleet,
    Operation,
    /// A page of text: help, pitstop's log.
    Page,
    Instance,
    Logs,
    Notices,
    History,
    /// A record that is looked at.
    Replay,
}

/// Keys to actions, by section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keymap {
    sections: BTreeMap<&'static str, Vec<Binding>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Binding {
    key: KeyCombination,
    /// As the file has it.
    text: String,
    action: Action,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Keys {
    One(String),
    Many(Vec<String>),
}

type File = BTreeMap<String, BTreeMap<String, Spanned<Keys>>>;

/// Places of a keymap file.
pub const SECTIONS: [&str; 9] =
    ["fleet", "move", "global", "operation", "instance", "logs", "history", "replay", "notices"];

impl Place {
    /// Sections in which a key is looked for, in this order.
    fn sections(self) -> &'static [&'static str] {
        match self {
            Self::Fleet => &["fleet", "move", "global"],
            Self::Operation => &["operation", "move", "global"],
            Self::Page => &["move", "global"],
            Self::Logs => &["logs", "move", "global"],
            Self::Notices => &["notices", "move", "global"],
            Self::History => &["history", "move", "global"],
            Self::Replay => &["replay", "move", "global"],
            Self::Instance => &["instance", "move", "global"],
        }
    }
}

impl Default for Keymap {
    fn default() -> Self {
        let empty = Self { sections: BTreeMap::new() };
        // The built-in file is checked by a test.
        empty.overlay("keymap.toml", DEFAULT).unwrap_or(empty)
    }
}

impl Keymap {
    /// Reads a keymap file over the built-in one: an action it names has only the keys it names.
    ///
    /// The errors are sentences, each with `name` and line.
    pub fn parse(name: &str, text: &str) -> Result<Self, Vec<String>> {
        Self::default().overlay(name, text)
    }

    fn overlay(&self, name: &str, text: &str) -> Result<Self, Vec<String>> {
        let line = |at: usize| text.get(..at).unwrap_or(text).matches('\n').count() + 1;
        let file: File = toml::from_str(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            vec![format!("{name}:{}: {}", line(at), error.message())]
        })?;
        let mut map = self.clone();
        let mut wrong = Vec::new();
        for (section, entries) in &file {
            let Some(section) = SECTIONS.iter().find(|known| *known == section) else {
                wrong.push(format!("{name}: there is no section [{section}]; there are {}", SECTIONS.join(", ")));
                continue;
            };
            let bindings = map.sections.entry(section).or_default();
            for (action_name, keys) in entries {
                let at = line(keys.span().start);
                let Some(action) = Action::ALL.iter().copied().find(|action| action.name() == action_name) else {
                    wrong.push(format!("{name}:{at}: there is no action `{action_name}`"));
                    continue;
                };
                bindings.retain(|binding| binding.action != action);
                let texts = match keys.get_ref() {
                    Keys::One(text) => std::slice::from_ref(text),
                    Keys::Many(texts) => texts,
                };
                for text in texts {
                    match parse_key(text) {
                        Ok(key) => bindings.push(Binding { key, text: text.clone(), action }),
                        Err(what) => wrong.push(format!("{name}:{at}: {action_name}: {what}")),
                    }
                }
            }
        }
        for (section, bindings) in &map.sections {
            for (i, binding) in bindings.iter().enumerate() {
                if let Some(other) = bindings[..i].iter().find(|other| other.key == binding.key) {
                    let (key, a, b) = (&binding.text, other.action.name(), binding.action.name());
                    wrong.push(format!("{name}: in [{section}] the key `{key}` means both {a} and {b}"));
                }
            }
        }
        if wrong.is_empty() { Ok(map) } else { Err(wrong) }
    }

    /// What that key does there.
    pub fn action(&self, place: Place, key: KeyEvent) -> Option<Action> {
        let key = KeyCombination::from(key).normalized();
        self.bindings(place).find(|binding| binding.key == key).map(|binding| binding.action)
    }

    /// The first key for that action there, as the file has it.
    pub fn key(&self, place: Place, action: Action) -> Option<&str> {
        self.keys(place, action).next()
    }

    /// All keys for that action there that no nearer section takes away.
    pub fn keys(&self, place: Place, action: Action) -> impl Iterator<Item = &str> {
        let wins = move |binding: &&Binding| {
            self.bindings(place)
                .find(|other| other.key == binding.key)
                .is_some_and(|first| std::ptr::eq(first, *binding))
        };
        self.bindings(place)
            .filter(move |binding| binding.action == action)
            .filter(wins)
            .map(|binding| binding.text.as_str())
    }

    /// What a section of the file has, in the order of help: keys, and what they do.
    pub fn section(&self, name: &str) -> Vec<(Vec<&str>, Action)> {
        let bindings = self.sections.get(name).map(Vec::as_slice).unwrap_or_default();
        let keys =
            |action: Action| bindings.iter().filter(move |one| one.action == action).map(|one| one.text.as_str());
        let all = Action::ALL.iter().map(|action| (keys(*action).collect::<Vec<_>>(), *action));
        all.filter(|(keys, _)| !keys.is_empty()).collect()
    }

    fn bindings(&self, place: Place) -> impl Iterator<Item = &Binding> {
        place.sections().iter().filter_map(|section| self.sections.get(section)).flatten()
    }
}

/// Reads `q`, `D`, `shift-d`, `ctrl-l`, `space` …; a capital letter is a shifted one.
fn parse_key(text: &str) -> Result<KeyCombination, String> {
    let capital = text.chars().last().is_some_and(|c| c.is_ascii_uppercase());
    let single = text.len() == 1 || text.rfind('-') == Some(text.len().saturating_sub(2));
    let spelled = if capital && single { format!("shift-{text}") } else { text.to_owned() };
    if text.is_empty() || !text.is_ascii() {
        return Err(format!("`{text}` is no key"));
    }
    crokey::parse(&spelled)
        .map(KeyCombination::normalized)
        .map_err(|_| format!("`{text}` is no key; write it like q, D, ctrl-l, space, enter, pageup"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossterm::event::{KeyCode, KeyModifiers};

    fn press(code: KeyCode, modifiers: KeyModifiers) -> KeyEvent {
        KeyEvent::new(code, modifiers)
    }

    #[test]
    fn the_built_in_map_is_right_and_every_action_has_a_key() {
        let map = Keymap::parse("keymap.toml", DEFAULT).unwrap();
        for action in Action::ALL {
            let places = [
                Place::Fleet,
                Place::Operation,
                Place::Page,
                Place::Logs,
                Place::History,
                Place::Replay,
                Place::Notices,
                Place::Instance,
            ];
            assert!(places.iter().any(|place| map.key(*place, *action).is_some()), "{action:?} has no key");
        }
    }

    #[test]
    fn keys_mean_what_their_place_says() {
        let map = Keymap::default();
        let cases = [
            (Place::Fleet, press(KeyCode::Char('g'), KeyModifiers::NONE), Some(Action::First)),
            (Place::Operation, press(KeyCode::Char('g'), KeyModifiers::NONE), Some(Action::Go)),
            (Place::Fleet, press(KeyCode::Char('D'), KeyModifiers::SHIFT), Some(Action::Deploy)),
            (Place::Fleet, press(KeyCode::Char('D'), KeyModifiers::NONE), Some(Action::Deploy)),
            (Place::Fleet, press(KeyCode::Char('d'), KeyModifiers::NONE), None),
            (Place::Fleet, press(KeyCode::Char('!'), KeyModifiers::NONE), Some(Action::Trouble)),
            (Place::Page, press(KeyCode::Char('?'), KeyModifiers::NONE), Some(Action::Help)),
            (Place::Page, press(KeyCode::Char('c'), KeyModifiers::CONTROL), Some(Action::Quit)),
            (Place::Page, press(KeyCode::Char('r'), KeyModifiers::NONE), None),
        ];
        for (place, key, want) in cases {
            assert_eq!(map.action(place, key), want, "{place:?} {key:?}");
        }
        assert_eq!(map.keys(Place::Operation, Action::First).collect::<Vec<_>>(), ["home"]);
    }

    #[test]
    fn a_lower_case_key_never_destroys() {
        let map = Keymap::default();
        for action in [Action::Remove, Action::Deploy, Action::Rollback, Action::Scale, Action::TakeBack] {
            for key in map.keys(Place::Fleet, action) {
                assert!(key.chars().any(char::is_uppercase), "{action:?} is on {key}");
            }
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        let text = "[fleet]\ndeploy = \"r\"\nfly = \"f\"\nscale = [\"S\", \"hyper-s\"]\n[flet]\n";
        let wrong = Keymap::parse("mine.toml", text).unwrap_err();
        for expected in [
            "mine.toml: in [fleet] the key `r` means both",
            "mine.toml:3: there is no action `fly`",
            "mine.toml:4: scale: `hyper-s` is no key",
            "mine.toml: there is no section [flet]",
        ] {
            assert!(wrong.iter().any(|line| line.starts_with(expected)), "{expected}: {wrong:?}");
        }
    }

    #[test]
    fn a_map_of_ones_own_changes_only_what_it_names() {
        let map = Keymap::parse("mine.toml", "[global]\nquit = \"Q\"\n").unwrap();
        assert_eq!(map.keys(Place::Fleet, Action::Quit).collect::<Vec<_>>(), ["Q"]);
        assert_eq!(map.key(Place::Fleet, Action::Help), Some("?"));
    }
}
