//! What went wrong between us and the engine, in words for the person who has to act.
//!
//! Names the operation and its subject, keeps the engine's own words, and says what kind of failure it is; never the
//! client library's text alone. Must not decide what follows from it.

use crate::domain::clean::Clean;
use bollard::errors::Error as ClientError;
use std::error::Error as StdError;
use std::fmt;
use std::io;

/// The operation of everything that happens before an engine has answered.
pub(super) const CONNECT: &str = "connect to";

/// A failed request to the engine. Shown as `start shop-web-1.r2: the engine said "…" (400)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DockerError {
    /// What was asked: `start`, `create sandbox`, `pull` …
    pub operation: &'static str,
    /// Of whom: a name, an image reference, an engine's address.
    pub subject: Clean,
    pub failure: Failure,
    /// The engine's own words, or what happened on the way.
    pub message: Clean,
    /// HTTP status, where the engine answered with one.
    pub status: Option<u16>,
    /// What to do about it, where more is known than the kind of failure.
    pub(super) hint: Option<String>,
}

/// Kinds of failure that need different reactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Failure {
    /// There is no socket at that path, or no such host.
    NoSocket,
    /// The socket, or a directory above it, is not ours to open.
    Permission,
    /// A socket is there, but nobody listens.
    Refused,
    /// Somebody answers, but not like a Docker Engine.
    NotAnEngine,
    /// No API version in common.
    UnsupportedApi,
    NotFound,
    Conflict,
    BadRequest,
    /// 401 and 403: the engine, a registry or a proxy does not allow this.
    Denied,
    /// 5xx.
    Server,
    /// A registry limits pulls, or has a fault of its own: it may be otherwise a moment later.
    Busy,
    /// Our own deadline passed.
    Timeout,
    /// The connection broke, or the answer could not be read.
    Broken,
    /// Never sent: what was asked for makes no sense to this build or this engine.
    Invalid,
}

impl DockerError {
    /// An error of our own making.
    pub fn new(operation: &'static str, subject: &str, failure: Failure, message: &str) -> Self {
        let (subject, message) = (Clean::new(subject), Clean::new(message));
        Self { operation, subject, failure, message, status: None, hint: None }
    }

    /// The same with advice.
    pub(super) fn advise(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// What was there a moment ago is not there any more.
    pub fn vanished(operation: &'static str, subject: &str) -> Self {
        Self::new(operation, subject, Failure::NotFound, "it was there a moment ago and is gone: somebody removed it")
    }

    /// The engine went away before the outcome could be told.
    #[must_use]
    pub fn unknown(mut self) -> Self {
        self.message = Clean::new(&format!(
            "{}; the engine did not come back in time, so what became of this is unknown",
            self.message
        ));
        self.advise("run the same command again when the engine is back: it begins with what is there then")
    }

    /// The client library's error, translated.
    pub(super) fn of_client(operation: &'static str, subject: &str, error: &ClientError) -> Self {
        if let Some(ours) = of_ours(error) {
            return Self { operation, subject: Clean::new(subject), ..ours.clone() };
        }
        let new = |failure, message: &str| Self::new(operation, subject, failure, message);
        match error {
            ClientError::DockerResponseServerError { status_code, message } => {
                // Podman says so with status 500.
                let gone = *status_code == 500 && message.contains("no such container");
                let failure = if gone { Failure::NotFound } else { of_status(*status_code) };
                let mut answer = new(failure, message);
                answer.status = Some(*status_code);
                answer
            }
            ClientError::DockerStreamError { error } => new(of_registry_words(error), error),
            ClientError::DockerContainerWaitError { error, .. } => new(Failure::Server, error),
            ClientError::JsonDataError { message, .. } => {
                new(Failure::Broken, &format!("the answer could not be read: {message}"))
            }
            ClientError::JsonSerdeError { err } => {
                new(Failure::Broken, &format!("the answer could not be read: {err}"))
            }
            ClientError::SocketNotFoundError(path) => new(Failure::NoSocket, &format!("there is no socket at {path}")),
            ClientError::UnsupportedURISchemeError { uri } => {
                new(Failure::Invalid, &format!("this build can't connect to {uri}"))
            }
            ClientError::RequestTimeoutError => new(Failure::Timeout, "no answer in time"),
            other => {
                let (failure, words) = of_sources(other);
                new(failure, &words)
            }
        }
    }

    /// The engine can't be reached or talked to at all: exit code 3.
    pub fn is_unreachable(&self) -> bool {
        match self.failure {
            Failure::NoSocket
            | Failure::Permission
            | Failure::Refused
            | Failure::NotAnEngine
            | Failure::UnsupportedApi => true,
            Failure::Invalid => false,
            // An engine that never said who it is.
            _ => self.operation == CONNECT,
        }
    }

    /// No answer, or none that can be read; 502 to 504 are a gateway's words for the same.
    pub fn is_lost(&self) -> bool {
        matches!(self.failure, Failure::NoSocket | Failure::Refused | Failure::Timeout | Failure::Broken)
            || matches!(self.status, Some(502..=504))
    }

    /// What a change did can't be told from this: look again before doing anything else.
    pub fn is_unknown_outcome(&self) -> bool {
        matches!(self.failure, Failure::Server | Failure::Timeout | Failure::Broken)
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        let words = self.message.to_lowercase();
        let known = if words.contains("no space left on device") {
            "the engine's disk is full: free space there (`docker system df` shows what takes it), then try again"
        } else if words.contains("address already in use") {
            "another container took the pinned address while this one was down: `docker network inspect NETWORK` names it; \
             stop that one, then start this one again"
        } else if words.contains("non-overlapping") && words.contains("pool") {
            "the engine has no subnet left: `docker network prune` removes unused networks; or give the network a subnet in \
             the file (`ipam`)"
        } else if words.contains("port is already allocated") {
            "another container or program on the engine's machine has that host port: `docker ps` and `ss -ltnp` name it"
        } else if words.contains("toomanyrequests") {
            "the registry limits pulls: log in with `docker login`, or wait"
        } else if words.contains("no basic auth credentials") || words.contains("unauthorized") {
            "the registry wants a login: `docker login REGISTRY`"
        } else {
            match self.failure {
                Failure::NoSocket | Failure::Refused => {
                    "is the Docker Engine running? `sudo systemctl start docker` starts it; --host or --context name another"
                }
                Failure::NotAnEngine => {
                    "is --host or DOCKER_HOST right? something else than a Docker Engine answers there"
                }
                Failure::Timeout if self.operation == CONNECT => {
                    "is the engine still starting, or stuck? `systemctl status docker` and `journalctl -u docker` tell"
                }
                _ => return self.hint.clone(),
            }
        };
        Some(self.hint.clone().unwrap_or_else(|| known.to_owned()))
    }
}

fn of_status(status: u16) -> Failure {
    match status {
        401 | 403 => Failure::Denied,
        404 => Failure::NotFound,
        409 => Failure::Conflict,
        500.. => Failure::Server,
        _ => Failure::BadRequest,
    }
}

/// A registry's refusals come as text: as status 500, or as a line in the middle of a pull.
pub(super) fn of_registry_words(words: &str) -> Failure {
    let words = words.to_lowercase();
    let any = |list: &[&str]| list.iter().any(|part| words.contains(part));
    if any(&["manifest unknown", "not found", "name unknown", "does not exist"]) {
        Failure::NotFound
    } else if any(&["toomanyrequests", "too many requests", "unexpected http status: 5", "bad gateway"])
        || any(&["service unavailable", "gateway time", "internal server error", "i/o timeout", "handshake timeout"])
        || any(&["unexpected eof", "connection reset", "parsing http 5", "parsing http 429"])
    {
        Failure::Busy
    } else if any(&["no basic auth credentials", "unauthorized", "denied", "authentication required", "forbidden"])
        || any(&["parsing http 401", "parsing http 403"])
    {
        Failure::Denied
    } else {
        Failure::Server
    }
}

/// An error of ours that passed through the library: the way to the engine could not be opened.
fn of_ours(error: &ClientError) -> Option<&DockerError> {
    sources(error).find_map(|source| source.downcast_ref())
}

/// The error and what it is made of, the outermost first. An I/O error made of another one hides that from `source`.
pub(super) fn sources(error: &ClientError) -> impl Iterator<Item = &(dyn StdError + 'static)> {
    let first: &(dyn StdError + 'static) = match error {
        ClientError::IOError { err } => err,
        other => other,
    };
    std::iter::successors(Some(first), |error: &&'_ (dyn StdError + 'static)| below(*error))
}

/// Whether the connection ended before the answer did.
pub(super) fn was_cut(error: &ClientError) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    sources(error).any(|source| {
        let closed = source
            .downcast_ref::<hyper::Error>()
            .is_some_and(|error| error.is_incomplete_message() || error.is_canceled());
        let kind = source.downcast_ref::<io::Error>().map(io::Error::kind);
        closed
            || kind.is_some_and(|kind| [BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof].contains(&kind))
    })
}

fn below<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
    let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    inner.map(|inner| inner as &(dyn StdError + 'static)).or_else(|| error.source())
}

/// What the operating system or the HTTP library says at the bottom of an error.
fn of_sources(error: &ClientError) -> (Failure, String) {
    let mut words = error.to_string();
    for cause in sources(error) {
        words = cause.to_string();
        let io = cause.downcast_ref::<io::Error>();
        if let Some(failure) = io.and_then(|io| of_kind(io.kind())) {
            return (failure, words);
        }
    }
    (Failure::Broken, words)
}

fn of_kind(kind: io::ErrorKind) -> Option<Failure> {
    match kind {
        io::ErrorKind::NotFound => Some(Failure::NoSocket),
        io::ErrorKind::PermissionDenied => Some(Failure::Permission),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            Some(Failure::Refused)
        }
        _ => None,
    }
}

impl fmt::Display for DockerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: ", self.operation, self.subject)?;
        match self.status {
            Some(status) if self.message.is_empty() => write!(f, "the engine answered {status} without a word"),
            Some(status) => write!(f, "the engine said \"{}\" ({status})", self.message),
            None => write!(f, "{}", self.message),
        }
    }
}

impl std::error::Error for DockerError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status_code: u16, message: &str) -> DockerError {
        let error = ClientError::DockerResponseServerError { status_code, message: message.into() };
        DockerError::of_client("start", "shop-web-1.r2", &error)
    }

    #[test]
    fn the_engine_s_words_are_kept_and_cleaned() {
        let error = answered(400, "OCI runtime:\nexec: \u{1b}[31m\"/nope\"\u{1b}[0m not found");
        assert_eq!(
            error.to_string(),
            r#"start shop-web-1.r2: the engine said "OCI runtime: exec: "/nope" not found" (400)"#
        );
        assert_eq!(answered(502, "").to_string(), "start shop-web-1.r2: the engine answered 502 without a word");
    }

    #[test]
    fn every_status_has_its_failure() {
        for (status, want) in [
            (400, Failure::BadRequest),
            (401, Failure::Denied),
            (403, Failure::Denied),
            (404, Failure::NotFound),
            (409, Failure::Conflict),
            (422, Failure::BadRequest),
            (500, Failure::Server),
            (503, Failure::Server),
        ] {
            let error = answered(status, "x");
            assert_eq!(error.failure, want);
            assert!(!error.is_unreachable());
            assert_eq!(error.is_unknown_outcome(), status >= 500);
        }
    }

    #[test]
    fn the_system_s_reason_is_found_under_the_library_s() {
        for (kind, want) in [
            (io::ErrorKind::NotFound, Failure::NoSocket),
            (io::ErrorKind::PermissionDenied, Failure::Permission),
            (io::ErrorKind::ConnectionRefused, Failure::Refused),
            (io::ErrorKind::UnexpectedEof, Failure::Broken),
        ] {
            let nested = io::Error::other(io::Error::from(kind));
            let error = DockerError::of_client("list", "containers", &ClientError::IOError { err: nested });
            assert_eq!(error.failure, want, "{error:?}");
            assert_eq!(error.is_unreachable(), want != Failure::Broken);
        }
    }

    #[test]
    fn registries_are_understood_and_advice_is_given() {
        let stream = |error: &str| {
            DockerError::of_client("pull", "web:9", &ClientError::DockerStreamError { error: error.into() })
        };
        assert_eq!(stream("manifest for web:9 not found: manifest unknown").failure, Failure::NotFound);
        assert_eq!(stream("toomanyrequests: slow down").failure, Failure::Busy);
        assert_eq!(stream("received unexpected HTTP status: 503 Service Unavailable").failure, Failure::Busy);
        assert_eq!(stream("unauthorized: authentication required").failure, Failure::Denied);
        assert_eq!(stream("error parsing HTTP 403 response body: unexpected end").failure, Failure::Denied);
        assert_eq!(stream("no space left on device").failure, Failure::Server);
        assert!(stream("Get x: no basic auth credentials").hint().unwrap().contains("docker login"));
        assert_eq!(stream("unexpected EOF").failure, Failure::Busy);
        assert!(answered(403, "Address already in use").hint().unwrap().contains("pinned address"));
        assert!(answered(500, "write /x: no space left on device").hint().unwrap().contains("disk is full"));
        assert_eq!(answered(400, "bad parameter").hint(), None);
    }
}
