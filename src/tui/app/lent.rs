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
use std::time::Duration;
use tokio::io::AsyncWriteExt;

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
        let shell = match self.bridge.shell(engine, container, size).await {
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
                    let sent = async {
                        input.write_all(&typed).await?;
                        input.flush().await
                    };
                    if let Err(error) = sent.await {
                        return (None, Err(format!("the shell in {name} is gone: {error}")));
                    }
                }
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
