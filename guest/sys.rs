//! The system calls the guest uses, each as one safe function; the numbers and structures of the kernel's ABI.
//!
//! No policy in here: retries, deadlines and messages belong to the callers.

use core::arch::asm;

/// A kernel error number.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Errno(pub i32);

impl Errno {
    pub const ENOENT: Self = Self(2);
    pub const EINTR: Self = Self(4);
    pub const ENOSYS: Self = Self(38);
    pub const EAGAIN: Self = Self(11);
    pub const EACCES: Self = Self(13);
    pub const ENOTDIR: Self = Self(20);
    pub const EADDRINUSE: Self = Self(98);
    pub const ECONNRESET: Self = Self(104);
    pub const ECONNREFUSED: Self = Self(111);
    pub const EINPROGRESS: Self = Self(115);
    pub const EINVAL: Self = Self(22);
}

pub type Result<T> = core::result::Result<T, Errno>;

// From the kernel's arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h.
#[cfg(target_arch = "x86_64")]
pub mod number {
    pub const READ: usize = 0;
    pub const WRITE: usize = 1;
    pub const CLOSE: usize = 3;
    pub const BRK: usize = 12;
    pub const RT_SIGPROCMASK: usize = 14;
    pub const IOCTL: usize = 16;
    pub const PREAD64: usize = 17;
    pub const SETITIMER: usize = 38;
    pub const SOCKET: usize = 41;
    pub const CONNECT: usize = 42;
    pub const SHUTDOWN: usize = 48;
    pub const BIND: usize = 49;
    pub const LISTEN: usize = 50;
    pub const GETSOCKNAME: usize = 51;
    pub const SETSOCKOPT: usize = 54;
    pub const GETPID: usize = 39;
    pub const GETSOCKOPT: usize = 55;
    pub const CLONE: usize = 56;
    pub const WAIT4: usize = 61;
    pub const KILL: usize = 62;
    pub const UNAME: usize = 63;
    pub const CLOCK_GETTIME: usize = 228;
    pub const EXIT_GROUP: usize = 231;
    pub const OPENAT: usize = 257;
    pub const MKDIRAT: usize = 258;
    pub const READLINKAT: usize = 267;
    pub const PPOLL: usize = 271;
    pub const ACCEPT4: usize = 288;
    pub const SIGNALFD4: usize = 289;
    pub const SENDMSG: usize = 46;
    pub const RECVMSG: usize = 47;
    pub const EXECVE: usize = 59;
    pub const PRCTL: usize = 157;
    pub const GETXATTR: usize = 191;
    pub const GETDENTS64: usize = 217;
    pub const SECCOMP: usize = 317;
    pub const SCHED_SETATTR: usize = 314;
    pub const PIDFD_OPEN: usize = 434;
    pub const PIDFD_GETFD: usize = 438;
}
#[cfg(target_arch = "aarch64")]
pub mod number {
    pub const GETXATTR: usize = 8;
    pub const IOCTL: usize = 29;
    pub const MKDIRAT: usize = 34;
    pub const OPENAT: usize = 56;
    pub const CLOSE: usize = 57;
    pub const GETDENTS64: usize = 61;
    pub const READ: usize = 63;
    pub const WRITE: usize = 64;
    pub const PREAD64: usize = 67;
    pub const PPOLL: usize = 73;
    pub const SIGNALFD4: usize = 74;
    pub const READLINKAT: usize = 78;
    pub const EXIT_GROUP: usize = 94;
    pub const SETITIMER: usize = 103;
    pub const CLOCK_GETTIME: usize = 113;
    pub const KILL: usize = 129;
    pub const RT_SIGPROCMASK: usize = 135;
    pub const UNAME: usize = 160;
    pub const PRCTL: usize = 167;
    pub const GETPID: usize = 172;
    pub const SOCKET: usize = 198;
    pub const BIND: usize = 200;
    pub const LISTEN: usize = 201;
    pub const CONNECT: usize = 203;
    pub const GETSOCKNAME: usize = 204;
    pub const SETSOCKOPT: usize = 208;
    pub const GETSOCKOPT: usize = 209;
    pub const SHUTDOWN: usize = 210;
    pub const SENDMSG: usize = 211;
    pub const RECVMSG: usize = 212;
    pub const BRK: usize = 214;
    pub const CLONE: usize = 220;
    pub const EXECVE: usize = 221;
    pub const ACCEPT4: usize = 242;
    pub const WAIT4: usize = 260;
    pub const SECCOMP: usize = 277;
    pub const SCHED_SETATTR: usize = 274;
    pub const PIDFD_OPEN: usize = 434;
    pub const PIDFD_GETFD: usize = 438;
}

/// # Safety
/// The arguments are what system call `number` expects; pointers among them are valid for its reads and writes.
#[cfg(target_arch = "x86_64")]
pub unsafe fn call(number: usize, a: usize, b: usize, c: usize, d: usize, e: usize) -> Result<usize> {
    let result: isize;
    // SAFETY: the kernel clobbers only rcx, r11 and the result; memory is the caller's promise.
    unsafe {
        asm!("syscall", inlateout("rax") number as isize => result, in("rdi") a, in("rsi") b, in("rdx") c,
             in("r10") d, in("r8") e, lateout("rcx") _, lateout("r11") _, options(nostack));
    }
    check(result)
}

/// # Safety
/// The arguments are what system call `number` expects; pointers among them are valid for its reads and writes.
#[cfg(target_arch = "aarch64")]
pub unsafe fn call(number: usize, a: usize, b: usize, c: usize, d: usize, e: usize) -> Result<usize> {
    let result: isize;
    // SAFETY: the kernel keeps all registers but x0; memory is the caller's promise.
    unsafe {
        asm!("svc 0", in("x8") number, inlateout("x0") a as isize => result, in("x1") b, in("x2") c,
             in("x3") d, in("x4") e, options(nostack));
    }
    check(result)
}

fn check(result: isize) -> Result<usize> {
    if result < 0 { Err(Errno(-result as i32)) } else { Ok(result as usize) }
}

const AT_FDCWD: usize = -100_isize as usize;

/// An open file descriptor, closed when dropped.
pub struct Fd(i32);

/// Standard input: a static is never dropped, so never closed.
pub static STDIN: Fd = Fd(0);

impl Fd {
    /// Takes over `raw`, which the kernel has just given and nothing else owns.
    pub fn owned(raw: i32) -> Self {
        Self(raw)
    }

    pub fn raw(&self) -> i32 {
        self.0
    }
}

impl Drop for Fd {
    fn drop(&mut self) {
        // SAFETY: closes a descriptor that nothing else owns.
        let _ = unsafe { call(number::CLOSE, self.0 as usize, 0, 0, 0, 0) };
    }
}

pub fn exit(code: i32) -> ! {
    loop {
        // SAFETY: no memory is passed; the call does not return.
        let _ = unsafe { call(number::EXIT_GROUP, code as usize, 0, 0, 0, 0) };
    }
}

/// One `write(2)`: a short one is an `Ok` of fewer bytes.
pub fn write(fd: i32, bytes: &[u8]) -> Result<usize> {
    // SAFETY: the kernel reads `bytes` only.
    unsafe { call(number::WRITE, fd as usize, bytes.as_ptr() as usize, bytes.len(), 0, 0) }
}

/// One `read(2)`: `Ok(0)` is the end.
pub fn read(fd: &Fd, bytes: &mut [u8]) -> Result<usize> {
    // SAFETY: the kernel writes into `bytes` only.
    unsafe { call(number::READ, fd.0 as usize, bytes.as_mut_ptr() as usize, bytes.len(), 0, 0) }
}

/// How [`open`] opens a file.
#[derive(Clone, Copy)]
pub enum Open {
    Read,
    /// Created where missing, emptied where not.
    Replace,
    /// For writing to a pipe or a terminal, never waiting; refused where a pipe has no reader.
    Answer,
}

/// Opens `path`, which ends with a zero byte.
pub fn open(path: &[u8], how: Open) -> Result<Fd> {
    debug_assert!(path.ends_with(b"\0"));
    let flags = match how {
        Open::Read => 0,
        Open::Replace => 0o1 | 0o100 | 0o1000,
        // Write only, non-blocking, and never this process's own terminal.
        Open::Answer => 0o1 | 0o4000 | 0o400,
    };
    open_at(AT_FDCWD, path, flags)
}

fn open_at(directory: usize, path: &[u8], flags: usize) -> Result<Fd> {
    let flags = flags | 0o2_000_000;
    // SAFETY: the kernel reads `path` up to its zero byte.
    let fd = unsafe { call(number::OPENAT, directory, path.as_ptr() as usize, flags, 0o644, 0)? };
    Ok(Fd(fd as i32))
}

/// Opens for reading what `path`, which ends with a zero byte, names in `directory`.
pub fn open_in(directory: &Fd, path: &[u8]) -> Result<Fd> {
    debug_assert!(path.ends_with(b"\0"));
    open_at(directory.0 as usize, path, 0)
}

/// Reads at `offset`.
pub fn read_at(fd: &Fd, bytes: &mut [u8], offset: u64) -> Result<usize> {
    // SAFETY: the kernel writes into `bytes` only.
    unsafe { call(number::PREAD64, fd.0 as usize, bytes.as_mut_ptr() as usize, bytes.len(), offset as usize, 0) }
}

/// Some of a directory's entries, as `struct linux_dirent64`; none at the end.
pub fn entries<'a>(directory: &Fd, into: &'a mut [u8]) -> Result<&'a [u8]> {
    // SAFETY: the kernel writes into `into` only.
    let len = unsafe { call(number::GETDENTS64, directory.0 as usize, into.as_mut_ptr() as usize, into.len(), 0, 0)? };
    Ok(&into[..len])
}

/// The extended attribute `name` of what `path` leads to; both end with a zero byte.
pub fn attribute<'a>(path: &[u8], name: &[u8], into: &'a mut [u8]) -> Result<&'a [u8]> {
    debug_assert!(path.ends_with(b"\0") && name.ends_with(b"\0"));
    let (to, room) = (into.as_mut_ptr() as usize, into.len());
    // SAFETY: the kernel reads both texts up to their zero bytes and writes into `into` only.
    let len = unsafe { call(number::GETXATTR, path.as_ptr() as usize, name.as_ptr() as usize, to, room, 0)? };
    Ok(&into[..len])
}

/// Creates the directory `path`, which ends with a zero byte.
pub fn make_directory(path: &[u8]) -> Result<()> {
    debug_assert!(path.ends_with(b"\0"));
    // SAFETY: the kernel reads `path` up to its zero byte.
    unsafe { call(number::MKDIRAT, AT_FDCWD, path.as_ptr() as usize, 0o755, 0, 0) }.map(drop)
}

/// Where the symbolic link `path` (ending with a zero byte) points to.
pub fn read_link<'a>(path: &[u8], into: &'a mut [u8]) -> Result<&'a [u8]> {
    debug_assert!(path.ends_with(b"\0"));
    let (to, room) = (into.as_mut_ptr() as usize, into.len());
    // SAFETY: the kernel reads `path` up to its zero byte and writes into `into` only.
    let len = unsafe { call(number::READLINKAT, AT_FDCWD, path.as_ptr() as usize, to, room, 0)? };
    Ok(&into[..len])
}

/// `struct new_utsname`: six fields of 65 bytes.
fn names() -> [u8; 6 * 65] {
    let mut names = [0_u8; 6 * 65];
    // SAFETY: the kernel writes 390 bytes.
    let _ = unsafe { call(number::UNAME, names.as_mut_ptr() as usize, 0, 0, 0, 0) };
    names
}

/// Whether the kernel is at least this one: the third name begins with both numbers, `6.1.0-18-amd64`.
pub fn kernel_is(major: u64, minor: u64) -> bool {
    let names = names();
    let mut numbers = names[130..195].split(|byte| !byte.is_ascii_digit()).filter_map(crate::args::number);
    let first = numbers.next().unwrap_or(0);
    first > major || (first == major && numbers.next().unwrap_or(0) >= minor)
}

/// The second of the names.
pub fn hostname(into: &mut [u8; 65]) -> &[u8] {
    into.copy_from_slice(&names()[65..130]);
    let len = into.iter().position(|byte| *byte == 0).unwrap_or(into.len());
    &into[..len]
}

#[repr(C)]
struct Timespec {
    seconds: i64,
    nanos: i64,
}

/// `CLOCK_MONOTONIC` in microseconds.
pub fn now_us() -> u64 {
    let mut time = Timespec { seconds: 0, nanos: 0 };
    // SAFETY: the kernel writes one timespec.
    let _ = unsafe { call(number::CLOCK_GETTIME, 1, &raw mut time as usize, 0, 0, 0) };
    time.seconds as u64 * 1_000_000 + time.nanos as u64 / 1000
}

/// Has the kernel send SIGALRM, which ends a process that does nothing about it, after `ms`.
pub fn alarm_ms(ms: u64) {
    // struct itimerval: interval, then value, each seconds and microseconds.
    let timer = [0, 0, ms / 1000, ms % 1000 * 1000];
    // SAFETY: the kernel reads the four words.
    let _ = unsafe { call(number::SETITIMER, 0, timer.as_ptr() as usize, 0, 0, 0) };
}

/// `struct pollfd`.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct PollFd {
    pub fd: i32,
    pub events: i16,
    pub revents: i16,
}

impl PollFd {
    /// Negative descriptors are ignored by the kernel: a slot that waits for nothing.
    pub const UNUSED: Self = Self { fd: -1, events: 0, revents: 0 };

    pub fn new(fd: i32, events: i16) -> Self {
        Self { fd, events, revents: 0 }
    }
}

pub const POLLIN: i16 = 1;
pub const POLLOUT: i16 = 4;

/// Waits until one of `fds` has an event or the clock shows `until_us`; an interrupted wait is an empty one.
pub fn poll(fds: &mut [PollFd], until_us: u64) {
    let left = until_us.saturating_sub(now_us());
    // A year at most: the kernel refuses what overflows its own clock.
    let left = left.min(31_536_000_000_000);
    let time = Timespec { seconds: (left / 1_000_000) as i64, nanos: (left % 1_000_000 * 1000) as i64 };
    for fd in fds.iter_mut() {
        fd.revents = 0;
    }
    // SAFETY: the kernel reads and writes `fds`, reads `time` (and may write it: it is ours), no mask.
    let _ = unsafe { call(number::PPOLL, fds.as_mut_ptr() as usize, fds.len(), &raw const time as usize, 0, 8) };
}

/// Takes `bytes` of memory for good and writes to every page of it; the kernel may end the process for that.
pub fn take_memory(bytes: usize) {
    // SAFETY: there is no heap that the end of the data segment could cut off; 0 only asks where it is.
    let from = unsafe { call(number::BRK, 0, 0, 0, 0, 0) }.unwrap_or(0);
    // SAFETY: it only grows; the kernel answers with where it ends now.
    let to = unsafe { call(number::BRK, from + bytes, 0, 0, 0, 0) }.unwrap_or(from);
    for page in (from..to).step_by(4096) {
        // SAFETY: between the old end and the new one lies memory that the kernel has just given to this process alone.
        unsafe { core::ptr::with_exposed_provenance_mut::<u8>(page).write_volatile(1) };
    }
}

/// Blocks the signals of `mask` (bit n-1 is signal n) and no others: they wait until read, and as PID 1 they get
/// through at all. Gives the mask that was there.
pub fn block_signals(mask: u64) -> u64 {
    let mut before = 0_u64;
    let (from, to) = (&raw const mask as usize, &raw mut before as usize);
    // SAFETY: the kernel reads the eight bytes of `mask` and writes those of `before`. 2: the mask as a whole.
    let _ = unsafe { call(number::RT_SIGPROCMASK, 2, from, to, 8, 0) };
    before
}

/// A descriptor to read the signals of `mask` from; does not block.
pub fn signal_fd(mask: u64) -> Result<Fd> {
    // SAFETY: the kernel reads the eight bytes of `mask`. Flags: close on exec, non-blocking.
    let fd = unsafe { call(number::SIGNALFD4, usize::MAX, &raw const mask as usize, 8, 0o2_004_000, 0)? };
    Ok(Fd(fd as i32))
}

/// Asks the scheduler for short turns and so for early ones, which whoever measures or decides moments wants: turns of 0.1 ms.
/// Takes no privilege; kernels before Linux 6.12 know nothing of it.
pub fn take_short_turns() {
    // struct sched_attr of 48 bytes: size and policy, flags, nice and priority, runtime, deadline, period.
    let attributes = [48_u64, 0, 0, 100_000, 0, 0];
    // SAFETY: the kernel reads the 48 bytes. 0: this process.
    let _ = unsafe { call(number::SCHED_SETATTR, 0, attributes.as_ptr() as usize, 0, 0, 0) };
}

/// A process id.
pub type Pid = usize;

/// Goes on twice: in the child with none, in the parent with the child's id.
pub fn fork() -> Result<Option<Pid>> {
    // SAFETY: memory is copied, not shared, and both go on with this stack. 17: SIGCHLD tells of the child's end.
    let pid = unsafe { call(number::CLONE, 17, 0, 0, 0, 0)? };
    Ok((pid > 0).then_some(pid))
}

/// Ends a process at once (SIGKILL). `pid` is a child that has not been collected yet, so it is nobody else's.
pub fn kill(pid: Pid) {
    // SAFETY: no memory is passed.
    let _ = unsafe { call(number::KILL, pid, 9, 0, 0, 0) };
}

/// A descriptor of this process, for others to fetch its files by ([`file_of`]); readable when it has ended. Linux 5.3.
pub fn own_process() -> Result<Fd> {
    // SAFETY: no memory is passed.
    let pid = unsafe { call(number::GETPID, 0, 0, 0, 0, 0)? };
    // SAFETY: no memory is passed.
    let fd = unsafe { call(number::PIDFD_OPEN, pid, 0, 0, 0, 0)? };
    Ok(Fd(fd as i32))
}

/// Another descriptor of what `number` is in `process`, which takes what ptrace(2) does. Linux 5.6.
pub fn file_of(process: &Fd, number: u64) -> Result<Fd> {
    let number = usize::try_from(number).map_err(|_| Errno::EINVAL)?;
    // SAFETY: no memory is passed.
    let fd = unsafe { call(number::PIDFD_GETFD, process.0 as usize, number, 0, 0, 0)? };
    Ok(Fd(fd as i32))
}

/// Collects one ended child, if there is one.
pub fn reap_one() -> Option<Pid> {
    // SAFETY: no memory is passed. -1: any child; 1: WNOHANG.
    unsafe { call(number::WAIT4, usize::MAX, 0, 1, 0, 0) }.ok().filter(|pid| *pid > 0)
}

/// An IPv4 or IPv6 address with a port, as the kernel wants it.
pub struct SocketAddress {
    bytes: [u8; 28],
    len: usize,
}

const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;

impl SocketAddress {
    pub fn v4(address: [u8; 4], port: u16) -> Self {
        let mut bytes = [0; 28];
        bytes[..2].copy_from_slice(&AF_INET.to_ne_bytes());
        bytes[2..4].copy_from_slice(&port.to_be_bytes());
        bytes[4..8].copy_from_slice(&address);
        Self { bytes, len: 16 }
    }

    /// `::1` for `last` 1, `::` for 0.
    pub fn v6(last: u8, port: u16) -> Self {
        let mut bytes = [0; 28];
        bytes[..2].copy_from_slice(&AF_INET6.to_ne_bytes());
        bytes[2..4].copy_from_slice(&port.to_be_bytes());
        bytes[23] = last;
        Self { bytes, len: 28 }
    }

    /// What somebody has given the kernel as an address.
    pub fn given(bytes: &[u8]) -> Option<Self> {
        let mut address = Self { bytes: [0; 28], len: bytes.len() };
        address.bytes.get_mut(..bytes.len())?.copy_from_slice(bytes);
        matches!((address.family() as u16, bytes.len()), (AF_INET, 16..) | (AF_INET6, 24..)).then_some(address)
    }

    pub fn port(&self) -> u16 {
        u16::from_be_bytes([self.bytes[2], self.bytes[3]])
    }

    fn family(&self) -> usize {
        usize::from(u16::from_ne_bytes([self.bytes[0], self.bytes[1]]))
    }
}

/// A non-blocking TCP socket of the address's family.
pub fn tcp_socket(address: &SocketAddress) -> Result<Fd> {
    // SAFETY: no memory is passed. SOCK_STREAM, non-blocking, close on exec.
    let fd = unsafe { call(number::SOCKET, address.family(), 0o2_004_001, 0, 0, 0)? };
    Ok(Fd(fd as i32))
}

pub fn connect(socket: &Fd, to: &SocketAddress) -> Result<()> {
    // SAFETY: the kernel reads `len` bytes of the address.
    unsafe { call(number::CONNECT, socket.0 as usize, to.bytes.as_ptr() as usize, to.len, 0, 0) }.map(drop)
}

pub fn bind(socket: &Fd, to: &SocketAddress) -> Result<()> {
    // SAFETY: the kernel reads `len` bytes of the address.
    unsafe { call(number::BIND, socket.0 as usize, to.bytes.as_ptr() as usize, to.len, 0, 0) }.map(drop)
}

/// Waits for connections, at most 128 of them.
pub fn listen(socket: &Fd) -> Result<()> {
    // SAFETY: no memory is passed.
    unsafe { call(number::LISTEN, socket.0 as usize, 128, 0, 0, 0) }.map(drop)
}

/// Takes a waiting connection, non-blocking like the listener.
pub fn accept(listener: &Fd) -> Result<Fd> {
    // SAFETY: no memory is passed: the peer's address is not asked for.
    let fd = unsafe { call(number::ACCEPT4, listener.0 as usize, 0, 0, 0o2_004_000, 0)? };
    Ok(Fd(fd as i32))
}

/// Tells the peer that nothing more will be sent.
pub fn shutdown_write(socket: &Fd) {
    // SAFETY: no memory is passed.
    let _ = unsafe { call(number::SHUTDOWN, socket.0 as usize, 1, 0, 0, 0) };
}

/// How a `connect` that was in progress has ended.
pub fn connect_result(socket: &Fd) -> Result<()> {
    match option(socket, SocketOption::ERROR)? {
        0 => Ok(()),
        error => Err(Errno(error)),
    }
}

/// How many connections wait at a socket that listens to be accepted.
pub fn waiting_connections(socket: &Fd) -> u32 {
    // struct tcp_info: 8 bytes, then words, of which the fifth is that for a listener. SOL_TCP 6, TCP_INFO 11.
    let (mut words, mut len) = ([0_u32; 7], 28_u32);
    let (to, size) = (words.as_mut_ptr() as usize, &raw mut len as usize);
    // SAFETY: the kernel writes 28 bytes and one u32.
    let _ = unsafe { call(number::GETSOCKOPT, socket.0 as usize, 6, 11, to, size) };
    words[6]
}

/// The port the kernel has given `socket`; 0 where it has none, or is of another kind.
pub fn local_port(socket: &Fd) -> u16 {
    let mut address = [0_u8; 28];
    let mut len = address.len() as u32;
    let (to, size) = (address.as_mut_ptr() as usize, &raw mut len as usize);
    // SAFETY: the kernel writes at most `len` bytes, and `len`.
    let _ = unsafe { call(number::GETSOCKNAME, socket.0 as usize, to, size, 0, 0) };
    match u16::from_ne_bytes([address[0], address[1]]) {
        AF_INET | AF_INET6 => u16::from_be_bytes([address[2], address[3]]),
        _ => 0,
    }
}

/// A socket option: level and name from the kernel's headers.
pub struct SocketOption(usize, usize);

impl SocketOption {
    pub const REUSE_ADDRESS: Self = Self(1, 2);
    /// Two words: on, seconds. With zero seconds, closing resets the connection and leaves no TIME_WAIT behind.
    pub const LINGER: Self = Self(1, 13);
    pub const IPV6_ONLY: Self = Self(41, 26);
    /// Several sockets of one user may listen at one port, if each has it.
    pub const REUSE_PORT: Self = Self(1, 15);
    /// What it has failed with; asked for once.
    pub const ERROR: Self = Self(1, 4);
    /// Whether it listens.
    pub const ACCEPTS: Self = Self(1, 30);
}

/// The first word of an option.
pub fn option(socket: &Fd, option: SocketOption) -> Result<i32> {
    let (mut word, mut len) = (0_i32, 4_u32);
    let (to, size) = (&raw mut word as usize, &raw mut len as usize);
    // SAFETY: the kernel writes one i32 and one u32.
    unsafe { call(number::GETSOCKOPT, socket.0 as usize, option.0, option.1, to, size)? };
    Ok(word)
}

pub fn set_option(socket: &Fd, option: SocketOption, words: &[i32]) {
    let (from, len) = (words.as_ptr() as usize, size_of_val(words));
    // SAFETY: the kernel reads `len` bytes. A refused option is not fatal for any of ours.
    let _ = unsafe { call(number::SETSOCKOPT, socket.0 as usize, option.0, option.1, from, len) };
}
