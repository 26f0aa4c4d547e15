//! Asking before a `bind`: the filter that makes the kernel ask, and the listener that is asked.
//!
//! seccomp(2), `SECCOMP_RET_USER_NOTIF`, and `seccomp_unotify(2)`: whoever holds the listener is told of each system call that
//! the filter names and lets it go on when it likes. Whether it should is `arbiter.rs`'s to say. The answer "go on" needs
//! Linux 5.5.

use crate::sys::{self, Errno, Fd, Result, number};

// linux/seccomp.h, linux/filter.h, linux/audit.h, linux/prctl.h
#[cfg(target_arch = "x86_64")]
const AUDIT_ARCH: u32 = 0xC000_003E;
#[cfg(target_arch = "aarch64")]
const AUDIT_ARCH: u32 = 0xC000_00B7;
const NO_NEW_PRIVS: usize = 38;
const SET_MODE_FILTER: usize = 1;
const NEW_LISTENER: usize = 1 << 3;
const ALLOW: u32 = 0x7fff_0000;
const USER_NOTIF: u32 = 0x7fc0_0000;
const NOTIF_RECV: usize = 0xC050_2100;
const NOTIF_SEND: usize = 0xC018_2101;
const CONTINUE: u32 = 1;
/// The length of an IPv4 address and its port, the shortest that matters here.
const INET: u32 = 16;

/// `struct sock_filter`.
#[repr(C)]
struct Instruction {
    code: u16,
    when: u8,
    otherwise: u8,
    k: u32,
}

const fn load(at: u32) -> Instruction {
    Instruction { code: 0x20, when: 0, otherwise: 0, k: at }
}

const fn end(k: u32) -> Instruction {
    Instruction { code: 0x06, when: 0, otherwise: 0, k }
}

/// The offset of `args[2]`'s low word in `struct seccomp_data`: both CPUs are little-endian.
const LENGTH: u32 = 16 + 2 * 8;

static FILTER: [Instruction; 8] = [
    load(4),
    Instruction { code: 0x15, when: 0, otherwise: 5, k: AUDIT_ARCH },
    load(0),
    Instruction { code: 0x15, when: 0, otherwise: 3, k: number::BIND as u32 },
    load(LENGTH),
    Instruction { code: 0x35, when: 0, otherwise: 1, k: INET },
    end(USER_NOTIF),
    end(ALLOW),
];

/// `struct sock_fprog`.
#[repr(C)]
struct Program {
    len: u16,
    filter: *const Instruction,
}

/// From now on each `bind` of this process, its threads and its children, of an address as long as an inet one, is asked for
/// at the listener that this gives. Takes from all of them, for good, what set-user-id programs would give.
///
/// An earlier kernel than Linux 5.5 knows the question and not the answer "go on": there nobody is asked, for it would be for ever.
pub fn ask_before_bind() -> Result<Fd> {
    if !sys::kernel_is(5, 5) {
        return Err(Errno::ENOSYS);
    }
    // SAFETY: no memory is passed.
    unsafe { sys::call(number::PRCTL, NO_NEW_PRIVS, 1, 0, 0, 0)? };
    let program = Program { len: FILTER.len() as u16, filter: FILTER.as_ptr() };
    // SAFETY: the kernel reads the program and its instructions.
    let fd = unsafe { sys::call(number::SECCOMP, SET_MODE_FILTER, NEW_LISTENER, &raw const program as usize, 0, 0)? };
    Ok(Fd::owned(fd as i32))
}

/// `struct seccomp_notif`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Asked {
    pub id: u64,
    pid: u32,
    flags: u32,
    pub call: i32,
    arch: u32,
    instruction: u64,
    /// Socket, address, its length, and what `bind` has no use for.
    pub args: [u64; 6],
}

/// Takes a question that waits; an error where its asker has gone in the meantime. Never waits after `poll` has told of one.
pub fn take(listener: &Fd) -> Result<Asked> {
    let mut asked = Asked { id: 0, pid: 0, flags: 0, call: 0, arch: 0, instruction: 0, args: [0; 6] };
    // SAFETY: the kernel writes the 80 bytes of `asked`, which have to be zero.
    unsafe { sys::call(number::IOCTL, listener.raw() as usize, NOTIF_RECV, &raw mut asked as usize, 0, 0)? };
    Ok(asked)
}

/// The answer: the call goes on.
const GO_ON: (i64, u32) = (0, CONTINUE);
/// The answer: it is done already, and successful.
const DONE: (i64, u32) = (0, 0);

/// Lets the call go on. One whose asker has gone, or has been interrupted and asks anew, is nobody's.
pub fn let_pass(listener: &Fd, id: u64) {
    let _ = answer(listener, id, GO_ON);
}

/// Ends the call, which somebody else has done for its asker; an error where that one has gone.
pub fn is_done(listener: &Fd, id: u64) -> Result<()> {
    answer(listener, id, DONE)
}

fn answer(listener: &Fd, id: u64, (value, flags): (i64, u32)) -> Result<()> {
    /// `struct seccomp_notif_resp`.
    #[repr(C)]
    struct Answer {
        id: u64,
        value: i64,
        error: i32,
        flags: u32,
    }
    let answer = Answer { id, value, error: 0, flags };
    // SAFETY: the kernel reads the 24 bytes of `answer`.
    unsafe { sys::call(number::IOCTL, listener.raw() as usize, NOTIF_SEND, &raw const answer as usize, 0, 0) }.map(drop)
}
