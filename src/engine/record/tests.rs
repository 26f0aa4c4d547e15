//! Records on a real disk: private, synced before the step, whole after a kill.

use super::*;
use crate::domain::event::{EventKind, OpEvent, VERSION};
use crate::domain::ids::OpId;
use crate::domain::plan::Action;
use crate::domain::record::{Header, Intent, Mask, Standing};
use crate::engine::clock;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Says to the test program that it is the writer to be killed, and where it writes.
const WRITER: &str = "PITSTOP_TEST_RECORD_WRITER";

fn op(id: &str) -> OpId {
    OpId::new(id).unwrap()
}

fn header() -> Header {
    Header { by: "anna@ops1".into(), ..Header::default() }
}

fn event(op: &OpId, seq: u64) -> OpEvent {
    let kind = EventKind::Noted { message: format!("line {seq}") };
    OpEvent { v: VERSION, op: op.clone(), seq, at: clock::wall(), elapsed_ms: seq, kind }
}

fn intent(step: usize) -> Intent {
    Intent { step, instance: None, action: Action::Stop, target: "shop-web-1.r1".into(), container: None }
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn a_record_is_private_and_says_that_it_is_being_written() {
    let home = tempfile::tempdir().unwrap();
    let records = Records::at(home.path().join("state/pitstop"));
    assert_eq!(records.list().unwrap(), []);
    let op = op("20261122-101502-3f2a01");
    let mut recorder = Recorder::start(records.clone(), op.clone(), header(), Mask::default());
    recorder.event(&event(&op, 0));
    assert!(recorder.intent(1, clock::wall(), 1, intent(3)).unwrap().durable().await);
    assert_eq!((mode(records.directory()), mode(&records.path(&op))), (0o700, 0o600));
    let (record, running) = records.read(&op).unwrap();
    assert_eq!((running, record.events.len(), record.intents), (true, 1, vec![intent(3)]));
    assert!(records.resumed(&op, &op).is_err(), "nobody writes into the record of a running operation");
    assert!(recorder.synced(&event(&op, 1)).unwrap().durable().await);
    drop(recorder);
    // The writer ends behind its last line.
    while records.read(&op).unwrap().1 {
        tokio::task::yield_now().await;
    }
    assert_eq!(records.list().unwrap()[0].standing(), Standing::BrokenOff);
}

#[tokio::test]
async fn what_stands_in_the_way_is_said_and_nothing_waits() {
    let home = tempfile::tempdir().unwrap();
    let outside = home.path().join("outside");
    std::fs::create_dir(&outside).unwrap();
    let link = home.path().join("link");
    symlink(&outside, &link).unwrap();
    let plain = home.path().join("plain");
    std::fs::write(&plain, "").unwrap();
    for (directory, why) in [(&link, "symbolic link"), (&plain, "Not a directory")] {
        let records = Records::at(directory.clone());
        let mut recorder = Recorder::start(records.clone(), op("20261122-101502-3f2a01"), header(), Mask::default());
        let said = recorder.lost().await;
        assert!(said.contains(why) && said.contains(&*directory.to_string_lossy()), "{said}");
        let pending = recorder.intent(0, clock::wall(), 0, intent(0)).unwrap();
        assert!(!pending.durable().await);
        assert!(records.list().is_err());
    }
    assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 0, "nothing was written behind the link");
}

#[test]
fn files_of_others_and_links_are_not_read() {
    let home = tempfile::tempdir().unwrap();
    let records = Records::at(home.path().join("pitstop"));
    let name = op("20261122-101502-3f2a01");
    let (file, path) = records.begin(&name, header()).unwrap();
    assert!(records.begin(&name, header()).is_err(), "one record is one file, made once");
    drop(file);
    let other = op("20261122-101502-aaaaaa");
    symlink(&path, records.path(&other)).unwrap();
    assert!(matches!(records.read(&other), Err(RecordError::File(..))));
    assert!(records.begin(&other, header()).is_err());
    let pipe = op("20261122-101502-bbbbbb");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        records.path(&pipe),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        0,
    )
    .unwrap();
    let error = records.read(&pipe).unwrap_err().to_string();
    assert!(error.contains("not a regular file"), "{error}");
    // A copy under another operation's name is not that operation's record.
    let copy = op("20261122-101502-cccccc");
    std::fs::copy(&path, records.path(&copy)).unwrap();
    assert!(records.read(&copy).is_err());
    assert_eq!(records.list().unwrap().len(), 1);
    // A list that leaves nothing out says of each why.
    let all = records.all().unwrap();
    let unread: Vec<String> = all.iter().filter_map(|one| Some(one.read.as_ref().err()?.to_string())).collect();
    assert_eq!(all.len(), unread.len() + 1, "{unread:?}");
    assert!(unread.iter().any(|why| why.contains("not a regular file")), "{unread:?}");
    assert_eq!(records.path(&name).metadata().unwrap().uid(), rustix::process::geteuid().as_raw());
}

#[test]
fn an_operation_is_found_by_a_part_of_its_id() {
    let home = tempfile::tempdir().unwrap();
    let records = Records::at(home.path().join("pitstop"));
    for id in ["20261122-101502-3f2a01", "20261122-101502-3f2b02", "20261123-090000-3f2a01"] {
        records.begin(&op(id), header()).unwrap();
    }
    let find = |part: &str| records.find(part).map(|op| op.to_string()).map_err(|error| error.to_string());
    assert_eq!(find("20261123"), Ok("20261123-090000-3f2a01".into()));
    assert_eq!(find("3f2b"), Ok("20261122-101502-3f2b02".into()));
    assert_eq!(find("3f2b02"), Ok("20261122-101502-3f2b02".into()));
    assert!(find("3f2a01").unwrap_err().contains("could be 20261122-101502-3f2a01 or 20261123-090000-3f2a01"));
    assert!(find("2026").unwrap_err().contains("write more of it"));
    for nobody in ["", "x", "../../etc/passwd"] {
        assert!(find(nobody).unwrap_err().contains("no record"), "{nobody}");
    }
}

#[test]
fn a_torn_line_is_cut_off_before_anything_is_added() {
    let home = tempfile::tempdir().unwrap();
    let records = Records::at(home.path().join("pitstop"));
    let name = op("20261122-101502-3f2a01");
    let (file, path) = records.begin(&name, header()).unwrap();
    drop(file);
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, [&whole, &b"{\"v\":1,\"op\":\"2026"[..]].concat()).unwrap();
    let by = op("20261122-101600-000001");
    records.resumed(&name, &by).unwrap();
    let (record, running) = records.read(&name).unwrap();
    assert_eq!((record.torn, record.damaged, running), (false, 0, false));
    assert_eq!((record.header, record.resumed_by), (Some(header()), Some(by)));
    assert!(std::fs::read(&path).unwrap().starts_with(&whole));
}

#[test]
fn what_was_left_open_is_found_among_what_was_not() {
    let home = tempfile::tempdir().unwrap();
    let records = Records::at(home.path().join("pitstop"));
    assert_eq!(records.left_open(), Ok(Vec::new()));
    let real = include_str!("../../../tests/it/records/deploy-0.1.0.jsonl");
    let put = |id: &str, app: &str, whole: bool| {
        let end = if whole { real.len() } else { real.len() / 2 };
        let (file, path) = records.begin(&op(id), header()).unwrap();
        drop(file);
        std::fs::write(&path, real[..end].replace("20261128-201947-32a700", id).replace("shop/web", app)).unwrap();
    };
    let left = || records.left_open().unwrap().into_iter().map(|one| one.op.to_string()).collect::<Vec<_>>();
    put("20261122-101502-3f2a01", "shop/web", true);
    put("20261122-101502-3f2a02", "shop/api", false);
    put("20261122-101503-3f2a03", "shop/web", true);
    assert_eq!(left(), ["20261122-101502-3f2a02"]);
    assert_eq!(records.list().unwrap().len(), 3);
    records.resumed(&op("20261122-101502-3f2a02"), &op("20261122-101503-3f2a03")).unwrap();
    assert_eq!(left(), Vec::<String>::new());
}

/// Not a test: what the next one starts and kills. Writes intents, and says of each when it is on disk.
#[test]
fn a_writer_to_be_killed() {
    let Some(directory) = std::env::var_os(WRITER) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let records = Records::at(PathBuf::from(directory));
        let op = clock::operation_id();
        let mut recorder = Recorder::start(records, op.clone(), header(), Mask::default());
        println!("\nbegan {op}");
        for step in 0.. {
            recorder.event(&event(&op, step as u64));
            if recorder.intent(step as u64, clock::wall(), 0, intent(step)).unwrap().durable().await {
                println!("synced {step}");
            }
        }
    });
}

#[test]
fn a_killed_writer_has_lost_nothing_that_it_said_was_on_disk() {
    let rounds = std::env::var("PITSTOP_KILL_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(6);
    let home = tempfile::tempdir().unwrap();
    let records = Records::at(home.path().join("pitstop"));
    let (mut torn, mut synced) = (0, 0);
    for round in 0..rounds {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "engine::record::tests::a_writer_to_be_killed", "--nocapture", "--test-threads=1"])
            .env(WRITER, records.directory())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let name = lines.find_map(|line| line.strip_prefix("began ").map(op)).unwrap();
        // Killed after so many, at whatever it does then.
        let enough = round * 7 % 40 + 1;
        let number = |line: String| line.strip_prefix("synced ")?.parse::<usize>().ok();
        let mut last = lines.by_ref().filter_map(number).nth(enough).unwrap();
        child.kill().unwrap();
        last = lines.filter_map(number).last().unwrap_or(last);
        child.wait().unwrap();
        let (record, running) = records.read(&name).unwrap();
        assert!(!running && record.damaged == 0);
        let written: Vec<usize> = record.intents.iter().map(|intent| intent.step).collect();
        assert!(written.starts_with(&(0..=last).collect::<Vec<_>>()), "round {round}: said {last}, found {written:?}");
        torn += usize::from(record.torn);
        synced += last + 1;
    }
    println!("{rounds} writers killed, {synced} intents said to be on disk, 0 of them lost; {torn} torn lines");
}

#[tokio::test]
async fn a_list_that_is_known_has_changed_when_something_came_went_or_ended() {
    let directory = tempfile::tempdir().unwrap();
    let records = Records::at(directory.path().join("records"));
    assert!(!records.has_changed(&[]), "there is none");
    let (first, second) = (op("20261122-101502-3f2a01"), op("20261122-101502-3f2a02"));
    let (file, _) = records.begin(&first, header()).unwrap();
    assert!(records.has_changed(&[]), "one has come");
    assert!(!records.has_changed(&[(first.clone(), Some(true))]));
    assert!(records.has_changed(&[(first.clone(), None)]), "it could not be read yet, and is written");
    drop(file);
    assert!(records.has_changed(&[(first.clone(), Some(true))]), "its console is gone");
    assert!(!records.has_changed(&[(first.clone(), Some(false))]) && !records.has_changed(&[(first.clone(), None)]));
    drop(records.begin(&second, header()).unwrap());
    // In whatever order.
    assert!(!records.has_changed(&[(second.clone(), Some(false)), (first.clone(), Some(false))]));
    records.remove(&first).unwrap();
    assert!(records.has_changed(&[(second, Some(false)), (first, Some(false))]), "one has gone");
}
