//! The terminal while somebody else has it: a shell in a container, or the shell that started the console.

use super::super::engine::EngineId;
use super::super::message::Msg;
use super::super::raw::Raw;
use super::super::signals::{SIGCONT, SIGTSTP, SIGWINCH};
use super::super::{fault, terminal};
use super::{Console, Why};
use crate::domain::ids::ContainerId;
use crate::engine::Shell;
use futures_util::StreamExt;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncWrite, AsyncWriteExt};

/// Between looks at who has the terminal while it is somebody else's.
const BACKGROUND: Duration = Duration::from_millis(250);

impl Console {
    /// Gives the terminal back, stops until somebody continues us in the foreground, and takes the terminal again; why the
    /// console ends, if it does.
    pub(super) async fn suspend(&mut self) -> Option<Why> {
        if !terminal::can_stop() {
            self.take(Msg::NoShell);
            return None;
        }
        self.bridge.let_go().await;
        terminal::restore();
        let mut stopped = terminal::stop();
        // Continued in the background, the console waits there; the shell says when it may have the terminal.
        while stopped.is_ok() && !terminal::is_foreground() {
            tokio::select! {
                number = self.signals.next() => match number {
                    SIGCONT | SIGWINCH => {}
                    SIGTSTP => stopped = terminal::stop(),
                    number => return Some(Why::Signal(number)),
                },
                () = fault::happened() => return Some(Why::Fault),
                () = tokio::time::sleep(BACKGROUND) => {}
            }
        }
        self.bridge.watch();
        self.take(Msg::LogsCut);
        if stopped.and_then(|()| self.screen.enter()).is_err() {
            return Some(Why::HungUp);
        }
        self.measure();
        None
    }

    /// Lends the terminal to a shell in a container and takes it back; why the console ends, if it does.
    ///
    /// Nothing reads the engine's events meanwhile, and what operations tell is still taken in.
    pub(super) async fn shell(&mut self, engine: EngineId, container: &ContainerId, name: String) -> Option<Why> {
        let size = crossterm::terminal::size().unwrap_or(self.model.size);
        let opened = tokio::select! {
            opened = self.bridge.shell(engine, container, size) => opened,
            number = self.signals.end() => return Some(Why::Signal(number)),
            () = fault::happened() => return Some(Why::Fault),
        };
        let shell = match opened {
            Ok(shell) => shell,
            Err(why) => {
                self.take(Msg::ShellEnded { name, how: Err(why) });
                return None;
            }
        };
        self.bridge.let_go().await;
        self.keys.lend();
        terminal::restore();
        let (why, how) = self.in_shell(shell, &name).await;
        self.keys.take();
        if why.is_some() {
            return why;
        }
        self.bridge.watch();
        self.take(Msg::LogsCut);
        self.take(Msg::ShellEnded { name, how });
        if self.screen.enter().is_err() {
            return Some(Why::HungUp);
        }
        self.measure();
        None
    }

    async fn in_shell(&mut self, shell: Shell, name: &str) -> (Option<Why>, Result<Option<i64>, String>) {
        /// ctrl-], as telnet has it: for a shell that does not answer any more.
        const LEAVE: u8 = 0x1d;
        let Shell { mut output, mut input, size } = shell;
        let mut raw = match Raw::begin() {
            Ok(raw) => raw,
            Err(error) => return (None, Err(format!("the terminal can't be lent: {error}"))),
        };
        let greeting = format!("a shell in {name}; exit, or ctrl-], comes back to pitstop\r\n");
        if Raw::show(greeting.as_bytes()).is_err() {
            return (Some(Why::HungUp), Ok(None));
        }
        // What it has not taken yet. An engine whose output nobody reads takes no input either, so neither waits for the other.
        let mut unsent: Option<Vec<u8>> = None;
        loop {
            tokio::select! {
                chunk = output.next() => match chunk {
                    Some(Ok(bytes)) => {
                        if Raw::show(&bytes).is_err() {
                            return (Some(Why::HungUp), Ok(None));
                        }
                    }
                    Some(Err(error)) => return (None, Err(error.to_string())),
                    None => return (None, Ok(size.code().await)),
                },
                typed = raw.typed.recv() => {
                    let Some(typed) = typed else { return (Some(Why::HungUp), Ok(None)) };
                    if typed.contains(&LEAVE) {
                        return (None, Ok(None));
                    }
                    unsent.get_or_insert_default().extend(typed);
                }
                sent = send(&mut input, unsent.as_deref().unwrap_or_default()), if unsent.is_some() => match (sent, &mut unsent) {
                    (Ok(Sent::Some(count)), Some(unsent)) => drop(unsent.drain(..count)),
                    (Ok(_), unsent) => *unsent = None,
                    (Err(error), _) => return (None, Err(format!("the shell in {name} is gone: {error}"))),
                },
                number = self.signals.next() => match number {
                    SIGWINCH => {
                        if let Ok(now) = crossterm::terminal::size() {
                            size.resize(now).await;
                        }
                    }
                    SIGTSTP | SIGCONT => {}
                    number => return (Some(Why::Signal(number)), Ok(None)),
                },
                Some(msg) = self.inbox.recv() => self.take(msg),
                () = fault::happened() => return (Some(Why::Fault), Ok(None)),
            }
        }
    }
}

/// What has become of something to be sent.
enum Sent {
    /// So many bytes were taken.
    Some(usize),
    /// All of it is on its way.
    All,
}

/// Sends what can be sent now; nothing is lost where it is not waited for.
async fn send(input: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<Sent> {
    if bytes.is_empty() {
        return input.flush().await.map(|()| Sent::All);
    }
    match input.write(bytes).await? {
        0 => Err(io::ErrorKind::WriteZero.into()),
        count => Ok(Sent::Some(count)),
    }
}
