//! The terminal: taken over, given back, whatever happens.
//!
//! Every way out leads through one idempotent [`restore`]: the guard's drop, a panic on the console's thread, the signals
//! that the loop turns into an end, and a stop. It writes constant bytes past all buffers and puts back the modes that
//! were there, and a terminal that is gone, or takes nothing, makes it neither fail nor print nor wait. A frame is collected in memory and leaves in
//! one write, inside a synchronized update; one that changes nothing leaves no byte.

use super::outlet::{write, write_last};
use crate::config::settings::Notify;
use crate::domain::clean::clean;
use crossterm::clipboard::CopyToClipboard;
use crossterm::queue;
use crossterm::terminal::{BeginSynchronizedUpdate, EndSynchronizedUpdate, enable_raw_mode};
use ratatui::Frame;
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::layout::Rect;
use rustix::process::{Signal, kill_current_process_group};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use std::cell::RefCell;
use std::io::{self, IsTerminal, Write};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Switches on what the console needs, as little as possible, for a dropped line can't be cleaned up: the alternate
/// screen and bracketed paste; the cursor is hidden.
const ENTER: &[u8] = b"\x1b[?1049h\x1b[?2004h\x1b[?25l";
/// Switches it all off again; a frame may have been cut short.
const LEAVE: &[u8] = b"\x1b[?2026l\x1b[m\x1b[?2004l\x1b[?1049l\x1b[?25h";

/// Whether the screen is ours now.
static TAKEN: AtomicBool = AtomicBool::new(false);
/// The terminal's modes before it was.
static MODES: Mutex<Option<Termios>> = Mutex::new(None);

fn modes() -> MutexGuard<'static, Option<Termios>> {
    MODES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The screen while it is ours; gives it back when dropped.
pub struct Screen {
    terminal: Terminal<CrosstermBackend<Collected>>,
    collected: Collected,
    last: Vec<u8>,
}

/// Collects a frame; flushing is for [`Screen::draw`] alone.
#[derive(Clone, Default)]
struct Collected(Rc<RefCell<Vec<u8>>>);

impl Write for Collected {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Whether there is a terminal to take: input and output are one, and it can be addressed. The error says what is missing.
pub fn present(term: Option<&str>) -> Result<(), String> {
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        return Err("the console needs a terminal on standard input and output".to_owned());
    }
    match term {
        None | Some("" | "dumb") => {
            Err("the console needs a terminal that can be addressed, and TERM says it can't".to_owned())
        }
        Some(_) => Ok(()),
    }
}

impl Screen {
    /// Takes the terminal over.
    pub fn take() -> io::Result<Self> {
        // Whether there is colour is the theme's business: crossterm's own NO_COLOR would drop bold and reverse as well.
        crossterm::style::force_color_output(true);
        enter()?;
        let collected = Collected::default();
        match Terminal::new(CrosstermBackend::new(collected.clone())) {
            Ok(terminal) => Ok(Self { terminal, collected, last: Vec::new() }),
            Err(error) => {
                restore();
                Err(error)
            }
        }
    }

    /// Draws one frame, if it differs from what is there.
    pub fn draw(&mut self, render: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        queue!(self.terminal.backend_mut(), BeginSynchronizedUpdate)?;
        self.terminal.draw(render)?;
        queue!(self.terminal.backend_mut(), EndSynchronizedUpdate)?;
        let frame = self.collected.0.take();
        if is_news(&frame, &self.last) {
            write(&frame)?;
            self.last = frame;
        }
        Ok(())
    }

    /// Tells of something that has ended, by the bell or as a desktop notification; not while somebody else has the terminal.
    pub fn ring(how: Notify, text: &str) {
        if TAKEN.load(Ordering::SeqCst) {
            // Of a terminal that is gone the loop hears by itself.
            let _ = write(&notification(how, text));
        }
    }

    /// Clears the screen; the next frame is drawn whole.
    pub fn clear(&mut self) -> io::Result<()> {
        self.last.clear();
        // Its own `clear` asks the terminal where the cursor is, and waits for an answer that may never come.
        let size = self.terminal.size()?;
        self.terminal.resize(Rect::new(0, 0, size.width, size.height))
    }

    /// Asks the terminal to put `text` into its clipboard (OSC 52); whether it does, it does not say.
    pub fn copy(text: &str) -> io::Result<()> {
        let mut bytes = Vec::new();
        queue!(bytes, CopyToClipboard::to_clipboard_from(text))?;
        Ok(write(&bytes)?)
    }

    /// Takes the terminal (again) after a stop; the next frame is drawn whole.
    pub fn enter(&mut self) -> io::Result<()> {
        enter()?;
        self.clear()
    }
}

/// Whether a frame tells a screen anything that heard the last one. A frame without cells that change says how frames end
/// (colours, cursor), as that one did; with such cells it is unlike the last one's end, which has set them otherwise.
fn is_news(frame: &[u8], last: &[u8]) -> bool {
    let mut begin = Vec::new();
    // A vector takes whatever is written to it.
    let _ = queue!(begin, BeginSynchronizedUpdate);
    !last.ends_with(frame.strip_prefix(&*begin).unwrap_or(frame))
}

/// The bytes of a notification: what a terminal does not know it passes over.
fn notification(how: Notify, text: &str) -> Vec<u8> {
    match how {
        Notify::Off => Vec::new(),
        Notify::Bell => b"\x07".to_vec(),
        Notify::Osc9 => format!("\x1b]9;{}\x1b\\", clean(text)).into_bytes(),
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
    }
}

fn enter() -> io::Result<()> {
    let stdin = io::stdin();
    let mut raw = tcgetattr(&stdin)?;
    if !TAKEN.swap(true, Ordering::SeqCst) {
        *modes() = Some(raw.clone());
    }
    // Tells the library, whose reader asks itself; it would keep modes of its own and set none the second time.
    let entered = enable_raw_mode().and_then(|()| {
        raw.make_raw();
        tcsetattr(&stdin, OptionalActions::Now, &raw)?;
        write(ENTER).map_err(io::Error::from)
    });
    if entered.is_err() {
        restore();
    }
    entered
}

/// Gives the terminal back, once.
pub fn restore() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        // A terminal that is gone can't be restored, and nobody can be told.
        let _ = write_last(LEAVE);
        if let Some(modes) = modes().as_ref() {
            let _ = tcsetattr(io::stdin(), OptionalActions::Now, modes);
        }
    }
}

/// Whether the terminal listens to us: another group of its session may be in the foreground.
pub fn is_foreground() -> bool {
    Job::of("self").is_some_and(|job| job.group == job.foreground)
}

/// Stops this process and its group, until somebody continues it; the terminal must have been given back.
pub fn stop() -> io::Result<()> {
    Ok(kill_current_process_group(Signal::STOP)?)
}

/// Whether somebody could continue us: an ancestor in this session, outside this group, as a shell with job control is.
/// A console that ssh or a terminal emulator has started by itself would sleep for ever.
pub fn can_stop() -> bool {
    let Some(us) = Job::of("self") else { return false };
    let ancestors = std::iter::successors(Job::of(&us.parent), |job| Job::of(&job.parent));
    ancestors.take_while(|job| job.session == us.session).any(|job| job.group != us.group)
}

/// Where a process stands in the job control of its terminal, as proc(5) writes it: each a process id, `0` where that process
/// is outside our PID namespace. The system calls' wrappers don't allow for such a 0, and a container's first process has it.
struct Job {
    parent: String,
    group: String,
    session: String,
    /// The group that the terminal listens to, `-1` without a terminal.
    foreground: String,
}

impl Job {
    fn of(process: &str) -> Option<Self> {
        Self::parse(&std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?)
    }

    /// `PID (any) name) STATE PPID PGRP SESSION TTY TPGID …`
    fn parse(stat: &str) -> Option<Self> {
        let (_, after) = stat.rsplit_once(')')?;
        let mut fields = after.split_whitespace().skip(1).map(str::to_owned);
        let (parent, group, session) = (fields.next()?, fields.next()?, fields.next()?);
        Some(Self { parent, group, session, foreground: fields.nth(1)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_that_changes_nothing_leaves_no_byte() {
        let collected = Collected::default();
        let mut terminal = Terminal::with_options(
            CrosstermBackend::new(collected.clone()),
            ratatui::TerminalOptions { viewport: ratatui::Viewport::Fixed(Rect::new(0, 0, 9, 1)) },
        )
        .unwrap();
        let (mut last, mut news) = (Vec::new(), Vec::new());
        for (text, cursor) in [
            ("one", None),
            ("one", None),
            ("one", None),
            ("two", None),
            ("two", None),
            ("one", None),
            ("one", Some(3)),
            ("one", Some(3)),
            ("one", None),
        ] {
            queue!(terminal.backend_mut(), BeginSynchronizedUpdate).unwrap();
            let render = |frame: &mut Frame<'_>| {
                frame.render_widget(text, frame.area());
                if let Some(x) = cursor {
                    frame.set_cursor_position((x, 0));
                }
            };
            terminal.draw(render).unwrap();
            queue!(terminal.backend_mut(), EndSynchronizedUpdate).unwrap();
            let frame = collected.0.take();
            news.push(is_news(&frame, &last));
            if is_news(&frame, &last) {
                last = frame;
            }
        }
        assert_eq!(news, [true, false, false, true, false, true, true, false, true]);
    }

    #[test]
    fn a_notification_says_nothing_but_its_text() {
        assert_eq!(notification(Notify::Bell, "x"), b"\x07");
        assert_eq!(notification(Notify::Osc9, "deploy web succeeded"), b"\x1b]9;deploy web succeeded\x1b\\");
        let evil = notification(Notify::Osc9, "a\x1b]0;title\x07b");
        assert_eq!(evil.iter().filter(|byte| byte.is_ascii_control()).count(), 2, "{evil:?}");
        assert!(notification(Notify::Off, "x").is_empty());
    }
}
