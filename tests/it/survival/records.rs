//! The console is killed between any two lines of its record; then its operation is resumed by that record, and once more.

use std::time::Duration;

use pitstop::domain::ids::OpId;
use pitstop::domain::record::Record;
use pitstop::engine::Request;

use crate::support::wait::wait_until;

use super::kills::judged;
use super::life::{End, Life, Ran};
use super::oracle::settled;
use super::scene::{PLAYS, Play, patient};
use super::single::{converges, stage, succeeded};

/// Lines in all records, whole or not.
fn lines(life: &Life) -> usize {
    let Ok(files) = std::fs::read_dir(life.records().directory()) else { return 0 };
    let files = files.map(|file| file.expect("an entry").path());
    let records = files.filter(|file| file.extension().is_some_and(|extension| extension == "jsonl"));
    records.map(|file| std::fs::read(file).map_or(0, |text| text.split(|byte| *byte == b'\n').count() - 1)).sum()
}

/// How many lines its record has when all is well.
fn all_lines(play: Play, instances: u32) -> usize {
    let life = stage(play, instances, true);
    let ran = life.ask_recorded(play.request(instances), || false);
    assert!(succeeded(&ran), "{play:?} ×{instances}: {:?}", ran.events.last());
    lines(&life)
}

fn dies(play: Play, instances: u32, line: usize) -> Result<(), String> {
    let life = stage(play, instances, true);
    let (before, begun) = (life.control().world(), life.control().requests().len());
    let ran = life.ask_recorded(play.request(instances), || lines(&life) >= line);
    life.pass(Duration::from_secs(15));
    judged(&life, play, instances, &before, begun, &ran)
        .and_then(|()| resumes(&life, play, instances, &ran))
        .map_err(|why| format!("{play:?} ×{instances}, killed when line {line} was written: {why}"))
}

fn resumes(life: &Life, play: Play, instances: u32, ran: &Ran) -> Result<(), String> {
    let open = life.records().left_open().map_err(|error| error.to_string())?;
    let Some(left) = open.last().filter(|_| matches!(ran.end, End::Died)) else {
        return converges(life, play, instances);
    };
    // The file of a creation is not on any disk here: it is asked for once more.
    if play == Play::Create {
        return converges(life, play, instances);
    }
    // A process that dies closes its files at once; a console here, when its threads come to their end.
    is_so(life, &left.op, |_, running| !running);
    let resume = || Request::Resume { op: left.op.clone(), options: patient() };
    let again = life.ask_recorded(resume(), || false);
    if matches!(&again.end, End::Refused(why) if why.contains("run the same command again")) {
        return converges(life, play, instances);
    }
    life.pass(Duration::from_millis(500));
    let now = settled(&life.control().world(), instances, play.wanted());
    now.map_err(|why| format!("resumed, {}: {why}", said(&again)))?;
    // The disk does not know of this clock.
    is_so(life, &left.op, |record, running| record.resumed_by.is_some() && !running);
    let twice = life.ask_recorded(resume(), || false);
    if twice.steps == Some(0) {
        return Ok(());
    }
    Err(format!("resumed, {}; once more, {} steps: {}", said(&again), twice.steps.unwrap_or(0), said(&twice)))
}

fn is_so(life: &Life, op: &OpId, holds: impl Fn(Record, bool) -> bool) {
    wait_until("the record is so", Duration::from_secs(20), || {
        life.records().read(op).is_ok_and(|(record, running)| holds(record, running))
    });
}

fn said(ran: &Ran) -> String {
    match &ran.end {
        End::Refused(why) => why.clone(),
        End::Finished(end) => format!("{:?}: {:?}", end.outcome, end.error),
        End::Died => "killed".into(),
    }
}

/// Every line, or every eleventh.
#[test]
fn a_console_that_dies_between_two_lines_of_its_record_is_resumed() {
    let (mut cases, mut broken) = (0, Vec::new());
    for play in PLAYS {
        for instances in [1, 3] {
            for line in (1..all_lines(play, instances)).step_by(if super::exhaustive() { 1 } else { 11 }) {
                cases += 1;
                broken.extend(dies(play, instances, line).err());
            }
        }
    }
    super::tell(&format!("killed between lines of the record: {cases} cases, {} broken", broken.len()));
    assert!(broken.is_empty(), "{}", broken.join("\n\n"));
}
