//! Unknown outcomes: what to make of a change whose answer was lost, from what can be seen afterwards.
//!
//! A connection that breaks, a deadline that passes, a status 5xx or an answer that can't be read says nothing about
//! whether the engine did what it was asked. So it is looked at, and this table says what the look means. A change is sent
//! again only when a look has proven that it did not happen. Pure: the looking and the waiting are `engine/certain.rs`.

use super::fleet::State;
use std::time::Duration;

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// A container, by a name that only one can have.
    Create,
    Start,
    Stop {
        grace: Duration,
    },
    Remove,
    Rename,
    /// Of a container's restart policy.
    Update,
    /// A network or volume made, unless it is there.
    Provide,
    /// A network or volume removed.
    Withdraw,
    /// What may be done twice and can't be seen: a pull, a file written.
    Repeatable,
}

/// How the answer failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// None came, or none that can be read: the request may not have arrived, and may still be under way.
    Lost,
    /// The engine says it failed (5xx): it is over, but things may be as wanted all the same.
    Failed,
    /// The engine says that somebody else is at it (409), after an earlier try whose answer was lost, or while it removes.
    Conflict,
}

/// What a look shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// It is there; `None`: there is no such thing. Networks and volumes have no state: [`State::Created`].
    pub state: Option<State>,
    /// Made by this very operation.
    pub ours: bool,
    /// It was started since the change was first asked for.
    pub started: bool,
    /// Name or restart policy are what was asked for.
    pub as_wanted: bool,
}

/// What a look means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    Done,
    /// Not done, as things are now.
    Not,
    /// The engine is at it.
    Going,
}

/// What follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    Done,
    /// It did not happen and will not: send it again.
    Again,
    /// It did not happen, for the reason the engine gave.
    Fail,
    /// Too early to tell.
    LookAgain,
}

/// How long a request whose answer was lost may still be on its way through an engine that answers other requests.
///
/// The engine itself settles what comes twice after that: a name is given once, a second start finds it running.
const ON_ITS_WAY: Duration = Duration::from_millis(700);
/// Added to the grace of a stop: for the kill, and for the engine to notice.
const AFTER_GRACE: Duration = Duration::from_secs(2);
/// How long a removal by somebody else may take.
const REMOVAL: Duration = Duration::from_secs(30);

/// What the look says about the change.
#[expect(clippy::match_same_arms, reason = "a table, in the order of the changes")]
pub fn finding(change: Change, seen: Seen) -> Finding {
    use State::{Created, Dead, Exited, Paused, Removing, Restarting, Running, Unknown};
    let done = |yes| if yes { Finding::Done } else { Finding::Not };
    match (change, seen.state) {
        (Change::Repeatable, _) => Finding::Not,
        (Change::Remove | Change::Withdraw | Change::Stop { .. }, None) => Finding::Done,
        (_, None) => Finding::Not,
        (Change::Create, Some(_)) => done(seen.ours),
        (Change::Provide, Some(_)) => Finding::Done,
        (Change::Withdraw, Some(_)) => Finding::Not,
        (Change::Rename | Change::Update, Some(_)) => done(seen.as_wanted),
        (Change::Remove | Change::Stop { .. }, Some(Removing)) => Finding::Going,
        (Change::Remove, Some(_)) => Finding::Not,
        (Change::Stop { .. }, Some(Created | Exited | Dead)) => Finding::Done,
        (Change::Stop { .. }, Some(Running | Paused | Restarting | Unknown)) => Finding::Not,
        (Change::Start, Some(Running | Paused | Restarting)) => Finding::Done,
        // It started and has ended since: whoever waits for its readiness finds out why.
        (Change::Start, Some(Created | Exited | Dead | Removing | Unknown)) => done(seen.started),
    }
}

/// What to do now. `waited`: since the answer failed; `another_engine`: the engine was gone since, and whatever it was
/// doing then is over.
pub fn next(change: Change, finding: Finding, reply: Reply, waited: Duration, another_engine: bool) -> Next {
    let within = |limit: Duration, then: Next| if waited < limit { Next::LookAgain } else { then };
    match (finding, reply) {
        (Finding::Done, _) => Next::Done,
        (Finding::Going, _) => within(REMOVAL, Next::Fail),
        (Finding::Not, _) if another_engine => Next::Again,
        (Finding::Not, Reply::Lost) => match change {
            Change::Repeatable => Next::Again,
            Change::Stop { grace } => within(grace.saturating_add(AFTER_GRACE), Next::Again),
            _ => within(ON_ITS_WAY, Next::Again),
        },
        // A kill that the engine did not see the end of may end all the same.
        (Finding::Not, Reply::Failed) => match change {
            Change::Stop { .. } => within(AFTER_GRACE, Next::Fail),
            _ => Next::Fail,
        },
        (Finding::Not, Reply::Conflict) => match change {
            Change::Remove => within(REMOVAL, Next::Fail),
            _ => Next::Fail,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHANGES: [Change; 9] = [
        Change::Create,
        Change::Start,
        Change::Stop { grace: Duration::from_secs(10) },
        Change::Remove,
        Change::Rename,
        Change::Update,
        Change::Provide,
        Change::Withdraw,
        Change::Repeatable,
    ];
    const STATES: [Option<State>; 9] = [
        None,
        Some(State::Created),
        Some(State::Running),
        Some(State::Paused),
        Some(State::Restarting),
        Some(State::Removing),
        Some(State::Exited),
        Some(State::Dead),
        Some(State::Unknown),
    ];
    const REPLIES: [Reply; 3] = [Reply::Lost, Reply::Failed, Reply::Conflict];

    fn every(mut check: impl FnMut(Change, Seen)) {
        for change in CHANGES {
            for state in STATES {
                for bits in 0..8 {
                    let seen = Seen { state, ours: bits & 1 > 0, started: bits & 2 > 0, as_wanted: bits & 4 > 0 };
                    check(change, seen);
                }
            }
        }
    }

    #[test]
    fn what_is_as_wanted_is_done_whatever_was_answered() {
        every(|change, seen| {
            for reply in REPLIES {
                let next = next(change, finding(change, seen), reply, Duration::ZERO, false);
                assert_eq!(next == Next::Done, finding(change, seen) == Finding::Done, "{change:?} {seen:?} {reply:?}");
            }
        });
    }

    #[test]
    fn every_question_is_answered_in_the_end() {
        every(|change, seen| {
            for reply in REPLIES {
                let end = next(change, finding(change, seen), reply, Duration::from_secs(60), false);
                assert_ne!(end, Next::LookAgain, "{change:?} {seen:?} {reply:?}");
            }
        });
    }

    #[test]
    fn nothing_is_sent_again_while_it_may_be_under_way() {
        let ms = Duration::from_millis;
        let stop = Change::Stop { grace: Duration::from_secs(10) };
        for (change, waited, another, want) in [
            (Change::Start, ms(0), false, Next::LookAgain),
            (Change::Start, ms(700), false, Next::Again),
            (Change::Start, ms(0), true, Next::Again),
            (stop, ms(11_900), false, Next::LookAgain),
            (stop, ms(12_000), false, Next::Again),
            (stop, ms(0), true, Next::Again),
            (Change::Repeatable, ms(0), false, Next::Again),
        ] {
            assert_eq!(next(change, Finding::Not, Reply::Lost, waited, another), want, "{change:?} {waited:?}");
        }
    }

    #[test]
    fn what_the_engine_says_has_failed_is_not_tried_again() {
        for change in CHANGES {
            let end = next(change, Finding::Not, Reply::Failed, Duration::from_secs(60), false);
            assert_eq!(end, Next::Fail, "{change:?}");
        }
    }

    #[test]
    fn a_look_means_what_it_shows() {
        let at = |state| Seen { state: Some(state), ..Seen::default() };
        let stop = Change::Stop { grace: Duration::ZERO };
        for (change, seen, want) in [
            (Change::Create, Seen::default(), Finding::Not),
            (Change::Create, at(State::Created), Finding::Not),
            (Change::Create, Seen { ours: true, ..at(State::Created) }, Finding::Done),
            (Change::Start, at(State::Running), Finding::Done),
            (Change::Start, at(State::Created), Finding::Not),
            (Change::Start, Seen { started: true, ..at(State::Exited) }, Finding::Done),
            (Change::Start, Seen::default(), Finding::Not),
            (stop, at(State::Running), Finding::Not),
            (stop, at(State::Exited), Finding::Done),
            (stop, Seen::default(), Finding::Done),
            (Change::Remove, at(State::Removing), Finding::Going),
            (Change::Remove, at(State::Exited), Finding::Not),
            (Change::Remove, Seen::default(), Finding::Done),
            (Change::Rename, Seen { as_wanted: true, ..at(State::Running) }, Finding::Done),
            (Change::Update, at(State::Running), Finding::Not),
            (Change::Provide, at(State::Created), Finding::Done),
            (Change::Withdraw, at(State::Created), Finding::Not),
            (Change::Repeatable, at(State::Created), Finding::Not),
        ] {
            assert_eq!(finding(change, seen), want, "{change:?} {seen:?}");
        }
    }
}
