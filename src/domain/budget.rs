//! How much of an app may be out at once, and in which batches its instances are handled.
//!
//! Fix-forward, as Kruise's `CloneSet` does it: what is unavailable already goes first and costs nothing, so a broken
//! version can always be replaced; and what runs the wanted version and is not well takes from the batch, so that a broken
//! version does not spread. Must not know containers, plans or words for people.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// How many instances of an app have to stay available.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum MinAvailable {
    Count(u32),
    /// This share, 0 to 100, rounded up.
    Percent(u32),
}

impl MinAvailable {
    /// The number of instances among `total`.
    pub fn of(self, total: usize) -> usize {
        match self {
            Self::Count(n) => n as usize,
            Self::Percent(p) => (total * p as usize).div_ceil(100),
        }
    }

    /// What is kept when nobody says: a quarter, rounded up; of a single instance nothing, for it could never be touched.
    pub fn default_of(total: usize) -> usize {
        if total < 2 { 0 } else { total.div_ceil(4) }
    }
}

impl FromStr for MinAvailable {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (digits, percent) = text.strip_suffix('%').map_or((text, false), |digits| (digits, true));
        match digits.trim().parse::<u32>() {
            Ok(share @ 0..=100) if percent => Ok(Self::Percent(share)),
            Ok(count) if !percent => Ok(Self::Count(count)),
            _ => Err(format!("min available `{text}`: use a number from 0, or a percentage from 0% to 100%")),
        }
    }
}

impl fmt::Display for MinAvailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(n) => write!(f, "{n}"),
            Self::Percent(p) => write!(f, "{p}%"),
        }
    }
}

impl TryFrom<String> for MinAvailable {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<MinAvailable> for String {
    fn from(keep: MinAvailable) -> Self {
        keep.to_string()
    }
}

/// What an operation may take out of an app at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Instances handled together, from 1.
    pub size: usize,
    /// Instances of the first batch, where it is another number.
    pub canary: Option<usize>,
    /// Instances that have to stay available.
    pub keep: usize,
    /// Somebody asked for `keep`, so not even one instance goes below it.
    pub strict: bool,
}

/// The app as it is before anything is touched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Of the instances to be handled, in their order: whether each is available.
    pub handled: Vec<bool>,
    /// Instances that are not handled and are available.
    pub others: usize,
    /// Instances that are not handled because they run what is wanted, and that are not well.
    pub broken: usize,
}

/// The batches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Split {
    /// Places in [`Standing::handled`].
    pub batches: Vec<Vec<usize>>,
    /// The fewest that stay available while a batch takes some out; `None`: nothing available is touched.
    pub least: Option<usize>,
}

/// Why there are no batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TooFew {
    /// Fewer than `keep` would stay; asked for in batches of `largest`, and no more in the canary, they would not (`None`: in none).
    Stay { largest: Option<usize> },
    /// As many as a batch holds run what is wanted already, and are not well.
    Broken,
}

impl Budget {
    /// Splits what is to be handled. What is unavailable comes first; the order is kept otherwise.
    pub fn split(self, standing: &Standing) -> Result<Split, TooFew> {
        // What is wanted and not well is out, too, and the same version brought it about.
        let room = self.size.saturating_sub(standing.broken);
        if room == 0 && !standing.handled.is_empty() {
            return Err(TooFew::Broken);
        }
        let fits = |size: usize, canary: Option<usize>| {
            let split = split(standing, size, canary);
            split.least.is_none_or(|least| least >= self.keep).then_some(split)
        };
        // More than there are is all of them.
        let room = room.min(standing.handled.len().max(1));
        let canary = self.canary.map(|canary| canary.saturating_sub(standing.broken).max(1));
        if let Some(split) = fits(room, canary) {
            return Ok(split);
        }
        // One at a time is as careful as can be; only who asks for more is refused that.
        if room == 1 && canary.is_none_or(|canary| canary == 1) && !self.strict {
            return Ok(split(standing, 1, None));
        }
        let fewer = |size: &usize| fits(*size, canary.map(|canary| canary.min(*size))).is_some();
        let largest = (1..=room).rev().find(fewer).or((!self.strict).then_some(1));
        Err(TooFew::Stay { largest: largest.map(|largest| largest + standing.broken) })
    }
}

fn split(standing: &Standing, size: usize, canary: Option<usize>) -> Split {
    let size = size.max(1);
    let mut first: Vec<usize> = (0..standing.handled.len()).collect();
    first.sort_by_key(|place| standing.handled[*place]);
    let rest = first.split_off(canary.unwrap_or(size).min(first.len()));
    let batches: Vec<Vec<usize>> =
        [first].into_iter().filter(|first| !first.is_empty()).chain(rest.chunks(size).map(<[_]>::to_vec)).collect();
    let mut available = standing.others + standing.handled.iter().filter(|available| **available).count();
    let mut least: Option<usize> = None;
    for batch in &batches {
        let out = batch.iter().filter(|place| standing.handled[**place]).count();
        let left = available - out;
        if out > 0 {
            least = Some(least.map_or(left, |least| least.min(left)));
        }
        // What is handled is available again before the next batch begins.
        available = left + batch.len();
    }
    Split { batches, least }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn standing(handled: &str, others: usize, broken: usize) -> Standing {
        Standing { handled: handled.chars().map(|one| one == 'u').collect(), others, broken }
    }

    fn budget(size: usize, canary: Option<usize>, keep: usize, strict: bool) -> Budget {
        Budget { size, canary, keep, strict }
    }

    #[test]
    fn shares_of_what_stays_round_up() {
        for (text, total, want) in
            [("0", 4, 0), ("3", 4, 3), ("25%", 5, 2), ("50%", 3, 2), ("0%", 9, 0), ("100%", 3, 3)]
        {
            let keep: MinAvailable = text.parse().unwrap();
            assert_eq!((keep.of(total), keep.to_string().as_str()), (want, text));
        }
        for text in ["101%", "-1", "x", "", "%"] {
            assert!(text.parse::<MinAvailable>().is_err(), "{text}");
        }
        assert_eq!([0, 1, 2, 4, 5, 8, 9].map(MinAvailable::default_of), [0, 0, 1, 1, 2, 2, 3]);
    }

    #[test]
    fn what_is_out_already_goes_first_and_costs_nothing() {
        let shape =
            |budget: Budget, standing: &Standing| budget.split(standing).map(|split| (split.batches, split.least));
        let (stay, broken) = (|largest| Err(TooFew::Stay { largest }), Err(TooFew::Broken));
        // u: available, d: not.
        let table = [
            (standing("", 3, 0), budget(2, None, 1, false), Ok((vec![], None))),
            (
                standing("uuuu", 0, 0),
                budget(1, None, 1, false),
                Ok((vec![vec![0], vec![1], vec![2], vec![3]], Some(3))),
            ),
            (standing("uuuuu", 0, 0), budget(2, None, 2, false), Ok((vec![vec![0, 1], vec![2, 3], vec![4]], Some(3)))),
            (
                standing("uuuuu", 0, 0),
                budget(2, Some(1), 2, false),
                Ok((vec![vec![0], vec![1, 2], vec![3, 4]], Some(3))),
            ),
            (standing("udud", 0, 0), budget(2, None, 2, true), Ok((vec![vec![1, 3], vec![0, 2]], Some(2)))),
            (standing("dddd", 0, 0), budget(4, None, 4, true), Ok((vec![vec![0, 1, 2, 3]], None))),
            (standing("dud", 0, 0), budget(1, Some(2), 2, true), Ok((vec![vec![0, 2], vec![1]], Some(2)))),
            // Too much at once, with what would do.
            (standing("uuuu", 0, 0), budget(4, None, 1, false), stay(Some(3))),
            (standing("uuuu", 0, 0), budget(1, Some(4), 1, false), stay(Some(1))),
            // A canary that fits stays as it is; of what is asked for, the broken ones are taken again.
            (standing("ddddu", 1, 0), budget(4, Some(1), 5, false), stay(Some(3))),
            (
                standing("ddddu", 1, 0),
                budget(3, Some(1), 5, false),
                Ok((vec![vec![0], vec![1, 2, 3], vec![4]], Some(5))),
            ),
            (standing("uuuu", 0, 1), budget(5, None, 2, false), stay(Some(3))),
            (standing("uuuu", 0, 0), budget(2, None, 4, true), stay(None)),
            // The last one that is available: said by default, refused to who asked for it.
            (standing("u", 0, 0), budget(1, None, 1, false), Ok((vec![vec![0]], Some(0)))),
            (standing("u", 0, 0), budget(1, None, 1, true), stay(None)),
            // What is wanted and broken takes from the batch, and stops it.
            (standing("uuu", 0, 1), budget(2, None, 1, false), Ok((vec![vec![0], vec![1], vec![2]], Some(2)))),
            (standing("uuu", 0, 1), budget(1, None, 1, false), broken.clone()),
            (standing("ddd", 0, 2), budget(2, None, 0, false), broken.clone()),
            (standing("", 0, 2), budget(1, None, 1, false), Ok((vec![], None))),
        ];
        for (standing, budget, want) in table {
            assert_eq!(shape(budget, &standing), want, "{standing:?} {budget:?}");
        }
    }

    proptest! {
        #[test]
        fn nobody_is_left_out_and_never_are_too_many_out(
            handled in proptest::collection::vec(any::<bool>(), 0..12),
            others in 0..5usize,
            broken in 0..3usize,
            size in 1..6usize,
            canary in proptest::option::of(1..6usize),
            keep in 0..8usize,
            strict in any::<bool>(),
        ) {
            let standing = Standing { handled, others, broken };
            let budget = Budget { size, canary, keep, strict };
            let up = |place: &usize| standing.handled[*place];
            match budget.split(&standing) {
                Ok(split) => {
                    let all: BTreeSet<usize> = split.batches.iter().flatten().copied().collect();
                    prop_assert_eq!(all.len(), standing.handled.len());
                    prop_assert_eq!(split.batches.iter().map(Vec::len).sum::<usize>(), all.len());
                    let mut available = others + standing.handled.iter().filter(|up| **up).count();
                    for (number, batch) in split.batches.iter().enumerate() {
                        let limit = canary.filter(|_| number == 0).unwrap_or(size);
                        prop_assert!(!batch.is_empty() && batch.len() <= limit);
                        // What the wanted version has broken and may break is never more than a batch.
                        prop_assert!(batch.len() + broken <= limit.max(broken + 1));
                        let out = batch.iter().filter(|place| up(place)).count();
                        let careful = !strict && batch.len() == 1;
                        prop_assert!(out == 0 || available - out >= keep || careful);
                        available = available - out + batch.len();
                    }
                    // Once something available was touched, nothing unavailable is left.
                    let order: Vec<bool> = split.batches.iter().flatten().map(up).collect();
                    prop_assert!(order.is_sorted());
                }
                Err(TooFew::Broken) => prop_assert!(broken >= size),
                Err(TooFew::Stay { largest }) => {
                    // Asked for as advised, it is allowed.
                    if let Some(largest) = largest {
                        prop_assert!(largest <= size.max(broken + 1));
                        let again = Budget { size: largest, canary: canary.map(|canary| canary.min(largest)), ..budget };
                        prop_assert!(again.split(&standing).is_ok());
                    }
                }
            }
        }
    }
}
