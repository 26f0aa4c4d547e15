//! `logs`: lines of an app's instances as they come.
//!
//! A container's standard error goes to ours. Ends quietly when nobody reads any more.

use super::args::LogsArgs;
use super::error::CliError;
use super::exit;
use super::output::Output;
use super::style::{DIM, pad, paint};
use crate::config::settings::Settings;
use crate::domain::ids::InstanceName;
use crate::engine::{InstanceNews, LogLine, LogNews, LogOptions, Logs, clock};
use unicode_width::UnicodeWidthStr;

/// Prints the lines; returns the exit code.
pub async fn logs(out: &mut Output, settings: &Settings, args: &LogsArgs) -> Result<u8, CliError> {
    let session = super::connect(settings).await?;
    let options = LogOptions {
        follow: args.follow,
        tail: args.tail,
        since: args
            .since
            .map(|ago| clock::wall().saturating_sub(ago))
            .transpose()
            .map_err(|error| CliError::usage("--since goes back too far").because(&error))?,
        timestamps: args.timestamps,
    };
    let Logs { instances, mut news } = session.logs(&args.target, options).await?;
    let width = instances.iter().map(|name| name.short().width()).max().filter(|_| instances.len() > 1);
    while let Some(news) = news.recv().await {
        let InstanceNews { instance, news } = news?;
        match news {
            LogNews::Line(line) => {
                let text = shown(&instance, &line, width);
                if line.stderr {
                    out.alarm(&text);
                } else {
                    out.result(&text);
                }
            }
            LogNews::Ended => {
                out.note(&format!(
                    "{} has ended; its log goes on when it runs again (ctrl-c ends this)",
                    instance.short()
                ));
            }
            LogNews::GoesOn { container, revision } => {
                let revision = revision.map_or_else(String::new, |revision| format!(", revision {revision}"));
                out.note(&format!("{} goes on in {container}{revision}", instance.short()));
            }
        }
        if out.is_gone() {
            break;
        }
    }
    Ok(exit::DONE)
}

/// `web-1 | text`, the name only among several.
fn shown(instance: &InstanceName, line: &LogLine, width: Option<usize>) -> String {
    let whose = width.map(|width| paint(DIM, &format!("{} |", pad(instance.short(), width))));
    let at = line.at.map(|at| format!("{at:.3}"));
    whose.into_iter().chain(at).chain([line.text.to_string()]).collect::<Vec<_>>().join(" ")
}
