//! The only place that prints.
//!
//! Standard output carries results: a table, the lines of an operation, or with `--json` the events and nothing else.
//! Standard error carries what a person should know besides: notes, prompts, progress, errors. A reader that went away
//! (`| head`) ends no operation: what can't be written is dropped.

use super::error::CliError;
use super::style::{BAD, CARE, Glyphs, HEAD, cut, paint};
use crate::config::settings::Color;
use crate::domain::event::OpEvent;
use anstream::AutoStream;
use std::fs::File;
use std::io::{ErrorKind, IsTerminal, Write};
use std::path::Path;
use unicode_width::UnicodeWidthStr;

/// Where a run's words go.
pub struct Output {
    out: Box<dyn Write + Send>,
    err: Box<dyn Write + Send>,
    events: Option<File>,
    /// Standard output is for events only.
    json: bool,
    quiet: bool,
    pub glyphs: Glyphs,
    /// Nobody reads standard output any more.
    gone: bool,
    /// Columns of the terminal on standard error; `None`: it is none, so no passing line is drawn.
    columns: Option<usize>,
    /// The passing line on the terminal.
    passing: String,
}

impl Output {
    /// On the process's own streams.
    pub fn new(color: Color, glyphs: Glyphs) -> Self {
        let choice = match color {
            Color::Auto => anstream::ColorChoice::Auto,
            Color::Always => anstream::ColorChoice::Always,
            Color::Never => anstream::ColorChoice::Never,
        };
        let stderr = std::io::stderr();
        let columns = stderr
            .is_terminal()
            .then(|| rustix::termios::tcgetwinsize(&stderr).ok().map_or(80, |size| usize::from(size.ws_col)).max(20));
        Self {
            out: Box::new(AutoStream::new(std::io::stdout(), choice)),
            err: Box::new(AutoStream::new(stderr, choice)),
            columns,
            ..Self::to(Box::new(std::io::sink()), Box::new(std::io::sink()), glyphs)
        }
    }

    /// On any two streams.
    fn to(out: Box<dyn Write + Send>, err: Box<dyn Write + Send>, glyphs: Glyphs) -> Self {
        Self {
            out,
            err,
            events: None,
            json: false,
            quiet: false,
            glyphs,
            gone: false,
            columns: None,
            passing: String::new(),
        }
    }

    /// Sets how an operation is reported; creates the file for its events.
    pub fn report(&mut self, json: bool, quiet: bool, events: Option<&Path>) -> Result<(), CliError> {
        (self.json, self.quiet) = (json, quiet);
        if let Some(path) = events {
            let file = File::create(path).map_err(|error| {
                CliError::usage(format!("cannot write events to {}", path.display())).because(&error)
            })?;
            self.events = Some(file);
        }
        Ok(())
    }

    /// Whether a person can be asked: both sides of the conversation are a terminal.
    pub fn can_ask(&self) -> bool {
        self.columns.is_some() && std::io::stdin().is_terminal()
    }

    /// Whether standard output has lost its reader.
    pub fn is_gone(&self) -> bool {
        self.gone
    }

    /// A line of the result, shown at once.
    pub fn result(&mut self, line: &str) {
        self.lines(std::iter::once(line));
    }

    /// Lines of the result, shown together.
    pub fn lines<T: AsRef<str>>(&mut self, lines: impl IntoIterator<Item = T>) {
        let mut text = String::new();
        for line in lines {
            text.push_str(line.as_ref());
            text.push('\n');
        }
        self.text(&text);
    }

    /// A finished text of its own, like a completion script.
    pub fn text(&mut self, text: &str) {
        if self.gone || text.is_empty() {
            return;
        }
        self.erase();
        let written = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
        if let Err(error) = written {
            self.gone = true;
            if error.kind() != ErrorKind::BrokenPipe {
                self.alarm(&format!("cannot write to standard output any more: {error}"));
            }
        }
        self.redraw();
    }

    /// Lines of a running operation, for people: not with `--json`, not with `-q`.
    pub fn running(&mut self, lines: &[String]) {
        if !self.json && !self.quiet {
            self.lines(lines);
        }
    }

    /// The closing sentence, for people: not with `--json`.
    pub fn closing(&mut self, line: &str) {
        if !self.json {
            self.result(line);
        }
    }

    /// An event, to whoever asked for them.
    pub fn event(&mut self, event: &OpEvent) {
        if !self.json && self.events.is_none() {
            return;
        }
        let Ok(mut line) = serde_json::to_string(event) else { return };
        line.push('\n');
        if let Some(file) = &mut self.events
            && let Err(error) = file.write_all(line.as_bytes())
        {
            self.events = None;
            self.alarm(&format!("cannot write events to the file any more: {error}"));
        }
        if self.json {
            self.text(&line);
        }
    }

    /// Something worth knowing, on standard error; not with `-q`.
    pub fn note(&mut self, line: &str) {
        if !self.quiet {
            self.alarm(line);
        }
    }

    /// `warning: …` on standard error; not with `-q`.
    pub fn warning(&mut self, line: &str) {
        self.note(&format!("{}: {line}", paint(CARE, "warning")));
    }

    /// `error: …` on standard error.
    pub fn failure(&mut self, line: &str) {
        self.alarm(&format!("{}: {line}", paint(BAD, "error")));
    }

    /// `hint: …` on standard error.
    pub fn hint(&mut self, line: &str) {
        self.alarm(&format!("{}: {line}", paint(HEAD, "hint")));
    }

    /// A line on standard error that nothing silences.
    pub fn alarm(&mut self, line: &str) {
        self.erase();
        // Without a standard error there is nobody left to tell.
        let _ = writeln!(self.err, "{line}").and_then(|()| self.err.flush());
        self.redraw();
    }

    /// An error with its causes and what to do.
    pub fn error(&mut self, error: &CliError) {
        // An app file may have many faults: each is one, and each begins with its place.
        for line in error.message.lines() {
            self.failure(line);
        }
        for cause in &error.causes {
            self.alarm(&format!("  because: {cause}"));
        }
        if let Some(hint) = &error.hint {
            self.hint(hint);
        }
    }

    /// A question on standard error; the answer follows on the same line.
    pub fn ask(&mut self, question: &str) {
        self.erase();
        self.passing.clear();
        let _ = write!(self.err, "{question} ").and_then(|()| self.err.flush());
    }

    /// Leaves the line on which a question, or an echoed `^C`, stands; only a terminal has such a line.
    pub fn end_of_question(&mut self) {
        if self.columns.is_some() {
            let _ = writeln!(self.err).and_then(|()| self.err.flush());
        }
    }

    /// The one passing line below everything else, on a terminal only; empty: none.
    pub fn passing(&mut self, line: &str) {
        let Some(columns) = self.columns.filter(|_| !self.json && !self.quiet) else { return };
        let line = cut(line, columns - 1, self.glyphs.ellipsis);
        if line != self.passing {
            self.erase();
            self.passing = line;
            self.redraw();
        }
    }

    /// Spaces instead of an escape sequence, so that it also works where those are taken out.
    fn erase(&mut self) {
        if !self.passing.is_empty() {
            let _ = write!(self.err, "\r{}\r", " ".repeat(self.passing.width())).and_then(|()| self.err.flush());
        }
    }

    fn redraw(&mut self) {
        if !self.passing.is_empty() {
            let _ = write!(self.err, "{}", self.passing).and_then(|()| self.err.flush());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::style::UNICODE;
    use super::*;
    use std::io;
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Page {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    struct Broken(ErrorKind);

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_went_away_is_no_error_but_a_full_disk_is() {
        for (kind, said) in [(ErrorKind::BrokenPipe, ""), (ErrorKind::StorageFull, "cannot write to standard output")] {
            let err = Page::default();
            let mut output = Output::to(Box::new(Broken(kind)), Box::new(err.clone()), UNICODE);
            output.result("one");
            output.result("two");
            assert!(output.is_gone());
            assert_eq!(err.text().matches("cannot write").count(), usize::from(!said.is_empty()));
            assert!(err.text().starts_with(said));
        }
    }

    #[test]
    fn a_passing_line_makes_room_for_what_stays() {
        let err = Page::default();
        let mut output = Output::to(Box::new(io::sink()), Box::new(err.clone()), UNICODE);
        output.passing("not a terminal");
        assert_eq!(err.text(), "");
        output.columns = Some(20);
        output.passing("pulling");
        output.alarm("stays");
        output.passing("");
        assert_eq!(err.text(), "pulling\r       \rstays\npulling\r       \r");
    }

    #[test]
    fn with_json_only_events_are_on_standard_output() {
        let out = Page::default();
        let mut output = Output::to(Box::new(out.clone()), Box::new(io::sink()), UNICODE);
        output.report(true, false, None).unwrap();
        output.running(&["a step".into()]);
        output.closing("the end");
        assert_eq!(out.text(), "");
    }
}
