//! Which columns of the fleet are wanted. Pure; how they are laid out is the table's business.

use super::rows::Shown;
use crate::config::kept::Kept;

/// Columns that may be left out, by their titles, and what stands in them. Name and state always stay.
pub const COLUMNS: [(&str, &str); 10] = [
    ("ADDRESS", "the first address, and how many more"),
    ("HELD", "what holds the address"),
    ("TRAFFIC", "whether load balancers send requests"),
    ("CPU", "what it takes now"),
    ("MEM", "what it takes now"),
    ("IMAGE", "what it runs"),
    ("REV", "the revision"),
    ("UP", "for how long"),
    ("PORTS", "published ports"),
    ("CONTAINER", "the container's id"),
];

/// The list of columns while it is open.
#[derive(Clone, Debug, Default)]
pub struct Columns {
    pub cursor: usize,
    /// Those hidden before it was opened.
    pub before: Vec<&'static str>,
}

/// Hides the column, or shows it again.
pub fn toggle(shown: &mut Shown, title: &'static str) {
    if shown.hidden.contains(&title) {
        shown.hidden.retain(|hidden| *hidden != title);
    } else {
        shown.hidden.push(title);
    }
}

/// Takes over what was kept; titles of other versions mean nothing.
pub fn restore(shown: &mut Shown, kept: &Kept) {
    let known = COLUMNS.iter().map(|(title, _)| *title);
    shown.hidden = known.filter(|title| kept.hidden.iter().any(|hidden| hidden == title)).collect();
    (shown.flat, shown.by_project) = (kept.wide, kept.by_project);
}

/// What is to be kept.
pub fn kept(shown: &Shown) -> Kept {
    let hidden = shown.hidden.iter().map(|title| (*title).to_owned()).collect();
    Kept { hidden, wide: shown.flat, by_project: shown.by_project }
}
