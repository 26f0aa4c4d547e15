//! `doctor`: is all well with the engine and with this terminal, and what to do where it is not.

use super::error::CliError;
use super::output::Output;
use super::style::{BAD, CARE, DIM, GOOD, Glyphs, UNICODE, paint};
use super::table::{self, Cell};
use super::{connect, exit};
use crate::config::{paths, settings::Settings};
use crate::engine::{Check, Level};
use std::io::IsTerminal;

/// Looks and tells; 0 when nothing is wrong, 1 when something is, 3 when the engine can't be reached.
pub async fn doctor(out: &mut Output, settings: &Settings) -> Result<u8, CliError> {
    let (mut checks, code) = match connect(settings).await {
        Ok(session) => {
            let checks = session.doctor().await;
            let bad = checks.iter().any(|check| check.level == Level::Fail);
            (checks, if bad { exit::FAILED } else { exit::DONE })
        }
        Err(error) => {
            let check = Check { level: Level::Fail, subject: "engine", finding: error.message, advice: error.hint };
            (vec![check], error.code)
        }
    };
    checks.extend(settings_file());
    checks.extend(terminal(out.glyphs));
    let lines = lines(&checks, out.glyphs);
    out.lines(lines);
    Ok(code)
}

/// One line a finding, its advice below it.
pub fn lines(checks: &[Check], glyphs: Glyphs) -> Vec<String> {
    let rows: Vec<Vec<Cell>> = checks
        .iter()
        .map(|check| {
            let level = match check.level {
                Level::Ok => Cell(format!("{} ok", glyphs.ok), GOOD),
                Level::Warn => Cell(format!("{} warn", glyphs.care), CARE),
                Level::Fail => Cell(format!("{} fail", glyphs.failed), BAD),
            };
            vec![level, check.subject.into(), check.finding.clone().into()]
        })
        .collect();
    let mut lines = Vec::new();
    for (line, check) in table::render(&[], &rows).into_iter().zip(checks) {
        lines.push(line);
        lines.extend(
            check
                .advice
                .iter()
                .flat_map(|advice| advice.lines())
                .map(|line| paint(DIM, &format!("        {} {line}", glyphs.arrow))),
        );
    }
    lines
}

/// The file is valid, or nothing would have got this far.
fn settings_file() -> Option<Check> {
    let file = paths::config_dir().ok()?.join("config.toml");
    let finding = if file.is_file() { "read from" } else { "defaults; they can be set in" };
    Some(Check {
        level: Level::Ok,
        subject: "settings",
        finding: format!("{finding} {}", file.display()),
        advice: None,
    })
}

fn terminal(glyphs: Glyphs) -> Vec<Check> {
    let check = |level, finding: &str, advice: Option<&str>| Check {
        level,
        subject: "terminal",
        finding: finding.to_owned(),
        advice: advice.map(str::to_owned),
    };
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let mut checks = vec![if glyphs == UNICODE {
        check(Level::Ok, "UTF-8", None)
    } else {
        check(Level::Warn, "the locale is not UTF-8: plain characters are used", Some("set LANG=C.UTF-8"))
    }];
    if !std::io::stdout().is_terminal() {
        checks.push(check(Level::Ok, "standard output is not a terminal: no colours, no console", None));
    } else if set("NO_COLOR") {
        checks.push(check(Level::Ok, "no colours, as NO_COLOR asks", None));
    } else if std::env::var("TERM").is_ok_and(|term| term == "dumb") {
        checks.push(check(Level::Warn, "TERM=dumb: the console can't draw here", Some("use another terminal")));
    } else {
        checks.push(check(Level::Ok, "colours", None));
    }
    checks
}
