//! Which port a `bind` names that the kernel has asked about.
//!
//! The asking program lives among processes that this one can't see. Its gate has handed over a descriptor of its
//! container's `/proc`: the thread that stands in just this system call is found there, and its memory read. That takes
//! `CAP_SYS_PTRACE` and `CAP_DAC_READ_SEARCH`, which pitstop gives the sandbox for nothing else.

use crate::notify::Asked;
use crate::sys::{self, Fd, SocketAddress};
use crate::text::Line;

/// A thread that has just been stopped may still be on its way to sleep, and shows nothing then.
const TRIES: u32 = 20;
const PAUSE_US: u64 = 200;

const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;

/// What a `bind` is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Named {
    /// A TCP port.
    Tcp(u16),
    /// Anything else: UDP, a socket file.
    Other,
    /// Nobody can tell.
    Unknown,
}

/// A `bind` that waits for its answer.
#[derive(Clone, Copy)]
pub struct Call {
    pub id: u64,
    /// Which it names; 0: nobody knows.
    pub port: u16,
    /// Whose it is, by its container's numbers; 0: nobody knows.
    pub process: u64,
    /// Socket, address, its length.
    args: [u64; 3],
}

impl Call {
    pub const NONE: Self = Self { id: 0, port: 0, process: 0, args: [0; 3] };

    pub fn new(asked: &Asked, port: u16, process: u64) -> Self {
        let [socket, address, length, ..] = asked.args;
        Self { id: asked.id, port, process, args: [socket, address, length] }
    }

    /// The caller's number of it.
    pub fn socket(&self) -> u64 {
        self.args[0]
    }
}

/// Finds out, and by which process: 0 where nobody can tell.
pub fn named(processes: Option<&Fd>, asked: &Asked) -> (Named, u64) {
    let Some(processes) = processes else { return (Named::Unknown, 0) };
    for _ in 0..TRIES {
        if let Some(found) = search(processes, asked) {
            return found;
        }
        sys::poll(&mut [], sys::now_us() + PAUSE_US);
    }
    (Named::Unknown, 0)
}

/// The address that `call` names, read anew.
pub fn address(processes: &Fd, call: &Call) -> Option<SocketAddress> {
    let mut path = Line::<64>::new();
    path.number(call.process).push(b"/mem\0");
    let mut address = [0_u8; 28];
    let [_, from, len] = call.args;
    let wanted = usize::try_from(len).map_or(address.len(), |len| len.min(address.len()));
    let memory = sys::open_in(processes, path.bytes()).ok()?;
    let seen = sys::read_at(&memory, &mut address[..wanted], from).ok()?;
    SocketAddress::given(&address[..seen])
}

fn search(processes: &Fd, asked: &Asked) -> Option<(Named, u64)> {
    // Most programs bind in their first process.
    each_thread(processes, b"1", asked).or_else(|| {
        each(processes, b".\0", |process| if process == b"1" { None } else { each_thread(processes, process, asked) })
    })
}

fn each_thread(processes: &Fd, process: &[u8], asked: &Asked) -> Option<(Named, u64)> {
    let mut path = Line::<64>::new();
    path.push(process).push(b"/task\0");
    let named = each(processes, path.bytes(), |thread| stands_there(processes, process, thread, asked))?;
    Some((named, crate::args::number(process)?))
}

/// Calls `look` with each number among the entries of `path` (ending with a zero byte) in `directory`, until it finds.
fn each<T>(directory: &Fd, path: &[u8], mut look: impl FnMut(&[u8]) -> Option<T>) -> Option<T> {
    let list = sys::open_in(directory, path).ok()?;
    let mut buffer = [0_u8; 2048];
    loop {
        let mut rest = sys::entries(&list, &mut buffer).ok()?;
        if rest.is_empty() {
            return None;
        }
        // struct linux_dirent64: 8 bytes inode, 8 offset, 2 length of all, 1 type, the name and a zero byte.
        while rest.len() > 19 {
            let len = usize::from(u16::from_ne_bytes([rest[16], rest[17]])).clamp(19, rest.len());
            let name = rest[19..len].split(|byte| *byte == 0).next().unwrap_or_default();
            if !name.is_empty() && name.iter().all(u8::is_ascii_digit) {
                let found = look(name);
                if found.is_some() {
                    return found;
                }
            }
            rest = &rest[len..];
        }
    }
}

/// Whether it is this thread that asks; then what for.
fn stands_there(processes: &Fd, process: &[u8], thread: &[u8], asked: &Asked) -> Option<Named> {
    let mut path = Line::<96>::new();
    path.push(process).push(b"/task/").push(thread).push(b"/syscall\0");
    let mut said = [0_u8; 256];
    let len = sys::read(&sys::open_in(processes, path.bytes()).ok()?, &mut said).ok()?;
    // "49 0x3 0x7ffd0a1b2c30 0x10 …": the call and its arguments.
    let mut words = said[..len].split(|byte| *byte == b' ');
    let call = words.next().and_then(crate::args::number)?;
    let same = call == asked.call as u64 && asked.args[..3].iter().all(|arg| words.next().and_then(hex) == Some(*arg));
    same.then(|| read(processes, process, asked))
}

fn hex(word: &[u8]) -> Option<u64> {
    word.strip_prefix(b"0x")?.iter().try_fold(0_u64, |sum, byte| {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            _ => return None,
        };
        Some(sum.wrapping_shl(4) | u64::from(digit))
    })
}

fn read(processes: &Fd, process: &[u8], asked: &Asked) -> Named {
    let mut path = Line::<64>::new();
    path.push(process).push(b"/mem\0");
    let mut address = [0_u8; 4];
    let seen =
        sys::open_in(processes, path.bytes()).and_then(|memory| sys::read_at(&memory, &mut address, asked.args[1]));
    if seen != Ok(address.len()) {
        return Named::Unknown;
    }
    if !matches!(u16::from_ne_bytes([address[0], address[1]]), AF_INET | AF_INET6) {
        return Named::Other;
    }
    // The socket's own word for what it speaks: "TCP", "TCPv6", "UDP", "MPTCP" …
    let mut path = Line::<96>::new();
    path.push(b"/proc/self/fd/").number(processes.raw() as u64).push(b"/").push(process).push(b"/fd/");
    path.number(asked.args[0]).push(b"\0");
    let mut protocol = [0_u8; 16];
    match sys::attribute(path.bytes(), b"system.sockprotoname\0", &mut protocol) {
        Ok(name) if !name.starts_with(b"TCP") && !name.starts_with(b"MPTCP") => Named::Other,
        // Where nobody can tell what it speaks, the number decides.
        _ => Named::Tcp(u16::from_be_bytes([address[2], address[3]])),
    }
}
