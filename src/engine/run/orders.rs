//! What is said to an operation while it runs, by its own console or from another terminal: what it does, and the answer's words.

use super::Run;
use crate::domain::control::{Order, Reply};
use crate::domain::event::{EventKind, Urgency};
use crate::engine::request::Command;

impl Run {
    /// Does what is said, and has the answer sent.
    pub(super) fn obey(&mut self, command: Command) {
        let Command { order, by, reply } = command;
        let said = match order {
            Order::Go => self.go(by),
            Order::Pause => self.pause(by),
            Order::Cancel { urgency } => self.cancel(urgency, by),
        };
        if let Some(reply) = reply {
            // Who asked may have gone.
            let _ = reply.send(said);
        }
    }

    fn go(&mut self, by: Option<String>) -> Reply {
        if !self.schedule.is_waiting_for_go() {
            return Reply::no("it waits for nobody: no gate was reached, and it is not paused");
        }
        self.schedule.go();
        self.teller.tell(EventKind::Resumed { reason: by.map_or("go".into(), |by| format!("go, said {by}")) });
        Reply::yes("it goes on")
    }

    fn pause(&mut self, by: Option<String>) -> Reply {
        if self.schedule.is_paused() {
            return Reply::no("it is paused already");
        }
        if !self.schedule.pause() {
            return Reply::no("it is coming to its end already, so there is nothing to pause");
        }
        let by = by.unwrap_or_else(|| "the user".into());
        let reason = format!("asked by {by}; no further instance begins");
        self.teller.tell(EventKind::Paused { reason });
        Reply::yes("paused: no further instance begins, those in flight are finished")
    }

    fn cancel(&mut self, urgency: Urgency, by: Option<String>) -> Reply {
        if urgency == Urgency::Leave && self.left {
            // Who leaves twice does not even wait for the changes under way.
            self.gone = true;
            return Reply::yes("leaving at once");
        }
        if !self.schedule.cancel(urgency) {
            let app = &self.plan.app;
            return Reply::no(format!(
                "every instance is done and what they replaced is being removed: it is too late to abort; `pitstop rollback {app}` goes back"
            ));
        }
        self.left |= urgency == Urgency::Leave;
        self.teller.tell(EventKind::CancelRequested { urgency, by });
        Reply::yes(match urgency {
            Urgency::Finish => "the instances in flight are finished, no other begins",
            Urgency::Abort => "aborting: the instances in flight are put back, those done stay",
            Urgency::AbortAll => "aborting: all instances are put back, those done as well",
            Urgency::Leave => "leaving as soon as no change is under way",
        })
    }
}
