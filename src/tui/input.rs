//! One line that a person types.
//!
//! Keys while a line is typed belong to the line, not to the keymap; pasted text never confirms anything.

use crossterm::event::{Event, KeyEvent};
use tui_input::Input;
use tui_input::backend::crossterm::EventHandler;

/// A line being typed.
#[derive(Clone, Debug, Default)]
pub struct Line(Input);

impl Line {
    /// A line that begins with `text`, the cursor at its end.
    pub fn new(text: &str) -> Self {
        Self(Input::new(text.to_owned()))
    }

    /// Typed so far.
    pub fn text(&self) -> &str {
        self.0.value()
    }

    /// Takes a key; whether it changed the text.
    pub fn press(&mut self, key: KeyEvent) -> bool {
        self.0.handle_event(&Event::Key(key)).is_some_and(|change| change.value)
    }

    /// Takes pasted text, cleaned.
    pub fn paste(&mut self, text: &str) {
        for c in crate::domain::clean::clean(text).chars() {
            self.0.handle(tui_input::InputRequest::InsertChar(c));
        }
    }

    /// The part that fits into `cells`, and the cursor's place in it.
    pub fn window(&self, cells: usize) -> (String, usize) {
        let start = self.0.visual_scroll(cells.max(1));
        let mut skipped = 0;
        let visible: String = self
            .0
            .value()
            .chars()
            .skip_while(|c| {
                let skip = skipped < start;
                skipped += unicode_width::UnicodeWidthChar::width(*c).unwrap_or(0);
                skip
            })
            .collect();
        (super::text::head(&visible, cells, ""), self.0.visual_cursor().saturating_sub(start))
    }
}
