//! The guest: the one program in pitstop's sandbox image, a static Linux binary with no libc.
//!
//! As PID 1 it holds a sandbox's network namespace (`pause`) and, when a console asks it to, times how long the app
//! did not answer, and holds new versions back until the old one has left its port (`arbiter.rs`); as the entrypoint of an
//! app container it becomes the app's program when it may (`gate`); run by `docker exec` inside a sandbox it does that alone (`watch`); as PID 1 of a lock container it
//! runs while somebody holds it (`lock`); as an app of its own it serves the demo and the tests (`serve`).
//! `build.rs` compiles it with the rustc that builds the console. It has no heap, no threads and no floating
//! point, and must stay free of anything a sandbox does not need: it runs, mostly asleep, in each of them.
//!
//! ```text
//! pitstop-guest [pause] [--lease-ms N] [--gate NAME]                 commands on stdin: see commands.rs
//! pitstop-guest gate [--at NAME] TOKEN COMMAND…                      in front of an app's program: see gate.rs
//! pitstop-guest lock [--lease-ms N]
//! pitstop-guest watch tcp:PORT|http:PORT/PATH [--every MS] [--timeout MS] [--for MS] [--until-stdin-closes]
//! pitstop-guest probe tcp:PORT|http:PORT/PATH                        once: 0 when it answers well, else 1
//! pitstop-guest serve PORT TEXT [--boot-ms N] [--exit-after-ms N [--exit-code N]] [--ignore-term] [--linger-ms N]
//!                               [--never-listen] [--sick-from-ms N] [--sick-until-ms N] [--take-mb N] [--data DIR]
//! pitstop-guest version
//! ```
//!
//! Exit codes: 0 done or asked to end, 1 could not work, 2 wrong arguments, 134 a defect of its own.

#![no_std]
#![no_main]
#![no_builtins] // mem.rs is where memcpy and friends are defined: their loops must not become calls to themselves

mod answer;
mod arbiter;
mod args;
mod beside;
mod bind;
mod commands;
mod exec;
mod gate;
mod held;
mod http;
mod lock;
mod mem;
mod notify;
mod pause;
mod port;
mod probe;
mod program;
mod serve;
mod signals;
mod sys;
mod text;
mod unix;
mod watch;

use args::Args;
use text::Line;

/// Version of what `watch` prints; a reader refuses a number it does not know.
pub const PROTOCOL: u64 = 1;

#[cfg(target_arch = "x86_64")]
const ARCH: &[u8] = b"x86_64";
#[cfg(target_arch = "aarch64")]
const ARCH: &[u8] = b"aarch64";

// The kernel enters with the stack pointer at argc and no return address; `begin` wants it as its argument.
#[cfg(target_arch = "x86_64")]
core::arch::global_asm!(
    ".globl _start",
    "_start:",
    "xor ebp, ebp",
    "mov rdi, rsp",
    "and rsp, -16",
    "call {begin}",
    begin = sym begin,
);
#[cfg(target_arch = "aarch64")]
core::arch::global_asm!(
    ".globl _start",
    "_start:",
    "mov x29, #0",
    "mov x30, #0",
    "mov x0, sp",
    "b {begin}",
    begin = sym begin,
);

/// First Rust code to run: turns the kernel's stack into arguments and picks the mode.
extern "C" fn begin(stack: *const usize) -> ! {
    // SAFETY: `_start` passes the stack pointer it was entered with, where the kernel has put argc, argv, envp.
    let mut args = unsafe { Args::from_stack(stack) };
    match args.next().unwrap_or(b"pause") {
        b"pause" => pause::run(args),
        b"lock" => lock::run(args),
        b"gate" => gate::run(args),
        b"watch" => watch::run(args),
        b"probe" => probe::run(args),
        b"serve" => serve::run(args),
        b"version" => {
            let mut line = Line::<64>::new();
            line.push(b"pitstop-guest ").number(PROTOCOL).push(b" ").push(ARCH).push(b"\n");
            sys::exit(i32::from(sys::write(1, line.bytes()).is_err()))
        }
        other => args::usage(b"unknown mode", other),
    }
}

/// Named by the unwind tables of the precompiled `core`, never called: panics end in `panic` below.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    let _ = sys::write(2, b"pitstop-guest: defect, please report it\n");
    sys::exit(134)
}
