//! An engine behind ssh: one `ssh` of the system's, which leads a socket here to the engine's socket there.
//!
//! Each connection to the engine is a channel in that one ssh connection. The user's own ssh configuration, agent and
//! known hosts count. Nobody is asked anything: what ssh would ask for is an error with what to do. It begins again when
//! it has ended, and ends with this process, however that ends: its standard input is open as long as that.
//!
//! Where the sshd there does not forward sockets, each connection is an ssh of its own that runs `docker system dial-stdio`
//! there, as the docker CLI has it.

use super::dial::{Spoken, Way};
use super::error::{CONNECT, DockerError, Failure, was_cut};
use bollard::errors::Error as ClientError;
use http::Uri;
use hyper_util::rt::TokioIo;
use std::borrow::Cow;
use std::fs::DirBuilder;
use std::future::Future;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::UnixStream;
use tokio::process::{Child, ChildStderr, Command};
use tokio::sync::{Mutex, Semaphore, watch};

/// Where an engine's socket is when the address names none.
const SOCKET: &str = "/var/run/docker.sock";

/// From ssh's start until the socket leads somewhere.
const LAUNCH: Duration = Duration::from_secs(20);

/// How long ssh may take to say why a connection came to nothing.
const WORDS: Duration = Duration::from_secs(2);

/// How many ssh may begin at once.
const DOORS: usize = 4;

/// What ssh says is kept up to here.
const SAID: usize = 2000;

/// Lines from there are ours when they begin with this: a login may greet.
const MARK: &str = "pitstop-ssh ";

/// The way to an engine through ssh. Cheap to clone; the last one to go ends it.
#[derive(Clone)]
pub(super) struct Tunnel {
    to: Arc<Destination>,
    open: Arc<Mutex<Option<Open>>>,
    /// ssh has said that a connection came to nothing there: nobody listens, or sockets are not forwarded.
    refused: Arc<watch::Sender<bool>>,
    /// Each connection is a command there.
    by_command: Arc<AtomicBool>,
    /// So many log in at a time: sshd drops the eleventh.
    doors: Arc<Semaphore>,
}

/// Where an `ssh://` address leads.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Destination {
    /// As it was written, for messages.
    url: String,
    user: Option<String>,
    name: String,
    port: Option<u16>,
    socket: String,
}

/// An ssh that runs.
struct Open {
    ssh: Child,
    dir: Directory,
}

/// A directory for this user alone, and gone with this value.
struct Directory(PathBuf);

/// An address as it may be shown.
fn without_password(url: &str) -> Cow<'_, str> {
    let password = url.rsplit_once('@').and_then(|(before, host)| {
        let (user, _) = before.strip_prefix("ssh://").unwrap_or(before).split_once(':')?;
        Some(format!("ssh://{user}:•••@{host}").into())
    });
    password.unwrap_or(url.into())
}

impl Tunnel {
    /// The way to `ssh://[USER@]HOST[:PORT][/SOCKET]`; nothing is opened yet.
    pub(super) fn to(url: &str) -> Result<Self, DockerError> {
        let invalid = |words: String| DockerError::new(CONNECT, &without_password(url), Failure::Invalid, &words);
        let to = Destination::parse(url).map_err(invalid)?;
        Ok(Self {
            to: Arc::new(to),
            open: Arc::default(),
            refused: Arc::new(watch::Sender::new(false)),
            by_command: Arc::default(),
            doors: Arc::new(Semaphore::new(DOORS)),
        })
    }

    /// Takes the other way from now on, if ssh says that the first led nowhere: its words come beside the connection's end.
    pub(super) async fn turn(&self) -> bool {
        let mut refused = self.refused.subscribe();
        let said = async { refused.wait_for(|refused| *refused).await.is_ok() };
        if !matches!(tokio::time::timeout(WORDS, said).await, Ok(true)) {
            return false;
        }
        self.by_command.store(true, Ordering::Relaxed);
        *self.open.lock().await = None;
        true
    }

    /// The other way leads nowhere either.
    pub(super) fn turn_back(&self) {
        self.refused.send_replace(false);
        self.by_command.store(false, Ordering::Relaxed);
    }

    /// A connection to the engine's socket.
    async fn dial(self) -> Result<TokioIo<Way>, DockerError> {
        if self.by_command.load(Ordering::Relaxed) {
            let _door = self.doors.acquire().await;
            return Ok(TokioIo::new(Way::Command(Box::new(self.to.command().await?))));
        }
        let to = self.to.clone();
        let failed = |words: &str| DockerError::new(CONNECT, &to.url, Failure::Refused, words);
        // In a task of its own: who waits may give up before ssh is there, and the next one finds it.
        let socket =
            tokio::spawn(async move { self.socket().await }).await.map_err(|error| failed(&error.to_string()))??;
        let stream = UnixStream::connect(&socket).await.map_err(|error| failed(&format!("ssh ended: {error}")))?;
        Ok(TokioIo::new(Way::Socket(stream)))
    }

    /// The socket that leads there; starts ssh where none runs.
    async fn socket(&self) -> Result<PathBuf, DockerError> {
        let mut open = self.open.lock().await;
        if let Some(open) = open.as_mut()
            && matches!(open.ssh.try_wait(), Ok(None))
        {
            return Ok(open.dir.socket());
        }
        *open = None;
        let Ok(new) = tokio::time::timeout(LAUNCH, launch(&self.to, &self.refused)).await else {
            let words = format!("ssh to {} took longer than {} s", self.to.name, LAUNCH.as_secs());
            return Err(DockerError::new(CONNECT, &self.to.url, Failure::Timeout, &words));
        };
        Ok(open.insert(new?).dir.socket())
    }
}

impl Destination {
    fn parse(url: &str) -> Result<Self, String> {
        let rest = url.strip_prefix("ssh://").unwrap_or(url);
        let (authority, path) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        if user.is_some_and(|user| user.contains(':')) {
            return Err(
                "a password does not belong into an address: ssh takes keys from the agent and ~/.ssh".to_owned()
            );
        }
        // `[::1]:22`, `far:22`, `far`
        let (name, port) = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((name, port)) => (name, port.strip_prefix(':')),
            None => host.split_once(':').map_or((host, None), |(name, port)| (name, Some(port))),
        };
        let port = port
            .map(|port| port.parse().map_err(|_| format!("`{port}` is no port; write ssh://user@host:port")))
            .transpose()?;
        let odd =
            |text: &str| text.is_empty() || text.starts_with('-') || text.contains(|c: char| c <= ' ' || c == '\u{7f}');
        if odd(name) || user.is_some_and(odd) {
            return Err("is no address for ssh; write ssh://user@host, ssh://user@host:port or ssh://user@host/socket"
                .to_owned());
        }
        let socket = if path.trim_matches('/').is_empty() { SOCKET } else { path };
        // It becomes part of a command and of an option with colons there.
        if !socket.bytes().all(|b| b.is_ascii_alphanumeric() || b"/._-+@=,".contains(&b)) {
            return Err(format!("the socket's path {socket} has characters that can't be passed through ssh"));
        }
        let (user, name, socket) = (user.map(str::to_owned), name.to_owned(), socket.to_owned());
        Ok(Self { url: url.to_owned(), user, name, port, socket })
    }

    /// ssh's command line: a socket here leads to the one there, and a command there says whether that can be used.
    fn arguments(&self, here: &Path) -> Vec<String> {
        let socket = &self.socket;
        let mut all = Self::options();
        all.extend(["-L".to_owned(), format!("{}:{socket}", here.display())]);
        let look = format!(
            "if [ ! -S {socket} ]; then s=missing; elif [ ! -w {socket} ]; then s=denied; else s=ready; fi; \
             echo {MARK}$s; exec cat >/dev/null"
        );
        all.extend(self.place());
        all.push(format!("exec sh -c '{look}'"));
        all
    }

    /// An ssh that is itself a connection to the engine.
    async fn command(&self) -> Result<Spoken, DockerError> {
        let mut all = Self::options();
        all.extend(self.place());
        let socket = &self.socket;
        all.push(format!(
            "exec sh -c 'command -v docker >/dev/null || {{ echo {MARK}missing; exit; }}; \
             echo {MARK}ready; exec docker -H unix://{socket} system dial-stdio'"
        ));
        let fail = |words: &str| DockerError::new(CONNECT, &self.url, Failure::Refused, words);
        let mut ssh = spawn(&all).map_err(|error| fail(&format!("can't run ssh: {error}")))?;
        tokio::spawn(log(ssh.stderr.take(), Arc::default()));
        let begun = tokio::time::timeout(LAUNCH, Spoken::begin(ssh, MARK)).await;
        match begun.map_err(|_| fail("ssh was not there in time"))?.map_err(|error| fail(&format!("ssh: {error}")))? {
            Some((spoken, state)) if state == "ready" => Ok(spoken),
            Some(_) => {
                Err(fail("the sshd there forwards no sockets, and there is no docker command for the other way")
                    .advise("allow AllowStreamLocalForwarding in its sshd_config, or install the docker CLI there"))
            }
            None => Err(fail("ssh ended before it was there")),
        }
    }

    fn options() -> Vec<String> {
        let mut all: Vec<String> = ["-T", "-x", "-a"].map(str::to_owned).to_vec();
        for option in [
            "BatchMode=yes",
            "ConnectTimeout=10",
            // A connection that is dead is noticed after 15 s.
            "ServerAliveInterval=5",
            "ServerAliveCountMax=3",
            // A connection of its own: what a shared one forwards outlives us.
            "ControlMaster=no",
            "ControlPath=none",
            "ExitOnForwardFailure=no",
            "StreamLocalBindMask=0177",
            "RemoteCommand=none",
            "PermitLocalCommand=no",
            "LogLevel=INFO",
        ] {
            all.extend(["-o".to_owned(), option.to_owned()]);
        }
        all
    }

    /// Whom to log in as, at which port and where.
    fn place(&self) -> Vec<String> {
        let mut all = Vec::new();
        all.extend(self.user.iter().flat_map(|user| ["-l".to_owned(), user.clone()]));
        all.extend(self.port.iter().flat_map(|port| ["-p".to_owned(), port.to_string()]));
        all.extend(["--".to_owned(), self.name.clone()]);
        all
    }

    /// ssh ended, or said something else than what was waited for.
    fn refused(&self, said: &str) -> DockerError {
        let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("ssh ended without a word").trim();
        let error = DockerError::new(CONNECT, &self.url, Failure::Refused, &format!("ssh: {last}"));
        let any = |words: &[&str]| words.iter().any(|word| said.contains(word));
        let name = &self.name;
        if any(&["Host key verification failed", "host key"]) {
            error.advise(format!(
                "this machine does not know {name} yet, or not like this: run `ssh {name}` once and look"
            ))
        } else if any(&["Permission denied", "Too many authentication failures"]) {
            error.advise(
                "pitstop asks for no password: load the key into an agent (`ssh-add`), or name it in ~/.ssh/config; \
                 `ssh -o BatchMode=yes` must get in",
            )
        } else {
            error.advise(format!("does `ssh {name}` work? --host or --context name another engine"))
        }
    }

    /// ssh is there, and the socket is not to be used.
    fn no_socket(&self, state: &str) -> DockerError {
        let (socket, name) = (&self.socket, &self.name);
        if state == "denied" {
            let words = format!("permission denied: the user that ssh logs in as may not use {socket} on {name}");
            return DockerError::new(CONNECT, &self.url, Failure::Permission, &words)
                .advise("put that user into the group of the socket there (usually `docker`), or log in as another");
        }
        let words = format!("ssh works, but there is no socket {socket} on {name}");
        DockerError::new(CONNECT, &self.url, Failure::NoSocket, &words).advise(format!(
            "is the engine running there? one that listens elsewhere: ssh://{name}/run/user/1000/docker.sock"
        ))
    }
}

/// What a first request to `host` that failed says about ssh, if it was about that.
pub(super) fn explain(error: &ClientError, host: &str) -> Option<DockerError> {
    let words = "ssh works and the socket is there, but what was sent to it came back cut off";
    (host.starts_with("ssh://") && was_cut(error)).then(|| {
        DockerError::new(CONNECT, host, Failure::Refused, words).advise(
            "does the sshd there forward sockets? AllowStreamLocalForwarding (or DisableForwarding) in its sshd_config",
        )
    })
}

async fn launch(to: &Destination, refused: &Arc<watch::Sender<bool>>) -> Result<Open, DockerError> {
    let fail = |words: String| DockerError::new(CONNECT, &to.url, Failure::Refused, &words);
    let dir = Directory::new().map_err(|error| fail(format!("no directory for ssh's socket: {error}")))?;
    let mut ssh = spawn(&to.arguments(&dir.socket())).map_err(|error| {
        let words = format!("can't run ssh: {error}");
        fail(words).advise("install the OpenSSH client; it has to be in the PATH")
    })?;
    let (out, err) = (ssh.stdout.take(), ssh.stderr.take());
    let state = async {
        let mut lines = BufReader::new(out?).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            if let Some(state) = line.trim_end().strip_prefix(MARK) {
                return Some((state.to_owned(), lines));
            }
        }
        None
    };
    let Some((state, mut rest)) = state.await else {
        return Err(to.refused(&said(err).await));
    };
    if state != "ready" {
        return Err(to.no_socket(&state));
    }
    if !dir.socket().exists() {
        return Err(
            fail("ssh works, but opened no socket here".to_owned()).advise("does its version forward unix sockets?")
        );
    }
    // Read on, so that it never waits for a reader.
    tokio::spawn(async move { while let Ok(Some(_)) = rest.next_line().await {} });
    tokio::spawn(log(err, refused.clone()));
    Ok(Open { ssh, dir })
}

fn spawn(arguments: &[String]) -> io::Result<Child> {
    Command::new("ssh")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        // Ctrl-C is for us: what runs goes on through ssh to its safe point.
        .process_group(0)
        .spawn()
}

/// What ssh said until it ended.
async fn said(err: Option<ChildStderr>) -> String {
    let mut said = String::new();
    if let Some(err) = err {
        let mut lines = BufReader::new(err).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            if said.len() + line.len() < SAID {
                said.push_str(&line);
                said.push('\n');
            }
        }
    }
    said
}

/// Writes down what ssh says, and hears when a connection comes to nothing.
async fn log(err: Option<ChildStderr>, refused: Arc<watch::Sender<bool>>) {
    let Some(err) = err else { return };
    let mut lines = BufReader::new(err).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        // `channel 2: open failed: …`, with one reason for both.
        if line.contains(": open failed: ") {
            refused.send_replace(true);
        }
        tracing::info!("ssh: {}", crate::domain::clean::clean(&line));
    }
}

impl Directory {
    fn new() -> io::Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|dir| dir.is_dir());
        let base = runtime.unwrap_or_else(std::env::temp_dir);
        loop {
            let count = COUNT.fetch_add(1, Ordering::Relaxed);
            let dir = base.join(format!("pitstop-ssh-{}-{count}", std::process::id()));
            match DirBuilder::new().mode(0o700).create(&dir) {
                Ok(()) => return Ok(Self(dir)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && count < 1000 => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn socket(&self) -> PathBuf {
        self.0.join("s")
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl tower_service::Service<Uri> for Tunnel {
    type Response = TokioIo<Way>;
    type Error = DockerError;
    type Future = Pin<Box<dyn Future<Output = Result<TokioIo<Way>, DockerError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), DockerError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        Box::pin(self.clone().dial())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart() {
        for (url, user, name, port, socket) in [
            ("ssh://far", None, "far", None, SOCKET),
            ("ssh://ana@far", Some("ana"), "far", None, SOCKET),
            ("ssh://ana@far:2222/", Some("ana"), "far", Some(2222), SOCKET),
            ("ssh://ana@[fe80::1]:22", Some("ana"), "fe80::1", Some(22), SOCKET),
            ("ssh://far/run/user/1000/docker.sock", None, "far", None, "/run/user/1000/docker.sock"),
        ] {
            let got = Destination::parse(url).unwrap();
            assert_eq!(
                (got.user.as_deref(), got.name.as_str(), got.port, got.socket.as_str()),
                (user, name, port, socket)
            );
        }
        for url in [
            "ssh://",
            "ssh://-oProxyCommand=x",
            "ssh://-l@far",
            "ssh://ana:pw@far",
            "ssh://far:port",
            "ssh://a b",
            "ssh://far/a'b",
            "ssh://far/a:b",
            "ssh://far/$(id)",
        ] {
            assert!(Destination::parse(url).is_err(), "{url}");
        }
        let said = Tunnel::to("ssh://ana:hunter2@far:22/run/x").err().unwrap().to_string();
        assert!(said.contains("ssh://ana:•••@far:22/run/x") && !said.contains("hunter2"), "{said}");
        assert_eq!(without_password("ssh://ana@far:22"), "ssh://ana@far:22");
    }

    #[test]
    fn nothing_of_an_address_becomes_an_option_or_a_command() {
        let args = Destination::parse("ssh://ana@far:2222").unwrap().arguments(Path::new("/run/x/s"));
        let end = args.iter().position(|arg| arg == "--").unwrap();
        assert_eq!(&args[end - 4..end], ["-l", "ana", "-p", "2222"]);
        assert_eq!(args[end + 1], "far");
        assert!(args.contains(&"/run/x/s:/var/run/docker.sock".to_owned()));
    }
}
