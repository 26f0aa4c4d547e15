//! The end of the console, whatever it came by: the terminal first, then what runs.

use super::super::message::Msg;
use super::super::signals::{SIGHUP, SIGINT, SIGTERM};
use super::super::update::update;
use super::super::{fault, terminal};
use super::{Console, Ended, Why};
use crate::config::settings::OnHangup;
use crate::domain::event::Urgency;

impl Console {
    /// Gives the terminal back; operations that run are finished or put back first, the more urgently the more often a
    /// signal says so.
    pub(super) async fn end(mut self, why: Why) -> Ended {
        terminal::restore();
        if why != Why::Asked {
            self.let_end(why).await;
        }
        let fault = if why == Why::Fault { fault::first() } else { None };
        let summary = self.model.operations.iter().flat_map(super::super::operation::OpView::epitaph).collect();
        Ended { why, fault, summary }
    }

    /// Waits until nothing runs any more: what is in flight is finished, then put back, then left as it is, the more
    /// urgently the more often a signal says so. That the terminal is gone is said once, however often it is said.
    async fn let_end(&mut self, why: Why) {
        let gone = matches!(why, Why::HungUp | Why::Signal(SIGHUP));
        let mut urgency = [Urgency::Finish, Urgency::Abort, Urgency::Leave].into_iter();
        let goes_on = gone && self.on_hangup == OnHangup::Finish;
        let mut asked = None;
        if !goes_on {
            asked = urgency.next();
            if let Some(urgency) = asked {
                self.bridge.cancel_all(urgency);
            }
        }
        while self.model.running() > 0 {
            // Nobody is left to say go.
            if goes_on {
                let waits = self.model.operations.iter().filter(|op| op.is_running() && op.waiting().is_some());
                waits.for_each(|op| self.bridge.cancel(&op.id, Urgency::Finish));
            }
            tokio::select! {
                biased;
                number = self.signals.next() => if matches!(number, SIGINT | SIGTERM) {
                    match urgency.next() {
                        Some(urgency) => {
                            asked = Some(urgency);
                            self.bridge.cancel_all(urgency);
                        }
                        None => return,
                    }
                },
                msg = self.inbox.recv() => match msg {
                    Some(Msg::Began(engine, id)) => {
                        if let Some(urgency) = asked {
                            self.bridge.cancel(&id, urgency);
                        }
                        drop(update(&mut self.model, Msg::Began(engine, id)));
                    }
                    Some(msg @ (Msg::Op(_) | Msg::NotBegun(_))) => drop(update(&mut self.model, msg)),
                    Some(_) => {}
                    None => return,
                },
            }
        }
    }
}
