//! An operation told to a person: the same lines whether it runs now or is played again from its record.
//!
//! Nothing here waits or asks.

use super::names::Names;
use super::output::Output;
use super::{human, summary};
use crate::domain::event::{EventKind, OpEvent};
use crate::domain::progress::Progress;

/// What was told so far.
#[derive(Default)]
pub struct Telling {
    pub progress: Progress,
    pub names: Names,
}

impl Telling {
    /// Tells an event.
    pub fn event(&mut self, out: &mut Output, event: &OpEvent) {
        self.progress.apply(event);
        if let EventKind::Planned(planned) = &event.kind {
            self.names = Names::of(planned);
        }
        out.event(event);
        out.running(&human::lines(event, &self.names, out.glyphs));
    }

    /// What runs at this moment, where there is a terminal to say it on.
    pub fn passing(&self, out: &mut Output) {
        out.passing(&human::passing(&self.progress, &self.names, out.glyphs));
    }

    /// Tells the end.
    pub fn end(&self, out: &mut Output) {
        out.passing("");
        let (progress, names) = (&self.progress, &self.names);
        out.closing(&summary::sentence(progress));
        out.running(&summary::table(progress, names, out.glyphs));
        if let Some(error) = progress.finished.as_ref().and_then(|finished| finished.error.as_ref()) {
            out.failure(error);
        }
        for line in summary::state(progress, names) {
            out.alarm(&format!("  {line}"));
        }
    }
}
