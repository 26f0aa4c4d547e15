//! Running a hook in an instance's app container: once, with a deadline, its output kept.
//!
//! A command is no change that one may send twice. When its answer is lost, the engine is asked what became of it; what
//! can't be known is a failure that says so.

use super::certain::Certain;
use super::perform::{Done, Failed};
use crate::docker::{ExecEnd, ExecResult};
use crate::domain::clean::Clean;
use crate::domain::duration::human;
use crate::domain::hook::{Hook, Moment};
use crate::domain::ids::ContainerId;
use std::time::Duration;

/// Characters of output that are kept: its end, where what went wrong stands.
const OUTPUT: usize = 1000;
/// Between two looks at a command whose answer was lost.
const LOOK: Duration = Duration::from_millis(200);
/// So many looks at one that has not begun: a request that was lost on its way never arrives later than that.
const LOOKS: u32 = 10;

/// How it ended, as far as that can be known.
enum Ended {
    With(ExecResult),
    /// Its answer was lost: the code is known, the output is not.
    Code(i64),
    Unknown(String),
}

/// Runs it to its end; anything but exit code 0 is a failure.
pub(super) async fn run(
    docker: &Certain,
    id: &ContainerId,
    name: &str,
    moment: Moment,
    hook: &Hook,
) -> Result<Done, Failed> {
    let what = format!("{} in {name}", Clean::new(hook.program()));
    let stays = if moment == Moment::PostReady { "" } else { "; it was not stopped" };
    let Some(ended) = docker.outage().within(hook.timeout(), Box::pin(once(docker, id, hook))).await else {
        return Err(Failed::new(format!(
            "{what} did not end within {}; it may still run in the container, for the engine can't end it{stays}",
            human(hook.timeout_ms)
        )));
    };
    match ended? {
        Ended::With(result) if result.code == 0 => Ok(Done::saying(words("exit 0", &result.output))),
        Ended::Code(0) => Ok(Done::saying("exit 0; its output was lost with the connection")),
        Ended::With(result) => {
            Err(Failed::new(format!("{what}: {}{stays}", words(&exit(result.code), &result.output))))
        }
        Ended::Code(code) => Err(Failed::new(format!("{what}: {}; its output was lost{stays}", exit(code)))),
        Ended::Unknown(why) => {
            Err(Failed::new(format!("{what}: what became of it is unknown ({why}); it may have done its work{stays}")))
        }
    }
}

async fn once(docker: &Certain, id: &ContainerId, hook: &Hook) -> Result<Ended, Failed> {
    loop {
        let exec = docker.prepare_exec(id, &hook.command).await?;
        let error = match docker.run_exec(&exec).await {
            Ok(result) => return Ok(Ended::With(result)),
            Err(error) if error.is_lost() => error,
            Err(error) => return Err(error.into()),
        };
        tracing::debug!(%error, "the answer of a hook was lost: looking");
        let mut looks = 0;
        loop {
            looks += 1;
            match docker.look_at_exec(&exec).await {
                Ok(ExecEnd::Code(code)) => return Ok(Ended::Code(code)),
                // It has not begun in so long a time, so it may be sent again.
                Ok(ExecEnd::NotStarted) if looks >= LOOKS => break,
                Ok(ExecEnd::Running | ExecEnd::NotStarted) => {}
                Ok(ExecEnd::Forgotten) => {
                    return Ok(Ended::Unknown("the engine was started anew meanwhile".to_owned()));
                }
                Err(look) => return Ok(Ended::Unknown(look.to_string())),
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

fn exit(code: i64) -> String {
    match code {
        126 => "exit 126, it can't be run".to_owned(),
        127 => "exit 127, there is no such program".to_owned(),
        code => format!("exit {code}"),
    }
}

/// The end of its output, behind how it ended.
fn words(ended: &str, output: &Clean) -> String {
    let output = output.trim();
    let from = output.char_indices().rev().nth(OUTPUT - 1).map_or(0, |(at, _)| at);
    match (&output[from..], from) {
        ("", _) => ended.to_owned(),
        (whole, 0) => format!("{ended}: {whole}"),
        (end, _) => format!("{ended}: …{end}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_long_output_is_kept() {
        assert_eq!(words("exit 0", &Clean::new("")), "exit 0");
        assert_eq!(words("exit 1", &Clean::new(" no \n")), "exit 1: no");
        let long = words("exit 1", &Clean::new(&format!("{}é why", "x".repeat(2000))));
        assert!(long.starts_with("exit 1: …x") && long.ends_with("xé why"), "{long}");
        assert_eq!(long.chars().count(), "exit 1: …".chars().count() + OUTPUT);
    }
}
