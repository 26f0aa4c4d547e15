//! Connections that go on as a container's or a command's standard input and output.

use super::super::answer::{Answer, Reply, frame, refuse};
use super::super::ask::Ask;
use super::super::clock::Clock;
use super::super::engine::Engine;
use super::super::guest::{Commands, LEASE};
use hyper_util::rt::TokioIo;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, WriteHalf};
use tokio::sync::mpsc;
use tokio::time::sleep_until;

/// How long a lock's guest takes to end when its standard input has.
const LETS_GO: Duration = Duration::from_millis(200);

/// The way to the other side of a connection that was taken over.
pub struct Console(WriteHalf<TokioIo<hyper::upgrade::Upgraded>>);

/// Lines from there; ended when the other side closes.
pub type Input = mpsc::Receiver<String>;

impl Console {
    /// Writes a line as a frame of standard output; false when nobody reads.
    pub async fn say(&mut self, line: &str) -> bool {
        let bytes = frame(false, format!("{line}\n").as_bytes());
        self.0.write_all(&bytes).await.is_ok() && self.0.flush().await.is_ok()
    }
}

/// Answers that the connection goes on, and hands it over when it does.
pub fn go_on<F>(engine: &Engine, ask: Ask, with: impl FnOnce(Console, Input) -> F + Send + 'static) -> Answer
where
    F: Future<Output = ()> + Send,
{
    let Some(upgrade) = ask.upgrade else {
        return refuse(400, "only with `Upgrade: tcp` here");
    };
    engine.spawn(async move {
        let Ok(upgraded) = upgrade.await else { return };
        let (mut reader, output) = tokio::io::split(TokioIo::new(upgraded));
        let (lines, input) = mpsc::channel(64);
        let read = async move {
            let (mut all, mut chunk) = (Vec::new(), [0; 1024]);
            while let Ok(count @ 1..) = reader.read(&mut chunk).await {
                all.extend_from_slice(&chunk[..count]);
                while let Some(end) = all.iter().position(|byte| *byte == b'\n') {
                    let line: Vec<u8> = all.drain(..=end).collect();
                    if lines.send(String::from_utf8_lossy(&line[..end]).into_owned()).await.is_err() {
                        return;
                    }
                }
            }
        };
        // Together: when the work is done nobody reads, and the connection closes.
        tokio::select! {
            () = with(Console(output), input) => {}
            () = async { read.await; std::future::pending().await } => {}
        }
    });
    let mut reply = Reply::empty(101);
    for (name, value) in
        [("Connection", "Upgrade"), ("Upgrade", "tcp"), ("Content-Type", "application/vnd.docker.raw-stream")]
    {
        reply.headers.push((name, value.to_owned()));
    }
    Ok(reply)
}

pub async fn attach(engine: &Arc<Engine>, key: &str, ask: Ask) -> Answer {
    engine.work("attach").await;
    let stdin = ask.flag("stdin");
    let (id, open, lock) = engine.change(|world| {
        let seen = world.find_mut(key)?;
        let open = seen.config["OpenStdin"] == true && stdin;
        let lock = open && seen.is_lock();
        seen.inputs += usize::from(open);
        Ok((seen.id.clone(), open, lock))
    })?;
    let (here, engine) = (Arc::clone(engine), Arc::clone(engine));
    go_on(&here, ask, move |console, mut input| async move {
        let run = engine.until(|world| match world.find(&id) {
            Ok(seen) if seen.runs() => Some(Some((seen.state.run, seen.behaviour.guest))),
            Ok(_) => None,
            Err(_) => Some(None),
        });
        let running = tokio::select! {
            running = run => running,
            None = input.recv() => None,
        };
        if let Some((run, guest)) = running {
            let ended = engine.until(|world| {
                let same = world.find(&id).is_ok_and(|seen| seen.runs() && seen.state.run == run);
                (!same).then_some(())
            });
            let gone = tokio::select! {
                () = ended => false,
                () = talk(&engine, &id, console, input, (open && guest, lock)) => true,
            };
            if gone && lock {
                tokio::time::sleep(LETS_GO).await;
                let last = engine.look(|world| world.find(&id).is_ok_and(|seen| seen.inputs <= 1));
                if last {
                    engine.end(&id, run, 0);
                }
            }
        }
        engine.change(|world| {
            if let Ok(seen) = world.find_mut(&id) {
                seen.inputs = seen.inputs.saturating_sub(usize::from(open));
            }
        });
    })
}

/// Takes commands until the other side closes; a lock says lines back, and lets go when none comes for a while.
async fn talk(engine: &Arc<Engine>, id: &str, mut console: Console, mut input: Input, (listens, lock): (bool, bool)) {
    let (out, mut lines) = mpsc::channel(64);
    let mut until = Clock::instant() + LEASE;
    let mut commands = Commands::new(Arc::clone(engine), id.to_owned(), out);
    loop {
        tokio::select! {
            Some(line) = lines.recv() => {
                if !console.say(&line).await {
                    return;
                }
            }
            line = input.recv() => match line {
                // It says back what it hears.
                Some(line) if lock => {
                    until = Clock::instant() + LEASE;
                    if !console.say(&line).await {
                        return;
                    }
                }
                Some(line) if listens => commands.take(&line).await,
                Some(_) => {}
                None => return,
            },
            () = sleep_until(until), if lock => return,
        }
    }
}
