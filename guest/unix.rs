//! Messages and descriptors between containers of one sandbox: sequenced packets on a socket without a file.
//!
//! An abstract name belongs to the network namespace, which sandbox and app containers share, so this works through
//! no file system and with any image. Who may connect is whoever is in the namespace.

use crate::sys::{self, Errno, Fd, Result, number};

const AF_UNIX: usize = 1;
/// `SOCK_SEQPACKET`, non-blocking, close on exec.
const PACKETS: usize = 5 | 0o2_004_000;
/// The most descriptors with one message.
pub const DESCRIPTORS: usize = 2;
/// `SCM_RIGHTS` of `SOL_SOCKET`.
const RIGHTS: i32 = 1;

/// `struct sockaddr_un` with an abstract name: a zero byte, then the name, not ended.
struct Address {
    bytes: [u8; 110],
    len: usize,
}

impl Address {
    fn new(name: &[u8]) -> Self {
        let mut bytes = [0; 110];
        bytes[..2].copy_from_slice(&(AF_UNIX as u16).to_ne_bytes());
        let len = name.len().min(bytes.len() - 3);
        bytes[3..3 + len].copy_from_slice(&name[..len]);
        Self { bytes, len: 3 + len }
    }
}

fn socket() -> Result<Fd> {
    // SAFETY: no memory is passed.
    let fd = unsafe { sys::call(number::SOCKET, AF_UNIX, PACKETS, 0, 0, 0)? };
    Ok(Fd::owned(fd as i32))
}

/// Listens under `name` in this network namespace; refused where somebody does already.
pub fn listen(name: &[u8]) -> Result<Fd> {
    let (socket, address) = (socket()?, Address::new(name));
    let (at, len) = (address.bytes.as_ptr() as usize, address.len);
    // SAFETY: the kernel reads `len` bytes of the address.
    unsafe { sys::call(number::BIND, socket.raw() as usize, at, len, 0, 0)? };
    sys::listen(&socket)?;
    Ok(socket)
}

/// Connects to who listens under `name`.
pub fn connect(name: &[u8]) -> Result<Fd> {
    let (socket, address) = (socket()?, Address::new(name));
    let (at, len) = (address.bytes.as_ptr() as usize, address.len);
    // SAFETY: the kernel reads `len` bytes of the address.
    unsafe { sys::call(number::CONNECT, socket.raw() as usize, at, len, 0, 0)? };
    Ok(socket)
}

/// `struct iovec`.
#[repr(C)]
struct Piece {
    at: usize,
    len: usize,
}

/// `struct msghdr` of 64-bit kernels.
#[repr(C)]
struct Header {
    name: usize,
    name_len: u32,
    pieces: *const Piece,
    piece_count: usize,
    control: usize,
    control_len: usize,
    flags: i32,
}

/// `struct cmsghdr` with room for descriptors, aligned as the kernel wants it.
#[repr(C)]
struct Control {
    len: usize,
    level: i32,
    kind: i32,
    fds: [i32; DESCRIPTORS],
}

const CONTROL_HEAD: usize = 16;

/// Sends `text` and up to [`DESCRIPTORS`] descriptors, which stay open here; never waits, never raises SIGPIPE.
pub fn send(socket: &Fd, text: &[u8], fds: &[i32]) -> Result<()> {
    let count = fds.len().min(DESCRIPTORS);
    let mut control = Control { len: CONTROL_HEAD + count * 4, level: 1, kind: RIGHTS, fds: [0; DESCRIPTORS] };
    control.fds[..count].copy_from_slice(&fds[..count]);
    let piece = Piece { at: text.as_ptr() as usize, len: text.len() };
    let header = Header {
        name: 0,
        name_len: 0,
        pieces: &raw const piece,
        piece_count: 1,
        control: if count == 0 { 0 } else { &raw const control as usize },
        control_len: if count == 0 { 0 } else { size_of::<Control>() - (DESCRIPTORS - count) * 4 },
        flags: 0,
    };
    // SAFETY: the kernel reads header, piece, text and control, all of which live here. MSG_NOSIGNAL, MSG_DONTWAIT.
    unsafe { sys::call(number::SENDMSG, socket.raw() as usize, &raw const header as usize, 0x4040, 0, 0) }.map(drop)
}

/// Takes one message: its length (0 at the end) and the descriptors that came with it.
pub fn receive(socket: &Fd, text: &mut [u8]) -> Result<(usize, [Option<Fd>; DESCRIPTORS])> {
    let mut control = Control { len: 0, level: 0, kind: 0, fds: [-1; DESCRIPTORS] };
    let piece = Piece { at: text.as_mut_ptr() as usize, len: text.len() };
    let mut header = Header {
        name: 0,
        name_len: 0,
        pieces: &raw const piece,
        piece_count: 1,
        control: &raw mut control as usize,
        control_len: size_of::<Control>(),
        flags: 0,
    };
    // SAFETY: the kernel writes into text, control and header, all of which live here. MSG_DONTWAIT, close on exec.
    let len =
        unsafe { sys::call(number::RECVMSG, socket.raw() as usize, &raw mut header as usize, 0x4000_0040, 0, 0)? };
    let mut fds = [const { None }; DESCRIPTORS];
    if header.control_len >= CONTROL_HEAD && control.level == 1 && control.kind == RIGHTS {
        let count = control.len.saturating_sub(CONTROL_HEAD) / 4;
        for (fd, raw) in fds.iter_mut().zip(control.fds).take(count) {
            *fd = Some(Fd::owned(raw));
        }
    }
    Ok((len, fds))
}

/// Takes a connection that waits.
pub fn accept(listener: &Fd) -> Result<Fd> {
    match sys::accept(listener) {
        Err(Errno::EINTR) => Err(Errno::EAGAIN),
        other => other,
    }
}
