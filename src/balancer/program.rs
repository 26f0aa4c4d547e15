//! Runs one program of the user's own: an argument vector, no shell, nothing on its input, an end by a deadline.

use super::BalancerError;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};

/// Most that is read of what it says; the rest is read and dropped, so that no pipe fills up.
const MOST: usize = 64 << 10;

/// What a program that ended well said.
pub(super) struct Said {
    pub stdout: String,
}

/// Runs it to its end; success is exit code 0. `balancer` is who it speaks for in messages.
pub(super) async fn run(
    balancer: &str,
    argv: &[String],
    variables: &[(&str, String)],
    deadline: Duration,
) -> Result<Said, BalancerError> {
    let Some((program, arguments)) = argv.split_first() else {
        return Err(BalancerError::here(balancer, "there is no command to run", None));
    };
    // What it is given may be a secret (`curl -H 'Authorization: …'`).
    let shown = program;
    let mut command = Command::new(program);
    command.args(arguments).envs(variables.iter().map(|(name, value)| (name, value)));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // A group of its own: what it starts ends with it, and a ^C at our terminal does not reach it half-way.
    command.process_group(0).kill_on_drop(true);
    let mut child = command.spawn().map_err(|error| {
        let hint = "the program is looked for in PATH, on the machine that pitstop runs on";
        BalancerError::here(balancer, &format!("`{shown}` can't be started: {error}"), Some(hint))
    })?;
    let group = Group(child.id());
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let ended = tokio::time::timeout(deadline, async { tokio::join!(head(stdout), head(stderr), status(&mut child)) });
    let Ok((stdout, stderr, status)) = ended.await else {
        drop(group);
        return Err(BalancerError::here(
            balancer,
            &format!("`{shown}` did not end within {} s and was killed", deadline.as_secs_f32()),
            None,
        ));
    };
    group.ended();
    let status = status.map_err(|error| BalancerError::here(balancer, &format!("`{shown}`: {error}"), None))?;
    if status.success() {
        return Ok(Said { stdout });
    }
    let last = |text: &str| {
        let lines: Vec<&str> = text.lines().rev().filter(|line| !line.trim().is_empty()).take(3).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join(" / ")
    };
    let said = if stderr.trim().is_empty() { last(&stdout) } else { last(&stderr) };
    let said = if said.is_empty() { "it said nothing".to_owned() } else { said };
    Err(BalancerError::here(balancer, &format!("`{shown}`: {status}: {said}"), None))
}

async fn status(child: &mut Child) -> std::io::Result<std::process::ExitStatus> {
    child.wait().await
}

/// The beginning of what comes; all of it is read.
async fn head(from: Option<impl AsyncRead + Unpin>) -> String {
    let Some(mut from) = from else { return String::new() };
    let (mut kept, mut chunk) = (Vec::new(), [0; 4096]);
    while let Ok(count @ 1..) = from.read(&mut chunk).await {
        let room = MOST.saturating_sub(kept.len()).min(count);
        kept.extend_from_slice(&chunk[..room]);
    }
    String::from_utf8_lossy(&kept).into_owned()
}

/// A program's process group, which is killed when this is dropped before its end.
struct Group(Option<u32>);

impl Group {
    fn ended(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let pid = self.0.and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
        if let Some(pid) = pid {
            // Nothing is left to kill when it has just ended.
            let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
        }
    }
}
