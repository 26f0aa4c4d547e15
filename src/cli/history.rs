//! `history`, `show` and `replay`: what the records tell, as tables, as events, as the lines of a live operation.

use super::args::{HistoryArgs, ReplayArgs, ShowArgs};
use super::error::CliError;
use super::human::label;
use super::names::Names;
use super::output::Output;
use super::style::{BAD, CARE, DIM, GOOD, Glyphs, HEAD, PLAIN, cut, paint};
use super::table::{self, Cell};
use super::telling::Telling;
use super::{exit, preview, summary};
use crate::config::paths;
use crate::domain::duration::human;
use crate::domain::event::{Counts, Outcome, StepResult};
use crate::domain::progress::{Progress, Status, StepProgressed};
use crate::domain::record::{Record, Standing, Summary, left_open};
use crate::engine::{RecordError, Records, clock, read_file};
use clap::builder::styling::Style;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;
use unicode_width::UnicodeWidthStr;

impl From<RecordError> for CliError {
    fn from(error: RecordError) -> Self {
        let unknown = matches!(error, RecordError::Unknown(_) | RecordError::Ambiguous { .. });
        let hint = unknown.then(|| "`pitstop history` lists the operations that have a record here".to_owned());
        // Which operation is meant, and which file, is for the command line to say.
        Self { hint, ..Self::usage(error.to_string()) }
    }
}

/// Where this user's records are; `None` without a home.
pub fn records() -> Option<Records> {
    paths::state_dir().ok().map(Records::at)
}

pub fn store() -> Result<Records, CliError> {
    paths::state_dir().map(Records::at).map_err(|error| CliError::usage(error.to_string()))
}

/// The operations of this console's user, the newest first.
pub fn history(out: &mut Output, args: &HistoryArgs) -> Result<u8, CliError> {
    let (mut all, mut unread) = (Vec::new(), Vec::new());
    for listed in store()?.all()? {
        listed.read.map_or_else(|why| unread.push(why), |summary| all.push(summary));
    }
    for why in &unread {
        out.warning(&format!("a record can't be read: {why}"));
    }
    let open: Vec<_> = left_open(&all).into_iter().map(|one| one.op.clone()).collect();
    let wanted = |one: &&Summary| args.app.as_deref().is_none_or(|app| is_about(&one.app, app));
    let shown: Vec<&Summary> = all.iter().filter(wanted).collect();
    if args.json {
        let objects: Vec<Value> = shown.iter().map(|one| object(one, open.contains(&one.op))).collect();
        out.result(&Value::from(objects).to_string());
        return Ok(exit::DONE);
    }
    let engines: BTreeSet<&str> = shown.iter().map(|one| &*one.engine.name).filter(|name| !name.is_empty()).collect();
    let several = engines.len() > 1;
    let rows: Vec<Vec<Cell>> = shown.iter().map(|one| row(one, clock::wall(), several, out.glyphs)).collect();
    if rows.is_empty() {
        let of = args.app.as_ref().map_or(String::new(), |app| format!(" of {app}"));
        out.note(&format!("no operation{of} has a record here"));
        return Ok(exit::DONE);
    }
    let mut heading = vec!["WHEN", "OP", "KIND", "APP", "CHANGE", "OUTCOME", "TOOK", "IDENTITIES"];
    heading.extend(several.then_some("ENGINE"));
    heading.push("BY");
    out.lines(table::render(&heading, &rows));
    let left: Vec<Summary> = left_open(&all).into_iter().filter(wanted).cloned().collect();
    unfinished(out, &left);
    Ok(exit::DONE)
}

/// What was left half-done, and what can be done about it: beside the result, so on standard error.
pub fn unfinished(out: &mut Output, left: &[Summary]) {
    for one in left {
        let (sentence, op) = (one.sentence(clock::wall()), &one.op);
        out.note(&format!("{sentence}: `pitstop resume {op}` goes on, `pitstop abort {op}` takes it back"));
    }
}

/// `shop/web`, `web` or `shop`.
pub fn is_about(app: &str, wanted: &str) -> bool {
    app == wanted || app.split('/').any(|part| part == wanted) || app.starts_with(&format!("{wanted}-"))
}

/// `engine`: which one is said, for there are several.
fn row(one: &Summary, now: Timestamp, engine: bool, glyphs: Glyphs) -> Vec<Cell> {
    let none = || glyphs.none.to_owned();
    let mut cells = vec![
        one.began.map_or_else(none, |began| when(began, now)).into(),
        one.op.short().into(),
        one.kind.map_or_else(none, |kind| kind.to_string()).into(),
        one.app.clone().into(),
        change(one, glyphs).into(),
        standing(one.standing(), glyphs),
        human(one.took_ms).into(),
        identities(one.counts, glyphs),
    ];
    cells.extend(engine.then(|| Cell(one.engine.name.clone(), PLAIN)));
    cells.push(Cell(one.by.clone(), DIM));
    cells
}

/// `web:v1 → web:v2`, without the registry.
fn change(one: &Summary, glyphs: Glyphs) -> String {
    let image = |image: &str| image.rsplit('/').next().unwrap_or(image).to_owned();
    match (&one.from, &one.to) {
        (Some(from), Some(to)) if from != to => format!("{} {} {}", image(from), glyphs.arrow, image(to)),
        (_, Some(one)) | (Some(one), None) => image(one),
        (None, None) => glyphs.none.to_owned(),
    }
}

/// Today the time, before the day too; in the zone people read it in.
fn when(at: Timestamp, now: Timestamp) -> String {
    let zone = TimeZone::system();
    let (at, now) = (at.to_zoned(zone.clone()), now.to_zoned(zone));
    let format = if at.date() == now.date() { "%H:%M:%S" } else { "%Y-%m-%d %H:%M" };
    at.strftime(format).to_string()
}

fn standing(standing: Standing, glyphs: Glyphs) -> Cell {
    let (glyph, style) = match standing {
        Standing::Ended(Outcome::Succeeded) => (glyphs.ok, GOOD),
        Standing::Ended(Outcome::Failed) => (glyphs.failed, BAD),
        Standing::Running => (glyphs.arrow, PLAIN),
        Standing::Ended(_) | Standing::BrokenOff => (glyphs.care, CARE),
    };
    Cell(format!("{glyph} {}", standing.as_str().replace('_', " ")), style)
}

fn identities(counts: Counts, glyphs: Glyphs) -> Cell {
    let figures = [
        (counts.kept, "kept"),
        (counts.unprotected, "unprotected"),
        (counts.changed, "changed"),
        (counts.lost, "lost"),
        (counts.failed, "failed"),
    ];
    let said: Vec<String> =
        figures.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
    if said.is_empty() { Cell(glyphs.none.to_owned(), DIM) } else { said.join(", ").into() }
}

pub fn object(one: &Summary, open: bool) -> Value {
    json!({
        "op": one.op,
        "at": one.began.map(|at| format!("{at:.3}")),
        "by": one.by,
        "engine": one.engine.name,
        "kind": one.kind,
        "app": one.app,
        "from": one.from,
        "to": one.to,
        "outcome": one.standing().as_str(),
        "took_ms": one.took_ms,
        "counts": one.counts,
        "error": one.error,
        "resumes": one.resumes,
        "resumed_by": one.resumed_by,
        "unfinished": open,
    })
}

/// One operation whole: plan, steps with their times, verdicts, gaps, what went wrong and what to do next.
pub fn show(out: &mut Output, args: &ShowArgs) -> Result<u8, CliError> {
    let records = store()?;
    let op = records.find(&args.op)?;
    let (record, running) = records.read(&op)?;
    let summary = record.summary(running);
    if args.json {
        let all = records.list().unwrap_or_default();
        let open = left_open(&all).iter().any(|one| one.op == op);
        let mut whole = object(&summary, open);
        whole["record"] = json!({
            "file": records.path(&op).to_string_lossy(),
            "header": record.header,
            "intents": record.intents,
            "torn": record.torn,
            "damaged": record.damaged,
        });
        whole["events"] = json!(record.events);
        out.result(&whole.to_string());
        return Ok(exit::DONE);
    }
    let lines = whole(&record, &summary, out.glyphs);
    out.lines(lines);
    remarks(out, &record);
    let next = match summary.standing() {
        Standing::Running => Some("it is still running".to_owned()),
        _ if record.resumed_by.is_some() => None,
        _ if summary.is_open() => {
            Some(format!("next: `pitstop resume {op}` goes on with it, `pitstop abort {op}` takes it back"))
        }
        Standing::Ended(_) | Standing::BrokenOff => None,
    };
    out.lines(next);
    Ok(exit::DONE)
}

fn whole(record: &Record, summary: &Summary, glyphs: Glyphs) -> Vec<String> {
    let progress = Progress::of(&record.events);
    let planned = progress.planned.clone().unwrap_or_else(|| crate::domain::event::Planned {
        replaces: std::collections::BTreeMap::new(),
        kind: crate::domain::plan::Kind::Deploy,
        app: "unknown".into(),
        from: None,
        to: None,
        batches: Vec::new(),
        steps: Vec::new(),
        notes: Vec::new(),
        gate: crate::domain::options::Gate::Auto,
        on_failure: crate::domain::options::OnFailure::Pause,
        resumes: None,
    });
    let names = Names::of(&crate::domain::event::Planned {
        replaces: std::collections::BTreeMap::new(),
        steps: progress.steps.iter().map(|step| step.plan.clone()).collect(),
        ..planned.clone()
    });
    let began = summary.began.map(|at| at.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S %Z").to_string());
    let mut lines = vec![preview::headline(&planned, glyphs), format!("  operation  {}", record.op)];
    let mut fact = |name: &str, value: String| {
        if !value.is_empty() {
            lines.push(format!("  {name:<9}  {value}"));
        }
    };
    fact(
        "began",
        [began, Some(summary.by.clone()).filter(|by| !by.is_empty())]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(" by "),
    );
    if let Some(header) = &record.header {
        let engine = &header.engine;
        fact("engine", format!("{} {}", engine.host, engine.version).trim().to_owned());
        fact("pitstop", header.pitstop.clone());
    }
    fact("resumes", summary.resumes.as_ref().map(ToString::to_string).unwrap_or_default());
    fact("resumed by", summary.resumed_by.as_ref().map(ToString::to_string).unwrap_or_default());
    let Cell(word, style) = standing(summary.standing(), glyphs);
    fact("outcome", format!("{} after {}", paint(style, &word), human(summary.took_ms)));
    lines.extend(planned.notes.iter().map(|note| format!("  {} {note}", paint(CARE, glyphs.care))));
    let shown =
        progress.steps.iter().filter(|step| step.status != Status::Ended(StepResult::Skipped) || step.error.is_some());
    let rows: Vec<Vec<Cell>> = shown.map(|step| step_row(step, &names, glyphs)).collect();
    if !rows.is_empty() {
        let heading = ["STEP", "INSTANCE", "ACTION", "RESULT", "WAITED", "TOOK", "SAID", "BECAUSE"];
        lines.extend(table::render(&heading, &rows).into_iter().map(|line| format!("  {line}")));
    }
    // What was cut in the table is said whole below it.
    for step in &progress.steps {
        let said = said(step).filter(|said| said.width() > SAID);
        lines.extend(said.map(|said| format!("  {} {}: {said}", paint(DIM, "step"), step.plan.step)));
    }
    lines.extend(summary::table(&progress, &names, glyphs));
    lines.push(paint(HEAD, &progress.summary()));
    if let Some(finished) = &progress.finished {
        lines.extend(finished.error.as_ref().map(|error| format!("  {}: {error}", paint(BAD, "error"))));
        lines.extend(finished.state.iter().map(|line| format!("  {line}")));
    }
    lines
}

/// Columns for what a step said: an app's last lines may be hundreds.
const SAID: usize = 48;

fn said(step: &StepProgressed) -> Option<&str> {
    step.error.as_deref().or(step.detail.as_deref())
}

fn step_row(step: &StepProgressed, names: &Names, glyphs: Glyphs) -> Vec<Cell> {
    let time = |ms: Option<u64>| ms.map_or_else(|| glyphs.none.to_owned(), human);
    let result: (String, Style) = match step.status {
        Status::Waiting => ("not begun".into(), DIM),
        Status::Running => (format!("{} not known", glyphs.care), CARE),
        Status::Ended(result) => glyphs.result(result),
    };
    let started = step.started_ms.is_some();
    vec![
        format!("{:>4}", step.plan.step).into(),
        names.show(step.plan.instance.as_ref()).into(),
        label(step.plan.action, step.plan.lane).into(),
        result.into(),
        time(started.then_some(step.waited_ms)).into(),
        time(step.took_ms).into(),
        said(step).map(|said| cut(said, SAID, glyphs.ellipsis)).unwrap_or_default().into(),
        Cell(step.plan.cause.clone(), DIM),
    ]
}

/// What the record itself is like.
fn remarks(out: &mut Output, record: &Record) {
    if record.torn {
        out.note("the last line was being written when the console died; it is left out");
    }
    if record.damaged > 0 {
        out.note(&format!("{} make no sense and are left out", preview::count(record.damaged, "line")));
    }
}

/// Plays a record again.
pub async fn replay(out: &mut Output, args: &ReplayArgs) -> Result<u8, CliError> {
    out.report(args.json, false, None)?;
    let kept = store().and_then(|records| Ok(records.read(&records.find(&args.what)?)?.0));
    let record = match kept {
        // What is no operation of this console is a file.
        Err(_) if Path::new(&args.what).exists() => {
            read_file(Path::new(&args.what)).map_err(|why| CliError { hint: None, ..CliError::from(why) })?
        }
        kept => kept?,
    };
    // A program that reads events has no use for waiting.
    let speed = args.speed.unwrap_or(if args.json { 0.0 } else { 1.0 });
    let mut telling = Telling::default();
    let mut at = 0;
    for event in &record.events {
        if speed > 0.0 {
            let wait = Duration::from_millis(event.elapsed_ms.saturating_sub(at));
            tokio::time::sleep(Duration::try_from_secs_f64(wait.as_secs_f64() / speed).unwrap_or(wait)).await;
        }
        at = at.max(event.elapsed_ms);
        telling.event(out, event);
        telling.passing(out);
        if out.is_gone() {
            return Ok(exit::DONE);
        }
    }
    telling.end(out);
    remarks(out, &record);
    Ok(exit::DONE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_app_is_named_as_people_name_it() {
        for (app, wanted, want) in [
            ("shop/web", "shop/web", true),
            ("shop/web", "web", true),
            ("shop/web", "shop", true),
            ("shop/web-1", "shop/web", true),
            ("shop/web", "shop/we", false),
            ("shop/webshop", "web", false),
        ] {
            assert_eq!(is_about(app, wanted), want, "{app} {wanted}");
        }
    }
}
