//! The door of a running operation: a socket beside its record, through which other terminals of the same user say go, pause,
//! abort.
//!
//! `$XDG_STATE_HOME/pitstop/OP.sock`, for this user alone: by its mode, by the directory's, and because the kernel tells who
//! calls. An operation without it runs as well; a disk that stands still holds nothing up. Must not decide what an order does.

use super::record::Records;
use super::request::Command;
use super::who;
use crate::domain::control::{Ask, MAX_LINE, Order, Reply, line};
use crate::domain::ids::OpId;
use rustix::fs::{AtFlags, Mode, unlinkat};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::PathBuf;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

/// How long a caller may take to say what it wants, and the operation to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Before it listens again where it could not.
const AGAIN: Duration = Duration::from_millis(100);
/// How long the end of an operation waits for the socket to go.
const CLOSING: Duration = Duration::from_secs(2);

/// An open door.
pub(super) struct Door {
    close: oneshot::Sender<()>,
    open: JoinHandle<()>,
}

/// Why an operation can't be spoken to.
#[derive(Debug, thiserror::Error)]
pub enum Unheard {
    /// Nobody is there.
    #[error("no operation listens there")]
    Nobody,
    #[error("{0}")]
    Failed(String),
}

impl Door {
    /// Opens it in the background; what is asked there goes to `commands`. Why it can't be opened goes to `failed`.
    pub fn open(
        records: Records,
        op: OpId,
        commands: mpsc::UnboundedSender<Command>,
        failed: impl FnOnce(String) + Send + 'static,
    ) -> Self {
        let (close, closed) = oneshot::channel();
        let open = tokio::spawn(async move {
            let made = tokio::task::spawn_blocking(move || Socket::make(&records, &op)).await;
            let socket = match made {
                Ok(Ok(socket)) => socket,
                Ok(Err(why)) => return failed(why),
                Err(_) => return,
            };
            tokio::select! {
                () = answer_all(&socket.listener, &commands) => {}
                // Also when it was dropped: nobody is left to answer.
                _ = closed => {}
            }
            let _ = tokio::task::spawn_blocking(move || drop(socket)).await;
        });
        Self { close, open }
    }

    /// Closes it; the socket is gone then, if the disk lets it.
    pub async fn close(self) {
        let _ = self.close.send(());
        let _ = tokio::time::timeout(CLOSING, self.open).await;
    }
}

/// The socket, gone when dropped.
struct Socket {
    listener: UnixListener,
    directory: OwnedFd,
    name: String,
}

impl Socket {
    fn make(records: &Records, op: &OpId) -> Result<Self, String> {
        let directory = records.open(true).map_err(|error| error.to_string())?;
        let name = name(op);
        let path = path(records, &directory, &name);
        let shown = records.directory().join(&name);
        let wrong = |error: io::Error| format!("{}: {error}", shown.display());
        let listener = UnixListener::bind(&path).map_err(wrong)?;
        let socket = Self { listener, directory, name };
        rustix::fs::chmod(&path, Mode::RUSR | Mode::WUSR).map_err(|error| wrong(error.into()))?;
        Ok(socket)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let _ = unlinkat(&self.directory, &self.name, AtFlags::empty());
    }
}

/// Removes the sockets of operations whose console died. Blocks on the disk; nobody waits for it.
pub(super) fn sweep(records: &Records) {
    let (Ok(directory), Ok(entries)) = (records.open(false), std::fs::read_dir(records.directory())) else { return };
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    for name in names.filter(|name| name.strip_suffix(END).is_some_and(|op| OpId::new(op).is_ok())) {
        let refused = std::os::unix::net::UnixStream::connect(path(records, &directory, &name))
            .is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused);
        if refused {
            let _ = unlinkat(&directory, &name, AtFlags::empty());
        }
    }
}

/// How the sockets' names end, after the operation's id.
const END: &str = ".sock";

fn name(op: &OpId) -> String {
    format!("{op}{END}")
}

/// The kernel takes 107 bytes at most; a longer way goes through the open directory.
fn path(records: &Records, directory: &OwnedFd, name: &str) -> PathBuf {
    let path = records.directory().join(name);
    if path.as_os_str().len() < 100 {
        return path;
    }
    PathBuf::from(format!("/proc/self/fd/{}/{name}", directory.as_raw_fd()))
}

/// One caller after the other; each is this user's, so none has a reason to be slow.
async fn answer_all(listener: &UnixListener, commands: &mpsc::UnboundedSender<Command>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let _ = tokio::time::timeout(PATIENCE, answer(stream, commands)).await;
            }
            Err(error) => {
                // As with too many open files: it passes.
                tracing::warn!("an operation's socket can't be listened at: {error}");
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
}

async fn answer(stream: UnixStream, commands: &mpsc::UnboundedSender<Command>) -> io::Result<()> {
    let (caller, me) = (stream.peer_cred()?.uid(), rustix::process::geteuid().as_raw());
    if caller != me && caller != 0 {
        return Ok(());
    }
    let (reader, mut writer) = stream.into_split();
    let mut asked = Vec::new();
    BufReader::new(reader).take(MAX_LINE).read_until(b'\n', &mut asked).await?;
    let reply = match Ask::read(&asked) {
        Ok(Ask { order, by, .. }) => {
            let (reply, replied) = oneshot::channel();
            let _ = commands.send(Command { order, by: Some(by), reply: Some(reply) });
            replied.await.unwrap_or_else(|_| Reply::no("it has just ended"))
        }
        Err(why) => Reply::no(why),
    };
    writer.write_all(&line(&reply)).await
}

/// Says `order` to an operation that runs in another process, and waits for its answer.
pub async fn say(records: &Records, op: &OpId, order: Order) -> Result<Reply, Unheard> {
    let failed = |why: String| Unheard::Failed(why);
    let (records, op) = (records.clone(), op.clone());
    let opened = tokio::task::spawn_blocking(move || {
        let directory = records.open(false).map_err(|error| error.to_string())?;
        Ok::<_, String>((path(&records, &directory, &name(&op)), directory))
    });
    // The directory stays open as long as the way leads through it.
    let (path, _directory) = opened.await.map_err(|error| failed(error.to_string()))?.map_err(failed)?;
    let talk = async {
        let mut stream = UnixStream::connect(&path).await?;
        stream.write_all(&line(&Ask::new(order, who::am_i()))).await?;
        let mut said = Vec::new();
        BufReader::new(stream).take(MAX_LINE).read_until(b'\n', &mut said).await?;
        Ok::<_, io::Error>(said)
    };
    match tokio::time::timeout(PATIENCE, talk).await {
        Ok(Ok(said)) => Reply::read(&said).ok_or_else(|| failed("it ended without an answer".into())),
        Ok(Err(error)) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
            Err(Unheard::Nobody)
        }
        Ok(Err(error)) => Err(failed(error.to_string())),
        Err(_) => Err(failed(format!("no answer within {} s: it may have been stopped", PATIENCE.as_secs()))),
    }
}
