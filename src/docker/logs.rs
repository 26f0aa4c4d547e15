//! The lines a container wrote.

use super::client::{Docker, LIST, late};
use super::error::{DockerError, Failure};
use super::lines::{Framing, Line, Lines};
use crate::domain::clean::Clean;
use crate::domain::ids::ContainerId;
use crate::domain::painted::{Paint, Painted};
use bollard::errors::Error as ClientError;
use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt};
use jiff::Timestamp;
use std::fmt::Write as _;

/// Which lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogOptions {
    /// Go on with what is written from now on, until the container ends.
    pub follow: bool,
    /// Only the last so many.
    pub tail: Option<u32>,
    pub since: Option<Timestamp>,
    /// Fill in [`LogLine::at`].
    pub timestamps: bool,
}

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    pub stderr: bool,
    /// When the engine got it.
    pub at: Option<Timestamp>,
    pub text: Clean,
    /// Its colours: from which byte of the text on.
    pub paints: Vec<(usize, Paint)>,
}

/// Lines as they come; the first error is the last item. Dropping it closes the connection.
pub type LogStream = BoxStream<'static, Result<LogLine, DockerError>>;

struct Reader {
    name: String,
    bytes: BoxStream<'static, Result<Bytes, ClientError>>,
    lines: Lines,
    follow: bool,
    timestamps: bool,
    ended: bool,
}

impl Docker {
    /// The container's log.
    pub async fn logs(&self, id: &ContainerId, options: LogOptions) -> Result<LogStream, DockerError> {
        let Some(seen) = self.inspect(id).await? else {
            return Err(DockerError::new("logs of", &self.name(id), Failure::NotFound, "this container is gone"));
        };
        let tty = seen.detail.is_some_and(|detail| detail.tty);
        let reader = Reader {
            name: self.name(id),
            // Not the library's own request: it guesses the framing from the bytes.
            bytes: self.raw(&path(id, &options)).boxed(),
            lines: Lines::new(if tty { Framing::Plain } else { Framing::Frames }),
            follow: options.follow,
            timestamps: options.timestamps,
            ended: false,
        };
        Ok(stream::unfold(reader, |mut reader| async { Some((reader.next().await?, reader)) }).boxed())
    }
}

fn path(id: &ContainerId, options: &LogOptions) -> String {
    let (follow, timestamps) = (options.follow, options.timestamps);
    let mut path = format!("/containers/{id}/logs?stdout=true&stderr=true&follow={follow}&timestamps={timestamps}");
    if let Some(tail) = options.tail {
        let _ = write!(path, "&tail={tail}");
    }
    if let Some(since) = options.since {
        let nanos = since.subsec_nanosecond().max(0);
        let _ = write!(path, "&since={}.{nanos:09}", since.as_second());
    }
    path
}

impl Reader {
    async fn next(&mut self) -> Option<Result<LogLine, DockerError>> {
        loop {
            if let Some(line) = self.lines.pop() {
                return Some(Ok(self.read(&line)));
            }
            if self.ended {
                return None;
            }
            let chunk = if self.follow {
                self.bytes.next().await
            } else {
                match tokio::time::timeout(LIST, self.bytes.next()).await {
                    Ok(chunk) => chunk,
                    Err(_) => return self.fail(late("logs of", &self.name, LIST)),
                }
            };
            match chunk {
                None => {
                    self.lines.end();
                    self.ended = true;
                }
                Some(Ok(bytes)) => {
                    if let Err(words) = self.lines.feed(&bytes) {
                        return self.fail(DockerError::new("logs of", &self.name, Failure::Broken, &words));
                    }
                }
                Some(Err(error)) => return self.fail(DockerError::of_client("logs of", &self.name, &error)),
            }
        }
    }

    #[expect(clippy::unnecessary_wraps, reason = "the stream's own shape")]
    fn fail(&mut self, error: DockerError) -> Option<Result<LogLine, DockerError>> {
        self.ended = true;
        Some(Err(error))
    }

    fn read(&self, (stderr, bytes): &Line) -> LogLine {
        let text = String::from_utf8_lossy(bytes);
        let (at, text) = match text.split_once(' ').filter(|_| self.timestamps) {
            Some((moment, rest)) => match moment.parse() {
                Ok(at) => (Some(at), rest),
                Err(_) => (None, &*text),
            },
            // An empty line is its time alone.
            None if self.timestamps => text.trim_end().parse().map_or((None, &*text), |at| (Some(at), "")),
            None => (None, &*text),
        };
        let Painted { text, paints } = Painted::new(text);
        LogLine { stderr: *stderr, at, text, paints }
    }
}
