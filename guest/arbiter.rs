//! Who may serve: the sandbox's first process holds back a new version until the old one has left its port.
//!
//! A console says whom to hold (`commands.rs`), by the token that the app container's gate (`gate.rs`) brings along:
//!
//! ```text
//! hold ID TOKEN start [PORT]    hold its start until told, or until PORT is free
//! hold ID TOKEN bind PORT       let it begin, hold its `bind` of PORT
//! swap ID TOKEN                 let it go as soon as its port is free
//! beside ID TOKEN               let it have its port now, beside the old version that still listens there (`beside.rs`)
//! go ID TOKEN                   let it go now
//! ```
//!
//! and is told, `ID ` in front, times in µs of this kernel's `CLOCK_MONOTONIC`:
//!
//! ```text
//! waiting                       nobody has come with that token yet
//! begun T                       the gate is here and its program begins, to be held at its `bind`
//! held T start|PORT             it stands before its start, or before its `bind` of PORT (0: nobody can tell which): its own,
//!                               or another one that the old version has
//! other T PORT                  it has bound another port, which was free
//! unfiltered ERRNO              its `bind` can't be held, so its start is
//! free T AFTER                  its port is free, AFTER µs since it was last seen taken; it goes on
//! served T GAP                  its port takes connections, GAP µs since it was last seen taken
//! apart T ERRNO                 it can't have its port beside the old version; it is held as before
//! gone T                        it has ended before it was let go
//! ```
//!
//! The same `hold` again tells what is now. Whom nobody has told to hold passes: a container that the engine restarts by
//! itself, and everybody when this process has been restarted and knows nothing. Who was let go is asked for no more, but
//! its filter stays in the kernel, so its listener stays here and is answered at once for as long as it lives. Whoever came by
//! a gate is remembered for as long as it lives: it is the old version of the next swap. A console
//! that dies leaves what is held held while the old version serves; when that leaves the port, the new one takes over.
//!
//! Nothing here waits but for a bind, some ms at most: PID 1 has signals to answer.

use crate::args;
use crate::beside;
use crate::bind::{Call, Named, named};
use crate::gate::TOKEN;
use crate::held::{Hold, Kind, State};
use crate::notify;
use crate::port;
use crate::program::{CALLS, Program};
use crate::sys::{self, Errno, Fd, POLLIN, PollFd};
use crate::text::Line;
use crate::unix;

/// Gates that wait for an answer or for `go`, holds, and programs: each at a time.
const MANY: usize = 8;
/// Descriptors that [`Arbiter::watch`] fills.
pub const FDS: usize = 1 + 2 * MANY;

const MS: u64 = 1000;
const SECOND: u64 = 1_000_000;
/// How often a port is looked at that is to be taken over, at first; after [`LONG`]; and when no console speaks any more.
const LOOK: (u64, u64, u64) = (200, 10 * MS, 100 * MS);
/// An old version that needs longer than this to leave its port is not a matter of milliseconds.
const LONG: u64 = 60 * SECOND;
/// Connections to a port that two versions share, so that the new one gets at least one: each goes to either.
const KNOCKS: usize = 8;
/// What a gate may take to say who it is.
const HELLO: u64 = SECOND;

/// A gate that has connected.
struct Client {
    socket: Fd,
    /// Empty until it has said who it is.
    token: Line<{ TOKEN + 1 }>,
    /// Its container's processes.
    processes: Option<Fd>,
    /// The process that it is, and that its program will be.
    own: Option<Fd>,
    until_us: u64,
}

pub struct Arbiter {
    listener: Option<Fd>,
    lease_us: u64,
    clients: [Option<Client>; MANY],
    holds: [Option<Hold>; MANY],
    programs: [Option<Program>; MANY],
}

impl Arbiter {
    /// Listens under `name`; where that is taken, nobody is ever held.
    ///
    /// A console that says nothing for `lease_ms` is gone.
    pub fn new(name: &[u8], lease_ms: u64) -> Self {
        Self { listener: unix::listen(name).ok(), lease_us: lease_ms * MS, ..Self::none() }
    }

    /// One that holds nothing: what a child of PID 1 keeps of its parent's.
    pub fn none() -> Self {
        let (clients, holds) = ([const { None }; MANY], [const { None }; MANY]);
        Self { listener: None, lease_us: 0, clients, holds, programs: [const { None }; MANY] }
    }

    /// What to poll for.
    pub fn watch(&self, fds: &mut [PollFd]) {
        let of = |fd: Option<&Fd>| fd.map_or(PollFd::UNUSED, |fd| PollFd::new(fd.raw(), POLLIN));
        let room = self.clients.iter().any(Option::is_none);
        fds[0] = of(self.listener.as_ref().filter(|_| room));
        for (slot, client) in fds[1..].iter_mut().zip(&self.clients) {
            *slot = of(client.as_ref().map(|client| &client.socket));
        }
        for (slot, program) in fds[1 + MANY..].iter_mut().zip(&self.programs) {
            *slot = of(program.as_ref().and_then(|program| program.listener.as_ref().or(program.own.as_ref())));
        }
    }

    /// When there is something to do next without anybody's word.
    pub fn next_us(&self) -> u64 {
        let hellos = self.clients.iter().flatten().map(|client| client.until_us);
        self.holds.iter().flatten().map(|hold| hold.next_us).chain(hellos).min().unwrap_or(u64::MAX)
    }

    /// Does what has come up; `fds` as [`Arbiter::watch`] has filled them.
    pub fn advance(&mut self, fds: &[PollFd]) {
        for at in 0..MANY {
            if fds[1 + MANY + at].revents != 0 {
                self.asked(at, fds[1 + MANY + at].revents & POLLIN != 0);
            }
            if fds[1 + at].revents != 0 {
                self.said(at);
            }
            self.clients[at].take_if(|client| client.until_us <= sys::now_us());
        }
        if fds[0].revents != 0 {
            self.let_in();
        }
        for at in 0..MANY {
            if self.holds[at].as_ref().is_some_and(|hold| hold.next_us <= sys::now_us()) {
                self.look(at);
            }
        }
    }

    fn let_in(&mut self) {
        let Some(Ok(socket)) = self.listener.as_ref().map(unix::accept) else { return };
        if let Some(slot) = self.clients.iter_mut().find(|slot| slot.is_none()) {
            let until_us = sys::now_us() + HELLO;
            *slot = Some(Client { socket, token: Line::new(), processes: None, own: None, until_us });
        }
    }

    /// A gate says who it is, what became of its filter, or that it has ended.
    fn said(&mut self, at: usize) {
        let Some(client) = &mut self.clients[at] else { return };
        let mut text = [0_u8; TOKEN + 32];
        let (len, [first, second]) = match unix::receive(&client.socket, &mut text) {
            Ok((len, fds)) => (len, fds),
            Err(Errno::EAGAIN | Errno::EINTR) => return,
            Err(_) => (0, [None, None]),
        };
        let text = &text[..len];
        let known = !client.token.bytes().is_empty();
        match (known, text.strip_prefix(b"gate 1 ")) {
            (false, Some(token)) if !token.is_empty() && token.len() <= TOKEN => {
                client.token.push(token);
                (client.processes, client.own) = (first, second);
                self.welcome(at);
            }
            (true, None) if text == b"filter" => self.filtered(at, first),
            (true, None) if text.starts_with(b"unfiltered ") => self.unfiltered(at, &text[b"unfiltered ".len()..]),
            // Gone, or not one of ours.
            _ => self.left(at),
        }
    }

    /// Tells a gate what to do.
    fn welcome(&mut self, at: usize) {
        let Some(client) = &mut self.clients[at] else { return };
        let hold = self.holds.iter_mut().flatten().find(|hold| hold.is(client.token.bytes()) && !hold.is_over());
        let Some(hold) = hold else {
            let _ = unix::send(&client.socket, b"pass", &[]);
            return self.begins(at, None);
        };
        let word: &[u8] = if hold.kind == Kind::Start { b"start" } else { b"bind" };
        if unix::send(&client.socket, word, &[]).is_err() {
            self.clients[at] = None;
            return;
        }
        match hold.kind {
            Kind::Start => {
                client.until_us = u64::MAX;
                hold.stands();
            }
            // It has its filter in a moment.
            Kind::Bind => client.until_us = sys::now_us() + HELLO,
        }
    }

    fn filtered(&mut self, at: usize, listener: Option<Fd>) {
        let Some(client) = &self.clients[at] else { return };
        if listener.is_none() {
            self.clients[at] = None;
            return;
        }
        if let Some(hold) = self.holds.iter_mut().flatten().find(|hold| hold.is(client.token.bytes())) {
            hold.state = State::Begun;
            hold.tell();
        }
        self.begins(at, listener);
    }

    /// A gate becomes its program.
    fn begins(&mut self, at: usize, listener: Option<Fd>) {
        let Some(Client { token, processes, own, .. }) = self.clients[at].take() else { return };
        // Whose end nobody would see is not remembered; who is asked for has room made by who is not. With no room the listener
        // is closed, and the program can bind nothing: better it fails than that it is lost. Eight
        // programs in one sandbox are more than two versions.
        let asks = listener.is_some();
        let free = self.programs.iter().position(Option::is_none);
        let quiet = |slot: &Option<Program>| slot.as_ref().is_some_and(|program| program.listener.is_none());
        let room = free.or_else(|| self.programs.iter().position(quiet).filter(|_| asks));
        if let Some(room) = room.filter(|_| asks || own.is_some()) {
            let (waiting, passed) = ([Call::NONE; CALLS], [0; CALLS]);
            self.programs[room] = Some(Program { token, processes, own, listener, waiting, count: 0, passed, next: 0 });
        }
    }

    fn unfiltered(&mut self, at: usize, errno: &[u8]) {
        let Some(client) = &mut self.clients[at] else { return };
        client.until_us = u64::MAX;
        if let Some(hold) = self.holds.iter_mut().flatten().find(|hold| hold.is(client.token.bytes())) {
            hold.kind = Kind::Start;
            let mut line = Line::<32>::new();
            line.push(b"unfiltered ").push(errno);
            hold.say(line.bytes());
            hold.stands();
        }
    }

    /// A gate is gone, its container most probably with it.
    fn left(&mut self, at: usize) {
        let Some(client) = self.clients[at].take() else { return };
        self.lost(client.token.bytes());
    }

    /// What was held has ended; it may come again, by its restart policy.
    fn lost(&mut self, token: &[u8]) {
        let lost = |hold: &&mut Hold| hold.is(token) && (!hold.is_over() || (hold.beside && !hold.served));
        let hold = self.holds.iter_mut().flatten().find(lost);
        if let Some(hold) = hold.filter(|hold| hold.state != State::Expected) {
            (hold.state, hold.beside, hold.knocked, hold.socket) = (State::Expected, false, false, None);
            let mut line = Line::<32>::new();
            line.push(b"gone ").number(sys::now_us());
            hold.say(line.bytes());
        }
    }

    /// A program wants to bind, or its last process has ended.
    fn asked(&mut self, at: usize, is_question: bool) {
        let Some(program) = &mut self.programs[at] else { return };
        let Some(listener) = program.listener.as_ref().filter(|_| is_question) else {
            if let Some(program) = self.programs[at].take() {
                self.lost(program.token.bytes());
            }
            return;
        };
        let Ok(asked) = notify::take(listener) else { return };
        let Some(hold) = self.holds.iter_mut().flatten().find(|hold| hold.is(program.token.bytes())) else {
            return program.let_go(asked.id);
        };
        let (named, process) = named(program.processes.as_ref(), &asked);
        let port = match named {
            // What it has beside the old version in one family it may want in the other, too.
            Named::Tcp(port) if hold.beside && !port::is_free(port) => port,
            // Another port that the old version has is as good a place to wait as its own.
            Named::Tcp(port) if program.passed.contains(&port) => return program.let_go(asked.id),
            Named::Tcp(port) if (port == hold.port && !hold.is_over()) || !port::is_free(port) => port,
            Named::Tcp(port) if port != hold.port => {
                program.pass(asked.id, port);
                hold.other = port;
                return hold.tell_other();
            }
            // Held too long is better than let go too early: the old version serves meanwhile.
            Named::Unknown if !hold.is_over() => 0,
            Named::Tcp(port) => return program.pass(asked.id, port),
            Named::Other | Named::Unknown => return program.let_go(asked.id),
        };
        if program.count == CALLS {
            // The oldest was interrupted and asked anew, or there are more callers than any program has.
            program.let_pass(|_| true, 1);
        }
        program.waiting[program.count] = Call::new(&asked, port, process);
        program.count += 1;
        if !hold.is_over() {
            if !matches!(hold.state, State::Held(_)) {
                hold.at_port = port;
                hold.stands();
            }
            return;
        }
        hold.next_us = hold.next_us.min(sys::now_us() + LOOK.0);
        let (beside, itself) = (hold.beside, program.passed.contains(&port));
        if beside
            && self.share(at).is_err()
            && let Some(program) = self.programs[at].as_mut().filter(|_| itself)
        {
            // It is itself who has it, and is to hear so.
            program.let_pass(|other| other == port, CALLS);
        }
    }

    /// `hold`, `swap`, `beside` and `go`, after the id; says why not.
    pub fn command<'a>(
        &mut self,
        command: &[u8],
        id: &[u8],
        mut words: impl Iterator<Item = &'a [u8]>,
    ) -> Result<(), &'static [u8]> {
        let token = words.next().filter(|token| token.len() <= TOKEN).ok_or(&b"needs a token"[..])?;
        if command == b"hold" {
            let kind = match words.next() {
                Some(b"start") => Kind::Start,
                Some(b"bind") => Kind::Bind,
                _ => return Err(b"not hold ID TOKEN start|bind PORT"),
            };
            let port = words.next().map(|port| args::number(port).and_then(|port| u16::try_from(port).ok()));
            return match (kind, port) {
                (Kind::Start, None) => self.hold(id, token, kind, 0),
                (_, Some(Some(port))) if port > 0 => self.hold(id, token, kind, port),
                _ => Err(b"not a port"),
            };
        }
        let at = self.holds.iter().position(|hold| hold.as_ref().is_some_and(|hold| hold.is(token)));
        let (Some(at), None) = (at, words.next()) else { return Err(b"no such hold") };
        let Some(hold) = &mut self.holds[at] else { return Err(b"no such hold") };
        hold.spoken_by(id, self.lease_us);
        if hold.is_over() {
            hold.tell();
            return Ok(());
        }
        if command == b"go" {
            self.free(at);
        } else if command == b"beside" {
            self.beside(at);
        } else {
            if hold.port == 0 {
                return Err(b"no port is known");
            }
            hold.swap_us = sys::now_us();
            self.look(at);
        }
        Ok(())
    }

    fn hold(&mut self, id: &[u8], token: &[u8], kind: Kind, port: u16) -> Result<(), &'static [u8]> {
        if self.listener.is_none() {
            return Err(b"the name for gates is taken");
        }
        if let Some(hold) = self.holds.iter_mut().flatten().find(|hold| hold.is(token)) {
            hold.spoken_by(id, self.lease_us);
            hold.tell();
            return Ok(());
        }
        // A hold whose container never came, or has served for long, makes room: the one spoken of least recently.
        let oldest = |slot: &Option<Hold>| slot.as_ref().map_or(0, |hold| hold.spoken_us);
        let in_use = |hold: &Hold| matches!(hold.state, State::Begun | State::Held(_));
        let room = (0..MANY).filter(|at| !self.holds[*at].as_ref().is_some_and(in_use));
        let at = room.min_by_key(|at| oldest(&self.holds[*at])).ok_or(b"too many are held".as_slice())?;
        let mut hold = Hold::new(token, kind, port);
        hold.spoken_by(id, self.lease_us);
        hold.tell();
        self.holds[at] = Some(hold);
        Ok(())
    }

    /// Looks at the port: is it free, does it serve.
    fn look(&mut self, at: usize) {
        let Some(hold) = &mut self.holds[at] else { return };
        let now = sys::now_us();
        match hold.state {
            State::Free(until) => {
                hold.next_us = now + LOOK.0;
                let (mut waits, mut passed) = (false, 0);
                for program in self.programs.iter_mut().flatten().filter(|program| hold.is(program.token.bytes())) {
                    passed += program.let_pass(|port| port == 0 || port::is_free(port), CALLS);
                    waits |= program.count > 0;
                }
                // The old version has left, and it is alone.
                hold.beside &= passed == 0;
                let serves = match &hold.socket {
                    Some(socket) if hold.knocked => sys::waiting_connections(socket) == 0,
                    Some(socket) => {
                        // Some servers listen long before they accept; the old one goes on until this one does.
                        hold.knocked = beside::listens(socket, hold.port);
                        if hold.knocked {
                            (0..KNOCKS).for_each(|_| _ = port::serves(hold.port));
                        }
                        false
                    }
                    // The old one answers.
                    None if hold.beside => false,
                    None => port::serves(hold.port),
                };
                if hold.served {
                    // A port of the old version's that it has not left yet may still be waited for, or come to be bound.
                    if now >= until || !(waits || hold.beside) {
                        self.holds[at] = None;
                    } else if !waits {
                        hold.next_us = until;
                    }
                } else if serves {
                    let served = sys::now_us();
                    let gap = if hold.socket.take().is_some() { 0 } else { served - hold.taken_us };
                    let mut line = Line::<64>::new();
                    line.push(b"served ").number(served).push(b" ").number(gap);
                    hold.say(line.bytes());
                    hold.served = true;
                } else if now >= until {
                    self.holds[at] = None;
                }
            }
            _ => {
                let told = hold.swap_us > 0;
                let due = hold.spoken_us + self.lease_us;
                let gone = now >= due;
                if !told && (!gone || hold.port == 0) {
                    hold.next_us = if hold.port == 0 { u64::MAX } else { due };
                    return;
                }
                if port::is_free(hold.port) {
                    return self.free(at);
                }
                hold.taken_us = sys::now_us();
                let pace = if gone {
                    LOOK.2
                } else if now < hold.swap_us + LONG {
                    LOOK.0
                } else {
                    LOOK.1
                };
                hold.next_us = hold.taken_us + pace;
            }
        }
    }

    /// Lets it have its port while the old version has it, too.
    fn beside(&mut self, at: usize) {
        let Some(hold) = &self.holds[at] else { return };
        let stands = |slot: &Option<Program>| slot.as_ref().is_some_and(|it| it.count > 0 && hold.is(it.token.bytes()));
        let program = self.programs.iter().position(stands).filter(|_| hold.port > 0);
        let shared = program.map_or(Err(Errno::ENOENT), |program| self.share(program));
        let Some(hold) = &mut self.holds[at] else { return };
        let now = sys::now_us();
        let mut line = Line::<64>::new();
        match shared {
            Ok(()) => {
                (hold.beside, hold.state, hold.next_us) = (true, State::Free(now + LONG), now);
                line.push(b"free ").number(now).push(b" 0");
            }
            Err(errno) => {
                hold.socket = None;
                line.push(b"apart ").number(now).push(b" ").number(errno.0 as u64);
            }
        }
        hold.say(line.bytes());
    }

    /// Lets a program have all that it waits for, beside whoever else came by a gate; on an error the rest waits on.
    fn share(&mut self, at: usize) -> sys::Result<()> {
        loop {
            let Some(program) = &self.programs[at] else { return Err(Errno::ENOENT) };
            let Some(call) = program.waiting[..program.count].first().copied() else { return Ok(()) };
            let (Some(all), Some(own)) = (&program.processes, &program.own) else { return Err(Errno::ENOSYS) };
            let others = self.programs.iter().enumerate().filter(|(other, _)| *other != at);
            let old = others.filter_map(|(_, other)| other.as_ref()?.own.as_ref());
            let socket = beside::bind(all, own, &call, old)?;
            let Some(program) = &mut self.programs[at] else { return Err(Errno::ENOENT) };
            program.is_done(call);
            let hold = self.holds.iter_mut().flatten().find(|hold| hold.is(program.token.bytes()));
            if let Some(hold) = hold.filter(|hold| hold.port == call.port) {
                hold.socket.get_or_insert(socket);
            }
        }
    }

    /// Lets it go.
    fn free(&mut self, at: usize) {
        let Some(hold) = &mut self.holds[at] else { return };
        for program in self.programs.iter_mut().flatten().filter(|program| hold.is(program.token.bytes())) {
            let own = hold.port;
            program.let_pass(|port| port == 0 || port == own || port::is_free(port), CALLS);
        }
        for client in 0..MANY {
            let (Some(hold), Some(gate)) = (&self.holds[at], &self.clients[client]) else { continue };
            if hold.is(gate.token.bytes()) {
                let _ = unix::send(&gate.socket, b"go", &[]);
                self.begins(client, None);
            }
        }
        let Some(hold) = &mut self.holds[at] else { return };
        let now = sys::now_us();
        let mut line = Line::<64>::new();
        line.push(b"free ").number(now).push(b" ").number(now - hold.taken_us);
        hold.say(line.bytes());
        hold.state = State::Free(now + LONG);
        hold.next_us = if hold.port == 0 { now + LONG } else { now };
    }
}
