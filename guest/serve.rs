//! `serve`: a small web server that says which version it is, for the demo, the measurements and the tests.
//!
//! ```text
//! GET /             TEXT                     GET /hostname     this UTS namespace's hostname
//! GET /health       ok                       GET /env/NAME     the environment variable, or 404
//! GET /file/NAME    the file DIR/NAME        PUT /file/NAME    stores the body there (64 KiB at most)
//! GET /slow/MS      TEXT after MS milliseconds
//! ```
//!
//! It ends at once when asked to; with `--linger-ms` it leaves its port at once, and ends so much later, as servers do that finish
//! what they have begun. It misbehaves on request: boots slowly, ends by itself, ignores SIGTERM, never listens, takes more and more memory,
//! says 500 at `/health` for a while. One loop over `ppoll`
//! serves all connections, each with a deadline, so that a stuck client holds nobody up.

use core::cell::UnsafeCell;

use crate::args::{self, Args};
use crate::http::{self, BODY_MAX, BUFFER, HEAD_MAX, Request, Status};
use crate::signals::{Asked, Signals};
use crate::sys::{self, Errno, Fd, Open, POLLIN, POLLOUT, PollFd, SocketAddress, SocketOption};
use crate::text::Line;

const CONNECTIONS: usize = 32;
/// How long a client may take to send its request.
const READ_US: u64 = 500_000;
/// How long a client may take to read its answer.
const WRITE_US: u64 = 2_000_000;
const DAY_MS: u64 = 86_400_000;

struct Options {
    text: &'static [u8],
    data: &'static [u8],
    ignore_term: bool,
    /// How long it goes on with what it has when it is asked to end.
    linger_us: u64,
    /// When to end by itself, on [`sys::now_us`]'s clock.
    exit_at: u64,
    exit_code: i32,
    /// From when until when it is not in health.
    sick: (u64, u64),
    environment: Args,
}

/// A client: reading until the request is whole, then writing `buffer[at..len]`.
struct Connection {
    socket: Option<Fd>,
    writing: bool,
    /// When the answer may begin to be written.
    from: u64,
    deadline: u64,
    at: usize,
    len: usize,
    buffer: [u8; BUFFER],
}

impl Connection {
    const NONE: Self = Self { socket: None, writing: false, from: 0, deadline: 0, at: 0, len: 0, buffer: [0; BUFFER] };
}

/// Two megabytes of zeros that cost memory only where touched, unlike the stack, which would be written at start.
struct Table(UnsafeCell<[Connection; CONNECTIONS]>);
// SAFETY: there is one thread.
unsafe impl Sync for Table {}
static TABLE: Table = Table(UnsafeCell::new([Connection::NONE; CONNECTIONS]));

/// Serves until SIGTERM, SIGINT or `--exit-after-ms`.
pub fn run(mut args: Args) -> ! {
    let started = sys::now_us();
    let port = args.number(b"PORT", u64::from(u16::MAX)) as u16;
    let text = args.value(b"TEXT");
    let mut options = Options {
        text,
        data: b"/data",
        ignore_term: false,
        linger_us: 0,
        exit_at: u64::MAX,
        exit_code: 0,
        sick: (u64::MAX, u64::MAX),
        environment: args,
    };
    let (mut boot, mut listens, mut memory) = (0, true, 0);
    while let Some(option) = args.next() {
        match option {
            b"--boot-ms" => boot = args.number(option, DAY_MS) * 1000,
            b"--exit-after-ms" => options.exit_at = started + args.number(option, DAY_MS) * 1000,
            b"--exit-code" => options.exit_code = args.number(option, 255) as i32,
            b"--sick-from-ms" => options.sick.0 = started + args.number(option, DAY_MS) * 1000,
            b"--sick-until-ms" => options.sick.1 = started + args.number(option, DAY_MS) * 1000,
            b"--take-mb" => memory = args.number(option, 1024) as usize,
            b"--ignore-term" => options.ignore_term = true,
            b"--linger-ms" => options.linger_us = args.number(option, DAY_MS) * 1000,
            b"--never-listen" => listens = false,
            b"--data" => options.data = args.value(option),
            other => args::usage(b"unknown option of serve", other),
        }
    }
    let signals = Signals::block();
    let boots_until = if listens { started + boot } else { u64::MAX };
    while sys::now_us() < boots_until {
        sys::poll(&mut [PollFd::new(signals.fd(), POLLIN)], boots_until.min(options.exit_at));
        if asked_to_end(&mut options, &signals) {
            sys::exit(0)
        }
    }
    for _ in 0..memory {
        sys::take_memory(1 << 20);
    }
    let listener = listen(port).unwrap_or_else(|error| cannot_listen(port, error));
    let mut line = Line::<512>::new();
    line.push(b"serving ").push(text).push(b" on ").number(port.into()).push(b"\n");
    let _ = sys::write(1, line.bytes());
    serve(&mut options, &signals, listener)
}

/// Ends when it is due; true where it is asked to end and may take its time.
fn asked_to_end(options: &mut Options, signals: &Signals) -> bool {
    let asked = match signals.take() {
        Asked::Interrupt => true,
        Asked::Terminate => !options.ignore_term,
        _ => false,
    };
    if asked && options.linger_us == 0 {
        sys::exit(0)
    }
    if asked {
        (options.exit_at, options.exit_code) = (sys::now_us() + options.linger_us, 0);
    }
    if sys::now_us() >= options.exit_at {
        sys::exit(options.exit_code)
    }
    asked
}

/// Every address of both families; IPv4 alone in a namespace without IPv6.
fn listen(port: u16) -> sys::Result<Fd> {
    let on = |address: SocketAddress| {
        let socket = sys::tcp_socket(&address)?;
        sys::set_option(&socket, SocketOption::REUSE_ADDRESS, &[1]);
        sys::set_option(&socket, SocketOption::IPV6_ONLY, &[0]);
        sys::bind(&socket, &address)?;
        sys::listen(&socket)?;
        Ok(socket)
    };
    on(SocketAddress::v6(0, port)).or_else(|_: Errno| on(SocketAddress::v4([0; 4], port)))
}

fn cannot_listen(port: u16, error: Errno) -> ! {
    let mut line = Line::<128>::new();
    line.push(b"pitstop-guest: cannot listen on ").number(port.into());
    match error.0 {
        13 => line.push(b": permission denied\n"),
        98 => line.push(b": address in use\n"),
        other => line.push(b": error ").number(other as u64).push(b"\n"),
    };
    let _ = sys::write(2, line.bytes());
    sys::exit(1)
}

fn serve(options: &mut Options, signals: &Signals, listener: Fd) -> ! {
    let mut listener = Some(listener);
    // SAFETY: the only reference to the table: this function runs once and does not return.
    let table = unsafe { &mut *TABLE.0.get() };
    let mut fds = [PollFd::UNUSED; CONNECTIONS + 2];
    loop {
        let mut until = options.exit_at;
        let mut room = false;
        for (connection, fd) in table.iter().zip(&mut fds[2..]) {
            *fd = PollFd::UNUSED;
            if let Some(socket) = &connection.socket {
                until = until.min(connection.deadline);
                if connection.writing && sys::now_us() < connection.from {
                    until = until.min(connection.from);
                    continue;
                }
                *fd = PollFd::new(socket.raw(), if connection.writing { POLLOUT } else { POLLIN });
            } else {
                room = true;
            }
        }
        fds[0] = PollFd::new(signals.fd(), POLLIN);
        fds[1] = listener.as_ref().filter(|_| room).map_or(PollFd::UNUSED, |fd| PollFd::new(fd.raw(), POLLIN));
        sys::poll(&mut fds, until);
        if asked_to_end(options, signals) {
            listener = None;
            fds[1] = PollFd::UNUSED;
        }
        let now = sys::now_us();
        for (connection, fd) in table.iter_mut().zip(&fds[2..]) {
            if connection.socket.is_some()
                && (advance(connection, fd.revents != 0, options) || now >= connection.deadline)
            {
                connection.socket = None;
            }
        }
        if fds[1].revents != 0 {
            let free = table.iter_mut().find(|connection| connection.socket.is_none());
            if let (Some(free), Some(Ok(socket))) = (free, listener.as_ref().map(sys::accept)) {
                (free.socket, free.writing, free.from, free.deadline, free.at, free.len) =
                    (Some(socket), false, 0, now + READ_US, 0, 0);
            }
        }
    }
}

/// Does what `connection` is ready for; true where it is over.
fn advance(connection: &mut Connection, ready: bool, options: &Options) -> bool {
    let Some(socket) = connection.socket.as_ref().filter(|_| ready) else {
        return false;
    };
    if !connection.writing {
        match sys::read(socket, &mut connection.buffer[connection.len..]) {
            Ok(0) => return true,
            Ok(count) => connection.len += count,
            Err(error) => return error != Errno::EAGAIN,
        }
        // Only a head can be expecting, and no head arrives twice: this is sent once.
        if matches!(http::parse(&connection.buffer[..connection.len]), Request::Expecting) {
            return sys::write(socket.raw(), http::CONTINUE).is_err();
        }
        let wait = slowness(&connection.buffer[..connection.len]);
        let Some((start, end)) = answer(&mut connection.buffer, connection.len, options) else {
            return false;
        };
        (connection.at, connection.len) = (start, end);
        connection.writing = true;
        connection.from = sys::now_us() + wait;
        connection.deadline = connection.from + WRITE_US;
        if wait > 0 {
            return false;
        }
    }
    match sys::write(socket.raw(), &connection.buffer[connection.at..connection.len]) {
        Ok(count) => connection.at += count,
        Err(error) => return error != Errno::EAGAIN,
    }
    if connection.at == connection.len {
        sys::shutdown_write(socket);
        return true;
    }
    false
}

/// How many microseconds the request in `bytes` wants its answer to take.
fn slowness(bytes: &[u8]) -> u64 {
    let Request::Whole { path, .. } = http::parse(bytes) else { return 0 };
    let digits = path.strip_prefix(b"/slow/").unwrap_or_default();
    let number = digits.iter().take(6).filter(|digit| digit.is_ascii_digit());
    number.fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0')) * 1000
}

/// Turns the request in `buffer[..len]` into its answer; gives the answer's place in the buffer, none where the
/// request is not whole yet.
fn answer(buffer: &mut [u8; BUFFER], len: usize, options: &Options) -> Option<(usize, usize)> {
    let mut head_only = false;
    let mut hostname = [0; 65];
    let reply = match http::parse(&buffer[..len]) {
        Request::Incomplete | Request::Expecting => return None,
        Request::Refused(status) => Reply::Say(status, status.words()),
        Request::Whole { method: b"PUT" | b"POST", path, body } => store(path, body, options.data),
        Request::Whole { method: method @ (b"GET" | b"HEAD"), path, .. } => {
            head_only = method == b"HEAD";
            match path {
                b"/hostname" => Reply::Say(Status::Ok, sys::hostname(&mut hostname)),
                b"/health" if (options.sick.0..options.sick.1).contains(&sys::now_us()) => {
                    Reply::Say(Status::Failed, b"not in health")
                }
                b"/health" => Reply::Say(Status::Ok, b"ok"),
                _ => match (path.strip_prefix(b"/env/"), path.strip_prefix(b"/file/")) {
                    (Some(name), _) => match options.environment.variable(name) {
                        Some(value) => Reply::Say(Status::Ok, value),
                        None => Reply::Say(Status::NotFound, b"not set"),
                    },
                    (_, Some(name)) => match FilePath::new(options.data, name) {
                        Some(path) => Reply::File(path),
                        None => Reply::Say(Status::BadRequest, b"bad file name"),
                    },
                    _ => Reply::Say(Status::Ok, options.text),
                },
            }
        }
        Request::Whole { .. } => Reply::Say(Status::MethodNotAllowed, b"method not allowed"),
    };
    let (status, len) = match reply {
        Reply::Say(status, text) => say(buffer, status, text),
        Reply::File(path) => load(buffer, &path),
    };
    let start = http::finish(buffer, status, len);
    Some((start, if head_only { HEAD_MAX } else { HEAD_MAX + len }))
}

/// An answer that no longer borrows the request, whose buffer it is about to fill.
enum Reply<'a> {
    Say(Status, &'a [u8]),
    File(FilePath),
}

/// Puts `text` and a newline into the body.
fn say(buffer: &mut [u8; BUFFER], status: Status, text: &[u8]) -> (Status, usize) {
    let len = text.len().min(BODY_MAX - 1);
    buffer[HEAD_MAX..HEAD_MAX + len].copy_from_slice(&text[..len]);
    buffer[HEAD_MAX + len] = b'\n';
    (status, len + 1)
}

/// Puts the file's content into the body.
fn load(buffer: &mut [u8; BUFFER], path: &FilePath) -> (Status, usize) {
    let Ok(file) = sys::open(path.bytes(), Open::Read) else {
        return say(buffer, Status::NotFound, b"no such file");
    };
    let mut len = 0;
    while len < BODY_MAX {
        match sys::read(&file, &mut buffer[HEAD_MAX + len..]) {
            Ok(0) => break,
            Ok(count) => len += count,
            Err(_) => return say(buffer, Status::Failed, b"cannot read the file"),
        }
    }
    (Status::Ok, len)
}

fn store(path: &[u8], body: &[u8], data: &[u8]) -> Reply<'static> {
    let Some(path) = path.strip_prefix(b"/file/").and_then(|name| FilePath::new(data, name)) else {
        return Reply::Say(Status::BadRequest, b"only to /file/NAME");
    };
    if let Some(directory) = FilePath::new(data, b"") {
        // Without a volume mounted there is no such directory yet; where there is one this changes nothing.
        let _ = sys::make_directory(directory.bytes());
    }
    let Ok(file) = sys::open(path.bytes(), Open::Replace) else {
        return Reply::Say(Status::Failed, b"cannot create the file");
    };
    let mut rest = body;
    while !rest.is_empty() {
        match sys::write(file.raw(), rest) {
            Ok(count) => rest = &rest[count..],
            Err(_) => return Reply::Say(Status::Failed, b"cannot write the file"),
        }
    }
    Reply::Say(Status::Created, b"stored")
}

/// `DIR/NAME` with the zero byte the kernel wants; NAME never leads out of DIR.
struct FilePath {
    bytes: [u8; 512],
    len: usize,
}

impl FilePath {
    fn new(directory: &[u8], name: &[u8]) -> Option<Self> {
        let len = directory.len() + 1 + name.len() + 1;
        let mut bytes = [0; 512];
        if len > bytes.len() || name.contains(&0) || name.split(|byte| *byte == b'/').any(|part| part == b"..") {
            return None;
        }
        bytes[..directory.len()].copy_from_slice(directory);
        bytes[directory.len()] = b'/';
        bytes[directory.len() + 1..len - 1].copy_from_slice(name);
        Some(Self { bytes, len })
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}
