//! Arguments and environment, read from the kernel's stack, and the message for wrong ones.
//!
//! Only parsing: what an option means is the mode's own business.

use crate::sys;
use crate::text::Line;

/// The arguments not yet taken, and the environment.
#[derive(Clone, Copy)]
pub struct Args {
    next: *const *const u8,
    env: *const *const u8,
}

impl Args {
    /// Reads `argc`, `argv` and `envp` where the kernel has put them, and skips the program's name.
    ///
    /// # Safety
    /// `stack` is the stack pointer at process entry.
    pub unsafe fn from_stack(stack: *const usize) -> Self {
        // SAFETY: at process entry the stack is argc, argc pointers, null, the environment's pointers, null.
        unsafe {
            let argc = *stack;
            let argv = stack.add(1).cast::<*const u8>();
            Self { next: argv.add(argc.min(1)), env: argv.add(argc + 1) }
        }
    }

    /// Takes the next argument.
    pub fn next(&mut self) -> Option<&'static [u8]> {
        // SAFETY: `next` never moves past argv's null; the strings live as long as the process.
        unsafe {
            let text = *self.next;
            if text.is_null() {
                return None;
            }
            self.next = self.next.add(1);
            Some(c_string(text))
        }
    }

    /// Takes the next argument as the value of `option`; ends the process where there is none.
    pub fn value(&mut self, option: &[u8]) -> &'static [u8] {
        self.next().unwrap_or_else(|| usage(b"needs a value", option))
    }

    /// Takes the next argument as a whole number, at most `max`; ends the process where it is none.
    pub fn number(&mut self, option: &[u8], max: u64) -> u64 {
        let value = self.value(option);
        number(value).filter(|n| *n <= max).unwrap_or_else(|| usage(b"not a number in range", value))
    }

    /// The arguments not yet taken and the environment, as lists that end with null.
    pub fn pointers(&self) -> (*const *const u8, *const *const u8) {
        (self.next, self.env)
    }

    /// The environment variable `name`.
    pub fn variable(&self, name: &[u8]) -> Option<&'static [u8]> {
        let mut at = self.env;
        loop {
            // SAFETY: `at` never moves past envp's null; the strings live as long as the process.
            let entry = unsafe {
                if (*at).is_null() {
                    return None;
                }
                let entry = c_string(*at);
                at = at.add(1);
                entry
            };
            if let Some(value) = entry.strip_prefix(name).and_then(|rest| rest.strip_prefix(b"=")) {
                return Some(value);
            }
        }
    }
}

/// A decimal number; none for anything else, or where it is greater than ten digits can be.
pub fn number(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 10 {
        return None;
    }
    text.iter().try_fold(0, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + u64::from(byte - b'0')))
}

/// Says on stderr what is wrong with which argument, and ends with 2.
pub fn usage(what: &[u8], argument: &[u8]) -> ! {
    let mut line = Line::<512>::new();
    line.push(b"pitstop-guest: ").push(what).push(b": ").push(argument);
    line.push(
        b" (modes: pause, lock, gate TOKEN COMMAND, watch|probe tcp:PORT|http:PORT/PATH, serve PORT TEXT, version)\n",
    );
    let _ = sys::write(2, line.bytes());
    sys::exit(2)
}

/// # Safety
/// `text` points to bytes that end with a zero and live as long as the process.
unsafe fn c_string(text: *const u8) -> &'static [u8] {
    // SAFETY: as the caller promises.
    unsafe {
        let mut len = 0;
        while *text.add(len) != 0 {
            len += 1;
        }
        core::slice::from_raw_parts(text, len)
    }
}
