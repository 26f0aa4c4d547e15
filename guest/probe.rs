//! One probe of a port at the loopback address, with a deadline: what a client inside the sandbox would see now.
//!
//! Loopback and not the container's address: it needs no route, is never filtered, and follows the namespace.

use crate::args::{self, Args};
use crate::sys::{self, Errno, Fd, POLLIN, POLLOUT, PollFd, SocketAddress, SocketOption};
use crate::text::Line;

/// What to probe.
pub enum Spec<'a> {
    Tcp { port: u16 },
    Http { port: u16, path: &'a [u8] },
}

impl<'a> Spec<'a> {
    /// Reads `tcp:PORT` or `http:PORT/PATH`; a missing path is `/`.
    pub fn parse(text: &'a [u8]) -> Option<Self> {
        let port = |text: &[u8]| args::number(text).and_then(|n| u16::try_from(n).ok()).filter(|n| *n > 0);
        if let Some(rest) = text.strip_prefix(b"tcp:") {
            return Some(Self::Tcp { port: port(rest)? });
        }
        let rest = text.strip_prefix(b"http:")?;
        let slash = rest.iter().position(|byte| *byte == b'/').unwrap_or(rest.len());
        let (digits, path) = rest.split_at(slash);
        // A path longer than this would not fit the request below; a space or control byte would break it.
        if path.len() > 1024 || path.iter().any(|byte| *byte <= b' ' || *byte == 0x7f) {
            return None;
        }
        Some(Self::Http { port: port(digits)?, path: if path.is_empty() { b"/" } else { path } })
    }

    fn port(&self) -> u16 {
        match self {
            Self::Tcp { port } | Self::Http { port, .. } => *port,
        }
    }
}

/// What came of a probe.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    Connected,
    Http(u16),
    Refused,
    Timeout,
    /// The connection ended before a whole status line.
    Closed,
    Reset,
    NotHttp,
    Error(Errno),
}

impl Answer {
    /// 200–399 as for Kubernetes' and most load balancers' HTTP probes.
    pub fn is_up(self) -> bool {
        matches!(self, Self::Connected | Self::Http(200..400))
    }

    /// Adds the words of `watch`'s detail column.
    pub fn describe<const N: usize>(self, line: &mut Line<N>) {
        match self {
            Self::Connected => line.push(b"connected"),
            Self::Http(status) => line.push(b"http ").number(status.into()),
            Self::Refused => line.push(b"refused"),
            Self::Timeout => line.push(b"timeout"),
            Self::Closed => line.push(b"closed"),
            Self::Reset => line.push(b"reset"),
            Self::NotHttp => line.push(b"not http"),
            Self::Error(error) => line.push(b"error ").number(error.0 as u64),
        };
    }

    fn failed(error: Errno) -> Self {
        match error {
            Errno::ECONNREFUSED => Self::Refused,
            Errno::ECONNRESET => Self::Reset,
            other => Self::Error(other),
        }
    }
}

/// Whoever reads our output: every wait of a watcher is cut short, and the process ended, when they are gone.
pub struct Leash {
    /// Poll stdin too: readable or closed means gone.
    pub stdin: bool,
    /// End of the watcher's life, on [`sys::now_us`]'s clock.
    pub life_us: u64,
}

impl Leash {
    /// Waits for `events` on `fd` until `until_us`; false where the time is over. Does not return when the reader is gone.
    fn wait_for(&self, fd: i32, events: i16, until_us: u64) -> bool {
        loop {
            let stdin = if self.stdin { PollFd::new(0, POLLIN) } else { PollFd::UNUSED };
            // No events asked of stdout: an error (its reader closed) is always reported.
            let mut fds = [PollFd::new(fd, events), stdin, PollFd::new(1, 0)];
            sys::poll(&mut fds, until_us.min(self.life_us));
            let now = sys::now_us();
            if fds[1].revents != 0 || fds[2].revents != 0 || now >= self.life_us {
                sys::exit(0)
            }
            if fds[0].revents != 0 {
                return true;
            }
            if now >= until_us {
                return false;
            }
        }
    }

    /// Sleeps until `until_us`.
    pub fn sleep(&self, until_us: u64) {
        self.wait_for(-1, 0, until_us);
    }
}

/// `probe`: asks once and says what came of it; for health checks and hooks of images that have no shell.
pub fn run(mut args: Args) -> ! {
    let what = args.next().unwrap_or_else(|| args::usage(b"needs what to probe", b"probe"));
    let spec = Spec::parse(what).unwrap_or_else(|| args::usage(b"not tcp:PORT or http:PORT/PATH", what));
    let second = 1_000_000;
    let leash = Leash { stdin: false, life_us: sys::now_us() + 2 * second };
    let (answer, _) = probe(&spec, &leash, second);
    let mut line = Line::<64>::new();
    answer.describe(&mut line);
    line.push(b"\n");
    let _ = sys::write(1, line.bytes());
    sys::exit(i32::from(!answer.is_up()))
}

/// Probes once, within `timeout_us`: 127.0.0.1, and `::1` where that refuses. Gives the answer and the moment of it.
pub fn probe(spec: &Spec<'_>, leash: &Leash, timeout_us: u64) -> (Answer, u64) {
    let until = sys::now_us() + timeout_us;
    let first = attempt(spec, &SocketAddress::v4([127, 0, 0, 1], spec.port()), leash, until);
    if first.0 != Answer::Refused {
        return first;
    }
    match attempt(spec, &SocketAddress::v6(1, spec.port()), leash, until) {
        // No IPv6 in this namespace: the first answer says what matters.
        (Answer::Error(_), _) => first,
        second => second,
    }
}

fn attempt(spec: &Spec<'_>, address: &SocketAddress, leash: &Leash, until_us: u64) -> (Answer, u64) {
    let socket = match connect(address, spec.port(), leash, until_us) {
        Ok(socket) => socket,
        Err(answer) => return (answer, sys::now_us()),
    };
    let answer = match spec {
        Spec::Tcp { .. } => Answer::Connected,
        Spec::Http { path, .. } => request(&socket, path, leash, until_us),
    };
    let at = sys::now_us();
    if matches!(answer, Answer::Http(_)) {
        drain(&socket, leash, at);
    }
    (answer, at)
}

fn connect(address: &SocketAddress, port: u16, leash: &Leash, until_us: u64) -> Result<Fd, Answer> {
    let socket = sys::tcp_socket(address).map_err(Answer::failed)?;
    // 500 probes a second would leave 30 000 ports in TIME_WAIT: more than there are.
    sys::set_option(&socket, SocketOption::LINGER, &[1, 0]);
    match sys::connect(&socket, address) {
        Ok(()) => {}
        Err(Errno::EINPROGRESS) => {
            if !leash.wait_for(socket.raw(), POLLOUT, until_us) {
                return Err(Answer::Timeout);
            }
            sys::connect_result(&socket).map_err(Answer::failed)?;
        }
        Err(error) => return Err(Answer::failed(error)),
    }
    // With nobody listening, a socket that happens to be given the very port it asks for connects to itself.
    if sys::local_port(&socket) == port { Err(Answer::Refused) } else { Ok(socket) }
}

fn request(socket: &Fd, path: &[u8], leash: &Leash, until_us: u64) -> Answer {
    let mut line = Line::<1280>::new();
    line.push(b"GET ").push(path);
    line.push(b" HTTP/1.1\r\nHost: localhost\r\nUser-Agent: pitstop\r\nAccept: */*\r\nConnection: close\r\n\r\n");
    // A fresh connection's send buffer takes this in one piece.
    if let Err(error) = sys::write(socket.raw(), line.bytes()) {
        return Answer::failed(error);
    }
    // "HTTP/1.1 200" is all that is needed.
    let mut head = [0_u8; 12];
    let mut len = 0;
    while len < head.len() {
        if !leash.wait_for(socket.raw(), POLLIN, until_us) {
            return Answer::Timeout;
        }
        match sys::read(socket, &mut head[len..]) {
            Ok(0) => return Answer::Closed,
            Ok(count) => len += count,
            Err(Errno::EAGAIN | Errno::EINTR) => {}
            Err(error) => return Answer::failed(error),
        }
    }
    match (head.starts_with(b"HTTP/1."), args::number(&head[9..])) {
        (true, Some(status)) => Answer::Http(status as u16),
        _ => Answer::NotHttp,
    }
}

/// Reads the rest of an answer, so that closing does not cut a server off in the middle of its own writing, which
/// it would log as an error; gives up on a long or slow one.
fn drain(socket: &Fd, leash: &Leash, at_us: u64) {
    let mut scratch = [0_u8; 2048];
    for _ in 0..64 {
        if !leash.wait_for(socket.raw(), POLLIN, at_us + 20_000)
            || matches!(sys::read(socket, &mut scratch), Ok(0) | Err(_))
        {
            return;
        }
    }
}
