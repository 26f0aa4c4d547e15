//! One that a console wants held: how far it has come, and what its console hears of it.
//!
//! What is done about it is `arbiter.rs`'s to decide.

use crate::answer::say;
use crate::gate::TOKEN;
use crate::sys::{self, Fd};
use crate::text::Line;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Start,
    Bind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Nobody has come.
    Expected,
    /// Its program has begun.
    Begun,
    /// It stands where it is to be held, since then.
    Held(u64),
    /// It goes on; whether it serves is looked at until then.
    Free(u64),
}

/// Whom a console wants held.
pub struct Hold {
    pub id: Line<33>,
    pub token: Line<{ TOKEN + 1 }>,
    pub kind: Kind,
    /// 0: none is known.
    pub port: u16,
    pub state: State,
    /// Another port that it has bound; 0: none.
    pub other: u16,
    /// Before which `bind` it stands; 0: nobody can tell.
    pub at_port: u16,
    /// To be let go when the port is free, since then; 0: not yet.
    pub swap_us: u64,
    /// It has got a port beside the old version.
    pub beside: bool,
    /// What it has got its own port with, until it accepts connections there.
    pub socket: Option<Fd>,
    /// It listens, and connections have been made that it is to accept.
    pub knocked: bool,
    /// When its console spoke last.
    pub spoken_us: u64,
    /// Its port has taken a connection since it was let go.
    pub served: bool,
    /// When the port was last seen taken.
    pub taken_us: u64,
    /// When the port is looked at next.
    pub next_us: u64,
}

impl Hold {
    /// One that nobody has come for.
    pub fn new(token: &[u8], kind: Kind, port: u16) -> Self {
        let mut hold = Self {
            id: Line::new(),
            token: Line::new(),
            kind,
            port,
            state: State::Expected,
            other: 0,
            at_port: port,
            swap_us: 0,
            beside: false,
            socket: None,
            knocked: false,
            spoken_us: 0,
            served: false,
            taken_us: sys::now_us(),
            next_us: u64::MAX,
        };
        hold.token.push(token);
        hold
    }

    pub fn is(&self, token: &[u8]) -> bool {
        self.token.bytes() == token
    }

    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Free(_))
    }

    pub fn spoken_by(&mut self, id: &[u8], lease_us: u64) {
        self.id = Line::new();
        self.id.push(id);
        self.spoken_us = sys::now_us();
        if self.swap_us == 0 && self.port > 0 && !self.is_over() {
            self.next_us = self.spoken_us + lease_us;
        }
    }

    pub fn stands(&mut self) {
        self.state = State::Held(sys::now_us());
        self.tell();
    }

    pub fn tell_other(&self) {
        let mut line = Line::<48>::new();
        line.push(b"other ").number(sys::now_us()).push(b" ").number(self.other.into());
        self.say(line.bytes());
    }

    /// Says what is now.
    pub fn tell(&self) {
        if self.other > 0 {
            self.tell_other();
        }
        let mut line = Line::<64>::new();
        match self.state {
            State::Expected => line.push(b"waiting"),
            State::Begun => line.push(b"begun ").number(sys::now_us()),
            State::Held(at) => {
                line.push(b"held ").number(at).push(b" ");
                match self.kind {
                    Kind::Start => line.push(b"start"),
                    Kind::Bind => line.number(self.at_port.into()),
                }
            }
            State::Free(_) => line.push(b"free ").number(sys::now_us()).push(b" 0"),
        };
        self.say(line.bytes());
    }

    pub fn say(&self, words: &[u8]) {
        say(self.id.bytes(), words);
    }
}
