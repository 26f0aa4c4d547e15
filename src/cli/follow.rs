//! A running operation: its events out, signals and a person's answers in, an exit code at the end.
//!
//! Cancelling has one mechanism with urgency: the first Ctrl-C or SIGTERM finishes the instances in flight, the second
//! aborts and puts them back, the third leaves as soon as no change is under way, the fourth does not wait even for that.
//! SIGHUP says that the terminal is gone, and says it more than once (the kernel does, and so does the shell): it is a
//! first request, or none at all, as `--on-hangup` wants it. What all that means for steps is the engine's business.

use super::output::Output;
use super::signals::{Signals, Wish};
use super::summary;
use super::telling::Telling;
use crate::config::settings::OnHangup;
use crate::domain::event::{EventKind, OpEvent, Urgency};
use crate::engine::{Control, Operation};
use tokio::sync::oneshot;

/// Reports `operation` until its end; `ask`: a person can be asked at gates.
pub async fn follow(
    out: &mut Output,
    mut operation: Operation,
    mut signals: Signals,
    on_hangup: OnHangup,
    ask: bool,
) -> u8 {
    let mut run = Run {
        telling: Telling::default(),
        control: operation.control,
        urgency: None,
        terminated: false,
        on_hangup,
        hung_up: false,
        asking: false,
        answer: None,
        gone: false,
    };
    while !run.gone {
        tokio::select! {
            event = operation.events.recv() => match event {
                Some(event) => run.report(out, &event, ask),
                None => break,
            },
            wish = signals.next() => run.obey(out, wish),
            go = answered(&mut run.answer) => run.answered(go),
        }
    }
    run.telling.end(out);
    summary::code(&run.telling.progress, run.terminated)
}

struct Run {
    telling: Telling,
    control: Control,
    /// The most urgent request so far.
    urgency: Option<Urgency>,
    /// A SIGTERM, or a SIGHUP that counts, came.
    terminated: bool,
    on_hangup: OnHangup,
    /// The terminal is gone.
    hung_up: bool,
    /// The operation waits at a gate, and the person was asked.
    asking: bool,
    /// The line that is being read.
    answer: Option<oneshot::Receiver<bool>>,
    /// Nothing is waited for any more.
    gone: bool,
}

impl Run {
    fn report(&mut self, out: &mut Output, event: &OpEvent, ask: bool) {
        if self.asking && matches!(event.kind, EventKind::Resumed { .. }) {
            // Said here with Enter, or in another terminal.
            self.asking = false;
            out.end_of_question();
        }
        self.telling.event(out, event);
        match &event.kind {
            EventKind::GateReached { .. } if ask => {
                out.ask("[Enter] go on, Ctrl-C stop");
                self.asking = true;
                // A line that nobody waits for any more is still being read.
                self.answer.get_or_insert_with(line);
            }
            EventKind::GateReached { .. } => {
                let op = &event.op;
                out.alarm(&format!("`pitstop go {op}` goes on, `pitstop abort {op}` stops here"));
            }
            EventKind::Paused { .. } => out.alarm(&format!("`pitstop continue {}` goes on", event.op)),
            _ if !self.asking => self.telling.passing(out),
            _ => {}
        }
    }

    fn obey(&mut self, out: &mut Output, wish: Wish) {
        if wish == Wish::HangUp {
            let told = std::mem::replace(&mut self.hung_up, true);
            if told || self.urgency.is_some() || self.on_hangup == OnHangup::Finish {
                return;
            }
        }
        let urgency = match self.urgency {
            None => Urgency::Finish,
            Some(Urgency::Finish) => Urgency::Abort,
            Some(Urgency::Abort | Urgency::AbortAll) => Urgency::Leave,
            Some(Urgency::Leave) => {
                self.gone = true;
                return;
            }
        };
        self.terminated |= wish != Wish::Interrupt;
        if std::mem::take(&mut self.asking) || wish == Wish::Interrupt {
            // The terminal has echoed `^C` on the line that was there.
            out.passing("");
            out.end_of_question();
        }
        self.urgency = Some(urgency);
        self.control.cancel(urgency);
    }

    fn answered(&mut self, go: bool) {
        self.answer = None;
        if !std::mem::take(&mut self.asking) {
            return;
        }
        if go {
            self.control.go();
        } else if self.urgency.is_none() {
            self.urgency = Some(Urgency::Finish);
            self.control.cancel(Urgency::Finish);
        }
    }
}

/// Waits for the answer, for ever when none is awaited.
async fn answered(answer: &mut Option<oneshot::Receiver<bool>>) -> bool {
    match answer {
        Some(answer) => answer.await.unwrap_or(false),
        None => std::future::pending().await,
    }
}

/// The next line of standard input: true for a line, false for its end.
///
/// On a thread of its own, because a blocked read can't be cancelled and must not keep the runtime from ending.
fn line() -> oneshot::Receiver<bool> {
    let (tell, answer) = oneshot::channel();
    std::thread::spawn(move || {
        let read = std::io::stdin().read_line(&mut String::new());
        // The operation may have ended meanwhile.
        let _ = tell.send(matches!(read, Ok(1..)));
    });
    answer
}
