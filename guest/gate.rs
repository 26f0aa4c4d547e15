//! `gate`: stands in front of an app's own program, and lets it begin when the sandbox says so.
//!
//! It asks the sandbox's first process (`arbiter.rs`) what to do, over a socket of the network namespace that both share:
//!
//! ```text
//! gate 1 TOKEN        to the arbiter, with descriptors of this container's /proc and of this process
//! pass                from it: begin at once
//! start               wait for `go`, then begin
//! bind                begin at once, but each `bind` of an inet address is asked for
//! filter              to it, with the listener where it will be asked; or `unfiltered ERRNO`, and wait as for `start`
//! go                  from it: begin
//! ```
//!
//! Who does not answer, or says something else, lets pass: an app must come up when nobody knows anything, after its
//! sandbox or the engine was restarted. Then it becomes the program, which notices nothing: same process, environment,
//! signals, directory and user.

use crate::args::Args;
use crate::exec;
use crate::notify;
use crate::signals::{Asked, Signals};
use crate::sys::{self, Errno, Fd, Open, POLLIN, PollFd};
use crate::text::Line;
use crate::unix;

/// Where the arbiter listens, unless `--at NAME` says otherwise.
pub const NAME: &[u8] = b"pitstop/gate/1";
/// How long the arbiter may take to answer.
const ANSWER_US: u64 = 2_000_000;
/// How long one that has too many others waiting may take to let this one in.
const CONNECT_US: u64 = 500_000;
/// The longest token.
pub const TOKEN: usize = 64;

/// Asks, waits, and becomes the program that the remaining arguments name.
pub fn run(mut args: Args) -> ! {
    let mut token = args.value(b"gate");
    let mut name = NAME;
    if token == b"--at" {
        name = args.value(b"--at");
        token = args.value(b"gate");
    }
    wait(name, token);
    exec::become_it(&args)
}

fn wait(name: &[u8], token: &[u8]) {
    let Some(arbiter) = connect(name) else { return };
    let mut hello = Line::<{ TOKEN + 16 }>::new();
    hello.push(b"gate 1 ").push(token);
    // Without the first the arbiter takes any port for the one, without the second no port is shared with it.
    let asked = match (sys::open(b"/proc\0", Open::Read), sys::own_process()) {
        (Ok(all), Ok(own)) => unix::send(&arbiter, hello.bytes(), &[all.raw(), own.raw()]),
        (Ok(all), Err(_)) => unix::send(&arbiter, hello.bytes(), &[all.raw()]),
        (Err(_), _) => unix::send(&arbiter, hello.bytes(), &[]),
    };
    if asked.is_err() {
        return;
    }
    let mut answer = [0_u8; 16];
    // Until the answer is here a signal is as deadly as to a program that has just begun.
    let len = listen(&arbiter, &mut answer, sys::now_us() + ANSWER_US);
    match &answer[..len] {
        b"start" => wait_for_go(&arbiter),
        b"bind" => match notify::ask_before_bind() {
            Ok(listener) => {
                if unix::send(&arbiter, b"filter", &[listener.raw()]).is_err() {
                    // Nobody would ever answer: a program that can't bind must not begin. The engine starts another try.
                    let _ = sys::write(2, b"pitstop-guest: the sandbox's guest went away while this began\n");
                    sys::exit(1)
                }
            }
            Err(error) => {
                let mut line = Line::<32>::new();
                line.push(b"unfiltered ").number(error.0 as u64);
                if unix::send(&arbiter, line.bytes(), &[]).is_ok() {
                    wait_for_go(&arbiter);
                }
            }
        },
        _ => {}
    }
}

fn connect(name: &[u8]) -> Option<Fd> {
    let until = sys::now_us() + CONNECT_US;
    loop {
        match unix::connect(name) {
            Ok(socket) => return Some(socket),
            Err(Errno::EAGAIN) if sys::now_us() < until => sys::poll(&mut [], sys::now_us() + 5_000),
            Err(_) => return None,
        }
    }
}

/// As the first process of a container this one gets no signal it does not ask for: being asked to end, it ends.
fn wait_for_go(arbiter: &Fd) {
    let signals = Signals::block();
    let mut word = [0_u8; 16];
    loop {
        let mut fds = [PollFd::new(signals.fd(), POLLIN), PollFd::new(arbiter.raw(), POLLIN)];
        sys::poll(&mut fds, u64::MAX);
        match signals.take() {
            Asked::Terminate => sys::exit(128 + 15),
            Asked::Interrupt => sys::exit(128 + 2),
            Asked::Nothing | Asked::Collect => {}
        }
        // `go`, or the end of the arbiter: nobody holds this any more.
        if fds[1].revents != 0 && !matches!(unix::receive(arbiter, &mut word), Err(Errno::EAGAIN | Errno::EINTR)) {
            break;
        }
    }
    signals.give_back();
}

/// The next message's length; 0 where none comes in time.
fn listen(arbiter: &Fd, into: &mut [u8], until_us: u64) -> usize {
    loop {
        let mut fds = [PollFd::new(arbiter.raw(), POLLIN)];
        sys::poll(&mut fds, until_us);
        match unix::receive(arbiter, into) {
            Ok((len, _)) => return len,
            Err(Errno::EAGAIN | Errno::EINTR) if sys::now_us() < until_us => {}
            Err(_) => return 0,
        }
    }
}
