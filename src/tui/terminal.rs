//! The terminal: taken over, given back, whatever happens.
//!
//! Three ways out lead through one idempotent [`restore`]: the guard's drop, a panic on the console's thread, and the
//! signals that the loop turns into an end. A frame is collected in memory and leaves in one write, inside a
//! synchronized update; one that changes nothing leaves no byte.

use crossterm::cursor::{Hide, Show};
use crossterm::event::{DisableBracketedPaste, EnableBracketedPaste};
use crossterm::terminal::{
    BeginSynchronizedUpdate, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode,
    enable_raw_mode,
};
use crossterm::{execute, queue};
use ratatui::Frame;
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use std::cell::RefCell;
use std::io::{self, IsTerminal, Write};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the screen is ours now.
static TAKEN: AtomicBool = AtomicBool::new(false);

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
        // Cells that change make a frame unlike the one before it; equal frames say the same to a screen that heard it.
        if frame != self.last {
            let mut out = io::stdout().lock();
            out.write_all(&frame)?;
            out.flush()?;
            self.last = frame;
        }
        Ok(())
    }

    /// Clears the screen; the next frame is drawn whole.
    pub fn clear(&mut self) -> io::Result<()> {
        self.last.clear();
        self.terminal.clear()
    }

    /// Gives the terminal back, stops the process until `fg`, and takes the terminal again.
    pub fn suspend(&mut self) -> io::Result<()> {
        restore();
        rustix::process::kill_current_process_group(rustix::process::Signal::STOP)?;
        enter()?;
        self.clear()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
    }
}

fn enter() -> io::Result<()> {
    enable_raw_mode()?;
    TAKEN.store(true, Ordering::SeqCst);
    let entered = execute!(io::stdout(), EnterAlternateScreen, EnableBracketedPaste, Hide);
    if entered.is_err() {
        restore();
    }
    entered
}

/// Gives the terminal back, once. A terminal that is gone can't be restored, and nobody can be told.
pub fn restore() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        let _ = execute!(io::stdout(), EndSynchronizedUpdate, DisableBracketedPaste, LeaveAlternateScreen, Show);
        let _ = disable_raw_mode();
    }
}

/// From now on, a panic on this thread gives the terminal back before it is reported; a panic on another thread (a step
/// of an operation, which is reported as failed) goes to pitstop's own log while the screen is ours.
pub fn install_panic_hook() {
    let console = std::thread::current().id();
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if TAKEN.load(Ordering::SeqCst) && std::thread::current().id() != console {
            tracing::error!("a fault in pitstop itself: {info}");
            return;
        }
        restore();
        before(info);
    }));
}
