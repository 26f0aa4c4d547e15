//! Becoming the app's program: as the engine would have started it, found along `PATH`.

use crate::args::Args;
use crate::sys::{self, Errno, number};
use crate::text::Line;

/// Where a program is looked for when the environment does not say (the engine's default).
const PATH: &[u8] = b"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Becomes the program that `args` names, with the rest of them and the environment as they are; comes back never: what can't
/// be run ends the process with 127 (not found) or 126, as shells and engines say it.
pub fn become_it(args: &Args) -> ! {
    let mut rest = *args;
    let Some(name) = rest.next() else { crate::args::usage(b"needs a command", b"gate") };
    let error = if name.contains(&b'/') {
        execute(args, &[name])
    } else {
        let path = args.variable(b"PATH").unwrap_or(PATH);
        let mut worst = Errno::ENOENT;
        for directory in path.split(|byte| *byte == b':') {
            let directory = if directory.is_empty() { b"." } else { directory };
            match execute(args, &[directory, b"/", name]) {
                Errno::ENOENT | Errno::ENOTDIR => {}
                error => worst = error,
            }
        }
        worst
    };
    let mut line = Line::<512>::new();
    line.push(b"pitstop-guest: cannot run ").push(name);
    let code = match error {
        Errno::ENOENT if name.contains(&b'/') => {
            line.push(b": no such file or directory");
            127
        }
        Errno::ENOENT | Errno::ENOTDIR => {
            line.push(b": executable file not found in $PATH");
            127
        }
        Errno::EACCES => {
            line.push(b": permission denied");
            126
        }
        Errno(8) => {
            line.push(b": exec format error");
            126
        }
        Errno(other) => {
            line.push(b": error ").number(other as u64);
            126
        }
    };
    line.push(b"\n");
    let _ = sys::write(2, line.bytes());
    sys::exit(code)
}

/// Tries the path that `pieces` make; comes back with why not.
fn execute(args: &Args, pieces: &[&[u8]]) -> Errno {
    let mut path = [0_u8; 4096];
    let mut len = 0;
    for piece in pieces {
        if len + piece.len() >= path.len() {
            return Errno::ENOENT;
        }
        path[len..len + piece.len()].copy_from_slice(piece);
        len += piece.len();
    }
    let (argv, envp) = args.pointers();
    // SAFETY: the kernel reads the path up to its zero byte, and both lists, which end with null, as it has made them.
    match unsafe { sys::call(number::EXECVE, path.as_ptr() as usize, argv as usize, envp as usize, 0, 0) } {
        Ok(_) => Errno::ENOENT,
        Err(error) => error,
    }
}
