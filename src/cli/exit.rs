//! Exit codes: the contract's numbers, and which ending gets which.
//!
//! Pure. Must not print or end the process; `main` does that.

use crate::domain::event::Outcome;
use crate::domain::identity::Verdict;
use crate::domain::plan::Kind;

/// Done, every address kept, or nothing to do.
pub const DONE: u8 = 0;
/// Failed, or paused on a failure.
pub const FAILED: u8 = 1;
/// Usage, an unknown target or an invalid file; nothing was touched.
pub const USAGE: u8 = 2;
/// The engine can't be reached, or permission is denied; nothing was touched.
pub const UNREACHABLE: u8 = 3;
/// Refused; nothing was touched.
pub const REFUSED: u8 = 4;
/// Failed and rolled back: the old revision runs.
pub const ROLLED_BACK: u8 = 5;
/// Done, but an address changed or could not be compared.
pub const MOVED: u8 = 6;
/// Aborted by the user.
pub const ABORTED: u8 = 7;
/// A fault of pitstop itself.
pub const FAULT: u8 = 70;
/// Interrupted by SIGINT; resumable.
pub const INTERRUPTED: u8 = 130;
/// Interrupted by SIGTERM or SIGHUP; resumable.
pub const TERMINATED: u8 = 143;

/// One instance of the plan, as it was judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Judged {
    /// It had an identity before.
    pub existed: bool,
    /// `None`: nobody judged it.
    pub verdict: Option<Verdict>,
}

/// The code for an operation that ended with `outcome`; `terminated`: a SIGTERM or SIGHUP was what interrupted it.
pub fn code(kind: Kind, outcome: Outcome, instances: &[Judged], terminated: bool) -> u8 {
    match outcome {
        Outcome::Succeeded if instances.iter().any(|instance| moved(kind, *instance)) => MOVED,
        Outcome::Succeeded => DONE,
        Outcome::Failed | Outcome::Paused => FAILED,
        Outcome::RolledBack => ROLLED_BACK,
        Outcome::Aborted => ABORTED,
        Outcome::Interrupted if terminated => TERMINATED,
        Outcome::Interrupted => INTERRUPTED,
    }
}

/// Whether this instance's address is not known to be the one it had.
///
/// `unprotected` is not among them: the same address, by luck. Nor is an instance that a creation made or a removal
/// took away: there was nothing, or is nothing, to compare.
fn moved(kind: Kind, instance: Judged) -> bool {
    let had_one = instance.existed || !matches!(kind, Kind::Create | Kind::Scale | Kind::Remove);
    let must_be_judged = !matches!(kind, Kind::Create | Kind::Scale | Kind::Remove);
    match instance.verdict {
        Some(Verdict::Kept | Verdict::Unprotected) => false,
        Some(Verdict::Changed | Verdict::Orphaned | Verdict::Lost) => had_one && kind != Kind::Remove,
        None => must_be_judged,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_ending_has_the_contracts_code() {
        use Outcome::{Aborted, Failed, Interrupted, Paused, RolledBack, Succeeded};
        for (outcome, terminated, want) in [
            (Succeeded, false, 0),
            (Succeeded, true, 0),
            (Failed, false, 1),
            (Paused, false, 1),
            (RolledBack, false, 5),
            (Aborted, false, 7),
            (Interrupted, false, 130),
            (Interrupted, true, 143),
        ] {
            assert_eq!(code(Kind::Deploy, outcome, &[], terminated), want, "{outcome:?}");
        }
    }

    #[test]
    fn an_address_that_moved_is_said_by_the_code() {
        use Verdict::{Changed, Kept, Lost, Orphaned, Unprotected};
        let table = [
            (Kind::Deploy, true, Some(Kept), 0),
            (Kind::Deploy, true, Some(Unprotected), 0),
            (Kind::Deploy, true, Some(Changed), 6),
            (Kind::Restart, true, Some(Lost), 6),
            (Kind::Restart, true, Some(Orphaned), 6),
            (Kind::Restart, true, None, 6),
            (Kind::Restart, false, Some(Lost), 6),
            (Kind::Create, false, Some(Kept), 0),
            (Kind::Create, false, None, 0),
            (Kind::Create, true, Some(Changed), 6),
            (Kind::Scale, false, None, 0),
            (Kind::Scale, true, None, 0),
            (Kind::Scale, true, Some(Changed), 6),
            (Kind::Remove, true, None, 0),
            (Kind::Remove, true, Some(Lost), 0),
        ];
        for (kind, existed, verdict, want) in table {
            let others = Judged { existed: true, verdict: Some(Kept) };
            let got = code(kind, Outcome::Succeeded, &[others, Judged { existed, verdict }], false);
            assert_eq!(got, want, "{kind} {existed} {verdict:?}");
        }
    }
}
