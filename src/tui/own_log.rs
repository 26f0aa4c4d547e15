//! pitstop's own log inside the console: tracing events into tui-logger, with all their spans' fields.
//!
//! tui-logger's own layer loses the fields of outer spans, sorts the message among fields and starts a thread that
//! wakes a hundred times a second; this one is a third of its size and does none of that. Filtering is `EnvFilter`'s
//! job: `PITSTOP_LOG`, else warnings of the libraries and our own information. bollard's debug lines hold whole
//! answers, environment and secrets included, so they are never on by default.

use crate::domain::clean::clean;
use std::fmt::{self, Write};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Subscriber};
use tracing_log::NormalizeEvent;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

/// What is logged when `PITSTOP_LOG` says nothing.
pub const DEFAULT_FILTER: &str = "info,bollard=warn,hyper=warn";

/// The scroll position in pitstop's own log.
#[derive(Default)]
pub struct OwnLog(pub tui_logger::TuiWidgetState);

impl fmt::Debug for OwnLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OwnLog")
    }
}

/// Sends the program's log to the console, filtered by `filter` (the value of `PITSTOP_LOG`).
///
/// The error is a sentence about a filter that can't be read, or a log that somebody else already has.
pub fn install(filter: Option<&str>) -> Result<(), String> {
    let text = filter.unwrap_or(DEFAULT_FILTER);
    let filter = EnvFilter::try_new(text).map_err(|error| format!("PITSTOP_LOG `{}`: {error}", clean(text)))?;
    tui_logger::set_default_level(tui_logger::LevelFilter::Trace);
    tracing_subscriber::registry()
        .with(filter)
        .with(ToConsole)
        .try_init()
        .map_err(|error| format!("cannot collect pitstop's own log: {error}"))
}

/// Takes in what was logged since the last time; before drawing it.
pub fn collect() {
    tui_logger::move_events();
}

struct ToConsole;

/// A span's fields as text, kept with the span.
struct Fields(String);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for ToConsole {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut writer = Writer::default();
        attributes.record(&mut writer);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(Fields(writer.fields));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let normalized = event.normalized_metadata();
        let metadata = normalized.as_ref().unwrap_or_else(|| event.metadata());
        let mut writer = Writer::default();
        event.record(&mut writer);
        let mut line = writer.message + &writer.fields;
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(Fields(fields)) = span.extensions().get::<Fields>() {
                line.push_str(fields);
            }
        }
        let level = match *metadata.level() {
            tracing::Level::ERROR => log::Level::Error,
            tracing::Level::WARN => log::Level::Warn,
            tracing::Level::INFO => log::Level::Info,
            tracing::Level::DEBUG => log::Level::Debug,
            tracing::Level::TRACE => log::Level::Trace,
        };
        tui_logger::Drain::new().log(
            &log::Record::builder()
                .level(level)
                .target(metadata.target())
                .args(format_args!("{}", clean(&line)))
                .build(),
        );
    }
}

/// The message apart, then fields as ` name=value`.
#[derive(Default)]
struct Writer {
    message: String,
    fields: String,
}

impl Visit for Writer {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let name = field.name();
        // Writing to a String can't fail.
        let _ = if name == "message" {
            write!(self.message, "{value:?}")
        } else if name.starts_with("log.") {
            Ok(())
        } else {
            write!(self.fields, " {name}={value:?}")
        };
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.message.push_str(value);
        } else if !field.name().starts_with("log.") {
            let _ = write!(self.fields, " {}={value}", field.name());
        }
    }
}
