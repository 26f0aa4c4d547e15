//! What a container's state means for somebody who waits until it is ready: go on, begin anew, or give up.
//!
//! A pure reading of one inspection. A container that ended for good is told at once, with why: no timeout makes it ready.

use super::availability::{Availability, times};
use super::fleet::{Container, Detail, State};
use std::time::Duration;

/// Restarts by its own policy after which waiting can't help. Fewer are a program that needs its database first; the
/// engine pauses 0.1, 0.2 and 0.4 s between them.
pub const CRASH_LOOP: u32 = 3;
/// The exit code of a process that SIGKILL ended.
const KILLED: i64 = 137;

/// What there is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Life {
    /// It runs, or the engine is about to start it again.
    GoesOn,
    /// It will not be ready, however long one waits: why, a sentence without an end.
    Over(String),
}

/// Reads an inspection of `container`, which is waited for; `seen`: how far it had come, `before`: restarts by its policy
/// that it had behind it when the wait began, for the engine goes on counting in a container that has been well for days.
pub fn life(container: &Container, seen: &Availability, min_ready: Duration, before: u32) -> Life {
    let name = &container.name;
    let Some(detail) = container.detail.as_ref() else { return Life::GoesOn };
    let (count, stage) = (detail.restart_count.saturating_sub(before), seen.stage(min_ready));
    match container.state {
        State::Exited | State::Dead if count > 0 => {
            Life::Over(format!("{name} was restarted {} by its policy, then {} {stage}", times(count), end(detail)))
        }
        State::Exited | State::Dead => Life::Over(format!("{name} {} {stage}", end(detail))),
        State::Restarting if count >= CRASH_LOOP => {
            let last = end(detail);
            Life::Over(format!(
                "{name} is crash-looping: restarted {} by its policy {stage}; last it {last}",
                times(count)
            ))
        }
        State::Running if count >= CRASH_LOOP => {
            Life::Over(format!("{name} is crash-looping: restarted {} by its policy {stage}", times(count)))
        }
        State::Paused => Life::Over(format!("{name} is paused; `docker unpause {name}` lets it go on")),
        State::Removing => Life::Over(format!("{name} is being removed by somebody")),
        _ => Life::GoesOn,
    }
}

/// How it ended: `exited with code 3`, `was killed for lack of memory (its limit is 64 MiB)`.
fn end(detail: &Detail) -> String {
    let limit = detail.memory_limit.map(megabytes);
    match (detail.oom_killed, detail.exit_code, limit) {
        (true, _, Some(limit)) => format!("was killed for lack of memory (its limit is {limit})"),
        (true, _, None) => "was killed for lack of memory (it has no limit of its own)".to_owned(),
        // The engine does not always hear of it in time.
        (false, KILLED, Some(limit)) => format!("was killed (exit code {KILLED}, its memory limit is {limit})"),
        (false, code, _) if !detail.error.is_empty() => format!("exited with code {code} ({})", detail.error),
        (false, code, _) => format!("exited with code {code}"),
    }
}

/// Docker's own unit: `64m` is 64 × 2²⁰ bytes.
fn megabytes(bytes: u64) -> String {
    match bytes >> 20 {
        0 => format!("{} KiB", bytes >> 10),
        whole => format!("{whole} MiB"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::clean::Clean;
    use super::super::ids::ContainerId;
    use super::*;
    use crate::domain::few::Few;

    fn seen(state: State, detail: Detail) -> Life {
        seen_before(state, detail, 0)
    }

    fn seen_before(state: State, detail: Detail, before: u32) -> Life {
        let container = Container {
            id: ContainerId::new("ab".repeat(32)).unwrap(),
            name: Clean::new("web-1.r2"),
            image: Clean::default(),
            image_id: Clean::default(),
            state,
            health: None,
            status: Clean::default(),
            created: None,
            own: None,
            compose: None,
            labels: Few::default(),
            networks: Few::default(),
            ports: Vec::new(),
            mounts: Vec::new(),
            network_mode: Clean::default(),
            detail: Some(detail.into()),
        };
        life(&container, &Availability::default(), Duration::ZERO, before)
    }

    #[test]
    fn what_can_still_become_ready_is_waited_for_and_nothing_else() {
        let detail = |exit_code, restart_count, oom_killed, memory_limit| Detail {
            exit_code,
            oom_killed,
            restart_count,
            memory_limit,
            ..Detail::default()
        };
        assert_eq!(seen_before(State::Running, detail(0, 7, false, None), 5), Life::GoesOn, "of another day");
        assert!(matches!(seen_before(State::Running, detail(0, 8, false, None), 5), Life::Over(_)));
        for (state, detail, want) in [
            (State::Running, detail(0, 0, false, None), None),
            (State::Created, detail(0, 0, false, None), None),
            (State::Running, detail(0, 2, false, None), None),
            (State::Restarting, detail(1, 2, false, None), None),
            (State::Running, detail(0, 3, false, None), Some("crash-looping: restarted 3 times by its policy before")),
            (
                State::Restarting,
                detail(7, 3, false, None),
                Some("3 times by its policy before it was ready; last it exited with code 7"),
            ),
            (State::Restarting, detail(137, 3, true, Some(64 << 20)), Some("lack of memory (its limit is 64 MiB)")),
            (State::Exited, detail(3, 0, false, None), Some("web-1.r2 exited with code 3 before it was ready")),
            (
                State::Exited,
                detail(0, 2, false, None),
                Some("restarted twice by its policy, then exited with code 0 before"),
            ),
            (State::Exited, detail(137, 0, true, None), Some("it has no limit of its own) before")),
            (State::Exited, detail(137, 0, false, Some(512 << 10)), Some("exit code 137, its memory limit is 512 KiB")),
            (State::Exited, detail(137, 0, false, None), Some("exited with code 137")),
            (State::Paused, detail(0, 0, false, None), Some("docker unpause web-1.r2")),
            (State::Removing, detail(0, 0, false, None), Some("removed by somebody")),
        ] {
            match (seen(state, detail.clone()), want) {
                (Life::GoesOn, None) => {}
                (Life::Over(why), Some(want)) if why.contains(want) => {}
                (got, want) => panic!("{state:?} {detail:?}: {got:?}, not {want:?}"),
            }
        }
    }
}
