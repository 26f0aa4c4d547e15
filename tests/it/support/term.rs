//! A terminal that a test types into and looks at: a real pty with an emulator behind it (termlens).
//!
//! The only file that names termlens, so that it can be replaced.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

pub use termlens::{Color, Key, Signal, Style};

/// How long a text may take to appear, and the program to end.
const PATIENCE: Duration = Duration::from_secs(30);

/// A program in a terminal; killed when dropped before its end.
pub struct Term {
    inner: termlens::Terminal,
}

impl Term {
    /// Starts `program` with exactly the variables of `env`, in `directory`, in a terminal of `(columns, rows)`.
    #[track_caller]
    pub fn start(
        program: &str,
        args: &[&str],
        env: &[(String, OsString)],
        directory: &Path,
        (columns, rows): (u16, u16),
    ) -> Self {
        let inner = termlens::Terminal::builder()
            .size(columns, rows)
            .timeout(PATIENCE)
            .env_clear()
            .envs(env.iter().map(|(name, value)| (name, value)))
            .current_dir(directory)
            .args(args)
            .spawn(program)
            .unwrap_or_else(|error| panic!("{program}: {error}"));
        Self { inner }
    }

    /// Presses one key: `'q'`, `Key::Enter`, `Key::Char('c').ctrl()`.
    #[track_caller]
    pub fn press(&mut self, key: impl termlens::Input + std::fmt::Debug) {
        self.inner.send(key).unwrap_or_else(|error| panic!("{error}"));
    }

    /// Types a text, key by key.
    #[track_caller]
    pub fn type_text(&mut self, text: &str) {
        self.inner.send_str(text).unwrap_or_else(|error| panic!("{error}"));
    }

    /// Waits until `text` is on the screen.
    ///
    /// # Panics
    /// When it does not appear; with the screen.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str) {
        self.wait_until(text, |screen| screen.contains(text));
    }

    /// Waits until `text` is no longer on the screen.
    #[track_caller]
    pub fn wait_for_absence(&mut self, text: &str) {
        self.wait_until(text, |screen| !screen.contains(text));
    }

    /// Waits until the text of the screen satisfies `condition`.
    #[track_caller]
    pub fn wait_until(&mut self, what: &str, mut condition: impl FnMut(&str) -> bool) {
        let seen = self.inner.wait_until(|screen| condition(&screen.text()));
        seen.unwrap_or_else(|error| panic!("{what}: {error}"));
    }

    /// How often the whole screen was drawn anew.
    pub fn repaints(&self) -> u64 {
        self.inner.screen().repaints()
    }

    /// Waits until the whole screen was drawn anew more often than that.
    #[track_caller]
    pub fn wait_for_repaint(&mut self, after: u64) {
        let seen = self.inner.wait_until(|screen| screen.repaints() > after);
        seen.unwrap_or_else(|error| panic!("a repaint: {error}"));
    }

    /// Types as a script has it: characters, and keys by their names in `<>`, as keymaps have them.
    #[track_caller]
    pub fn keys(&mut self, script: &str) {
        let mut rest = script;
        while let Some(c) = rest.chars().next() {
            let (name, length) = match rest.strip_prefix('<').and_then(|inner| inner.split_once('>')) {
                Some((name, _)) if !name.is_empty() => (name, name.len() + 2),
                _ => (&rest[..c.len_utf8()], c.len_utf8()),
            };
            self.press_named(name);
            rest = &rest[length..];
        }
    }

    /// Presses a key by its name in a keymap: `D`, `ctrl-l`, `space`.
    #[track_caller]
    pub fn press_named(&mut self, name: &str) {
        if let Some(letter) = name.strip_prefix("ctrl-").and_then(|rest| rest.chars().next()) {
            return self.press(Key::Ctrl(letter));
        }
        self.press(match name {
            "enter" => Key::Enter,
            "esc" => Key::Esc,
            "tab" => Key::Tab,
            "space" => Key::Char(' '),
            "backspace" => Key::Backspace,
            "up" => Key::Up,
            "down" => Key::Down,
            "left" => Key::Left,
            "right" => Key::Right,
            "home" => Key::Home,
            "end" => Key::End,
            "pageup" => Key::PageUp,
            "pagedown" => Key::PageDown,
            name => Key::Char(name.chars().next().unwrap_or_else(|| panic!("a key without a name"))),
        });
    }

    /// The screen as text, one line a row.
    pub fn text(&self) -> String {
        self.inner.screen().text()
    }

    /// Columns and rows.
    pub fn size(&self) -> (u16, u16) {
        self.inner.screen().size()
    }

    /// What is in a cell, and how it looks.
    pub fn cell(&self, column: u16, row: u16) -> (String, Style) {
        let screen = self.inner.screen();
        let cell = screen.cell(row, column).unwrap_or_else(|| panic!("no cell {column}, {row}"));
        (cell.contents().to_owned(), *cell.style())
    }

    /// Whether the alternate screen is on, and whether the cursor is visible.
    pub fn modes(&self) -> (bool, bool) {
        let screen = self.inner.screen();
        (screen.alternate_screen(), screen.cursor_visible())
    }

    /// How the first cell of the first `text` on the screen looks.
    ///
    /// # Panics
    /// When `text` is not on the screen; with the screen.
    #[track_caller]
    pub fn look(&self, text: &str) -> Style {
        let screen = self.inner.screen();
        let cell = screen.find(text).and_then(|(row, column)| screen.cell(row, column));
        let Some(cell) = cell else { panic!("no {text:?} on the screen:\n{}", screen.text()) };
        *cell.style()
    }

    /// Changes the terminal's size.
    #[track_caller]
    pub fn resize(&mut self, columns: u16, rows: u16) {
        self.inner.resize(columns, rows).unwrap_or_else(|error| panic!("{error}"));
    }

    /// Sends the program a signal.
    #[track_caller]
    pub fn signal(&mut self, signal: Signal) {
        self.inner.signal(signal).unwrap_or_else(|error| panic!("{error}"));
    }

    /// Waits for the program's end and returns its exit code, or `None` when a signal ended it.
    #[track_caller]
    pub fn exit(&mut self) -> Option<u32> {
        self.inner.wait_exit().unwrap_or_else(|error| panic!("{error}")).code()
    }
}

#[test]
fn keys_reach_the_program_and_styles_reach_the_test() {
    let script = r#"printf '\033[1mready\033[0m plain \033[7mturned\033[0m\n'; read line; echo "got $line"; exit 7"#;
    let mut term = Term::start("/bin/sh", &["-c", script], &[], Path::new("/"), (80, 24));
    term.wait_for("turned");
    assert!(term.look("ready").bold && !term.look("ready").reverse);
    assert!(term.look("turned").reverse && !term.look("plain").bold);
    term.type_text("tyres");
    term.press(Key::Enter);
    term.wait_for("got tyres");
    assert_eq!(term.exit(), Some(7));
    assert_eq!(term.modes(), (false, true));
}

#[test]
fn a_signal_ends_the_program() {
    let mut term = Term::start("/bin/sh", &["-c", "echo up; exec sleep 1000"], &[], Path::new("/"), (80, 24));
    term.wait_for("up");
    term.signal(Signal::Term);
    assert_eq!(term.exit(), None);
}
