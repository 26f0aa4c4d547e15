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
use crate::engine::{InstanceLine, LogOptions, clock};
use unicode_width::UnicodeWidthStr;

/// Prints the lines; returns the exit code.
pub async fn logs(out: &mut Output, settings: &Settings, args: &LogsArgs) -> Result<u8, CliError> {
    let session = super::connect(settings).await?;
    let fleet = session.fleet().await?;
    let names: Vec<&InstanceName> = match fleet.find_instance(&args.target) {
        Some((_, instance)) => vec![&instance.name],
        None => {
            fleet.find(&args.target).map_err(CliError::usage)?.instances.iter().map(|instance| &instance.name).collect()
        }
    };
    let width = names.iter().map(|name| name.short().width()).max().filter(|_| names.len() > 1);
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
    let mut lines = session.logs(&args.target, options).await?;
    while let Some(line) = lines.recv().await {
        let line = line?;
        let text = shown(&line, width);
        if line.line.stderr {
            out.alarm(&text);
        } else {
            out.result(&text);
        }
        if out.is_gone() {
            break;
        }
    }
    Ok(exit::DONE)
}

/// `web-1 | text`, the name only among several.
fn shown(line: &InstanceLine, width: Option<usize>) -> String {
    let whose = width.map(|width| paint(DIM, &format!("{} |", pad(line.instance.short(), width))));
    let at = line.line.at.map(|at| format!("{at:.3}"));
    whose.into_iter().chain(at).chain([line.line.text.to_string()]).collect::<Vec<_>>().join(" ")
}
