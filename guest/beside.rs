//! Two versions at one port for a moment: the new one's `bind` is done for it while the old one still listens there.
//!
//! Linux lets several sockets of one user listen at one port if each has `SO_REUSEPORT` (socket(7)), and spreads connections
//! among them. Programs rarely set it; but a socket that another process has can be fetched (`pidfd_getfd`, which takes
//! `CAP_SYS_PTRACE`), and an option be set on it. So the port is never without a listener: the old version
//! ends when the new one listens. Where anything of this is not so, the port has to be waited for (`arbiter.rs`).

use crate::bind::{self, Call};
use crate::sys::{self, Errno, Fd, Result, SocketAddress, SocketOption, option, set_option};
use crate::text::Line;

/// The descriptors of a program that are looked through for what it listens with.
const DESCRIPTORS: u64 = 1024;
/// What one program listens with at one port: both families, several addresses, a socket for each worker.
const LISTENERS: usize = 32;

/// Binds the socket of `call` as asked, beside what `old` listens with at that port, and gives a descriptor of it.
///
/// `all` is the `/proc` of the caller's container and `own` the process its gate has become; what else calls there can't be
/// helped. `ENOENT` where nothing old listens. On any error nothing has changed.
pub fn bind<'a>(all: &Fd, own: &Fd, call: &Call, old: impl Iterator<Item = &'a Fd>) -> Result<Fd> {
    let socket = sys::file_of(own, call.socket())?;
    if !is_of(&socket, all, call) {
        return Err(Errno::EINVAL);
    }
    if sys::local_port(&socket) == call.port {
        // Done before, for a caller that was interrupted and asks anew.
        return Ok(socket);
    }
    let address = bind::address(all, call).filter(|address| address.port() == call.port).ok_or(Errno::EINVAL)?;
    let mut listeners = [const { None }; LISTENERS];
    let mut rest = listeners.iter_mut();
    for process in old {
        for number in 0..DESCRIPTORS {
            if let Ok(file) = sys::file_of(process, number)
                && listens(&file, call.port)
            {
                *rest.next().ok_or(Errno::EINVAL)? = Some(file);
            }
        }
    }
    if listeners[0].is_none() {
        return Err(Errno::ENOENT);
    }
    share(&socket, || bind_beside(&listeners, &socket, &address))?;
    Ok(socket)
}

/// Whether it takes connections at `port`.
pub fn listens(socket: &Fd, port: u16) -> bool {
    option(socket, SocketOption::ACCEPTS) == Ok(1) && sys::local_port(socket) == port
}

/// Does it with the option on `socket`, which keeps it only if that went well.
fn share(socket: &Fd, then: impl FnOnce() -> Result<()>) -> Result<()> {
    let had = option(socket, SocketOption::REUSE_PORT) == Ok(1);
    set_option(socket, SocketOption::REUSE_PORT, &[1]);
    let done = then();
    if done.is_err() && !had {
        set_option(socket, SocketOption::REUSE_PORT, &[0]);
    }
    done
}

/// Binds with the option on each of those that listen.
fn bind_beside(listeners: &[Option<Fd>], socket: &Fd, address: &SocketAddress) -> Result<()> {
    match listeners {
        [Some(listener), rest @ ..] => share(listener, || bind_beside(rest, socket, address)),
        _ => sys::bind(socket, address),
    }
}

/// Whether `socket` is what the caller means by its number: a child may have put another one there.
fn is_of(socket: &Fd, all: &Fd, call: &Call) -> bool {
    let mut theirs = Line::<96>::new();
    theirs.push(b"/proc/self/fd/").number(all.raw() as u64).push(b"/").number(call.process).push(b"/fd/");
    theirs.number(call.socket()).push(b"\0");
    let mut ours = Line::<32>::new();
    ours.push(b"/proc/self/fd/").number(socket.raw() as u64).push(b"\0");
    let (mut one, mut other) = ([0_u8; 64], [0_u8; 64]);
    match (sys::read_link(theirs.bytes(), &mut one), sys::read_link(ours.bytes(), &mut other)) {
        (Ok(theirs), Ok(ours)) => theirs == ours && ours.starts_with(b"socket:"),
        _ => false,
    }
}
