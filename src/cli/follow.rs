//! A running operation: its events out, signals and a person's answers in, an exit code at the end.
//!
//! Cancelling has one mechanism with urgency: the first Ctrl-C finishes the instances in flight, the second aborts and puts
//! them back, the third leaves. SIGTERM and SIGHUP finish. What those mean for steps is the engine's business.

use super::output::Output;
use super::signals::{Signals, Wish};
use super::summary;
use super::telling::Telling;
use crate::domain::event::{EventKind, OpEvent, Urgency};
use crate::engine::{Control, Operation};
use std::time::Duration;
use tokio::sync::oneshot;

/// How long the operation may take to say what is half done after it was told to leave.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Reports `operation` until its end; `ask`: a person can be asked at gates.
pub async fn follow(out: &mut Output, mut operation: Operation, mut signals: Signals, ask: bool) -> u8 {
    let mut run =
        Run { telling: Telling::default(), control: operation.control, urgency: None, terminated: false, answer: None };
    loop {
        tokio::select! {
            event = operation.events.recv() => match event {
                Some(event) => run.report(out, &event, ask),
                None => break,
            },
            wish = signals.next() => run.obey(out, wish),
            go = answered(&mut run.answer) => run.answered(go),
            () = tokio::time::sleep(LAST_WORDS), if run.urgency == Some(Urgency::Leave) => break,
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
    /// A SIGTERM or SIGHUP came.
    terminated: bool,
    /// The answer at a gate, while one is awaited.
    answer: Option<oneshot::Receiver<bool>>,
}

impl Run {
    fn report(&mut self, out: &mut Output, event: &OpEvent, ask: bool) {
        self.telling.event(out, event);
        if matches!(event.kind, EventKind::GateReached { .. }) && ask {
            out.ask("[Enter] go on, Ctrl-C stop");
            self.answer = Some(line());
        } else if self.answer.is_none() {
            self.telling.passing(out);
        }
    }

    fn obey(&mut self, out: &mut Output, wish: Wish) {
        let urgency = match (wish, self.urgency) {
            (Wish::Interrupt, None) => Urgency::Finish,
            (Wish::Interrupt, Some(Urgency::Finish)) => Urgency::Abort,
            (Wish::Interrupt, Some(Urgency::Abort | Urgency::Leave)) => Urgency::Leave,
            // Asking again does not make it more urgent: who wants that has SIGINT.
            (Wish::Terminate, urgency) => urgency.unwrap_or(Urgency::Finish),
        };
        self.terminated |= wish == Wish::Terminate;
        if self.answer.take().is_some() || wish == Wish::Interrupt {
            // The terminal has echoed `^C` on the line that was there.
            out.passing("");
            out.end_of_question();
        }
        if self.urgency != Some(urgency) {
            self.urgency = Some(urgency);
            self.control.cancel(urgency);
        }
    }

    fn answered(&mut self, go: bool) {
        self.answer = None;
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
