//! What belongs to an instance's page while it is open: the cursor, which secrets are shown, what is searched for, and
//! what the engine said last of its containers.
//!
//! Pure. Lives as long as the page: whoever comes back finds all hidden again.

use super::pattern::Pattern;
use crate::domain::inspection::Inspection;
use std::collections::BTreeSet;
use std::time::Duration;

/// Between two questions to the engine while the page is open.
pub const AGAIN: Duration = Duration::from_secs(5);

/// The page of one instance.
#[derive(Clone, Debug, Default)]
pub struct InstancePage {
    /// Tells answers to it from those to a page that was open before.
    pub ticket: u64,
    /// The line the cursor is on.
    pub cursor: usize,
    /// The engine's own inspection instead of the page.
    pub json: bool,
    pub seen: Seen,
    /// The console's time when the engine was asked last.
    pub asked: Duration,
    pub search: Option<Pattern>,
    revealed: BTreeSet<String>,
    all: bool,
}

/// What the engine says of its containers; `None`: not heard yet, or not there.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    pub app: Option<Result<Inspection, String>>,
    pub sandbox: Option<Result<Inspection, String>>,
}

impl InstancePage {
    pub fn new(ticket: u64) -> Self {
        Self { ticket, ..Self::default() }
    }

    /// Whether that variable's value is shown.
    pub fn shows(&self, variable: &str) -> bool {
        self.all || self.revealed.contains(variable)
    }

    /// Shows that variable's value, or hides it; while all are shown, it alone is left.
    pub fn reveal(&mut self, variable: &str) {
        if std::mem::take(&mut self.all) || !self.revealed.remove(variable) {
            self.revealed.insert(variable.to_owned());
        }
    }

    /// Shows all values, or hides all.
    pub fn reveal_all(&mut self) {
        self.all = !self.all;
        self.revealed.clear();
    }

    /// Some value is shown.
    pub fn tells(&self) -> bool {
        self.all || !self.revealed.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_shown_one_by_one_or_all() {
        let mut page = InstancePage::new(1);
        assert!(!page.shows("A") && !page.tells());
        page.reveal("A");
        assert!(page.shows("A") && !page.shows("B") && page.tells());
        page.reveal("A");
        assert!(!page.tells());
        page.reveal_all();
        assert!(page.shows("A") && page.shows("B"));
        page.reveal("B");
        assert!(page.shows("B") && !page.shows("A"));
        page.reveal_all();
        page.reveal_all();
        assert!(!page.tells());
    }
}
