//! A connection to an engine's socket on another machine that is an ssh of its own: `docker system dial-stdio` there, its
//! standard input and output here. Must not decide when that is needed.

use hyper_util::client::legacy::connect::{Connected, Connection};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, BufReader, ReadBuf};
use tokio::net::UnixStream;
use tokio::process::{Child, ChildStdin, ChildStdout};

/// A connection through ssh, in either way.
pub(super) enum Way {
    /// A socket here that a shared ssh leads there.
    Socket(UnixStream),
    Command(Box<Spoken>),
}

/// A command there that speaks for its socket. It ends with this value.
pub(super) struct Spoken {
    output: BufReader<ChildStdout>,
    input: ChildStdin,
    _ssh: Child,
}

impl Spoken {
    /// Of an ssh that was just started; what a login says before the line that begins with `mark` is passed over. Gives the rest
    /// of that line, too; nothing where ssh ended without it.
    pub(super) async fn begin(mut ssh: Child, mark: &str) -> io::Result<Option<(Self, String)>> {
        let (Some(output), Some(input)) = (ssh.stdout.take(), ssh.stdin.take()) else { return Ok(None) };
        let mut output = BufReader::new(output);
        let mut line = String::new();
        while output.read_line(&mut line).await? > 0 {
            if let Some(rest) = line.trim_end().strip_prefix(mark) {
                let rest = rest.to_owned();
                return Ok(Some((Self { output, input, _ssh: ssh }, rest)));
            }
            line.clear();
        }
        Ok(None)
    }
}

impl AsyncRead for Way {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Socket(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Command(spoken) => Pin::new(&mut spoken.output).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Way {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Socket(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Command(spoken) => Pin::new(&mut spoken.input).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Socket(stream) => Pin::new(stream).poll_flush(cx),
            Self::Command(spoken) => Pin::new(&mut spoken.input).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Socket(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Command(spoken) => Pin::new(&mut spoken.input).poll_shutdown(cx),
        }
    }
}

impl Connection for Way {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}
